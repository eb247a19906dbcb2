import Base

/// A growable array of fixed-size records in pages, covered by snapshots (see `PagePool`).
///
/// Records are numbered from 0. A record never moves within its page, so a number is a lasting reference; an address
/// is not. `Record` should have no padding bytes, or snapshots of equal states may differ in them.
///
/// Cost: reading is two dependent loads; appending and writing a few ns more; the first write to a page while a snapshot
/// holds it copies that page, 1 to 3 µs.
struct PagedArray<Record: BitwiseCopyable>: StateTable, ~Copyable {
  private var table = PageTable()
  /// How many records there are.
  private(set) var count = 0
  /// A number that the owner keeps with it; 0 until it says otherwise.
  var note: UInt32 = 0
  /// Bytes of a record as the pages have it: fewer than now while older records are restored.
  private var storedSize = recordSize
  static var recordSize: Int { MemoryLayout<Record>.stride }

  /// Records a page: known when compiled, so that the division is a multiplication.
  @inline(__always) static var recordsPerPage: Int { pageByteCount / MemoryLayout<Record>.stride }

  init() {
    precondition(Self.recordsPerPage > 0 && MemoryLayout<Record>.alignment <= 16, "a record fits a page")
  }
  mutating func attach(_ pool: UnsafeMutablePointer<PoolState>) { table.attach(pool) }

  /// Record `i`, in place. Valid until the next mutation of this array.
  @inline(__always) func read(_ i: Int) -> UnsafePointer<Record> {
    precondition(UInt(bitPattern: i) < UInt(bitPattern: count), "a record within the array")
    let page = UInt(bitPattern: i) / UInt(bitPattern: Self.recordsPerPage)
    let rest = UInt(bitPattern: i) &- page &* UInt(bitPattern: Self.recordsPerPage)
    return UnsafePointer(
      table.read(Int(bitPattern: page)).assumingMemoryBound(to: Record.self) + Int(bitPattern: rest))
  }

  /// Record `i` to write in place, its page copied first if a snapshot still holds it. Valid until the next snapshot
  /// begins or the array is next mutated through another call.
  @inline(__always) mutating func write(_ i: Int) -> UnsafeMutablePointer<Record> {
    precondition(UInt(bitPattern: i) < UInt(bitPattern: count), "a record within the array")
    let page = UInt(bitPattern: i) / UInt(bitPattern: Self.recordsPerPage)
    let rest = UInt(bitPattern: i) &- page &* UInt(bitPattern: Self.recordsPerPage)
    return table.write(Int(bitPattern: page)).assumingMemoryBound(to: Record.self) + Int(bitPattern: rest)
  }

  /// A copy of record `i`, or its replacement.
  subscript(_ i: Int) -> Record {
    @inline(__always) get { read(i).pointee }
    @inline(__always) set { write(i).pointee = newValue }
  }

  /// Adds a record and returns its number.
  @inline(__always) @discardableResult mutating func append(_ record: Record) -> Int {
    let i = count
    if i == table.count &* Self.recordsPerPage { table.append() }
    count = i &+ 1
    write(i).pointee = record
    return i
  }

  /// Forgets the last record.
  mutating func removeLast() {
    precondition(count > 0, "an array with a record")
    count -= 1
    if count == (table.count - 1) * Self.recordsPerPage { table.removeLast() }
  }

  /// See `PageTable.share`.
  mutating func share(in view: PoolView) -> PagedArray {
    var other = PagedArray()
    other.table = table.share(in: view)
    other.count = count
    return other
  }

  /// Adds the array as it is to a snapshot.
  mutating func freeze(_ tag: TableTag, into snapshot: inout SnapshotBuilder) {
    var meta = ByteBuffer(capacity: 64)
    meta.append(UInt64(count))
    meta.append(note)
    table.freeze(
      snapshot.header(tag, .array, recordSize: Self.recordSize), meta.bytes, records: 0..<UInt64(count),
      size: Self.recordSize, into: &snapshot)
  }

  mutating func restore<Source: SnapshotSource>(
    _ section: RestoredSection, from reader: inout SnapshotReader<Source>
  ) throws {
    try section.expect(.array, metaCount: 12)
    let n = section.metaInteger(at: 0)
    let aPage = UInt64(pageByteCount / section.recordSize)
    guard n < 1 << 40, (n + aPage - 1) / aPage == section.pages else {
      throw MalformedBytes("an array's count differs from its pages")
    }
    try reader.readPages(of: section, into: &table)
    count = Int(n)
    note = section.metaNumber(at: 8)
    storedSize = section.recordSize
  }
  mutating func finishRestoring() {
    if isToGrow { table.layOut(0..<UInt64(count), from: storedSize, to: Self.recordSize) }
    storedSize = Self.recordSize
  }
  var isToGrow: Bool { storedSize != Self.recordSize }
}
