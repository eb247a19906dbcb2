import Base
import Testing

@testable import Cluster
@testable import Raft
@testable import Simulator

/// Shards of which nobody asks anything.
@Suite struct IdleTests {
  private func makeIdleCluster(
    seed: UInt64, nodes: Int = 3, shards: Int, faults: Simulation.Faults = .init(),
    configure: (inout NodeConfiguration) -> Void = { _ in }
  ) throws -> Simulation {
    let simulation = try makeCluster(seed: seed, nodes: nodes, shards: shards, faults: faults, configure: configure)
    simulation.run(for: 8_000_000)
    return simulation
  }
  private func nodes(_ simulation: Simulation) -> [Node] { simulation.hosts.compactMap(\.node) }
  private func leaders(_ simulation: Simulation) -> [Replica] {
    nodes(simulation).flatMap { $0.replicas.filter(\.isLeader) }
  }
  private func sum(_ simulation: Simulation, _ counter: (LinkCounters) -> UInt64) -> UInt64 {
    nodes(simulation).reduce(0) { $0 + counter($1.links.counters) }
  }

  /// However many shards there are: a node says one thing to each other ten times a second.
  @Test func messagesAreAsManyAsPairsOfNodesAndNotAsShards() throws {
    let simulation = try makeIdleCluster(seed: 861, nodes: 5, shards: 40)
    #expect(leaders(simulation).allSatisfy { $0.raft.isIdle })
    let (messages, frames) = (sum(simulation, \.messagesReceived), sum(simulation, \.framesReceived))
    let bytes = sum(simulation, \.frameBytesReceived)
    simulation.run(for: 10_000_000)
    // Twenty pairs, ten times a second; one more a second for what is rare.
    #expect(sum(simulation, \.messagesReceived) - messages <= 10 * 220)
    #expect(sum(simulation, \.framesReceived) - frames <= 10 * 220)
    // 82 heartbeats and as many answers each 0.3 s, of a dozen bytes; and 200 frames.
    #expect(sum(simulation, \.frameBytesReceived) - bytes <= 10 * 200 * 300)
  }

  /// A replica that follows an idle leader takes a turn for a heartbeat, and not with each beat of its node.
  @Test func nothingComesOfATickWhereNothingIsDue() throws {
    let simulation = try makeIdleCluster(seed: 862, shards: 4)
    let node = try #require(simulation.hosts[0].node)
    let moment = simulation.moment(simulation.hosts[0])
    for replica in node.replicas {
      #expect(!replica.isDirty)
      replica.tick(clock: moment.wall, earliest: node.health.earliest, isIdleBeat: false)
      #expect(!replica.isDirty)
    }
    for replica in node.replicas where replica.isLeader {
      replica.tick(clock: moment.wall, earliest: node.health.earliest, isIdleBeat: true)
      #expect(replica.isDirty)
    }
  }

  /// What is at rest is not looked at between the beats of idle groups; and no tick is lost by that.
  @Test func replicasAtRestHearOfThreeBeatsAtOnce() throws {
    let simulation = try makeIdleCluster(seed: 870, shards: 4)
    let node = try #require(simulation.hosts[0].node)
    let moment = simulation.moment(simulation.hosts[0])
    let followers = node.replicas.filter { !$0.isLeader }
    try #require(!followers.isEmpty && node.replicas.allSatisfy { $0.isStill })
    func tick(_ later: Int64, isIdleBeat: Bool) {
      node.replicas.tick(
        Stamp(microseconds: moment.wall.microseconds + later), node.health.earliest, isIdleBeat: isIdleBeat)
    }
    // All have heard of as many.
    tick(1, isIdleBeat: true)
    let before = followers.map(\.raft.electionTimer.elapsed)
    for later in 2...3 as ClosedRange<Int64> { tick(later, isIdleBeat: false) }
    #expect(followers.map(\.raft.electionTimer.elapsed) == before)
    #expect(followers.allSatisfy { $0.clock.own.microseconds == moment.wall.microseconds + 1 })
    tick(4, isIdleBeat: true)
    #expect(followers.map(\.raft.electionTimer.elapsed) == before.map { $0 + 3 })
    // Who has not heard its leader for half of a timeout hears of each beat.
    tick(5, isIdleBeat: true)
    tick(6, isIdleBeat: true)
    let waiting = followers.map(\.raft.electionTimer.elapsed)
    #expect(waiting.allSatisfy { $0 >= 5 } && followers.allSatisfy { !$0.isStill })
    tick(7, isIdleBeat: false)
    #expect(followers.map(\.raft.electionTimer.elapsed) == waiting.map { $0 + 1 })
  }

