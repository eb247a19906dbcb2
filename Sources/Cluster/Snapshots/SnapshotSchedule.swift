import Base

/// When a replica's next snapshot is due, and whether one is being written. Moments are monotonic, in microseconds.
///
/// What was erased from the state is still in snapshots before that, on which later ones build, and in the log. So now and then a
/// whole one is due for its age, if anything was applied since: older ones go then, and all log before it.
struct SnapshotSchedule {
  /// How much a replica wants to be the next.
  enum Claim: Equatable {
    case none
    /// So much is behind its last snapshot: whoever has most is next, once all together have too much.
    case behind(Int)
    /// Somebody waits for it, or its log is too long.
    case next
  }

  /// Commands applied since the last snapshot began: a start would apply them again.
  private(set) var commands = 0
  /// Bytes of log since then.
  private(set) var logBytes = 0
  /// By how many commands it is ahead in its first round: see `Topology.headStart`.
  private var headStart: Int
  /// Somebody waits for the next one.
  private(set) var isWanted = false
  /// Until that moment each is to be whole: peers want to be sent one.
  private var wholeUntil: UInt64 = 0
  /// The last one failed: the next is due, but not before `retryAt`.
  private(set) var isOwed = false
  private var retryAt: UInt64 = 0
  /// A backup wants the state right after the entry at that stamp: until then no snapshot begins.
  var cut: Stamp?
  /// When a whole one is due for the age of the last one.
  private var wholeDue: UInt64
  /// Something was applied since the last one that was taken for its age, or is not known to be in it alone.
  private var hasChanged: Bool
  /// The one that is being written is one for its age.
  private(set) var endsTail = false
  /// The machine that is being written: a peer's snapshot may replace it meanwhile.
  private var source: (any Machine)?

  /// - Parameters:
  ///   - wholeDue: when a whole one is due for the age of what was found.
  ///   - isRestored: there is a snapshot, which may build on older ones.
  init(headStart: Int = 0, wholeDue: UInt64 = .max, isRestored: Bool = false) {
    self.headStart = headStart
    self.wholeDue = wholeDue
    hasChanged = isRestored
  }

  var isRunning: Bool { source != nil }
  /// What counts against all that a node may have to apply again.
  var weight: Int { commands + headStart }
  func mayBegin(now: UInt64) -> Bool { now >= retryAt && cut == nil }
  func isToBeWhole(now: UInt64) -> Bool { now < wholeUntil || isAged(now: now) }
  func isAged(now: UInt64) -> Bool { hasChanged && now >= wholeDue }

  /// - Parameter isReplaying: what is behind a snapshot is only being applied; who waits for one has it all the same.
  func claim(now: UInt64, logLimit: Int, isReplaying: Bool) -> Claim {
    guard mayBegin(now: now) else { return .none }
    if isOwed || isWanted { return .next }
    guard !isReplaying else { return .none }
    if logBytes >= logLimit || isAged(now: now) { return .next }
    return commands > 0 ? .behind(weight) : .none
  }

  // MARK: What happens

  @inline(__always) mutating func logged(bytes: Int) {
    logBytes += bytes
    hasChanged = true
  }
  @inline(__always) mutating func applied(commands count: Int) {
    commands += count
    hasChanged = true
  }
  mutating func want() { isWanted = true }
  /// The next, and all others until then, for a peer. It will ask again, perhaps after more than one has been written.
  mutating func wantWhole(until moment: UInt64) {
    isWanted = true
    wholeUntil = moment
  }
  /// The peer has been offered one.
  mutating func offered() { wholeUntil = 0 }
  mutating func begin(of machine: any Machine) {
    source = machine
    (commands, logBytes, headStart) = (0, 0, 0)
    isWanted = false
  }
  /// The one that has begun is whole, and was due for the age of the last one.
  mutating func beganForAge(nextDue: UInt64) {
    (wholeDue, hasChanged, endsTail) = (nextDue, false, true)
  }
  /// Not all log before it could be released, or it was not written: soon another is due.
  mutating func wasInVain(nextDue: UInt64) {
    (wholeDue, hasChanged) = (min(wholeDue, nextDue), true)
  }
  /// It is written, or given up. Returns the machine that was frozen for it, if one was.
  mutating func end() -> (any Machine)? {
    defer { (source, endsTail) = (nil, false) }
    return source
  }
  mutating func succeeded() { isOwed = false }
  mutating func failed(retryAt moment: UInt64) {
    isOwed = true
    retryAt = moment
  }
  /// The state is a peer's snapshot: nothing is behind it.
  mutating func replaced() { (commands, logBytes) = (0, 0) }
}
