import Base
import Vocabulary

// The one way of a command through a ledger: it is read by its verb's row; a request that came before has its first answer;
// else its verb decides, books and answers; a refusal is kept under the request's id where `ErrorCode.isKept` says so.
//
// On the way of a purchase a call is lent by its address (`inout`): it has some 40 words, and each copy costs as many moves.
extension Ledger {
  /// Applies one framed command. Nothing that the bytes contain traps; a malformed command is an `ERR` reply.
  public mutating func apply(_ command: UnsafeRawBufferPointer, into reply: inout ReplyWriter) -> Outcome {
    apply(command, nil, into: &reply)
  }
  /// - Parameter known: the hashes of a member's request, if they have been made.
  mutating func apply(
    _ command: UnsafeRawBufferPointer, _ known: RequestHashes?, into reply: inout ReplyWriter
  ) -> Outcome {
    precondition(core.isInEntry, "an entry is open")
    if core.hasOverdue { dropOverdue(atMost: Ledger.dropsACommand) }
    var call = Call(rules: rules)
    do throws(MalformedBytes) {
      try call.read(command)
    } catch {
      reply.error(.malformed, error.description)
      return .replied
    }
    guard owns(call) else { return moved(call.slot, &reply) }
    let start = reply.buffer.count
    if !paused.isEmpty, isPaused(call.rule, call.slot) {
      Deferral.behind.encode(into: &reply.buffer)
      return .deferred
    }
    do throws(Stop) {
      try resolveScope(&call, known)
      return try decide(&call, &reply)
    } catch {
      return stop(error, call, &reply, from: start)
    }
  }

  /// Finds out under which key the request is known, and whether it came before.
  @inline(__always) private mutating func resolveScope(_ call: inout Call, _ known: RequestHashes?) throws(Stop) {
    switch call.scope {
    case .member:
      call.hashes = known ?? requestHashes(call.party, call.merchant, call.request, call.context, call.slot)
      call.subject = call.party
    case .card:
      let scope = hashes.card(call.card, call.tenant)
      guard Command.cardSlot(call.card, tenant: call.tenant) == call.slot else {
        throw .malformed("the card lies in another slot")
      }
      call.hashes.party = scope.finishedLow()
      call.hashes.key = RequestKey(scope, call.request, fingerprint: call.context.fingerprint, slot: call.slot)
      call.subject = call.party
    case .transaction, .none: return
    }
    try refuseRepeated(call.hashes.key, or: call.otherFingerprints)
  }

