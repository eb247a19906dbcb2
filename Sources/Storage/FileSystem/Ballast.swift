import Synchronization

/// A file that only holds space. When the disk is full it is let go of, so that the log can end what it has begun and a
/// node can start; it is made again once there is room.
public final class Ballast: Sendable {
  private let path: String
  private let fileSystem: any FileSystem
  /// What it holds when there is room; 0: none is wanted.
  public let byteCount: UInt64
  /// What it holds now. Held while it is made or let go of: the log thread may want what another is making.
  private let held: Mutex<UInt64>

  /// Looks whether the file is there. Changes nothing.
  public init(path: String, fileSystem: any FileSystem, byteCount: UInt64) throws(StorageError) {
    self.path = path
    self.fileSystem = fileSystem
    self.byteCount = byteCount
    held = Mutex(try fileSystem.exists(path) ? try fileSystem.open(path, create: false).size() : 0)
  }

  /// Bytes that `release` would free.
  public var heldBytes: UInt64 { held.withLock { $0 } }

  /// Lets go of the space. False: there was none to let go of. Costs the removal of a file.
  public func release() throws(StorageError) -> Bool {
    try held.withLock { held throws(StorageError) in
      guard held > 0 else { return false }
      try fileSystem.remove(path, atOnce: true)
      held = 0
      return true
    }
  }

  /// Takes the space again, if it is not held, durably: it must be there after a crash on a disk that is full. Reserves
  /// blocks without writing them. Throws `.noSpace`, holding nothing.
  public func take() throws(StorageError) {
    try held.withLock { held throws(StorageError) in
      guard held != byteCount else { return }
      if held > 0 { try fileSystem.remove(path, atOnce: true) }
      held = 0
      guard byteCount > 0 else { return }
      let file = try fileSystem.open(path, create: true)
      defer { file.close() }
      do throws(StorageError) {
        try file.preallocate(byteCount)
        try file.sync()
        try fileSystem.syncDirectory(SystemFileSystem.parent(of: path))
      } catch {
        try? fileSystem.remove(path, atOnce: true)
        throw error
      }
      held = byteCount
    }
  }
}
