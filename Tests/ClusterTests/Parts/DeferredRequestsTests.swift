import Base
import Ledger
import Raft
import Testing

@testable import Cluster

/// What waits at a leader goes on in its order, and no slot's before all that was under way has come back.
@Suite struct DeferredRequestsTests {
  private let a = Slot(7)
  private let b = Slot(9)
  private let ask = TransactionID(rawValue: 7 << 48 | 1)
  private func item(_ number: UInt64, edge: UInt32 = 1, awaiting: TransactionID? = nil) -> DeferredRequests.Item {
    .init(
      deferral: awaiting.map { Deferral(awaiting: $0) }, isQuery: false, bytes: [UInt8(number)],
      replyTo: ReplyTo(edge: edge, sequence: number))
  }
  private func waiting() -> DeferredRequests {
    var deferred = DeferredRequests()
    deferred.hold(a, awaiting: ask, isPaused: true)
    deferred.add(item(1, awaiting: ask), in: a, wasProposed: true)
    return deferred
  }
  private func numbers(_ items: [DeferredRequests.Item]) -> [UInt64] { items.map(\.replyTo.sequence) }

  /// The edge sends it all again: what comes back of the first time must not go before that.
  @Test func whatALostEdgeSentComesBackToNobody() {
    var gather = Gather()
    func add(_ edge: UInt32, _ sequence: UInt64) {
      let isTaken = [UInt8(1)].withUnsafeBytes {
        gather.add(command: $0, for: ReplyTo(edge: edge, sequence: sequence), within: 1_024)
      }
      #expect(isTaken)
    }
    add(1, 1)
    add(2, 2)
    var proposals = Proposals()
    proposals.append(gather.take(LogIndex(5), Term(1)))
    add(1, 3)
    gather.forget(edge: 1)
    proposals.forget(edge: 1)
    add(1, 4)
    let gathered = gather.repliesTo.map { $0.isNobody ? 0 : $0.sequence }
    #expect(gathered == [0, 4])
    let entry = LogEntry(index: LogIndex(5), term: Term(1), payload: [])
    let proposed = proposals.take(for: entry)?.repliesTo.map { $0.isNobody ? 0 : $0.sequence }
    #expect(proposed == [0, 2])
  }

  @Test func whatWasUnderWayStandsBeforeWhatCameLater() {
    var deferred = waiting()
    deferred.add(item(3), in: a, wasProposed: false)
    deferred.add(item(2), in: a, wasProposed: true)
    #expect(deferred.bytes == 3 && deferred.holds(a) && !deferred.holds(b))
    // The answer is there, and the ledger has yet to hear that the leader knows.
    deferred.answered([ask])
    #expect(deferred.takeReady { _ in true }.isEmpty)
    #expect(numbers(deferred.takeReady { _ in false }) == [1, 2, 3])
    #expect(deferred.isEmpty && deferred.bytes == 0 && !deferred.holds(a))
  }
  @Test func slotsDoNotWaitForEachOther() {
    var deferred = waiting()
    let other = TransactionID(rawValue: 9 << 48 | 1)
    deferred.hold(b, awaiting: other, isPaused: false)
    deferred.add(item(2, awaiting: other), in: b, wasProposed: true)
    deferred.answered([other])
    #expect(numbers(deferred.takeReady { _ in false }) == [2])
    // A slot may have gone with what it waits for.
    deferred.answered(nil)
    #expect(numbers(deferred.takeReady { _ in false }) == [1])
  }
  @Test func whatStandsBehindGoesOnOnceTheFirstIsGivenUp() {
    var deferred = waiting()
    #expect(deferred.expired(now: 100, patience: 50).isEmpty)
    deferred.add(item(2), in: a, wasProposed: false)
    #expect(numbers(deferred.expired(now: 150, patience: 50)) == [1])
    #expect(numbers(deferred.takeReady { _ in false }) == [2])
  }
  /// Time goes on for what is proposed again and has to go on waiting.
  @Test func patienceIsForTheWholeWait() {
    var deferred = waiting()
    _ = deferred.expired(now: 100, patience: 50)
    deferred.answered([ask])
    let again = deferred.takeReady { _ in false }
    deferred.hold(a, awaiting: ask, isPaused: false)
    for item in again { deferred.add(item, in: a, wasProposed: true) }
    #expect(numbers(deferred.expired(now: 150, patience: 50)) == [1])
  }
  @Test func aLostNodesRequestsHoldNobodyBack() {
    var deferred = waiting()
    deferred.add(item(2, edge: 2), in: a, wasProposed: true)
    deferred.forget(edge: 1)
    #expect(deferred.bytes == 1)
    // Others of its that are under way come back first.
    #expect(deferred.takeReady { _ in true }.isEmpty)
    #expect(numbers(deferred.takeReady { _ in false }) == [2])
  }
}
