import Base

/// A piece of a journal in memory, for who reads it from front to back.
final class JournalWindow {
  private let bytes: UnsafeMutableRawBufferPointer
  private var start = JournalPosition.none
  private var count = 0
  /// Bytes of the next piece: few are wanted, mostly, and each costs.
  private var piece = JournalWindow.firstPiece
  private static let firstPiece = 16 << 10
  /// So many pieces were read.
  private(set) var reads = 0

  init(byteCount: Int) { bytes = .allocate(byteCount: byteCount, alignment: 16) }
  deinit { bytes.deallocate() }

  /// So many bytes from a position on, no more than the window has room for: valid until the next call. Nil: the segment ends
  /// there. Throws what the source throws, and `JournalCorruption` where it ends within them.
  func bytes(
    at position: JournalPosition, count wanted: Int, _ source: some JournalSource
  ) throws -> UnsafeRawBufferPointer? {
    if position.rawValue < start.rawValue || position.rawValue &- start.rawValue &+ UInt64(wanted) > UInt64(count) {
      try fill(from: position, atLeast: wanted, source)
    }
    guard count > 0 else { return nil }
    let offset = Int(position.rawValue &- start.rawValue)
    guard offset + wanted <= count else {
      throw JournalCorruption(description: "the journal ends within a record at \(position)")
    }
    return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + wanted])
  }
  private func fill(from position: JournalPosition, atLeast wanted: Int, _ source: some JournalSource) throws {
    (start, count) = (position, 0)
    let most = min(max(piece, wanted), bytes.count)
    piece = min(2 * piece, bytes.count)
    // What waits for room on the disk comes piece by piece.
    repeat {
      let rest = UnsafeMutableRawBufferPointer(rebasing: bytes[count..<most])
      let got = try source.read(at: position.advanced(by: count), into: rest)
      reads += 1
      guard got > 0 else { return }
      count += got
    } while count < wanted
  }
}
