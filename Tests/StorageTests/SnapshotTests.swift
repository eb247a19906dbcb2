import Base
import Testing

@testable import Storage

@Suite struct SnapshotTests {
  let disk = MemoryFileSystem()

  func body(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    var generator = SeededGenerator(seed: seed)
    var bytes: [UInt8] = []
    while bytes.count < count { withUnsafeBytes(of: generator.next()) { bytes.append(contentsOf: $0) } }
    return Array(bytes[..<count])
  }
  func write(
    _ store: SnapshotStore, index: UInt64, _ body: [UInt8], shard: ShardID = shardOne, base: SnapshotFile? = nil
  ) throws -> SnapshotFile {
    let writer = try store.create(shard: shard, index: LogIndex(index), term: Term(2), base: base, metadata: [1, 2, 3])
    try body.withBytes { bytes throws(StorageError) in try writer.append(bytes) }
    return try writer.finish()
  }
  func read(_ store: SnapshotStore, _ file: SnapshotFile, _ count: Int) throws -> [UInt8] {
    let reader = try store.open(file)
    var bytes = [UInt8](repeating: 0, count: count)
    var done = 0
    while done < count {
      let next = min(count, done + 70_001)
      try bytes.withUnsafeMutableBytes {
        try reader.read(into: UnsafeMutableRawBufferPointer(rebasing: $0[done..<next]))
      }
      done = next
    }
    try reader.finish()
    return bytes
  }

  @Test(arguments: [0, 1, 300_000])
  func aFinishedSnapshotIsThereAfterPowerIsLost(size: Int) throws {
    let store = try SnapshotStore(directory: "s", fileSystem: disk)
    let written = try write(store, index: 7, body(size))
    _ = try store.create(shard: shardOne, index: LogIndex(9), term: Term(2), metadata: [])
    disk.crash(.nothing)
    let reopened = try SnapshotStore(directory: "s", fileSystem: disk)
    let newest = try #require(try reopened.newest(shardOne))
    #expect(newest == written && newest.metadata == [1, 2, 3])
    #expect(try read(reopened, newest, size) == body(size))
    #expect(try reopened.newest(shardTwo) == nil)
    #expect(disk.paths.count == 1)
  }

  @Test func powerLostAtAnyStepLeavesTheOldSnapshotOrTheNew() throws {
    for step in 0..<14 {
      for seed in 0..<3 as Range<UInt64> {
        let disk = MemoryFileSystem()
        let store = try SnapshotStore(directory: "s", fileSystem: disk)
        let old = try write(store, index: 5, body(1000))
        disk.cutPower(afterSteps: step)
        var new: SnapshotFile?
        do { new = try write(store, index: 6, body(300_000)) } catch {
          #expect((error as? StorageError)?.isFatal == true)
        }
        if let new { try? store.removeOlder(shardOne, than: new) }
        disk.crash(.some(seed: seed))
        let reopened = try SnapshotStore(directory: "s", fileSystem: disk)
        let newest = try #require(try reopened.newest(shardOne))
        #expect(new == nil || newest == new)
        #expect(newest == old || newest.index == LogIndex(6))
        #expect(try read(reopened, newest, newest == old ? 1000 : 300_000).count > 0)
      }
    }
  }

