import Base
import Vocabulary

/// What every step of a merge says first.
struct MergeHead {
  var from: [UInt8]
  var into: [UInt8]
  /// The request's id.
  var request: [UInt8]
  /// For what terminals wait.
  var merge: TransactionID
  /// Of which program the answer speaks, and how many of its points moved.
  var program = ProgramRef.none
  var points = Points.zero

  init(from: [UInt8], into: [UInt8], request: [UInt8], merge: TransactionID) {
    (self.from, self.into, self.request, self.merge) = (from, into, request, merge)
  }
  init(_ reader: inout ByteReader) throws(MalformedBytes) {
    from = Array(try reader.readCounted())
    into = Array(try reader.readCounted())
    request = Array(try reader.readCounted())
    merge = TransactionID(rawValue: try reader.read())
    program = ProgramRef(rawValue: try reader.read())
    points = Points(try reader.readZigzag())
    for text in [from, into] where !text.withUnsafeBytes({ $0.isIdentifier }) {
      throw MalformedBytes("a merge with a bad text")
    }
  }
  init(kept: UnsafeRawBufferPointer) throws(MalformedBytes) {
    var reader = ByteReader(kept)
    try self.init(&reader)
  }
  func append(to buffer: inout ByteBuffer) {
    for text in [from, into, request] { buffer.append(counted: text) }
    buffer.append(merge.rawValue)
    buffer.append(program.rawValue)
    buffer.append(zigzag: points.rawValue)
  }
  var bytes: [UInt8] {
    var buffer = ByteBuffer(capacity: 256)
    append(to: &buffer)
    return buffer.array
  }
}

/// What a merge needs at the member that stays: asked for before anything moves, and kept for it until all has come.
struct MergeRoom {
  struct Account {
    var program: ProgramRef
    /// What is available, held and pending.
    var points: Points
    var debt: Points
  }
  var lots = 0
  var holds = 0
  var cards = 0
  var aliases = 0
  var accounts: [Account] = []

  init() {}
  init(_ reader: inout ByteReader) throws(MalformedBytes) {
    func count(_ reader: inout ByteReader) throws(MalformedBytes) -> Int { Int(try reader.read(UInt16.self)) }
    lots = try count(&reader)
    holds = try count(&reader)
    cards = try count(&reader)
    aliases = try count(&reader)
    let number = Int(try reader.read(UInt16.self))
    for _ in 0..<number {
      let program = ProgramRef(rawValue: try reader.read())
      let account = Account(
        program: program, points: Points(try reader.readZigzag()), debt: Points(try reader.readZigzag()))
      guard account.points >= 0, account.debt >= 0, account.points <= Points(Int64.max / 4),
        account.debt <= Ledger.largestBalance
      else { throw MalformedBytes("a merge of impossible size") }
      accounts.append(account)
    }
  }
  init?(kept: [UInt8]) {
    let known = kept.withUnsafeBytes { raw in
      var reader = ByteReader(raw)
      return try? MergeRoom(&reader)
    }
    guard let known else { return nil }
    self = known
  }
  func append(to buffer: inout ByteBuffer) {
    for number in [lots, holds, cards, aliases, accounts.count] { buffer.append(UInt16(clamping: number)) }
    for account in accounts {
      buffer.append(account.program.rawValue)
      buffer.append(zigzag: account.points.rawValue)
      buffer.append(zigzag: account.debt.rawValue)
    }
  }
  var bytes: [UInt8] {
    var buffer = ByteBuffer(capacity: 64)
    append(to: &buffer)
    return buffer.array
  }
}

extension LotName {
  /// Of a lot that came from elsewhere: nothing that is worked out with it overflows.
  var isPossible: Bool {
    activeDay < 1 << 22
      && (expiresAt == .never || expiresAt.microseconds.magnitude < 2 * CivilTime.latest.microseconds.magnitude)
  }
}

/// Points of one lot on their way, as they were.
struct MovedLot {
  var name: LotName
  var earnedAt: Stamp
  var points: Points

  init(_ name: LotName, earnedAt: Stamp, points: Points) {
    (self.name, self.earnedAt, self.points) = (name, earnedAt, points)
  }
  init(_ reader: inout ByteReader) throws(MalformedBytes) {
    name = LotName(expiresAt: Stamp(microseconds: try reader.read()), origin: try reader.read())
    name.activeDay = try reader.read()
    name.activityDays = try reader.read()
    earnedAt = Stamp(microseconds: try reader.read())
    points = Points(try reader.readZigzag())
    guard points > 0, points <= Ledger.largestBalance, name.isPossible,
      earnedAt.microseconds.magnitude <= 2 * CivilTime.latest.microseconds.magnitude
    else { throw MalformedBytes("a lot that cannot be") }
  }
  func append(to buffer: inout ByteBuffer) {
    buffer.append(name.expiresAt.microseconds)
    buffer.append(name.origin)
    buffer.append(name.activeDay)
    buffer.append(name.activityDays)
    buffer.append(earnedAt.microseconds)
    buffer.append(zigzag: points.rawValue)
  }
}

/// A hold on its way: its takes, the last taken first.
struct MovedHold {
  var id: TransactionID
  var merchant: MerchantRef
  var deadline: Stamp
  var takes: [MovedLot]
  var points: Points { takes.reduce(0) { $0 + $1.points } }

