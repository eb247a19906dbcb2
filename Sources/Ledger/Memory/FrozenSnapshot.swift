import Base
import Synchronization

/// Collects the containers of a ledger as they are at one moment. Made by `PagePool.beginSnapshot`; nothing may be
/// mutated between that and `finish()`.
///
/// The form, little-endian: "tallymem", version u32, page size u32, 0 or 1 u32: it has only the pages that have changed since
/// another; then sections, in any order: number of the table u16, volume u16 (0), version of its records u16, kind u16,
/// record size u32, 0 u32, meta length u64, number of the first page u64 (how many were before it and are gone), page count
/// u64, bytes of the last page u64; the meta; how many runs of pages follow u32, and of each its first page and length,
/// 2 × u32; those pages, whole but for the last one of all. At the end a section of table 0.
struct SnapshotBuilder: ~Copyable {
  let pool: UnsafeMutablePointer<PoolState>
  fileprivate var meta: ByteBuffer
  fileprivate var pages: FlatStack<UnsafeMutableRawPointer>
  fileprivate var stamps: FlatStack<UInt32>
  fileprivate var sections: [FrozenSection] = []
  fileprivate var byteCount = 0
  /// In whose forms it is written.
  var semantics = Semantics.newest

  init(pool: UnsafeMutablePointer<PoolState>) {
    self.pool = pool
    meta = ByteBuffer(capacity: 64)
    pages = FlatStack()
    stamps = FlatStack()
    swap(&meta, &pool.pointee.spareMeta)
    swap(&pages, &pool.pointee.spareTable)
    swap(&stamps, &pool.pointee.spareStamps)
    meta.removeAll()
    pages.removeAll()
    stamps.removeAll()
    pages.makeRoom(pool.pointee.touchedPages - pool.pointee.free.count)
  }

  /// What the section of a table begins with.
  func header(_ tag: TableTag, _ kind: SectionHeader.Kind, recordSize: Int) -> SectionHeader {
    let version = tag.version(at: semantics)
    return SectionHeader(
      number: tag.number, version: version, kind: kind,
      recordSize: UInt32(tag.size(ofVersion: version, present: recordSize)))
  }

  /// Adds a section without pages.
  mutating func append(_ header: SectionHeader, _ bytes: UnsafeRawBufferPointer) {
    _ = append(header, bytes, first: 0, pages: nil, stamps: nil, count: 0, tail: 0)
  }

  /// Adds a section, its meta in two parts; returns the place of its first page among all pages.
  /// - Parameter former: how its records are to lie when they are written, `from` how they do.
  mutating func append(
    _ header: SectionHeader, _ bytes: UnsafeRawBufferPointer,
    more: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0),
    first: UInt64, pages added: UnsafePointer<UnsafeMutableRawPointer>?, stamps: UnsafePointer<UInt32>?, count: Int,
    tail: Int, former: RecordLayout? = nil, from present: RecordLayout? = nil
  ) -> Int {
    precondition(tail >= 0 && tail <= pageByteCount && (tail > 0) == (count > 0), "a last page has bytes")
    header.encode(into: &meta)
    meta.append(UInt64(bytes.count + more.count))
    let (written, last) = (former?.pages ?? count, former?.tail ?? tail)
    meta.append(former?.first ?? first)
    meta.append(UInt64(written))
    meta.append(UInt64(last))
    meta.append(bytes)
    meta.append(more)
    let place = pages.count
    if let added, let stamps {
      pages.append(added, count: count)
      self.stamps.append(stamps, count: count)
    }
    var section = FrozenSection(metaEnd: meta.count, pageEnd: pages.count, tail: tail)
    if let former, let present { section.rewriting = Rewriting(from: present, to: former) }
    sections.append(section)
    byteCount += 4
    if written > 0 { byteCount += 8 + (written - 1) * pageByteCount + last }
    return place
  }

  /// The snapshot, to hand to the thread that writes it.
  consuming func finish() -> FrozenSnapshot {
    append(.end, UnsafeRawBufferPointer(start: nil, count: 0))
    return FrozenSnapshot(self)
  }
}

/// Where a section ends in the snapshot's meta bytes and pages.
struct FrozenSection {
  var metaEnd: Int
  var pageEnd: Int
  var tail: Int
  var rewriting: Rewriting?
}

