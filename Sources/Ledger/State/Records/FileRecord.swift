import Base
import Vocabulary

/// What is kept of a member beyond what a member has that was only added: what `MEMBER SET` and `TAG` said, and counters. It has the
/// name and the region, too, then. Personal data: it is in no journal and no hash chain, and nothing of it is left where it lay once it is
/// gone.
struct FileRecord: SlotRecord, ReusedRecord {
  var member: Ref<MemberRecord>
  /// What the file says: `MemberFile`, in chunks. `.none`: nothing.
  var firstChunk = Ref<FileChunk>.none
  var byteCount: UInt32 = 0
  /// In the order of their keys.
  var firstCounter = Ref<CounterRecord>.none
  /// Of a free one.
  var next = Ref<FileRecord>.none
  /// Aliases that were asked for by an erasure which is under way, and are yet to answer.
  var openErasures: UInt32 = 0
  /// When what is personal was last erased: a restore of an older backup has to erase it again. Zero: never.
  var erasedAt = Stamp.zero
  /// For what terminals wait that had it erased, until its aliases are gone; none: they are.
  var erasure = TransactionID.none
  /// Neighbours among those that have their birthday on the same day: see `BirthdayRecord`.
  var nextBorn = Ref<FileRecord>.none
  var previousBorn = Ref<FileRecord>.none
  /// The list that it is in: `BirthdayRecord.place`; 0: in none.
  var born: UInt32 = 0
  /// What ties the member to others.
  var firstBond = Ref<BondRecord>.none
  var reserved: UInt32 = 0

  static var tag: TableTag { TableTag(42, "files of members", since: Semantics.programme) }
  static var free: FileRecord { FileRecord(member: .none) }
  static func forEach(in ledger: borrowing Ledger, _ body: (UnsafePointer<FileRecord>) -> Void) {
    ledger.tables.files.forEach { if $1.pointee.member != .none { body($1) } }
  }
  static func slot(of file: UnsafePointer<FileRecord>, in ledger: borrowing Ledger) -> Slot? {
    ledger.slot(ofMember: file.pointee.member)
  }
  /// With its counters and bonds.
  static func addDigest(
    of file: UnsafePointer<FileRecord>, in ledger: borrowing Ledger, to sum: inout DigestSum
  ) {
    let hash = ledger.hash(ofMember: file.pointee.member)
    sum.add(hash, DigestField.file, ledger.digest(ofFile: file))
    sum.add(hash, DigestField.erasedAt, file.pointee.erasedAt.microseconds)
    sum.add(hash, DigestField.erasure, Int64(bitPattern: file.pointee.erasure.rawValue))
    var next = file.pointee.firstCounter
    while next != .none {
      let counter = ledger.tables.details.counters.read(next).pointee
      sum.add(counter.key.digest(hash), DigestField.counter, counter.value)
      next = counter.next
    }
    var bond = file.pointee.firstBond
    while bond != .none {
      ledger.addDigest(ofBond: bond, hash, to: &sum)
      bond = ledger.tables.details.bonds.read(bond).pointee.next
    }
  }
  static func check(_ ledger: borrowing Ledger) throws(BrokenInvariant) {
    var broken: String?
    var dues = TierDues()
    forEach(in: ledger) { file in
      let ref = ledger.fileRef(ofMember: ledger.tables.members.read(file.pointee.member))
      if ref == .none || ledger.tables.files.read(ref) != file { broken = "a file that is not its member's" }
      if ledger.tables.members.read(file.pointee.member).pointee.hasBonds != (file.pointee.firstBond != .none) {
        broken = "a member whose bonds are not known of"
      }
      var next = file.pointee.firstCounter
      var last: CounterKey?
      while next != .none {
        let counter = ledger.tables.details.counters.read(next).pointee
        if let last, !last.precedes(counter.key) { broken = "a member's counters are out of order" }
        if counter.value == 0 { broken = "a counter of nothing" }
        ledger.countTierDue(counter, &dues)
        last = counter.key
        next = counter.next
      }
    }
    if dues.rows != ledger.tierDues.rows { broken = "ends of periods are miscounted" }
    if let broken { throw BrokenInvariant(description: broken) }
  }
}

