import Base
import Protocol

/// `CLUSTER NODES`, `SHARDS` and `STATUS`, and `INFO`: what this node knows.
extension Node {
  /// Peers that this long have not said a word count as down.
  static let downAfter: UInt64 = 1_500_000

  func isUp(_ node: NodeID) -> Bool {
    if node == id { return true }
    guard let peer = peer(node) else { return false }
    return peer.isConnected && now.monotonic - peer.lastHeard < Node.downAfter
  }

  func clusterNodes(_ owner: EdgeItem.Owner) {
    var rows: [(member: Member, state: String)] = []
    for member in topology?.members ?? [] {
      let state = member.state == .up ? (isUp(member.id) ? "up" : "down") : member.state.word
      rows.append((member, state))
    }
    for peer in peers where topology?.member(peer.id) == nil {
      guard peer.index == 0 || peer.isConnected else { continue }
      rows.append(
        (
          Member(
            id: peer.id, name: peer.hello.name, region: peer.hello.region, clientAddress: peer.hello.clientAddress,
            peerAddress: peer.hello.peerAddress, state: .joining), "joining"
        ))
    }
    rows.sort { ($0.member.name, $0.member.id) < ($1.member.name, $1.member.id) }
    reply.buffer.removeAll()
    reply.array(count: rows.count)
    for (member, state) in rows {
      reply.record()
      reply.field(.node, member.name)
      reply.field(.name, member.name)
      reply.field(.region, member.region)
      reply.field(.address, member.clientAddress)
      reply.field(.state, state)
      reply.field(
        .leaders,
        Int64(
          (topology?.shards ?? []).filter { edge.leader(of: $0.shard).node == member.id && isLed($0.shard) }.count
        ))
      reply.field(.replicas, Int64((topology?.shards ?? []).filter { $0.voters.contains(member.id) }.count))
      reply.field(.id, Node.hex(member.id.rawValue))
      reply.field(.warnings, isNameShared(member.name) ? "same-name" : "none")
      diskFields(of: peer(member.id))
    }
    answer(owner, reply.buffer.bytes)
  }

  /// Of a node that is not in reach nothing is known.
  private func diskFields(of peer: Peer?) {
    let known = peer.flatMap { $0.isConnectedOrSelf ? $0 : nil }
    let figures = known?.index == 0 ? ownDisk.figures : known?.disk.figures
    func text(_ value: UInt64?) -> String { value.map { "\($0)" } ?? "unknown" }
    reply.field(.alarms, known.map { Node.list(alarms(of: $0)) } ?? "unknown")
    reply.field(.diskFree, text(figures?.free))
    reply.field(.logBytes, text(figures?.log))
    reply.field(.logPinned, text(figures?.pinned))
    if let detail = known.flatMap({ Node.detail(poisons(of: $0)) }) { reply.field(.detail, detail) }
  }

  static func hex(_ value: UInt64) -> String { String(value, radix: 16) }

  func name(of node: NodeID) -> String {
    if node == .none { return "none" }
    return topology?.member(node)?.name ?? peer(node)?.hello.name ?? Node.hex(node.rawValue)
  }

  func clusterShards(_ owner: EdgeItem.Owner) {
    let placements = topology?.shards ?? []
    reply.buffer.removeAll()
    reply.array(count: placements.count)
    for placement in placements {
      let known = edge.leader(of: placement.shard)
      let replica = replica(placement.shard)
      reply.record()
      reply.field(.shard, Int64(placement.shard.rawValue))
      reply.field(.slots, placement.slots.description)
      reply.field(.leader, name(of: isLed(placement.shard) ? known.node : .none))
      reply.field(.voters, placement.voters.map(name(of:)).sorted().joined(separator: ","))
      reply.field(.learners, "none")
      reply.field(.term, Int64(known.term.rawValue))
      reply.field(.commit, Int64((replica?.commitIndex ?? known.commit).rawValue))
      reply.field(.applied, Int64((replica?.machine.lastIndex ?? known.applied).rawValue))
    }
    answer(owner, reply.buffer.bytes)
  }

  func clusterStatus(_ owner: EdgeItem.Owner) {
    let members = topology?.members.filter { $0.state != .removed } ?? []
    let up = members.filter { isUp($0.id) }.count
    let shards = topology?.shards ?? []
    let led = shards.filter { isLed($0.shard) }.count
    watchHealth()
    reply.buffer.removeAll()
    reply.record()
    reply.field(.cluster, cluster == 0 ? "none" : clusterName)
    reply.field(.nodes, Int64(max(members.count, cluster == 0 ? peers.filter(\.isConnectedOrSelf).count : 0)))
    reply.field(.up, Int64(cluster == 0 ? peers.filter(\.isConnectedOrSelf).count : up))
    reply.field(.shards, Int64(shards.count))
    reply.field(.leaders, Int64(led))
    reply.field(.healthy, health.isHealthy ? "yes" : "no")
    reply.field(.node, configuration.name)
    reply.field(.version, configuration.version)
    reply.field(.alarms, Node.list(alarms))
    let poisoned = peers.filter(\.isConnectedOrSelf).flatMap { poisons(of: $0) }
    if let detail = Node.detail(poisoned) { reply.field(.detail, detail) }
    reply.field(.state, stateWord)
    let isAnyShared = peers.contains { isPresent($0) && isNameShared($0.hello.name) }
    reply.field(.warnings, isAnyShared ? "same-name" : "none")
    reply.field(.since, health.since)
    reply.field(.why, health.isHealthy ? "none" : health.reasons.joined(separator: "; "))
    answer(owner, reply.buffer.bytes)
  }