  /// Every verb that a shard decides. The compiler names one that is missing.
  @inline(__always) private mutating func decide(
    _ call: inout Call, _ reply: inout ReplyWriter
  ) throws(Stop) -> Outcome {
    switch call.verb {
    case .earn: return try earn(&call, &reply)
    case .redeem: return try redeem(&call, &reply)
    case .hold: return try hold(&call, &reply)
    case .capture: return try capture(&call, &reply)
    case .release: return try release(&call, &reply)
    case .refund: return try refund(&call, &reply)
    case .transfer: return try transfer(&call, &reply)
    case .memberAdd: return try addMember(call, &reply)
    case .memberFreeze: return try freezeMember(call, &reply)
    case .memberThaw: return try thawMember(call, &reply)
    case .memberClose: return try closeMember(call, &reply)
    case .event: return try event(&call, &reply)
    case .memberErase: return try eraseMember(call, &reply)
    case .memberMerge: return try mergeMember(call, &reply)
    case .poolAdd: return try addPool(call, &reply)
    case .extend: return try extend(call, &reply)
    case .adjust: return try adjust(&call, &reply)
    case .caseOpen: return try openCase(&call, &reply)
    case .caseApprove: return try decideCase(&call, approves: true, &reply)
    case .caseReject: return try decideCase(&call, approves: false, &reply)
    case .caseNote: return try noteCase(&call, &reply)
    case .memberNote: return try noteMember(call, &reply)
    case .memberSet: return try setMember(call, &reply)
    case .memberTag: return try tagMember(call, &reply)
    case .memberUntag: return try untagMember(call, &reply)
    case .memberMint: return try mintMember(call, &reply)
    case .cardAdd, .aliasAdd: return try addCard(call, &reply)
    case .cardLost: return try changeCard(call, .lost, &reply)
    case .cardFound: return try changeCard(call, .found, &reply)
    case .cardRemove: return try changeCard(call, .remove, &reply)
    case .cardReplace: return try replaceCard(call, &reply)
    case .aliasLost: return try changeCard(call, .lost, &reply)
    case .aliasFound: return try changeCard(call, .found, &reply)
    case .aliasRemove: return try changeCard(call, .remove, &reply)
    case .catalogue, .tick, .resume, .jobStart, .marker, .delivery, .verdict, .acknowledged, .birth, .export,
      .import, .imported:
      return try decideInner(call, &reply)
    case .balance, .history, .transactionShow, .simulateEarn, .simulateEvent, .explain, .explainEarn, .memberShow,
      .ruleApprove, .campaignApprove, .caseShow, .caseList, .campaignReport, .jobShow, .extendAll, .memberFind,
      .memberPage, .feed, .feedPage, .text, .report, .reportPage, .memberTier, .due,
      .memberNotes, .cardHolders,
      .requestSeen, .facts, .audit,
      .entrySet, .entryShow, .entryList, .entryHistory, .clusterInit, .clusterNodes, .clusterShards, .clusterStatus,
      .clusterAlarm, .clusterShard, .clusterOperation, .clusterNode, .clusterRebalance, .clusterPlacement,
      .clusterCheck, .clusterUpgrade, .clusterLimit, .clusterUnsafe, .clusterBackup, .configSet, .health, .hello, .auth,
      .clientSetInfo,
      .clientSetName,
      .clientGetName, .clientID, .clientList, .clientNoEvict, .clientNoTouch, .clientReply,
      .clientInfo, .command, .commandDocs, .commandCount, .commandInfo, .commandList, .configGet, .ping, .echo,
      .select, .info, .time, .quit, .help, .reset, .multi, .exec, .discard, .watch, .unwatch, .usage,
      .userSet, .userShow, .userList, .whoAmI, .tenantSet, .tenantList, .tenantUse, .trail:
      throw .malformed("\(call.verb.words) changes nothing in a shard")
    }
  }
  @inline(never) private mutating func decideInner(
    _ call: Call, _ reply: inout ReplyWriter
  ) throws(Stop) -> Outcome {
    do throws(MalformedBytes) {
      var reader = ByteReader(call.body)
      switch call.verb {
      case .catalogue: return try applyCatalogue(&reader)
      case .tick: sweep()
      case .resume: paused.resume(through: Stamp(microseconds: try reader.read()))
      case .jobStart: return try startJob(call, &reader, &reply)
      case .marker:
        if reader.isAtEnd { audit(into: &reply) } else { answer(try Inquiry(&reader), into: &reply) }
        return .replied
      case .delivery: return try applyDelivery(call, &reader, &reply)
      case .verdict: return try applyVerdict(call, &reader, &reply)
      case .acknowledged: return try applyAcknowledged(&reader)
      case .export: return try applyExport(&reader)
      case .import: return try applyImport(call, &reader)
      case .imported: return try applyImported(&reader)
      default: return try applyBirth(&reader)
      }
      return .silent
    } catch {
      throw .malformed(error.description)
    }
  }

  /// Answers what was not done, and keeps that where it is to be kept.
  @inline(never) private mutating func stop(
    _ stop: Stop, _ call: Call, _ reply: inout ReplyWriter, from start: Int
  ) -> Outcome {
    switch stop {
    case .decided(let outcome):
      if outcome == .deferred {
        paused.pause(call.slot, at: now)
        deferral?.encode(into: &reply.buffer)
      }
      return outcome
    case .malformed(let text): reply.error(.malformed, text)
    case .refused(let refusal):
      write(refusal, into: &reply)
      if let quota = emptyQuota {
        catalogue.quotaName(quota).withUnsafeBytes { reply.field(.which, $0) }
        emptyQuota = nil
      }
      if refusal.code.isKept(about: refusal.subject) { keepAnswer(call, reply, from: start) }
    }
    return .replied
  }

