import Base
import Ledger
import Protocol
import Vocabulary

/// A user whose secret is on its way to be hashed.
struct UserChange {
  var owner: EdgeItem.Owner
  var change: AccessChange
}

/// Users, tenants and the trail, as terminals ask for them.
extension RequestDesk {
  /// Secrets of `USER SET` that are hashed at once, at most.
  private static let mostKept = 64

  /// Nil: it is answered that not all nodes would understand it.
  private func change(
    _ subject: AccessChange.Subject, _ request: Request, _ client: Client, _ owner: EdgeItem.Owner
  ) -> AccessChange? {
    let tenant = client.session.tenant
    var change = AccessChange(
      subject, by: client.session.principal.rawValue, tenant: tenant,
      name: String(decoding: request.positional(0), as: UTF8.self))
    guard let key = request.scopedID(hashKey, tenant: tenant) else { return change }
    guard isSettled else {
      answerError(
        owner, .unavailable,
        "not all nodes keep the id= of \(request.verb.words) yet: finish the upgrade (tally upgrade finish), or leave it out; nothing was done"
      )
      return nil
    }
    // Of a secret nothing is kept but its hash.
    (change.request, change.fingerprint) = (key, request.fingerprint(hashKey, without: .secret))
    return change
  }
  /// All nodes know what this build's newest rules are.
  var isSettled: Bool { directory.map { $0.semantics >= Semantics.settled } ?? false }

  /// `USER SET name …`: the secret is hashed here, before anything of it is logged.
  func setUser(_ request: Request, _ owner: EdgeItem.Owner) {
    guard let client = client(of: owner) else { return }
    func text(_ key: Key) -> String? { request.text(key).map { String(decoding: $0, as: UTF8.self) } }
    guard var change = change(.user, request, client, owner) else { return }
    change.role = request.number(.role).flatMap { Role(rawValue: UInt8(truncatingIfNeeded: $0)) }
    (change.merchant, change.terminal, change.org) = (text(.merchant), text(.terminal), text(.org))
    (change.adjustLimit, change.rate) = (request.number(.adjustLimit), request.number(.rate))
    change.isStopped = request.number(.state).map { $0 == 1 }
    if let owned = strayTerminal(change) { return answerError(owner, .malformed, owned) }
    guard let secret = request.text(.secret) else { return submit(change, owner) }
    guard !secret.isEmpty else { return answerError(owner, .malformed, "secret= must not be empty") }
    guard keptSecrets.count < RequestDesk.mostKept else {
      return answerError(owner, .busy, "too many secrets are being hashed at this node; nothing was done")
    }
    nextKept += 1
    // Numbers of their own: those of sign-ins count from 1.
    let ticket = UInt64.max - nextKept
    keptSecrets[ticket] = UserChange(owner: owner, change: change)
    turn.out.jobs.append(.secret(SecretJob(ticket: ticket, secret: Array(secret), task: .keep)))
  }
  /// Why a terminal's user cannot be of the merchant that is said: the terminal is another's.
  private func strayTerminal(_ change: AccessChange) -> String? {
    guard let directory else { return nil }
    let known = directory.access.user(named: change.name)
    guard (change.role ?? known?.role) == .terminal, let merchant = change.merchant ?? known?.merchant,
      let terminal = change.terminal ?? known?.terminal
    else { return nil }
    let merchants = directory.entries.merchants(of: known?.tenant ?? change.tenant, at: now.wall)
    guard let owner = Array(terminal.utf8).withUnsafeBytes({ merchants.owner(ofTerminal: $0) }),
      !owner.elementsEqual(merchant.utf8)
    else { return nil }
    return
      "terminal= \(terminal) is of the merchant '\(String(decoding: owner, as: UTF8.self))', not of '\(merchant)'; nothing was done"
  }
  func secretKept(_ result: SecretResult) {
    if sessionDrawn(result) { return }
    guard var waiting = keptSecrets.removeValue(forKey: result.ticket), client(of: waiting.owner) != nil else { return }
    switch result.outcome {
    case .kept(let secret):
      waiting.change.secret = secret
      submit(waiting.change, waiting.owner)
    case .refused(let why):
      answerError(waiting.owner, .malformed, "the secret cannot be hashed: \(why); nothing was done")
    case .checked, .drawn:
      answerError(waiting.owner, .unavailable, "the secret was lost at this node; nothing was done")
    }
  }

