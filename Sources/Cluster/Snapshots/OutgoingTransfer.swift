import Base
import Ledger
import Protocol
import Raft
import Storage

/// A snapshot on its way to a peer.
struct OutgoingTransfer {
  enum Phase: Equatable {
    /// The receiver has no slot for it yet: nothing is kept for it but what is known from an attempt before.
    case waiting
    /// It has one: the file and the link are being opened.
    case opening
    /// The receiver is to say from where on it wants it.
    case offered
    case file(UInt64)
    case journal(JournalPosition)
    /// All is sent; the receiver verifies and loads it.
    case installing
  }
  var shard: ShardID
  var peer: NodeID
  var afterIndex: LogIndex
  /// Of the request for its link.
  var request: UInt64?
  var link: LinkID?
  /// The snapshot that is sent, once it is known: it stays open until the transfer is over or that will not do any more.
  var file: SnapshotFile?
  /// None will do that is there: another is being taken.
  var awaitsSnapshot = false
  var phase = Phase.waiting
  /// Where the journals end that belong to it: those of other shards that its records refer to, then the shard's own.
  var journalEnds: [JournalPosition] = []
  /// What the receiver wants of them, once it has said so.
  var route = JournalRoute(from: [], to: [])
  /// The disk is reading the next piece.
  var isReading = false
  /// The last piece has not gone to the kernel yet.
  var isDraining = false
  /// The bytes of each piece sent that the receiver has not written yet.
  var pieces: [Int] = []
  var unacknowledged: Int { pieces.count }
  /// Bytes of all that it has been sent on this link.
  var acknowledged: UInt64 = 0
  /// Nor may more be on their way than what the link carries.
  var budget = LinkBudget()
  /// Monotonic, µs.
  var lastProgress: UInt64
  var askedAt: UInt64?
  /// Attempts in a row in which the receiver has written nothing.
  var attemptsInVain = 0

  /// Pieces on their way at most: what bounds the receiver's memory.
  static let window = 32

  init(shard: ShardID, peer: NodeID, afterIndex: LogIndex, now: UInt64) {
    self.shard = shard
    self.peer = peer
    self.afterIndex = afterIndex
    lastProgress = now
  }

  var byteCount: UInt64 { file?.byteCount ?? 0 }
  /// It stands in the row, or has its slot and has not come: the receiver is told now and then that it is wanted.
  var isAsking: Bool { phase == .waiting || phase == .opening }
  /// The link is gone, or of no use: what is known of the file stays.
  mutating func leaveLink(now: UInt64) {
    (request, link) = (nil, nil)
    phase = .waiting
    (isReading, isDraining, pieces) = (false, false, [])
    attemptsInVain = acknowledged > 0 ? 0 : attemptsInVain + 1
    (acknowledged, budget) = (0, LinkBudget())
    lastProgress = now
    // Not at once: what broke the link may break it again.
    askedAt = now
  }

  /// Of the file, then of what the receiver lacks of the journal.
  func progress(segmentBytes: UInt64) -> CopyProgress {
    let journal = route.byteCount(segmentBytes: segmentBytes)
    let all = byteCount + journal
    switch phase {
    case .waiting: return CopyProgress(copied: 0, bytes: all, isWaiting: true)
    case .opening, .offered: return CopyProgress(copied: 0, bytes: all)
    case .file(let offset): return CopyProgress(copied: offset, bytes: all)
    case .journal(let position):
      let left = min(journal, route.distance(from: position, segmentBytes: segmentBytes))
      return CopyProgress(copied: byteCount + journal - left, bytes: all)
    case .installing: return CopyProgress(copied: all, bytes: all)
    }
  }

  var maySend: Bool { !isReading && !isDraining && unacknowledged < OutgoingTransfer.window && hasRoom }
  var hasRoom: Bool { budget.inFlight < budget.allowance }
}

/// What may be sent to a peer, in bytes a second: a bucket that holds a tenth of a second's.
struct RateLimit {
  /// Bytes that may be sent now; below 0 after a piece that was larger.
  private(set) var allowance = 0
  private var refilledAt: UInt64?

  /// - Parameter bytesPerSecond: nil: any number.
  mutating func refill(now: UInt64, _ bytesPerSecond: Int) {
    let passed = refilledAt.map { now - min(now, $0) } ?? 100_000
    refilledAt = now
    allowance = min(
      allowance + Int(min(passed, 100_000)) * bytesPerSecond / 1_000_000, max(bytesPerSecond / 10, 1))
  }
  mutating func sends(_ byteCount: Int) { allowance -= byteCount }
}
