/// The words of a line, as the protocol splits and quotes them.
public enum Words {
  /// `nil` where a quote is left open or an escape is none.
  public static func split(_ line: String) -> [String]? {
    var words: [String] = []
    var word: [UInt8] = []
    var isInWord = false
    var bytes = Array(line.utf8)[...]
    while let byte = bytes.popFirst() {
      switch byte {
      case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"), UInt8(ascii: "\n"):
        if isInWord { words.append(String(decoding: word, as: UTF8.self)) }
        word.removeAll(keepingCapacity: true)
        isInWord = false
      case UInt8(ascii: "'"), UInt8(ascii: "\""):
        isInWord = true
        guard quoted(by: byte, &bytes, into: &word) else { return nil }
      default:
        isInWord = true
        word.append(byte)
      }
    }
    if isInWord { words.append(String(decoding: word, as: UTF8.self)) }
    return words
  }

  private static func quoted(by quote: UInt8, _ bytes: inout ArraySlice<UInt8>, into word: inout [UInt8]) -> Bool {
    while let byte = bytes.popFirst() {
      if byte == quote { return true }
      guard byte == UInt8(ascii: "\\"), quote == UInt8(ascii: "\"") else {
        word.append(byte)
        continue
      }
      switch bytes.popFirst() {
      case UInt8(ascii: "n"): word.append(10)
      case UInt8(ascii: "r"): word.append(13)
      case UInt8(ascii: "t"): word.append(9)
      case UInt8(ascii: "\""): word.append(UInt8(ascii: "\""))
      case UInt8(ascii: "\\"): word.append(UInt8(ascii: "\\"))
      case UInt8(ascii: "x"):
        let digits = String(decoding: bytes.prefix(2), as: UTF8.self)
        guard digits.utf8.count == 2, let value = UInt8(digits, radix: 16) else { return false }
        word.append(value)
        bytes = bytes.dropFirst(2)
      default: return false
      }
    }
    return false
  }

  /// The word as it must be written in a line: quoted where that is needed.
  public static func quote(_ word: String) -> String {
    let isPlain = !word.isEmpty && word.utf8.allSatisfy { $0 > 32 && $0 != 34 && $0 != 39 && $0 != 92 && $0 != 127 }
    guard !isPlain else { return word }
    var text = "\""
    for scalar in word.unicodeScalars {
      switch scalar {
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case _ where scalar.value < 32 || scalar.value == 127:
        let digits = String(scalar.value, radix: 16)
        text += "\\x" + (digits.count == 1 ? "0" : "") + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    return text + "\""
  }
}