  /// `TENANT SET name …`
  func setTenant(_ request: Request, _ owner: EdgeItem.Owner) {
    guard let client = client(of: owner) else { return }
    guard var change = change(.tenant, request, client, owner) else { return }
    change.title = request.text(.title).map { String(decoding: $0, as: UTF8.self) }
    change.isStopped = request.number(.state).map { $0 == 1 }
    submit(change, owner)
  }
  private func submit(_ change: AccessChange, _ owner: EdgeItem.Owner) {
    var noted = noted(owner, verb: change.subject == .user ? "USER SET" : "TENANT SET", target: change.name)
    if let tenant = tenant(of: change) { noted?.records[0].tenant = tenant }
    submitInternal(.directory, flags: .repeatable, continuation: keep(.rights(owner))) { buffer in
      append(noted, to: &buffer) { DirectoryMachine.append(.access, to: &$0) { change.encode(into: &$0) } }
    }
  }
  /// Whose trail has it: of a user or tenant that there is, its own, wherever an admin happens to be. Of a new tenant nobody's, but all
  /// admins see it. Nil: of who asks.
  private func tenant(of change: AccessChange) -> TenantID? {
    switch change.subject {
    case .user: directory?.access.user(named: change.name)?.tenant
    case .tenant: directory?.access.tenant(named: change.name)?.id ?? TenantID(0)
    }
  }
  func rightsDecided(_ owner: EdgeItem.Owner, _ reply: Bytes) {
    guard let version = RecordView(reply).integer else { return answer(owner, reply) }
    rights.wait(owner, forVersion: UInt64(bitPattern: version), now: now.monotonic)
  }

  /// `TENANT USE name`: for this connection.
  func useTenant(_ request: Request, _ owner: EdgeItem.Owner) {
    guard let client = client(of: owner) else { return }
    let name = String(decoding: request.positional(0), as: UTF8.self)
    guard let tenant = directory?.access.tenant(named: name) else {
      return answerError(owner, .notFound, "no such tenant '\(name)'")
    }
    client.session.tenant = tenant.id
    forgetGrant(client)
    answer(owner) { $0.ok() }
  }

  /// Whose users and trail a client sees: those of its tenant; an admin's, all.
  private func shown(to client: Client) -> UInt32 {
    client.grant.roles.contains(.admins) ? 0 : client.session.tenant.rawValue
  }
  func showUser(_ request: Request, _ owner: EdgeItem.Owner) {
    guard let client = client(of: owner) else { return }
    let name = Array(request.positional(0))
    askDirectory(owner, .query) { buffer in
      DirectoryMachine.append(.showUser, to: &buffer) {
        $0.append(shown(to: client))
        $0.append(counted: name)
      }
    }
  }
  func listUsers(_ request: Request, _ owner: EdgeItem.Owner) {
    guard let client = client(of: owner) else { return }
    askDirectory(owner, .query) { buffer in
      DirectoryMachine.append(.listUsers, to: &buffer) {
        $0.append(shown(to: client))
        $0.append(UInt32(request.number(.limit) ?? 1_000))
        $0.append(counted: request.text(.after) ?? Bytes(start: nil, count: 0))
      }
    }
  }
  func listTenants(_ owner: EdgeItem.Owner) {
    askDirectory(owner, .query) { buffer in DirectoryMachine.append(.listTenants, to: &buffer) { _ in } }
  }
  func whoAmI(_ owner: EdgeItem.Owner) {
    guard let client = client(of: owner) else { return }
    let tenant = directory?.access.tenant(client.session.tenant)?.name ?? Tenant.first.name
    let seen = client.grant.user.flatMap { directory?.seen[$0.number] }
    answer(owner) { reply in
      reply.record()
      guard let user = client.grant.user else {
        reply.field(named: "user", "default")
        reply.field(named: "role", "any")
        reply.field(named: "tenant", tenant)
        reply.field(.state, "active")
        return
      }
      user.write(tenant: tenant, seen: seen, into: &reply)
    }
  }

  func showTrail(_ request: Request, _ owner: EdgeItem.Owner) {
    guard let client = client(of: owner) else { return }
    let after = request.text(.after).map { UInt64(String(decoding: $0, as: UTF8.self)) ?? 0 }
    guard after != 0 else { return answerError(owner, .malformed, "after= must be the cursor= of an earlier answer") }
    let none = Bytes(start: nil, count: 0)
    askDirectory(owner, .query) { buffer in
      DirectoryMachine.append(.showTrail, to: &buffer) {
        $0.append(shown(to: client))
        $0.append(RequestDesk.moment(request.number(.from)) ?? 0)
        $0.append(RequestDesk.moment(request.number(.until)) ?? Stamp.never.microseconds)
        $0.append(UInt32(request.number(.limit) ?? 1_000))
        $0.append(after ?? .max)
        $0.append(counted: request.text(.user) ?? none)
        $0.append(counted: request.text(.verb) ?? none)
      }
    }
  }
  /// Of a `Shape.dateOrMoment`: a date begins at midnight UTC.
  private static func moment(_ number: Int64?) -> Int64? {
    number.map { $0 < 0 ? (-1 - $0) * 86_400_000_000 : $0 }
  }

