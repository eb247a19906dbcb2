import Base
import Protocol
import Raft
import Vocabulary

/// `CLUSTER UPGRADE FINISH`: all nodes run a build that knows newer semantics, and from now on entries go by them and files are
/// written in their formats. There is no way back to the older build after it.
struct UpgradeFinish: OperationPlan, Hashable {
  /// What is to begin: the newest that the node which was asked knows.
  var semantics: UInt8

  static let number: UInt16 = 8
  static let word = "upgrade-finish"
  /// Two would wait for each other.
  static let isAlone = true
  static func keys(of word: String) -> [Key] { [] }

  init(semantics: UInt8) { self.semantics = semantics }
  func encode(into buffer: inout ByteBuffer) {
    buffer.append(field: 1, zigzag: Int64(semantics))
    buffer.appendEndOfFields()
  }
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    var semantics: UInt8 = 0
    try reader.readFields(of: "the end of an upgrade") { number, value throws(MalformedBytes) in
      guard number == 1 else { return false }
      semantics = try value.readSmall()
      return true
    }
    self.semantics = semantics
  }

  func target(in topology: Topology?) -> String { "semantics \(semantics)" }
  func steps(in topology: Topology?) -> [String] { ["see that all nodes know them"] }
  var holds: [ShardID] { [] }
  func refusal(in topology: Topology) -> String? { nil }
  /// Other operations end by the rules by which they began.
  func next(_ view: OperationView) -> OperationAction {
    guard semantics > view.topology.semantics else {
      return .done("semantics \(view.topology.semantics) may begin already")
    }
    guard view.others.isEmpty else {
      return .wait("operation \(view.others[0]) is under way (tally op wait \(view.others[0]))")
    }
    if let reason = UpgradeFinish.lacking(semantics, view.topology, view.knows) { return .wait(reason) }
    return .done("semantics \(semantics) from now on")
  }
  func conclude(_ topology: inout Topology) { topology.semantics = max(topology.semantics, semantics) }

  /// Whose build is too old, or not known; nil: all nodes know them.
  static func lacking(_ semantics: UInt8, _ topology: Topology, _ knows: [NodeID: UInt8]) -> String? {
    for node in topology.nodes where node.state != .removed {
      guard let known = knows[node.id] else { return "node \(node.name) is not in reach" }
      if known < semantics { return "node \(node.name) knows semantics \(known) only: start a newer build there" }
    }
    return nil
  }
}

extension RequestDesk {
  /// `CLUSTER UPGRADE SHOW`, `FINISH`.
  func clusterUpgrade(_ request: Request, _ owner: EdgeItem.Owner, at shards: ShardDesk) {
    guard let topology = membership.topology, let directory = shards.directory else {
      return answerError(owner, .unavailable, "this node knows no cluster yet")
    }
    let newest = shards.configuration.semantics
    switch request.positionalCount == 1 ? String(decoding: request.positional(0), as: UTF8.self).uppercased() : "" {
    case "SHOW":
      let knows = shards.knownSemantics
      answer(owner) { reply in
        let nodes = topology.nodes.filter { $0.state != .removed }
        reply.array(count: nodes.count)
        for node in nodes {
          reply.record()
          reply.field(.node, node.name)
          reply.field(.knows, knows[node.id].map { String($0) } ?? "unknown")
          reply.field(.semantics, Int64(directory.semantics))
        }
      }
    case "FINISH":
      if let reason = UpgradeFinish.lacking(newest, topology, shards.knownSemantics) {
        return answerError(owner, .conflict, reason)
      }
      if request.flag(.dryRun) { return answerPlan(owner, []) }
      begin(UpgradeFinish(semantics: newest), owner)
    default: answerError(owner, .malformed, "CLUSTER UPGRADE takes SHOW or FINISH")
    }
  }
}
