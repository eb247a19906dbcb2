import Replies

/// A little JSON, written in the order given.
indirect enum JSON: Sendable {
  case text(String)
  case integer(Int64)
  case number(Double)
  case bool(Bool)
  case null
  case array([JSON])
  case object([(String, JSON)])

  /// A record as an object. Each value has the type of its field; words are joined by `_` in keys.
  init(_ record: Record) {
    self = .object(record.fields.map { (FieldKind.normal($0.key), FieldKind.json($0.key, $0.value)) })
  }
  init(_ records: [Record]) { self = .array(records.map { JSON($0) }) }

  /// An object with more fields behind its own.
  func adding(_ more: [(String, JSON)]) -> JSON {
    if case .object(let fields) = self { .object(fields + more) } else { self }
  }

  /// Two spaces a level.
  func rendered(indent: Int = 0) -> String {
    let pad = String(repeating: "  ", count: indent + 1)
    let end = String(repeating: "  ", count: indent)
    switch self {
    case .text(let text): return JSON.quote(text)
    case .integer(let number): return String(number)
    case .number(let number): return number.isFinite ? "\(number)" : "null"
    case .bool(let flag): return flag ? "true" : "false"
    case .null: return "null"
    case .array(let values):
      if values.isEmpty { return "[]" }
      return "[\n" + values.map { pad + $0.rendered(indent: indent + 1) }.joined(separator: ",\n") + "\n\(end)]"
    case .object(let fields):
      if fields.isEmpty { return "{}" }
      let lines = fields.map { "\(pad)\(JSON.quote($0.0)): \($0.1.rendered(indent: indent + 1))" }
      return "{\n" + lines.joined(separator: ",\n") + "\n\(end)}"
    }
  }

  /// On one line.
  func line() -> String {
    switch self {
    case .array(let values): "[" + values.map { $0.line() }.joined(separator: ",") + "]"
    case .object(let fields):
      "{" + fields.map { "\(JSON.quote($0.0)):\($0.1.line())" }.joined(separator: ",") + "}"
    default: rendered()
    }
  }

  private static func quote(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": quoted += "\\\""
      case "\\": quoted += "\\\\"
      case "\n": quoted += "\\n"
      case "\r": quoted += "\\r"
      case "\t": quoted += "\\t"
      case _ where scalar.value < 32:
        let digits = String(scalar.value, radix: 16)
        quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: quoted.unicodeScalars.append(scalar)
      }
    }
    return quoted + "\""
  }
}
