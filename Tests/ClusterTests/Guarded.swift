import Base
import Ledger
import Testing
import Vocabulary

@testable import Cluster
@testable import Simulator

/// A cluster with a user of each role.
final class Guarded {
  let simulation: Simulation
  private var connections: [String: SimulatedClient] = [:]

  init(seed: UInt64, configure: (inout NodeConfiguration) -> Void = { _ in }) throws {
    simulation = try makeCluster(seed: seed, configure: configure)
    try populate(
      simulation, members: ["ann", "ben"], merchants: [("shop", "east"), ("cafe", "east"), ("kiosk", "east")])
    let open = try #require(simulation.connect(to: 0))
    #expect(ask(simulation, open, "MERCHANT SET kiosk parent=shop id=k") == "+OK")
    #expect(ask(simulation, open, "TERMINAL SET t1 merchant=shop state=active id=t") == "+OK")
    #expect(ask(simulation, open, "USER SET operator role=operator secret=s-operator") == "+OK")
    #expect(ask(simulation, open, "BALANCE ann")?.hasPrefix("-NOAUTH ") == true, "it is closed by its first user")
    for role in Role.allCases where role != .operator {
      let bounds = role.isBounded ? " merchant=shop" + (role == .terminal ? " terminal=t1" : "") : ""
      #expect(say("operator", "USER SET \(role.word) role=\(role.word)\(bounds) secret=s-\(role.word)") == "+OK")
    }
  }

  func connection(_ user: String, on host: Int = 0) throws -> SimulatedClient {
    let key = "\(user)@\(host)"
    if let known = connections[key] { return known }
    let client = try #require(simulation.connect(to: host))
    #expect(ask(simulation, client, "AUTH \(user) s-\(user)") == "+OK", "\(user)")
    connections[key] = client
    return client
  }
  /// All nodes have started again: nobody is connected any more.
  func forgetConnections() { connections = [:] }
  func say(_ user: String, _ line: String, on host: Int = 0) -> String {
    guard let client = try? connection(user, on: host) else { return "no connection" }
    return ask(simulation, client, line) ?? "no answer"
  }
  /// All lines of an answer.
  func all(_ user: String, _ line: String) throws -> [String] { askAll(simulation, try connection(user), line) }
  /// What shards and the directory have come to.
  func state() throws -> [String] {
    try all("operator", "AUDIT").map { line in
      line.split(separator: " ").filter { !$0.hasPrefix("index=") && !$0.hasPrefix("asof=") }.joined(separator: " ")
    } + all("operator", "TRAIL limit=10000").filter { $0.contains("outcome=OK") }.map { "\($0.dropFirst(20))" }
      + all("operator", "USER LIST").map { "\($0.split(separator: " last-seen")[0])" } + all("operator", "TENANT LIST")
  }
}
