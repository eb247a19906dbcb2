import Base
import Ledger

/// The directory's operations: those under way, and the newest of those that are over. State of the directory's log: the same
/// on all nodes.
struct OperationTable: Hashable, Sendable {
  /// By rising number.
  private(set) var open: [Operation] = []
  /// In the order in which they ended.
  private(set) var over: [Operation] = []
  private(set) var newest: UInt64 = 0

  /// By shard that an operation under way holds: what it wants of the shard's leader.
  var orders: [ShardID: ShardOrder] {
    var orders: [ShardID: ShardOrder] = [:]
    for operation in open where !operation.holds.isEmpty {
      let plan = operation.plan
      for shard in operation.holds { orders[shard] = plan?.order(to: shard, by: operation) ?? ShardOrder() }
    }
    return orders
  }

  static let overKept = 1_000
  static let mostOpen = 1_000

  struct Refused: Error, Equatable {
    var code: ErrorCode
    var text: String
  }

  func find(_ number: UInt64) -> Operation? {
    open.first { $0.number == number } ?? over.last { $0.number == number }
  }
  /// The operation that a shard belongs to.
  func holder(of shard: ShardID) -> Operation? { open.first { $0.holds.contains(shard) } }
  /// Whether a shard is moved for the sake of balance alone.
  func isRebalanced(_ shard: ShardID) -> Bool {
    guard let by = holder(of: shard)?.by else { return false }
    return open.contains { $0.kind == Rebalance.kind && $0.name == by }
  }
  /// By whose doing they are: those that another has begun, in the order of their numbers.
  var children: [String: [Operation]] {
    guard open.contains(where: { $0.kind.plan?.hasChildren ?? false }) else { return [:] }
    return Dictionary(grouping: all.sorted { $0.number < $1.number }, by: \.by)
  }
  /// From the newest to the oldest.
  func newest(_ limit: Int, before number: UInt64) -> [Operation] {
    let all = (open + over).filter { number == 0 || $0.number < number }.sorted { $0.number > $1.number }
    return Array(all.prefix(limit))
  }

  /// Begins one: what it holds is checked and taken here, in one entry. The same that is under way already is found again.
  mutating func begin(
    _ kind: Operation.Kind, _ params: [UInt8], by: String, at stamp: Stamp, in topology: Topology
  ) throws(Refused) -> Operation {
    if let same = open.first(where: { $0.kind == kind && $0.params == params }) { return same }
    guard let plan = try? kind.plan(params) else {
      throw Refused(code: .malformed, text: "an operation without a plan")
    }
    if let node = plan.heldNode, let holder = open.first(where: { $0.plan?.heldNode == node }) {
      // Said again when some of it is done, it is still the same.
      if holder.kind == kind, holder.plan?.target(in: topology) == plan.target(in: topology) { return holder }
      throw Refused(
        code: .conflict,
        text:
          "operation \(holder.number) is under way on node \(topology.name(of: node)) (tally op wait \(holder.number))")
    }
    if type(of: plan).isAlone, let other = open.first(where: { $0.kind == kind }) {
      throw Refused(
        code: .conflict, text: "operation \(other.number) is under way already (tally op wait \(other.number))")
    }
    guard open.count < OperationTable.mostOpen else {
      throw Refused(code: .limit, text: "\(open.count) operations are under way; nothing was done")
    }
    for shard in plan.holds {
      // Whoever begins another may hold its shards, too.
      let holder = open.first { $0.holds.contains(shard) && $0.name != by && !plan.takesOver(from: $0) }
      guard let holder else { continue }
      throw Refused(
        code: .conflict,
        text: OperationTable.obstacle(shard, holder.number))
    }
    if let reason = plan.refusal(in: topology) { throw Refused(code: .conflict, text: reason) }
    var operation = Operation(number: newest + 1, kind: kind, params: params, by: by, started: stamp)
    operation.state = .running
    if type(of: plan).makesShard { operation.heir = ShardID(topology.newestShard.rawValue + 1) }
    operation.holds = plan.holds + (operation.heir == .directory ? [] : [operation.heir])
    open.append(operation)
    newest = operation.number
    return operation
  }

  /// Those that cannot go on beside one that has begun: they have failed.
  mutating func failOthers(for operation: Operation, at stamp: Stamp) -> [Operation] {
    guard let plan = operation.plan else { return [] }
    return open.filter { $0.number != operation.number && plan.takesOver(from: $0) }.map { other in
      var failed = other
      failed.state = .failed
      failed.text = "operation \(operation.number) has taken over"
      failed.revision += 1
      end(failed, at: stamp)
      return failed
    }
  }

