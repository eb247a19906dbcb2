import Base
import Testing

@testable import Storage

@Suite struct JournalTests {
  let disk = MemoryFileSystem()

  func bytes(_ count: Int, from: Int = 0) -> [UInt8] {
    (from..<from + count).map { UInt8(truncatingIfNeeded: $0 &* 167 >> 3) }
  }
  func append(_ store: JournalStore, _ segment: UInt32, _ offset: Int, _ bytes: [UInt8]) throws(StorageError) {
    let position = JournalPosition(journal: shardOne, segment: segment, offset: UInt64(offset))
    try bytes.withBytes { bytes throws(StorageError) in try store.append(shardOne, at: position, bytes) }
  }
  func read(_ store: JournalStore, _ segment: UInt32, _ offset: Int, _ count: Int) throws(StorageError) -> [UInt8] {
    var result = [UInt8](repeating: 0, count: count)
    let position = JournalPosition(journal: shardOne, segment: segment, offset: UInt64(offset))
    let found = try result.withUnsafeMutableBufferPointer { buffer throws(StorageError) in
      try store.read(shardOne, at: position, into: UnsafeMutableRawBufferPointer(buffer))
    }
    return Array(result[..<found])
  }

  /// The disk begins with each MiB of blocks when it is written, and with nothing before or twice.
  @Test func nothingIsLeftToTheKernelForLong() throws {
    let store = try JournalStore(directory: "j", fileSystem: disk)
    let (mebibyte, piece) = (1 << 20, bytes(59_999))
    var written = 0
    while written < 3 * mebibyte {
      try append(store, 1, written, piece)
      written += piece.count
      let blocks = written / JournalFormat.payloadBytes * JournalFormat.blockBytes
      #expect(disk.startedBytes <= blocks && blocks - disk.startedBytes < mebibyte + 16 * JournalFormat.blockBytes)
    }
    let started = disk.startedBytes
    try store.sync(shardOne)
    try append(store, 1, written, bytes(mebibyte / 2))
    #expect(disk.startedBytes == started, "what is synced is not begun with again")
    try append(store, 2, 0, bytes(mebibyte / 2))
    try append(store, 2, mebibyte / 2, bytes(mebibyte))
    #expect(disk.startedBytes > started)
  }

