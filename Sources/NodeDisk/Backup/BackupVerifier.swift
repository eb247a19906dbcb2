import Base
import Cluster
import Ledger
import Storage

/// Reads a directory of backups and says whether the newest can be restored: see docs/backup.md. Nothing in it is changed.
public struct BackupVerifier {
  /// What the newest backup has.
  public struct Report: Sendable {
    public var backup: UInt32
    public var cluster: UInt64
    public var cut: Stamp
    public var shards: Int
    public var members: UInt64
    public var transactions: UInt64
    /// Of states and journals.
    public var bytes: UInt64
    public var digest: String
    public var isBalanced: Bool
  }
  public private(set) var report: Report?
  /// What is wrong, a line each.
  public private(set) var findings: [String] = []
  private let directory: BackupDirectory
  private let limits: LedgerLimits

  /// Throws `.locked` while somebody else works on it, `.refused` if it is no such directory.
  public init(_ path: String, fileSystem: any FileSystem, limits: LedgerLimits = LedgerLimits()) throws(StorageError) {
    directory = try BackupDirectory(path, fileSystem: fileSystem)
    self.limits = limits
  }

  /// Reads all of it.
  /// - Parameter progress: is told of each part before it is read: how many of how many.
  public mutating func verify(progress: (Int, Int) -> Void = { _, _ in }) {
    do {
      let numbers = try directory.backups().whole
      guard let newest = numbers.last else { return found("there is no backup in \(directory.path)") }
      for number in numbers.dropLast() { verifyOlder(number) }
      verifyAll(of: try directory.manifest(newest), progress)
    } catch { found("\(error)") }
  }
  /// Reads all that one backup consists of, and says whether that could be restored.
  package mutating func verify(backup number: UInt32) {
    do { verifyAll(of: try directory.manifest(number)) { _, _ in } } catch { found("\(error)") }
  }
  private mutating func found(_ text: String) { findings.append(text) }

  /// A page that later backups do not name is verified here or nowhere.
  private mutating func verifyOlder(_ number: UInt32) {
    do {
      let manifest = try directory.manifest(number)
      for part in manifest.parts {
        do { try BackupState(directory, part, of: number).verifyOwnPages(of: number) } catch { found("\(error)") }
      }
    } catch { found("\(error)") }
  }

  private mutating func verifyAll(of manifest: BackupManifest, _ progress: (Int, Int) -> Void) {
    for (place, part) in manifest.parts.enumerated() {
      progress(place, manifest.parts.count)
      do {
        let contents = try BackupContents.restore(directory, part, of: manifest.number, limits)
        for text in contents.findings(against: part, cut: manifest.cut) { found(text) }
      } catch { found("\(error)") }
      for wanted in part.lineage {
        let journal = wanted.position.journal.rawValue
        let end = manifest.end(of: wanted.position.journal)?.position
        if end?.isBefore(wanted.position) ?? true {
          found("shard \(part.shard.rawValue) refers to the journal of shard \(journal), which is not there that far")
        }
      }
    }
    for end in manifest.parts.map(\.journal) + manifest.journals {
      do {
        try BackupJournal(directory: directory, end: end.position).verify(
          from: nil, through: manifest.references(to: end.position.journal), to: end)
      } catch { found("\(error)") }
    }
    if manifest.directory == nil { found("the directory is missing") }
    if let reason = BackupCut.reasonAgainst(manifest.shards.map(\.slots)) { found(reason) }
    let figures = manifest.figures
    if !figures.isBalanced {
      found("the books are not balanced: sum \(figures.sum), on its way between shards \(figures.between)")
    }
    report = Report(
      backup: manifest.number, cluster: manifest.cluster, cut: manifest.cut, shards: manifest.shards.count,
      members: figures.members, transactions: figures.transactions,
      bytes: manifest.stateBytes + (journalBytes(of: manifest)), digest: figures.digestText,
      isBalanced: figures.isBalanced && findings.isEmpty)
  }
  private func journalBytes(of manifest: BackupManifest) -> UInt64 {
    (try? directory.journalBytes(of: manifest)) ?? 0
  }
}

extension BackupDirectory {
  /// Bytes of all journals up to where a backup has them.
  func journalBytes(of manifest: BackupManifest) throws(StorageError) -> UInt64 {
    var bytes: UInt64 = 0
    for (journal, segment) in try segments() {
      guard let end = manifest.end(of: journal)?.position, segment <= end.segment else { continue }
      let file = try fileSystem.open(journalPath(journal, segment), create: false)
      defer { file.close() }
      bytes += segment == end.segment ? end.offset : try file.size()
    }
    return bytes
  }
}

extension BackupContents {
  /// Reads a part's state, as a node would.
  static func restore(
    _ directory: BackupDirectory, _ part: BackupPart, of backup: UInt32, _ limits: LedgerLimits
  ) throws -> BackupContents {
    let state = try BackupState(directory, part, of: backup)
    let contents = try BackupContents(part.shard, from: BackupBody(state: state), limits: limits)
    guard state.isAtEnd else {
      throw MalformedBytes("the state of shard \(part.shard.rawValue) goes on behind its end")
    }
    return contents
  }
}
