import Base
import Raft

/// What is wrong with a cluster, as one of its nodes knows: facts in, findings out.
struct ClusterCheck {
  struct Finding: Hashable {
    enum Kind: String {
      /// Slots that no shard owns, or two.
      case slots
      case down
      case alarm
      case leaderless
      case underReplicated = "under-replicated"
      /// A rule of placement is broken.
      case misplaced
      /// Nodes go by another map.
      case map
      /// Replicas are not, or are not known to be, in the same state.
      case digest
      /// Something is in the way of an operation.
      case waiting
      /// An operation is under way: nothing is wrong.
      case operation
    }
    var kind: Kind
    var shard: ShardID?
    var node: String?
    var text: String
  }
  /// Which map a node goes by.
  struct Map: Hashable {
    var node: NodeID
    var version: UInt64
    var digest: UInt64
  }
  /// What became of the comparison of a shard's replicas.
  enum Digest: Hashable {
    /// All voters were in the same state at one index.
    case equal
    case differ
    /// Not all of them told in time.
    case open
    /// Nothing was asked: it has no leader, or that did not answer.
    case unasked
  }

  var topology: Topology
  var up: Set<NodeID> = []
  /// By node: its alarms.
  var alarms: [NodeID: [String]] = [:]
  /// Who leads; a shard without a leader is not here. Of the directory too.
  var leaders: [ShardID: NodeID] = [:]
  /// Of nodes in reach; those who have known another for a moment only are left out.
  var maps: [Map] = []
  var operations: [Operation] = []
  var digests: [ShardID: Digest] = [:]

  /// Nothing is wrong: there are only operations under way.
  static func isFine(_ findings: [Finding]) -> Bool { findings.allSatisfy { $0.kind == .operation } }

  var findings: [Finding] {
    slots + nodes + topology.shards.flatMap { shard($0) } + directory + misplaced + disagreements + underWay
  }

  private var slots: [Finding] {
    var owners = [UInt8](repeating: 0, count: Slot.count)
    for placement in topology.shards {
      for range in placement.slots.ranges { for slot in range { owners[slot] = min(2, owners[slot] + 1) } }
    }
    return [(UInt8(0), "no shard owns"), (2, "two shards own")].compactMap { count, what in
      let found = owners.indices.filter { owners[$0] == count }
      guard let first = found.first else { return nil }
      return Finding(kind: .slots, text: "\(what) \(found.count) slots, the first is \(first)")
    }
  }
  private var nodes: [Finding] {
    topology.nodes.filter { $0.state != .removed }.flatMap { record -> [Finding] in
      guard up.contains(record.id) else { return [Finding(kind: .down, node: record.name, text: "it is not in reach")] }
      guard let alarms = alarms[record.id], !alarms.isEmpty else { return [] }
      return [Finding(kind: .alarm, node: record.name, text: alarms.joined(separator: ", "))]
    }
  }
  private func shard(_ placement: ShardPlacement) -> [Finding] {
    let shard = placement.shard
    var found: [Finding] = []
    if leaders[shard] == nil {
      found.append(Finding(kind: .leaderless, shard: shard, text: "it has no leader that serves"))
    }
    let wanted = topology.shards.map(\.voters.count).max() ?? 0
    let lost = placement.voters.filter { !up.contains($0) }
    for node in lost {
      found.append(
        Finding(
          kind: .underReplicated, shard: shard, node: topology.name(of: node),
          text: "\(placement.voters.count - lost.count) of its \(wanted) voters are up"))
    }
    if lost.isEmpty, placement.voters.count < wanted {
      found.append(
        Finding(kind: .underReplicated, shard: shard, text: "it has \(placement.voters.count) of \(wanted) voters"))
    }
    switch digests[shard] {
    case .differ: found.append(Finding(kind: .digest, shard: shard, text: "its replicas are not in the same state"))
    // A voter that is down says nothing.
    case .open where lost.isEmpty:
      found.append(
        Finding(
          kind: .digest, shard: shard, text: "not all of its replicas told their digest in time: one may be behind"))
    case .unasked: found.append(Finding(kind: .digest, shard: shard, text: "its replicas could not be compared"))
    case .equal, .open, nil: break
    }
    return found
  }
  private var directory: [Finding] {
    leaders[.directory] == nil
      ? [Finding(kind: .leaderless, shard: .directory, text: "the directory has no leader")] : []
  }
  private var misplaced: [Finding] {
    topology.rules.breaches(in: topology) { leaders[$0.shard] }.map {
      Finding(
        kind: .misplaced, shard: $0.shard, node: $0.node == .none ? nil : topology.name(of: $0.node), text: $0.text)
    }
  }
  private var disagreements: [Finding] {
    guard let newest = maps.max(by: { ($0.version, $0.node) < ($1.version, $1.node) }) else { return [] }
    return maps.compactMap { map in
      guard map.version != newest.version || map.digest != newest.digest else { return nil }
      let name = topology.name(of: map.node)
      guard map.version == newest.version else {
        return Finding(
          kind: .map, node: name,
          text: "it goes by version \(map.version) of the map, and \(newest.version) is the newest")
      }
      return Finding(
        kind: .map, node: name,
        text: "its version \(map.version) of the map is another than that of \(topology.name(of: newest.node))")
    }
  }
  private var underWay: [Finding] {
    operations.map { operation in
      let what = "operation \(operation.number), \(operation.plan.map { type(of: $0).word } ?? "unknown"),"
      guard operation.state == .waiting, !operation.text.isEmpty else {
        return Finding(kind: .operation, text: "\(what) is under way")
      }
      return Finding(kind: .waiting, text: "\(what) waits: \(operation.text)")
    }
  }
}
