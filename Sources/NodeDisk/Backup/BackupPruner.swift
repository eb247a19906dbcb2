import Base
import Cluster
import Storage

/// Removes older backups of a directory, and what no other refers to: see docs/backup.md. At every moment, also after a crash, the
/// backups that are kept are whole: of them nothing is changed, and what they refer to in others stays where it is.
public struct BackupPruner {
  public struct Report: Hashable, Sendable {
    public var kept: [UInt32] = []
    public var removed: [UInt32] = []
    /// Of files that went, and of what went of others.
    public var freedBytes: UInt64 = 0
  }
  private let directory: BackupDirectory
  private var report = Report()
  private var kept: [BackupManifest] = []
  /// Those that count no more, of this and of earlier prunes: of them there may be pages.
  private var gone: [UInt32] = []
  private let isDryRun: Bool

  private var fileSystem: any FileSystem { directory.fileSystem }

  /// - Parameters:
  ///   - keep: so many backups, the newest, stay; 1 at least.
  ///   - isDryRun: nothing is changed.
  /// - Throws: `.locked` while somebody else works on it, `.refused` if it is no such directory or has no backup, `.damaged` if one that is to
  ///   be kept does not say what it consists of: then nothing was removed.
  public static func prune(
    _ path: String, fileSystem: any FileSystem, keep: Int, isDryRun: Bool = false
  ) throws(StorageError) -> Report {
    var pruner = try BackupPruner(path, fileSystem, isDryRun)
    try pruner.choose(max(keep, 1))
    let pages = try pruner.pagesInUse()
    try pruner.retire()
    try pruner.sweepFolders(pages)
    try pruner.sweepJournals()
    return pruner.report
  }
  private init(_ path: String, _ fileSystem: any FileSystem, _ isDryRun: Bool) throws(StorageError) {
    directory = try BackupDirectory(path, fileSystem: fileSystem)
    self.isDryRun = isDryRun
  }

  private mutating func choose(_ keep: Int) throws(StorageError) {
    let (whole, unfinished) = try directory.backups()
    var live: [UInt32] = []
    for number in whole {
      if directory.isRetired(number) { gone.append(number) } else { live.append(number) }
    }
    guard !live.isEmpty else {
      throw StorageError(.refused, path: directory.path, operation: "prune", reason: "there is no backup in it")
    }
    for number in live.suffix(keep) { kept.append(try directory.manifest(number)) }
    report.kept = live.suffix(keep)
    report.removed = live.dropLast(keep)
    gone = (gone + report.removed).sorted()
    if isDryRun { return }
    for number in unfinished { try removeFolder(number) }
  }

  /// Where pages of those that are gone are in use.
  private func pagesInUse() throws(StorageError) -> [PagesFile: Set<PagePlace>] {
    var pages: [PagesFile: Set<PagePlace>] = [:]
    let isGone = Set(gone)
    for manifest in kept {
      for part in manifest.parts {
        for row in try directory.rows(of: part, in: manifest.number) where isGone.contains(row.backup) {
          pages[PagesFile(backup: row.backup, shard: part.shard), default: []].insert(
            PagePlace(offset: row.offset, byteCount: row.byteCount))
        }
      }
    }
    return pages
  }

  /// A manifest without parts takes the place of each that goes: it counts no more, and its folder is none that a save did not end.
  private func retire() throws(StorageError) {
    guard let cluster = kept.last?.cluster, !isDryRun else { return }
    for number in report.removed {
      try directory.write(BackupManifest(number: number, cluster: cluster, cut: .zero, parts: []))
    }
  }

  // MARK: Pages

