import Testing

@testable import Base

@Suite struct ShortTextTests {
  static let letters = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-".utf8)

  static func isIdentifier(_ bytes: [UInt8]) -> Bool { bytes.withUnsafeBytes { $0.isIdentifier } }
  static func haveSameBytes(_ a: [UInt8], _ b: [UInt8]) -> Bool {
    a.withUnsafeBytes { a in b.withUnsafeBytes { a.hasSameBytes(as: $0) } }
  }

  @Test func anIdentifierHas1To64Bytes() {
    for count in 0...80 {
      for byte in [UInt8(ascii: "-"), UInt8(ascii: "Z"), UInt8(ascii: "_")] {
        #expect(Self.isIdentifier([UInt8](repeating: byte, count: count)) == (1...64).contains(count))
      }
    }
  }

  /// Each byte at each place of texts whose lengths lie around those of the words that are looked at.
  @Test func oneByteThatIsNoneIsSeenWhereverItStands() {
    for count in [1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 63, 64] {
      for place in 0..<count {
        var text = (0..<count).map { Array("aZ9._-z0")[$0 % 8].asciiValue ?? 0 }
        for byte in UInt8.min...UInt8.max {
          text[place] = byte
          if Self.isIdentifier(text) != Self.letters.contains(byte) {
            Issue.record("byte \(byte) at \(place) of \(count)")
          }
        }
      }
    }
  }

  @Test func whatIsBehindDoesNotMatter() {
    for count in 1...20 {
      let bytes = [UInt8](repeating: UInt8(ascii: "q"), count: count) + [0x20, 0xFF, 0]
      #expect(bytes.withUnsafeBytes { UnsafeRawBufferPointer(rebasing: $0[..<count]).isIdentifier })
    }
  }

  @Test func twoWordsHoldFifteenBytes() {
    for count in 0...15 {
      let text = (0..<count).map { UInt8($0 + 129) }
      let words = text.withUnsafeBytes { $0.words }
      for place in 0..<16 {
        let word = place < 8 ? words.low : words.high
        let byte = UInt8(truncatingIfNeeded: word >> UInt64(8 * (place & 7)))
        #expect(byte == (place < count ? text[place] : 0), "\(place) of \(count)")
      }
    }
  }

  @Test func bytesAreTheSameOrNot() {
    for count in 0...40 {
      let text = (0..<count).map { UInt8($0 * 37 & 0xFF) }
      #expect(Self.haveSameBytes(text, text))
      #expect(!Self.haveSameBytes(text, text + [0]) && !Self.haveSameBytes(text + [0], text))
      for place in 0..<count {
        var other = text
        other[place] ^= 0x80
        #expect(!Self.haveSameBytes(text, other), "\(place) of \(count)")
      }
    }
  }
}
