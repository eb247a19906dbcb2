import Base
import Glibc

/// One shard's journal: a folder with a file for each segment, and a seal for each but the last.
final class ShardJournal {
  let shard: ShardID
  let directory: String
  let fileSystem: any FileSystem
  private let pool: FilePool
  /// Of all segments but the last, in order from segment 1.
  private(set) var seals: [SealedSegment] = []
  /// So many segments, the oldest, are in the archive: of them the seals alone are here.
  private(set) var archivedCount: UInt32 = 0
  /// Segments that were read lately and whose headers were right; the oldest first.
  private var readers: [(segment: UInt32, file: PooledFile)] = []
  private static let maxReaders = 8

  // The last segment: its file (nil before the first append), and its last block in memory.
  private var file: PooledFile?
  private var segment: UInt32 = 1
  private var block = 0
  private var used = 0
  /// CRC of the block's place and the bytes used.
  private var checksum: UInt32 = 0
  /// The slot that the next append writes. The other one is durable, or blank.
  private var slot = 0
  /// Whether `slot` was written since the last sync.
  private var isDirty = false
  /// False until what was found when this was opened is known to be durable, bytes and names: an earlier process, or this
  /// one before an error, may have written it and not come to the sync.
  private var isKnownDurable = true
  /// Blocks to be written at once; the last block of the segment is the first here.
  private let staging = AlignedBuffer(capacity: ShardJournal.stagingBlocks * JournalFormat.blockBytes)
  private static let stagingBlocks = 64
  /// From which block of the segment on the kernel may keep what was written to itself.
  private var heldBack = 0
  /// The disk begins with so many blocks at once: 1 MiB.
  private static let writebackBlocks = 256

  /// - Parameter hasArchive: the oldest segments may be elsewhere; else one that is missing is damage.
  init(
    shard: ShardID, directory: String, fileSystem: any FileSystem, pool: FilePool, hasArchive: Bool
  ) throws(StorageError) {
    self.shard = shard
    self.directory = directory
    self.fileSystem = fileSystem
    self.pool = pool
    startBlock(0)
    guard try fileSystem.exists(directory) else { return }
    isKnownDurable = false
    let names = try fileSystem.list(directory)
    let segments = names.compactMap { $0.hasSuffix(".jnl") ? UInt32($0.dropLast(4), radix: 16) : nil }
    if hasArchive, let first = segments.first {
      while archivedCount + 1 < first, names.contains(ShardJournal.name(archivedCount + 1, "seal")) {
        seals.append(try readSeal(archivedCount + 1))
        archivedCount += 1
      }
    }
    for (i, number) in segments.enumerated() {
      let expected = archivedCount + UInt32(i + 1)
      guard number == expected else {
        throw StorageError(
          .damaged, path: path(expected), operation: "open", offset: 0, reason: "the segment is missing")
      }
      if i + 1 == segments.count {
        try openLast(number)
      } else if names.contains(ShardJournal.name(number, "seal")) {
        seals.append(try readSeal(number))
      } else {
        // Power went after the next segment was begun and before the seal was durable.
        try openLast(number)
        try writeSeal()
      }
    }
  }

  deinit {
    for reader in readers { pool.drop(reader.file) }
    if let file { pool.drop(file) }
  }

  var end: JournalPosition { JournalPosition(journal: shard, segment: segment, offset: byteCount) }
  /// Of the last segment.
  private var byteCount: UInt64 { UInt64(block) * UInt64(JournalFormat.payloadBytes) + UInt64(used) }

  static func name(_ segment: UInt32, _ suffix: String) -> String {
    hexadecimal(UInt64(segment), digits: 8) + "." + suffix
  }
  private func path(_ segment: UInt32, _ suffix: String = "jnl") -> String {
    join(directory, ShardJournal.name(segment, suffix))
  }
  private static func fileOffset(_ block: Int) -> UInt64 { UInt64(block + 1) * UInt64(JournalFormat.blockBytes) }
  private func refused(_ operation: String, _ reason: String) -> StorageError {
    StorageError(.refused, path: path(segment), operation: operation, reason: reason)
  }
  private func damaged(_ segment: UInt32, _ block: Int, _ reason: String) -> StorageError {
    StorageError(
      .damaged, path: path(segment), operation: "read", offset: ShardJournal.fileOffset(block), reason: reason)
  }

