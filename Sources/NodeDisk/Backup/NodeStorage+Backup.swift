import Base
import Cluster
import Ledger
import Storage

/// What a node has open for backups. Of lane 3, but for `states`, which lane 3 alone changes.
final class BackupFiles {
  /// Which attempt it is, and what it has written.
  var saving: (save: UInt64, backup: BackupSaving)?
  /// States that come, one a source at most.
  var received: [ShardID: SnapshotReceiver] = [:]
  /// Snapshots that are kept to be read.
  var states: [ShardID: RawSnapshot] = [:]
  /// What a cluster is to begin with.
  var restoring: BackupRestoring?
}

/// Backups: see docs/backup.md.
extension NodeStorage {
  func run(_ job: BackupJob) -> Completion {
    do {
      return try perform(job).map { .transferred(.backup($0)) } ?? .nothing
    } catch {
      switch job {
      case .read(let read, _, let link), .readSaved(let read, _, let link):
        return .transferred(.backup(.unread(read, "\(error)", link: link)))
      case .readArchive(let read, _, _, let link):
        let journal = JournalPosition(rawValue: read.position).journal.rawValue
        let reason = "the archive of shard \(journal) cannot be read: \(error)"
        return .transferred(.backup(.unread(read, reason, link: link)))
      case .open: return .transferred(.backup(.outlined(nil, "\(error)")))
      case .export(let shard, _): return .transferred(.backup(.exported(shard, nil, "\(error)")))
      default: break
      }
      guard let save = job.save else { return .nothing }
      let isLasting = (error as? StorageError).map { $0.kind != .fatal } ?? true
      return .transferred(.backup(.failed(save: save, "\(error)", isLasting: isLasting)))
    }
  }

  private func perform(_ job: BackupJob) throws -> BackupStep? {
    switch job {
    case .begin(let save, let directory, let cluster):
      (backups.saving, backups.received) = (nil, [:])
      let saving = try BackupSaving(directory, fileSystem: fileSystem, cluster: cluster)
      backups.saving = (save, saving)
      return .begun(save: save, journals: saving.journalEnds)
    case .keep(let file): backups.states[file.shard] = try snapshots.openRaw(file)
    case .letGo(let shard): backups.states[shard] = nil
    case .read(let read, let byteCount, let link):
      do { return .read(read, bytes: try self.read(read, byteCount), link: link) } catch is ArchivedSegment {
        return .inArchive(read, link: link)
      }
    case .readArchive(let read, let byteCount, let cluster, let link):
      let position = JournalPosition(rawValue: read.position)
      return .read(read, bytes: try readArchive(position, byteCount, for: read.shard, cluster), link: link)
    case .receive(let save, let shard, let head):
      guard let saving = saving(save) else { return nil }
      let receiver = try saving.stateStore().receive(
        shard: shard, index: head.index, term: head.term, digest: head.digest, byteCount: head.byteCount)
      backups.received[shard] = receiver
      return .receives(save: save, shard, from: receiver.offset)
    case .writeState(let save, let shard, let offset, let bytes):
      guard saving(save) != nil else { return nil }
      try bytes.withUnsafeBytes { try backups.received[shard]?.append($0, at: offset) }
      return .written(save: save, shard)
    case .writeJournal(let save, let shard, let position, let bytes):
      guard let saving = saving(save) else { return nil }
      try saving.writeJournal(bytes, at: position)
      return .written(save: save, shard)
    case .add(let save, let part, let file):
      guard let saving = saving(save) else { return nil }
      if let file {
        try saving.add(part, from: try snapshots.open(file))
      } else if let receiver = backups.received.removeValue(forKey: part.shard) {
        let store = try saving.stateStore()
        try saving.add(part, from: try store.open(try receiver.finish()))
        try store.removeAll(part.shard)
      }
      return .added(save: save, part.shard)
    case .finish(let save, let cut):
      guard let saving = saving(save) else { return nil }
      let manifest = try saving.finish(cut: cut)
      let bytes = manifest.stateBytes + (try saving.directory.journalBytes(of: manifest))
      backups.saving = nil
      return .finished(save: save, manifest, written: saving.written, byteCount: bytes)
    case .giveUp: (backups.saving, backups.received) = (nil, [:])
    case .open(let path):
      let restoring = try BackupRestoring(
        path, fileSystem: fileSystem, limits: ledgerLimits, exports: directory + "/restore")
      backups.restoring = restoring
      return .outlined(restoring.outline, "")
    case .export(let shard, let topology):
      guard let restoring = backups.restoring else { return nil }
      let (file, head) = try restoring.export(shard, topology)
      backups.states[shard] = try restoring.store.openRaw(file)
      return .exported(shard, head, "")
    case .readSaved(let read, let byteCount, let link):
      guard read.what == .journal else { return .read(read, bytes: try self.read(read, byteCount), link: link) }
      guard let bytes = try backups.restoring?.readJournal(read, byteCount) else { throw NotKept() }
      return .read(read, bytes: bytes, link: link)
    case .close:
      backups.states = [:]
      try backups.restoring?.removeExports()
      backups.restoring = nil
    }
    return nil
  }
  private func saving(_ save: UInt64) -> BackupSaving? {
    backups.saving.flatMap { $0.save == save ? $0.backup : nil }
  }

  private func read(_ read: BackupRead, _ byteCount: Int) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: byteCount)
    let count: Int
    switch read.what {
    case .head: throw NotKept()
    case .state:
      guard let state = backups.states[read.shard] else { throw NotKept() }
      count = try bytes.withUnsafeMutableBytes { try state.read(into: $0, at: read.position) }
    case .journal:
      let position = JournalPosition(rawValue: read.position)
      try writeBacklog(of: position.journal)
      let view = JournalView(store: journals, shard: read.shard)
      count =
        position.isBefore(try journals.end(position.journal))
        ? try bytes.withUnsafeMutableBytes { try view.read(at: position, into: $0) } : 0
    }
    bytes.removeLast(bytes.count - count)
    return bytes
  }
}

/// What was asked for is kept for nobody, or is no more.
private struct NotKept: Error, CustomStringConvertible {
  var description: String { "it is not kept any more" }
}

extension BackupJob {
  fileprivate var save: UInt64? {
    switch self {
    case .begin(let save, _, _), .receive(let save, _, _), .writeState(let save, _, _, _),
      .writeJournal(let save, _, _, _), .add(let save, _, _), .finish(let save, _):
      save
    case .keep, .letGo, .read, .readArchive, .giveUp, .open, .export, .readSaved, .close: nil
    }
  }
}
