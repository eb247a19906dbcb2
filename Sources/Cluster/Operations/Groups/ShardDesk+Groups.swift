import Base
import Ledger
import Raft

/// Groups change their members as operations want it, and replicas that are members no more leave.
extension ShardDesk {
  /// A learner that no operation wants stays for so long (µs): the word of one that wants it may be on its way.
  private static let learnerPatience: UInt64 = 10_000_000
  /// A replica that has known no leader for so long asks whether it is still a member, and as seldom again (µs).
  private static let memberPatience: UInt64 = 10_000_000

  /// With each heartbeat.
  func driveGroups(_ leaders: some KnowsLeaders, _ copies: SnapshotSender?) {
    guard let directory else { return }
    let orders = directory.operations.orders
    if toldGroups.isDue(now: now.monotonic) { tellOfStranded() }
    for replica in replicas where replica.shard != .directory && replica.quarantined == nil {
      guard replica.isLeader else {
        if case .survive(peers.id, _, let lost) = orders[replica.shard]?.change, replica.leader == .none {
          recover(replica, without: lost, from: orders[replica.shard]?.version ?? 0)
        }
        askOfMembership(replica, leaders)
        continue
      }
      replica.beginMembers()
      guard replica.hasTakenOver, !replica.raft.configuration.isJoint else { continue }
      // An operation may hold the shard and want no change of its members: what one before it left behind goes all the same.
      if let change = orders[replica.shard]?.change {
        idleLearners[replica.shard] = nil
        self.change(replica, change, from: orders[replica.shard]?.version ?? 0)
      } else {
        dropIdleLearners(replica)
      }
    }
    tellOfGroups(orders, leaders, copies)
  }

  private func change(_ replica: Replica, _ change: ShardOrder.Change, from version: UInt64) {
    let configuration = replica.raft.configuration
    if case .survive(_, let kept, _) = change { return readmit(kept, to: replica) }
    guard configuration.version == version else { return }
    var voters = configuration.voters.map(\.node)
    var learners = configuration.learners.map(\.node)
    switch change {
    case .learner(let node):
      guard configuration.member(on: node) == nil else { return }
      learners.append(node)
    case .drop(let node):
      guard let place = learners.firstIndex(of: node) else { return }
      learners.remove(at: place)
    case .exchange(let out, let incoming):
      let group = report(of: replica, nil)
      guard out != peers.id, group.has(learner: incoming), group.isNear(incoming),
        group.missing(exchanging: out, for: incoming).isEmpty
      else { return }
      voters = voters.filter { $0 != out } + [incoming]
      learners.removeAll { $0 == incoming }
    case .survive: return
    }
    propose(voters, learners, of: replica)
  }
  /// Those that are left of a group that goes on from one replica vote again, once they have what that has.
  private func readmit(_ kept: [NodeID], to replica: Replica) {
    let configuration = replica.raft.configuration
    let group = report(of: replica, nil)
    let ready = kept.filter { !group.has(voter: $0) && group.has(learner: $0) && group.isNear($0) }
    guard !ready.isEmpty else { return }
    let learners = configuration.learners.map(\.node).filter { !ready.contains($0) }
    propose(configuration.voters.map(\.node) + ready, learners, of: replica)
  }
  private func propose(_ voters: [NodeID], _ learners: [NodeID], of replica: Replica) {
    // Refused while one is under way: then the next heartbeat sees.
    _ = try? replica.raft.propose(
      voters: voters, learners: learners, ifVersion: replica.raft.configuration.version)
    replica.isDirty = true
  }

  private func dropIdleLearners(_ replica: Replica) {
    let configuration = replica.raft.configuration
    guard !configuration.learners.isEmpty else {
      idleLearners[replica.shard] = nil
      return
    }
    let since = idleLearners[replica.shard] ?? now.monotonic
    idleLearners[replica.shard] = since
    guard now.monotonic - since >= ShardDesk.learnerPatience else { return }
    propose(configuration.voters.map(\.node), [], of: replica)
  }

