import Base
import CommandSupport
import Testing

@testable import Ledger

/// How a ledger takes to newer semantics.
@Suite struct SemanticsTests {
  /// Applies an entry of one tick.
  private func apply(_ ledger: inout Ledger, _ index: UInt64, semantics: UInt8) {
    var payload = ByteBuffer(capacity: 64)
    EntryHeader(
      stamp: Stamp(microseconds: Int64(index)), catalogueVersion: 0, commandCount: 1, semantics: semantics
    ).encode(into: &payload)
    Command.appendTick(to: &payload, slot: Slot(0))
    var reply = ReplyWriter()
    ledger.apply(payload: payload.bytes, index: LogIndex(index), into: &reply) { _, _, _, _ in }
  }
  /// The kinds and amounts of what the journal has since it was last taken, the index at its beginning left out.
  private func records(_ ledger: inout Ledger) -> [(RecordKind, Int64)] {
    var found: [(RecordKind, Int64)] = []
    ledger.takeJournal { _, bytes in
      var offset = JournalBuffer.frameHeaderSize
      while offset + JournalRecord.fixedSize <= bytes.count {
        let count = Int(bytes.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self))
        guard count >= JournalRecord.fixedSize, offset + count <= bytes.count,
          let record = try? JournalRecord(decoding: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count]))
        else { return }
        if record.kind != .index { found.append((record.kind, record.number)) }
        offset += count
      }
    }
    return found
  }

  @Test func newerSemanticsBeginWithTheEntryThatSaysSoAndTheJournalTellsIt() throws {
    var ledger = Ledger(shard: ShardID(3))
    apply(&ledger, 1, semantics: 1)
    apply(&ledger, 2, semantics: 1)
    #expect(ledger.semantics == 1)
    #expect(records(&ledger).isEmpty)
    apply(&ledger, 3, semantics: 2)
    let begun = records(&ledger)
    #expect(ledger.semantics == 2)
    #expect(begun.map(\.0) == [.rules] && begun.map(\.1) == [2])
    apply(&ledger, 4, semantics: 2)
    // They never go back.
    apply(&ledger, 5, semantics: 1)
    #expect(ledger.semantics == 2)
    #expect(records(&ledger).isEmpty)
  }

  @Test func theSnapshotAfterTheyBeginIsWhole() throws {
    var ledger = Ledger(shard: ShardID(3))
    apply(&ledger, 1, semantics: 1)
    let first = ledger.beginSnapshot()
    first.write { _ in }
    ledger.endSnapshot(first, isKept: true)
    apply(&ledger, 2, semantics: 1)
    let second = ledger.beginSnapshot()
    #expect(second.canTellChanges)
    ledger.endSnapshot(second)
    apply(&ledger, 3, semantics: 2)
    let third = ledger.beginSnapshot()
    #expect(!third.canTellChanges)
    var bytes: [UInt8] = []
    third.write { bytes.append(contentsOf: $0) }
    ledger.endSnapshot(third)
    #expect(try Ledger.restored(from: MemorySnapshotSource(bytes)).semantics == 2)
  }

  @Test func aSnapshotThatIsOpenWhenSemanticsBeginHasNoChangesAfterIt() throws {
    var ledger = Ledger(shard: ShardID(3))
    apply(&ledger, 1, semantics: Semantics.first)
    let open = ledger.beginSnapshot()
    apply(&ledger, 2, semantics: Semantics.newest)
    open.write { _ in }
    ledger.endSnapshot(open, isKept: true)
    let next = ledger.beginSnapshot()
    #expect(!next.canTellChanges, "it has tables that the former did not have")
    next.write { _ in }
    ledger.endSnapshot(next, isKept: true)
    let last = ledger.beginSnapshot()
    #expect(last.canTellChanges)
    ledger.endSnapshot(last)
  }

  @Test func aStateOfUnknownSemanticsIsRefusedInALineThatSaysSo() throws {
    var ledger = Ledger(shard: ShardID(3))
    apply(&ledger, 1, semantics: Semantics.newest + 1)
    let snapshot = ledger.beginSnapshot()
    var bytes: [UInt8] = []
    snapshot.write { bytes.append(contentsOf: $0) }
    ledger.endSnapshot(snapshot)
    let error = #expect(throws: MalformedBytes.self) {
      _ = try Ledger.restored(from: MemorySnapshotSource(bytes))
    }
    #expect(error?.description == "it is of semantics 9, and this build knows up to 8: start a newer build")
  }

  /// By semantics 6 set-up is taken as it was then; what was so is left until it is changed.
  @Test func namesAndRanksAreCheckedFromSemantics7On() throws {
    var entries = Entries()
    var now = Stamp(microseconds: 1_000_000)
    let world = World()
    func set(_ line: String, _ semantics: UInt8) throws -> String {
      now = Stamp(microseconds: now.microseconds + 1)
      var reply = ReplyWriter()
      _ = try EntryLine(line).set(&entries, at: now, semantics: semantics, into: &reply)
      return reply.buffer.isEmpty ? "+OK" : world.text(of: reply.buffer.bytes)
    }
    let (old, new) = (Semantics.amended, Semantics.checked)
    #expect(try set("PROGRAM SET p", old) == "+OK")
    #expect(try set("TIER SET p a rank=1 at=0 by=points period=year", old) == "+OK")
    #expect(try set("TIER SET p b rank=1 at=10 by=points period=year", old) == "+OK")
    #expect(try set("CAMPAIGN SET k funded=anybody", old) == "+OK")
    // Shards hear at the beginning of semantics 7 which card types are stopped.
    #expect(try set("CARDTYPE SET g earn-times=2/1", old) == "+OK")
    #expect(try set("CARDTYPE SET h earn-times=2/1", old) == "+OK")
    #expect(try set("CARDTYPE SET g state=stopped", old) == "+OK")
    #expect(entries.retell(from: old, to: new, at: now).count == 1)
    let third = "TIER SET p c rank=1 at=20 by=points period=year"
    #expect(try set(third, new) == "-ERR rank= must be another: tier a of the program has rank 1")
    #expect(try set("TIER SET p b at=15", new) == "+OK")
    #expect(try set("TIER SET p b rank=2", new) == "+OK")
    #expect(try set("TIER SET p b rank=1", new) == "-ERR rank= must be another: tier a of the program has rank 1")
    #expect(try set("CAMPAIGN SET k title=K", new) == "+OK")
    #expect(try set("CAMPAIGN SET k funded=nobody:1", new) == "-NOTFOUND funded=: no such org or merchant 'nobody'")
    #expect(try set("CAMPAIGN SET k funded=operator:10000", new) == "+OK")
  }
  @Test func membersAndPurchasesAreCheckedFromSemantics7On() throws {
    let world = World()
    for line in ["PROGRAM SET p earn=1/1", "MERCHANT SET shop program=p", "MEMBER ADD ann", "MEMBER ADD bob"] {
      #expect(try world.run(line) == "+OK")
    }
    world.semantics = Semantics.amended
    #expect(try world.run("MEMBER SET ann cardtype=gold referrer=ann") == "+OK")
    #expect(try world.run("MEMBER FREEZE ann") == "+OK")
    #expect(try world.run("EARN ann merchant=none points=1 id=a") == "-NOTFOUND no such merchant 'none'")
    #expect(
      try world.run("EARN bob merchant=shop points=1 at=2099-01-01T00:00:00Z id=a") == "-LIMIT over a limit which=at")
    world.semantics = Semantics.checked
    #expect(try world.run("EARN ann merchant=none points=1 id=a") == "-FROZEN the member is frozen")
    // Nothing is kept of a merchant that is not known: what has the same id and no merchant is another request.
    #expect(try world.run("MEMBER THAW ann") == "+OK")
    #expect(try world.run("EARN ann merchant=shop points=5 id=b").hasPrefix("+"))
    #expect(try world.run("TRANSFER ann bob points=1 id=a").hasPrefix("+"))
    // What was said before stays, and does not hinder other changes.
    #expect(try world.run("MEMBER SET ann cardtype=gold region=east") == "+OK")
    #expect(try world.run("MEMBER SET bob cardtype=gold") == "-NOTFOUND no such cardtype 'gold'")
    #expect(try world.run("MEMBER SET bob referrer=bob").hasPrefix("-ERR"))
  }

  /// By semantics 7 what a purchase brings about is worked out as if that had taken nothing of caps, and an org is matched though it is stopped.
  @Test func purchasesAreCountedBeforeWhatTheyBringAboutFromSemantics8On() throws {
    let world = World()
    world.semantics = Semantics.checked
    for line in [
      "PROGRAM SET p earn=1/1 earn-cap=100/day", "ORG SET north", "MERCHANT SET shop program=p org=north",
      "TIER SET p low rank=1 at=0 by=spend period=year", "TIER SET p high rank=2 at=60 by=spend period=year",
      "RULE SET r program=p stage=bonus event=tier-up points=13 state=running",
      "RULE SET o program=p stage=bonus when=\"org = north\" points=1 state=running", "ORG SET north state=stopped",
      "CARDTYPE SET black", "CARDTYPE SET black state=stopped", "MEMBER ADD ann cardtype=black", "MEMBER ADD bob",
    ] { #expect(try world.run(line) == "+OK") }
    let former = try world.run("EARN ann merchant=shop spend=94 id=a")
    #expect(former.hasSuffix(" member=ann program=p points=95 balance=108 tier=high"), "\(former)")
    world.semantics = Semantics.settled
    #expect(try world.run("MEMBER SET ann cardtype=black region=east") == "+OK")
    #expect(try world.run("MEMBER SET bob cardtype=black") == "-CLOSED the cardtype is stopped")
    let told = try world.run("EARN bob merchant=shop spend=95 id=a")
    #expect(told.hasSuffix(" member=bob program=p points=95 balance=100 tier=high"), "\(told)")
  }
}
