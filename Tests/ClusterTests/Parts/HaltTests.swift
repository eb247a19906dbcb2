import Base
import Raft
import Testing

@testable import Cluster

/// Whether a replica goes on, and up to which entry.
@Suite struct HaltTests {
  private var halt = Halt()
  private static let poison = Poison(index: LogIndex(7), kind: "EARN")

  @Test mutating func nothingFromAPoisonedEntryOnIsBegun() {
    #expect(!halt.stops(before: LogIndex(7)) && halt.goesOn)
    halt.stop(at: Self.poison)
    #expect(!halt.stops(before: LogIndex(6)) && halt.stops(before: LogIndex(7)) && halt.stops(before: LogIndex(8)))
    #expect(halt.goesOn, "it votes and acknowledges")
    halt.resume()
    #expect(!halt.stops(before: LogIndex(7)))
  }

  @Test mutating func entriesAreTakenInUpToABoundWhileNoneIsApplied() {
    #expect(!halt.isFull(waiting: .max))
    halt.stop(at: Self.poison)
    #expect(!halt.isFull(waiting: Halt.waitingBytesMax) && halt.isFull(waiting: Halt.waitingBytesMax + 1))
  }

  @Test mutating func whatWasAppliedAfterAllIsHeldAgainstNobody() {
    halt.suspect(LogIndex(7))
    halt.stop(at: Self.poison)
    #expect(!halt.passed(through: LogIndex(6)) && halt.suspect == LogIndex(7) && halt.poison != nil)
    #expect(halt.passed(through: LogIndex(7)) && halt.suspect == nil && halt.poison == nil)
    let isToldAgain = halt.passed(through: LogIndex(8))
    #expect(!isToldAgain)
  }

  /// A state of semantics that this build does not know stays what it is, whatever is passed.
  @Test mutating func whereNoProcessDiedNothingIsForgotten() {
    halt.stop(at: Self.poison)
    #expect(!halt.passed(through: LogIndex(9)) && halt.poison == Self.poison)
  }

  @Test mutating func oneThatIsOutStaysOutForItsFirstReason() {
    #expect(halt.quarantine("a figure") && !halt.quarantine("another"))
    #expect(halt.quarantined == "a figure" && !halt.goesOn)
  }

  @Test mutating func whereTheProcessHasDiedNoTurnIsTaken() {
    halt.trap()
    #expect(!halt.goesOn && halt.quarantined == nil)
  }
}