  // MARK: Appending

  private func startBlock(_ number: Int) {
    block = number
    used = 0
    slot = 0
    checksum = JournalFormat.placeChecksum(shard: shard, segment: segment, block: number)
  }

  func append(at position: JournalPosition, _ bytes: UnsafeRawBufferPointer) throws(StorageError) {
    if position == end.nextSegment && file != nil && byteCount > 0 {
      try sync()
      try writeSeal()
      try beginSegment(segment + 1)
    } else if position != end {
      throw refused("append to", "the journal ends at \(end), not at \(position)")
    } else if file == nil {
      try fileSystem.createDirectory(directory)
      try beginSegment(1)
    }
    try write(bytes)
  }

  private func write(_ bytes: UnsafeRawBufferPointer) throws(StorageError) {
    guard let source = bytes.baseAddress, file != nil else { return }
    var firstBlock = block
    var taken = 0
    while taken < bytes.count {
      if used == JournalFormat.payloadBytes {
        if block - firstBlock + 1 == ShardJournal.stagingBlocks {
          try flush(from: firstBlock)
          firstBlock = block + 1
        }
        startBlock(block + 1)
        memset(staging.base + (block - firstBlock) * JournalFormat.blockBytes, 0, JournalFormat.blockBytes)
      }
      let place = staging.base + (block - firstBlock) * JournalFormat.blockBytes
      let count = min(bytes.count - taken, JournalFormat.payloadBytes - used)
      memcpy(place + used, source + taken, count)
      checksum = CRC32C.checksum(
        UnsafeRawBufferPointer(start: source + taken, count: count), continuing: checksum)
      used += count
      taken += count
      JournalFormat.writeSlot(slot, used: used, checksum: checksum, in: place)
    }
    try flush(from: firstBlock)
    if block > firstBlock {
      memcpy(staging.base, staging.base + (block - firstBlock) * JournalFormat.blockBytes, JournalFormat.blockBytes)
    }
    isDirty = true
  }

  private func flush(from firstBlock: Int) throws(StorageError) {
    guard let file else { return }
    let count = (block - firstBlock + 1) * JournalFormat.blockBytes
    let opened = try pool.use(file)
    try opened.write(staging.prefix(count), at: ShardJournal.fileOffset(firstBlock))
    // The last block is written again by the next append; a journal that was cut may end before.
    heldBack = min(heldBack, block)
    guard block - heldBack >= ShardJournal.writebackBlocks else { return }
    opened.startWriteback(
      from: ShardJournal.fileOffset(heldBack), count: (block - heldBack) * JournalFormat.blockBytes)
    heldBack = block
  }

  /// Makes all durable. Of what was found when this was opened, the last segment alone can be in doubt, beside names: a
  /// segment is synced before it is sealed.
  func sync() throws(StorageError) {
    guard let file else { return }
    if !isKnownDurable {
      try pool.use(file).sync()
      try fileSystem.syncDirectory(directory)
      try fileSystem.syncDirectory(SystemFileSystem.parent(of: directory))
      isKnownDurable = true
    } else if isDirty {
      try pool.use(file).syncData()
    }
    guard isDirty else { return }
    isDirty = false
    slot = 1 - slot
    heldBack = block
  }

  /// Begins a segment: its header and its name are durable when this returns.
  private func beginSegment(_ number: UInt32) throws(StorageError) {
    let file = try fileSystem.open(path(number), create: true)
    try file.truncate(0)
    let header = JournalFormat.header(shard: shard, segment: number)
    try header.withBytes { bytes throws(StorageError) in try file.write(bytes, at: 0) }
    try file.sync()
    try fileSystem.syncDirectory(directory)
    replaceLast(by: pool.adopt(file))
    segment = number
    isDirty = false
    memset(staging.base, 0, JournalFormat.blockBytes)
    startBlock(0)
    heldBack = 0
  }

