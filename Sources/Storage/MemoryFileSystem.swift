import Base
import Synchronization

/// A disk that a simulator plays: it forgets, tears, fills up and rots on demand, the same way for the same seed.
///
/// Each file keeps, beside its bytes, what each 4 KiB sector held when it was last synced; each folder keeps the
/// operations that no `syncDirectory` has covered. A crash keeps any subset of both, tears sectors at 512 bytes, and
/// turns open handles and locks into dead ones.
public final class MemoryFileSystem: FileSystem, @unchecked Sendable {
  /// What a crash leaves of everything that was not synced.
  public enum Survivors: Sendable {
    case nothing
    case everything
    /// A subset drawn by this seed.
    case some(seed: UInt64)
  }

  let gate = Mutex(())
  var names: [String: MemoryInode] = [:]
  private var durableNames: [String: MemoryInode] = [:]
  private var pending: [NameChange] = []
  private var folders: Set<String> = ["", "/", "."]
  private var locks: Set<String> = []
  private var generation = 0
  private var stepCount = 0
  private var stepsUntilPowerCut: Int?
  private var syncsUntilFailure: Int?
  private var isPowerCut = false
  private var capacity = UInt64.max

  private enum NameChange {
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

  // MARK: Faults

  /// Changes to the disk so far: writes, syncs, names made, renamed and removed.
  public var steps: Int { gate.withLock { _ in stepCount } }
  /// The power is cut: nothing works until `crash`.
  public var isPowerOut: Bool { gate.withLock { _ in isPowerCut } }
  /// The power is going to be cut.
  public var isArmed: Bool { gate.withLock { _ in stepsUntilPowerCut != nil } }
  /// Bytes of all files.
  public var usedByteCount: UInt64 { gate.withLock { _ in usedBytes() } }
  /// The change after the next `steps` ones may or may not reach the disk; it and all later calls throw, until `crash`.
  public func cutPower(afterSteps steps: Int?) { gate.withLock { _ in stepsUntilPowerCut = steps } }
  /// After `syncs` more, one sync of a file fails. As in Linux, its pages stay readable and count as clean, though they
  /// never reached the disk.
  public func failSync(after syncs: Int) { gate.withLock { _ in syncsUntilFailure = syncs } }
  /// The disk is full once its files have this many bytes together.
  public func setCapacity(_ bytes: UInt64) { gate.withLock { _ in capacity = bytes } }
  /// Power is lost and comes back: handles and locks are dead, what was synced is there, and of the rest `survivors`.
  public func crash(_ survivors: Survivors) {
    gate.withLock { _ in
      var choice = Choice(survivors)
      for change in pending where choice.flip() { durableNames = MemoryFileSystem.apply(change, to: durableNames) }
      pending = []
      names = durableNames
      for path in names.keys.sorted() { names[path]?.crash(&choice) }
      locks = []
      generation += 1
      isPowerCut = false
      stepsUntilPowerCut = nil
      syncsUntilFailure = nil
    }
  }
  /// Every file's path, sorted.
  public var paths: [String] { gate.withLock { _ in names.keys.sorted() } }
  /// A file's bytes, as a reader sees them now.
  public func contents(_ path: String) -> [UInt8]? { gate.withLock { _ in names[path]?.data } }
  /// Replaces a file's bytes, durably: rot, or another program's work.
  public func setContents(_ path: String, _ bytes: [UInt8]) {
    gate.withLock { _ in
      let inode = names[path] ?? MemoryInode()
      inode.data = bytes
      inode.settle()
      names[path] = inode
      durableNames[path] = inode
    }
  }
  /// Flips one bit of a file, durably. Bit 0 is the lowest bit of the first byte.
  public func flipBit(_ path: String, bit: Int) {
    gate.withLock { _ in
      guard let inode = names[path] else { return }
      inode.data[bit / 8] ^= 1 << UInt8(bit % 8)
    }
  }

  /// Draws what survives.
  struct Choice {
    private let survivors: Survivors
    private var generator: SeededGenerator
    init(_ survivors: Survivors) {
      self.survivors = survivors
      if case .some(let seed) = survivors {
        generator = SeededGenerator(seed: seed)
      } else {
        generator = SeededGenerator(seed: 0)
      }
    }
    mutating func flip() -> Bool { below(2) == 1 }
    /// A number from 0 to `n` - 1: the last for `everything`, the first for `nothing`.
    mutating func below(_ n: Int) -> Int {
      switch survivors {
      case .nothing: 0
      case .everything: n - 1
      case .some: Int(generator.next() % UInt64(n))
      }
    }
  }

