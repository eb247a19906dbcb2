import Testing

@testable import Raft

struct ElectionTimerTests {
  private var options: RaftOptions {
    var options = RaftOptions()
    options.electionTicks = 10
    options.electionStaggerTicks = 3
    options.electionSpreadTicks = 4
    return options
  }

  @Test func eachWaitIsTheShortestAndTheStaggerAndARandomPartOfTheSpread() {
    var timer = ElectionTimer(seed: 7, options: options)
    var seen: Set<Int> = [timer.timeout]
    for _ in 0..<200 {
      timer.restart(options)
      seen.insert(timer.timeout)
    }
    #expect(seen == Set(13...17))
  }
  @Test func twoSeedsWaitForOtherTimesAndOneSeedAlwaysForTheSame() {
    func waits(_ seed: UInt64) -> [Int] {
      var timer = ElectionTimer(seed: seed, options: options)
      return (0..<20).map { _ in
        timer.restart(options)
        return timer.timeout
      }
    }
    #expect(waits(1) == waits(1))
    #expect(waits(1) != waits(2))
  }
  @Test func aLeaderThatIsHeardOfBeginsTheSameWaitAgain() {
    var timer = ElectionTimer(seed: 7, options: options)
    let timeout = timer.timeout
    for _ in 1..<timeout { timer.tick() }
    #expect(!timer.isOver)
    timer.heard()
    #expect(timer.timeout == timeout)
    for _ in 1..<timeout { timer.tick() }
    #expect(!timer.isOver)
    timer.tick()
    #expect(timer.isOver)
  }
  @Test func theShortestWaitKnowsNoStaggerAndHasJustBegunForAQuarterOfIt() {
    var timer = ElectionTimer(seed: 7, options: options)
    var ticks = (just: 0, short: 0)
    while !timer.isOver {
      if timer.hasJustBegun(options) { ticks.just += 1 }
      if timer.isWithinShortest(options) { ticks.short += 1 }
      timer.tick()
    }
    #expect(ticks == (2, 10))
  }
}
