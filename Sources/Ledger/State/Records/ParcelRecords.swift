import Base

/// A piece of a parcel: of the one that is open, or of one that comes.
struct ParcelChunk: StateRecord, ReusedRecord {
  static let room = 1016
  var next = Ref<ParcelChunk>.none
  /// Bytes in use; 0: the place is free.
  var count: UInt32 = 0
  var bytes = InlineArray<1016, UInt8>(repeating: 0)

  private static let field: UInt64 = 35
  static var tag: TableTag { TableTag(37, "parcels", since: Semantics.splits) }
  static var belonging: Belonging { .shard }
  static var free: ParcelChunk { ParcelChunk() }
  static func forEach(in ledger: borrowing Ledger, _ body: (UnsafePointer<ParcelChunk>) -> Void) {
    ledger.tables.moves.chunks.forEach { if $1.pointee.count > 0 { body($1) } }
  }
  static func addDigest(of chunk: UnsafePointer<ParcelChunk>, in ledger: borrowing Ledger, to sum: inout DigestSum) {
    sum.add(chunk.pointee.withBytes { xxh64($0) }, field, Int64(chunk.pointee.count))
  }
  func withBytes<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
    withUnsafeBytes(of: bytes) { body(UnsafeRawBufferPointer(rebasing: $0[0..<Int(count)])) }
  }
}

/// The parcel that is open, if there is one: slots that left the shard, until their heir has taken them in.
struct ExportRecord: StateRecord {
  /// The shard's epoch since then; 0: none is open.
  var epoch: UInt64 = 0
  var heir = ShardID(0)
  var first: UInt16 = 0
  var end: UInt16 = 0
  /// The entry of the export.
  var stamp = Stamp.zero
  /// Where the journal ended after that entry, and its hash there.
  var journalEnd = JournalPosition.none
  var chain = SHA256.Digest()
  /// Of the parcel's bytes.
  var check: UInt64 = 0
  var chunkCount: UInt32 = 0
  var firstChunk = Ref<ParcelChunk>.none

  private static let field: UInt64 = 36
  static var tag: TableTag { TableTag(38, "the open parcel", since: Semantics.splits) }
  static var belonging: Belonging { .shard }
  static func forEach(in ledger: borrowing Ledger, _ body: (UnsafePointer<ExportRecord>) -> Void) {
    ledger.tables.moves.exports.forEach { if $1.pointee.epoch > 0 { body($1) } }
  }
  static func addDigest(of record: UnsafePointer<ExportRecord>, in ledger: borrowing Ledger, to sum: inout DigestSum) {
    sum.add(record.pointee.check, field, Int64(bitPattern: record.pointee.epoch))
  }
}

/// A parcel of which parts have come, and others not.
struct ArrivalRecord: StateRecord, ReusedRecord {
  /// The source's; 0: the place is free.
  var epoch: UInt64 = 0
  var source = ShardID(0)
  var parts: UInt16 = 0
  /// The part that is to come next.
  var part: UInt16 = 0
  var firstChunk = Ref<ParcelChunk>.none
  var lastChunk = Ref<ParcelChunk>.none
  var next = Ref<ArrivalRecord>.none
  var reserved: UInt32 = 0

  private static let field: UInt64 = 37
  static var tag: TableTag { TableTag(39, "parcels that come", since: Semantics.splits) }
  static var belonging: Belonging { .shard }
  static var free: ArrivalRecord { ArrivalRecord() }
  static func forEach(in ledger: borrowing Ledger, _ body: (UnsafePointer<ArrivalRecord>) -> Void) {
    ledger.tables.moves.arrivals.forEach { if $1.pointee.epoch > 0 { body($1) } }
  }
  static func addDigest(of record: UnsafePointer<ArrivalRecord>, in ledger: borrowing Ledger, to sum: inout DigestSum) {
    sum.add(UInt64(record.pointee.source.rawValue) &+ record.pointee.epoch, field, Int64(record.pointee.part))
  }
}

/// Of a shard that slots came from: the newest parcel that was taken in.
struct ImportMark: StateRecord {
  var source: ShardID
  var reserved: UInt32 = 0
  /// The source's after the export.
  var epoch: UInt64

  static var tag: TableTag { TableTag(40, "marks of parcels", since: Semantics.splits) }
  static var belonging: Belonging { .shard }
}

/// Where the shard's own journal ended when a slot came: of the records that it writes there, those behind are later than all
/// that came. There is one for each slot, in their order, once any came.
struct SlotArrival: StateRecord {
  var journalEnd = JournalPosition.none

  static var tag: TableTag { TableTag(41, "arrivals of slots", since: Semantics.splits) }
  static var belonging: Belonging { .shard }
}
