import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// Bytes of one page of ledger memory. A snapshot copies a page at its first write, so a page is small enough that
/// the copy is a matter of microseconds, and large enough that a table of all pages is copied in microseconds too.
let pageByteCount = 16_384

/// Where the pages of one ledger come from, and where its snapshots begin and end.
///
/// All paged containers of a ledger share one pool and one generation number. A container stamps each page with the
/// generation in which the page became its own to write; `beginSnapshot` raises the generation, so that the first write
/// to an older page sees the difference, copies the page and leaves the old one to the snapshot. There is no reference
/// count a page, and beginning a snapshot touches no page.
///
/// A pool and its containers belong to one thread at a time; only a `FrozenSnapshot` may be read by another. The
/// memory lives until the pool, its containers and its snapshots are all gone, in whatever order.
struct PagePool: ~Copyable {
  let state: UnsafeMutablePointer<PoolState>

  /// An empty pool. Costs one small allocation; memory is mapped as pages are asked for.
  init() { state = PoolState.create() }
  deinit { PoolState.release(state) }

  /// Bytes of pages that containers or a snapshot hold.
  var usedByteCount: Int { (state.pointee.mappedPages - state.pointee.free.count) * pageByteCount }
  /// Bytes of free pages that still occupy memory, kept for the next pages asked for.
  var spareByteCount: Int { (state.pointee.free.count - state.pointee.trimmedPages) * pageByteCount }
  /// Pages copied since the pool began, because a snapshot still held them.
  var copiedPages: UInt64 { state.pointee.copiedPages }
  /// Whether a snapshot has begun and not ended.
  var hasSnapshot: Bool { state.pointee.snapshotIsOpen }

  /// Begins a snapshot: raises the generation. Add all containers to what is returned before the next mutation, then
  /// call `finish()`. One snapshot at a time: `hasSnapshot` must be false. Cost: the containers' page tables are copied,
  /// 8 bytes a page.
  mutating func beginSnapshot() -> SnapshotBuilder {
    precondition(!state.pointee.snapshotIsOpen, "one snapshot at a time")
    precondition(state.pointee.generation < UInt32.max, "generations have run out")
    state.pointee.generation += 1
    state.pointee.snapshotIsOpen = true
    state.pointee.writtenPages.store(0, ordering: .relaxed)
    return SnapshotBuilder(pool: state)
  }

  /// Ends a snapshot, written or not. Nobody may read `snapshot` afterwards. The pages it alone held become free
  /// at once, but keep their memory until they are used again or `trim` gives it back. Cost: 8 bytes copied a page held.
  mutating func endSnapshot(_ snapshot: FrozenSnapshot) {
    precondition(snapshot.pool == state && state.pointee.snapshotIsOpen, "a snapshot of this pool that has not ended")
    state.pointee.snapshotIsOpen = false
    snapshot.hasEnded.store(true, ordering: .releasing)
    state.pointee.free.append(contentsOf: &state.pointee.retired)
  }

  /// Gives the memory of up to `pages` free pages back to the system, keeping `spare` of them. Returns how many it
  /// gave back: 0 when there is nothing to do. Call it now and then (once an entry, say); costs some 3 µs a page.
  @discardableResult mutating func trim(pages: Int, spare: Int = 1024) -> Int {
    state.pointee.trim(pages: pages, spare: spare)
  }
}

/// What the containers of one ledger share. Reached by raw pointer: no reference counting on the way to a record.
struct PoolState: ~Copyable {
  /// Raised by each snapshot. A page with an older stamp may belong to a snapshot.
  var generation: UInt32 = 1
  var snapshotIsOpen = false
  /// How many pages of the open snapshot its writer has finished with, in the order in which they were added:
  /// those need no copy any more. Written by the snapshot's writer, from its own thread.
  let writtenPages = Atomic<Int>(0)
  /// The pool, each container and each snapshot.
  let users = Atomic<Int>(1)
  /// Pages that hold nothing. The first `trimmedPages` of them have no memory behind them.
  var free = PageStack()
  var trimmedPages = 0
  /// Pages only the open snapshot still needs.
  var retired = PageStack()
  var slabs = PageStack()
  var slabSizes: [Int] = []
  /// What is left of the newest slab.
  var rest: UnsafeMutableRawPointer?
  var restPages = 0
  var mappedPages = 0
  var copiedPages: UInt64 = 0
}

/// A growable stack of page addresses.
struct PageStack: ~Copyable {
  private(set) var count = 0
  private var room = 0
  private var base: UnsafeMutablePointer<UnsafeMutableRawPointer>?

  init() {}
  deinit { base?.deallocate() }

  subscript(_ i: Int) -> UnsafeMutableRawPointer {
    get {
      guard let base, i >= 0, i < count else { preconditionFailure("a page within the stack") }
      return base[i]
    }
    set {
      guard let base, i >= 0, i < count else { preconditionFailure("a page within the stack") }
      base[i] = newValue
    }
  }
  mutating func push(_ page: UnsafeMutableRawPointer) {
    let place = reserve(1)
    place.initialize(to: page)
    count += 1
  }
  mutating func pop() -> UnsafeMutableRawPointer? {
    guard count > 0, let base else { return nil }
    count -= 1
    return base[count]
  }
  /// Moves all of `other` to the top.
  mutating func append(contentsOf other: inout PageStack) {
    guard other.count > 0, let from = other.base else { return }
    reserve(other.count).update(from: from, count: other.count)
    count += other.count
    other.count = 0
  }
  private mutating func reserve(_ n: Int) -> UnsafeMutablePointer<UnsafeMutableRawPointer> {
    if let base, count + n <= room { return base + count }
    room = max(64, room * 2, count + n)
    let bigger = UnsafeMutablePointer<UnsafeMutableRawPointer>.allocate(capacity: room)
    if let base {
      bigger.update(from: base, count: count)
      base.deallocate()
    }
    base = bigger
    return bigger + count
  }
}
