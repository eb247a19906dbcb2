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
/// count a page, and beginning a snapshot touches no page. The stamps tell as well which pages have changed since the last
/// snapshot that was kept: the next one need contain only those.
///
/// A pool and its containers belong to one thread at a time; only a `FrozenSnapshot` may be read by another. The
/// memory lives until the pool, its containers and its snapshots are all gone, in whatever order.
struct PagePool: ~Copyable {
  let state: UnsafeMutablePointer<PoolState>

  /// An empty pool. Costs one small allocation; memory is mapped as pages are asked for.
  init() { state = PoolState.create() }
  deinit { PoolState.release(state) }

  /// Bytes of pages that containers or a snapshot hold.
  var usedByteCount: Int { (state.pointee.touchedPages - state.pointee.free.count) * pageByteCount }
  /// Bytes of free pages that still occupy memory, kept for the next pages asked for.
  var spareByteCount: Int { (state.pointee.free.count - state.pointee.trimmedPages) * pageByteCount }
  /// Pages copied since the pool began, because a snapshot still held them.
  var copiedPages: UInt64 { state.pointee.copiedPages }

  /// Begins a snapshot: raises the generation. Add all containers to what is returned before the next mutation, then
  /// call `finish()`. One snapshot at a time. Cost: the containers' page tables are copied,
  /// 12 bytes a page.
  mutating func beginSnapshot() -> SnapshotBuilder {
    precondition(!state.pointee.snapshotIsOpen, "one snapshot at a time")
    precondition(state.pointee.generation < UInt32.max, "generations have run out")
    state.pointee.generation += 1
    state.pointee.openGeneration = state.pointee.generation
    state.pointee.snapshotIsOpen = true
    state.pointee.writtenPages.store(0, ordering: .relaxed)
    return SnapshotBuilder(pool: state)
  }

  /// Ends a snapshot, written or not. Nobody may read `snapshot` afterwards. The pages it alone held become free
  /// at once, but keep their memory until they are used again or `trim` gives it back. Cost: 8 bytes copied a page held.
  /// - Parameter isKept: it was written and will be there: later ones may contain only what has changed since.
  mutating func endSnapshot(_ snapshot: FrozenSnapshot, isKept: Bool = false) {
    precondition(snapshot.pool == state && state.pointee.snapshotIsOpen, "a snapshot of this pool that has not ended")
    state.pointee.snapshotIsOpen = false
    if isKept && !state.pointee.openIsFormer { state.pointee.keptGeneration = snapshot.generation }
    state.pointee.openIsFormer = false
    snapshot.end(
      givingBack: &state.pointee.spareMeta, &state.pointee.spareTable, &state.pointee.spareStamps)
    state.pointee.free.take(&state.pointee.retired)
  }

  /// Begins a view: from now on containers whose pages are shared (`PageTable.share`) before the next mutation leave these pages as they
  /// are, by copying each at its first write, until the view ends. Snapshots begin and end meanwhile as they like. Nil: one is open, or
  /// views have had their half of all generations. Requests begin views, any number of them; snapshots must not run out for that.
  mutating func beginView() -> PoolView? {
    guard state.pointee.viewGeneration == 0, state.pointee.generation < PoolView.lastGeneration else { return nil }
    state.pointee.generation += 1
    state.pointee.viewGeneration = state.pointee.generation
    return PoolView(generation: state.pointee.generation)
  }
  /// Ends the view, if one is open. Nobody may read its tables afterwards. Cost: 8 bytes copied a page that it held.
  mutating func endView() {
    guard state.pointee.viewGeneration != 0 else { return }
    state.pointee.viewGeneration = 0
    if state.pointee.snapshotIsOpen {
      state.pointee.retired.take(&state.pointee.viewRetired)
    } else {
      state.pointee.free.take(&state.pointee.viewRetired)
    }
  }

  /// The containers are as a snapshot that is kept has them: they were restored from it.
  mutating func markKept() {
    precondition(!state.pointee.snapshotIsOpen && state.pointee.generation < UInt32.max, "no snapshot is open")
    state.pointee.generation += 1
    state.pointee.keptGeneration = state.pointee.generation
  }

  /// The next snapshot is to be whole, whatever becomes of one that is open.
  mutating func forgetKept() {
    state.pointee.keptGeneration = 0
    state.pointee.openIsFormer = state.pointee.snapshotIsOpen
  }

  /// Gives the memory of up to `pages` free pages back to the system, keeping `spare` of them. Returns how many it
  /// gave back: 0 when there is nothing to do. Call it now and then (once an entry, say); costs some 3 µs a page, and
  /// more when the memory is wanted again: on a virtual machine up to 5 µs for each 4 KiB. So spare generously.
  @discardableResult mutating func trim(pages: Int, spare: Int = 8192) -> Int {
    state.pointee.trim(pages: pages, spare: spare)
  }

  /// Work for another thread, when there is some: giving real memory to address space that this pool will soon use,
  /// which would otherwise happen at the first touch of each page, in the midst of an apply. Optional. Ask once an entry
  /// or so; costs a comparison.
  mutating func takePreparation() -> PagePreparation? {
    guard let untouched = state.pointee.takeUntouched() else { return nil }
    return PagePreparation(pool: state, bytes: untouched)
  }
}

/// Address space of a pool that wants memory behind it. Run it on any thread, at any time, or drop it.
final class PagePreparation: @unchecked Sendable {
  // Unchecked: both are constants, and the system call changes no byte, whoever writes them meanwhile.
  private let pool: UnsafeMutablePointer<PoolState>
  private let bytes: UnsafeMutableRawBufferPointer

  fileprivate init(pool: UnsafeMutablePointer<PoolState>, bytes: UnsafeMutableRawBufferPointer) {
    PoolState.retain(pool)
    self.pool = pool
    self.bytes = bytes
  }
  deinit { PoolState.release(pool) }

  /// Populates the memory, 2 MiB at a time. Up to 32 MiB: some milliseconds, or some tens on a virtual machine. A kernel
  /// before 5.14 refuses, which changes nothing.
  func run() {
    guard let base = bytes.baseAddress else { return }
    let populateForWriting: Int32 = 23
    var offset = 0
    while offset < bytes.count {
      let count = min(2 << 20, bytes.count - offset)
      guard madvise(base + offset, count, populateForWriting) == 0 else { return }
      offset += count
    }
  }
}

/// An open view of a pool: see `PagePool.beginView`.
struct PoolView {
  let generation: UInt32

  static let lastGeneration = UInt32.max / 2
}
