import Base
import Synchronization

/// Collects the containers of a ledger as they are at one moment. Made by `PagePool.beginSnapshot`; nothing may be
/// mutated between that and `finish()`. The order in which sections are added is the order in which they are restored.
///
/// The form, little-endian: "tallymem", version u32, page size u32; then sections: kind u32, record size u32, meta length
/// u64, page count u64, bytes of the last page u64; the meta; the pages, whole but for the last one; at the end a
/// section of kind `end`.
struct SnapshotBuilder: ~Copyable {
  let pool: UnsafeMutablePointer<PoolState>
  fileprivate var meta: ByteBuffer
  fileprivate var pages: PageStack
  fileprivate var sections: [FrozenSection] = []
  fileprivate var byteCount = 0

  init(pool: UnsafeMutablePointer<PoolState>) {
    self.pool = pool
    meta = ByteBuffer(capacity: 64)
    pages = PageStack()
    swap(&meta, &pool.pointee.spareMeta)
    swap(&pages, &pool.pointee.spareTable)
    meta.removeAll()
    pages.removeAll()
    pages.makeRoom(pool.pointee.touchedPages - pool.pointee.free.count)
    meta.append(SectionHeader.magic)
    meta.append(SectionHeader.version)
    meta.append(UInt32(pageByteCount))
  }

  /// Adds a section of plain bytes: what the ledger keeps outside its containers.
  mutating func append(_ bytes: UnsafeRawBufferPointer) {
    var none = UnsafeMutableRawPointer(pool)
    _ = append(SectionHeader(.bytes, recordSize: 1), bytes, pages: &none, count: 0, tail: 0)
  }

  /// Adds a section, its meta in two parts; returns the place of its first page among all pages.
  mutating func append(
    _ header: SectionHeader, _ bytes: UnsafeRawBufferPointer,
    more: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0),
    pages added: UnsafePointer<UnsafeMutableRawPointer>, count: Int, tail: Int
  ) -> Int {
    precondition(tail >= 0 && tail <= pageByteCount && (tail > 0) == (count > 0), "a last page has bytes")
    meta.append(header.kind.rawValue)
    meta.append(header.recordSize)
    meta.append(UInt64(bytes.count + more.count))
    meta.append(UInt64(count))
    meta.append(UInt64(tail))
    meta.append(bytes)
    meta.append(more)
    let place = pages.count
    pages.append(added, count: count)
    sections.append(FrozenSection(metaEnd: meta.count, pageEnd: pages.count, tail: tail))
    if count > 0 { byteCount += (count - 1) * pageByteCount + tail }
    return place
  }

  /// The snapshot, to hand to the thread that writes it.
  consuming func finish() -> FrozenSnapshot {
    var none = UnsafeMutableRawPointer(pool)
    _ = append(
      SectionHeader(.end, recordSize: 0), UnsafeRawBufferPointer(start: nil, count: 0), pages: &none, count: 0, tail: 0)
    return FrozenSnapshot(self)
  }
}

/// Where a section ends in the snapshot's meta bytes and pages.
struct FrozenSection {
  var metaEnd: Int
  var pageEnd: Int
  var tail: Int
}

/// What a section of a snapshot begins with.
struct SectionHeader {
  enum Kind: UInt32 { case bytes = 1, array = 2, queue = 3, index = 4, blob = 5, end = 6 }
  static let magic = UInt64(littleEndian: 0x6D65_6D79_6C6C_6174)
  static let version: UInt32 = 1
  static let byteCount = 32
  var kind: Kind
  var recordSize: UInt32

  init(_ kind: Kind, recordSize: Int) {
    self.kind = kind
    self.recordSize = UInt32(recordSize)
  }
}

/// The state of a ledger at one moment, readable by another thread while the ledger goes on. End it with
/// `PagePool.endSnapshot`, whether it was written or not.
final class FrozenSnapshot: @unchecked Sendable {
  // Unchecked: until the snapshot ends everything is constant but the pages' contents, which the tables' owner leaves
  // alone (see `PageTable`), and atomics.
  let pool: UnsafeMutablePointer<PoolState>
  private var meta: ByteBuffer
  private var pages: PageStack
  private let sections: [FrozenSection]
  private let hasBegun = Atomic<Bool>(false)
  private let hasEnded = Atomic<Bool>(false)
  /// How many bytes `write` gives.
  let byteCount: Int

  fileprivate init(_ builder: consuming SnapshotBuilder) {
    pool = builder.pool
    PoolState.retain(pool)
    byteCount = builder.byteCount + builder.meta.count
    sections = builder.sections
    meta = builder.meta
    pages = builder.pages
  }
  deinit { PoolState.release(pool) }

  /// Gives the bytes to `sink`, in order, in runs of up to a page or one section's meta. Once only, from any thread:
  /// pages that `sink` has returned from belong to the ledger again and change. Throws what `sink` throws; the snapshot
  /// then still has to be ended.
  func write(to sink: (UnsafeRawBufferPointer) throws -> Void) rethrows {
    precondition(!hasBegun.exchange(true, ordering: .relaxed), "a snapshot is written once")
    var metaBegin = 0
    var page = 0
    for section in sections {
      try sink(UnsafeRawBufferPointer(rebasing: meta.bytes[metaBegin..<section.metaEnd]))
      metaBegin = section.metaEnd
      while page < section.pageEnd {
        precondition(!hasEnded.load(ordering: .acquiring), "a snapshot that has not ended")
        let count = page == section.pageEnd - 1 ? section.tail : pageByteCount
        try sink(UnsafeRawBufferPointer(start: pages[page], count: count))
        page += 1
        pool.pointee.writtenPages.store(page, ordering: .releasing)
      }
    }
  }

  /// Marks the snapshot as ended and exchanges its tables' room for what is given.
  func end(givingBack spareMeta: inout ByteBuffer, _ spareTable: inout PageStack) {
    hasEnded.store(true, ordering: .releasing)
    swap(&meta, &spareMeta)
    swap(&pages, &spareTable)
  }
}
