/// Files that are open only while they are used now and then: of all of them at most so many at once, and when another is
/// wanted, the one that was used longest ago is closed. So hundreds of shards need no more descriptors than a node has.
///
/// A file may be closed between its last write and its sync. The sync then goes through another descriptor, which Linux
/// tells of a write-back that failed meanwhile, as long as nobody else was told.
///
/// Used from one thread at a time.
final class FilePool {
  private let fileSystem: any FileSystem
  private let capacity: Int
  private var open: [PooledFile] = []
  private var uses: UInt64 = 0

  /// - Parameter capacity: at least 1.
  init(fileSystem: any FileSystem, capacity: Int) {
    self.fileSystem = fileSystem
    self.capacity = max(1, capacity)
  }

  /// The open file. O(1) if it is open; else the cost of a look at all that are, of a close and of an open. Where the
  /// process has no descriptor left, it gives up some of the pool's and tries again, once.
  func use(_ pooled: PooledFile) throws(StorageError) -> any File {
    uses += 1
    pooled.lastUse = uses
    if let file = pooled.file { return file }
    let file: any File
    do throws(StorageError) {
      file = try fileSystem.open(pooled.path, create: false)
    } catch {
      guard error.kind == .noDescriptors, !open.isEmpty else { throw error }
      giveUpSome()
      file = try fileSystem.open(pooled.path, create: false)
    }
    keep(file, as: pooled)
    return file
  }
  /// Takes over a file that is open already.
  func adopt(_ file: any File) -> PooledFile {
    let pooled = PooledFile(path: file.path)
    uses += 1
    pooled.lastUse = uses
    keep(file, as: pooled)
    return pooled
  }
  private func keep(_ file: any File, as pooled: PooledFile) {
    while open.count >= capacity { closeOldest() }
    pooled.file = file
    open.append(pooled)
  }
  /// Closes a quarter of those that are open, for whoever else wants descriptors.
  func giveUpSome() {
    for _ in 0..<(open.count + 3) / 4 { closeOldest() }
  }
  private func closeOldest() {
    guard let place = open.indices.min(by: { open[$0].lastUse < open[$1].lastUse }) else { return }
    close(at: place)
  }
  private func close(at place: Int) {
    open[place].file?.close()
    open[place].file = nil
    open[place] = open[open.count - 1]
    open.removeLast()
  }
  /// Closes a file that is used no more.
  func drop(_ pooled: PooledFile) {
    if pooled.file != nil, let place = open.firstIndex(where: { $0 === pooled }) { close(at: place) }
  }
}

/// A file of a pool: open or not.
final class PooledFile {
  let path: String
  fileprivate var file: (any File)?
  fileprivate var lastUse: UInt64 = 0
  init(path: String) { self.path = path }
}
