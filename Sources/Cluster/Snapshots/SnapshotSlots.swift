import Base

/// The slots for snapshots on their way to this node. A sender asks, and says how urgent it is; this node, the receiver, grants
/// one slot, or two over a link that is wide. So a node that is behind on a hundred shards gets one after another, each at the
/// speed of its link, and what is urgent does not stand behind what is not. To wait costs a sender nothing: it keeps no log,
/// no file and no link for it.
///
/// A value without a clock or a link. Moments are monotonic, in microseconds.
struct SnapshotSlots {
  /// How much a shard needs it, the most first.
  enum Urgency: UInt8, Comparable {
    /// One loss more would stop the shard.
    case endangered = 0
    /// A voter lacks what its group has released.
    case wounded = 1
    /// An operation makes a new member.
    case operation = 2
    /// The same, for the sake of balance alone.
    case rebalance = 3

    static func < (a: Urgency, b: Urgency) -> Bool { a.rawValue < b.rawValue }
  }
  struct Waiting: Equatable {
    var shard: ShardID
    var sender: NodeID
    var urgency: Urgency
    /// In the order in which they first asked.
    var place: UInt64
    var heardAt: UInt64
  }
  struct Granted: Equatable {
    var sender: NodeID
    var heardAt: UInt64
    /// It has offered one: from then on its link tells of its end.
    var hasArrived = false
  }
  private(set) var waiting: [Waiting] = []
  private(set) var granted: [ShardID: Granted] = [:]
  private var places: UInt64 = 0
  private(set) var rate = ArrivalRate()

  /// A sender that waits, or was granted a slot and has not come, asks again so often; and is forgotten after the other.
  static let interval: UInt64 = 5_000_000
  static let patience: UInt64 = 20_000_000
  static let mostWide = 2

  // MARK: Senders

  /// - Returns: whether it may come now, and perhaps has not heard so.
  mutating func ask(_ shard: ShardID, of sender: NodeID, _ urgency: Urgency, now: UInt64) -> Bool {
    if let slot = granted[shard], slot.sender == sender {
      granted[shard]?.heardAt = now
      return !slot.hasArrived
    }
    if let known = waiting.firstIndex(where: { $0.shard == shard }) {
      // Another leader has taken over the shard's place in the row.
      waiting[known].sender = sender
      waiting[known].urgency = urgency
      waiting[known].heardAt = now
    } else {
      places += 1
      waiting.append(Waiting(shard: shard, sender: sender, urgency: urgency, place: places, heardAt: now))
    }
    return false
  }
  mutating func withdraw(_ shard: ShardID, of sender: NodeID) {
    waiting.removeAll { $0.shard == shard && $0.sender == sender }
    if let slot = granted[shard], slot.sender == sender, !slot.hasArrived { granted[shard] = nil }
  }
  /// Another life of the sender has begun. A transfer of the one before ends with its link.
  mutating func lost(_ sender: NodeID) {
    waiting.removeAll { $0.sender == sender }
    granted = granted.filter { $0.value.sender != sender || $0.value.hasArrived }
  }

  // MARK: Transfers

  /// One has been offered: also by a build that does not ask.
  mutating func arrived(_ shard: ShardID, of sender: NodeID, now: UInt64) {
    waiting.removeAll { $0.shard == shard }
    granted[shard] = Granted(sender: sender, heardAt: now, hasArrived: true)
  }
  /// It is here, or will not be.
  mutating func ended(_ shard: ShardID) { granted[shard] = nil }
  mutating func received(_ bytes: Int, now: UInt64) { rate.received(bytes, now: now) }

  /// Who may come from now on.
  /// - Parameter most: at most so many at once.
  mutating func grant(now: UInt64, most: Int) -> [(shard: ShardID, sender: NodeID)] {
    if waiting.isEmpty && granted.isEmpty { return [] }
    func isForgotten(_ heardAt: UInt64) -> Bool { now - min(now, heardAt) > SnapshotSlots.patience }
    waiting.removeAll { isForgotten($0.heardAt) }
    granted = granted.filter { $0.value.hasArrived || !isForgotten($0.value.heardAt) }
    let slots = rate.isWide ? min(SnapshotSlots.mostWide, max(1, most)) : 1
    var found: [(shard: ShardID, sender: NodeID)] = []
    while granted.count < slots {
      let next = waiting.filter { granted[$0.shard] == nil }.min { ($0.urgency, $0.place) < ($1.urgency, $1.place) }
      guard let next else { break }
      waiting.removeAll { $0.shard == next.shard }
      granted[next.shard] = Granted(sender: next.sender, heardAt: now)
      found.append((next.shard, next.sender))
    }
    return found
  }
}

/// How fast snapshots have come of late.
struct ArrivalRate {
  /// 200 Mbit/s, in bytes a second: over it the link has room for two.
  static let wide: UInt64 = 25_000_000
  private static let window: UInt64 = 1_000_000
  private static let span: UInt64 = 60_000_000
  private var began: UInt64 = 0
  private var bytes: UInt64 = 0
  private var lastAt: UInt64?
  private var spanBegan: UInt64 = 0
  private var fastest: (now: UInt64, before: UInt64) = (0, 0)

  var isWide: Bool { max(fastest.now, fastest.before) >= ArrivalRate.wide }

  mutating func received(_ count: Int, now: UInt64) {
    let last = lastAt
    lastAt = now
    guard let last, now - min(now, last) <= ArrivalRate.window else {
      // How long this took to come is not known, nor does what came before a pause tell anything.
      (began, bytes) = (now, 0)
      return
    }
    bytes += UInt64(count)
    guard now - began >= ArrivalRate.window else { return }
    if now - min(now, spanBegan) >= ArrivalRate.span {
      spanBegan = now
      fastest = (0, fastest.now)
    }
    fastest.now = max(fastest.now, bytes * 1_000_000 / (now - began))
    (began, bytes) = (now, 0)
  }
}
