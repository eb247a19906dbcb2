import Base
import Cluster
import Storage

/// What backups a directory has, without reading their pages: see docs/backup.md.
public struct BackupListing {
  public struct Row: Sendable {
    public var backup: UInt32
    /// Nil: it does not say, for it was not finished, or its manifest is damaged.
    public var contents: Contents?
    public var state: State
    /// What is wrong, if it is damaged.
    public var finding: String?
  }
  public struct Contents: Sendable {
    public var cluster: UInt64
    public var cut: Stamp
    public var shards: Int
    public var members: UInt64
    public var transactions: UInt64
    /// Of states and journals, also such as other backups have too.
    public var bytes: UInt64
    /// Of files that are its own: what it added.
    public var written: UInt64
  }
  public enum State: String, Sendable {
    /// All files that it needs are there, and are long enough; whether they are what was written, `BackupVerifier` says.
    case whole
    case damaged
    /// A save did not end, or has yet to.
    case unfinished
  }
  public private(set) var rows: [Row] = []
  private let directory: BackupDirectory

  /// Throws `.refused` if it is no such directory. It may be in use.
  public init(_ path: String, fileSystem: any FileSystem) throws(StorageError) {
    directory = try BackupDirectory(path, fileSystem: fileSystem, isShared: true)
    let (whole, unfinished) = try directory.backups()
    for number in whole where !directory.isRetired(number) { rows.append(row(number)) }
    for number in unfinished { rows.append(Row(backup: number, contents: nil, state: .unfinished, finding: nil)) }
    rows.sort { $0.backup < $1.backup }
  }

  private func row(_ number: UInt32) -> Row {
    var contents: Contents?
    do throws(StorageError) {
      let manifest = try directory.manifest(number)
      let figures = manifest.figures
      contents = Contents(
        cluster: manifest.cluster, cut: manifest.cut, shards: manifest.shards.count, members: figures.members,
        transactions: figures.transactions, bytes: manifest.stateBytes, written: 0)
      contents?.bytes += try directory.journalBytes(of: manifest)
      contents?.written = try writtenBytes(number)
      try checkPages(manifest)
      try checkJournals(manifest)
      return Row(backup: number, contents: contents, state: .whole, finding: nil)
    } catch {
      return Row(backup: number, contents: contents, state: .damaged, finding: "\(error)")
    }
  }
  private func writtenBytes(_ number: UInt32) throws(StorageError) -> UInt64 {
    var sum: UInt64 = 0
    for name in try directory.fileSystem.list(directory.folder(number)) where name != "manifest" {
      sum += try size("\(directory.folder(number))/\(name)")
    }
    return sum
  }
  private func size(_ path: String) throws(StorageError) -> UInt64 {
    let file = try directory.fileSystem.open(path, create: false)
    defer { file.close() }
    return try file.size()
  }

  /// Each list is what was written, and each file of pages reaches as far as it says.
  private func checkPages(_ manifest: BackupManifest) throws(StorageError) {
    for part in manifest.parts {
      var ends: [UInt32: UInt64] = [:]
      for row in try directory.rows(of: part, in: manifest.number) {
        ends[row.backup] = max(ends[row.backup] ?? 0, row.offset + UInt64(row.byteCount))
      }
      for (backup, end) in ends.sorted(by: { $0.key < $1.key }) {
        try check(directory.pagesPath(backup, part.shard), reaches: end)
      }
    }
  }
  private func checkJournals(_ manifest: BackupManifest) throws(StorageError) {
    for end in manifest.parts.map(\.journal.position) + manifest.journals.map(\.position) where end != .none {
      for segment in stride(from: 1, to: end.segment, by: 1) {
        try check(directory.journalPath(end.journal, segment), reaches: 1)
      }
      if end.offset > 0 { try check(directory.journalPath(end.journal, end.segment), reaches: end.offset) }
    }
  }
  private func check(_ path: String, reaches end: UInt64) throws(StorageError) {
    let size = try size(path)
    guard size < end else { return }
    throw StorageError(.damaged, path: path, operation: "read", offset: size, reason: "it ends before byte \(end)")
  }
}
