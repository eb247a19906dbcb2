import Base
import Testing

@testable import Ledger

/// A state as one build has it: some tables, whose records are of some version.
private struct FormState<Record: BitwiseCopyable>: TabledState, ~Copyable {
  var pool = PagePool()
  var array: PagedArray<Record>
  var queue: PagedQueue<Record>
  var blob: PagedBlob
  private let former: [TableTag.Form]
  /// Whether this build has the blob at all.
  let hasBlob: Bool
  var isBlobFirst = false
  var blobSince: UInt8 = 1

  /// - Parameter until: the semantics by which records have grown.
  init(formerSizes: [Int] = [], until: UInt8 = Semantics.first, hasBlob: Bool = true) {
    array = PagedArray(pool)
    queue = PagedQueue(pool)
    blob = PagedBlob(pool)
    former = formerSizes.map { TableTag.Form(bytes: $0, until: until) }
    self.hasBlob = hasBlob
  }
  mutating func visitTables<V: TableVisitor & ~Copyable>(_ visitor: inout V) throws(V.Failure) {
    if hasBlob && isBlobFirst { try visitor.visit(&blob, TableTag(3, "the blob", since: blobSince)) }
    try visitor.visit(&array, TableTag(1, "the array", former: former))
    try visitor.visit(&queue, TableTag(2, "the queue", former: former))
    if hasBlob && !isBlobFirst { try visitor.visit(&blob, TableTag(3, "the blob", since: blobSince)) }
  }
  mutating func image(changesOnly: Bool = false, semantics: UInt8 = Semantics.newest) -> [UInt8] {
    let snapshot = frozen(into: pool.beginSnapshot(), semantics: semantics).finish()
    var bytes: [UInt8] = []
    snapshot.write(changesOnly: changesOnly) { bytes.append(contentsOf: $0) }
    pool.endSnapshot(snapshot, isKept: true)
    return bytes
  }
  mutating func restore(_ images: [[UInt8]]) throws -> Bool {
    var forms: [SectionForm] = []
    for image in images {
      var reader = try SnapshotReader(MemorySnapshotSource(image))
      try restoreTables(from: &reader, forms: &forms)
    }
    return try finishRestoring()
  }
}

private struct Small: BitwiseCopyable, Equatable {
  var key: UInt64
}
private struct Large: BitwiseCopyable, Equatable {
  var key: UInt64
  var more: UInt64 = 0
  var evenMore: UInt32 = 0
  var reserved: UInt32 = 0
}

/// How a state that another build has stored is read.
@Suite struct MemoryFormTests {
  private func small(hasBlob: Bool = true) -> FormState<Small> {
    var state = FormState<Small>(hasBlob: hasBlob)
    for i in 0..<5_000 as Range<UInt64> {
      state.array.append(Small(key: i))
      state.queue.append(Small(key: i * 2))
      if i > 3_100 { state.queue.removeFirst() }
    }
    return state
  }

  /// Records of an older version grow, in a whole snapshot and in the changes after it; what they lacked is zero.
  @Test func smallerRecordsGrowWhenTheyAreRead() throws {
    var state = small()
    var images = [state.image()]
    for i in 0..<40 { state.array[i * 100] = Small(key: 1 << 40 + UInt64(i)) }
    for i in 0..<3_000 as Range<UInt64> { state.queue.append(Small(key: 7 + i)) }
    images.append(state.image(changesOnly: true))
    var grown = FormState<Large>(formerSizes: [8])
    let hasSameLayout = try grown.restore(images)
    // The next snapshot is a whole one: what is kept has other pages.
    #expect(!hasSameLayout)
    #expect(grown.array.count == state.array.count && grown.queue.first == state.queue.first)
    #expect(grown.queue.end == state.queue.end && grown.queue.first > 0)
    for i in 0..<state.array.count where grown.array[i] != Large(key: state.array[i].key) {
      Issue.record("record \(i) of the array")
    }
    for i in state.queue.first..<state.queue.end where grown.queue[i] != Large(key: state.queue[i].key) {
      Issue.record("record \(i) of the queue")
    }
    // And it goes on, and is stored and read like any other.
    for i in 0..<3_000 as Range<UInt64> {
      grown.array.append(Large(key: i, more: 1))
      grown.queue.append(Large(key: i, more: 1))
    }
    var again = FormState<Large>(formerSizes: [8])
    let bytes = grown.image()
    #expect(try again.restore([bytes]))
    #expect(same(again.image(), bytes))
  }

