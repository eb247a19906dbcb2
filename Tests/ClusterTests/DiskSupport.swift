import Base
import Storage
import Testing

@testable import Cluster
@testable import Simulator

/// A cluster of three with members to ask about, in which each node leads a shard.
struct DiskCluster {
  let simulation: Simulation
  let members = (0..<6).map { "m\($0)" }

  init(
    seed: UInt64, shards: Int = 3, observer: (any ReplicaObserver)? = nil,
    configure: (inout NodeConfiguration) -> Void = { _ in }
  ) throws {
    simulation = try makeCluster(seed: seed, shards: shards, observer: observer, configure: configure)
    try populate(simulation, members: members)
    if shards > 1 {
      let isHome = simulation.run(for: 10_000_000) { [simulation] in
        (0..<3).allSatisfy { DiskCluster.led(simulation, by: $0) > 0 }
      }
      try #require(isHome, "\(simulation.report)")
    }
  }

  func host(_ number: Int) -> SimulatedHost { simulation.hosts[number] }
  func node(_ number: Int) throws -> Node { try #require(host(number).node, "\(simulation.log.suffix(3))") }
  static func led(_ simulation: Simulation, by host: Int) -> Int {
    simulation.hosts[host].node?.replicas.filter { $0.isLeader && $0.shard != .directory }.count ?? 0
  }
  func led(by host: Int) -> Int { DiskCluster.led(simulation, by: host) }
  func used(_ host: Int) -> UInt64 {
    let disk = self.host(host).disk
    return disk.paths.reduce(0) { $0 + UInt64(disk.contents($1)?.count ?? 0) }
  }
  /// Leaves so many bytes free on a host's disk.
  func leave(_ bytes: UInt64, on host: Int) { self.host(host).disk.setCapacity(used(host) + bytes) }
  func enlarge(_ host: Int) { self.host(host).disk.setCapacity(.max) }

  /// One line, on a connection of its own.
  func answer(_ line: String, on host: Int, for limit: UInt64 = 20_000_000) throws -> String {
    let client = try #require(simulation.connect(to: host))
    return ask(simulation, client, line, for: limit) ?? "nothing"
  }
  /// An EARN for each member; the answers.
  func earnAll(_ tag: String, on host: Int) throws -> [String] {
    try members.map { try answer("EARN \($0) merchant=shop points=1 id=\(tag)-\($0)", on: host) }
  }
  /// All lines of an answer of several.
  func lines(_ line: String, on host: Int) throws -> [String] {
    let client = try #require(simulation.connect(to: host))
    simulation.send(line + "\n", on: client)
    simulation.run(for: 2_000_000)
    return client.lines
  }
  func status(_ host: Int) -> String { clusterStatus(simulation, host) }
  func logged(_ text: String, by host: Int) -> Int {
    simulation.log.count { $0.contains(" \(self.host(host).configuration.name) ") && $0.contains(text) }
  }
  func checkBooks() throws {
    simulation.run(for: 2_000_000)
    let client = try #require(simulation.connect(to: 0))
    simulation.send("AUDIT\n", on: client)
    simulation.run(for: 20_000_000) { client.lines.last?.contains("total=yes") ?? false }
    #expect(client.lines.last?.contains("balanced=yes") == true, "\(client.lines)")
  }
}

private func clusterStatus(_ simulation: Simulation, _ host: Int) -> String { status(simulation, host) ?? "nothing" }
