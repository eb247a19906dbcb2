import Base
import Ledger
import Protocol

/// Requests to commands and queries, each to the stream of its shard.
extension Node {
  typealias Bytes = UnsafeRawBufferPointer

  /// Cards that were looked up for a request, of the first and the second `WHO`.
  struct Resolved {
    var first: Holders?
    var second: Holders?
    /// The first card's former holders were asked whether the request is a repeat of theirs, where there are any.
    var isRepeatKnown = false
    /// `read=local`: how old what was looked up may be.
    var asof = Stamp.never
  }
  /// Whom a card names.
  struct Holders {
    /// Nil: nobody, ever.
    var member: [UInt8]?
    var isRemoved = false
    /// Who held it before, the last one first: a request may be a repeat of what they sent.
    var former: [[UInt8]] = []

    init() {}
    /// As the card's shard answers.
    init?(_ reply: Bytes) {
      let view = RecordView(reply)
      guard let member = view.text(.member) else { return nil }
      self.member = Array(member)
      isRemoved = view.text(.state)?.elementsEqual("removed".utf8) ?? false
      if let former = view.text(.former) { self.former = former.split(separator: UInt8(ascii: ",")).map { Array($0) } }
    }
  }

  /// Sends a request on its way. `raw` is what came from the client, kept only if a card must be looked up first.
  func route(_ request: Request, raw: Bytes, owner: EdgeItem.Owner, client: Client, resolved: Resolved = Resolved()) {
    guard topology != nil || !Node.needsCluster(request.verb) else {
      answerError(owner, .unavailable, "there is no cluster yet: run 'tally init'")
      return
    }
    switch request.verb {
    case .earn, .redeem, .hold, .balance, .history, .memberShow, .memberFreeze, .memberThaw, .memberClose, .transfer:
      routeByMember(request, raw, owner, client, resolved)
    case .capture, .release, .refund, .transactionShow:
      routeByTransaction(request, owner, client)
    case .memberAdd, .cardAdd, .cardLost, .cardFound, .cardRemove:
      routeByCard(request, owner, client)
    case .programSet, .merchantSet, .programList, .merchantList:
      routeToDirectory(request, owner, client)
    case .audit:
      if request.readMode == .local { auditLocally(owner) } else { startAudit(owner) }
    case .clusterInit:
      initialise(
        owner, shards: Int(request.integer(.shards) ?? 6), replicas: Int(request.integer(.replicas) ?? 3),
        allowSingleRegion: request.flag(.allowSingleRegion))
    case .clusterNodes: clusterNodes(owner)
    case .clusterShards: clusterShards(owner)
    case .clusterStatus: clusterStatus(owner)
    case .health: startHealth(owner)
    default:
      answerError(owner, .malformed, "\(request.verb.words) is not served here")
    }
  }

  private static func needsCluster(_ verb: Verb) -> Bool {
    switch verb {
    case .clusterInit, .clusterNodes, .clusterShards, .clusterStatus: false
    default: true
    }
  }

  /// Appends to the stream that owns a slot, unless too much waits there already.
  @inline(__always)
  private func submit(
    _ slot: Slot, _ owner: EdgeItem.Owner, _ flags: EdgeItem.Flags, _ write: (inout ByteBuffer) -> Void
  ) {
    let stream = streams[Int(slotToShard[Int(slot.rawValue)])]
    guard stream.byteCount < configuration.shardQueueBytes else {
      answerError(owner, .busy, "too much waits for shard \(stream.shard.rawValue) at this node; nothing was done")
      return
    }
    stream.append(
      owner: owner, flags: flags, deadline: now.monotonic + configuration.requestTimeout, write: write)
  }

  /// A command or query of the node itself; the answer goes to a continuation, or nowhere.
  func submitInternal(
    _ shard: ShardID, flags: EdgeItem.Flags, continuation: UInt64 = 0, _ write: (inout ByteBuffer) -> Void
  ) {
    stream(shard).append(
      owner: EdgeItem.Owner(client: 0, generation: 0, slot: continuation), flags: flags.union(.continuation),
      deadline: now.monotonic + configuration.requestTimeout, write: write)
  }

  // MARK: By member

