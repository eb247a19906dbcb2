import Base
import Ledger
import Protocol
import Vocabulary

/// What a request needs to know first, and what this node answers by itself: whom a card names, who held it before, and
/// reads of what is applied here.
extension RequestDesk {
  /// Cards that were looked up for a request, of the first and the second `WHO`.
  struct Resolved {
    var first: Holders?
    var second: Holders?
    /// The first card's former holders were asked whether the request is a repeat of theirs, where there are any.
    var isRepeatKnown = false
    /// `read=local`: how old what was looked up may be.
    var asof = Stamp.never
    /// The member is there that it names as referrer or heir.
    var isNamedKnown = false
    /// The transaction was found to be of the user's merchant, where that matters.
    var isOwn = false
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

  // MARK: Local reads

  /// `read=local`: from what is applied at this node, with `asof=`. False if the node holds no replica that is sound.
  func answerLocally(
    _ slot: Slot, _ owner: EdgeItem.Owner, asof: Stamp = .never, _ write: (inout ByteBuffer) -> Void
  ) -> Bool {
    answerLocally(edge.owner(of: slot), owner, asof: asof, write)
  }
  func answerLocally(
    _ shard: ShardID, _ owner: EdgeItem.Owner, asof: Stamp = .never, _ write: (inout ByteBuffer) -> Void
  ) -> Bool {
    guard let replica = replicas[shard], replica.quarantined == nil else { return false }
    var buffer = ByteBuffer(capacity: 256)
    write(&buffer)
    guard !replica.applying.isMidEntry else {
      // Of an entry that is being applied nothing is seen before its end, which is near.
      replica.reads.wait(WaitingReads.Local(owner: owner, query: buffer.array, asof: asof))
      return true
    }
    answerLocally(replica, owner, buffer.bytes, asof: asof)
    return true
  }
  func answerWaitingReads(of replica: Replica) {
    guard !replica.reads.local.isEmpty, !replica.applying.isMidEntry else { return }
    for read in replica.reads.takeLocal() {
      guard replica.quarantined == nil else {
        answerError(read.owner, .unavailable, "the replica here has stopped; nothing was done")
        continue
      }
      read.query.withUnsafeBytes { answerLocally(replica, read.owner, $0, asof: read.asof) }
    }
  }
  private func answerLocally(_ replica: Replica, _ owner: EdgeItem.Owner, _ query: Bytes, asof: Stamp) {
    let shard = replica.shard
    var found = ReplyWriter(capacity: 1024)
    let oldest = min(asof, replica.closedTime)
    guard replica.outbox.listedBytes < ReplicaOutbox.mostListedBytes else {
      return answerError(owner, .busy, Replica.tooManyLists)
    }
    replica.note?.setQuery(shard, true)
    defer { replica.note?.setQuery(shard, false) }
    switch replica.machine.read(query, into: &found) {
    case .replied where found.buffer.bytes.first == ReplyTag.elsewhere.rawValue,
      .unsettled where found.buffer.bytes.first == ReplyTag.elsewhere.rawValue:
      let next = Array(found.buffer.bytes.dropFirst())
      guard let slot = next.withUnsafeBytes({ try? CommandHeader(of: $0) })?.slot else { return }
      guard !answerLocally(slot, owner, asof: oldest, { $0.append(next) }) else { return }
      edge.stream(of: slot).append(owner: owner, flags: .query, deadline: now.monotonic + requestTimeout) {
        $0.append(next)
      }
    case .replied where found.buffer.bytes.first == ReplyTag.budgetsWanted.rawValue:
      let periods = Array(found.buffer.bytes.dropFirst())
      ask(BudgetQuestion(owner: owner, flags: .query, command: Array(query), periods: periods, asof: oldest))
    case .replied, .unsettled:
      if shard == .directory { replica.outbox.listedBytes += found.buffer.count }
      answer(owner, found.buffer.bytes, asof: oldest)
    case .moved:
      // The map here is old, or what is applied is; the shard's leader is asked, and goes by its own log.
      let slot = (try? CommandHeader(of: query))?.slot
      edge.stream(slot.map(edge.shard(of:)) ?? shard).append(
        owner: owner, flags: .query, deadline: now.monotonic + requestTimeout
      ) { $0.append(query) }
    case .journal(let walk):
      keep(walk: walk, of: shard, for: keep(.localRead(owner, asof: oldest)))
    }
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

  // MARK: Cards

  /// Asks a card's shard whose it is; the request goes on when the answer is there. Until then its connection waits.
  func lookUp(
    _ number: Bytes, _ raw: Bytes, _ owner: EdgeItem.Owner, _ client: Client, _ resolved: Resolved,
    _ part: CardLookUp.Part
  ) {
    client.barrier = true
    let tenant = client.session.tenant
    let continuation = keep(.card(CardLookUp(owner: owner, raw: Array(raw), resolved: resolved, part: part)))
    let shard = edge.shard(of: Command.cardSlot(number, tenant: tenant))
    submitInternal(shard, flags: .query, continuation: continuation) {
      Query.appendCard(to: &$0, tenant: tenant, number: number)
    }
  }

  /// `read=local` by a card: whose it is as far as this node knows. False if it holds no replica.
  func lookUpLocally(_ number: Bytes, _ client: Client, _ resolved: inout Resolved) -> Bool {
    let tenant = client.session.tenant
    let shard = edge.owner(of: Command.cardSlot(number, tenant: tenant))
    guard let replica = replicas[shard], replica.quarantined == nil, !replica.applying.isMidEntry else { return false }
    var query = ByteBuffer(capacity: 128)
    Query.appendCard(to: &query, tenant: tenant, number: number)
    var found = ReplyWriter(capacity: 256)
    guard case .replied = replica.machine.read(query.bytes, into: &found) else { return false }
    resolved.first = Holders(found.buffer.bytes) ?? Holders()
    resolved.asof = replica.closedTime
    return true
  }

  func cardFound(_ lookUp: CardLookUp, _ reply: Bytes) {
    var resolved = lookUp.resolved
    if let holders = Holders(reply) {
      switch lookUp.part {
      case .first: resolved.first = holders
      case .second: resolved.second = holders
      case .referrer: return referrerFound(lookUp, holders)
      }
    } else if lookUp.part == .second, RecordView(reply).errorCode == .notFound {
      // The sender's shard refuses it: so the refusal is kept there, as for a member that does not exist.
      resolved.second = Holders()
    } else {
      answer(lookUp.owner, reply)
      return
    }
    route(lookUp.raw, lookUp.owner, resolved)
  }
  /// Sends a request on with the member that a `referrer=` named by an alias.
  private func referrerFound(_ lookUp: CardLookUp, _ holders: Holders) {
    guard let client = client(of: lookUp.owner) else { return }
    guard let member = holders.member, !holders.isRemoved else {
      return answerError(lookUp.owner, .notFound, "referrer=: the alias is nobody's")
    }
    var resolved = lookUp.resolved
    resolved.isNamedKnown = true
    lookUp.raw.withUnsafeBytes { raw in
      guard let request = parseAgain(raw) else {
        return answerError(lookUp.owner, .unavailable, "the request was lost at this node; nothing was done")
      }
      member.withUnsafeBytes {
        request.replace(.referrer, by: $0)
        route(request, raw: raw, owner: lookUp.owner, client: client, resolved: resolved)
      }
    }
  }
  /// Sends a request on that waited for what is now in `resolved`.
  func route(_ raw: [UInt8], _ owner: EdgeItem.Owner, _ resolved: Resolved) {
    guard let client = client(of: owner) else { return }
    raw.withUnsafeBytes { raw in
      guard let request = parseAgain(raw) else {
        answerError(owner, .unavailable, "the request was lost at this node; nothing was done")
        return
      }
      route(request, raw: raw, owner: owner, client: client, resolved: resolved)
    }
  }
  func parseAgain(_ raw: Bytes) -> Request? {
    var framing = Framing()
    guard case .request = parser.next(raw, &framing) else { return nil }
    return parser.request
  }

  // MARK: Former holders of a card

  /// The fingerprints of a request of a member: as the second `WHO`'s card names its holder now; then, as it had them
  /// while that card was somebody else's, or nobody's.
  func fingerprints(_ request: Request, _ member: Bytes, _ second: Holders) -> [UInt64] {
    let asSent = AliasKey.text(request.who(1).id)
    let named = ([second.member].compactMap { $0 } + [asSent] + second.former)
    return named.map { name in name.withUnsafeBytes { request.fingerprint(hashKey, member, $0) } }
  }

  /// Asks a former holder's shard whether it has seen this very request: then it is a repeat, and theirs.
  func askFormerHolder(_ search: FormerSearch, _ request: Request, _ client: Client) {
    client.barrier = true
    let tenant = client.session.tenant
    let continuation = keep(.former(search))
    let former = search.former
    former.withUnsafeBytes { member in
      let prints =
        search.resolved.second.map { fingerprints(request, member, $0) } ?? [request.fingerprint(hashKey, member)]
      let shard = edge.shard(of: Command.memberSlot(member, tenant: tenant))
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
}
