import Base
import Ledger
import Protocol

/// `CLUSTER CHECK`: replicas are compared at one index, as an audit has them report; then all that this node knows is looked at.
struct CheckUnderWay {
  var owner: EdgeItem.Owner
  /// Those that report: they have a leader.
  var shards: [ShardID]
  /// By shard: the index at which its replicas are compared. Nil until all have reported.
  var indices: [ShardID: LogIndex]?
  var deadline: UInt64 = 0

  /// So long leaders have to hear of their followers' digests (µs).
  static let patience: UInt64 = 3_000_000
}

extension RequestDesk {
  func startCheck(_ owner: EdgeItem.Owner, mostAhead: Int64) {
    guard let topology = membership.topology else { return answerError(owner, .unavailable, "there is no cluster yet") }
    let led = topology.shards.map(\.shard).filter { isServed($0) }
    let number = workflows.beginAudit(owner)
    workflows.checks[number] = CheckUnderWay(owner: owner, shards: led)
    guard !led.isEmpty else { return compare(number, [:]) }
    sendMarkers(number, mostAhead)
  }
  /// The shards have reported; or some has not, and there is nothing to compare.
  func checkReported(_ number: UInt64, _ records: [[UInt8]]?) {
    var indices: [ShardID: LogIndex] = [:]
    for record in records ?? [] {
      record.withUnsafeBytes { bytes in
        let view = RecordView(bytes)
        guard let shard = view.number(.shard), let index = view.number(.index) else { return }
        indices[ShardID(UInt32(truncatingIfNeeded: shard))] = LogIndex(UInt64(bitPattern: index))
      }
    }
    compare(number, indices)
  }
  private func compare(_ number: UInt64, _ indices: [ShardID: LogIndex]) {
    workflows.checks[number]?.indices = indices
    workflows.checks[number]?.deadline = now.monotonic + CheckUnderWay.patience
    advanceChecks()
  }

  /// With each tick: those that are over are answered.
  func advanceChecks() {
    for (number, check) in workflows.checks.sorted(by: { $0.key < $1.key }) {
      guard let indices = check.indices else { continue }
      let digests = digests(at: indices)
      guard now.monotonic >= check.deadline || !digests.values.contains(.open) else { continue }
      workflows.checks[number] = nil
      answer(check.owner, digests)
    }
  }
  private func digests(at indices: [ShardID: LogIndex]) -> [ShardID: ClusterCheck.Digest] {
    var digests: [ShardID: ClusterCheck.Digest] = [:]
    for placement in membership.topology?.shards ?? [] {
      let shard = placement.shard
      guard let index = indices[shard], let condition = peers[edge.leader(of: shard).node]?.condition else {
        digests[shard] = .unasked
        continue
      }
      let isEqual = condition.compared.contains { $0.shard == shard && $0.index >= index }
      digests[shard] = condition.divergent.contains(shard) ? .differ : isEqual ? .equal : .open
    }
    return digests
  }

  private func answer(_ owner: EdgeItem.Owner, _ digests: [ShardID: ClusterCheck.Digest]) {
    guard let topology = membership.topology else { return answerError(owner, .unavailable, "there is no cluster yet") }
    var check = ClusterCheck(topology: topology, digests: digests)
    check.operations = (replicas[.directory]?.machine as? DirectoryMachine)?.operations.open ?? []
    for placement in topology.shards where isServed(placement.shard) {
      check.leaders[placement.shard] = edge.leader(of: placement.shard).node
    }
    if isLed(.directory) { check.leaders[.directory] = edge.leader(of: .directory).node }
    for peer in peers where peers.isUp(peer.id, now: now) {
      check.up.insert(peer.id)
      check.alarms[peer.id] = peer.ailments
      if !peer.differsOfLate(from: peers.own.condition.map, now: now.monotonic), let map = peer.condition.map,
        topology.node(peer.id) != nil
      {
        check.maps.append(ClusterCheck.Map(node: peer.id, version: map.version, digest: map.digest))
      }
    }
    let findings = check.findings
    answer(owner) { reply in
      reply.array(count: findings.count + 1)
      reply.record()
      reply.field(.ok, ClusterCheck.isFine(findings) ? "yes" : "no")
      reply.field(.nodes, Int64(topology.nodes.count { $0.state != .removed }))
      reply.field(.shards, Int64(topology.shards.count))
      reply.field(.compared, Int64(digests.values.count { $0 == .equal }))
      for finding in findings {
        reply.record()
        reply.field(.kind, finding.kind.rawValue)
        if let shard = finding.shard { reply.field(.shard, Int64(shard.rawValue)) }
        if let node = finding.node { reply.field(.node, node) }
        reply.field(.text, finding.text)
      }
    }
  }
}

extension Peer {
  /// A node that goes by another map for a moment only has yet to hear of the newest.
  func differsOfLate(from own: MapMark?, now: UInt64) -> Bool {
    guard condition.map != own else { return false }
    // That it does may not have been noted yet.
    return mapDiffersSince.map { now - min(now, $0) < Peer.mapPatience } ?? true
  }
  private static let mapPatience: UInt64 = 3_000_000
}

extension StatusDesk {
  /// Once a second: since when nodes have gone by another map than this one.
  func watchMaps() {
    for peer in peers.others {
      let isSame = peer.condition.map == peers.own.condition.map
      peer.mapDiffersSince = isSame ? nil : peer.mapDiffersSince ?? now.monotonic
    }
  }
}
