import Replies

/// Replies as people read them, and as scripts do.
enum Pretty {
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
  static func rich(_ value: Value, _ style: Style) -> String {
    switch value {
    case .error(let code, let text): return style.paint(code, .bad) + " " + text
    case .text(let text):
      guard let record = Record(text) else { return text }
      let width = record.fields.map(\.key.count).max() ?? 0
      return record.fields.map { field in
        let padding = String(repeating: " ", count: width - field.key.count)
        return "\(field.key)\(padding)  \(FieldKind.dated(field.key, field.value))"
      }.joined(separator: "\n")
    case .integer(let number): return String(number)
    case .bulk(let text): return text ?? "(nothing)"
    case .array(let values):
      if values.isEmpty { return "(none)" }
      let records = value.records
      guard records.count == values.count else { return values.map { rich($0, style) }.joined(separator: "\n") }
      func table(_ records: some Sequence<Record>) -> String {
        Table(Array(records), isPlain: true).rendered(style)
      }
      // What the last row adds up has columns of its own.
      guard let last = records.last, last["total"] != nil, records.count > 1 else { return table(records) }
      return table(records.dropLast()) + "\n\n" + table([last])
    }
  }
}
