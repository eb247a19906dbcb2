import Base

/// Where a walk forward through a journal stands: between two of its records.
struct RecordWalk: Sendable {
  /// Between two frames: what lies behind is another walk's.
  let end: JournalPosition
  /// Behind what was passed so far.
  private(set) var place: FeedPlace
  /// The bytes of the frame that it lies in; 0: they are not known.
  private var frameBytes: UInt32 = 0
  /// A frame or a record was found where the walk began: so that is a place of this journal.
  private(set) var isProved: Bool

  init(from place: FeedPlace, to end: JournalPosition) {
    (self.place, self.end) = (place, end)
    isProved = place.inner == 0 && place.frame.offset == 0
  }
  var isAtEnd: Bool { !place.frame.isBefore(end) }

  /// The record at the place, of whatever form: valid until the window is used again. Nil: there are no more before the end. Throws
  /// what the source throws, and `JournalCorruption`.
  mutating func record(_ window: JournalWindow, _ source: some JournalSource) throws -> UnsafeRawBufferPointer? {
    while frameBytes == 0 {
      if place.inner == 0, isAtEnd { return nil }
      guard let bytes = try frameLength(window, source) else {
        guard place.inner == 0, place.frame.segment < end.segment else { throw corruption("the journal ends too soon") }
        place.frame = place.frame.nextSegment
        continue
      }
      frameBytes = bytes
      place.inner = max(place.inner, UInt32(JournalBuffer.frameHeaderSize))
    }
    let position = place.frame.advanced(by: Int(place.inner))
    guard let head = try window.bytes(at: position, count: 8, source) else { throw corruption("a record is cut") }
    let length = UInt32(littleEndian: head.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
    guard length >= 24, length <= UInt32(ChangeRecord.maximumByteCount), length <= frameBytes - place.inner,
      let bytes = try window.bytes(at: position, count: Int(length), source)
    else { throw corruption("a record is cut") }
    return bytes
  }
  /// Goes on behind the record at the place, which has so many bytes.
  mutating func pass(_ length: Int) {
    isProved = true
    place.inner += UInt32(length)
    guard place.inner >= frameBytes else { return }
    place = FeedPlace(frame: place.frame.advanced(by: Int(frameBytes)))
    frameBytes = 0
  }
  /// The bytes of the frame at the place; nil: the segment ends there.
  private func frameLength(_ window: JournalWindow, _ source: some JournalSource) throws -> UInt32? {
    let head = try window.bytes(at: place.frame, count: JournalBuffer.frameHeaderSize, source)
    guard let head else { return nil }
    let length = UInt32(littleEndian: head.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
    guard UInt32(littleEndian: head.loadUnaligned(as: UInt32.self)) == JournalBuffer.magic,
      length > UInt32(JournalBuffer.frameHeaderSize), length <= UInt32(JournalChain.frameBytesMax),
      place.inner == 0 || (place.inner >= UInt32(JournalBuffer.frameHeaderSize) && place.inner < length)
    else { throw corruption("this is no frame") }
    return length
  }

  /// Begins in the last segment that began before a moment, so that what is older is not read. A read for each halving.
  mutating func skip(to moment: Stamp, _ window: JournalWindow, _ source: some JournalSource) throws {
    guard isProved, frameBytes == 0, place.inner == 0, place.frame.offset == 0 else { return }
    var (low, high) = (place.frame.segment, end.segment)
    while low < high {
      let middle = low + (high - low + 1) / 2
      let first = JournalPosition(
        journal: end.journal, segment: middle, offset: UInt64(JournalBuffer.frameHeaderSize))
      // The last segment may be empty yet.
      guard let head = try window.bytes(at: first, count: JournalRecord.fixedSize, source) else {
        high = middle - 1
        continue
      }
      let stamp = Stamp(
        microseconds: Int64(littleEndian: head.loadUnaligned(fromByteOffset: 24, as: Int64.self)))
      if stamp < moment { low = middle } else { high = middle - 1 }
    }
    place = FeedPlace(frame: JournalPosition(journal: end.journal, segment: low, offset: 0))
  }

  func corruption(_ what: String) -> JournalCorruption {
    JournalCorruption(
      description:
        "at segment \(place.frame.segment), offset \(place.frame.offset), byte \(place.inner) of the frame: \(what)")
  }
}
