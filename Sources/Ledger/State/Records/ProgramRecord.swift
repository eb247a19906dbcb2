import Base

/// A program's accounts in this shard that are not a merchant's.
struct ProgramRecord: StateRecord {
  /// The sum of all members' balances, kept by the accounts' changes, not by the postings against them.
  var members: Int128 = 0
  var breakage: Int128 = 0
  var adjustments: Int128 = 0
  var inTransit: Int128 = 0
  var betweenShards: Int128 = 0
  var accounts: UInt64 = 0
  /// Its number in the catalogue.
  var program: Int32
  var reserved: UInt32 = 0

  static var tag: TableTag { TableTag(27, "programs") }
  static func forEach(in ledger: borrowing Ledger, _ body: (UnsafePointer<ProgramRecord>) -> Void) {
    ledger.tables.programs.forEach { body($1) }
  }
  static func addDigest(
    of record: UnsafePointer<ProgramRecord>, in ledger: borrowing Ledger, to sum: inout DigestSum
  ) {
    let p = record.pointee
    let key = ledger.programKey(Int(p.program))
    sum.add(key, DigestField.breakage, Int64(truncatingIfNeeded: p.breakage))
    sum.add(key, DigestField.adjustments, Int64(truncatingIfNeeded: p.adjustments))
    sum.add(key, DigestField.inTransit, Int64(truncatingIfNeeded: p.inTransit))
    sum.add(key, DigestField.betweenShards, Int64(truncatingIfNeeded: p.betweenShards))
  }
}

/// A merchant's part accounts in this shard, for one program.
struct PartRecord: StateRecord {
  /// Points issued (negative: they came from here).
  var issues: Int128 = 0
  /// Points redeemed.
  var redeems: Int128 = 0
  var merchant: Int32
  var program: Int32
  /// The merchant's part for another program.
  var next: Ref<PartRecord>
  var reserved: UInt32 = 0

  static var tag: TableTag { TableTag(28, "parts of merchants") }
  /// Of the first part of each merchant.
  static var firstTag: TableTag { TableTag(29, "first parts of merchants") }
  static func forEach(in ledger: borrowing Ledger, _ body: (UnsafePointer<PartRecord>) -> Void) {
    ledger.tables.parts.forEach { body($1) }
  }
  static func addDigest(
    of record: UnsafePointer<PartRecord>, in ledger: borrowing Ledger, to sum: inout DigestSum
  ) {
    let part = record.pointee
    let key = ledger.partDigestKey(Int(part.merchant), Int(part.program))
    sum.add(key, DigestField.issues, Int64(truncatingIfNeeded: part.issues))
    sum.add(key, DigestField.redeems, Int64(truncatingIfNeeded: part.redeems))
  }
}
