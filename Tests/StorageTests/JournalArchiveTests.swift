import Base
import Testing

@testable import Storage

/// Segments that go to an archive, and what is left of them.
@Suite struct JournalArchiveTests {
  private let disk = MemoryFileSystem()
  private let store = MemoryFileSystem()
  private static let cluster: UInt64 = 0xC1
  init() throws(StorageError) { try store.createDirectory("/store") }
  private static let segmentBytes = 9_000

  private func archive(_ writer: UInt64 = 1) -> JournalArchive {
    JournalArchive(directory: "/store", fileSystem: store, writer: writer)
  }
  private func open(_ disk: MemoryFileSystem, hasArchive: Bool = true) throws(StorageError) -> JournalStore {
    try JournalStore(directory: "/j", fileSystem: disk, hasArchive: hasArchive)
  }
  private static func bytes(of segment: Int) -> [UInt8] {
    (0..<segmentBytes).map { UInt8(truncatingIfNeeded: ($0 + segment) &* 167 >> 3) }
  }
  /// Three sealed segments and a fourth, in pieces, with a sync after some of them.
  private func fill(_ disk: MemoryFileSystem, pieceBytes: Int) throws {
    let journal = try open(disk)
    for segment in 1...4 {
      let bytes = Self.bytes(of: segment)
      for start in stride(from: 0, to: bytes.count, by: pieceBytes) {
        let position = JournalPosition(journal: shardOne, segment: UInt32(segment), offset: UInt64(start))
        let piece = Array(bytes[start..<min(bytes.count, start + pieceBytes)])
        try piece.withBytes { bytes throws(StorageError) in try journal.append(shardOne, at: position, bytes) }
        if start % 3 == 0 { try journal.sync(shardOne) }
      }
    }
    try journal.sync(shardOne)
  }
  private func keep(
    _ journal: JournalStore, _ archive: JournalArchive, segment: Int,
    passed: (JournalArchive.Step) throws(StorageError) -> Void = { _ throws(StorageError) in }
  ) throws(StorageError) {
    let seal = try journal.sealed(shardOne)[segment - 1]
    try archive.store(
      seal, of: Self.cluster,
      read: { offset, buffer throws(StorageError) in
        try journal.read(
          shardOne, at: JournalPosition(journal: shardOne, segment: seal.segment, offset: offset), into: buffer)
      }, passed: passed)
    try journal.dropArchived(shardOne, segment: seal.segment)
  }
  private func contents(_ journal: JournalStore, _ archive: JournalArchive, segment: Int) throws -> [UInt8] {
    var result = [UInt8](repeating: 0, count: Self.segmentBytes + 100)
    let seal = try journal.archived(shardOne, segment: UInt32(segment))
    let count = try result.withUnsafeMutableBytes { buffer in
      guard let seal else {
        return try journal.read(
          shardOne, at: JournalPosition(journal: shardOne, segment: UInt32(segment), offset: 0), into: buffer)
      }
      return try archive.read(seal, of: Self.cluster, at: 0, into: buffer)
    }
    return Array(result[..<count])
  }

