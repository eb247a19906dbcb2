import Base
import OpenSSL
import System

/// One non-blocking connection of a generator: bytes out, whole replies in. It belongs to one thread.
final class Channel {
  enum State {
    case closed
    case connecting
    case open
  }

  let token: UInt32
  private(set) var state = State.closed
  /// Requests are appended here; `flush` sends them.
  var output = ByteBuffer(capacity: 64 << 10)
  private var sent = 0
  private var input = ByteBuffer(capacity: 64 << 10)
  private var scanner = ReplyScanner()
  private var stream: SecureStream?
  private var isWaitingToWrite = false
  /// The reply to what signs in has yet to come.
  private var isSigningIn = false
  private unowned let poller: ChannelPoller

  init(token: UInt32, poller: ChannelPoller) {
    self.token = token
    self.poller = poller
  }

  /// Begins to connect. False where that fails at once.
  func connect(to destination: Destination) -> Bool {
    close()
    do {
      let session = try destination.session(on: poller.wire)
      let made = try Socket.connect(to: destination.address)
      adopt(SecureStream(made, session: session), isConnected: false)
      return true
    } catch { return false }
  }

  /// Takes over a stream that is connected, hands shaken, or is about to be.
  func adopt(_ made: consuming SecureStream, isConnected: Bool) {
    close()
    state = isConnected ? .open : .connecting
    isWaitingToWrite = !isConnected
    poller.add(made.descriptor.rawValue, token: token, writing: !isConnected)
    stream = consume made
    isSigningIn = !poller.signIn.isEmpty
    output.append(poller.signIn)
  }

  /// To be called when a connecting channel becomes writable: whether it is open now.
  func finishConnecting() -> Bool {
    guard state == .connecting else { return state == .open }
    guard hasConnected else {
      close()
      return false
    }
    state = .open
    stream?.begin()
    return flush()
  }

  private var hasConnected: Bool {
    switch stream {
    case .some(let stream): Socket.pendingError(stream.descriptor) == 0
    case nil: false
    }
  }

  /// Forgets the connection and every byte of it.
  func close() {
    guard state != .closed else { return }
    stream = nil
    state = .closed
    output.removeAll()
    input.removeAll()
    scanner.reset()
    sent = 0
  }

  /// Sends what the socket takes. False where the connection has ended; the caller closes.
  func flush() -> Bool {
    if sealedCount > 0 {
      switch stream?.flush() {
      case .moved: break
      case .wouldBlock: return waitToWrite()
      case .ended, .failed, nil: return false
      }
    }
    // While hands are shaken, output waits for what comes.
    guard stream?.isEstablished ?? false else {
      if isWaitingToWrite { watch(writing: false) }
      return true
    }
    while sent < output.count {
      switch stream?.send(UnsafeRawBufferPointer(rebasing: output.bytes[sent...])) {
      case .moved(let n): sent += n
      case .ended, .failed, nil: return false
      case .wouldBlock: return waitToWrite()
      }
    }
    output.removeAll()
    sent = 0
    if sealedCount > 0 { return waitToWrite() }
    if isWaitingToWrite { watch(writing: false) }
    return true
  }
  private func waitToWrite() -> Bool {
    if !isWaitingToWrite { watch(writing: true) }
    return true
  }
  /// Bytes that TLS has taken and the socket has not.
  private var sealedCount: Int { stream?.unsentCount ?? 0 }
  private func watch(writing: Bool) {
    isWaitingToWrite = writing
    if let raw = stream?.descriptor.rawValue { poller.change(raw, token: token, writing: writing) }
  }
  /// Bytes that the socket has not taken.
  var unsentByteCount: Int { output.count - sent }

  /// Reads what is there and calls `body` for each whole reply. False where the connection has ended or speaks no
  /// RESP; the caller closes.
  @inline(__always) func receive(_ body: (UInt8, UnsafeRawBufferPointer) -> Void) -> Bool {
    let room = (64 << 10) + (stream?.slack ?? 0)
    switch stream?.receive(into: UnsafeMutableRawBufferPointer(start: input.reserve(room), count: room)) {
    case .wouldBlock: return sealedCount == 0 || flush()
    case .ended, .failed, nil: return false
    case .moved(let n):
      input.commit(n)
      // An end that TLS has read already, the socket does not tell of again.
      guard isSigningIn else { return take(scanner.scan(input.bytes, body)) && !(stream?.hasMore ?? false) }
      var isIn = true
      let consumed = scanner.scan(input.bytes) { kind, bytes in
        guard isSigningIn else { return body(kind, bytes) }
        isSigningIn = false
        isIn = kind == UInt8(ascii: "+")
      }
      return take(consumed) && isIn && !(stream?.hasMore ?? false)
    }
  }
  /// So many bytes of what came in are done with. False: they were no replies.
  @inline(__always) private func take(_ consumed: Int) -> Bool {
    guard consumed >= 0 else { return false }
    if consumed == input.count { input.removeAll() } else { input.removeFirst(consumed) }
    return true
  }
}
