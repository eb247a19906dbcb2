/// The first line and the headers of a request, as far as this server goes by them.
public struct RequestHead: Equatable, Sendable {
  public enum Method: Equatable, Sendable {
    case get, head, post, delete
    /// A method of the standard that no path here takes.
    case other
  }
  /// How long the body is.
  enum Length: Equatable, Sendable {
    case none
    case fixed(Int)
    case chunked
  }

  public var method = Method.get
  /// From the `/` on, without the query.
  public var path = ""
  /// Behind the `?`.
  public var query = ""
  /// It came by HTTP/1.0, whose connections end with the answer unless they say otherwise.
  public var isOld = false
  /// The connection goes on after the answer.
  public var keepsAlive = true
  /// Waits for `100 Continue` before it sends its body.
  public var expectsContinue = false
  public var authorization: String?
  public var contentType: String?
  public var host: String?
  /// The page that a browser sends it for.
  public var origin: String?
  /// The last event of a stream of events that the client has had.
  public var lastEvent: String?
  /// The tags of what the client has of this path.
  public var ifNoneMatch: String?
  var length = Length.none
}

/// A head that is there as a whole, to its parts (RFC 9112, §3 and §5). Whatever two readers could understand in two ways is
/// refused: a request that another server on the way takes for two is how one client's bytes become another's request.
struct HeadParser {
  private let bytes: UnsafeRawBufferPointer
  private let limits: Limits
  private var head = RequestHead()
  private var hasLength = false
  private var hasCoding = false
  private var closes = false
  private var keeps = false

  /// - Parameter bytes: all lines, with the empty one that ends them.
  static func parse(_ bytes: UnsafeRawBufferPointer, _ limits: Limits) throws(Refusal) -> RequestHead {
    var parser = HeadParser(bytes: bytes, limits: limits)
    return try parser.parse()
  }
  private init(bytes: UnsafeRawBufferPointer, limits: Limits) {
    self.bytes = bytes
    self.limits = limits
  }

  private mutating func parse() throws(Refusal) -> RequestHead {
    var at = 0
    try requestLine(nextLine(&at))
    var count = 0
    while true {
      let line = nextLine(&at)
      if line.isEmpty { break }
      count += 1
      guard count <= limits.headers else { throw Refusal(.headersTooLarge, "more than \(limits.headers) headers") }
      try header(line)
    }
    return try checked()
  }
  /// A line without its end. There is one: the bytes end with an empty line.
  private func nextLine(_ at: inout Int) -> Slice {
    let start = at
    while at < bytes.count, bytes[at] != 0x0D { at += 1 }
    let line = bytes[start..<min(at, bytes.count)]
    at = min(at + 2, bytes.count)
    return line
  }

  // MARK: The first line

  private mutating func requestLine(_ line: Slice) throws(Refusal) {
    let words = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
    guard words.count == 3, !words[0].isEmpty, words[0].allSatisfy(isTokenByte) else {
      throw Refusal(.badRequest, "the first line must be METHOD PATH HTTP/1.1")
    }
    try version(words[2])
    head.method = try HeadParser.method(words[0])
    try target(words[1])
  }
  private mutating func version(_ word: Slice) throws(Refusal) {
    let word = text(word)
    switch word {
    case "HTTP/1.1": break
    case "HTTP/1.0": head.isOld = true
    default:
      let isVersion = word.utf8.count == 8 && word.hasPrefix("HTTP/")
      throw isVersion
        ? Refusal(.versionNotSupported, "HTTP/1.1 is spoken here")
        : Refusal(.badRequest, "the first line must be METHOD PATH HTTP/1.1")
    }
  }
  private static func method(_ word: Slice) throws(Refusal) -> RequestHead.Method {
    switch text(word) {
    case "GET": return .get
    case "HEAD": return .head
    case "POST": return .post
    case "DELETE": return .delete
    case "PUT", "CONNECT", "OPTIONS", "TRACE", "PATCH": return .other
    default: throw Refusal(.notImplemented, "there is no such method here: GET, HEAD, POST and DELETE are served")
    }
  }
  private mutating func target(_ word: Slice) throws(Refusal) {
    guard word.allSatisfy({ (0x21...0x7E).contains($0) }) else {
      throw Refusal(.badRequest, "the path has bytes that must be written as %XX")
    }
    var target = text(word)[...]
    // As a proxy is asked; the authority is not looked at.
    if let scheme = ["http://", "https://"].first(where: { target.lowercased().hasPrefix($0) }) {
      target = target.dropFirst(scheme.count).drop { $0 != "/" }
      if target.isEmpty { target = "/" }
    }
    guard target.hasPrefix("/") || target == "*" || head.method == .other else {
      throw Refusal(.badRequest, "a path begins with /")
    }
    let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    head.path = parts.first.map(String.init) ?? ""
    head.query = parts.count > 1 ? String(parts[1]) : ""
  }