  private func replaceLast(by file: PooledFile?) {
    if let old = self.file { pool.drop(old) }
    self.file = file
  }

  /// Seals the last segment, which is synced.
  private func writeSeal() throws(StorageError) {
    let seal = SealedSegment(
      shard: shard, segment: segment, byteCount: byteCount, digest: try digest(segment, byteCount: byteCount))
    let temporary = path(segment, "tmp")
    let file = try fileSystem.open(temporary, create: true)
    try file.truncate(0)
    try JournalFormat.seal(seal).withBytes { bytes throws(StorageError) in try file.write(bytes, at: 0) }
    try file.sync()
    try fileSystem.rename(temporary, to: path(segment, "seal"))
    try fileSystem.syncDirectory(directory)
    seals.append(seal)
  }

  // MARK: Reading

  func byteCount(_ number: UInt32) -> UInt64? {
    if number == segment { return byteCount }
    return number >= 1 && number < segment ? seals[Int(number) - 1].byteCount : nil
  }

  func read(
    at position: JournalPosition, into buffer: UnsafeMutableRawBufferPointer
  ) throws(StorageError) -> Int {
    guard position.journal == shard, let size = byteCount(position.segment), position.offset <= size else {
      throw refused("read", "the journal has no position \(position)")
    }
    let wanted = Int(min(UInt64(buffer.count), size - position.offset))
    guard let target = buffer.baseAddress, wanted > 0 else { return 0 }
    return try withUnsafeBlock { scratch throws(StorageError) in
      var done = 0
      while done < wanted {
        let offset = position.offset + UInt64(done)
        let number = Int(offset / UInt64(JournalFormat.payloadBytes))
        let start = Int(offset % UInt64(JournalFormat.payloadBytes))
        let bytes = try blockBytes(position.segment, number, size: size, scratch)
        let count = min(wanted - done, JournalFormat.payloadBytes - start)
        memcpy(target + done, bytes + start, count)
        done += count
      }
      return done
    }
  }

  /// A verified block: the last one is in memory, any other is read into `scratch`.
  private func blockBytes(
    _ number: UInt32, _ block: Int, size: UInt64, _ scratch: UnsafeMutableRawBufferPointer
  ) throws(StorageError) -> UnsafeRawPointer {
    if number == segment && block == self.block { return UnsafeRawPointer(staging.base) }
    let before = UInt64(block) * UInt64(JournalFormat.payloadBytes)
    let expected = Int(min(UInt64(JournalFormat.payloadBytes), size - before))
    let count = try reader(number).read(into: scratch, at: ShardJournal.fileOffset(block))
    let bytes = UnsafeRawBufferPointer(scratch)
    let place = JournalFormat.placeChecksum(shard: shard, segment: number, block: block)
    guard count == JournalFormat.blockBytes, let start = bytes.baseAddress,
      JournalFormat.verifySlot(0, in: bytes, placeChecksum: place) == expected
        || JournalFormat.verifySlot(1, in: bytes, placeChecksum: place) == expected
    else { throw damaged(number, block, "a block is not what was written") }
    return start
  }

  private func withUnsafeBlock<R>(
    _ body: (UnsafeMutableRawBufferPointer) throws(StorageError) -> R
  ) throws(StorageError) -> R {
    let scratch = AlignedBuffer(capacity: JournalFormat.blockBytes)
    return try body(scratch.mutablePrefix(JournalFormat.blockBytes))
  }

  private func reader(_ number: UInt32) throws(StorageError) -> any File {
    guard number > archivedCount else { throw refused("read", "segment \(number) is in the archive") }
    if number == segment, let file { return try pool.use(file) }
    if let known = readers.first(where: { $0.segment == number }) { return try pool.use(known.file) }
    let file = try openSegment(number)
    if readers.count == ShardJournal.maxReaders { pool.drop(readers.removeFirst().file) }
    readers.append((number, file))
    return try pool.use(file)
  }

