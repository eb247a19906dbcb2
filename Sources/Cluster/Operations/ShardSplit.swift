import Base
import Ledger
import Protocol
import Raft
import Vocabulary

/// `CLUSTER SHARD SPLIT S [at=SLOT]`: the slots from one on, to the end of their run, go to a new shard, on the same nodes. That
/// begins without slots; then they move, some at a time (see docs/splitting.md).
struct ShardSplit: OperationPlan, Hashable {
  var shard: ShardID
  /// Those of the new shard.
  var slots: Range<Int>

  static let number: UInt16 = 12
  static let word = "shard-split"
  static func keys(of word: String) -> [Key] { [.at] }

  init(shard: ShardID, slots: Range<Int>) { (self.shard, self.slots) = (shard, slots) }
  func encode(into buffer: inout ByteBuffer) {
    buffer.append(field: 1, zigzag: Int64(shard.rawValue))
    buffer.append(field: 2, zigzag: Int64(slots.lowerBound))
    buffer.append(field: 3, zigzag: Int64(slots.upperBound))
    buffer.appendEndOfFields()
  }
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    self.init(shard: ShardID(0), slots: 0..<0)
    var (first, end) = (0, 0)
    try reader.readFields(of: "a split of a shard") { number, value throws(MalformedBytes) in
      switch number {
      case 1: shard = ShardID(try value.readSmall())
      case 2: first = Int(try value.readSmall(UInt16.self))
      case 3: end = Int(try value.readSmall(UInt16.self))
      default: return false
      }
      return true
    }
    guard first < end, end <= Slot.count else { throw MalformedBytes("a split without slots") }
    slots = first..<end
  }

  static func begin(_ request: Request, about shard: ShardID, _ owner: EdgeItem.Owner, at desk: RequestDesk) {
    desk.split(shard, request, owner)
  }

  func target(in topology: Topology?) -> String { "shard \(shard.rawValue) at slot \(slots.lowerBound)" }
  func steps(in topology: Topology?) -> [String] {
    [
      "see that its members are well", "have the new shard begin",
      "move slots \(slots.lowerBound)-\(slots.upperBound - 1)",
    ]
  }
  private static let looking: UInt32 = 0
  private static let founding: UInt32 = 1
  private static let moving: UInt32 = 2

  var holds: [ShardID] { [shard] }
  static let makesShard = true

  func refusal(in topology: Topology) -> String? {
    if let reason = SlotMove.refusal(in: topology, of: [shard]) { return reason }
    let owned = topology.placement(of: shard)?.slots ?? .none
    guard owned.ranges.contains(where: { $0.lowerBound < slots.lowerBound && $0.upperBound == slots.upperBound }) else {
      return
        "shard \(shard.rawValue) has the slots \(owned): at slot \(slots.lowerBound) none of these runs is cut in two"
    }
    guard topology.newestShard.rawValue < Topology.highestShard else { return "there are no more numbers for shards" }
    return nil
  }

  func next(_ view: OperationView) -> OperationAction {
    let record = view.record
    guard let group = view.shard(shard).group else { return SlotMove.isSilent(shard) }
    switch record.step {
    case ShardSplit.looking:
      // Another split, or a merge, may have come between the request and its turn.
      let known = view.topology.placement(of: shard)?.slots ?? .none
      guard SlotMove.left(group, of: slots) == slots.count, slots.allSatisfy({ known.contains(Slot(UInt16($0))) })
      else {
        return .fail(
          "slots \(slots.lowerBound)-\(slots.upperBound - 1) are not all shard \(shard.rawValue)'s any more; nothing has changed"
        )
      }
      guard let obstacle = SlotMove.obstacle(group, bytes: group.bytes, view) else {
        return .run(step: ShardSplit.founding)
      }
      return view.age < SlotMove.patience ? .wait(obstacle) : .fail("\(obstacle); nothing has changed")
    case ShardSplit.founding:
      let heir = view.shard(record.heir)
      if heir.isServed, heir.group != nil { return .run(step: ShardSplit.moving) }
      return view.age < SlotMove.limit
        ? .run(step: ShardSplit.founding)
        : .fail("shard \(record.heir.rawValue) has not begun within \(SlotMove.limit / 1_000_000) s; no slot has moved")
    default:
      guard view.shard(record.heir).isServed else {
        return .wait(
          "shard \(record.heir.rawValue) has no leader; \(SlotMove.left(group, of: slots)) slots have yet to move")
      }
      let mapped = view.topology.placement(of: record.heir)?.slots ?? .none
      let kept = view.topology.placement(of: shard)
      // Whoever has them by the map: a split that was cancelled while this one began may have taken some along.
      let haveLeft = slots.allSatisfy { !(kept?.slots.contains(Slot(UInt16($0))) ?? false) }
      guard SlotMove.left(group, of: slots) == 0, !group.isMoving, haveLeft else {
        return .run(step: ShardSplit.moving)
      }
      guard !mapped.isEmpty else {
        return .fail(
          "slots \(slots.lowerBound)-\(slots.upperBound - 1) went to other shards before their turn; shard \(record.heir.rawValue) has none:"
            + " merge it into another")
      }
      return .done(
        "shard \(shard.rawValue) has slots \(kept?.slots ?? .none), epoch \(kept?.epoch ?? 0), new shard \(record.heir.rawValue)"
          + " \(mapped), epoch \(view.topology.placement(of: record.heir)?.epoch ?? 0), took \(max(0, view.age) / 1_000) ms"
      )
    }
  }

  func order(to shard: ShardID, by record: Operation) -> ShardOrder {
    if shard == record.heir { return ShardOrder(isFounding: record.step == ShardSplit.founding) }
    guard shard == self.shard, record.step == ShardSplit.moving else { return ShardOrder() }
    return ShardOrder(give: ShardOrder.Give(slots: slots, heir: record.heir))
  }
  func progress(_ view: OperationView) -> (share: Double, bytes: UInt64) {
    guard view.record.step == ShardSplit.moving, let group = view.shard(shard).group else { return (0, 0) }
    let left = SlotMove.left(group, of: slots)
    let all = max(1, group.slots.count - left + slots.count)
    return (1 - Double(left) / Double(slots.count), group.bytes * UInt64(slots.count) / UInt64(all))
  }

  /// The new shard is in the map from the beginning, without slots; one that has come to nothing goes.
  func commence(_ record: Operation, _ topology: inout Topology) {
    guard var heir = topology.placement(of: shard) else { return }
    (heir.shard, heir.slots, heir.epoch) = (record.heir, .none, 0)
    topology.shards.append(heir)
    topology.shards.sort { $0.shard < $1.shard }
    topology.findHomes()
  }
  func abandon(_ record: Operation, _ topology: inout Topology) {
    if record.step < ShardSplit.moving { topology.abandon(record.heir) }
  }
}

