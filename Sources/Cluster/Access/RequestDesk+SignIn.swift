import Base
import Ledger
import Protocol
import Vocabulary

/// Signing in: the secret is looked at by another thread, and the answer comes when that has spoken.
extension RequestDesk {
  /// `AUTH [user] secret`, `HELLO … AUTH user secret`, where there are users. False: it is neither, or there are none; it is
  /// answered as any other request of the connection.
  func takeSignIn(_ client: Client, _ request: Request, _ raw: Bytes) -> Bool {
    guard !rights.isOpen || rights.isUnknown, !client.session.isAfterMulti,
      let (name, secret) = credentials(in: request)
    else {
      return false
    }
    guard !rights.isUnknown else {
      client.answerNow { ReplyRenderer.error(.unavailable, knowsNobody, into: &$0) }
      return true
    }
    guard raw.count <= RequestDesk.longestSignIn else {
      client.answerNow {
        ReplyRenderer.error(.malformed, "no user's name and secret are so long; nothing was done", into: &$0)
      }
      return true
    }
    client.barrier = true
    let owner = EdgeItem.Owner(client: client.index, generation: client.generation, slot: client.openSlot())
    let attempt = SignIn(
      owner: owner, raw: Array(raw), name: name, secret: secret, address: RequestDesk.host(of: client.session.address))
    guard signIns.add(attempt, now: now.monotonic) else {
      answerError(owner, .busy, "too many attempts to sign in are under way at this node; nothing was done")
      return true
    }
    beginSignIns()
    return true
  }
  /// In bytes: thousands may wait.
  private static let longestSignIn = 1_024

  private func credentials(in request: Request) -> (name: String, secret: [UInt8])? {
    func text(_ place: Int) -> String { String(decoding: request.positional(place), as: UTF8.self) }
    let count = request.positionalCount
    switch request.verb {
    case .auth where count == 1: return ("default", Array(request.positional(0)))
    case .auth where count == 2: return (text(0), Array(request.positional(1)))
    case .hello:
      for place in 0..<count where text(place).uppercased() == "AUTH" && place + 2 < count {
        return (text(place + 1), Array(request.positional(place + 2)))
      }
      return nil
    default: return nil
    }
  }
  static func host(of address: String) -> String {
    address.lastIndex(of: ":").map { String(address[..<$0]) } ?? address
  }

  private func beginSignIns() {
    // One that fails at once may have another behind it, which has to wait.
    for (ticket, attempt) in signIns.begin(now: now.monotonic) {
      let user = directory?.access.user(named: attempt.name)
      guard let user, let secret = user.secret else {
        _ = signIns.take(ticket)
        failed(attempt, user)
        continue
      }
      let task = SecretJob.Task.check(secret, user: user.number, revision: user.revision)
      turn.out.jobs.append(.secret(SecretJob(ticket: ticket, secret: attempt.secret, task: task)))
    }
  }
  private func failed(_ attempt: SignIn, _ user: User?) {
    signIns.ended(attempt, succeeded: false, now: now.monotonic)
    refusals.refused(user?.tenant ?? .first, user?.name ?? "", "AUTH", "WRONGPASS", from: attempt.address)
  }
  /// With each look at the clock: whether users may be answered, attempts whose time has come, and failures that are answered.
  func advanceAccess() {
    followRights()
    judgeLease()
    endStart()
    if now.monotonic >= nextTelling { tellAccess() }
    beginSignIns()
    for attempt in signIns.answers(now: now.monotonic) { finish(attempt, nil) }
  }

  /// A secret was looked at.
  func secretDone(_ result: SecretResult) {
    guard let attempt = signIns.take(result.ticket) else { return secretKept(result) }
    switch result.outcome {
    case .checked(let isRight, let revision):
      let user = directory?.access.user(named: attempt.name)
      let accepted = isRight && user?.isStopped == false && user?.revision == revision ? user : nil
      guard let accepted else {
        failed(attempt, user)
        break
      }
      signIns.ended(attempt, succeeded: true, now: now.monotonic)
      finish(attempt, accepted)
    case .refused(let why):
      signIns.droppedOut(attempt, now: now.monotonic)
      answerError(attempt.owner, .malformed, "nobody can sign in at this node: \(why)")
    case .kept, .drawn: signIns.droppedOut(attempt, now: now.monotonic)
    }
    beginSignIns()
  }
  private func finish(_ attempt: SignIn, _ user: User?) {
    guard let client = client(of: attempt.owner) else { return }
    let outcome = user.map { Authentication.accepted(PrincipalID($0.number)) } ?? .refused
    attempt.raw.withUnsafeBytes { raw in
      guard let request = parseAgain(raw) else {
        return answerError(attempt.owner, .unavailable, "the request was lost at this node; nothing was done")
      }
      var session = client.session
      let host = SignInHost(version: version, nodeName: nodeName, now: now.wall, outcome: outcome)
      clients.answer(attempt.owner, &turn.out) { output in
        _ = ConnectionCommands.respond(to: request, session: &session, host: host, into: &output)
      }
      if let user, session.principal.rawValue == user.number {
        session.tenant = user.tenant
        session.user = user.name
        (client.secret, client.wasStopped) = (user.secret, false)
      }
      client.session = session
      forgetGrant(client)
    }
  }

  /// A connection whose other end has proved by its certificate that it is that user. Whoever is none, or stopped, is nobody.
  func signIn(_ id: ClientID, by name: String) {
    if rights.isUnknown { clients[id]?.certifiedUser = name }
    guard let client = clients[id], let user = directory?.access.user(named: name), !user.isStopped else { return }
    client.session.principal = PrincipalID(user.number)
    client.session.tenant = user.tenant
    client.session.user = user.name
    forgetGrant(client)
  }
}

/// What `AUTH` and `HELLO` ask of the node, once it is known what came of an attempt to sign in.
private struct SignInHost: SessionHost {
  let version: String
  let nodeName: String
  let now: Stamp
  let outcome: Authentication
  func authenticate(user: UnsafeRawBufferPointer?, secret: UnsafeRawBufferPointer) -> Authentication { outcome }
  var sessions: [Session] { [] }
  func infoSections() -> [InfoSection] { [] }
  func settings(matching pattern: String) -> [(key: String, value: String)] { [] }
}
