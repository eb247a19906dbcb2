import Base
import Ledger
import Protocol
import Vocabulary

/// The one check of who may ask what, before anything is done.
extension RequestDesk {
  var directory: DirectoryMachine? { replicas[.directory]?.machine as? DirectoryMachine }

  // MARK: What is in force

  /// This node has started. A log that says of users what has yet to be applied is as good as their being there.
  func doubtRights(_ found: [RecoveredReplica]) {
    let log = found.first { $0.shard == .directory }?.entries ?? []
    if let index = DirectoryMachine.lastAccess(in: log) { rights.begin(doubting: index, now: now.wall) }
  }
  /// Goes by what the directory has applied, and tells the others.
  func followRights() {
    guard let directory else { return }
    let closed = replicas[.directory]?.closedTime ?? .zero
    guard rights.follow(directory.access, applied: directory.lastIndex, closed: closed) else { return }
    judgeLease()
    tellRights()
    noteStops(directory)
  }
  /// Who signed in by a secret that was stolen is out for good, once its user was stopped and goes on by another: also a connection that
  /// asks nothing meanwhile. O(connections), when a user is stopped.
  private func noteStops(_ directory: DirectoryMachine) {
    let stopped = directory.access.stopped
    guard stopped != rights.stopped else { return }
    rights.stopped = stopped
    for client in clients.all where stopped.contains(client.session.principal.rawValue) { client.wasStopped = true }
  }
  /// With each look at the clock, and before a terminal's bytes are read: this process may have stood still.
  func judgeLease() {
    let directory = replicas[.directory]
    if let directory {
      // A leader that no majority answers steps down.
      if directory.hasTakenOver { rights.heard(through: directory.machine.lastIndex, now: now.monotonic) }
      rights.applied(through: directory.machine.lastIndex)
    }
    rights.judge(
      closed: directory?.closedTime ?? .zero,
      isInCluster: directory != nil || membership.cluster != 0 || peers.nodeInCluster != nil, now: now)
  }
  /// Tells the others which rights this node goes by.
  func tellRights() {
    guard rights.version > 0 else { return }
    for peer in peers.others where peer.outgoing != nil { peer.say(.rights) { $0.append(rights.version) } }
  }
  func receiveRights(_ reader: inout ByteReader, of peer: Peer) throws(MalformedBytes) {
    peer.rights = max(peer.rights, try reader.read())
  }
  /// Once a turn: changes that hold everywhere by now are answered.
  func advanceRightsWaits() {
    let own = rights.version
    let ended = rights.endedWaits(now: now.monotonic) { version in
      (membership.topology?.nodes ?? []).allSatisfy { node in
        node.state == .removed
          || (node.id == peers.id ? own : peers[node.id]?.rights ?? 0) >= version
      }
    }
    for owner in ended { answer(owner) { $0.ok() } }
  }

  // MARK: The check

  /// Whether a client may ask that; else it is answered here. A bit test, where nothing has changed.
  @inline(__always) func mayAsk(_ client: Client, _ request: Request) -> Bool {
    if client.grant.epoch != rights.epoch { renewGrant(client) }
    guard !client.grant.roles.isDisjoint(with: request.rule.pointee.roles) else {
      return mayRead(client, request) || mayRescue(client, request) || refuse(client, request)
    }
    return true
  }
  /// Whether a client may ask that because it changes nothing, though its verb may.
  @inline(never) private func mayRead(_ client: Client, _ request: Request) -> Bool {
    let spec = Language.standard.spec(request.rule.pointee)
    return !client.grant.roles.isDisjoint(with: spec.readers) && spec.onlyReads(request)
  }
  /// Whether it is for a cluster that has lost the majority of its directory: then nobody can say any more who may do what, and somebody has to
  /// mend it. It may be asked on this machine alone, by an admin of the rights known last; where this node knows none, by whoever is
  /// there.
  @inline(never) private func mayRescue(_ client: Client, _ request: Request) -> Bool {
    let verbs: [Verb] = [
      .clusterUnsafe, .clusterStatus, .clusterNodes, .clusterShards, .clusterCheck, .clusterAlarm, .health,
      .clusterInit,
    ]
    guard verbs.contains(request.verb), rights.isOwnMachine(client.session.address) else { return false }
    switch client.grant.refusal {
    case .lapsed: return client.grant.user?.isAdmin == true
    case .unknown: return rights.doubt?.isOld(now.wall) ?? true
    default: return false
    }
  }
  /// Whether a request waits because this node has started just now, and will soon hear of the directory: then it is served like any other.
  @inline(never) func waitsForStart(_ client: Client, _ request: Request) -> Bool {
    guard rights.isStarting(now), directory != nil, request.rule.pointee.roles.isDisjoint(with: .strangers) else {
      return false
    }
    if client.grant.epoch != rights.epoch { renewGrant(client) }
    guard !mayRescue(client, request) else { return false }
    rights.waiting.append(client.id)
    return true
  }
  /// What waited goes on: served, or refused.
  func endStart() {
    guard !rights.waiting.isEmpty, !rights.isUnknown || !rights.isStarting(now) else { return }
    for id in rights.waiting { if let client = clients[id] { clients.resume(client, &turn.out) } }
    rights.waiting.removeAll()
  }
  /// Whether a request has to learn first whose transaction it is about.
  func waitsForMerchant(_ client: Client, _ request: Request) -> Bool {
    request.rule.pointee.route == .transaction && client.grant.boundUser != nil
  }

