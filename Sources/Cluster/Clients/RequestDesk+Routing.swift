import Base
import Ledger
import Protocol
import Vocabulary

/// Requests to commands and queries, each to the stream of its shard.
extension RequestDesk {
  typealias Bytes = UnsafeRawBufferPointer

  /// Sends a request on its way. `raw` is what came from the client, kept only if a card must be looked up first.
  func route(_ request: Request, raw: Bytes, owner: EdgeItem.Owner, client: Client, resolved: Resolved = Resolved()) {
    guard isServed(request, owner) else { return }
    if isHeld { return answerError(owner, .unavailable, RequestDesk.held) }
    if let referrer = request.who(.referrer) {
      if referrer.isAlias { return lookUp(referrer.id, raw, owner, client, resolved, .referrer) }
      if !referrer.id.isEmpty, !resolved.isNamedKnown {
        return lookUp(named: Array(referrer.id), by: "referrer", raw, owner, client, resolved)
      }
    }
    switch request.rule.pointee.route {
    case .member: routeByMember(request, raw, owner, client, resolved)
    case .transaction where !resolved.isOwn && waitsForMerchant(client, request):
      lookUpMerchant(request, raw, owner, client)
    case .transaction: send(request, to: request.transaction(0).slot, owner, client)
    case .cardIfGiven where RequestDesk.isMinted(request): mint(request, raw, owner, client)
    case .card, .cardIfGiven: send(request, to: slotOfCardOrMember(request, client), owner, client)
    case .directory where request.verb == .entrySet && waitsForHeir(request, raw, owner, client, resolved): break
    case .directory: routeToDirectory(request, owner, client)
    case .connection, .inner, .node: answerError(owner, .malformed, "\(request.verb.words) is not served here")
    }
  }
  private static let held =
    "this cluster began with a backup, and has yet to prove that it is that (tally op list); nothing was done"
  /// Whether there is a cluster, or none is needed; else it is answered here.
  func isServed(_ request: Request, _ owner: EdgeItem.Owner) -> Bool {
    // There are slots as soon as there is a topology, of which the question alone would make a copy.
    if request.rule.pointee.traits.contains(.alone) { return true }
    return isThereCluster(owner)
  }
  func isThereCluster(_ owner: EdgeItem.Owner) -> Bool {
    if edge.hasSlots { return true }
    answerError(owner, .unavailable, withoutCluster)
    return false
  }

  private func slotOfCardOrMember(_ request: Request, _ client: Client) -> Slot {
    let rule = request.rule.pointee
    return Command.scope(of: request) == .card
      ? Command.cardSlot(request.bytes(at: rule.card), tenant: client.session.tenant)
      : Command.memberSlot(request.bytes(at: rule.party), tenant: client.session.tenant)
  }

  /// Why a node that belongs to no cluster serves nothing, and who does.
  var withoutCluster: String {
    guard membership.cluster == 0, let member = peers.nodeInCluster else {
      return "there is no cluster yet: run 'tally init'"
    }
    return "this node is not in the cluster yet; ask \(member.name) at \(member.clientAddress)"
  }

  /// Appends to the stream that owns a slot, unless too much waits there already.
  @inline(__always)
  private func submit(
    _ slot: Slot, _ owner: EdgeItem.Owner, _ flags: EdgeItem.Flags, _ write: (inout ByteBuffer) -> Void
  ) {
    let stream = edge.stream(of: slot)
    guard stream.byteCount < edge.streamBytesMax else {
      answerError(owner, .busy, "too much waits for shard \(stream.shard.rawValue) at this node; nothing was done")
      return
    }
    stream.append(
      owner: owner, flags: flags, deadline: now.monotonic + requestTimeout, write: write)
  }

