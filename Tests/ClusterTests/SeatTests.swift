import Base
import Cluster
import Testing

@testable import Cluster
@testable import Simulator

/// Which of several processes with one identity is the node.
@Suite struct SeatTests {
  /// A machine at another address with a copy of a node's disk as it is now.
  private func copy(_ host: Int, in simulation: Simulation, name: String = "node-9") -> Int {
    var configuration = simulation.hosts[host].configuration
    configuration.peerAddress = "\(name):7501"
    configuration.clientAddress = "\(name):7401"
    return simulation.addHost(configuration, disk: simulation.hosts[host].disk.copy())
  }
  private func states(_ simulation: Simulation, at host: Int) -> [String] {
    guard let client = simulation.connect(to: host) else { return [] }
    simulation.send("CLUSTER NODES\n", on: client)
    return client.lines.dropFirst().map { line in
      line.split(separator: " ").filter { $0.hasPrefix("state=") || $0.hasPrefix("address=") }.joined(separator: " ")
    }
  }
  private func isHealthy(_ simulation: Simulation, at hosts: [Int]) -> Bool {
    simulation.run(for: 20_000_000) { hosts.allSatisfy { status(simulation, $0)?.contains("healthy=yes") == true } }
  }
  /// It ends with code 2, has never had the seat, and says where that is.
  private func expectTurnedAway(_ number: Int, _ simulation: Simulation, runsAt address: String) {
    var wasSeated = false
    simulation.run(for: 10_000_000) {
      wasSeated = wasSeated || simulation.hosts[number].node?.view.isSeated == true
      return simulation.hosts[number].node == nil
    }
    #expect(!wasSeated, "it votes")
    #expect(simulation.hosts[number].exit == 2)
    #expect(simulation.ends.contains { $0.contains("runs elsewhere") && $0.contains(address) }, "\(simulation.ends)")
  }

  /// - Parameter isApart: they do not reach each other: the others see that the real node lives.
  @Test(arguments: [false, true], [false, true])
  func aCopyBesideTheRealNodeEnds(isTakenWhileItRuns: Bool, isApart: Bool) throws {
    let simulation = try makeCluster(seed: 401)
    if !isTakenWhileItRuns {
      simulation.kill(2)
      simulation.run(for: 100_000)
    }
    let twin = copy(2, in: simulation)
    if !isTakenWhileItRuns {
      simulation.start(2)
      #expect(isHealthy(simulation, at: [0, 1, 2]))
    }
    if isApart { simulation.cut(2, twin) }
    #expect(simulation.start(twin))
    expectTurnedAway(twin, simulation, runsAt: "node-2:7501")
    #expect(isHealthy(simulation, at: [0, 1, 2]), "the real node keeps its seat")
  }

  /// However often it is started, and though nobody is there to be asked at first.
  @Test func aCopyNeverVotesThoughTheRealNodeIsDead() throws {
    let simulation = try makeCluster(seed: 402)
    simulation.kill(2)
    let twin = copy(2, in: simulation)
    simulation.start(2)
    #expect(isHealthy(simulation, at: [0, 1, 2]))
    simulation.kill(2)
    for other in 0...1 { simulation.silence(from: other, to: twin) }
    for _ in 0..<3 {
      simulation.start(twin)
      simulation.run(for: 3_000_000)
      #expect(simulation.hosts[twin].node?.view.isSeated == false)
      simulation.kill(twin)
    }
    simulation.heal()
    // Peers that begin anew know by the directory.
    for other in 0...1 { simulation.kill(other) }
    for other in 0...1 { simulation.start(other) }
    simulation.run(for: 5_000_000)
    simulation.start(twin)
    expectTurnedAway(twin, simulation, runsAt: "node-2:7501")
  }

  /// What it acknowledged after the copy was taken is not there.
  @Test func aCopyOfARunningNodeIsNotTakenForItWhenThatIsDead() throws {
    let simulation = try makeCluster(seed: 403)
    try populate(simulation)
    let twin = copy(2, in: simulation)
    simulation.run(for: 3_000_000)
    simulation.kill(2)
    simulation.run(for: 3_000_000)
    simulation.start(twin)
    expectTurnedAway(twin, simulation, runsAt: "node-2:7501")
  }

