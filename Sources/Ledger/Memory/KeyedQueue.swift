import Base

/// A queue whose records are found by a hash as long as they are in it. Cost of a find: the index's cache miss, and the
/// record's. It may hold at most 2^32 - 1 records.
struct KeyedQueue<Record: TableRecord>: NamedTable, ~Copyable {
  private var records = PagedQueue<Record>()
  private(set) var index = HashIndex()

  @inline(__always) var first: UInt64 { records.first }
  @inline(__always) var end: UInt64 { records.end }
  @inline(__always) var count: Int { records.count }
  @inline(__always) var isEmpty: Bool { records.isEmpty }

  @inline(__always) func read(_ number: UInt64) -> UnsafePointer<Record> { records.read(number) }
  @inline(__always) mutating func write(_ number: UInt64) -> UnsafeMutablePointer<Record> { records.write(number) }

  /// The number of the first record under a hash that `matches` accepts: it compares keys.
  @inline(__always) func find(_ hash: UInt64, _ matches: (UInt64, UnsafePointer<Record>) -> Bool) -> UInt64? {
    let value = index.find(hash) { value in
      let number = records.number(ofIndexValue: value)
      return number < records.end && matches(number, records.read(number))
    }
    return value.map { records.number(ofIndexValue: $0) }
  }
  /// See `HashIndex.firstCell`.
  @inline(__always) func firstCell(_ hash: UInt64) -> UInt64 { index.firstCell(hash) }

  @inline(__always) @discardableResult mutating func append(_ record: Record, _ hash: UInt64) -> UInt64 {
    let number = records.append(record)
    index.insert(hash, PagedQueue<Record>.indexValue(number))
    return number
  }
  /// Adds a record that is not to be found.
  mutating func append(unindexed record: Record) -> UInt64 { records.append(record) }
  /// Puts a record at the end, and has it found there instead of at its old number.
  mutating func moveToEnd(_ number: UInt64, as record: Record, _ hash: UInt64) {
    let new = records.append(record)
    index.replace(hash, PagedQueue<Record>.indexValue(number), with: PagedQueue<Record>.indexValue(new))
  }
  /// Lets a record be found no more. It stays in the queue.
  mutating func unindex(_ number: UInt64, _ hash: UInt64) {
    index.remove(hash, PagedQueue<Record>.indexValue(number))
  }
  /// Forgets the oldest record, which is found no more.
  mutating func removeFirst() { records.removeFirst() }
  func forEach<E: Error>(_ body: (UInt64, UnsafePointer<Record>) throws(E) -> Void) throws(E) {
    for number in first..<end { try body(number, records.read(number)) }
  }

  static var recordSize: Int { PagedQueue<Record>.recordSize }
  static var record: Any.Type { Record.self }
  static var tag: TableTag { Record.tag }
  mutating func attach(_ pool: UnsafeMutablePointer<PoolState>) {
    records.attach(pool)
    index.attach(pool)
  }
  mutating func freeze(_ tag: TableTag, into snapshot: inout SnapshotBuilder) {
    records.freeze(tag, into: &snapshot)
    index.freeze(tag.index, into: &snapshot)
  }
  mutating func restore<Source: SnapshotSource>(
    _ section: RestoredSection, from reader: inout SnapshotReader<Source>
  ) throws {
    if section.kind == .index {
      try index.restore(section, from: &reader)
    } else {
      try records.restore(section, from: &reader)
    }
  }
  mutating func finishRestoring() throws {
    records.finishRestoring()
    try index.finishRestoring()
  }
  var isToGrow: Bool { records.isToGrow }
}
