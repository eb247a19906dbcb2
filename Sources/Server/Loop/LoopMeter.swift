/// How the loop's time is spent.
struct LoopMeter {
  struct Second {
    var busyPermille: Int
    var longestTurn: UInt64
    var turns: Int
    var logWrites: Int
  }
  private var secondBegan: UInt64
  private var turnBegan: UInt64?
  private var busy: UInt64 = 0
  private var longest: UInt64 = 0
  private var turns = 0
  private var logWritesBefore: UInt64 = 0
  var refusedBefore: UInt64 = 0

  init(now: UInt64) { secondBegan = now }

  mutating func turnBegins(at time: UInt64) {
    turnBegan = time
    turns += 1
  }
  mutating func turnEnds(at time: UInt64) {
    guard let began = turnBegan else { return }
    turnBegan = nil
    busy += time - began
    longest = max(longest, time - began)
  }
  /// The figures of the second that has passed, nil if it has not.
  /// - Parameter logWrites: since the start.
  mutating func second(at time: UInt64, logWrites: UInt64) -> Second? {
    let passed = time - secondBegan
    guard passed >= 1_000_000 else { return nil }
    let result = Second(
      busyPermille: Int(min(1000, busy * 1000 / passed)), longestTurn: longest, turns: turns,
      logWrites: Int(logWrites - logWritesBefore))
    logWritesBefore = logWrites
    secondBegan = time
    busy = 0
    longest = 0
    turns = 0
    return result
  }
}