  /// A peer that is in a cluster while this node is in none.
  var member: Hello? {
    guard cluster == 0 else { return nil }
    return peers.first { $0.index != 0 && $0.isConnected && $0.hello.cluster != 0 }?.hello
  }
  /// What this node is to the cluster.
  private var stateWord: String {
    if let known = topology?.member(id) { return seat.isTaken ? known.state.word : "starting" }
    return member != nil ? "joining" : promise != nil ? "promised" : "new"
  }

  /// Whether a shard has a leader, as far as this node can know: of another's leadership it hears ten times a second; its
  /// own ends when no quorum answers, and what it heard last of it is then worth nothing.
  func isLed(_ shard: ShardID) -> Bool {
    let known = edge.leader(of: shard)
    if known.node == id && replica(shard)?.isLeader != true { return false }
    return known.node != .none && isUp(known.node) && known.applied > LogIndex(0)
  }

  /// Whether it has a leader that answers.
  func isServed(_ shard: ShardID) -> Bool { isLed(shard) && edge.leader(of: shard).hasTakenOver }

  func infoSections() -> [InfoSection] {
    let all = metrics
    return Metric.Section.allCases.map { section in
      InfoSection(
        section.rawValue,
        all.filter { $0.metric.section == section }.map { (name: "\($0.metric.name)", value: $0.value) })
    }
  }

  static let clientGauges = [
    Gauge("connected_clients", .clients, "connections of terminals") { "\($0.clients.count)" }
  ]
  static let clusterGauges = [
    Gauge("cluster", .cluster, "the cluster's id", .fact) { $0.cluster == 0 ? "none" : $0.clusterName },
    Gauge("node_id", .cluster, "the node's id", .fact) { Node.hex($0.id.rawValue) },
    Gauge("region", .cluster, "its region", .fact) { $0.configuration.region },
    Gauge("replicas", .cluster, "replicas that it holds") { "\($0.replicas.filter { $0 != nil }.count)" },
    Gauge("leaders", .cluster, "shards that it leads") { "\($0.replicas.filter { $0?.isLeader == true }.count)" },
    Gauge("peers", .cluster, "other nodes in reach") { "\($0.peers.filter { $0.isConnected }.count)" },
    Gauge("clock_ahead_ms", .cluster, "by how much its clock is ahead of the others' median", .gauge, .milliseconds) {
      $0.clock.ahead.map { "\($0 / 1000)" } ?? "unknown"
    },
    Gauge("clock_right", .cluster, "whether it may lead by its clock: yes or no", .fact) {
      $0.clock.isOff ? "no" : "yes"
    },
  ]
  static let snapshotGauges = [
    Gauge("commands_behind_snapshots", .snapshots, "commands that a start would apply again") {
      "\($0.commandsBehindSnapshots)"
    },
    Gauge("snapshot_under_way", .snapshots, "the shard whose snapshot is being written", .fact) {
      $0.snapshotUnderWay.map { "\($0.rawValue)" } ?? "none"
    },
  ]
}

extension Node {
  /// Where each replica stands, a line each: for a person who looks into a failure.
  public var report: String {
    var lines: [String] = []
    for peer in peers where peer.index != 0 {
      lines.append("peer \(peer.hello.name) out=\(peer.outgoing != nil) in=\(peer.incoming != nil)")
    }
    for replica in replicas {
      guard let replica else { continue }
      let raft = replica.raft
      lines.append(
        "shard \(replica.shard.rawValue) \(raft.role) term=\(raft.term.rawValue) leader=\(Node.hex(raft.leader.node.rawValue))"
          + " first=\(raft.firstIndex.rawValue) last=\(raft.lastIndex.rawValue) stable=\(raft.stableIndex.rawValue)"
          + " commit=\(raft.commitIndex.rawValue) applied=\(replica.machine.lastIndex.rawValue)"
          + " transferring=\(Node.hex(raft.transferringTo.rawValue))"
          + " edges=\(replica.edges.sorted { $0.key < $1.key }.map { "\($0.key):\($0.value.epoch):\($0.value.nextMessage):\($0.value.refused)" })"
          + (raft.damage == .none ? "" : " \(raft.damage)") + (replica.quarantined.map { " quarantined: \($0)" } ?? "")
          + " peers=\(raft.progress.map { "\(Node.hex($0.id.rawValue)):\($0.state):\($0.match.rawValue):\($0.isActive)" })"
      )
    }
    for stream in edge.streams where !stream.items.isEmpty {
      let known = edge.leader(of: stream.shard)
      lines.append(
        "  stream \(stream.shard.rawValue) epoch=\(stream.epoch) target=\(Node.hex(stream.target.rawValue))"
          + " leader=\(Node.hex(known.node.rawValue)) term=\(known.term.rawValue) items=\(stream.items.first)..<\(stream.items.next)"
          + " unsent=\(stream.unsent) reachable=\(isReachable(known.node))")
    }
    lines.append("log busy=\(logWriter.isBusy) pending=\(logWriter.recordCount)")
    return lines.joined(separator: "\n  ")
  }
}
