import Base

/// A first-in, first-out queue of fixed-size records in pages, covered by snapshots: what is kept for a time and then
/// dropped oldest first (request ids, refundable transactions). Pages emptied at the front become free at once.
///
/// Records are numbered from 0 in the order of arrival, for ever: a number is never reused, and says by itself whether
/// its record is still there. With a `HashIndex` over `indexValue(number)` it is a table whose oldest records can be
/// dropped in increments: finding costs the index's cache miss, adding writes next to the record added before.
///
/// Cost: as `PagedArray`.
struct PagedQueue<Record: BitwiseCopyable>: StateTable, ~Copyable {
  private var table = PageTable()
  /// The oldest record's number.
  private(set) var first: UInt64 = 0
  /// The number that the next record gets.
  private(set) var end: UInt64 = 0
  /// Bytes of a record as the pages have it: fewer than now while older records are restored.
  private var storedSize = recordSize
  static var recordSize: Int { MemoryLayout<Record>.stride }

  @inline(__always) static var recordsPerPage: UInt64 { UInt64(pageByteCount / MemoryLayout<Record>.stride) }

  init() {
    precondition(Self.recordsPerPage > 0 && MemoryLayout<Record>.alignment <= 16, "a record fits a page")
  }
  mutating func attach(_ pool: UnsafeMutablePointer<PoolState>) { table.attach(pool) }

  var count: Int { Int(end - first) }
  var isEmpty: Bool { first == end }

  /// The page of a record in the table, and its place in the page.
  @inline(__always) private func locate(_ number: UInt64) -> (page: Int, rest: Int) {
    precondition(number &- first < end &- first, "a record within the queue")
    let page = number / Self.recordsPerPage
    return (Int(page &- first / Self.recordsPerPage), Int(number &- page &* Self.recordsPerPage))
  }

  /// Record `number`, in place: one from `first ..< end`. Valid until the next mutation.
  @inline(__always) func read(_ number: UInt64) -> UnsafePointer<Record> {
    let (page, rest) = locate(number)
    return UnsafePointer(table.read(page).assumingMemoryBound(to: Record.self) + rest)
  }

  /// Record `number` to write in place, its page copied first if a snapshot still holds it. Valid until the next
  /// snapshot begins or the queue is next mutated through another call.
  @inline(__always) mutating func write(_ number: UInt64) -> UnsafeMutablePointer<Record> {
    let (page, rest) = locate(number)
    return table.write(page).assumingMemoryBound(to: Record.self) + rest
  }

  /// A copy of record `number`, or its replacement.
  subscript(_ number: UInt64) -> Record {
    @inline(__always) get { read(number).pointee }
    @inline(__always) set { write(number).pointee = newValue }
  }

  /// Adds a record and returns its number.
  @inline(__always) @discardableResult mutating func append(_ record: Record) -> UInt64 {
    let number = end
    if number % Self.recordsPerPage == 0 { table.append() }
    end = number &+ 1
    write(number).pointee = record
    return number
  }

  /// Forgets the oldest record.
  mutating func removeFirst() {
    precondition(first < end, "a queue with a record")
    first += 1
    if first % Self.recordsPerPage == 0 { table.removeFirst() }
  }

  /// What a `HashIndex` holds for record `number`: never 0, distinct among any 2^32 - 1 consecutive records.
  @inline(__always) static func indexValue(_ number: UInt64) -> UInt32 {
    UInt32(truncatingIfNeeded: number % 0xFFFF_FFFF) &+ 1
  }

  /// The number of the record in the queue that has that index value. The queue may hold at most 2^32 - 1 records.
  @inline(__always) func number(ofIndexValue value: UInt32) -> UInt64 {
    let base = first % 0xFFFF_FFFF
    let place = UInt64(value &- 1)
    return first &- base &+ place &+ (place < base ? 0xFFFF_FFFF : 0)
  }

  /// Adds the queue as it is to a snapshot. The places before the oldest record hold what they held.
  mutating func freeze(_ tag: TableTag, into snapshot: inout SnapshotBuilder) {
    var meta = ByteBuffer(capacity: 64)
    meta.append(first)
    meta.append(end)
    table.freeze(
      snapshot.header(tag, .queue, recordSize: Self.recordSize), meta.bytes, records: first..<end,
      size: Self.recordSize, into: &snapshot)
  }

  mutating func restore<Source: SnapshotSource>(
    _ section: RestoredSection, from reader: inout SnapshotReader<Source>
  ) throws {
    try section.expect(.queue, metaCount: 16)
    let (first, end) = (section.metaInteger(at: 0), section.metaInteger(at: 8))
    guard first <= end, end - first < 1 << 40, end < 1 << 62 else {
      throw MalformedBytes("a queue ends before it begins")
    }
    let aPage = UInt64(pageByteCount / section.recordSize)
    let pages = (end + aPage - 1) / aPage - first / aPage
    guard pages == section.pages, section.first == first / aPage else {
      throw MalformedBytes("a queue's count differs from its pages")
    }
    try reader.readPages(of: section, into: &table)
    (self.first, self.end) = (first, end)
    storedSize = section.recordSize
  }
  mutating func finishRestoring() {
    if isToGrow { table.layOut(first..<end, from: storedSize, to: Self.recordSize) }
    storedSize = Self.recordSize
  }
  var isToGrow: Bool { storedSize != Self.recordSize }
}
