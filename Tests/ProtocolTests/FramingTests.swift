import Base
import Testing

@testable import Protocol

@Suite struct FramingTests {
  static let tooLong = "-ERR request longer than 65536 bytes"
  static let tooMany = "-ERR request of more than 256 words"

  @Test func aLineOf64KiBIsTakenAndOneByteMoreIsNot() {
    for end in ["\n", "\r\n"] {
      let longest = "ECHO " + String(repeating: "x", count: 65_531)
      #expect(Transcript(longest + end + "PING\n").lines == ["ECHO [\(longest.dropFirst(5))]", "PING"])
      #expect(Transcript(longest + "x" + end + "PING\n").lines == [Self.tooLong, "PING"])
      #expect(Transcript(longest + "xx" + end + "PING\n").lines == [Self.tooLong, "PING"])
    }
  }

  @Test func anOverlongLineIsSkippedInBoundedMemory() {
    let bytes = Array((String(repeating: "x", count: 300_000) + "\nPING\n").utf8)
    for step in [1000, 4096, 65_537] {
      let transcript = Transcript(bytes, cuts: Array(stride(from: step, to: bytes.count, by: step)))
      #expect(transcript.lines == [Self.tooLong, "PING"])
      #expect(transcript.mostKept < RequestParser.maximumBufferedBytes)
    }
  }

  @Test func a257thWordIsRefusedAndTheConnectionGoesOn() {
    let words = Array(repeating: "x", count: 255)
    let all = "INFO" + words.map { " [\($0)]" }.joined()
    #expect(Transcript("INFO " + words.joined(separator: " ") + "\nPING\n").lines == [all, "PING"])
    #expect(Transcript(resp(["INFO"] + words) + "PING\n").lines == [all, "PING"])
    #expect(Transcript("INFO x " + words.joined(separator: " ") + "\nPING\n").lines == [Self.tooMany, "PING"])
    #expect(Transcript(resp(["INFO", "x"] + words) + "PING\n").lines == [Self.tooMany, "PING"])
  }

  @Test func anOverlongArrayIsSkippedInBoundedMemory() {
    let long = String(repeating: "y", count: 200_000)
    let half = String(repeating: "z", count: 40_000)
    for words in [["ECHO", long], ["ECHO", "a", long, "b\r\n"], ["ECHO", half, half, "*1\r\n"]] {
      let bytes = Array((resp(words) + "PING\n").utf8)
      for step in [777, 65_538, 1_000_000] {
        let transcript = Transcript(bytes, cuts: Array(stride(from: step, to: bytes.count, by: step)))
        #expect(transcript.lines == [Self.tooLong, "PING"])
        #expect(transcript.mostKept < RequestParser.maximumBufferedBytes)
      }
    }
  }

  @Test func anArrayIsTakenUpToTheLimitOfALine() {
    let framed = "*2\r\n$4\r\nECHO\r\n$65514\r\n".utf8.count + 2
    let longest = String(repeating: "y", count: RequestParser.maximumBufferedBytes - framed)
    #expect(longest.utf8.count == 65_514)
    #expect(Transcript(resp(["ECHO", longest])).lines == ["ECHO [\(longest)]"])
    #expect(Transcript(resp(["ECHO", longest + "y"])).lines == [Self.tooLong])
    // The limit is reached in the middle of the header of the next word.
    for length in (65_482)..<(65_514) {
      let bytes = Array((resp(["ECHO", String(repeating: "y", count: length), "abc"]) + "PING\n").utf8)
      let whole = Transcript(bytes)
      let cut = Transcript(bytes, cuts: [RequestParser.maximumBufferedBytes])
      #expect(whole.lines == cut.lines)
      #expect(cut.mostKept < RequestParser.maximumBufferedBytes)
    }
  }

  @Test(arguments: [
    ("*x\r\n", "'*' without the number of words"), ("*\r\n", "'*' without the number of words"),
    ("*1\n$4\nPING\n", "'*' without the number of words"), ("*1\rx", "'*' without the number of words"),
    ("*1234567890123456789\r\n", "'*' without the number of words"),
    ("*1\r\nPING\r\n", "expected '$' and the length of a word"),
    ("*1\r\n:1\r\n", "expected '$' and the length of a word"),
    ("*1\r\n$-1\r\n", "expected '$' and the length of a word"),
    ("*1\r\n$536870913\r\n", "expected '$' and the length of a word"),
    ("*1\r\n$4\r\nPINGxx", "a word is not followed by CRLF"),
    ("*1\r\n$4\r\nPING\n\n", "a word is not followed by CRLF"),
    ("*257\r\n$1\r\nx\r\nPING\r\n", "expected '$' and the length of a word"),
  ])
  func whereTheFramingIsLostTheConnectionEnds(_ bytes: String, _ reason: String) {
    let transcript = Transcript(bytes + "PING\r\nPING\r\n")
    #expect(transcript.isFatal)
    #expect(transcript.lines.last == "fatal: protocol error: " + reason)
  }

