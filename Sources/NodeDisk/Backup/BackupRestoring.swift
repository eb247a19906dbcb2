import Base
import Cluster
import Ledger
import Storage

/// A backup that a cluster is to begin with: what the node that makes the cluster gives to all.
final class BackupRestoring {
  /// With what the shards come to once the list of erased members is applied.
  let outline: BackupOutline
  /// As it lies there.
  private let manifest: BackupManifest
  /// Who was erased after the cut.
  private let erased: ErasedMembers
  /// Snapshots that replicas are to begin with.
  let store: SnapshotStore
  private let directory: BackupDirectory
  private let limits: LedgerLimits
  private let exports: String

  /// Throws `.refused` if there is none, or it is no cut; and what is wrong with the directory's state.
  init(_ path: String, fileSystem: any FileSystem, limits: LedgerLimits, exports: String) throws {
    directory = try BackupDirectory(path, fileSystem: fileSystem, isShared: true)
    self.limits = limits
    self.exports = exports
    guard let manifest = try directory.newest(), let part = manifest.directory else {
      throw StorageError(.refused, path: path, operation: "restore from", reason: "there is no backup in it")
    }
    if let reason = BackupCut.reasonAgainst(manifest.shards.map(\.slots)) {
      throw StorageError(.damaged, path: directory.manifestPath(manifest.number), operation: "read", reason: reason)
    }
    let contents = try BackupContents.restore(directory, part, of: manifest.number, limits)
    guard let topology = contents.topology else { throw MalformedBytes("the directory in the backup knows no cluster") }
    self.manifest = manifest
    erased = try directory.erased().since(manifest.cut)
    var restored = manifest
    if !erased.isEmpty {
      for place in restored.parts.indices where restored.parts[place].shard != .directory {
        restored.parts[place].figures = try BackupRestoring.figures(
          directory, manifest.parts[place], of: manifest, erasing: erased, limits)
      }
    }
    outline = BackupOutline(manifest: restored, topology: topology)
    store = try SnapshotStore(directory: exports, fileSystem: fileSystem)
  }
  /// What a shard comes to without what is to be erased.
  private static func figures(
    _ directory: BackupDirectory, _ part: BackupPart, of manifest: BackupManifest, erasing erased: ErasedMembers,
    _ limits: LedgerLimits
  ) throws -> BackupFigures {
    let contents = try BackupContents.restore(directory, part, of: manifest.number, limits)
    if let finding = contents.findings(against: part, cut: manifest.cut).first { throw MalformedBytes(finding) }
    return try contents.erase(erased)
  }

  /// Verifies a part, and writes it as the snapshot with which its group begins.
  func export(_ shard: ShardID, _ topology: Topology) throws -> (file: SnapshotFile, head: BackupHead) {
    guard let part = manifest.part(shard) else { throw MalformedBytes("the backup has no shard \(shard.rawValue)") }
    let contents = try BackupContents.restore(directory, part, of: manifest.number, limits)
    if let finding = contents.findings(against: part, cut: manifest.cut).first { throw MalformedBytes(finding) }
    try store.removeAll(shard)
    let lineage = part.lineage.map(\.position)
    let metadata = SnapshotMetadata(
      configuration: topology.founders(of: shard), journalEnd: part.journal.position, lineage: lineage)
    let writer = try store.create(shard: shard, index: part.index, term: part.term, metadata: metadata.bytes)
    do {
      if shard == .directory {
        try contents.writeDirectory(topology) { try writer.append($0) }
      } else if !erased.isEmpty {
        _ = try contents.erase(erased)
        try contents.writeShard { try writer.append($0) }
      } else {
        let state = BackupBody(state: try BackupState(directory, part, of: manifest.number))
        try SnapshotRuns.cutEvenly(state, byteCount: part.stateBytes) { try writer.append($0) }
      }
      let file = try writer.finish()
      let start = JournalChain(position: JournalPosition(beginningOf: shard), hash: SHA256.Digest())
      return (file, BackupHead(file, journalStart: start, journalEnd: part.journal.position, lineage: lineage))
    } catch {
      writer.abandon()
      throw error
    }
  }
  /// Nil: it is not there.
  func readJournal(_ read: BackupRead, _ byteCount: Int) throws -> [UInt8]? {
    let position = JournalPosition(rawValue: read.position)
    guard let end = manifest.end(of: position.journal) else { return nil }
    let journal = BackupJournal(directory: directory, end: end.position)
    var bytes = [UInt8](repeating: 0, count: byteCount)
    let count = try bytes.withUnsafeMutableBytes { try journal.read(at: position, into: $0) }
    bytes.removeLast(bytes.count - count)
    return bytes
  }
  func removeExports() throws(StorageError) {
    for shard in try store.shards() { try store.removeAll(shard) }
    try directory.fileSystem.remove(exports)
  }
}
