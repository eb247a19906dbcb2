import Base
import Protocol

/// Terminals: bytes to requests, and answers back in the order of the requests.
extension Node {
  public func clientOpened(_ id: ClientID, from address: String, now: Moment) {
    self.now = now
    let index = freeClients.popLast() ?? UInt32(clients.count)
    let generation = nextGeneration
    nextGeneration &+= 1
    let session = Session(id: id.rawValue, address: address, since: now.wall)
    let client = Client(id: id, index: index, generation: generation, session: session)
    client.isReserved = !places.takeOrdinary()
    if Int(index) < clients.count { clients[Int(index)] = client } else { clients.append(client) }
    clientIndex[id] = index
    counters.clientsAccepted += 1
  }

  /// What one client may have answered at once in one turn, in bytes; and requests that cost far more than others.
  private static let outputShare = 256 << 10
  private static let costlyShare = 8

  func client(_ id: ClientID) -> Client? { clientIndex[id].flatMap { clients[Int($0)] } }

  public func clientReceived(_ id: ClientID, _ bytes: UnsafeRawBufferPointer, now: Moment) -> Int {
    self.now = now
    guard let client = client(id) else { return bytes.count }
    var offset = 0
    var costly = 0
    while offset < bytes.count {
      if client.output.count >= Node.outputShare || costly >= Node.costlyShare {
        client.awaitsFlush = true
        stopReading(client)
        break
      }
      if client.barrier || client.closing || client.outstanding >= configuration.clientWindow
        || client.outstandingRecords >= configuration.clientRecords
      {
        stopReading(client)
        break
      }
      let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
      switch parser.next(rest, &client.framing) {
      case .request(let consumed):
        guard take(client, raw: UnsafeRawBufferPointer(rebasing: rest[..<consumed])) else {
          // A barrier: what was asked before is answered first, then this is read again.
          client.framing = Framing()
          stopReading(client)
          markDirty(client)
          return offset
        }
        offset += consumed
        if parser.request.rule.pointee.traits.contains(.costly) { costly += 1 }
      case .incomplete:
        markDirty(client)
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
    markDirty(client)
    return client.closing ? bytes.count : offset
  }

  public func clientEnded(_ id: ClientID, now: Moment) {
    self.now = now
    guard let client = client(id) else { return }
    client.closing = true
    markDirty(client)
  }

  public func clientClosed(_ id: ClientID, now: Moment) {
    self.now = now
    if let client = client(id) { release(client, close: false) }
  }

  /// Its index is another client's from now on: once only, though both sides may end a connection in one turn.
  func release(_ client: Client, close: Bool) {
    guard clientIndex.removeValue(forKey: client.id) != nil else { return }
    if close { out.clientClose.append(client.id) }
    if !client.isReserved { places.giveBackOrdinary() }
    clients[Int(client.index)] = nil
    freeClients.append(client.index)
  }

  @inline(__always)
  func markDirty(_ client: Client) {
    guard !client.inDirtyList else { return }
    client.inDirtyList = true
    dirtyClients.append(client)
  }

  private func stopReading(_ client: Client) {
    guard !client.readingStopped else { return }
    client.readingStopped = true
    out.clientReading.append((client.id, false))
  }

  /// After an answer: what was held back is read on when there is room, or when the barrier is down.
  @inline(__always)
  private func resumeReading(_ client: Client) {
    guard client.readingStopped, !client.awaitsFlush else { return }
    if client.barrier || client.awaitsIdle {
      guard client.outstanding == 0 else { return }
      client.barrier = false
      client.awaitsIdle = false
    } else if client.outstanding > configuration.clientWindow / 2
      || client.outstandingRecords > configuration.clientRecords / 2
    {
      return
    }
    client.readingStopped = false
    out.clientReading.append((client.id, true))
  }

  /// Its answers have gone out: it may ask on.
  func flushed(_ client: Client) {
    guard client.awaitsFlush else { return }
    client.awaitsFlush = false
    resumeReading(client)
  }

  // MARK: Answers

  @inline(__always)
  func answer(_ owner: EdgeItem.Owner, _ reply: UnsafeRawBufferPointer) {
    guard let client = client(of: owner) else { return }
    let resp3 = client.session.isRESP3
    client.answer(owner.slot) { output in
      do {
        try ReplyRenderer.render(reply, resp3: resp3, into: &output)
      } catch {
        ReplyRenderer.error(.unknown, "the answer could not be rendered: \(error)", into: &output)
      }
    }
    afterAnswer(client)
  }

  func answerError(_ owner: EdgeItem.Owner, _ code: ErrorCode, _ text: String) {
    guard let client = client(of: owner) else { return }
    client.answer(owner.slot) { ReplyRenderer.error(code, text, into: &$0) }
    afterAnswer(client)
  }

  @inline(__always)
  private func afterAnswer(_ client: Client) {
    if client.barrier && client.outstanding == 0 && !client.readingStopped { client.barrier = false }
    resumeReading(client)
    markDirty(client)
  }

  @inline(__always)
  func client(of owner: EdgeItem.Owner) -> Client? {
    guard let client = clients[Int(owner.client)], client.generation == owner.generation else { return nil }
    return client
  }

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
  var sessions: [Session] { node.clients.compactMap { $0?.session } }
  func infoSections() -> [InfoSection] { node.infoSections() }
}
