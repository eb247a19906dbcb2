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

  /// The keys of the protocol whose values are names, however much they look like numbers.
  private static let names: Set<String> = [
    "cluster", "digest", "member", "tx", "of", "name", "node", "region", "program", "merchant", "request", "title",
    "card", "cards", "id", "leader", "voters", "learners", "slots", "address", "version", "from", "to",
  ]

  /// A record as an object: whole numbers as numbers, all else as the protocol words it.
  init(_ record: Record) {
    self = .object(
      record.fields.map { field in
        let isNumber = !JSON.names.contains(field.key) && field.value.utf8.count < 17
        if isNumber, let number = Int64(field.value), String(number) == field.value {
          return (field.key, .integer(number))
        }
        return (field.key, .text(field.value))
      })
  }
  init(_ records: [Record]) { self = .array(records.map { JSON($0) }) }

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
