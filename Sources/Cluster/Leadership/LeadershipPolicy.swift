import Base
import Raft

/// Who is to lead a shard, as far as one of its replicas' nodes decides it: facts in, a decision out. It is asked with each
/// tick, and decides nothing by itself: `LeadershipDesk` gathers the facts and does what is decided.
///
/// A leader goes, in this order: because nobody takes what it proposes (`future`, `clock`), which is laid down in the end if
/// nobody can take it over; because its node ends (`stopping`); because another would serve better (the disk, the memory, a
/// journal); because an operation takes the replica away (`leaving`) or wants it elsewhere (`ordered`), or the placement (`home`). A follower is only ever told that it must not lead.
struct LeadershipPolicy {
  /// How long leadership that is of no use is offered to others before it is laid down; and half as long as such a leader
  /// then leaves the lead to others. Microseconds.
  static let handOver: UInt64 = 2_000_000

  enum Reason: Hashable {
    /// This node's clock is off: nobody would take its stamps.
    case clock
    /// Its log has entries that are stamped ahead of every clock: they stand in the way of those who do not have them.
    case future
    /// It does not apply an entry that has ended the process: see `Poison`.
    case poison
    case stopping
    case slowDisk
    case fullDisk
    /// The log has no room for its next batch, or no descriptor.
    case blockedLog
    case rottenJournal
    case memory
    /// An operator wants this node to lead nothing.
    case draining
    /// An operation under way has another node take this one's place.
    case leaving
    /// An operation under way wants it led elsewhere.
    case ordered
    /// The placement prefers another node.
    case home
  }

  enum Decision: Hashable {
    /// It may lead, and goes on if it does.
    case lead
    case offer(to: NodeID, Reason)
    case stepDown(Reason)
    /// It must not lead. One that leads all the same proposes nothing, and nobody can take it over now.
    case refuse(Reason)
  }

  /// What is true of this node, for all its shards.
  struct NodeFacts: Hashable {
    var isStopping = false
    /// For how long its clock has been off; nil: it is not.
    var clockOffFor: UInt64?
    var isDiskSlow = false
    var isDiskFull = false
    var isLogBlocked = false
    var isMemoryOver = false
    var isDraining = false
  }

  /// What is true of one replica here.
  struct ShardFacts: Hashable {
    var isLeader = false
    /// For how long its log has held entries from the future; nil: it holds none.
    var aheadFor: UInt64?
    /// It has stepped down for these, and others are to try.
    var isResting = false
    var isPoisoned = false
    var isJournalRotten = false
    /// There was no offer a moment ago: between two of them requests are served.
    var mayOffer = true
    /// An operation under way has another node take this one's place.
    var isLeaving = false
    /// Where an operation under way wants it led; nil: no matter.
    var ordered: NodeID?
    /// Where the placement wants it led, when it is time to send it there; nil: here, or not now.
    var home: NodeID?
  }

  /// Another voter of a shard that this node leads.
  struct Candidate: Hashable {
    var id: NodeID
    /// How much of the log it has.
    var match: LogIndex
    /// It lacks so little that leadership passes to it at once.
    var isNear = true
    var ailments: Ailments = []

    /// It would serve at least as well as any other.
    var isWell: Bool { ailments.isDisjoint(with: .grave.union(.memory)) }
    /// The same but that an operator wants it to lead nothing, and its memory.
    var isButDraining: Bool { ailments.isDisjoint(with: .grave.subtracting(.draining)) }
    /// The same but for its memory.
    var isFit: Bool { ailments.isDisjoint(with: .grave) }
  }

  /// Why a voter is not to be given leadership.
  struct Ailments: OptionSet, Hashable {
    let rawValue: UInt16
    static let unlinked = Ailments(rawValue: 1 << 0)
    static let clock = Ailments(rawValue: 1 << 1)
    static let fullDisk = Ailments(rawValue: 1 << 2)
    static let slowDisk = Ailments(rawValue: 1 << 3)
    static let descriptors = Ailments(rawValue: 1 << 4)
    /// A replica there may lack what it acknowledged, or a journal.
    static let corrupt = Ailments(rawValue: 1 << 5)
    /// It has much to apply yet.
    static let replaying = Ailments(rawValue: 1 << 6)
    static let poisoned = Ailments(rawValue: 1 << 7)
    /// Its own replica is the damaged one: Raft would not have it.
    static let damaged = Ailments(rawValue: 1 << 8)
    /// An operator wants it to lead nothing.
    static let draining = Ailments(rawValue: 1 << 12)
    static let grave: Ailments = [
      .unlinked, .clock, .fullDisk, .slowDisk, .descriptors, .corrupt, .replaying, .poisoned, .damaged, .draining,
    ]
    static let memory = Ailments(rawValue: 1 << 9)
    /// Its link has not said a word yet: what it answers may be lost.
    static let mute = Ailments(rawValue: 1 << 10)
    /// Not heard for a while: no reason, but where there is time to wait.
    static let quiet = Ailments(rawValue: 1 << 11)
  }

  // MARK: Decisions