/// A part of a file: a cache line.
struct FileChunk: StateRecord, ReusedRecord {
  static let room = 60
  var next = Ref<FileChunk>.none
  var bytes = InlineArray<60, UInt8>(repeating: 0)

  static var tag: TableTag { TableTag(43, "chunks of files", since: Semantics.programme) }
  static var belonging: Belonging { .owner }
  static var free: FileChunk { FileChunk() }
}

/// What a counter counts: whose, of what, and from when on.
struct CounterKey: Hashable, BitwiseCopyable {
  /// Part of the state: never change one, only add.
  enum Kind: UInt8, BitwiseCopyable {
    /// Points that were sent on a day, of a program.
    case sent = 1
    /// The day of the last activity in a program.
    case activity = 2
    /// The moment to which the end of a lot was moved that ended on a day.
    case extended = 3
    /// Points that were credited in a window of a program's caps: the subject is its number << 3 | the window's kind.
    case earned = 10
    /// The same of a rule's cap, in purchases in which it took part.
    case ruled = 11
    /// Purchases of a year in a program.
    case visits = 12
    /// The day of the last purchase in a program, and 1.
    case purchase = 13
    /// Days in a row with an event: see `Ledger+Counts`.
    case streak = 14
    /// Where a member stands in a program's tiers: `TierStanding`.
    case tier = 20
    /// What a member has qualified by in a period of a program.
    case qualifying = 21
    /// When the tier became what it is, in a program.
    case tierSince = 22
    /// What a member has had for reaching a tier in a period: `Ledger.Welcome`.
    case welcomed = 23
    /// Points of a program that become active on a day, and do not qualify.
    case unqualified = 24
    /// Points of a program that a member has earned into a pool, which become active on a day and qualify then.
    case pooled = 26
    /// The year in which the event of a member's birthday was last raised in a program.
    case birthday = 25
    /// Transactions in which a campaign gave points.
    case campaign = 30
  }
  var kind: UInt8
  /// A day since 1970 in the program's zone, on which it begins to count; 0 where it counts for ever.
  var start: Int32
  /// A number of the catalogue: of what it counts.
  var subject: UInt32

  init(_ kind: Kind, of subject: UInt32, from start: Int32) {
    self.kind = kind.rawValue
    self.start = start
    self.subject = subject
  }
  init(kind: UInt8, start: Int32, subject: UInt32) {
    self.kind = kind
    self.start = start
    self.subject = subject
  }
  func precedes(_ other: CounterKey) -> Bool {
    (kind, subject, start) < (other.kind, other.subject, other.start)
  }
  func digest(_ member: UInt64) -> UInt64 {
    DigestSum.mix(member &+ UInt64(kind), UInt64(subject) << 32 | UInt64(UInt32(bitPattern: start)))
  }
}

/// A figure of a member that rules ask for. 0 is not kept.
struct CounterRecord: StateRecord, ReusedRecord {
  var value: Int64
  var start: Int32
  var subject: UInt32
  var next = Ref<CounterRecord>.none
  var kind: UInt8
  var reserved: UInt8 = 0
  var reserved2: UInt16 = 0

  var key: CounterKey { CounterKey(kind: kind, start: start, subject: subject) }
  init(_ key: CounterKey, _ value: Int64) {
    self.value = value
    (kind, start, subject) = (key.kind, key.start, key.subject)
  }

  static var tag: TableTag { TableTag(44, "counters", since: Semantics.programme) }
  static var belonging: Belonging { .owner }
  static var free: CounterRecord { CounterRecord(CounterKey(kind: 0, start: 0, subject: 0), 0) }
}
