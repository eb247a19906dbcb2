import Base
import Raft
import Vocabulary

/// `CLUSTER SHARD MOVE S from=A to=B`: a replica of a shard goes from a node to another. B becomes a learner and catches up; then
/// one joint configuration has it take A's place among the voters, whether A answers or not. Until then nothing has changed but
/// that there is a learner; from then on it completes.
struct ShardMove: OperationPlan, Hashable {
  var shard: ShardID
  var from: NodeID
  var to: NodeID

  /// The newcomer becomes a voter once it has been near for so long on end (µs).
  static let nearTime: UInt64 = 3_000_000
  /// Without any progress for so long it fails (µs); while a snapshot is on its way, which takes long to load, for longer.
  static let patience: UInt64 = 60_000_000
  static let loadingPatience: UInt64 = 1_800_000_000
  /// A copy that begins over and over fails after so long (µs).
  static let limit: Int64 = 86_400_000_000
  static let number: UInt16 = 2
  static let word = "shard-move"
  static func keys(of word: String) -> [Key] { [.from, .to] }

  init(shard: ShardID, from: NodeID, to: NodeID) { (self.shard, self.from, self.to) = (shard, from, to) }

  func encode(into buffer: inout ByteBuffer) {
    buffer.append(field: 1, zigzag: Int64(shard.rawValue))
    buffer.append(field: 2, zigzag: Int64(bitPattern: from.rawValue))
    buffer.append(field: 3, zigzag: Int64(bitPattern: to.rawValue))
    buffer.appendEndOfFields()
  }
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    self.init(shard: ShardID(0), from: .none, to: .none)
    try reader.readFields(of: "a move of a replica") { number, value throws(MalformedBytes) in
      switch number {
      case 1: shard = ShardID(try value.readSmall())
      case 2: from = NodeID(UInt64(bitPattern: try value.readZigzag()))
      case 3: to = NodeID(UInt64(bitPattern: try value.readZigzag()))
      default: return false
      }
      return true
    }
  }

  static func begin(_ request: Request, about shard: ShardID, _ owner: EdgeItem.Owner, at desk: RequestDesk) {
    desk.moveReplica(of: shard, request, owner)
  }

  func target(in topology: Topology?) -> String {
    let names = [from, to].map { topology?.name(of: $0) ?? $0.hex }
    return "shard \(shard.rawValue) from \(names[0]) to \(names[1])"
  }
  func steps(in topology: Topology?) -> [String] {
    let names = [from, to].map { topology?.name(of: $0) ?? $0.hex }
    return ["copy to \(names[1])", "exchange \(names[0]) for \(names[1])"]
  }
  private static let copying: UInt32 = 0
  private static let exchanging: UInt32 = 1
  /// The newcomer is lost before it was exchanged: the group is to drop it, from the version that the exchange would go on
  /// from. So one of the two happens, and not both.
  private static let dropping: UInt32 = 2

  var holds: [ShardID] { [shard] }

  func refusal(in topology: Topology) -> String? {
    guard let placement = topology.placement(of: shard) else { return "there is no shard \(shard.rawValue)" }
    guard let record = topology.node(to), record.state == .up else {
      return "node \(topology.name(of: to)) is \(topology.node(to)?.state.word ?? "not in the cluster")"
    }
    let voters = placement.voters.map { topology.name(of: $0) }.sorted().joined(separator: ", ")
    guard placement.voters.contains(from) else {
      return "node \(topology.name(of: from)) is no voter of shard \(shard.rawValue): these are \(voters)"
    }
    guard !placement.voters.contains(to) else {
      return "node \(record.name) is a voter of shard \(shard.rawValue) already: these are \(voters)"
    }
    return topology.crowding(placement, exchanging: from, for: to)
  }

  func next(_ view: OperationView) -> OperationAction {
    guard let group = view.shard(shard).group else {
      return .wait("shard \(shard.rawValue) has no leader that tells of its group")
    }
    if !group.configuration.isJoint, group.has(voter: to), !group.has(voter: from) {
      return .done(
        "\(view.name(of: from)) → \(view.name(of: to)), configuration \(group.configuration.version), took"
          + " \(max(0, view.age) / 1_000) ms")
    }
    // It is on its way forward.
    if group.configuration.isJoint { return .run(step: view.record.step, expects: view.record.expects) }
    let version = group.configuration.version
    guard group.has(learner: to) else {
      if view.record.step == ShardMove.dropping {
        return .fail("\(view.name(of: to)) was lost before it could take the place; nothing has changed")
      }
      if let reason = refusal(in: view.topology) ?? shortage(view) { return .fail("\(reason); nothing has changed") }
      if view.idle >= ShardMove.patience {
        return .fail("\(view.name(of: to)) did not become a learner within 60 s; nothing has changed")
      }
      return .run(step: ShardMove.copying, expects: version)
    }
    let isWanted = view.topology.node(to)?.state == .up
    guard view.record.step == ShardMove.copying else {
      let isLost = !group.isNear(to) && (!isWanted || view.idle >= ShardMove.patience)
      return .run(step: isLost ? ShardMove.dropping : view.record.step, expects: version)
    }
    guard isWanted else {
      return .fail(
        "node \(view.name(of: to)) is \(view.topology.node(to)?.state.word ?? "not in the cluster"); nothing has changed"
      )
    }
    guard group.isNear(to), view.near[to] ?? 0 >= ShardMove.nearTime else { return copying(group, view) }
    let missing = group.missing(exchanging: from, for: to)
    guard missing.isEmpty else {
      let names = missing.map { view.name(of: $0) }.joined(separator: ", ")
      return .wait("of shard \(shard.rawValue) too few voters answer: not \(names)")
    }
    return .run(step: ShardMove.exchanging, expects: version)
  }
  private func copying(_ group: GroupReport, _ view: OperationView) -> OperationAction {
    let member = group.members.first { $0.node == to }
    let patience = member?.isLoading == true ? ShardMove.loadingPatience : ShardMove.patience
    guard view.age < ShardMove.limit else {
      return .fail(
        "\(view.name(of: to)) has not caught up within \(ShardMove.limit / 3_600_000_000) h; nothing has changed")
    }
    // To wait for its turn is not to fail.
    if member?.copy.isWaiting == true { return .run(step: ShardMove.copying, expects: view.record.expects) }
    guard view.idle < patience else {
      return .fail(
        "\(view.name(of: to)) got nowhere for \(patience / 1_000_000) s, \(member?.lag ?? 0) entries behind; nothing has"
          + " changed")
    }
    return .run(step: ShardMove.copying, expects: view.record.expects)
  }

  /// Whether the newcomer has yet to catch up.
  func isCopying(_ record: Operation, _ group: GroupReport?) -> Bool {
    record.step == ShardMove.copying && group?.isNear(to) != true
  }

  private func shortage(_ view: OperationView) -> String? {
    view.room[to].flatMap {
      ShardMove.shortage(of: view.name(of: to), room: $0, for: [shard], bytes: view.groups.bytes(of: [shard]))
    }
  }
  /// Why a node has no room for copies of shards: it needs a fifth more than their state and journals have. Nil: it has.
  static func shortage(of name: String, room: UInt64, for shards: [ShardID], bytes: UInt64) -> String? {
    let needed = bytes + bytes / 5
    guard room < needed else { return nil }
    func megabytes(_ bytes: UInt64) -> String { "\((bytes + 999_999) / 1_000_000) MB" }
    let names = shards.prefix(8).map { String($0.rawValue) }.joined(separator: ", ")
    return
      "node \(name) has \(room / 1_000_000) MB of disk free, and \(shards.count == 1 ? "shard" : "shards") \(names)"
      + " \(shards.count == 1 ? "needs" : "need") \(megabytes(needed)): state and journal, and a fifth more"
  }

  /// The copy is nine tenths of it.
  func progress(_ view: OperationView) -> (share: Double, bytes: UInt64) {
    let bytes = view.groups.bytes(of: [shard])
    if view.record.step != ShardMove.copying { return (0.98, bytes) }
    guard let group = view.shard(shard).group, let member = group.member(to) else { return (0, bytes) }
    if group.isNear(to) { return (0.9 + 0.08 * min(1, Double(view.near[to] ?? 0) / Double(ShardMove.nearTime)), bytes) }
    guard member.isLoading else { return (member.isFollowing ? 0.8 : 0, bytes) }
    guard member.copy.bytes > 0 else { return (0, bytes) }
    return (0.8 * Double(member.copy.copied) / Double(member.copy.bytes), max(bytes, member.copy.bytes))
  }
  func order(to shard: ShardID, by record: Operation) -> ShardOrder {
    guard record.expects > 0 else { return ShardOrder() }
    if record.step == ShardMove.copying { return ShardOrder(change: .learner(to), version: record.expects) }
    if record.step == ShardMove.dropping { return ShardOrder(change: .drop(to), version: record.expects) }
    return ShardOrder(leaving: from, change: .exchange(out: from, in: to), version: record.expects)
  }
  func mayBeCancelled(_ record: Operation) -> Bool { record.step == ShardMove.copying }

  func conclude(_ topology: inout Topology) {
    guard let place = topology.shards.firstIndex(where: { $0.shard == shard }) else { return }
    topology.shards[place].voters = (topology.shards[place].voters.filter { $0 != from } + [to]).sorted()
    if topology.shards[place].preferredLeader == from { topology.shards[place].preferredLeader = to }
    topology.findHomes()
  }
}

