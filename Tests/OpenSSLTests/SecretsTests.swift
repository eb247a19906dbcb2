import Testing

@testable import OpenSSL

struct SecretsTests {
  private func bytes(_ hex: String) -> [UInt8] {
    stride(from: 0, to: hex.count, by: 2).compactMap { UInt8(hex.dropFirst($0).prefix(2), radix: 16) }
  }

  /// RFC 7914, section 12.
  @Test func scryptGivesTheValuesOfItsStandard() throws {
    #expect(
      try Secrets.scrypt(Array("password".utf8), salt: Array("NaCl".utf8), n: 1024, r: 8, p: 16, count: 64)
        == bytes(
          "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640"
        ))
    #expect(
      try Secrets.scrypt(Array("pleaseletmein".utf8), salt: Array("SodiumChloride".utf8), count: 64)
        == bytes(
          "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"
        ))
    #expect(
      try Secrets.scrypt([], salt: [], n: 16, r: 1, p: 1, count: 64)
        == bytes(
          "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906"
        ))
  }

  /// RFC 4231, test cases 1, 2 and 6.
  @Test func codesAreThoseOfTheirStandard() throws {
    #expect(
      try Secrets.code(Array("Hi There".utf8), key: [UInt8](repeating: 0x0B, count: 20))
        == bytes("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"))
    #expect(
      try Secrets.code(Array("what do ya want for nothing?".utf8), key: Array("Jefe".utf8))
        == bytes("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"))
    #expect(
      try Secrets.code(
        Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8), key: [UInt8](repeating: 0xAA, count: 131))
        == bytes("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"))
  }

  @Test func randomBytesDifferAndComparisonsAreRight() throws {
    let drawn = try Secrets.random(16)
    #expect(drawn.count == 16)
    #expect(try drawn != Secrets.random(16))
    #expect(try Secrets.areEqual(drawn, drawn))
    #expect(try !Secrets.areEqual(drawn, drawn.dropLast() + [drawn[15] ^ 1]))
    #expect(try !Secrets.areEqual(drawn, drawn + [0]))
  }
}
