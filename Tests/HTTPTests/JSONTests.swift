import Base
import Protocol
import Testing

@testable import HTTP

@Suite struct JSONTests {
  private func parse(_ text: String) -> JSONInput? { try? JSONInput.parse(Array(text.utf8)) }

  @Test func everyFormIsRead() {
    #expect(
      parse(" {\"a\": [1, -2.50e+3, true, false, null], \"b\":{}, \"a\":[]} ")
        == .object([
          .init(name: "a", value: .array([.number("1"), .number("-2.50e+3"), .flag(true), .flag(false), .null])),
          .init(name: "b", value: .object([])), .init(name: "a", value: .array([])),
        ]))
    #expect(parse("\"\\u00e4\\ud83d\\ude00\\n\\/ö\"") == .text("ä😀\n/ö"))
  }
  @Test(
    arguments: [
      "", "{", "[1,]", "{\"a\"}", "{a:1}", "01", "1.", "1e", "-", "tru", "\"\\x\"", "\"\\ud800\"", "\"\\ud83dx\"",
      "\"\\u00g0\"", "\"a", "\"\n\"", "1 2", "[[[[[[[[[1]]]]]]]]]", "'a'", "\"\\udc00\\ud800\"",
    ]) func whatIsNoneIsRefused(text: String)
  { #expect(parse(text) == nil) }
  @Test func bytesThatAreNoTextAreRefused() {
    #expect((try? JSONInput.parse([0x22, 0xFF, 0x22])) == nil)
  }

  // MARK: Commands

  private func commands(_ text: String) throws -> [String] {
    try CommandList.parse(Array("{\"commands\": [\(text)]}".utf8)).map { command in
      switch command {
      case .send(let bytes): String(decoding: bytes, as: UTF8.self).replacing("\r\n", with: "|")
      case .refused(_, let text): "refused: \(text)"
      }
    }
  }
  private func words(_ text: String) throws -> String? {
    try commands(text).first.map {
      $0.split(separator: "|").filter { !"*$".contains($0.first ?? "*") }.joined(separator: " ")
    }
  }

  @Test func anObjectHasPlacesByTheirNamesAndKeys() throws {
    #expect(
      try commands(#"{"verb": "earn", "points": 5, "who": "ann", "merchant": "shop one", "id": "r-1", "at": null}"#)
        == ["*5|$4|EARN|$3|ann|$8|points=5|$17|merchant=shop one|$6|id=r-1|"])
    #expect(
      try words(#"{"verb":"TRANSFER","to":"bob","from":"ann","points":5,"id":"t"}"#) == "TRANSFER ann bob points=5 id=t"
    )
    #expect(try words(#"{"verb":"MEMBER TAG","who":"ann","tag":["vip","staff"]}"#) == "MEMBER TAG ann vip staff")
    #expect(try words(#"{"verb":"ALIAS ADD","alias":"phone:1","member":"ann"}"#) == "ALIAS ADD phone:1 member=ann")
    #expect(
      try words(#"{"verb":"MEMBER ADD","id":"ann","request":"r","x.shoe":"38"}"#) == "MEMBER ADD ann id=r x.shoe=38")
    #expect(try words(#"{"verb":"AUDIT","args":["a",1],"dry_run":true}"#) == "AUDIT a 1 dry-run=yes")
    #expect(try words(#"{"verb":"CLUSTER SHARD LEADER","args":[7],"to":"n"}"#) == "CLUSTER SHARD LEADER 7 to=n")
    #expect(try words(#"{"verb":"NO SUCH","who":"x"}"#) == "NO SUCH who=x")
  }
  @Test func whatCouldBecomeAnotherRequestIsRefused() throws {
    let refused = [
      #""PING\r\nPING""#, #""""#, #""  ""#, "1", "{}", #"{"verb":""}"#, #""hello 2""#, #""\"HELLO\" 2""#,
      #"" 'AUTH' a b""#,
      #""CLIENT REPLY OFF""#, #""MULTI""#, #""POST / HTTP/1.1""#, #"{"verb":"Auth","args":["a"]}"#,
      #"{"verb":"EARN","who":"points=5"}"#, #"{"verb":"EARN","who":{"a":1}}"#, #"{"verb":"EARN","a=b":1}"#,
    ]
    for command in refused { #expect(try commands(command).first?.hasPrefix("refused: ") == true, "\(command)") }
    for body in ["", "[]", "{}", "{\"commands\":1}", "{\"commands\":[],\"more\":1}"] {
      #expect(throws: Refusal.self) { try CommandList.parse(Array(body.utf8)) }
    }
    let many = Array(repeating: "\"PING\"", count: 1001).joined(separator: ",")
    #expect(throws: Refusal.self) { try commands(many) }
  }
  @Test func aLineStaysALine() throws {
    #expect(try commands(#""EARN ann \"a b\"", "*1""#) == [" EARN ann \"a b\"|", " *1|"])
  }

  // MARK: Replies

  private func json(_ write: (inout ReplyWriter) -> Void) throws -> String {
    var writer = ReplyWriter()
    write(&writer)
    var rendered = ByteBuffer()
    try ReplyRenderer.render(writer.buffer.bytes, resp3: true, into: &rendered)
    var reader = ReplyReader(rendered.bytes)
    var output: [UInt8] = []
    _ = try reader.next(into: &output)
    #expect(reader.offset == rendered.count)
    // Any part of it is not a reply yet.
    for count in 0..<rendered.count {
      var part = ReplyReader(UnsafeRawBufferPointer(rebasing: rendered.bytes[..<count]))
      var nothing: [UInt8] = [1]
      #expect(try part.next(into: &nothing) == nil && nothing == [1] && part.offset == 0)
    }
    return String(decoding: output, as: UTF8.self)
  }

  @Test func recordsAreObjects() throws {
    let text = try json {
      $0.array(count: 2)
      $0.record()
      $0.field(.tx, TransactionID(rawValue: 3 << 48 | 1042))
      $0.field(.member, "42")
      $0.field(.balance, 12)
      $0.field(.expires, .never)
      $0.field(.utcOffset, "+08:00")
      $0.field(.balanced, "yes")
      $0.field(.voters, "a,b")
      $0.field(.region, "none")
      $0.field(named: "x.shoe", "38")
      $0.field(named: "count", 7)
      $0.text("a \"quoted\" ä")
    }
    #expect(
      text
        == #"[{"tx":"3-1042","member":"42","balance":12,"expires":"never","utc_offset":"+08:00","balanced":true,"voters":["a","b"],"region":null,"x.shoe":"38","count":7},"a \"quoted\" ä"]"#
    )
  }
  @Test func errorsAreObjects() throws {
    let text = try json {
      $0.error(.insufficient, "not enough points available")
      $0.field(.available, 12)
      $0.field(.needed, 20)
    }
    #expect(
      text
        == #"{"error":{"code":"INSUFFICIENT","text":"not enough points available","available":12,"needed":20}}"#)
    // A usage is no field.
    let usage = try json { $0.error(.malformed, "EARN needs id=; usage: EARN WHO points=5") }
    #expect(usage == #"{"error":{"code":"ERR","text":"EARN needs id=; usage: EARN WHO points=5"}}"#)
    #expect(try json { $0.ok() } == "\"OK\"")
    #expect(try json { $0.integer(-5) } == "-5")
  }
  @Test(arguments: ["x\r\n", "+a\n", "$5x\r\n", "*-7\r\n", "%1\r\n:1\r\n:1\r\n"]) func whatIsNoReplyIsSaid(text: String)
  {
    var output: [UInt8] = []
    Array(text.utf8).withUnsafeBytes { bytes in
      var reader = ReplyReader(bytes)
      #expect(throws: ReplyReader.Malformed.self) { try reader.next(into: &output) }
    }
  }
}
