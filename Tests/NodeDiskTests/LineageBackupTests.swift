import Base
import Storage
import Testing

@testable import Cluster
@testable import Ledger
@testable import NodeDisk
@testable import Raft

/// Backups of shards whose records refer to the journals of others, which may be no more.
@Suite struct LineageBackupTests {
  let disk = MemoryFileSystem()
  private let journal = HandMadeJournal(ShardID(3), frames: 60)

  /// A part that refers to a journal up to the end of a frame.
  private func part(_ shard: UInt32, _ frame: Int) -> BackupPart {
    var part = BackupPart(
      shard: ShardID(shard), slots: .none, epoch: 1, index: LogIndex(5), term: Term(1), stamp: .zero,
      journal: JournalChain(position: JournalPosition(beginningOf: ShardID(shard)), hash: SHA256.Digest()))
    part.lineage = [journal.frames[frame].end]
    return part
  }
  private func add(_ part: BackupPart, to saving: BackupSaving) throws {
    var ledger = Ledger(shard: part.shard, limits: LedgerLimits())
    ledger.core.semantics = Semantics.newest
    for end in part.lineage {
      _ = ledger.tables.moves.ancestors.append(AncestorRecord(end: end.position, chain: end.hash))
    }
    let store = try SnapshotStore(directory: "/states", fileSystem: disk)
    let writer = try store.create(shard: part.shard, index: part.index, term: part.term, metadata: [])
    let frozen = ledger.beginSnapshot()
    try frozen.write { try writer.append($0) }
    ledger.endSnapshot(frozen)
    try saving.add(part, from: try store.open(try writer.finish()))
  }
  private func save(_ parts: [BackupPart], bringing frames: Range<Int>) throws -> BackupManifest {
    let saving = try BackupSaving("/backups", fileSystem: disk, cluster: 9)
    let start = saving.journalEnds[ShardID(3)] ?? JournalPosition(beginningOf: ShardID(3))
    if !frames.isEmpty { #expect(start == journal.frames[frames.lowerBound].start) }
    for frame in journal.frames[frames] { try saving.writeJournal(frame.bytes, at: frame.start) }
    for part in parts { try add(part, to: saving) }
    return try saving.finish(cut: .zero)
  }
  /// What is wrong with journals.
  private func findings() throws -> [String] {
    var verifier = try BackupVerifier("/backups", fileSystem: disk)
    verifier.verify()
    return verifier.findings.filter { $0.contains("journal") }
  }

  @Test func theJournalsOfShardsThatAreNoMoreAreInIt() throws {
    let first = try save([part(1, 19), part(2, 9)], bringing: 0..<20)
    #expect(first.journals == [journal.frames[19].end] && first.end(of: ShardID(3)) == journal.frames[19].end)
    #expect(try findings().isEmpty)
    // The next has what has come since.
    let second = try save([part(1, 19), part(2, 49)], bringing: 20..<50)
    #expect(second.number == 2 && second.journals == [journal.frames[49].end])
    #expect(try findings().isEmpty && BackupDirectory("/backups", fileSystem: disk).manifest(1) == first)
    // And one in which nobody refers to as much keeps it.
    let third = try save([part(1, 19)], bringing: 50..<50)
    #expect(try third.journals == [journal.frames[49].end] && findings().isEmpty)
  }
  @Test func whatIsNotTheJournalIsNoBackup() throws {
    var wrong = part(2, 9)
    wrong.lineage[0].hash = SHA256.digest([1])
    #expect(throws: StorageError.self) { try save([part(1, 19), wrong], bringing: 0..<20) }
    #expect(throws: StorageError.self) { try save([part(1, 19)], bringing: 0..<19) }
    #expect(try BackupDirectory("/backups", fileSystem: disk).newest() == nil)
  }
  @Test func whatIsFlippedInItIsNamed() throws {
    _ = try save([part(1, 19), part(2, 9)], bringing: 0..<20)
    let path = try #require(disk.paths.first { $0.hasSuffix("00000003-00000001") })
    disk.flipBit(path, bit: 300 * 8)
    #expect(try findings().contains { $0.contains("the journal of shard 3 is not what was written") })
  }

  /// Nobody refers to it any more: older backups have it all the same, until they are removed.
  @Test func aJournalStaysWhileABackupHasIt() throws {
    _ = try save([part(1, 19)], bringing: 0..<20)
    var alone = part(1, 19)
    alone.lineage = []
    let second = try save([alone], bringing: 0..<0)
    #expect(second.journals.isEmpty)
    _ = try save([alone], bringing: 0..<0)
    func journalFindings(_ number: UInt32) throws -> [String] {
      var verifier = try BackupVerifier("/backups", fileSystem: disk)
      verifier.verify(backup: number)
      return verifier.findings.filter { $0.contains("journal") }
    }
    #expect(try journalFindings(1).isEmpty && journalFindings(3).isEmpty)
    var isThere: Bool { disk.paths.contains { $0.hasSuffix("00000003-00000001") } }
    #expect(isThere)
    _ = try BackupPruner.prune("/backups", fileSystem: disk, keep: 3)
    #expect(isThere)
    let report = try BackupPruner.prune("/backups", fileSystem: disk, keep: 2)
    #expect(report.kept == [2, 3] && report.removed == [1] && !isThere)
    #expect(try journalFindings(2).isEmpty && journalFindings(3).isEmpty)
  }

  /// It is restored: a node fetches for its shard what that refers to.
  @Test func aRestoredShardReadsThem() throws {
    _ = try save([part(1, 19)], bringing: 0..<20)
    let directory = try BackupDirectory("/backups", fileSystem: disk)
    let manifest = try #require(try directory.newest())
    let end = try #require(manifest.end(of: ShardID(3)))
    let target = try NodeStorage.open(
      dataDirectory: "/data", fileSystem: disk, newIdentity: 7, wall: .zero,
      logOptions: WriteAheadLog.Options(segmentBytes: 64 << 10)
    ).storage
    let shard = ShardID(1)
    let own = JournalChain(position: JournalPosition(beginningOf: shard), hash: SHA256.Digest())
    guard
      case .transferred(.journalOpened(8, let starts)) = target.run(
        .transfer(.openJournal(8, shard: shard, from: own, lineage: [end.position])))
    else { throw MalformedBytes("nothing is wanted") }
    let source = BackupJournal(directory: directory, end: end.position)
    let route = JournalRoute(from: starts, to: [end.position])
    var next = route.start
    while let position = next {
      var bytes = [UInt8](repeating: 0, count: 700)
      let count = try bytes.withUnsafeMutableBytes { try source.read(at: position, into: $0) }
      try #require(count > 0)
      bytes.removeLast(bytes.count - count)
      guard
        case .transferred(.written) = target.run(.transfer(.writeJournal(8, position: position, bytes: bytes)))
      else { throw MalformedBytes("it is not taken") }
      next = route.next(from: position.advanced(by: count))
    }
    #expect(target.incoming[8]?.receiver(of: ShardID(3))?.chain == end)
    // The plan comes to nothing.
    _ = target.run(.sweepJournals(.none))
    #expect(try target.journals.shards().isEmpty)
  }
}
