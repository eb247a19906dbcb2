/// Requests of a connection, from its bytes: one at a time, whole. It keeps the body of the request that is arriving, and nothing
/// else; the head stays with the caller until it is whole.
public struct RequestReader: Sendable {
  /// What was found at the front of the bytes. The caller drops what was consumed, and gives the rest again.
  public enum Step: Equatable, Sendable {
    /// Nothing more can be said without more bytes.
    case incomplete(consumed: Int)
    /// A request is there: `head` and `body`, until the next call.
    case request(consumed: Int)
    /// The head is there, and the sender waits for a word before it sends the body.
    case continueIsAwaited(consumed: Int)
    /// The request is to be refused, and the connection to be closed: where the next one would begin is not known.
    case refused(Refusal)
  }
  private enum State: Sendable {
    case head
    case body(rest: Int)
    case chunkLine
    case chunk(rest: Int)
    /// The CRLF behind a chunk.
    case chunkEnd
    case trailers(bytes: Int)
    case whole
    case refused(Refusal)
  }

  public private(set) var head = RequestHead()
  public private(set) var body: [UInt8] = []
  private var state = State.head
  /// Bytes of the head known to have no end of it, and whether its first line ends among them.
  private var scanned = 0
  private var hasFirstLine = false
  private let limits: Limits

  public init(_ limits: Limits = Limits()) { self.limits = limits }

  /// A request has begun to arrive, and its head is there.
  public var isInBody: Bool {
    switch state {
    case .head, .whole, .refused: false
    default: true
    }
  }

  /// Looks at the front of `bytes`, which begin with the first byte not consumed. O(bytes).
  public mutating func next(_ bytes: UnsafeRawBufferPointer) -> Step {
    if case .refused(let refusal) = state { return .refused(refusal) }
    if case .whole = state { begin() }
    do throws(Refusal) {
      return try step(bytes)
    } catch {
      state = .refused(error)
      return .refused(error)
    }
  }
  private mutating func begin() {
    state = .head
    scanned = 0
    hasFirstLine = false
    head = RequestHead()
    // A long one is let go of.
    if body.capacity > 4096 { body = [] } else { body.removeAll(keepingCapacity: true) }
  }

  private mutating func step(_ bytes: UnsafeRawBufferPointer) throws(Refusal) -> Step {
    var at = 0
    while true {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[at...])
      switch state {
      case .head:
        // Clients of old sent an empty line behind a body.
        if scanned == 0, rest.first == 0x0D {
          guard rest.count > 1 else { return .incomplete(consumed: at) }
          guard rest[1] == 0x0A else { throw RequestReader.badLineEnd }
          at += 2
          continue
        }
        guard let end = try endOfHead(rest) else { return .incomplete(consumed: at) }
        head = try HeadParser.parse(UnsafeRawBufferPointer(rebasing: rest[..<end]), limits)
        at += end
        state = RequestReader.state(behind: head)
        if case .whole = state { break }
        if head.expectsContinue { return .continueIsAwaited(consumed: at) }
      case .body(let wanted):
        let count = min(wanted, rest.count)
        body.append(contentsOf: rest[..<count])
        at += count
        state = count == wanted ? .whole : .body(rest: wanted - count)
        if count < wanted { return .incomplete(consumed: at) }
      case .chunkLine:
        guard let line = try line(rest, atMost: limits.chunkLine) else { return .incomplete(consumed: at) }
        at += line + 2
        try beginChunk(UnsafeRawBufferPointer(rebasing: rest[..<line]))
      case .chunk(let wanted):
        let count = min(wanted, rest.count)
        body.append(contentsOf: rest[..<count])
        at += count
        state = count == wanted ? .chunkEnd : .chunk(rest: wanted - count)
        if count < wanted { return .incomplete(consumed: at) }
      case .chunkEnd:
        guard try line(rest, atMost: 0) != nil else { return .incomplete(consumed: at) }
        at += 2
        state = .chunkLine
      case .trailers(let read):
        guard let line = try line(rest, atMost: limits.trailers - read) else { return .incomplete(consumed: at) }
        at += line + 2
        // They are not looked at.
        state = line == 0 ? .whole : .trailers(bytes: read + line + 2)
      case .whole: return .request(consumed: at)
      case .refused(let refusal): throw refusal
      }
    }
  }
  private static func state(behind head: RequestHead) -> State {
    switch head.length {
    case .none: .whole
    case .fixed(let length): .body(rest: length)
    case .chunked: .chunkLine
    }
  }

  /// How long the head is with the empty line that ends it; nil: it is not all there.
  private mutating func endOfHead(_ bytes: UnsafeRawBufferPointer) throws(Refusal) -> Int? {
    var i = scanned
    defer { scanned = i }
    while i < bytes.count, i < limits.head {
      if bytes[i] == 0x0A {
        guard i > 0, bytes[i - 1] == 0x0D else { throw RequestReader.badLineEnd }
        if !hasFirstLine, i - 1 > limits.requestLine { throw RequestReader.lineTooLong }
        hasFirstLine = true
        if i >= 3, bytes[i - 2] == 0x0A { return i + 1 }
      } else if i > 0, bytes[i - 1] == 0x0D {
        throw RequestReader.badLineEnd
      }
      i += 1
    }
    if !hasFirstLine, i > limits.requestLine { throw RequestReader.lineTooLong }
    guard i < limits.head else { throw Refusal(.headersTooLarge, "the headers have more than \(limits.head) bytes") }
    return nil
  }
  private static let badLineEnd = Refusal(.badRequest, "lines end with CR and LF")
  private static let lineTooLong = Refusal(.uriTooLong, "the first line is too long")

  /// How long the line at the front is, without its CRLF; nil: its end has not come.
  private func line(_ bytes: UnsafeRawBufferPointer, atMost limit: Int) throws(Refusal) -> Int? {
    let seen = UnsafeRawBufferPointer(rebasing: bytes.prefix(max(0, limit) + 2))
    guard let end = seen.firstIndex(where: { $0 == 0x0A || $0 == 0x0D }) else {
      guard seen.count < limit + 2 else { throw Refusal(.badRequest, "a chunked body has a line that is too long") }
      return nil
    }
    guard seen[end] == 0x0D else { throw RequestReader.badLineEnd }
    guard end + 1 < seen.count else {
      guard end <= limit else { throw Refusal(.badRequest, "a chunked body has a line that is too long") }
      return nil
    }
    guard seen[end + 1] == 0x0A else { throw RequestReader.badLineEnd }
    return end
  }

  /// Takes the size of a chunk, in hexadecimal, from the line before it. Extensions are not looked at.
  private mutating func beginChunk(_ line: UnsafeRawBufferPointer) throws(Refusal) {
    let digits = line.prefix { $0 != UInt8(ascii: ";") }
    var size = 0
    for byte in digits {
      guard let digit = RequestReader.hexValue(byte), digits.count <= 8 else {
        throw Refusal(.badRequest, "a chunk begins with its size in hexadecimal")
      }
      size = size << 4 | digit
    }
    guard !digits.isEmpty else { throw Refusal(.badRequest, "a chunk begins with its size in hexadecimal") }
    guard body.count + size <= limits.body else { throw tooLarge(limits) }
    state = size == 0 ? .trailers(bytes: 0) : .chunk(rest: size)
  }
  private static func hexValue(_ byte: UInt8) -> Int? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(byte) - 48
    case UInt8(ascii: "a")...UInt8(ascii: "f"): Int(byte) - 87
    case UInt8(ascii: "A")...UInt8(ascii: "F"): Int(byte) - 55
    default: nil
    }
  }
}
