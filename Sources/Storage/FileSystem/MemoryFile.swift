import Synchronization

/// What an open file does to the disk that is played.
extension MemoryFileSystem {
  fileprivate func onFile<R>(
    _ file: MemoryFile, _ operation: String, _ body: () throws(StorageError) -> R
  ) throws(StorageError) -> R {
    try locked(file.path, operation) { () throws(StorageError) in
      if file.generation != generation { throw dead(file.path, operation) }
      return try body()
    }
  }

  fileprivate func change(
    _ file: MemoryFile, _ operation: String, growingTo size: Int = 0,
    _ body: (MemoryInode) throws(StorageError) -> Void
  ) throws(StorageError) {
    try onFile(file, operation) { () throws(StorageError) in
      let before = file.inode.data.count
      let growth = max(0, size - before)
      if growth > 0 && capacity != .max && usedBytes + UInt64(growth) > capacity {
        throw StorageError(
          .noSpace, path: file.path, operation: operation, errno: 28, reason: "No space left on device")
      }
      try body(file.inode)
      if file.inode.isNamed { usedBytes = usedBytes &+ UInt64(file.inode.data.count) &- UInt64(before) }
      try step(file.path, operation)
    }
  }

  fileprivate func write(
    _ file: MemoryFile, _ bytes: UnsafeRawBufferPointer, at offset: Int
  ) throws(StorageError) {
    try change(file, "write", growingTo: offset + bytes.count) { inode throws(StorageError) in
      let fault = plannedFaults.isEmpty ? nil : strike(file.path, isWrite: true)?.write
      noteNewest(file.path, inode, offset, bytes, isAstray: fault != nil)
      guard let fault else {
        inode.write(bytes, at: offset)
        return mostUnsynced = max(mostUnsynced, inode.rememberedSectors * MemoryInode.sectorBytes)
      }
      let what = "\(bytes.count) bytes at \(offset) of \(file.path)"
      switch fault {
      case .failed:
        struck.append("failed write of \(what)")
        throw ioError(file, "write", offset)
      case .lost:
        struck.append("lost write of \(what)")
        inode.grow(to: offset + bytes.count)
      case .misdirected(let path, let sector):
        inode.grow(to: offset + bytes.count)
        let start = sector * MemoryInode.sectorBytes
        struck.append("misdirected write of \(what) to \(start) of \(path ?? file.path)")
        let target = path.flatMap { names[$0] } ?? inode
        target.damage(start..<start + bytes.count) { i, _ in bytes[i] }
      }
    }
  }

  fileprivate func read(
    _ file: MemoryFile, into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64
  ) throws(StorageError) -> Int {
    try onFile(file, "read") { () throws(StorageError) in
      if !plannedFaults.isEmpty, strike(file.path, isWrite: false) != nil {
        struck.append("failed read of \(buffer.count) bytes at \(offset) of \(file.path)")
        throw ioError(file, "read", Int(offset))
      }
      let inode = file.inode
      let start = min(Int(offset), inode.data.count)
      let count = min(buffer.count, inode.data.count - start)
      inode.data.withUnsafeBytes {
        buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[start..<start + count]))
      }
      return count
    }
  }

  private func ioError(_ file: MemoryFile, _ operation: String, _ offset: Int) -> StorageError {
    StorageError(
      .system, path: file.path, operation: operation, offset: UInt64(offset), errno: 5, reason: "Input/output error")
  }

  fileprivate func sync(_ file: MemoryFile) throws(StorageError) {
    try onFile(file, "sync") { () throws(StorageError) in
      try step(file.path, "sync")
      if let left = syncsUntilFailure {
        syncsUntilFailure = left == 0 ? nil : left - 1
        if left == 0 {
          file.inode.loseUnsynced()
          struck.append("failed sync of \(file.path)")
          throw StorageError(.fatal, path: file.path, operation: "sync", errno: 5, reason: "Input/output error")
        }
      }
      file.inode.sync()
      noteSync(file.path)
    }
  }

  fileprivate func start(_ count: Int) { gate.withLock { _ in startedBytes += count } }

  fileprivate func unlock(_ lock: MemoryLock) {
    gate.withLock { _ in
      if lock.generation == generation { locks.remove(lock.path) }
    }
  }
}

final class MemoryFile: File {
  let path: String
  let inode: MemoryInode
  let generation: Int
  private let system: MemoryFileSystem
  private let isClosed = Atomic<Bool>(false)

  init(_ path: String, _ inode: MemoryInode, _ system: MemoryFileSystem, _ generation: Int) {
    self.path = path
    self.inode = inode
    self.system = system
    self.generation = generation
  }

  deinit { close() }
  func close() {
    if !isClosed.exchange(true, ordering: .relaxed) { system.closed(self) }
  }
  func size() throws(StorageError) -> UInt64 {
    try system.onFile(self, "ask the size of") { () in UInt64(inode.data.count) }
  }
  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(StorageError) -> Int {
    try system.read(self, into: buffer, at: offset)
  }
  func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(StorageError) {
    try system.write(self, bytes, at: Int(offset))
  }
  func startWriteback(from offset: UInt64, count: Int) { system.start(count) }
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
