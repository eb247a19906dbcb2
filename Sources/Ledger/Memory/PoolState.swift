import Base
import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// What the containers of one ledger share. Reached by raw pointer: no reference counting on the way to a record.
struct PoolState: ~Copyable {
  /// Raised by each snapshot. A page with an older stamp may belong to a snapshot.
  var generation: UInt32 = 1
  var snapshotIsOpen = false
  /// The generation that began with the open snapshot: it has pages with an older stamp.
  var openGeneration: UInt32 = 0
  /// The same of the open view (see `PagePool.beginView`); 0: none is open.
  var viewGeneration: UInt32 = 0
  /// The open snapshot is of a form that the next one is not of.
  var openIsFormer = false
  /// The generation that began with the snapshot which was last written or read: pages with an older stamp are in it as
  /// they are. 0: there is none.
  var keptGeneration: UInt32 = 0
  /// How many pages of the open snapshot its writer has finished with, in the order in which they were added:
  /// those need no copy any more. Written by the snapshot's writer, from its own thread.
  let writtenPages = Atomic<Int>(0)
  /// The pool, each container and each snapshot: the last one to go frees the memory.
  let users = Atomic<Int>(1)
  /// Pages that hold nothing. The first `trimmedPages` of them have no memory behind them, and so read as zeros.
  var free = FlatStack<UnsafeMutableRawPointer>()
  var trimmedPages = 0
  /// Pages that only the open snapshot still needs.
  var retired = FlatStack<UnsafeMutableRawPointer>()
  /// Pages that the open view still needs, and perhaps the open snapshot too.
  var viewRetired = FlatStack<UnsafeMutableRawPointer>()
  /// What the last snapshot's tables were kept in, for the next one: touching new memory is most of what beginning a
  /// snapshot costs.
  var spareMeta = ByteBuffer(capacity: 64)
  var spareTable = FlatStack<UnsafeMutableRawPointer>()
  var spareStamps = FlatStack<UInt32>()
  /// Mappings, and their sizes in pages.
  private var slabs: [(base: UnsafeMutableRawPointer, pages: Int)] = []
  /// What is left of the newest slab: never touched yet.
  private var rest: UnsafeMutableRawPointer?
  private var restPages = 0
  /// How many slabs `takeUntouched` has seen.
  private var preparedSlabs = 0
  /// Pages ever taken from a slab.
  private(set) var touchedPages = 0
  var copiedPages: UInt64 = 0

  private init() {}
  deinit {
    for slab in slabs { munmap(slab.base, slab.pages * pageByteCount) }
  }

  static func create() -> UnsafeMutablePointer<PoolState> {
    let state = UnsafeMutablePointer<PoolState>.allocate(capacity: 1)
    state.initialize(to: PoolState())
    return state
  }
  static func retain(_ state: UnsafeMutablePointer<PoolState>) {
    state.pointee.users.wrappingAdd(1, ordering: .relaxed)
  }
  static func release(_ state: UnsafeMutablePointer<PoolState>) {
    guard state.pointee.users.wrappingSubtract(1, ordering: .acquiringAndReleasing).newValue == 0 else { return }
    state.deinitialize(count: 1)
    state.deallocate()
  }

  /// A page for a container; all zeros if asked for, else whatever it held before.
  mutating func allocate(zeroed: Bool) -> UnsafeMutableRawPointer {
    if let page = free.pop() {
      if free.count < trimmedPages {
        trimmedPages = free.count
      } else if zeroed {
        memset(page, 0, pageByteCount)
      }
      return page
    }
    if restPages == 0 { mapSlab() }
    guard let page = rest else { preconditionFailure("a slab was mapped") }
    rest = page + pageByteCount
    restPages -= 1
    touchedPages += 1
    return page
  }

