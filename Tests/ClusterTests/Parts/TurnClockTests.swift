import Base
import Testing

@testable import Cluster

/// Which stamps of others a leader proposes.
@Suite struct TurnClockTests {
  private let clock = TurnClock(own: Stamp(microseconds: 5_000_000), earliest: nil)

  private func isWithinReach(_ stamp: Int64, last: Int64 = 0) -> Bool {
    clock.isWithinReach(Stamp(microseconds: stamp), last: Stamp(microseconds: last))
  }

  @Test func aStampThatIsFarAheadIsNotProposed() {
    #expect(isWithinReach(1) && isWithinReach(6_000_000) && !isWithinReach(6_000_001))
  }

  /// The shard's time has run ahead of the clock already.
  @Test func aStampThatTheShardIsPastMakesNothingWorse() {
    #expect(isWithinReach(9_000_000, last: 9_000_000) && !isWithinReach(9_000_001, last: 9_000_000))
  }

  @Test func whatIsStampedAheadHasAnAgeBelowNothing() {
    #expect(clock.age(of: Stamp(microseconds: 4_000_000)) == 1_000_000)
    #expect(clock.age(of: Stamp(microseconds: 7_000_000)) == -2_000_000)
  }
}
