import Base
import Ledger
import Raft
import Storage

/// A step of a transfer that the disk is to do.
public enum TransferJob: Sendable {
  case openOutgoing(UInt64, shard: ShardID)
  case readFile(UInt64, offset: UInt64, byteCount: Int)
  case readJournal(UInt64, shard: ShardID, position: JournalPosition, byteCount: Int)
  /// The same of a segment that is in the archive.
  case readArchive(UInt64, shard: ShardID, position: JournalPosition, byteCount: Int, cluster: UInt64)
  case closeOutgoing(UInt64)
  /// The receiver had it all and did not take it: is it what was written?
  case verifySent(UInt64, shard: ShardID)
  // A peer's snapshot on its way here. First what has come of it before is looked for: the file's part, and the journal from
  // `from` on, where this replica's own ends.
  case openPart(
    UInt64, shard: ShardID, index: LogIndex, term: Term, digest: SHA256.Digest, byteCount: UInt64)
  /// `lineage`: where those of other shards end that the snapshot's records refer to.
  case openJournal(UInt64, shard: ShardID, from: JournalChain, lineage: [JournalPosition] = [])
  /// What has come before is followed further.
  case followJournal(UInt64)
  case writeFile(UInt64, offset: UInt64, bytes: [UInt8])
  case writeJournal(UInt64, position: JournalPosition, bytes: [UInt8])
  /// All has come: the file is verified, read and made durable.
  case load(UInt64)
  /// Its journals are the ones that it was taken with, and are made durable; then it counts.
  case settle(UInt64, LoadedPart)
  case dropPart(UInt64)
  case dropJournal(UInt64)

  /// The journals belong to lane 0, and so does everything that must keep its order with them; files that are only read
  /// go in lane 1; files that come, which take long to be verified and read, in a lane of their own.
  package var lane: Int {
    switch self {
    case .openOutgoing, .readFile, .closeOutgoing, .verifySent: 1
    case .openPart, .writeFile, .load, .dropPart: 4
    case .readJournal, .openJournal, .followJournal, .writeJournal, .settle, .dropJournal: 0
    case .readArchive: 5
    }
  }
}

/// What came of it.
public enum TransferStep: Sendable {
  case outgoingOpened(UInt64, SnapshotFile)
  /// Our newest snapshot has changes only: it must be whole to be sent.
  case wholeWanted(UInt64, shard: ShardID)
  case fileRead(UInt64, offset: UInt64, bytes: [UInt8])
  case journalRead(UInt64, position: JournalPosition, bytes: [UInt8])
  /// What was to be read is in the archive.
  case journalArchived(UInt64, shard: ShardID, position: JournalPosition, byteCount: Int)
  /// The file is wanted from there on.
  case partOpened(UInt64, offset: UInt64)
  case journalFollowed(UInt64)
  /// From there on journals are wanted, the shard's own last: of the others only those that are not here that far.
  case journalOpened(UInt64, [JournalPosition])
  case written(UInt64)
  case loaded(UInt64, LoadedPart)
  case installed(UInt64, LoadedSnapshot)
  /// Our own snapshot is not what was written, or cannot be read.
  case rotten(UInt64, shard: ShardID, String)
  case failed(UInt64, String)
  case backup(BackupStep)
}

extension TransferJob {
  /// Of a peer's snapshot or its journals, to be written.
  package var receivedBytes: Int {
    switch self {
    case .writeFile(_, _, let bytes), .writeJournal(_, _, let bytes): bytes.count
    default: 0
    }
  }
  package var number: UInt64 {
    switch self {
    case .openOutgoing(let n, _), .readFile(let n, _, _), .readJournal(let n, _, _, _), .closeOutgoing(let n),
      .verifySent(let n, _), .openPart(let n, _, _, _, _, _), .openJournal(let n, _, _, _), .followJournal(let n),
      .readArchive(let n, _, _, _, _), .writeFile(let n, _, _), .writeJournal(let n, _, _), .load(let n),
      .settle(let n, _), .dropPart(let n),
      .dropJournal(let n):
      n
    }
  }
}

/// A peer's snapshot, verified and read.
public struct LoadedSnapshot: @unchecked Sendable {
  package var file: SnapshotFile
  package var machine: RestoredMachine
  package var configuration: Configuration

  package init(file: SnapshotFile, machine: RestoredMachine, configuration: Configuration) {
    self.file = file
    self.machine = machine
    self.configuration = configuration
  }
}
/// The same before it counts: its file has no name yet.
public struct LoadedPart: @unchecked Sendable {
  package var receiver: SnapshotReceiver
  package var snapshot: LoadedSnapshot

  package init(receiver: SnapshotReceiver, snapshot: LoadedSnapshot) {
    self.receiver = receiver
    self.snapshot = snapshot
  }
}

/// What stands in front of a snapshot's body: the shard's configuration, where its journal ended, and where others' did.
package struct SnapshotMetadata {
  package var configuration: Configuration
  package var journalEnd: JournalPosition

  /// Where those of other shards end to which its records refer, one a journal.
  package var lineage: [JournalPosition] = []

  package init(
    configuration: Configuration, journalEnd: JournalPosition, lineage: [JournalPosition] = []
  ) {
    self.configuration = configuration
    self.journalEnd = journalEnd
    self.lineage = lineage
  }
  package init?(_ bytes: [UInt8]) {
    let decoded: Result<SnapshotMetadata, MalformedBytes> = bytes.withUnsafeBytes { raw in
      var reader = ByteReader(raw)
      do throws(MalformedBytes) { return .success(try SnapshotMetadata(decoding: &reader)) } catch {
        return .failure(error)
      }
    }
    guard let decoded = try? decoded.get() else { return nil }
    self = decoded
  }
  private init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    journalEnd = JournalPosition(rawValue: try reader.read())
    configuration = try Configuration(decoding: &reader)
    // Of a shard whose records refer to its own journal alone there is no more.
    guard !reader.isAtEnd else { return }
    _ = try reader.read(UInt8.self)
    while !reader.isAtEnd { lineage.append(JournalPosition(rawValue: try reader.read())) }
  }
  package var bytes: [UInt8] {
    var buffer = ByteBuffer(capacity: 256)
    buffer.append(journalEnd.rawValue)
    configuration.encode(into: &buffer)
    if !lineage.isEmpty {
      buffer.append(UInt8(0))
      for end in lineage { buffer.append(end.rawValue) }
    }
    return buffer.array
  }
}
