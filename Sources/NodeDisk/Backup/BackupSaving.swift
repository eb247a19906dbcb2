import Base
import Cluster
import Ledger
import Storage

/// A backup that is being made. The files that the node has written count once the manifest has its name.
package final class BackupSaving {
  package let directory: BackupDirectory
  package let number: UInt32
  package let cluster: UInt64
  private let previous: BackupManifest?
  private var parts: [BackupPart] = []
  /// Bytes that were new.
  package private(set) var written: UInt64 = 0
  private var journal: (position: JournalPosition, file: any File)?
  private var bulk = BulkSync()

  /// Removes what an earlier save left that did not end. Throws `.refused` if the backups there are another cluster's.
  package init(_ path: String, fileSystem: any FileSystem, cluster: UInt64) throws(StorageError) {
    directory = try BackupDirectory(path, fileSystem: fileSystem, isNew: true)
    previous = try directory.newest()
    self.cluster = cluster
    if let previous, previous.cluster != cluster {
      throw StorageError(
        .refused, path: path, operation: "save to",
        reason: "it has backups of another cluster: name an empty directory")
    }
    number = (previous?.number ?? 0) + 1
    for unfinished in try directory.backups().unfinished {
      try BackupSaving.remove(directory.folder(unfinished), fileSystem)
    }
    try fileSystem.createDirectory(directory.folder(number))
    try fileSystem.createDirectory(directory.journalFolder)
    try cutJournals()
  }
  private static func remove(_ folder: String, _ fileSystem: any FileSystem) throws(StorageError) {
    for name in try fileSystem.list(folder) { try fileSystem.remove("\(folder)/\(name)") }
    try fileSystem.remove(folder)
  }
  /// Behind what any backup has of it.
  private func cutJournals() throws(StorageError) {
    let fileSystem = directory.fileSystem
    let ends = try directory.journalEnds()
    for (journal, segment) in try directory.segments() {
      let end = ends[journal] ?? JournalPosition(beginningOf: journal)
      let path = directory.journalPath(journal, segment)
      if segment > end.segment || end.offset == 0 && segment == end.segment {
        try fileSystem.remove(path)
      } else if segment == end.segment {
        let file = try fileSystem.open(path, create: false)
        guard try file.size() >= end.offset else {
          throw StorageError(
            .damaged, path: path, operation: "open", offset: end.offset,
            reason: "it ends before what a backup has of it")
        }
        try file.truncate(end.offset)
        try file.sync()
        file.close()
      }
    }
    try fileSystem.syncDirectory(directory.journalFolder)
  }

  /// Where whole snapshots are received, until their pages are taken.
  func stateStore() throws(StorageError) -> SnapshotStore {
    try SnapshotStore(directory: directory.folder(number), fileSystem: directory.fileSystem)
  }

  /// Up to where the backup before has each journal.
  package var journalEnds: [ShardID: JournalPosition] {
    let ends = ((previous?.parts.map(\.journal) ?? []) + (previous?.journals ?? [])).map(\.position)
    return Dictionary(ends.map { ($0.journal, $0) }) { first, _ in first }
  }
  /// From where on a journal is wanted.
  package func journalEnd(_ journal: ShardID) -> JournalPosition {
    previous?.end(of: journal)?.position ?? JournalPosition(beginningOf: journal)
  }

  /// Takes a piece of a journal. Pieces of one journal come in order.
  package func writeJournal(_ bytes: [UInt8], at position: JournalPosition) throws(StorageError) {
    if journal?.position.journal != position.journal || journal?.position.segment != position.segment {
      try syncJournal()
      let path = directory.journalPath(position.journal, position.segment)
      journal = (position, try directory.fileSystem.open(path, create: true))
    }
    written += UInt64(bytes.count)
    try journal?.file.append(bytes, at: position.offset)
    if let file = journal?.file { try bulk.wrote(bytes.count, to: file) }
  }
  private func syncJournal() throws(StorageError) {
    guard let open = journal else { return }
    journal = nil
    try open.file.sync()
    open.file.close()
    try directory.fileSystem.syncDirectory(directory.journalFolder)
  }

  /// A part has all of its journal; its state is the body of a whole snapshot.
  package func add(_ part: BackupPart, from state: SnapshotFileReader) throws {
    try syncJournal()
    try BackupJournal(directory: directory, end: part.journal.position).verify(
      from: previous?.end(of: part.shard), to: part.journal)
    var part = part
    let pages = try PageWriter(self, part.shard, previous)
    let source = SnapshotBody(reader: state)
    part.stateBytes = state.bodyByteCount
    if part.shard == .directory {
      try SnapshotRuns.cutEvenly(source, byteCount: state.bodyByteCount) { try pages.add($0) }
    } else {
      try SnapshotRuns.cut(source, byteCount: state.bodyByteCount) { try pages.add($0) }
    }
    try state.finish()
    try pages.finish(&part)
    written += pages.written
    parts.append(part)
  }

  /// All parts are there, and the journals that they refer to: the backup counts.
  package func finish(cut: Stamp) throws -> BackupManifest {
    try syncJournal()
    var manifest = BackupManifest(number: number, cluster: cluster, cut: cut, parts: parts)
    var journals: [JournalChain] = []
    for journal in Set(parts.flatMap(\.lineage).map(\.position.journal)).sorted() {
      let references = manifest.references(to: journal)
      let known = previous?.end(of: journal)
      // The one before may have more of it: it was written on after the last that anybody refers to.
      var end = manifest.part(journal)?.journal ?? references.last
      if let last = end, let known, last.position.isBefore(known.position) { end = known }
      guard let end else { continue }
      try BackupJournal(directory: directory, end: end.position).verify(from: known, through: references, to: end)
      if manifest.part(journal) == nil { journals.append(end) }
    }
    manifest.journals = journals
    try directory.write(manifest)
    return manifest
  }
}

