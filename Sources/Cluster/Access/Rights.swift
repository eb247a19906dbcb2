import Base
import Vocabulary

/// What this node knows of the rights in force, and until when it may go by them.
///
/// A node goes by what its replica of the directory has applied. It may do so for users while it has heard of the directory
/// within `lease`: so a change holds everywhere once all nodes have said that they have it, or when `longestDoubt` has passed.
struct Rights {
  /// How long requests wait at a node that has started until it hears of the directory (µs).
  static let patience: UInt64 = 3_000_000
  /// How long a node that hears nothing of the directory answers users (µs).
  static let lease: Int64 = 5_000_000
  /// When no node goes by older rights any more, counted from when a change was decided (µs): a lease, and as much as two
  /// clocks may be apart that are not off.
  static let longestDoubt = UInt64(lease + 2 * ClockGuard.tolerance)

  /// A client's grant is of an older one: it is made anew. Clients begin with 0.
  private(set) var epoch: UInt32 = 1
  private(set) var version: UInt64 = 0
  private(set) var isOpen = true
  /// What this node's log says of users has yet to be applied, since it started: until then nobody may do anything here.
  private(set) var doubt: Doubt?
  /// The host of this node's own address.
  private let ownHost: Substring
  private let started: UInt64
  /// While there is no user, only this machine is answered.
  private let isGuarded: Bool
  /// Nothing was heard of the directory for so long that somebody may have other rights by now.
  private(set) var isLapsed = false
  /// Up to when this node knows all that was decided, and when it learnt of that.
  private var closed = Stamp.zero
  private var learnt: UInt64 = 0
  /// When this process had promised itself to the plan of the cluster with which it began then.
  private var founded: UInt64?
  /// The leader's last word: what was decided by then, and when it was heard.
  private var word: (commit: LogIndex, at: UInt64)?
  /// When that last word was heard of which all is here.
  private var led: UInt64?
  /// Connections that wait for the directory to be heard, at a start.
  var waiting: [ClientID] = []
  /// Users that are stopped, as connections were told of them last.
  var stopped: Set<UInt32> = []
  /// Requests in a second, by user.
  private var counts: [UInt32: (second: UInt64, count: Int64)] = [:]
  /// Changes that some node has yet to confirm.
  private var waits: [(owner: EdgeItem.Owner, version: UInt64, deadline: UInt64)] = []

  init(at address: String, isGuarded: Bool, now: UInt64) {
    (ownHost, self.isGuarded, started) = (Rights.host(of: address), isGuarded, now)
  }

  private static func host(of address: String) -> Substring {
    address[..<(address.lastIndex(of: ":") ?? address.endIndex)]
  }
  /// Whether a terminal at that address, `host:port`, is answered while the cluster is open.
  func isTrusted(_ address: String) -> Bool { !isGuarded || isOwnMachine(address) }
  /// Whether that is on this machine: the host of this node's own address, or a loopback.
  func isOwnMachine(_ address: String) -> Bool {
    let host = Rights.host(of: address)
    return host == ownHost || host.hasPrefix("127.") || host == "[::1]" || host == "localhost"
  }

