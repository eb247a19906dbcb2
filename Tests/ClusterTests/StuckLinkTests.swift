import Base
import Testing

@testable import Cluster
@testable import Simulator

/// Connections on which nothing arrives any more, though nobody has closed them.
@Suite struct StuckLinkTests {
  @Test func aLinkOnWhichAPeerHearsNothingIsDialledAnew() throws {
    let simulation = try makeCluster(seed: 91, shards: 1)
    try populate(simulation)
    let leading = simulation.hosts.first { $0.node?.replicas[ShardID(1)]?.isLeader == true }?.number
    let leader = try #require(leading)
    let edge = (leader + 1) % 3
    // The way from an edge to the leader is stuck for an hour; the leader's way to the edge is not.
    let stuck = simulation.network.wires.keys.sorted().firstIndex { id in
      simulation.network.wires[id].map { $0.ends[0].host == edge && $0.ends[1].host == leader } ?? false
    }
    simulation.stallConnection(UInt64(try #require(stuck)), for: 3_600_000_000)
    simulation.run(for: 6_000_000)
    let client = try #require(simulation.connect(to: edge))
    let answer = ask(simulation, client, "EARN ann merchant=shop points=5 id=a", for: 1_000_000)
    #expect(answer?.hasPrefix("+tx=") == true, "\(answer ?? "none")")
    #expect(simulation.log.contains { $0.contains("has heard nothing on it for 4 s") })
  }

  /// A node that starts has proved who it is and waits for its seat; that it has it never comes over one of the links.
  /// - Parameter dialler: who opened that link: the node that starts is host 1.
  @Test(arguments: [0, 1]) func aLinkThatIsStuckInItsGreetingIsDialledAnew(dialler: Int) throws {
    let simulation = try makeCluster(seed: 93, shards: 1)
    try populate(simulation)
    // A node that is away is waited for, before a seat is taken.
    simulation.kill(2)
    simulation.kill(1)
    simulation.run(for: 100_000)
    #expect(simulation.start(1))
    var stuck: Int?
    func isProven(_ end: Wire.End) -> Bool {
      simulation.hosts[end.host].node?.links.table[end.link]?.greeting?.isProven == true
    }
    simulation.run(for: 900_000) {
      stuck = simulation.network.wires.keys.sorted().firstIndex { id in
        simulation.network.wires[id].map { $0.ends[0].host == dialler && $0.ends.allSatisfy(isProven) } ?? false
      }
      return stuck != nil
    }
    simulation.stallConnection(UInt64(try #require(stuck)), for: 3_600_000_000)
    #expect(simulation.hosts[1].node?.view.isSeated == false)
    simulation.run(for: 8_000_000)
    #expect(simulation.hosts[1].node?.view.isSeated == true)
    for host in 0..<2 {
      let client = try #require(simulation.connect(to: host))
      let answer = ask(simulation, client, "EARN ann merchant=shop points=5 id=greeted-\(host)", for: 2_000_000)
      #expect(answer?.hasPrefix("+tx=") == true, "\(answer ?? "none") \(simulation.report)")
    }
    #expect(simulation.log.count { $0.contains("has heard nothing on it for 4 s") } == 1)
  }

  /// The members do not listen to a node that is none yet, and its links stay.
  @Test func theLinksOfANewcomerAreKept() throws {
    let simulation = try makeCluster(seed: 94, shards: 1)
    simulation.wipe(2)
    #expect(simulation.start(2))
    simulation.run(for: 20_000_000)
    #expect(!simulation.log.contains { $0.contains("has heard nothing on it") }, "\(simulation.log)")
  }

  /// Nothing is given up that is only slow.
  @Test func aLinkOfALongWayIsKept() throws {
    var faults = Simulation.Faults()
    faults.minimumDelay = 110_000
    faults.maximumDelay = 130_000
    let simulation = try makeCluster(seed: 92, shards: 1, faults: faults)
    simulation.run(for: 20_000_000)
    #expect(!simulation.log.contains { $0.contains("link closed") })
  }
}
