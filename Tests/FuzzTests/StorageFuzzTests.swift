import Base
import Testing

@testable import Storage

/// Files that anything may have happened to: they are read, or refused with a reason.
@Suite struct StorageFuzzTests {
  private let shard = ShardID(1)

  private func damage(_ disk: MemoryFileSystem, _ mutator: inout Mutator) -> MemoryFileSystem {
    let copy = MemoryFileSystem()
    for folder in ["wal", "s", "j"] { try? copy.createDirectory(folder) }
    try? copy.createDirectory("j/00000001")
    let files = disk.files
    let target = mutator.below(files.count)
    for (number, file) in files.enumerated() {
      var bytes = disk.contents(file.path) ?? []
      if number == target { change(&bytes, &mutator) }
      copy.setContents(file.path, bytes)
    }
    return copy
  }

  /// Bits, numbers, whole blocks that moved, were zeroed, doubled or cut off; sums that are right again.
  private func change(_ bytes: inout [UInt8], _ mutator: inout Mutator) {
    let blocks = bytes.count / 4096
    let (from, to) = (mutator.below(blocks) * 4096, mutator.below(blocks) * 4096)
    switch mutator.below(6) {
    case 0 where blocks > 0: bytes.replaceSubrange(to..<to + 4096, with: Array(bytes[from..<from + 4096]))
    case 1 where blocks > 0: bytes.replaceSubrange(to..<to + 4096, with: [UInt8](repeating: 0, count: 4096))
    case 2: bytes.removeLast(min(bytes.count, mutator.below(9000)))
    case 3: bytes += mutator.bytes(mutator.below(100)) + [UInt8](repeating: 0, count: mutator.below(9000))
    case 4 where bytes.count > 4096:
      // Near the front of a block, where headers are.
      let at = to + mutator.below(96)
      if at < bytes.count { bytes[at] = mutator.pick([0, 1, 0x7F, 0x80, 0xFF, bytes[at] ^ 4]) }
    default:
      let part = Array(bytes[from..<min(from + 200, bytes.count)])
      let changed = mutator.mutate(part, with: part)
      bytes.replaceSubrange(from..<from + min(part.count, changed.count), with: changed.prefix(part.count))
    }
  }

  @Test func anyLogIsRecoveredOrRefused() throws {
    var mutator = Mutator(seed: 600)
    let options = WriteAheadLog.Options(segmentBytes: 32 << 10, maxRecordBytes: 16 << 10)
    let disk = MemoryFileSystem()
    let log = try WriteAheadLog(directory: "wal", fileSystem: disk, options: options)
    for index in UInt64(1)...40 {
      let payload = mutator.bytes(mutator.below(3000))
      try log.write([
        LogRecord(shard: shard, body: .state([1, 2, UInt8(index)])),
        LogRecord(shard: shard, body: .entry(LogEntry(index: LogIndex(index), term: Term(1), payload: payload))),
      ])
      if index % 15 == 0 { try log.release(shard, through: LogIndex(index - 5)) }
      if index % 4 == 0 { try log.prepareSpare() }
    }
    let size = disk.files.reduce(0) { $0 + $1.bytes }
    var (whole, damaged) = (0, 0)
    for _ in 0..<FuzzInputs.count(perMille: 3) {
      let copy = damage(disk, &mutator)
      do throws(StorageError) {
        let log = try WriteAheadLog(directory: "wal", fileSystem: copy, options: options)
        let found = log.takeRecovered()
        #expect(found.reduce(0) { $0 + $1.entries.reduce(0) { $0 + $1.payload.count } } <= size)
        for recovered in found {
          #expect(recovered.entries.enumerated().allSatisfy { $1.index == recovered.startIndex + UInt64($0 + 1) })
        }
        if found.contains(where: \.isDamaged) { damaged += 1 } else { whole += 1 }
      } catch {
        #expect(!error.reason.isEmpty)
      }
      #expect(copy.files.reduce(0) { $0 + $1.bytes } <= 2 * size + 3 * options.segmentBytes)
    }
    #expect(whole > 0 && damaged > 0)
  }

  @Test func anySnapshotFileIsReadOrRefused() throws {
    var mutator = Mutator(seed: 610)
    let disk = MemoryFileSystem()
    let store = try SnapshotStore(directory: "s", fileSystem: disk)
    let body = mutator.bytes(10_000)
    let writer = try store.create(shard: shard, index: LogIndex(9), term: Term(2), metadata: [1, 2, 3])
    let half = Array(body[..<5000])
    try half.withUnsafeBytes { try writer.append($0) }
    try Array(body[5000...]).withUnsafeBytes { try writer.append($0) }
    _ = try writer.finish()
    var refused = 0
    for _ in 0..<FuzzInputs.count(perMille: 6) {
      let copy = damage(disk, &mutator)
      do {
        let store = try SnapshotStore(directory: "s", fileSystem: copy)
        guard let file = try store.newest(shard) else { continue }
        #expect(file.metadata.count <= 1 << 20)
        let reader = try store.open(file)
        var bytes = [UInt8](repeating: 0, count: body.count)
        try bytes.withUnsafeMutableBytes { try reader.read(into: $0) }
        try reader.finish()
        #expect(bytes == body)
      } catch { refused += 1 }
    }
    #expect(refused > 0)
  }

  @Test func anyJournalFileIsReadOrRefused() throws {
    var mutator = Mutator(seed: 620)
    let disk = MemoryFileSystem()
    let store = try JournalStore(directory: "j", fileSystem: disk)
    let body = mutator.bytes(9000)
    try body.withUnsafeBytes { try store.append(shard, at: JournalPosition(journal: shard, segment: 1, offset: 0), $0) }
    try body.withUnsafeBytes { try store.append(shard, at: JournalPosition(journal: shard, segment: 2, offset: 0), $0) }
    try store.sync(shard)
    var refused = 0
    for _ in 0..<FuzzInputs.count(perMille: 6) {
      let copy = damage(disk, &mutator)
      do {
        let store = try JournalStore(directory: "j", fileSystem: copy)
        let end = try store.end(shard)
        for segment in UInt32(1)...2 {
          var bytes = [UInt8](repeating: 0, count: 10_000)
          let offset = mutator.below(9000)
          let count = try bytes.withUnsafeMutableBytes {
            try store.read(
              shard, at: JournalPosition(journal: shard, segment: segment, offset: UInt64(offset)), into: $0)
          }
          #expect(count <= 9000 - offset && bytes[..<count].elementsEqual(body[offset..<offset + count]))
          try store.verify(shard, segment: segment)
        }
        if end.segment == 2 {
          try store.truncate(shard, to: JournalPosition(journal: shard, segment: 2, offset: min(end.offset, 4500)))
        }
      } catch { refused += 1 }
    }
    #expect(refused > 0)
  }
}
