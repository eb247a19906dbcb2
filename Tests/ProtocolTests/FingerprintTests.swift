import Base
import Testing

@testable import Protocol
@testable import Vocabulary

@Suite struct FingerprintTests {
  static let ownKey = HashKey(low: 1, high: 2)
  static func of(
    _ text: String, _ first: String? = nil, _ second: String? = nil, key: HashKey = ownKey
  ) -> UInt64? {
    withRequest(text) { request in
      Array((first ?? "").utf8).withUnsafeBytes { a in
        Array((second ?? "").utf8).withUnsafeBytes { b in
          request.fingerprint(key, first == nil ? nil : a, second == nil ? nil : b)
        }
      }
    }
  }
  static let base = of("EARN m1 merchant=shop spend=12 id=r\n")

  @Test(arguments: [
    "EARN m1 id=r spend=12 merchant=shop\n", "earn merchant=shop m1 SPEND=12 ID=r\n",
    "EARN \"m1\" merchant='shop' spend=12 id=r\n", resp(["EARN", "m1", "spend=12", "id=r", "merchant=shop"]),
    "EARN m1 merchant=shop spend=12 id=another\n",
  ])
  func howItIsWrittenDoesNotMatter(_ text: String) { #expect(Self.of(text) == Self.base) }

  @Test(arguments: [
    "EARN m2 merchant=shop spend=12 id=r\n", "EARN m1 merchant=shoq spend=12 id=r\n",
    "EARN m1 merchant=shop spend=13 id=r\n", "EARN m1 merchant=shop points=12 id=r\n",
    "EARN m1 merchant=shop spend=12 program=p id=r\n", "EARN m1 merchant=shop spend=12 at=0 id=r\n",
    "EARN m1 merchant=shop spend=012 id=r\n", "EARN card:m1 merchant=shop spend=12 id=r\n",
    "EARN shop merchant=m1 spend=12 id=r\n",
  ])
  func whatIsAskedForDoes(_ text: String) { #expect(Self.of(text) != Self.base && Self.of(text) != nil) }

  @Test func equalWordsOfOtherVerbsDiffer() {
    #expect(Self.of("REDEEM m1 merchant=shop points=12 id=r\n") != Self.of("HOLD m1 merchant=shop points=12 id=r\n"))
    #expect(Self.of("TRANSFER a b points=1 id=r\n") != Self.of("TRANSFER b a points=1 id=r\n"))
  }

  @Test func aCardStandsForItsMember() {
    #expect(Self.of("EARN card:77 merchant=shop spend=12 id=r\n", "m1") == Self.base)
    #expect(Self.of("EARN card:78 merchant=shop spend=12 id=r\n", "m1") == Self.base)
    let transfer = Self.of("TRANSFER ann bob points=1 id=r\n")
    #expect(Self.of("TRANSFER card:1 card:2 points=1 id=r\n", "ann", "bob") == transfer)
    #expect(Self.of("TRANSFER ann card:2 points=1 id=r\n", nil, "bob") == transfer)
    #expect(Self.of("TRANSFER card:1 card:2 points=1 id=r\n", "bob", "ann") != transfer)
  }

  @Test func itIsTheClustersOwn() {
    let line = "EARN m1 merchant=shop spend=12 id=r\n"
    #expect(Self.of(line, key: HashKey(low: 1, high: 3)) != Self.base)
    #expect(Self.of(line, key: HashKey(low: 2, high: 2)) != Self.base)
  }

  /// These two have one XXH64: whoever compares by that takes them for one.
  @Test func valuesMadeToCollideDiffer() {
    let a = "qzBzegoSIF_uMisEW_CaMnk9K.pfOjF9vsXJrQiFQAf.3eiOC_E1Z8ObcXS8Jh7C"
    let b = "Dif4wpUXdlsJUosWEHWj7RZShETej4Q.MKToC9msPsOcP55e5b5G9tS4JqS7EJAS"
    #expect(a.xxh64(seed: 1) == b.xxh64(seed: 1))
    #expect(Self.of("EARN m1 merchant=\(a) spend=12 id=r\n") != Self.of("EARN m1 merchant=\(b) spend=12 id=r\n"))
    #expect(Self.of("EARN \(a) merchant=shop spend=12 id=r\n") != Self.of("EARN \(b) merchant=shop spend=12 id=r\n"))
  }

  /// It is compared with what the ledger has kept for weeks, so it may never change.
  @Test func itIsTheSameForEver() {
    #expect(Self.base == 0x967AEDF7ADDDAB03)
    #expect(Self.of("TRANSFER ann bob points=1 id=r\n") == 0xE82B2EB55C8868D7)
  }
}
