import Base

/// Reads a shard's journal, for a person.
public enum JournalInspection {
  /// One record, in words.
  public struct Record: Sendable {
    public var position: JournalPosition
    /// Of the entry that decided it.
    public var index: UInt64
    public var kind: String
    public var tx: TransactionID
    public var stamp: Stamp
    public var member: String
    /// By how much the balance changed, and what it was then.
    public var points: Int64
    public var balance: Int64
    public var request: String
  }

  /// Calls `each` with every record from a segment's beginning up to `end`, in order. Throws what the source throws, and `JournalCorruption` where a frame
  /// does not follow from the one before, or holds something else than records. The hash before the first frame is taken as it says.
  public static func read(
    from begin: JournalPosition, to end: JournalPosition, in source: some JournalSource, each: (Record) -> Void
  ) throws {
    var chain = JournalChain(position: begin, hash: SHA256.Digest())
    var frame = [UInt8](repeating: 0, count: 65_536)
    var isFirst = true
    while chain.position.isBefore(end) {
      let start = chain.position
      if isFirst {
        let got = try frame.withUnsafeMutableBytes { try source.read(at: start, into: $0) }
        guard got >= JournalBuffer.frameHeaderSize else { throw chain.corruption("a frame is cut") }
        chain.hash = frame.withUnsafeBytes { SHA256.Digest(bytes: .init(rebasing: $0[24..<56])) }
        isFirst = false
      }
      try chain.step(in: source, before: end, &frame)
      guard chain.position.segment == start.segment else { continue }
      let count = Int(chain.position.offset - start.offset)
      try frame.withUnsafeBytes { try records(of: .init(rebasing: $0[..<count]), at: start, chain, each) }
    }
  }

  private static func records(
    of frame: UnsafeRawBufferPointer, at start: JournalPosition, _ chain: JournalChain, _ each: (Record) -> Void
  ) throws {
    let index = UInt64(littleEndian: frame.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
    var offset = JournalBuffer.frameHeaderSize
    while offset < frame.count {
      do {
        let record = try JournalRecord(decoding: .init(rebasing: frame[offset...]))
        each(
          Record(
            position: start.advanced(by: offset), index: index, kind: "\(record.kind.word)", tx: record.tx,
            stamp: record.stamp, member: String(decoding: record.member, as: UTF8.self), points: record.points.rawValue,
            balance: record.balance.rawValue, request: String(decoding: record.request, as: UTF8.self)))
      } catch {
        throw JournalCorruption(description: "journal, \(start.advanced(by: offset)): \(error)")
      }
      let length = UInt32(littleEndian: frame.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self))
      offset += Int(length)
    }
  }
}
