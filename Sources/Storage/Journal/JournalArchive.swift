import Base
import Glibc
import Synchronization

/// Sealed segments of journals in a directory that several nodes may share: `DIR/CLUSTER/JOURNAL/SEGMENT.jnl`, all hexadecimal. A
/// file has the ledger's bytes in blocks, as the journal's own files do, but each block written once: so replicas, of which each
/// has synced its own at other places, write the same bytes under the same name. A file that is there is never changed.
///
/// May be used from any thread.
public final class JournalArchive: Sendable {
  public let directory: String
  private let fileSystem: any FileSystem
  /// Of this node: what it has not finished bears this name.
  private let writer: String
  /// Files that were read lately and whose headers were right; the oldest first.
  private let readers = Mutex<[(path: String, file: any File)]>([])
  private static let maxReaders = 4

  public init(directory: String, fileSystem: any FileSystem, writer: UInt64) {
    self.directory = directory
    self.fileSystem = fileSystem
    self.writer = hexadecimal(writer, digits: 16)
  }

  private func folder(_ cluster: UInt64, _ shard: ShardID) -> String {
    join(join(directory, hexadecimal(cluster, digits: 16)), hexadecimal(UInt64(shard.rawValue), digits: 8))
  }
  /// Where a segment is, or will be.
  public func path(_ cluster: UInt64, _ seal: SealedSegment) -> String {
    join(folder(cluster, seal.shard), hexadecimal(UInt64(seal.segment), digits: 8) + ".jnl")
  }

  /// What `store` does, one after another: a crash may come behind each.
  public enum Step: CaseIterable, Sendable { case copied, compared, renamed }

  /// Keeps a segment. When this returns a file is there, durable, read again and equal to what the seal says; also one that another
  /// node has put there. Throws `.damaged` where another file bears the name, which is left alone, or where the copy is not what was
  /// written; `.refused` where the directory is not the archive, for want of a mount.
  /// - Parameters:
  ///   - read: gives the ledger's bytes from an offset on, as many as fit.
  ///   - passed: told after each step.
  public func store(
    _ seal: SealedSegment, of cluster: UInt64,
    read: (UInt64, UnsafeMutableRawBufferPointer) throws(StorageError) -> Int,
    passed: (Step) throws(StorageError) -> Void = { _ throws(StorageError) in }
  ) throws(StorageError) {
    let path = path(cluster, seal)
    let temporary = path + "." + writer
    if try fileSystem.exists(path) {
      try verify(seal, at: path)
      // Who put it there may not have come to that.
      try fileSystem.syncDirectory(folder(cluster, seal.shard))
      // Of an attempt that another node was quicker than.
      if try fileSystem.exists(temporary) { try fileSystem.remove(temporary) }
      return
    }
    try checkMounted(seal, of: cluster)
    let folder = folder(cluster, seal.shard)
    try fileSystem.createDirectory(folder)
    try copy(seal, to: temporary, read)
    try passed(.copied)
    try verify(seal, at: temporary)
    try passed(.compared)
    try fileSystem.rename(temporary, to: path)
    try fileSystem.syncDirectory(folder)
    try passed(.renamed)
  }

  /// What is mounted nowhere must not fill the disk under its name: the directory is the operator's to make, and has the segment before.
  private func checkMounted(_ seal: SealedSegment, of cluster: UInt64) throws(StorageError) {
    guard try fileSystem.exists(directory) else {
      throw StorageError(
        .refused, path: directory, operation: "archive to", reason: "there is no such directory: is it mounted?")
    }
    guard seal.segment > 1 else { return }
    let before = join(folder(cluster, seal.shard), hexadecimal(UInt64(seal.segment - 1), digits: 8) + ".jnl")
    guard try fileSystem.exists(before) else {
      throw StorageError(
        .refused, path: directory, operation: "archive to", reason: "it has no \(before): is it mounted?")
    }
  }

  private func copy(
    _ seal: SealedSegment, to path: String,
    _ read: (UInt64, UnsafeMutableRawBufferPointer) throws(StorageError) -> Int
  ) throws(StorageError) {
    let file = try fileSystem.open(path, create: true)
    try file.truncate(0)
    let header = JournalFormat.header(shard: seal.shard, segment: seal.segment)
    try header.withBytes { bytes throws(StorageError) in try file.write(bytes, at: 0) }
    let run = AlignedBuffer(capacity: JournalArchive.blocksAtOnce * JournalFormat.blockBytes)
    let payload = AlignedBuffer(capacity: JournalArchive.blocksAtOnce * JournalFormat.blockBytes)
    var offset: UInt64 = 0
    var bulk = BulkSync()
    while offset < seal.byteCount {
      let wanted = Int(min(seal.byteCount - offset, UInt64(JournalArchive.blocksAtOnce * JournalFormat.payloadBytes)))
      let got = try read(offset, payload.mutablePrefix(wanted))
      guard got == wanted else {
        throw StorageError(
          .damaged, path: path, operation: "copy to", offset: offset, reason: "the segment ends before its seal says")
      }
      let first = Int(offset / UInt64(JournalFormat.payloadBytes))
      let count = (wanted + JournalFormat.payloadBytes - 1) / JournalFormat.payloadBytes
      memset(run.base, 0, count * JournalFormat.blockBytes)
      for number in 0..<count {
        let start = number * JournalFormat.payloadBytes
        let used = min(JournalFormat.payloadBytes, wanted - start)
        let block = run.base + number * JournalFormat.blockBytes
        memcpy(block, payload.base + start, used)
        let checksum = CRC32C.checksum(
          UnsafeRawBufferPointer(start: block, count: used),
          continuing: JournalFormat.placeChecksum(shard: seal.shard, segment: seal.segment, block: first + number))
        JournalFormat.writeSlot(0, used: used, checksum: checksum, in: block)
      }
      try file.write(run.prefix(count * JournalFormat.blockBytes), at: JournalArchive.fileOffset(first))
      try bulk.wrote(count * JournalFormat.blockBytes, to: file)
      offset += UInt64(wanted)
    }
    try file.sync()
    file.close()
  }