  /// The directory's leader hears how the groups do that operations hold; all nodes, now and then, how all do.
  private func tellOfGroups(
    _ orders: [ShardID: ShardOrder], _ leaders: some KnowsLeaders, _ copies: SnapshotSender?
  ) {
    let isDue = toldGroups.isDue(now: now.monotonic)
    let driver = leaders.leader(of: .directory).node
    var led: [GroupReport] = []
    for replica in replicas where replica.isLeader && replica.shard != .directory {
      guard isDue || orders[replica.shard] != nil else { continue }
      let report = report(of: replica, copies)
      led.append(report)
      guard orders[replica.shard] != nil else { continue }
      if driver == peers.id {
        groups.note(report, now: now.monotonic)
      } else if let peer = peers[driver], peer.outgoing != nil {
        peer.say(.group) { report.encode(into: &$0) }
      }
    }
    guard isDue else { return }
    for report in led { peers.groups.note(report) }
    let linked = peers.others.compactMap { peer in peer.outgoing.map { (node: peer.id, link: $0) } }
    for (place, reports) in toldGroups.tell(led, to: linked, now: now.monotonic).enumerated() {
      for report in reports { peers[linked[place].node]?.say(.group) { report.encode(into: &$0) } }
    }
  }
  /// - Parameter copies: snapshots on their way to followers.
  func report(of replica: Replica, _ copies: SnapshotSender?) -> GroupReport {
    let segmentBytes = configuration.ledgerLimits.journalSegmentBytes
    return GroupReport(of: replica, now: now.wall, segmentBytes: segmentBytes) {
      copies?.progress(of: replica.shard, to: $0, segmentBytes: segmentBytes)
    }
  }
  private func receiveReport(_ reader: inout ByteReader) throws(MalformedBytes) {
    let report = try GroupReport(decoding: &reader)
    peers.groups.note(report)
    if replicas[.directory]?.isLeader == true { groups.note(report, now: now.monotonic) }
  }

  func receive(_ kind: PeerMessageKind, _ reader: inout ByteReader, of peer: Peer) throws(MalformedBytes) {
    switch kind {
    case .digest: try receiveDigest(&reader, of: peer)
    case .deviant: try receiveDeviant(&reader, of: peer)
    case .group: try receiveReport(&reader)
    case .membershipAsked: try answerMembership(&reader, to: peer)
    case .notAMember: try receiveNotAMember(&reader)
    case .stranded: try receiveStranded(&reader, of: peer)
    case .recoverDirectory: try recoverDirectory(&reader)
    case .acceptLoss: acceptLoss(ShardID(try reader.read()))
    default: break
    }
  }

  // MARK: Those that leave

  /// Replicas here that their groups have removed.
  var removed: [Replica] {
    replicas.filter { replica in
      guard replica.shard != .directory, !replica.isLeader else { return false }
      return replica.raft.isRemoved || toldRemoved[replica.shard] == replica.raft.id.born
    }
  }

  /// One that missed its removal hears of it from whoever leads its group, if it asks.
  private func askOfMembership(_ replica: Replica, _ leaders: some KnowsLeaders) {
    guard replica.leader == .none else {
      membershipAsked[replica.shard] = nil
      return
    }
    let since = membershipAsked[replica.shard] ?? now.monotonic
    membershipAsked[replica.shard] = since
    guard now.monotonic - since >= ShardDesk.memberPatience else { return }
    membershipAsked[replica.shard] = now.monotonic
    guard let peer = peers[leaders.leader(of: replica.shard).node], peer.outgoing != nil else { return }
    peer.say(.membershipAsked) {
      $0.append(replica.shard.rawValue)
      $0.append(replica.raft.id.born)
    }
  }
  private func answerMembership(_ reader: inout ByteReader, to peer: Peer) throws(MalformedBytes) {
    let shard = ShardID(try reader.read())
    let born: UInt64 = try reader.read()
    // Only a leader that has committed in its term knows the newest configuration that is in force.
    guard let replica = replicas[shard], replica.isLeader, replica.raft.hasCommittedInOwnTerm else { return }
    let configuration = replica.raft.configuration
    guard configuration.version >= born, !configuration.contains(ReplicaID(node: peer.id, born: born)) else { return }
    peer.say(.notAMember) {
      $0.append(shard.rawValue)
      $0.append(born)
      $0.append(configuration.version)
    }
  }
  /// With the next heartbeat the replica leaves, if it is the one that is meant.
  private func receiveNotAMember(_ reader: inout ByteReader) throws(MalformedBytes) {
    let shard = ShardID(try reader.read())
    let born: UInt64 = try reader.read()
    let version: UInt64 = try reader.read()
    guard born > 0, version >= born, replicas[shard]?.raft.id.born == born else { return }
    toldRemoved[shard] = born
  }
}
