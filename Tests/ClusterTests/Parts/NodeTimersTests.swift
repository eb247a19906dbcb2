import Testing

@testable import Cluster

/// When what looks through all replicas is to look again.
@Suite struct NodeTimersTests {
  private let configuration = NodeConfiguration(
    name: "n1", region: "r1", clientAddress: "n1:1", peerAddress: "n1:2", join: [])

  @Test func allIsCalmBetweenTheBeatsOfIdleGroupsWhileNoTurnSaysAnything() {
    var timers = NodeTimers()
    var now: UInt64 = 0
    func beat() -> NodeTimers.Due {
      now += configuration.heartbeatInterval
      return timers.tick(now: now, configuration)
    }
    _ = (beat(), beat(), beat(), timers.takeStatusCalm())
    for round in 0..<3 {
      var looks = 0
      for _ in 0..<configuration.idleBeats {
        let due = beat()
        let isStatusCalm = timers.takeStatusCalm()
        #expect(due.isCalm == !due.isIdleBeat && due.isBeatCalm == !due.isIdleBeat && isStatusCalm == !due.isIdleBeat)
        if !due.isCalm { looks += 1 }
      }
      #expect(looks == 1, "round \(round)")
    }
    timers.noteTurn()
    let due = beat()
    let isStatusCalm = timers.takeStatusCalm()
    #expect(!due.isCalm && !due.isBeatCalm && !isStatusCalm)
  }
}
