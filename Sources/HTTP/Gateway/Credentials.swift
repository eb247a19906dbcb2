/// What the header `Authorization` says.
enum Credentials: Equatable {
  case none
  case malformed
  case basic(user: String, secret: String)
  /// A session's token.
  case bearer([UInt8])

  /// - Parameter header: its value (RFC 7617, RFC 6750); nil: it is not there.
  init(_ header: String?) {
    guard let header else {
      self = .none
      return
    }
    let words = header.split(separator: " ")
    if words.count == 2, words[0].lowercased() == "bearer" {
      self = .bearer(Array(words[1].utf8))
      return
    }
    guard words.count == 2, words[0].lowercased() == "basic", let bytes = Credentials.base64(words[1].utf8),
      let text = String(validating: bytes, as: UTF8.self), let colon = text.firstIndex(of: ":")
    else {
      self = .malformed
      return
    }
    self = .basic(user: String(text[..<colon]), secret: String(text[text.index(after: colon)...]))
  }

  /// The bytes that a text of base64 (RFC 4648, §4) stands for; nil: it is none.
  private static func base64(_ text: Substring.UTF8View) -> [UInt8]? {
    let digits = Array(text).prefix { $0 != UInt8(ascii: "=") }
    guard text.count % 4 == 0, text.count - digits.count <= 2, text.dropFirst(digits.count).allSatisfy({ $0 == 0x3D })
    else { return nil }
    var bytes: [UInt8] = []
    var (bits, count) = (UInt32(0), 0)
    for digit in digits {
      guard let value = value(digit) else { return nil }
      bits = bits << 6 | UInt32(value)
      count += 6
      guard count >= 8 else { continue }
      count -= 8
      bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
    }
    return bytes
  }
  private static func value(_ digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): digit - 65
    case UInt8(ascii: "a")...UInt8(ascii: "z"): digit - 71
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit + 4
    case UInt8(ascii: "+"): 62
    case UInt8(ascii: "/"): 63
    default: nil
    }
  }
}
