import Base
import Ledger
import Protocol
import Vocabulary

/// Requests to commands and queries, each to the stream of its shard.
extension Node {
  typealias Bytes = UnsafeRawBufferPointer

  /// Sends a request on its way. `raw` is what came from the client, kept only if a card must be looked up first.
  func route(_ request: Request, raw: Bytes, owner: EdgeItem.Owner, client: Client, resolved: Resolved = Resolved()) {
    // There are slots as soon as there is a topology, of which the question alone would make a copy.
    guard edge.hasSlots || request.rule.pointee.traits.contains(.alone) else {
      return answerError(owner, .unavailable, withoutCluster)
    }
    switch request.rule.pointee.route {
    case .member: routeByMember(request, raw, owner, client, resolved)
    case .transaction: routeByTransaction(request, owner, client)
    case .card, .cardIfGiven: routeByCard(request, owner, client)
    case .directory: routeToDirectory(request, owner, client)
    case .node: answerHere(request, owner)
    case .connection: answerError(owner, .malformed, "\(request.verb.words) is not served here")
    }
  }

  /// What this node answers, if need be by asking others.
  private func answerHere(_ request: Request, _ owner: EdgeItem.Owner) {
    switch request.verb {
    case .audit:
      if request.readMode == .local { auditLocally(owner) } else { startAudit(owner) }
    case .clusterInit:
      initialise(
        owner,
        ClusterFigures(
          shards: Int(request.number(.shards) ?? 0), replicas: Int(request.number(.replicas) ?? 0),
          allowSingleRegion: request.flag(.allowSingleRegion)),
        isTrial: request.flag(.dryRun))
    case .clusterNodes: clusterNodes(owner)
    case .clusterShards: clusterShards(owner)
    case .clusterStatus: clusterStatus(owner)
    case .clusterAlarm: clusterAlarm(request, owner)
    case .health: startHealth(owner)
    default: answerError(owner, .malformed, "\(request.verb.words) is not served here")
    }
  }

  /// Why a node that belongs to no cluster serves nothing, and who does.
  private var withoutCluster: String {
    guard let member = member else { return "there is no cluster yet: run 'tally init'" }
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
      owner: owner, flags: flags, deadline: now.monotonic + configuration.requestTimeout, write: write)
  }

  /// A command or query of the node itself; the answer goes to a continuation, or nowhere.
  func submitInternal(
    _ shard: ShardID, flags: EdgeItem.Flags, continuation: UInt64 = 0, isInDoubt: Bool = false,
    _ write: (inout ByteBuffer) -> Void
  ) {
    stream(shard).append(
      owner: EdgeItem.Owner(client: 0, generation: 0, slot: continuation), flags: flags.union(.continuation),
      deadline: now.monotonic + configuration.requestTimeout, isInDoubt: isInDoubt, write: write)
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
    if first.member == nil || (first.isRemoved && request.rule.pointee.effect == .read) {
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
      if let spend = request.number(.spend) {
        amount = .spend(spend)
      } else if let points = request.number(.points) {
        amount = .points(points)
      } else {
        return answerError(owner, .malformed, "EARN needs spend= or points=")
      }
      let context = context(request, client, request.fingerprint(hashKey, member))
      submit(slot, owner, .repeatable) {
        Command.appendEarn(
          to: &$0, context: context, member: member, card: card, merchant: merchant, program: program, amount: amount,
          request: id, at: request.stamp(.at))
      }
    case .redeem, .hold:
      guard let id = request.text(.id), let merchant = request.text(.merchant), let points = request.number(.points)
      else { return refuse(owner, request) }
      let context = context(request, client, request.fingerprint(hashKey, member))
      submit(slot, owner, .repeatable) {
        if request.verb == .redeem {
          Command.appendRedeem(
            to: &$0, context: context, member: member, card: card, merchant: merchant, program: program,
            points: points, request: id)
        } else {
          Command.appendHold(
            to: &$0, context: context, member: member, card: card, merchant: merchant, program: program,
            points: points, request: id, ttlSeconds: request.number(.ttl) ?? 0)
        }
      }
    case .transfer:
      guard let id = request.text(.id), let points = request.number(.points) else { return refuse(owner, request) }
      let other = request.who(1)
      guard let second = resolved.second else {
        let context = context(request, client, request.fingerprint(hashKey, member))
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
      let context = context(request, client, request.fingerprint(hashKey, member))
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
          to: &buffer, tenant: tenant, member: member, program: program, limit: Int(request.number(.limit) ?? 0),
          before: request.transaction(.before))
      case .memberShow: Query.appendMemberShow(to: &buffer, tenant: tenant, member: member)
      default: Query.appendBalance(to: &buffer, tenant: tenant, member: member, program: program)
      }
    }
    if request.readMode == .local, answerLocally(slot, owner, asof: asof, write) { return }
    submit(slot, owner, .query, write)
  }

  private func refuse(_ owner: EdgeItem.Owner, _ request: Request) {
    answerError(owner, .malformed, "\(request.verb.words) lacks a required key; try HELP \(request.verb.words)")
  }

  // MARK: By transaction

  private func routeByTransaction(_ request: Request, _ owner: EdgeItem.Owner, _ client: Client) {
    let transaction = request.transaction(0)
    let context = context(request, client, request.fingerprint(hashKey))
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
          to: &buffer, context: context, hold: transaction, points: request.number(.points), request: id)
      case .release:
        Command.appendRelease(to: &buffer, context: context, hold: transaction, request: id)
      default:
        var amount = Command.Amount.whole
        if let spend = request.number(.spend) { amount = .spend(spend) }
        if let points = request.number(.points) { amount = .points(points) }
        Command.appendRefund(to: &buffer, context: context, of: transaction, amount: amount, request: id)
      }
    }
  }

  // MARK: By card

  private func routeByCard(_ request: Request, _ owner: EdgeItem.Owner, _ client: Client) {
    let tenant = client.session.tenant
    let context = context(request, client, request.fingerprint(hashKey))
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

  // MARK: The directory

  private func routeToDirectory(_ request: Request, _ owner: EdgeItem.Owner, _ client: Client) {
    let tenant = client.session.tenant
    switch request.verb {
    case .programList, .merchantList:
      let write: (inout ByteBuffer) -> Void = { buffer in
        DirectoryMachine.append(request.verb == .programList ? .listPrograms : .listMerchants, to: &buffer) {
          $0.append(tenant.rawValue)
          $0.append(UInt32(request.number(.limit) ?? 0))
          $0.append(counted: request.text(.after) ?? Bytes(start: nil, count: 0))
        }
      }
      if request.readMode == .local, answerLocally(.directory, owner, write) { return }
      stream(.directory).append(
        owner: owner, flags: .query, deadline: now.monotonic + configuration.requestTimeout, write: write)
    default:
      let continuation = keep(.catalogue(owner))
      let key = request.scopedID(hashKey, tenant: tenant)
      let fingerprint = request.fingerprint(hashKey)
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
    settings.default = request.text(.default)
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
