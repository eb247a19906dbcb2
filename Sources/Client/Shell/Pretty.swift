import Foundation
import Replies

/// Replies as people read them, and as scripts do.
enum Pretty {
  /// Milliseconds since the epoch, by the keys that carry them.
  private static let moments: Set<String> = ["time", "since", "expires", "asof", "effective"]

  /// For scripts: one line a reply or an element, an error with its `-` in front.
  static func plain(_ value: Value) -> [String] {
    switch value {
    case .text(let text): [text]
    case .error(let code, let text): ["-\(code)" + (text.isEmpty ? "" : " \(text)")]
    case .integer(let number): [String(number)]
    case .bulk(let text): [text ?? ""]
    case .array(let values): values.flatMap { plain($0) }
    }
  }

  /// For a person: a record as a list of its fields, records as a table, moments as dates.
  static func rich(_ value: Value) -> String {
    switch value {
    case .error(let code, let text): return "\u{1B}[31m\(code)\u{1B}[0m \(text)"
    case .text(let text):
      guard let record = Record(text) else { return text }
      let width = record.fields.map(\.key.count).max() ?? 0
      return record.fields.map { field in
        "\(field.key)\(String(repeating: " ", count: width - field.key.count))  \(show(field.key, field.value))"
      }.joined(separator: "\n")
    case .integer(let number): return String(number)
    case .bulk(let text): return text ?? "(nothing)"
    case .array(let values):
      if values.isEmpty { return "(none)" }
      let records = value.records
      // What the last row adds up has columns of its own.
      guard records.count == values.count else { return values.map(rich).joined(separator: "\n") }
      let shown = records.map { record in
        Record(record.fields.map { ($0.key, show($0.key, $0.value)) })
      }
      guard let last = shown.last, last["total"] != nil, shown.count > 1 else { return Table.render(shown) }
      return Table.render(Array(shown.dropLast())) + "\n\n" + Table.render([last])
    }
  }

  static func show(_ key: String, _ value: String) -> String {
    guard moments.contains(key), let milliseconds = Int64(value), milliseconds > 0 else { return value }
    let day = Day(number: Int(milliseconds / 86_400_000))
    let second = Int(milliseconds % 86_400_000) / 1000
    return "\(day) " + String(format: "%02d:%02d:%02dZ", second / 3600, second / 60 % 60, second % 60)
  }
}
