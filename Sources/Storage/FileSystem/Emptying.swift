import Dispatch
import Glibc
import Synchronization

/// Gives the bytes of files without a name back to the disk, a piece after the other, beside all else. A disk that is told of what is free
/// (`discard`) is busy with it, and everybody's syncs wait meanwhile: 120 ms for 256 MiB at once; by 16 MiB each sync waits 7 ms, and by
/// 1 MiB with 2 ms between them the slowest of 100 syncs 0.8 ms.
final class Emptying: Sendable {
  static let pieceBytes = 1 << 20
  private static let interval = DispatchTimeInterval.milliseconds(2)
  /// So many files may wait, each with a descriptor; who removes more empties one at once.
  private static let most = 8
  /// F_SETLEASE, which Glibc does not tell Swift.
  private static let setLease: Int32 = 1024

  private struct Nameless {
    let descriptor: Int32
    var byteCount: off_t

    /// Gives one piece back. False: there is no more to do, and the descriptor is closed.
    mutating func shrink() -> Bool {
      byteCount -= off_t(pieceBytes)
      // A lease to write is given only where no other descriptor of the file is open, and without a name none will be (`fcntl(2)`): a file
      // that somebody still reads stays whole until it is closed.
      guard byteCount > 0, fcntl(descriptor, setLease, Int32(F_WRLCK)) == 0, ftruncate(descriptor, byteCount) == 0,
        fsync(descriptor) == 0
      else {
        Glibc.close(descriptor)
        return false
      }
      return true
    }
  }
  private let queue = DispatchQueue(label: "emptying", qos: .utility)
  private let waiting = Mutex<[Nameless]>([])
  private let underWay = DispatchGroup()

  /// Takes over a descriptor that can write a file which has just lost its name, or one of its names.
  func take(_ descriptor: Int32) {
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_nlink == 0 else {
      Glibc.close(descriptor)
      return
    }
    var file = Nameless(descriptor: descriptor, byteCount: status.st_size)
    let place = waiting.withLock { files -> Int? in
      guard files.count < Emptying.most else { return nil }
      files.append(file)
      underWay.enter()
      return files.count
    }
    guard let place else {
      while file.shrink() {}
      return
    }
    if place == 1 { queue.async { self.step() } }
  }
  /// Waits until all that was taken is empty.
  func finish() { underWay.wait() }

  /// Empties the first by a piece; the rest follows later.
  private func step() {
    guard var file = waiting.withLock({ $0.first }) else { return }
    let hasMore = file.shrink()
    let isOver = waiting.withLock { files in
      if hasMore { files[0] = file } else { files.removeFirst() }
      return files.isEmpty
    }
    if !hasMore { underWay.leave() }
    if !isOver { queue.asyncAfter(deadline: .now() + Emptying.interval) { self.step() } }
  }
}