  /// - Parameter candidates: only asked for where somebody is to take over.
  static func decide(_ node: NodeFacts, _ shard: ShardFacts, _ candidates: () -> [Candidate]) -> Decision {
    let rest = refusal(node, shard).map { Decision.refuse($0) } ?? .lead
    guard shard.isLeader else { return rest }
    if let time = shard.aheadFor, time >= handOver { return .stepDown(.future) }
    if let time = node.clockOffFor {
      if time >= handOver { return .stepDown(.clock) }
      if let heir = successor(among: candidates()) { return .offer(to: heir, .clock) }
    }
    if node.isStopping {
      let heir = heirOfLastResort(among: candidates())
      return heir.map { .offer(to: $0, .stopping) } ?? rest
    }
    guard node.clockOffFor == nil else { return rest }
    if let reason = want(node, shard), shard.mayOffer, let heir = heir(node, shard, candidates()) {
      return .offer(to: heir, reason)
    }
    if let ordered = shard.ordered {
      let isReady = shard.mayOffer && candidates().contains { $0.id == ordered && mayServe($0) }
      return isReady ? .offer(to: ordered, .ordered) : rest
    }
    if let home = shard.home, candidates().contains(where: { $0.id == home && mayServe($0) }) {
      return .offer(to: home, .home)
    }
    return rest
  }

  /// Why this node must not lead a shard; nil: it may. With a slow disk who leads goes on until somebody has taken over; but
  /// it takes over from nobody.
  static func refusal(_ node: NodeFacts, _ shard: ShardFacts) -> Reason? {
    if node.clockOffFor != nil { return .clock }
    if shard.isResting { return .future }
    if shard.isPoisoned { return .poison }
    return node.isDiskSlow && !shard.isLeader ? .slowDisk : nil
  }

  /// What another may have that this node wants, so that it would serve better; the gravest.
  static func want(_ node: NodeFacts, _ shard: ShardFacts) -> Reason? {
    if node.isDiskSlow { return .slowDisk }
    if node.isDiskFull { return .fullDisk }
    if node.isLogBlocked { return .blockedLog }
    if shard.isJournalRotten { return .rottenJournal }
    if node.isMemoryOver { return .memory }
    if node.isDraining { return .draining }
    return shard.isLeaving ? .leaving : nil
  }

  // MARK: Heirs

  /// Who takes over what this node serves badly, if anybody is better off; only somebody near: meanwhile it is served.
  static func heir(_ node: NodeFacts, _ shard: ShardFacts, _ candidates: [Candidate]) -> NodeID? {
    let lacksMoreThanMemory = want(node, shard).map { $0 != .memory } ?? false
    let near = candidates.filter(\.isNear)
    let heir = successor(among: near, orShortOfMemory: lacksMoreThanMemory)
    // Whoever leaves must go, so that one who is to lead nothing leads until another is a voter.
    return heir ?? (shard.isLeaving ? mostComplete(of: near.filter(\.isButDraining)) : nil)
  }

  /// The best of those that are well; where there is none, of those that are but for their memory: for want of that is
  /// refused the same, whoever leads, so that every other want is worse.
  static func successor(among candidates: [Candidate], orShortOfMemory: Bool = true) -> NodeID? {
    if let heir = mostComplete(of: candidates.filter(\.isWell)) { return heir }
    return orShortOfMemory ? mostComplete(of: candidates.filter(\.isFit)) : nil
  }

  /// A node that ends has nothing to lose: anybody who can be reached will do.
  private static func heirOfLastResort(among candidates: [Candidate]) -> NodeID? {
    successor(among: candidates)
      ?? mostComplete(of: candidates.filter { $0.ailments.isDisjoint(with: [.unlinked, .mute, .damaged]) })
  }

  /// Whether one that need not take over may: it serves at least as well, and at once.
  private static func mayServe(_ candidate: Candidate) -> Bool {
    candidate.isWell && candidate.isNear && !candidate.ailments.contains(.quiet)
  }

  /// The first of those that have most of the log.
  private static func mostComplete(of candidates: [Candidate]) -> NodeID? {
    var best: Candidate?
    for candidate in candidates where best.map({ candidate.match > $0.match }) ?? true { best = candidate }
    return best?.id
  }
}

/// What is remembered of a replica from one decision to the next. Moments are monotonic, in microseconds.
struct LeadershipRecord {
  /// Since when it has led with entries from the future.
  private(set) var aheadSince: UInt64?
  private(set) var restsUntil: UInt64?
  /// After an offer, so long is served.
  private(set) var nextOffer: UInt64 = 0
  /// Since when it has known no leader, or since that was last told.
  private var leaderlessSince: UInt64?

  var isResting: Bool { restsUntil != nil }

  /// With each heartbeat.
  mutating func note(isAhead: Bool, now: UInt64) {
    if let until = restsUntil {
      if now >= until { restsUntil = nil }
      return
    }
    aheadSince = isAhead ? aheadSince ?? now : nil
  }
  /// It has stepped down: it is back if others do not elect another meanwhile.
  mutating func rest(now: UInt64) {
    aheadSince = nil
    restsUntil = now + 2 * LeadershipPolicy.handOver
  }
  mutating func offered(now: UInt64, pause: UInt64) { nextOffer = now + pause }
  /// Now and then. True: it has known no leader for so long, and that is to be told, again and again.
  mutating func note(isLeaderless: Bool, for patience: UInt64, now: UInt64) -> Bool {
    guard isLeaderless else {
      leaderlessSince = nil
      return false
    }
    let since = leaderlessSince ?? now
    let isDue = now - since >= patience
    leaderlessSince = isDue ? now : since
    return isDue
  }
}