  /// Reads all of a file. Throws `.damaged` if it is not what was sealed.
  private func verify(_ seal: SealedSegment, at path: String) throws(StorageError) {
    let file = try open(seal, at: path)
    var digest = PartsDigest()
    let run = AlignedBuffer(capacity: JournalFormat.digestBytes)
    var offset: UInt64 = 0
    while offset < seal.byteCount {
      let count = try read(file, seal, at: offset, into: run.mutablePrefix(JournalFormat.digestBytes))
      digest.add(run.prefix(count))
      offset += UInt64(count)
    }
    guard digest.finish() == seal.digest else {
      throw StorageError(
        .damaged, path: path, operation: "read", reason: "it is another segment than was sealed here; it was left alone"
      )
    }
  }

  // MARK: Reading

  /// Reads until the buffer is full or the segment ends, and gives the number of bytes read. Each byte is verified.
  public func read(
    _ seal: SealedSegment, of cluster: UInt64, at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
  ) throws(StorageError) -> Int {
    guard offset < seal.byteCount else { return 0 }
    let path = path(cluster, seal)
    if let known = readers.withLock({ $0.first { $0.path == path }?.file }) {
      do throws(StorageError) { return try read(known, seal, at: offset, into: buffer) } catch {
        // It may be of a store that is mounted anew since, or was put right under the same name: looked for again.
        readers.withLock { $0.removeAll { $0.path == path } }
      }
    }
    let file = try open(seal, at: path)
    readers.withLock { readers in
      if readers.count == JournalArchive.maxReaders { readers.removeFirst() }
      readers.append((path, file))
    }
    return try read(file, seal, at: offset, into: buffer)
  }
  private func open(_ seal: SealedSegment, at path: String) throws(StorageError) -> any File {
    let file = try fileSystem.open(path, create: false)
    var header = [UInt8](repeating: 0, count: JournalFormat.blockBytes)
    _ = try file.readBytes(into: &header, at: 0)
    guard header == JournalFormat.header(shard: seal.shard, segment: seal.segment) else {
      throw StorageError(
        .damaged, path: path, operation: "read", offset: 0, reason: "its header is not that of this segment")
    }
    return file
  }
  private func read(
    _ file: any File, _ seal: SealedSegment, at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
  ) throws(StorageError) -> Int {
    let wanted = Int(min(UInt64(buffer.count), seal.byteCount - offset))
    guard let target = buffer.baseAddress, wanted > 0 else { return 0 }
    let scratch = AlignedBuffer(capacity: JournalFormat.blockBytes)
    var done = 0
    while done < wanted {
      let at = offset + UInt64(done)
      let number = Int(at / UInt64(JournalFormat.payloadBytes))
      let start = Int(at % UInt64(JournalFormat.payloadBytes))
      let before = UInt64(number) * UInt64(JournalFormat.payloadBytes)
      let expected = Int(min(UInt64(JournalFormat.payloadBytes), seal.byteCount - before))
      let got = try file.read(
        into: scratch.mutablePrefix(JournalFormat.blockBytes), at: JournalArchive.fileOffset(number))
      let place = JournalFormat.placeChecksum(shard: seal.shard, segment: seal.segment, block: number)
      guard got == JournalFormat.blockBytes,
        JournalFormat.verifySlot(0, in: scratch.prefix(JournalFormat.blockBytes), placeChecksum: place) == expected
      else {
        throw StorageError(
          .damaged, path: file.path, operation: "read", offset: JournalArchive.fileOffset(number),
          reason: "a block is not what was written")
      }
      let count = min(wanted - done, JournalFormat.payloadBytes - start)
      memcpy(target + done, scratch.base + start, count)
      done += count
    }
    return done
  }

  private static let blocksAtOnce = 64
  private static func fileOffset(_ block: Int) -> UInt64 { UInt64(block + 1) * UInt64(JournalFormat.blockBytes) }
}
