import Base
import Cluster

/// A member of a shard's group that is away.
struct AwayMember {
  let shard: ShardID
  let node: NodeID
  /// The group's voters before it left, and after it has returned.
  let voters: [NodeID]
  /// The group has removed it, by this version of its configuration, and is to add its node again.
  var removedBy: UInt64?
}

/// Members leave groups and return: a group removes one of its voters, be it the leader, and then adds the node again, whose
/// new replica begins with nothing. The old one may hear nothing of that before, what it said may come late, and its machine
/// may lose power while it goes. In quiescence each group has the voters that it began with.
extension Scenario {
  /// How often it is looked at how far a return has come (µs).
  private static let returnInterval: UInt64 = 50_000

  func scheduleReturns() {
    guard plan.membersReturn else { return }
    simulation.call(after: random.wait(2_000_000)) { [self] in
      guard isFaultPhase, failure == nil else { return }
      if away == nil { sendAway() }
      scheduleReturns()
    }
  }

  private func sendAway() {
    guard let topology = simulation.hosts.compactMap({ $0.node?.view.topology }).first else { return }
    let placement = random.pick(topology.shards)
    let node = random.pick(placement.voters)
    guard let number = founders.firstIndex(of: node), !simulation.hosts[number].disk.isArmed else { return }
    away = AwayMember(shard: placement.shard, node: node, voters: placement.voters)
    tell(number, "*** leaves shard \(placement.shard.rawValue), and is to return")
    let others = simulation.hosts.indices.filter { $0 != number }
    let time = random.below(4_000_000)
    switch random.below(6) {
    case 0:
      simulation.killProcess(number)
      restart(number)
    case 1:
      simulation.freeze(number)
      callInFaultPhase(after: time) { [self] in simulation.thaw(number) }
    // It hears nothing of what becomes of it; or what it says comes late.
    case 2: silence(others.map { ($0, number) }, for: time)
    case 3: silence(others.map { (number, $0) }, for: time)
    // One of the others knows nothing of it, and goes on with the member that was.
    case 4:
      let deaf = random.pick(others)
      silence(others.filter { $0 != deaf }.map { ($0, deaf) }, for: time)
    default: break
    }
    driveReturn()
  }

  /// Goes on beyond the fault phase, until the member is back.
  private func driveReturn() {
    simulation.call(after: Scenario.returnInterval) { [self] in
      guard failure == nil, let member = away else { return }
      let isReturning = member.removedBy != nil
      let wanted = isReturning ? member.voters : member.voters.filter { $0 != member.node }
      let reached = simulation.hosts.compactMap { $0.node?.view.changeVoters(of: member.shard, to: wanted) }.max()
      guard let reached, reached > member.removedBy ?? 0 else { return driveReturn() }
      // A configuration is in force for those alone that know it to be committed: whoever is left must be able to elect by it.
      let views = simulation.hosts.flatMap { $0.node?.view.replicas ?? [] }
      let knowing = views.count {
        $0.shard == member.shard && $0.configurationVersion >= reached && wanted.contains($0.node)
      }
      guard knowing * 2 > wanted.count else { return driveReturn() }
      guard isReturning else {
        away?.removedBy = reached
        return driveReturn()
      }
      tell(founders.firstIndex(of: member.node) ?? -1, "is back in shard \(member.shard.rawValue)")
      tally.returns += 1
      away = nil
    }
  }
  /// A replica leaves a host: now and then the power goes with some of that done.
  func endInPieces(_ number: Int) {
    let disk = simulation.hosts[number].disk
    guard isFaultPhase, failure == nil, random.chance(500), impostors.realDisks[number] == nil, !disk.isArmed else {
      return
    }
    let steps = Int(random.below(12))
    tell(number, "*** loses power in \(steps) steps of the disk")
    disk.cutPower(afterSteps: steps)
    restart(number)
  }

  /// In quiescence: every group has its voters again.
  func waitForReturn() {
    guard let member = away, failure == nil else { return }
    simulation.run(for: 4 * patience) { [self] in away == nil || failure != nil }
    if away != nil { fail("a member does not return to shard \(member.shard.rawValue)") }
  }
}
