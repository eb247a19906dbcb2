import Base
import Ledger
import Protocol
import Raft
import Vocabulary

/// `CLUSTER SHARD MERGE S T`: T's replicas go to the nodes of S, so that the journal of T is where its slots go; all slots of T go to S,
/// some at a time (see docs/splitting.md); then T is no more, for ever.
struct ShardMerge: OperationPlan, Hashable {
  var shard: ShardID
  /// The one that ends.
  var ending: ShardID

  static let number: UInt16 = 13
  static let word = "shard-merge"
  static let hasChildren = true
  static func keys(of word: String) -> [Key] { [] }

  init(shard: ShardID, ending: ShardID) { (self.shard, self.ending) = (shard, ending) }
  func encode(into buffer: inout ByteBuffer) {
    buffer.append(field: 1, zigzag: Int64(shard.rawValue))
    buffer.append(field: 2, zigzag: Int64(ending.rawValue))
    buffer.appendEndOfFields()
  }
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    self.init(shard: ShardID(0), ending: ShardID(0))
    try reader.readFields(of: "a merge of shards") { number, value throws(MalformedBytes) in
      switch number {
      case 1: shard = ShardID(try value.readSmall())
      case 2: ending = ShardID(try value.readSmall())
      default: return false
      }
      return true
    }
  }

  static func begin(_ request: Request, about shard: ShardID, _ owner: EdgeItem.Owner, at desk: RequestDesk) {
    desk.merge(into: shard, request, owner)
  }

  func target(in topology: Topology?) -> String { "shard \(ending.rawValue) into \(shard.rawValue)" }
  func steps(in topology: Topology?) -> [String] {
    [
      "see that their members are well",
      "move replicas of shard \(ending.rawValue) to the nodes of shard \(shard.rawValue)",
      "move the slots of shard \(ending.rawValue)", "end shard \(ending.rawValue)",
    ]
  }
  private static let looking: UInt32 = 0
  static let bringing: UInt32 = 1
  private static let moving: UInt32 = 2
  private static let leaving: UInt32 = 3

  var holds: [ShardID] { [shard, ending].sorted() }
  /// While no slot moves the one that stays may be given other nodes: such as take the place of one that is lost.
  func holds(at step: UInt32) -> [ShardID] {
    step == ShardMerge.bringing || step == ShardMerge.leaving ? [ending] : holds
  }

  func refusal(in topology: Topology) -> String? {
    guard shard != ending else { return "a shard is not merged with itself" }
    if let reason = SlotMove.refusal(in: topology, of: [shard, ending]) { return reason }
    guard let target = topology.placement(of: shard), let source = topology.placement(of: ending) else { return nil }
    do throws(ReplicaPlan.Impossible) { _ = try moves(in: topology) } catch { return error.text }
    // While slots move there is a run more than in the end.
    let ranges = (target.slots.ranges + source.slots.ranges).sorted { $0.lowerBound < $1.lowerBound }
    let gaps = zip(ranges, ranges.dropFirst()).count { $0.upperBound < $1.lowerBound }
    guard gaps + 1 < SlotRanges.most else {
      return "the two have too many runs of slots together: \(target.slots) and \(source.slots)"
    }
    return nil
  }

  func next(_ view: OperationView) -> OperationAction {
    if let gone = [shard, ending].first(where: { view.topology.placement(of: $0) == nil }) {
      return .fail("there is no shard \(gone.rawValue) any more")
    }
    guard let source = view.shard(ending).group else { return SlotMove.isSilent(ending) }
    let record = view.record
    switch record.step {
    case ShardMerge.looking:
      guard let target = view.shard(shard).group else { return SlotMove.isSilent(shard) }
      let isApart = strays(in: view.topology) > 0
      // The place of a node that is removed is taken before the others move.
      let obstacle =
        (isApart ? SlotMove.obstacle(source) { view.name(of: $0) } : SlotMove.obstacle(source, bytes: 0, view))
        ?? SlotMove.obstacle(target, bytes: source.bytes, view)
      guard let obstacle else { return .run(step: isApart ? ShardMerge.bringing : ShardMerge.moving) }
      return view.age < SlotMove.patience ? .wait(obstacle) : .fail("\(obstacle); nothing has changed")
    case ShardMerge.bringing: return bring(view) ?? begin(source, view)
    case ShardMerge.moving:
      guard view.shard(shard).isServed else {
        return .wait("shard \(shard.rawValue) has no leader; \(source.slots.count) slots have yet to move")
      }
      let isMapped = view.topology.placement(of: ending)?.slots.isEmpty ?? true
      let isOver = source.slots.isEmpty && !source.isMoving && !source.hasBooks && isMapped
      return .run(step: isOver ? ShardMerge.leaving : ShardMerge.moving)
    default:
      // Its journal is read where the other shard is: all of it has to be there.
      let late = source.members.filter { $0.lag > 0 || !$0.isFollowing || $0.isDamaged || !$0.isActive }
      guard late.isEmpty else {
        // The node of one of them may be lost, and the other shard have another in its place.
        let isLost = late.contains { !view.reachable.contains($0.node) } || view.children.contains { !$0.state.isOver }
        if isLost, let action = bring(view) { return action }
        let names = late.map { view.name(of: $0.node) }.joined(separator: ", ")
        return .wait("not all of shard \(ending.rawValue)'s log is on \(names)")
      }
      let now = view.topology.placement(of: shard)
      return .done(
        "shard \(shard.rawValue) has slots \(now?.slots ?? .none), epoch \(now?.epoch ?? 0); shard \(ending.rawValue) is no more, took"
          + " \(max(0, view.age) / 1_000) ms")
    }
  }

  /// They are on the same nodes: slots move once nothing is in the way.
  private func begin(_ source: GroupReport, _ view: OperationView) -> OperationAction {
    if let reason = refusal(in: view.topology) { return .fail("\(reason); no slot has moved") }
    guard view.isLed(shard), let target = view.groups[shard] else { return SlotMove.isSilent(shard) }
    if let holder = view.holders[shard] { return .wait(OperationTable.obstacle(shard, holder)) }
    let obstacle = SlotMove.obstacle(source, bytes: 0, view) ?? SlotMove.obstacle(target, bytes: source.bytes, view)
    return obstacle.map { .wait($0) } ?? .run(step: ShardMerge.moving)
  }

  func order(to shard: ShardID, by record: Operation) -> ShardOrder {
    guard shard == ending, record.step == ShardMerge.moving else { return ShardOrder() }
    return ShardOrder(give: ShardOrder.Give(slots: 0..<Slot.count, heir: self.shard))
  }
  /// Each replica that moves is as much of it as all the slots.
  func progress(_ view: OperationView) -> (share: Double, bytes: UInt64) {
    guard let source = view.groups[ending], let target = view.groups[shard] else { return (0, 0) }
    let brought = view.children.count { $0.state == .done }
    let parts = brought + strays(in: view.topology) + 1
    let bytes = source.bytes * UInt64(parts)
    if view.record.step == ShardMerge.leaving { return (0.99, bytes) }
    var done = Double(brought)
    for child in view.children where !child.state.isOver { done += view.progress[child.number]?.share ?? 0 }
    if view.record.step == ShardMerge.moving {
      done += Double(target.slots.count) / Double(max(1, target.slots.count + source.slots.count))
    }
    return (min(0.99, done / Double(parts)), bytes)
  }
  func conclude(_ topology: inout Topology) { topology.end(ending) }
}