/// Records that are written in a form that they had before they grew.
struct Rewriting {
  var from: RecordLayout
  var to: RecordLayout

  /// Fills a page as it is to be written; its bytes that count.
  func fill(
    _ page: Int, _ bytes: UnsafeMutableRawBufferPointer, from pages: (Int) -> UnsafeMutableRawPointer
  ) -> UnsafeRawBufferPointer {
    bytes.initializeMemory(as: UInt8.self, repeating: 0)
    for number in to.numbers(inPage: page) {
      let (old, new) = (from.place(of: number), to.place(of: number))
      bytes.baseAddress?.advanced(by: new.offset).copyMemory(from: pages(old.page) + old.offset, byteCount: to.size)
    }
    return UnsafeRawBufferPointer(rebasing: bytes[0..<(page == to.pages - 1 ? to.tail : pageByteCount)])
  }
}

/// What a section of a snapshot begins with.
struct SectionHeader {
  enum Kind: UInt16 { case bytes = 1, array = 2, queue = 3, index = 4, blob = 5, record = 6, end = 7 }
  static let magic = UInt64(littleEndian: 0x6D65_6D79_6C6C_6174)
  static let version: UInt32 = 4
  /// That of a `TableTag`; 0 at the end.
  let number: UInt16
  /// Of the records.
  let version: UInt16
  let kind: Kind
  let recordSize: UInt32

  fileprivate init(number: UInt16, version: UInt16, kind: Kind, recordSize: UInt32) {
    self.number = number
    self.version = version
    self.kind = kind
    self.recordSize = recordSize
  }
  static let end = SectionHeader(number: 0, version: 0, kind: .end, recordSize: 0)

  func encode(into buffer: inout ByteBuffer) {
    buffer.append(number)
    // Of the volume, which is 0: nothing uses it.
    buffer.append(UInt16(0))
    buffer.append(version)
    buffer.append(kind.rawValue)
    buffer.append(recordSize)
    buffer.append(UInt32(0))
  }
}

/// The state of a ledger at one moment, readable by another thread while the ledger goes on. End it with
/// `PagePool.endSnapshot`, whether it was written or not.
final class FrozenSnapshot: @unchecked Sendable {
  // Unchecked: until the snapshot ends everything is constant but the pages' contents, which the tables' owner leaves
  // alone (see `PageTable`), and atomics.
  let pool: UnsafeMutablePointer<PoolState>
  private var meta: ByteBuffer
  private var pages: FlatStack<UnsafeMutableRawPointer>
  private var stamps: FlatStack<UInt32>
  private let sections: [FrozenSection]
  private let hasBegun = Atomic<Bool>(false)
  private let hasEnded = Atomic<Bool>(false)
  /// The generation that began with it.
  let generation: UInt32
  /// See `PoolState`.
  private let keptGeneration: UInt32
  /// How many bytes `write` gives.
  let byteCount: Int
  private static let headerBytes = 20

  fileprivate init(_ builder: consuming SnapshotBuilder) {
    pool = builder.pool
    PoolState.retain(pool)
    generation = builder.pool.pointee.generation
    keptGeneration = builder.pool.pointee.keptGeneration
    byteCount = FrozenSnapshot.headerBytes + builder.byteCount + builder.meta.count
    sections = builder.sections
    meta = builder.meta
    pages = builder.pages
    stamps = builder.stamps
  }
  deinit { PoolState.release(pool) }

