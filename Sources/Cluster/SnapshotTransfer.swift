import Base
import Ledger
import Protocol
import Raft
import Storage

/// The transfers under way at a node.
struct SnapshotTransfers {
  var outgoing: [UInt64: OutgoingTransfer] = [:]
  /// By the link that brings it.
  var incoming: [LinkID: IncomingTransfer] = [:]
  /// Bytes that may be sent now.
  var allowance = 0
  var refilledAt: UInt64 = 0
}

struct IncomingTransfer {
  var number: UInt64
  var shard: ShardID
}

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

  var maySend: Bool { !isReading && !isDraining && unacknowledged < OutgoingTransfer.window && hasRoom }
  var hasRoom: Bool { budget.inFlight < budget.allowance }
}

/// A step of a transfer that the disk is to do.
public enum TransferJob: Sendable {
  case openOutgoing(UInt64, shard: ShardID)
  case readFile(UInt64, offset: UInt64, byteCount: Int)
  case readJournal(UInt64, shard: ShardID, position: JournalPosition, byteCount: Int)
  case closeOutgoing(UInt64)
  /// The receiver had it all and did not take it: is it what was written?
  case verifySent(UInt64, shard: ShardID)
  /// `from`: where this replica's own journal ends; nil if its kind has none.
  case openIncoming(
    UInt64, link: LinkID, shard: ShardID, index: LogIndex, term: Term, digest: SHA256.Digest, byteCount: UInt64,
    from: JournalChain?)
  case writeFile(UInt64, offset: UInt64, bytes: [UInt8])
  case writeJournal(UInt64, position: JournalPosition, bytes: [UInt8])
  case install(UInt64)
  case dropIncoming(UInt64)

  /// The journals belong to lane 0, and so does everything that must keep its order with them; files that are only read
  /// go with the snapshots.
  var lane: Int {
    switch self {
    case .openOutgoing, .readFile, .closeOutgoing, .verifySent: 1
    default: 0
    }
  }
}

/// What came of it.
public enum TransferStep: Sendable {
  case outgoingOpened(UInt64, SnapshotFile)
  /// Our newest snapshot has changes only: it must be whole to be sent.
  case wholeWanted(UInt64, shard: ShardID)
  case fileRead(UInt64, offset: UInt64, bytes: [UInt8])
  case journalRead(UInt64, position: JournalPosition, bytes: [UInt8])
  case incomingOpened(UInt64, link: LinkID, shard: ShardID, offset: UInt64, journal: JournalPosition)
  case written(UInt64)
  case installed(UInt64, LoadedSnapshot)
  /// Our own snapshot is not what was written, or cannot be read.
  case rotten(UInt64, shard: ShardID, String)
  case failed(UInt64, String)
}

/// A peer's snapshot on its way here, and the journal that belongs to it.
struct IncomingSnapshot {
  var receiver: SnapshotReceiver
  var shard: ShardID
  /// Where our own journal ended; nil if the shard's kind has none.
  var from: JournalChain?
  var journal: JournalReceiver?
}

/// A peer's snapshot, verified and read.
public struct LoadedSnapshot: @unchecked Sendable {
  var file: SnapshotFile
  var machine: any Machine
  var configuration: Configuration
}

/// What stands in front of a snapshot's body: the shard's configuration, and where its journal ended.
struct SnapshotMetadata {
  var configuration: Configuration
  var journalEnd: JournalPosition

  init(configuration: Configuration, journalEnd: JournalPosition) {
    self.configuration = configuration
    self.journalEnd = journalEnd
  }
  init?(_ bytes: [UInt8]) {
    let decoded: (Configuration, JournalPosition)? = bytes.withUnsafeBytes { raw in
      var reader = ByteReader(raw)
      guard let end: UInt64 = try? reader.read(), let configuration = try? Configuration(decoding: &reader) else {
        return nil
      }
      return (configuration, JournalPosition(rawValue: end))
    }
    guard let decoded else { return nil }
    configuration = decoded.0
    journalEnd = decoded.1
  }
  var bytes: [UInt8] {
    var buffer = ByteBuffer(capacity: 256)
    buffer.append(journalEnd.rawValue)
    configuration.encode(into: &buffer)
    return buffer.array
  }
}

