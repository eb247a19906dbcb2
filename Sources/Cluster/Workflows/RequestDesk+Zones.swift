import Base
import Ledger
import Protocol
import Vocabulary

/// A `SET` that changes a program's zone. Points are booked by its days, so it may not change once something was booked, and nothing may be booked
/// by the old one while it changes. The program is therefore stopped in all shards first; once these say that nothing was booked, it changes
/// and goes on. Where the node dies meanwhile, or a shard does not answer, the program goes on all the same: see `ZoneFence`.
struct ZoneChange {
  enum Step {
    /// What all shards have is not known yet.
    case asking
    case stopping
    case asked
    case setting
    /// The request itself, which says nothing new by now: its id is known from here on, and the trail has it.
    case recording
    case starting
    /// The program goes on with the zone that it had.
    case givingUp
  }
  var owner: EdgeItem.Owner
  var step = Step.asking
  /// What was asked.
  var command: [UInt8]
  var flags: EdgeItem.Flags
  var stop: [UInt8]
  /// In its place, where the program is stopped already: it changes nothing, and tells what comes behind it.
  var mark: [UInt8]
  /// The request without its id.
  var set: [UInt8]
  var giveUp: [UInt8]
  var start: [UInt8]
  var inquiry: Inquiry
  /// The request stops the program.
  var saysStopped: Bool
  /// It was stopped when it was asked, and stays so unless the request starts it.
  var wasStopped = false
  /// See `ZoneFence`: before that a program that is stopped changes as any other entry.
  var isGuarded: Bool
  /// The moment from which it is to hold, if that is to come.
  var isAnnounced: Bool
  /// An error that is the answer, if the program goes on as it was.
  var refusal: (code: ErrorCode, text: String)?
  /// The same, of the directory.
  var refused: [UInt8] = []
  /// Some shard did not say in time that it knows the new zone.
  var isLate = false

  /// Something may have to be started again.
  var isStopped: Bool { step == .asked }
}

extension RequestDesk {
  /// Whether a `SET` is of a program's zone: then it goes its own way.
  func setsZone(
    _ request: Request, _ owner: EdgeItem.Owner, _ tenant: TenantID, _ command: [UInt8], _ flags: EdgeItem.Flags
  ) -> Bool {
    var buffer = ByteBuffer(capacity: 256)
    buffer.append(request.positional(0))
    buffer.append(request.positional(1))
    var reader = ByteReader(buffer.bytes)
    guard let entry = try? EntryRequest(decoding: &reader), Int(entry.kind) == EntryKind.program.number,
      let field = EntryKind.program.field("utc-offset"),
      let said = entry.fields.first(where: { $0.number == field.number }), let zone = field.stored(said.text)
    else { return false }
    let key = Array(entry.key)
    let user = client(of: owner)?.grant.user?.name ?? ""
    let isGuarded = directory.map { $0.semantics >= Semantics.checked } ?? false
    let fence = ZoneFence(membership.me, number: workflows.number(), isGuarded: isGuarded)
    let active = ZoneFence.state("active", of: key)
    let saysStopped = entry.fields.contains {
      $0.number == EntryField.stateNumber && $0.text.elementsEqual("stopped".utf8)
    }
    let change = ZoneChange(
      owner: owner, command: command, flags: flags,
      // Who wants it stopped has that, whatever becomes of the change.
      stop: fence.command(
        .stop, hashKey, tenant, by: saysStopped ? user : fence.by(user), ZoneFence.state("stopped", of: key)),
      mark: fence.command(.stop, hashKey, tenant, by: user, ZoneFence.nothing(of: key)),
      set: fence.command(.set, hashKey, tenant, by: user) { $0.append(buffer.bytes) },
      giveUp: fence.command(.giveUp, hashKey, tenant, by: user, active),
      start: fence.command(.start, hashKey, tenant, by: user, active),
      inquiry: .movements(tenant, program: key, zone: zone), saysStopped: saysStopped,
      isGuarded: isGuarded, isAnnounced: entry.moment.map { isAhead($0) } ?? false)
    ask(change.inquiry, .zone(change), owner)
    return true
  }
  /// Whether a moment is to come, or a date that is today nowhere.
  private func isAhead(_ moment: Int64) -> Bool {
    guard moment < 0 else { return moment > now.wall.microseconds }
    return CivilTime.midnight(ofDay: -1 - moment, offset: 18 * 3_600 * CivilTime.microsecondsPerSecond) > now.wall
  }

