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
  private let directory: String
  private let fileSystem: any FileSystem

  /// Makes the folder if need be and removes what unfinished writers left. Received parts stay, to be resumed.
  public init(directory: String, fileSystem: any FileSystem) throws(StorageError) {
    self.directory = directory
    self.fileSystem = fileSystem
    try fileSystem.createDirectory(directory)
    for name in try fileSystem.list(directory) where name.hasSuffix(".tmp") {
      try fileSystem.remove(join(directory, name))
    }
  }

  /// The shards that have a snapshot, sorted.
  public func shards() throws(StorageError) -> [ShardID] {
    var shards: [ShardID] = []
    for (shard, _, _) in try snapshots() where shards.last != shard { shards.append(shard) }
    return shards
  }

  /// The shard's snapshot of the highest index. Verifies header and footer; throws `.damaged` or `.tooNew`.
  public func newest(_ shard: ShardID) throws(StorageError) -> SnapshotFile? {
    guard let newest = try snapshots().last(where: { $0.shard == shard }) else { return nil }
    let file = try fileSystem.open(join(directory, newest.name), create: false)
    let snapshot = try SnapshotFormat.readEnds(of: file, byteCount: try file.size()).file
    guard join(directory, newest.name) == path(shard, snapshot.index, snapshot.term), snapshot.shard == shard else {
      throw StorageError(
        .damaged, path: file.path, operation: "open", offset: 0, reason: "its header names another snapshot")
    }
    return snapshot
  }

  /// Begins a snapshot, in a temporary file. `metadata` is at most 1 MiB.
  public func create(
    shard: ShardID, index: LogIndex, term: Term, metadata: [UInt8], pacer: (any WritePacer)? = nil
  ) throws(StorageError) -> SnapshotWriter {
    precondition(metadata.count <= SnapshotFormat.maxMetadataBytes, "the metadata of a snapshot is at most 1 MiB")
    return try SnapshotWriter(
      blank(shard, index, term, metadata), directory: directory, fileSystem: fileSystem, pacer: pacer)
  }

  /// Opens a snapshot to read its body.
  public func open(_ file: SnapshotFile) throws(StorageError) -> SnapshotReader {
    let reader = try SnapshotReader(try fileSystem.open(file.path, create: false))
    try check(reader.file, is: file)
    return reader
  }

  /// Opens a snapshot to send its raw bytes to a peer; it stays readable when `removeOlder` removes it meanwhile.
  public func openRaw(_ file: SnapshotFile) throws(StorageError) -> RawSnapshot {
    let raw = try RawSnapshot(try fileSystem.open(file.path, create: false))
    try check(raw.file, is: file)
    return raw
  }

  /// Reads all of the shard's newest snapshot, if it has one. Throws `.damaged` if that is not what was written.
  public func verifyNewest(_ shard: ShardID) throws(StorageError) {
    if let file = try newest(shard) { try open(file).verifyRest() }
  }

  /// Begins, or resumes, the receipt of a peer's file, known by its digest and size as the peer's `SnapshotFile` has
  /// them. Parts of other snapshots of the shard are removed.
  public func receive(
    shard: ShardID, index: LogIndex, term: Term, digest: SHA256.Digest, byteCount: UInt64
  ) throws(StorageError) -> SnapshotReceiver {
    let name = "\(SnapshotFormat.name(shard, index, term))-\(digest.hex).part"
    for other in try parts(of: shard) where other != name { try fileSystem.remove(join(directory, other)) }
    var expected = blank(shard, index, term, [])
    expected.digest = digest
    expected.byteCount = byteCount
    return try SnapshotReceiver(
      expected, partPath: join(directory, name), directory: directory, fileSystem: fileSystem)
  }

  /// Removes the shard's snapshots below `index`.
  public func removeOlder(_ shard: ShardID, than index: LogIndex) throws(StorageError) {
    for found in try snapshots() where found.shard == shard && found.index < index {
      try fileSystem.remove(join(directory, found.name))
    }
  }

  /// Takes the shard's newest snapshot, which cannot be read, out of the way: it is renamed to `.bad`, for a person to look
  /// at. One is kept a shard.
  public func setAsideNewest(_ shard: ShardID) throws(StorageError) {
    guard let newest = try snapshots().last(where: { $0.shard == shard }) else { return }
    let bad = try fileSystem.list(directory).filter { $0.hasSuffix(".bad") && SnapshotFormat.parse($0)?.shard == shard }
    for name in bad { try fileSystem.remove(join(directory, name)) }
    let path = join(directory, newest.name)
    try fileSystem.rename(path, to: path + ".bad")
    try fileSystem.syncDirectory(directory)
  }

  /// Removes all the shard's snapshots and parts: it has left this node.
  public func removeAll(_ shard: ShardID) throws(StorageError) {
    for found in try snapshots() where found.shard == shard { try fileSystem.remove(join(directory, found.name)) }
    for name in try parts(of: shard) { try fileSystem.remove(join(directory, name)) }
    try fileSystem.syncDirectory(directory)
  }

  private func path(_ shard: ShardID, _ index: LogIndex, _ term: Term) -> String {
    join(directory, SnapshotFormat.name(shard, index, term) + ".snap")
  }

  private func blank(_ shard: ShardID, _ index: LogIndex, _ term: Term, _ metadata: [UInt8]) -> SnapshotFile {
    SnapshotFile(
      shard: shard, index: index, term: term, metadata: metadata, path: path(shard, index, term), byteCount: 0,
      digest: SHA256.Digest())
  }

  /// By shard, then index, then term: names sort so.
  private func snapshots() throws(StorageError) -> [(shard: ShardID, index: LogIndex, name: String)] {
    try fileSystem.list(directory).compactMap { name in
      guard name.hasSuffix(".snap"), let parsed = SnapshotFormat.parse(name) else { return nil }
      return (parsed.shard, parsed.index, name)
    }
  }

  private func parts(of shard: ShardID) throws(StorageError) -> [String] {
    try fileSystem.list(directory).filter { $0.hasSuffix(".part") && SnapshotFormat.parse($0)?.shard == shard }
  }

  private func check(_ found: SnapshotFile, is expected: SnapshotFile) throws(StorageError) {
    if found == expected { return }
    throw StorageError(
      .damaged, path: found.path, operation: "open", offset: 0, reason: "it is another snapshot than was asked for")
  }
}
