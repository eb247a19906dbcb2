import Base
import Synchronization
import Testing

@testable import Ledger

#if canImport(Glibc)
  import Glibc
#endif

struct StepCount: SingleRecord {
  var steps: UInt64 = 0
  static var tag: TableTag { .one }
}
extension TableTag {
  static let one = TableTag(1, "one")
}

/// A small ledger-like state of every kind of container, with one operation that touches them all.
struct TestState: TabledState, ~Copyable, @unchecked Sendable {
  var pool: PagePool
  var array: PagedArray<TestRecord>
  var queue: PagedQueue<TestRecord>
  var index: HashIndex
  var blob: PagedBlob
  var random: SeededGenerator
  var count = StepCount()
  var steps: UInt64 {
    get { count.steps }
    set { count.steps = newValue }
  }

  init(seed: UInt64) {
    pool = PagePool()
    array = PagedArray(pool)
    queue = PagedQueue(pool)
    index = HashIndex(pool)
    blob = PagedBlob(pool)
    random = SeededGenerator(seed: seed)
  }

  /// - Parameter changes: snapshots of what changed since the one before each.
  init(restoring bytes: [UInt8], changes: [[UInt8]] = [], seed: UInt64) throws {
    self.init(seed: seed)
    var forms: [SectionForm] = []
    for (i, bytes) in ([bytes] + changes).enumerated() {
      var reader = try SnapshotReader(MemorySnapshotSource(bytes))
      guard reader.hasChangesOnly == (i > 0) else { throw MalformedBytes("not what comes next") }
      try restoreTables(from: &reader, forms: &forms)
    }
    if try finishRestoring() { pool.markKept() }
  }

  mutating func visitTables<V: TableVisitor & ~Copyable>(_ visitor: inout V) throws(V.Failure) {
    try visitor.visit(&count, TableTag(1, "steps"))
    try visitor.visit(&array, TableTag(2, "the array"))
    try visitor.visit(&queue, TableTag(3, "the queue"))
    try visitor.visit(&index, TableTag(4, "the index"))
    try visitor.visit(&blob, TableTag(5, "the blob"))
  }

  mutating func step() {
    steps += 1
    let number = random.next()
    let reference = withUnsafeBytes(of: number) {
      blob.append(UnsafeRawBufferPointer(rebasing: $0[..<Int(1 + number % 8)]))
    }
    let i = array.append(TestRecord(number, reference))
    index.insert(number, UInt32(i + 1))
    let other = Int(random.next(upperBound: UInt64(array.count)))
    array.write(other).pointee = TestRecord(array[other].key, random.next())
    let place = queue.append(TestRecord(number, steps))
    if number % 3 == 0 { queue.write(queue.first + (place - queue.first) / 2).pointee.value += 1 }
    if number % 4 > 0 && queue.count > 3_000 { queue.removeFirst() }
    if number % 5 == 0 {
      let old = array.read(other).pointee.key
      if index.remove(old, UInt32(other + 1)) { index.insert(old, UInt32(other + 1)) }
    }
    if number % 11 == 0 {
      index.remove(number, UInt32(i + 1))
      array.removeLast()
    }
  }

  mutating func freeze() -> FrozenSnapshot {
    frozen(into: pool.beginSnapshot()).finish()
  }

  mutating func image() -> [UInt8] {
    let snapshot = freeze()
    defer { pool.endSnapshot(snapshot) }
    return written(snapshot)
  }
}

