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
  /// The journal must be readable up to here.
  public let end: JournalPosition
  /// Writes the reply. Throws what the source throws, and `JournalCorruption`.
  public func run(_ source: some JournalSource, into reply: inout ReplyWriter) throws {}
}
