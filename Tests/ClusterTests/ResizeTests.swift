import Base
import Raft
import Storage
import Testing

@testable import Cluster
@testable import Simulator

/// A cluster whose nodes and replicas change while it serves.
struct ResizedCluster {
  let simulation: Simulation
  let shard = ShardID(1)

  init(
    seed: UInt64, nodes: Int = 3, shards: Int = 2, faults: Simulation.Faults = .init(),
    observer: (any ReplicaObserver)? = nil
  ) throws {
    simulation = try makeCluster(seed: seed, nodes: nodes, shards: shards, faults: faults, observer: observer)
    try populate(simulation, members: ["m0", "m1", "m2", "m3"])
  }

  func replica(_ host: Int) -> Replica? { simulation.hosts[host].node?.replicas[shard] }
  func node(_ host: Int) -> Node? { simulation.hosts[host].node }
  func id(_ host: Int) -> NodeID { simulation.hosts[host].nodeID }
  var leader: Int? { simulation.hosts.indices.first { replica($0)?.hasTakenOver == true } }
  func state(of host: Int, at other: Int = 0) -> NodeRecord.State? {
    node(other)?.view.topology?.node(id(host))?.state
  }

  /// Waits until each shard is led from where the map wants it, and all know.
  func awaitHomes() throws {
    let areHome = simulation.run(for: 60_000_000) {
      let homes = node(0)?.view.topology?.shards ?? []
      return !homes.isEmpty
        && homes.allSatisfy { home in
          simulation.hosts.first { $0.nodeID == home.preferredLeader }?.node?.replicas[home.shard]?.hasTakenOver == true
        }
    }
    try #require(areHome, "\(simulation.report)")
    simulation.run(for: 1_000_000)
  }

  /// Another node, with an empty disk, that is told where the first one is.
  func add(region: String) throws -> Int {
    let number = simulation.hosts.count
    var configuration = simulation.hosts[0].configuration
    configuration.name = "\(region)-\(number + 1)"
    configuration.region = region
    configuration.clientAddress = "node-\(number):7401"
    configuration.peerAddress = "node-\(number):7501"
    configuration.join = ["node-0:7501"]
    let added = simulation.addHost(configuration, disk: MemoryFileSystem())
    try #require(simulation.start(added))
    return added
  }
  func join(region: String) throws -> Int {
    let added = try add(region: region)
    let isUp = simulation.run(for: 20_000_000) {
      simulation.hosts.indices.allSatisfy { node($0) == nil || state(of: added, at: $0) == .up }
    }
    try #require(isUp, "\(simulation.report)")
    return added
  }

  func ask(_ line: String, on host: Int = 0) throws -> String {
    let client = try #require(simulation.connect(to: host, from: "127.0.0.1:4000"))
    client.clear()
    simulation.send(line + "\n", on: client)
    simulation.run(for: 20_000_000) { client.lineCount > 0 }
    return client.lines.first ?? "nothing"
  }
  func voters(_ host: Int) -> [NodeID] { replica(host)?.raft.configuration.voters.map(\.node) ?? [] }
  /// Waits until an operation is over; gives its record.
  func wait(_ number: Int = 1, for limit: UInt64 = 60_000_000, on host: Int = 0) throws -> String {
    var record = ""
    let end = simulation.now + limit
    while simulation.now < end {
      record = try ask("CLUSTER OP SHOW \(number)", on: host)
      if !record.contains("state=running"), !record.contains("state=waiting"), record.contains("state=") { break }
      simulation.run(for: 200_000)
    }
    return record
  }
}
@Suite struct ResizeTests {
  @Test func aNodeThatIsNewJoinsAndIsUp() throws {
    let cluster = try ResizedCluster(seed: 301)
    let added = try cluster.join(region: "east")
    let simulation = cluster.simulation
    // It was told of one node, and all know it.
    for host in simulation.hosts.indices {
      #expect(try cluster.ask("CLUSTER NODES", on: host).contains("*4"), "host \(host)")
    }
    let directory = try #require(cluster.node(added)?.replicas[.directory])
    #expect(directory.raft.configuration.learners.map(\.node) == [cluster.id(added)])
    #expect(directory.raft.id.born > 1)
    #expect(try cluster.ask("EARN m0 merchant=shop points=5 id=a1", on: added).hasPrefix("+tx="))
  }

