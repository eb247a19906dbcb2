import Base
import Raft

/// The directory's group follows the cluster's nodes: all of them have its log, and some of them vote.
extension ShardDesk {
  /// With each heartbeat, at the directory's leader: one change of the group's members at a time. Nodes that are new become
  /// learners, those that are removed leave, and who votes is as `DirectoryVoters` has it.
  func followMembers(_ replica: Replica) {
    guard replica.hasTakenOver, let topology = membership.topology, !replica.raft.configuration.isJoint else { return }
    let configuration = replica.raft.configuration
    let voters = configuration.voters.map(\.node)
    if voters != topology.directoryVoters { return tellVoters(voters, replica) }
    let group = report(of: replica, nil)
    let leaving = Set(directory?.operations.open.compactMap { ($0.plan as? NodeRemove)?.node } ?? [])
    let isAnyoneSilent = topology.nodes.contains {
      $0.state != .removed && !leaving.contains($0.id) && !peers.isUp($0.id, now: now)
    }
    var wanted = DirectoryVoters(topology, now: voters, leaving: leaving, mayGrow: !isAnyoneSilent) {
      group.isNear($0)
    }.wanted
    let after = wanted.count { group.isSound($0) }
    let before = voters.count { group.isSound($0) }
    // A joint configuration needs both majorities.
    if after * 2 <= wanted.count || before * 2 <= voters.count { wanted = voters }
    guard wanted.contains(peers.id) else {
      if let heir = wanted.first(where: { voters.contains($0) && group.isNear($0) }) {
        replica.transferLeadership(to: heir)
      }
      return
    }
    let learners = topology.nodes.filter { $0.state != .removed && !wanted.contains($0.id) }.map(\.id)
    guard wanted != voters || learners != configuration.learners.map(\.node) else { return }
    // Refused while a change is under way: then the next heartbeat sees.
    _ = try? replica.raft.propose(voters: wanted, learners: learners, ifVersion: configuration.version)
    replica.isDirty = true
  }

  /// The map says who votes as well: a start asks a majority of them whether it is the node.
  private func tellVoters(_ voters: [NodeID], _ replica: Replica) {
    var buffer = ByteBuffer(capacity: 128)
    DirectoryMachine.append(.directoryVoters, to: &buffer) { body in for voter in voters { body.append(voter.rawValue) }
    }
    replica.addInternal(buffer.bytes)
    replica.isDirty = true
  }
}
