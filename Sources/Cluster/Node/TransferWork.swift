import Base
import Ledger
import Raft
import Storage

/// A step of a transfer that the disk is to do.
public enum TransferJob: Sendable {
  case openOutgoing(UInt64, shard: ShardID)
  case readFile(UInt64, offset: UInt64, byteCount: Int)
  case readJournal(UInt64, shard: ShardID, position: JournalPosition, byteCount: Int)
  case closeOutgoing(UInt64)
  /// The receiver had it all and did not take it: is it what was written?
  case verifySent(UInt64, shard: ShardID)
  /// `from`: where this replica's own journal ends; nil if its kind has none.
  case openIncoming(
    UInt64, link: LinkID, shard: ShardID, index: LogIndex, term: Term, digest: SHA256.Digest, byteCount: UInt64,
    from: JournalChain)
  case writeFile(UInt64, offset: UInt64, bytes: [UInt8])
  case writeJournal(UInt64, position: JournalPosition, bytes: [UInt8])
  case install(UInt64)
  case dropIncoming(UInt64)

  /// The journals belong to lane 0, and so does everything that must keep its order with them; files that are only read
  /// go with the snapshots.
  package var lane: Int {
    switch self {
    case .openOutgoing, .readFile, .closeOutgoing, .verifySent: 1
    default: 0
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
  case incomingOpened(UInt64, link: LinkID, shard: ShardID, offset: UInt64, journal: JournalPosition)
  case written(UInt64)
  case installed(UInt64, LoadedSnapshot)
  /// Our own snapshot is not what was written, or cannot be read.
  case rotten(UInt64, shard: ShardID, String)
  case failed(UInt64, String)
  case backup(BackupStep)
}

extension TransferJob {
  package var number: UInt64 {
    switch self {
    case .openOutgoing(let n, _), .readFile(let n, _, _), .readJournal(let n, _, _, _), .closeOutgoing(let n),
      .openIncoming(let n, _, _, _, _, _, _, _), .writeFile(let n, _, _), .writeJournal(let n, _, _), .install(let n),
      .dropIncoming(let n), .verifySent(let n, _):
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

/// What stands in front of a snapshot's body: the shard's configuration, and where its journal ended.
package struct SnapshotMetadata {
  package var configuration: Configuration
  package var journalEnd: JournalPosition

  package init(configuration: Configuration, journalEnd: JournalPosition) {
    self.configuration = configuration
    self.journalEnd = journalEnd
  }
  package init?(_ bytes: [UInt8]) {
    let decoded: (Configuration, JournalPosition)? = bytes.withUnsafeBytes { raw in
      var reader = ByteReader(raw)
      guard let end: UInt64 = try? reader.read(), let configuration = try? Configuration(decoding: &reader) else {
        return nil
      }
      return (configuration, JournalPosition(rawValue: end))
    }
    guard let decoded else { return nil }
    configuration = decoded.0
    journalEnd = decoded.1
  }
  package var bytes: [UInt8] {
    var buffer = ByteBuffer(capacity: 256)
    buffer.append(journalEnd.rawValue)
    configuration.encode(into: &buffer)
    return buffer.array
  }
}
