import Base
import Ledger
import Protocol
import Vocabulary

/// A `SET` that changes a program's zone. Points are booked by its days, so it may not change once something was booked, and nothing may be booked
/// by the old one while it changes. The program is therefore stopped in all shards first; once these say that nothing was booked, it changes
/// and goes on. Where the node dies meanwhile the program stays stopped, with one zone.
struct ZoneChange {
  enum Step {
    /// What all shards have is not known yet.
    case asking
    case stopping
    case asked
    case setting
    /// It goes on with the zone that it had: something was booked.
    case refusing
    case starting
  }
  var owner: EdgeItem.Owner
  var step = Step.asking
  /// What was asked, and how the program is stopped and started.
  var command: [UInt8]
  var flags: EdgeItem.Flags
  var stop: [UInt8]
  var start: [UInt8]
  var inquiry: Inquiry
  /// The request says whether it is to run.
  var saysState: Bool
  /// What the directory refused of it.
  var refusal: [UInt8] = []

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
    func state(_ word: String) -> [UInt8] {
      entryCommand(.entry, nil, owner, tenant) { body in
        body.append(varint: UInt64(EntryKind.program.number))
        body.append(counted: key)
        body.append(field: EntryField.stateNumber, Array(word.utf8))
        body.appendEndOfFields()
      }.command
    }
    let change = ZoneChange(
      owner: owner, command: command, flags: flags, stop: state("stopped"), start: state("active"),
      inquiry: .movements(tenant, program: key, zone: zone),
      saysState: entry.moment != nil || entry.fields.contains { $0.number == EntryField.stateNumber })
    ask(change.inquiry, .zone(change), owner)
    return true
  }

  /// All shards have said whether something was booked.
  func zoneAnswered(_ change: ZoneChange, _ records: [[UInt8]]) {
    let totals = InquiryTotals(records, [.transactions, .needed, .up])
    let isSame = totals[.needed] == records.count
    var change = change
    switch change.step {
    case .asking where isSame: setEntry(change.command, change.flags, change.owner)
    case .asking where totals[.transactions] > 0: refuseZone(change.owner)
    // It is new, or stopped.
    case .asking where totals[.up] == 0: setEntry(change.command, change.flags, change.owner)
    case .asking:
      change.step = .stopping
      submit(change.stop, change)
    default:
      guard totals[.transactions] == 0, totals[.up] == 0 else {
        change.step = .refusing
        return submit(change.start, change)
      }
      change.step = .setting
      submit(change.command, change)
    }
  }
  private func submit(_ command: [UInt8], _ change: ZoneChange) {
    let flags = change.step == .setting ? change.flags : []
    submitInternal(.directory, flags: flags, continuation: keep(.zone(change))) { $0.append(command) }
  }
  /// The directory has decided a step. What it refuses of the request's own is the answer, once the program goes on.
  func zoneDecided(_ change: ZoneChange, _ reply: UnsafeRawBufferPointer) {
    let view = RecordView(reply)
    if let version = view.integer {
      workflows.wait(
        change.owner, forVersion: UInt32(truncatingIfNeeded: version), until: now.monotonic + requestTimeout,
        zone: change)
    } else if view.tag == .error, change.step == .setting, view.errorCode == .malformed || view.errorCode == .limit {
      var next = change
      (next.step, next.refusal) = (.starting, Array(reply))
      submit(next.start, next)
    } else if view.tag == .error {
      change.step == .stopping ? answer(change.owner, reply) : zoneUnknown(change)
    } else {
      // It says nothing new.
      zoneSpread(change, [])
    }
  }
  /// A step has reached all shards but those.
  func zoneSpread(_ change: ZoneChange, _ behind: [ShardID]) {
    var change = change
    guard behind.isEmpty else { return zoneUnknown(change) }
    switch change.step {
    case .stopping:
      change.step = .asked
      ask(change.inquiry, .zone(change), change.owner)
    case .setting where !change.saysState:
      change.step = .starting
      submit(change.start, change)
    case .refusing: refuseZone(change.owner)
    case _ where !change.refusal.isEmpty: change.refusal.withUnsafeBytes { answer(change.owner, $0) }
    default: answer(change.owner) { $0.ok() }
    }
  }
  private func refuseZone(_ owner: EdgeItem.Owner) {
    answerError(owner, .malformed, "utc-offset= cannot change: points of the program have been booked by its days")
  }
  func zoneUnknown(_ change: ZoneChange) {
    answerError(
      change.owner, .unknown,
      "the program was stopped for the change, and a shard did not answer: see PROGRAM SHOW, and set state=active")
  }
}
