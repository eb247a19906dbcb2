import Base
import Ledger
import Testing

@testable import Cluster
@testable import Simulator

/// `CLUSTER INIT` makes one cluster of all nodes or none, whatever happens meanwhile, and answers.
@Suite struct InitTests {
  private func clusters(_ simulation: Simulation) -> [UInt64] {
    simulation.hosts.map { $0.node?.membership.cluster ?? 0 }
  }
  private func cluster(_ answer: String?) -> Substring? {
    answer?.split(separator: " ").first { $0.hasPrefix("+cluster=") }?.dropFirst(9)
  }

  @Test(arguments: 0..<12 as Range<UInt64>) func askedOfSeveralAtOnceThereIsOneCluster(seed: UInt64) throws {
    var faults = Simulation.Faults()
    faults.maximumDelay = 1 + seed * 20_000
    faults.minimumDelay = faults.maximumDelay / 2
    let simulation = Simulation(seed: 500 + seed, nodes: 3 + Int(seed % 3), faults: faults)
    simulation.run(for: 3_000_000)
    let clients = try simulation.hosts.indices.map { try #require(simulation.connect(to: $0)) }
    for (number, client) in clients.enumerated() where number < 2 || seed % 2 == 0 {
      simulation.send("CLUSTER INIT shards=2 replicas=\(seed % 4 == 3 && number == 1 ? 1 : 3)\n", on: client)
    }
    simulation.run(for: 5_000_000)
    let asked = clients.enumerated().filter { $0.offset < 2 || seed % 2 == 0 }.map(\.element)
    #expect(asked.allSatisfy { $0.lineCount == 1 }, "everybody is answered within 5 s")
    #expect(asked.contains { $0.lines.first?.hasPrefix("+cluster=") == true }, "\(asked.map(\.lines))")
    simulation.run(for: 3_000_000)
    #expect(Set(clusters(simulation)).count == 1 && clusters(simulation)[0] != 0)
    for client in asked {
      guard let named = cluster(client.lines.first) else { continue }
      #expect(named == simulation.hosts[0].node?.membership.clusterName ?? "")
    }
  }

  /// The coordinator or another ends at any step of it, by a power cut of which the disk keeps what was synced.
  @Test(arguments: 0..<40 as Range<UInt64>) func whoeverEndsMeanwhileThereIsOneClusterOrNone(seed: UInt64) throws {
    let simulation = Simulation(seed: 600 + seed, nodes: 3)
    simulation.run(for: 3_000_000)
    let client = try #require(simulation.connect(to: 0))
    let victim = Int(seed % 3)
    simulation.send("CLUSTER INIT shards=2 replicas=3\n", on: client)
    simulation.run(for: 200 + seed * 400)
    if seed % 2 == 0 { simulation.cutPower(victim) } else { simulation.kill(victim) }
    simulation.run(for: seed % 5 * 1_000_000)
    simulation.start(victim)
    simulation.run(for: 5_000_000)
    #expect(victim == 0 || client.lineCount == 1, "it is answered within 5 s")
    simulation.run(for: 5_000_000)
    let made = clusters(simulation)
    #expect(Set(made).count == 1, "\(made)")
    if client.lines.first?.hasPrefix("+") == true { #expect(made[0] != 0) }
    // None is left bound to what came to nothing.
    let admin = try #require(simulation.connect(to: 1))
    #expect(ask(simulation, admin, "CLUSTER INIT shards=2 replicas=3")?.hasPrefix("+cluster=") == true)
    let isHealthy = simulation.run(for: 20_000_000) {
      (0..<3).allSatisfy { status(simulation, $0)?.contains("healthy=yes") == true }
    }
    #expect(isHealthy && Set(clusters(simulation)).count == 1)
  }

  /// Whoever comes back with a promise learns that it came to nothing, makes a cluster itself, and knows its members for good.
  @Test(arguments: 1..<16 as Range<UInt64>) func aPromiseThatCameToNothingLeavesEverybodyKnown(step: UInt64) throws {
    let simulation = Simulation(seed: 650 + step, nodes: 3)
    simulation.run(for: 3_000_000)
    let client = try #require(simulation.connect(to: 0))
    simulation.send("CLUSTER INIT shards=2 replicas=3\n", on: client)
    simulation.run(for: step * 200)
    for number in [1, 2] { simulation.kill(number) }
    simulation.run(for: 3_900_000)
    simulation.start(1)
    simulation.run(for: 4_000_000)
    simulation.start(2)
    simulation.run(for: 2_000_000)
    let admin = try #require(simulation.connect(to: 1))
    #expect(ask(simulation, admin, "CLUSTER INIT shards=2 replicas=3")?.hasPrefix("+cluster=") == true)
    simulation.run(for: 5_000_000)
    for number in 0..<3 { simulation.kill(number) }
    for number in 0..<3 { simulation.start(number) }
    simulation.run(for: 1_000_000)
    let isHealthy = simulation.run(for: 20_000_000) {
      (0..<3).allSatisfy { status(simulation, $0)?.contains("healthy=yes") == true }
    }
    #expect(isHealthy, "\(simulation.report)")
  }

  /// Two have promised themselves to a cluster that has begun, and lose their power before they hear of that: they make no
  /// other meanwhile.
  @Test(arguments: 0..<6 as Range<UInt64>) func aPromiseOutlivesItsProcess(seed: UInt64) throws {
    let simulation = Simulation(seed: 690 + seed, nodes: 3)
    simulation.run(for: 3_000_000)
    let client = try #require(simulation.connect(to: 0))
    simulation.send("CLUSTER INIT shards=2 replicas=1\n", on: client)
    #expect(simulation.run(for: 1_000_000) { [1, 2].allSatisfy { simulation.hosts[$0].node?.beginning.plan != nil } })
    for number in [1, 2] { simulation.silence(from: 0, to: number) }
    #expect(simulation.run(for: 1_000_000) { clusters(simulation)[0] != 0 })
    for number in [1, 2] { simulation.cutPower(number) }
    for number in [1, 2] { simulation.start(number) }
    simulation.run(for: 2_000_000)
    let admin = try #require(simulation.connect(to: 1))
    let answer = ask(simulation, admin, "CLUSTER INIT shards=2 replicas=1", for: 5_000_000)
    #expect(answer?.hasPrefix("-UNAVAILABLE") == true, "\(answer ?? "none")")
    #expect(clusters(simulation)[1...].allSatisfy { $0 == 0 })
    simulation.heal()
    simulation.run(for: 5_000_000)
    #expect(Set(clusters(simulation)).count == 1 && clusters(simulation)[0] != 0, "\(clusters(simulation))")
  }

  /// A node that all have heard of does not answer: nothing is begun without it, and whoever asks hears which it is.
  @Test func nobodyIsLeftOutSilently() throws {
    let simulation = Simulation(seed: 700, nodes: 4)
    simulation.run(for: 3_000_000)
    simulation.kill(3)
    simulation.run(for: 100_000)
    let client = try #require(simulation.connect(to: 0))
    let answer = ask(simulation, client, "CLUSTER INIT shards=2 replicas=3", for: 5_000_000)
    #expect(answer?.hasPrefix("-UNAVAILABLE") == true && answer?.contains("node-3:7501") == true, "\(answer ?? "none")")
    #expect(clusters(simulation).allSatisfy { $0 == 0 })
    // Once it has been away for long it is not counted any more.
    simulation.run(for: 31_000_000)
    #expect(ask(simulation, client, "CLUSTER INIT shards=2 replicas=3")?.contains("nodes=3") == true)
  }

  /// A frozen node has promised nothing: whoever asks is told so in time, and it is free when it wakes up.
  @Test(arguments: [1, 2]) func aNodeThatHangsStopsItAndNothingElse(frozen: Int) throws {
    let simulation = Simulation(seed: 701, nodes: 3)
    simulation.run(for: 3_000_000)
    simulation.freeze(frozen)
    let client = try #require(simulation.connect(to: 0))
    let answer = ask(simulation, client, "CLUSTER INIT shards=2 replicas=3", for: 5_000_000)
    #expect(answer?.hasPrefix("-UNAVAILABLE no answer from") == true, "\(answer ?? "none")")
    simulation.thaw(frozen)
    simulation.run(for: 3_000_000)
    #expect(clusters(simulation).allSatisfy { $0 == 0 })
    let other = try #require(simulation.connect(to: frozen))
    #expect(ask(simulation, other, "CLUSTER INIT shards=2 replicas=3")?.hasPrefix("+cluster=") == true)
  }

  /// Each names its neighbour alone.
  @Test func nodesPassOnWhomTheyKnow() throws {
    let simulation = Simulation(seed: 702, nodes: 7) { configuration in
      let number = Int(configuration.peerAddress.dropFirst(5).prefix(1)) ?? 0
      configuration.join = ["node-\(max(0, number - 1)):7501"]
    }
    simulation.run(for: 8_000_000)
    let client = try #require(simulation.connect(to: 3))
    let answer = ask(simulation, client, "CLUSTER INIT shards=3 replicas=3")
    #expect(answer?.contains("nodes=7") == true, "\(answer ?? "none")")
    simulation.run(for: 3_000_000)
    #expect(Set(clusters(simulation)).count == 1)
  }

  @Test func saidAgainItIsTheSameAndWithOtherFiguresRefused() throws {
    let simulation = try makeCluster(seed: 703, shards: 3)
    var answers: Set<String> = []
    for host in 0..<3 {
      let client = try #require(simulation.connect(to: host))
      answers.insert(ask(simulation, client, "CLUSTER INIT shards=3 replicas=3") ?? "none")
      for line in ["CLUSTER INIT shards=4 replicas=3", "CLUSTER INIT shards=3 replicas=1", "CLUSTER INIT"] {
        let answer = ask(simulation, client, line)
        #expect(answer?.hasPrefix("-EXISTS") == true && answer?.contains("made with shards=3 replicas=3") == true)
      }
    }
    #expect(answers.count == 1 && answers.first?.hasPrefix("+cluster=") == true, "\(answers)")
  }

  @Test func aTrialSaysWhatWouldBeMadeAndMakesNothing() throws {
    let simulation = Simulation(seed: 704, nodes: 3)
    simulation.run(for: 3_000_000)
    let client = try #require(simulation.connect(to: 0))
    simulation.send("CLUSTER INIT dry-run=yes\n", on: client)
    simulation.run(for: 100_000)
    #expect(client.lines.first == "*7" && client.lines.count == 8)
    #expect(client.lines[1].hasPrefix("+cluster=none nodes=3 shards=6 replicas=3"))
    #expect(client.lines[2].contains("slots=0-2729") && client.lines[2].contains("voters="))
    #expect(ask(simulation, client, "CLUSTER INIT replicas=5 dry-run=yes")?.hasPrefix("-ERR 5 replicas need") == true)
    simulation.run(for: 3_000_000)
    #expect(clusters(simulation).allSatisfy { $0 == 0 })
    #expect(ask(simulation, client, "CLUSTER INIT")?.contains("shards=6 replicas=3") == true)
  }

  /// It serves nothing yet, and says who does.
  @Test func aNodeThatIsNotInTheClusterSaysWhoIs() throws {
    let simulation = try makeCluster(seed: 705)
    var configuration = simulation.hosts[0].configuration
    configuration.name = "late-1"
    configuration.peerAddress = "node-3:7501"
    configuration.clientAddress = "node-3:7401"
    // Else it would join.
    configuration.semantics = Semantics.first
    let late = simulation.addHost(configuration, disk: .init())
    simulation.start(late)
    simulation.run(for: 2_000_000)
    let client = try #require(simulation.connect(to: late, from: "127.0.0.1:4000"))
    for line in ["BALANCE ann", "EARN ann merchant=m points=1 id=a", "MERCHANT LIST", "AUDIT"] {
      let answer = ask(simulation, client, line)
      #expect(
        answer?.hasPrefix("-UNAVAILABLE this node is not in the cluster yet; ask ") == true
          && answer?.contains(" at node-") == true, "\(answer ?? "none")")
    }
    #expect(status(simulation, late)?.contains("cluster=none") == true)
    #expect(status(simulation, late)?.contains("state=joining") == true)
    #expect(ask(simulation, client, "CLUSTER INIT")?.hasPrefix("-EXISTS") == true)
    #expect(status(simulation, 0)?.contains("healthy=yes") == true)
  }
}
