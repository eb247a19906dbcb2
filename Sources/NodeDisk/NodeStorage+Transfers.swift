import Base
import Cluster
import Ledger
import Raft
import Storage

/// A peer's snapshot on its way here, and the journal that belongs to it.
struct IncomingSnapshot {
  var receiver: SnapshotReceiver
  var shard: ShardID
  /// Where our own journal ended.
  var from: JournalChain
  var journal: JournalReceiver
}

/// Transfers of snapshots: the sender's files belong to lane 1, the receiver's and the journals to lane 0.
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
        let journal: JournalReceiver
        do {
          journal = JournalReceiver(after: try keepReceived(after: from, of: shard))
        } catch  where NodeStorage.isRot(error) && noteRot(inJournalOf: shard) {
          return .journalRotten(JournalAnswers(shard: shard), reason: "\(error)", transfer: number)
        }
        incoming[number] = IncomingSnapshot(receiver: receiver, shard: shard, from: from, journal: journal)
        return .transferred(
          .incomingOpened(
            number, link: link, shard: shard, offset: receiver.offset,
            journal: journal.chain.position))
      case .writeFile(let number, let offset, let bytes):
        guard let snapshot = incoming[number] else { return .nothing }
        try bytes.withUnsafeBytes { try snapshot.receiver.append($0, at: offset) }
        return .transferred(.written(number))
      case .writeJournal(let number, let position, let bytes):
        guard let shard = incoming[number]?.shard else { return .nothing }
        try writeBacklog(of: shard)
        try incoming[number]?.journal.take(bytes, at: position) { try appendJournal(shard, $0, $1) }
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
        // Whoever reads a journal for a peer writes first what waits for that.
        let shard = incoming.removeValue(forKey: job.number)?.shard ?? journal(of: job)
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

  /// The shard whose journal a job names.
  private func journal(of job: TransferJob) -> ShardID? {
    switch job {
    case .readJournal(_, let shard, _, _), .openIncoming(_, _, let shard, _, _, _, _, _): shard
    default: nil
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
    guard from.position == end || from.position.isBefore(end) else {
      throw from.corruption("it ends before what the state refers to")
    }
    let view = JournalView(store: journals, shard: shard)
    var chain = from
    var frame = [UInt8](repeating: 0, count: 65_536)
    do {
      while chain.position.isBefore(end) { try chain.step(in: view, before: end, &frame) }
    } catch  where error is JournalCorruption || NodeStorage.isRot(error) {
      try journals.truncate(shard, to: chain.position)
    }
    return chain
  }

  private func readJournal(
    _ number: UInt64, _ shard: ShardID, _ position: JournalPosition, _ byteCount: Int
  ) throws -> TransferStep {
    guard position != .none, position.isBefore(try journals.end(shard)) else {
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
    var machine: RestoredMachine?
    var configuration = Configuration.empty
    let file = try snapshot.receiver.finish { part throws(StorageError) in
      do {
        guard part.base == nil else { throw MalformedBytes("it has changes only") }
        let loaded = try load(part, chain: [part])
        let end = loaded.machine.journal
        let view = JournalView(store: journals, shard: part.shard)
        guard try snapshot.from.followed(to: end.position, in: view) == end else {
          throw end.corruption("it is not the one that the snapshot was taken with")
        }
        try journals.sync(part.shard)
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