  /// SHA-256 over the SHA-256s of the ledger's bytes in runs of 256 KiB.
  private func digest(_ number: UInt32, byteCount: UInt64) throws(StorageError) -> SHA256.Digest {
    var digest = PartsDigest()
    let run = AlignedBuffer(capacity: JournalFormat.digestBytes)
    var offset: UInt64 = 0
    while offset < byteCount {
      let position = JournalPosition(journal: shard, segment: number, offset: offset)
      let count = try read(at: position, into: run.mutablePrefix(JournalFormat.digestBytes))
      digest.add(run.prefix(count))
      offset += UInt64(count)
    }
    return digest.finish()
  }

  func verify(_ number: UInt32) throws(StorageError) {
    guard let size = byteCount(number) else { throw refused("verify", "there is no segment \(number)") }
    let found = try digest(number, byteCount: size)
    if number < segment && found != seals[Int(number) - 1].digest {
      throw damaged(number, -1, "its bytes are not those that were sealed")
    }
  }

  // MARK: Opening and cutting

  private func openSegment(_ number: UInt32) throws(StorageError) -> PooledFile {
    let pooled = PooledFile(path: path(number))
    let file = try pool.use(pooled)
    do throws(StorageError) {
      try checkHeader(number, file)
    } catch {
      pool.drop(pooled)
      throw error
    }
    return pooled
  }
  private func checkHeader(_ number: UInt32, _ file: any File) throws(StorageError) {
    var header = [UInt8](repeating: 0, count: JournalFormat.blockBytes)
    _ = try file.readBytes(into: &header, at: 0)
    try JournalFormat.check(header, magic: JournalFormat.segmentMagic, path: file.path)
    guard header == JournalFormat.header(shard: shard, segment: number) else {
      throw damaged(number, -1, "its header names another segment")
    }
  }

  private func readSeal(_ number: UInt32) throws(StorageError) -> SealedSegment {
    let file = try fileSystem.open(path(number, "seal"), create: false)
    var bytes = [UInt8](repeating: 0, count: JournalFormat.sealBytes)
    _ = try file.readBytes(into: &bytes, at: 0)
    let seal = try JournalFormat.decodeSeal(bytes, path: file.path)
    guard seal.shard == shard, seal.segment == number else {
      throw StorageError(.damaged, path: file.path, operation: "open", offset: 0, reason: "it seals another segment")
    }
    return seal
  }

  /// Opens the last segment, at its last block that can be verified.
  private func openLast(_ number: UInt32) throws(StorageError) {
    let file: PooledFile
    do throws(StorageError) {
      file = try openSegment(number)
    } catch {
      // A header that is not whole on a file without blocks: power went before `beginSegment` was done.
      let size = try fileSystem.open(path(number), create: false).size()
      guard error.kind == .damaged, size <= UInt64(JournalFormat.blockBytes) else { throw error }
      try beginSegment(number)
      return
    }
    replaceLast(by: file)
    segment = number
    isDirty = false
    let blocks = Int(try pool.use(file).size() / UInt64(JournalFormat.blockBytes)) - 1
    for candidate in stride(from: blocks - 1, through: 0, by: -1) where try load(candidate, atLeast: 1) { return }
    memset(staging.base, 0, JournalFormat.blockBytes)
    startBlock(0)
  }