  struct Doubt {
    /// The last entry of the directory's log that sets a user or a tenant.
    var index: LogIndex
    /// Of the start. What was decided before it is known once the directory is heard of later; clocks are no further apart than that.
    var since: Stamp
    /// Nobody will resolve it soon.
    func isOld(_ now: Stamp) -> Bool { now.microseconds - since.microseconds > Rights.lease }
    func isOver(applied: LogIndex, closed: Stamp) -> Bool {
      applied >= index || closed.microseconds > since.microseconds + 2 * ClockGuard.tolerance
    }
  }
  /// This node has started, and its log says more of users than it has applied.
  mutating func begin(doubting index: LogIndex, now: Stamp) {
    (doubt, isOpen) = (Doubt(index: index, since: now), false)
    renew()
  }
  /// The directory has applied something. Whether the rights are others.
  /// - Parameters:
  ///   - applied: up to which entry.
  ///   - closed: up to when all that was decided is known.
  mutating func follow(_ table: AccessTable, applied: LogIndex, closed: Stamp) -> Bool {
    if let doubt {
      guard doubt.isOver(applied: applied, closed: closed) else { return false }
      self.doubt = nil
    } else {
      guard table.version != version || table.isOpen != isOpen else { return false }
    }
    (version, isOpen) = (table.version, table.isOpen)
    renew()
    return true
  }
  /// This node cannot know whether there are users: neither who may do what, nor that everybody may.
  var isUnknown: Bool { doubt != nil || isOpen && isLapsed }
  /// Whether this node has started just now, and may soon hear whether there are users.
  func isStarting(_ now: Moment) -> Bool {
    doubt == nil && now.monotonic - min(now.monotonic, started) < Rights.patience
  }
  /// This node has begun with its cluster, to which it had promised itself then: nobody was a user yet.
  mutating func began(promised: UInt64?) { founded = promised }
  /// The directory's leader has said of itself that it leads, and what was decided by then.
  mutating func heard(through commit: LogIndex, now: UInt64) { word = (commit, now) }
  /// All that was decided by its last word is here.
  mutating func applied(through index: LogIndex) {
    if let word, index >= word.commit { led = word.at }
  }
  /// Looks whether this node may go on. In an open cluster, too, somebody may have made users since: there it is enough that the leader
  /// is heard, whatever clocks say, and that nothing is missing of what it had.
  /// - Parameters:
  ///   - closed: up to when this node knows all that was decided.
  ///   - isInCluster: or about to join one. Else there is nobody whom it would have to hear.
  mutating func judge(closed newer: Stamp, isInCluster: Bool = true, now: Moment) {
    if newer > closed { (closed, learnt) = (newer, now.monotonic) }
    func isRecent(_ moment: UInt64) -> Bool { now.monotonic - min(now.monotonic, moment) <= UInt64(Rights.lease) }
    let isFresh =
      isOpen
      ? [led, founded].contains { $0.map(isRecent) == true }
      : isRecent(learnt) && now.wall.microseconds - closed.microseconds <= Rights.lease
    let lapses = isInCluster && !isFresh
    guard lapses != isLapsed else { return }
    isLapsed = lapses
    renew()
  }
  private mutating func renew() { epoch = epoch == .max ? 1 : epoch + 1 }

  /// Whether a user may have one more request in this second.
  mutating func takeRequest(of user: User, now: Moment) -> Bool {
    let second = now.monotonic / 1_000_000
    let known = counts[user.number].flatMap { $0.second == second ? $0.count : nil } ?? 0
    guard known < user.rate else { return false }
    counts[user.number] = (second, known + 1)
    return true
  }

  // MARK: Changes that spread

  mutating func wait(_ owner: EdgeItem.Owner, forVersion version: UInt64, now: UInt64) {
    waits.append((owner, version, now + Rights.longestDoubt))
  }
  /// Those whose change holds everywhere.
  /// - Parameter isConfirmed: whether every node has said that it has a version.
  mutating func endedWaits(now: UInt64, isConfirmed: (UInt64) -> Bool) -> [EdgeItem.Owner] {
    if waits.isEmpty { return [] }
    var ended: [EdgeItem.Owner] = []
    waits.removeAll { wait in
      guard isConfirmed(wait.version) || now >= wait.deadline else { return false }
      ended.append(wait.owner)
      return true
    }
    return ended
  }
}

/// What one connection may ask, as long as rights stay as they are.
struct Grant {
  var roles: Roles = []
  /// Of these rights: see `Rights.epoch`.
  var epoch: UInt32 = 0
  /// Each request is looked at: its merchant, its terminal, or how many there are.
  var isWatched = false
  /// Who has signed in; nil: nobody, or there are no users.
  var user: User?
  /// Why nothing is granted.
  var refusal: Refusal?

  enum Refusal { case signedOut, tenantStopped, lapsed, openElsewhere, unknown }

  /// A user whose requests about transactions and histories are bounded by its merchant.
  var boundUser: User? { user.flatMap { $0.role.isBounded ? $0 : nil } }
}
