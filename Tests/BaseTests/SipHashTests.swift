import Testing

@testable import Base

@Suite struct SipHashTests {
  /// The key 00 01 … 0F, as in the paper and its reference implementation.
  static let key = HashKey(low: 0x0706_0504_0302_0100, high: 0x0F0E_0D0C_0B0A_0908)

  static func bytes<R>(_ count: Int, _ body: (UnsafeRawBufferPointer) -> R) -> R {
    (0..<count).map { UInt8($0) }.withUnsafeBytes(body)
  }
  static func hash(_ count: Int) -> UInt64 {
    bytes(count) {
      var hash = SipHash(key)
      hash.absorbEnd($0)
      return hash.finished()
    }
  }
  static func wide(_ count: Int) -> [UInt8] {
    bytes(count) {
      var hash = SipHash(wide: key)
      hash.absorbEnd($0)
      let (low, high) = hash.finishedWide()
      return [low, high].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * $0)) } }
    }
  }

  /// Appendix A of the paper, and vectors of the reference implementation for the messages 00, 00 01, …
  @Test(
    arguments: [
      (0, 0x726F_DB47_DD0E_0E31), (1, 0x74F8_39C5_93DC_67FD), (2, 0x0D6C_8009_D9A9_4F5A), (3, 0x8567_6696_D7FB_7E2D),
      (4, 0xCF27_94E0_2771_87B7), (5, 0x1876_5564_CD99_A68D), (6, 0xCBC9_466E_58FE_E3CE), (7, 0xAB02_00F5_8B01_D137),
      (8, 0x93F5_F579_9A93_2462), (9, 0x9E00_82DF_0BA9_E4B0), (15, 0xA129_CA61_49BE_45E5), (63, 0x958A_324C_EB06_4572),
    ] as [(Int, UInt64)]) func vectorsOf64Bits(_ count: Int, _ expected: UInt64)
  { #expect(Self.hash(count) == expected) }

  /// The reference implementation's, of the same messages.
  @Test(arguments: [
    (0, "a3817f04ba25a8e66df67214c7550293"), (1, "da87c1d86b99af44347659119b22fc45"),
    (2, "8177228da4a45dc7fca38bdef60affe4"), (3, "9c70b60c5267a94e5f33b6b02985ed51"),
    (4, "f88164c12d9c8faf7d0f6e7c7bcd5579"), (5, "1368875980776f8854527a07690e9627"),
    (15, "5493e99933b0a8117e08ec0f97cfc3d9"),
  ]) func vectorsOf128Bits(_ count: Int, _ expected: String) {
    #expect(Self.wide(count).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() == expected)
  }

  @Test func wordsAreEightBytes() {
    for count in [8, 16, 23, 40, 64] {
      let whole = Self.hash(count)
      let inParts = Self.bytes(count) { bytes in
        var hash = SipHash(Self.key)
        hash.absorb(bytes.loadUnaligned(as: UInt64.self))
        hash.absorbEnd(UnsafeRawBufferPointer(rebasing: bytes[8...]))
        return hash.finished()
      }
      #expect(whole == inParts)
    }
  }

  /// A value's first five bytes share a block with its tag and its length; what is left is a message of its own.
  @Test func aValueIsItsHeadAndItsRest() {
    for count in 0...40 {
      let (whole, inParts) = Self.bytes(count) { bytes in
        var value = SipHash(Self.key)
        value.absorb(bytes, tag: 0xAB)
        var parts = SipHash(Self.key)
        var head = 0xAB | UInt64(count) << 8
        for i in 0..<min(count, 5) { head |= UInt64(bytes[i]) << UInt64(24 + 8 * i) }
        parts.absorb(head)
        if count > 5 { parts.absorbEnd(UnsafeRawBufferPointer(rebasing: bytes[5...])) }
        for hash in [value, parts] { #expect(hash.count & 7 == 0) }
        value.absorb(1)
        parts.absorb(1)
        return (value.finished(), parts.finished())
      }
      #expect(whole == inParts, "\(count)")
    }
  }

  @Test func sequencesOfValuesAreAbsorbedApart() {
    func hash(_ values: [(UInt8, String)]) -> UInt64 {
      var hash = SipHash(Self.key)
      for (tag, value) in values { Array(value.utf8).withUnsafeBytes { hash.absorb($0, tag: tag) } }
      return hash.finished()
    }
    let others: [[(UInt8, String)]] = [
      [(1, "abcdefgh"), (2, "i")], [(1, "abcdefg"), (2, "hi")], [(1, "abcdefghi"), (2, "")],
      [(2, "abcdefgh"), (1, "i")],
      [(1, "abcdefgh"), (3, "i")], [(1, "abcde"), (2, "fghi")], [(1, "abcdef"), (2, "ghi")],
      [(1, ""), (2, "abcdefghi")],
      [(1, "abcdefgh"), (2, "i"), (3, "")], [(1, "abcdefgh")],
    ]
    #expect(Set(others.map(hash)).count == others.count)
  }

  @Test func aKeyIsNotShown() {
    #expect("\(Self.key)" == "(hidden)" && String(reflecting: Self.key).contains("hidden"))
    var text = ""
    dump(Self.key, to: &text)
    #expect(!text.contains("506097522914230528"))
  }
}
