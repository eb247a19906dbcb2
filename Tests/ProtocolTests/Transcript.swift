import Base

@testable import Protocol
@testable import Vocabulary

/// What a connection's bytes became, as text: one line a request or error, as a person can review it.
struct Transcript {
  var lines: [String] = []
  /// The framing was lost.
  var isFatal = false
  /// The most bytes that were ever kept unconsumed.
  var mostKept = 0

  /// Feeds `bytes` in pieces that end at `cuts`, keeping what is not consumed as a node does.
  init(_ bytes: [UInt8], cuts: [Int] = []) {
    var parser = RequestParser()
    var framing = Framing()
    var kept: [UInt8] = []
    var start = 0
    for end in cuts.filter({ $0 < bytes.count }) + [bytes.count] {
      kept += bytes[start..<end]
      start = end
      // Exactly the bytes, in a place of their own, so that a read outside of them is found by the address sanitizer.
      let place = UnsafeMutableRawBufferPointer.allocate(byteCount: kept.count, alignment: 1)
      place.copyBytes(from: kept)
      let consumed = take(&parser, UnsafeRawBufferPointer(place), &framing)
      place.deallocate()
      kept.removeFirst(consumed)
      mostKept = max(mostKept, kept.count)
    }
  }

  init(_ text: String) { self.init(Array(text.utf8)) }

  private mutating func take(
    _ parser: inout RequestParser, _ bytes: UnsafeRawBufferPointer, _ framing: inout Framing
  ) -> Int {
    var at = 0
    while true {
      switch parser.next(UnsafeRawBufferPointer(rebasing: bytes[at...]), &framing) {
      case .incomplete: return at
      case .empty(let consumed):
        precondition(consumed > 0 && consumed <= bytes.count - at, "every step goes on")
        at += consumed
      case .request(let consumed):
        precondition(consumed > 0 && consumed <= bytes.count - at, "every step goes on")
        at += consumed
        lines.append(describe(parser.request))
      case .refused(let consumed, let message):
        precondition(consumed > 0 && consumed <= bytes.count - at, "every step goes on")
        at += consumed
        lines.append("-ERR " + message)
      case .fatal(let message):
        precondition(!isFatal, "nothing follows the end")
        isFatal = true
        lines.append("fatal: " + message)
      }
    }
  }
}

func string(_ bytes: UnsafeRawBufferPointer) -> String { String(decoding: bytes, as: UTF8.self) }

/// `EARN [m1] merchant=shop spend=12`, keys in the order of their raw values.
func describe(_ request: Request) -> String {
  var text = request.verb.words
  for i in 0..<request.positionalCount { text += " [\(string(request.positional(i)))]" }
  for key in Key.allCases where request.has(key) { text += " \(key.word)=\(request.text(key).map(string) ?? "?")" }
  return text
}

/// The words as a RESP array.
func resp(_ words: [String]) -> String {
  "*\(words.count)\r\n" + words.map { "$\($0.utf8.count)\r\n\($0)\r\n" }.joined()
}

/// The one request in `text`, given to `body`; nil if there is none.
func withRequest<Result>(_ text: String, _ body: (Request) -> Result) -> Result? {
  var parser = RequestParser()
  var framing = Framing()
  return Array(text.utf8).withUnsafeBytes { bytes in
    guard case .request = parser.next(bytes, &framing) else { return nil }
    return body(parser.request)
  }
}
