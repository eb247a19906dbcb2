import Base

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
  private var socket = Socket(descriptor: -1)
  private var isWaitingToWrite = false
  private unowned let poller: Poller

  init(token: UInt32, poller: Poller) {
    self.token = token
    self.poller = poller
  }
  deinit { close() }

  /// Begins to connect. False where that fails at once.
  func connect(to address: SocketAddress) -> Bool {
    close()
    guard case .success((let made, let progress)) = Socket.connecting(to: address) else { return false }
    adopt(made, isConnected: progress == .connected)
    return true
  }

  /// Takes over a socket that is connected, or is about to be.
  func adopt(_ made: Socket, isConnected: Bool) {
    close()
    socket = made
    state = isConnected ? .open : .connecting
    isWaitingToWrite = !isConnected
    poller.add(made, token: token, writing: !isConnected)
  }

  /// To be called when a connecting channel becomes writable: whether it is open now.
  func finishConnecting() -> Bool {
    guard state == .connecting else { return state == .open }
    guard socket.pendingError() == nil else {
      close()
      return false
    }
    state = .open
    isWaitingToWrite = false
    poller.change(socket, token: token, writing: false)
    return true
  }

  /// Forgets the connection and every byte of it.
  func close() {
    guard state != .closed else { return }
    socket.close()
    state = .closed
    output.removeAll()
    input.removeAll()
    scanner.reset()
    sent = 0
  }

  /// Sends what the socket takes. False where the connection has ended; the caller closes.
  func flush() -> Bool {
    guard let base = output.bytes.baseAddress else { return true }
    while sent < output.count {
      switch socket.send(base + sent, count: output.count - sent) {
      case .moved(let n): sent += n
      case .ended: return false
      case .wouldBlock:
        if !isWaitingToWrite {
          isWaitingToWrite = true
          poller.change(socket, token: token, writing: true)
        }
        return true
      }
    }
    output.removeAll()
    sent = 0
    if isWaitingToWrite {
      isWaitingToWrite = false
      poller.change(socket, token: token, writing: false)
    }
    return true
  }
  /// Bytes that the socket has not taken.
  var unsentByteCount: Int { output.count - sent }

  /// Reads what is there and calls `body` for each whole reply. False where the connection has ended or speaks no
  /// RESP; the caller closes.
  @inline(__always) func receive(_ body: (UInt8, UnsafeRawBufferPointer) -> Void) -> Bool {
    let room = 64 << 10
    switch socket.receive(into: input.reserve(room), count: room) {
    case .wouldBlock: return true
    case .ended: return false
    case .moved(let n):
      input.commit(n)
      let consumed = scanner.scan(input.bytes, body)
      guard consumed >= 0 else { return false }
      if consumed == input.count { input.removeAll() } else { input.removeFirst(consumed) }
      return true
    }
  }
}