  @Test(arguments: UInt64(404)...411)
  func aNodeThatMovedIsFoundWhileItsOldMachineHangs(seed: UInt64) throws {
    let simulation = try makeCluster(seed: seed)
    simulation.freeze(2)
    simulation.run(for: 5_000_000)
    let moved = copy(2, in: simulation)
    simulation.start(moved)
    let isUp = simulation.run(for: 15_000_000) {
      [0, 1].allSatisfy { states(simulation, at: $0).contains("address=node-9:7401 state=up") }
    }
    #expect(isUp, "\(states(simulation, at: 0))")
    #expect(isHealthy(simulation, at: [0, 1, moved]))
    // The old one wakes up, and is nobody any more.
    simulation.thaw(2)
    simulation.run(for: 10_000_000) { simulation.hosts[2].node == nil }
    #expect(simulation.hosts[2].exit == 2)
    #expect(isHealthy(simulation, at: [0, 1, moved]))
  }

  /// Runs until one of these processes is the node and the others have ended. Never are two of them.
  /// - Parameter isSupervised: whoever ends with code 1 is started again.
  private func settle(_ simulation: Simulation, _ lives: [Int], isSupervised: Bool = false) -> [Int] {
    var areTwo = false
    simulation.run(for: 40_000_000) {
      let seated = lives.filter { isListenedTo(simulation, $0) }
      areTwo = areTwo || seated.count > 1
      if isSupervised {
        for life in lives where simulation.hosts[life].node == nil && simulation.hosts[life].exit == 1 {
          simulation.start(life)
        }
      }
      return seated.count == 1 && lives.allSatisfy { seated.contains($0) || simulation.hosts[$0].exit == 2 }
    }
    #expect(!areTwo, "two are the node")
    return lives.filter { simulation.hosts[$0].node != nil }
  }
  /// Some other node takes what it says for the node's word.
  private func isListenedTo(_ simulation: Simulation, _ host: Int) -> Bool {
    guard let node = simulation.hosts[host].node, node.view.isSeated else { return false }
    return [0, 1].contains { other in
      let peer = simulation.hosts[other].node?.peers[simulation.hosts[host].nodeID]
      return peer?.life == node.view.life && peer?.incoming != nil
    }
  }

  /// Both began from the same: who has a majority first stays.
  /// A cluster whose node 2 has ended, and two copies of it, which are to start.
  private func withTwins(seed: UInt64) throws -> (Simulation, [Int]) {
    let simulation = try makeCluster(seed: seed)
    simulation.run(for: 2_000_000)
    simulation.kill(2)
    return (simulation, [copy(2, in: simulation, name: "node-8"), copy(2, in: simulation)])
  }
  @Test(arguments: UInt64(407)...414) func ofTwoCopiesOneGetsTheSeat(seed: UInt64) throws {
    let (simulation, twins) = try withTwins(seed: seed)
    simulation.start(twins[0])
    simulation.start(twins[1])
    let living = settle(simulation, twins)
    #expect(living.count == 1)
    #expect(isHealthy(simulation, at: [0, 1] + living))
  }

  /// Each of two copies reaches one of the others, which has not heard of the second copy.
  @Test(arguments: UInt64(431)...438) func ofTwoCopiesThatAreApartNoneGetsTheSeatAlone(seed: UInt64) throws {
    let (simulation, twins) = try withTwins(seed: seed)
    simulation.cut(0, twins[0])
    simulation.cut(1, twins[1])
    simulation.cut(twins[0], twins[1])
    simulation.start(twins[0])
    simulation.start(twins[1])
    let isAnySeated = simulation.run(for: 10_000_000) {
      twins.contains { simulation.hosts[$0].node?.view.isSeated == true }
    }
    #expect(!isAnySeated)
    simulation.heal()
    let living = settle(simulation, twins)
    #expect(living.count == 1)
    #expect(isHealthy(simulation, at: [0, 1] + living))
  }