  /// Gives the bytes to `sink`, in order, in runs of up to a page or one section's meta. Once only, from any thread:
  /// pages that `sink` has returned from belong to the ledger again and change. Throws what `sink` throws; the snapshot
  /// then still has to be ended.
  ///
  /// - Parameter changesOnly: only what has changed since the last snapshot that was kept, of which there must be one.
  func write(changesOnly: Bool = false, to sink: (UnsafeRawBufferPointer) throws -> Void) rethrows {
    precondition(!hasBegun.exchange(true, ordering: .relaxed), "a snapshot is written once")
    precondition(!changesOnly || canTellChanges, "a snapshot before this one was kept")
    var plain = ByteBuffer(capacity: 64)
    plain.append(SectionHeader.magic)
    plain.append(SectionHeader.version)
    plain.append(UInt32(pageByteCount))
    plain.append(UInt32(changesOnly ? 1 : 0))
    try sink(plain.bytes)
    var metaBegin = 0
    var page = 0
    for section in sections {
      try sink(UnsafeRawBufferPointer(rebasing: meta.bytes[metaBegin..<section.metaEnd]))
      metaBegin = section.metaEnd
      let base = page
      if let rewriting = section.rewriting {
        try write(rewriting, base, to: sink)
        page = section.pageEnd
        pool.pointee.writtenPages.store(page, ordering: .releasing)
        continue
      }
      plain.removeAll()
      plain.append(UInt32(0))
      var runs: UInt32 = 0
      forEachRun(in: base..<section.pageEnd, changesOnly) { run in
        plain.append(UInt32(run.lowerBound - base))
        plain.append(UInt32(run.count))
        runs += 1
      }
      plain.patch(runs, at: 0)
      try sink(plain.bytes)
      try forEachRun(in: base..<section.pageEnd, changesOnly) { run in
        pool.pointee.writtenPages.store(run.lowerBound, ordering: .releasing)
        for page in run {
          precondition(!hasEnded.load(ordering: .acquiring), "a snapshot that has not ended")
          let count = page == section.pageEnd - 1 ? section.tail : pageByteCount
          try sink(UnsafeRawBufferPointer(start: pages[page], count: count))
          pool.pointee.writtenPages.store(page + 1, ordering: .releasing)
        }
      }
      page = section.pageEnd
      pool.pointee.writtenPages.store(page, ordering: .releasing)
    }
  }

  /// Writes the pages of a section in a former form, in one run.
  private func write(
    _ rewriting: Rewriting, _ base: Int, to sink: (UnsafeRawBufferPointer) throws -> Void
  ) rethrows {
    var plain = ByteBuffer(capacity: 64)
    plain.append(UInt32(rewriting.to.pages > 0 ? 1 : 0))
    if rewriting.to.pages > 0 {
      plain.append(UInt32(0))
      plain.append(UInt32(rewriting.to.pages))
    }
    try sink(plain.bytes)
    var room = [UInt8](repeating: 0, count: pageByteCount)
    for page in 0..<rewriting.to.pages {
      precondition(!hasEnded.load(ordering: .acquiring), "a snapshot that has not ended")
      let numbers = rewriting.to.numbers(inPage: page)
      pool.pointee.writtenPages.store(base + rewriting.from.place(of: numbers.lowerBound).page, ordering: .releasing)
      try room.withUnsafeMutableBytes { room in try sink(rewriting.fill(page, room) { pages[base + $0] }) }
    }
  }

  /// Whether there is a snapshot to which it may be told what has changed. What is written in a former form lies in other
  /// pages than here: it is written whole.
  var canTellChanges: Bool { keptGeneration > 0 && !sections.contains { $0.rewriting != nil } }
  /// About how many bytes of pages have changed. O(pages): for the thread that writes.
  var changedByteCount: Int {
    var count = 0
    forEachRun(in: 0..<pages.count, true) { count += $0.count }
    return count * pageByteCount + meta.count
  }

  private func forEachRun(
    in range: Range<Int>, _ changesOnly: Bool, _ body: (Range<Int>) throws -> Void
  ) rethrows {
    guard changesOnly else { return range.isEmpty ? () : try body(range) }
    var page = range.lowerBound
    while page < range.upperBound {
      let first = page
      while page < range.upperBound && stamps[page] >= keptGeneration { page += 1 }
      if page > first { try body(first..<page) }
      while page < range.upperBound && stamps[page] < keptGeneration { page += 1 }
    }
  }

  /// Marks the snapshot as ended and exchanges its tables' room for what is given.
  func end(
    givingBack spareMeta: inout ByteBuffer, _ spareTable: inout FlatStack<UnsafeMutableRawPointer>,
    _ spareStamps: inout FlatStack<UInt32>
  ) {
    hasEnded.store(true, ordering: .releasing)
    swap(&meta, &spareMeta)
    swap(&pages, &spareTable)
    swap(&stamps, &spareStamps)
  }
}
