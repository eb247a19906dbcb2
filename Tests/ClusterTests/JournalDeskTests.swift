import Base
import Testing

@testable import Cluster
@testable import Ledger

/// What waits for a journal, and what is read of it at once.
@Suite struct JournalDeskTests {
  private static let shard = ShardID(2)
  private var desk = JournalDesk(window: 1_500)
  private var out = NodeOutput()

  private static func at(_ offset: UInt64) -> JournalPosition {
    JournalPosition(journal: Self.shard, segment: 1, offset: offset)
  }
  /// A read of one record.
  private static func query() -> JournalQuery {
    JournalQuery(.answer(at: at(0)), catalogue: Catalogue(key: .none), end: at(0))
  }
  private static func queries(_ count: Int) -> [ReplyToQuery] {
    (0..<count).map { (ReplyTo(edge: 0, sequence: UInt64($0)), query()) }
  }
  private var appended: [(JournalPosition, Int)] {
    out.jobs.compactMap {
      guard case .journalAppend(_, let position, let bytes) = $0 else { return nil }
      return (position, bytes.count)
    }
  }

  @Test mutating func whatFollowsWaitsWithWhatWaits() {
    desk.keep(Self.shard, Self.at(0), [1, 2], &out)
    desk.keep(Self.shard, Self.at(2), [3], &out)
    #expect(out.jobs.isEmpty && desk.start(of: Self.shard) == Self.at(0) && desk.bytesWaiting == 0)
    // It does not follow: what waited goes first.
    desk.keep(Self.shard, JournalPosition(journal: Self.shard, segment: 2, offset: 0), [4], &out)
    #expect(appended.map(\.0) == [Self.at(0)] && appended.map(\.1) == [3] && desk.bytesWaiting == 3)
    desk.writeAll(&out)
    #expect(appended.count == 2 && desk.bytesWaiting == 4 && desk.start(of: Self.shard) == nil)
    desk.written(3)
    #expect(desk.bytesWaiting == 1)
  }

  @Test mutating func onlySoMuchWaits() {
    let piece = [UInt8](repeating: 0, count: 200 << 10)
    desk.keep(Self.shard, Self.at(0), piece, &out)
    desk.keep(Self.shard, Self.at(UInt64(piece.count)), piece, &out)
    #expect(appended.map(\.1) == [piece.count])
  }

  @Test mutating func aSnapshotReplacesWhatWaited() {
    desk.keep(Self.shard, Self.at(0), [1], &out)
    desk.forget(Self.shard)
    desk.writeAll(&out)
    #expect(out.jobs.isEmpty)
  }

  @Test mutating func shardsAreWrittenInOrder() {
    for number in [5, 1, 9, 3] as [UInt32] { desk.keep(ShardID(number), Self.at(0), [0], &out) }
    desk.writeAll(&out)
    let shards = out.jobs.map { job -> UInt32 in
      if case .journalAppend(let shard, _, _) = job { shard.rawValue } else { 0 }
    }
    #expect(shards == [1, 3, 5, 9])
  }

  @Test mutating func manyQuestionsShareJobsAndAreCharged() {
    desk.submit(repeats: Self.queries(1_200), of: Self.shard, &out)
    #expect(out.jobs.count == 2 && desk.jobCount == 2 && desk.cost == 1_200)
    desk.answered(JournalAnswers(shard: Self.shard, cost: 1_000))
    #expect(desk.cost == 200)
    desk.submit(walks: [], of: Self.shard, &out)
    #expect(out.jobs.count == 2)
  }

  @Test mutating func moreThanTheWindowIsRefusedButOneAloneNever() {
    #expect(desk.admits(Self.query()))
    var refused: [UInt64] = []
    let admitted = desk.admitted(Self.queries(1_502)) { refused.append($0.sequence) }
    #expect(admitted.count == 1_500 && refused == [1_500, 1_501])
    desk.submit(walks: admitted, of: Self.shard, &out)
    #expect(!desk.admits(Self.query()))
    var narrow = JournalDesk(window: 0)
    #expect(narrow.admits(Self.query()))
    narrow.submit(walks: Self.queries(1), of: Self.shard, &out)
    #expect(!narrow.admits(Self.query()))
  }
}
