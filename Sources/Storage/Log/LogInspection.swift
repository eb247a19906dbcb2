import Base

/// Reads a node's log as it lies there, for a person. Changes nothing.
public enum LogInspection {
  /// One record, without its payload.
  public struct Record: Sendable {
    public var path: String
    /// Of its head, in the file.
    public var offset: Int
    /// The batch that it is part of; batches are numbered without a gap.
    public var batch: UInt64
    public var kind: String
    public var shard: ShardID
    public var index: LogIndex
    public var term: Term
    public var payloadBytes: Int
  }

  /// Calls `each` with every record, segment by segment, as far as a segment's batches can be read. Then verifies the whole:
  /// throws `.damaged`, with file and offset, at the first place where something is missing that was written.
  /// Costs a segment in memory.
  public static func read(
    directory: String, fileSystem: any FileSystem, each: (Record) -> Void
  ) throws(StorageError) {
    var highest: UInt64 = 0
    let (found, _) = try LogRecovery.findSegments(directory, fileSystem, highest: &highest)
    let buffer = AlignedBuffer(capacity: found.map(\.byteCount).max() ?? 0)
    for segment in found {
      let count = try segment.file.read(into: buffer.mutablePrefix(segment.byteCount), at: 0)
      let bytes = buffer.prefix(count)
      var offset = LogFormat.blockBytes
      while let head = BatchHead.decode(bytes, segment: segment.number, offset: offset),
        LogRecovery.firstBadRecord(bytes, head) == nil
      {
        try LogRecovery.forEachRecord(bytes, head) { record, payload, offset throws(StorageError) in
          each(
            Record(
              path: segment.path, offset: offset, batch: head.number, kind: String(describing: record.kind),
              shard: record.shard, index: record.index, term: record.term, payloadBytes: payload.count))
        }
        offset = head.end
      }
    }
    _ = try LogRecovery(directory: directory, fileSystem: fileSystem)
  }
}
