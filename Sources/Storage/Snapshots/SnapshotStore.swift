import Base
import Synchronization

/// The snapshot to which another one has the changes.
public struct SnapshotBase: Hashable, Sendable {
  public var index: LogIndex
  public var term: Term
  /// The first eight bytes of its digest.
  public var digest: UInt64
}

/// A snapshot in its place: durable, its header and footer verified.
public struct SnapshotFile: Hashable, Sendable {
  public var shard: ShardID
  /// The last entry that the snapshot contains.
  public var index: LogIndex
  public var term: Term
  /// Nil: it is whole. Else it has only what has changed since that one, which has a lower index.
  public var base: SnapshotBase?
  /// Whatever the writer wants to know before reading the body: membership, journal position, chain.
  public var metadata: [UInt8]
  public var path: String
  /// Size of the file, all framing included: what a peer is sent.
  public var byteCount: UInt64
  /// See `SnapshotDigest`: it covers every byte of the file before the footer.
  public var digest: SHA256.Digest

  /// As the base of another one.
  var asBase: SnapshotBase { SnapshotBase(index: index, term: term, digest: digest.a) }
}

/// The node's snapshots, in one folder, a file each. May be used from any thread; one writer, reader or receiver is used by
/// one thread at a time.
public final class SnapshotStore: Sendable {
  private let directory: String
  private let fileSystem: any FileSystem
  /// Paths of snapshots whose changes are being written.
  private let pinned = Mutex<[String]>([])

  /// Makes the folder if need be and removes what unfinished writers left. Received parts stay, to be resumed. The names
  /// of snapshots that are found are durable when this returns: the process that gave them may have ended before they were.
  /// - Parameter isReadOnly: nothing is made, removed or synced.
  public init(directory: String, fileSystem: any FileSystem, isReadOnly: Bool = false) throws(StorageError) {
    self.directory = directory
    self.fileSystem = fileSystem
    if isReadOnly { return }
    try fileSystem.createDirectory(directory)
    for name in try fileSystem.list(directory) where name.hasSuffix(".tmp") {
      try fileSystem.remove(join(directory, name))
    }
    try fileSystem.syncDirectory(directory)
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
    return try file(shard, named: newest.name)
  }
  private func file(_ shard: ShardID, named name: String) throws(StorageError) -> SnapshotFile {
    let file = try fileSystem.open(join(directory, name), create: false)
    let snapshot = try SnapshotFormat.readEnds(of: file, byteCount: try file.size()).file
    guard join(directory, name) == path(shard, snapshot.index, snapshot.term), snapshot.shard == shard else {
      throw StorageError(
        .damaged, path: file.path, operation: "open", offset: 0, reason: "its header names another snapshot")
    }
    return snapshot
  }

  /// The snapshots that together give the state of one: a whole one, and the changes since, in order. Verifies headers and
  /// footers; throws `.damaged` if one is missing or another than it was.
  public func chain(of newest: SnapshotFile) throws(StorageError) -> [SnapshotFile] {
    guard try file(newest.shard, named: name(of: newest.asBase, newest.shard)) == newest else {
      throw StorageError(
        .damaged, path: newest.path, operation: "open", offset: 0, reason: "it is another snapshot than it was")
    }
    var chain = [newest]
    while let base = chain[0].base {
      let child = chain[0].path
      func broken(_ reason: String) -> StorageError {
        StorageError(.damaged, path: child, operation: "open", offset: 0, reason: reason)
      }
      let name = name(of: base, newest.shard)
      guard base.index < chain[0].index, try fileSystem.exists(join(directory, name)) else {
        throw broken("the snapshot whose changes it has is gone")
      }
      let file = try file(newest.shard, named: name)
      guard file.asBase == base else { throw broken("the snapshot whose changes it has is another") }
      chain.insert(file, at: 0)
    }
    return chain
  }

  /// Begins a snapshot, in a temporary file. `metadata` is at most 1 MiB.
  /// - Parameter base: the snapshot to which this one will have the changes; nil: it will be whole.
  public func create(
    shard: ShardID, index: LogIndex, term: Term, base: SnapshotFile? = nil, metadata: [UInt8],
    pacer: (any WritePacer)? = nil
  ) throws(StorageError) -> SnapshotWriter {
    precondition(metadata.count <= SnapshotFormat.maxMetadataBytes, "the metadata of a snapshot is at most 1 MiB")
    precondition(base.map { $0.index < index && $0.shard == shard } ?? true, "a base is an earlier one of the shard")
    var snapshot = blank(shard, index, term, metadata)
    snapshot.base = base?.asBase
    guard let base else {
      return try SnapshotWriter(snapshot, directory: directory, fileSystem: fileSystem, pacer: pacer)
    }
    let paths = try chain(of: base).map(\.path)
    pinned.withLock { $0 += paths }
    do {
      return try SnapshotWriter(snapshot, directory: directory, fileSystem: fileSystem, pacer: pacer) { [self] in
        unpin(paths)
      }
    } catch {
      unpin(paths)
      throw error
    }
  }
  private func unpin(_ paths: [String]) {
    pinned.withLock { pinned in
      for path in paths { if let i = pinned.firstIndex(of: path) { pinned.remove(at: i) } }
    }
  }

  /// Opens a snapshot to read its body.
  public func open(_ file: SnapshotFile, verifyingDigest: Bool = false) throws(StorageError) -> SnapshotFileReader {
    let reader = try SnapshotFileReader(
      try fileSystem.open(file.path, create: false), verifyingDigest: verifyingDigest)
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
    guard let newest = try newest(shard) else { return }
    for file in try chain(of: newest) { try verify(file) }
  }
  /// Reads all of a file. Throws `.damaged` if that is not what was written.
  public func verify(_ file: SnapshotFile) throws(StorageError) {
    try open(file, verifyingDigest: true).verifyRest()
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

  /// Removes the shard's snapshots that are older than one, and that neither it nor a newer one needs. Throws `.damaged` if
  /// it lacks one itself.
  public func removeOlder(_ shard: ShardID, than newest: SnapshotFile) throws(StorageError) {
    // Before the newer ones are looked for: whoever writes one lets go of its base only when it is there.
    var needed = Set(pinned.withLock { $0 })
    needed.formUnion(try chain(of: newest).map(\.path))
    let all = try snapshots().filter { $0.shard == shard }
    for found in all where found.index > newest.index {
      // What cannot be read now is looked at when it is read.
      guard let newer = try? file(shard, named: found.name), let chain = try? chain(of: newer) else { return }
      needed.formUnion(chain.map(\.path))
    }
    for found in all where found.index < newest.index && !needed.contains(join(directory, found.name)) {
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

  private func name(of base: SnapshotBase, _ shard: ShardID) -> String {
    SnapshotFormat.name(shard, base.index, base.term) + ".snap"
  }
  private func path(_ shard: ShardID, _ index: LogIndex, _ term: Term) -> String {
    join(directory, SnapshotFormat.name(shard, index, term) + ".snap")
  }

  private func blank(_ shard: ShardID, _ index: LogIndex, _ term: Term, _ metadata: [UInt8]) -> SnapshotFile {
    SnapshotFile(
      shard: shard, index: index, term: term, base: nil, metadata: metadata, path: path(shard, index, term),
      byteCount: 0, digest: SHA256.Digest())
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
