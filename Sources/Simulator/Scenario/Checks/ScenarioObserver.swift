import Base
import Cluster

/// Watches every replica of a scenario, and complains of the first thing that must never be:
/// two leaders of a term, a leader without a committed entry, two entries at one place, two states after one entry, a
/// state that is broken in itself.
final class ScenarioObserver: ReplicaObserver {
  /// An entry as whoever applied it first had it.
  private struct Committed {
    var term: UInt64
    var content: UInt64
    var digest: (UInt64, UInt64)?
    /// The term of the replica that applied it: it was committed in that term or before.
    var knownIn: UInt64
    var by: NodeID
  }
  /// By shard, then by index: of each shard up to the newest entry that was applied anywhere, and no further.
  private var committed: [[Committed?]] = []
  private var leaders: [LeaderKey: NodeID] = [:]
  private struct LeaderKey: Hashable {
    var shard: ShardID
    var term: Term
  }
  /// The newest entry of commands that was applied anywhere, by shard, and its stamp.
  private var newest: [ShardID: (index: LogIndex, stamp: Int64)] = [:]
  /// How far each leader knew its log to be committed when it began.
  private var commitAtBegin: [LeaderKey: LogIndex] = [:]
  /// The newest entry that each replica said it has on disk.
  private var acknowledged: [ReplicaKey: (term: Term, index: LogIndex)] = [:]
  private struct ReplicaKey: Hashable {
    var shard: ShardID
    var node: NodeID
    var born: UInt64
    init(_ replica: ReplicaView) {
      (shard, node, born) = (replica.shard, replica.node, replica.born)
    }
  }
  /// Whether a node's disk has lost writes without a trace.
  var mayForget: (NodeID) -> Bool = { _ in false }
  /// How much had been applied anywhere when queries began to wait.
  private var reads: [ReadKey: Int] = [:]
  private struct ReadKey: Hashable {
    var shard: ShardID
    var node: NodeID
    var round: UInt64
  }
  /// By shard: which slots it owns since its newest epoch, as whoever has applied most has it.
  private var owned: [ShardID: (epoch: UInt64, ranges: SlotRanges)] = [:]
  /// What replicas wrote into their journals.
  private(set) var journals = JournalCopies()
  private(set) var appliedCount = 0
  private(set) var leaderships = 0
  /// A state is checked with all its past after so many entries, over all replicas, and without it after each.
  private static let checkInterval = 257
  /// Clocks that are believed are no more than half a second apart, and stamps a second ahead of them (µs).
  private static let stampLimit: Int64 = 2_000_000
  /// The time, in microseconds since 1970.
  var present: () -> Int64 = { .max / 2 }
  /// Whether a process dies of that entry.
  var dies: (_ shard: ShardID, _ index: LogIndex, _ node: NodeID) -> Bool = { _, _, _ in false }
  /// Whether a node belongs to a cluster, as far as its process knows.
  var isInCluster: (NodeID) -> Bool = { _ in true }
  /// Nodes that have applied the directory's first entries.
  private var founders: Set<NodeID> = []
  /// Hears what is wrong.
  var violationFound: (String) -> Void = { _ in }

  func traps(at entry: LogEntry, _ replica: ReplicaView) -> Bool { dies(replica.shard, entry.index, replica.node) }

  func applied(_ entry: LogEntry, _ replica: ReplicaView) {
    appliedCount += 1
    journals.note(replica)
    if let reason = replica.quarantined {
      return violationFound("shard \(replica.shard.rawValue) is quarantined: \(reason)")
    }
    let content = entry.payload.withUnsafeBytes { xxh64($0, seed: UInt64(entry.kind.rawValue)) }
    let digest = replica.digest
    let index = Int(entry.index.rawValue)
    if replica.shard == .directory, index <= 2 { noteFounder(replica.node, content, at: index) }
    if let known = look(replica.shard, index) {
      if known.term != entry.term.rawValue || known.content != content {
        violationFound(
          "shard \(replica.shard.rawValue) index \(index): \(known.by.rawValue) applied an entry of term \(known.term),"
            + " \(replica.node.rawValue) another of term \(entry.term.rawValue)")
      }
      compare(known, digest, replica, index)
    } else {
      note(
        Committed(
          term: entry.term.rawValue, content: content, digest: digest, knownIn: replica.term.rawValue, by: replica.node),
        replica.shard, index)
    }
    checkStamp(entry, replica)
    if replica.shard != .directory { checkOwner(replica) }
    if replica.isLeader { checkCommit(replica) }
    check(replica, whole: appliedCount % ScenarioObserver.checkInterval == 0)
  }

