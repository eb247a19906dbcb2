import Base

// What the journal knows of transactions that have left memory: read outside apply, at a leader or for a terminal.
extension JournalQuery {
  /// The records of a transaction: its own and, unless that is the same, the one that last spoke about it, which is at
  /// `position`.
  private func withRecords(
    _ source: some JournalSource, _ position: JournalPosition, _ tx: TransactionID, _ scratch: inout [UInt8],
    _ body: (_ original: UnsafeRawBufferPointer, _ latest: UnsafeRawBufferPointer?) throws -> Void
  ) throws {
    let length = try fetch(source, position, &scratch)
    var place = JournalPosition.none
    try scratch.withUnsafeBytes { bytes in
      let bytes = UnsafeRawBufferPointer(rebasing: bytes[0..<length])
      let record = try decode(bytes, position)
      if record.tx == tx { return try body(bytes, nil) }
      guard record.of == tx, record.original != .none, record.original < position else {
        throw JournalCorruption(description: "at \(position) is nothing about \(tx)")
      }
      place = record.original
    }
    guard place != .none else { return }
    let latest = Array(scratch[0..<length])
    let count = try fetch(source, place, &scratch)
    try scratch.withUnsafeBytes { bytes in
      let bytes = UnsafeRawBufferPointer(rebasing: bytes[0..<count])
      guard try decode(bytes, place).tx == tx else { throw JournalCorruption(description: "\(tx) is not at \(place)") }
      try latest.withUnsafeBytes { try body(bytes, $0) }
    }
  }

  /// The records as they stand in the journal: what a command carries.
  func runFacts(
    _ source: some JournalSource, _ position: JournalPosition, _ tx: TransactionID, _ scratch: inout [UInt8],
    _ reply: inout ReplyWriter
  ) throws {
    try withRecords(source, position, tx, &scratch) { original, latest in
      var facts = ByteBuffer(capacity: 512)
      facts.append(original)
      if let latest { facts.append(latest) }
      reply.text(facts.bytes)
    }
  }
  func runPastFacts(
    _ source: some JournalSource, _ tx: TransactionID, _ scratch: inout [UInt8], _ reply: inout ReplyWriter
  ) throws {
    guard let position = try search(source, tx, &scratch) else {
      return reply.error(.notFound, "no such transaction")
    }
    try runFacts(source, position, tx, &scratch, &reply)
  }

  /// As `TX SHOW` shows it: its record, what became of it, and what is left to refund.
  func runRemembered(
    _ source: some JournalSource, _ position: JournalPosition, _ tx: TransactionID, _ tenant: TenantID,
    _ state: UInt8, _ scratch: inout [UInt8], _ reply: inout ReplyWriter
  ) throws {
    try withRecords(source, position, tx, &scratch) { original, latest in
      let record = try decode(original, position)
      guard record.tenant == tenant else { return reply.error(.notFound, "no such transaction") }
      record.describe(catalogue, into: &reply, withMember: true)
      switch record.kind {
      case .earn, .redeem, .capture:
        let reversed = try latest.map { try decode($0, position).reversedPoints } ?? 0
        reply.field(.left, record.gross &- reversed)
      case .hold:
        reply.field(.state, state == TransactionRecord.captured ? "captured" : "released")
        reply.field(.left, 0)
      case .transferOut: reply.field(.state, state == TransactionRecord.returned ? "returned" : "done")
      default: break
      }
    }
  }

  /// Whether two records are one member's; false if there is no second.
  func isSameMember(
    _ source: some JournalSource, _ first: JournalPosition, _ second: JournalPosition, _ scratch: inout [UInt8]
  ) throws -> Bool {
    guard first != .none, second != .none else { return false }
    func member(_ position: JournalPosition) throws -> (TenantID, [UInt8]) {
      let length = try fetch(source, position, &scratch)
      return try scratch.withUnsafeBytes { bytes in
        let record = try decode(UnsafeRawBufferPointer(rebasing: bytes[0..<length]), position)
        return (record.tenant, Array(record.member))
      }
    }
    return try member(first) == member(second)
  }
}
