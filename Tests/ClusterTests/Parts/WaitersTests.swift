import Base
import Ledger
import Testing

@testable import Cluster

/// Who waits for another shard's word.
@Suite struct WaitersTests {
  private var waiters = Waiters()
  private static let first = TransactionID(rawValue: 7)
  private static let second = TransactionID(rawValue: 8)

  private mutating func add(_ sequence: UInt64, edge: UInt32 = 1, for transaction: TransactionID = first) -> UInt64? {
    waiters.add(ReplyTo(edge: edge, sequence: sequence), for: transaction)?.sequence
  }

  @Test mutating func allThatWaitForATransactionAreAnsweredOnce() {
    _ = [add(1), add(2, edge: 2), add(3, for: Self.second)]
    var taken = waiters.take(Self.first)
    #expect(taken.map(\.sequence) == [1, 2])
    taken = waiters.take(Self.first)
    #expect(taken.isEmpty && !waiters.isEmpty)
    taken = waiters.take(Self.second)
    #expect(taken.map(\.sequence) == [3] && waiters.isEmpty)
  }

  @Test mutating func aRequestThatIsSentAgainWaitsOnce() {
    _ = [add(1), add(1), add(1, edge: 2)]
    #expect(waiters.repliesTo[Self.first]?.map(\.edge) == [1, 2])
  }

  @Test mutating func theOldestGivesWayWhereTooManyWait() {
    let displaced = (1...18 as ClosedRange<UInt64>).map { add($0) }
    #expect(displaced == Array(repeating: nil, count: Waiters.perTransaction) + [1, 2])
    #expect(waiters.repliesTo[Self.first]?.count == Waiters.perTransaction)
    let other = add(19, for: Self.second)
    #expect(other == nil, "each transaction has its own")
  }

  @Test mutating func anEdgeThatIsGoneIsAnsweredNoMore() {
    _ = [add(1), add(2, edge: 2), add(3, for: Self.second)]
    waiters.forget(edge: 1)
    #expect(waiters.repliesTo.count == 1 && waiters.repliesTo[Self.first]?.map(\.sequence) == [2])
  }
}
