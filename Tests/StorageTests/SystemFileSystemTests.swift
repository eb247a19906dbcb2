import Base
import Foundation
import Testing

@testable import Storage

/// A folder of its own for each test, removed when it ends.
final class TemporaryFolder {
  let path: String
  init() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("storage-tests-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    path = folder.path
  }
  deinit { try? FileManager.default.removeItem(atPath: path) }
}

@Suite struct SystemFileSystemTests {
  let folder: TemporaryFolder
  let system = SystemFileSystem()
  init() throws { folder = try TemporaryFolder() }

  @Test func theLogTheSnapshotsAndTheJournalLiveOnARealDisk() throws {
    let options = WriteAheadLog.Options(segmentBytes: 64 << 10)
    let log = try WriteAheadLog(directory: folder.path + "/a/wal", fileSystem: system, options: options)
    for i in 1...40 as ClosedRange<UInt64> {
      // Both ways of writing, one after the other.
      let record = entry(shardOne, i, size: 9000, fill: UInt8(i))
      if i % 2 == 0 {
        try log.write([record])
      } else {
        try log.append([record])
        try log.sync()
      }
      try log.prepareSpare()
    }
    try log.release(shardOne, through: LogIndex(30))
    while try log.prepareSpare() {}
    let again = try WriteAheadLog(directory: folder.path + "/a/wal", fileSystem: system, options: options)
    let entries = try #require(again.takeRecovered().first).entries
    #expect(entries.map(\.index.rawValue) == Array(31...40))
    #expect(entries.allSatisfy { $0.payload == [UInt8](repeating: UInt8($0.index.rawValue), count: 9000) })

    let store = try SnapshotStore(directory: folder.path + "/snapshots", fileSystem: system)
    let writer = try store.create(shard: shardOne, index: LogIndex(30), term: Term(1), metadata: [5])
    try [1, 2, 3].withBytes { bytes throws(StorageError) in try writer.append(bytes) }
    let written = try writer.finish()
    #expect(try store.newest(shardOne) == written)

    let journal = try JournalStore(directory: folder.path + "/journal", fileSystem: system)
    try [4, 5, 6].withBytes { bytes throws(StorageError) in
      try journal.append(shardOne, at: JournalPosition(journal: shardOne, segment: 1, offset: 0), bytes)
    }
    try journal.sync(shardOne)
    let reopened = try JournalStore(directory: folder.path + "/journal", fileSystem: system)
    #expect(try reopened.end(shardOne) == JournalPosition(journal: shardOne, segment: 1, offset: 3))
    try reopened.removeAll(shardOne)
    #expect(try reopened.shards().isEmpty)
  }

  @Test func aDurableWriteIsSeenByWhoeverReads() throws {
    let file = try system.open(folder.path + "/file", create: true)
    let block = UnsafeMutableRawBufferPointer.allocate(byteCount: 8192, alignment: 4096)
    defer { block.deallocate() }
    for round in 1...3 as ClosedRange<UInt8> {
      block.initializeMemory(as: UInt8.self, repeating: 10 + round)
      try file.write(UnsafeRawBufferPointer(block), at: 0)
      block.initializeMemory(as: UInt8.self, repeating: round)
      try file.writeDurably(UnsafeRawBufferPointer(rebasing: block[..<4096]), at: 4096)
      let count = try file.read(into: block, at: 0)
      #expect(count == 8192)
      #expect(block[..<4096].allSatisfy { $0 == 10 + round } && block[4096...].allSatisfy { $0 == round })
    }
  }

  @Test func aFolderHasOneUserAtATime() throws {
    let lock = try system.lock(folder.path + "/LOCK")
    #expect { try system.lock(folder.path + "/LOCK") } throws: { ($0 as? StorageError)?.kind == .locked }
    lock.unlock()
    try system.lock(folder.path + "/LOCK").unlock()
  }

  @Test func errorsNamePathOperationAndReason() {
    let path = folder.path + "/none"
    let error = #expect(throws: StorageError.self) { try system.open(path, create: false) }
    #expect(error?.description == "cannot open \(path): No such file or directory")
    #expect(error?.errno == ENOENT)
  }