extension Topology {
  /// How many voters of one shard a region may have: the least that gives all of them a place, of the regions that have nodes
  /// which are up.
  func regionLimit(replicas: Int) -> Int {
    var up: [String: Int] = [:]
    for node in nodes where node.state == .up { up[node.region, default: 0] += 1 }
    let counts = up.values.sorted()
    return (1...max(1, replicas)).first { limit in counts.reduce(0) { $0 + min(limit, $1) } >= replicas } ?? replicas
  }
  /// Why a node must not take another's place among a shard's voters: its region would have more than it may, and more than
  /// before. Nil: it may.
  func crowding(_ placement: ShardPlacement, exchanging out: NodeID, for incoming: NodeID) -> String? {
    guard let region = node(incoming)?.region else { return nil }
    let rule = rules.limit(in: region)
    let limit = rule ?? regionLimit(replicas: placement.voters.count)
    // One that is no node any more has a place and no replica.
    let there = placement.voters.filter { $0 != out && node($0)?.region == region && node($0)?.state != .removed }
    guard there.count >= limit, node(out)?.region != region else { return nil }
    let names = there.isEmpty ? "" : " (\(there.map { name(of: $0) }.joined(separator: ", ")) is there)"
    return
      "shard \(placement.shard.rawValue) would have \(there.count + 1) of \(placement.voters.count) voters in region"
      + " \(region)\(names), and \(rule == nil ? "the regions allow" : "placement allows") \(limit)"
  }
}