  private static func apply(_ change: NameChange, to names: [String: MemoryInode]) -> [String: MemoryInode] {
    var names = names
    switch change {
    case .link(let path, let inode): names[path] = inode
    case .unlink(let path): names[path] = nil
    case .rename(let path, let newPath, let inode):
      names[path] = nil
      names[newPath] = inode
    }
    return names
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
      if let inode = names[path] { return MemoryFile(path, inode, self, generation) }
      guard create, folders.contains(SystemFileSystem.parent(of: path)) else { throw missing(path, "open") }
      let inode = MemoryInode()
      names[path] = inode
      pending.append(.link(path, inode))
      try step(path, "open")
      return MemoryFile(path, inode, self, generation)
    }
  }

  public func rename(_ path: String, to newPath: String) throws(StorageError) {
    try locked(path, "rename") { () throws(StorageError) in
      guard let inode = names[path] else { throw missing(path, "rename") }
      precondition(SystemFileSystem.parent(of: path) == SystemFileSystem.parent(of: newPath), "within one folder")
      names[path] = nil
      names[newPath] = inode
      pending.append(.rename(path, newPath, inode))
      try step(path, "rename")
    }
  }

  public func remove(_ path: String) throws(StorageError) {
    try locked(path, "remove") { () throws(StorageError) in
      if folders.remove(path) != nil { return }
      guard names[path] != nil else { throw missing(path, "remove") }
      names[path] = nil
      pending.append(.unlink(path))
      try step(path, "remove")
    }
  }