extension NodeStorage {
  func run(_ job: TransferJob) -> Completion {
    do {
      switch job {
      case .openOutgoing(let number, let shard):
        guard let file = try snapshots.newest(shard) else {
          return .transferred(.failed(number, "shard \(shard.rawValue) has no snapshot yet"))
        }
        guard file.base == nil else { return .transferred(.wholeWanted(number, shard: shard)) }
        outgoing[number] = try snapshots.openRaw(file)
        return .transferred(.outgoingOpened(number, file))
      case .readFile(let number, let offset, let byteCount):
        guard let file = outgoing[number] else { return .nothing }
        var bytes = [UInt8](repeating: 0, count: byteCount)
        let count = try bytes.withUnsafeMutableBytes { try file.read(into: $0, at: offset) }
        bytes.removeLast(bytes.count - count)
        return .transferred(.fileRead(number, offset: offset, bytes: bytes))
      case .readJournal(let number, let shard, let position, let byteCount):
        return .transferred(try readJournal(number, shard, position, byteCount))
      case .closeOutgoing(let number):
        outgoing[number] = nil
        return .nothing
      case .verifySent(_, let shard):
        try snapshots.verifyNewest(shard)
        return .nothing
      case .openIncoming(let number, let link, let shard, let index, let term, let digest, let byteCount, let from):
        try writeBacklog(of: shard)
        let receiver = try snapshots.receive(
          shard: shard, index: index, term: term, digest: digest, byteCount: byteCount)
        var snapshot = IncomingSnapshot(receiver: receiver, shard: shard, from: from, journal: nil)
        if let from {
          do {
            snapshot.journal = JournalReceiver(after: try keepReceived(after: from, of: shard))
          } catch  where NodeStorage.isRot(error) && noteRot(inJournalOf: shard) {
            return .journalRotten(JournalAnswers(shard: shard), reason: "\(error)", transfer: number)
          }
        }
        incoming[number] = snapshot
        return .transferred(
          .incomingOpened(
            number, link: link, shard: shard, offset: receiver.offset,
            journal: snapshot.journal?.chain.position ?? .none))
      case .writeFile(let number, let offset, let bytes):
        guard let snapshot = incoming[number] else { return .nothing }
        try bytes.withUnsafeBytes { try snapshot.receiver.append($0, at: offset) }
        return .transferred(.written(number))
      case .writeJournal(let number, let position, let bytes):
        guard let shard = incoming[number]?.shard else { return .nothing }
        try writeBacklog(of: shard)
        try incoming[number]?.journal?.take(bytes, at: position) { try appendJournal(shard, $0, $1) }
        return .transferred(.written(number))
      case .install(let number):
        guard let snapshot = incoming[number] else { return .nothing }
        let loaded = try install(snapshot)
        incoming[number] = nil
        return .transferred(.installed(number, loaded))
      case .dropIncoming(let number):
        incoming[number] = nil
        return .nothing
      }
    } catch {
      if job.lane == 0 {
        let shard = incoming.removeValue(forKey: job.number)?.shard
        if let shard, NodeStorage.breaks(error) { return NodeStorage.broken(shard, error) }
      }
      if case .readJournal(_, let shard, _, _) = job, NodeStorage.isRot(error), noteRot(inJournalOf: shard) {
        return .journalRotten(JournalAnswers(shard: shard), reason: "\(error)", transfer: job.number)
      }
      if NodeStorage.isRot(error), let shard = sent(by: job) {
        return .transferred(.rotten(job.number, shard: shard, "\(error)"))
      }
      return .transferred(.failed(job.number, "\(error)"))
    }
  }

  /// The shard whose snapshot of our own is read.
  private func sent(by job: TransferJob) -> ShardID? {
    switch job {
    case .openOutgoing(_, let shard), .verifySent(_, let shard): shard
    case .readFile(let number, _, _): outgoing[number]?.file.shard
    default: nil
    }
  }

  /// Where a shard's journal is to be received from: what an earlier transfer brought is there already, behind the end that
  /// the state knows. Where a frame was cut, for want of room, or is none any more, it is received anew.
  private func keepReceived(after from: JournalChain, of shard: ShardID) throws -> JournalChain {
    let end = try journals.end(shard)
    guard from.position <= end else { throw from.corruption("it ends before what the state refers to") }
    let view = JournalView(store: journals, shard: shard)
    var chain = from
    var frame = [UInt8](repeating: 0, count: 65_536)
    do {
      while chain.position < end { try chain.step(in: view, before: end, &frame) }
    } catch  where error is JournalCorruption || NodeStorage.isRot(error) {
      try journals.truncate(shard, to: chain.position)
    }
    return chain
  }

  private func readJournal(
    _ number: UInt64, _ shard: ShardID, _ position: JournalPosition, _ byteCount: Int
  ) throws -> TransferStep {
    guard position != .none, position < (try journals.end(shard)) else {
      return .journalRead(number, position: position, bytes: [])
    }
    var bytes = [UInt8](repeating: 0, count: byteCount)
    let count = try bytes.withUnsafeMutableBytes { try journals.read(shard, at: position, into: $0) }
    bytes.removeLast(bytes.count - count)
    return .journalRead(number, position: position, bytes: bytes)
  }

  /// Verifies a snapshot that has come, reads it, and makes it count. Its journal follows from our own and is durable
  /// before that: a node that finds a snapshot when it starts relies on the journal that belongs to it.
  private func install(_ snapshot: IncomingSnapshot) throws -> LoadedSnapshot {
    var machine: (any Machine)?
    var configuration = Configuration.empty
    let file = try snapshot.receiver.finish { part throws(StorageError) in
      do {
        guard part.base == nil else { throw MalformedBytes("it has changes only") }
        let loaded = try load(part, chain: [part])
        if let ledger = loaded.machine as? LedgerMachine, let from = snapshot.from {
          let end = JournalChain(position: ledger.journalEnd, hash: ledger.journalChain)
          guard try from.followed(to: end.position, in: JournalView(store: journals, shard: part.shard)) == end else {
            throw end.corruption("it is not the one that the snapshot was taken with")
          }
          try journals.sync(part.shard)
        }
        machine = loaded.machine
        configuration = loaded.configuration
      } catch let error as StorageError {
        throw error
      } catch {
        throw StorageError(.damaged, path: part.path, operation: "install", reason: "\(error)")
      }
    }
    try snapshots.removeOlder(snapshot.shard, than: file)
    guard let machine else { preconditionFailure("a snapshot that is prepared was read") }
    return LoadedSnapshot(file: file, machine: machine, configuration: configuration)
  }
}

extension TransferJob {
  var number: UInt64 {
    switch self {
    case .openOutgoing(let n, _), .readFile(let n, _, _), .readJournal(let n, _, _, _), .closeOutgoing(let n),
      .openIncoming(let n, _, _, _, _, _, _, _), .writeFile(let n, _, _), .writeJournal(let n, _, _), .install(let n),
      .dropIncoming(let n), .verifySent(let n, _):
      n
    }
  }
}
