import Base
import Ledger
import Testing

@testable import Cluster
@testable import Raft
@testable import Simulator

/// Nodes whose wall clocks differ.
@Suite struct ClockTests {
  private func makePopulatedCluster(seed: UInt64) throws -> Simulation {
    let simulation = try makeCluster(seed: seed, shards: 3)
    try populate(simulation, members: (0..<12).map { "m\($0)" })
    // Leadership has gone home: each node leads a shard.
    simulation.run(for: 4_000_000)
    for host in 0..<3 { try #require(led(simulation, by: host) > 0, "\(simulation.report)") }
    return simulation
  }
  private func replicas(_ simulation: Simulation, _ host: Int) -> [Replica] {
    simulation.hosts[host].node?.replicas.map { $0 } ?? []
  }
  private func led(_ simulation: Simulation, by host: Int) -> Int {
    replicas(simulation, host).filter(\.isLeader).count
  }
  /// One EARN for each member, asked of a host, each sent again until it is answered for certain. How many of all tries
  /// were answered otherwise.
  @discardableResult
  private func earnAll(_ simulation: Simulation, on host: Int, _ tag: String) throws -> Int {
    var uncertain = 0
    for i in 0..<12 {
      var answer: String?
      for _ in 0..<20 {
        let client = try #require(simulation.connect(to: host))
        answer = ask(simulation, client, "EARN m\(i) merchant=shop points=1 id=\(tag)-\(i)")
        if answer?.hasPrefix("+") == true { break }
        uncertain += 1
      }
      try #require(answer?.hasPrefix("+") == true, "m\(i): \(answer ?? "no answer") \(simulation.report)")
    }
    return uncertain
  }
  private func alarms(_ simulation: Simulation, _ host: Int) -> [String] {
    let name = simulation.hosts[host].configuration.name
    return simulation.log.filter { $0.contains(" " + name + " alarm=CLOCK") }
  }
  /// Stamps rise from entry to entry, in every log.
  private func checkStamps(_ simulation: Simulation) {
    for host in 0..<3 {
      for replica in replicas(simulation, host) {
        var last = Int64.min
        let log = replica.raft.log
        for entry in log.slice(from: log.firstIndex, through: log.lastIndex) where entry.kind == .command {
          let stamp = entry.payload.withUnsafeBytes { raw in
            var reader = ByteReader(raw)
            return (try? EntryHeader(decoding: &reader))?.stamp.microseconds ?? .min
          }
          #expect(stamp > last, "shard \(replica.shard.rawValue) entry \(entry.index.rawValue)")
          last = stamp
        }
      }
    }
  }
  private func checkBooks(_ simulation: Simulation, on host: Int = 0) throws {
    simulation.run(for: 2_000_000)
    let client = try #require(simulation.connect(to: host))
    simulation.send("AUDIT\n", on: client)
    simulation.run(for: 20_000_000) { client.lines.last?.contains("total=yes") ?? false }
    #expect(client.lines.last?.contains("balanced=yes") == true, "\(client.lines)")
    checkStamps(simulation)
  }

  @Test(arguments: [600_000, -600_000, 2_000_000, -2_000_000, 3_600_000_000, -3_600_000_000] as [Int64])
  func aNodeWhoseClockIsOffLeadsNothingUntilItIsSet(offset: Int64) throws {
    let simulation = try makePopulatedCluster(seed: 31)
    simulation.hosts[1].clock.offset = offset
    let given = simulation.run(for: 6_000_000) { led(simulation, by: 1) == 0 }
    try #require(given, "\(simulation.report)")
    // Also those who ask it are served, by the others.
    for host in 0..<3 { try earnAll(simulation, on: host, "off\(host)") }
    simulation.run(for: 20_000_000)
    #expect(led(simulation, by: 1) == 0)
    #expect(
      alarms(simulation, 1).contains { alarm in
        // To the millisecond or so: as well as the others' clocks can be read from here.
        ([-2, -1, 0, 1, 2] as [Int64]).contains {
          alarm.contains(" \(abs(offset) / 1000 + $0) ms \(offset > 0 ? "ahead" : "behind")")
        }
      })
    #expect(alarms(simulation, 1).count < 12)
    #expect(alarms(simulation, 0) + alarms(simulation, 2) == [])
    simulation.hosts[1].clock.offset = 0
    try #require(simulation.run(for: 10_000_000) { led(simulation, by: 1) > 0 }, "\(simulation.report)")
    try earnAll(simulation, on: 1, "right")
    try checkBooks(simulation)
  }