  /// Many journals with few files open: what is written and read is the same, and no more are open than may be.
  @Test func fewFilesAreOpenHoweverManyJournalsThereAre() throws {
    let store = try JournalStore(directory: "j", fileSystem: disk, openFilesMax: 5)
    let shards = (1...40).map { ShardID(UInt32($0)) }
    let before = disk.openFileCount
    for round in 0..<6 {
      for shard in shards {
        let position = JournalPosition(
          journal: shard, segment: UInt32(1 + round / 2), offset: UInt64(round % 2 * 5_000))
        try bytes(5_000, from: round * 5_000 + Int(shard.rawValue)).withBytes { bytes throws(StorageError) in
          try store.append(shard, at: position, bytes)
        }
        #expect(disk.openFileCount - before <= 5)
      }
      if round == 3 { for shard in shards { try store.sync(shard) } }
    }
    for shard in shards {
      for round in 0..<6 {
        var result = [UInt8](repeating: 0, count: 5_000)
        let position = JournalPosition(
          journal: shard, segment: UInt32(1 + round / 2), offset: UInt64(round % 2 * 5_000))
        let count = try result.withUnsafeMutableBufferPointer { buffer throws(StorageError) in
          try store.read(shard, at: position, into: UnsafeMutableRawBufferPointer(buffer))
        }
        #expect(count == 5_000 && result == bytes(5_000, from: round * 5_000 + Int(shard.rawValue)))
      }
      try store.verify(shard, segment: 1)
      #expect(disk.openFileCount - before <= 5)
    }
    // Somebody else has taken what there was: the pool gives some of its own up.
    disk.limitOpenFiles(to: disk.openFileCount)
    for shard in shards { #expect(try store.byteCount(shard, segment: 2) == 10_000) }
    for shard in shards {
      var byte: [UInt8] = [0]
      _ = try byte.withUnsafeMutableBufferPointer { buffer throws(StorageError) in
        try store.read(
          shard, at: JournalPosition(journal: shard, segment: 1, offset: 0), into: UnsafeMutableRawBufferPointer(buffer)
        )
      }
    }
    // Nothing is left at all: that is no damage, and no end.
    disk.limitOpenFiles(to: 0)
    var refusal: StorageError?
    do throws(StorageError) {
      let fresh = try JournalStore(directory: "j", fileSystem: disk)
      _ = try fresh.end(ShardID(1))
    } catch { refusal = error }
    #expect(refusal?.kind == .noDescriptors && refusal?.isShortage == true && disk.shortageCount > 0)
  }

  @Test func bytesAreReadBackByPositionAndShortAtTheSegmentsEnd() throws {
    let store = try JournalStore(directory: "j", fileSystem: disk)
    #expect(try store.end(shardOne) == JournalPosition(journal: shardOne, segment: 1, offset: 0))
    try append(store, 1, 0, bytes(10))
    try append(store, 1, 10, bytes(700_000, from: 10))
    try append(store, 2, 0, bytes(5))
    #expect(try read(store, 1, 4070, 100) == bytes(100, from: 4070))
    #expect(try read(store, 1, 0, 800_000) == bytes(700_010))
    #expect(try read(store, 2, 3, 100) == bytes(2, from: 3))
    #expect(try store.byteCount(shardOne, segment: 1) == 700_010)
    #expect(try store.byteCount(shardOne, segment: 3) == nil)
    #expect(try store.shards() == [shardOne])
  }

  @Test func onlyTheEndIsAPlaceToAppend() throws {
    let store = try JournalStore(directory: "j", fileSystem: disk)
    try append(store, 1, 0, bytes(10))
    for (segment, offset) in [(1, 9), (1, 11), (2, 1), (3, 0)] as [(UInt32, Int)] {
      #expect { try append(store, segment, offset, bytes(1)) } throws: { ($0 as? StorageError)?.kind == .refused }
    }
    try append(store, 1, 10, bytes(1))
  }

  @Test func aSyncThatFailedIsNeverTakenForDoneByTheNext() throws {
    let store = try JournalStore(directory: "j", fileSystem: disk)
    try append(store, 1, 0, bytes(10))
    disk.failSync(after: 0)
    #expect { try store.sync(shardOne) } throws: { ($0 as? StorageError)?.isFatal == true }
    #expect { try store.sync(shardOne) } throws: { ($0 as? StorageError)?.isFatal == true }
    #expect { try append(store, 1, 10, bytes(1)) } throws: { ($0 as? StorageError)?.isFatal == true }
  }

  /// Descriptors come and go, what wanted one is tried again, and processes end without a word, after which the next one
  /// goes on from what it finds: what was said to be synced is there after a power cut.
  @Test(arguments: 0..<24 as Range<UInt64>)
  func whatWasSyncedAfterAShortageOfDescriptorsSurvivesAPowerCut(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let shards = [ShardID(1), ShardID(2)]
    var store = try JournalStore(directory: "j", fileSystem: disk, openFilesMax: 1)
    var ends = shards.map { JournalPosition(beginningOf: $0) }
    var synced = ends
    var shortages = 0
    func attempt(_ shard: Int, _ position: JournalPosition?, _ body: () throws(StorageError) -> Void) throws {
      for round in 0..<6 {
        disk.limitOpenFiles(to: round < 5 ? Int(random.next() % 3) : nil)
        do throws(StorageError) {
          if round > 0, let position, try !store.end(shards[shard]).isBefore(position) {
            try store.truncate(shards[shard], to: position)
          }
          return try body()
        } catch {
          #expect(error.kind == .noDescriptors, "\(error) round \(round) at \(String(describing: position))")
          shortages += 1
        }
      }
      Issue.record("what wants a descriptor fails though there are some")
    }
    for _ in 0..<60 {
      let shard = Int(random.next() % 2)
      if random.next() % 6 == 0 {
        disk.limitOpenFiles(to: nil)
        store = try JournalStore(directory: "j", fileSystem: disk, openFilesMax: 1)
        for (i, shard) in shards.enumerated() {
          if random.next() % 2 == 0 { try store.truncate(shard, to: synced[i]) }
          ends[i] = try store.end(shard)
        }
      }
      if random.next() % 3 == 0 {
        try attempt(shard, nil) { () throws(StorageError) in try store.sync(shards[shard]) }
        synced[shard] = ends[shard]
        continue
      }
      var position = ends[shard]
      if position.offset > 9_000 { position = position.nextSegment }
      let piece = bytes(1 + Int(random.next() % 6_000), from: Int(position.offset))
      try attempt(shard, position) { () throws(StorageError) in
        try piece.withBytes { piece throws(StorageError) in try store.append(shards[shard], at: position, piece) }
      }
      ends[shard] = position.advanced(by: piece.count)
    }
    #expect(shortages > 5)
    disk.limitOpenFiles(to: nil)
    disk.crash(.nothing)
    let after = try JournalStore(directory: "j", fileSystem: disk)
    for (shard, end) in zip(shards, synced) where end.offset > 0 {
      try after.truncate(shard, to: end)
      for segment in 1...end.segment {
        let size = Int(try after.byteCount(shard, segment: segment) ?? 0)
        var found = [UInt8](repeating: 0, count: size)
        let count = try found.withUnsafeMutableBufferPointer { buffer throws(StorageError) in
          try after.read(
            shard, at: JournalPosition(journal: shard, segment: segment, offset: 0),
            into: UnsafeMutableRawBufferPointer(buffer))
        }
        #expect(count == size && found == bytes(size))
      }
    }
  }

  @Test func sealsAreEqualHoweverTheBytesCame() throws {
    let store = try JournalStore(directory: "j", fileSystem: disk)
    let peer = try JournalStore(directory: "j", fileSystem: MemoryFileSystem())
    try append(store, 1, 0, bytes(300_000))
    var offset = 0
    while offset < 300_000 {
      let count = min(300_000 - offset, 7001)
      try append(peer, 1, offset, bytes(count, from: offset))
      if offset % 3 == 0 { try peer.sync(shardOne) }
      offset += count
    }
    for store in [store, peer] { try append(store, 2, 0, []) }
    #expect(try store.sealed(shardOne) == peer.sealed(shardOne))
    #expect(try store.sealed(shardOne).map(\.byteCount) == [300_000])
    try peer.verify(shardOne, segment: 1)
  }

  @Test(arguments: 0..<24 as Range<UInt64>)
  func whatWasSyncedSurvivesPowerCutsAndCutsAtSyncedPlaces(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    func below(_ n: Int) -> Int { Int(generator.next() % UInt64(n)) }
    /// The bytes of each segment, and the place that the newest snapshot refers to.
    var segments: [[UInt8]] = [[]]
    var synced = (segment: 1, offset: 0)
    for round in 0..<8 {
      let store = try JournalStore(directory: "j", fileSystem: disk)
      disk.cutPower(afterSteps: below(50))
      do throws(StorageError) {
        try store.truncate(
          shardOne,
          to: JournalPosition(journal: shardOne, segment: UInt32(synced.segment), offset: UInt64(synced.offset)))
        segments.removeLast(segments.count - synced.segment)
        segments[synced.segment - 1].removeLast(segments[synced.segment - 1].count - synced.offset)
        for _ in 0..<15 {
          if below(12) == 0 && !(segments.last ?? []).isEmpty {
            segments.append([])
          }
          let last = segments.count - 1
          // The same position always gets the same bytes, as a replay of the log would write them.
          let new = bytes(below(5) == 0 ? below(20_000) : below(300), from: segments[last].count + last)
          let position = segments[last].count
          segments[last] += new
          try append(store, UInt32(last + 1), position, new)
          if below(3) == 0 {
            try store.sync(shardOne)
            if below(2) == 0 { synced = (segments.count, segments[last].count) }
          }
        }
      } catch {
        try #require(error.isFatal, "seed \(seed) round \(round): \(error)")
      }
      disk.crash(.some(seed: generator.next()))
      let reopened = try JournalStore(directory: "j", fileSystem: disk)
      try reopened.truncate(
        shardOne, to: JournalPosition(journal: shardOne, segment: UInt32(synced.segment), offset: UInt64(synced.offset))
      )
      for (i, expected) in segments.prefix(synced.segment).enumerated() {
        let count = i + 1 == synced.segment ? synced.offset : expected.count
        #expect(try read(reopened, UInt32(i + 1), 0, count + 1) == Array(expected[..<count]), "seed \(seed)")
      }
      disk.crash(.some(seed: generator.next()))
    }
  }

  @Test(arguments: 0..<20 as Range<UInt64>)
  func aFlippedBitIsRefusedOrDoesNotMatter(seed: UInt64) throws {
    let store = try JournalStore(directory: "j", fileSystem: disk)
    try append(store, 1, 0, bytes(20_000))
    try append(store, 2, 0, bytes(9000, from: 5))
    try store.sync(shardOne)
    var generator = SeededGenerator(seed: seed)
    let path = disk.paths[Int(generator.next() % UInt64(disk.paths.count))]
    let size = try #require(disk.contents(path)?.count)
    disk.flipBit(path, bit: Int(generator.next() % UInt64(size * 8)))
    do throws(StorageError) {
      let reopened = try JournalStore(directory: "j", fileSystem: disk)
      #expect(try read(reopened, 1, 0, 20_000) == bytes(20_000))
      // A last block that does not verify is taken for torn, until the cut at a synced place says otherwise.
      try reopened.truncate(shardOne, to: JournalPosition(journal: shardOne, segment: 2, offset: 9000))
      #expect(try read(reopened, 2, 0, 9000) == bytes(9000, from: 5))
    } catch {
      #expect(error.kind == .damaged || error.kind == .refused || error.kind == .tooNew, "\(error)")
      #expect(error.path.hasPrefix("j/00000001/"))
    }
  }

  @Test func aShardThatLeftLeavesNothing() throws {
    let store = try JournalStore(directory: "j", fileSystem: disk)
    try append(store, 1, 0, bytes(10))
    try append(store, 2, 0, bytes(10))
    try store.removeAll(shardOne)
    #expect(disk.paths.isEmpty)
    try append(store, 1, 0, bytes(3))
    #expect(try read(store, 1, 0, 9) == bytes(3))
  }
}
