import Base

/// One shard's state machine: members, their points, their holds; the shard's part of every merchant's account; what
/// was answered to which request. A deterministic value: the same entries give the same state, the same replies and the
/// same journal, byte for byte.
///
/// Used from one thread at a time. Apply an entry by `beginEntry`, `apply` for each command, `endEntry`.
public struct Ledger: ~Copyable, @unchecked Sendable {
  public let shard: ShardID
  public let limits: LedgerLimits

  /// An empty ledger.
  public init(shard: ShardID, limits: LedgerLimits = LedgerLimits()) {
    self.shard = shard
    self.limits = limits
  }
  /// The ledger that wrote the snapshot. Throws if the bytes are something else, and what the source throws.
  public init<Source: SnapshotSource>(restoring source: consuming Source, limits: LedgerLimits = LedgerLimits()) throws
  {
    preconditionFailure()
  }

  public var lastStamp: Stamp { .zero }
  public var lastIndex: LogIndex { LogIndex(0) }
  public var catalogueVersion: UInt32 { catalogue.version }
  /// The programs and merchants as this shard's log has them.
  public private(set) var catalogue = Catalogue()
  /// When there is something to book: propose a tick then, and again while it stays in the past.
  public var nextDeadline: Stamp? { nil }
  /// Where the journal ends: the position of the next frame.
  public var journalEnd: JournalPosition { .none }
  public var journalChain: SHA256.Digest { SHA256.Digest() }
  /// Additive over canonical records, whatever the layout; kept as the state changes. Equal on all replicas.
  public var digest: (UInt64, UInt64) { (0, 0) }
  /// The same, from the records themselves. O(state): for tests and checks.
  public func recomputeDigest() -> (UInt64, UInt64) { (0, 0) }
  public var memberCount: UInt64 { 0 }
  public var transactionCount: UInt64 { 0 }
  /// Bytes of memory that the state occupies.
  public var memoryByteCount: Int { 0 }

  /// Opens an entry. `index` and the stamp are above those before. Releases the holds that are due, within bounds.
  public mutating func beginEntry(_ header: EntryHeader, index: LogIndex) {}
  /// Applies one framed command. Nothing that the bytes contain traps; a malformed command is an `ERR` reply.
  public mutating func apply(_ command: UnsafeRawBufferPointer, into reply: inout ReplyWriter) -> Outcome { .silent }
  /// Closes the entry, and its journal frame: chain = SHA-256(previous chain ∥ frame).
  public mutating func endEntry() {}
  /// Gives the journal bytes appended since last asked, run by run, and forgets them.
  public mutating func takeJournal(_ body: (JournalPosition, UnsafeRawBufferPointer) throws -> Void) rethrows {}

  /// Answers a read from the state as of the last entry.
  public func read(_ query: UnsafeRawBufferPointer, into reply: inout ReplyWriter) -> ReadOutcome { .replied }
  /// The query that renders the answer a repeated request got first.
  public func firstAnswer(at position: JournalPosition) -> JournalQuery { preconditionFailure() }

  /// Writes the shard's `AUDIT` record: `shard index accounts transactions sum intransit digest`.
  public func audit(into reply: inout ReplyWriter) {}
  public func auditFigures() -> AuditFigures { preconditionFailure() }
  /// Throws what is broken of domain.md's "Holds after every step". O(state): for tests.
  public func checkInvariants() throws {}

  /// The state as of the last entry, to be written from another thread while entries go on. One at a time.
  public mutating func beginSnapshot() -> LedgerSnapshot { preconditionFailure() }
  public mutating func endSnapshot(_ snapshot: LedgerSnapshot) {}

  /// The deliveries, verdicts and settlements made since last asked, oldest first.
  public mutating func takeDeliveries() -> [Delivery] { [] }
  /// Everything that is not settled: what a new leader sends again, and any leader now and then. Ordered by transaction.
  public func forEachOpenDelivery(_ body: (Delivery) -> Void) {}
}

/// A ledger's state at one entry, readable from any thread. Hand it back by `Ledger.endSnapshot`.
public struct LedgerSnapshot: Sendable {
  public var lastIndex: LogIndex
  public var lastStamp: Stamp
  /// The journal that the snapshot refers to must be durable up to here before the snapshot counts.
  public var journalEnd: JournalPosition
  /// Bytes that `write` gives.
  public var byteCount: Int { 0 }
  /// Gives the bytes in order, in runs of up to a page. Once only.
  public func write(to sink: (UnsafeRawBufferPointer) throws -> Void) rethrows {}
}
