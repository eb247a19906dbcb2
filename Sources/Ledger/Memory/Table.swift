import Base

/// A record of a table by its number: from 1 on, so that zeroed memory says none.
struct Ref<Record>: BitwiseCopyable, Hashable {
  var rawValue: UInt32

  static var none: Ref { Ref(rawValue: 0) }
  @inline(__always) init(rawValue: UInt32) { self.rawValue = rawValue }
  /// - Parameter place: counted from 0.
  @inline(__always) init(place: Int) { rawValue = UInt32(truncatingIfNeeded: place &+ 1) }
  /// Counted from 0; -1 is none's.
  @inline(__always) var place: Int { Int(rawValue) &- 1 }
}

/// What tables are made of: flat, without padding, and without references that the language counts.
protocol TableRecord: BitwiseCopyable {
  /// How snapshots name its table, and the forms that it has had.
  static var tag: TableTag { get }
}

/// A record whose place another takes once it is gone.
protocol ReusedRecord: TableRecord {
  /// What lies in a free place.
  static var free: Self { get }
  /// Of a free one: the next that is free.
  var next: Ref<Self> { get set }
}

/// Records by number, and the places that are free among them. Cost: as `PagedArray`.
struct Table<Record: TableRecord>: NamedTable, ~Copyable {
  /// Its note is the first free place.
  private var records = PagedArray<Record>()
  /// How many places there are, free ones too.
  @inline(__always) var count: Int { records.count }

  /// A record in place. Valid until the next mutation.
  @inline(__always) func read(_ ref: Ref<Record>) -> UnsafePointer<Record> { records.read(ref.place) }
  /// A record to write in place. Valid until the next snapshot begins, or the next mutation.
  @inline(__always) mutating func write(_ ref: Ref<Record>) -> UnsafeMutablePointer<Record> {
    records.write(ref.place)
  }
  subscript(ref: Ref<Record>) -> Record {
    @inline(__always) get { read(ref).pointee }
    @inline(__always) set { write(ref).pointee = newValue }
  }
  /// Adds a record behind all others.
  @inline(__always) mutating func append(_ record: Record) -> Ref<Record> { Ref(place: records.append(record)) }
  /// Calls `body` with every place, free ones too.
  func forEach<E: Error>(_ body: (Ref<Record>, UnsafePointer<Record>) throws(E) -> Void) throws(E) {
    for place in 0..<count { try body(Ref(place: place), records.read(place)) }
  }

  /// See `PageTable.share`.
  mutating func share(in view: PoolView) -> Table {
    var other = Table()
    other.records = records.share(in: view)
    return other
  }

  static var recordSize: Int { PagedArray<Record>.recordSize }
  static var record: Any.Type { Record.self }
  static var tag: TableTag { Record.tag }
  mutating func attach(_ pool: UnsafeMutablePointer<PoolState>) { records.attach(pool) }
  mutating func freeze(_ tag: TableTag, into snapshot: inout SnapshotBuilder) { records.freeze(tag, into: &snapshot) }
  mutating func restore<Source: SnapshotSource>(
    _ section: RestoredSection, from reader: inout SnapshotReader<Source>
  ) throws {
    try records.restore(section, from: &reader)
    guard records.note <= records.count else { throw MalformedBytes("a free place behind the last") }
  }
  mutating func finishRestoring() { records.finishRestoring() }
  var isToGrow: Bool { records.isToGrow }
}

extension Table where Record: ReusedRecord {
  /// Adds a record, at a free place if there is one.
  mutating func add(_ record: Record) -> Ref<Record> {
    let free = Ref<Record>(rawValue: records.note)
    guard free != .none else { return append(record) }
    records.note = read(free).pointee.next.rawValue
    self[free] = record
    return free
  }
  /// Frees a record's place.
  mutating func remove(_ ref: Ref<Record>) {
    var record = Record.free
    record.next = Ref(rawValue: records.note)
    self[ref] = record
    records.note = ref.rawValue
  }
}

/// A table whose records are found by a hash. Cost of a find: the index's cache miss, and the record's.
struct KeyedTable<Record: TableRecord>: NamedTable, ~Copyable {
  private var records = Table<Record>()
  private(set) var index = HashIndex()
  @inline(__always) var count: Int { records.count }

  @inline(__always) func read(_ ref: Ref<Record>) -> UnsafePointer<Record> { records.read(ref) }
  @inline(__always) mutating func write(_ ref: Ref<Record>) -> UnsafeMutablePointer<Record> { records.write(ref) }
  subscript(ref: Ref<Record>) -> Record {
    @inline(__always) get { records.read(ref).pointee }
  }
  /// The first record under a hash that `matches` accepts: it compares keys.
  @inline(__always) func find(_ hash: UInt64, _ matches: (UnsafePointer<Record>) -> Bool) -> Ref<Record>? {
    index.find(hash) { matches(records.read(Ref(rawValue: $0))) }.map { Ref(rawValue: $0) }
  }
  /// See `HashIndex.firstCell`.
  @inline(__always) func firstCell(_ hash: UInt64) -> UInt64 { index.firstCell(hash) }
  /// Any record that may be under a hash, without a look at it.
  @inline(__always) func candidate(_ hash: UInt64) -> Ref<Record>? {
    index.find(hash) { _ in true }.map { Ref(rawValue: $0) }
  }
  mutating func append(_ record: Record, _ hash: UInt64) -> Ref<Record> {
    let ref = records.append(record)
    index.insert(hash, ref.rawValue)
    return ref
  }
  func forEach<E: Error>(_ body: (Ref<Record>, UnsafePointer<Record>) throws(E) -> Void) throws(E) {
    try records.forEach(body)
  }

  /// See `PageTable.share`. Nothing is found in it by its hash.
  mutating func share(in view: PoolView) -> KeyedTable {
    var other = KeyedTable()
    other.records = records.share(in: view)
    return other
  }

  static var recordSize: Int { PagedArray<Record>.recordSize }
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

extension KeyedTable where Record: ReusedRecord {
  /// Adds a record that is found in the place of another under the same hash, or beside all others where there is none.
  mutating func add(_ record: Record, _ hash: UInt64, before other: Ref<Record>) -> Ref<Record> {
    guard other != .none else { return add(record, hash) }
    let ref = records.add(record)
    index.replace(hash, other.rawValue, with: ref.rawValue)
    return ref
  }
  /// Lets a record be found no more. It keeps its place.
  mutating func unindex(_ ref: Ref<Record>, _ hash: UInt64) { index.remove(hash, ref.rawValue) }
  /// Frees the place of a record that is not found.
  mutating func removeUnindexed(_ ref: Ref<Record>) { records.remove(ref) }
  mutating func add(_ record: Record, _ hash: UInt64) -> Ref<Record> {
    let ref = records.add(record)
    index.insert(hash, ref.rawValue)
    return ref
  }
  mutating func remove(_ ref: Ref<Record>, _ hash: UInt64) {
    index.remove(hash, ref.rawValue)
    records.remove(ref)
  }
}
