import Base
import Cluster
import Storage

/// An operator adds nodes, moves replicas between nodes, has all of them even, drains and undrains nodes while faults go on, and gives some
/// of that up.
extension Scenario {
  func scheduleResizing() {
    guard plan.resizes else { return }
    simulation.call(after: random.wait(plan.isLong ? 6_000_000 : 1_500_000)) { [self] in
      guard isFaultPhase, failure == nil else { return }
      resize()
      scheduleResizing()
    }
  }

  private func resize() {
    if simulation.hosts.count < plan.nodes + ScenarioPlan.spareNodes, random.chance(250) { return addNode() }
    let names = simulation.hosts.map(\.name)
    let line =
      switch random.below(12) {
      case 0..<6: moveOfReplica()
      case 6: "CLUSTER NODE DRAIN \(random.pick(names))"
      case 7, 8: "CLUSTER NODE UNDRAIN \(random.pick(names))"
      case 9, 10: "CLUSTER REBALANCE\(random.pick(["", " REPLICAS", " LEADERS"])) apply=yes"
      default: "CLUSTER OP CANCEL \(1 + random.below(20))"
      }
    operate(line, on: Int(random.below(UInt64(names.count))))
  }

  /// Mostly of a voter to a node that is none, by what some node knows.
  private func moveOfReplica() -> String {
    let shard = ShardID(UInt32(1 + random.below(UInt64(plan.shards))))
    let topologies = simulation.hosts.compactMap { $0.node?.view.topology }
    let voters = topologies.isEmpty ? [] : random.pick(topologies).shards.first { $0.shard == shard }?.voters ?? []
    let (holding, free) = (
      simulation.hosts.filter { voters.contains($0.nodeID) }, simulation.hosts.filter { !voters.contains($0.nodeID) }
    )
    let from = random.pick(holding.isEmpty ? simulation.hosts : holding)
    let near = free.filter { $0.configuration.region == from.configuration.region }
    let to = random.pick(!near.isEmpty ? near : !free.isEmpty ? free : simulation.hosts)
    return "CLUSTER SHARD MOVE \(shard.rawValue) from=\(from.name) to=\(to.name)"
  }

  /// A node that is told of one other, or of all.
  private func addNode() {
    let number = simulation.hosts.count
    var configuration = simulation.hosts[number % plan.nodes].configuration
    configuration.name += "-new\(number)"
    configuration.clientAddress = "node-\(number):7401"
    configuration.peerAddress = "node-\(number):7501"
    configuration.join = random.chance(500) ? [random.pick(addresses)] : addresses
    let disk = MemoryFileSystem()
    disk.spareNewestWrite(to: ".wal")
    let added = simulation.addHost(configuration, disk: disk)
    founders.append(simulation.hosts[added].nodeID)
    tell(added, "*** is added")
    simulation.start(added)
  }
  /// Where nodes are now.
  private var addresses: [String] { simulation.hosts.map(\.configuration.peerAddress) }

  /// An operator sees that a node has not joined, because those that it was told of are elsewhere, and tells it where.
  func helpNewcomers() {
    for host in simulation.hosts[plan.nodes...] where host.node?.view.topology == nil {
      host.configuration.join = addresses
      simulation.killProcess(host.number)
    }
  }
}
