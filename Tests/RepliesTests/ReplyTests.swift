import Replies
import Testing

@Suite struct ReplyTests {
  private func parse(_ text: String) throws -> (value: Value, count: Int)? {
    try Array(text.utf8).withUnsafeBytes { try Value.parse($0) }
  }

  @Test func everyKindOfReplyIsParsedWithItsLength() throws {
    let cases: [(String, Value)] = [
      ("+OK\r\n", .text("OK")), (":-42\r\n", .integer(-42)), ("$-1\r\n", .bulk(nil)), ("$3\r\na\nb\r\n", .bulk("a\nb")),
      ("-INSUFFICIENT available=3 needed=5\r\n", .error(code: "INSUFFICIENT", text: "available=3 needed=5")),
      ("*2\r\n+a=1\r\n*1\r\n:7\r\n", .array([.text("a=1"), .array([.integer(7)])])), ("*0\r\n", .array([])),
    ]
    for (text, value) in cases {
      let parsed = try #require(try parse(text + "+next\r\n"))
      #expect(parsed.value == value)
      #expect(parsed.count == text.utf8.count)
    }
  }

  /// As after `HELLO 3`.
  @Test func repliesOfTheThirdFormAreReadAsThoseOfTheSecond() throws {
    let cases: [(String, Value)] = [
      ("%2\r\n$2\r\ntx\r\n$3\r\n1-2\r\n+name\r\n$6\r\nAn Lee\r\n", .text(#"tx=1-2 name="An Lee""#)),
      ("%1\r\n+tags\r\n*2\r\n+a\r\n:3\r\n", .text("tags=a,3")), ("_\r\n", .bulk(nil)), ("#t\r\n", .text("yes")),
      ("#f\r\n", .text("no")), (",1.5\r\n", .text("1.5")), ("~1\r\n:7\r\n", .array([.integer(7)])),
      ("%0\r\n", .text("")),
    ]
    for (text, value) in cases {
      let parsed = try #require(try parse(text + "+next\r\n"))
      #expect(parsed.value == value)
      #expect(parsed.count == text.utf8.count)
      for n in 0..<text.utf8.count {
        #expect(try parse(String(decoding: text.utf8.prefix(n), as: UTF8.self)) == nil, "\(text) cut after \(n)")
      }
    }
    #expect(throws: MalformedReply.self) { try self.parse("%-1\r\n") }
  }

  @Test func aReplyThatIsCutAnywhereIsIncompleteAndNotAnError() throws {
    let whole = "*2\r\n$5\r\nhello\r\n-ERR no\r\n"
    for n in 0..<whole.utf8.count {
      #expect(try parse(String(decoding: whole.utf8.prefix(n), as: UTF8.self)) == nil, "cut after \(n) bytes")
    }
  }

  @Test func bytesThatAreNoReplyAreRefused() {
    for text in ["HTTP/1.1 200 OK\r\n", ":x\r\n", "$a\r\n", "\n"] {
      #expect(throws: MalformedReply.self, "\(text)") { try self.parse(text) }
    }
  }

  @Test func aRecordKeepsItsFieldsInOrderAndUndoesQuotes() throws {
    let record = try #require(Record(#"tx=3-1042 name="Ann \"A\" Lee" note='a b' x="\x41\n" empty="""#))
    #expect(record.fields.map(\.key) == ["tx", "name", "note", "x", "empty"])
    #expect(record["name"] == #"Ann "A" Lee"#)
    #expect(record["note"] == "a b")
    #expect(record["x"] == "A\n")
    #expect(record["empty"] == "")
    #expect(Record("OK") == nil)
    #expect(Record("a=1 loose") == nil)
    #expect(Record(#"a="open"#) == nil)
  }

  @Test func aQuotedWordSplitsBackIntoItself() {
    for word in ["plain", "", "two words", "a\"b\\c", "tab\tand\nline", "'", "é✓", "\u{1}"] {
      #expect(Words.split("x \(Words.quote(word)) y") == ["x", word, "y"])
    }
  }
}