  private func routeByMember(
    _ request: Request, _ raw: Bytes, _ owner: EdgeItem.Owner, _ client: Client, _ resolved: Resolved
  ) {
    let who = request.who(0)
    guard who.isCard || request.verb == .transfer else {
      sendByMember(request, owner, client, member: who.id, card: nil, resolved)
      return
    }
    var resolved = resolved
    if who.isCard && resolved.first == nil {
      guard request.readMode == .local, lookUpLocally(who.id, client, &resolved) else {
        lookUp(who.id, raw, owner, client, resolved, isFirst: true)
        return
      }
    }
    let recipient = request.verb == .transfer ? request.who(1) : nil
    if let recipient, recipient.isCard, resolved.second == nil {
      lookUp(recipient.id, raw, owner, client, resolved, isFirst: false)
      return
    }
    guard let first = resolved.first else {
      sendByMember(request, owner, client, member: who.id, card: nil, resolved)
      return
    }
    if first.member == nil || (first.isRemoved && request.verb.isRead) {
      answerError(owner, .notFound, first.member == nil ? "no such card" : "the card was removed")
      return
    }
    if !resolved.isRepeatKnown, !first.former.isEmpty, request.has(.id) {
      askFormerHolder(FormerSearch(owner: owner, raw: Array(raw), resolved: resolved), request, client)
      return
    }
    (first.member ?? []).withUnsafeBytes {
      sendByMember(request, owner, client, member: $0, card: who.id, resolved)
    }
  }

  @inline(__always)
  private func context(_ request: Request, _ client: Client, _ fingerprint: UInt64) -> CommandContext {
    CommandContext(
      tenant: client.session.tenant, principal: client.session.principal, fingerprint: fingerprint)
  }

  /// The fingerprints of a request of a member: as the second `WHO`'s card names its holder now; then, as it had them
  /// while that card was somebody else's, or nobody's.
  private func fingerprints(_ request: Request, _ member: Bytes, _ second: Holders) -> [UInt64] {
    let asSent = Array("card:".utf8) + Array(request.who(1).id)
    let named = ([second.member].compactMap { $0 } + [asSent] + second.former)
    return named.map { name in name.withUnsafeBytes { request.fingerprint(member, $0) } }
  }

  private func sendByMember(
    _ request: Request, _ owner: EdgeItem.Owner, _ client: Client, member: Bytes, card: Bytes?, _ resolved: Resolved
  ) {
    let tenant = client.session.tenant
    let slot = Command.memberSlot(member, tenant: tenant)
    let program = request.text(.program)
    switch request.verb {
    case .earn:
      guard let id = request.text(.id), let merchant = request.text(.merchant) else { return refuse(owner, request) }
      let amount: Command.Amount
      if let spend = request.integer(.spend) {
        amount = .spend(spend)
      } else if let points = request.integer(.points) {
        amount = .points(points)
      } else {
        return answerError(owner, .malformed, "EARN needs spend= or points=")
      }
      let context = context(request, client, request.fingerprint(member))
      submit(slot, owner, .repeatable) {
        Command.appendEarn(
          to: &$0, context: context, member: member, card: card, merchant: merchant, program: program, amount: amount,
          request: id, at: request.stamp(.at))
      }
    case .redeem, .hold:
      guard let id = request.text(.id), let merchant = request.text(.merchant), let points = request.integer(.points)
      else { return refuse(owner, request) }
      let context = context(request, client, request.fingerprint(member))
      submit(slot, owner, .repeatable) {
        if request.verb == .redeem {
          Command.appendRedeem(
            to: &$0, context: context, member: member, card: card, merchant: merchant, program: program,
            points: points, request: id)
        } else {
          Command.appendHold(
            to: &$0, context: context, member: member, card: card, merchant: merchant, program: program,
            points: points, request: id, ttlSeconds: request.integer(.ttl) ?? 900)
        }
      }
    case .transfer:
      guard let id = request.text(.id), let points = request.integer(.points) else { return refuse(owner, request) }
      let other = request.who(1)
      guard let second = resolved.second else {
        let context = context(request, client, request.fingerprint(member))
        submit(slot, owner, .repeatable) {
          Command.appendTransfer(
            to: &$0, context: context, from: member, fromCard: card, recipient: other.id, program: program,
            points: points, request: id)
        }
        return
      }
      let prints = fingerprints(request, member, second)
      let context = context(request, client, prints[0])
      (second.member ?? []).withUnsafeBytes { recipient in
        submit(slot, owner, .repeatable) {
          Command.appendTransfer(
            to: &$0, context: context, from: member, fromCard: card, recipient: recipient, recipientCard: other.id,
            program: program, points: points, request: id, otherFingerprints: Array(prints.dropFirst()))
        }
      }
    case .memberFreeze, .memberThaw, .memberClose:
      let change: Command.MemberChange =
        request.verb == .memberFreeze ? .freeze : request.verb == .memberThaw ? .thaw : .close
      let context = context(request, client, request.fingerprint(member))
      submit(slot, owner, request.has(.id) ? .repeatable : []) {
        Command.appendMemberState(
          to: &$0, context: context, member: member, change: change, request: request.text(.id), card: card)
      }
    default:
      query(request, slot, owner, tenant: tenant, member: member, program: program, asof: resolved.asof)
    }
  }