  // MARK: Headers

  private mutating func header(_ line: Slice) throws(Refusal) {
    // A name begins at once, and ends at the colon: so a folded line is none, nor is one with a space before the colon.
    guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex,
      line[..<colon].allSatisfy(isTokenByte)
    else { throw Refusal(.badRequest, "a header must be NAME: VALUE on one line") }
    let value = trimmed(line[(colon + 1)...])
    guard value.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else {
      throw Refusal(.badRequest, "a header has control characters")
    }
    try take(text(line[..<colon]).lowercased(), value)
  }
  private mutating func take(_ name: String, _ value: Slice) throws(Refusal) {
    switch name {
    case "content-length": try contentLength(value)
    case "transfer-encoding": try transferEncoding(value)
    case "connection":
      let words = HeadParser.list(value)
      closes = closes || words.contains("close")
      keeps = keeps || words.contains("keep-alive")
    case "expect":
      guard text(value).lowercased() == "100-continue" else {
        throw Refusal(.expectationFailed, "nothing but 100-continue can be expected")
      }
      head.expectsContinue = !head.isOld
    case "host": try once(&head.host, value, "Host")
    case "authorization": try once(&head.authorization, value, "Authorization")
    case "content-type": try once(&head.contentType, value, "Content-Type")
    case "origin": try once(&head.origin, value, "Origin")
    case "last-event-id": try once(&head.lastEvent, value, "Last-Event-ID")
    case "if-none-match": try once(&head.ifNoneMatch, value, "If-None-Match")
    default: break
    }
  }
  private func once(_ place: inout String?, _ value: Slice, _ name: String) throws(Refusal) {
    guard place == nil else { throw Refusal(.badRequest, "\(name) is there twice") }
    place = text(value)
  }
  private mutating func contentLength(_ value: Slice) throws(Refusal) {
    guard !hasLength else { throw Refusal(.badRequest, "Content-Length is there twice") }
    hasLength = true
    guard !value.isEmpty, value.count <= 18, value.allSatisfy({ (0x30...0x39).contains($0) }) else {
      throw Refusal(.badRequest, "Content-Length must be a number")
    }
    let length = value.reduce(0) { $0 * 10 + Int($1 - 0x30) }
    guard length <= limits.body else { throw tooLarge(limits) }
    if length > 0 { head.length = .fixed(length) }
  }
  private mutating func transferEncoding(_ value: Slice) throws(Refusal) {
    guard !hasCoding else { throw Refusal(.badRequest, "Transfer-Encoding is there twice") }
    hasCoding = true
    guard text(value).lowercased() == "chunked" else {
      throw Refusal(.notImplemented, "a body may be chunked, and in no other encoding")
    }
  }

  // MARK: All of it

  private mutating func checked() throws(Refusal) -> RequestHead {
    guard !(hasLength && hasCoding) else {
      throw Refusal(.badRequest, "a request has either Content-Length or Transfer-Encoding")
    }
    guard !(hasCoding && head.isOld) else { throw Refusal(.badRequest, "HTTP/1.0 has no Transfer-Encoding") }
    guard head.host != nil || head.isOld else { throw Refusal(.badRequest, "HTTP/1.1 needs the header Host") }
    if hasCoding { head.length = .chunked }
    if head.method == .post {
      guard hasLength || hasCoding else { throw Refusal(.lengthRequired, "POST needs Content-Length") }
    } else {
      guard head.length == .none else { throw Refusal(.badRequest, "a body belongs to POST alone") }
    }
    head.keepsAlive = !closes && (!head.isOld || keeps)
    return head
  }

  /// The words of a header that is a list, in lower case.
  private static func list(_ value: Slice) -> [String] {
    text(value).lowercased().split(separator: ",").map { $0.filter { $0 != " " && $0 != "\t" } }
  }
}

typealias Slice = Swift.Slice<UnsafeRawBufferPointer>

func tooLarge(_ limits: Limits) -> Refusal {
  Refusal(.contentTooLarge, "a body has at most \(limits.body) bytes: send fewer commands at once")
}

private func text(_ bytes: Slice) -> String { String(decoding: bytes, as: UTF8.self) }
private func trimmed(_ bytes: Slice) -> Slice {
  var rest = bytes.drop { $0 == 0x20 || $0 == 0x09 }
  while let last = rest.last, last == 0x20 || last == 0x09 { rest = rest.dropLast() }
  return rest
}
/// Of a name or a method: RFC 9110, §5.6.2.
private func isTokenByte(_ byte: UInt8) -> Bool {
  switch byte {
  case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
    UInt8(ascii: "a")...UInt8(ascii: "z"):
    true
  default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
  }
}
