/// One entry of a shard's replicated log. The payload is opaque to Raft and to Storage.
public struct LogEntry: Hashable, Sendable {
  public enum Kind: UInt8, Sendable {
    /// Commands for the state machine.
    case command = 0
    /// What a new leader writes to commit what came before it (Raft §5.4.2, §8). The payload is empty.
    case noop = 1
    /// A membership configuration, encoded by `Raft`.
    case configuration = 2
  }
  public var index: LogIndex
  public var term: Term
  public var kind: Kind
  public var payload: [UInt8]

  public init(index: LogIndex, term: Term, kind: Kind = .command, payload: [UInt8]) {
    self.index = index
    self.term = term
    self.kind = kind
    self.payload = payload
  }
}
