import Base
import Protocol

/// What operators ask of the cluster, as this node knows it.
extension StatusDesk {
  /// `CLUSTER NODES`.
  func nodes(_ leaders: some KnowsLeaders, into reply: inout ReplyWriter) {
    var rows: [(record: NodeRecord, state: String)] = []
    for record in membership.topology?.nodes ?? [] {
      // Whoever is being drained may be down as well, and that is what has to be seen.
      let isDown = [.up, .draining].contains(record.state) && !peers.isUp(record.id, now: now)
      rows.append((record, isDown ? "down" : record.state.word))
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
      reply.field(named: "learning", Int64(learners(at: record.id)))
      reply.field(.id, record.id.hex)
      let peer = peers[record.id].flatMap { $0.isConnectedOrSelf ? $0 : nil }
      reply.field(named: "incarnation", incarnation(of: record.id, peer))
      reply.field(.warnings, warnings(of: record))
      reply.field(.version, peer?.hello.version ?? "unknown")
      diskFields(of: peer, into: &reply)
    }
  }

  private func incarnation(of node: NodeID, _ peer: Peer?) -> String {
    if node == peers.id { return "\(membership.me.incarnation)" }
    return peer.map { "\($0.incarnation)" } ?? "unknown"
  }
  /// How many shards' groups have it as a learner.
  private func learners(at node: NodeID) -> Int {
    (membership.topology?.shards ?? []).count { placement in
      peers.groups[placement.shard]?.configuration.learners.contains { $0.node == node } == true
    }
  }
  /// Of a node that is not in reach nothing is known.
  private func diskFields(of known: Peer?, into reply: inout ReplyWriter) {
    let figures = known?.condition.disk.figures
    func text(_ value: UInt64?) -> String { value.map { "\($0)" } ?? "unknown" }
    reply.field(.alarms, known.map { Alarm.list($0.alarms) } ?? "unknown")
    reply.field(.diskFree, text(figures?.free))
    reply.field(.logBytes, text(figures?.log))
    reply.field(.logPinned, text(figures?.pinned))
    reply.field(named: "fsync_p99_us", text(known?.condition.disk.syncTime))
    if let detail = known.flatMap({ Alarm.detail($0.condition.poisons) }) { reply.field(.detail, detail) }
  }

  private func name(of node: NodeID) -> String { peers.name(of: node, membership) }

  private func warnings(of record: NodeRecord) -> String {
    guard peers.isNameShared(record.name, membership) else { return "none" }
    return replacements.contains { $0.new.id == record.id } ? "same-name,replaces?" : "same-name"
  }
  /// Nodes that have come under the name of another that does not answer any more: who started them means them to replace it.
  var replacements: [(old: NodeRecord, new: NodeRecord)] {
    let nodes = membership.topology?.nodes.filter { $0.state != .removed } ?? []
    return nodes.filter { peers.isSilent($0.id, now: now) }.compactMap { old in
      nodes.first { $0.name == old.name && $0.id != old.id && !peers.isSilent($0.id, now: now) }
        .map { (old: old, new: $0) }
    }
  }

