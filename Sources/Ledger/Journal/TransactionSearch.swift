import Base

/// Looks for the record of a transaction that the state has forgotten. Numbers rise with the position in a slot, so it lies
/// in the last segment that began before its number: which that is, a bisection tells; then that segment is read. If it is not
/// there, it is older than the journal, and looked for in those of other shards that had the slot.
struct TransactionSearch: Sendable {
  let tx: TransactionID
  /// Where the journals end in which it may lie, the newest last.
  private var ends: [JournalPosition]
  /// The segments of the newest in which it may lie.
  private var low: UInt32 = 1
  private var high: UInt32
  /// How far the one that is left was read.
  private var offset: UInt64 = 0

  enum Finding {
    case unfinished
    /// A number that an inner step took, which no record shows.
    case nowhere
    case found(JournalPosition)
  }
  /// What a look at a segment's beginning, and a piece of one, count.
  private static let stepsOfLook = 16
  private static let stepsOfPiece = 64
  private static let pieceBytes = 256 << 10

  /// - Parameter ends: of the journals in which it may lie, the newest last; not none.
  init(_ tx: TransactionID, in ends: [JournalPosition]) {
    self.tx = tx
    self.ends = ends
    high = ends.last?.segment ?? 1
  }

  mutating func run<Source>(
    _ reader: inout JournalRecordReader<Source>, steps allowed: Int
  ) throws -> Finding {
    var left = allowed
    while let end = ends.last {
      let finding = try run(&reader, before: end, &left)
      guard case .nowhere = finding else { return finding }
      ends.removeLast()
      (low, high, offset) = (1, ends.last?.segment ?? 1, 0)
    }
    return .nowhere
  }
  /// In one journal.
  private mutating func run<Source>(
    _ reader: inout JournalRecordReader<Source>, before end: JournalPosition, _ left: inout Int
  ) throws -> Finding {
    while low < high {
      guard left > 0 else { return .unfinished }
      left -= TransactionSearch.stepsOfLook
      let middle = low + (high - low + 1) / 2
      if try lastSequence(&reader, in: end.journal, before: middle) < tx.sequence {
        low = middle
      } else {
        high = middle - 1
      }
    }
    var buffer = [UInt8](repeating: 0, count: TransactionSearch.pieceBytes)
    while low < end.segment || offset < end.offset {
      guard left > 0 else { return .unfinished }
      left -= TransactionSearch.stepsOfPiece * buffer.count / TransactionSearch.pieceBytes
      let start = JournalPosition(journal: end.journal, segment: low, offset: offset)
      let got = try buffer.withUnsafeMutableBytes { try reader.source.read(at: start, into: $0) }
      guard got > 0 else { return .nowhere }
      var piece = Piece(start: start)
      try buffer.withUnsafeBytes { try piece.look(for: tx, in: UnsafeRawBufferPointer(rebasing: $0[..<got])) }
      if let found = piece.found {
        return .found(JournalPosition(journal: end.journal, segment: low, offset: offset + UInt64(found)))
      }
      guard piece.passed > 0 || piece.needed > buffer.count else { return .nowhere }
      if piece.passed == 0 { buffer = [UInt8](repeating: 0, count: piece.needed) }
      offset += UInt64(piece.passed)
    }
    return .nowhere
  }

  /// How far the slot's transactions were numbered when a segment, not the first, began.
  private func lastSequence<Source>(
    _ reader: inout JournalRecordReader<Source>, in journal: ShardID, before segment: UInt32
  ) throws -> UInt64 {
    var position = JournalPosition(
      journal: journal, segment: segment, offset: UInt64(JournalBuffer.frameHeaderSize))
    let wanted = Int(tx.slot.rawValue)
    while true {
      var next = position
      let found: UInt64? = try reader.read(at: position, next: &next) { record in
        guard record.kind == .index else {
          throw JournalCorruption(description: "segment \(segment) does not begin with its index")
        }
        guard wanted < Int(record.number) + JournalRecord.slotsPerIndex else { return nil }
        var list = ByteReader(record.answer)
        for _ in 0..<max(0, wanted - Int(record.number)) { _ = try list.readVarint() }
        return try list.readVarint()
      }
      if let found { return found }
      position = next
    }
  }

  /// Whole frames in a run of the journal's bytes.
  private struct Piece {
    let start: JournalPosition
    var found: Int?
    /// Bytes of frames that do not have it.
    var passed = 0
    /// Of a frame that is not whole.
    var needed = 0

    init(start: JournalPosition) { self.start = start }

    mutating func look(for tx: TransactionID, in bytes: UnsafeRawBufferPointer) throws {
      func word(_ at: Int) -> Int {
        Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self)))
      }
      while bytes.count - passed >= JournalBuffer.frameHeaderSize {
        let count = word(passed + 4)
        guard word(passed) == Int(JournalBuffer.magic), count >= JournalBuffer.frameHeaderSize else {
          throw corruption("frame", at: passed)
        }
        guard count <= bytes.count - passed else {
          needed = min(count, JournalChain.frameBytesMax)
          return
        }
        var record = passed + JournalBuffer.frameHeaderSize
        while record + JournalRecord.fixedSize <= passed + count {
          if UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: record + 8, as: UInt64.self)) == tx.rawValue {
            found = record
            return
          }
          guard word(record + 4) >= JournalRecord.fixedSize else { throw corruption("record", at: record) }
          record += word(record + 4)
        }
        passed += count
      }
    }
    private func corruption(_ what: String, at place: Int) -> JournalCorruption {
      JournalCorruption(
        description: "no \(what) at segment \(start.segment), offset \(start.offset + UInt64(place))")
    }
  }
}
