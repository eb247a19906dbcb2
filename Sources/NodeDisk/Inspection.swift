import Base
import Cluster
import Ledger
import Storage

/// What lies in a data directory whose node does not run, in lines for a person: a record each, then what was found of it. What
/// cannot be read is named with file and offset, and reading goes on with the next shard.
public struct Inspection {
  private let directory: String
  private let fileSystem: any FileSystem
  /// Only of this shard; nil: of all.
  private let shard: ShardID?
  private let write: (String) -> Void
  private let lock: any FileLock
  /// What could not be read.
  public private(set) var faults = 0

  /// Throws `.locked` while a node runs on the directory.
  public init(
    directory: String, fileSystem: any FileSystem, shard: ShardID?, write: @escaping (String) -> Void
  ) throws(StorageError) {
    guard try fileSystem.exists(directory + "/identity") else {
      throw StorageError(.refused, path: directory, operation: "inspect", reason: "it is no data directory of a node")
    }
    self.directory = directory
    self.fileSystem = fileSystem
    self.shard = shard
    self.write = write
    lock = try fileSystem.lock(directory + "/lock")
  }

  private func isWanted(_ other: ShardID) -> Bool { shard.map { $0 == other } ?? true }
  private mutating func report(_ subject: String, _ error: any Error) {
    faults += 1
    write("bad \(subject): \(error)")
  }

  public mutating func log() {
    var (records, file) = (0, "")
    do throws(StorageError) {
      try LogInspection.read(directory: directory + "/wal", fileSystem: fileSystem) { record in
        guard isWanted(record.shard) else { return }
        if record.path != file { write("file \(record.path)") }
        file = record.path
        records += 1
        write(
          "offset=\(record.offset) batch=\(record.batch) shard=\(record.shard.rawValue) kind=\(record.kind)"
            + " index=\(record.index.rawValue) term=\(record.term.rawValue) bytes=\(record.payloadBytes)")
      }
      write("sound: \(records) records")
    } catch {
      report("log, after \(records) records", error)
    }
  }

  public mutating func snapshots() throws(StorageError) {
    let store = try SnapshotStore(directory: directory + "/snapshots", fileSystem: fileSystem, isReadOnly: true)
    let shards = try store.shards().filter(isWanted)
    if shards.isEmpty { write("sound: no snapshots") }
    for shard in shards {
      do throws(StorageError) {
        guard let newest = try store.newest(shard) else { continue }
        for file in try store.chain(of: newest) {
          let metadata = SnapshotMetadata(file.metadata)
          write(
            "shard=\(shard.rawValue) index=\(file.index.rawValue) term=\(file.term.rawValue)"
              + " base=\(file.base.map { "\($0.index.rawValue)" } ?? "none") bytes=\(file.byteCount)"
              + " journal=\(metadata.map { "\($0.journalEnd)" } ?? "unknown")"
              + (metadata?.lineage.map { " refers=\($0)" }.joined() ?? "")
              + " configuration=\(metadata.map { "\($0.configuration.version)" } ?? "unknown") digest=\(file.digest.hex)"
              + " file=\(file.path)")
          try store.verify(file)
        }
        write("sound: shard \(shard.rawValue)")
      } catch {
        report("shard \(shard.rawValue)", error)
      }
    }
  }

  public mutating func journals() throws(StorageError) {
    let store = try JournalStore(directory: directory + "/journal", fileSystem: fileSystem, hasArchive: true)
    let shards = try store.shards().filter(isWanted)
    if shards.isEmpty { write("sound: no journals") }
    for shard in shards {
      var records = 0
      do {
        let end = try store.end(shard)
        let archived = try store.archivedCount(shard)
        for seal in try store.sealed(shard) {
          let isArchived = seal.segment <= archived
          write(
            "shard=\(shard.rawValue) segment=\(seal.segment) bytes=\(seal.byteCount) seal=\(seal.digest.hex)"
              + " place=\(isArchived ? "archive" : "here")")
          if isArchived { continue }
          try store.verify(shard, segment: seal.segment)
        }
        guard shard != .directory else {
          write("sound: the directory's journal, to \(end); its records are shown by HISTORY")
          continue
        }
        let view = JournalView(store: store, shard: shard)
        let start = JournalPosition(journal: shard, segment: archived + 1, offset: 0)
        try JournalInspection.read(from: start, to: end, in: view) { record in
          records += 1
          write(
            "at=\(record.position) index=\(record.index) kind=\(record.kind) tx=\(record.tx.slot.rawValue)-\(record.tx.sequence) time=\(record.stamp.milliseconds)"
              + " member=\(record.member) points=\(record.points) balance=\(record.balance)"
              + " request=\(record.request.isEmpty ? "none" : record.request)")
        }
        let missing = archived > 0 ? ", behind \(archived) segments in the archive" : ""
        write("sound: shard \(shard.rawValue), \(records) records, to \(end)\(missing)")
      } catch {
        report("shard \(shard.rawValue), after \(records) records", error)
      }
    }
  }
}
