import Base
import Ledger
import Raft

// What a replica keeps of requests between their arrival and their answer.
extension Replica {
  struct ReplicaLimits: Sendable {
    /// An entry is proposed at the latest when it holds this much.
    var entryBytes = 256 << 10
    /// Bytes of entries that are proposed and not committed, over which what arrives is gathered into one more.
    var inFlightBytes = 8 << 20
    /// Commands that wait to be proposed; over it an edge is told BUSY.
    var gatherBytes = 16 << 20
    /// A leader that has more commands to apply before it may propose refuses at once what comes; and who has more is not
    /// given leadership.
    var replayPatience = 50_000
    /// The newest semantics that this node knows.
    var semantics = Semantics.newest
  }

  struct ReplicaCounters: Sendable {
    var deliveriesSentAgain: UInt64 = 0
  }

  /// Commands and queries on their way into one entry.
  struct Gather: ~Copyable {
    var payload = ByteBuffer(capacity: 65_536)
    /// Room for the entry's header, which is known when it is proposed.
    private static let noHeader = EntryHeader(stamp: .zero, catalogueVersion: 0, commandCount: 0)
    var origins: [Origin] = []
    var reads: [GatheredRead] = []
    var queries = ByteBuffer(capacity: 4096)
    /// An audit's marker wants its entry alone and at this stamp.
    var exactStamp: Stamp?
    /// The stamps of deliveries in it: the entry's is later.
    var latestDelivery = Stamp.zero

    var isEmpty: Bool { origins.isEmpty && reads.isEmpty }
    mutating func reset() {
      payload.removeAll()
      payload.shrink(to: 4 << 20)
      Gather.noHeader.encode(into: &payload)
      origins.removeAll(keepingCapacity: true)
      reads.removeAll(keepingCapacity: true)
      queries.removeAll()
      exactStamp = nil
      latestDelivery = .zero
    }
    init() { Gather.noHeader.encode(into: &payload) }
  }

  /// A query that is evaluated when so many commands of its entry have been applied.
  struct GatheredRead: BitwiseCopyable {
    var position: Int
    var origin: Origin
    var offset: Int
    var length: Int
  }
  struct Proposal {
    var index: LogIndex
    var term: Term
    var origins: [Origin]
    var reads: [GatheredRead]
    var queries: [UInt8]
  }
}