@Suite struct MemorySnapshotTests {
  @Test(arguments: 1...4 as ClosedRange<UInt64>) func aSnapshotHoldsWhatWasThereWhenItBegan(seed: UInt64) {
    var state = TestState(seed: seed)
    for round in 0..<6 {
      for _ in 0..<(round == 0 ? 0 : 9_000) { state.step() }
      let expected = state.image()
      let copied = state.pool.copiedPages
      let snapshot = state.freeze()
      for _ in 0..<5_000 { state.step() }
      #expect(snapshot.byteCount == expected.count)
      #expect(same(written(snapshot), expected))
      if round > 0 { #expect(state.pool.copiedPages > copied) }
      state.pool.endSnapshot(snapshot)
      state.pool.trim(pages: 10, spare: 5)
    }
  }

  /// Whole snapshots and changes in turn, written while the state goes on, some of them lost; restored in between.
  @Test(arguments: 1...6 as ClosedRange<UInt64>) func changesGiveWhatAWholeSnapshotGives(seed: UInt64) throws {
    var state = TestState(seed: seed)
    var random = SeededGenerator(seed: seed + 50)
    var whole: [UInt8] = []
    var changes: [[UInt8]] = []
    var saved = 0
    for round in 0..<24 as Range<UInt64> {
      for _ in 0..<random.next(upperBound: 6_000 as UInt64) { state.step() }
      let expected = state.image()
      let snapshot = state.freeze()
      let changesOnly = round > 0 && random.next(upperBound: 6 as UInt64) > 0
      var bytes: [UInt8] = []
      var left = 3_000
      snapshot.write(changesOnly: changesOnly) { run in
        if left > 0 { for _ in 0..<20 { state.step() } }
        left -= 20
        bytes.append(contentsOf: run)
      }
      let isKept = round == 0 || random.next(upperBound: 4 as UInt64) > 0
      if isKept && changesOnly {
        changes.append(bytes)
        saved += expected.count - bytes.count
      } else if isKept {
        (whole, changes) = (bytes, [])
      }
      state.pool.endSnapshot(snapshot, isKept: isKept)
      guard isKept else { continue }
      var restored = try TestState(restoring: whole, changes: changes, seed: seed + round)
      #expect(same(restored.image(), expected))
      if round % 3 == 0 { state = restored }
    }
    #expect(saved > 1 << 20)
  }

  @Test func changesOfAnotherStateAreRefused() throws {
    var state = TestState(seed: 1)
    for _ in 0..<20_000 { state.step() }
    var images: [[UInt8]] = []
    for _ in 0..<3 {
      let snapshot = state.freeze()
      var bytes: [UInt8] = []
      snapshot.write(changesOnly: !images.isEmpty) { bytes.append(contentsOf: $0) }
      state.pool.endSnapshot(snapshot, isKept: true)
      images.append(bytes)
      for _ in 0..<20_000 { state.step() }
    }
    #expect(try TestState(restoring: images[0], changes: [images[1], images[2]], seed: 1).steps == 60_000)
    #expect(throws: MalformedBytes.self) { _ = try TestState(restoring: images[1], seed: 1).steps }
    // Pages are missing that came with the first changes.
    #expect(throws: MalformedBytes.self) {
      _ = try TestState(restoring: images[0], changes: [images[2]], seed: 1).steps
    }
  }

  /// Pages that are in none of the snapshots that are restored are missed, though nothing else tells of them.
  @Test func changesThatLeaveOutNewPagesAreRefused() throws {
    var pool = PagePool()
    var array = PagedArray<TestRecord>(pool)
    var images: [[UInt8]] = []
    for pages in [5, 3, 0] {
      for i in 0..<pages * PagedArray<TestRecord>.recordsPerPage { array.append(TestRecord(UInt64(i), 1)) }
      var builder = pool.beginSnapshot()
      array.freeze(.one, into: &builder)
      let snapshot = builder.finish()
      var bytes: [UInt8] = []
      snapshot.write(changesOnly: !images.isEmpty) { bytes.append(contentsOf: $0) }
      pool.endSnapshot(snapshot, isKept: true)
      images.append(bytes)
    }
    func restore(_ numbers: [Int]) throws -> Int {
      var restored = PagedArray<TestRecord>(PagePool())
      for number in numbers {
        var reader = try SnapshotReader(MemorySnapshotSource(images[number]))
        let section = try #require(try reader.nextSection())
        try restored.restore(section, from: &reader)
        #expect(try reader.nextSection() == nil)
      }
      return restored.count
    }
    #expect(try restore([0, 1, 2]) == array.count)
    #expect(throws: MalformedBytes.self) { _ = try restore([0, 2]) }
  }

