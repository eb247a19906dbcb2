import Base
import Ledger
import Raft
import Storage

/// What of a shard one node asks of another, or of itself: a piece from some place on.
public struct BackupRead: Hashable, Sendable {
  public enum What: UInt8, Sendable {
    /// Which snapshot it is: see `BackupHead`.
    case head = 0
    case state = 1
    case journal = 2
  }
  package var shard: ShardID
  package var what: What
  /// An offset in the snapshot, or a position in the journal.
  package var position: UInt64

  init(_ shard: ShardID, _ what: What, at position: UInt64 = 0) {
    (self.shard, self.what, self.position) = (shard, what, position)
  }
  func encode(into buffer: inout ByteBuffer) {
    buffer.append(shard.rawValue)
    buffer.append(what.rawValue)
    buffer.append(position)
  }
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    shard = ShardID(try reader.read())
    guard let what = What(rawValue: try reader.read()) else { throw MalformedBytes("an unknown part of a backup") }
    self.what = what
    position = try reader.read()
  }
}

/// The snapshot that a frozen state was written to, where its journal begins and ends, and where others end that it refers to.
public struct BackupHead: Hashable, Sendable {
  package var index: LogIndex
  package var term: Term
  package var byteCount: UInt64
  package var digest: SHA256.Digest
  /// Before its first frame.
  package var journalStart: JournalChain
  package var journalEnd: JournalPosition
  package var lineage: [JournalPosition] = []

  package init(
    _ file: SnapshotFile, journalStart: JournalChain, journalEnd: JournalPosition, lineage: [JournalPosition]
  ) {
    index = file.index
    term = file.term
    byteCount = file.byteCount
    digest = file.digest
    self.journalStart = journalStart
    self.journalEnd = journalEnd
    self.lineage = lineage
  }
  func encode(into buffer: inout ByteBuffer) {
    buffer.append(index.rawValue)
    buffer.append(term.rawValue)
    buffer.append(byteCount)
    digest.withBytes { buffer.append($0) }
    buffer.append(journalStart.position.rawValue)
    journalStart.hash.withBytes { buffer.append($0) }
    buffer.append(journalEnd.rawValue)
    for end in lineage { buffer.append(end.rawValue) }
  }
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    index = LogIndex(try reader.read())
    term = Term(try reader.read())
    byteCount = try reader.read()
    digest = SHA256.Digest(bytes: try reader.readBytes(32))
    let start = JournalPosition(rawValue: try reader.read())
    journalStart = JournalChain(position: start, hash: SHA256.Digest(bytes: try reader.readBytes(32)))
    journalEnd = JournalPosition(rawValue: try reader.read())
    while !reader.isAtEnd { lineage.append(JournalPosition(rawValue: try reader.read())) }
  }
}

/// What a backup has the disk do. `save` numbers the attempts of this node: what came of another is of no use.
public enum BackupJob: Sendable {
  /// A backup is begun. Where journals are to go on that the one before has is told.
  case begin(save: UInt64, directory: String, cluster: UInt64)
  /// A frozen state is written, and stays to be read.
  case keep(SnapshotFile)
  case letGo(ShardID)
  /// `link`: who asks; nil: this node.
  case read(BackupRead, byteCount: Int, link: LinkID?)
  /// The same of a journal's segment that is in the archive.
  case readArchive(BackupRead, byteCount: Int, cluster: UInt64, link: LinkID?)
  case receive(save: UInt64, ShardID, BackupHead)
  case writeState(save: UInt64, ShardID, offset: UInt64, bytes: [UInt8])
  case writeJournal(save: UInt64, ShardID, position: JournalPosition, bytes: [UInt8])
  /// All of a part is there. `file`: its state is that snapshot of this node's own, and was not received.
  case add(save: UInt64, BackupPart, file: SnapshotFile?)
  case finish(save: UInt64, cut: Stamp)
  case giveUp
  /// The newest backup there is looked at, to begin a cluster with it.
  case open(directory: String)
  /// A part of it becomes the snapshot that a replica of the new cluster begins with, and stays to be read.
  case export(ShardID, Topology)
  /// As `read`, of what was exported, and of the backup's journals.
  case readSaved(BackupRead, byteCount: Int, link: LinkID?)
  case close

  /// This node's own journals have a lane of theirs, and so has the archive.
  package var lane: Int {
    switch self {
    case .read(let read, _, _) where read.what == .journal: 0
    case .readArchive: 5
    default: 3
    }
  }
}

/// What came of it.
public enum BackupStep: Sendable {
  case begun(save: UInt64, journals: [ShardID: JournalPosition])
  case read(BackupRead, bytes: [UInt8], link: LinkID?)
  /// It is not there, or cannot be read: why.
  case unread(BackupRead, String, link: LinkID?)
  /// What was to be read is in the archive.
  case inArchive(BackupRead, link: LinkID?)
  /// From which byte on its state is wanted.
  case receives(save: UInt64, ShardID, from: UInt64)
  case written(save: UInt64, ShardID)
  case added(save: UInt64, ShardID)
  case finished(save: UInt64, BackupManifest, written: UInt64, byteCount: UInt64)
  /// - Parameter isLasting: to try again would not help.
  case failed(save: UInt64, String, isLasting: Bool)
  /// Nil: why not.
  case outlined(BackupOutline?, String)
  case exported(ShardID, BackupHead?, String)
}