  // MARK: Answers

  /// Throws if the request came before, or cannot be remembered. `others` are fingerprints, 8 bytes each, that the same
  /// request may have had before.
  @inline(__always) mutating func refuseRepeated(_ key: RequestKey, or others: Bytes = Command.none) throws(Stop) {
    guard !key.isNone else { return }
    if let number = findRequest(key) { throw repeated(number, key, others) }
    if UInt64(tables.dedupe.count) >= limits.requestIDs { try makeRoomForRequest() }
  }
  @inline(never) private func repeated(_ number: UInt64, _ key: RequestKey, _ others: Bytes) -> Stop {
    let record = tables.dedupe.read(number).pointee
    guard record.fingerprint == key.fingerprint || place(of: record.fingerprint, in: others) != nil else {
      return .refused(Refusal(.conflict, "the request id was used for another request"))
    }
    return .decided(record.isPending ? .pending(record.transaction) : .repeated(record.position))
  }
  /// Remembers a record as the request's answer, and answers it.
  @inline(__always) mutating func answer(
    _ call: inout Call, _ record: borrowing JournalRecord, _ holder: Holder, _ reply: inout ReplyWriter
  ) -> Outcome {
    remember(call.hashes.key, holder.account.pointee.lastRecord)
    record.render(catalogue, into: &reply)
    return .replied
  }
  /// Writes `+OK` and keeps it, where the request had an id. `subject` is the member that it is about, if the call does not
  /// say.
  mutating func done(_ call: Call, subject: Bytes? = nil, _ reply: inout ReplyWriter) -> Outcome {
    let start = reply.buffer.count
    reply.ok()
    keepAnswer(call, subject: subject, reply, from: start)
    return .replied
  }
  /// Keeps the reply written since `start` as the answer to a request.
  mutating func keepAnswer(
    _ call: Call, subject: Bytes? = nil, _ reply: borrowing ReplyWriter, from start: Int
  ) {
    guard !call.hashes.key.isNone else { return }
    let slot = call.hashes.key.slot
    let position = keptAnswer(call.request, subject ?? call.subject, call.tenant, slot: slot, reply, from: start)
    remember(call.hashes.key, position)
  }
}

extension Ledger {
  /// The first command of a shard: nothing has been hashed yet. Any other time it says nothing new.
  private mutating func applyBirth(_ reader: inout ByteReader) throws(MalformedBytes) -> Outcome {
    let key = try HashKey(decoding: &reader)
    let ranges = try SlotRanges(decoding: &reader)
    let epoch: UInt64 = try reader.read()
    try reader.finish()
    guard core.key == .none, catalogue.version == 0, tables.members.count == 0, tables.cardEntries.count == 0,
      tables.dedupe.end == 0
    else {
      return .silent
    }
    core.key = key
    core.ranges = ranges
    core.epoch = epoch
    hashes = KeyedHashes(key)
    tables.past.hashes = hashes
    catalogue = Catalogue(key: key)
    return .silent
  }

  private mutating func applyCatalogue(_ reader: inout ByteReader) throws(MalformedBytes) -> Outcome {
    _ = try catalogue.apply(try reader.readBytes(reader.remaining))
    shutLowered()
    while tables.programs.count < catalogue.programCount {
      _ = tables.programs.append(ProgramRecord(program: ProgramRef(place: tables.programs.count)))
    }
    while tables.firstParts.count < catalogue.merchantCount { tables.firstParts.append(.none) }
    beginBirthdays()
    return .silent
  }
}

extension ByteReader {
  /// Throws if bytes are left: a command says nothing that is not read.
  @inline(__always) func finish() throws(MalformedBytes) {
    guard isAtEnd else { throw MalformedBytes("a command has bytes left over") }
  }
}
