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
      try log.append([entry(shardOne, i)])
      try log.sync()
      try log.prepareSpare()
    }
    try log.release(shardOne, through: LogIndex(30))
    while try log.prepareSpare() {}
    let again = try WriteAheadLog(directory: folder.path + "/a/wal", fileSystem: system, options: options)
    #expect(again.takeRecovered().first?.entries.last?.index == LogIndex(40))

    let store = try SnapshotStore(directory: folder.path + "/snapshots", fileSystem: system)
    let writer = try store.create(shard: shardOne, index: LogIndex(30), term: Term(1), metadata: [5])
    try [1, 2, 3].withBytes { bytes throws(StorageError) in try writer.append(bytes) }
    let written = try writer.finish()
    #expect(try store.newest(shardOne) == written)

    let journal = try JournalStore(directory: folder.path + "/journal", fileSystem: system)
    try [4, 5, 6].withBytes { bytes throws(StorageError) in
      try journal.append(shardOne, at: JournalPosition(segment: 1, offset: 0), bytes)
    }
    try journal.sync(shardOne)
    let reopened = try JournalStore(directory: folder.path + "/journal", fileSystem: system)
    #expect(try reopened.end(shardOne) == JournalPosition(segment: 1, offset: 3))
    try reopened.removeAll(shardOne)
    #expect(try reopened.shards().isEmpty)
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
}