/// Writes a state's pages, those that are not there yet.
private final class PageWriter {
  private let directory: BackupDirectory
  private let shard: ShardID
  private let backup: UInt32
  private let file: any File
  private var known: [SHA256.Digest: BackupRow] = [:]
  private var list = ByteBuffer(capacity: 1 << 16)
  private var count = 0
  private var bulk = BulkSync()
  private var pending: [UInt8] = []
  private var offset: UInt64 = 0
  private static let pendingBytes = 1 << 20

  init(_ saving: BackupSaving, _ shard: ShardID, _ previous: BackupManifest?) throws(StorageError) {
    directory = saving.directory
    backup = saving.number
    self.shard = shard
    file = try directory.fileSystem.open(directory.pagesPath(backup, shard), create: true)
    try file.truncate(0)
    guard let previous, let part = previous.part(shard) else { return }
    for row in try directory.rows(of: part, in: previous.number) { known[row.digest] = row }
  }
  var written: UInt64 { offset + UInt64(list.count) }

  func add(_ page: UnsafeRawBufferPointer) throws(StorageError) {
    let digest = SHA256.digest(page)
    var row = known[digest]
    if row?.byteCount != UInt32(page.count) {
      row = BackupRow(
        backup: backup, byteCount: UInt32(page.count), offset: offset + UInt64(pending.count), digest: digest)
      known[digest] = row
      pending.append(contentsOf: page)
      if pending.count >= PageWriter.pendingBytes { try flush() }
    }
    row?.encode(shard, count, into: &list)
    count += 1
  }
  private func flush() throws(StorageError) {
    offset = try file.append(pending, at: offset)
    try bulk.wrote(pending.count, to: file)
    pending.removeAll(keepingCapacity: true)
  }
  func finish(_ part: inout BackupPart) throws(StorageError) {
    try flush()
    try file.sync()
    file.close()
    let rows = try directory.fileSystem.open(directory.listPath(backup, shard), create: true)
    let bytes = list.array
    try rows.truncate(0)
    try rows.append(bytes, at: 0)
    try rows.sync()
    rows.close()
    try directory.fileSystem.syncDirectory(directory.folder(backup))
    part.rows = UInt64(count)
    part.listDigest = SHA256.digest(bytes)
  }
}
