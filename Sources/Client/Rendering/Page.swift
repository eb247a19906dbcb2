/// What a command shows to a person: lines and tables, in order.
struct Page: Sendable {
  private enum Block {
    case line([Styled])
    case table(Table)
  }
  private var blocks: [Block] = []
  var isEmpty: Bool { blocks.isEmpty }

  /// One line, of several words with their tones. It is broken where it is too wide.
  mutating func line(_ words: Styled...) { blocks.append(.line(words)) }
  /// Lines as they stand.
  mutating func text(_ text: String) {
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) { self.line(Styled(String(line))) }
  }
  /// A table, with an empty line before it unless it comes first.
  mutating func table(_ table: Table) {
    if !blocks.isEmpty { line() }
    blocks.append(.table(table))
  }

  func rendered(_ style: Style) -> String {
    blocks.map { block in
      switch block {
      case .table(let table): table.rendered(style)
      case .line(let words): Page.line(words, style)
      }
    }.joined(separator: "\n")
  }

  private static func line(_ words: [Styled], _ style: Style) -> String {
    let width = words.reduce(0) { $0 + $1.width }
    guard let limit = style.limit, width > limit else { return words.map(style.paint).joined() }
    let text = words.map(\.text).joined()
    let indent = String(text.prefix { $0 == " " })
    let tone = words.first { $0.tone != .plain }?.tone ?? .plain
    return wrapped(String(text.dropFirst(indent.count)), width: limit - indent.count - 2).enumerated()
      .map { style.paint(indent + ($0 == 0 ? "" : "  ") + $1, tone) }.joined(separator: "\n")
  }

  /// Lines of at most that width, broken at spaces; a longer word stands alone.
  static func wrapped(_ text: String, width: Int) -> [String] {
    var lines: [String] = []
    for paragraph in text.split(separator: "\n", omittingEmptySubsequences: false) {
      var line = ""
      for word in paragraph.split(separator: " ") {
        if !line.isEmpty, DisplayWidth.of(line) + 1 + DisplayWidth.of(word) > width {
          lines.append(line)
          line = ""
        }
        line += (line.isEmpty ? "" : " ") + word
      }
      lines.append(line)
    }
    return lines
  }
}
