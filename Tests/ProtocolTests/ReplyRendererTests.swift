import Base
import Testing

@testable import Protocol

@Suite struct ReplyRendererTests {
  /// The rendering of what `write` wrote, in both versions.
  static func rendered(_ write: (inout ReplyWriter) -> Void) throws -> (resp2: String, resp3: String) {
    var writer = ReplyWriter()
    write(&writer)
    let encoded = writer.buffer.array + [0xFF]  // What stands behind a reply is not read.
    return try encoded.withUnsafeBytes { bytes in
      var two = ByteBuffer()
      var three = ByteBuffer()
      let used = [
        try ReplyRenderer.render(bytes, resp3: false, into: &two),
        try ReplyRenderer.render(bytes, resp3: true, into: &three),
      ]
      #expect(used == [encoded.count - 1, encoded.count - 1])
      return (string(two.bytes), string(three.bytes))
    }
  }

  @Test func recordsMayBeBulkStrings() throws {
    var writer = ReplyWriter()
    writer.array(count: 3)
    writer.record()
    writer.field(.name, "Ann Lee")
    writer.field(.points, 5)
    writer.ok()
    writer.error(.limit, "no")
    var output = ByteBuffer()
    try ReplyRenderer.render(writer.buffer.bytes, resp3: false, bulk: true, into: &output)
    #expect(string(output.bytes) == "*3\r\n$23\r\nname=\"Ann Lee\" points=5\r\n+OK\r\n-LIMIT no\r\n")
  }

  @Test func numbersAreWrittenInFull() throws {
    var numbers = [Int64](0...1_200) + [Int64.max, Int64.min, -1, -10, -99, -100]
    var power: Int64 = 1
    for _ in 0..<18 {
      power *= 10
      numbers += [power - 1, power, -power, power / 3]
    }
    for number in numbers {
      let reply = try Self.rendered { writer in
        writer.record()
        writer.field(.points, number)
      }
      #expect(reply.resp2 == "+points=\(number)\r\n")
    }
  }

  /// Every byte, alone and in the midst of others: quoted if it is one that needs it.
  @Test func wordsAreQuotedWhereTheyMustBe() throws {
    for byte in UInt8(0x20)...UInt8(0x7E) {
      let character = String(UnicodeScalar(byte))
      for text in [character, "abcdefghijk\(character)", "\(character)a longer text, which is no identifier"] {
        let reply = try Self.rendered { writer in
          writer.record()
          writer.field(.name, text)
        }
        let needsQuotes = text.contains { $0 == " " || $0 == "\"" || $0 == "'" }
        let escaped = text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
        #expect(reply.resp2 == (needsQuotes ? "+name=\"\(escaped)\"\r\n" : "+name=\(text)\r\n"))
      }
    }
  }