extension RequestDesk {
  /// Begins it, or says what it would do.
  func moveReplica(of shard: ShardID, _ request: Request, _ owner: EdgeItem.Owner) {
    guard let topology = membership.topology, let placement = topology.placement(of: shard) else {
      return answerError(owner, .notFound, "there is no shard \(shard.rawValue)")
    }
    guard let from = request.text(.from), let to = request.text(.to) else {
      return answerError(owner, .malformed, "say from whom to whom: from=NODE to=NODE")
    }
    var nodes: [NodeID] = []
    for name in [from, to] {
      switch node(named: String(decoding: name, as: UTF8.self)) {
      case .success(let node): nodes.append(node)
      case .failure(let refused): return answerError(owner, refused.code, refused.text)
      }
    }
    let plan = ShardMove(shard: shard, from: nodes[0], to: nodes[1])
    // What is done already is done.
    if placement.voters.contains(plan.to), !placement.voters.contains(plan.from) {
      return answerError(
        owner, .exists,
        "shard \(shard.rawValue) is on \(topology.name(of: plan.to)) already, not on"
          + " \(topology.name(of: plan.from)); nothing was done")
    }
    if let reason = plan.refusal(in: topology) ?? ailment(of: plan.to) ?? lackOfVoters(shard)
      ?? shortage(of: plan.to, for: [shard])
    {
      return answerError(owner, .conflict, "\(reason); nothing was done")
    }
    guard !request.flag(.dryRun) else {
      return answerPlan(
        owner,
        [
          PlanStep(
            shard: shard, from: topology.name(of: plan.from), to: topology.name(of: plan.to),
            bytes: peers.groups[shard]?.bytes)
        ])
    }
    begin(plan, owner)
  }
}
