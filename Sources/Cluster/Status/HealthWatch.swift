import Base
import Raft

/// Whether the cluster is healthy as one node knows it: why not, and since when that is so.
struct HealthWatch {
  /// What is wrong, in sentences for an operator; nothing in a healthy cluster.
  private(set) var reasons: [String]
  /// When it last became healthy, or ceased to be.
  private(set) var since: Stamp
  var isHealthy: Bool { reasons.isEmpty }

  /// Of a process that has just started.
  init(now: Stamp) {
    reasons = ["the node has just started"]
    since = now
  }

  mutating func note(_ found: [String], now: Stamp) {
    if found.isEmpty != reasons.isEmpty { since = now }
    reasons = found
  }
}

extension Node {
  /// More of one kind are counted and not named.
  private static let namedReasons = 8

  /// Once a second, and when somebody asks.
  func watchHealth() { health.note(reasonsNotHealthy, now: now.wall) }

  /// Empty if this node finds nothing wrong.
  private var reasonsNotHealthy: [String] {
    guard cluster != 0 else {
      return [member == nil ? "there is no cluster yet (tally init)" : "this node has not joined the cluster yet"]
    }
    var reasons: [String] = []
    let members = topology?.members.filter { $0.state != .removed } ?? []
    if !hasBegun { reasons.append("this node has not begun with the cluster yet") }
    if !seat.isTaken {
      reasons.append("this node is starting: a majority of the directory's voters has yet to agree that it is the node")
    }
    reasons += Node.named(members.filter { !isUp($0.id) }.map { "\($0.name) is down" }, "nodes are down")
    let strangers = members.filter { isUp($0.id) && $0.id != id && peer($0.id)?.cluster != cluster }
    reasons += Node.named(strangers.map { "\($0.name) has not begun with the cluster yet" }, "nodes have not begun")
    reasons += reasonsOfShards
    let alarmed = peers.filter(\.isConnectedOrSelf).map { (name: $0.hello.name, alarms: alarms(of: $0)) }
    reasons += Node.named(
      alarmed.filter { !$0.alarms.isEmpty }.map { "\($0.name) has the alarm \(Node.list($0.alarms))" },
      "nodes have alarms")
    return reasons
  }

  private var reasonsOfShards: [String] {
    let shards = [ShardID.directory] + (topology?.shards.map(\.shard) ?? [])
    var reasons: [String] = []
    func add(_ found: [ShardID], _ what: String) {
      guard !found.isEmpty else { return }
      let names = found.prefix(Node.namedReasons).map { $0 == .directory ? "the directory" : "shard \($0.rawValue)" }
      let more = found.count > names.count ? " and \(found.count - names.count) more" : ""
      reasons.append(names.joined(separator: ", ") + more + " " + what)
    }
    add(shards.filter { !isLed($0) }, "without a leader")
    // A leader that is still applying what it found answers nothing.
    add(shards.filter { isLed($0) && !isServed($0) }, "with a leader that is taking over")
    add(divergent.sorted(), "with replicas whose digests differ")
    add(replicas.compactMap { $0?.quarantined == nil ? nil : $0?.shard }, "quarantined on this node")
    return reasons
  }

  private static func named(_ reasons: [String], _ all: String) -> [String] {
    guard reasons.count > namedReasons else { return reasons }
    return Array(reasons.prefix(namedReasons)) + ["\(reasons.count) \(all) in all"]
  }
}