  @Test(arguments: 1...4 as ClosedRange<UInt64>) func aSnapshotMayBeWrittenBitByBitWhileTheStateChanges(seed: UInt64) {
    var state = TestState(seed: seed)
    for _ in 0..<30_000 { state.step() }
    for _ in 0..<4 {
      let expected = state.image()
      let snapshot = state.freeze()
      var bytes: [UInt8] = []
      snapshot.write { run in
        for _ in 0..<30 { state.step() }
        bytes.append(contentsOf: run)
      }
      #expect(same(bytes, expected))
      state.pool.endSnapshot(snapshot)
    }
  }

  @Test(arguments: 1...3 as ClosedRange<UInt64>) func anotherThreadMayWriteTheSnapshotMeanwhile(seed: UInt64) throws {
    final class Writer: Sendable {
      let snapshot: FrozenSnapshot
      let isDone = Atomic<Bool>(false)
      let result = Mutex<[UInt8]>([])
      init(_ snapshot: FrozenSnapshot) { self.snapshot = snapshot }
      func run() {
        let bytes = written(snapshot)
        result.withLock { $0 = bytes }
        isDone.store(true, ordering: .releasing)
      }
    }
    var state = TestState(seed: seed)
    for _ in 0..<40_000 { state.step() }
    for _ in 0..<8 {
      let expected = state.image()
      let writer = Writer(state.freeze())
      var thread = pthread_t()
      let context = Unmanaged.passRetained(writer)
      let started = pthread_create(
        &thread, nil,
        { context in
          guard let context else { return nil }
          Unmanaged<Writer>.fromOpaque(context).takeRetainedValue().run()
          return nil
        }, context.toOpaque())
      try #require(started == 0)
      var steps = 0
      while !writer.isDone.load(ordering: .acquiring) || steps < 2_000 {
        state.step()
        steps += 1
      }
      pthread_join(thread, nil)
      #expect(writer.result.withLock { same($0, expected) })
      state.pool.endSnapshot(writer.snapshot)
    }
  }

  @Test(arguments: 1...5 as ClosedRange<UInt64>) func aRestoredStateIsTheSameAndGoesOnTheSame(seed: UInt64) throws {
    var state = TestState(seed: seed)
    for _ in 0..<Int(seed - 1) * 7_001 { state.step() }
    let bytes = state.image()
    var restored = try TestState(restoring: bytes, seed: seed + 100)
    state.random = SeededGenerator(seed: seed + 100)
    restored.steps = state.steps
    let again = restored.image()
    #expect(same(again, bytes))
    for _ in 0..<10_000 {
      state.step()
      restored.step()
    }
    let (one, other) = (restored.image(), state.image())
    #expect(same(one, other))
    #expect(restored.pool.usedByteCount == state.pool.usedByteCount)
  }

  @Test func anythingCutOrForeignIsRefused() throws {
    var state = TestState(seed: 3)
    for _ in 0..<3_000 { state.step() }
    let bytes = state.image()
    for count in [0, 7, 15, 20, 60, bytes.count / 3, bytes.count / 2, bytes.count - 1] {
      #expect(throws: MalformedBytes.self) { _ = try TestState(restoring: Array(bytes[..<count]), seed: 1).steps }
    }
    // Every byte of the beginning, and of what describes the array, has a meaning that is checked.
    let places = [
      0, 8, 12, 16, 20, 22, 24, 26, 28, 32, 36, 44, 52, 60, 76, 80, 82, 84, 86, 88, 92, 96, 104, 112, 120, 128, 140,
      144, 148,
    ]
    for at in places {
      var changed = bytes
      changed[at] ^= 0x40
      #expect(throws: MalformedBytes.self) { _ = try TestState(restoring: changed, seed: 1).steps }
    }
  }

  @Test func beginningASnapshotCopiesNothingAndEndingItFreesWhatWasCopied() {
    var state = TestState(seed: 9)
    for _ in 0..<50_000 { state.step() }
    let used = state.pool.usedByteCount
    let snapshot = state.freeze()
    #expect(state.pool.usedByteCount == used && state.pool.copiedPages == 0)
    let pages = state.array.count / 682
    for page in 0..<pages { state.array.write(page * 682).pointee.value = 1 }
    for page in 0..<pages { state.array.write(page * 682 + 1).pointee.value = 1 }
    #expect(state.pool.copiedPages == UInt64(pages))
    #expect(state.pool.usedByteCount == used + pages * pageByteCount)
    state.pool.endSnapshot(snapshot)
    #expect(state.pool.usedByteCount == used)
    for page in 0..<pages { state.array.write(page * 682).pointee.value = 2 }
    #expect(state.pool.copiedPages == UInt64(pages))
  }

