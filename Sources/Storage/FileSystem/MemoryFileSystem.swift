import Base
import Synchronization

/// A disk that a simulator plays: it forgets, tears, fills up and rots on demand, the same way for the same seed.
///
/// Each file keeps, beside its bytes, what each 4 KiB sector held when it was last synced; each folder keeps the
/// operations that no `syncDirectory` has covered. A crash keeps any subset of both, tears sectors at 512 bytes, and
/// turns open handles and locks into dead ones.
public final class MemoryFileSystem: FileSystem, @unchecked Sendable {
  let gate = Mutex(())
  var names: [String: MemoryInode] = [:]
  var durableNames: [String: MemoryInode] = [:]
  var pending: [NameChange] = []
  static let roots: Set<String> = ["", "/", "."]
  var folders = MemoryFileSystem.roots
  var locks: Set<String> = []
  var generation = 0
  var stepCount = 0
  var stepsUntilPowerCut: Int?
  var syncsUntilFailure: Int?
  var isPowerCut = false
  var capacity = UInt64.max
  /// Files that are open in this generation, and how many may be.
  var openFiles = 0
  var openFilesMax = Int.max
  var shortages: UInt64 = 0
  /// The bytes of all files that have a name.
  var usedBytes: UInt64 = 0
  var plannedFaults: [PlannedFault] = []
  var struck: [String] = []
  var newest: NewestWrite?
  /// Of one file, so many bytes waited for a sync at most.
  var mostUnsynced = 0
  /// Of how many bytes the disk was told to begin with them.
  var startedBytes = 0
  var mappings: [String: MemoryMapping] = [:]

  enum NameChange {
    case link(String, MemoryInode)
    case unlink(String)
    case rename(String, String, MemoryInode)
    var folder: String {
      switch self {
      case .link(let path, _), .unlink(let path), .rename(let path, _, _): SystemFileSystem.parent(of: path)
      }
    }
  }

  public init() {}

  /// Whether a change may be on a disk that has these names: a file cannot be renamed from a name that it never came to have there.
  /// Else it would have two.
  static func follows(_ change: NameChange, _ names: [String: MemoryInode]) -> Bool {
    if case .rename(let path, _, let inode) = change { names[path] === inode } else { true }
  }
  static func apply(_ change: NameChange, to names: inout [String: MemoryInode]) {
    switch change {
    case .link(let path, let inode): names[path] = inode
    case .unlink(let path): names[path] = nil
    case .rename(let path, let newPath, let inode):
      names[path] = nil
      names[newPath] = inode
    }
  }

  // MARK: FileSystem

  public func createDirectory(_ path: String) throws(StorageError) {
    try locked(path, "create the folder") { () throws(StorageError) in
      if folders.contains(path) { return }
      try step(path, "create the folder")
      var folder = path
      while folders.insert(folder).inserted { folder = SystemFileSystem.parent(of: folder) }
    }
  }

  public func exists(_ path: String) throws(StorageError) -> Bool {
    try locked(path, "look at") { () in names[path] != nil || folders.contains(path) }
  }

  public func list(_ directory: String) throws(StorageError) -> [String] {
    try locked(directory, "list") { () throws(StorageError) in
      guard folders.contains(directory) else { throw missing(directory, "list") }
      let prefix = directory + "/"
      let all = Array(names.keys) + Array(folders)
      return all.filter { $0.hasPrefix(prefix) && !$0.dropFirst(prefix.count).contains("/") && $0.count > prefix.count }
        .map { String($0.dropFirst(prefix.count)) }.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }
  }

  public func open(_ path: String, create: Bool) throws(StorageError) -> any File {
    try locked(path, "open") { () throws(StorageError) in
      guard openFiles < openFilesMax else { throw lacksDescriptor(path, "open") }
      if let inode = names[path] { return opened(path, inode) }
      guard create, folders.contains(SystemFileSystem.parent(of: path)) else { throw missing(path, "open") }
      let inode = MemoryInode()
      inode.isNamed = true
      names[path] = inode
      pending.append(.link(path, inode))
      try step(path, "open")
      return opened(path, inode)
    }
  }
  private func opened(_ path: String, _ inode: MemoryInode) -> MemoryFile {
    openFiles += 1
    return MemoryFile(path, inode, self, generation)
  }
  private func lacksDescriptor(_ path: String, _ operation: String) -> StorageError {
    shortages += 1
    return StorageError(
      .noDescriptors, path: path, operation: operation, errno: 24, reason: "Too many open files")
  }
  func closed(_ file: MemoryFile) {
    gate.withLock { _ in
      if file.generation == generation { openFiles -= 1 }
    }
  }
  public var shortageCount: UInt64 { gate.withLock { _ in shortages } }

