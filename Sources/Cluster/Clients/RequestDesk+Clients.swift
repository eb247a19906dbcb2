import Base
import Protocol
import Vocabulary

/// Terminals: bytes to requests, and answers back in the order of the requests.
extension RequestDesk {
  func opened(_ id: ClientID, from address: String) {
    clients.open(id, from: address, at: now.wall)
    counters.accepted += 1
  }

  /// What one client may have answered at once in one turn, in bytes; and requests that cost far more than others.
  private static let outputShare = 256 << 10
  private static let costlyShare = 8

  /// Takes requests in, as many as may be; the rest is to come again. Returns how many bytes are done with.
  /// - Parameter node: answers what is asked of the node itself.
  func received(_ id: ClientID, _ bytes: UnsafeRawBufferPointer, _ node: some AnswersForItself) -> Int {
    guard let client = clients[id] else { return bytes.count }
    judgeLease()
    var offset = 0
    var costly = 0
    while offset < bytes.count {
      if client.output.count >= RequestDesk.outputShare || costly >= RequestDesk.costlyShare {
        client.awaitsFlush = true
        clients.stopReading(client, &turn.out)
        break
      }
      if clients.isFull(client) {
        clients.stopReading(client, &turn.out)
        break
      }
      let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
      switch parser.next(rest, &client.framing) {
      case .request(let consumed):
        guard take(client, raw: UnsafeRawBufferPointer(rebasing: rest[..<consumed]), node) else {
          // A barrier: what was asked before is answered first, then this is read again.
          client.framing = Framing()
          clients.stopReading(client, &turn.out)
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

  /// It will say no more.
  func ended(_ id: ClientID) {
    guard let client = clients[id] else { return }
    client.closing = true
    clients.markDirty(client)
  }

  func closed(_ id: ClientID) {
    if let client = clients[id] { clients.release(client, close: false, &turn.out) }
  }

  func isIdle(_ id: ClientID) -> Bool { clients[id].map { $0.outstanding == 0 && $0.output.isEmpty } ?? true }

  // MARK: Answers

  @inline(__always)
  func answer(_ owner: EdgeItem.Owner, _ reply: UnsafeRawBufferPointer) { clients.answer(owner, reply, &turn.out) }
  func answerError(_ owner: EdgeItem.Owner, _ code: ErrorCode, _ text: String) {
    clients.answerError(owner, code, text, &turn.out)
  }
  /// Answers with what `write` puts into a reply.
  func answer(_ owner: EdgeItem.Owner, _ write: (inout ReplyWriter) -> Void) {
    reply.buffer.removeAll()
    write(&reply)
    answer(owner, reply.buffer.bytes)
  }
  @inline(__always)
  func client(of owner: EdgeItem.Owner) -> Client? { clients.client(of: owner) }

  // MARK: One request

  /// Takes a request in. False: it is a barrier, and something before it is not answered yet.
  private func take(_ client: Client, raw: UnsafeRawBufferPointer, _ node: some AnswersForItself) -> Bool {
    let request = parser.request
    counters.requests += 1
    if client.isReserved && !mayBeServed(client, request) { return true }
    if rights.isUnknown && waitsForStart(client, request) { return false }
    guard mayAsk(client, request) else { return true }
    if request.rule.pointee.route == .connection || client.session.isAfterMulti {
      return takeConnection(client, request, raw, node)
    }
    let claim = RequestDesk.claim(of: request, tenant: client.session.tenant)
    let isBarrier =
      claim == nil && RequestDesk.isBarrier(request) || client.grant.isWatched && waitsForMerchant(client, request)
    guard client.claims.mayFollow(claim, isBarrier: isBarrier, outstanding: client.outstanding) else {
      client.awaitsIdle = true
      return false
    }
    if client.grant.isWatched && !isWithinBounds(client, request) { return true }
    client.barrier = isBarrier
    if let claim { client.claims.add(claim) }
    let isFromDisk = request.rule.pointee.traits.contains(.recordsFromDisk)
    let records = isFromDisk ? Int(request.number(.limit) ?? 0) : 0
    let slot = client.openSlot(records: records, verb: request.rule.pointee.number)
    let owner = EdgeItem.Owner(client: client.index, generation: client.generation, slot: slot)
    if request.rule.pointee.effect == .changes { noteActing(request, owner) }
    if request.rule.pointee.route == .node {
      if isServed(request, owner) { node.answer(request, owner) }
    } else {
      route(request, raw: raw, owner: owner, client: client)
    }
    return true
  }

  private func takeConnection(
    _ client: Client, _ request: Request, _ raw: UnsafeRawBufferPointer, _ node: some AnswersForItself
  ) -> Bool {
    // Changes how answers look, or ends them: what came before must be out first.
    if request.verb != .ping && client.outstanding > 0 {
      client.awaitsIdle = true
      return false
    }
    if takeSignIn(client, request, raw) { return true }
    let host = Host(
      node: node, now: now.wall, clients: clients, asker: client, outcome: rights.isOpen ? nil : .refused)
    var quit = false
    var session = client.session
    client.answerNow { output in
      let mark = output.count
      let outcome = ConnectionCommands.respond(to: request, session: &session, host: host, into: &output)
      clients.outcomes.note(
        request.rule.pointee.number, RequestOutcomes.outcome(ofRendered: output.bytes.dropFirst(mark).first))
      if case .quit = outcome { quit = true }
    }
    if session.principal != client.session.principal || session.tenant != client.session.tenant { forgetGrant(client) }
    client.session = session
    if quit { client.closing = true }
    return true
  }

  /// What `MEMBER ADD id card=` claims: it is decided where the card lies, so that nothing about that member or that card may overtake
  /// it. Those of other members and cards may.
  private static func claim(of request: Request, tenant: TenantID) -> Claims.Claim? {
    guard request.verb == .memberAdd, request.has(.card), let card = request.text(.card) else { return nil }
    let member = request.positional(0)
    // Who referred is looked up first, and may be one of those that are being made, or named by a card that is being claimed.
    guard !member.elementsEqual("*".utf8), !request.has(.referrer) else { return nil }
    return Claims.Claim(
      member: Slot.hash(.member, tenant: tenant, id: member), card: Slot.hash(.card, tenant: tenant, id: card))
  }
  private static func isBarrier(_ request: Request) -> Bool {
    let traits = request.rule.pointee.traits
    return traits.contains(.barrier) || traits.contains(.barrierWithCard) && request.has(.card)
  }

  /// Whether a request of a client on a reserved place is served; else it is answered here. Once there is room, the client
  /// has an ordinary place.
  private func mayBeServed(_ client: Client, _ request: Request) -> Bool {
    if clients.places.takeOrdinary() {
      client.isReserved = false
      return true
    }
    if request.rule.pointee.traits.contains(.reserved) { return true }
    client.answerNow {
      ReplyRenderer.error(
        .busy,
        "all but the last \(ClientPlaces.reservedMax) connections are taken, and those answer only CLUSTER, HEALTH, INFO and"
          + " AUTH; nothing was done", into: &$0)
    }
    return false
  }
}

/// What a connection may ask of the node itself.
private struct Host<Itself: AnswersForItself>: SessionHost {
  let node: Itself
  let now: Stamp
  let clients: ClientTable
  let asker: Client
  /// What came of an attempt to sign in; nil: there are no users.
  let outcome: Authentication?
  var version: String { node.version }
  var nodeName: String { node.name }
  func authenticate(user: UnsafeRawBufferPointer?, secret: UnsafeRawBufferPointer) -> Authentication {
    outcome ?? .withoutUsers(user: user)
  }
  /// Those that the asker may know of: an admin, and everybody while there are no users, of all; an operator and an auditor of their
  /// tenant's; others of their own user's.
  var sessions: [Session] {
    let all = clients.all.map(\.session)
    guard let user = asker.grant.user, !asker.grant.roles.contains(.admins) else { return all }
    let seesTenant = !asker.grant.roles.isDisjoint(with: [.operators, .auditors])
    return all.filter { session in
      guard session.principal != .anonymous else { return false }
      return seesTenant ? session.tenant == user.tenant : session.principal == asker.session.principal
    }
  }
  func infoSections() -> [InfoSection] { node.infoSections() }
  func settings(matching pattern: String) -> [(key: String, value: String)] { node.settings(matching: pattern) }
}