  /// All shards have said whether something was booked.
  func zoneAnswered(_ change: ZoneChange, _ records: [[UInt8]]) {
    let totals = InquiryTotals(records, [.transactions, .needed, .up], alike: [.up])
    let isSame = totals[.needed] == records.count
    var change = change
    switch change.step {
    case .asking where isSame: setEntry(change.command, change.flags, change.owner)
    case .asking where totals[.transactions] > 0: answerError(change.owner, .malformed, ZoneChange.isBooked)
    case .asking where change.isAnnounced && totals.alike(.up) != nil:
      answerError(
        change.owner, .malformed,
        "utc-offset= cannot be announced, for points may be booked until then: leave out from=")
    // It is new, or stopped.
    case .asking where totals[.up] == 0 && (!change.isGuarded || totals.alike(.up) == nil):
      setEntry(change.command, change.flags, change.owner)
    case .asking:
      change.wasStopped = totals[.up] == 0
      change.step = .stopping
      submit(change.wasStopped ? change.mark : change.stop, change)
    default:
      if totals[.transactions] > 0 { return giveUp(change, .malformed, ZoneChange.isBooked) }
      guard totals[.up] == 0 else {
        return giveUp(change, .unavailable, "the program was started by somebody else meanwhile; nothing was done")
      }
      change.step = .setting
      submit(change.set, change)
    }
  }
  /// A shard did not say.
  func zoneUnanswered(_ change: ZoneChange) {
    giveUp(change, .unavailable, "a shard did not report, so the program goes on as it was; nothing was done")
  }
  private func giveUp(_ change: ZoneChange, _ code: ErrorCode, _ text: String) {
    guard !change.wasStopped else { return answerError(change.owner, code, text) }
    var change = change
    change.refusal = (code, text)
    change.step = .givingUp
    submit(change.giveUp, change)
  }
  private func submit(_ command: [UInt8], _ change: ZoneChange) {
    let isOnce =
      change.step == .stopping || change.step == .setting || change.step == .starting || change.step == .givingUp
    let flags: EdgeItem.Flags = isOnce ? .repeatable : change.step == .recording ? change.flags : []
    submitInternal(.directory, flags: flags, continuation: keep(.zone(change))) { $0.append(command) }
  }

  /// The directory has decided a step.
  func zoneDecided(_ change: ZoneChange, _ reply: UnsafeRawBufferPointer) {
    let view = RecordView(reply)
    if let version = view.integer {
      return workflows.wait(
        change.owner, forVersion: UInt32(truncatingIfNeeded: version), until: now.monotonic + requestTimeout,
        zone: change)
    }
    // It says nothing new.
    guard view.tag == .error else { return zoneSpread(change, []) }
    var change = change
    switch (change.step, view.errorCode) {
    case (.stopping, .unknown), (.setting, .unknown), (.starting, _), (.givingUp, _): zoneUnknown(change)
    case (.stopping, _): answer(change.owner, reply)
    case (.setting, .conflict):
      answerError(change.owner, .unavailable, "it took too long, so the program goes on as it was; nothing was done")
    case (.setting, _) where change.wasStopped: answer(change.owner, reply)
    case (.setting, _):
      change.refused = Array(reply)
      change.step = .givingUp
      submit(change.giveUp, change)
    default:
      change.isLate = true
      zoneSpread(change, [])
    }
  }
  /// A step has reached all shards but those.
  func zoneSpread(_ change: ZoneChange, _ behind: [ShardID]) {
    var change = change
    if !behind.isEmpty { change.isLate = true }
    switch change.step {
    case .asking, .asked: break
    case .stopping where !behind.isEmpty: zoneUnanswered(change)
    case .stopping:
      change.step = .asked
      ask(change.inquiry, .zone(change), change.owner)
    case .setting:
      change.step = .recording
      submit(change.command, change)
    case .recording where !change.saysStopped && !change.wasStopped:
      change.step = .starting
      submit(change.start, change)
    case .recording, .starting:
      guard !change.isLate else { return zoneUnknown(change) }
      answer(change.owner) { $0.ok() }
    case .givingUp:
      if let (code, text) = change.refusal { return answerError(change.owner, code, text) }
      change.refused.withUnsafeBytes { answer(change.owner, $0) }
    }
  }
  private func zoneUnknown(_ change: ZoneChange) {
    answerError(
      change.owner, .unknown,
      "not every shard has answered; the program goes on by itself: see PROGRAM SHOW, or repeat the request")
  }
}

extension ZoneChange {
  static let isBooked = "utc-offset= cannot change: points of the program have been booked by its days"
}
