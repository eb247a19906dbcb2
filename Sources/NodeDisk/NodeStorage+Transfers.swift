import Base
import Cluster
import Ledger
import Raft
import Storage

/// The journal that comes with a peer's snapshot.
struct IncomingJournal {
  var shard: ShardID
  /// Where our own journal ended.
  var from: JournalChain
  var journal: JournalReceiver
}

/// Transfers of snapshots: the files that are sent belong to lane 1, those that come to lane 4, the journals to lane 0.
extension NodeStorage {
  func run(_ job: TransferJob) -> Completion {
    do {
      switch job.lane {
      case 0: return try runJournal(job)
      case 5:
        guard case .readArchive(let number, let shard, let position, let byteCount, let cluster) = job else { break }
        return readArchive(number, shard, position, byteCount, cluster)
      case 1: return try runOutgoing(job)
      default: return try runIncoming(job)
      }
      return .nothing
    } catch {
      if job.lane == 0, let shard = incoming.removeValue(forKey: job.number)?.shard ?? journal(of: job) {
        // Whoever reads a journal for a peer writes first what waits for that.
        if NodeStorage.breaks(error) { return NodeStorage.broken(shard, error) }
        if readsJournal(job), NodeStorage.isRot(error), noteRot(inJournalOf: shard) {
          return .journalRotten(JournalAnswers(shard: shard), reason: "\(error)", transfer: job.number)
        }
      }
      if NodeStorage.isRot(error), let shard = sent(by: job) {
        return .transferred(.rotten(job.number, shard: shard, "\(error)"))
      }
      return .transferred(.failed(job.number, "\(error)"))
    }
  }