  /// `CLUSTER SHARDS`: a record for each; of one of them, one more for each member of its group.
  func shards(_ only: ShardID?, _ leaders: some KnowsLeaders, into reply: inout ReplyWriter) {
    let placements = (membership.topology?.shards ?? []).filter { only == nil || $0.shard == only }
    let members = only.flatMap { peers.groups[$0] }?.configuration.members ?? []
    if let only, placements.isEmpty { return reply.error(.notFound, "there is no shard \(only.rawValue)") }
    reply.array(count: placements.count + members.count)
    for placement in placements { shard(placement, leaders, into: &reply) }
    guard let only, let group = peers.groups[only] else { return }
    for node in members.map(\.node) { member(node, of: group, into: &reply) }
  }
  private func shard(_ placement: ShardPlacement, _ leaders: some KnowsLeaders, into reply: inout ReplyWriter) {
    let known = leaders.leader(of: placement.shard)
    let replica = replicas[placement.shard]
    let group = peers.groups[placement.shard]
    func names(_ nodes: [NodeID]) -> String {
      nodes.isEmpty ? "none" : nodes.map(name(of:)).sorted().joined(separator: ",")
    }
    reply.record()
    reply.field(.shard, Int64(placement.shard.rawValue))
    reply.field(.slots, placement.slots.description)
    reply.field(named: "epoch", Int64(clamping: max(placement.epoch, group?.epoch ?? 0)))
    let leader = leaders.isLed(placement.shard) ? known.node : .none
    reply.field(.leader, name(of: leader))
    reply.field(.region, membership.topology?.node(leader)?.region ?? "none")
    reply.field(.state, state(of: placement.shard, group, leaders))
    reply.field(.config, Int64(group?.configuration.version ?? 0))
    reply.field(.voters, names(group?.configuration.voters.map(\.node) ?? placement.voters))
    reply.field(.learners, names(group?.configuration.learners.map(\.node) ?? []))
    reply.field(.term, Int64(known.term.rawValue))
    reply.field(.commit, Int64((replica?.commitIndex ?? known.commit).rawValue))
    reply.field(.applied, Int64((replica?.machine.lastIndex ?? known.applied).rawValue))
    let last = group?.members.max { $0.lag < $1.lag }
    reply.field(.lagEntries, Int64(last?.lag ?? 0))
    reply.field(.lagSeconds, group.map { StatusDesk.seconds($0.members.map(\.lagTime).max() ?? 0) } ?? "unknown")
    reply.field(.bytes, group.map { "\($0.bytes)" } ?? "unknown")
  }
  private func member(_ node: NodeID, of group: GroupReport, into reply: inout ReplyWriter) {
    let member = group.member(node)
    let isLearner = group.has(learner: node) && !group.configuration.outgoing.contains { $0.node == node }
    reply.record()
    reply.field(.node, name(of: node))
    reply.field(.state, StatusDesk.state(of: member, isLearner: isLearner))
    // Of the leader itself nothing is told: it has all.
    guard let member else { return }
    reply.field(.match, Int64(member.match.rawValue))
    reply.field(.lagEntries, Int64(member.lag))
    reply.field(.lagSeconds, StatusDesk.seconds(member.lagTime))
    guard member.copy.bytes > 0 else { return }
    reply.field(.percent, Int64(member.copy.copied * 100 / member.copy.bytes))
    reply.field(.bytes, "\(member.copy.bytes)")
  }
  private static func state(of member: GroupReport.MemberProgress?, isLearner: Bool) -> String {
    guard let member else { return "leader" }
    if member.isDamaged { return "damaged" }
    if !member.isActive { return "silent" }
    if member.isLoading { return "copying" }
    return isLearner ? "learner" : "voter"
  }
  private func state(of shard: ShardID, _ group: GroupReport?, _ leaders: some KnowsLeaders) -> String {
    guard leaders.isLed(shard) else { return "leaderless" }
    guard leaders.isServed(shard) else { return "taking-over" }
    guard let group else { return "led" }
    if group.configuration.isJoint { return "exchanging" }
    if group.configuration.voters.contains(where: { !group.isSound($0.node) }) { return "degraded" }
    return group.configuration.learners.isEmpty ? "led" : "copying"
  }
  private static func seconds(_ time: UInt64) -> String { "\(time / 1_000_000).\(time / 100_000 % 10)" }

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
    let replacements = replacements
    let details = [Alarm.detail(poisoned)].compactMap(\.self) + replacements.map(StatusDesk.advice)
    if !details.isEmpty { reply.field(.detail, details.joined(separator: ", ")) }
    reply.field(.state, stateWord(standing))
    let sameName = peers.isAnyNameShared(membership) ? ["same-name"] : []
    reply.field(.warnings, Alarm.list(sameName + (replacements.isEmpty ? [] : ["replaces?"])))
    reply.field(.since, health.since)
    reply.field(.why, health.isHealthy ? "none" : health.reasons.joined(separator: "; "))
  }

  private static func advice(_ pair: (old: NodeRecord, new: NodeRecord)) -> String {
    "\(pair.new.name) is there as a new node, and the one that had its name does not answer: tally node replace \(pair.old.id.hex)"
      + " \(pair.new.id.hex) --dead"
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