  /// A command or query of the node itself; the answer goes to a continuation, or nowhere.
  func submitInternal(
    _ shard: ShardID, flags: EdgeItem.Flags, continuation: UInt64 = 0, isInDoubt: Bool = false,
    _ write: (inout ByteBuffer) -> Void
  ) {
    stream(shard).append(
      owner: EdgeItem.Owner(client: 0, generation: 0, slot: continuation), flags: flags.union(.continuation),
      deadline: now.monotonic + requestTimeout, isInDoubt: isInDoubt, write: write)
  }

  // MARK: By member

  private func routeByMember(
    _ request: Request, _ raw: Bytes, _ owner: EdgeItem.Owner, _ client: Client, _ resolved: Resolved
  ) {
    let who = request.who(0)
    let hasRecipient = request.rule.pointee.hasRecipient
    guard who.isAlias || hasRecipient else {
      sendByMember(request, owner, client, Command.Party(member: who.id), resolved)
      return
    }
    var resolved = resolved
    if who.isAlias && resolved.first == nil {
      guard request.readMode == .local, lookUpLocally(who.id, client, &resolved) else {
        lookUp(who.id, raw, owner, client, resolved, .first)
        return
      }
    }
    if hasRecipient, request.who(1).isAlias, resolved.second == nil {
      lookUp(request.who(1).id, raw, owner, client, resolved, .second)
      return
    }
    guard let first = resolved.first else {
      sendByMember(request, owner, client, Command.Party(member: who.id), resolved)
      return
    }
    if first.member == nil || (first.isRemoved && request.rule.pointee.effect == .read) {
      let name = (AliasKey.isCard(who.id) ? "card '" : "alias '") + String(decoding: who.id, as: UTF8.self) + "'"
      answerError(owner, .notFound, first.member == nil ? "no such \(name)" : "the \(name) was removed")
      return
    }
    if !resolved.isRepeatKnown, !first.former.isEmpty, request.has(.id) {
      askFormerHolder(FormerSearch(owner: owner, raw: Array(raw), resolved: resolved), request, client)
      return
    }
    (first.member ?? []).withUnsafeBytes {
      sendByMember(request, owner, client, Command.Party(member: $0, card: who.id), resolved)
    }
  }

  private func sendByMember(
    _ request: Request, _ owner: EdgeItem.Owner, _ client: Client, _ party: Command.Party, _ resolved: Resolved
  ) {
    let slot = Command.memberSlot(party.member, tenant: client.session.tenant)
    guard request.rule.pointee.hasRecipient else {
      send(request, to: slot, owner, client, party, asof: resolved.asof)
      return
    }
    guard let second = resolved.second else {
      send(request, to: slot, owner, client, party, recipient: Command.Party(member: request.who(1).id))
      return
    }
    let prints = fingerprints(request, party.member, second)
    (second.member ?? []).withUnsafeBytes {
      let recipient = Command.Party(member: $0, card: request.who(1).id)
      send(request, to: slot, owner, client, party, recipient: recipient, fingerprints: prints)
    }
  }

  // MARK: To a shard

