import Base
import Protocol
import Raft
import Vocabulary

/// What a kind of operation is: one file each, and one line of `Operation.Kind.plans`.
///
/// The directory's leader asks each operation under way for its next step, with every heartbeat, and logs what has changed. It
/// goes by what the shards' leaders report, never by having told somebody to do something: words may be lost, and a new leader
/// knows nothing but the record. What is to be done, a shard's leader reads from the record as well, which the directory's log
/// brings to every node: see `order`.
protocol OperationPlan: Sendable {
  /// Of the params of a record.
  init(decoding reader: inout ByteReader) throws(MalformedBytes)
  func encode(into buffer: inout ByteBuffer)

  /// Its number in the directory's log, for ever.
  static var number: UInt16 { get }
  /// As `CLUSTER OP LIST` names it: the words of its command. An operation on a shard begins with `shard-`.
  static var word: String { get }
  /// The keys that its command takes, beside `dry-run=`. One command may be said by two words.
  static func keys(of word: String) -> [Key]
  /// Only one of the kind is under way at a time.
  static var isAlone: Bool { get }
  /// It makes a shard, whose number it is given as it begins, and which it holds as well.
  static var makesShard: Bool { get }
  /// Begins one as it is asked for, says what it would do, or refuses. An operation on a node begins with `node-`.
  static func begin(_ request: Request, about shard: ShardID, _ owner: EdgeItem.Owner, at desk: RequestDesk)
  static func begin(_ request: Request, about node: NodeID, _ owner: EdgeItem.Owner, at desk: RequestDesk)
  /// What it is about, and what it does to that.
  func target(in topology: Topology?) -> String
  /// Its steps, in order, a few words each.
  func steps(in topology: Topology?) -> [String]
  /// Shards that no other operation may have as it begins, but one that it begins itself; sorted.
  var holds: [ShardID] { get }
  /// The same while it is at a step: one that holds more at the next waits until that is free.
  func holds(at step: UInt32) -> [ShardID]
  /// It begins other operations.
  static var hasChildren: Bool { get }
  /// The node that no other operation may have meanwhile, for all that it does to its shards; nil: none.
  var heldNode: NodeID? { get }
  /// Whether another that is under way fails as this one begins.
  func takesOver(from other: Operation) -> Bool
  /// Why it may not begin, as far as the directory knows; nil: it may.
  func refusal(in topology: Topology) -> String?
  /// What is to come of the record, from what is known now.
  func next(_ view: OperationView) -> OperationAction
  /// What the directory changes as it begins, as it ends well, and as it is given up or fails.
  func commence(_ record: Operation, _ topology: inout Topology)
  func conclude(_ topology: inout Topology)
  func abandon(_ record: Operation, _ topology: inout Topology)
  /// What it wants of a shard's leader now.
  func order(to shard: ShardID, by record: Operation) -> ShardOrder
  /// Whether it can still be given up; else it completes.
  func mayBeCancelled(_ record: Operation) -> Bool
  /// How much of it is done, from 0 to 1, and how many bytes it copies in all.
  func progress(_ view: OperationView) -> (share: Double, bytes: UInt64)
}

/// How far an operation is, as the leader that drives it sees it. It is told, and never logged.
struct OperationProgress: Hashable, Sendable {
  /// From 0 to 1.
  var share: Double
  /// What it copies in all.
  var bytes: UInt64
  /// Time left, as far as can be said (s).
  var left: Int?

  /// What is left takes as long as what is done, in proportion.
  init(share: Double, bytes: UInt64, age: Int64) {
    (self.share, self.bytes) = (share, bytes)
    if share >= 0.02, age >= 1_000_000 { left = Int((Double(age) / 1e6 * (1 - share) / share).rounded(.up)) }
  }
  var percent: Int { Int(share * 100) }
}

/// What an operation under way wants of a shard's leader, which reads it from the record.
struct ShardOrder: Hashable, Sendable {
  /// A change of the group's members. It is done from the version of the configuration that the record expects, or not at all.
  enum Change: Hashable, Sendable {
    case learner(NodeID)
    /// One takes the other's place among the voters.
    case exchange(out: NodeID, in: NodeID)
    /// A learner is to go.
    case drop(NodeID)
    /// The replica on a node goes on without some nodes, which are lost; those that are kept vote again.
    case survive(NodeID, kept: [NodeID], without: [NodeID])
  }
  /// Which of its slots go to another shard.
  struct Give: Hashable, Sendable {
    var slots: Range<Int>
    var heir: ShardID
    /// The shard is to have nothing left, its books neither.
    var isAll: Bool { slots.count == Slot.count }
  }
  /// Who is to lead it; nil: no matter.
  var leader: NodeID?
  /// Who is to lead it no more; nil: no matter.
  var leaving: NodeID?
  var change: Change?
  var give: Give?
  /// The voters that the map has begin the shard, each by itself: see `Founding`.
  var isFounding = false
  /// See `Operation.expects`.
  var version: UInt64 = 0
}

