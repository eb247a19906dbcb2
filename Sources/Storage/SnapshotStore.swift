import Base

/// A snapshot in its place: durable, its header and footer verified.
public struct SnapshotFile: Hashable, Sendable {
  public var shard: ShardID
  /// The last entry that the snapshot contains.
  public var index: LogIndex
  public var term: Term
  /// Whatever the writer wants to know before reading the body: membership, journal position, chain.
  public var metadata: [UInt8]
  public var path: String
  /// Size of the file, all framing included: what a peer is sent.
  public var byteCount: UInt64
  /// SHA-256 of the concatenated SHA-256s of header and chunks: it covers every byte of the file before the footer.
  public var digest: SHA256.Digest
}

/// The node's snapshots, in one folder, a file each. Has no state but the folder: may be used from any thread; one
/// writer, reader or receiver is used by one thread at a time.
public final class SnapshotStore: Sendable {
  /// Makes the folder if need be and removes what unfinished writers left. Received parts stay, to be resumed.
  public init(directory: String, fileSystem: any FileSystem) throws(StorageError) { preconditionFailure("stub") }
  /// The shards that have a snapshot, sorted.
  public func shards() throws(StorageError) -> [ShardID] { preconditionFailure("stub") }
  /// The shard's snapshot of the highest index. Verifies header and footer; throws `.damaged` or `.tooNew`.
  public func newest(_ shard: ShardID) throws(StorageError) -> SnapshotFile? { preconditionFailure("stub") }
  /// Begins a snapshot, in a temporary file. `metadata` is at most 1 MiB.
  public func create(
    shard: ShardID, index: LogIndex, term: Term, metadata: [UInt8]
  ) throws(StorageError) -> SnapshotWriter { preconditionFailure("stub") }
  /// Opens a snapshot to read its body.
  public func open(_ file: SnapshotFile) throws(StorageError) -> SnapshotReader { preconditionFailure("stub") }
  /// Opens a snapshot to send its raw bytes to a peer; it stays readable when `removeOlder` removes it meanwhile.
  public func openRaw(_ file: SnapshotFile) throws(StorageError) -> RawSnapshot { preconditionFailure("stub") }
  /// Begins, or resumes, the receipt of a peer's file, known by its digest and size as the peer's `SnapshotFile` has
  /// them. Parts of other snapshots of the shard are removed.
  public func receive(
    shard: ShardID, index: LogIndex, term: Term, digest: SHA256.Digest, byteCount: UInt64
  ) throws(StorageError) -> SnapshotReceiver { preconditionFailure("stub") }
  /// Removes the shard's snapshots below `index`.
  public func removeOlder(_ shard: ShardID, than index: LogIndex) throws(StorageError) { preconditionFailure("stub") }
  /// Removes all the shard's snapshots and parts: it has left this node.
  public func removeAll(_ shard: ShardID) throws(StorageError) { preconditionFailure("stub") }
}

/// Writes one snapshot. Bytes are gathered into chunks of 256 KiB, each with its CRC-32C.
public final class SnapshotWriter {
  init() {}
  /// Adds bytes to the body.
  public func append(_ bytes: UnsafeRawBufferPointer) throws(StorageError) { preconditionFailure("stub") }
  /// Writes the footer, syncs, renames into place and syncs the folder: then the snapshot counts. Only now may the
  /// log be released.
  public func finish() throws(StorageError) -> SnapshotFile { preconditionFailure("stub") }
  /// Gives up and removes the temporary file.
  public func abandon() { preconditionFailure("stub") }
}

/// Reads a snapshot's body from the front. No byte is given out before its chunk's CRC was verified.
public final class SnapshotReader {
  init() {}
  public var file: SnapshotFile { preconditionFailure("stub") }
  /// Fills the whole buffer; throws `.damaged` if the body ends before.
  public func read(into buffer: UnsafeMutableRawBufferPointer) throws(StorageError) { preconditionFailure("stub") }
  /// Verifies that the body ends here and that the digest over the whole is the footer's. What was read must not be used
  /// before this returns.
  public func finish() throws(StorageError) { preconditionFailure("stub") }
}

/// A snapshot's file as bytes, to be sent.
public final class RawSnapshot {
  init() {}
  public var file: SnapshotFile { preconditionFailure("stub") }
  /// Reads until the buffer is full or the file ends.
  public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(StorageError) -> Int {
    preconditionFailure("stub")
  }
}

/// Takes in a peer's snapshot file.
public final class SnapshotReceiver {
  init() {}
  /// The next offset wanted: what a resumed sender starts from.
  public var offset: UInt64 { preconditionFailure("stub") }
  public var byteCount: UInt64 { preconditionFailure("stub") }
  public var isComplete: Bool { offset == byteCount }
  /// Takes bytes at `offset`; throws `.refused` for any other place, or past the announced size.
  public func append(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(StorageError) {
    preconditionFailure("stub")
  }
  /// Verifies every chunk and the digest, syncs, renames into place. Throws `.damaged` when the bytes are not those
  /// that were announced; the part is removed then, so that the next try starts over.
  public func finish() throws(StorageError) -> SnapshotFile { preconditionFailure("stub") }
  /// Gives up and removes the part.
  public func abandon() { preconditionFailure("stub") }
}