  /// The node is started again where it was, and a copy of it elsewhere at the same time.
  @Test(arguments: UInt64(455)...466) func ofANodeAndItsCopyOneGetsTheSeat(seed: UInt64) throws {
    let simulation = try makeCluster(seed: seed)
    simulation.run(for: 2_000_000)
    simulation.kill(2)
    let twin = copy(2, in: simulation)
    if seed % 3 == 0 { simulation.cut(0, 2) }
    if seed % 3 == 1 { simulation.cut(1, twin) }
    simulation.start(twin)
    simulation.run(for: seed % 8 * 200_000)
    simulation.start(2)
    let areTwo = simulation.run(for: 5_000_000) { [2, twin].count { isListenedTo(simulation, $0) } > 1 }
    #expect(!areTwo, "two are the node")
    simulation.heal()
    let living = settle(simulation, [2, twin])
    #expect(living.count == 1)
    #expect(isHealthy(simulation, at: [0, 1] + living))
  }

  /// The old machine wakes up while the moved node asks for its seat, has it noted, and takes it.
  @Test(arguments: UInt64(479)...498) func aMachineThatWakesUpWhileItsNodeMovesLeavesOne(seed: UInt64) throws {
    let simulation = try makeCluster(seed: seed)
    simulation.freeze(2)
    simulation.run(for: 3_000_000)
    let moved = copy(2, in: simulation)
    simulation.start(moved)
    let wakes = seed % 2 == 0 ? 950_000 + (seed - 479) * 5_000 : (seed - 479) * 50_000
    simulation.run(for: wakes)
    if seed % 3 == 0 { simulation.breakWire(simulation.network.wires.keys.max() ?? 0) }
    simulation.thaw(2)
    let living = settle(simulation, [2, moved], isSupervised: true)
    #expect(living.count == 1)
    #expect(isHealthy(simulation, at: [0, 1] + living))
  }

  /// A build that does not ask gets its seat from those that do, and gives them theirs.
  @Test func anOlderBuildIsToldOfItsSeatUnasked() throws {
    var made = 0
    let simulation = try makeCluster(seed: 413) { configuration in
      configuration.asksForSeat = made != 2
      made += 1
    }
    for host in [2, 0, 1, 2] {
      simulation.kill(host)
      simulation.run(for: 200_000)
      simulation.start(host)
      #expect(isHealthy(simulation, at: [0, 1, 2]), "after \(host)")
    }
    #expect(!simulation.log.contains { $0.contains("malformed") })
  }

  /// It is back in no time, with one other gone for good: nobody is waited for longer than a second.
  @Test func aRestartNeedsAMajorityAndNotAll() throws {
    let simulation = try makeCluster(seed: 406)
    let client = try populate(simulation)
    simulation.kill(1)
    simulation.kill(2)
    simulation.start(2)
    simulation.run(for: 3_000_000)
    #expect(simulation.hosts[2].node?.view.isSeated == true)
    let answer = ask(simulation, client, "EARN ann merchant=shop points=5 id=a")
    #expect(answer?.hasPrefix("+tx=") == true, "\(answer ?? "none")")
  }

  /// Alone it cannot know whether it is the node.
  @Test func aNodeThatHearsNobodyWaitsForItsSeat() throws {
    let simulation = try makeCluster(seed: 408)
    for host in 0...2 { simulation.kill(host) }
    simulation.start(2)
    simulation.run(for: 20_000_000)
    #expect(simulation.hosts[2].node?.view.isSeated == false)
    #expect(simulation.hosts[2].node?.view.replicas.allSatisfy { !$0.votedForItself || $0.term.rawValue < 3 } == true)
    #expect(status(simulation, 2)?.contains("state=starting") == true)
    simulation.start(0)
    #expect(simulation.run(for: 5_000_000) { simulation.hosts[2].node?.view.isSeated == true })
  }

  /// Machines made from one image, before there is a cluster.
  @Test func ofNodesFromOneImageTheFirstStays() throws {
    let simulation = Simulation(seed: 408, nodes: 1)
    simulation.run(for: 1_000_000)
    simulation.kill(0)
    let clones = [copy(0, in: simulation, name: "node-8"), copy(0, in: simulation)]
    for host in [0] + clones {
      simulation.run(for: 10_000)
      simulation.start(host)
    }
    simulation.run(for: 5_000_000)
    #expect(simulation.hosts[0].node != nil)
    #expect(clones.allSatisfy { simulation.hosts[$0].exit == 2 })
    #expect(simulation.log.contains { $0.contains("with this node's identity is at node-8:7501") })
  }

  @Test func equalNamesAreWarnedOf() throws {
    let simulation = Simulation(seed: 409, nodes: 2) { $0.name = "east-1" }
    simulation.run(for: 2_000_000)
    #expect(simulation.log.contains { $0.contains("two nodes bear the name east-1") })
    #expect(status(simulation, 0)?.contains("warnings=same-name") == true)
  }

