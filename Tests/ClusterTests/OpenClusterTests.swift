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
    #expect(status(simulation, 1)?.contains("healthy=yes") == true)
    #expect(status(simulation, 1)?.contains("alarms=INSECURE") == true)
    let client = try #require(simulation.connect(to: 0, from: "10.9.8.7:4002"))
    #expect(ask(simulation, client, "USER SET boss role=operator secret=s-boss") == "+OK")
    #expect(ask(simulation, client, "AUTH boss s-boss") == "+OK")
    simulation.run(for: 2_000_000)
    #expect(ask(simulation, client, "CLUSTER STATUS")?.contains("INSECURE") == false)
  }
}