  /// A turn says something where an entry comes, and nothing where a heartbeat does.
  @Test func aReplicaIsStillUntilSomethingComes() throws {
    let simulation = try makeIdleCluster(seed: 871, shards: 1)
    let client = try populate(simulation)
    simulation.run(for: 8_000_000)
    func replicas() -> [Replica] { nodes(simulation).compactMap { $0.replicas[ShardID(1)] } }
    #expect(replicas().count == 3 && replicas().allSatisfy { $0.isStill })
    simulation.run(for: 3_000_000)
    #expect(replicas().allSatisfy { $0.isStill }, "heartbeats came meanwhile")
    #expect(ask(simulation, client, "EARN ann merchant=shop points=5 id=a")?.hasPrefix("+tx=") == true)
    // The leader has proposed it, and two have acknowledged it.
    #expect(replicas().count { !$0.isStill } >= 2)
    simulation.run(for: 8_000_000)
    #expect(replicas().allSatisfy { $0.isStill })
  }

  /// A heartbeat that tells nothing new costs a follower no turn, and its leader is heard all the same.
  @Test func aFollowerAtRestAnswersWithoutATurn() throws {
    let simulation = try makeIdleCluster(seed: 872, shards: 1)
    let leader = try #require(leaders(simulation).first { $0.shard == ShardID(1) })
    let follower = try #require(
      nodes(simulation).compactMap { $0.replicas[ShardID(1)] }.first { $0 !== leader && $0.isStill })
    var beat = Message(
      .heartbeat, from: leader.raft.id, to: follower.raft.id, term: leader.term, context: 7)
    beat.commit = leader.commitIndex
    beat.life = follower.raft.damage.life
    for _ in 0..<2 { follower.raft.tick(isIdleBeat: false) }
    #expect(follower.raft.electionTimer.elapsed >= 2)
    let answer = try #require(follower.answerAtRest(beat))
    #expect(answer.kind == .heartbeatReply && answer.context == 7 && answer.to == leader.raft.id)
    #expect(!follower.isDirty && follower.raft.electionTimer.elapsed == 0)
    // Where anything waits for a turn, the heartbeat does too.
    follower.isDirty = true
    #expect(follower.answerAtRest(beat) == nil)
    follower.isDirty = false
    follower.outbox.alarms.append("an alarm")
    #expect(follower.answerAtRest(beat) == nil)
    follower.outbox.alarms.removeAll()
    follower.isStill = false
    #expect(follower.answerAtRest(beat) == nil)
    follower.isStill = true
    beat.commit = beat.commit + 1
    #expect(follower.answerAtRest(beat) == nil)
    #expect(leader.answerAtRest(beat) == nil)
  }

  /// What a node lists from its own directory is let go of by the next heartbeat, also where that tells nothing else.
  @Test func listsFromADirectoryAtRestDoNotAddUp() throws {
    let simulation = try makeIdleCluster(seed: 873, shards: 1)
    let host = try #require(simulation.hosts.first { $0.node?.replicas[.directory]?.isLeader == false })
    let replica = try #require(host.node?.replicas[.directory])
    try #require(replica.isStill)
    replica.outbox.listedBytes = ReplicaOutbox.mostListedBytes
    simulation.run(for: 1_000_000)
    #expect(replica.outbox.listedBytes == 0)
  }

  /// Nobody is woken: the request is an entry at once, as in a shard that is busy.
  @Test func theFirstRequestAfterRestTakesAsLongAsTheNext() throws {
    var faults = Simulation.Faults()
    faults.minimumDelay = 10_000
    faults.maximumDelay = 10_000
    faults.minimumWrite = 500
    faults.maximumWrite = 500
    let simulation = try makeIdleCluster(seed: 863, shards: 1, faults: faults)
    try populate(simulation)
    let leader = try #require(simulation.hosts.first { $0.node?.replicas[ShardID(1)]?.isLeader == true })
    let client = try #require(simulation.connect(to: leader.number))
    func took(_ line: String) throws -> UInt64 {
      let since = simulation.now
      let answer = try #require(ask(simulation, client, line, for: 1_000_000))
      #expect(answer.hasPrefix("+"), "\(answer)")
      return simulation.now - since
    }
    for (number, line) in [
      "EARN ann merchant=shop points=5 id=a", "BALANCE ann", "REDEEM ann merchant=shop points=1 id=b", "BALANCE ann",
    ]
    .enumerated() {
      simulation.run(for: 5_000_000 + UInt64(number) * 70_000)
      #expect(leader.node?.replicas[ShardID(1)]?.raft.isIdle == true)
      let first = try took(line)
      #expect(leader.node?.replicas[ShardID(1)]?.raft.isIdle == false)
      // There and back between nodes, and a write at either side.
      #expect(first < 20_000 + 3 * 500 + 3_000, "\(line): \(first)")
    }
  }

  /// All shards that a node leads are led by others as soon after it has died as they would be under load.
  @Test(arguments: [0, 1, 2]) func idleShardsOfADeadNodeHaveLeadersWithinTheLongestWait(victim: Int) throws {
    let simulation = try makeIdleCluster(seed: 864 + UInt64(victim), nodes: 5, shards: 20)
    let led = try #require(simulation.hosts[victim].node).replicas.filter(\.isLeader).map(\.shard)
    try #require(led.count >= 2)
    // Nobody hears that its connections are gone.
    simulation.cutPower(victim)
    func isLed(_ shard: ShardID) -> Bool {
      simulation.hosts.contains { $0.number != victim && $0.node?.replicas[shard]?.hasTakenOver == true }
    }
    // The longest that a follower waits is 1.5 s, counted from the last heartbeat; some elections need a second try.
    let areLed = simulation.run(for: 3_000_000) { led.allSatisfy(isLed) }
    #expect(areLed, "\(led.filter { !isLed($0) }.map(\.rawValue))")
  }

  /// Followers of idle leaders campaign for nothing, however slow the network is within reason.
  @Test func idleGroupsKeepTheirLeaders() throws {
    var faults = Simulation.Faults()
    faults.minimumDelay = 1_000
    faults.maximumDelay = 250_000
    let simulation = try makeIdleCluster(seed: 867, nodes: 5, shards: 20, faults: faults)
    func terms() -> [UInt64] {
      leaders(simulation).sorted { $0.shard < $1.shard }.map { $0.term.rawValue }
    }
    let before = terms()
    #expect(before.count == 21)
    simulation.run(for: 60_000_000)
    #expect(terms() == before)
    #expect(leaders(simulation).allSatisfy { $0.raft.isIdle && $0.raft.progress.allSatisfy(\.isActive) })
  }

  /// While a member is away and lacks something, heartbeats go as ever; once it has all, they are rare again.
  @Test func aGroupInWhichAMemberLacksSomethingIsNotIdle() throws {
    let simulation = try makeIdleCluster(seed: 868, shards: 1)
    let client = try populate(simulation)
    let leader = try #require(simulation.hosts.first { $0.node?.replicas[ShardID(1)]?.isLeader == true })
    func isIdle() -> Bool? { leader.node?.replicas[ShardID(1)]?.raft.isIdle }
    let away = (leader.number + 1) % 3
    simulation.kill(away)
    #expect(ask(simulation, client, "EARN ann merchant=shop points=5 id=a")?.hasPrefix("+tx=") == true)
    simulation.run(for: 5_000_000)
    #expect(isIdle() == false)
    simulation.start(away)
    simulation.run(for: 8_000_000)
    #expect(isIdle() == true)
  }

  /// A node of an older build is told what it understands, and is understood.
  @Test func anOlderNodeIsToldAsEver() throws {
    var made = 0
    let simulation = try makeIdleCluster(seed: 869, shards: 6) { configuration in
      configuration.takesBeats = made > 0
      made += 1
    }
    #expect(!simulation.log.contains { $0.contains("malformed") })
    func terms() -> [UInt64] { leaders(simulation).sorted { $0.shard < $1.shard }.map { $0.term.rawValue } }
    let before = terms()
    #expect(before.count == 7 && leaders(simulation).allSatisfy { $0.raft.isIdle })
    simulation.run(for: 20_000_000)
    #expect(terms() == before)
    for replica in nodes(simulation).flatMap({ $0.replicas.filter { $0.shard != .directory } }) {
      let age = Simulation.epoch + Int64(simulation.now) - replica.closedTime.microseconds
      #expect(age < 700_000, "shard \(replica.shard.rawValue) \(age)")
    }
  }
}
