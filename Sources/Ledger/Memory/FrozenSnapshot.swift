import Base
import Synchronization

/// Collects the containers of a ledger as they are at one moment. Made by `PagePool.beginSnapshot`; nothing may be
/// mutated between that and `finish()`. The order in which sections are added is the order in which they are restored.
struct SnapshotBuilder: ~Copyable {
  let pool: UnsafeMutablePointer<PoolState>

  /// Adds a section of plain bytes: what the ledger keeps outside its containers.
  mutating func append(_ bytes: UnsafeRawBufferPointer)
  /// The snapshot, to hand to the thread that writes it.
  consuming func finish() -> FrozenSnapshot
}

/// The state of a ledger at one moment, readable by another thread while the ledger goes on. End it with
/// `PagePool.endSnapshot`, whether it was written or not.
final class FrozenSnapshot: @unchecked Sendable {
  let pool: UnsafeMutablePointer<PoolState>
  /// How many bytes `write` gives.
  let byteCount: Int
  /// Gives the bytes to `sink`, in order, in runs of up to a page. Once only, from any thread: pages that `sink` has
  /// returned from belong to the ledger again and change. Throws what `sink` throws; then end the snapshot.
  func write(to sink: (UnsafeRawBufferPointer) throws -> Void) rethrows
}

/// Where a snapshot is read from.
protocol SnapshotSource {
  /// Fills the whole of `buffer` with the next bytes, or throws.
  mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws
}

/// Reads the sections of a snapshot, in the order in which they were added.
struct SnapshotReader<Source: SnapshotSource> {
  var source: Source
  init(_ source: Source)
  /// The next section, which must be plain bytes of at most `limit`.
  mutating func readBytes(limit: Int = 1 << 30) throws -> [UInt8]
}

/// A snapshot in memory as a source, for tests and small states.
struct MemorySnapshotSource: SnapshotSource {
  init(_ bytes: [UInt8])
}
