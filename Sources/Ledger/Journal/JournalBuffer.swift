import Base

/// The end of a journal, until it is taken to be stored: a shard's, or the directory's (`EntryJournal`).
///
/// The journal is a sequence of frames, one an entry that decided something, in segments; a frame lies in one segment.
///
///     0   "TJF1"
///     4   bytes of the whole frame   u32
///     8   log index                  u64
///     16  stamp                      i64
///     24  the chain before           32 bytes
///     56  records (`JournalRecord`, of the directory `ChangeRecord`)
///
/// Each segment of a shard but the first begins with the last sequence number of every slot, as records of kind `index`: so that a
/// transaction that the state has long forgotten is found by its number alone, in the one segment where it must lie.
///
/// The chain after a frame is the SHA-256 of its bytes; since they begin with the chain before, it vouches for all.
struct JournalBuffer: ~Copyable {
  static let frameHeaderSize = 56
  static let magic: UInt32 = 0x3146_4A54

  private var buffer = ByteBuffer(capacity: 4096)
  /// Where the runs of bytes not yet taken begin in the buffer, and in the journal.
  private var runs: [(start: Int, position: JournalPosition)]
  private var frameStart = 0
  private let segmentBytes: UInt64
  /// What was moved by the records written since it was last taken. No part of the journal.
  private var moved = MovedPoints()

  init(segmentBytes: UInt64, end: JournalPosition) {
    // A frame may be as long as an entry makes it: there is as much room again behind the last segment's end.
    self.segmentBytes = min(max(segmentBytes, 4096), JournalPosition.segmentBytesMax)
    runs = [(0, end)]
  }

  /// The position of the next byte.
  var end: JournalPosition {
    let run = runs[runs.count - 1]
    return run.position.advanced(by: buffer.count - run.start)
  }
  var isEmpty: Bool { buffer.isEmpty }

  /// True if the frame begins a segment that is not the first: its index is to be appended.
  mutating func beginFrame(index: LogIndex, stamp: Stamp, chain: SHA256.Digest) -> Bool {
    let end = end
    let isFull = end.offset >= segmentBytes
    if isFull {
      runs.append((buffer.count, end.nextSegment))
    }
    frameStart = buffer.count
    buffer.append(JournalBuffer.magic)
    buffer.append(UInt32(0))
    buffer.append(index.rawValue)
    buffer.append(stamp.microseconds)
    chain.withBytes { buffer.append($0) }
    return isFull
  }
  /// Ends the frame; the new chain, or nil if the entry decided nothing and leaves no frame.
  mutating func endFrame() -> SHA256.Digest? {
    if buffer.count == frameStart + JournalBuffer.frameHeaderSize {
      buffer.truncate(to: frameStart)
      if runs.count > 1, runs[runs.count - 1].start == frameStart { runs.removeLast() }
      return nil
    }
    buffer.patch(UInt32(buffer.count - frameStart), at: frameStart + 4)
    return SHA256.digest(UnsafeRawBufferPointer(rebasing: buffer.bytes[frameStart..<buffer.count]))
  }
  /// Writes a record and returns its place.
  mutating func append(_ record: borrowing JournalRecord) -> JournalPosition {
    let position = end
    moved.note(record.kind, record.points, record.amount)
    record.encode(into: &buffer)
    return position
  }
  /// The same of a record of another form: it begins with a CRC-32C and its length, as `JournalRecord` does.
  mutating func append(_ encode: (inout ByteBuffer) -> Void) -> JournalPosition {
    let position = end
    encode(&buffer)
    return position
  }

  /// Nil: nothing.
  mutating func takeMoved() -> MovedPoints? {
    guard !moved.isEmpty else { return nil }
    defer { moved = MovedPoints() }
    return moved
  }

  mutating func take(_ body: (JournalPosition, UnsafeRawBufferPointer) throws -> Void) rethrows {
    let end = end
    for i in runs.indices {
      let stop = i + 1 < runs.count ? runs[i + 1].start : buffer.count
      guard stop > runs[i].start else { continue }
      try body(runs[i].position, UnsafeRawBufferPointer(rebasing: buffer.bytes[runs[i].start..<stop]))
    }
    runs.removeAll(keepingCapacity: true)
    runs.append((0, end))
    buffer.removeAll()
    buffer.shrink(to: 1 << 22)
  }
}

extension Ledger {
  /// Where the journal ends: the position of the next frame.
  public var journalEnd: JournalPosition { journal.end }
  /// The hash over the whole journal.
  public var journalChain: SHA256.Digest { core.chain }

  /// What was moved, by kind, since it was last asked; nil: nothing.
  public mutating func takeMoved() -> MovedPoints? { journal.takeMoved() }

  /// Gives the journal bytes appended since last asked, run by run, and forgets them. Between entries only.
  public mutating func takeJournal(_ body: (JournalPosition, UnsafeRawBufferPointer) throws -> Void) rethrows {
    precondition(!core.isInEntry, "the journal is taken between entries")
    try journal.take(body)
  }
}
