import Base
import Cluster
import Storage

/// What has come of nodes that were added and removed.
struct ResizingState {
  /// Hosts whose node the cluster has removed: it ends at each start.
  var removed: Set<Int> = []
  /// The cluster's limits are set.
  var hasSetLimits = false
}

/// An operator adds nodes, moves replicas, has all of them even, drains, removes and replaces nodes while faults go on, and gives some
/// of that up.
extension Scenario {
  func scheduleResizing() {
    guard plan.resizes else { return }
    if plan.heals, !resizing.hasSetLimits { setLimits() }
    simulation.call(after: random.wait(plan.isLong ? 6_000_000 : 1_500_000)) { [self] in
      guard isFaultPhase, failure == nil else { return }
      resize()
      scheduleResizing()
    }
  }

  private func setLimits() {
    resizing.hasSetLimits = true
    operate("CLUSTER LIMIT SET dead-after=10s moves=\(1 + random.below(5))", on: 0)
  }

  private func resize() {
    if simulation.hosts.count < plan.nodes + ScenarioPlan.spareNodes, random.chance(250) { return addNode() }
    let names = simulation.hosts.map(\.name)
    let asked = Int(random.below(UInt64(names.count)))
    switch random.below(16) {
    case 0..<6: operate(moveOfReplica(), on: asked)
    case 6: operate("CLUSTER NODE DRAIN \(random.pick(names))", on: asked)
    case 7: operate("CLUSTER NODE UNDRAIN \(random.pick(names))", on: asked)
    case 8, 9: operate("CLUSTER REBALANCE\(random.pick(["", " REPLICAS", " LEADERS"])) apply=yes", on: asked)
    case 10: operate(removal(of: random.pick(names)), on: asked)
    case 11: removeDead()
    case 12: strikeWhoDrives()
    case 13, 14: saveBackup(on: asked)
    default: operate("CLUSTER OP CANCEL \(1 + random.below(20))", on: asked)
    }
  }

  private func removal(of name: String) -> String {
    guard random.chance(400) else { return "CLUSTER NODE REMOVE \(name)" }
    return "CLUSTER NODE REPLACE \(name) to=\(random.pick(simulation.hosts).name)"
  }
  /// A machine is lost, and its node is removed without it. Some time later it is there again.
  private func removeDead() {
    let lost = random.pick(simulation.hosts)
    let asked = Int(random.below(UInt64(simulation.hosts.count)))
    tell(lost.number, "*** is lost")
    if random.chance(500) { simulation.killProcess(lost.number) } else { simulation.cutPower(lost.number) }
    // Nobody asks for anything, and it may come back in the midst of what the cluster does about it.
    if plan.heals, random.chance(600) {
      return callInFaultPhase(after: 9_000_000 + random.below(12_000_000)) { [self] in restart(lost.number) }
    }
    callInFaultPhase(after: 5_500_000) { [self] in
      operate("\(removal(of: lost.name)) dead=yes", on: asked)
      callInFaultPhase(after: random.below(8_000_000)) { [self] in restart(lost.number) }
    }
  }
  /// Whoever drives operations dies, or whoever changes a group.
  private func strikeWhoDrives() {
    let shard = random.chance(500) ? ShardID.directory : anyShard()
    let leaders = simulation.hosts.filter { host in
      host.node?.view.replicas.contains { $0.shard == shard && $0.isLeader } ?? false
    }
    guard let host = leaders.first, impostors.realDisks[host.number] == nil else { return }
    tell(host.number, "*** dies as the leader of shard \(shard.rawValue)")
    if random.chance(500) { simulation.killProcess(host.number) } else { simulation.cutPower(host.number) }
    restart(host.number)
  }

  /// A process has ended because its node was removed.
  func noteRemoval(of host: SimulatedHost) {
    resizing.removed.insert(host.number)
    if !isFaultPhase { down.insert(host.number) }
  }
  /// In quiescence: whoever was removed has heard of it and ended, and nobody else has.
  func checkRemovals() {
    guard plan.resizes, failure == nil else { return }
    let known = up.compactMap { simulation.hosts[$0].node?.view.topology }.max { $0.version < $1.version }
    let gone = Set(simulation.hosts.indices.filter { known?.node(simulation.hosts[$0].nodeID)?.state == .removed })
    simulation.run(for: 4 * patience) { [self] in gone == resizing.removed || failure != nil }
    guard gone != resizing.removed, failure == nil else { return }
    func names(_ hosts: Set<Int>) -> [String] { hosts.sorted().map { simulation.hosts[$0].name } }
    fail("removed are \(names(gone)), and \(names(resizing.removed)) have ended so")
  }
  /// In quiescence: what was drained takes replicas again, so that what was begun has where to go.
  func undrainAll() {
    for host in simulation.hosts where !down.contains(host.number) {
      operate("CLUSTER NODE UNDRAIN \(host.name)", on: anyHost(&random))
    }
  }
  /// An operator gives up what has become impossible meanwhile.
  func giveUpImpossible(_ open: [String], at host: Int) {
    let reasons = [
      "replicas need as many nodes", "has no place for replica", "and the regions allow", "is removed", "is a voter of",
    ]
    let ill = reasons + [" is draining", " members well", "not all of shard"]
    for line in open where line.contains(" state=waiting ") {
      // The node that saves does not come back.
      if line.contains("kind=backup-save"), let number = line.field("op") {
        operate("CLUSTER OP CANCEL \(number)", on: host)
      }
      let stays = line.contains("kind=shard-merge") && ill.contains(where: line.contains)
      guard line.contains("kind=node-remove") && reasons.contains(where: line.contains) || stays,
        let number = line.field("op")
      else { continue }
      operate("CLUSTER OP CANCEL \(number)", on: host)
    }
  }

  /// Mostly of a voter to a node that is none, by what some node knows.
  private func moveOfReplica() -> String {
    let shard = anyShard()
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

  /// An operator sees that a node has not joined, or finds nobody any more, because those that it was told of are elsewhere, and
  /// tells it where.
  func helpNewcomers() {
    for host in simulation.hosts[plan.nodes...] where !resizing.removed.contains(host.number) {
      // It may have been away while all that it knew moved.
      let isMistold = plan.faultKinds.contains(.move) && host.configuration.join != addresses
      guard host.node?.view.topology == nil || isMistold else { continue }
      host.configuration.join = addresses
      simulation.killProcess(host.number)
    }
  }
}
