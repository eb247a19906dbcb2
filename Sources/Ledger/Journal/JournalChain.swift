import Base

/// A place in a shard's journal between two frames, and the hash over all before it.
public struct JournalChain: Sendable, Hashable {
  public var position: JournalPosition
  public var hash: SHA256.Digest

  public init(position: JournalPosition, hash: SHA256.Digest) {
    self.position = position
    self.hash = hash
  }

  /// A frame longer than this is none.
  public static let frameBytesMax = Int(JournalPosition.segmentBytesMax)

  /// The length of the frame that `bytes` begin with, as far as they tell: nil if they are too few for that.
  public func frameByteCount(_ bytes: UnsafeRawBufferPointer) throws -> Int? {
    guard bytes.count >= JournalBuffer.frameHeaderSize else { return nil }
    let magic = UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self))
    let length = Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self)))
    guard magic == JournalBuffer.magic, length > JournalBuffer.frameHeaderSize, length <= JournalChain.frameBytesMax
    else { throw corruption("this is no frame") }
    return length
  }

  /// When the entry was proposed whose frame these bytes begin, 24 at least; nil: they begin none.
  public static func stamp(of bytes: [UInt8]) -> Stamp? {
    bytes.withUnsafeBytes { raw in
      guard raw.count >= 24, UInt32(littleEndian: raw.loadUnaligned(as: UInt32.self)) == JournalBuffer.magic else {
        return nil
      }
      return Stamp(microseconds: Int64(littleEndian: raw.loadUnaligned(fromByteOffset: 16, as: Int64.self)))
    }
  }

  /// Passes the next frame, whole; throws `JournalCorruption` if it does not follow from all before.
  public mutating func pass(_ frame: UnsafeRawBufferPointer) throws {
    guard SHA256.Digest(bytes: UnsafeRawBufferPointer(rebasing: frame[24..<56])) == hash else {
      throw corruption("a frame does not follow from the one before")
    }
    guard position.offset + UInt64(frame.count) < 2 * JournalPosition.segmentBytesMax else {
      throw corruption("a segment is too long")
    }
    hash = SHA256.digest(frame)
    position = position.advanced(by: frame.count)
  }
  /// Goes on with the next segment.
  public mutating func passSegment() { position = position.nextSegment }

  /// Walks through a journal up to `end`; throws `JournalCorruption` where a frame does not follow from the one before,
  /// and what the source throws. Costs one hash over all bytes passed.
  public func followed(to end: JournalPosition, in source: some JournalSource) throws -> JournalChain {
    var chain = self
    var frame = [UInt8](repeating: 0, count: 65_536)
    while chain.position.isBefore(end) { try chain.step(in: source, before: end, &frame) }
    guard chain.position == end else { throw chain.corruption("no frame ends where one should") }
    return chain
  }

  /// Passes the frame that is next in a journal, or the segment's end if there is none; throws as `followed` does, and is
  /// then where it was. `frame` is room for it.
  public mutating func step(
    in source: some JournalSource, before end: JournalPosition, _ frame: inout [UInt8]
  ) throws {
    guard let count = try fetch(source, &frame) else {
      guard position.segment < end.segment else { throw corruption("it ends too soon") }
      return passSegment()
    }
    try frame.withUnsafeBytes { try pass(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
  }

  /// Reads the frame here to the front of `frame`; its length, nil at a segment's end.
  private func fetch(_ source: some JournalSource, _ frame: inout [UInt8]) throws -> Int? {
    var got = try frame.withUnsafeMutableBytes { try source.read(at: position, into: $0) }
    if got == 0 { return nil }
    let length = try frame.withUnsafeBytes { try frameByteCount(UnsafeRawBufferPointer(rebasing: $0[..<got])) }
    guard let length else { throw corruption("a frame is cut") }
    if length > frame.count {
      frame = [UInt8](repeating: 0, count: length)
      got = try frame.withUnsafeMutableBytes { try source.read(at: position, into: $0) }
    }
    guard got >= length else { throw corruption("a frame is cut") }
    return length
  }

  public func corruption(_ what: String) -> JournalCorruption {
    JournalCorruption(description: "journal, segment \(position.segment), offset \(position.offset): \(what)")
  }
}
