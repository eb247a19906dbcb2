import Base

/// A program's accounts in this shard that are not a merchant's.
struct ProgramRecord: StateRecord {
  /// By `AccountCode`; those of merchants lie in their parts. That of members is changed by what is posted.
  var figures = InlineArray<16, Int128>(repeating: 0)
  /// What members have by the changes of their accounts. An audit adds it up with the other accounts, so that a change
  /// without a posting, or the other way round, shows as a sum that is not 0.
  var balances: Int128 = 0
  var accounts: UInt64 = 0
  /// Its number in the catalogue.
  var program: ProgramRef
  var reserved: UInt32 = 0

  static var tag: TableTag { TableTag(27, "programs") }
  static var belonging: Belonging { .shard }
  static func forEach(in ledger: borrowing Ledger, _ body: (UnsafePointer<ProgramRecord>) -> Void) {
    ledger.tables.programs.forEach { body($1) }
  }
  static func addDigest(
    of record: UnsafePointer<ProgramRecord>, in ledger: borrowing Ledger, to sum: inout DigestSum
  ) {
    let p = record.pointee
    let key = ledger.programKey(p.program)
    for code in AccountCode.allCases where code.placeInPart == nil && code != .members {
      sum.add(key, code.digestField, Int64(truncatingIfNeeded: p.figures[Int(code.rawValue)]))
    }
  }
}

/// What a program's members have in lots that are not as most are. One for each program of which some had, in the order of programs.
struct RareLotsRecord: StateRecord {
  /// In pending lots: what was posted to `.pending`, as `ProgramRecord.balances` is what was posted to members.
  var pending: Int128 = 0
  /// How many lots end with their members' activity.
  var activityLots: UInt64 = 0
  var reserved: UInt64 = 0

  static var tag: TableTag { TableTag(45, "rare lots of programs", since: Semantics.programme) }
  static var belonging: Belonging { .shard }
}

extension Ledger {
  func rareLots(_ program: ProgramRef) -> RareLotsRecord {
    guard program.place < tables.details.rareLots.count else { return RareLotsRecord() }
    return tables.details.rareLots.read(Ref(place: program.place)).pointee
  }
  mutating func countRareLots(_ program: ProgramRef, pending: Int128 = 0, activityLots: Int64 = 0) {
    guard pending != 0 || activityLots != 0 else { return }
    while tables.details.rareLots.count <= program.place { _ = tables.details.rareLots.append(RareLotsRecord()) }
    let record = tables.details.rareLots.write(Ref(place: program.place))
    core.add(pending, to: &record.pointee.pending)
    record.pointee.activityLots &+= UInt64(bitPattern: activityLots)
  }
}

/// A merchant's part accounts in this shard, for one program.
struct PartRecord: StateRecord {
  /// By `AccountCode.placeInPart`.
  var figures = InlineArray<2, Int128>(repeating: 0)
  var merchant: MerchantRef
  var program: ProgramRef
  /// The merchant's part for another program.
  var next: Ref<PartRecord>
  var reserved: UInt32 = 0

  static var tag: TableTag { TableTag(28, "parts of merchants") }
  static var belonging: Belonging { .shard }
  /// Of the first part of each merchant.
  static var firstTag: TableTag { TableTag(29, "first parts of merchants") }
  static func forEach(in ledger: borrowing Ledger, _ body: (UnsafePointer<PartRecord>) -> Void) {
    ledger.tables.parts.forEach { body($1) }
  }
  static func addDigest(
    of record: UnsafePointer<PartRecord>, in ledger: borrowing Ledger, to sum: inout DigestSum
  ) {
    let part = record.pointee
    let key = ledger.partDigestKey(part.merchant, part.program)
    for code in AccountCode.allCases {
      guard let place = code.placeInPart else { continue }
      sum.add(key, code.digestField, Int64(truncatingIfNeeded: part.figures[place]))
    }
  }
}