  /// Makes `number` the block to append to, if one of its slots vouches for `count` bytes.
  private func load(_ number: Int, atLeast count: Int) throws(StorageError) -> Bool {
    guard let file else { return false }
    let size = try pool.use(file).read(
      into: staging.mutablePrefix(JournalFormat.blockBytes), at: ShardJournal.fileOffset(number))
    guard size == JournalFormat.blockBytes else { return false }
    let place = JournalFormat.placeChecksum(shard: shard, segment: segment, block: number)
    let bytes = staging.prefix(JournalFormat.blockBytes)
    let vouched = (0...1).map { JournalFormat.verifySlot($0, in: bytes, placeChecksum: place) ?? 0 }
    let best = vouched[1] > vouched[0] ? 1 : 0
    guard vouched[best] >= count else { return false }
    block = number
    used = vouched[best]
    checksum = CRC32C.checksum(LogFormat.slice(bytes, 0, used), continuing: place)
    slot = 1 - best
    return true
  }

  func truncate(to position: JournalPosition) throws(StorageError) {
    if position == end.nextSegment && byteCount > 0 {
      // The next append would begin that segment: there is nothing behind it.
      return try sync()
    }
    guard position.journal == shard, let size = byteCount(position.segment), position.offset <= size else {
      throw refused("truncate", "it ends before \(position)")
    }
    guard position.segment > archivedCount else { throw refused("truncate", "\(position) is in the archive") }
    guard file != nil else { return }
    try removeSegments(after: position.segment)
    try cut(to: position.offset)
  }

  private func removeSegments(after last: UInt32) throws(StorageError) {
    guard last < segment else { return }
    for reader in readers { pool.drop(reader.file) }
    readers = []
    replaceLast(by: nil)
    for number in stride(from: segment, to: last, by: -1) {
      try fileSystem.remove(path(number))
      try removeSeal(number - 1)
      // One after the other: a younger segment must never be there without an older one.
      try fileSystem.syncDirectory(directory)
    }
    try openLast(last)
  }

  /// The oldest segment that is here is in the archive: its file goes, its seal stays.
  func dropArchived(_ number: UInt32) throws(StorageError) {
    guard number == archivedCount + 1, number < segment else {
      throw refused("remove from", "segment \(number) is not the oldest one that is sealed here")
    }
    for reader in readers where reader.segment == number { pool.drop(reader.file) }
    readers.removeAll { $0.segment == number }
    try fileSystem.remove(path(number))
    try fileSystem.syncDirectory(directory)
    archivedCount = number
  }

  private func removeSeal(_ number: UInt32) throws(StorageError) {
    guard let last = seals.last, last.segment == number else { return }
    try fileSystem.remove(path(number, "seal"))
    seals.removeLast()
  }

  /// Cuts the last segment. The block at the cut is first made durable as it is, so that one slot holds while the
  /// other is written; and that one vouches for too much then, and is made blank.
  private func cut(to offset: UInt64) throws(StorageError) {
    guard let pooled = self.file else { return }
    let file = try pool.use(pooled)
    var number = Int(offset / UInt64(JournalFormat.payloadBytes))
    var count = Int(offset % UInt64(JournalFormat.payloadBytes))
    if count == 0 && number > 0 {
      number -= 1
      count = JournalFormat.payloadBytes
    }
    if count > 0 {
      guard try load(number, atLeast: count) else {
        throw damaged(segment, number, "the block at the cut is not what was written")
      }
      try file.write(staging.prefix(JournalFormat.blockBytes), at: ShardJournal.fileOffset(number))
      try file.sync()
      used = count
      checksum = CRC32C.checksum(
        staging.prefix(count),
        continuing: JournalFormat.placeChecksum(shard: shard, segment: segment, block: number))
      JournalFormat.writeSlot(slot, used: used, checksum: checksum, in: staging.base)
      try file.write(staging.prefix(JournalFormat.blockBytes), at: ShardJournal.fileOffset(number))
      try file.syncData()
      slot = 1 - slot
      JournalFormat.writeSlot(slot, used: 0, checksum: 0, in: staging.base)
      try file.write(staging.prefix(JournalFormat.blockBytes), at: ShardJournal.fileOffset(number))
    } else {
      memset(staging.base, 0, JournalFormat.blockBytes)
      startBlock(0)
    }
    try file.truncate(ShardJournal.fileOffset(count > 0 ? number + 1 : 0))
    try file.sync()
    isDirty = false
  }
}