  public func rename(_ path: String, to newPath: String) throws(StorageError) {
    try locked(path, "rename") { () throws(StorageError) in
      guard let inode = names[path] else { throw missing(path, "rename") }
      precondition(SystemFileSystem.parent(of: path) == SystemFileSystem.parent(of: newPath), "within one folder")
      names[path] = nil
      if let replaced = names.updateValue(inode, forKey: newPath) { leave(replaced) }
      pending.append(.rename(path, newPath, inode))
      try step(path, "rename")
    }
  }

  public func remove(_ path: String, atOnce: Bool) throws(StorageError) {
    try locked(path, "remove") { () throws(StorageError) in
      if folders.remove(path) != nil { return }
      guard let inode = names.removeValue(forKey: path) else { throw missing(path, "remove") }
      leave(inode)
      pending.append(.unlink(path))
      try step(path, "remove")
    }
  }

  public func syncDirectory(_ path: String) throws(StorageError) {
    try locked(path, "sync the folder") { () throws(StorageError) in
      guard openFiles < openFilesMax else { throw lacksDescriptor(path, "sync the folder") }
      try step(path, "sync the folder")
      for change in pending where change.folder == path {
        MemoryFileSystem.apply(change, to: &durableNames)
      }
      pending.removeAll { $0.folder == path }
    }
  }

  public func lock(_ path: String) throws(StorageError) -> any FileLock {
    try locked(path, "lock") { () throws(StorageError) in
      guard locks.insert(path).inserted else {
        throw StorageError(
          .locked, path: path, operation: "lock",
          reason: "the directory is in use by another process; stop that, or name another directory")
      }
      return MemoryLock(path, self, generation)
    }
  }

  public func freeBytes(_ path: String) throws(StorageError) -> UInt64 {
    try locked(path, "ask the free space of") { () in capacity == .max ? 1 << 50 : capacity - min(capacity, usedBytes)
    }
  }

  // MARK: Shared with the files

  /// A file has lost its name: its bytes count no more.
  private func leave(_ inode: MemoryInode) {
    inode.isNamed = false
    // A crash between two renames may leave one file with two names.
    usedBytes -= min(usedBytes, UInt64(inode.data.count))
  }
  /// Counts all files anew.
  func count() {
    for inode in names.values { inode.isNamed = true }
    usedBytes = names.values.reduce(0) { $0 + UInt64($1.data.count) }
  }

  private func missing(_ path: String, _ operation: String) -> StorageError {
    StorageError(.system, path: path, operation: operation, errno: 2, reason: "No such file or directory")
  }

  func dead(_ path: String, _ operation: String) -> StorageError {
    StorageError(.fatal, path: path, operation: operation, reason: "the power is cut")
  }

  func locked<R>(
    _ path: String, _ operation: String, _ body: () throws(StorageError) -> R
  ) throws(StorageError) -> R {
    // The result leaves by a variable: `withLock` would have it sendable, which files are only by this very lock.
    var result: Result<R, StorageError> = .failure(dead(path, operation))
    gate.withLock { _ in
      guard !isPowerCut else { return }
      do throws(StorageError) { result = .success(try body()) } catch { result = .failure(error) }
    }
    return try result.get()
  }

  /// Counts one change; throws when it is the one at which the power goes.
  func step(_ path: String, _ operation: String) throws(StorageError) {
    stepCount += 1
    guard let left = stepsUntilPowerCut else { return }
    stepsUntilPowerCut = left - 1
    if left <= 0 {
      isPowerCut = true
      throw dead(path, operation)
    }
  }
}
