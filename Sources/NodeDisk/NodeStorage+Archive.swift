import Base
import Cluster
import Ledger
import Storage

/// The bytes that are wanted of a journal are in the archive, and are not to be read here and now.
struct ArchivedSegment: Error {}

/// The archive of one cluster.
struct ClusterArchive {
  let archive: JournalArchive
  let cluster: UInt64
}

/// The archive: all of it on lane 5, which nothing else waits for.
extension NodeStorage {
  /// Sends the oldest segment of a journal that is here to the archive, if it is old enough.
  func run(_ order: ArchiveOrder) -> ArchiveResult {
    guard let archive else { return .nothing(order.shard) }
    do {
      guard let seal = try oldest(order) else { return .nothing(order.shard) }
      try archive.store(seal, of: order.cluster) { offset, buffer throws(StorageError) in
        try journals.read(
          order.shard, at: JournalPosition(journal: order.shard, segment: seal.segment, offset: offset), into: buffer)
      }
      try journals.dropArchived(order.shard, segment: seal.segment)
      return .archived(order.shard, segment: seal.segment)
    } catch {
      if isRotHere(error), noteRot(inJournalOf: order.shard) { return .rotten(order.shard, "\(error)") }
      let isDamaged =
        (error as? StorageError).map { $0.kind == .damaged && $0.path.hasPrefix(archive.directory) } ?? false
      return .failed(order.shard, "\(error)", isDamaged: isDamaged)
    }
  }

  /// Whether a journal at this node is not what was written; not the archive's copy.
  private func isRotHere(_ error: any Error) -> Bool {
    let path = (error as? JournalFault)?.error.path ?? (error as? StorageError)?.path ?? ""
    return path.hasPrefix(directory + "/journal/") && NodeStorage.isRot(error)
  }

  /// The oldest segment that is here, if a snapshot does without it and the next was begun before the moment that is asked for: so
  /// all that it tells is older. A start cuts the journal where its snapshot says, which is never in the archive; that of a shard which
  /// has left is never cut.
  private func oldest(_ order: ArchiveOrder) throws -> SealedSegment? {
    let shard = order.shard
    let place = Int(try journals.archivedCount(shard))
    let sealed = try journals.sealed(shard)
    guard place < sealed.count, sealed[place].segment < order.end.segment else { return nil }
    if order.hasLeft {
      guard try isKept(shard) else { return nil }
    } else {
      guard let snapshot = try snapshots.newest(shard), let metadata = SnapshotMetadata(snapshot.metadata),
        sealed[place].segment < metadata.journalEnd.segment
      else { return nil }
    }
    var head = [UInt8](repeating: 0, count: 24)
    let next = JournalPosition(journal: shard, segment: sealed[place].segment + 1, offset: 0)
    let count = try head.withUnsafeMutableBytes { try journals.read(shard, at: next, into: $0) }
    guard count == head.count, let stamp = JournalChain.stamp(of: head), stamp < order.before else { return nil }
    return sealed[place]
  }

  /// Answers queries that need the archive. A failure to read there is the answer: a history is never shorter for it.
  func answer(_ shard: ShardID, _ queries: [ReplyToQuery], cluster: UInt64) -> Completion {
    guard let archive else { return .nothing }
    let view = JournalView(
      store: journals, shard: shard, archive: ClusterArchive(archive: archive, cluster: cluster))
    var rot: String?
    let answers = answer(shard, queries, in: view) { error in
      if isRotHere(error) {
        if noteRot(inJournalOf: (error as? JournalFault)?.journal ?? shard) { rot = "\(error)" }
        return "the journal of shard \(shard.rawValue) cannot be read here: \(error)"
      }
      return
        "a part of the journal of shard \(shard.rawValue) is in the archive \(archive.directory), which cannot be read here: \(error)"
    }
    guard let rot else { return .answered(answers) }
    return .journalRotten(answers, reason: rot)
  }

  /// A peer that has no journal of its own yet is sent what is in the archive as well.
  func readArchive(_ number: UInt64, _ shard: ShardID, _ position: JournalPosition, _ byteCount: Int, _ cluster: UInt64)
    -> Completion
  {
    do {
      let bytes = try readArchive(position, byteCount, for: shard, cluster)
      return .transferred(.journalRead(number, position: position, bytes: bytes))
    } catch {
      return .transferred(.failed(number, "the archive of shard \(shard.rawValue) cannot be read: \(error)"))
    }
  }

  /// A piece of a journal that is wanted for a shard, from the archive where it is there.
  func readArchive(_ position: JournalPosition, _ byteCount: Int, for shard: ShardID, _ cluster: UInt64) throws
    -> [UInt8]
  {
    guard let archive else { throw ArchivedSegment() }
    let view = JournalView(
      store: journals, shard: shard, archive: ClusterArchive(archive: archive, cluster: cluster))
    var bytes = [UInt8](repeating: 0, count: byteCount)
    let count = try bytes.withUnsafeMutableBytes { try view.read(at: position, into: $0) }
    bytes.removeLast(bytes.count - count)
    return bytes
  }
}
