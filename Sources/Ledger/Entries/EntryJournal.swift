import Base

/// The end of the directory's journal, until it is taken to be stored: what each change of an entry said, for ever. It has the
/// frames of a shard's journal, chained and kept alike: see `JournalBuffer`. A record is never taken out, so nothing goes
/// in that must one day be forgotten: see `EntryField.Traits.unjournaled`.
public struct EntryJournal: ~Copyable {
  private var buffer: JournalBuffer
  private var hash: SHA256.Digest
  private var isOpen = false

  /// - Parameters:
  ///   - segmentBytes: the same on all replicas, for ever.
  ///   - start: where it goes on.
  public init(segmentBytes: UInt64 = LedgerLimits().journalSegmentBytes, at start: JournalChain = .ofDirectory) {
    buffer = JournalBuffer(segmentBytes: segmentBytes, end: start.position)
    hash = start.hash
  }

  /// Where it ends: between entries of the log, the place of the next frame.
  public var chain: JournalChain { JournalChain(position: buffer.end, hash: hash) }
  public var end: JournalPosition { buffer.end }
  /// Where the newest whole frame ends.
  var wholeEnd: JournalPosition { isOpen ? buffer.openFrame : buffer.end }

  /// Begins an entry of the log. An entry that changes nothing leaves nothing.
  public mutating func begin(_ index: LogIndex, stamp: Stamp) {
    _ = buffer.beginFrame(index: index, stamp: stamp, chain: hash)
    isOpen = true
  }
  public mutating func endEntry() {
    isOpen = false
    if let next = buffer.endFrame() { hash = next }
  }
  mutating func append(_ record: ChangeRecord) -> JournalPosition { buffer.append { record.encode(into: &$0) } }

  /// Gives what was appended since last asked, run by run, and forgets it. Between entries of the log only.
  public mutating func take(_ body: (JournalPosition, UnsafeRawBufferPointer) throws -> Void) rethrows {
    try buffer.take(body)
  }
}

extension JournalChain {
  /// The beginning of the directory's.
  public static var ofDirectory: JournalChain {
    JournalChain(position: JournalPosition(beginningOf: .directory), hash: SHA256.Digest())
  }
}