  private func query(
    _ request: Request, _ slot: Slot, _ owner: EdgeItem.Owner, tenant: TenantID, member: Bytes, program: Bytes?,
    asof: Stamp
  ) {
    let write: (inout ByteBuffer) -> Void = { buffer in
      switch request.verb {
      case .history:
        Query.appendHistory(
          to: &buffer, tenant: tenant, member: member, program: program, limit: Int(request.integer(.limit) ?? 20),
          before: request.transaction(.before))
      case .memberShow: Query.appendMemberShow(to: &buffer, tenant: tenant, member: member)
      default: Query.appendBalance(to: &buffer, tenant: tenant, member: member, program: program)
      }
    }
    if request.readMode == .local, answerLocally(slot, owner, asof: asof, write) { return }
    submit(slot, owner, .query, write)
  }

  /// `read=local`: from what is applied at this node, with `asof=`. False if the node holds no replica.
  private func answerLocally(
    _ slot: Slot, _ owner: EdgeItem.Owner, asof: Stamp = .never, _ write: (inout ByteBuffer) -> Void
  ) -> Bool {
    answerLocally(ShardID(slotToShard[Int(slot.rawValue)]), owner, asof: asof, write)
  }
  private func answerLocally(
    _ shard: ShardID, _ owner: EdgeItem.Owner, asof: Stamp = .never, _ write: (inout ByteBuffer) -> Void
  ) -> Bool {
    guard let replica = replica(shard) else { return false }
    var buffer = ByteBuffer(capacity: 256)
    write(&buffer)
    var found = ReplyWriter(capacity: 1024)
    let oldest = min(asof, replica.closedTime)
    switch replica.machine.read(buffer.bytes, into: &found) {
    case .replied: answer(owner, found.buffer.bytes, asof: oldest)
    case .journal(let walk):
      guard admits(walk) else {
        answerError(owner, .busy, Node.tooManyQueries)
        return true
      }
      journalCost += walk.cost
      // What the journal's file lacks is on its way there first, as for a query of the shard's leader.
      writeJournal(shard)
      let continuation = keep(.localRead(owner, asof: oldest))
      jobs.append(
        .journalQueries(
          shard: shard, queries: [(Origin(edge: Origin.ownEdge, sequence: continuation), walk)]))
    }
    return true
  }
  /// An answer with `asof=` in each of its records.
  func answer(_ owner: EdgeItem.Owner, _ found: Bytes, asof: Stamp) {
    reply.buffer.removeAll()
    do {
      try RecordView.copy(found, adding: .asof, asof, into: &reply)
      answer(owner, reply.buffer.bytes)
    } catch {
      answerError(owner, .unavailable, "the answer cannot be read at this node: \(error)")
    }
  }

  private func refuse(_ owner: EdgeItem.Owner, _ request: Request) {
    answerError(owner, .malformed, "\(request.verb.words) lacks a required key; try HELP \(request.verb.words)")
  }

  // MARK: By transaction

  private func routeByTransaction(_ request: Request, _ owner: EdgeItem.Owner, _ client: Client) {
    let transaction = request.transaction(0)
    let context = context(request, client, request.fingerprint())
    if request.verb == .transactionShow {
      let write: (inout ByteBuffer) -> Void = {
        Query.appendTransaction(to: &$0, tenant: client.session.tenant, transaction: transaction)
      }
      if request.readMode == .local, answerLocally(transaction.slot, owner, write) { return }
      submit(transaction.slot, owner, .query, write)
      return
    }
    guard let id = request.text(.id) else { return refuse(owner, request) }
    submit(transaction.slot, owner, .repeatable) { buffer in
      switch request.verb {
      case .capture:
        Command.appendCapture(
          to: &buffer, context: context, hold: transaction, points: request.integer(.points), request: id)
      case .release:
        Command.appendRelease(to: &buffer, context: context, hold: transaction, request: id)
      default:
        var amount = Command.Amount.whole
        if let spend = request.integer(.spend) { amount = .spend(spend) }
        if let points = request.integer(.points) { amount = .points(points) }
        Command.appendRefund(to: &buffer, context: context, of: transaction, amount: amount, request: id)
      }
    }
  }

