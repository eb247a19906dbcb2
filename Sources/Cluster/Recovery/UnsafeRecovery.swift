import Base
import Protocol
import Raft
import Vocabulary

/// `CLUSTER UNSAFE RECOVER dead=N,M apply=PLAN`: groups whose majority is lost for ever go on from one replica each, without what the
/// lost ones alone had acknowledged. The lost nodes are removed with its first entry, so that none of them is heard again.
struct UnsafeRecovery: OperationPlan, Hashable {
  struct Row: Hashable {
    var shard: ShardID
    var survivor: NodeID
    var version: UInt64
    var kept: [NodeID]
  }
  /// Sorted.
  var lost: [NodeID]
  /// By shard; without the directory, which goes on before this can begin.
  var rows: [Row]

  static let number: UInt16 = 30
  static let word = "unsafe-recover"
  static let isAlone = true
  static func keys(of word: String) -> [Key] { [.dead, .apply] }

  init(lost: [NodeID], rows: [Row]) { (self.lost, self.rows) = (lost, rows) }
  init(_ plan: RecoveryPlan) {
    let rows = plan.rows.filter { $0.shard != .directory }
    self.init(
      lost: plan.lost,
      rows: rows.map { Row(shard: $0.shard, survivor: $0.survivor, version: $0.version, kept: $0.kept) })
  }
  func encode(into buffer: inout ByteBuffer) {
    buffer.append(field: 1) { list in for node in lost { list.append(node.rawValue) } }
    buffer.append(field: 2) { list in
      for row in rows {
        list.append(row.shard.rawValue)
        list.append(row.survivor.rawValue)
        list.append(row.version)
        list.append(varint: UInt64(row.kept.count))
        for node in row.kept { list.append(node.rawValue) }
      }
    }
    buffer.appendEndOfFields()
  }
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    self.init(lost: [], rows: [])
    try reader.readFields(of: "an unsafe recovery") { number, value throws(MalformedBytes) in
      switch number {
      case 1: while !value.isAtEnd { lost.append(NodeID(try value.read())) }
      case 2:
        while !value.isAtEnd {
          var row = Row(
            shard: ShardID(try value.read()), survivor: NodeID(try value.read()), version: try value.read(), kept: [])
          let count = try value.readVarint()
          guard count <= Configuration.maxNodes else { throw MalformedBytes("a group of too many members") }
          for _ in 0..<count { row.kept.append(NodeID(try value.read())) }
          rows.append(row)
        }
      default: return false
      }
      return true
    }
  }

  func target(in topology: Topology?) -> String {
    "without \(lost.map { topology?.name(of: $0) ?? $0.hex }.joined(separator: ", "))"
  }
  func steps(in topology: Topology?) -> [String] {
    rows.map { "shard \($0.shard.rawValue) goes on from \(topology?.name(of: $0.survivor) ?? $0.survivor.hex)" }
  }
  var holds: [ShardID] { rows.map(\.shard).sorted() }
  /// What cannot go on without those that are lost, or wants something of them.
  func takesOver(from other: Operation) -> Bool {
    guard let plan = other.plan else { return false }
    return !Set(other.holds).isDisjoint(with: holds) || plan.heldNode.map(lost.contains) == true
  }
  func refusal(in topology: Topology) -> String? {
    for node in lost where topology.node(node) == nil { return "there is no node \(node.hex)" }
    let left = topology.nodes.filter { $0.state != .removed && !lost.contains($0.id) }
    return left.isEmpty ? "no node would be left" : nil
  }

  func commence(_ record: Operation, _ topology: inout Topology) {
    for place in topology.nodes.indices where lost.contains(topology.nodes[place].id) {
      topology.nodes[place].state = .removed
    }
    for place in topology.shards.indices where lost.contains(topology.shards[place].preferredLeader) {
      let shard = topology.shards[place]
      let survivor = rows.first { $0.shard == shard.shard }?.survivor
      topology.shards[place].preferredLeader = survivor ?? shard.voters.first { !lost.contains($0) } ?? .none
    }
    topology.findHomes()
  }

  func next(_ view: OperationView) -> OperationAction {
    let open = rows.filter { row in
      guard let group = view.shard(row.shard).group, group.configuration.version > row.version else { return true }
      return !([row.survivor] + row.kept).allSatisfy { group.has(voter: $0) }
    }
    guard let first = open.first else {
      return .done(
        "\(rows.count) shards go on, took \(max(0, view.age) / 1_000) ms; each has fewer replicas than it should have: see that there"
          + " are nodes enough, then tally rebalance --apply. Wipe the data of what is lost before it is used again")
    }
    let away = ([first.survivor] + first.kept).filter { !view.reachable.contains($0) }
    guard away.isEmpty else {
      return .wait(
        "shard \(first.shard.rawValue) needs \(away.map { view.name(of: $0) }.joined(separator: ", ")), out of reach")
    }
    return .run(step: UInt32(rows.count - open.count))
  }
  func order(to shard: ShardID, by record: Operation) -> ShardOrder {
    guard let row = rows.first(where: { $0.shard == shard }) else { return ShardOrder() }
    return ShardOrder(change: .survive(row.survivor, kept: row.kept, without: lost), version: row.version)
  }
  func mayBeCancelled(_ record: Operation) -> Bool { false }
}