  @Test(arguments: [1, 2, 3, 5, 8, 13, 21, 34])
  func aCrashOfANewNodeDoesNotKeepItOut(steps: Int) throws {
    let cluster = try ResizedCluster(seed: 302)
    let simulation = cluster.simulation
    let added = try cluster.add(region: "north")
    simulation.hosts[added].disk.cutPower(afterSteps: steps)
    simulation.run(for: 3_000_000)
    if simulation.hosts[added].node != nil { simulation.kill(added) }
    try #require(simulation.start(added), "\(simulation.hosts[added].failure ?? "")")
    let isUp = simulation.run(for: 20_000_000) {
      cluster.state(of: added) == .up && cluster.state(of: added, at: added) == .up
    }
    #expect(isUp, "\(simulation.report)")
  }

  @Test func aReplicaMovesWhileTheShardServes() throws {
    let cluster = try ResizedCluster(seed: 303)
    let simulation = cluster.simulation
    let added = try cluster.join(region: "east")
    let source = try #require((0..<3).first { simulation.hosts[$0].configuration.region == "east" })
    let answer = try cluster.ask("CLUSTER SHARD MOVE 1 from=\(simulation.hosts[source].name) to=east-4")
    #expect(answer.contains("kind=shard-move") && answer.contains("state=running"), "\(answer)")
    let record = try cluster.wait()
    #expect(record.contains("state=done"), "\(record)")
    let leader = try #require(cluster.leader)
    #expect(cluster.voters(leader).contains(cluster.id(added)))
    #expect(cluster.voters(leader).count == 3)
  }

  /// The node that leads goes, too: it hands over before.
  @Test func aLeaderIsMovedAway() throws {
    let cluster = try ResizedCluster(seed: 304)
    let simulation = cluster.simulation
    let leader = try #require(cluster.leader)
    let added = try cluster.join(region: simulation.hosts[leader].configuration.region)
    for number in 0..<20 {
      #expect(try cluster.ask("EARN m\(number % 4) merchant=shop points=1 id=e\(number)").hasPrefix("+tx="))
    }
    let from = simulation.hosts[leader].name
    let answer = try cluster.ask("CLUSTER SHARD MOVE 1 from=\(from) to=\(simulation.hosts[added].name)")
    #expect(answer.contains("kind=shard-move"), "\(answer)")
    let record = try cluster.wait()
    #expect(record.contains("state=done"), "\(record)")
    let next = try #require(cluster.leader)
    #expect(next != leader && cluster.voters(next).contains(cluster.id(added)))
    #expect(!cluster.voters(next).contains(cluster.id(leader)))
    // Nothing of it is left there, also after a start.
    #expect(simulation.run(for: 20_000_000) { cluster.replica(leader) == nil }, "\(simulation.report)")
    simulation.kill(leader)
    simulation.start(leader)
    simulation.run(for: 3_000_000)
    #expect(cluster.replica(leader) == nil)
    #expect(cluster.node(0)?.view.topology?.placement(of: cluster.shard)?.voters.contains(cluster.id(added)) == true)
    for number in 0..<20 {
      let again = try cluster.ask("EARN m\(number % 4) merchant=shop points=1 id=e\(number)", on: added)
      #expect(again.hasPrefix("+tx="), "\(again)")
    }
    #expect(try cluster.ask("BALANCE m0", on: leader).contains("balance=5 "))
  }