  /// The part of the newest slab that nobody has touched, if it is worth preparing and was not handed out yet.
  mutating func takeUntouched() -> UnsafeMutableRawBufferPointer? {
    guard preparedSlabs < slabs.count, let rest, restPages * pageByteCount >= 1 << 20 else { return nil }
    preparedSlabs = slabs.count
    return UnsafeMutableRawBufferPointer(start: rest, count: restPages * pageByteCount)
  }

  /// What the next slab has: a quarter of what there is, so that the ledgers of a node that is near the end of its memory do
  /// not take much at once; 256 KiB to 32 MiB, and a huge page as soon as that is half of what there is.
  private var nextSlabBytes: Int {
    let all = slabs.reduce(0) { $0 + $1.pages } * pageByteCount
    guard all >= 2 * PoolState.hugePage else { return max(256 << 10, all / 4 / pageByteCount * pageByteCount) }
    return min(32 << 20, max(1, all / 4 / PoolState.hugePage) * PoolState.hugePage)
  }
  private static var hugePage: Int { 2 << 20 }

  /// From 2 MiB on slabs ask for huge pages: a random access among gigabytes would otherwise miss the address translation
  /// cache as well as the data cache.
  private mutating func mapSlab() {
    let hugePage = PoolState.hugePage
    let byteCount = nextSlabBytes
    let isHuge = byteCount >= hugePage
    let slack = isHuge ? hugePage : pageByteCount
    let mapping = mmap(
      nil, byteCount + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    guard let mapping, mapping != MAP_FAILED else { preconditionFailure("the system has no more address space") }
    let before = (slack - Int(bitPattern: mapping) % slack) % slack
    let base = mapping + before
    if before > 0 { munmap(mapping, before) }
    if before < slack { munmap(base + byteCount, slack - before) }
    if isHuge { madvise(base, byteCount, MADV_HUGEPAGE) }
    slabs.append((base, byteCount / pageByteCount))
    rest = base
    restPages = byteCount / pageByteCount
  }

  /// See `PagePool.trim`.
  mutating func trim(pages: Int, spare: Int) -> Int {
    var trimmed = 0
    while trimmed < pages && free.count - trimmedPages > spare {
      madvise(free[trimmedPages], pageByteCount, MADV_DONTNEED)
      trimmedPages += 1
      trimmed += 1
    }
    return trimmed
  }
}

/// A growable stack of flat values: pages' addresses, or their stamps.
struct FlatStack<Element: BitwiseCopyable>: ~Copyable {
  private(set) var count = 0
  private var room = 0
  private var base: UnsafeMutablePointer<Element>?

  init() {}
  deinit { base?.deallocate() }

  subscript(_ i: Int) -> Element {
    guard let base, i >= 0, i < count else { preconditionFailure("a value within the stack") }
    return base[i]
  }
  mutating func push(_ value: Element) {
    reserve(1).initialize(to: value)
    count += 1
  }
  mutating func pop() -> Element? {
    guard count > 0, let base else { return nil }
    count -= 1
    return base[count]
  }
  /// Makes room for `n` more.
  mutating func makeRoom(_ n: Int) { if n > 0 { _ = reserve(n) } }
  mutating func append(_ values: UnsafePointer<Element>, count n: Int) {
    guard n > 0 else { return }
    reserve(n).initialize(from: values, count: n)
    count += n
  }
  /// Moves all of `other` to the top.
  mutating func take(_ other: inout FlatStack) {
    guard other.count > 0, let from = other.base else { return }
    append(from, count: other.count)
    other.count = 0
  }
  /// Forgets all, and keeps the room.
  mutating func removeAll() { count = 0 }
  private mutating func reserve(_ n: Int) -> UnsafeMutablePointer<Element> {
    if let base, count + n <= room { return base + count }
    room = max(64, room * 2, count + n)
    let bigger = UnsafeMutablePointer<Element>.allocate(capacity: room)
    if let base {
      bigger.initialize(from: base, count: count)
      base.deallocate()
    }
    base = bigger
    return bigger + count
  }
}
