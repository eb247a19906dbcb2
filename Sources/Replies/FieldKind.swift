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
    "accounts": .count, "address": .text, "alarms": .list, "applied": .count, "asof": .moment, "available": .count,
    "backup": .count, "balance": .count, "balanced": .flag, "cut": .moment, "written": .bytes, "by": .text,
    "bytes": .bytes, "busy_permille": .count,
    "commit_us": .count, "commits_s": .count, "requests_s": .count, "card": .text, "cards": .list, "cluster": .text,
    "commit": .count, "compared": .count, "config": .count, "crosses": .flag, "current": .text,
    "default": .flag, "detail": .text, "digest": .text, "disk_free": .bytes, "done": .count, "effective": .moment,
    "end": .count, "error": .text, "eta_seconds": .count,
    "expires": .moment, "first": .count, "from": .text, "healthy": .flag, "id": .text, "index": .count,
    "intransit": .count, "knows": .count, "lag_entries": .count, "lag_seconds": .number, "leader": .text,
    "leaders": .count,
    "leaders_after": .count,
    "learners": .list, "log": .bytes,
    "log_pinned": .bytes, "match": .count, "member": .text, "members": .count, "merchant": .text, "name": .text,
    "node": .text,
    "nodes": .count, "of": .text, "ok": .flag, "op": .count, "percent": .count, "program": .text, "region": .text,
    "replicas": .count,
    "replicas_after": .count, "request": .text,
    "semantics": .count, "shard": .count, "shards": .count, "since": .moment, "slots": .text, "started": .moment,
    "state": .text,
    "at": .moment, "text": .text,
    "step": .count, "steps": .count, "sum": .count, "term": .count,
    "target": .text, "time": .moment, "title": .text, "to": .text, "total": .flag, "transactions": .count, "tx": .text,
    "up": .count,
    "version": .text, "voters": .list, "warnings": .list, "why": .sentences,
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