  /// A node begins with a cluster before that is on its disk, and tells nobody until it is. One that dies in between has
  /// never been in it: if nobody else has begun either, it may begin with another.
  private func noteFounder(_ node: NodeID, _ content: UInt64, at index: Int) {
    if let known = look(.directory, index), known.content != content,
      founders.allSatisfy({ $0 == node || !isInCluster($0) })
    {
      committed = []
      journals.forget()
      newest = [:]
      commitAtBegin = [:]
      acknowledged = [:]
      leaders = [:]
      owned = [:]
      founders = []
    }
    founders.insert(node)
  }

  /// What was decided later is stamped later, whoever led.
  private func checkStamp(_ entry: LogEntry, _ replica: ReplicaView) {
    guard let stamp = ReplicaView.stamp(of: entry) else { return }
    if let known = newest[replica.shard] {
      guard entry.index > known.index else { return }
      if stamp <= known.stamp {
        violationFound(
          "shard \(replica.shard.rawValue): entry \(entry.index.rawValue) is stamped \(known.stamp - stamp) µs before"
            + " entry \(known.index.rawValue)")
      }
    }
    newest[replica.shard] = (entry.index, stamp)
    if stamp > present() + ScenarioObserver.stampLimit {
      violationFound(
        "shard \(replica.shard.rawValue): entry \(entry.index.rawValue) is stamped \((stamp - present()) / 1000) ms ahead"
          + " of the time")
    }
  }

  /// A slot has one owner, as committed entries have it.
  private func checkOwner(_ replica: ReplicaView) {
    let own = replica.slots
    // Before the first entry nothing is known.
    guard own.epoch > 0 else { return }
    if let known = owned[replica.shard], known.epoch >= own.epoch { return }
    owned[replica.shard] = own
    for (shard, other) in owned.sorted(by: { $0.key < $1.key }) where shard != replica.shard {
      guard own.ranges.ranges.contains(where: { a in other.ranges.ranges.contains { a.overlaps($0) } }) else {
        continue
      }
      violationFound(
        "shards \(replica.shard.rawValue) (\(own.ranges), epoch \(own.epoch)) and \(shard.rawValue) (\(other.ranges), epoch"
          + " \(other.epoch)) own the same slots")
    }
  }

  /// Raft §5.4.2: a leader counts copies of entries of its own term alone.
  private func checkCommit(_ replica: ReplicaView) {
    guard let begin = commitAtBegin[LeaderKey(shard: replica.shard, term: replica.term)], replica.commitIndex > begin,
      let term = replica.term(at: replica.commitIndex), term != replica.term
    else { return }
    violationFound(
      "shard \(replica.shard.rawValue): the leader of term \(replica.term.rawValue) commits"
        + " \(replica.commitIndex.rawValue), an entry of term \(term.rawValue)")
  }

  func restored(_ replica: ReplicaView) {
    let index = Int(replica.appliedIndex.rawValue)
    guard let known = look(replica.shard, index) else { return }
    if let term = replica.term(at: replica.appliedIndex), term.rawValue != known.term {
      violationFound(
        "shard \(replica.shard.rawValue) index \(index): a snapshot says term \(term.rawValue), not \(known.term)")
    }
    compare(known, replica.digest, replica, index)
  }

  func leads(_ replica: ReplicaView) {
    leaderships += 1
    let key = LeaderKey(shard: replica.shard, term: replica.term)
    if let other = leaders[key], other != replica.node {
      violationFound(
        "shard \(key.shard.rawValue) term \(key.term.rawValue) has two leaders: \(other.rawValue), \(replica.node.rawValue)"
      )
    }
    leaders[key] = replica.node
    commitAtBegin[key] = replica.commitIndex
    // Raft §5.2: what it voted is not forgotten with its power.
    if !replica.isStateStable { violationFound("shard \(key.shard.rawValue): a leader's own vote is not on disk") }
    // Raft §5.4: whatever was committed in earlier terms is in its log. What matches there matches before it too.
    let known = entries(of: replica.shard)
    guard
      let newest = known.indices.last(where: { known[$0].map { $0.knownIn < key.term.rawValue } == true }),
      let entry = known[newest]
    else { return }
    let has = replica.term(at: LogIndex(UInt64(newest)))?.rawValue
    if replica.lastIndex.rawValue < UInt64(newest) || (has != nil && has != entry.term) {
      violationFound(
        "shard \(key.shard.rawValue): the leader of term \(key.term.rawValue) lacks entry \(newest), committed in term"
          + " \(entry.knownIn) or before")
    }
  }

