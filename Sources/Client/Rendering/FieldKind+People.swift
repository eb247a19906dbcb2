import Replies

// How a person reads the fields of replies.
extension FieldKind {
  private static let titles = [
    "disk_free": "free", "leaders": "leads", "replicas": "holds", "lag_entries": "lag", "log_pinned": "pinned",
    "learning": "learners", "fsync_p99_us": "fsync-p99-µs",
    "intransit": "in transit", "replicas_after": "then", "leaders_after": "then", "crosses": "crosses regions",
    "requests_s": "requests/s", "commits_s": "commits/s", "commit_us": "commit µs", "busy_permille": "busy ‰",
  ]

  /// How a person reads what is not known.
  static let unknown = "?"
  static let units = ["B", "KiB", "MiB", "GiB", "TiB"]

  static func title(_ key: String) -> String { titles[normal(key)] ?? key }

  static func cell(_ key: String, _ value: String) -> Styled {
    if value == "unknown" { return Styled(unknown, .faint) }
    switch of(key) {
    case .bytes: return Styled(Int64(value).map { Format.bytes($0) } ?? value)
    case .count: return Styled(Int64(value).map { Format.grouped($0) } ?? value)
    case .moment: return Styled(dated(key, value))
    case .flag: return Styled(value, value == "no" ? .bad : .plain)
    case .text, .number, .list, .sentences, nil: return Styled(value, tone(key, value)).marked
    }
  }

  /// A value as it is, but for a moment, which becomes a date.
  static func dated(_ key: String, _ value: String) -> String {
    guard case .moment = of(key), let milliseconds = Int64(value), milliseconds > 0 else { return value }
    return Format.moment(milliseconds)
  }

  private static func tone(_ key: String, _ value: String) -> Tone {
    switch normal(key) {
    case "state":
      ["up", "active", "led", "leader", "voter"].contains(value)
        ? .plain : ["down", "leaderless", "silent", "damaged"].contains(value) ? .bad : .warning
    case "leader": value == "none" ? .bad : .plain
    case "alarms": value == "none" ? .faint : .bad
    case "warnings": value == "none" ? .faint : .warning
    default: .plain
    }
  }
}

extension Styled {
  /// With a mark in front of what is bad: colours do not reach everybody.
  fileprivate var marked: Styled { tone == .bad ? Styled("✗ \(text)", tone) : self }
}