  // MARK: By card

  private func routeByCard(_ request: Request, _ owner: EdgeItem.Owner, _ client: Client) {
    let tenant = client.session.tenant
    let context = context(request, client, request.fingerprint())
    let id = request.text(.id)
    let flags: EdgeItem.Flags = id == nil ? [] : .repeatable
    if request.verb == .memberAdd {
      let member = request.positional(0)
      let card = request.text(.card)
      let slot = card.map { Command.cardSlot($0, tenant: tenant) } ?? Command.memberSlot(member, tenant: tenant)
      submit(slot, owner, flags) {
        Command.appendMemberAdd(
          to: &$0, context: context, member: member, name: request.text(.name), region: request.text(.region),
          card: card, request: id)
      }
      return
    }
    let number = request.positional(0)
    submit(Command.cardSlot(number, tenant: tenant), owner, flags) { buffer in
      switch request.verb {
      case .cardAdd:
        guard let member = request.text(.member) else { return }
        Command.appendCardAdd(to: &buffer, context: context, number: number, member: member, request: id)
      default:
        let change: Command.CardChange =
          request.verb == .cardLost ? .lost : request.verb == .cardFound ? .found : .remove
        Command.appendCardState(to: &buffer, context: context, number: number, change: change, request: id)
      }
    }
  }

  /// Asks a card's shard whose it is; the request goes on when the answer is there. Until then its connection waits.
  private func lookUp(
    _ number: Bytes, _ raw: Bytes, _ owner: EdgeItem.Owner, _ client: Client, _ resolved: Resolved, isFirst: Bool
  ) {
    client.barrier = true
    let tenant = client.session.tenant
    let continuation = keep(.card(CardLookUp(owner: owner, raw: Array(raw), resolved: resolved, isFirst: isFirst)))
    let shard = ShardID(slotToShard[Int(Command.cardSlot(number, tenant: tenant).rawValue)])
    submitInternal(shard, flags: .query, continuation: continuation) {
      Query.appendCard(to: &$0, tenant: tenant, number: number)
    }
  }

  /// `read=local` by a card: whose it is as far as this node knows. False if it holds no replica.
  private func lookUpLocally(_ number: Bytes, _ client: Client, _ resolved: inout Resolved) -> Bool {
    let tenant = client.session.tenant
    guard let replica = replica(ShardID(slotToShard[Int(Command.cardSlot(number, tenant: tenant).rawValue)])) else {
      return false
    }
    var query = ByteBuffer(capacity: 128)
    Query.appendCard(to: &query, tenant: tenant, number: number)
    var found = ReplyWriter(capacity: 256)
    _ = replica.machine.read(query.bytes, into: &found)
    resolved.first = Holders(found.buffer.bytes) ?? Holders()
    resolved.asof = replica.closedTime
    return true
  }

  func cardFound(_ lookUp: CardLookUp, _ reply: Bytes) {
    var resolved = lookUp.resolved
    if let holders = Holders(reply) {
      if lookUp.isFirst { resolved.first = holders } else { resolved.second = holders }
    } else if !lookUp.isFirst, RecordView(reply).errorCode == .notFound {
      // The sender's shard refuses it: so the refusal is kept there, as for a member that does not exist.
      resolved.second = Holders()
    } else {
      answer(lookUp.owner, reply)
      return
    }
    route(lookUp.raw, lookUp.owner, resolved)
  }
  /// Sends a request on that waited for what is now in `resolved`.
  private func route(_ raw: [UInt8], _ owner: EdgeItem.Owner, _ resolved: Resolved) {
    guard let client = client(of: owner) else { return }
    raw.withUnsafeBytes { raw in
      guard let request = parseAgain(raw) else {
        answerError(owner, .unavailable, "the request was lost at this node; nothing was done")
        return
      }
      route(request, raw: raw, owner: owner, client: client, resolved: resolved)
    }
  }
  private func parseAgain(_ raw: Bytes) -> Request? {
    var framing = Framing()
    guard case .request = parser.next(raw, &framing) else { return nil }
    return parser.request
  }

