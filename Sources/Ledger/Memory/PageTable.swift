#if canImport(Glibc)
  import Glibc
#endif

/// The pages of one container: their addresses and stamps, and the copy at the first write after a snapshot began.
///
/// A page is frozen while three things hold: its stamp is older than the generation, a snapshot is open, and the
/// snapshot's writer has not finished with it. A frozen page is never written, and never becomes free before the
/// snapshot ends. The same goes for pages that an open view shares (see `share`).
///
/// Growing the table doubles it: 12 bytes copied a page, so 0.1 ms at a gigabyte.
struct PageTable: ~Copyable {
  private var givenPool: UnsafeMutablePointer<PoolState>?
  /// The addresses of pages `0 ..< count`, and the generations in which they became writable.
  private var pages: UnsafeMutablePointer<UnsafeMutableRawPointer>
  private var stamps: UnsafeMutablePointer<UInt32>
  private(set) var count = 0
  /// Places before page 0 in both arrays, of pages removed; places in all.
  private var head = 0
  private var room: Int
  /// The place of page 0 among the pages of the open snapshot, if this table is part of it.
  private var frozenBase = 0
  /// How many pages were removed from the front since the table began: with it a page keeps its number in all snapshots.
  private(set) var removed: UInt64 = 0
  /// The generation of the last view that shares the pages; 0: none ever did.
  private var sharedIn: UInt32 = 0
  /// The pages are another table's, which keeps them as they are while a view is open: they are read, and no more.
  private var isBorrowed = false

  init() {
    room = 16
    pages = .allocate(capacity: room)
    stamps = .allocate(capacity: room)
  }
  /// Takes pages from that pool from now on. Called once, before all else.
  mutating func attach(_ pool: UnsafeMutablePointer<PoolState>) {
    precondition(givenPool == nil, "a table has one pool")
    PoolState.retain(pool)
    givenPool = pool
  }
  deinit {
    for i in 0..<(isBorrowed ? 0 : count) { discard(pages[i], stamp: stamps[i], place: frozenBase + i) }
    (pages - head).deallocate()
    (stamps - head).deallocate()
    if let givenPool { PoolState.release(givenPool) }
  }
  /// Where the pages come from. Not looked at twice: a table is attached before it has a page.
  @inline(__always) private var pool: UnsafeMutablePointer<PoolState> { givenPool.unsafelyUnwrapped }

  /// Page `i` to read. The caller has checked the bounds.
  @inline(__always) func read(_ i: Int) -> UnsafeMutableRawPointer { pages[i] }

  /// Page `i` to write, copied first if it is frozen. The caller has checked the bounds.
  @inline(__always) mutating func write(_ i: Int) -> UnsafeMutableRawPointer {
    if stamps[i] != pool.pointee.generation { claim(i) }
    return pages[i]
  }

  /// Notes that page `i` was written past `write`, where no open snapshot reads it. It must never be removed.
  @inline(__always) mutating func noteChange(_ i: Int) { stamps[i] = pool.pointee.generation }

  /// Page `i` to write, where `noteChange` may have been called for it: copied first if an open snapshot may read it.
  mutating func rewrite(_ i: Int) -> UnsafeMutableRawPointer {
    let isOpen = pool.pointee.snapshotIsOpen
    if isOpen, isFrozen(stamp: pool.pointee.openGeneration &- 1, place: frozenBase + i) {
      stamps[i] = min(stamps[i], pool.pointee.openGeneration &- 1)
    }
    if isViewed(stamp: pool.pointee.viewGeneration &- 1) {
      stamps[i] = min(stamps[i], pool.pointee.viewGeneration &- 1)
    }
    return write(i)
  }

  /// Makes page `i`, whose stamp is old, this generation's.
  @inline(never) private mutating func claim(_ i: Int) {
    if isViewed(stamp: stamps[i]) || isFrozen(stamp: stamps[i], place: frozenBase + i) {
      let copy = pool.pointee.allocate(zeroed: false)
      memcpy(copy, pages[i], pageByteCount)
      discard(pages[i], stamp: stamps[i], place: frozenBase + i)
      pool.pointee.copiedPages += 1
      pages[i] = copy
    }
    stamps[i] = pool.pointee.generation
  }

  private borrowing func isFrozen(stamp: UInt32, place: Int) -> Bool {
    // Acquires what the writer releases after it has read a page: its reads come before our writes.
    pool.pointee.snapshotIsOpen && stamp < pool.pointee.openGeneration
      && place >= pool.pointee.writtenPages.load(ordering: .acquiring)
  }
  private borrowing func isViewed(stamp: UInt32) -> Bool {
    sharedIn != 0 && sharedIn == pool.pointee.viewGeneration && stamp < sharedIn
  }

  private borrowing func discard(_ page: UnsafeMutableRawPointer, stamp: UInt32, place: Int) {
    if isViewed(stamp: stamp) {
      pool.pointee.viewRetired.push(page)
    } else if isFrozen(stamp: stamp, place: place) {
      pool.pointee.retired.push(page)
    } else {
      pool.pointee.free.push(page)
    }
  }

  /// The same pages as a table to be read, by the thread that owns this one, while the view lasts, which has just begun. O(pages).
  mutating func share(in view: PoolView) -> PageTable {
    sharedIn = view.generation
    var other = PageTable()
    other.attach(pool)
    for i in 0..<count { other.append(pages[i]) }
    other.removed = removed
    other.isBorrowed = true
    return other
  }

