import Base
import Raft

/// What an operator must look at, in words of capitals.
extension Node {
  /// Whether a replica here may lack what it acknowledged, or has come to another state than the others.
  var isCorrupt: Bool {
    let isAnyReplicaCorrupt = replicas.contains { replica in
      replica.map { $0.raft.isDamaged || $0.raft.isFenced || $0.quarantined != nil } ?? false
    }
    return isAnyReplicaCorrupt || !rottenJournals.isEmpty || me.fence != 0
  }

  /// Whether a replica here has no room for more request ids.
  var isForgettingEarly: Bool { replicas.contains { $0?.machine.isForgettingEarly == true } }

  /// Once a second: a repeat that comes late may be carried out again, and nobody would notice.
  func watchRetention() {
    guard isForgettingEarly else {
      if retentionTold != nil { log(.info, "request ids are kept for their time again") }
      retentionTold = nil
      return
    }
    guard retentionTold.map({ now.monotonic - $0 >= Node.alarmInterval }) ?? true else { return }
    retentionTold = now.monotonic
    let full = replicas.compactMap { $0 }.filter { $0.machine.isForgettingEarly }.map(\.shard)
    for alarm in Node.retentionAlarms(of: full) { log(.error, alarm) }
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
      guard let replica else { continue }
      guard replica.leader == .none, !replica.raft.configuration.voters.isEmpty else {
        replica.leaderlessSince = nil
        continue
      }
      let since = replica.leaderlessSince ?? now.monotonic
      replica.leaderlessSince = since
      guard now.monotonic - since >= Node.leaderlessAlarm else { continue }
      replica.leaderlessSince = now.monotonic
      let voters = replica.raft.configuration.voters.map(\.node)
      let near = voters.filter { peer($0)?.isConnectedOrSelf == true }
      let shard = replica.shard == .directory ? "the directory" : "shard=\(replica.shard.rawValue)"
      log(
        .warning,
        "\(shard) has had no leader for \(Node.leaderlessAlarm / 1_000_000) s and takes nothing:"
          + " \(near.count) of its \(voters.count) voters are in reach, \(voters.count / 2 + 1) are needed;"
          + " start those that are down ('tally shards' names them), or look at their logs and at the network")
    }
  }

  /// What is wrong with a node, as far as it has told; sorted.
  func alarms(of peer: Peer) -> [String] {
    let isSelf = peer.index == 0
    let disk = isSelf ? ownDisk : peer.disk
    let found = [
      ("CLOCK", isSelf ? clock.isOff : peer.clock.isOff), ("CORRUPT", isSelf ? isCorrupt : peer.isCorrupt),
      ("NOFILES", disk.lacksDescriptors), ("NOMEM", (isSelf ? memory.level : peer.memory) >= .near),
      ("NOSPACE", disk.isFull), ("POISON", !poisons(of: peer).isEmpty),
      ("RETENTION", isSelf ? isForgettingEarly : peer.isForgettingEarly),
      ("SLOWDISK", disk.isSlow),
    ]
    return found.filter(\.1).map(\.0)
  }
  /// Of all nodes in reach.
  var alarms: [String] {
    var all: Set<String> = []
    for peer in peers where peer.isConnectedOrSelf { all.formUnion(alarms(of: peer)) }
    return all.sorted()
  }
  static func list(_ alarms: [String]) -> String { alarms.isEmpty ? "none" : alarms.joined(separator: ",") }
}
