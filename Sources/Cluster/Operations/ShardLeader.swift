import Base
import Raft
import Vocabulary

/// `CLUSTER SHARD LEADER S to=NODE`: another voter is to lead a shard, now and from now on. The shard's leader hands over once
/// that voter lacks next to nothing (see `LeadershipPolicy`); the map says that the shard is at home there once it has taken
/// over. If it does not in time, nothing has changed.
struct ShardLeader: OperationPlan, Hashable {
  var shard: ShardID
  var to: NodeID
  /// Who led it, and in which term, as far as the node that was asked knew.
  var from: NodeID
  var term: Term

  /// Microseconds.
  static let limit: Int64 = 10_000_000
  static let number: UInt16 = 1
  static let word = "shard-leader"
  static func keys(of word: String) -> [Key] { [.to, .region] }

  init(shard: ShardID, to: NodeID, from: NodeID, term: Term) {
    (self.shard, self.to, self.from, self.term) = (shard, to, from, term)
  }
  func encode(into buffer: inout ByteBuffer) {
    buffer.append(field: 1, zigzag: Int64(shard.rawValue))
    buffer.append(field: 2, zigzag: Int64(bitPattern: to.rawValue))
    buffer.append(field: 3, zigzag: Int64(bitPattern: from.rawValue))
    buffer.append(field: 4, zigzag: Int64(bitPattern: term.rawValue))
    buffer.appendEndOfFields()
  }
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    self.init(shard: ShardID(0), to: .none, from: .none, term: Term(0))
    try reader.readFields(of: "a change of a shard's leader") { number, value throws(MalformedBytes) in
      switch number {
      case 1: shard = ShardID(try value.readSmall())
      case 2: to = NodeID(UInt64(bitPattern: try value.readZigzag()))
      case 3: from = NodeID(UInt64(bitPattern: try value.readZigzag()))
      case 4: term = Term(UInt64(bitPattern: try value.readZigzag()))
      default: return false
      }
      return true
    }
  }

  static func begin(_ request: Request, about shard: ShardID, _ owner: EdgeItem.Owner, at desk: RequestDesk) {
    desk.moveLeader(of: shard, request, owner)
  }

  func target(in topology: Topology?) -> String { "shard \(shard.rawValue)" }
  func steps(in topology: Topology?) -> [String] { ["hand over to \(topology?.name(of: to) ?? to.hex)"] }
  var holds: [ShardID] { [shard] }

  func refusal(in topology: Topology) -> String? {
    guard let placement = topology.placement(of: shard) else { return "there is no shard \(shard.rawValue)" }
    guard let record = topology.node(to), record.state == .up else {
      return "node \(topology.name(of: to)) is \(topology.node(to)?.state.word ?? "not in the cluster")"
    }
    guard placement.voters.contains(to) else {
      let voters = placement.voters.map { topology.name(of: $0) }.sorted().joined(separator: ", ")
      return "node \(record.name) is no voter of shard \(shard.rawValue): these are \(voters)"
    }
    if case .region(let wanted) = topology.rules.lead(of: shard), record.region != wanted,
      placement.voters.contains(where: { topology.node($0)?.region == wanted })
    {
      return
        "placement has shard \(shard.rawValue) led from region \(wanted), and \(record.name) is in \(record.region)"
        + " (tally placement set)"
    }
    return nil
  }

  func next(_ view: OperationView) -> OperationAction {
    let report = view.shard(shard)
    let name = view.name(of: to)
    if report.leader == to, report.isServed {
      let terms =
        report.term > term ? "term \(term.rawValue) → \(report.term.rawValue)" : "term \(report.term.rawValue)"
      return .done("leader \(view.name(of: from)) → \(name), \(terms), took \(max(0, view.age) / 1_000) ms")
    }
    if let reason = refusal(in: view.topology) { return .fail("\(reason); nothing has changed") }
    guard view.age < ShardLeader.limit else {
      let why = report.leader == .none ? "the shard has no leader" : "\(view.name(of: report.leader)) leads it"
      return .fail(
        "\(name) has not taken over within \(ShardLeader.limit / 1_000_000) s, \(why); nothing has changed: see whether it"
          + " lags (tally shards) or is ill (tally nodes)")
    }
    if report.leader == .none { return .wait("shard \(shard.rawValue) has no leader") }
    return view.reachable.contains(to) ? .run(step: 0) : .wait("node \(name) is not in reach")
  }

  func order(to shard: ShardID, by record: Operation) -> ShardOrder { ShardOrder(leader: to) }
  func conclude(_ topology: inout Topology) {
    guard let place = topology.shards.firstIndex(where: { $0.shard == shard }) else { return }
    topology.shards[place].preferredLeader = to
  }
}

extension RequestDesk {
  /// Begins it, or says what it would do.
  func moveLeader(of shard: ShardID, _ request: Request, _ owner: EdgeItem.Owner) {
    guard let topology = membership.topology, let placement = topology.placement(of: shard) else {
      return answerError(owner, .notFound, "there is no shard \(shard.rawValue)")
    }
    let known = edge.leader(of: shard)
    let to: NodeID
    switch leaderWanted(request, placement) {
    case .success(let node): to = node
    case .failure(let refused): return answerError(owner, refused.code, refused.text)
    }
    let plan = ShardLeader(shard: shard, to: to, from: isLed(shard) ? known.node : .none, term: known.term)
    if let reason = plan.refusal(in: topology) ?? ailment(of: to) {
      return answerError(owner, .conflict, "\(reason); nothing was done")
    }
    guard !request.flag(.dryRun) else {
      return answerPlan(
        owner, [PlanStep(shard: shard, from: topology.name(of: plan.from), to: topology.name(of: to), bytes: 0)])
    }
    begin(plan, owner)
  }

  /// Who `to=` or `region=` names.
  private func leaderWanted(
    _ request: Request, _ placement: ShardPlacement
  ) -> Result<NodeID, OperationTable.Refused> {
    if let name = request.text(.to) { return node(named: String(decoding: name, as: UTF8.self)) }
    guard let region = request.text(.region).map({ String(decoding: $0, as: UTF8.self) }) else {
      return .failure(.init(code: .malformed, text: "say who: to=NODE or region=NAME"))
    }
    let there = placement.voters.filter { membership.topology?.node($0)?.region == region }
    guard let first = there.first(where: { peers.isUp($0, now: now) && ailment(of: $0) == nil }) ?? there.first else {
      return .failure(
        .init(code: .conflict, text: "shard \(placement.shard.rawValue) has no voter in region \(region)"))
    }
    return .success(first)
  }
  /// Why a node would not serve well as a leader, as far as this one knows.
  func ailment(of node: NodeID) -> String? {
    let name = peers.name(of: node, membership)
    guard peers.isUp(node, now: now), let peer = peers[node] else { return "node \(name) is not in reach" }
    let found = peer.alarms.filter { $0 != "RETENTION" }
    return found.isEmpty ? nil : "node \(name) has an alarm: \(found.joined(separator: ", "))"
  }
}
