import Base
import Testing

@testable import Ledger

/// Whoever was erased after a state was saved is erased from it by the list, as `MEMBER ERASE` would have.
@Suite struct ErasedMembersTests {
  private func holds(_ text: String, _ bytes: [UInt8]) -> Bool {
    let sought = Array(text.utf8)
    return bytes.indices.contains {
      $0 + sought.count <= bytes.count && bytes[$0..<$0 + sought.count].elementsEqual(sought)
    }
  }
  private func restored(_ shard: TestShard) throws -> Ledger {
    try Ledger.restored(from: MemorySnapshotSource(shard.snapshotBytes()), limits: shard.ledger.limits)
  }

  @Test func theListIsText() throws {
    var list = ErasedMembers()
    list.add(.first, Array("zoe".utf8), at: Stamp(microseconds: 7))
    list.add(.first, Array("ann".utf8), at: Stamp(microseconds: 5))
    list.add(.first, Array("zoe".utf8), at: Stamp(microseconds: 6))
    #expect(list.text.hasSuffix("\n\(TenantID.first.rawValue) ann 5\n\(TenantID.first.rawValue) zoe 7\n"))
    #expect(try ErasedMembers(text: list.text) == list)
    #expect(list.since(Stamp(microseconds: 5)).count == 1)
    for bad in ["0 zoe", "0 zoe x", "x zoe 1", "0 z=e 1", "0 zoe 0", "0 zoe 1 2"] {
      #expect(throws: MalformedBytes.self) { try ErasedMembers(text: bad) }
    }
  }

  @Test(arguments: [1, 3]) func aStateHasNothingOfThemAfterwards(shards: Int) throws {
    let world = World(shards: shards)
    world.semantics = Semantics.newest
    for line in [
      "PROGRAM SET points", "MERCHANT SET cafe program=points", "MEMBER ADD ben",
      "MEMBER ADD cyd name=Secret-name birthday=1990-01-02 x.a=Secret-field card=Secret-card id=a",
      "CARD ADD Secret-second member=cyd id=b", "CARD LOST Secret-second id=c",
      "MEMBER NOTE cyd kind=visit text=Secret-note id=d", "EARN card:Secret-card merchant=cafe points=100 id=e",
      "CARD ADD Stays member=ben id=f",
    ] {
      let answer = try world.run(line)
      #expect(answer.hasPrefix("+"), "\(line): \(answer)")
    }
    var list = ErasedMembers()
    list.add(.first, Array("cyd".utf8), at: Stamp(microseconds: world.time.microseconds + 1_000_000))
    list.add(.first, Array("nobody".utf8), at: Stamp(microseconds: world.time.microseconds + 1_000_000))
    for shard in world.shards {
      var ledger = try restored(shard)
      let chain = ledger.journalChain
      try ledger.erase(list)
      try ledger.checkInvariants()
      #expect(ledger.journalChain == chain && ledger.lastIndex == shard.ledger.lastIndex)
      #expect(ledger.erasedMembers().count <= 1)
      var bytes: [UInt8] = []
      let snapshot = ledger.beginSnapshot()
      snapshot.write { bytes.append(contentsOf: $0) }
      ledger.endSnapshot(snapshot)
      let hasSome = holds("Secret-", bytes)
      #expect(!hasSome)
      let again = try Ledger.restored(from: MemorySnapshotSource(bytes), limits: shard.ledger.limits)
      try again.checkInvariants()
      #expect(again.digest == ledger.digest)
    }
    // Nothing is left but that, and when, they were erased: as if that had been asked for.
    #expect(try world.run("MEMBER ERASE cyd") == "+OK")
    let states = world.shards.flatMap { $0.snapshotBytes() }
    let (hasSome, hasOther) = (holds("Secret-", states), holds("Stays", states))
    #expect(!hasSome && hasOther)
    #expect(world.shards.map { $0.ledger.erasedMembers().count }.reduce(0, +) == 1)
  }
}
