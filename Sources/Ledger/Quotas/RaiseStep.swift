import Base
import Vocabulary

/// An event of a member that the product raised by itself, while budgets here had less than its rules give: it is raised again by the member's
/// slot, once that has asked for more. Nobody waits for it.
enum RaiseStep: ShardStep {
  typealias Bytes = UnsafeRawBufferPointer
  static let kind: UInt8 = 31
  static var kinds: ClosedRange<UInt8> { kind...kind }

  /// What it says, and is kept.
  struct Content {
    var member: [UInt8]
    var program: [UInt8]
    var event: [UInt8]
    /// Zero: as it is raised.
    var moment: Stamp
    var asks: [QuotaAsk]

    init(member: [UInt8], program: [UInt8], event: [UInt8], moment: Stamp, asks: [QuotaAsk]) {
      (self.member, self.program, self.event) = (member, program, event)
      (self.moment, self.asks) = (moment, asks)
    }
    init(_ reader: inout ByteReader) throws(MalformedBytes) {
      member = Array(try reader.readCounted())
      program = Array(try reader.readCounted())
      event = Array(try reader.readCounted())
      moment = Stamp(microseconds: try reader.read())
      asks = []
      while !reader.isAtEnd {
        let quota: UInt32 = try reader.read()
        asks.append(QuotaAsk(quota: quota, since: TransactionID(rawValue: try reader.read())))
      }
      guard moment >= .zero, moment < CivilTime.latest,
        asks.allSatisfy({ $0.since.rawValue >> 48 < UInt64(Slot.count) })
      else { throw MalformedBytes("an event that cannot be") }
    }
    var bytes: [UInt8] {
      var buffer = ByteBuffer(capacity: 256)
      for text in [member, program, event] { buffer.append(counted: text) }
      buffer.append(moment.microseconds)
      for ask in asks {
        buffer.append(ask.quota)
        buffer.append(ask.since.rawValue)
      }
      return buffer.array
    }
  }

  static func receive(
    _ origin: StepOrigin, _ reader: inout ByteReader, in ledger: inout Ledger
  ) throws(MalformedBytes) -> Verdict {
    ledger.raiseAgain(try Content(&reader), origin.tenant)
  }
  static func complete(
    _ step: OutboxRecord, _ kept: Bytes, _ verdict: Verdict, in ledger: inout Ledger, _ reply: inout ReplyWriter
  ) throws(MalformedBytes) {}
  static func awaited(_ step: OutboxRecord, _ kept: Bytes, in ledger: borrowing Ledger) -> TransactionID { .none }
}

extension Ledger {
  fileprivate mutating func raiseAgain(_ content: RaiseStep.Content, _ tenant: TenantID) -> Verdict {
    guard let program = content.program.withUnsafeBytes({ catalogue.program($0, tenant: tenant) }),
      let member = content.member.withUnsafeBytes({ findMember($0, tenant: tenant) })
    else { return Verdict(.notFound) }
    // What a merge takes along has been worked out by now.
    guard !isMerging(member) else { return .later }
    guard tables.members.read(member).pointee.state == MemberState.active.rawValue,
      catalogue.programRows[program.place].isActive
    else { return Verdict(.closed) }
    let moment = content.moment == .zero ? nil : content.moment
    let ask = raised(content.event, of: member, in: program, at: moment)
    return (try? award(raised: ask, after: content.asks)) ?? true ? .done : .later
  }
  /// What budgets lack that other shards may have is asked for, and the event raised again.
  /// - Parameter asks: those that it has waited for.
  /// - Returns: whether it waits for others than those: then a step of its own does.
  mutating func waitForBudgets(
    _ open: [Shortage], _ raised: EarningRequest, after asks: [QuotaAsk]
  ) -> Bool {
    let record = tables.members.read(raised.member)
    let slot = record.pointee.slot
    var all = asks
    for shortage in open {
      let deferral = ask(shortage, at: slot, for: all)
      let one = QuotaAsk(quota: shortage.period.quota, since: deferral.since)
      if !all.contains(one) { all.append(one) }
    }
    guard all.count > asks.count else { return false }
    var name: [UInt8] = []
    catalogue.withProgramName(raised.program) { name = Array($0) }
    let content = RaiseStep.Content(
      member: Array(memberID(record)), program: name, event: raised.event, moment: raised.effective ?? .zero, asks: all)
    var step = OutboxRecord(
      id: nextTransaction(slot), stamp: now, to: slot.rawValue, kind: RaiseStep.kind, tenant: raised.tenant)
    content.bytes.withUnsafeBytes { addOutbox(&step, $0) }
    return true
  }
}
