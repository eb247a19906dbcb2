/// How words are said: on a terminal a colour shows it.
enum Tone: Sendable {
  case plain, good, bad, warning, faint

  fileprivate var code: String? {
    switch self {
    case .plain: nil
    case .good: "32"
    case .bad: "31"
    case .warning: "33"
    case .faint: "2"
    }
  }
}

/// Words and their tone.
struct Styled: Equatable, Sendable, ExpressibleByStringInterpolation {
  var text: String
  var tone = Tone.plain

  init(_ text: String, _ tone: Tone = .plain) {
    self.text = text
    self.tone = tone
  }
  init(stringLiteral text: String) { self.init(text) }
  var width: Int { DisplayWidth.of(text) }
}

/// What the reader's side can show.
struct Style: Sendable {
  /// What everything fits unless `--wide` is said.
  static let width = 80

  var isColoured: Bool
  /// The widest line; nil: any.
  var limit: Int?

  init(isColoured: Bool, limit: Int?) {
    self.isColoured = isColoured
    self.limit = limit
  }
  /// Colours go to terminals only, and to none whose user has set NO_COLOR (https://no-color.org).
  init(descriptor: Int32, isWide: Bool) {
    let isTerminal = descriptor == 1 ? Console.isOutputTerminal : Console.isErrorTerminal
    isColoured = isTerminal && Console.environment("NO_COLOR") == nil && Console.environment("TERM") != "dumb"
    limit = isWide ? nil : Style.width
  }

  func paint(_ text: String, _ tone: Tone) -> String {
    guard isColoured, let code = tone.code, !text.isEmpty else { return text }
    return "\u{1B}[\(code)m\(text)\u{1B}[0m"
  }
  func paint(_ words: Styled) -> String { paint(words.text, words.tone) }
}