extension OperationPlan {
  static var kind: Operation.Kind { Operation.Kind(rawValue: number) }
  static var isAlone: Bool { false }
  static var makesShard: Bool { false }
  static var hasChildren: Bool { false }
  func holds(at step: UInt32) -> [ShardID] { holds }
  func progress(_ view: OperationView) -> (share: Double, bytes: UInt64) {
    (Double(view.record.step) / Double(max(1, steps(in: view.topology).count)), 0)
  }
  static func begin(_ request: Request, about shard: ShardID, _ owner: EdgeItem.Owner, at desk: RequestDesk) {}
  static func begin(_ request: Request, about node: NodeID, _ owner: EdgeItem.Owner, at desk: RequestDesk) {}
  var heldNode: NodeID? { nil }
  func takesOver(from other: Operation) -> Bool { false }
  func commence(_ record: Operation, _ topology: inout Topology) {}
  func conclude(_ topology: inout Topology) {}
  func abandon(_ record: Operation, _ topology: inout Topology) {}
  func order(to shard: ShardID, by record: Operation) -> ShardOrder { ShardOrder() }
  func mayBeCancelled(_ record: Operation) -> Bool { true }
}

extension Operation.Kind {
  /// One line a kind.
  static let plans: [any OperationPlan.Type] = [
    ShardLeader.self,
    ShardMove.self,
    ShardSplit.self,
    ShardMerge.self,
    NodeDrain.self,
    NodeUndrain.self,
    NodeRemove.self,
    Rebalance.self,
    UpgradeFinish.self,
    UnsafeRecovery.self,
    BackupSave.self,
    BackupProof.self,
  ]
  /// Nil: this build does not know it.
  init?(number: UInt16) {
    guard Self.plans.contains(where: { $0.number == number }) else { return nil }
    self.init(rawValue: number)
  }
  /// The kind that is asked for of a shard by a word, as `LEADER`.
  static func ofShard(_ word: String) -> (any OperationPlan.Type)? {
    plans.first { $0.word == "shard-" + word.lowercased() }
  }
  /// The kind that is asked for of a node, as `DRAIN`. A node that is replaced is removed.
  static func ofNode(_ word: String) -> (any OperationPlan.Type)? {
    let word = word == "REPLACE" ? "REMOVE" : word
    return plans.first { $0.word == "node-" + word.lowercased() }
  }
  var plan: (any OperationPlan.Type)? { Self.plans.first { $0.number == rawValue } }
  func plan(_ params: [UInt8]) throws(MalformedBytes) -> any OperationPlan {
    guard let plan else { throw MalformedBytes("an operation of an unknown kind") }
    let read: Result<any OperationPlan, MalformedBytes> = params.withUnsafeBytes { bytes in
      var reader = ByteReader(bytes)
      do throws(MalformedBytes) { return .success(try plan.init(decoding: &reader)) } catch { return .failure(error) }
    }
    return try read.get()
  }
}
extension Operation {
  /// Nil: a newer build wrote it otherwise.
  var plan: (any OperationPlan)? { try? kind.plan(params) }
}

/// All that an operation's next step is decided by.
struct OperationView: Sendable {
  /// What a shard's leader has last said of itself.
  struct ShardReport: Hashable, Sendable {
    /// `none`: nobody leads it, as far as is known.
    var leader = NodeID.none
    var term = Term(0)
    /// It has taken over, and answers.
    var isServed = false
    /// Of late; nil: it has told nothing for a while.
    var group: GroupReport?
  }
  var record: Operation
  var topology: Topology
  /// By the clock of the directory's leader.
  var now: Stamp
  /// Of the shards that the operation holds.
  var shards: [ShardID: ShardReport] = [:]
  /// Nodes that are in reach of the directory's leader.
  var reachable: Set<NodeID> = []
  /// By node: what it leads, as far as is known.
  var leads: [NodeID: [ShardID]] = [:]
  /// By node: an operation that moves a replica there.
  var incoming: [NodeID: UInt64] = [:]
  /// Which moves still copy.
  var copies = CopyLoad()
  /// By shard: the operation that it belongs to.
  var holders: [ShardID: UInt64] = [:]
  /// Operations that this one has begun, in the order of their numbers.
  var children: [Operation] = []
  /// The other operations that are under way.
  var others: [UInt64] = []
  /// By node in reach: the newest semantics that its build knows.
  var knows: [NodeID: UInt8] = [:]
  /// As the group has them.
  var directoryVoters: [NodeID] = []
  /// For how long no learner was seen to get on (µs); 0 where this leader has not watched it yet.
  var idle: UInt64 = 0
  /// By learner: for how long it has been near (µs), on end.
  var near: [NodeID: UInt64] = [:]
  /// What leaders have told of all groups, held by an operation or not.
  var groups = GroupTable()
  /// By node: bytes that may still be written there, as far as is known.
  var room: [NodeID: UInt64] = [:]
  var limits = ClusterLimits()
  /// By operation under way: how far it was a heartbeat ago.
  var progress: [UInt64: OperationProgress] = [:]