  /// Takes note of what one has come to. Nil: it is not what it was then.
  mutating func advance(_ change: OperationChange, at stamp: Stamp) -> Operation? {
    guard let place = open.firstIndex(where: { $0.number == change.number }), open[place].revision == change.revision
    else { return nil }
    var operation = open[place]
    operation.revision += 1
    if let obstacle = rehold(&operation, at: change.step) {
      // Another was quicker.
      (operation.state, operation.text) = (.waiting, obstacle)
      open[place] = operation
      return operation
    }
    if operation.state == .waiting, change.state == .running { operation.attempt += 1 }
    operation.state = change.state
    operation.step = change.step
    operation.expects = change.expects
    operation.text = change.text
    open[place] = operation
    if change.state.isOver { end(operation, at: stamp) }
    return find(change.number)
  }
  /// Has one hold what it is to hold at another step. Nil: it does; else why it may not yet, and nothing has changed.
  private func rehold(_ operation: inout Operation, at step: UInt32) -> String? {
    guard let plan = operation.plan else { return nil }
    let wanted = plan.holds(at: step)
    guard wanted != plan.holds(at: operation.step) else { return nil }
    for shard in wanted where !operation.holds.contains(shard) {
      if let holder = holder(of: shard) { return OperationTable.obstacle(shard, holder.number) }
    }
    operation.holds = wanted + (operation.heir == .directory ? [] : [operation.heir])
    return nil
  }
  static func obstacle(_ shard: ShardID, _ holder: UInt64) -> String {
    "operation \(holder) is under way on shard \(shard.rawValue) (tally op wait \(holder))"
  }
  /// Gives one up, unless it has to complete. Nil: there is none of that number.
  mutating func cancel(_ number: UInt64, at stamp: Stamp) -> Operation? {
    guard var operation = find(number), !operation.state.isOver, operation.plan?.mayBeCancelled(operation) ?? false
    else { return find(number) }
    operation.state = .cancelled
    operation.revision += 1
    end(operation, at: stamp)
    return find(number)
  }
  private mutating func end(_ operation: Operation, at stamp: Stamp) {
    open.removeAll { $0.number == operation.number }
    var operation = operation
    operation.ended = stamp
    operation.holds = []
    over.append(operation)
    if over.count > OperationTable.overKept { over.removeFirst(over.count - OperationTable.overKept) }
  }

  // MARK: Snapshots

  /// Of a snapshot: each of them, those that are over first, in their order.
  var all: [Operation] { over + open }
  mutating func restore(newest number: UInt64) { newest = number }
  mutating func restore(_ operation: Operation) {
    if operation.state.isOver { over.append(operation) } else { open.append(operation) }
  }
}

/// What an operation has come to, as the directory's leader logs it.
struct OperationChange: Hashable, Sendable {
  var number: UInt64
  /// Of the record that it was seen from.
  var revision: UInt32
  var state: Operation.State
  var step: UInt32
  var expects: UInt64
  var text: String

  func encode(into buffer: inout ByteBuffer) {
    buffer.append(field: 1, zigzag: Int64(bitPattern: number))
    buffer.append(field: 2, zigzag: Int64(revision))
    buffer.append(field: 3, zigzag: Int64(state.rawValue))
    buffer.append(field: 4, zigzag: Int64(step))
    buffer.append(field: 5) { $0.append(utf8: String(text.prefix(Operation.longestText))) }
    if expects > 0 { buffer.append(field: 6, zigzag: Int64(bitPattern: expects)) }
    buffer.appendEndOfFields()
  }
  init(_ operation: Operation, _ state: Operation.State, step: UInt32, expects: UInt64? = nil, _ text: String) {
    number = operation.number
    revision = operation.revision
    self.state = state
    self.step = step
    self.expects = expects ?? operation.expects
    self.text = text
  }
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    (number, revision, state, step, expects, text) = (0, 0, .running, 0, 0, "")
    try reader.readFields(of: "a change of an operation") { number, value throws(MalformedBytes) in
      switch number {
      case 1: self.number = UInt64(bitPattern: try value.readZigzag())
      case 2: revision = try value.readSmall()
      case 3:
        guard let known = Operation.State(rawValue: try value.readSmall()) else {
          throw MalformedBytes("an operation in an unknown state")
        }
        state = known
      case 4: step = try value.readSmall()
      case 5: text = try value.readText()
      case 6: expects = UInt64(bitPattern: try value.readZigzag())
      default: return false
      }
      return true
    }
  }
}
