import Base
import Synchronization

/// A journal segment that will never change again. Equal on every replica.
public struct SealedSegment: Hashable, Sendable {
  public var shard: ShardID
  public var segment: UInt32
  /// Bytes of the ledger in it.
  public var byteCount: UInt64
  /// SHA-256 of the concatenated SHA-256s of its bytes in runs of 256 KiB: independent of how they were appended.
  public var digest: SHA256.Digest
}

/// The shards' journals: each a row of segments of bytes, which are the ledger's, kept by (segment, offset).
///
/// Belongs to the thread of the journals; that of the archive reads as well, and drops what it has archived: each call has the
/// journals to itself.
public final class JournalStore: @unchecked Sendable {
  private let directory: String
  private let fileSystem: any FileSystem
  /// Held in each call: `journals`, what they keep, and `failures` are behind it.
  private let access = Mutex(())
  private var journals: [ShardID: ShardJournal] = [:]
  private let pool: FilePool
  /// How many of the journals' files are open at once, at most.
  public let openFilesMax: Int
  /// How many journals are in use. May be asked from any thread.
  public let journalCount = Atomic<Int>(0)
  /// Journals of which a sync failed: nothing is written there any more, until a process begins on what the disk kept.
  private var failures: [ShardID: StorageError] = [:]

  private let hasArchive: Bool

  /// - Parameters:
  ///   - openFilesMax: how many of the journals' files are open at once; at least 1.
  ///   - hasArchive: the oldest segments of a journal may be in an archive; else one that is missing is damage.
  public init(
    directory: String, fileSystem: any FileSystem, openFilesMax: Int = 1024, hasArchive: Bool = false
  ) throws(StorageError) {
    self.hasArchive = hasArchive
    self.directory = directory
    self.fileSystem = fileSystem
    self.openFilesMax = openFilesMax
    pool = FilePool(fileSystem: fileSystem, capacity: openFilesMax)
    try fileSystem.createDirectory(directory)
  }

  /// The shards that have a journal, sorted.
  public func shards() throws(StorageError) -> [ShardID] {
    try fileSystem.list(directory).compactMap { name in UInt32(name, radix: 16).map { ShardID($0) } }
  }

  /// Where the next byte goes: (1, 0) for an empty journal. After a crash this may lie past what was synced: `truncate`
  /// to a position that was synced before relying on it.
  public func end(_ shard: ShardID) throws(StorageError) -> JournalPosition {
    try access.withLock { _ throws(StorageError) in try journal(shard).end }
  }

  /// Appends at the end. Position (n + 1, 0) seals segment n and begins the next; any other position than the end
  /// is `.refused`. Durable after `sync`. After any other error, `truncate` to `position` before trying again.
  public func append(
    _ shard: ShardID, at position: JournalPosition, _ bytes: UnsafeRawBufferPointer
  ) throws(StorageError) {
    try changing(shard) { journal throws(StorageError) in try journal.append(at: position, bytes) }
  }

  /// Reads until the buffer is full or the segment ends, and gives the number of bytes read. Each byte is verified;
  /// throws `.damaged` with file and offset. A small read costs one 4 KiB block.
  public func read(
    _ shard: ShardID, at position: JournalPosition, into buffer: UnsafeMutableRawBufferPointer
  ) throws(StorageError) -> Int {
    try access.withLock { _ throws(StorageError) in try journal(shard).read(at: position, into: buffer) }
  }

  /// Cuts the journal, after a crash and before replay; durable when it returns. Throws `.damaged` if what lies before
  /// `position` in its block cannot be verified, which never happens to a position that was synced; `.refused` if the
  /// journal ends before it.
  public func truncate(_ shard: ShardID, to position: JournalPosition) throws(StorageError) {
    try changing(shard) { journal throws(StorageError) in try journal.truncate(to: position) }
  }

  /// Makes all that was appended to the shard's journal durable; to be called before a snapshot that refers to it is
  /// finished.
  public func sync(_ shard: ShardID) throws(StorageError) {
    try changing(shard) { journal throws(StorageError) in try journal.sync() }
  }

  /// Bytes in a segment, sealed or not; nil if it is not there.
  public func byteCount(_ shard: ShardID, segment: UInt32) throws(StorageError) -> UInt64? {
    try access.withLock { _ throws(StorageError) in try journal(shard).byteCount(segment) }
  }

