import Glibc
import OpenSSL
import System

/// A POST of JSON over HTTP/1.1, in the clear or by TLS, a connection each.
struct HTTPPost: Sendable {
  let endpoint: Endpoint
  let path: String

  /// Throws `.usage`: it is no `http://HOST[:PORT][/PATH]` or `https://…`.
  /// - Parameter authorities: a file of those by which an https server's certificate is verified; nil: the system's.
  init(_ text: String, authorities: String? = nil) throws(ClientError) {
    let schemes = [("http://", 80), ("https://", 443)]
    guard let (scheme, port) = schemes.first(where: { text.hasPrefix($0.0) }) else {
      throw .usage("--to \(text): http://HOST[:PORT][/PATH] or https://… is wanted")
    }
    let rest = text.dropFirst(scheme.count)
    let host = rest.prefix { $0 != "/" }
    guard !host.isEmpty, !host.contains("@"), text.utf8.allSatisfy({ $0 > 32 && $0 < 127 }) else {
      throw .usage("--to \(text): \(scheme)HOST[:PORT][/PATH] is wanted")
    }
    guard authorities == nil || port == 443 else { throw .usage("--ca goes with --to https://…") }
    let hasPort = host.last != "]" && host.contains(":")
    var endpoint = try Endpoint(hasPort ? String(host) : "\(host):\(port)")
    if port == 443 {
      let files = TLSContext.Files(authorities: authorities, takesSystemAuthorities: authorities == nil)
      do { endpoint.security = try TLSContext(files, verification: .signed) } catch { throw .local("\(error)") }
    }
    self.endpoint = endpoint
    path = rest.count == host.count ? "/" : String(rest.dropFirst(host.count))
  }

  enum Outcome: Equatable {
    case accepted
    /// It is to be tried again, and why.
    case failed(String)
    /// To try again would not help.
    case refused(String)
  }

  func send(_ body: String, milliseconds: Int32) -> Outcome {
    do throws(ClientError) {
      return HTTPPost.outcome(ofStatus: try status(body, milliseconds))
    } catch {
      return .failed("\(error)")
    }
  }
  static func outcome(ofStatus status: Int) -> Outcome {
    switch status {
    case 200..<300: .accepted
    case 408, 425, 429, 500...: .failed("HTTP \(status)")
    default: .refused("HTTP \(status)")
    }
  }

  private func status(_ body: String, _ milliseconds: Int32) throws(ClientError) -> Int {
    let request =
      "POST \(path) HTTP/1.1\r\nHost: \(endpoint)\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n"
      + "Connection: close\r\n\r\n" + body
    var stream = try connect(milliseconds)
    try send(Array(request.utf8), on: &stream, milliseconds)
    var head: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: stream.slack + 4_096)
    while true {
      if let status = try HTTPPost.status(of: head) { return status }
      let outcome = buffer.withUnsafeMutableBytes { stream.receive(into: $0) }
      switch outcome {
      case .moved(let count): head.append(contentsOf: buffer[..<count])
      case .wouldBlock:
        guard stream.hasMore || stream.descriptor.wait(for: POLLIN, milliseconds: milliseconds) else {
          throw .timedOut("\(endpoint) does not answer")
        }
      case .ended, .failed: throw .disconnected("\(endpoint): \(stream.reason(of: outcome))")
      }
    }
  }
  private func connect(_ milliseconds: Int32) throws(ClientError) -> SecureStream {
    var reason = "no address"
    for address in try endpoint.resolve() {
      do throws(ConnectFailure) {
        return try SecureStream.connected(
          to: Destination(address: address, endpoint: endpoint), on: TLSWire(inputBytes: 32 << 10), within: milliseconds
        )
      } catch {
        reason = error.text
      }
    }
    throw .unreachable(["\(endpoint): \(reason)"])
  }
  private func send(_ bytes: [UInt8], on stream: inout SecureStream, _ milliseconds: Int32) throws(ClientError) {
    var sent = 0
    while sent < bytes.count || stream.unsentCount > 0 {
      let outcome =
        sent < bytes.count
        ? bytes.withUnsafeBytes { stream.send(UnsafeRawBufferPointer(rebasing: $0[sent...])) } : stream.flush()
      switch outcome {
      case .moved(let count): sent += sent < bytes.count ? count : 0
      case .wouldBlock:
        guard stream.descriptor.wait(for: POLLOUT, milliseconds: milliseconds) else {
          throw .timedOut("\(endpoint) takes no more")
        }
      case .ended, .failed: throw .disconnected("\(endpoint): \(stream.reason(of: outcome))")
      }
    }
  }
  /// What the first line of an answer says; nil: it is not all there. Throws `.malformedReply`.
  static func status(of head: [UInt8]) throws(ClientError) -> Int? {
    guard let end = head.firstIndex(of: 10) else {
      guard head.count < 1_024 else { throw .malformedReply("an endless first line over HTTP") }
      return nil
    }
    let words = String(decoding: head[..<end], as: UTF8.self).split(separator: " ")
    guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]) else {
      throw .malformedReply("the answer is no HTTP/1.1")
    }
    // What is said before the answer itself.
    guard status >= 200 else {
      guard let next = head.firstRange(of: [13, 10, 13, 10]) else { return nil }
      return try self.status(of: Array(head[next.upperBound...]))
    }
    return status
  }
}
