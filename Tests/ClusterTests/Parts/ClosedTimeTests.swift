import Base
import Raft
import Testing

@testable import Cluster

/// Up to which moment nothing that was committed is missing.
@Suite struct ClosedTimeTests {
  private var closed = ClosedTime()

  private static func at(_ microseconds: Int64) -> Stamp { Stamp(microseconds: microseconds) }
  private func time(applied: UInt64) -> Stamp { closed.time(applied: LogIndex(applied)) }
  private mutating func confirm(_ context: UInt64, committed: UInt64, applied: UInt64 = 0) {
    closed.confirmed(context, committed: LogIndex(committed), applied: LogIndex(applied))
  }

  @Test mutating func aRoundClosesThePastOnceWhatItCoversIsApplied() {
    closed.ask(3, at: Self.at(100), last: LogIndex(7))
    #expect(closed.isAsking && closed.stamp == .zero)
    confirm(3, committed: 9)
    #expect(!closed.isAsking && closed.stamp == Self.at(100) && closed.index == LogIndex(9))
    #expect(time(applied: 8) == .zero && time(applied: 9) == Self.at(100))
  }

  /// What the leader had in its log may be committed by the time that the round is over, and told to somebody.
  @Test mutating func aRoundCoversTheLogAsItWasWhenItBegan() {
    closed.ask(3, at: Self.at(100), last: LogIndex(12))
    confirm(3, committed: 9)
    #expect(closed.index == LogIndex(12) && time(applied: 11) == .zero)
  }

  @Test mutating func theNextRoundTakesNothingBack() {
    closed.heard(Self.at(100), LogIndex(5), applied: LogIndex(0))
    closed.heard(Self.at(200), LogIndex(9), applied: LogIndex(5))
    #expect(time(applied: 6) == Self.at(100) && time(applied: 9) == Self.at(200))
  }

  @Test mutating func whatIsNotAppliedYetIsNotPromisedByTheNextRound() {
    closed.heard(Self.at(100), LogIndex(5), applied: LogIndex(0))
    closed.heard(Self.at(200), LogIndex(9), applied: LogIndex(4))
    #expect(time(applied: 8) == .zero && time(applied: 9) == Self.at(200))
  }

  @Test mutating func anOlderWordSaysNothing() {
    closed.heard(Self.at(200), LogIndex(9), applied: LogIndex(9))
    closed.heard(Self.at(200), LogIndex(20), applied: LogIndex(9))
    closed.heard(Self.at(100), LogIndex(20), applied: LogIndex(9))
    #expect(closed.index == LogIndex(9) && time(applied: 9) == Self.at(200))
  }

  @Test mutating func anEntryTellsWhenItWasProposed() {
    closed.passed(Self.at(50))
    closed.passed(Self.at(40))
    closed.heard(Self.at(100), LogIndex(5), applied: LogIndex(4))
    #expect(time(applied: 4) == Self.at(50) && time(applied: 5) == Self.at(100))
  }

  @Test mutating func othersRoundsAreNotItsOwn() {
    closed.ask(3, at: Self.at(100), last: LogIndex(7))
    confirm(2, committed: 9)
    closed.refused(2)
    #expect(closed.isAsking && closed.stamp == .zero)
    closed.refused(3)
    confirm(3, committed: 9)
    #expect(!closed.isAsking && closed.stamp == .zero, "it was refused")
    closed.ask(4, at: Self.at(100), last: LogIndex(7))
    closed.giveUp()
    confirm(4, committed: 9)
    #expect(!closed.isAsking && closed.stamp == .zero, "it was given up")
  }
}