  init(id: TransactionID, merchant: MerchantRef, deadline: Stamp, takes: [MovedLot]) {
    (self.id, self.merchant, self.deadline, self.takes) = (id, merchant, deadline, takes)
  }
  init(_ reader: inout ByteReader) throws(MalformedBytes) {
    id = TransactionID(rawValue: try reader.read())
    merchant = MerchantRef(rawValue: try reader.read())
    deadline = Stamp(microseconds: try reader.read())
    takes = []
    var sum = Points.zero
    for _ in 0..<Int(try reader.read(UInt16.self)) {
      takes.append(try MovedLot(&reader))
      sum += takes[takes.count - 1].points
      guard sum <= Ledger.largestBalance else { throw MalformedBytes("a hold of impossible size") }
    }
    guard !takes.isEmpty, id.rawValue >> 48 < UInt64(Slot.count) else { throw MalformedBytes("a hold of nothing") }
  }
  func append(to buffer: inout ByteBuffer) {
    buffer.append(id.rawValue)
    buffer.append(merchant.rawValue)
    buffer.append(deadline.microseconds)
    buffer.append(UInt16(clamping: takes.count))
    for take in takes { take.append(to: &buffer) }
  }
}

/// One of the things that a part of a merge carries. Those of an account come behind its program.
enum MergeItem {
  case program(ProgramRef)
  case lot(MovedLot)
  case pending(MovedLot)
  case hold(MovedHold)
  case debt(Points)
  case counter(CounterKey, Int64)
  case card(state: CardState, text: [UInt8])
  case tier([UInt8])

  private enum Tag: UInt8 { case program = 1, lot, pending, hold, debt, counter, card, tier }

  init(_ reader: inout ByteReader) throws(MalformedBytes) {
    switch Tag(rawValue: try reader.read()) {
    case .program: self = .program(ProgramRef(rawValue: try reader.read()))
    case .lot: self = .lot(try MovedLot(&reader))
    case .pending: self = .pending(try MovedLot(&reader))
    case .hold: self = .hold(try MovedHold(&reader))
    case .debt:
      let debt = Points(try reader.readZigzag())
      guard debt > 0, debt <= Ledger.largestBalance else { throw MalformedBytes("a debt of impossible size") }
      self = .debt(debt)
    case .counter:
      let kind: UInt8 = try reader.read()
      let start: Int32 = try reader.read()
      self = .counter(CounterKey(kind: kind, start: start, subject: try reader.read()), try reader.readZigzag())
    case .card:
      let state = CardState(rawValue: try reader.read())
      let text = Array(try reader.readCounted())
      guard let state, text.count <= MemberContent.longestText,
        Array(text.prefix { $0 != CardRecord.divider }).withUnsafeBytes({ AliasKey.isKey($0) })
      else { throw MalformedBytes("a merge carries a card that cannot be") }
      self = .card(state: state, text: text)
    case .tier: self = .tier(Array(try reader.readCounted()))
    case nil: throw MalformedBytes("a merge carries something unknown")
    }
  }
  func append(to buffer: inout ByteBuffer) {
    func tag(_ tag: Tag) { buffer.append(tag.rawValue) }
    switch self {
    case .program(let program):
      tag(.program)
      buffer.append(program.rawValue)
    case .lot(let lot):
      tag(.lot)
      lot.append(to: &buffer)
    case .pending(let lot):
      tag(.pending)
      lot.append(to: &buffer)
    case .hold(let hold):
      tag(.hold)
      hold.append(to: &buffer)
    case .debt(let debt):
      tag(.debt)
      buffer.append(zigzag: debt.rawValue)
    case .counter(let key, let value):
      tag(.counter)
      buffer.append(key.kind)
      buffer.append(key.start)
      buffer.append(key.subject)
      buffer.append(zigzag: value)
    case .card(let state, let text):
      tag(.card)
      buffer.append(state.rawValue)
      buffer.append(counted: text)
    case .tier(let bytes):
      tag(.tier)
      buffer.append(counted: bytes)
    }
  }
  /// Points of the account before it that are on their way with it.
  var points: Points {
    switch self {
    case .lot(let lot), .pending(let lot): lot.points
    case .hold(let hold): hold.points
    default: 0
    }
  }
  /// All of a part, behind its head.
  static func all(_ reader: inout ByteReader) throws(MalformedBytes) -> [MergeItem] {
    var items: [MergeItem] = []
    while !reader.isAtEnd { items.append(try MergeItem(&reader)) }
    if let first = items.first, first.points > 0 { throw MalformedBytes("points of no program") }
    return items
  }
}

/// What a merge carries, in parts that a step has room for.
struct MergeParts: ~Copyable {
  /// A hold of a thousand lots has room behind so much.
  private static let most = 24_000
  private let head: [UInt8]
  private var part = ByteBuffer(capacity: 32_768)
  private var done: [[UInt8]] = []
  private var program = ProgramRef.none

  init(_ head: MergeHead) {
    self.head = head.bytes
    part.append(self.head)
  }
  /// Adds something that belongs to an account, or to none.
  mutating func add(_ item: MergeItem, of program: ProgramRef = .none) {
    if part.count > MergeParts.most { close() }
    if !program.isNone, program != self.program {
      MergeItem.program(program).append(to: &part)
      self.program = program
    }
    item.append(to: &part)
  }
  private mutating func close() {
    done.append(part.array)
    part.removeAll()
    part.append(head)
    program = .none
  }
  consuming func finish() -> [[UInt8]] {
    part.count > head.count ? done + [part.array] : done
  }
}
