import Base
import Storage

/// How much of the disk is kept free for what must go on when it fills up: elections, snapshots, starts.
public struct DiskReserve: Sendable, Hashable {
  /// With less than this free, in bytes, terminals' writes are refused. 0: only when the disk has nothing left at all.
  public var byteCount: UInt64
  public init(byteCount: UInt64) { self.byteCount = byteCount }

  /// With so much free writes are taken again.
  package var resumeByteCount: UInt64 { byteCount + byteCount / 10 }
  /// The part of the reserve that is held as a file, so that nobody else takes it: enough for a segment of the log, but
  /// no more than half.
  package func ballastByteCount(segmentBytes: Int) -> UInt64 { min(UInt64(segmentBytes) + 1 << 20, byteCount / 2) }
}

/// What a node's disk is like, as measured beside the log.
public struct DiskGauges: Sendable {
  /// Bytes that may still be written, with those that the ballast holds.
  package var freeBytes: UInt64
  package var log: LogUsage
  /// How often a file could not be opened for want of a descriptor, since the start.
  package var shortageCount: UInt64
  /// The number of the last batch of the log that is durable.
  package var logPosition: UInt64 = 0

  package init(freeBytes: UInt64, log: LogUsage, shortageCount: UInt64, logPosition: UInt64 = 0) {
    self.freeBytes = freeBytes
    self.log = log
    self.shortageCount = shortageCount
    self.logPosition = logPosition
  }
}

/// What the write-ahead log occupies, and who holds it back.
package struct LogUsage: Sendable {
  /// Counts the times that this was looked at.
  package var version: UInt64 = 0
  /// Of all its files.
  package var byteCount: UInt64 = 0
  /// Of the files that hold records.
  package var pinnedBytes: UInt64 = 0
  package var segmentCount = 0
  /// Sorted by shard.
  package var shards: [ShardUsage] = []
  /// Of the records that are needed still: a bound.
  package var liveBytes: UInt64 { shards.reduce(0) { $0 + $1.liveBytes } }

  package init(
    version: UInt64 = 0, byteCount: UInt64 = 0, pinnedBytes: UInt64 = 0, segmentCount: Int = 0,
    shards: [ShardUsage] = []
  ) {
    self.version = version
    self.byteCount = byteCount
    self.pinnedBytes = pinnedBytes
    self.segmentCount = segmentCount
    self.shards = shards
  }
}