  /// Whoever knows what `CLUSTER NODES` tells everybody, and the protocol.
  /// - Parameter isAway: the peer is down, and its next life may have its seat: nothing but the proof is missing.
  @Test(arguments: [false, true]) func aStrangerInAPeersNameChangesNothing(isAway: Bool) throws {
    let simulation = try makeCluster(seed: 410)
    let client = try populate(simulation)
    let node = try #require(simulation.hosts[0].node)
    let victim = simulation.hosts[1].nodeID
    if isAway { simulation.kill(1) }
    simulation.run(for: 3_000_000)
    let before = node.peers[victim].map { ($0.life, $0.incoming, $0.outgoing, $0.hello) }
    var stranger = Stranger(as: victim)
    stranger.cluster = node.membership.cluster
    stranger.hello.predecessor = LifeID(incarnation: 1 << 62, nonce: 1)
    stranger.hello.logPosition = .max
    for (number, proof) in [
      nil, stranger.proof(1, .unset), stranger.proof(1, Proof(1, 2)), stranger.proof(2, .unset),
      stranger.proof(2, Proof(3, 4)), stranger.frame(5, []), stranger.frame(2, [1, 2, 3]),
      stranger.frame(4, [2, 0, 0]),
    ].enumerated() {
      let link = LinkID(1_000_000 + UInt64(number))
      let moment = simulation.moment(simulation.hosts[0])
      node.linkOpened(link, request: nil, now: moment)
      for bytes in [stranger.greeting, proof ?? []] {
        _ = bytes.withUnsafeBytes { node.linkReceived(link, $0, now: moment) }
      }
      simulation.perform(simulation.hosts[0])
      let peer = try #require(node.peers[victim])
      let now = (peer.life, peer.incoming, peer.outgoing, peer.hello)
      #expect(try now == #require(before), "proof \(number)")
    }
    simulation.run(for: 6_000_000)
    #expect(node.links.table.keys.allSatisfy { $0.rawValue < 1_000_000 })
    #expect(ask(simulation, client, "EARN ann merchant=shop points=5 id=a")?.hasPrefix("+tx=") == true)
    if isAway { simulation.start(1) }
    #expect(isHealthy(simulation, at: [0, 1, 2]))
  }

  /// A greeting that was listened to is worth nothing on another link.
  @Test func aGreetingThatIsSaidAgainProvesNothing() throws {
    let simulation = try makeCluster(seed: 411)
    var heard: [UInt64: [[UInt8]]] = [:]
    simulation.overhears = { wire, from, bytes in
      // What the dialling side says.
      if from == 1, simulation.network.wires[wire]?.ends.map(\.host) == [1, 0] {
        heard[wire, default: []].append(bytes)
      }
    }
    for id in simulation.network.wires.keys.sorted() { simulation.breakWire(id) }
    simulation.run(for: 3_000_000)
    simulation.overhears = nil
    let said = try #require(heard.min { $0.key < $1.key }?.value)
    try #require(said.count > 2)
    simulation.kill(1)
    simulation.run(for: 3_000_000)
    let node = try #require(simulation.hosts[0].node)
    let peer = try #require(node.peers[simulation.hosts[1].nodeID])
    node.linkOpened(LinkID(1_000_000), request: nil, now: node.turn.now)
    for bytes in said { _ = bytes.withUnsafeBytes { node.linkReceived(LinkID(1_000_000), $0, now: node.turn.now) } }
    #expect(peer.incoming == nil)
  }

  @Test func whatADirectoryKeepsIsNotShown() throws {
    let simulation = try makeCluster(seed: 412, shards: 1)
    let member = try #require(simulation.hosts[0].node?.membership.topology?.nodes.first)
    #expect(
      "\(member.proof)" == "(secret)" && !"\(member)".contains("Proof(") && "\(dumped(member))".contains("(secret)"))
    let text = dumped([Proof(1_234_567, 7_654_321)])
    #expect(!text.contains("1234567") && !text.contains("7654321"), "\(text)")
  }
  private func dumped<T>(_ value: T) -> String {
    var text = ""
    dump(value, to: &text)
    return text
  }
}
