import Base

/// Where journal bytes are read from.
public protocol JournalSource {
  /// Fills the buffer with the journal's bytes from a position on; returns how many, fewer only at a segment's end.
  func read(at position: JournalPosition, into buffer: UnsafeMutableRawBufferPointer) throws -> Int
}

/// What the journal does not bear out: rot, or a position that is not a record's.
public struct JournalCorruption: Error, CustomStringConvertible {
  public let description: String
}

/// A question that the journal answers: a member's history, one transaction, or the first answer to a repeated request.
/// A value to be run anywhere, while the ledger goes on. Cost: one read of some hundred bytes a record; for a transaction
/// that the state has forgotten, one read a bisection of the segments, and then up to a whole segment.
public struct JournalQuery: Sendable {
  enum Question: Sendable {
    /// `hint`: a record that may be the member's, and from which on `before` is found.
    case history(start: JournalPosition, hint: JournalPosition, program: Int32, limit: Int, before: TransactionID)
    case transaction(at: JournalPosition, tx: TransactionID, left: Int64, state: String)
    case answer(at: JournalPosition)
    /// A transaction that has left memory, by the record that last spoke about it.
    case remembered(at: JournalPosition, tx: TransactionID, tenant: TenantID, state: UInt8)
    /// A transaction that the state has forgotten.
    case past(tx: TransactionID, tenant: TenantID)
    /// The records themselves, of the one and of the other.
    case facts(at: JournalPosition, tx: TransactionID)
    case pastFacts(tx: TransactionID)
  }
  let question: Question
  let catalogue: CatalogueRecords
  /// The journal must be readable up to here.
  public let end: JournalPosition
  /// The records that it reads, as far as is known beforehand: a measure of its time and of its answer's size.
  public var cost: Int {
    switch question {
    case .history(_, _, _, let limit, let before): before == .none ? limit : limit + JournalQuery.costOfSearch
    case .transaction, .answer: 1
    case .remembered, .facts: 2
    case .past, .pastFacts: JournalQuery.costOfSearch
    }
  }
  /// Of finding a place in the journal: mostly far less, at most ten times as much.
  private static let costOfSearch = 1_000
  /// A walk looks at no more records than this for one answer.
  static let mostSteps = 100_000

  init(_ question: Question, catalogue: Catalogue, end: JournalPosition) {
    self.question = question
    self.catalogue = catalogue.records
    self.end = end
  }

  /// Writes the reply. Throws what the source throws, and `JournalCorruption`.
  public func run(_ source: some JournalSource, into reply: inout ReplyWriter) throws {
    var scratch = [UInt8](repeating: 0, count: 512)
    switch question {
    case .answer(let position):
      let length = try fetch(source, position, &scratch)
      try scratch.withUnsafeBytes { bytes in
        let record = try decode(UnsafeRawBufferPointer(rebasing: bytes[0..<length]), position)
        record.render(catalogue, into: &reply)
      }
    case .transaction(let position, let tx, let left, let state):
      let length = try fetch(source, position, &scratch)
      try scratch.withUnsafeBytes { bytes in
        let record = try decode(UnsafeRawBufferPointer(rebasing: bytes[0..<length]), position)
        guard record.tx == tx else { throw JournalCorruption(description: "another transaction at \(position)") }
        record.describe(catalogue, into: &reply, withMember: true)
        if !state.isEmpty { reply.field(.state, state) }
        if left >= 0 { reply.field(.left, left) }
      }
    case .history(let start, let hint, let program, let limit, let before):
      let first = try isSameMember(source, start, hint, &scratch) ? hint : start
      try runHistory(source, first, program, limit, before, &scratch, &reply)
    case .remembered(let position, let tx, let tenant, let state):
      try runRemembered(source, position, tx, tenant, state, &scratch, &reply)
    case .past(let tx, let tenant):
      try runPast(source, tx, tenant, &scratch, &reply)
    case .facts(let position, let tx):
      try runFacts(source, position, tx, &scratch, &reply)
    case .pastFacts(let tx):
      try runPastFacts(source, tx, &scratch, &reply)
    }
  }

  // MARK: What the state has forgotten