extension RequestDesk {
  /// `CLUSTER UNSAFE RECOVER dead=N,M [apply=PLAN]`: shows the plan, or begins it if it is still that one.
  func clusterUnsafe(_ request: Request, _ owner: EdgeItem.Owner, at shards: ShardDesk) {
    guard request.positionalCount == 1, word(request, 0) == "RECOVER", let names = request.text(.dead) else {
      return answerError(owner, .malformed, "CLUSTER UNSAFE takes RECOVER dead=NODE,… and, to do it, apply=PLAN")
    }
    guard let topology = membership.topology else { return answerError(owner, .unavailable, "there is no cluster yet") }
    var lost: [NodeID] = []
    for name in String(decoding: names, as: UTF8.self).split(separator: ",") {
      switch node(named: String(name)) {
      case .success(let node): lost.append(node)
      case .failure(let refused): return answerError(owner, refused.code, refused.text)
      }
    }
    let plan: RecoveryPlan
    do throws(RecoveryPlan.Refused) { plan = try RecoveryPlan(without: lost, recoveryView(topology)) } catch {
      return answerError(owner, .conflict, "\(error.text); nothing was done")
    }
    let name = String(plan.digest, radix: 16)
    guard let wanted = request.text(.apply), !request.flag(.dryRun) else { return answer(owner, plan, name, topology) }
    guard String(decoding: wanted, as: UTF8.self) == name else {
      return answerError(
        owner, .conflict, "what is known now makes another plan, \(name): look at it first; nothing was done")
    }
    if let row = plan.rows.first, row.shard == .directory { recoverDirectory(row, plan.lost, at: shards) }
    // It waits here until the directory has a leader.
    begin(UnsafeRecovery(plan), owner)
  }
  private func recoverDirectory(_ row: RecoveryPlan.Row, _ lost: [NodeID], at shards: ShardDesk) {
    var body = ByteBuffer(capacity: 64)
    body.append(row.version)
    for node in lost { body.append(node.rawValue) }
    guard row.survivor != peers.id else {
      var reader = ByteReader(body.bytes)
      return (try? shards.recoverDirectory(&reader)) ?? ()
    }
    peers[row.survivor]?.say(.recoverDirectory) { $0.append(body.bytes) }
  }
  /// The node that was known to lead a shard has told since that the shard has no leader.
  func isStranded(_ shard: ShardID) -> Bool {
    let leader = edge.leader(of: shard).node
    return peers.stranded.reports(of: shard, now: now.monotonic).contains { $0.node == leader }
  }
  private func recoveryView(_ topology: Topology) -> RecoveryPlan.View {
    let ids = topology.nodes.map(\.id)
    let witnesses = peers.stranded.reports(now: now.monotonic)
    let known = Set(topology.shards.map(\.shard) + [.directory]).union(witnesses.keys)
    return RecoveryPlan.View(
      topology: topology, up: Set(ids.filter { peers.isUp($0, now: now) }),
      silent: Set(ids.filter { peers.isSilent($0, now: now) }),
      led: known.filter { isLed($0) && !isStranded($0) },
      witnesses: witnesses, groups: peers.groups)
  }
  /// A record of the plan, then one a group.
  private func answer(_ owner: EdgeItem.Owner, _ plan: RecoveryPlan, _ name: String, _ topology: Topology) {
    answer(owner) { reply in
      reply.array(count: plan.rows.count + 1)
      reply.record()
      reply.field(.id, name)
      reply.field(.cluster, membership.clusterName)
      reply.field(.shards, Int64(plan.rows.count))
      for row in plan.rows {
        let lost = row.lost.map { topology.name(of: $0) }.joined(separator: ", ")
        let damage = row.isDamaged ? "; it has lost entries itself" : ""
        reply.record()
        reply.field(.shard, Int64(row.shard.rawValue))
        reply.field(.node, topology.name(of: row.survivor))
        reply.field(.index, Int64(row.last.rawValue))
        reply.field(.commit, Int64(row.commit.rawValue))
        reply.field(.since, row.stamp)
        reply.field(.detail, "what only \(lost) had, from entry \(row.commit.rawValue + 1) on\(damage)")
      }
    }
  }
}