  @Test func filesAreClosedToChildProcesses() throws {
    let path = folder.path + "/x"
    let file = try system.open(path, create: true)
    // Other tests open and close files meanwhile: only this one's descriptor is looked at.
    let flags = (0..<1024 as Range<Int32>).filter { descriptor in
      (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(descriptor)")) == path
    }.map { fcntl($0, F_GETFD) }
    #expect(flags == [FD_CLOEXEC])
    file.close()
  }

  @Test func namesAreSortedAndRenamesReplace() throws {
    for name in ["b", "a", "c"] { try system.open(folder.path + "/" + name, create: true).close() }
    try system.rename(folder.path + "/a", to: folder.path + "/c")
    #expect(try system.list(folder.path) == ["b", "c"])
    #expect(try system.freeBytes(folder.path) > 0)
  }

  /// Of what is removed the bytes go piece by piece, but not under the hands of whoever reads it.
  @Test func aLargeFileThatIsReadStaysWholeWhenItIsRemoved() throws {
    let (path, size) = (folder.path + "/large", 3 * Emptying.pieceBytes + 5)
    for isRead in [true, false] {
      var file: (any File)? = try system.open(path, create: true)
      try file?.truncate(UInt64(size))
      try [7, 8, 9].withBytes { bytes throws(StorageError) in try file?.write(bytes, at: UInt64(size) - 3) }
      file = nil
      let reader = isRead ? try system.open(path, create: false) : nil
      try system.remove(path)
      #expect(try !system.exists(path))
      system.emptying.finish()
      guard let reader else { continue }
      var end = [UInt8](repeating: 0, count: 3)
      #expect(try reader.size() == UInt64(size))
      #expect(try reader.readBytes(into: &end, at: UInt64(size) - 3) == 3 && end == [7, 8, 9])
    }
  }

  /// One of its names is gone, and all of its bytes are wanted by the other.
  @Test func aFileWithAnotherNameStaysWhole() throws {
    let (path, other, size) = (folder.path + "/one", folder.path + "/other", 2 * Emptying.pieceBytes)
    let file = try system.open(path, create: true)
    try file.truncate(UInt64(size))
    file.close()
    #expect(link(path, other) == 0)
    try system.remove(path)
    system.emptying.finish()
    #expect(try system.open(other, create: false).size() == UInt64(size))
  }

  /// A log that has no room waits for the ballast's.
  @Test func whatIsWantedAtOnceIsGivenBackAtOnce() throws {
    let ballast = try Ballast(path: folder.path + "/ballast", fileSystem: system, byteCount: 64 << 20)
    try ballast.take()
    let isReleased = try ballast.release()
    #expect(try isReleased && openCount() == 0)
  }

  private func openCount() throws -> Int {
    try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").compactMap {
      try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")
    }.filter { $0.hasPrefix(folder.path) && $0.hasSuffix("(deleted)") }.count
  }

  /// Each that waits to be emptied takes a descriptor: so few wait.
  @Test func manyLargeFilesAreRemovedWithFewDescriptors() throws {
    let paths = (0..<40).map { folder.path + "/large-\($0)" }
    for path in paths {
      let file = try system.open(path, create: true)
      try file.truncate(UInt64(2 * Emptying.pieceBytes))
      file.close()
    }
    for path in paths {
      try system.remove(path)
      #expect(try openCount() <= 9)
    }
    system.emptying.finish()
    #expect(try openCount() == 0)
    #expect(try system.list(folder.path).isEmpty)
  }
}

/// What is written in bulk is left to the kernel for a moment only.
@Suite struct BulkSyncTests {
  @Test func itIsSyncedInTimeWhateverThePieces() throws {
    for piece in [1, 4 << 10, 100_000, BulkSync.bytes, 3 * BulkSync.bytes] {
      var bulk = BulkSync()
      var unsynced = 0
      for _ in 0..<min(40, 4 * BulkSync.bytes / piece + 4) {
        unsynced += piece
        if bulk.isDue(after: piece) { unsynced = 0 }
        #expect(unsynced < BulkSync.bytes)
      }
    }
  }

  /// Each who writes much: a snapshot that comes, one that is taken, a segment of the log.
  @Test func whoWritesMuchSyncsOften() throws {
    let disk = MemoryFileSystem()
    let store = try SnapshotStore(directory: "snapshots", fileSystem: disk)
    let body = [UInt8](repeating: 7, count: 2 << 20)
    let writer = try store.create(shard: ShardID(1), index: LogIndex(3), term: Term(1), metadata: [])
    var steps = disk.steps
    try body.withBytes { bytes throws(StorageError) in try writer.append(bytes) }
    // A write and a sync for each 256 KiB.
    #expect(disk.steps - steps == 2 * 8)
    let file = try writer.finish()
    let contents = try #require(disk.contents(file.path))
    let receiver = try SnapshotStore(directory: "others", fileSystem: disk).receive(
      shard: file.shard, index: file.index, term: file.term, digest: file.digest, byteCount: file.byteCount)
    steps = disk.steps
    var offset = 0
    while offset < contents.count {
      let piece = Array(contents[offset..<min(contents.count, offset + 64 << 10)])
      try piece.withBytes { bytes throws(StorageError) in try receiver.append(bytes, at: UInt64(offset)) }
      offset += piece.count
    }
    #expect(disk.steps - steps == (contents.count + 65_535) / 65_536 + 8)
  }
}
