import Base
import Glibc
import OpenSSL
import Replies
import System

/// A small blocking connection for commands and the shell: one request a line, replies in order.
public final class Connection {
  /// Times in milliseconds.
  public struct Timeouts: Sendable {
    /// For each address that a host name stands for.
    public var connect: Int32 = 3_000
    /// Without a single byte from the node.
    public var reply: Int32 = 30_000
    public init(connect: Int32 = 3_000, reply: Int32 = 30_000) {
      self.connect = connect
      self.reply = reply
    }
  }

  /// The address that answered.
  public let endpoint: Endpoint
  public var timeouts: Timeouts
  /// Looked at twenty times a second while an answer is waited for; true: `.interrupted`.
  public var isInterrupted: (() -> Bool)?
  private var stream: SecureStream
  private var input = ByteBuffer(capacity: 16 << 10)
  private var inputStart = 0

  /// Connects to the first of the addresses that accepts. Throws `.unreachable` with a reason for each.
  /// - Parameter credentials: signs in by these; nil: as nobody.
  public convenience init(
    to endpoints: [Endpoint], timeouts: Timeouts = Timeouts(), credentials: Credentials? = nil
  ) throws(ClientError) {
    try self.init(open: endpoints, timeouts)
    guard let credentials else { return }
    _ = try request(credentials.line).orThrow()
  }
  private init(open endpoints: [Endpoint], _ timeouts: Timeouts) throws(ClientError) {
    self.timeouts = timeouts
    var reasons: [String] = []
    for endpoint in endpoints {
      do {
        stream = try Connection.open(endpoint, within: timeouts.connect)
        self.endpoint = endpoint
        return
      } catch {
        if case .unreachable(let more) = error { reasons += more } else { reasons.append("\(error)") }
      }
    }
    throw .unreachable(reasons)
  }

  private static func open(_ endpoint: Endpoint, within milliseconds: Int32) throws(ClientError) -> SecureStream {
    var reason = "no address"
    for address in try endpoint.resolve() {
      do throws(ConnectFailure) {
        return try SecureStream.connected(
          to: Destination(address: address, endpoint: endpoint), on: TLSWire(), within: milliseconds)
      } catch {
        reason = error.text
      }
    }
    throw .unreachable(["\(endpoint): \(reason)"])
  }

  /// Sends one line and waits for its reply, which may be an error line.
  public func request(_ line: String) throws(ClientError) -> Value {
    try send(line)
    return try receive()
  }

  /// Sends one line without waiting. The line must hold no line break.
  public func send(_ line: String) throws(ClientError) {
    var bytes = Array(line.utf8)
    guard !bytes.contains(10), !bytes.contains(13) else { throw .usage("a request is one line") }
    bytes += [13, 10]
    var sent = 0
    while sent < bytes.count || stream.unsentCount > 0 {
      let outcome =
        sent < bytes.count
        ? bytes.withUnsafeBytes { stream.send(UnsafeRawBufferPointer(rebasing: $0[sent...])) } : stream.flush()
      switch outcome {
      case .moved(let n): sent += n
      case .ended, .failed: throw disconnected(outcome)
      case .wouldBlock:
        guard stream.descriptor.wait(for: POLLOUT, milliseconds: timeouts.reply) else {
          throw .timedOut("\(endpoint) takes no more requests")
        }
      }
    }
  }

  /// Waits for the next reply.
  public func receive() throws(ClientError) -> Value {
    while true {
      if let parsed = try firstReply() {
        inputStart += parsed.count
        if inputStart == input.count {
          input.removeAll()
          inputStart = 0
        }
        return parsed.value
      }
      try fill()
    }
  }

  /// The first reply of what has come in and its bytes; nil while it is incomplete.
  private func firstReply() throws(ClientError) -> (value: Value, count: Int)? {
    let bytes = UnsafeRawBufferPointer(rebasing: input.bytes[inputStart...])
    do throws(MalformedReply) { return try Value.parse(bytes) } catch { throw .malformedReply(error.text) }
  }

  private func fill() throws(ClientError) {
    if inputStart > 0 {
      input.removeFirst(inputStart)
      inputStart = 0
    }
    // A long reply is parsed anew with each piece: pieces are to be few.
    let room = (256 << 10) + stream.slack
    var total = 0
    while true {
      let outcome = stream.receive(into: UnsafeMutableRawBufferPointer(start: input.reserve(room), count: room))
      switch outcome {
      case .moved(let n):
        input.commit(n)
        total += n
        guard n > 0, total < 16 * room else { return }
      case .ended, .failed:
        if total > 0 { return }
        throw disconnected(outcome)
      case .wouldBlock:
        if total > 0 { return }
        try awaitInput()
      }
    }
  }

  private func awaitInput() throws(ClientError) {
    guard let isInterrupted else {
      if stream.descriptor.wait(for: POLLIN, milliseconds: timeouts.reply) { return }
      throw .timedOut("\(endpoint) did not answer within \(timeouts.reply / 1000) s")
    }
    for _ in 0..<max(1, timeouts.reply / 50) {
      if stream.descriptor.wait(for: POLLIN, milliseconds: 50) { return }
      if isInterrupted() { throw .interrupted }
    }
    throw .timedOut("\(endpoint) did not answer within \(timeouts.reply / 1000) s")
  }

  private func disconnected(_ outcome: Descriptor.Transfer) -> ClientError {
    .disconnected("\(endpoint): \(stream.reason(of: outcome))")
  }
}