  /// The seals of the shard's sealed segments, in order.
  public func sealed(_ shard: ShardID) throws(StorageError) -> [SealedSegment] {
    try access.withLock { _ throws(StorageError) in try journal(shard).seals }
  }
  /// How many of them, the oldest, are in the archive and not here.
  public func archivedCount(_ shard: ShardID) throws(StorageError) -> UInt32 {
    try access.withLock { _ throws(StorageError) in try journal(shard).archivedCount }
  }
  /// The seal of a segment that is in the archive and not here; nil: it is here.
  public func archived(_ shard: ShardID, segment: UInt32) throws(StorageError) -> SealedSegment? {
    try access.withLock { _ throws(StorageError) in
      let journal = try journal(shard)
      return segment >= 1 && segment <= journal.archivedCount ? journal.seals[Int(segment) - 1] : nil
    }
  }
  /// Removes the file of the oldest segment that is here: it is in the archive. Its seal stays.
  public func dropArchived(_ shard: ShardID, segment: UInt32) throws(StorageError) {
    try markArchived()
    try changing(shard) { journal throws(StorageError) in try journal.dropArchived(segment) }
  }

  private static func archiveMark(_ directory: String) -> String { join(directory, "archived") }
  /// Before the first file goes. The mark stays.
  private func markArchived() throws(StorageError) {
    let path = JournalStore.archiveMark(directory)
    guard try !fileSystem.exists(path) else { return }
    try fileSystem.open(path, create: true).close()
    try fileSystem.syncDirectory(directory)
  }
  /// Whether segments of journals in this folder have ever gone to an archive. Without it they would be taken for lost.
  public static func needsArchive(_ directory: String, fileSystem: any FileSystem) throws(StorageError) -> Bool {
    try fileSystem.exists(archiveMark(directory))
  }

  /// Reads a whole segment again, verifies each block, and a sealed one against its seal. For scrubbing.
  public func verify(_ shard: ShardID, segment: UInt32) throws(StorageError) {
    try access.withLock { _ throws(StorageError) in try journal(shard).verify(segment) }
  }

  /// Removes the shard's journal: it has left this node, or will be transferred anew.
  public func removeAll(_ shard: ShardID) throws(StorageError) {
    try access.withLock { _ throws(StorageError) in try removeFiles(shard) }
  }
  private func removeFiles(_ shard: ShardID) throws(StorageError) {
    if let failure = failures[shard] { throw failure }
    journals[shard] = nil
    let folder = self.folder(shard)
    guard try fileSystem.exists(folder) else { return }
    for name in try fileSystem.list(folder).reversed() { try fileSystem.remove(join(folder, name)) }
    try fileSystem.syncDirectory(folder)
    try fileSystem.remove(folder)
    try fileSystem.syncDirectory(directory)
  }

  private func folder(_ shard: ShardID) -> String {
    join(directory, hexadecimal(UInt64(shard.rawValue), digits: 8))
  }

  private func journal(_ shard: ShardID) throws(StorageError) -> ShardJournal {
    if let journal = journals[shard] { return journal }
    let journal = try ShardJournal(
      shard: shard, directory: folder(shard), fileSystem: fileSystem, pool: pool, hasArchive: hasArchive)
    journals[shard] = journal
    journalCount.store(journals.count, ordering: .relaxed)
    return journal
  }

  /// After an error what is in memory may differ from what is on disk: it is read anew. For want of a descriptor some are
  /// given up: not all that wants one goes through the pool.
  private func changing(
    _ shard: ShardID, _ body: (ShardJournal) throws(StorageError) -> Void
  ) throws(StorageError) {
    try access.withLock { _ throws(StorageError) in try change(shard, body) }
  }
  private func change(
    _ shard: ShardID, _ body: (ShardJournal) throws(StorageError) -> Void
  ) throws(StorageError) {
    if let failure = failures[shard] { throw failure }
    let journal = try journal(shard)
    do throws(StorageError) {
      try body(journal)
    } catch {
      // What a failed sync has dropped, the next one would not miss.
      if error.kind == .fatal { failures[shard] = error }
      if error.kind != .refused { journals[shard] = nil }
      if error.kind == .noDescriptors { pool.giveUpSome() }
      throw error
    }
  }
}
