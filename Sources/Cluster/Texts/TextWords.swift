/// What a text message says, as far as that decides its answer.
struct TextWords: Hashable, Sendable {
  /// The first word, in small letters and without the marks around it; empty: there is none.
  var word: String
  /// All of it may be the code of a product: 8 or more letters and digits, one digit at least.
  var isCode: Bool

  /// - Parameter text: as it was sent. Full-width letters and digits are as their narrow ones.
  init(_ text: String) {
    var narrow = ""
    for scalar in text.unicodeScalars { narrow.unicodeScalars.append(TextWords.narrow(scalar)) }
    let words = narrow.split(whereSeparator: \.isWhitespace)
    let first = (words.first ?? "").lowercased()
    let marks = "\"'.,:;!#*()。，！"
    let bare = first.drop { marks.contains($0) }
    let end = bare.lastIndex { !marks.contains($0) }
    word = end.map { String(bare[...$0]) } ?? ""
    let code = words.joined().filter { $0 != "-" }.utf8
    isCode =
      code.count >= 8 && code.allSatisfy { TextWords.isDigit($0) || TextWords.isLetter($0) }
      && code.contains { TextWords.isDigit($0) }
  }
  private static func narrow(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
    switch scalar.value {
    case 0xFF01...0xFF5E: Unicode.Scalar(scalar.value - 0xFEE0) ?? scalar
    case 0x3000: " "
    default: scalar
    }
  }
  private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
  private static func isLetter(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) }

  /// What a word asks for, of those that every tenant has.
  static func asked(by word: String) -> TextMessage? {
    switch word {
    case "bal", "balance", "余额", "积分": .balance
    case "help", "?", "帮助": .help
    case "join", "加入": .join
    case "hist", "history", "pts", "明细": .history
    case "exp", "expiry", "到期": .expiry
    default: nil
    }
  }
}
