import Base
import Cluster
import Ledger
import Raft
import Storage

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
        if readsJournal(job), NodeStorage.isRot(error), noteRot(error, metBy: shard) {
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
      guard let file = try snapshots.newest(shard), file.base == nil else {
        return .transferred(.wholeWanted(number, shard: shard))
      }
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
      return .transferred(
        try of(position.journal, for: shard) { try readJournal(number, position, byteCount) })
    case .openJournal(let number, let shard, let own, let lineage):
      incoming[number] = try open(shard, own, lineage)
      return try followReceived(number)
    case .followJournal(let number): return try followReceived(number)
    case .writeJournal(let number, let position, let bytes):
      guard incoming[number] != nil else { return .nothing }
      try writeBacklog(of: position.journal)
      try write(bytes, at: position, of: number)
      return .transferred(.written(number))
    case .settle(let number, let part):
      // It stays known until then: by it a failure is known for one of that journal.
      guard let journals = incoming[number] else { return .nothing }
      let snapshot = try settle(part, journals)
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
    case .readJournal(_, let shard, _, _), .openJournal(_, let shard, _, _): shard
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

  // MARK: Journals that come

  /// - Parameters:
  ///   - own: where the replica's own journal ends, as its state has it.
  ///   - lineage: where others end that the snapshot refers to.
  private func open(_ shard: ShardID, _ own: JournalChain, _ lineage: [JournalPosition]) throws -> IncomingJournals {
    try writeBacklog(of: shard)
    let end = try journals.end(shard)
    guard own.position == end || own.position.isBefore(end) else {
      throw own.corruption("it ends before what the state refers to")
    }
    var others: [JournalReceiver] = []
    for wanted in lineage {
      try of(wanted.journal, for: shard) {
        try writeBacklog(of: wanted.journal)
        guard try !isHere(wanted) else { return }
        others.append(JournalReceiver(after: try beginning(of: wanted.journal), wanted: wanted))
      }
    }
    // A replica that is new here, where an earlier one of the shard was: what that sent to the archive is followed by nobody here.
    let isArchived = try own.position.segment <= journals.archivedCount(shard)
    return IncomingJournals(shard: shard, own: isArchived ? try beginning(of: shard) : own, others: others)
  }
  /// Does something with a journal for a shard. What fails of another's is known for a failure of that.
  private func of<R>(_ journal: ShardID, for shard: ShardID, _ body: () throws -> R) throws -> R {
    do { return try body() } catch let error as StorageError where journal != shard {
      throw JournalFault(journal: journal, error: error)
    }
  }
  /// Whether another shard's journal is here up to a position.
  private func isHere(_ wanted: JournalPosition) throws -> Bool {
    if let proved = duty.unproved[wanted.journal], proved.isBefore(wanted) { return false }
    return try !journals.end(wanted.journal).isBefore(wanted)
  }
  /// Where the chain of a journal that is here begins. Of one whose oldest segments are in the archive, behind them: the hash there is the
  /// one that its first frame names, and those that follow bear it out, down to the one that the snapshot names.
  private func beginning(of journal: ShardID) throws -> JournalChain {
    let archived = try journals.archivedCount(journal)
    let position = JournalPosition(journal: journal, segment: archived + 1, offset: 0)
    var chain = JournalChain(position: position, hash: SHA256.Digest())
    guard archived > 0 else { return chain }
    var head = [UInt8](repeating: 0, count: 56)
    let count = try head.withUnsafeMutableBytes { try journals.read(journal, at: position, into: $0) }
    guard count == head.count else { throw chain.corruption("a frame is cut") }
    chain.hash = head.withUnsafeBytes { SHA256.Digest(bytes: UnsafeRawBufferPointer(rebasing: $0[24...])) }
    return chain
  }

  /// Bytes of journals that one job follows: others wait for the lane meanwhile.
  private static let followedBytes = 4 << 20

  /// What is here of a journal already, of an earlier transfer behind the end that the state knows, or of another shard's at all, is
  /// followed to its end, some megabytes a time, and the rest is received from there. Where a frame was cut, for want of room, or is
  /// none any more, it is received anew.
  private func followReceived(_ number: UInt64) throws -> Completion {
    var passed = 0
    var frame = [UInt8](repeating: 0, count: 65_536)
    while let shard = incoming[number]?.shard, let receiver = incoming[number]?.toFollow {
      let journal = receiver.journal
      var chain = receiver.chain
      let end = try of(journal, for: shard) { try journals.end(journal) }
      let limit = receiver.wanted.map { $0.isBefore(end) ? $0 : end } ?? end
      let view = JournalView(store: journals, shard: journal)
      do {
        while chain.position.isBefore(limit) {
          guard passed < NodeStorage.followedBytes else {
            incoming[number]?.followed(to: chain, isDone: false)
            return .transferred(.journalFollowed(number))
          }
          let before = chain.position
          try chain.step(in: view, before: limit, &frame)
          passed += Int(chain.position.offset) - (chain.position.segment == before.segment ? Int(before.offset) : 0)
        }
      } catch  where error is JournalCorruption || NodeStorage.isRot(error) {
        try cut(journal, at: chain.position, of: shard, because: error)
      }
      incoming[number]?.followed(to: chain, isDone: true)
    }
    guard let starts = incoming[number]?.receivers.map(\.chain.position) else { return .nothing }
    return .transferred(.journalOpened(number, starts))
  }
  private func write(_ bytes: [UInt8], at position: JournalPosition, of number: UInt64) throws {
    guard let shard = incoming[number]?.shard, let before = incoming[number]?.receiver(of: position.journal) else {
      return
    }
    do {
      try incoming[number]?.take(bytes, at: position) { try appendJournal($0, $1) }
      if incoming[number]?.bulk.isDue(after: bytes.count) == true { try journals.sync(position.journal) }
    } catch let error as JournalCorruption where position.journal != shard {
      // What was here of it is not what it goes on from.
      try cut(position.journal, at: before.start.position, of: shard, because: error)
      throw error
    }
  }
  /// Forgets what came of a journal behind a position. Where the replica here that writes it relies on that, or another's snapshot, it is
  /// rotten.
  private func cut(_ journal: ShardID, at position: JournalPosition, of shard: ShardID, because error: any Error) throws
  {
    if journal != shard, try isReliedOn(journal, behind: position) {
      throw JournalFault(
        journal: journal,
        error: error as? StorageError
          ?? StorageError(.damaged, path: directory + "/journal", operation: "read", reason: "\(error)"))
    }
    try journals.truncate(journal, to: position)
  }
  private func isReliedOn(_ journal: ShardID, behind position: JournalPosition) throws -> Bool {
    if try duty.written.contains(journal) || snapshots.newest(journal) != nil { return true }
    return try inheritedEnds()[journal].map { position.isBefore($0) } ?? false
  }

  private func readJournal(
    _ number: UInt64, _ position: JournalPosition, _ byteCount: Int
  ) throws -> TransferStep {
    let shard = position.journal
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
  /// Makes a snapshot that has been read count. Its journals are the ones that it was taken with, and durable, before that: a node
  /// that finds a snapshot when it starts relies on the journals that belong to it.
  private func settle(_ part: LoadedPart, _ incoming: IncomingJournals) throws -> LoadedSnapshot {
    let machine = part.snapshot.machine
    do {
      for wanted in machine.lineage { try verify(wanted, incoming) }
      try verifyOwn(machine.journal, incoming)
    } catch let error as JournalCorruption {
      part.receiver.abandon()
      throw error
    }
    for wanted in machine.lineage {
      let journal = wanted.position.journal
      try of(journal, for: incoming.shard) { try journals.sync(journal) }
      if let proved = duty.unproved[journal], proved.isBefore(wanted.position) {
        duty.unproved[journal] = wanted.position
      }
    }
    try journals.sync(incoming.shard)
    var snapshot = part.snapshot
    snapshot.file = try part.receiver.place(snapshot.file)
    try snapshots.removeOlder(incoming.shard, than: snapshot.file)
    return snapshot
  }
  /// Another shard's, of which nothing came if it was here, or what its chain says.
  private func verify(_ wanted: JournalChain, _ incoming: IncomingJournals) throws {
    let journal = wanted.position.journal
    guard let receiver = incoming.receiver(of: journal) else {
      guard try isHere(wanted.position) else { throw wanted.corruption("it is not here that far") }
      return
    }
    guard receiver.chain != wanted else { return }
    let error = wanted.corruption("it is not the one that the snapshot refers to")
    if receiver.chain.position == wanted.position {
      try cut(journal, at: receiver.start.position, of: incoming.shard, because: error)
    }
    throw error
  }
  private func verifyOwn(_ end: JournalChain, _ incoming: IncomingJournals) throws {
    guard let receiver = incoming.receiver(of: incoming.shard) else { return }
    // More of the journal may be there than the snapshot refers to, from a newer one that did not come through.
    let reached =
      receiver.chain.position == end.position
      ? receiver.chain
      : try receiver.start.followed(to: end.position, in: JournalView(store: journals, shard: incoming.shard))
    guard reached == end else { throw end.corruption("it is not the one that the snapshot was taken with") }
  }
}
