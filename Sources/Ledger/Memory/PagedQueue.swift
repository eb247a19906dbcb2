/// A first-in, first-out queue of fixed-size records in pages, covered by snapshots: what is kept for a time and then
/// dropped oldest first (request ids, refundable transactions). Pages emptied at the front become free at once.
///
/// Records are numbered from 0 in the order of arrival, for ever: a number is never reused, and says by itself whether
/// its record is still there. With a `HashIndex` over `PagedQueue.indexValue(number)` it is a table whose oldest records
/// can be dropped in increments: find costs the index's cache miss, adding writes next to the record before.
///
/// Cost: as `PagedArray`.
struct PagedQueue<Record: BitwiseCopyable>: ~Copyable {
  private var table: PageTable
  /// The oldest record's number.
  private(set) var first: UInt64 = 0
  /// The number that the next record gets.
  private(set) var end: UInt64 = 0

  @inline(__always) static var recordsPerPage: UInt64 { UInt64(pageByteCount / MemoryLayout<Record>.stride) }

  init(_ pool: borrowing PagePool)
  var count: Int 
  var isEmpty: Bool 

  /// Record `number`, in place: one from `first ..< end`. Valid until the next mutation.
  @inline(__always) func read(_ number: UInt64) -> UnsafePointer<Record> 
  /// Record `number` to write in place, its page copied first if a snapshot still holds it.
  @inline(__always) mutating func write(_ number: UInt64) -> UnsafeMutablePointer<Record> 
  /// Adds a record and returns its number.
  @inline(__always) @discardableResult mutating func append(_ record: Record) -> UInt64 
  /// Forgets the oldest record.
  mutating func removeFirst() 

  /// What a `HashIndex` holds for record `number`: never 0, distinct among any 2^32 - 1 consecutive records.
  @inline(__always) static func indexValue(_ number: UInt64) -> UInt32 
  /// The number of the record in the queue that has that index value.
  @inline(__always) func number(ofIndexValue value: UInt32) -> UInt64 

  borrowing func freeze(into snapshot: inout SnapshotBuilder)
  init<Source: SnapshotSource>(_ pool: borrowing PagePool, restoring source: inout SnapshotReader<Source>) throws
}