  private func runOutgoing(_ job: TransferJob) throws -> Completion {
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
    case .closeOutgoing(let number): outgoing[number] = nil
    case .verifySent(_, let shard): try snapshots.verifyNewest(shard)
    default: break
    }
    return .nothing
  }

  private func runIncoming(_ job: TransferJob) throws -> Completion {
    switch job {
    case .openPart(let number, let shard, let index, let term, let digest, let byteCount):
      let receiver = try snapshots.receive(shard: shard, index: index, term: term, digest: digest, byteCount: byteCount)
      parts[number] = receiver
      return .transferred(.partOpened(number, offset: receiver.offset))
    case .writeFile(let number, let offset, let bytes):
      guard let receiver = parts[number] else { return .nothing }
      try bytes.withUnsafeBytes { try receiver.append($0, at: offset) }
      return .transferred(.written(number))
    case .load(let number):
      guard let receiver = parts.removeValue(forKey: number) else { return .nothing }
      return .transferred(.loaded(number, try load(receiver)))
    case .dropPart(let number): parts[number] = nil
    default: break
    }
    return .nothing
  }

  private func runJournal(_ job: TransferJob) throws -> Completion {
    switch job {
    case .readJournal(let number, let shard, let position, let byteCount):
      return .transferred(try readJournal(number, shard, position, byteCount))
    case .openJournal(let number, let shard, let from):
      try writeBacklog(of: shard)
      let end = try journals.end(shard)
      guard from.position == end || from.position.isBefore(end) else {
        throw from.corruption("it ends before what the state refers to")
      }
      incoming[number] = IncomingJournal(shard: shard, from: from, journal: JournalReceiver(after: from))
      return try followReceived(number)
    case .followJournal(let number): return try followReceived(number)
    case .writeJournal(let number, let position, let bytes):
      guard let shard = incoming[number]?.shard else { return .nothing }
      try writeBacklog(of: shard)
      try incoming[number]?.journal.take(bytes, at: position) { try appendJournal(shard, $0, $1) }
      return .transferred(.written(number))
    case .settle(let number, let part):
      // It stays known until then: by it a failure is known for one of that journal.
      guard let journal = incoming[number] else { return .nothing }
      let snapshot = try settle(part, journal)
      incoming[number] = nil
      return .transferred(.installed(number, snapshot))
    case .dropJournal(let number): incoming[number] = nil
    default: break
    }
    return .nothing
  }

  /// The shard whose journal a job names.
  private func journal(of job: TransferJob) -> ShardID? {
    switch job {
    case .readJournal(_, let shard, _, _), .openJournal(_, let shard, _): shard
    default: nil
    }
  }
  private func readsJournal(_ job: TransferJob) -> Bool {
    switch job {
    case .readJournal, .openJournal, .followJournal: true
    default: false
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

  /// Bytes of a journal that one job follows: others wait for the lane meanwhile.
  private static let followedBytes = 4 << 20

  /// What an earlier transfer brought of a journal is there already, behind the end that the state knows: it is followed to its
  /// end, some megabytes a time, and the rest is received from there. Where a frame was cut, for want of room, or is none any
  /// more, it is received anew.
  private func followReceived(_ number: UInt64) throws -> Completion {
    guard let (shard, start) = incoming[number].map({ ($0.shard, $0.journal.chain) }) else { return .nothing }
    let end = try journals.end(shard)
    let view = JournalView(store: journals, shard: shard)
    var chain = start
    var passed = 0
    var frame = [UInt8](repeating: 0, count: 65_536)
    do {
      while chain.position.isBefore(end) {
        guard passed < NodeStorage.followedBytes else {
          incoming[number]?.journal = JournalReceiver(after: chain)
          return .transferred(.journalFollowed(number))
        }
        let before = chain.position
        try chain.step(in: view, before: end, &frame)
        passed += Int(chain.position.offset) - (chain.position.segment == before.segment ? Int(before.offset) : 0)
      }
    } catch  where error is JournalCorruption || NodeStorage.isRot(error) {
      try journals.truncate(shard, to: chain.position)
    }
    incoming[number]?.journal = JournalReceiver(after: chain)
    return .transferred(.journalOpened(number, chain.position))
  }

  private func readJournal(
    _ number: UInt64, _ shard: ShardID, _ position: JournalPosition, _ byteCount: Int
  ) throws -> TransferStep {
    guard position != .none, position.isBefore(try journals.end(shard)) else {
      return .journalRead(number, position: position, bytes: [])
    }
    guard try journals.archived(shard, segment: position.segment) == nil else {
      return .journalArchived(number, shard: shard, position: position, byteCount: byteCount)
    }
    var bytes = [UInt8](repeating: 0, count: byteCount)
    let count = try bytes.withUnsafeMutableBytes { try journals.read(shard, at: position, into: $0) }
    bytes.removeLast(bytes.count - count)
    return .journalRead(number, position: position, bytes: bytes)
  }

  /// Verifies a snapshot that has come, and reads it.
  private func load(_ receiver: SnapshotReceiver) throws -> LoadedPart {
    let file = try receiver.finish()
    do {
      guard file.base == nil else { throw MalformedBytes("it has changes only") }
      let loaded = try load(file, chain: [file])
      return LoadedPart(
        receiver: receiver,
        snapshot: LoadedSnapshot(file: file, machine: loaded.machine, configuration: loaded.configuration))
    } catch {
      // A file that is as it was announced and cannot be read is of no use a second time.
      receiver.abandon()
      throw error
    }
  }
  /// Makes a snapshot that has been read count. Its journal follows from our own and is durable before that: a node that
  /// finds a snapshot when it starts relies on the journal that belongs to it.
  private func settle(_ part: LoadedPart, _ incoming: IncomingJournal) throws -> LoadedSnapshot {
    let end = part.snapshot.machine.journal
    do {
      // More of the journal may be there than the snapshot refers to, from a newer one that did not come through.
      let reached =
        incoming.journal.chain.position == end.position
        ? incoming.journal.chain
        : try incoming.from.followed(to: end.position, in: JournalView(store: journals, shard: incoming.shard))
      guard reached == end else { throw end.corruption("it is not the one that the snapshot was taken with") }
    } catch let error as JournalCorruption {
      part.receiver.abandon()
      throw error
    }
    try journals.sync(incoming.shard)
    var snapshot = part.snapshot
    snapshot.file = try part.receiver.place(snapshot.file)
    try snapshots.removeOlder(incoming.shard, than: snapshot.file)
    return snapshot
  }
}
