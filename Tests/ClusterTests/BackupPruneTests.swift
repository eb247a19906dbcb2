import Base
import NodeDisk
import Storage
import Testing

@testable import Cluster
@testable import Simulator

/// What backups a directory has, and what is left of it when older ones are removed.
@Suite struct BackupPruneTests {
  private static let path = SavedCluster.directory

  /// Four backups of a cluster that works on.
  private func makeSaved(seed: UInt64, shards: Int = 2) throws -> SavedCluster {
    let saved = try SavedCluster(seed: seed, nodes: 3, shards: shards)
    for round in 1...4 {
      try saved.trade(round, count: 150)
      saved.simulation.run(for: 2_000_000)
      let record = try saved.save(on: 0, round)
      try #require(record.contains("state=done"), "\(record)")
    }
    return saved
  }
  private func copy(of saved: SavedCluster) throws -> MemoryFileSystem {
    let disk = MemoryFileSystem()
    try RestoredCluster.copy(saved.simulation.hosts[0].disk, to: disk)
    return disk
  }
  private func findings(_ saved: SavedCluster, _ disk: MemoryFileSystem, _ backups: [UInt32]) throws -> [String] {
    var verifier = try BackupVerifier(
      Self.path, fileSystem: disk, limits: saved.simulation.hosts[0].configuration.ledgerLimits)
    for number in backups { verifier.verify(backup: number) }
    return verifier.findings
  }
  private func listed(_ disk: MemoryFileSystem) throws -> [UInt32] {
    try BackupListing(Self.path, fileSystem: disk).rows.filter { $0.state == .whole }.map(\.backup)
  }
  private func contents(_ disk: MemoryFileSystem) -> [String: [UInt8]] {
    let paths = disk.paths.filter { !$0.hasSuffix("/lock") }
    return Dictionary(uniqueKeysWithValues: paths.map { ($0, disk.contents($0) ?? []) })
  }

  @Test func aListSaysWhatIsThere() throws {
    let saved = try makeSaved(seed: 951)
    let disk = try copy(of: saved)
    let rows = try BackupListing(Self.path, fileSystem: disk).rows
    #expect(rows.map(\.backup) == [1, 2, 3, 4] && rows.allSatisfy { $0.state == .whole })
    let contents = try rows.map { try #require($0.contents) }
    #expect(contents.allSatisfy { $0.shards == 2 && $0.members >= UInt64(saved.members.count) })
    #expect(zip(contents, contents.dropFirst()).allSatisfy { $0.cut < $1.cut && $0.bytes < $1.bytes })
    #expect(contents.allSatisfy { $0.written > 0 && $0.written < $0.bytes })
    // One that was begun, and one whose file is cut.
    try disk.createDirectory(Self.path + "/00000005")
    let path = Self.path + "/00000003/00000001.pages"
    let file = try disk.open(path, create: false)
    try file.truncate(file.size() - 1)
    let after = try BackupListing(Self.path, fileSystem: disk).rows
    #expect(after.map(\.state).suffix(3) == [.damaged, after[3].state, .unfinished])
    #expect(after[2].finding?.contains(path) == true && after[4].contents == nil)
  }

  @Test func olderOnesGoAndTheNextSaveGoesOn() throws {
    let saved = try makeSaved(seed: 952)
    let disk = saved.simulation.hosts[0].disk
    let before = disk.usedByteCount
    let would = try BackupPruner.prune(Self.path, fileSystem: disk, keep: 2, isDryRun: true)
    #expect(try disk.usedByteCount == before && listed(disk) == [1, 2, 3, 4])
    let report = try BackupPruner.prune(Self.path, fileSystem: disk, keep: 2)
    #expect(report.kept == [3, 4] && report.removed == [1, 2] && report.freedBytes > 0)
    #expect(would.freedBytes == report.freedBytes && would.removed == report.removed)
    #expect(try listed(disk) == [3, 4] && findings(saved, disk, [3, 4]) == [])
    #expect(try saved.verified().findings == [])
    // Said again it has nothing to do.
    let again = try BackupPruner.prune(Self.path, fileSystem: disk, keep: 2)
    #expect(again.removed == [] && again.freedBytes == 0)
    try saved.trade(5)
    #expect(try saved.save(on: 0, 5).contains("state=done"))
    #expect(try listed(disk) == [3, 4, 5] && findings(saved, disk, [3, 4, 5]) == [])
    _ = try BackupPruner.prune(Self.path, fileSystem: disk, keep: 1)
    #expect(try listed(disk) == [5] && saved.verified().findings == [])
    let restored = try RestoredCluster(of: saved, on: 0, seed: 953, nodes: 3)
    #expect(try restored.restore().contains("cluster="))
    #expect(try restored.awaitProof().contains("state=done"))
  }

  /// The power goes behind each change to the disk, which keeps of what was not synced nothing, all, or some of it.
  @Test func thoseThatAreKeptAreWholeAtEveryMoment() throws {
    let saved = try makeSaved(seed: 954, shards: 1)
    let whole = try copy(of: saved)
    _ = try BackupPruner.prune(Self.path, fileSystem: whole, keep: 2)
    let counted = try copy(of: saved)
    let before = counted.steps
    _ = try BackupPruner.prune(Self.path, fileSystem: counted, keep: 2)
    let steps = counted.steps - before
    #expect(steps > 15)
    for step in 0..<steps {
      let survivors = [.nothing, .everything, .some(seed: UInt64(step))][step % 3] as MemoryFileSystem.Survivors
      let disk = try copy(of: saved)
      disk.cutPower(afterSteps: step)
      #expect(throws: StorageError.self) { try BackupPruner.prune(Self.path, fileSystem: disk, keep: 2) }
      disk.crash(survivors)
      let left = try listed(disk)
      #expect(left.suffix(2) == [3, 4], "step \(step), \(survivors): \(left)")
      #expect(try findings(saved, disk, left) == [], "what is listed is whole: step \(step), \(survivors): \(left)")
      _ = try BackupPruner.prune(Self.path, fileSystem: disk, keep: 2)
      let (found, wanted) = (contents(disk), contents(whole))
      #expect(found.keys.sorted() == wanted.keys.sorted(), "step \(step), \(survivors)")
      if step % 5 == 0 { #expect(try findings(saved, disk, [3, 4]) == []) }
    }
  }

  @Test func nothingIsRemovedThatIsNotKnownToBeOfNoUse() throws {
    let saved = try makeSaved(seed: 955)
    let disk = try copy(of: saved)
    let before = contents(disk)
    for path in ["/00000004/manifest", "/00000003/00000002.list"] {
      disk.flipBit(Self.path + path, bit: 77)
      #expect(throws: StorageError.self) { try BackupPruner.prune(Self.path, fileSystem: disk, keep: 2) }
      disk.flipBit(Self.path + path, bit: 77)
      #expect(contents(disk) == before)
    }
    // One that goes may be damaged.
    disk.flipBit(Self.path + "/00000001/manifest", bit: 77)
    #expect(try BackupPruner.prune(Self.path, fileSystem: disk, keep: 2).removed == [1, 2])
    #expect(try findings(saved, disk, [3, 4]) == [])
    let none = MemoryFileSystem()
    #expect(throws: StorageError.self) { try BackupPruner.prune(Self.path, fileSystem: none, keep: 2) }
  }
}
