import Base

/// The sessions that this node has given out: who has a token is the user that it was given to. What is kept is a digest of it, in
/// memory alone: 256 random bits are not guessed, so nothing slower is needed. A session ends by itself, with any change of its
/// user, when it is said to, and with the process.
struct SessionTable {
  struct Session {
    var user: UInt32
    /// Of the user, when it was given: another one ends it.
    var revision: UInt64
    /// By the node's own clock (µs).
    var ends: UInt64
  }
  /// How long one lasts (µs).
  static let lifetime: UInt64 = 12 * 3_600_000_000
  /// In all, and of one user: of whose more the oldest ends.
  static let most = 10_000
  static let mostOfUser = 64
  /// Random bytes of a token.
  static let tokenBytes = 32
  static let prefix = "tally-session-"

  private var sessions: [SHA256.Digest: Session] = [:]
  /// In the order in which they were given out, those that are over among them.
  private var order: [(key: SHA256.Digest, user: UInt32)] = []
  /// By ticket: those whose token is being drawn.
  var drawn: [UInt64: Drawing] = [:]
  static let mostDrawn = 64

  struct Drawing {
    var owner: EdgeItem.Owner
    var user: UInt32
    var revision: UInt64
  }
  var count: Int { sessions.count }

  static func key(of token: [UInt8]) -> SHA256.Digest { SHA256.digest(token) }

  /// Gives one out. False: there are too many.
  mutating func add(_ token: [UInt8], user: UInt32, revision: UInt64, now: UInt64) -> Bool {
    forget(now: now)
    let own = order.filter { $0.user == user && sessions[$0.key] != nil }
    if own.count >= SessionTable.mostOfUser, let oldest = own.first { sessions[oldest.key] = nil }
    guard sessions.count < SessionTable.most else { return false }
    let key = SessionTable.key(of: token)
    sessions[key] = Session(user: user, revision: revision, ends: now + SessionTable.lifetime)
    order.append((key, user))
    return true
  }
  /// Whose a token is; nil: nobody's any more. The user may be another by now: see `revision`.
  func find(_ token: [UInt8], now: UInt64) -> Session? {
    sessions[SessionTable.key(of: token)].flatMap { now < $0.ends ? $0 : nil }
  }
  mutating func end(_ token: [UInt8]) { sessions[SessionTable.key(of: token)] = nil }
  /// Ends those that are over by time, which are the first.
  private mutating func forget(now: UInt64) {
    let over = order.prefix { sessions[$0.key].map { now >= $0.ends } ?? true }
    for session in over { sessions[session.key] = nil }
    order.removeFirst(over.count)
    // Of those that were ended early no more are kept than there are others.
    if order.count > 2 * sessions.count + SessionTable.mostOfUser { order.removeAll { sessions[$0.key] == nil } }
  }
}
