import Base

/// What became of one command.
public enum Outcome: Sendable, Equatable {
  /// The reply has been written.
  case replied
  /// The request id was used before for the same request. The first answer stands in the journal there: render it with
  /// `Ledger.firstAnswer(at:)`, outside apply, once the journal has been taken and written that far.
  case repeated(JournalPosition)
  /// Nothing written: the reply comes with `.completed` of that transaction. Also the outcome of a repeat in between.
  case pending(TransactionID)
  /// The reply written is that of the transaction named, not of this command: wake whoever waits on it, if anybody here
  /// does.
  case completed(TransactionID)
  /// Nothing was done and nothing written: the transaction that the command is about has left memory. Ask for the facts
  /// (`Query.appendFacts`) and send it again with them (`Command.carrying`).
  case factsWanted
  /// Nothing was done: it has to wait. What is written is a `Deferral`: for what. Send it again, with that (`Command.carrying(_:_:)`),
  /// once that is over. See `PausedSlots`.
  case deferred
  /// Nothing was done: the slot is not this shard's. The reply written says whose it is, if that is known.
  case moved(Slot)
  /// Nothing to say to anybody: a tick, a delta, the inner steps between shards.
  case silent
}

/// What became of one query.
public enum ReadOutcome: Sendable {
  /// The reply has been written.
  case replied
  /// The same, of what is known here. What was asked for before is on its way to another shard: who is to see that asks again once this
  /// transaction is over.
  case unsettled(until: TransactionID)
  /// The slot is not this shard's. The reply written says whose it is, if that is known.
  case moved(Slot)
  /// The answer stands in the journal: run this outside apply, on another thread if you like.
  case journal(JournalQuery)
}

/// One step of a transaction addressed to another shard (or this one), named by its source and step. Delivering it
/// twice, late, or after it was acknowledged is harmless; it must be delivered until it is acknowledged.
public struct Delivery: Sendable, Hashable {
  public enum Kind: UInt8, Sendable {
    /// The destination is to do its part.
    case delivery = 1
    /// The destination's answer, to the source.
    case verdict = 2
    /// The source has recorded the answer. Sent once; the destination asks again (by its verdict) if it is lost.
    case acknowledged = 3
    /// Part of a parcel: what slots have that go to another shard.
    case part = 4
    /// The answer to a parcel's last part: it was taken in.
    case taken = 5
  }
  /// The transaction at the source that this is part of.
  public var from: TransactionID
  public var step: UInt8
  public var kind: Kind
  /// Which shard's log it belongs in.
  public var to: Slot
  /// The shard that it is for, whoever owns the slot: of parcels.
  public var shard: ShardID?
  /// The entry that made it: the entry that applies it must be stamped later.
  public var stamp: Stamp
  /// A framed command, ready to stand in an entry.
  public var command: [UInt8]

  public init(
    from: TransactionID, step: UInt8, kind: Kind, to: Slot, shard: ShardID? = nil, stamp: Stamp,
    command: [UInt8]
  ) {
    self.from = from
    self.step = step
    self.kind = kind
    self.to = to
    self.shard = shard
    self.stamp = stamp
    self.command = command
  }
}

/// Bounds of one ledger. Part of what replicas must agree on: the same for all replicas of a shard, for ever.
public struct LedgerLimits: Sendable, Hashable {
  /// How long a request id keeps its answer.
  public var retentionSeconds: Int64 = 30 * 86_400
  /// Request ids held at most; over it those older than 24 hours go, and then new requests are `BUSY`.
  public var requestIDs: UInt64 = 200_000_000
  /// Lots a member may have.
  public var lotsPerMember = 1024
  /// Holds that a member may have open: what closing the member releases in one command.
  public var holdsPerMember = 1024
  public var cardsPerMember = 64
  /// A journal segment that has this many bytes is followed by the next.
  public var journalSegmentBytes: UInt64 = 64 << 20
  /// How long a transaction stays in memory as it is; afterwards 16 bytes are kept of it (see `Ledger+Past.swift`).
  public var transactionSeconds: Int64 = 86_400
  /// Transactions that stay in memory so long, at most, those that are open not counted: however many come, they take
  /// 33 MB of memory and of each snapshot.
  public var transactionsInMemory = 1 << 18
  /// Units of work (members looked at, lots expired × 8) that one tick may do.
  public var tickWork = 16_384
  /// Chunks of 1,016 bytes that a part of a parcel has at most (`Parcel.swift`): a part is a command of the log.
  public var chunksPerPart = 63
  /// So many parts of a parcel go out at once, 1 MB, and with each tick the next ones.
  public var partsAtOnce = 16
  public init() {}
}

/// A shard's figures at its last applied entry, for the `AUDIT` of a whole cluster.
public struct AuditFigures: Sendable {
  public struct Program: Sendable, Hashable {
    public var name: [UInt8]
    private var figures = [Int128](repeating: 0, count: AccountCode.room)

    /// What was posted to members: what they have, unless something is broken.
    public internal(set) var posted: Int128 = 0
    /// The same of what is pending.
    public internal(set) var postedPending: Int128 = 0
    /// What members have who are on their way to another shard: less than nothing where they owe more.
    public internal(set) var moving: Int128 = 0

    init(name: [UInt8]) { self.name = name }
    /// What an account has, over all merchants.
    public internal(set) subscript(_ code: AccountCode) -> Int128 {
      get { figures[Int(code.rawValue)] }
      set { figures[Int(code.rawValue)] = newValue }
    }
    /// The sum over all accounts of the program in this shard, with what members have: 0 unless something is broken.
    public var sum: Int128 { figures.reduce(0, &+) }
  }
  public var shard: ShardID
  public var index: LogIndex
  public var stamp: Stamp
  public var programs: [Program]
  public var members: UInt64
  public var accounts: UInt64
  public var transactions: UInt64
  /// What the open deliveries themselves add up to, for every program together: equals the sum of `inTransit`.
  public var openDeliveries: Int128
  public var digest: (UInt64, UInt64)
}