  /// For how long it has been under way (µs).
  var age: Int64 { now.microseconds - record.started.microseconds }
  func shard(_ shard: ShardID) -> ShardReport { shards[shard] ?? ShardReport() }
  /// Whether a shard, held or not, is led, as far as is known.
  func isLed(_ shard: ShardID) -> Bool { leads.values.contains { $0.contains(shard) } }
  func name(of node: NodeID) -> String { topology.name(of: node) }

  /// What is to come of the record: of one whose shard another operation has ended, nothing.
  func next(of plan: any OperationPlan) -> OperationAction {
    let ended = record.holds.first { topology.isOver($0) }
    return ended.map { .fail("shard \($0.rawValue) is no more") } ?? plan.next(self)
  }
}

/// Which nodes copies of replicas are on their way between: to one node goes one at a time, and from one, if it is there, two. A
/// newcomer that has caught up counts no more, though it is not exchanged yet.
struct CopyLoad: Hashable, Sendable {
  private var receiving: Set<NodeID> = []
  private var sending: [NodeID: Int] = [:]
  static let mostSent = 2

  mutating func add(_ move: ShardMove) {
    receiving.insert(move.to)
    sending[move.from, default: 0] += 1
  }
  /// - Parameter isThere: a node that is lost sends nothing: others do, which are many.
  func hasRoom(for move: ShardMove, isThere: Bool) -> Bool {
    !receiving.contains(move.to) && (!isThere || sending[move.from] ?? 0 < CopyLoad.mostSent)
  }
}

/// What is to come of an operation's record.
enum OperationAction: Hashable, Sendable {
  /// It is under way, with so many steps behind it; the next goes on from that version of the group's configuration.
  case run(step: UInt32, expects: UInt64 = 0)
  /// Another operation is to begin for it.
  case begin(OperationChild, step: UInt32)
  /// Something is in the way.
  case wait(String)
  case done(String)
  case fail(String)
  /// It is not wanted any more.
  case cancel(String)

  /// What is to be logged; nil: the record says so already.
  func change(of record: Operation) -> OperationChange? {
    switch self {
    case .begin(_, let step): return OperationAction.run(step: step).change(of: record)
    case .run(let step, let expects):
      if record.state == .running, record.step == step, record.expects == expects { return nil }
      return OperationChange(record, .running, step: step, expects: expects, "")
    case .wait(let reason):
      if record.state == .waiting, record.text == reason { return nil }
      return OperationChange(record, .waiting, step: record.step, reason)
    case .done(let text): return OperationChange(record, .done, step: record.step, text)
    case .fail(let reason): return OperationChange(record, .failed, step: record.step, reason)
    case .cancel(let reason): return OperationChange(record, .cancelled, step: record.step, reason)
    }
  }
}

/// An operation that another begins.
struct OperationChild: Hashable, Sendable {
  var kind: UInt16
  var params: [UInt8]

  init<Plan: OperationPlan>(_ plan: Plan) {
    kind = Plan.number
    var buffer = ByteBuffer(capacity: 64)
    plan.encode(into: &buffer)
    params = buffer.array
  }
  func isBegun(by record: Operation) -> Bool { record.kind.rawValue == kind && record.params == params }
}
extension Operation {
  /// Whose doing those are that it begins.
  var name: String { "operation \(number)" }
}

extension Topology {
  func placement(of shard: ShardID) -> ShardPlacement? { shards.first { $0.shard == shard } }
  func name(of node: NodeID) -> String { self.node(node)?.name ?? (node == .none ? "none" : node.hex) }
}
