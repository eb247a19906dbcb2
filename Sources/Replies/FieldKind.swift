/// What the value of a reply's field is. Its JSON type and how a person reads it follow from that.
public enum FieldKind: Sendable {
  /// Words and names, however much they look like numbers. `none` is null in JSON.
  case text
  case count
  /// With a fraction.
  case number
  case bytes
  /// `yes` or `no`.
  case flag
  /// Words with commas between them; `none` is an empty list.
  case list
  /// Sentences with semicolons between them; `none` is an empty list.
  case sentences
  /// Milliseconds since 1970.
  case moment

  /// By key. Of a key that is not here a whole number counts as one, all else as words.
  private static let kinds: [String: FieldKind] = [
    "accounts": .count, "address": .text, "adjusted": .count, "alarms": .list, "applied": .count, "asof": .moment,
    "at": .moment, "available": .count, "backup": .count, "balance": .count, "balanced": .flag, "busy_permille": .count,
    "by": .text, "bytes": .bytes, "card": .text, "cards": .list, "cluster": .text, "commit": .count,
    "commit_us": .count, "commits_s": .count, "compared": .count, "config": .count, "crosses": .flag, "current": .text,
    "cut": .moment, "default": .flag, "detail": .text, "digest": .text, "disk_free": .bytes, "done": .count,
    "effective": .moment, "end": .count, "epoch": .count, "error": .text, "eta_seconds": .count, "expired": .count,
    "expires": .moment, "first": .count, "from": .text, "fsync_p99_us": .count, "healthy": .flag, "id": .text,
    "incarnation": .text, "index": .count, "intransit": .count, "issued": .count, "joined": .count, "knows": .count,
    "lag_entries": .count, "lag_seconds": .number, "leader": .text, "leaders": .count, "leaders_after": .count,
    "learners": .list, "learning": .count, "log": .bytes, "log_pinned": .bytes, "match": .count, "member": .text,
    "members": .count, "merchant": .text, "name": .text, "node": .text, "nodes": .count, "of": .text, "ok": .flag,
    "op": .count, "outstanding": .count, "percent": .count, "points": .count, "program": .text, "redeemed": .count,
    "refunded": .count, "region": .text, "replicas": .count, "replicas_after": .count, "request": .text,
    "requests_s": .count, "semantics": .count, "shard": .count, "shards": .count, "since": .moment, "slots": .text,
    "spend": .count, "started": .moment, "state": .text, "step": .count, "steps": .count, "sum": .count,
    "target": .text, "term": .count, "text": .text, "time": .moment, "title": .text, "to": .text, "total": .flag,
    "transactions": .count, "transferred": .count, "tx": .text, "up": .count, "version": .text, "voters": .list,
    "warnings": .list, "why": .sentences, "written": .bytes,
  ]

  /// Keys are joined by `_` in JSON, by either on the wire.
  public static func normal(_ key: String) -> String {
    key.utf8.contains(UInt8(ascii: "-")) ? key.replacing("-", with: "_") : key
  }
  public static func of(_ key: String) -> FieldKind? { kinds[normal(key)] }

  // MARK: For programs

  public static func json(_ key: String, _ value: String) -> JSON {
    switch of(key) {
    case .text: return value == "none" ? .null : .text(value)
    case .flag where value == "yes" || value == "no": return .bool(value == "yes")
    // Some words are a flag of one record, and a figure of another.
    case .flag: return Int64(value).map { .integer($0) } ?? .text(value)
    case .count, .bytes, .moment:
      if value == "unknown" || value == "none" { return .null }
      return Int64(value).map { .integer($0) } ?? .text(value)
    case .number: return value == "unknown" ? .null : Double(value).map { .number($0) } ?? .text(value)
    case .list: return value == "unknown" ? .null : .array(items(value, ",").map { .text($0) })
    case .sentences: return .array(items(value, ";").map { .text($0) })
    case nil:
      // What a double holds exactly, written as a number is.
      if value.utf8.count < 17, let number = Int64(value), String(number) == value { return .integer(number) }
      return .text(value)
    }
  }

  public static func items(_ value: String, _ separator: Character) -> [String] {
    if value == "none" { return [] }
    return value.split(separator: separator).map { String($0.drop { $0 == " " }) }
  }
}
