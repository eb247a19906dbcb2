import Base
import Ledger
import Protocol
import Raft
import Vocabulary

/// `CLUSTER SHARD MERGE S T`: all slots of T go to S, some at a time (see docs/splitting.md); then T is no more, for ever. Both lie on
/// the same nodes, so that the journal of T is where its slots go.
struct ShardMerge: OperationPlan, Hashable {
  var shard: ShardID
  /// The one that ends.
  var ending: ShardID

  static let number: UInt16 = 13
  static let word = "shard-merge"
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
    ["see that their members are well", "move the slots of shard \(ending.rawValue)", "end shard \(ending.rawValue)"]
  }
  private static let looking: UInt32 = 0
  private static let moving: UInt32 = 1
  private static let leaving: UInt32 = 2

  var holds: [ShardID] { [shard, ending].sorted() }

  func refusal(in topology: Topology) -> String? {
    guard shard != ending else { return "a shard is not merged with itself" }
    if let reason = SlotMove.refusal(in: topology, of: [shard, ending]) { return reason }
    guard let target = topology.placement(of: shard), let source = topology.placement(of: ending) else { return nil }
    guard target.voters == source.voters else {
      let names = [source, target].map { $0.voters.map { topology.name(of: $0) }.sorted().joined(separator: ", ") }
      return
        "shard \(ending.rawValue) is on \(names[0]), shard \(shard.rawValue) on \(names[1]): move the one to where the other is first"
        + " (tally shard move \(ending.rawValue) --from A --to B)"
    }
    // While slots move there is a run more than in the end.
    let runs = Set((target.slots.ranges + source.slots.ranges).joined())
    guard runs.count(where: { !runs.contains($0 - 1) }) < SlotRanges.most else {
      return "the two have too many runs of slots together: \(target.slots) and \(source.slots)"
    }
    return nil
  }

  func next(_ view: OperationView) -> OperationAction {
    guard let source = view.shard(ending).group else { return SlotMove.isSilent(ending) }
    let record = view.record
    switch record.step {
    case ShardMerge.looking:
      guard let target = view.shard(shard).group else { return SlotMove.isSilent(shard) }
      let obstacle =
        SlotMove.obstacle(source, bytes: 0, view) ?? SlotMove.obstacle(target, bytes: source.bytes, view)
      guard let obstacle else { return .run(step: ShardMerge.moving) }
      return view.age < SlotMove.patience ? .wait(obstacle) : .fail("\(obstacle); nothing has changed")
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
        let names = late.map { view.name(of: $0.node) }.joined(separator: ", ")
        return .wait("not all of shard \(ending.rawValue)'s log is on \(names)")
      }
      let now = view.topology.placement(of: shard)
      return .done(
        "shard \(shard.rawValue) has slots \(now?.slots ?? .none), epoch \(now?.epoch ?? 0); shard \(ending.rawValue) is no more, took"
          + " \(max(0, view.age) / 1_000) ms")
    }
  }

  func order(to shard: ShardID, by record: Operation) -> ShardOrder {
    guard shard == ending, record.step == ShardMerge.moving else { return ShardOrder() }
    return ShardOrder(give: ShardOrder.Give(slots: 0..<Slot.count, heir: self.shard))
  }
  func mayBeCancelled(_ record: Operation) -> Bool { record.step != ShardMerge.leaving }
  func progress(_ view: OperationView) -> (share: Double, bytes: UInt64) {
    guard let source = view.shard(ending).group, let target = view.shard(shard).group else { return (0, 0) }
    if view.record.step != ShardMerge.moving {
      return (view.record.step == ShardMerge.leaving ? 0.99 : 0, source.bytes)
    }
    return (Double(target.slots.count) / Double(max(1, target.slots.count + source.slots.count)), source.bytes)
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
    let obstacle = [shard, ending].lazy.compactMap { one in
      self.peers.groups[one].flatMap { group in SlotMove.obstacle(group) { topology.name(of: $0) } }
    }.first
    if let reason = plan.refusal(in: topology) ?? obstacle {
      return answerError(owner, .conflict, "\(reason); nothing was done")
    }
    guard !request.flag(.dryRun) else {
      return answerPlan(
        owner,
        [
          PlanStep(
            shard: ending, from: "\(topology.placement(of: ending)?.slots ?? .none)", to: "shard \(shard.rawValue)",
            bytes: peers.groups[ending]?.bytes)
        ])
    }
    begin(plan, owner)
  }
}
