/// A position in a journal: whose it is, a segment's number (from 1) and a byte offset in it. Zero is no position.
///
/// A journal is named by the shard that writes it, whose number is never another's: so a position says the same for ever,
/// in whichever shard's state or record it stands. Positions of different journals have no order.
@frozen public struct JournalPosition: Hashable, Sendable, BitwiseCopyable, CustomStringConvertible {
  /// Journal in the top 18 bits, segment in the next 18, offset in the low 28.
  public var rawValue: UInt64
  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }
  @inlinable public init(journal: ShardID, segment: UInt32, offset: UInt64) {
    precondition(
      journal.rawValue < 1 << 18 && segment < 1 << 18 && offset < 1 << 28, "a journal position has 18 + 18 + 28 bits")
    self.rawValue = UInt64(journal.rawValue) << 46 | UInt64(segment) << 28 | offset
  }
  /// Where a shard's journal begins.
  @inlinable public init(beginningOf journal: ShardID) { self.init(journal: journal, segment: 1, offset: 0) }
  @inlinable public static var none: JournalPosition { JournalPosition(rawValue: 0) }
  /// A segment ends before this offset; a frame that began before it may reach as far again.
  @inlinable public static var segmentBytesMax: UInt64 { 1 << 27 }

  @inlinable public var journal: ShardID { ShardID(UInt32(truncatingIfNeeded: rawValue >> 46)) }
  @inlinable public var segment: UInt32 { UInt32(truncatingIfNeeded: rawValue >> 28) & 0x3FFFF }
  @inlinable public var offset: UInt64 { rawValue & 0xFFF_FFFF }

  /// The position so many bytes further in the same segment. Beyond what a segment may have it is another, or none: whoever
  /// is given it finds nothing there.
  @inlinable public func advanced(by bytes: Int) -> JournalPosition {
    JournalPosition(rawValue: rawValue &+ UInt64(truncatingIfNeeded: bytes))
  }
  /// The beginning of the segment after this one.
  @inlinable public var nextSegment: JournalPosition { JournalPosition(rawValue: (rawValue >> 28 &+ 1) << 28) }
  /// Bytes from an earlier position of the same journal to this one, if all segments between are full: at most so many.
  public func distance(from earlier: JournalPosition, segmentBytes: UInt64) -> UInt64 {
    guard earlier.isBefore(self) else { return 0 }
    return UInt64(segment - earlier.segment) * segmentBytes + offset - min(offset, earlier.offset)
  }
  public var description: String { "\(journal.rawValue)/\(segment)/\(offset)" }
  /// Whether both are in one journal, and this one comes first.
  @inlinable public func isBefore(_ other: JournalPosition) -> Bool {
    (rawValue ^ other.rawValue) >> 46 == 0 && rawValue < other.rawValue
  }
  /// Whether a record here can be one that a record there refers to: it comes before that, or is in a journal that the other's
  /// shard inherited.
  @inlinable public func mayPrecede(_ other: JournalPosition) -> Bool {
    (rawValue ^ other.rawValue) >> 46 != 0 || rawValue < other.rawValue
  }
}
