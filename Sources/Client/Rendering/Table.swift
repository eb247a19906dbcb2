import Replies

/// Records as a table for people: a column a key, numbers to the right. One that is too wide has its widest columns of
/// words shortened, unless it is plain; what still has no room stands on a line of its own below its row.
struct Table: Sendable {
  var header: [String]
  var rows: [[Styled]]
  /// Keys and values stand as in the protocol, and nothing is shortened: somebody may want to copy them.
  var isPlain = false
  /// So many columns at the end stand below their rows where the width is limited.
  var below = 0
  /// A column of words is not shortened below this.
  private static let least = 8
  private static let gap = "  "

  init(header: [String], rows: [[Styled]]) {
    self.header = header
    self.rows = rows
  }

  /// The columns that are named, as far as any record has them; else all, in the order in which the keys first come.
  init(_ records: [Record], columns: [String]? = nil, isPlain: Bool = false) {
    self.isPlain = isPlain
    var keys = columns?.filter { key in records.contains { $0[key] != nil } } ?? []
    if columns == nil {
      for record in records {
        for field in record.fields where !keys.contains(field.key) { keys.append(field.key) }
      }
    }
    header = keys.map { isPlain ? $0 : FieldKind.title($0) }
    rows = records.map { record in
      keys.map { key in
        guard let value = record[key] else { return "" }
        return isPlain ? Styled(FieldKind.dated(key, value)) : FieldKind.cell(key, value)
      }
    }
  }

  func rendered(_ style: Style) -> String {
    let isNumeric = header.indices.map { i in rows.allSatisfy { $0[i].text.isEmpty || Table.isNumber($0[i].text) } }
    let widths = fitted(isNumeric, style.limit)
    var lines = [line(header.map { Styled($0, .faint) }, widths, isNumeric, style)]
    for row in rows {
      lines.append(line(row, widths, isNumeric, style))
      lines += rest(of: row, behind: widths.count, style)
    }
    return lines.joined(separator: "\n")
  }

  /// The width of each column that has room.
  private func fitted(_ isNumeric: [Bool], _ limit: Int?) -> [Int] {
    var widths = header.indices.map { i in
      rows.reduce(DisplayWidth.of(header[i])) { max($0, $1[i].width) }
    }
    guard let limit else { return widths }
    widths.removeLast(min(below, max(0, widths.count - 1)))
    func excess() -> Int { widths.reduce(0, +) + Table.gap.count * max(0, widths.count - 1) - limit }
    /// By how much its columns of words can be shortened.
    func slack() -> Int {
      isPlain ? 0 : widths.indices.reduce(0) { $0 + (isNumeric[$1] ? 0 : max(0, widths[$1] - Table.least)) }
    }
    // Nothing is shortened that leaves the table too wide all the same.
    while excess() > slack(), widths.count > 1 { widths.removeLast() }
    while excess() > 0 {
      let flexible = widths.indices.filter { !isPlain && !isNumeric[$0] && widths[$0] > Table.least }
      guard let widest = flexible.max(by: { widths[$0] < widths[$1] }) else { break }
      widths[widest] -= 1
    }
    return widths
  }

  private func line(_ cells: [Styled], _ widths: [Int], _ isNumeric: [Bool], _ style: Style) -> String {
    var text = ""
    for (i, width) in widths.enumerated() {
      let cell = Table.shortened(cells[i], width)
      let padding = String(repeating: " ", count: width - cell.width)
      let isLast = i == widths.count - 1
      text += isNumeric[i] ? padding + style.paint(cell) : style.paint(cell) + (isLast ? "" : padding)
      if !isLast { text += Table.gap }
    }
    return text
  }

  private func rest(of row: [Styled], behind count: Int, _ style: Style) -> [String] {
    let fields = (count..<row.count).filter { !row[$0].text.isEmpty }.map { "\(header[$0])=\(row[$0].text)" }
    guard !fields.isEmpty else { return [] }
    let width = (style.limit ?? Style.width) - 4
    return Page.wrapped(fields.joined(separator: "  "), width: width).map { style.paint("    " + $0, .faint) }
  }

  private static func shortened(_ cell: Styled, _ width: Int) -> Styled {
    guard cell.width > width else { return cell }
    var text = ""
    var used = 1
    for character in cell.text {
      used += DisplayWidth.of(character)
      if used > width { break }
      text.append(character)
    }
    let shortened = text + "…"
    return Styled(shortened + String(repeating: " ", count: max(0, width - DisplayWidth.of(shortened))), cell.tone)
  }

  /// A figure, perhaps with a unit; a sign goes first: `3-1042` is a name.
  private static func isNumber(_ cell: String) -> Bool {
    if cell == FieldKind.unknown { return true }
    let parts = cell.split(separator: " ")
    guard let figure = parts.first, parts.count == 1 || parts.count == 2 && FieldKind.units.contains(String(parts[1]))
    else { return false }
    var hasDigit = false
    for byte in figure.hasPrefix("-") ? figure.utf8.dropFirst() : figure.utf8[...] {
      switch byte {
      case 48...57: hasDigit = true
      case UInt8(ascii: "."), UInt8(ascii: ","), UInt8(ascii: "%"): continue
      default: return false
      }
    }
    return hasDigit
  }
}
