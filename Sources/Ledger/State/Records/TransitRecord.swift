import Base

/// What is on its way from one account to other shards, and may come back. Not there where nothing is.
struct TransitRecord: StateRecord, ReusedRecord {
  var points: Points = 0
  /// `.none`: not in use.
  var program: ProgramRef
  /// The member's other accounts of which something is on its way.
  var next: Ref<TransitRecord>
  /// Lots that the points were taken from.
  var lots: UInt32 = 0
  var reserved: UInt32 = 0

  static var tag: TableTag { TableTag(21, "transits") }
  static var belonging: Belonging { .owner }
  static var free: TransitRecord { TransitRecord(program: .none, next: .none) }
  static func check(_ ledger: borrowing Ledger) throws(BrokenInvariant) { try ledger.checkTransits() }
}
