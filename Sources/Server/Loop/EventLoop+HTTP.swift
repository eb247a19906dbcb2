import Cluster
import HTTP

// Connections that speak HTTP: each is a terminal to the node, and its gateway stands between the two.

extension EventLoop {
  /// Whether what the node answers goes to a gateway.
  mutating func takesReplies(_ id: UInt64, _ replies: [UInt8]) -> Bool {
    guard let http = clients.find(id)?.pointee.http else { return false }
    http.gateway.answered(replies)
    settle(id)
    return true
  }
  /// Whether that is a gateway's connection, which the node has done with.
  mutating func closesHTTP(_ id: UInt64, _ client: UnsafeMutablePointer<ClientConnection>) -> Bool {
    guard let http = client.pointee.http else { return false }
    http.gateway.nodeClosed()
    settle(id, nodeKnows: false)
    return true
  }
  /// The figures are text.
  mutating func rendered(_ figures: [UInt8]) {
    for id in clients.takeAwaitingFigures() {
      guard let http = clients.find(id)?.pointee.http else { continue }
      http.gateway.rendered(figures)
      settle(id)
    }
  }

  /// Output has gone, behind which gateways have more to say.
  mutating func goOnWithStreams() {
    for id in clients.takeDrained() {
      guard let client = clients.find(id), client.pointee.unsentCount == 0 else { continue }
      client.pointee.http?.gateway.drained()
      settle(id)
    }
  }

  /// Does what a gateway wants done.
  /// - Parameter nodeKnows: whether the node has yet to hear of the connection's end.
  mutating func settle(_ id: UInt64, nodeKnows: Bool = true) {
    guard let client = clients.find(id), let http = client.pointee.http, !client.pointee.state.contains(.closing) else {
      return
    }
    let actions = http.gateway.takeActions()
    if clients.append(actions.output, to: id) { gauges.unsentBytes += actions.output.count }
    http.requests += actions.requests
    let isOver = client.pointee.state.contains(.ended) && !http.gateway.isBusy
    if actions.closes || isOver {
      if nodeKnows { core.clientClosed(ClientID(id), now: now) }
      return beginClose(id, client)
    }
    pass(http, to: id)
    switch actions.question {
    case .readiness: core.asked(.readiness, by: ClientID(id), now: now)
    case .openSession: core.asked(.openSession, by: ClientID(id), now: now)
    case .useSession(let token): core.asked(.useSession(token), by: ClientID(id), now: now)
    case .closeSession(let token): core.asked(.closeSession(token), by: ClientID(id), now: now)
    case .figures: if clients.awaitsFigures(id) { workers.submit(core.figures(now: now)) }
    case nil: break
    }
    let isHeld = client.pointee.state.contains(.heldByNode)
    if isHeld != http.gateway.isBusy { hold(id, client, http.gateway.isBusy) }
    // What the node was given here, it looks at before anything is waited for.
    effects.wantsTurn = true
  }
  /// Offers the node what it has not taken yet.
  private mutating func pass(_ http: HTTPSide, to id: UInt64) {
    guard http.isRead, !http.requests.isEmpty else { return }
    let consumed = http.requests.withUnsafeBytes { core.clientReceived(ClientID(id), $0, now: now) }
    precondition(consumed >= 0 && consumed <= http.requests.count, "a node consumes what there is")
    if consumed == http.requests.count { http.requests = [] } else { http.requests.removeFirst(consumed) }
  }
}