  @Test func anArrayBeyondAllBoundsEndsTheConnection() {
    #expect(Transcript("*1048577\r\n").lines == ["fatal: request of more than 256 words"])
    #expect(Transcript("*1048576\r\n").lines == [Self.tooMany])
  }

  @Test func anEmptyArrayIsNothing() {
    #expect(Transcript("*0\r\n*-1\r\nPING\r\n").lines == ["PING"])
  }

  @Test func aBrowserIsSentAway() {
    #expect(Transcript("POST / HTTP/1.1\r\nHost: x\r\n").lines == ["fatal: this is not a web server"])
    let transcript = Transcript("GET / HTTP/1.1\r\nHost: x\r\n\r\nEARN m merchant=s points=1 id=a\r\n")
    #expect(transcript.lines == ["-ERR unknown command 'GET'; HELP lists them", "fatal: this is not a web server"])
  }

  /// Requests of every kind, good and bad, in both forms.
  static let conversation =
    "EARN m1 merchant=shop spend=1234 id=r-99\r\n" + resp(["BALANCE", "card:7", "read=local"])
    + "\r\nMEMBER ADD ann name=\"Ann \\\"L\\\" Lee\" card='5001'\n" + "NOPE\n" + resp(["MEMBER", "SHOW"]) + "*0\r\n"
    + resp(["ECHO", "a\r\nb", ""]) + "TX SHOW 3-1042\n" + "ECHO \"x\n" + resp(["EARN", "m", "spend=1.5"]) + "PING\n"

  @Test func wherePipelinedBytesAreCutDoesNotMatter() {
    let bytes = Array(Self.conversation.utf8)
    let whole = Transcript(bytes)
    #expect(whole.lines.count == 10)
    for cut in 0...bytes.count {
      #expect(Transcript(bytes, cuts: [cut]).lines == whole.lines, "cut at \(cut)")
      #expect(Transcript(bytes, cuts: [cut / 2, cut]).lines == whole.lines, "cut at \(cut / 2) and \(cut)")
    }
    #expect(Transcript(bytes, cuts: Array(0..<bytes.count)).lines == whole.lines, "byte by byte")
  }

  @Test func aTruncatedConversationGivesAPrefix() {
    let bytes = Array(Self.conversation.utf8)
    let whole = Transcript(bytes).lines
    for end in 0..<bytes.count {
      let part = Transcript(Array(bytes[..<end])).lines
      #expect(part.count <= whole.count && part.elementsEqual(whole.prefix(part.count)), "cut at \(end)")
    }
  }

  /// `Transcript` itself checks that each step consumes, so that no loop is endless.
  @Test(arguments: 0..<8 as Range<UInt64>)
  func whateverIsSentIsAnsweredOrAwaited(_ seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let pieces = [
      "EARN", "m1", "merchant=shop", "spend=1", "id=a", " ", "\n", "\r\n", "\"", "'", "\\", "=", "*2\r\n", "$4\r\n",
      "$",
      "*", "ECHO", "x\r\n", "*300\r\n", "$70000\r\n", "\t", "\u{0}", "card:", "TX SHOW ", "at=2026-01-01T00:00:00Z",
      "*-1\r\n", "é", "\\x4", "CLIENT ", "HELP ", String(repeating: "w ", count: 300),
    ].map { Array($0.utf8) }
    for _ in 0..<400 {
      var bytes: [UInt8] = []
      if Bool.random(using: &random) {
        for _ in 0..<Int.random(in: 1...30, using: &random) { bytes += pieces.randomElement(using: &random) ?? [] }
      } else {
        bytes = Array(Self.conversation.utf8)
        for _ in 0..<Int.random(in: 1...8, using: &random) {
          let at = Int.random(in: 0..<bytes.count, using: &random)
          switch Int.random(in: 0..<3, using: &random) {
          case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
          case 1: bytes.remove(at: at)
          default: bytes.insert(UInt8.random(in: 0...255, using: &random), at: at)
          }
        }
      }
      let whole = Transcript(bytes)
      let cuts = (0..<4).map { _ in Int.random(in: 0...bytes.count, using: &random) }.sorted()
      let parts = Transcript(bytes, cuts: cuts)
      #expect(whole.lines == parts.lines, "\(bytes) cut at \(cuts)")
      #expect(parts.mostKept < RequestParser.maximumBufferedBytes)
    }
  }
}
