import Base
import Ledger
import Raft
import Storage

/// What this node has frozen, or is to freeze, for a backup that some node makes: from the word that names the stamp to the
/// last byte that was asked for.
struct BackupSources {
  enum Phase {
    /// The state right after that stamp's entry is to be frozen, until that moment on the monotonic clock.
    case armed(until: UInt64)
    /// It is frozen; other snapshots are being written.
    case frozen(SnapshotOrder)
    case writing
    /// It is in that snapshot, which is kept open.
    case written(SnapshotFile)
    case failed
  }
  struct Source {
    /// The operation, and whose node makes it.
    var op: UInt64
    var saver: NodeID
    var stamp: Stamp
    var phase: Phase
    var part: BackupPart?
  }
  private(set) var sources: [ShardID: Source] = [:]
  /// A source that has seen no marker for so long is none any more (µs).
  static let patience: UInt64 = 10_000_000

  func stamp(of shard: ShardID) -> Stamp? { sources[shard]?.stamp }
  func source(_ shard: ShardID) -> Source? { sources[shard] }

  mutating func arm(_ shard: ShardID, op: UInt64, saver: NodeID, stamp: Stamp, now: UInt64) {
    sources[shard] = Source(
      op: op, saver: saver, stamp: stamp, phase: .armed(until: now + BackupSources.patience), part: nil)
  }
  /// Nil: it could not be.
  mutating func froze(_ shard: ShardID, _ frozen: FrozenPart?) {
    sources[shard]?.part = frozen?.part
    sources[shard]?.phase = frozen.map { .frozen($0.order) } ?? .failed
  }
  /// The next that is to be written, by the shards' numbers.
  mutating func takeOrder() -> SnapshotOrder? {
    if sources.isEmpty { return nil }
    for (shard, source) in sources.sorted(by: { $0.key < $1.key }) {
      guard case .frozen(let order) = source.phase else { continue }
      sources[shard]?.phase = .writing
      return order
    }
    return nil
  }
  /// A snapshot is written, or was given up. True: it is one of these, and there.
  mutating func written(_ result: SnapshotResult) -> Bool {
    guard let source = sources[result.order.shard], case .writing = source.phase else { return false }
    guard result.failure == nil, let file = result.file, file.index == source.part?.index else {
      sources[result.order.shard]?.phase = .failed
      return false
    }
    sources[result.order.shard]?.phase = .written(file)
    return true
  }
  /// Those of which nothing came.
  func late(now: UInt64) -> [ShardID] {
    sources.filter { if case .armed(let end) = $0.value.phase { now >= end } else { false } }.keys.sorted()
  }
  /// It is not wanted any more: what was frozen and is not being written.
  mutating func drop(_ shard: ShardID) -> Source? { sources.removeValue(forKey: shard) }
  /// All but those of an operation that is under way.
  func stale(but op: UInt64?) -> [ShardID] { sources.filter { $0.value.op != op }.keys.sorted() }
}
