import Glibc
import System

/// A POST of JSON over HTTP/1.1, a connection each.
struct HTTPPost: Sendable {
  let endpoint: Endpoint
  let path: String

  /// Throws `.usage`: it is no `http://HOST[:PORT][/PATH]`.
  init(_ text: String) throws(ClientError) {
    guard text.hasPrefix("http://") else {
      throw .usage("--to \(text): http://HOST[:PORT][/PATH] is wanted (for https put a proxy before it)")
    }
    let rest = text.dropFirst("http://".count)
    let host = rest.prefix { $0 != "/" }
    guard !host.isEmpty, !host.contains("@"), text.utf8.allSatisfy({ $0 > 32 && $0 < 127 }) else {
      throw .usage("--to \(text): http://HOST[:PORT][/PATH] is wanted")
    }
    let hasPort = host.last != "]" && host.contains(":")
    endpoint = try Endpoint(hasPort ? String(host) : "\(host):80")
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
    let socket = try connect(milliseconds)
    try send(Array(request.utf8), on: socket, milliseconds)
    var head: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4_096)
    while true {
      if let status = try HTTPPost.status(of: head) { return status }
      let outcome = buffer.withUnsafeMutableBytes { socket.receive(into: $0) }
      switch outcome {
      case .moved(let count): head.append(contentsOf: buffer[..<count])
      case .wouldBlock:
        guard socket.wait(for: POLLIN, milliseconds: milliseconds) else {
          throw .timedOut("\(endpoint) does not answer")
        }
      case .ended, .failed: throw .disconnected("\(endpoint): \(outcome.end ?? "no reason")")
      }
    }
  }
  private func connect(_ milliseconds: Int32) throws(ClientError) -> Descriptor {
    var reason = "no address"
    for address in try endpoint.resolve() {
      do throws(ConnectFailure) {
        return try Socket.connected(to: address, within: milliseconds)
      } catch {
        reason = error.text
      }
    }
    throw .unreachable(["\(endpoint): \(reason)"])
  }
  private func send(_ bytes: [UInt8], on socket: borrowing Descriptor, _ milliseconds: Int32) throws(ClientError) {
    var sent = 0
    while sent < bytes.count {
      let outcome = bytes.withUnsafeBytes { socket.send(UnsafeRawBufferPointer(rebasing: $0[sent...])) }
      switch outcome {
      case .moved(let count): sent += count
      case .wouldBlock:
        guard socket.wait(for: POLLOUT, milliseconds: milliseconds) else {
          throw .timedOut("\(endpoint) takes no more")
        }
      case .ended, .failed: throw .disconnected("\(endpoint): \(outcome.end ?? "no reason")")
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
