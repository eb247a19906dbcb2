/// How near a node is to the end of its memory.
enum MemoryLevel: UInt8, Comparable, Sendable {
  case ok
  /// Four fifths of its limit are used: its operator is told.
  case near
  /// Its limit is reached.
  case over
  /// A tenth more than that is used.
  case farOver
  static func < (a: MemoryLevel, b: MemoryLevel) -> Bool { a.rawValue < b.rawValue }

  /// The level at which it begins, in hundredths of the limit.
  private var begin: UInt64 {
    switch self {
    case .ok: 0
    case .near: 80
    case .over: 100
    case .farOver: 110
    }
  }
  /// It ends when so much less is used, in hundredths of the limit: so that it does not come and go.
  private static let slack: UInt64 = 5

  /// The level after `self` with so much used of the limit.
  func next(used: UInt64, limit: UInt64) -> MemoryLevel {
    guard limit > 0 else { return .ok }
    // In thousandths.
    let share = used / max(1, limit / 1000)
    var level = MemoryLevel.ok
    for candidate in [MemoryLevel.near, .over, .farOver] {
      let begin = candidate <= self ? candidate.begin - MemoryLevel.slack : candidate.begin
      if share >= begin * 10 { level = candidate }
    }
    return level
  }
}