extension RequestDesk {
  /// Begins it, or says what it would do.
  func split(_ shard: ShardID, _ request: Request, _ owner: EdgeItem.Owner) {
    guard let topology = membership.topology, let placement = topology.placement(of: shard) else {
      return answerError(owner, .notFound, "there is no shard \(shard.rawValue)")
    }
    guard request.positionalCount == 2 else {
      return answerError(owner, .malformed, "CLUSTER SHARD SPLIT takes one shard, and at=SLOT")
    }
    guard let at = request.number(.at).map({ Int($0) }) ?? placement.slots.widestMiddle.map({ Int($0) }) else {
      return answerError(owner, .conflict, "shard \(shard.rawValue) has no two slots; nothing was done")
    }
    // One that is not there is refused below.
    let end = placement.slots.ranges.first { $0.contains(at) }?.upperBound ?? at + 1
    let plan = ShardSplit(shard: shard, slots: at..<end)
    let obstacle = peers.groups[shard].flatMap { group in SlotMove.obstacle(group) { topology.name(of: $0) } }
    if let reason = plan.refusal(in: topology) ?? lackOfVoters(shard) ?? obstacle {
      return answerError(owner, .conflict, "\(reason); nothing was done")
    }
    guard !request.flag(.dryRun) else {
      let share = (peers.groups[shard]?.bytes).map { $0 * UInt64(end - at) / UInt64(max(1, placement.slots.count)) }
      let target = "shard \(topology.newestShard.rawValue + 1)"
      return answerPlan(owner, [PlanStep(shard: shard, from: "slot \(at)", to: target, bytes: share)])
    }
    begin(plan, owner)
  }
}