  @Test(arguments: 0..<40 as Range<UInt64>)
  func aFlippedBitAnywhereIsRefused(seed: UInt64) throws {
    let store = try SnapshotStore(directory: "s", fileSystem: disk)
    let file = try write(store, index: 7, body(3000))
    var generator = SeededGenerator(seed: seed)
    disk.flipBit(file.path, bit: Int(generator.next() % (file.byteCount * 8)))
    #expect { _ = try read(store, try #require(try store.newest(shardOne)), 3000) } throws: {
      let error = $0 as? StorageError
      return (error?.kind == .damaged || error?.kind == .tooNew) && error?.path == file.path
    }
  }

  @Test func aBodyShorterOrLongerThanExpectedIsRefused() throws {
    let store = try SnapshotStore(directory: "s", fileSystem: disk)
    let file = try write(store, index: 7, body(3000))
    #expect(throws: StorageError.self) { try read(store, file, 3001) }
    #expect(throws: StorageError.self) { try read(store, file, 2999) }
  }

  @Test func aPeersSnapshotIsReceivedInPiecesAcrossARestart() throws {
    let store = try SnapshotStore(directory: "s", fileSystem: disk)
    let file = try write(store, index: 7, body(600_000))
    let raw = try store.openRaw(file)
    try disk.remove(file.path)
    let peer = MemoryFileSystem()
    var received: SnapshotFile?
    for _ in 0..<3 {
      let peerStore = try SnapshotStore(directory: "p", fileSystem: peer)
      let receiver = try peerStore.receive(
        shard: shardOne, index: file.index, term: file.term, digest: file.digest, byteCount: file.byteCount)
      var piece = [UInt8](repeating: 0, count: 50_000)
      for _ in 0..<5 where !receiver.isComplete {
        let count = try piece.withUnsafeMutableBytes { try raw.read(into: $0, at: receiver.offset) }
        try piece.withBytes { bytes throws(StorageError) in
          try receiver.append(LogFormat.slice(bytes, 0, count), at: receiver.offset)
        }
      }
      if receiver.isComplete { received = try receiver.place(receiver.finish()) }
      peer.crash(.everything)
    }
    let peerStore = try SnapshotStore(directory: "p", fileSystem: peer)
    #expect(try peerStore.newest(shardOne) == received)
    #expect(try read(peerStore, try #require(received), 600_000) == body(600_000))
    #expect(received?.digest == file.digest)
  }

  /// Two leaders may each have taken one at the same entry: their bytes need not be the same.
  @Test func aPartIsResumedOnlyForTheSameDigest() throws {
    let store = try SnapshotStore(directory: "s", fileSystem: disk)
    let file = try write(store, index: 7, body(2000))
    func receive(_ digest: SHA256.Digest) throws -> SnapshotReceiver {
      try store.receive(shard: shardTwo, index: file.index, term: file.term, digest: digest, byteCount: file.byteCount)
    }
    let part = [UInt8](repeating: 1, count: 500)
    let receiver = try receive(file.digest)
    try part.withBytes { bytes throws(StorageError) in try receiver.append(bytes, at: 0) }
    #expect(try receive(file.digest).offset == 500)
    #expect(try receive(SHA256.Digest()).offset == 0)
    #expect(try receive(file.digest).offset == 0, "the part of the other is gone")
  }

  @Test func aReceivedFileThatIsNotTheOneAnnouncedIsThrownAway() throws {
    let store = try SnapshotStore(directory: "s", fileSystem: disk)
    let file = try write(store, index: 7, body(2000))
    var bytes = try #require(disk.contents(file.path))
    bytes[1000] ^= 4
    let receiver = try store.receive(
      shard: shardTwo, index: file.index, term: file.term, digest: file.digest, byteCount: file.byteCount)
    try bytes.withBytes { bytes throws(StorageError) in try receiver.append(bytes, at: 0) }
    #expect(throws: StorageError.self) { try receiver.finish() }
    #expect(disk.paths == [file.path])
  }

  @Test func olderSnapshotsGoAndOtherShardsStay() throws {
    let store = try SnapshotStore(directory: "s", fileSystem: disk)
    let files = try ([3, 5, 9] as [UInt64]).map { try write(store, index: $0, body(10)) }
    let other = try write(store, index: 1, body(10), shard: shardTwo)
    try store.removeOlder(shardOne, than: files[2])
    #expect(disk.paths.count == 2)
    #expect(try store.newest(shardTwo) == other)
    #expect(try store.shards() == [shardOne, shardTwo])
  }

  // MARK: Changes

  @Test func whatHasChangesKeepsWhatItBuildsOn() throws {
    let store = try SnapshotStore(directory: "s", fileSystem: disk)
    let old = try write(store, index: 1, body(10))
    let whole = try write(store, index: 3, body(10))
    let first = try write(store, index: 5, body(20), base: whole)
    let second = try write(store, index: 7, body(30), base: first)
    try store.removeOlder(shardOne, than: second)
    #expect(!disk.paths.contains(old.path))
    let reopened = try SnapshotStore(directory: "s", fileSystem: disk)
    let newest = try #require(try reopened.newest(shardOne))
    #expect(try reopened.chain(of: newest) == [whole, first, second])
    try reopened.verifyNewest(shardOne)
    let next = try write(store, index: 9, body(10))
    try store.removeOlder(shardOne, than: next)
    #expect(disk.paths == [next.path])
  }

  @Test func changesToWhatIsGoneOrAnotherAreDamaged() throws {
    let store = try SnapshotStore(directory: "s", fileSystem: disk)
    let whole = try write(store, index: 3, body(10))
    let changes = try write(store, index: 5, body(20), base: whole)
    _ = try write(store, index: 3, body(11))
    #expect { try store.verifyNewest(shardOne) } throws: { ($0 as? StorageError)?.kind == .damaged }
    #expect(throws: StorageError.self) { _ = try write(store, index: 6, body(1), base: changes) }
    try disk.remove(whole.path)
    #expect { _ = try store.chain(of: changes) } throws: { ($0 as? StorageError)?.kind == .damaged }
    #expect(throws: StorageError.self) { try store.removeOlder(shardOne, than: changes) }
  }

  /// A peer's snapshot may come while changes are written, and be older or newer than those.
  @Test(arguments: [4, 9] as [UInt64]) func whatIsWrittenHoldsItsBase(received: UInt64) throws {
    let store = try SnapshotStore(directory: "s", fileSystem: disk)
    let whole = try write(store, index: 3, body(10))
    let writer = try store.create(shard: shardOne, index: LogIndex(6), term: Term(2), base: whole, metadata: [])
    let other = try write(store, index: received, body(5))
    try store.removeOlder(shardOne, than: other)
    #expect(disk.paths.contains(whole.path))
    let changes = try writer.finish()
    if received < 6 {
      try store.removeOlder(shardOne, than: other)
      #expect(try store.newest(shardOne) == changes)
    }
    try store.removeOlder(shardOne, than: changes)
    #expect(try store.chain(of: changes) == [whole, changes])
    let last = try write(store, index: 20, body(5))
    try store.removeOlder(shardOne, than: last)
    #expect(disk.paths == [last.path])
  }

  @Test func powerLostAtAnyStepLeavesAWholeChain() throws {
    for step in 0..<16 {
      for seed in 0..<3 as Range<UInt64> {
        let disk = MemoryFileSystem()
        let store = try SnapshotStore(directory: "s", fileSystem: disk)
        let whole = try write(store, index: 3, body(1000))
        let first = try write(store, index: 5, body(1000), base: whole)
        disk.cutPower(afterSteps: step)
        var next: SnapshotFile?
        do {
          let file = try write(store, index: 6, body(300_000), base: step % 2 == 0 ? first : nil)
          next = file
          try store.removeOlder(shardOne, than: file)
        } catch {}
        disk.crash(.some(seed: seed))
        let reopened = try SnapshotStore(directory: "s", fileSystem: disk)
        let newest = try #require(try reopened.newest(shardOne))
        try reopened.verifyNewest(shardOne)
        #expect(next == nil || newest == next)
        #expect(newest == first || newest.index == LogIndex(6))
      }
    }
  }
}
