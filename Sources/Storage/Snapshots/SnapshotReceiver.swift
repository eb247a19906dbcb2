import Base

/// Takes in a peer's snapshot file.
public final class SnapshotReceiver {
  private let fileSystem: any FileSystem
  private let directory: String
  private let expected: SnapshotFile
  private let partPath: String
  private let file: any File
  /// The next offset wanted: what a resumed sender starts from.
  public private(set) var offset: UInt64
  private var bulk = BulkSync()

  init(
    _ expected: SnapshotFile, partPath: String, directory: String, fileSystem: any FileSystem
  ) throws(StorageError) {
    self.expected = expected
    self.partPath = partPath
    self.directory = directory
    self.fileSystem = fileSystem
    file = try fileSystem.open(partPath, create: true)
    offset = try file.size()
    if offset > expected.byteCount {
      try file.truncate(0)
      offset = 0
    }
  }

  /// The size of the whole file, as announced.
  public var byteCount: UInt64 { expected.byteCount }
  public var isComplete: Bool { offset == byteCount }

  /// Takes bytes at `offset`; throws `.refused` for any other place, or past the announced size.
  public func append(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(StorageError) {
    guard offset == self.offset, UInt64(bytes.count) <= byteCount - offset else {
      throw StorageError(
        .refused, path: partPath, operation: "append to", offset: offset,
        reason: "the next byte wanted is \(self.offset) of \(byteCount)")
    }
    try file.write(bytes, at: offset)
    self.offset += UInt64(bytes.count)
    try bulk.wrote(bytes.count, to: file)
  }

  /// Verifies every chunk and the digest, and makes all durable; it counts once `place` has given it its name. Throws
  /// `.damaged` when the bytes are not those that were announced; the part is removed then, so that the next try starts over.
  public func finish() throws(StorageError) -> SnapshotFile {
    let found: SnapshotFile
    do throws(StorageError) {
      found = try verify()
    } catch {
      if error.kind == .damaged { abandon() }
      throw error
    }
    try file.sync()
    return found
  }
  /// Gives the file its name: what it refers to is durable. What `finish` gave, in its place.
  public func place(_ found: SnapshotFile) throws(StorageError) -> SnapshotFile {
    try fileSystem.rename(partPath, to: expected.path)
    try fileSystem.syncDirectory(directory)
    file.close()
    var placed = found
    placed.path = expected.path
    return placed
  }

  private func verify() throws(StorageError) -> SnapshotFile {
    guard isComplete else {
      throw StorageError(
        .refused, path: partPath, operation: "finish", reason: "only \(offset) of \(byteCount) bytes are here")
    }
    let reader = try SnapshotFileReader(file, verifyingDigest: true)
    try reader.verifyRest()
    let found = reader.file
    guard found.digest == expected.digest, found.shard == expected.shard, found.index == expected.index,
      found.term == expected.term
    else {
      throw StorageError(
        .damaged, path: partPath, operation: "finish", reason: "it is another snapshot than was announced")
    }
    return found
  }

  /// Gives up and removes the part. (Letting go of the receiver keeps it, to be resumed.)
  public func abandon() {
    file.close()
    // A part that stays is removed by the next `receive` or `removeAll` of the shard.
    try? fileSystem.remove(partPath)
  }
}