  func votes(_ replica: ReplicaView) {
    if !replica.isStateStable {
      violationFound(
        "shard \(replica.shard.rawValue): \(replica.node.rawValue) gives a vote, or asks for one, that is not on disk")
    }
  }

  func acknowledges(_ replica: ReplicaView, through index: LogIndex) {
    guard let term = replica.term(at: index) else { return }
    let key = ReplicaKey(replica)
    if let known = acknowledged[key], (known.term, known.index) >= (term, index) { return }
    acknowledged[key] = (term, index)
  }
  /// What it acknowledged and others committed is there, or it knows that it is not.
  func starts(_ replica: ReplicaView) {
    guard let known = acknowledged[ReplicaKey(replica)],
      look(replica.shard, Int(known.index.rawValue))?.term == known.term.rawValue,
      replica.lastIndex < known.index, !replica.isBad, !mayForget(replica.node)
    else { return }
    violationFound(
      "shard \(replica.shard.rawValue): \(replica.node.rawValue) starts with a log up to \(replica.lastIndex.rawValue),"
        + " as if it were whole, and had acknowledged \(known.index.rawValue)")
  }

  func readBegins(_ replica: ReplicaView, round: UInt64) {
    let key = ReadKey(shard: replica.shard, node: replica.node, round: round)
    reads[key] = entries(of: replica.shard).count - 1
  }
  /// Thesis §6.4: a read sees all that anybody can have been told of before it was asked.
  func readEnds(_ replica: ReplicaView, round: UInt64) {
    let key = ReadKey(shard: replica.shard, node: replica.node, round: round)
    guard let known = reads.removeValue(forKey: key), Int(replica.appliedIndex.rawValue) < known else { return }
    violationFound(
      "shard \(key.shard.rawValue): \(key.node.rawValue) answers a read from entry \(replica.appliedIndex.rawValue),"
        + " though \(known) was committed before")
  }

  /// Its state, with all transactions ever or not, which takes time in proportion.
  func check(_ replica: ReplicaView, whole: Bool = true) {
    do {
      if whole { try replica.checkInvariants() } else { try replica.checkBalances() }
    } catch {
      violationFound("shard \(replica.shard.rawValue) at \(replica.node.rawValue): \(error)")
    }
  }

  /// Logs match: where two have an entry of one index and term, they are the same up to there.
  func checkLogs(_ replicas: [ReplicaView]) {
    for (i, a) in replicas.enumerated() {
      for b in replicas[(i + 1)...] where a.shard == b.shard {
        let low = max(a.firstIndex.rawValue, b.firstIndex.rawValue)
        var index = min(a.lastIndex.rawValue, b.lastIndex.rawValue)
        guard index >= low, index > 0 else { continue }
        let last = max(low, index > 200 ? index - 200 : 1)
        var matched = false
        while index >= last {
          let same = a.term(at: LogIndex(index)) == b.term(at: LogIndex(index))
          if matched && !same {
            violationFound("shard \(a.shard.rawValue): logs match at an entry, and not at \(index) before it")
            return
          }
          matched = matched || same
          index -= 1
        }
      }
    }
  }

  private func entries(of shard: ShardID) -> [Committed?] {
    Int(shard.rawValue) < committed.count ? committed[Int(shard.rawValue)] : []
  }
  /// Looks, and no more: who asks for an entry need not know that it was committed.
  private func look(_ shard: ShardID, _ index: Int) -> Committed? {
    guard Int(shard.rawValue) < committed.count, index < committed[Int(shard.rawValue)].count else { return nil }
    return committed[Int(shard.rawValue)][index]
  }
  private func note(_ entry: Committed, _ shard: ShardID, _ index: Int) {
    while committed.count <= Int(shard.rawValue) { committed.append([]) }
    let missing = index + 1 - committed[Int(shard.rawValue)].count
    if missing > 0 { committed[Int(shard.rawValue)].append(contentsOf: repeatElement(nil, count: missing)) }
    committed[Int(shard.rawValue)][index] = entry
  }
  private func compare(_ known: Committed, _ digest: (UInt64, UInt64)?, _ replica: ReplicaView, _ index: Int) {
    guard let digest, let other = known.digest, digest != other else { return }
    violationFound(
      "shard \(replica.shard.rawValue) index \(index): the state at \(replica.node.rawValue) is not that at"
        + " \(known.by.rawValue)")
  }
}
