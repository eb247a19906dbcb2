import Base
import Vocabulary

/// What a request about a transaction of FROM's does at INTO. FROM's slot has the transaction: it decides how much, and counts it; INTO's
/// has the points. While it is away the transaction is `acting`: another request about it is `BUSY`. Where INTO was merged itself
/// meanwhile, its slot says into whom, and that one is asked: at most twice.
enum ActStep: ShardStep {
  typealias Bytes = UnsafeRawBufferPointer
  static let first: UInt8 = 44
  static let last: UInt8 = 46
  static var kinds: ClosedRange<UInt8> { first...last }
  static func number(_ kind: UInt8) -> UInt8 { kind &- first &+ 1 }

  /// What is asked.
  enum Act: UInt8 {
    /// Of a hold that moved, by its number there.
    case capture = 1
    case release = 2
    case refundHold = 3
    /// To take back what a purchase earned.
    case takeBack = 4
    /// To give back what was redeemed.
    case giveBack = 5
  }
  /// What it says, and is kept.
  struct Content {
    var act: Act
    /// Who is asked, and whose the transaction was.
    var into: [UInt8]
    var from: [UInt8]
    var request: [UInt8]
    /// The transaction; of a hold that moved, what it is there.
    var of: TransactionID
    var twin = TransactionID.none
    var program: ProgramRef
    var merchant: MerchantRef
    /// As many as said; -1: all that is left.
    var points: Points
    /// What a return counts; -1: nothing was paid in money.
    var spend = Money.none
    var stamp = Stamp.zero
    /// A purchase's lot.
    var lot = LotName(expiresAt: .never, origin: Origin.earned.rawValue)
    /// What of that lot is set aside at FROM's as lapsed.
    var lapsed: Points = 0
    var isNothing = false
    /// How the purchase was worked out, and what of its lines is back then.
    var detail: [UInt8] = []
    var returned: [UInt8] = []
    /// What is given back, to which lots.
    var lots: [MovedLot] = []