extension RequestDesk {
  /// Begins it, or says what it would do.
  func merge(into shard: ShardID, _ request: Request, _ owner: EdgeItem.Owner) {
    guard let topology = membership.topology else {
      return answerError(owner, .unavailable, "this node knows no cluster yet")
    }
    guard let ending = UInt32(word(request, 2)).map({ ShardID($0) }) else {
      return answerError(
        owner, .malformed, "CLUSTER SHARD MERGE takes two shards: the one that stays, and the one that ends")
    }
    let plan = ShardMerge(shard: shard, ending: ending)
    if let missing = [shard, ending].first(where: { topology.placement(of: $0) == nil }) {
      let isEnded = topology.ended.contains(missing)
      return answerError(
        owner, .notFound,
        "there is no shard \(missing.rawValue)\(isEnded ? " any more: it was merged into another" : "")")
    }
    let moves = (try? plan.moves(in: topology)) ?? []
    if let reason = plan.refusal(in: topology) ?? obstacle(plan, moves, topology) {
      return answerError(owner, .conflict, "\(reason); nothing was done")
    }
    guard !request.flag(.dryRun) else {
      let bytes = peers.groups[ending]?.bytes
      let slots = "\(topology.placement(of: ending)?.slots ?? .none)"
      return answerPlan(
        owner,
        moves.map {
          PlanStep(
            shard: ending, from: topology.name(of: $0.from), to: topology.name(of: $0.to), bytes: bytes)
        } + [PlanStep(shard: ending, from: slots, to: "shard \(shard.rawValue)", bytes: bytes)])
    }
    begin(plan, owner)
  }
  /// What is in the way, as far as this node knows; nil: nothing.
  private func obstacle(_ plan: ShardMerge, _ moves: [ShardMove], _ topology: Topology) -> String? {
    if let reason = lackOfVoters(among: plan.holds) { return reason }
    for shard in plan.holds {
      guard let group = peers.groups[shard] else { continue }
      if let reason = SlotMove.obstacle(group, { topology.name(of: $0) }) { return reason }
    }
    for move in moves {
      if let reason = ailment(of: move.to) ?? shortage(of: move.to, for: [plan.ending]) { return reason }
    }
    return nil
  }
}