  /// Makes a client's grant anew, by the rights that hold now.
  @inline(never) func renewGrant(_ client: Client) {
    if !rights.isUnknown, let name = client.certifiedUser {
      client.certifiedUser = nil
      if client.session.principal == .anonymous { signIn(client.id, by: name) }
    }
    client.grant = makeGrant(client)
    client.grant.epoch = rights.epoch
  }
  private func isStale(_ client: Client, _ user: User) -> Bool {
    client.wasStopped && client.secret != nil && client.secret != user.secret
  }
  private func makeGrant(_ client: Client) -> Grant {
    let session = client.session
    var grant = Grant()
    guard !rights.isUnknown else {
      (grant.roles, grant.refusal) = (.strangers, .unknown)
      return grant
    }
    let isTenantStopped = directory?.access.tenant(session.tenant)?.isStopped == true
    guard let directory, !rights.isOpen else {
      grant.roles = isTenantStopped ? [.strangers, .admins] : [.users, .strangers]
      grant.refusal = isTenantStopped ? .tenantStopped : nil
      if !rights.isTrusted(session.address) { (grant.roles, grant.refusal) = (.strangers, .openElsewhere) }
      return grant
    }
    grant.roles = .strangers
    guard let user = directory.access.user(session.principal.rawValue), !user.isStopped, !isStale(client, user) else {
      grant.refusal = .signedOut
      return grant
    }
    grant.user = user
    guard !rights.isLapsed else {
      grant.refusal = .lapsed
      return grant
    }
    if isTenantStopped {
      grant.refusal = .tenantStopped
    } else if session.tenant == user.tenant {
      grant.roles.formUnion(user.role.roles)
      grant.isWatched = user.role.isBounded || user.rate > 0
    }
    if user.isAdmin { grant.roles.formUnion(.admins) }
    refusals.saw(user.number, at: now.wall)
    return grant
  }
  /// Somebody has signed in, or out: what was granted is void.
  func forgetGrant(_ client: Client) {
    client.grant.epoch = 0
    client.isBySession = false
  }

  @inline(never) private func refuse(_ client: Client, _ request: Request) -> Bool {
    let words = words(of: request)
    switch client.grant.refusal {
    case .signedOut: return refuse(client, .noAuth, words, "Authentication required.")
    case .lapsed:
      return refuse(
        client, .unavailable, words, "this node has heard nothing of the directory for 5 s; nothing was done")
    case .unknown: return refuse(client, .unavailable, words, knowsNobody)
    case .openElsewhere:
      return refuse(
        client, .noPermission, words,
        "the cluster has no users yet and answers only the node's own machine: make the first there (tally init --operator NAME, or"
          + " USER SET), or start the node with --insecure; nothing was done")
    case .tenantStopped: return refuse(client, .closed, words, "the tenant is stopped")
    case nil:
      let roles = client.grant.user.map { user in
        user.isFirst && user.role != .admin ? "\(user.role.word) and admin" : user.role.word
      }
      return refuse(
        client, .noPermission, words, "\(words) is not for the role \(roles ?? "none"); nothing was done")
    }
  }
  /// Why nobody is served while it is unknown who may do what.
  var knowsNobody: String {
    guard rights.doubt == nil else {
      return "this node has started, and has yet to learn from the directory who may do what; nothing was done"
    }
    guard membership.cluster != 0 else { return withoutCluster }
    return
      "this node hears nothing of the directory, and cannot know whether there are users by now: ask another node; where the"
      + " directory's majority is lost for ever, tally unsafe recover mends it on this machine; nothing was done"
  }
  /// Answers a request that is refused, and counts it for the trail. False.
  func refuse(_ client: Client, _ code: ErrorCode, _ words: String, _ text: String) -> Bool {
    if code == .noAuth || code == .noPermission {
      refusals.refused(
        client.session.tenant, client.grant.user?.name ?? "", words, "\(code.word)", from: client.session.address)
    }
    client.answerNow { ReplyRenderer.error(code, text, into: &$0) }
    return false
  }
  /// A verb's words; of entries, those of the kind's.
  func words(of request: Request) -> String {
    Language.standard.spec(request.rule.pointee).words.joined(separator: " ")
  }

