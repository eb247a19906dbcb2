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
/// A value to be run anywhere, while the ledger goes on. Cost: one read of some hundred bytes a record.
public struct JournalQuery: Sendable {
  enum Question: Sendable {
    case history(start: JournalPosition, program: Int32, limit: Int, before: TransactionID)
    case transaction(at: JournalPosition, tx: TransactionID, left: Int64, state: String)
    case answer(at: JournalPosition)
  }
  let question: Question
  let catalogue: Catalogue
  /// The journal must be readable up to here.
  public let end: JournalPosition
  /// A walk looks at no more records than this for one answer.
  static let mostSteps = 100_000

  init(_ question: Question, catalogue: Catalogue, end: JournalPosition) {
    self.question = question
    self.catalogue = catalogue
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
    case .history(let start, let program, let limit, let before):
      try runHistory(source, start, program, limit, before, &scratch, &reply)
    }
  }

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
  private func fetch(
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
  private func decode(_ bytes: UnsafeRawBufferPointer, _ position: JournalPosition) throws -> JournalRecord {
    do {
      let record = try JournalRecord(decoding: bytes)
      guard record.kind == .answer || (record.program >= 0 && Int(record.program) < catalogue.programCount) else {
        throw MalformedBytes("a record of an unknown program")
      }
      return record
    } catch {
      throw JournalCorruption(description: "at segment \(position.segment), offset \(position.offset): \(error)")
    }
  }
}
