import Base
import Cluster
import Storage

/// What says whose data directory it is: `identity`, 40 bytes: "TLYID", a version, the node's id, its proof, a CRC-32C.
///
/// A first start may be cut off anywhere and simply be made again: `identity.new` is durable before there is a log, and
/// gets its name once the log is there. So a log without either has lost its identity, and an identity without a log its
/// log: votes that were given and entries that were acknowledged with it, so that it must not go on under that name.
enum Identity {
  private static let magic: UInt64 = 0x0000_4449_5954_4C54 >> 8
  private static let version: UInt32 = 2
  private static let byteCount = 40

  /// Before the log is opened: refuses a directory that holds something else than a node's data, or less; writes
  /// `identity.new` in one that has no node yet.
  static func prepare(directory: String, fileSystem: any FileSystem, new: UInt64, proof: Proof) throws {
    precondition(new != 0, "a node's identity is not zero")
    let logFiles = try fileSystem.exists(directory + "/wal") ? try fileSystem.list(directory + "/wal") : []
    if try fileSystem.exists(directory + "/identity") {
      _ = try read(directory + "/identity", fileSystem)
      guard logFiles.contains(where: { $0.hasSuffix(".wal") }) else {
        throw StorageError(
          .damaged, path: directory + "/wal", operation: "read",
          reason: "the identity is there but the log is not; restore it, or give this node an empty directory")
      }
      return
    }
    // The root of a fresh file system may be a data directory too.
    let known: Set<String> = [
      "lock", "wal", "journal", "snapshots", "identity.new", "incarnation", "ballast", "promise", "promise.new",
      NodeStorage.settingsFile, NodeStorage.settingsFile + ".new",
      "lost+found",
    ]
    let foreign = try fileSystem.list(directory).filter { !known.contains($0) }
    if let name = foreign.first {
      throw StorageError(
        .refused, path: directory, operation: "use as data directory",
        reason: "it holds other files (\(name)); name an empty directory, or the one this node used before")
    }
    guard try logFiles.isEmpty || fileSystem.exists(directory + "/identity.new") else {
      throw StorageError(
        .damaged, path: directory + "/identity", operation: "read",
        reason: "the log is there but the identity is not; restore it, or give this node an empty directory")
    }
    var buffer = ByteBuffer(capacity: 64)
    buffer.append(magic)
    buffer.append(version)
    buffer.append(new)
    proof.encode(into: &buffer)
    buffer.append(CRC32C.checksum(buffer.bytes))
    let file = try fileSystem.open(directory + "/identity.new", create: true)
    defer { file.close() }
    try file.write(buffer.bytes, at: 0)
    try file.sync()
    try fileSystem.syncDirectory(directory)
  }

  /// Once the log is there.
  static func load(directory: String, fileSystem: any FileSystem) throws -> (id: NodeID, proof: Proof) {
    let path = directory + "/identity"
    if try !fileSystem.exists(path) {
      try fileSystem.rename(path + ".new", to: path)
      try fileSystem.syncDirectory(directory)
    }
    return try read(path, fileSystem)
  }

  private static func read(_ path: String, _ fileSystem: any FileSystem) throws -> (id: NodeID, proof: Proof) {
    let file = try fileSystem.open(path, create: false)
    defer { file.close() }
    var bytes = [UInt8](repeating: 0, count: byteCount)
    let count = try bytes.withUnsafeMutableBytes { try file.read(into: $0, at: 0) }
    return try bytes.withUnsafeBytes { raw in
      let body = UnsafeRawBufferPointer(rebasing: raw[..<(byteCount - 4)])
      guard count == byteCount, raw.loadUnaligned(as: UInt64.self) == magic,
        CRC32C.checksum(body) == raw.loadUnaligned(fromByteOffset: byteCount - 4, as: UInt32.self)
      else {
        throw StorageError(
          .damaged, path: path, operation: "read", reason: "this is no node's identity; restore the file")
      }
      let found = raw.loadUnaligned(fromByteOffset: 8, as: UInt32.self)
      guard found == version else {
        throw StorageError(
          .tooNew, path: path, operation: "read",
          reason: "data format \(found) is newer than this program's (\(version)); run a newer tally")
      }
      var reader = ByteReader(UnsafeRawBufferPointer(rebasing: body[12...]))
      return (NodeID(try reader.read()), try Proof(decoding: &reader))
    }
  }
}
