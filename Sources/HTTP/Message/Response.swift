import Base
import ConsolePage

/// An answer, before it is bytes.
struct Response {
  enum ContentType: String {
    case text = "text/plain; charset=utf-8"
    case metrics = "text/plain; version=0.0.4; charset=utf-8"
    case json = "application/json"
  }
  var status: Status
  /// As the header `Content-Type` has it.
  var type: String
  var body: [UInt8]
  /// More headers, each with its CRLF.
  var headers = ""
  /// It may be kept, as its headers say.
  var isKept = false

  init(_ status: Status, _ type: ContentType, _ body: [UInt8], headers: String = "") {
    self.status = status
    self.type = type.rawValue
    self.body = body
    self.headers = headers
  }
  /// A line for a person, or for who looks at a probe's answer.
  init(_ status: Status, _ text: String, headers: String = "") {
    self.init(status, .text, Array("\(text)\n".utf8), headers: headers)
  }

  /// A file of the console.
  /// - Parameter isKnown: the client has it as it is, and needs no more than to hear that.
  init(_ file: ConsoleFiles.File, isKnown: Bool) {
    status = isKnown ? .notModified : .ok
    type = file.contentType
    body = isKnown ? [] : file.bytes
    headers = "ETag: \(file.tag)\r\n\(ConsoleFiles.headers)"
    isKept = true
  }

  static let continueLine = Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)

  /// - Parameters:
  ///   - isBodyWanted: false for HEAD, which wants to know only how long it would be.
  ///   - isOld: it answers HTTP/1.0.
  func write(isBodyWanted: Bool, closes: Bool, isOld: Bool, into output: inout [UInt8]) {
    var head = "HTTP/1.1 \(status.rawValue) \(status.words)\r\nContent-Type: \(type)\r\n"
    // Without a body there is no length of one: it would be taken for the file's.
    if status != .notModified { head += "Content-Length: \(body.count)\r\n" }
    if !isKept { head += "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n" }
    if closes { head += "Connection: close\r\n" } else if isOld { head += "Connection: keep-alive\r\n" }
    output += Array((head + headers + "\r\n").utf8)
    if isBodyWanted { output += body }
  }
}
