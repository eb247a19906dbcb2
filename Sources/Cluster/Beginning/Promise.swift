import Base

/// To which plan this node is promised, and whether the disk knows. A promise is durable before anybody hears of it, and
/// excludes any other plan.
struct Promise {
  private(set) var plan: ClusterPlan?
  private var writesUnderWay = 0
  /// A write found no room, and is to be made again.
  private var isOwed = false
  /// When it was made or found, or its coordinator last in reach; on the monotonic clock.
  private(set) var since: UInt64
  private var nextQuestion: UInt64 = 0

  /// It is void when its coordinator has not been in reach for so long: nobody lost with it can have data.
  static let limit: UInt64 = 60_000_000
  private static let questionInterval: UInt64 = 500_000

  init(now: UInt64) { since = now }

  /// All that was given to the disk is there.
  var isDurable: Bool { writesUnderWay == 0 }

  /// What the disk had.
  mutating func found(_ plan: ClusterPlan) { self.plan = plan }

  /// - Parameter plan: nil: it is free again.
  mutating func make(_ plan: ClusterPlan?, now: UInt64, _ out: inout NodeOutput) {
    self.plan = plan
    writesUnderWay += 1
    since = now
    write(&out)
  }
  private func write(_ out: inout NodeOutput) {
    let bytes = plan.map { plan in
      var buffer = ByteBuffer(capacity: 4096)
      plan.encode(into: &buffer)
      return buffer.array
    }
    out.jobs.append(.keepPromise(bytes))
  }
  mutating func kept() { writesUnderWay -= 1 }
  /// There was no room for it: it is to be tried again with the next heartbeat.
  mutating func waits() { isOwed = true }
  /// The latest, whichever found no room: what came between is worth nothing any more.
  mutating func writeOwed(_ out: inout NodeOutput) {
    guard isOwed else { return }
    isOwed = false
    write(&out)
  }

  func isVoid(isCoordinatorInReach: Bool, now: UInt64) -> Bool {
    !isCoordinatorInReach && now - since >= Promise.limit
  }
  /// Whether it is time to ask what became of the plan.
  mutating func isQuestionDue(now: UInt64) -> Bool {
    guard plan != nil, isDurable, now >= nextQuestion else { return false }
    nextQuestion = now + Promise.questionInterval
    return true
  }
  mutating func coordinatorIsInReach(now: UInt64) { since = now }
}
