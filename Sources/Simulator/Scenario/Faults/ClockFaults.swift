/// What clocks that are wrong explain.
struct ClockFaults {
  /// A clock has jumped by more than nodes tolerate.
  var haveJumpedFar = false
  /// All clocks have gone on by so much at once, in microseconds: time has passed.
  var passed: Int64 = 0
  private var mostAhead: Int64 = 0

  /// By how much `asof=` may be ahead of the time, in microseconds. It goes by the earliest of the clocks that a leader
  /// hears, which are two at least; one that jumps is believed for a moment.
  mutating func promiseSlack(_ plan: ScenarioPlan, _ simulation: Simulation) -> Int64 {
    guard plan.clocksLie else { return 0 }
    guard !plan.clocksJump else { return 2_000_000 }
    let ahead = simulation.hosts.map { $0.clock.offset + $0.clock.drift * Int64(simulation.now) / 1_000_000 }.sorted()
    // A reading is extrapolated for five seconds by timers that part.
    mostAhead = max(mostAhead, ahead[ahead.count - 2] + 10 * plan.clocks.timerDrift)
    return mostAhead
  }
}