  /// Sends a request to the shard that has its slot. What carries a request id may be sent again after a doubt.
  ///
  /// - Parameters:
  ///   - party: whom the first `WHO` names.
  ///   - recipient: whom a second one names.
  ///   - fingerprints: the request's, and others that it may have had before; none: to be made here.
  @inline(__always)
  private func send(
    _ request: Request, to slot: Slot, _ owner: EdgeItem.Owner, _ client: Client, _ party: Command.Party? = nil,
    recipient: Command.Party? = nil, fingerprints: [UInt64] = [], asof: Stamp = .never
  ) {
    guard request.rule.pointee.effect != .read else {
      return ask(request, slot, owner, client, party, asof: asof)
    }
    let context = CommandContext(
      tenant: client.session.tenant, principal: client.session.principal,
      fingerprint: fingerprints.first ?? request.fingerprint(hashKey, party?.member))
    if request.rule.pointee.traits.contains(.namesActor) {
      return sendNoted(request, slot, context, owner, client, party)
    }
    submit(slot, owner, request.bytes(at: request.rule.pointee.request).isEmpty ? [] : .repeatable) {
      Command.append(
        request, to: &$0, slot: slot, context: context, party: party, recipient: recipient,
        otherFingerprints: Array(fingerprints.dropFirst()), terminal: terminal(request, client))
    }
  }
  /// Sends what says who asks; of what comes of it the trail hears.
  @inline(never)
  private func sendNoted(
    _ request: Request, _ slot: Slot, _ context: CommandContext, _ owner: EdgeItem.Owner, _ client: Client,
    _ party: Command.Party?
  ) {
    let flags: EdgeItem.Flags = request.bytes(at: request.rule.pointee.request).isEmpty ? [] : .repeatable
    let asker = asker(client)
    guard let note = noted(owner, verb: words(of: request), target: target(of: request, party)) else {
      return submit(slot, owner, flags) {
        Command.append(request, to: &$0, slot: slot, context: context, party: party, asker: asker)
      }
    }
    guard edge.stream(of: slot).byteCount < edge.streamBytesMax else {
      return answerError(owner, .busy, "too much waits for the shard at this node; nothing was done")
    }
    submitInternal(edge.shard(of: slot), flags: flags, continuation: keep(.noted(owner, note))) {
      Command.append(request, to: &$0, slot: slot, context: context, party: party, asker: asker)
    }
  }
  /// What is known here of the terminal that a request names; nil: it names none, or nothing is known.
  @inline(__always)
  private func terminal(_ request: Request, _ client: Client) -> TerminalWord? {
    request.has(.terminal) || client.grant.isWatched ? knownTerminal(request, client) : nil
  }
  @inline(never) private func knownTerminal(_ request: Request, _ client: Client) -> TerminalWord? {
    guard let directory else { return nil }
    func word(_ id: Bytes, _ merchant: Bytes) -> TerminalWord {
      directory.entries.terminal(id, of: merchant, tenant: client.session.tenant, at: now.wall)
    }
    if let id = request.text(.terminal) { return word(id, request.bytes(at: request.rule.pointee.merchant)) }
    // A terminal's user moves points through its terminal, whether it says so or not.
    guard request.rule.pointee.effect == .movesPoints, let user = client.grant.boundUser, user.role == .terminal else {
      return nil
    }
    return Array(user.terminal.utf8).withUnsafeBytes { id in
      Array(user.merchant.utf8).withUnsafeBytes { word(id, $0) }
    }
  }
  /// Who asks, for a command that is to say it.
  private func asker(_ client: Client) -> Actor {
    client.grant.user.map { Actor(name: Array($0.name.utf8), role: $0.role, adjustLimit: $0.adjustLimit) } ?? .anybody
  }

  private func ask(
    _ request: Request, _ slot: Slot, _ owner: EdgeItem.Owner, _ client: Client, _ party: Command.Party?, asof: Stamp
  ) {
    let context = CommandContext(
      tenant: client.session.tenant, principal: client.session.principal, fingerprint: 0)
    let askedAt = request.verb.asksWhatIf ? now.wall : nil
    if request.verb == .history, client.grant.isWatched, client.grant.boundUser != nil {
      let waiting = OwnHistory(
        owner: owner, limit: Int(request.number(.limit) ?? 0), asof: request.readMode == .local ? now.wall : nil)
      return submitInternal(edge.shard(of: slot), flags: .query, continuation: keep(.ownHistory(waiting))) {
        Command.append(request, to: &$0, slot: slot, context: context, party: party)
      }
    }
    if request.readMode == .local {
      let write: (inout ByteBuffer) -> Void = {
        Command.append(
          request, to: &$0, slot: slot, context: context, party: party, terminal: self.terminal(request, client),
          askedAt: askedAt)
      }
      if answerLocally(slot, owner, asof: asof, write) { return }
    }
    submit(slot, owner, .query) {
      Command.append(
        request, to: &$0, slot: slot, context: context, party: party, terminal: terminal(request, client),
        askedAt: askedAt)
    }
  }

  // MARK: The directory

