import Base
import Testing

@testable import Protocol

/// Requests as lines, as arrays, and what connections say about themselves.
@Suite struct ProtocolFuzzTests {
  struct Host: SessionHost {
    var version: String { "0" }
    var nodeName: String { "n" }
    var now: Stamp { Stamp(microseconds: 1_700_000_000_000_000) }
    var sessions: [Session] { [] }
    func authenticate(user: UnsafeRawBufferPointer?, secret: UnsafeRawBufferPointer) -> Authentication { .refused }
    func settings(matching pattern: String) -> [(key: String, value: String)] {
      pattern == "log-level" ? [("log-level", "info")] : []
    }
    func infoSections() -> [InfoSection] { [InfoSection("a", [("b", "c")])] }
  }
  static let lines = [
    "EARN ann merchant=shop spend=1250 id=r-1 at=2026-01-31T12:00:00Z", "EARN card:5001 merchant=shop points=3 id=r",
    "REDEEM ann merchant=shop points=1000000000000000 id=r-1 program=p", "HOLD ann merchant=m points=1 id=x ttl=900",
    "CAPTURE 3-1042 id=c points=4", "RELEASE 16383-1 id=c", "REFUND 3-1042 id=c spend=0", "BALANCE ann read=local",
    "TRANSFER ann bob points=4 id=t", "HISTORY ann limit=1000 before=3-1", "TX SHOW 3-1", "AUDIT read=local",
    "MEMBER ADD ann name=\"Ann \\\"L\\\" \\x41\\n\" region='r s' card=5", "MEMBER FREEZE card:5",
    "CARD ADD 5 member=ann",
    "PROGRAM SET gold kind=points title=\"x\" earn=1/100 expire=12m backdate=3d utc-offset=+08:00 refund-window=1d",
    "MERCHANT SET shop program=gold state=frozen", "CLUSTER INIT shards=3 replicas=3", "HELP EARN", "COMMAND DOCS earn",
    "HELLO 3 AUTH u s SETNAME n", "AUTH u s", "CLIENT SETNAME a", "CLIENT SETINFO LIB-NAME x", "CLIENT LIST", "PING x",
    "ECHO \"a b\"", "SELECT 0", "INFO server", "CONFIG GET x", "RESET", "QUIT", "COMMAND INFO get set", "HELLO 2", "",
  ]
  static func array(_ line: String) -> [UInt8] {
    let words = line.split(separator: " ")
    return text("*\(words.count)\r\n" + words.map { "$\($0.utf8.count)\r\n\($0)\r\n" }.joined())
  }

  @Test(arguments: 0..<2) func anyBytesAreAnsweredOrRefused(part: UInt64) {
    var mutator = Mutator(seed: 100 + part)
    var parser = RequestParser()
    var corpus = Self.lines.map { text($0 + "\r\n") } + Self.lines.map(Self.array)
    corpus.append(text("*3\r\n$70000\r\n") + [UInt8](repeating: 65, count: 70_002))
    corpus.append([UInt8](repeating: 65, count: 70_000) + text("\nPING\n"))
    corpus.append(text("*300\r\n") + (0..<300).flatMap { _ in text("$1\r\na\r\n") })
    for _ in 0..<FuzzInputs.count(perMille: 120) {
      // Long ones are rare: they take their time.
      let seed = mutator.below(200) == 0 ? mutator.pick(corpus) : corpus[mutator.below(corpus.count - 3)]
      var bytes = mutator.mutate(seed, with: mutator.pick(corpus))
      if mutator.below(3) == 0 { bytes += mutator.pick(corpus) }
      feed(bytes, &parser, &mutator)
    }
  }

  /// Gives the bytes as a connection would, in pieces.
  private func feed(_ bytes: [UInt8], _ parser: inout RequestParser, _ mutator: inout Mutator) {
    var framing = Framing()
    var session = Session(id: 1, address: "a", since: .zero)
    var output = ByteBuffer()
    var unread: [UInt8] = []
    var at = 0
    while at < bytes.count {
      let piece = min(bytes.count - at, mutator.below(4) == 0 ? 1 + mutator.below(5) : bytes.count)
      unread += bytes[at..<at + piece]
      at += piece
      var offset = 0
      steps: while true {
        let step = unread.withUnsafeBytes {
          answer(UnsafeRawBufferPointer(rebasing: $0[offset...]), &parser, &framing, &session, &output)
        }
        guard let consumed = step else { break steps }
        #expect(consumed > 0 && offset + consumed <= unread.count)
        if consumed <= 0 { return }
        offset += consumed
        #expect(output.count <= 1 << 20)
        output.removeAll()
      }
      unread.removeFirst(offset)
      #expect(unread.count < RequestParser.maximumBufferedBytes)
      #expect(parser.scratchUsed <= RequestParser.maximumLineBytes)
    }
    #expect(session.name.utf8.count <= 64 && session.libraryName.utf8.count <= 64)
  }

  /// What one step consumed; nil where more bytes are needed, or the connection is lost.
  private func answer(
    _ bytes: UnsafeRawBufferPointer, _ parser: inout RequestParser, _ framing: inout Framing,
    _ session: inout Session, _ output: inout ByteBuffer
  ) -> Int? {
    switch parser.next(bytes, &framing) {
    case .request(let consumed):
      _ = ConnectionCommands.respond(to: parser.request, session: &session, host: Host(), into: &output)
      return consumed
    case .empty(let consumed): return consumed
    case .refused(let consumed, let message):
      #expect(message.utf8.count <= 4096 && !message.utf8.contains(10) && !message.utf8.contains(13))
      return consumed
    case .incomplete: return nil
    case .fatal(let message):
      #expect(message.utf8.count <= 4096 && !message.utf8.contains(10) && !message.utf8.contains(13))
      // Whatever comes behind is thrown away.
      switch parser.next(bytes, &framing) {
      case .empty(let consumed):
        #expect(consumed == bytes.count)
        return consumed
      default:
        Issue.record("after a fatal error a request was read")
        return bytes.count
      }
    }
  }

  @Test func anyFrameIsWholeOrRefused() {
    var mutator = Mutator(seed: 200)
    let header = FrameHeader(kind: 2, cluster: 7, sender: NodeID(3), incarnation: 1, configVersion: 2)
    for _ in 0..<FuzzInputs.count(perMille: 100) {
      var frame = ByteBuffer()
      let mark = header.begin(&frame)
      let body = mutator.bytes(mutator.below(100))
      frame.append(body)
      FrameHeader.finish(mark, in: &frame)
      let whole = frame.array
      let bytes = mutator.mutate(whole, with: whole)
      bytes.withUnsafeBytes { buffer in
        switch FrameHeader.decode(buffer) {
        case .frame(let found, let foundBody, let consumed):
          // Behind a whole frame anything may follow; the frame itself is as it was.
          #expect(found == header && foundBody.elementsEqual(body) && consumed == whole.count)
        case .incomplete(let needed):
          #expect(needed > buffer.count && needed <= FrameHeader.byteCount + FrameHeader.maximumBodyBytes)
        case .bad: break
        }
      }
    }
  }
}