    init(_ act: Act, _ s: Subject, from: [UInt8], into: [UInt8], request: [UInt8], points: Points) {
      self.act = act
      (self.from, self.into, self.request, self.points) = (from, into, request, points)
      let t = s.transaction
      (of, program, merchant, stamp) = (t.id, t.program, t.merchant, t.stamp)
    }
    init(_ reader: inout ByteReader) throws(MalformedBytes) {
      guard let act = Act(rawValue: try reader.read()) else { throw MalformedBytes("an act of unknown kind") }
      self.act = act
      into = Array(try reader.readCounted())
      from = Array(try reader.readCounted())
      request = Array(try reader.readCounted())
      of = TransactionID(rawValue: try reader.read())
      twin = TransactionID(rawValue: try reader.read())
      program = ProgramRef(rawValue: try reader.read())
      merchant = MerchantRef(rawValue: try reader.read())
      points = Points(try reader.readZigzag())
      spend = Money(try reader.readZigzag())
      stamp = Stamp(microseconds: try reader.read())
      lot.expiresAt = Stamp(microseconds: try reader.read())
      lot.origin = try reader.read()
      lot.activeDay = try reader.read()
      lot.activityDays = try reader.read()
      lapsed = Points(try reader.readZigzag())
      isNothing = try reader.read(UInt8.self) == 1
      detail = Array(try reader.readCounted())
      returned = Array(try reader.readCounted())
      for _ in 0..<Int(try reader.read(UInt16.self)) { lots.append(try MovedLot(&reader)) }
      try reader.finish()
      guard points <= Ledger.largestBalance, points >= -1, lapsed >= 0, lapsed <= Ledger.largestBalance,
        of.rawValue >> 48 < UInt64(Slot.count), lot.isPossible,
        into.withUnsafeBytes({ $0.isIdentifier }), from.withUnsafeBytes({ $0.isIdentifier })
      else { throw MalformedBytes("an act that cannot be") }
    }
    init(kept: Bytes) throws(MalformedBytes) {
      var reader = ByteReader(kept)
      try self.init(&reader)
    }
    var bytes: [UInt8] {
      var buffer = ByteBuffer(capacity: 512)
      buffer.append(act.rawValue)
      for text in [into, from, request] { buffer.append(counted: text) }
      buffer.append(of.rawValue)
      buffer.append(twin.rawValue)
      buffer.append(program.rawValue)
      buffer.append(merchant.rawValue)
      buffer.append(zigzag: points.rawValue)
      buffer.append(zigzag: spend.rawValue)
      buffer.append(stamp.microseconds)
      buffer.append(lot.expiresAt.microseconds)
      buffer.append(lot.origin)
      buffer.append(lot.activeDay)
      buffer.append(lot.activityDays)
      buffer.append(zigzag: lapsed.rawValue)
      buffer.append(UInt8(isNothing ? 1 : 0))
      buffer.append(counted: detail)
      buffer.append(counted: returned)
      buffer.append(UInt16(clamping: lots.count))
      for lot in lots { lot.append(to: &buffer) }
      return buffer.array
    }
  }
  /// Who is to be asked instead: what a slot says whose member was merged itself.
  struct Elsewhere {
    static let which: UInt8 = 1
    var into: [UInt8]
    var twin: TransactionID
    init(into: [UInt8], twin: TransactionID) { (self.into, self.twin) = (into, twin) }
    init?(_ verdict: Verdict) {
      guard verdict.code == ErrorCode.closed.rawValue, verdict.which == Elsewhere.which else { return nil }
      let known = verdict.text.withUnsafeBytes { raw -> ([UInt8], UInt64)? in
        var reader = ByteReader(raw)
        guard let into = try? reader.readCounted(), let twin: UInt64 = try? reader.read() else { return nil }
        return (Array(into), twin)
      }
      guard let known else { return nil }
      (into, twin) = (known.0, TransactionID(rawValue: known.1))
    }
    var verdict: Verdict {
      var buffer = ByteBuffer(capacity: 80)
      buffer.append(counted: into)
      buffer.append(twin.rawValue)
      return Verdict(code: ErrorCode.closed.rawValue, which: Elsewhere.which, text: buffer.array)
    }
  }

  static func forEachUnderWay(
    _ step: OutboxRecord, in ledger: borrowing Ledger, _ body: (ProgramRef, Points) -> Void
  ) {
    let content = ledger.text(of: step).withUnsafeBytes { try? Content(kept: $0) }
    if let content, content.act == .giveBack { body(content.program, content.points) }
  }
  static func receive(
    _ origin: StepOrigin, _ reader: inout ByteReader, in ledger: inout Ledger
  ) throws(MalformedBytes) -> Verdict {
    ledger.act(try Content(&reader), origin)
  }
  static func next(
    _ step: OutboxRecord, _ kept: Bytes, _ verdict: Verdict, in ledger: borrowing Ledger
  ) throws(MalformedBytes) -> NextStep? {
    guard step.kind < last, let elsewhere = Elsewhere(verdict) else { return nil }
    var content = try Content(kept: kept)
    (content.into, content.twin) = (elsewhere.into, elsewhere.twin)
    let to = content.into.withUnsafeBytes { Command.memberSlot($0, tenant: step.tenant) }
    return NextStep(kind: step.kind + 1, to: to, text: content.bytes)
  }
  static func complete(
    _ step: OutboxRecord, _ kept: Bytes, _ verdict: Verdict, in ledger: inout Ledger, _ reply: inout ReplyWriter
  ) throws(MalformedBytes) {
    let content = try Content(kept: kept)
    if Elsewhere(verdict) != nil {
      var text = ReplyWriter(capacity: 128)
      Refusal(.busy, "the member was merged several times: send it again").write(into: &text)
      var buffer = ByteBuffer(capacity: 128)
      buffer.append(zigzag: 0)
      buffer.append(text.buffer.bytes)
      ledger.acted(step, content, Verdict(code: ErrorCode.busy.rawValue, which: 0, text: buffer.array), &reply)
    } else {
      ledger.acted(step, content, verdict, &reply)
    }
  }
}