  /// A voter that is gone for good: another takes its place, and it is told when it comes back.
  @Test func aDeadVoterIsExchangedAndLeavesWhenItComesBack() throws {
    let cluster = try ResizedCluster(seed: 305)
    let simulation = cluster.simulation
    let dead = try #require((1..<3).first { cluster.replica($0)?.isLeader == false })
    let added = try cluster.join(region: simulation.hosts[dead].configuration.region)
    simulation.kill(dead)
    _ = try cluster.ask("EARN m0 merchant=shop points=5 id=a1")
    let answer = try cluster.ask(
      "CLUSTER SHARD MOVE 1 from=\(simulation.hosts[dead].name) to=\(simulation.hosts[added].name)")
    #expect(answer.contains("kind=shard-move"), "\(answer)")
    let record = try cluster.wait()
    #expect(record.contains("state=done"), "\(record)")
    #expect(
      cluster.replica(added)?.machine.lastIndex == cluster.leader.flatMap { cluster.replica($0) }?.machine.lastIndex)
    simulation.start(dead)
    #expect(
      simulation.run(for: 40_000_000) { cluster.node(dead) != nil && cluster.replica(dead) == nil },
      "\(simulation.report)")
  }

  @Test func whatCannotBeIsRefused() throws {
    let cluster = try ResizedCluster(seed: 306)
    let added = try cluster.join(region: "east")
    let name = cluster.simulation.hosts[added].name
    #expect(try cluster.ask("CLUSTER SHARD MOVE 1 from=north-1 to=\(name)").contains("and the regions allow 1"))
    #expect(try cluster.ask("CLUSTER SHARD MOVE 1 from=\(name) to=east-1").hasPrefix("-EXISTS"))
    #expect(try cluster.ask("CLUSTER SHARD MOVE 1 from=east-1 to=north-1").hasPrefix("-CONFLICT"))
    #expect(try cluster.ask("CLUSTER SHARD MOVE 1 from=east-1 to=nobody").hasPrefix("-NOTFOUND"))
    #expect(try cluster.ask("CLUSTER SHARD MOVE 9 from=east-1 to=\(name)").hasPrefix("-NOTFOUND"))
    #expect(try cluster.ask("CLUSTER SHARD MOVE 1 to=\(name)").hasPrefix("-ERR"))
  }

  @Test func aKeyOfAnotherCommandIsRefused() throws {
    let cluster = try ResizedCluster(seed: 308)
    for line in [
      "CLUSTER NODE DRAIN east-1 to=north-1", "CLUSTER NODE DRAIN east-1 dead=yes",
      "CLUSTER NODE UNDRAIN east-1 dead=no",
      "CLUSTER NODE REMOVE east-1 to=north-1", "CLUSTER SHARD LEADER 1 from=east-1 to=north-1",
      "CLUSTER SHARD MOVE 1 from=east-1 region=west",
    ] {
      let answer = try cluster.ask(line)
      #expect(answer.hasPrefix("-ERR") && answer.contains(" takes no "), "\(line): \(answer)")
    }
    #expect(try cluster.ask("CLUSTER OP LIST") == "*0")
  }

  @Test func aDrainThatIsOnlyPlannedNamesWhatIsLed() throws {
    let cluster = try ResizedCluster(seed: 309, shards: 6)
    let leader = try #require(cluster.leader)
    func leads() -> Int { cluster.node(leader)?.replicas.count { $0.shard != .directory && $0.isLeader } ?? 0 }
    try #require(cluster.simulation.run(for: 20_000_000) { leads() == 2 })
    cluster.simulation.run(for: 2_000_000)
    let plan = try cluster.ask("CLUSTER NODE DRAIN \(cluster.simulation.hosts[leader].name) dry-run=yes")
    #expect(plan == "*\(leads())" && leads() > 0, "\(plan)")
    #expect(cluster.state(of: leader) == .up)
  }

  /// A learner that is not wanted any more goes.
  @Test func whatIsGivenUpLeavesNoLearner() throws {
    let cluster = try ResizedCluster(seed: 307)
    let simulation = cluster.simulation
    let added = try cluster.join(region: "east")
    simulation.kill(added)
    let answer = try cluster.ask("CLUSTER SHARD MOVE 1 from=east-1 to=\(simulation.hosts[added].name)")
    #expect(answer.contains("state=running"), "\(answer)")
    let hasLearner = simulation.run(for: 10_000_000) {
      cluster.leader.flatMap { cluster.replica($0)?.raft.configuration.learners.count } == 1
    }
    try #require(hasLearner, "\(simulation.report)")
    #expect(try cluster.ask("CLUSTER OP CANCEL 1").contains("state=cancelled"))
    let isGone = simulation.run(for: 30_000_000) {
      cluster.leader.flatMap { cluster.replica($0)?.raft.configuration.learners.isEmpty } == true
    }
    #expect(isGone, "\(simulation.report)")
  }

  // MARK: Nodes

  @Test func aDrainedNodeLeadsNothingUntilItIsUndrained() throws {
    let cluster = try ResizedCluster(seed: 311, shards: 6)
    let simulation = cluster.simulation
    func leads(_ host: Int) -> Int { cluster.node(host)?.replicas.count { $0.shard != .directory && $0.isLeader } ?? 0 }
    try #require(simulation.run(for: 20_000_000) { (0..<3).allSatisfy { leads($0) == 2 } })
    let name = simulation.hosts[1].name
    #expect(try cluster.ask("CLUSTER NODE DRAIN \(name)").contains("kind=node-drain"))
    #expect(try cluster.wait().contains("state=done"))
    #expect(leads(1) == 0)
    #expect(try cluster.ask("CLUSTER NODES").isEmpty == false)
    // It stays so, also when it starts anew; that it is down is what has to be seen meanwhile.
    simulation.kill(1)
    simulation.run(for: 5_000_000)
    let client = try #require(simulation.connect(to: 0, from: "127.0.0.1:4000"))
    simulation.send("CLUSTER NODES\n", on: client)
    simulation.run(for: 1_000_000)
    #expect(client.lines.contains { $0.contains("name=\(name) ") && $0.contains(" state=down ") }, "\(client.lines)")
    simulation.start(1)
    simulation.run(for: 10_000_000)
    #expect(leads(1) == 0 && cluster.state(of: 1) == .draining)
    #expect(try cluster.ask("CLUSTER NODE DRAIN \(simulation.hosts[0].name)").contains("kind=node-drain"))
    #expect(try cluster.wait(2).contains("state=done"))
    // Nobody else could lead then.
    let refused = try cluster.ask("CLUSTER NODE DRAIN \(simulation.hosts[2].name)")
    #expect(refused.hasPrefix("-CONFLICT") && refused.contains("nobody to lead it"), "\(refused)")
    #expect(try cluster.ask("CLUSTER NODE UNDRAIN \(name)").contains("kind=node-undrain"))
    #expect(try cluster.wait(3).contains("state=done"))
    #expect(simulation.run(for: 30_000_000) { leads(1) >= 2 }, "\(simulation.report)")
  }

  @Test func aNodeIsRemovedAndEnds() throws {
    let cluster = try ResizedCluster(seed: 312, shards: 5)
    let simulation = cluster.simulation
    let added = try cluster.join(region: "west")
    let leaving = try #require((0..<3).first { simulation.hosts[$0].configuration.region == "west" })
    let asked = leaving == 0 ? 1 : 0
    for number in 0..<20 {
      #expect(try cluster.ask("EARN m\(number % 4) merchant=shop points=1 id=e\(number)").hasPrefix("+tx="))
    }
    #expect(
      try cluster.ask("CLUSTER NODE REMOVE \(simulation.hosts[leaving].name) dead=yes", on: asked).contains(
        "is not dead"))
    let plan = try cluster.ask("CLUSTER NODE REMOVE \(simulation.hosts[leaving].name) dry-run=yes", on: asked)
    #expect(plan == "*5", "\(plan)")
    let answer = try cluster.ask("CLUSTER NODE REMOVE \(simulation.hosts[leaving].name)", on: asked)
    #expect(answer.contains("kind=node-remove") && answer.contains("steps=6"), "\(answer)")
    let record = try cluster.wait(on: asked)
    #expect(record.contains("state=done"), "\(record) \(simulation.report)")
    let topology = try #require(cluster.node(asked)?.view.topology)
    #expect(
      topology.shards.allSatisfy { $0.voters.contains(cluster.id(added)) && !$0.voters.contains(cluster.id(leaving)) })
    #expect(
      topology.directoryVoters.contains(cluster.id(added)) && !topology.directoryVoters.contains(cluster.id(leaving)))
    // It hears of it and ends; and again when it is started.
    #expect(simulation.run(for: 10_000_000) { cluster.node(leaving) == nil }, "\(simulation.report)")
    simulation.start(leaving)
    #expect(simulation.run(for: 10_000_000) { cluster.node(leaving) == nil }, "\(simulation.report)")
    #expect(simulation.ends.contains { $0.contains("was removed from the cluster") }, "\(simulation.ends)")
    #expect(
      simulation.run(for: 20_000_000) { status(simulation, asked)?.contains("healthy=yes") ?? false },
      "\(status(simulation, asked) ?? "")")
    for number in 0..<20 {
      let again = try cluster.ask("EARN m\(number % 4) merchant=shop points=1 id=e\(number)", on: added)
      #expect(again.hasPrefix("+tx="), "\(again)")
    }
    #expect(try cluster.ask("BALANCE m0", on: asked).contains("balance=5 "))
  }

  /// Whoever leads the directory and is to leave it hands over first: a configuration without its leader is never proposed.
  @Test func theDirectorysLeaderHandsOverBeforeItLeaves() throws {
    let cluster = try ResizedCluster(seed: 313, shards: 3)
    let simulation = cluster.simulation
    let leader = try #require(
      simulation.hosts.indices.first { cluster.node($0)?.replicas[.directory]?.hasTakenOver == true })
    _ = try cluster.join(region: simulation.hosts[leader].configuration.region)
    let asked = leader == 0 ? 1 : 0
    #expect(
      try cluster.ask("CLUSTER NODE REMOVE \(simulation.hosts[leader].name)", on: asked).contains("kind=node-remove"))
    var hasLedOut = false
    let isOver = simulation.run(for: 60_000_000) {
      if let raft = cluster.node(leader)?.replicas[.directory]?.raft, raft.role == .leader {
        hasLedOut = hasLedOut || !raft.configuration.voters.contains { $0.node == cluster.id(leader) }
      }
      return cluster.state(of: leader, at: asked) == .removed
    }
    #expect(isOver && !hasLedOut, "\(simulation.report)")
  }

  /// A machine that is lost for good: another takes its place, and it is refused should it ever come back.
  @Test(arguments: [0, 1, 2]) func aLostNodeIsReplaced(lost: Int) throws {
    let cluster = try ResizedCluster(seed: 313 + UInt64(lost), shards: 3)
    let simulation = cluster.simulation
    let asked = (lost + 1) % 3
    simulation.kill(lost)
    let killedAt = simulation.now
    let added = simulation.hosts.count
    var configuration = simulation.hosts[lost].configuration
    configuration.name += "-new"
    configuration.clientAddress = "node-\(added):7401"
    configuration.peerAddress = "node-\(added):7501"
    configuration.join = ["node-\(asked):7501"]
    _ = simulation.addHost(configuration, disk: MemoryFileSystem())
    simulation.start(added)
    #expect(simulation.run(for: 20_000_000) { cluster.state(of: added, at: asked) == .up }, "\(simulation.report)")
    let old = simulation.hosts[lost].name
    #expect(try cluster.ask("CLUSTER NODE REMOVE \(old)", on: asked).contains("say that it is dead"))
    let replacement = "CLUSTER NODE REPLACE \(old) to=\(configuration.name) dead=yes"
    // Its links are gone; but it was there a moment ago.
    if simulation.now - killedAt < 4_000_000 {
      #expect(try cluster.ask(replacement, on: asked).contains("was heard within 5 s"))
    }
    simulation.run(for: 6_000_000)
    let answer = try cluster.ask(replacement, on: asked)
    #expect(answer.contains("kind=node-remove"), "\(answer)")
    let record = try cluster.wait(on: asked)
    #expect(record.contains("state=done"), "\(record) \(simulation.report)")
    #expect(
      simulation.run(for: 20_000_000) { status(simulation, asked)?.contains("healthy=yes") ?? false },
      "\(simulation.report)")
    // With it the cluster stands another loss.
    let next = (0..<3).first { $0 != lost && $0 != asked } ?? 0
    simulation.kill(next)
    #expect(try cluster.ask("EARN m1 merchant=shop points=5 id=after", on: asked).hasPrefix("+tx="))
    simulation.start(lost)
    #expect(simulation.run(for: 10_000_000) { cluster.node(lost) == nil }, "\(simulation.report)")
  }

  /// What is not yet exchanged stays, and the node goes on as before.
  @Test func aRemovalThatIsGivenUpTakesItsMovesWithIt() throws {
    let cluster = try ResizedCluster(seed: 318, shards: 2)
    let simulation = cluster.simulation
    let added = try cluster.join(region: "west")
    let leaving = try #require((0..<3).first { simulation.hosts[$0].configuration.region == "west" })
    let asked = leaving == 0 ? 1 : 0
    #expect(try cluster.ask("CLUSTER NODE REMOVE \(simulation.hosts[leaving].name)", on: asked).contains("op=1"))
    let hasBegun = simulation.run(for: 10_000_000) {
      // The second move waits for the first: both copy to the same node.
      (cluster.node(asked)?.shards.directory?.operations.open.count ?? 0) == 2
        && cluster.state(of: leaving, at: asked) == .draining
    }
    try #require(hasBegun, "\(simulation.report)")
    // Its successor does not come to anything.
    simulation.kill(added)
    #expect(try cluster.ask("CLUSTER OP CANCEL 1", on: asked).contains("state=cancelled"))
    let table = try #require(cluster.node(asked)?.shards.directory?.operations)
    #expect(table.open.isEmpty && table.over.map(\.state) == [.cancelled, .cancelled])
    #expect(cluster.state(of: leaving, at: asked) == .up)
  }

  @Test func aNodeWithoutSuccessorStays() throws {
    let cluster = try ResizedCluster(seed: 317)
    let refused = try cluster.ask("CLUSTER NODE REMOVE north-1")
    #expect(refused.hasPrefix("-CONFLICT") && refused.contains("3 replicas need as many nodes"), "\(refused)")
    #expect(cluster.state(of: 1) == .up)
    #expect(try cluster.ask("CLUSTER NODE REMOVE nobody").hasPrefix("-NOTFOUND"))
    #expect(try cluster.ask("CLUSTER NODE REPLACE north-1").hasPrefix("-ERR"))
    #expect(try cluster.ask("CLUSTER NODE REPLACE north-1 to=north-1").hasPrefix("-CONFLICT node north-1 cannot"))
  }
}