  /// Numbers rise with the position in a slot, so a transaction lies in the last segment that began before its number.
  private func runPast(
    _ source: some JournalSource, _ tx: TransactionID, _ tenant: TenantID, _ scratch: inout [UInt8],
    _ reply: inout ReplyWriter
  ) throws {
    guard let position = try search(source, tx, &scratch) else {
      // A number that an inner step took, which no record shows.
      reply.error(.notFound, "no such transaction")
      return
    }
    let length = try fetch(source, position, &scratch)
    try scratch.withUnsafeBytes { bytes in
      let record = try decode(UnsafeRawBufferPointer(rebasing: bytes[0..<length]), position)
      guard record.tenant == tenant else { return reply.error(.notFound, "no such transaction") }
      record.describe(catalogue, into: &reply, withMember: true)
    }
  }
  func search(
    _ source: some JournalSource, _ tx: TransactionID, _ scratch: inout [UInt8]
  ) throws -> JournalPosition? {
    var low: UInt32 = 1
    var high = end.segment
    while low < high {
      let middle = low + (high - low + 1) / 2
      if try lastSequence(source, of: tx.slot, before: middle, &scratch) < tx.sequence {
        low = middle
      } else {
        high = middle - 1
      }
    }
    return try scan(source, segment: low, for: tx)
  }
  /// How far a slot's transactions were numbered when a segment, not the first, began.
  private func lastSequence(
    _ source: some JournalSource, of slot: Slot, before segment: UInt32, _ scratch: inout [UInt8]
  ) throws -> UInt64 {
    var position = JournalPosition(segment: segment, offset: UInt64(JournalBuffer.frameHeaderSize))
    let wanted = Int(slot.rawValue)
    while true {
      let length = try fetch(source, position, &scratch)
      let found: UInt64? = try scratch.withUnsafeBytes { bytes in
        let record = try decode(UnsafeRawBufferPointer(rebasing: bytes[0..<length]), position)
        guard record.kind == .index else {
          throw JournalCorruption(description: "segment \(segment) does not begin with its index")
        }
        guard wanted < Int(record.amount) + JournalRecord.slotsPerIndex else { return nil }
        var reader = ByteReader(record.answer)
        for _ in 0..<max(0, wanted - Int(record.amount)) { _ = try reader.readVarint() }
        return try reader.readVarint()
      }
      if let found { return found }
      position = JournalPosition(segment: segment, offset: position.offset + UInt64(length))
    }
  }
  /// Where in a segment a transaction's record is, frame by frame.
  private func scan(_ source: some JournalSource, segment: UInt32, for tx: TransactionID) throws -> JournalPosition? {
    var buffer = [UInt8](repeating: 0, count: 256 << 10)
    var offset: UInt64 = 0
    while segment < end.segment || offset < end.offset {
      let start = JournalPosition(segment: segment, offset: offset)
      let got = try buffer.withUnsafeMutableBytes { try source.read(at: start, into: $0) }
      guard got > 0 else { return nil }
      var frame = 0
      var needed = 0
      let found: Int? = try buffer.withUnsafeBytes { bytes in
        func word(_ at: Int) -> Int {
          Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self)))
        }
        while got - frame >= JournalBuffer.frameHeaderSize {
          let count = word(frame + 4)
          guard word(frame) == Int(JournalBuffer.magic), count >= JournalBuffer.frameHeaderSize else {
            throw JournalCorruption(description: "no frame at segment \(segment), offset \(offset + UInt64(frame))")
          }
          guard count <= got - frame else {
            needed = count
            return nil
          }
          var record = frame + JournalBuffer.frameHeaderSize
          while record + JournalRecord.fixedSize <= frame + count {
            let raw = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: record + 8, as: UInt64.self))
            if raw == tx.rawValue { return record }
            guard word(record + 4) >= JournalRecord.fixedSize else {
              throw JournalCorruption(description: "no record at segment \(segment), offset \(offset + UInt64(record))")
            }
            record += word(record + 4)
          }
          frame += count
        }
        return nil
      }
      if let found { return JournalPosition(segment: segment, offset: offset + UInt64(found)) }
      guard frame > 0 || needed > buffer.count else { return nil }
      if frame == 0 { buffer = [UInt8](repeating: 0, count: needed) }
      offset += UInt64(frame)
    }
    return nil
  }

  // MARK: Pieces

  private func runHistory(
    _ source: some JournalSource, _ start: JournalPosition, _ program: Int32, _ limit: Int, _ before: TransactionID,
    _ scratch: inout [UInt8], _ reply: inout ReplyWriter
  ) throws {
    // The array's count stands in front of its records: they are gathered apart.
    var records = ReplyWriter(capacity: 4096)
    var found = 0
    var steps = 0
    var isBehind = before == .none
    var position = start
    while position != .none && found < limit && steps < JournalQuery.mostSteps {
      let length = try fetch(source, position, &scratch)
      try scratch.withUnsafeBytes { bytes in
        let record = try decode(UnsafeRawBufferPointer(rebasing: bytes[0..<length]), position)
        if isBehind && (program < 0 || record.program == program) {
          record.describe(catalogue, into: &records, withMember: false)
          found += 1
        }
        if record.tx == before { isBehind = true }
        guard record.previous < position else {
          throw JournalCorruption(description: "a record at \(position) that links ahead")
        }
        position = record.previous
      }
      steps += 1
    }
    reply.array(count: found)
    reply.buffer.append(records.buffer.bytes)
  }

  /// Reads the record at a position to the front of `scratch`; its length.
  func fetch(
    _ source: some JournalSource, _ position: JournalPosition, _ scratch: inout [UInt8]
  ) throws -> Int {
    var got = try scratch.withUnsafeMutableBytes { try source.read(at: position, into: $0) }
    guard got >= JournalRecord.fixedSize else { throw JournalCorruption(description: "no record at \(position)") }
    let length = scratch.withUnsafeBytes {
      Int(UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: 4, as: UInt32.self)))
    }
    guard length >= JournalRecord.fixedSize, length <= JournalRecord.maximumByteCount else {
      throw JournalCorruption(description: "a record of \(length) bytes at \(position)")
    }
    if length > scratch.count {
      scratch = [UInt8](repeating: 0, count: length)
      got = try scratch.withUnsafeMutableBytes { try source.read(at: position, into: $0) }
    }
    guard got >= length else { throw JournalCorruption(description: "a record at \(position) is cut") }
    return length
  }
  func decode(_ bytes: UnsafeRawBufferPointer, _ position: JournalPosition) throws -> JournalRecord {
    do {
      let record = try JournalRecord(decoding: bytes)
      guard
        record.kind == .answer || record.kind == .index
          || (record.program >= 0 && Int(record.program) < catalogue.programCount)
      else {
        throw MalformedBytes("a record of an unknown program")
      }
      return record
    } catch {
      throw JournalCorruption(description: "at segment \(position.segment), offset \(position.offset): \(error)")
    }
  }
}
