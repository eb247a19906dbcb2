import Base
import Raft

/// Whether all is well, and what the operator is told unasked.
extension StatusDesk {
  /// More of one kind are counted and not named.
  private static let namedReasons = 8

  /// Once a second.
  func watch(_ health: HealthDesk, _ standing: Standing, _ leaders: some KnowsLeaders) {
    watchForLeaders()
    watchRetention()
    judge(health)
    watchMaps()
    watchHealth(standing, leaders)
  }

  /// Once a second, and when somebody asks.
  func watchHealth(_ standing: Standing, _ leaders: some KnowsLeaders) {
    health.note(reasonsNotHealthy(standing, leaders), now: now.wall)
  }

  /// Empty if this node finds nothing wrong.
  private func reasonsNotHealthy(_ standing: Standing, _ leaders: some KnowsLeaders) -> [String] {
    guard membership.cluster != 0 else {
      return [
        peers.nodeInCluster == nil ? "there is no cluster yet (tally init)" : "this node has not joined the cluster yet"
      ]
    }
    var reasons: [String] = []
    let nodes = membership.topology?.nodes.filter { $0.state != .removed } ?? []
    if !standing.hasBegun { reasons.append("this node has not begun with the cluster yet") }
    if !standing.isSeated {
      reasons.append("this node is starting: a majority of the directory's voters has yet to agree that it is the node")
    }
    reasons += StatusDesk.named(
      nodes.filter { !peers.isUp($0.id, now: now) }.map { "\($0.name) is down" }, "nodes are down")
    let strangers = nodes.filter {
      peers.isUp($0.id, now: now) && $0.id != peers.id && peers[$0.id]?.cluster != membership.cluster
    }
    reasons += StatusDesk.named(
      strangers.map { "\($0.name) has not begun with the cluster yet" }, "nodes have not begun")
    reasons += reasonsOfShards(leaders)
    let alarmed = peers.filter(\.isConnectedOrSelf).map { (name: $0.hello.name, alarms: $0.ailments) }
    reasons += StatusDesk.named(
      alarmed.filter { !$0.alarms.isEmpty }.map { "\($0.name) has the alarm \(Alarm.list($0.alarms))" },
      "nodes have alarms")
    return reasons
  }

  private func reasonsOfShards(_ leaders: some KnowsLeaders) -> [String] {
    let shards = [ShardID.directory] + (membership.topology?.shards.map(\.shard) ?? [])
    var reasons: [String] = []
    func add(_ found: [ShardID], _ what: String) {
      guard !found.isEmpty else { return }
      let names = found.prefix(StatusDesk.namedReasons).map {
        $0 == .directory ? "the directory" : "shard \($0.rawValue)"
      }
      let more = found.count > names.count ? " and \(found.count - names.count) more" : ""
      reasons.append(names.joined(separator: ", ") + more + " " + what)
    }
    add(shards.filter { !leaders.isLed($0) }, "without a leader")
    // A leader that is still applying what it found answers nothing.
    add(shards.filter { leaders.isLed($0) && !leaders.isServed($0) }, "with a leader that is taking over")
    add(replicas.divergent.sorted(), "with replicas whose digests differ")
    add(replicas.filter { $0.quarantined != nil }.map(\.shard), "quarantined on this node")
    return reasons
  }

  private static func named(_ reasons: [String], _ all: String) -> [String] {
    guard reasons.count > namedReasons else { return reasons }
    return Array(reasons.prefix(namedReasons)) + ["\(reasons.count) \(all) in all"]
  }

  // MARK: Alarms

  /// Once a second: a repeat that comes late may be carried out again, and nobody would notice.
  func watchRetention() {
    guard replicas.isForgettingEarly else {
      if retentionTold != nil { log(.info, "request ids are kept for their time again") }
      retentionTold = nil
      return
    }
    guard retentionTold.map({ now.monotonic - $0 >= Alarm.interval }) ?? true else { return }
    retentionTold = now.monotonic
    let full = replicas.filter { $0.machine.isForgettingEarly }.map(\.shard)
    for alarm in StatusDesk.retentionAlarms(of: full) { log(.error, alarm) }
  }
  /// - Parameter full: those that have no room for more request ids.
  static func retentionAlarms(of full: [ShardID]) -> [String] {
    func alarm(_ who: String, _ what: String, _ advice: String) -> String {
      "alarm=RETENTION \(who) has as many request ids\(what) as it may keep: those older than a day are forgotten before"
        + " their time, and while there are none, requests are answered BUSY; a repeat of a forgotten one would be carried"
        + " out again; \(advice)"
    }
    var alarms: [String] = []
    let shards = full.filter { $0 != .directory }.map { "\($0.rawValue)" }
    if !shards.isEmpty {
      alarms.append(
        alarm("shard=\(shards.joined(separator: ","))", "", "send fewer, or make a cluster of more shards"))
    }
    if full.contains(.directory) {
      alarms.append(
        alarm("the directory", " of changes to programs and merchants", "make fewer changes that carry an id="))
    }
    return alarms
  }

  /// A shard without a leader for so long halts loudly, and says so again and again.
  static let leaderlessAlarm: UInt64 = 10_000_000

  /// Once a second.
  func watchForLeaders() {
    for replica in replicas {
      let isLeaderless = replica.leader == .none && !replica.raft.configuration.voters.isEmpty
      guard replica.leadership.note(isLeaderless: isLeaderless, for: StatusDesk.leaderlessAlarm, now: now.monotonic)
      else { continue }
      let voters = replica.raft.configuration.voters.map(\.node)
      let near = voters.filter { peers[$0]?.isConnectedOrSelf == true }
      let shard = replica.shard == .directory ? "the directory" : "shard=\(replica.shard.rawValue)"
      log(
        .warning,
        "\(shard) has had no leader for \(StatusDesk.leaderlessAlarm / 1_000_000) s and takes nothing:"
          + " \(near.count) of its \(voters.count) voters are in reach, \(voters.count / 2 + 1) are needed;"
          + " start those that are down ('tally shards' names them), or look at their logs and at the network")
    }
  }
}