  public func syncDirectory(_ path: String) throws(StorageError) {
    try locked(path, "sync the folder") { () throws(StorageError) in
      try step(path, "sync the folder")
      for change in pending where change.folder == path {
        durableNames = MemoryFileSystem.apply(change, to: durableNames)
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
    try locked(path, "ask the free space of") { () in capacity == .max ? 1 << 50 : capacity - min(capacity, usedBytes())
    }
  }

  // MARK: Shared with the files

  private func usedBytes() -> UInt64 { names.values.reduce(0) { $0 + UInt64($1.data.count) } }

  private func missing(_ path: String, _ operation: String) -> StorageError {
    StorageError(.system, path: path, operation: operation, errno: 2, reason: "No such file or directory")
  }

  private func dead(_ path: String, _ operation: String) -> StorageError {
    StorageError(.fatal, path: path, operation: operation, reason: "the power is cut")
  }

  private func locked<R>(
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
  private func step(_ path: String, _ operation: String) throws(StorageError) {
    stepCount += 1
    guard let left = stepsUntilPowerCut else { return }
    stepsUntilPowerCut = left - 1
    if left <= 0 {
      isPowerCut = true
      throw dead(path, operation)
    }
  }

  fileprivate func onFile<R>(
    _ file: MemoryFile, _ operation: String, _ body: () throws(StorageError) -> R
  ) throws(StorageError) -> R {
    try locked(file.path, operation) { () throws(StorageError) in
      if file.generation != generation { throw dead(file.path, operation) }
      return try body()
    }
  }

  fileprivate func change(
    _ file: MemoryFile, _ operation: String, growingTo size: Int = 0, _ body: (MemoryInode) -> Void
  ) throws(StorageError) {
    try onFile(file, operation) { () throws(StorageError) in
      let growth = max(0, size - file.inode.data.count)
      if growth > 0 && capacity != .max && usedBytes() + UInt64(growth) > capacity {
        throw StorageError(
          .noSpace, path: file.path, operation: operation, errno: 28, reason: "No space left on device")
      }
      body(file.inode)
      try step(file.path, operation)
    }
  }

  fileprivate func sync(_ file: MemoryFile) throws(StorageError) {
    try onFile(file, "sync") { () throws(StorageError) in
      try step(file.path, "sync")
      if let left = syncsUntilFailure {
        syncsUntilFailure = left == 0 ? nil : left - 1
        if left == 0 {
          file.inode.loseUnsynced()
          throw StorageError(.fatal, path: file.path, operation: "sync", errno: 5, reason: "Input/output error")
        }
      }
      file.inode.sync()
    }
  }

  fileprivate func unlock(_ lock: MemoryLock) {
    gate.withLock { _ in
      if lock.generation == generation { locks.remove(lock.path) }
    }
  }
}

/// The bytes of a file, and how to undo what was not synced. Guarded by the file system's gate.
final class MemoryInode: @unchecked Sendable {
  static let sectorBytes = 4096
  /// What a sector held when it was last durable, and whether a failed sync has already dropped what came after.
  struct Undo {
    var bytes: [UInt8]
    var isLost: Bool
  }
  var data: [UInt8] = []
  var durableSize = 0
  var undo: [Int: Undo] = [:]
  var lostSize = false

  func settle() {
    durableSize = data.count
    undo = [:]
    lostSize = false
  }

  func sync() {
    undo = undo.filter { $0.value.isLost }
    if !lostSize { durableSize = data.count }
  }

  func loseUnsynced() {
    for sector in undo.keys { undo[sector]?.isLost = true }
    lostSize = durableSize != data.count
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
    guard let source = bytes.baseAddress, !bytes.isEmpty else { return }
    let end = offset + bytes.count
    for sector in offset / MemoryInode.sectorBytes...(end - 1) / MemoryInode.sectorBytes { remember(sector) }
    resize(max(end, data.count))
    data.withUnsafeMutableBytes {
      $0.baseAddress.map { ($0 + offset).copyMemory(from: source, byteCount: bytes.count) }
    }
  }

  func truncate(to size: Int) {
    if size < data.count {
      for sector in size / MemoryInode.sectorBytes...(data.count - 1) / MemoryInode.sectorBytes { remember(sector) }
      data.removeLast(data.count - size)
      lostSize = false
    } else {
      resize(size)
    }
  }

  private func resize(_ size: Int) {
    guard size > data.count else { return }
    data += [UInt8](repeating: 0, count: size - data.count)
    lostSize = false
  }

  private func remember(_ sector: Int) {
    if undo[sector] != nil {
      undo[sector]?.isLost = false
      return
    }
    let start = min(sector * MemoryInode.sectorBytes, data.count)
    let end = min(start + MemoryInode.sectorBytes, data.count)
    undo[sector] = Undo(bytes: Array(data[start..<end]), isLost: false)
  }

  /// Keeps the new size or the durable one, and of each unsynced sector the old bytes, the new ones, or at each 512
  /// bytes either.
  func crash(_ choice: inout MemoryFileSystem.Choice) {
    let size = lostSize || !choice.flip() ? durableSize : data.count
    let shrunk = size > data.count
    if shrunk { data.append(contentsOf: repeatElement(0, count: size - data.count)) }
    for sector in undo.keys.sorted() {
      guard let old = undo[sector] else { continue }
      let kept = old.isLost || shrunk ? 0 : choice.below(4)
      if kept == 3 { continue }
      let start = sector * MemoryInode.sectorBytes
      for offset in stride(from: 0, to: MemoryInode.sectorBytes, by: 512) {
        if kept > 0 && choice.flip() { continue }
        for i in offset..<offset + 512 where start + i < data.count {
          data[start + i] = i < old.bytes.count ? old.bytes[i] : 0
        }
      }
    }
    if data.count > size { data.removeLast(data.count - size) }
    settle()
  }
}

final class MemoryFile: File {
  let path: String
  let inode: MemoryInode
  let generation: Int
  private let system: MemoryFileSystem

  init(_ path: String, _ inode: MemoryInode, _ system: MemoryFileSystem, _ generation: Int) {
    self.path = path
    self.inode = inode
    self.system = system
    self.generation = generation
  }

  func close() {}
  func size() throws(StorageError) -> UInt64 {
    try system.onFile(self, "ask the size of") { () in UInt64(inode.data.count) }
  }
  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(StorageError) -> Int {
    try system.onFile(self, "read") { () in
      let start = min(Int(offset), inode.data.count)
      let count = min(buffer.count, inode.data.count - start)
      inode.data.withUnsafeBytes {
        buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[start..<start + count]))
      }
      return count
    }
  }
  func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(StorageError) {
    try system.change(self, "write", growingTo: Int(offset) + bytes.count) { $0.write(bytes, at: Int(offset)) }
  }
  func preallocate(_ size: UInt64) throws(StorageError) {
    try system.change(self, "reserve space for", growingTo: Int(size)) {
      $0.truncate(to: max($0.data.count, Int(size)))
    }
  }
  func truncate(_ size: UInt64) throws(StorageError) {
    try system.change(self, "truncate", growingTo: Int(size)) { $0.truncate(to: Int(size)) }
  }
  func syncData() throws(StorageError) { try system.sync(self) }
  func sync() throws(StorageError) { try system.sync(self) }
}

final class MemoryLock: FileLock {
  let path: String
  let generation: Int
  private let system: MemoryFileSystem
  init(_ path: String, _ system: MemoryFileSystem, _ generation: Int) {
    self.path = path
    self.system = system
    self.generation = generation
  }
  deinit { unlock() }
  func unlock() { system.unlock(self) }
}
