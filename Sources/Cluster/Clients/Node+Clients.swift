import Base
import Protocol
import Vocabulary

/// Terminals: bytes to requests, and answers back in the order of the requests.
extension Node {
  public func clientOpened(_ id: ClientID, from address: String, now: Moment) {
    self.now = now
    clients.open(id, from: address, at: now.wall)
    counters.clientsAccepted += 1
  }

  /// What one client may have answered at once in one turn, in bytes; and requests that cost far more than others.
  private static let outputShare = 256 << 10
  private static let costlyShare = 8

  public func clientReceived(_ id: ClientID, _ bytes: UnsafeRawBufferPointer, now: Moment) -> Int {
    self.now = now
    guard let client = clients[id] else { return bytes.count }
    var offset = 0
    var costly = 0
    while offset < bytes.count {
      if client.output.count >= Node.outputShare || costly >= Node.costlyShare {
        client.awaitsFlush = true
        clients.stopReading(client, &out)
        break
      }
      if clients.isFull(client) {
        clients.stopReading(client, &out)
        break
      }
      let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
      switch parser.next(rest, &client.framing) {
      case .request(let consumed):
        guard take(client, raw: UnsafeRawBufferPointer(rebasing: rest[..<consumed])) else {
          // A barrier: what was asked before is answered first, then this is read again.
          client.framing = Framing()
          clients.stopReading(client, &out)
          clients.markDirty(client)
          return offset
        }
        offset += consumed
        if parser.request.rule.pointee.traits.contains(.costly) { costly += 1 }
      case .incomplete:
        clients.markDirty(client)
        return offset
      case .empty(let consumed):
        offset += consumed
      case .refused(let consumed, let message):
        offset += consumed
        counters.refusedLines += 1
        client.answerNow { ReplyRenderer.error(.malformed, message, into: &$0) }
      case .fatal(let message):
        offset = bytes.count
        client.answerNow { ReplyRenderer.error(.malformed, message, into: &$0) }
        client.closing = true
      }
    }
    clients.markDirty(client)
    return client.closing ? bytes.count : offset
  }

  public func clientEnded(_ id: ClientID, now: Moment) {
    self.now = now
    guard let client = clients[id] else { return }
    client.closing = true
    clients.markDirty(client)
  }

  public func clientClosed(_ id: ClientID, now: Moment) {
    self.now = now
    if let client = clients[id] { clients.release(client, close: false, &out) }
  }

  // MARK: Answers

  @inline(__always)
  func answer(_ owner: EdgeItem.Owner, _ reply: UnsafeRawBufferPointer) { clients.answer(owner, reply, &out) }
  func answerError(_ owner: EdgeItem.Owner, _ code: ErrorCode, _ text: String) {
    clients.answerError(owner, code, text, &out)
  }
  @inline(__always)
  func client(of owner: EdgeItem.Owner) -> Client? { clients.client(of: owner) }

  // MARK: One request

  /// Takes a request in. False: it is a barrier, and something before it is not answered yet.
  private func take(_ client: Client, raw: UnsafeRawBufferPointer) -> Bool {
    let request = parser.request
    counters.requests += 1
    if client.isReserved && !mayBeServed(client, request) { return true }
    if request.rule.pointee.route == .connection || client.session.isAfterMulti {
      return takeConnection(client, request)
    }
    if Node.isBarrier(request) {
      guard client.outstanding == 0 else {
        client.awaitsIdle = true
        return false
      }
      client.barrier = true
    }
    let isFromDisk = request.rule.pointee.traits.contains(.recordsFromDisk)
    let records = isFromDisk ? Int(request.number(.limit) ?? 0) : 0
    let slot = client.openSlot(records: records)
    let owner = EdgeItem.Owner(client: client.index, generation: client.generation, slot: slot)
    route(request, raw: raw, owner: owner, client: client)
    return true
  }

  private func takeConnection(_ client: Client, _ request: Request) -> Bool {
    // Changes how answers look, or ends them: what came before must be out first.
    if request.verb != .ping && client.outstanding > 0 {
      client.awaitsIdle = true
      return false
    }
    let host = Host(node: self)
    var quit = false
    var session = client.session
    client.answerNow { output in
      let outcome = ConnectionCommands.respond(to: request, session: &session, host: host, into: &output)
      if case .quit = outcome { quit = true }
    }
    client.session = session
    if quit { client.closing = true }
    return true
  }

  private static func isBarrier(_ request: Request) -> Bool {
    let traits = request.rule.pointee.traits
    return traits.contains(.barrier) || traits.contains(.barrierWithCard) && request.has(.card)
  }
}

/// What a connection may ask of the node itself.
struct Host: SessionHost {
  let node: Node
  var version: String { node.configuration.version }
  var nodeName: String { node.configuration.name }
  var now: Stamp { node.now.wall }
  func authenticate(user: UnsafeRawBufferPointer?, secret: UnsafeRawBufferPointer) -> Authentication {
    .withoutUsers(user: user)
  }
  var sessions: [Session] { node.clients.all.map(\.session) }
  func infoSections() -> [InfoSection] { node.infoSections() }
}
