import Base
import Testing
import Vocabulary

@testable import Protocol

/// Requests about entries, from their words to what the directory is sent.
@Suite struct EntryRequestTests {
  /// `2 shop: 3=1/50 x.a=b from`, or the refusal.
  private func said(_ line: String) -> String {
    var parser = RequestParser()
    var framing = Framing()
    return Array((line + "\n").utf8).withUnsafeBytes { bytes in
      switch parser.next(bytes, &framing) {
      case .refused(_, let message): return message
      case .request: break
      default: return "?"
      }
      let request = parser.request
      var whole = ByteBuffer()
      whole.append(request.positional(0))
      whole.append(request.positional(1))
      var reader = ByteReader(whole.bytes)
      guard let entry = try? EntryRequest(decoding: &reader), reader.isAtEnd else { return "malformed" }
      var text = "\(request.verb) \(entry.kind) \(string(entry.key)):"
      for (number, value) in entry.fields { text += " \(number)=\(string(value))" }
      for (name, value) in entry.attributes { text += " x.\(string(name))=\(string(value))" }
      if let moment = entry.moment { text += " at \(moment)" }
      for key in [Key.id, .limit, .after, .read] where request.has(key) {
        text += " \(key.word) \(request.text(key).map(string) ?? "")"
      }
      return text
    }
  }

  @Test func wordsBecomeFieldsInWhateverOrderAndCase() {
    let one = "entrySet 2 shop: 1=frozen 2=gold 5=The Shop x.a=1 x.b=2 id r"
    #expect(said("MERCHANT SET shop title=\"The Shop\" program=gold state=frozen x.b=2 x.a=1 id=r") == one)
    #expect(said("merchant set shop X.a=1 STATE=frozen ID=r x.b=2 Program=gold title='The Shop'") == one)
    #expect(
      said("PROGRAM SET p earn=1/100 from=2030-01-01T00:00:00+02:00") == "entrySet 1 p: 3=1/100 at 1893448800000000")
    #expect(said("PROGRAM SHOW p at=2030-01-01 read=local") == "entryShow 1 p: at -21916 read local")
    #expect(said("MERCHANT LIST org=north limit=7 after=a x.n=1") == "entryList 2 : 7=north x.n=1 limit 7 after a")
    #expect(said("ORG HISTORY a") == "entryHistory 3 a:")
    #expect(said("MERCHANT SET m earn=program org=a,b") == "entrySet 2 m: 3=program 7=a,b")
  }

  @Test(arguments: [
    ("PROGRAM SET", "PROGRAM SET needs name; usage: PROGRAM SET name"),
    ("PROGRAM SET a b", "PROGRAM SET does not expect 'b'"),
    ("PROGRAM LIST a", "PROGRAM LIST does not expect 'a'"),
    ("PROGRAM SET a/b", "name of PROGRAM SET must be 1 to 64 of A-Za-z0-9._-, not 'a/b'"),
    ("PROGRAM SET p colour=red", "PROGRAM SET does not know the key 'colour'; it takes kind="),
    ("PROGRAM SET p x.a=1", "PROGRAM SET does not know the key 'x.a'"),
    ("MERCHANT SET p x.=1", "MERCHANT SET does not know the key 'x.'"),
    ("PROGRAM SHOW p title=a", "PROGRAM SHOW does not know the key 'title'"),
    ("PROGRAM SET p title=a title=b", "'title' is given twice"),
    ("PROGRAM SET p id=a id=b", "'id' is given twice"),
    ("MERCHANT SET p x.a=1 x.a=2", "'x.a' is given twice"),
    ("PROGRAM SET p default=maybe", "default= must be yes or no, not 'maybe'"),
    ("PROGRAM SET p from=soon", "from= must be a time like"), ("PROGRAM SET p from=2026-02-30", "from= must be"),
    ("PROGRAM SET p id=a/b", "id= must be 1 to 64"), ("PROGRAM LIST limit=0", "limit= must be a whole number"),
    ("MERCHANT SET m program=a,b", "program= must be the program that is meant"),
    ("MERCHANT SET m org=a,,b", "org= must be one to 16 of org"),
    ("PROGRAM", "PROGRAM needs one of"),
    ("PROGRAM NOPE", "unknown subcommand 'NOPE' of PROGRAM; it has SET, SHOW, LIST, HISTORY"),
  ])
  func whatIsWrongIsNamed(_ line: String, _ refusal: String) {
    #expect(said(line).hasPrefix(refusal), "\(said(line))")
  }

  @Test func fieldsHaveTheirTypesAndBounds() {
    func holds(_ line: String) -> Bool { said(line).hasPrefix("entrySet") }
    for good in [
      "earn=1000000000/1000000000", "earn=0/1 expire=never kind=money", "expire=1200m", "backdate=366d",
      "expire=36500d",
      "refund-window=36500d", "utc-offset=-14:00", "title=", "state=stopped",
    ] { #expect(holds("PROGRAM SET gold \(good)"), "\(good)") }
    for bad in [
      "earn=1", "earn=1/0", "earn=/1", "earn=1/", "earn=1000000001/1", "earn=1/1000000001", "earn=-1/1", "earn=1/1/1",
      "expire=0d", "expire=36501d", "expire=1201m", "expire=d", "expire=12", "expire=Never", "expire=1w", "expire=1y+",
      "expire=never+1d", "expire=activity:0d", "expire=101y", "backdate=3",
      "backdate=367d", "backdate=3m", "utc-offset=+14:01", "utc-offset=08:00", "utc-offset=+8:00", "utc-offset=+08:60",
      "kind=coins", "refund-window=", "earn=", "state=frozen", "earn=program", "title=a\u{7}",
    ] { #expect(!holds("PROGRAM SET gold \(bad)"), "\(bad)") }
    #expect(holds("CARDTYPE SET c earn-times=3/2 discount=10000") && !holds("CARDTYPE SET c earn-times=0/2"))
    #expect(!holds("CARDTYPE SET c discount=10001") && !holds("PRODUCT SET p price=1.5"))
  }
}