  // MARK: Bounds

  /// Of a client whose requests are looked at each: whether this one is within its bounds; else it is answered here.
  @inline(never) func isWithinBounds(_ client: Client, _ request: Request) -> Bool {
    guard let user = client.grant.user else { return true }
    guard user.rate == 0 || rights.takeRequest(of: user, now: now) else {
      return refuse(
        client, .busy, "",
        "more than the user's \(user.rate) requests a second at this node; nothing was done")
    }
    guard user.role.isBounded, !request.rule.pointee.roles.isDisjoint(with: user.role.roles) else { return true }
    if let reason = directory.flatMap({ breach(request, of: user, $0) }) {
      let words = words(of: request)
      return refuse(client, .noPermission, words, "\(words): \(reason); nothing was done")
    }
    return true
  }
  /// Why a bounded user may not ask that; nil: it may.
  private func breach(_ request: Request, of user: User, _ directory: DirectoryMachine) -> String? {
    let rule = request.rule.pointee
    let merchants = directory.entries.merchants(of: user.tenant, at: now.wall)
    if rule.route == .directory { return breachOfEntry(request, of: user, merchants) }
    if rule.merchant != VerbRule.none {
      let merchant = request.bytes(at: rule.merchant)
      guard !merchant.isEmpty else { return "a user of role \(user.role.word) must name its merchant=" }
      guard isOwn(merchant, of: user, merchants) else { return "the user acts at '\(user.merchant)' alone" }
    }
    if user.role == .terminal, let terminal = request.text(.terminal), !terminal.elementsEqual(user.terminal.utf8) {
      return "the user acts through the terminal '\(user.terminal)' alone"
    }
    return nil
  }
  /// Whether a merchant is a user's: for a merchant's user, those below it too.
  private func isOwn(_ merchant: UnsafeRawBufferPointer, of user: User, _ merchants: MerchantView) -> Bool {
    user.role == .terminal
      ? merchant.elementsEqual(user.merchant.utf8) : merchants.isAtOrBelow(merchant, user.merchant)
  }
  func isOwn(_ merchant: UnsafeRawBufferPointer, of user: User) -> Bool {
    guard let directory else { return false }
    return isOwn(merchant, of: user, directory.entries.merchants(of: user.tenant, at: now.wall))
  }

  /// Of a merchant's user: its merchant, the terminals of that, and any program's terms.
  private func breachOfEntry(_ request: Request, of user: User, _ merchants: MerchantView) -> String? {
    var buffer = ByteBuffer(capacity: 256)
    buffer.append(request.positional(0))
    buffer.append(request.positional(1))
    var reader = ByteReader(buffer.bytes)
    guard let entry = try? EntryRequest(decoding: &reader),
      let kind = EntryKind.all.first(where: { $0.number == Int(entry.kind) })
    else { return "it cannot be read" }
    let alone = "the user sees what is of '\(user.merchant)' alone"
    switch kind.word {
    case "MERCHANT": return isOwn(entry.key, of: user, merchants) ? nil : alone
    case "TERMINAL":
      if let owner = merchants.owner(ofTerminal: entry.key) {
        guard owner.withUnsafeBytes({ isOwn($0, of: user, merchants) }) else { return alone }
      } else if request.verb != .entryList {
        guard request.verb == .entrySet else { return alone }
      }
      let field = kind.field("merchant")?.number
      let named = entry.fields.first { $0.number == field }?.text
      guard request.verb != .entryShow, let named else {
        let isKnown = !entry.key.isEmpty && merchants.owner(ofTerminal: entry.key) != nil
        return isKnown ? nil : "a user of role \(user.role.word) must name its merchant="
      }
      return isOwn(named, of: user, merchants) ? nil : alone
    default: return nil
    }
  }
}