  // MARK: Former holders of a card

  /// Asks a former holder's shard whether it has seen this very request: then it is a repeat, and theirs.
  private func askFormerHolder(_ search: FormerSearch, _ request: Request, _ client: Client) {
    client.barrier = true
    let tenant = client.session.tenant
    let continuation = keep(.former(search))
    let former = search.former
    former.withUnsafeBytes { member in
      let prints = search.resolved.second.map { fingerprints(request, member, $0) } ?? [request.fingerprint(member)]
      let shard = ShardID(slotToShard[Int(Command.memberSlot(member, tenant: tenant).rawValue)])
      submitInternal(shard, flags: .query, continuation: continuation) {
        Query.appendRequest(
          to: &$0, tenant: tenant, member: member, merchant: request.text(.merchant),
          request: request.text(.id) ?? member,
          fingerprints: prints)
      }
    }
  }
  func formerHolderAnswered(_ search: FormerSearch, _ reply: Bytes) {
    guard let place = RecordView(reply).integer else {
      answer(search.owner, reply)
      return
    }
    var search = search
    let asked = search.former
    if place >= 0 { search.resolved.first?.member = asked }
    search.next += 1
    if place >= 0 || search.next == search.resolved.first?.former.count { search.resolved.isRepeatKnown = true }
    guard !search.resolved.isRepeatKnown else {
      route(search.raw, search.owner, search.resolved)
      return
    }
    guard let client = client(of: search.owner) else { return }
    search.raw.withUnsafeBytes { raw in
      if let request = parseAgain(raw) { askFormerHolder(search, request, client) }
    }
  }

  // MARK: The directory

  private func routeToDirectory(_ request: Request, _ owner: EdgeItem.Owner, _ client: Client) {
    let tenant = client.session.tenant
    switch request.verb {
    case .programList, .merchantList:
      let write: (inout ByteBuffer) -> Void = { buffer in
        DirectoryMachine.append(request.verb == .programList ? .listPrograms : .listMerchants, to: &buffer) {
          $0.append(tenant.rawValue)
        }
      }
      if request.readMode == .local, answerLocally(.directory, owner, write) { return }
      stream(.directory).append(
        owner: owner, flags: .query, deadline: now.monotonic + configuration.requestTimeout, write: write)
    default:
      let continuation = keep(.catalogue(owner))
      let name = request.positional(0)
      // Scoped to tenant and name: the first word of the scope tells a program from a merchant of that name.
      let key = request.text(.id).map {
        xxh64($0, seed: xxh64(name, seed: UInt64(tenant.rawValue) << 8 | UInt64(request.verb.rawValue))) | 1
      }
      let fingerprint = request.fingerprint()
      submitInternal(.directory, flags: key == nil ? [] : .repeatable, continuation: continuation) { buffer in
        DirectoryMachine.append(.catalogue, to: &buffer) { body in
          body.append(key ?? 0)
          body.append(fingerprint)
          if request.verb == .programSet {
            Catalogue.appendProgramSet(
              to: &body, tenant: tenant, name: request.positional(0), settings: Node.programSettings(request))
          } else {
            Catalogue.appendMerchantSet(
              to: &body, tenant: tenant, name: request.positional(0), settings: Node.merchantSettings(request))
          }
        }
      }
    }
  }

  private static func programSettings(_ request: Request) -> Catalogue.ProgramSettings {
    var settings = Catalogue.ProgramSettings()
    settings.kind = request.text(.kind)
    settings.title = request.text(.title)
    settings.earn = request.text(.earn)
    settings.expire = request.text(.expire)
    settings.backdate = request.text(.backdate)
    settings.utcOffset = request.text(.utcOffset)
    settings.refundWindow = request.text(.refundWindow)
    return settings
  }
  private static func merchantSettings(_ request: Request) -> Catalogue.MerchantSettings {
    var settings = Catalogue.MerchantSettings()
    settings.title = request.text(.title)
    settings.program = request.text(.program)
    settings.earn = request.text(.earn)
    settings.region = request.text(.region)
    settings.state = request.text(.state)
    return settings
  }
}