  // MARK: The trail

  /// The request under way, of which the directory may hear.
  @inline(never) func noteActing(_ request: Request, _ owner: EdgeItem.Owner) {
    guard request.rule.pointee.route == .node || request.rule.pointee.route == .directory else { return }
    acting = (owner, words(of: request), target(of: request))
  }
  /// What the trail is to have of a command that is said for the request under way.
  func actingNote(_ owner: EdgeItem.Owner) -> TrailNote? {
    guard let acting, acting.owner.client == owner.client, acting.owner.generation == owner.generation,
      acting.owner.slot == owner.slot
    else { return nil }
    return noted(owner, verb: acting.verb, target: acting.target)
  }

  /// What the trail is to have of a command that is said for a client; nil: nothing.
  func noted(_ owner: EdgeItem.Owner, verb: String, target: String) -> TrailNote? {
    guard let client = client(of: owner), let directory, directory.semantics >= Semantics.programme else { return nil }
    var record = TrailRecord(user: client.grant.user?.name ?? "", verb: verb)
    record.tenant = client.session.tenant
    record.target = String(decoding: target.utf8.prefix(TrailRecord.longestTarget), as: UTF8.self)
    (record.address, record.node) = (client.session.address, peers.own.hello.name)
    var note = TrailNote(node: peers.id.rawValue, mark: nextMark())
    note.records = [record]
    return note
  }
  private func nextMark() -> TrailMark {
    TrailMark(incarnation: membership.me.incarnation, note: refusals.nextNote())
  }
  /// What a shard came to at a user's request: the trail has what was done, and what the user may not.
  func notedAnswered(_ owner: EdgeItem.Owner, _ note: TrailNote, _ reply: Bytes) {
    var note = note
    let code = RecordView(reply).errorCode
    answer(owner, reply)
    guard let record = note.records.first else { return }
    if code == .noPermission {
      refusals.refused(record.tenant, record.user, record.verb, "\(ErrorCode.noPermission.word)", from: record.address)
    }
    guard code == nil else { return }
    note.mark = nextMark()
    submitInternal(.directory, flags: .repeatable) { buffer in
      DirectoryMachine.append(.trail, to: &buffer) { note.encode(into: &$0) }
    }
  }
  /// Answers that this node has done something by itself: the trail has it.
  func answerDone(_ owner: EdgeItem.Owner, verb: String, target: String) {
    guard let note = noted(owner, verb: verb, target: target) else { return answer(owner) { $0.ok() } }
    var reply = ReplyWriter(capacity: 16)
    reply.ok()
    notedAnswered(owner, note, reply.buffer.bytes)
  }
  /// Appends a command, with what the trail is to have of it.
  func append(_ note: TrailNote?, to buffer: inout ByteBuffer, _ command: (inout ByteBuffer) -> Void) {
    guard let note else { return command(&buffer) }
    DirectoryMachine.append(.acted, to: &buffer) {
      note.encode(into: &$0)
      command(&$0)
    }
  }
  /// Once a second: peers hear which rights this node goes by; the directory, what was refused, and who was seen.
  func tellAccess() {
    nextTelling = now.monotonic + 1_000_000
    tellRights()
    guard !refusals.isEmpty, let directory, directory.semantics >= Semantics.programme else { return }
    var note = TrailNote(node: peers.id.rawValue, mark: nextMark())
    refusals.take(into: &note, node: peers.own.hello.name)
    submitInternal(.directory, flags: .repeatable) { buffer in
      DirectoryMachine.append(.trail, to: &buffer) { note.encode(into: &$0) }
    }
  }
  /// The names in a request that changes something: never its values, of which some are secret.
  /// - Parameter party: whom the first name is of, where that is known. An alias is no name for the trail, which nothing is taken out
  ///   of: the member's id stands for it.
  func target(of request: Request, _ party: Command.Party? = nil) -> String {
    if request.rule.pointee.route == .directory {
      let scope = request.positional(0)
      var reader = ByteReader(scope)
      guard (try? reader.readVarint()) != nil, let key = try? reader.readCounted() else { return "" }
      return String(decoding: key.map { $0 == 0 ? UInt8(ascii: "/") : $0 }, as: UTF8.self)
    }
    return (0..<request.positionalCount).map { place in
      let name = request.positional(place)
      guard let colon = name.firstIndex(of: UInt8(ascii: ":")) else { return String(decoding: name, as: UTF8.self) }
      if place == 0, let party, !party.member.isEmpty { return String(decoding: party.member, as: UTF8.self) }
      return String(decoding: name[...colon], as: UTF8.self) + "*"
    }.joined(separator: " ")
  }
}