  @Test func whatWasArchivedIsReadFromThereAndItsSealStays() throws {
    try fill(disk, pieceBytes: 700)
    let journal = try open(disk)
    let seals = try journal.sealed(shardOne)
    #expect(throws: StorageError.self) { try journal.dropArchived(shardOne, segment: 2) }
    try keep(journal, archive(), segment: 1)
    try keep(journal, archive(), segment: 2)
    for store in [journal, try open(disk)] {
      #expect(try store.archivedCount(shardOne) == 2 && store.sealed(shardOne) == seals)
      #expect(try store.end(shardOne) == JournalPosition(journal: shardOne, segment: 4, offset: 9_000))
      for segment in 1...4 { #expect(try contents(store, archive(), segment: segment) == Self.bytes(of: segment)) }
      // It is not here.
      var byte: [UInt8] = [0]
      #expect(throws: StorageError.self) {
        try byte.withUnsafeMutableBytes {
          _ = try store.read(shardOne, at: JournalPosition(journal: shardOne, segment: 1, offset: 0), into: $0)
        }
      }
      #expect(throws: StorageError.self) {
        try store.truncate(shardOne, to: JournalPosition(journal: shardOne, segment: 2, offset: 5))
      }
    }
    try journal.dropArchived(shardOne, segment: 3)
    #expect(throws: StorageError.self) { try journal.dropArchived(shardOne, segment: 4) }
    // Without an archive a segment that is missing is damage; and so is one between others.
    #expect(throws: StorageError.self) { try open(disk, hasArchive: false).end(shardOne) }
    try journal.removeAll(shardOne)
    try fill(disk, pieceBytes: 700)
    try disk.remove("/j/00000001/00000002.jnl")
    #expect(throws: StorageError.self) { try open(disk).end(shardOne) }
  }

  /// Two replicas have appended and synced at other places.
  @Test func replicasWriteTheSameBytesUnderTheSameName() throws {
    let other = MemoryFileSystem()
    try fill(disk, pieceBytes: 700)
    try fill(other, pieceBytes: 1_234)
    #expect(disk.contents("/j/00000001/00000001.jnl") != other.contents("/j/00000001/00000001.jnl"))
    try keep(open(disk), archive(1), segment: 1)
    let path = try #require(store.paths.first)
    #expect(store.paths == ["/store/00000000000000c1/00000001/00000001.jnl"])
    let first = store.contents(path)
    let journal = try open(other)
    try keep(journal, archive(2), segment: 1)
    #expect(store.contents(path) == first && store.paths.count == 1)
    try store.remove(path)
    let third = MemoryFileSystem()
    try fill(third, pieceBytes: 9_000)
    try keep(open(third), archive(3), segment: 1)
    #expect(store.contents(path) == first)
  }

  @Test func anotherFileOfThatNameIsLeftAloneAndNothingGoes() throws {
    try fill(disk, pieceBytes: 700)
    let journal = try open(disk)
    try keep(journal, archive(), segment: 1)
    let path = try #require(store.paths.first)
    // Another cluster's, as it were: the same place, other bytes.
    let second = try #require(store.contents(path))
    let copy = try store.open("/store/00000000000000c1/00000001/00000002.jnl", create: true)
    try second.withBytes { bytes throws(StorageError) in try copy.write(bytes, at: 0) }
    #expect(throws: StorageError.self) { try keep(journal, archive(), segment: 2) }
    #expect(try journal.archivedCount(shardOne) == 1)
    #expect(store.contents("/store/00000000000000c1/00000001/00000002.jnl") == second)
    #expect(try contents(journal, archive(), segment: 2) == Self.bytes(of: 2))
    // What rots there is not told as what it was.
    store.flipBit(path, bit: (4096 + 3) * 8)
    #expect(throws: StorageError.self) { try contents(journal, archive(), segment: 1) }
  }

  /// Another node has put a segment there, and died before the name was durable.
  @Test func whatAnotherHasPutThereIsDurableBeforeItGoesHere() throws {
    let other = MemoryFileSystem()
    try fill(disk, pieceBytes: 700)
    try fill(other, pieceBytes: 700)
    let journal = try open(disk)
    let cut = StorageError(.system, path: "/store", operation: "go on", reason: "the node died")
    #expect(throws: StorageError.self) {
      try keep(journal, archive(1), segment: 1) { step throws(StorageError) in if step == .compared { throw cut } }
    }
    let temporary = try #require(store.paths.first)
    try store.rename(temporary, to: String(temporary.dropLast(17)))
    let second = try open(other)
    try keep(second, archive(2), segment: 1)
    store.crash(.nothing)
    #expect(try contents(second, archive(2), segment: 1) == Self.bytes(of: 1))
  }
  /// Under the name of a directory that is not mounted there is an empty one, or none: nothing goes there.
  @Test func whatIsNotMountedIsNoArchive() throws {
    try fill(disk, pieceBytes: 700)
    let journal = try open(disk)
    let none = JournalArchive(directory: "/none", fileSystem: store, writer: 1)
    #expect(throws: StorageError.self) { try keep(journal, none, segment: 1) }
    #expect(store.paths.isEmpty)
    try keep(journal, archive(), segment: 1)
    try store.createDirectory("/empty")
    let empty = JournalArchive(directory: "/empty", fileSystem: store, writer: 1)
    #expect(throws: StorageError.self) { try keep(journal, empty, segment: 2) }
    #expect(store.paths.count == 1)
    #expect(try journal.archivedCount(shardOne) == 1 && contents(journal, archive(), segment: 2) == Self.bytes(of: 2))
    try keep(journal, archive(), segment: 2)
  }
  /// The store is mounted anew, or a file there put right: a descriptor of before is of no use.
  @Test func aFileIsOpenedAgainWhenItCannotBeRead() throws {
    try fill(disk, pieceBytes: 700)
    let journal = try open(disk)
    let archive = archive()
    try keep(journal, archive, segment: 1)
    #expect(try contents(journal, archive, segment: 1) == Self.bytes(of: 1))
    store.crash(.everything)
    #expect(try contents(journal, archive, segment: 1) == Self.bytes(of: 1))
  }

  /// A copy that is not what was written is found before anything goes.
  @Test func aSegmentGoesOnlyOnceItsCopyWasCompared() throws {
    try fill(disk, pieceBytes: 700)
    let journal = try open(disk)
    #expect(throws: StorageError.self) {
      try keep(journal, archive(), segment: 1) { step throws(StorageError) in
        guard step == .copied, let path = store.paths.first else { return }
        store.flipBit(path, bit: (4096 + 100) * 8)
      }
    }
    #expect(try journal.archivedCount(shardOne) == 0)
    #expect(try contents(journal, archive(), segment: 1) == Self.bytes(of: 1))
    try keep(journal, archive(), segment: 1)
    #expect(try contents(journal, archive(), segment: 1) == Self.bytes(of: 1))
  }

  /// The node, or the machine that has the archive, ends behind any step, and either keeps what it has synced.
  @Test(arguments: JournalArchive.Step.allCases, 0..<4) func aCrashBehindAnyStepLosesNothing(
    _ last: JournalArchive.Step, seed: Int
  ) throws {
    try fill(disk, pieceBytes: 700)
    let journal = try open(disk)
    #expect(throws: StorageError.self) {
      try keep(journal, archive(), segment: 1) { step throws(StorageError) in
        if step == last { throw StorageError(.system, path: "/store", operation: "go on", reason: "the power is cut") }
      }
    }
    disk.crash(.some(seed: UInt64(seed)))
    store.crash(.some(seed: UInt64(seed) + 100))
    let again = try open(disk)
    #expect(try contents(again, archive(), segment: 1) == Self.bytes(of: 1))
    try keep(again, archive(), segment: 1)
    disk.crash(.nothing)
    store.crash(.nothing)
    let third = try open(disk)
    #expect(try third.archivedCount(shardOne) == 1)
    for segment in 1...3 { #expect(try contents(third, archive(), segment: segment) == Self.bytes(of: segment)) }
  }
  /// And at each change that the removal of the local file makes.
  @Test(arguments: 1...6) func powerMayGoWhileItIsRemovedHere(steps: Int) throws {
    try fill(disk, pieceBytes: 700)
    let journal = try open(disk)
    disk.cutPower(afterSteps: steps)
    _ = try? keep(journal, archive(), segment: 1)
    disk.crash(.some(seed: UInt64(steps)))
    let again = try open(disk)
    for segment in 1...3 { #expect(try contents(again, archive(), segment: segment) == Self.bytes(of: segment)) }
    if try again.archivedCount(shardOne) == 0 { try keep(again, archive(), segment: 1) }
    #expect(try contents(again, archive(), segment: 1) == Self.bytes(of: 1))
  }
}