  private mutating func sweepFolders(_ pages: [PagesFile: Set<PagePlace>]) throws(StorageError) {
    for number in gone {
      let needed = pages.filter { $0.key.backup == number }
      for name in try fileSystem.list(directory.folder(number)) where name != "manifest" {
        let shard = BackupDirectory.shard(ofPages: name) ?? BackupDirectory.shard(ofNote: name)
        let isNeeded = shard.map { needed[PagesFile(backup: number, shard: $0)] != nil } ?? false
        if !isNeeded { try remove("\(directory.folder(number))/\(name)") }
      }
      for (file, places) in needed.sorted(by: { $0.key.shard < $1.key.shard }) { try shrink(file, to: places) }
      if isDryRun { continue }
      try fileSystem.syncDirectory(directory.folder(number))
      if needed.isEmpty { try removeFolder(number) }
    }
  }
  /// A file of pages of which less than three quarters are in use is written anew: what is in use at its place, and holes between. All
  /// rows stay right, before it takes the old one's name and after.
  private mutating func shrink(_ file: PagesFile, to places: Set<PagePlace>) throws(StorageError) {
    let path = directory.pagesPath(file.backup, file.shard)
    let inUse = places.reduce(0) { $0 + UInt64($1.byteCount) }
    let held = try directory.heldBytes(ofPages: path)
    guard inUse / 3 < held / 4 else { return }
    report.freedBytes += held - inUse
    if isDryRun { return }
    let old = try fileSystem.open(path, create: false)
    defer { old.close() }
    let new = try fileSystem.open(path + ".new", create: true)
    try new.truncate(0)
    for place in places.sorted(by: { $0.offset < $1.offset }) {
      var bytes = [UInt8](repeating: 0, count: Int(place.byteCount))
      guard try bytes.fill(from: old, at: place.offset) == bytes.count else {
        throw StorageError(.damaged, path: path, operation: "read", offset: place.offset, reason: "a page is cut")
      }
      try new.append(bytes, at: place.offset)
    }
    try new.sync()
    new.close()
    try fileSystem.rename(path + ".new", to: path)
    try fileSystem.syncDirectory(directory.folder(file.backup))
    try directory.noteHeldBytes(inUse, ofPages: path)
  }
  /// The manifest last: what has one is no save that did not end.
  private func removeFolder(_ number: UInt32) throws(StorageError) {
    let folder = directory.folder(number)
    for name in try fileSystem.list(folder) where name != "manifest" { try fileSystem.remove("\(folder)/\(name)") }
    try fileSystem.syncDirectory(folder)
    if try fileSystem.exists(directory.manifestPath(number)) { try fileSystem.remove(directory.manifestPath(number)) }
    try fileSystem.remove(folder)
    try fileSystem.syncDirectory(directory.path)
  }
  private mutating func remove(_ path: String) throws(StorageError) {
    let file = try fileSystem.open(path, create: false)
    report.freedBytes += try file.size()
    file.close()
    if !isDryRun { try fileSystem.remove(path) }
  }

  // MARK: Journals

  /// Those go of which no backup that is kept has anything. Of the others each needs all up to its end.
  private mutating func sweepJournals() throws(StorageError) {
    for (journal, segment) in try directory.segments() {
      let ends = kept.compactMap { $0.end(of: journal)?.position.segment }
      guard ends.max().map({ segment > $0 }) ?? true else { continue }
      try remove(directory.journalPath(journal, segment))
    }
    if !isDryRun, try fileSystem.exists(directory.journalFolder) {
      try fileSystem.syncDirectory(directory.journalFolder)
    }
  }
}

private struct PagesFile: Hashable {
  var backup: UInt32
  var shard: ShardID
}
private struct PagePlace: Hashable {
  var offset: UInt64
  var byteCount: UInt32
}

extension BackupDirectory {
  /// Whether a backup was removed, and lives on in the pages that later ones have of it.
  func isRetired(_ number: UInt32) -> Bool { (try? manifest(number))?.parts.isEmpty ?? false }

  static func shard(ofPages name: String) -> ShardID? { shard(of: name, ".pages") }
  static func shard(ofNote name: String) -> ShardID? { shard(of: name, ".pages.held") }
  private static func shard(of name: String, _ suffix: String) -> ShardID? {
    guard name.hasSuffix(suffix) else { return nil }
    return UInt32(name.dropLast(suffix.count), radix: 16).map { ShardID($0) }
  }

  /// What a file of pages takes without its holes: a note beside it says so, or it has none.
  fileprivate func heldBytes(ofPages path: String) throws(StorageError) -> UInt64 {
    let file = try fileSystem.open(path, create: false)
    defer { file.close() }
    let size = try file.size()
    guard try fileSystem.exists(path + ".held") else { return size }
    let note = try fileSystem.open(path + ".held", create: false)
    defer { note.close() }
    var bytes = [UInt8](repeating: 0, count: 8)
    guard try bytes.fill(from: note, at: 0) == bytes.count else { return size }
    return min(size, bytes.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) })
  }
  /// Nothing is lost with it: a file whose note is not right is written once more than need be, or once less.
  fileprivate func noteHeldBytes(_ count: UInt64, ofPages path: String) throws(StorageError) {
    let note = try fileSystem.open(path + ".held", create: true)
    defer { note.close() }
    try note.append(withUnsafeBytes(of: count.littleEndian) { Array($0) }, at: 0)
    try note.sync()
  }
}
