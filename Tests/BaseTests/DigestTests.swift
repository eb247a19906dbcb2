import Testing

@testable import Base

@Suite struct DigestTests {
  private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

  @Test func crc32cMatchesItsPublishedVectors() {
    // RFC 3720, appendix B.4.
    #expect([UInt8](repeating: 0, count: 32).withUnsafeBytes { CRC32C.checksum($0) } == 0x8A91_36AA)
    #expect([UInt8](repeating: 0xFF, count: 32).withUnsafeBytes { CRC32C.checksum($0) } == 0x62A8_AB43)
    #expect([UInt8](0..<32).withUnsafeBytes { CRC32C.checksum($0) } == 0x46DD_794E)
    #expect(bytes("123456789").withUnsafeBytes { CRC32C.checksum($0) } == 0xE306_9283)
  }

  @Test func crc32cContinuesFromWhereItStopped() {
    let data = [UInt8](0..<100)
    for cut in 0...100 {
      let head = data[..<cut].withUnsafeBytes { CRC32C.checksum($0) }
      #expect(
        data[cut...].withUnsafeBytes { CRC32C.checksum($0, continuing: head) }
          == data.withUnsafeBytes { CRC32C.checksum($0) })
    }
  }

  @Test func sha256MatchesFIPSVectorsInBothImplementations() {
    let vectors = [
      ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
      ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
      (
        "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
      ),
    ]
    for (text, hex) in vectors {
      #expect(bytes(text).withUnsafeBytes { SHA256.portableDigest($0) }.hex == hex)
      #expect(SHA256.digest(bytes(text)).hex == hex)
    }
    let million = [UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000)
    #expect(
      million.withUnsafeBytes { SHA256.portableDigest($0) }.hex
        == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
  }

  @Test func sha256DoesNotDependOnHowTheBytesArrive() {
    let data = [UInt8]((0..<300).map { UInt8($0 & 0xFF) })
    for step in [1, 3, 63, 64, 65, 128] {
      var hasher = SHA256()
      var at = 0
      while at < data.count {
        let end = min(at + step, data.count)
        data[at..<end].withUnsafeBytes { hasher.update($0) }
        at = end
      }
      #expect(hasher.finish() == SHA256.digest(data))
    }
  }

  @Test func xxh64MatchesItsPublishedVectors() {
    #expect("".xxh64() == 0xEF46_DB37_51D8_E999)
    #expect("a".xxh64() == 0xD24E_C4F1_A98C_6E5B)
    #expect("abc".xxh64() == 0x44BC_2CF5_AD77_0999)
    #expect("Nobody inspects the spammish repetition".xxh64() == 0xFBCE_A83C_8A37_8BF1)
  }

  @Test func aTransactionNumberReadsBackAsItWasWritten() {
    let id = TransactionID(slot: Slot(3), sequence: 1042)
    let text = bytes("3-1042")
    #expect(text.withUnsafeBytes { TransactionID(parsing: $0) } == id)
    for wrong in ["", "3", "3-", "-4", "3-0", "16384-1", "3-1x", "3--1", "+3-1", "3-281474976710656"] {
      #expect(bytes(wrong).withUnsafeBytes { TransactionID(parsing: $0) } == nil, "\(wrong)")
    }
  }
}

@Suite struct ChecksumTests {
  @Test func theInstructionAndTheTablesAgree() {
    var generator = SeededGenerator(seed: 7)
    for count in 0..<200 {
      let data = (0..<count).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
      let seed = UInt32(truncatingIfNeeded: generator.next())
      data.withUnsafeBytes {
        #expect(CRC32C.checksum($0, continuing: seed) == CRC32C.checksumByTables($0, continuing: seed))
      }
    }
  }
}
