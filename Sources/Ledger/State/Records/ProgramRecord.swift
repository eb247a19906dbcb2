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
