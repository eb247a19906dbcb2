import Base
import Synchronization

/// Which replicas of a node have a turn to take: a byte for each shard, side by side. A thousand at rest are so looked through in sixteen
/// lines of the processor's cache, and not in a thousand.
///
/// A replica marks itself from the thread that its turn is on, in a byte that is its own; room for shards is made between turns.
final class TurnMarks: @unchecked Sendable {
  private var bytes = UnsafeMutableRawPointer.allocate(byteCount: 0, alignment: TurnMarks.stride)
  /// A multiple of `stride`.
  private var byteCount = 0
  private let isAny = Atomic(false)
  private static let stride = MemoryLayout<UInt64>.size

  deinit { bytes.deallocate() }

  /// Before a shard is marked.
  func makeRoom(for shard: ShardID) {
    guard shard.rawValue >= byteCount else { return }
    let newCount = max(2 * byteCount, (Int(shard.rawValue) / TurnMarks.stride + 1) * TurnMarks.stride)
    let new = UnsafeMutableRawPointer.allocate(byteCount: newCount, alignment: TurnMarks.stride)
    new.initializeMemory(as: UInt8.self, repeating: 0, count: newCount)
    new.copyMemory(from: bytes, byteCount: byteCount)
    bytes.deallocate()
    (bytes, byteCount) = (new, newCount)
  }

  @inline(__always) subscript(_ shard: ShardID) -> Bool {
    get { bytes.load(fromByteOffset: Int(shard.rawValue), as: UInt8.self) != 0 }
    set {
      bytes.storeBytes(of: newValue ? 1 : 0, toByteOffset: Int(shard.rawValue), as: UInt8.self)
      if newValue { isAny.store(true, ordering: .relaxed) }
    }
  }
  var areAny: Bool { isAny.load(ordering: .relaxed) }
  /// Whether any was marked since this was asked last.
  func take() -> Bool { isAny.exchange(false, ordering: .relaxed) }

  /// By rising shard. Whoever goes through them may take the mark of the one that it has got.
  var marked: Marked { Marked(marks: self) }

  struct Marked: Sequence, IteratorProtocol {
    fileprivate let marks: TurnMarks
    private var place = 0

    fileprivate init(marks: TurnMarks) { self.marks = marks }

    mutating func next() -> ShardID? {
      while place < marks.byteCount {
        if place % TurnMarks.stride == 0, marks.bytes.load(fromByteOffset: place, as: UInt64.self) == 0 {
          place += TurnMarks.stride
          continue
        }
        defer { place += 1 }
        if marks.bytes.load(fromByteOffset: place, as: UInt8.self) != 0 { return ShardID(UInt32(place)) }
      }
      return nil
    }
  }
}
