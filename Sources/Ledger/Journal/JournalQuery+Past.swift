import Base

/// A transaction's records in the journal: its own and, unless that is the same, the one that last spoke about it.
struct TransactionRecords {
  var original: [UInt8]
  /// Where its own is.
  var position: JournalPosition
  var latest: [UInt8]?
}

// What the journal knows of transactions that have left memory: read outside apply, at a leader or for a terminal.
extension JournalRecordReader {
  /// - Parameter position: of the record that last spoke about the transaction.
  mutating func records(of tx: TransactionID, at position: JournalPosition) throws -> TransactionRecords {
    let latest = try copy(at: position)
    let place: JournalPosition = try read(latest, from: position) { record in
      if record.tx == tx { return position }
      guard record.of == tx, record.original != .none, record.original.mayPrecede(position) else {
        throw JournalCorruption(description: "at \(position) is nothing about \(tx)")
      }
      return record.original
    }
    guard place != position else { return TransactionRecords(original: latest, position: place, latest: nil) }
    let original = try copy(at: place)
    guard try read(original, from: place, { $0.tx }) == tx else {
      throw JournalCorruption(description: "\(tx) is not at \(place)")
    }
    return TransactionRecords(original: original, position: place, latest: latest)
  }

  /// The records as they stand in the journal: what a command carries.
  mutating func writeFacts(of tx: TransactionID, at position: JournalPosition, into reply: inout ReplyWriter) throws {
    let records = try records(of: tx, at: position)
    (records.original + (records.latest ?? [])).withUnsafeBytes { reply.text($0) }
  }

  /// As `TX SHOW` shows it: its record, what became of it, and what is left to refund.
  mutating func show(
    _ tx: TransactionID, at position: JournalPosition, _ tenant: TenantID, state: UInt8, into reply: inout ReplyWriter
  ) throws {
    let records = try records(of: tx, at: position)
    let reversed = try records.latest.map { try read($0, from: position) { $0.reversedPoints } } ?? 0
    try read(records.original, from: records.position) { record in
      guard record.tenant == tenant else { return reply.error(.notFound, Refusal.notFound(tx).text) }
      record.describe(catalogue, into: &reply, withMember: true)
      switch record.kind {
      case .earn, .redeem, .capture: reply.field(.left, record.gross &- reversed)
      case .hold:
        reply.field(.state, state == TransactionRecord.captured ? "captured" : "released")
        reply.field(.left, Points.zero)
      case .transferOut: reply.field(.state, state == TransactionRecord.returned ? "returned" : "done")
      default: break
      }
    }
  }
}
