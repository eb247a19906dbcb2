import Base
import Protocol
import Raft
import Vocabulary

/// What a kind of operation is: one file each, and one line of `Operation.Kind.plans`.
///
/// The directory's leader asks each operation under way for its next step, with every heartbeat, and logs what has changed. It
/// goes by what the shards' leaders report, never by having told somebody to do something: words may be lost, and a new leader
/// knows nothing but the record. What is to be done, a shard's leader reads from the record as well, which the directory's log
/// brings to every node: see `wantedLeader`.
protocol OperationPlan: Sendable {
  /// Of the params of a record.
  init(decoding reader: inout ByteReader) throws(MalformedBytes)
  func encode(into buffer: inout ByteBuffer)

  /// Its number in the directory's log, for ever.
  static var number: UInt16 { get }
  /// As `CLUSTER OP LIST` names it: the words of its command. What is asked of a shard begins with `shard-`.
  static var word: String { get }
  /// Begins one as it is asked for, says what it would do, or refuses.
  static func begin(_ request: Request, about shard: ShardID, _ owner: EdgeItem.Owner, at desk: RequestDesk)
  /// What it is about, and what it does to that.
  func target(in topology: Topology?) -> String
  /// Its steps, in order, a few words each.
  func steps(in topology: Topology?) -> [String]
  /// Shards that no other operation may have meanwhile; sorted.
  var holds: [ShardID] { get }
  /// Why it may not begin, as far as the directory knows; nil: it may.
  func refusal(in topology: Topology) -> String?
  /// What is to come of the record, from what is known now.
  func next(_ view: OperationView) -> OperationAction
  /// What the directory changes as it ends well.
  func conclude(_ topology: inout Topology)
  /// Who is to lead a shard while it is under way; nil: it has no wish.
  func wantedLeader(of shard: ShardID) -> NodeID?
}

extension OperationPlan {
  static var kind: Operation.Kind { Operation.Kind(rawValue: number) }
  func conclude(_ topology: inout Topology) {}
  func wantedLeader(of shard: ShardID) -> NodeID? { nil }
}

extension Operation.Kind {
  /// One line a kind.
  static let plans: [any OperationPlan.Type] = [
    ShardLeader.self
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
  }
  var record: Operation
  var topology: Topology
  /// By the clock of the directory's leader.
  var now: Stamp
  /// Of the shards that the operation holds.
  var shards: [ShardID: ShardReport] = [:]
  /// Nodes that are in reach of the directory's leader.
  var reachable: Set<NodeID> = []

  /// For how long it has been under way (µs).
  var age: Int64 { now.microseconds - record.started.microseconds }
  func shard(_ shard: ShardID) -> ShardReport { shards[shard] ?? ShardReport() }
  func name(of node: NodeID) -> String { topology.name(of: node) }
}

/// What is to come of an operation's record.
enum OperationAction: Hashable, Sendable {
  /// It is under way, with so many steps behind it.
  case run(step: UInt8)
  /// Something is in the way.
  case wait(String)
  case done(String)
  case fail(String)

  /// What is to be logged; nil: the record says so already.
  func change(of record: Operation) -> OperationChange? {
    switch self {
    case .run(let step):
      if record.state == .running, record.step == step { return nil }
      return OperationChange(record, .running, step: step, "")
    case .wait(let reason):
      if record.state == .waiting, record.text == reason { return nil }
      return OperationChange(record, .waiting, step: record.step, reason)
    case .done(let text): return OperationChange(record, .done, step: record.step, text)
    case .fail(let reason): return OperationChange(record, .failed, step: record.step, reason)
    }
  }
}

extension Topology {
  func placement(of shard: ShardID) -> ShardPlacement? { shards.first { $0.shard == shard } }
  func name(of node: NodeID) -> String { member(node)?.name ?? (node == .none ? "none" : node.hex) }
}