  /// Whoever is short of memory leads as well as any, and better than nobody.
  @Test func aNodeWhoseClockIsOffHandsOverAtOnceToWhoIsShortOfMemory() throws {
    let simulation = try makePopulatedCluster(seed: 39)
    for host in simulation.hosts { host.setMemoryLimit(asUsed: 104) }
    simulation.run(for: 2_000_000)
    let leader = try #require((0..<3).first { led(simulation, by: $0) > 0 })
    simulation.hosts[leader].clock.offset = 3_600_000_000
    #expect(simulation.run(for: 1_000_000) { led(simulation, by: leader) == 0 }, "\(simulation.report)")
  }

  @Test func aClockThatIsSetStampsNothingBeforeItIsJudged() throws {
    let simulation = try makePopulatedCluster(seed: 32)
    let client = try #require(simulation.connect(to: 1))
    for round in 0..<5 {
      // Requests arrive in the very moment in which the clock is set wrong.
      simulation.hosts[1].clock.offset = 3_600_000_000
      simulation.send(
        (0..<12).map { "EARN m\($0) merchant=shop points=1 id=step\(round)-\($0)\n" }.joined(), on: client)
      // Nothing that nobody takes is in its logs: so it can hand over at once.
      try #require(simulation.run(for: 1_000_000) { led(simulation, by: 1) == 0 }, "\(simulation.report)")
      simulation.run(for: 15_000_000)
      simulation.hosts[1].clock.offset = 0
      try #require(simulation.run(for: 10_000_000) { led(simulation, by: 1) > 0 }, "\(simulation.report)")
    }
    try earnAll(simulation, on: 0, "after")
    let limit = Simulation.epoch + Int64(simulation.now) + 1_000_000
    for host in 0..<3 {
      for replica in replicas(simulation, host) { #expect(replica.machine.lastStamp.microseconds < limit) }
    }
    try checkBooks(simulation)
  }

  /// What the wrong clock says in the tick before it is judged is promised to nobody, and stamped on nothing.
  @Test(arguments: 41...44) func aClockThatJumpsPromisesNothingByAsof(seed: UInt64) throws {
    let simulation = try makePopulatedCluster(seed: seed)
    for round in 0..<3 {
      simulation.run(for: 1_000_000 + seed * 13_000)
      simulation.hosts[round].clock.offset = 300_000_000
      simulation.run(for: 700_000)
      simulation.hosts[round].clock.offset = 0
      simulation.run(for: 2_000_000)
      for host in 0..<3 {
        let latest = replicas(simulation, host).map(\.closedTime.microseconds).max() ?? 0
        #expect(latest <= Simulation.epoch + Int64(simulation.now), "host \(host)")
      }
      try earnAll(simulation, on: 0, "jump\(round)")
    }
    let limit = Simulation.epoch + Int64(simulation.now)
    for host in 0..<3 {
      for replica in replicas(simulation, host) { #expect(replica.machine.lastStamp.microseconds <= limit) }
    }
    try checkBooks(simulation)
  }

  @Test func clocksWithinTheToleranceDisturbNothing() throws {
    let simulation = try makePopulatedCluster(seed: 33)
    simulation.hosts[0].clock.offset = 400_000
    simulation.hosts[2].clock.offset = -50_000
    simulation.run(for: 10_000_000)
    #expect(try earnAll(simulation, on: 1, "near") == 0)
    for host in 0..<3 {
      #expect(led(simulation, by: host) > 0)
      #expect(alarms(simulation, host) == [])
    }
    for host in 0..<3 { try checkBooks(simulation, on: host) }
  }

  /// 700 ms lie between a leader and one follower, neither of them off by the median.
  @Test func aFollowerBehindItsLeaderWaitsAndAllGoOn() throws {
    let simulation = try makePopulatedCluster(seed: 34)
    simulation.hosts[0].clock.offset = 400_000
    simulation.hosts[2].clock.offset = -300_000
    simulation.run(for: 2_000_000)
    #expect(try earnAll(simulation, on: 0, "apart") == 0)
    #expect(!alarms(simulation, 2).isEmpty)
    #expect(led(simulation, by: 0) > 0)
    // The leader that was ahead is gone: its log has stamps of the future, and goes on all the same.
    simulation.kill(0)
    simulation.run(for: 4_000_000)
    try earnAll(simulation, on: 1, "without")
    simulation.start(0)
    simulation.run(for: 4_000_000)
    try earnAll(simulation, on: 0, "again")
    try checkBooks(simulation)
  }

  /// Who takes over at once, from a leader that was 400 ms ahead, stamps later than it did.
  @Test(arguments: 35...38) func aNewLeaderStampsLaterThanTheOneBefore(seed: UInt64) throws {
    let simulation = try makePopulatedCluster(seed: seed)
    simulation.hosts[0].clock.offset = 400_000
    simulation.run(for: 1_000_000)
    let client = try #require(simulation.connect(to: 1))
    for round in 0..<10 {
      for i in 0..<12 { simulation.send("EARN m\(i) merchant=shop points=1 id=r\(round)-\(i)\n", on: client) }
      simulation.run(for: 3_000 + UInt64(round) * 500)
      // Handed over with entries on their way, and more coming.
      for replica in replicas(simulation, 0) where replica.isLeader {
        if let target = replica.mostCompleteVoter { replica.transferLeadership(to: target) }
      }
      for i in 0..<12 { simulation.send("EARN m\(i) merchant=shop points=2 id=s\(round)-\(i)\n", on: client) }
      simulation.run(for: 2_500_000)
    }
    try checkBooks(simulation)
  }

  /// Nobody can tell which of two is right; but what the one ahead would stamp the other would not take.
  @Test func ofTwoThatDifferTheOneThatIsAheadLeadsNothing() throws {
    let simulation = try makePopulatedCluster(seed: 39)
    simulation.kill(2)
    simulation.run(for: 5_000_000)
    simulation.hosts[0].clock.offset = 2_000_000
    simulation.run(for: 10_000_000)
    #expect(led(simulation, by: 0) == 0 && led(simulation, by: 1) > 0)
    try earnAll(simulation, on: 0, "two")
    simulation.hosts[0].clock.offset = -2_000_000
    simulation.run(for: 10_000_000)
    #expect(led(simulation, by: 1) == 0 && led(simulation, by: 0) > 0)
    try earnAll(simulation, on: 1, "behind")
    simulation.hosts[0].clock.offset = 0
    simulation.start(2)
    simulation.run(for: 5_000_000)
    try earnAll(simulation, on: 2, "right")
    try checkBooks(simulation)
  }

  /// Next to one that is further off, a clock that is off looks like the one in the middle.
  @Test func aClockThatIsOffIsNotRightAgainNextToOneThatIsFurtherOff() throws {
    let simulation = try makeCluster(seed: 44, nodes: 5, shards: 5)
    try populate(simulation, members: (0..<12).map { "m\($0)" })
    simulation.hosts[0].clock.offset = 2_000_000
    simulation.hosts[1].clock.offset = 800_000_000
    let given = simulation.run(for: 6_000_000) { led(simulation, by: 0) + led(simulation, by: 1) == 0 }
    try #require(given, "\(simulation.report)")
    // It hears that one, and one that is right.
    for other in 3...4 { simulation.cut(0, other) }
    simulation.run(for: 20_000_000)
    #expect(led(simulation, by: 0) == 0)
    simulation.heal()
    for host in 0..<2 { simulation.hosts[host].clock.offset = 0 }
    let back = simulation.run(for: 20_000_000) { led(simulation, by: 0) > 0 && led(simulation, by: 1) > 0 }
    try #require(back, "\(simulation.report)")
    simulation.run(for: 1_000_000)
    for host in 0..<5 { try earnAll(simulation, on: host, "x\(host)") }
    try checkBooks(simulation)
  }

  /// Its followers do not take what it has logged, so it cannot hand over: it lays leadership down.
  @Test func aLeaderWhoseEntriesNobodyTakesLaysItDown() throws {
    let simulation = try makePopulatedCluster(seed: 42)
    simulation.kill(2)
    simulation.run(for: 5_000_000)
    // Cut off, it hears no clock but its own.
    simulation.cut(0, 1)
    simulation.run(for: 20_000)
    simulation.hosts[0].clock.offset = 3_600_000_000
    let client = try #require(simulation.connect(to: 0))
    for i in 0..<12 { simulation.send("EARN m\(i) merchant=shop points=1 id=x\(i)\n", on: client) }
    simulation.run(for: 100_000)
    #expect(led(simulation, by: 0) > 0)
    simulation.heal()
    simulation.start(2)
    try #require(simulation.run(for: 15_000_000) { led(simulation, by: 0) == 0 }, "\(simulation.report)")
    simulation.run(for: 3_000_000)
    for host in 0..<3 { try earnAll(simulation, on: host, "x\(host)") }
    simulation.hosts[0].clock.offset = 0
    simulation.run(for: 5_000_000)
    try checkBooks(simulation)
  }

  /// The time of a shard may have run ahead of all clocks: what follows from it is taken.
  @Test func aShardWhoseTimeRanAheadGoesOn() throws {
    let simulation = try makePopulatedCluster(seed: 40)
    for host in 0..<3 { simulation.hosts[host].clock.offset = 3_600_000_000 }
    simulation.run(for: 5_000_000)
    try earnAll(simulation, on: 0, "ahead")
    for host in 0..<3 { simulation.hosts[host].clock.offset = 0 }
    simulation.run(for: 5_000_000)
    try earnAll(simulation, on: 1, "back")
    simulation.kill(0)
    simulation.run(for: 5_000_000)
    try earnAll(simulation, on: 1, "on")
    simulation.start(0)
    simulation.run(for: 5_000_000)
    checkStamps(simulation)
  }

  /// A node that starts again after its clock was set back is taken for what it is.
  @Test func aNodeWhoseClockWasSetBackComesBack() throws {
    let simulation = try makePopulatedCluster(seed: 43)
    simulation.hosts[1].clock.offset = 3_600_000_000
    simulation.kill(1)
    simulation.start(1)
    simulation.run(for: 8_000_000)
    simulation.kill(1)
    simulation.hosts[1].clock.offset = 0
    simulation.start(1)
    simulation.run(for: 8_000_000)
    #expect(led(simulation, by: 1) > 0, "\(simulation.report)")
    for host in 0..<3 { try earnAll(simulation, on: host, "x\(host)") }
    try checkBooks(simulation)
  }

  @Test func anAuditAskedOfANodeWhoseClockIsAheadHarmsNobody() throws {
    let simulation = try makePopulatedCluster(seed: 41)
    simulation.hosts[1].clock.offset = 3_600_000_000
    simulation.run(for: 6_000_000)
    let client = try #require(simulation.connect(to: 1))
    #expect(ask(simulation, client, "AUDIT")?.hasPrefix("-UNAVAILABLE") == true)
    for host in 0..<3 { try earnAll(simulation, on: host, "x\(host)") }
    simulation.hosts[1].clock.offset = 0
    simulation.run(for: 5_000_000)
    try checkBooks(simulation)
  }

  @Test func aFrameThatLayInAQueueSaysLittle() {
    var clock = PeerClock()
    func moment(_ monotonic: UInt64) -> Moment {
      Moment(monotonic: monotonic, wall: Stamp(microseconds: Int64(monotonic) + 1_000_000_000))
    }
    // Without an echo nothing bounds how old it is.
    clock.heard(wall: Stamp(microseconds: 5), monotonic: 1, echoed: 0, heldFor: 0, now: moment(10_000))
    #expect(clock.ahead(now: moment(10_000)) == nil)
    // The peer agrees with us, 1 ms away each way.
    clock.heard(
      wall: Stamp(microseconds: 1_000_029_000), monotonic: 2, echoed: 10_000, heldFor: 18_000, now: moment(30_000))
    #expect(
      clock.ahead(now: moment(30_000)).map { $0.least <= 0 && $0.least > -2_100 && $0.most >= 0 && $0.most < 2_100 }
        == true)
    // A frame that took 3 s tells no better, and does not count.
    clock.heard(
      wall: Stamp(microseconds: 1_000_130_000), monotonic: 3, echoed: 29_000, heldFor: 100_000, now: moment(3_130_000))
    #expect(
      clock.ahead(now: moment(3_130_000)).map { $0.least <= 0 && $0.least > -2_100 && $0.most >= 0 && $0.most < 2_100 }
        == true)
    #expect(clock.ahead(now: moment(20_000_000)) == nil)
  }
}