  @Test func aRecordIsALineOrAMap() throws {
    let reply = try Self.rendered { writer in
      writer.record()
      writer.field(.tx, TransactionID(slot: Slot(3), sequence: 1042))
      writer.field(.member, "m000123")
      writer.field(.points, Int64(-12))
      writer.field(.balance, Int64(0))
      writer.field(.expires, Stamp.never)
      writer.field(.time, Stamp(microseconds: 1_700_000_000_123_456))
      writer.field(.name, "Ann Lee")
      writer.field(.refundWindow, "180d")
    }
    #expect(
      reply.resp2 == "+tx=3-1042 member=m000123 points=-12 balance=0 expires=never time=1700000000123 "
        + "name=\"Ann Lee\" refund-window=180d\r\n")
    #expect(
      reply.resp3 == "%8\r\n+tx\r\n+3-1042\r\n+member\r\n$7\r\nm000123\r\n+points\r\n:-12\r\n+balance\r\n:0\r\n"
        + "+expires\r\n+never\r\n+time\r\n:1700000000123\r\n+name\r\n$7\r\nAnn Lee\r\n+refund-window\r\n$4\r\n180d\r\n")
  }

  @Test func otherReplies() throws {
    #expect(try Self.rendered { $0.ok() } == ("+OK\r\n", "+OK\r\n"))
    #expect(try Self.rendered { $0.integer(-7) } == (":-7\r\n", ":-7\r\n"))
    #expect(try Self.rendered { $0.text("a\r\nb") } == ("+a  b\r\n", "+a  b\r\n"))
    #expect(try Self.rendered { $0.record() } == ("+\r\n", "%0\r\n"))
    let error = try Self.rendered { writer in
      writer.error(.insufficient, "not enough\npoints")
      writer.field(.available, Int64(5))
      writer.field(.needed, Int64(10))
    }
    #expect(error.resp2 == "-INSUFFICIENT not enough points available=5 needed=10\r\n")
    #expect(error.resp3 == error.resp2)
  }

  @Test func anArrayHoldsReplies() throws {
    let reply = try Self.rendered { writer in
      writer.array(count: 3)
      writer.record()
      writer.field(.shard, Int64(1))
      writer.ok()
      writer.array(count: 0)
    }
    #expect(reply == ("*3\r\n+shard=1\r\n+OK\r\n*0\r\n", "*3\r\n%1\r\n+shard\r\n:1\r\n+OK\r\n*0\r\n"))
  }

  @Test(arguments: [
    ("plain", "plain"), ("", "\"\""), ("a b", "\"a b\""), ("a\"b", "\"a\\\"b\""), ("a'b", "\"a'b\""), ("a\\b", "a\\b"),
    ("a \\b", "\"a \\\\b\""), ("a\r\n\tb", "\"a\\r\\n\\tb\""), ("\u{0}\u{1f}\u{7f}", "\"\\x00\\x1f\\x7f\""),
    ("李安", "李安"), ("a=b", "a=b"), ("#!%&(", "#!%&("),
  ])
  func aValueIsQuotedWhereItMust(_ value: String, _ expected: String) throws {
    let line = try Self.rendered { writer in
      writer.record()
      writer.field(.name, value)
      writer.field(.points, Int64(1))
    }.resp2
    #expect(line == "+name=\(expected) points=1\r\n")
    // A request may have it as the reply has it.
    #expect(Transcript("ECHO name=\(expected)\n").lines == ["ECHO [name=\(value)]"])
  }

  @Test func everyNumberIsPrintedAsSwiftPrintsIt() throws {
    var numbers: [Int64] = [0, .max, .min]
    var power: Int64 = 1
    for _ in 0..<18 {
      power *= 10
      numbers += [power - 1, power, power + 1, -power, 1 - power]
    }
    for number in numbers { #expect(try Self.rendered { $0.integer(number) }.resp2 == ":\(number)\r\n") }
  }

  @Test func everyFieldHasItsKey() throws {
    for field in Field.allCases {
      let line = try Self.rendered { writer in
        writer.record()
        for _ in 0..<2 {
          switch field.shape {
          case .integer: writer.field(field, Int64(1))
          case .text: writer.field(field, "1")
          case .transaction: writer.field(field, TransactionID(slot: Slot(0), sequence: 1))
          case .stamp: writer.field(field, Stamp(milliseconds: 1))
          }
        }
      }
      let value = field.shape == .transaction ? "0-1" : "1"
      #expect(line.resp2 == "+\(field.key)=\(value) \(field.key)=\(value)\r\n")
      #expect(line.resp3.hasPrefix("%2\r\n+\(field.key)\r\n"))
    }
  }

  @Test func damagedRepliesAreRefusedAndLeaveNothing() {
    var writer = ReplyWriter()
    writer.array(count: 2)
    writer.record()
    writer.field(.member, "m1")
    writer.field(.tx, TransactionID(slot: Slot(3), sequence: 1))
    writer.error(.busy, "later")
    let good = writer.buffer.array
    var random = SeededGenerator(seed: 5)
    func render(_ bytes: [UInt8]) -> Bool {
      var output = ByteBuffer()
      output.append("before")
      return bytes.withUnsafeBytes { raw in
        guard (try? ReplyRenderer.render(raw, resp3: Bool.random(using: &random), into: &output)) != nil else {
          #expect(string(output.bytes) == "before")
          return false
        }
        return true
      }
    }
    #expect(render(good))
    for end in 0..<good.count { #expect(!render(Array(good[..<end]))) }
    for unknown: [UInt8] in [[0], [9], [3, 1, 200, 0], [2, 99, 0, 0], Array(repeating: 4, count: 9) + [1]] {
      #expect(!render(unknown))
    }
    #expect(!render(Array(repeating: [4, 1], count: 100).flatMap { $0 } + [1]), "too deep")
    for _ in 0..<2000 {
      var bytes = good
      for _ in 0..<3 {
        bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      _ = render(bytes)
    }
  }
}