  /// A record has grown by semantics that have not begun: older builds read what this one writes.
  @Test func recordsAreWrittenAsTheyWereUntilTheirSemanticsBegin() throws {
    let older = small()
    var newer = FormState<Large>(formerSizes: [8], until: 9)
    for i in 0..<older.array.count { newer.array.append(Large(key: older.array[i].key)) }
    for i in 0..<older.queue.end {
      newer.queue.append(Large(key: i * 2))
      if i > 3_100 { newer.queue.removeFirst() }
    }
    try #require(newer.queue.first == older.queue.first && newer.queue.end == older.queue.end)
    let snapshot = newer.frozen(into: newer.pool.beginSnapshot(), semantics: 8).finish()
    #expect(!snapshot.canTellChanges, "its pages are not those that are written")
    // What changes while it is written is not in it.
    var bytes: [UInt8] = []
    snapshot.write { run in
      bytes.append(contentsOf: run)
      newer.array[Int.random(in: 0..<5_000)] = Large(key: 77, more: 1)
      newer.queue[newer.queue.first + UInt64.random(in: 0..<1_000)] = Large(key: 78, more: 1)
    }
    #expect(snapshot.byteCount == bytes.count)
    newer.pool.endSnapshot(snapshot, isKept: true)
    var read = FormState<Small>()
    #expect(try read.restore([bytes]))
    #expect(read.array.count == 5_000 && read.queue.first == older.queue.first && read.queue.end == older.queue.end)
    for i in 0..<5_000 where read.array[i] != older.array[i] { Issue.record("record \(i) of the array") }
    for i in read.queue.first..<read.queue.end where read.queue[i] != older.queue[i] {
      Issue.record("record \(i) of the queue")
    }
    // Once they have begun, they have all that they grew by.
    newer.array[3] = Large(key: 3, more: 4, evenMore: 5)
    let begun = newer.image(semantics: 9)
    #expect(throws: MalformedBytes.self) { _ = try read.restore([begun]) }
    var grown = FormState<Large>(formerSizes: [8], until: 9)
    #expect(try grown.restore([begun]))
    #expect(grown.array[3] == Large(key: 3, more: 4, evenMore: 5))
  }

  @Test func anEmptyTableGrows() throws {
    var state = FormState<Small>()
    for i in 0..<1_000 as Range<UInt64> { state.queue.append(Small(key: i)) }
    for _ in 0..<1_000 { state.queue.removeFirst() }
    let bytes = state.image()
    var grown = FormState<Large>(formerSizes: [8])
    _ = try grown.restore([bytes])
    #expect(grown.queue.isEmpty && grown.queue.end == 1_000)
    for i in 0..<2_000 as Range<UInt64> { grown.queue.append(Large(key: i)) }
    #expect(grown.queue[2_999].key == 1_999)
  }

  @Test func aTableThatIsNotThereIsEmpty() throws {
    var older = small(hasBlob: false)
    var newer = FormState<Small>()
    #expect(try newer.restore([older.image()]))
    #expect(newer.array.count == 5_000 && newer.blob.end == 0)
  }

  @Test func anUnknownTableIsRefusedInALineThatSaysSo() throws {
    var newer = small()
    let bytes = newer.image()
    let error = #expect(throws: MalformedBytes.self) {
      var older = FormState<Small>(hasBlob: false)
      _ = try older.restore([bytes])
    }
    #expect(
      error?.description == "it has a table 3 that this build does not know: a newer build wrote it, start that")
  }

  @Test func aNewerVersionOfRecordsIsRefusedInALineThatSaysSo() throws {
    var newer = FormState<Large>(formerSizes: [8])
    newer.array.append(Large(key: 1))
    let bytes = newer.image()
    let error = #expect(throws: MalformedBytes.self) {
      var older = FormState<Small>()
      _ = try older.restore([bytes])
    }
    #expect(
      error?.description == "the array: records of version 2, and this build knows up to 1: start a newer build")
  }

  /// A table that came with newer semantics is in no snapshot before they have begun: older builds could not read it.
  @Test func aTableIsWrittenOnceItsSemanticsHaveBegun() throws {
    var newer = small()
    newer.blobSince = 2
    let snapshot = newer.frozen(into: newer.pool.beginSnapshot(), semantics: 1).finish()
    let bytes = written(snapshot)
    newer.pool.endSnapshot(snapshot)
    var older = FormState<Small>(hasBlob: false)
    #expect(try older.restore([bytes]))
    let begun = newer.image()
    #expect(throws: MalformedBytes.self) { _ = try older.restore([begun]) }
  }

  @Test func theOrderOfSectionsDoesNotMatter() throws {
    var state = small()
    let bytes = state.image()
    state.isBlobFirst = true
    let other = state.image()
    #expect(!same(bytes, other))
    var restored = FormState<Small>()
    #expect(try restored.restore([other]))
    #expect(same(restored.image(), bytes))
  }

  @Test func changesInAnotherFormAreRefused() throws {
    var state = small()
    let whole = state.image()
    var other = small(hasBlob: false)
    _ = other.image()
    other.array[1] = Small(key: 5)
    let changes = other.image(changesOnly: true)
    #expect(throws: MalformedBytes.self) {
      var restored = FormState<Small>()
      _ = try restored.restore([whole, changes])
    }
  }

  @Test func theCoreHasItsRoom() {
    #expect(MemoryLayout<Core>.size == 512)
  }
}
