import Base
import Ledger
import Protocol
import Raft
import Storage

/// A snapshot on its way to a peer.
struct OutgoingTransfer {
  enum Phase {
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
  var request: UInt64
  var link: LinkID?
  /// The snapshot that is sent, once it is known.
  var index: LogIndex?
  var byteCount: UInt64 = 0
  var phase = Phase.offered
  var wantedJournal = JournalPosition.none
  var journalEnd = JournalPosition.none
  /// The disk is reading the next piece.
  var isReading = false
  /// The last piece has not gone to the kernel yet.
  var isDraining = false
  /// The bytes of each piece sent that the receiver has not written yet.
  var pieces: [Int] = []
  var unacknowledged: Int { pieces.count }
  /// Bytes of all that it has.
  var acknowledged: UInt64 = 0
  /// Nor may more be on their way than what the link carries.
  var budget = LinkBudget()
  var lastProgress: UInt64

  /// Pieces on their way at most: what bounds the receiver's memory.
  static let window = 32

  init(shard: ShardID, peer: NodeID, afterIndex: LogIndex, request: UInt64, lastProgress: UInt64) {
    self.shard = shard
    self.peer = peer
    self.afterIndex = afterIndex
    self.request = request
    self.lastProgress = lastProgress
  }

  /// Of the file, then of what the receiver lacks of the journal.
  func progress(segmentBytes: UInt64) -> CopyProgress {
    let journal = journalEnd.distance(from: wantedJournal, segmentBytes: segmentBytes)
    let all = byteCount + journal
    switch phase {
    case .offered: return CopyProgress(copied: 0, bytes: all)
    case .file(let offset): return CopyProgress(copied: offset, bytes: all)
    case .journal(let position):
      return CopyProgress(
        copied: byteCount + min(journal, position.distance(from: wantedJournal, segmentBytes: segmentBytes)), bytes: all
      )
    case .installing: return CopyProgress(copied: all, bytes: all)
    }
  }

  var maySend: Bool { !isReading && !isDraining && unacknowledged < OutgoingTransfer.window && hasRoom }
  var hasRoom: Bool { budget.inFlight < budget.allowance }
}
