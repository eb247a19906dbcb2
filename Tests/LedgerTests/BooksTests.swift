import Base
import Testing

@testable import Ledger

/// The accounts of a program, by their list.
@Suite struct BooksTests {
  /// Whatever is posted between any two accounts of the list, they add up to 0, the digest is that of the records, and a
  /// snapshot has all of them. So one more account needs a line of the list, and nothing else.
  @Test(arguments: [1, 2, 3] as [UInt64]) func theAccountsAddUpToZeroWhateverIsPosted(seed: UInt64) throws {
    let world = try World.withCafe()
    for line in ["PROGRAM SET miles earn=1/1", "MERCHANT SET book program=miles"] { _ = try world.run(line) }
    let shard = world.shards[0]
    var random = SeededGenerator(seed: seed)
    func pick(_ n: Int) -> Int { Int(random.next() % UInt64(n)) }
    var expected = [[Int128]](repeating: Array(repeating: 0, count: AccountCode.room), count: 2)
    func account() -> Account {
      let code = AccountCode.allCases[pick(AccountCode.allCases.count)]
      return Account(code: code, merchant: code.placeInPart == nil ? .none : MerchantRef(place: pick(2)))
    }
    for _ in 0..<300 {
      let (from, to, program) = (account(), account(), pick(2))
      let points = Points(Int64(pick(2_000)) - 500)
      shard.ledger.post(points, ProgramRef(place: program), from: from, to: to)
      expected[program][Int(from.code.rawValue)] -= Int128(points.rawValue)
      expected[program][Int(to.code.rawValue)] += Int128(points.rawValue)
      let rows = shard.ledger.auditFigures().programs
      try #require(rows.allSatisfy { $0.sum - $0[.members] + $0.posted - $0[.pending] + $0.postedPending == 0 })
      try #require(shard.ledger.recomputeDigest() == shard.ledger.digest)
    }
    let restored = try Ledger.restored(from: MemorySnapshotSource(shard.snapshotBytes()), limits: shard.ledger.limits)
    for code in AccountCode.allCases {
      #expect(
        restored.auditFigures().programs.map {
          code == .members ? $0.posted : code == .pending ? $0.postedPending : $0[code]
        }
          == expected.map { $0[Int(code.rawValue)] })
    }
    #expect(restored.recomputeDigest() == shard.ledger.digest)
  }

  /// An account that changed without a posting, and a posting without a change, are what an audit is for.
  @Test func anAuditShowsAPostingThatIsMissing() throws {
    let world = try World.withCafe(members: ["ann"])
    _ = try world.run("EARN ann merchant=cafe points=100 id=a")
    let shard = world.shards[0]
    #expect(shard.ledger.auditFigures().programs[0].sum == 0)
    shard.ledger.post(7, ProgramRef(place: 0), from: .members, to: .breakage)
    #expect(shard.ledger.auditFigures().programs[0].sum == 7)
    #expect(throws: BrokenInvariant.self) { try shard.ledger.checkInvariants() }
  }

  @Test func aProgramHasRoomForEveryAccount() {
    #expect(AccountCode.allCases.allSatisfy { $0.rawValue < AccountCode.room })
    #expect(MemoryLayout<ProgramRecord>.size == 16 * AccountCode.room + 32)
    #expect(Set(AccountCode.allCases.compactMap(\.placeInPart)) == [0, 1])
  }
}