  private func routeToDirectory(_ request: Request, _ owner: EdgeItem.Owner, _ client: Client) {
    let tenant = client.session.tenant
    switch request.verb {
    case .entrySet: setEntry(request, owner, tenant)
    case .entryShow where showsQuota(request, owner, tenant): break
    case .entryShow: askDirectory(.showEntry, request, owner, tenant)
    case .entryList: askDirectory(.listEntries, request, owner, tenant)
    case .entryHistory: askDirectory(.showEntryHistory, request, owner, tenant)
    default: answerError(owner, .malformed, "\(request.verb.words) is not served here")
    }
  }
  private func setEntry(_ request: Request, _ owner: EdgeItem.Owner, _ tenant: TenantID) {
    let (command, flags) = entryCommand(.entry, request, owner, tenant) { body in
      body.append(request.positional(0))
      body.append(request.positional(1))
    }
    if !setsZone(request, owner, tenant, command, flags) { setEntry(command, flags, owner) }
  }
  /// `RULE APPROVE`, `CAMPAIGN APPROVE`.
  func approve(_ kind: EntryKind, _ request: Request, _ owner: EdgeItem.Owner) {
    guard let client = client(of: owner) else { return }
    guard let directory, directory.semantics >= Semantics.programme else {
      return answerError(
        owner, .unavailable, "not every node knows this yet: start this build on all of them; nothing was done")
    }
    let (command, flags) = entryCommand(.approve, request, owner, client.session.tenant) { body in
      body.append(varint: UInt64(kind.number))
      body.append(counted: request.positional(0))
      body.appendEndOfFields()
    }
    setEntry(command, flags, owner)
  }
  /// - Parameter request: nil: it is a step of the node's own.
  func entryCommand(
    _ kind: DirectoryMachine.Kind, _ request: Request?, _ owner: EdgeItem.Owner, _ tenant: TenantID,
    _ entry: (inout ByteBuffer) -> Void
  ) -> (command: [UInt8], flags: EdgeItem.Flags) {
    let key = request?.scopedID(hashKey, tenant: tenant)
    let flags: EdgeItem.Flags = key == nil ? [] : .repeatable
    var command = ByteBuffer(capacity: 256)
    let name = client(of: owner)?.grant.user?.name ?? ""
    let note = request == nil ? nil : actingNote(owner)
    let fingerprint = request?.fingerprint(hashKey) ?? 0
    append(note, to: &command) {
      DirectoryMachine.append(kind, to: &$0) { body in
        body.append(key ?? 0)
        body.append(fingerprint)
        body.append(tenant.rawValue)
        body.append(counted: name)
        entry(&body)
      }
    }
    return (command.array, flags)
  }
  func setEntry(_ command: [UInt8], _ flags: EdgeItem.Flags, _ owner: EdgeItem.Owner) {
    submitInternal(.directory, flags: flags, continuation: keep(.catalogue(owner))) { $0.append(command) }
  }
  private func askDirectory(
    _ kind: DirectoryMachine.Kind, _ request: Request, _ owner: EdgeItem.Owner, _ tenant: TenantID
  ) {
    let write = question(kind, request, tenant)
    if request.readMode == .local, answerLocally(.directory, owner, write) { return }
    stream(.directory).append(
      owner: owner, flags: .query, deadline: self.now.monotonic + requestTimeout, write: write)
  }
  /// What asks the directory about entries.
  func question(
    _ kind: DirectoryMachine.Kind, _ request: Request, _ tenant: TenantID
  ) -> (inout ByteBuffer) -> Void {
    let now = now.wall
    return { buffer in
      DirectoryMachine.append(kind, to: &buffer) { body in
        body.append(tenant.rawValue)
        body.append(now.microseconds)
        body.append(UInt32(request.number(.limit) ?? 0))
        body.append(counted: request.text(.after) ?? Bytes(start: nil, count: 0))
        body.append(request.positional(0))
        body.append(request.positional(1))
      }
    }
  }
}
