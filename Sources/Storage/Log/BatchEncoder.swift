import Base

/// One batch as it goes to the disk: head, records, zeros up to a block's end. Its memory serves batch after batch.
struct BatchEncoder: ~Copyable {
  private var buffer = AlignedBuffer(capacity: BatchEncoder.keptBytes)
  private var segment: UInt64 = 0
  private var number: UInt64 = 0
  private var offset = 0
  /// Of head and records so far.
  private var byteCount = 0
  private var recordCount = 0

  private static let keptBytes = 1 << 20
  private static let mostKeptBytes = 8 << 20

  /// Bytes on disk of a batch whose records take `bytes`.
  static func size(records bytes: Int) -> Int {
    LogFormat.padded(LogFormat.batchHeadBytes + bytes, to: LogFormat.blockBytes)
  }

  /// Begins batch `number`, at `offset` of a segment, with room for records of `bytes`.
  mutating func begin(_ number: UInt64, segment: UInt64, offset: Int, records bytes: Int) {
    let size = BatchEncoder.size(records: bytes)
    if size > buffer.capacity {
      buffer.reset(capacity: max(size, min(2 * buffer.capacity, BatchEncoder.mostKeptBytes)))
    } else if buffer.capacity > BatchEncoder.mostKeptBytes {
      buffer.reset(capacity: max(size, BatchEncoder.keptBytes))
    }
    self.segment = segment
    self.number = number
    self.offset = offset
    byteCount = LogFormat.batchHeadBytes
    recordCount = 0
  }

  @inline(__always)
  mutating func add(_ head: RecordHead, _ payload: UnsafeRawBufferPointer) {
    var head = head
    head.batch = number
    let bytes = LogFormat.recordBytes(payload: payload.count)
    precondition(byteCount + bytes <= buffer.capacity, "a batch has room for the records it was begun for")
    head.encode(at: buffer.base + byteCount, payload, segment: segment, offset: offset + byteCount)
    byteCount += bytes
    recordCount += 1
  }

  /// The whole batch; valid until the next one begins.
  mutating func finish() -> UnsafeRawBufferPointer {
    let head = BatchHead(
      segment: segment, number: number, offset: offset, byteCount: byteCount - LogFormat.batchHeadBytes,
      recordCount: recordCount, isCopy: false)
    head.encode(at: buffer.base)
    let size = head.end - head.offset
    (buffer.base + byteCount).initializeMemory(as: UInt8.self, repeating: 0, count: size - byteCount)
    return buffer.prefix(size)
  }
}
