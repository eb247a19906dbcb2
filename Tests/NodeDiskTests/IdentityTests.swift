import Base
import Storage
import Testing

@testable import Cluster
@testable import NodeDisk

/// Whose data directory it is, and what a start makes of one that is not whole.
@Suite struct IdentityTests {
  private func open(_ disk: MemoryFileSystem, new identity: UInt64) throws -> NodeID {
    try NodeStorage.open(
      dataDirectory: "/data", fileSystem: disk, newIdentity: identity, wall: Stamp(microseconds: 1),
      logOptions: .init(segmentBytes: 1 << 20, maxRecordBytes: 512 << 10)
    ).recovered.identity
  }
  private func problem(_ disk: MemoryFileSystem) -> String {
    do {
      _ = try open(disk, new: 9)
      return "none"
    } catch { return "\(error)" }
  }

  @Test func theSameCommandStartsANodeWhoseFirstStartWasCutOffAnywhere() throws {
    let whole = MemoryFileSystem()
    _ = try open(whole, new: 1)
    try #require(whole.steps > 5)
    for step in 0...whole.steps {
      for seed in 0..<4 {
        let disk = MemoryFileSystem()
        disk.cutPower(afterSteps: step)
        _ = try? open(disk, new: 2)
        disk.crash(seed == 0 ? .everything : .some(seed: UInt64(seed)))
        let first = try open(disk, new: 3)
        disk.crash(.nothing)
        #expect(try open(disk, new: 4) == first, "cut off after \(step) steps")
      }
    }
  }

  /// Neither rot in one place nor power lost in the middle of a start makes an incarnation come twice.
  @Test func incarnationsRiseWhateverBecomesOfOneSlot() throws {
    for seed in UInt64(0)..<40 {
      let disk = MemoryFileSystem()
      var last: UInt64 = 0
      for start in 0..<8 {
        if start > 0 && (seed + UInt64(start)) % 3 == 0 {
          disk.flipBit("/data/incarnation", bit: Int((seed % 2) * 4096 + seed % 12) * 8)
        }
        // The clock is set back all the time.
        let wall = Stamp(microseconds: 1_000 - Int64(start))
        try disk.createDirectory("/data")
        disk.cutPower(afterSteps: (seed + UInt64(start)) % 4 == 1 ? Int(seed) % 4 : nil)
        let next = try? Incarnation.next(directory: "/data", fileSystem: disk, wall: wall).number
        if let next { #expect(next > last, "seed \(seed), start \(start)") }
        last = max(last, next ?? 0)
        disk.crash(.some(seed: seed))
        // A start that was cut off is followed by one that is not, before anything rots again.
        if next == nil {
          let again = try Incarnation.next(directory: "/data", fileSystem: disk, wall: wall).number
          #expect(again > last, "seed \(seed), start \(start), again")
          last = max(last, again)
          disk.crash(.nothing)
        }
      }
    }
  }

  @Test func anIdentityWithoutItsLogIsRefused() throws {
    let disk = MemoryFileSystem()
    _ = try open(disk, new: 1)
    disk.crash(.everything)
    for path in disk.paths where path.hasPrefix("/data/wal/") { try disk.remove(path) }
    #expect(problem(disk).contains("the identity is there but the log is not; restore it, or give this node an empty"))
  }

  @Test func aLogWithoutItsIdentityIsRefused() throws {
    let disk = MemoryFileSystem()
    _ = try open(disk, new: 1)
    disk.crash(.everything)
    try disk.remove("/data/identity")
    #expect(problem(disk).contains("the log is there but the identity is not; restore it, or give this node an empty"))
  }

  @Test func aDirectoryInUseIsNamedAndWhatToDo() throws {
    let disk = MemoryFileSystem()
    let first = try NodeStorage.open(
      dataDirectory: "/data", fileSystem: disk, newIdentity: 1, wall: Stamp(microseconds: 1),
      logOptions: .init(segmentBytes: 1 << 20, maxRecordBytes: 512 << 10))
    #expect(problem(disk).contains("the directory is in use by another process; stop that, or name another directory"))
    _ = first.storage
  }
}
