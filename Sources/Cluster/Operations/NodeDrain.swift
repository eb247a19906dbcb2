import Base
import Raft
import Vocabulary

/// `CLUSTER NODE DRAIN N`: a node is to lead nothing and to be given nothing, and goes on voting, as before a maintenance. It
/// is marked as the operation begins, and hands over shard after shard.
struct NodeDrain: OperationPlan, Hashable {
  var node: NodeID
  var heldNode: NodeID? { node }

  /// What cannot be handed over for so long is named (µs).
  static let patience: Int64 = 30_000_000
  static let number: UInt16 = 3
  static let word = "node-drain"
  static func keys(of word: String) -> [Key] { [] }

  init(node: NodeID) { self.node = node }
  func encode(into buffer: inout ByteBuffer) {
    buffer.append(field: 1, zigzag: Int64(bitPattern: node.rawValue))
    buffer.appendEndOfFields()
  }
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    node = try OperationFields.node(&reader)
  }

  static func begin(_ request: Request, about node: NodeID, _ owner: EdgeItem.Owner, at desk: RequestDesk) {
    desk.begin(
      NodeDrain(node: node), request, owner, steps: desk.leads(of: node), obstacle: desk.lackOfLeaders(without: node))
  }

  func target(in topology: Topology?) -> String { "node \(topology?.name(of: node) ?? node.hex)" }
  func steps(in topology: Topology?) -> [String] { ["hand over what it leads"] }
  var holds: [ShardID] { [] }

  func refusal(in topology: Topology) -> String? {
    guard let record = topology.node(node), record.state != .removed else { return "it is not in the cluster" }
    guard record.state == .up || record.state == .draining else { return "node \(record.name) is \(record.state.word)" }
    for placement in topology.shards where placement.voters.contains(node) {
      let others = placement.voters.filter { $0 != node && topology.node($0)?.state == .up }
      guard others.isEmpty else { continue }
      return
        "shard \(placement.shard.rawValue) would have nobody to lead it: none of its \(placement.voters.count) voters but"
        + " \(record.name) is up and not draining"
    }
    return nil
  }
  func commence(_ record: Operation, _ topology: inout Topology) { topology.set(.draining, of: node, from: .up) }
  func abandon(_ record: Operation, _ topology: inout Topology) { topology.set(.up, of: node, from: .draining) }

  func next(_ view: OperationView) -> OperationAction {
    if let reason = refusal(in: view.topology) { return .fail(reason) }
    let left = view.leads[node] ?? []
    guard !left.isEmpty else {
      return .done("\(view.name(of: node)) leads nothing, took \(max(0, view.age) / 1_000) ms")
    }
    guard view.age >= NodeDrain.patience else { return .run(step: 0) }
    let names = left.prefix(8).map { String($0.rawValue) }.joined(separator: ", ")
    return .wait("\(left.count) shards have nobody else who would serve well: \(names)")
  }
}

/// `CLUSTER NODE UNDRAIN N`: it may lead and be given replicas again.
struct NodeUndrain: OperationPlan, Hashable {
  var node: NodeID
  var heldNode: NodeID? { node }

  static let number: UInt16 = 4
  static let word = "node-undrain"
  static func keys(of word: String) -> [Key] { [] }

  init(node: NodeID) { self.node = node }
  func encode(into buffer: inout ByteBuffer) { NodeDrain(node: node).encode(into: &buffer) }
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    node = try OperationFields.node(&reader)
  }
  static func begin(_ request: Request, about node: NodeID, _ owner: EdgeItem.Owner, at desk: RequestDesk) {
    desk.begin(NodeUndrain(node: node), request, owner)
  }

  func target(in topology: Topology?) -> String { "node \(topology?.name(of: node) ?? node.hex)" }
  func steps(in topology: Topology?) -> [String] { [] }
  var holds: [ShardID] { [] }
  func refusal(in topology: Topology) -> String? {
    guard let record = topology.node(node), record.state != .removed else { return "it is not in the cluster" }
    return record.state == .joining ? "node \(record.name) is joining" : nil
  }
  func commence(_ record: Operation, _ topology: inout Topology) { topology.set(.up, of: node, from: .draining) }
  func next(_ view: OperationView) -> OperationAction { .done("\(view.name(of: node)) may lead and hold shards again") }
}

enum OperationFields {
  /// Of params that name one node.
  static func node(_ reader: inout ByteReader) throws(MalformedBytes) -> NodeID {
    var node = NodeID.none
    try reader.readFields(of: "an operation on a node") { number, value throws(MalformedBytes) in
      guard number == 1 else { return false }
      node = NodeID(UInt64(bitPattern: try value.readZigzag()))
      return true
    }
    return node
  }
}

extension Topology {
  mutating func set(_ state: NodeRecord.State, of node: NodeID, from old: NodeRecord.State) {
    guard let place = nodes.firstIndex(where: { $0.id == node }), nodes[place].state == old else { return }
    nodes[place].state = state
  }
}
