import Base
import Protocol

/// What operators ask of the cluster, as this node knows it.
extension StatusDesk {
  /// `CLUSTER NODES`.
  func nodes(_ leaders: some KnowsLeaders, into reply: inout ReplyWriter) {
    var rows: [(record: NodeRecord, state: String)] = []
    for record in membership.topology?.nodes ?? [] {
      let state = record.state == .up ? (peers.isUp(record.id, now: now) ? "up" : "down") : record.state.word
      rows.append((record, state))
    }
    for peer in peers where membership.topology?.node(peer.id) == nil {
      guard peer.index == 0 || peer.isConnected else { continue }
      rows.append(
        (
          NodeRecord(
            id: peer.id, name: peer.hello.name, region: peer.hello.region, clientAddress: peer.hello.clientAddress,
            peerAddress: peer.hello.peerAddress, state: .joining), "joining"
        ))
    }
    rows.sort { ($0.record.name, $0.record.id) < ($1.record.name, $1.record.id) }
    reply.array(count: rows.count)
    for (record, state) in rows {
      reply.record()
      reply.field(.node, record.name)
      reply.field(.name, record.name)
      reply.field(.region, record.region)
      reply.field(.address, record.clientAddress)
      reply.field(.state, state)
      reply.field(
        .leaders,
        Int64(
          (membership.topology?.shards ?? []).filter {
            leaders.leader(of: $0.shard).node == record.id && leaders.isLed($0.shard)
          }.count
        ))
      reply.field(.replicas, Int64((membership.topology?.shards ?? []).filter { $0.voters.contains(record.id) }.count))
      reply.field(.id, record.id.hex)
      reply.field(.warnings, peers.isNameShared(record.name, membership) ? "same-name" : "none")
      diskFields(of: peers[record.id], into: &reply)
    }
  }

  /// Of a node that is not in reach nothing is known.
  private func diskFields(of peer: Peer?, into reply: inout ReplyWriter) {
    let known = peer.flatMap { $0.isConnectedOrSelf ? $0 : nil }
    let figures = known?.condition.disk.figures
    func text(_ value: UInt64?) -> String { value.map { "\($0)" } ?? "unknown" }
    reply.field(.alarms, known.map { Alarm.list($0.alarms) } ?? "unknown")
    reply.field(.diskFree, text(figures?.free))
    reply.field(.logBytes, text(figures?.log))
    reply.field(.logPinned, text(figures?.pinned))
    if let detail = known.flatMap({ Alarm.detail($0.condition.poisons) }) { reply.field(.detail, detail) }
  }

  private func name(of node: NodeID) -> String { peers.name(of: node, membership) }

  /// `CLUSTER SHARDS`.
  func shards(_ leaders: some KnowsLeaders, into reply: inout ReplyWriter) {
    let placements = membership.topology?.shards ?? []
    reply.array(count: placements.count)
    for placement in placements {
      let known = leaders.leader(of: placement.shard)
      let replica = replicas[placement.shard]
      reply.record()
      reply.field(.shard, Int64(placement.shard.rawValue))
      reply.field(.slots, placement.slots.description)
      let leader = leaders.isLed(placement.shard) ? known.node : .none
      reply.field(.leader, name(of: leader))
      reply.field(.region, membership.topology?.node(leader)?.region ?? "none")
      reply.field(.voters, placement.voters.map(name(of:)).sorted().joined(separator: ","))
      reply.field(.learners, "none")
      reply.field(.term, Int64(known.term.rawValue))
      reply.field(.commit, Int64((replica?.commitIndex ?? known.commit).rawValue))
      reply.field(.applied, Int64((replica?.machine.lastIndex ?? known.applied).rawValue))
    }
  }

  /// `CLUSTER STATUS`.
  func status(_ standing: Standing, _ leaders: some KnowsLeaders, into reply: inout ReplyWriter) {
    let nodes = membership.topology?.nodes.filter { $0.state != .removed } ?? []
    let up = nodes.filter { peers.isUp($0.id, now: now) }.count
    let shards = membership.topology?.shards ?? []
    let led = shards.filter { leaders.isLed($0.shard) }.count
    watchHealth(standing, leaders)
    reply.record()
    reply.field(.cluster, membership.cluster == 0 ? "none" : membership.clusterName)
    reply.field(
      .nodes, Int64(max(nodes.count, membership.cluster == 0 ? peers.filter(\.isConnectedOrSelf).count : 0)))
    reply.field(.up, Int64(membership.cluster == 0 ? peers.filter(\.isConnectedOrSelf).count : up))
    reply.field(.shards, Int64(shards.count))
    reply.field(.leaders, Int64(led))
    reply.field(.healthy, health.isHealthy ? "yes" : "no")
    reply.field(.node, peers.own.hello.name)
    reply.field(.version, peers.own.hello.version)
    reply.field(.alarms, Alarm.list(peers.alarms))
    let poisoned = peers.filter(\.isConnectedOrSelf).flatMap(\.condition.poisons)
    if let detail = Alarm.detail(poisoned) { reply.field(.detail, detail) }
    reply.field(.state, stateWord(standing))
    reply.field(.warnings, peers.isAnyNameShared(membership) ? "same-name" : "none")
    reply.field(.since, health.since)
    reply.field(.why, health.isHealthy ? "none" : health.reasons.joined(separator: "; "))
  }

  /// `CLUSTER ALARM LIST`: a record for each node in reach that has an alarm.
  func alarms(into reply: inout ReplyWriter) {
    let rows = peers.filter { $0.isConnectedOrSelf && !$0.alarms.isEmpty }.sorted {
      ($0.hello.name, $0.id) < ($1.hello.name, $1.id)
    }
    reply.array(count: rows.count)
    for peer in rows {
      reply.record()
      reply.field(.node, peer.hello.name)
      reply.field(.alarms, Alarm.list(peer.alarms))
      if let detail = Alarm.detail(peer.condition.poisons) { reply.field(.detail, detail) }
    }
  }

  /// What this node is to the cluster.
  private func stateWord(_ standing: Standing) -> String {
    if let known = membership.topology?.node(peers.id) {
      return standing.isSeated ? known.state.word : "starting"
    }
    if membership.cluster == 0, peers.nodeInCluster != nil { return "joining" }
    return standing.isPromised ? "promised" : "new"
  }
}
