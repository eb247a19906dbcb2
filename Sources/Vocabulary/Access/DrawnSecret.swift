import Base

/// A secret that `tally` drew: `tally-`, 128 random bits, and a checksum, both in hexadecimal. Nobody guesses it, so it is kept
/// as a plain code and not by a hash that takes long; the checksum tells it from what a person makes up.
public enum DrawnSecret {
  static let prefix = "tally-"

  /// - Parameter bits: 16 random bytes.
  public static func text(of bits: [UInt8]) -> String {
    prefix + hex(bits) + hex(check(bits))
  }
  public static func isOne(_ secret: [UInt8]) -> Bool {
    let text = String(decoding: secret, as: UTF8.self)
    guard secret.count == prefix.utf8.count + 40, text.hasPrefix(prefix) else { return false }
    let digits = Array(text.utf8.dropFirst(prefix.utf8.count))
    var bytes: [UInt8] = []
    for place in stride(from: 0, to: digits.count, by: 2) {
      guard let high = digit(digits[place]), let low = digit(digits[place + 1]) else { return false }
      bytes.append(high << 4 | low)
    }
    return Array(bytes.suffix(4)) == check(Array(bytes.prefix(16)))
  }

  private static func check(_ bits: [UInt8]) -> [UInt8] {
    let sum = bits.withUnsafeBytes { CRC32C.checksum($0) }
    return [UInt8(sum >> 24), UInt8(sum >> 16 & 255), UInt8(sum >> 8 & 255), UInt8(sum & 255)]
  }
  private static func hex(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }
  private static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    default: nil
    }
  }
}
