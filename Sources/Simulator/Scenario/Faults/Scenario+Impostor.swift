import Base
import Cluster
import Storage

/// Copies of disks that are started in place of nodes.
struct Impostors {
  /// The disks of the hosts where a copy runs.
  var realDisks: [Int: MemoryFileSystem] = [:]
  /// How many there have been.
  var count = 0
}

/// Somebody copies a node's disk while it runs. The node goes on, dies, is started again; later it is away, and the copy is
/// started in its place: it is not the node, and must have no say.
extension Scenario {
  func scheduleImpostor() {
    guard plan.hasImpostors else { return }
    simulation.call(after: random.wait(plan.faultPhase / 4)) { [self] in
      guard isFaultPhase, failure == nil else { return }
      takeCopy(of: Int(random.below(UInt64(simulation.hosts.count))))
    }
  }

  /// Whether a host's process is the node that a majority of the directory's voters know, it being none of these.
  private func isKnown(_ number: Int) -> Bool {
    let host = simulation.hosts[number]
    guard let node = host.node, node.view.isSeated, !isAtRisk(number), let voters = node.view.topology?.directoryVoters
    else { return false }
    let knowing = simulation.hosts.filter { other in
      other.number != number && voters.contains(other.nodeID)
        && other.node?.view.lifeInDirectory(of: host.nodeID) == node.view.life
    }
    return knowing.count * 2 > voters.count
  }
  private func isAtRisk(_ number: Int) -> Bool {
    let disk = simulation.hosts[number].disk
    return disk.isArmed || disk.isPowerOut || damage.hosts.contains(number) || damage.fullDisks.contains(number)
      || damage.faultyDisks.contains(number) || impostors.realDisks[number] != nil
  }

  private func takeCopy(of number: Int) {
    guard isKnown(number), let life = simulation.hosts[number].node?.view.life else { return scheduleImpostor() }
    let copy = simulation.hosts[number].disk.copy()
    tell(number, "*** its disk is copied")
    simulation.killProcess(number)
    if !simulation.start(number) { restart(number) }
    replace(number, by: copy, of: life, tries: 20)
  }

  /// Once the node has a life that the copy knows nothing of, and all others know that.
  private func replace(_ number: Int, by copy: MemoryFileSystem, of life: LifeID, tries: Int) {
    simulation.call(after: 1_000_000) { [self] in
      guard isFaultPhase, failure == nil else { return }
      guard isKnown(number), simulation.hosts[number].node?.view.life != life else {
        return tries > 0 ? replace(number, by: copy, of: life, tries: tries - 1) : scheduleImpostor()
      }
      let host = simulation.hosts[number]
      simulation.killProcess(number)
      impostors.realDisks[number] = host.disk
      host.disk = copy
      impostors.count += 1
      tell(number, "*** the copy is started in its place")
      simulation.start(number, isObserved: false)
      simulation.call(after: 500_000 + random.below(6_000_000)) { [self] in
        putBack(number)
        if isFaultPhase, failure == nil {
          restart(number)
          scheduleImpostor()
        }
      }
    }
  }

  /// The copy is gone, and the node's own disk is there again.
  func putBack(_ number: Int) {
    guard let disk = impostors.realDisks[number] else { return }
    let host = simulation.hosts[number]
    if host.node?.view.isSeated == true { reportViolation("a copy of \(host.name)'s disk has its seat") }
    simulation.kill(number)
    if host.node == nil { host.disk = disk }
    impostors.realDisks[number] = nil
  }
}