  @Test func aPageThatIsWrittenOutNeedsNoCopy() {
    var state = TestState(seed: 9)
    for _ in 0..<50_000 { state.step() }
    let snapshot = state.freeze()
    _ = written(snapshot)
    for _ in 0..<5_000 { state.step() }
    #expect(state.pool.copiedPages == 0)
    state.pool.endSnapshot(snapshot)
  }

  @Test func aSnapshotOutlivesTheLedgerItCameFrom() {
    func make() -> (snapshot: FrozenSnapshot, expected: [UInt8]) {
      var state = TestState(seed: 4)
      for _ in 0..<20_000 { state.step() }
      let expected = state.image()
      let snapshot = state.freeze()
      for _ in 0..<3_000 { state.step() }
      return (snapshot, expected)
    }
    let (snapshot, expected) = make()
    #expect(same(written(snapshot), expected))
  }

  @Test func pagesDroppedFromTheFrontOfAQueueDoNotShiftWhatIsFrozen() {
    func fill(_ queue: inout PagedQueue<TestRecord>) {
      for i in 0..<682 * 20 { queue.append(TestRecord(UInt64(i), 1)) }
    }
    var pool = PagePool()
    var queue = PagedQueue<TestRecord>(pool)
    fill(&queue)
    var expected: [UInt8] = []
    for round in 0..<2 {
      var builder = pool.beginSnapshot()
      queue.freeze(.one, into: &builder)
      let snapshot = builder.finish()
      var bytes: [UInt8] = []
      var runs = 0
      snapshot.write { run in
        runs += 1
        if round == 1 && runs == 6 {
          // The writer has finished with two pages and is at the third; the queue loses its first two, and then all
          // that are left are written to.
          for _ in 0..<682 * 2 { queue.removeFirst() }
          for page in 2..<20 as Range<UInt64> { queue.write(page * 682).pointee.value = 9 }
        }
        bytes.append(contentsOf: run)
      }
      pool.endSnapshot(snapshot)
      if round == 0 { expected = bytes }
      #expect(same(bytes, expected))
    }
    #expect(pool.copiedPages == 18)
  }

  /// The bytes of an index alone; `meanwhile` runs between the snapshot's beginning and its writing.
  private func image(
    _ pool: inout PagePool, _ index: inout HashIndex, meanwhile: (inout HashIndex) -> Void = { _ in }
  ) -> [UInt8] {
    var builder = pool.beginSnapshot()
    index.freeze(.one, into: &builder)
    let snapshot = builder.finish()
    defer { pool.endSnapshot(snapshot) }
    meanwhile(&index)
    return written(snapshot)
  }

  @Test func pagesThatSplitMeanwhileStayWithTheSnapshot() {
    var pool = PagePool()
    var index = HashIndex(pool)
    // One page, so full that the next insert splits it before it writes to it.
    for i in 1...HashIndex.splitCount { index.insert(UInt64(i), i) }
    let expected = image(&pool, &index)
    let bytes = image(&pool, &index) { index in
      for i in HashIndex.splitCount + 1...10_000 { index.insert(UInt64(i), i) }
    }
    #expect(same(bytes, expected))
  }

  @Test func aRestoredIndexFindsWhatIsInItsChains() throws {
    var pool = PagePool()
    var index = HashIndex(pool)
    for i in 1...6_000 as ClosedRange<UInt32> { index.insert(42, i) }
    let bytes = image(&pool, &index)
    var reader = try SnapshotReader(MemorySnapshotSource(bytes))
    var restored = HashIndex(pool)
    let section = try #require(try reader.nextSection())
    try restored.restore(section, from: &reader)
    try restored.finishRestoring()
    #expect(restored.values(42) == index.values(42) && restored.values(42).count == 6_000)
  }
}
