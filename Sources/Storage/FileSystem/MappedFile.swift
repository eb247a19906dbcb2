import Glibc

/// A file's bytes as memory. What is stored there is in the file without a call, so it outlives the process, however that
/// ends; it outlives the machine's power only if `sync` came after it.
public protocol MappedFile: AnyObject, Sendable {
  /// All of them: zeros where nothing was ever stored. Valid as long as this object lives.
  var bytes: UnsafeMutableRawBufferPointer { get }
  /// Makes what was stored durable. Some milliseconds.
  func sync() throws(StorageError)
}

/// Memory of this process alone, for a disk that has no room for a file: what is stored there is gone with the process.
public final class PrivateMemory: MappedFile, @unchecked Sendable {
  // Unchecked, here and below: who stores what where is for the user to order.
  public let bytes: UnsafeMutableRawBufferPointer
  public init(byteCount: Int) {
    bytes = .allocate(byteCount: byteCount, alignment: 64)
    bytes.initializeMemory(as: UInt8.self, repeating: 0)
  }
  deinit { bytes.deallocate() }
  public func sync() {}
}

extension SystemFileSystem {
  /// The blocks are reserved: on a file without them a store could find the disk full, which ends the process.
  public func map(_ path: String, byteCount: Int) throws(StorageError) -> any MappedFile {
    let file = try open(path, create: true)
    try file.preallocate(UInt64(byteCount))
    file.close()
    let descriptor = Glibc.open(path, O_RDWR | O_CLOEXEC)
    guard descriptor >= 0 else { throw .lastError(path, "map") }
    defer { Glibc.close(descriptor) }
    let base = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
    guard let base, base != MAP_FAILED else { throw .lastError(path, "map") }
    return SystemMapping(path: path, bytes: UnsafeMutableRawBufferPointer(start: base, count: byteCount))
  }
}

private final class SystemMapping: MappedFile, @unchecked Sendable {
  let path: String
  let bytes: UnsafeMutableRawBufferPointer
  init(path: String, bytes: UnsafeMutableRawBufferPointer) {
    self.path = path
    self.bytes = bytes
  }
  deinit { munmap(bytes.baseAddress, bytes.count) }
  func sync() throws(StorageError) {
    if msync(bytes.baseAddress, bytes.count, MS_SYNC) != 0 { throw StorageError.lastError(path, "sync").asFatal() }
  }
}

extension MemoryFileSystem {
  public func map(_ path: String, byteCount: Int) throws(StorageError) -> any MappedFile {
    try locked(path, "map") { () in
      if let known = mappings[path] { return known }
      let made = MemoryMapping(byteCount: byteCount)
      mappings[path] = made
      return made
    }
  }
  /// The power was away: each mapping is as it was, or as it was when last synced. The gate is held.
  func crashMappings(_ choice: inout Choice) {
    for path in mappings.keys.sorted() where !choice.flip() { mappings[path]?.revert() }
  }
}

/// A mapping of a disk that is played: the same memory for each process that asks for it.
final class MemoryMapping: MappedFile, @unchecked Sendable {
  let bytes: UnsafeMutableRawBufferPointer
  private var durable: [UInt8]
  init(byteCount: Int) {
    bytes = .allocate(byteCount: byteCount, alignment: 64)
    bytes.initializeMemory(as: UInt8.self, repeating: 0)
    durable = [UInt8](repeating: 0, count: byteCount)
  }
  deinit { bytes.deallocate() }
  func sync() { durable = Array(bytes) }
  func revert() { bytes.copyBytes(from: durable) }
}
