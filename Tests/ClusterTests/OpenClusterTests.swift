import Base
import Ledger
import Testing
import Vocabulary

@testable import Cluster
@testable import Simulator

@Suite struct OpenClusterTests {
  /// Whoever reaches a port that others reach could mint points.
  @Test func anOpenClusterThatOthersReachAnswersItsOwnMachineAlone() throws {
    let simulation = try makeCluster(seed: 1_702)
    simulation.kill(0)
    simulation.hosts[0].configuration.guardsOpenCluster = true
    simulation.start(0)
    simulation.run(for: 10_000_000) { status(simulation, 0)?.contains("healthy=yes") == true }
    let host = simulation.hosts[0].configuration.clientAddress.split(separator: ":")[0]
    func say(_ line: String, from place: String) throws -> String {
      ask(simulation, try #require(simulation.connect(to: 0, from: place)), line) ?? "no answer"
    }
    for place in ["10.9.8.7:4000", "[2001:db8::1]:4000", "terminal"] {
      #expect(try say("PROGRAM SET gold", from: place).hasPrefix("-NOPERM the cluster has no users yet"), "\(place)")
      #expect(try say("PING", from: place) == "+PONG")
    }
    for (number, place) in ["127.0.0.1:4000", "[::1]:4000", "\(host):4000"].enumerated() {
      #expect(try say("PROGRAM SET gold\(number) id=\(number)", from: place) == "+OK", "\(place)")
    }
    #expect(try say("USER SET boss role=operator secret=s-boss", from: "127.0.0.1:4001") == "+OK")
    let far = try #require(simulation.connect(to: 0, from: "10.9.8.7:4002"))
    #expect(ask(simulation, far, "AUTH boss s-boss") == "+OK")
    #expect(ask(simulation, far, "PROGRAM SET silver id=s") == "+OK")
  }

  /// Who said `--insecure` on a port with TLS is reminded of it as long as everybody may do everything.
  @Test func whatOthersMayDoIsAnAlarmUntilThereIsAUser() throws {
    let simulation = try makeCluster(seed: 1_703)
    #expect(status(simulation, 0)?.contains("INSECURE") == false)
    simulation.kill(0)
    simulation.hosts[0].configuration.answersOpenly = true
    simulation.start(0)
    simulation.run(for: 10_000_000) { status(simulation, 1)?.contains("alarms=INSECURE") == true }
    simulation.run(for: 3_000_000)
    #expect(status(simulation, 1)?.contains("healthy=yes") == true)
    #expect(status(simulation, 1)?.contains("alarms=INSECURE") == true)
    let client = try #require(simulation.connect(to: 0, from: "10.9.8.7:4002"))
    #expect(ask(simulation, client, "USER SET boss role=operator secret=s-boss") == "+OK")
    #expect(ask(simulation, client, "AUTH boss s-boss") == "+OK")
    simulation.run(for: 2_000_000)
    #expect(ask(simulation, client, "CLUSTER STATUS")?.contains("INSECURE") == false)
  }

  // MARK: A node that cannot know that there are users by now

  private static let near = "127.0.0.1:4000"
  private static let far = "10.9.8.7:4000"
  private static let guarded = [
    "BALANCE ann read=local", "MEMBER SHOW ann read=local", "PROGRAM LIST read=local", "FEED", "CONFIG GET *", "INFO",
    "CLUSTER OP LIST", "CLIENT LIST", "WHOAMI", "AUTH boss s-boss", "HELLO 3 AUTH boss s-boss",
  ]
  private func expectNothing(_ simulation: Simulation, of host: Int, _ why: String = "hears nothing of the directory")
    throws
  {
    for place in [OpenClusterTests.near, OpenClusterTests.far] {
      let client = try #require(simulation.connect(to: host, from: place))
      for line in OpenClusterTests.guarded {
        let answer = ask(simulation, client, line) ?? "no answer"
        #expect(answer.hasPrefix("-UNAVAILABLE this node \(why)"), "\(line): \(answer)")
      }
      #expect(ask(simulation, client, "PING") == "+PONG")
    }
  }

  @Test func aNodeThatIsCutOffCountsAsOpenNoLonger() throws {
    let simulation = try makeCluster(seed: 897_000)
    try populate(simulation, members: ["ann"])
    simulation.run(for: 1_000_000)
    let lonely = try #require(simulation.connect(to: 2))
    for host in 0..<2 {
      simulation.silence(from: host, to: 2)
      simulation.silence(from: 2, to: host)
    }
    #expect(ask(simulation, lonely, "BALANCE ann read=local")?.hasPrefix("+member=ann") == true, "for a while it may")
    let began = simulation.now
    let open = try #require(simulation.connect(to: 0))
    #expect(ask(simulation, open, "USER SET boss role=operator secret=s-boss") == "+OK")
    #expect(simulation.now - began >= 5_000_000, "the node that is cut off may have served everybody so long")
    try expectNothing(simulation, of: 2)
    // Who has shown a certificate meanwhile is known once users are.
    let certified = try #require(simulation.connect(to: 2))
    let host = simulation.hosts[2]
    try #require(host.node).clientCertified(certified.id, as: "boss", now: simulation.moment(host))
    #expect(ask(simulation, certified, "WHOAMI")?.hasPrefix("-UNAVAILABLE ") == true)
    simulation.heal()
    #expect(simulation.run(for: 20_000_000) { ask(simulation, certified, "WHOAMI")?.hasPrefix("+user=boss ") == true })
    #expect(ask(simulation, lonely, "BALANCE ann read=local")?.hasPrefix("-NOAUTH ") == true)
  }

  /// A start cannot know what happened meanwhile.
  @Test func aNodeThatStartsAloneServesNobody() throws {
    let simulation = try makeCluster(seed: 897_001)
    try populate(simulation, members: ["ann"])
    simulation.kill(2)
    let open = try #require(simulation.connect(to: 0))
    #expect(ask(simulation, open, "USER SET boss role=operator secret=s-boss") == "+OK")
    for host in 0..<2 {
      simulation.silence(from: host, to: 2)
      simulation.silence(from: 2, to: host)
    }
    simulation.start(2)
    for _ in 0..<3 {
      try expectNothing(simulation, of: 2)
      simulation.run(for: 3_000_000)
    }
  }

  @Test func aNodeThatJoinsServesNobodyBeforeItKnowsWhoMayDoWhat() throws {
    let cluster = try ResizedCluster(seed: 897_002)
    let simulation = cluster.simulation
    func leads(_ host: Int) -> Bool { cluster.node(host)?.replicas[.directory]?.hasTakenOver == true }
    let leader = try #require((0..<3).first(where: leads))
    cluster.node(leader)?.replicas[.directory]?.transferLeadership(to: cluster.id(1))
    try #require(simulation.run(for: 10_000_000) { leads(1) })
    // It meets the first node, and hears nothing of the directory's leader.
    for host in 1...2 { simulation.silence(from: host, to: 3) }
    let added = try cluster.add(region: "east")
    simulation.run(for: 3_000_000)
    try expectNothing(simulation, of: added, "is not in the cluster yet; ask ")
    simulation.heal()
    #expect(simulation.run(for: 20_000_000) { cluster.state(of: added, at: added) == .up })
    let open = try #require(simulation.connect(to: added))
    #expect(simulation.run(for: 5_000_000) { ask(simulation, open, "BALANCE m0")?.hasPrefix("+member=m0") == true })
  }

  /// Nobody is served, but whoever is on the machine sees what is wrong, and mends it.
  @Test func anOpenClusterThatLostItsMajorityIsMendedOnItsMachines() throws {
    let simulation = try makeCluster(seed: 897_003)
    try populate(simulation, members: ["ann"])
    let dead = (1...2).map { simulation.hosts[$0].configuration.name }
    let rescue = "CLUSTER UNSAFE RECOVER dead=\(dead.joined(separator: ","))"
    for host in 1...2 { simulation.kill(host) }
    simulation.run(for: 7_000_000)
    try expectNothing(simulation, of: 0)
    let local = try #require(simulation.connect(to: 0, from: OpenClusterTests.near))
    let remote = try #require(simulation.connect(to: 0, from: OpenClusterTests.far))
    for line in ["CLUSTER STATUS", "CLUSTER NODES", "CLUSTER SHARDS", "CLUSTER CHECK", "CLUSTER ALARM LIST", "HEALTH"] {
      let answer = ask(simulation, local, line) ?? "no answer"
      #expect(
        !answer.hasPrefix("-") || answer.hasPrefix("-UNAVAILABLE this node knows no leader"), "\(line): \(answer)")
      #expect(ask(simulation, remote, line)?.hasPrefix("-UNAVAILABLE this node hears nothing") == true, "\(line)")
    }
    simulation.run(for: 6_000_000)
    #expect(ask(simulation, remote, rescue)?.hasPrefix("-UNAVAILABLE this node hears nothing") == true)
    #expect(ask(simulation, local, rescue)?.hasPrefix("*") == true)
    simulation.kill(0)
    simulation.start(0)
    let again = try #require(simulation.connect(to: 0, from: OpenClusterTests.near))
    #expect(ask(simulation, again, "CLUSTER STATUS")?.contains("up=1") == true)
    simulation.run(for: 12_000_000)
    #expect(ask(simulation, again, rescue)?.hasPrefix("*") == true)
  }
}
