import Base
import Protocol
import Raft
import Storage

/// The transfers under way at a node.
struct SnapshotTransfers {
  var outgoing: [UInt64: OutgoingTransfer] = [:]
  /// By the link that brings it.
  var incoming: [LinkID: UInt64] = [:]
}

struct OutgoingTransfer {
  enum Phase {
    case waiting
    case file(UInt64)
    case journal(JournalPosition)
  }
  var shard: ShardID
  var peer: NodeID
  var afterIndex: LogIndex
  var request: UInt64
  var link: LinkID?
  var index: LogIndex?
  var phase = Phase.waiting
  var isWaitingForDrain = false
  var wantedJournal = JournalPosition.none
  var journalEnd = JournalPosition.none
  var lastProgress: UInt64

  init(shard: ShardID, peer: NodeID, afterIndex: LogIndex, request: UInt64, lastProgress: UInt64) {
    self.shard = shard
    self.peer = peer
    self.afterIndex = afterIndex
    self.request = request
    self.lastProgress = lastProgress
  }
}

/// A step of a transfer that the disk is to do.
public enum TransferJob: Sendable {
  case openOutgoing(UInt64, shard: ShardID)
  case readFile(UInt64, offset: UInt64)
  case readJournal(UInt64, shard: ShardID, position: JournalPosition)
  case closeOutgoing(UInt64)
  case openIncoming(
    UInt64, link: LinkID, shard: ShardID, index: LogIndex, term: Term, digest: SHA256.Digest, byteCount: UInt64)
  case writeFile(UInt64, offset: UInt64, bytes: [UInt8])
  case install(UInt64)
  case dropIncoming(UInt64)

  /// The journals belong to lane 0, and so does everything that must keep its order with them; files that are only read
  /// go with the snapshots.
  var lane: Int {
    switch self {
    case .openOutgoing, .readFile, .closeOutgoing: 1
    default: 0
    }
  }
}

/// What came of it.
public enum TransferStep: Sendable {
  case outgoingOpened(UInt64, SnapshotFile)
  case fileRead(UInt64, offset: UInt64, bytes: [UInt8])
  case journalRead(UInt64, position: JournalPosition, bytes: [UInt8])
  case incomingOpened(UInt64, link: LinkID, shard: ShardID, offset: UInt64)
  case installed(UInt64, LoadedSnapshot)
  case failed(UInt64, String)
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
        outgoing[number] = try snapshots.openRaw(file)
        return .transferred(.outgoingOpened(number, file))
      case .readFile(let number, let offset):
        guard let file = outgoing[number] else { return .nothing }
        var bytes = [UInt8](repeating: 0, count: Node.transferPieceBytes)
        let count = try bytes.withUnsafeMutableBytes { try file.read(into: $0, at: offset) }
        bytes.removeLast(bytes.count - count)
        return .transferred(.fileRead(number, offset: offset, bytes: bytes))
      case .readJournal(let number, let shard, let position):
        return .transferred(try readJournal(number, shard, position))
      case .closeOutgoing(let number):
        outgoing[number] = nil
        return .nothing
      case .openIncoming(let number, let link, let shard, let index, let term, let digest, let byteCount):
        let receiver = try snapshots.receive(
          shard: shard, index: index, term: term, digest: digest, byteCount: byteCount)
        incoming[number] = receiver
        return .transferred(.incomingOpened(number, link: link, shard: shard, offset: receiver.offset))
      case .writeFile(let number, let offset, let bytes):
        try bytes.withUnsafeBytes { try incoming[number]?.append($0, at: offset) }
        return .nothing
      case .install(let number):
        guard let receiver = incoming.removeValue(forKey: number) else { return .nothing }
        let file = try receiver.finish()
        let loaded = try load(file)
        return .transferred(
          .installed(
            number, LoadedSnapshot(file: file, machine: loaded.machine, configuration: loaded.configuration)))
      case .dropIncoming(let number):
        incoming[number] = nil
        return .nothing
      }
    } catch {
      return .transferred(.failed(job.number, "\(error)"))
    }
  }

  private func readJournal(
    _ number: UInt64, _ shard: ShardID, _ position: JournalPosition
  ) throws -> TransferStep {
    var start = position
    if start == .none { start = JournalPosition(segment: 1, offset: 0) }
    guard start < (try journals.end(shard)) else { return .journalRead(number, position: start, bytes: []) }
    var bytes = [UInt8](repeating: 0, count: Node.transferPieceBytes)
    let count = try bytes.withUnsafeMutableBytes { try journals.read(shard, at: start, into: $0) }
    bytes.removeLast(bytes.count - count)
    return .journalRead(number, position: start, bytes: bytes)
  }

  /// Appends to a shard's journal what it has not got yet: the same bytes may come from a peer and from our own log.
  func appendJournal(_ shard: ShardID, _ position: JournalPosition, _ bytes: [UInt8]) throws {
    let end = try journals.end(shard)
    var skip = 0
    if position.segment < end.segment {
      return
    } else if position.segment == end.segment && position.offset < end.offset {
      skip = Int(min(end.offset - position.offset, UInt64(bytes.count)))
    }
    guard skip < bytes.count else { return }
    let start = JournalPosition(segment: position.segment, offset: position.offset + UInt64(skip))
    try bytes[skip...].withUnsafeBytes { try journals.append(shard, at: start, $0) }
  }
}

extension TransferJob {
  var number: UInt64 {
    switch self {
    case .openOutgoing(let n, _), .readFile(let n, _), .readJournal(let n, _, _), .closeOutgoing(let n),
      .openIncoming(let n, _, _, _, _, _, _), .writeFile(let n, _, _), .install(let n), .dropIncoming(let n):
      n
    }
  }
}