  /// Adds a page of zeros.
  mutating func append() { append(pool.pointee.allocate(zeroed: true)) }

  /// Adds a page that came from `blankPage`.
  mutating func append(_ page: UnsafeMutableRawPointer) {
    if head + count == room { makeRoom() }
    (pages + count).initialize(to: page)
    (stamps + count).initialize(to: pool.pointee.generation)
    count += 1
  }

  /// A page of zeros that is in no table yet.
  func blankPage() -> UnsafeMutableRawPointer { pool.pointee.allocate(zeroed: true) }

  /// Puts a page that came from `blankPage` in the place of page `i`.
  mutating func replace(_ i: Int, with page: UnsafeMutableRawPointer) {
    precondition(i >= 0 && i < count, "a page within the table")
    discard(pages[i], stamp: stamps[i], place: frozenBase + i)
    pages[i] = page
    stamps[i] = pool.pointee.generation
  }

  mutating func removeLast() {
    precondition(count > 0, "a table with a page")
    count -= 1
    discard(pages[count], stamp: stamps[count], place: frozenBase + count)
  }

  /// Removes page 0; the others are renumbered.
  mutating func removeFirst() {
    precondition(count > 0, "a table with a page")
    discard(pages[0], stamp: stamps[0], place: frozenBase)
    pages += 1
    stamps += 1
    head += 1
    count -= 1
    removed += 1
    frozenBase += 1
  }

  /// Lets go of all pages; the next one that is added has that number.
  mutating func removeAll(beginningAt first: UInt64) {
    while count > 0 { removeLast() }
    removed = first
  }

  /// Lays out anew the records with these numbers, of which each page has as many as fit: a record has `new` bytes in place
  /// of `old`, and what it had not is zeros.
  mutating func layOut(_ numbers: Range<UInt64>, from old: Int, to new: Int) {
    let (before, after) = (RecordLayout(numbers, size: old), RecordLayout(numbers, size: new))
    var other = PageTable()
    other.attach(pool)
    other.removeAll(beginningAt: after.first)
    for _ in 0..<after.pages { other.append() }
    for number in numbers {
      let (from, to) = (before.place(of: number), after.place(of: number))
      memcpy(other.write(to.page) + to.offset, read(from.page) + from.offset, min(old, new))
    }
    self = other
  }

  /// Room for one page more: from the front if at least half is empty there, else by doubling.
  private mutating func makeRoom() {
    let newRoom = head * 2 > room ? room : room * 2
    let newPages = UnsafeMutablePointer<UnsafeMutableRawPointer>.allocate(capacity: newRoom)
    let newStamps = UnsafeMutablePointer<UInt32>.allocate(capacity: newRoom)
    newPages.initialize(from: pages, count: count)
    newStamps.initialize(from: stamps, count: count)
    (pages - head).deallocate()
    (stamps - head).deallocate()
    (pages, stamps, head, room) = (newPages, newStamps, 0, newRoom)
  }

  /// Adds the pages as a section to a snapshot. Of the last page only `tail` bytes count.
  mutating func freeze(
    _ header: SectionHeader, _ meta: UnsafeRawBufferPointer,
    more: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0), tail: Int,
    into snapshot: inout SnapshotBuilder
  ) {
    precondition(snapshot.pool == pool, "a snapshot of the same ledger")
    frozenBase = snapshot.append(
      header, meta, more: more, first: removed, pages: pages, stamps: stamps, count: count, tail: tail)
  }

  /// Adds records that lie in these pages one behind the other, with these numbers, as a section: in their present form or
  /// a former one, as the header says.
  mutating func freeze(
    _ header: SectionHeader, _ meta: UnsafeRawBufferPointer, records: Range<UInt64>, size: Int,
    into snapshot: inout SnapshotBuilder
  ) {
    let present = RecordLayout(records, size: size)
    guard Int(header.recordSize) != size else {
      return freeze(header, meta, tail: present.tail, into: &snapshot)
    }
    precondition(snapshot.pool == pool, "a snapshot of the same ledger")
    frozenBase = snapshot.append(
      header, meta, first: removed, pages: pages, stamps: stamps, count: count, tail: present.tail,
      former: RecordLayout(records, size: Int(header.recordSize)), from: present)
  }
}

/// How records with these numbers lie in pages, each of which has as many as fit.
struct RecordLayout {
  var records: Range<UInt64>
  var size: Int
  var aPage: UInt64 { UInt64(pageByteCount / size) }
  var first: UInt64 { records.lowerBound / aPage }
  var pages: Int { Int((records.upperBound + aPage - 1) / aPage - first) }
  /// Bytes of the last page that count.
  var tail: Int {
    let rest = records.upperBound % aPage
    return pages == 0 ? 0 : Int(rest == 0 ? aPage : rest) * size
  }

  init(_ records: Range<UInt64>, size: Int) {
    self.records = records
    self.size = size
  }
  /// The numbers of the records in a page, counted from the first.
  func numbers(inPage page: Int) -> Range<UInt64> {
    let begin = (first + UInt64(page)) * aPage
    return max(begin, records.lowerBound)..<min(begin + aPage, records.upperBound)
  }
  /// Where a record lies: its page, counted from the first, and its offset there.
  func place(of number: UInt64) -> (page: Int, offset: Int) {
    (Int(number / aPage - first), Int(number % aPage) * size)
  }
}
