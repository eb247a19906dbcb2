import Base
import Protocol
import Vocabulary

/// What a connection asks that no terminal says: answered with a reply, like a request.
public enum OwnQuestion: Sendable {
  /// Whether the node is ready: each shard that is led here has committed an entry, or has not.
  case readiness
  /// A session for whoever has signed in: `token expires`.
  case openSession
  /// Signs in by a session's token.
  case useSession([UInt8])
  case closeSession([UInt8])
}

/// Sessions: who has signed in by a secret once goes on by a token, which this node alone knows.
extension RequestDesk {
  func asked(_ question: OwnQuestion, by id: ClientID) {
    guard let client = clients[id] else { return }
    guard case .readiness = question else {
      let owner = EdgeItem.Owner(client: client.index, generation: client.generation, slot: client.openSlot())
      clients.markDirty(client)
      judgeLease()
      switch question {
      case .openSession: openSession(client, owner)
      case .useSession(let token): useSession(token, client, owner)
      case .closeSession(let token):
        sessions.end(token)
        answer(owner) { $0.ok() }
      case .readiness: break
      }
      return
    }
    readinessAsked(by: id)
  }

  private func openSession(_ client: Client, _ owner: EdgeItem.Owner) {
    guard !rights.isUnknown else { return answerError(owner, .unavailable, knowsNobody) }
    guard !rights.isOpen else {
      return answerError(owner, .malformed, "there are no users here: nobody needs to sign in")
    }
    if client.grant.epoch != rights.epoch { renewGrant(client) }
    guard let user = client.grant.user else { return answerError(owner, .noAuth, "sign in first, by user and secret") }
    guard !client.isBySession else {
      return answerError(owner, .noPermission, "a session is opened by user and secret, not by another session")
    }
    guard sessions.drawn.count < SessionTable.mostDrawn else {
      return answerError(owner, .busy, "too many sessions are being opened at this node; nothing was done")
    }
    nextKept += 1
    let ticket = UInt64.max - nextKept
    sessions.drawn[ticket] = SessionTable.Drawing(owner: owner, user: user.number, revision: user.revision)
    turn.out.jobs.append(
      .secret(SecretJob(ticket: ticket, secret: [], task: .draw(count: SessionTable.tokenBytes))))
  }
  /// Random bytes were drawn. False: they are not a session's.
  func sessionDrawn(_ result: SecretResult) -> Bool {
    guard let drawing = sessions.drawn.removeValue(forKey: result.ticket) else { return false }
    guard client(of: drawing.owner) != nil else { return true }
    guard case .drawn(let random) = result.outcome else {
      var why = "nothing random was drawn"
      if case .refused(let text) = result.outcome { why = text }
      answerError(drawing.owner, .unavailable, "no session can be opened at this node: \(why)")
      return true
    }
    var bytes = ByteBuffer(capacity: 64)
    bytes.append(random)
    // No two are alike, whatever was drawn.
    bytes.append(result.ticket)
    let token = SessionTable.prefix + Base64URL.encode(bytes.bytes)
    let isThere = sessions.add(
      Array(token.utf8), user: drawing.user, revision: drawing.revision, now: now.monotonic)
    guard isThere else {
      answerError(drawing.owner, .busy, "\(SessionTable.most) sessions are open at this node; nothing was done")
      return true
    }
    answer(drawing.owner) { reply in
      reply.record()
      reply.field(named: "token", token)
      reply.field(.expires, Stamp(microseconds: now.wall.microseconds + Int64(SessionTable.lifetime)))
    }
    return true
  }

  private func useSession(_ token: [UInt8], _ client: Client, _ owner: EdgeItem.Owner) {
    guard let session = sessions.find(token, now: now.monotonic),
      let user = directory?.access.user(session.user), !user.isStopped, user.revision == session.revision
    else {
      sessions.end(token)
      refusals.refused(.first, "", "AUTH", "WRONGPASS", from: client.session.address)
      return answerError(owner, .wrongPassword, "the session has ended, or was opened at another node: sign in again")
    }
    client.session.principal = PrincipalID(user.number)
    client.session.tenant = user.tenant
    client.session.user = user.name
    (client.secret, client.wasStopped) = (nil, false)
    forgetGrant(client)
    client.isBySession = true
    answer(owner) { $0.ok() }
  }
}
