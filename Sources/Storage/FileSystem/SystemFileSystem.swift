import Glibc
import Synchronization

/// The operating system's files. No descriptor leaks to a child process; interrupted calls are taken up again.
public final class SystemFileSystem: FileSystem {
  public init() {}
  let emptying = Emptying()
  private let shortages = Atomic<UInt64>(0)
  public var shortageCount: UInt64 { shortages.load(ordering: .relaxed) }

  public func createDirectory(_ path: String) throws(StorageError) {
    if try exists(path) { return }
    let parent = SystemFileSystem.parent(of: path)
    if parent != path { try createDirectory(parent) }
    if mkdir(path, 0o750) != 0 && errno != EEXIST { throw .lastError(path, "create the folder") }
    try syncDirectory(parent)
  }

  public func exists(_ path: String) throws(StorageError) -> Bool {
    var status = stat()
    if stat(path, &status) == 0 { return true }
    if errno == ENOENT || errno == ENOTDIR { return false }
    throw .lastError(path, "look at")
  }

  public func list(_ directory: String) throws(StorageError) -> [String] {
    guard let stream = opendir(directory) else { throw .lastError(directory, "list") }
    defer { closedir(stream) }
    var names: [String] = []
    while true {
      errno = 0
      guard let entry = readdir(stream) else {
        if errno != 0 { throw .lastError(directory, "list") }
        break
      }
      let name = withUnsafePointer(to: &entry.pointee.d_name) { tuple in
        tuple.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  public func open(_ path: String, create: Bool) throws(StorageError) -> any File {
    let descriptor = try open(path, O_RDWR | (create ? O_CREAT : 0), "open")
    return SystemFile(path: path, descriptor: descriptor)
  }

  public func rename(_ path: String, to newPath: String) throws(StorageError) {
    if Glibc.rename(path, newPath) != 0 { throw .lastError(path, "rename to \(newPath)") }
  }

  public func remove(_ path: String, atOnce: Bool) throws(StorageError) {
    // What cannot be opened, a folder above all, is removed all the same.
    let descriptor = atOnce ? -1 : Glibc.open(path, O_WRONLY | O_CLOEXEC)
    if Glibc.remove(path) != 0 {
      let error = StorageError.lastError(path, "remove")
      if descriptor >= 0 { Glibc.close(descriptor) }
      throw error
    }
    if descriptor >= 0 { emptying.take(descriptor) }
  }

  public func syncDirectory(_ path: String) throws(StorageError) {
    let descriptor = try open(path, O_RDONLY | O_DIRECTORY, "open the folder")
    defer { Glibc.close(descriptor) }
    if fsync(descriptor) != 0 { throw StorageError.lastError(path, "sync the folder").asFatal() }
  }

  public func lock(_ path: String) throws(StorageError) -> any FileLock {
    let descriptor = try open(path, O_RDWR | O_CREAT, "open")
    if flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      let held = errno == EWOULDBLOCK
      let error = StorageError.lastError(path, "lock")
      Glibc.close(descriptor)
      guard held else { throw error }
      throw StorageError(
        .locked, path: path, operation: "lock",
        reason: "the directory is in use by another process; stop that, or name another directory")
    }
    return SystemLock(descriptor: descriptor)
  }

  public func freeBytes(_ path: String) throws(StorageError) -> UInt64 {
    var status = statvfs()
    if statvfs(path, &status) != 0 { throw .lastError(path, "ask the free space of") }
    return UInt64(status.f_bavail) * UInt64(status.f_frsize)
  }

  private func open(_ path: String, _ flags: Int32, _ operation: String) throws(StorageError) -> Int32 {
    while true {
      let descriptor = Glibc.open(path, flags | O_CLOEXEC, 0o640)
      if descriptor >= 0 { return descriptor }
      guard errno != EINTR else { continue }
      let error = StorageError.lastError(path, operation)
      if error.kind == .noDescriptors { shortages.add(1, ordering: .relaxed) }
      throw error
    }
  }

  /// The folder that holds `path`: "." for a bare name, "/" for what lies at the root.
  static func parent(of path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return path == "." ? path : "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }
}

/// A descriptor and its path. Closed at the latest when nobody refers to it.
final class SystemFile: File {
  let path: String
  private let descriptor: Int32
  /// The same file past the page cache, each write of it durable. One write then costs one flush of the device and no
  /// copy: some 30 µs less of a processor's time than `pwrite` and `fdatasync` (ext4). Opened when first used.
  private let direct = Atomic<Int32>(SystemFile.notOpened)
  /// O_DIRECT, which Glibc does not tell Swift.
  #if arch(arm64)
    private static let directFlag: Int32 = 0o200000
  #else
    private static let directFlag: Int32 = 0o40000
  #endif
  private static let notOpened: Int32 = -1
  private static let notSupported: Int32 = -2
  private let isClosed = Atomic<Bool>(false)

  init(path: String, descriptor: Int32) {
    self.path = path
    self.descriptor = descriptor
  }
  deinit { close() }

  func close() {
    // The descriptor's number may belong to another file as soon as it is closed: never twice.
    guard !isClosed.exchange(true, ordering: .relaxed) else { return }
    Glibc.close(descriptor)
    let direct = direct.load(ordering: .relaxed)
    if direct >= 0 { Glibc.close(direct) }
  }

  func size() throws(StorageError) -> UInt64 {
    var status = stat()
    if fstat(descriptor, &status) != 0 { throw .lastError(path, "ask the size of") }
    return UInt64(status.st_size)
  }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(StorageError) -> Int {
    var done = 0
    while done < buffer.count {
      let n = pread(descriptor, buffer.baseAddress.map { $0 + done }, buffer.count - done, off_t(offset) + off_t(done))
      if n == 0 { break }
      if n > 0 {
        done += n
      } else if errno != EINTR {
        throw .lastError(path, "read", at: offset)
      }
    }
    return done
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(StorageError) {
    try write(bytes, at: offset, to: descriptor)
  }
  func writeDurably(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(StorageError) {
    // Piece by piece, for whoever else has this disk sync: see `BulkSync`.
    var start = 0
    repeat {
      let piece = UnsafeRawBufferPointer(rebasing: bytes[start..<min(bytes.count, start + BulkSync.bytes)])
      try writePieceDurably(piece, at: offset + UInt64(start))
      start += piece.count
    } while start < bytes.count
  }
  private func writePieceDurably(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(StorageError) {
    let direct = directDescriptor()
    do throws(StorageError) {
      try write(bytes, at: offset, to: direct ?? descriptor)
    } catch {
      throw error.kind == .noSpace ? error : error.asFatal()
    }
    if direct == nil { try syncData() }
  }
  /// Nil where the file system knows no direct writes.
  private func directDescriptor() -> Int32? {
    let known = direct.load(ordering: .acquiring)
    if known != SystemFile.notOpened { return known >= 0 ? known : nil }
    // By the descriptor, since the file may have another name by now.
    let opened = Glibc.open("/proc/self/fd/\(descriptor)", O_WRONLY | SystemFile.directFlag | O_DSYNC | O_CLOEXEC)
    // Without a descriptor for now it is written through the page cache, and tried again the next time.
    if opened < 0 && (errno == EMFILE || errno == ENFILE) { return nil }
    let wanted = opened >= 0 ? opened : SystemFile.notSupported
    let (isMine, winner) = direct.compareExchange(
      expected: SystemFile.notOpened, desired: wanted, ordering: .acquiringAndReleasing)
    if isMine { return opened >= 0 ? opened : nil }
    if opened >= 0 { Glibc.close(opened) }
    return winner >= 0 ? winner : nil
  }

  private func write(
    _ bytes: UnsafeRawBufferPointer, at offset: UInt64, to descriptor: Int32
  ) throws(StorageError) {
    var done = 0
    while done < bytes.count {
      let n = pwrite(descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done, off_t(offset) + off_t(done))
      if n > 0 {
        done += n
      } else if n == 0 || errno != EINTR {
        throw .lastError(path, "write", at: offset)
      }
    }
  }

  func startWriteback(from offset: UInt64, count: Int) {
    // The kernel left alone gathers for seconds, and then everybody's syncs wait for all of it. What is not needed is written at once,
    // and stays in memory until it is; `sync_file_range` would say it more plainly, and Glibc does not tell Swift of it.
    _ = posix_fadvise(descriptor, off_t(offset), off_t(count), POSIX_FADV_DONTNEED)
  }

  func preallocate(_ size: UInt64) throws(StorageError) {
    let code = posix_fallocate(descriptor, 0, off_t(size))
    if code != 0 { throw .system(path, "reserve \(size) bytes for", code) }
  }

  func truncate(_ size: UInt64) throws(StorageError) {
    while ftruncate(descriptor, off_t(size)) != 0 {
      if errno != EINTR { throw .lastError(path, "truncate") }
    }
  }

  func syncData() throws(StorageError) {
    if fdatasync(descriptor) != 0 { throw StorageError.lastError(path, "sync").asFatal() }
  }

  func sync() throws(StorageError) {
    if fsync(descriptor) != 0 { throw StorageError.lastError(path, "sync").asFatal() }
  }
}

/// `flock` belongs to the open file: it goes with the descriptor, also when the process is killed.
final class SystemLock: FileLock {
  private let descriptor: Int32
  private let isReleased = Atomic<Bool>(false)
  init(descriptor: Int32) { self.descriptor = descriptor }
  deinit { unlock() }
  func unlock() {
    if !isReleased.exchange(true, ordering: .relaxed) { Glibc.close(descriptor) }
  }
}

extension StorageError {
  /// The error of the C call that has just failed.
  static func lastError(_ path: String, _ operation: String, at offset: UInt64? = nil) -> StorageError {
    system(path, operation, Glibc.errno, at: offset)
  }

  static func system(_ path: String, _ operation: String, _ code: Int32, at offset: UInt64? = nil) -> StorageError {
    // glibc's strerror is thread-safe for every number since 2.32, and for known ones before.
    let text = strerror(code).map { String(cString: $0) } ?? "error \(code)"
    let kind: StorageError.Kind =
      switch code {
      case ENOSPC, EDQUOT: .noSpace
      case EMFILE, ENFILE: .noDescriptors
      default: .system
      }
    return StorageError(kind, path: path, operation: operation, offset: offset, errno: code, reason: text)
  }
}
