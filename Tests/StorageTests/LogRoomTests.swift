import Base
import Testing

@testable import Storage

/// The log and the ballast when there is hardly any room.
@Suite struct LogRoomTests {
  let disk = MemoryFileSystem()
  let options = WriteAheadLog.Options(segmentBytes: 1 << 20)

  private func open() throws(StorageError) -> WriteAheadLog {
    try WriteAheadLog(directory: "wal", fileSystem: disk, options: options)
  }
  private func used() -> UInt64 { disk.paths.reduce(0) { $0 + UInt64(disk.contents($1)?.count ?? 0) } }

  @Test func aDiskThatIsNearlyFullStillGetsASmallSegment() throws {
    let log = try open()
    disk.setCapacity(used() + 100 << 10)
    var index: UInt64 = 0
    while log.segmentCount == 1 {
      index += 1
      try log.write([entry(shardOne, index, size: 3000)])
    }
    #expect(log.bytes == 1 << 20 + 64 << 10)
    disk.crash(.nothing)
    disk.setCapacity(.max)
    let again = try open()
    #expect(again.takeRecovered()[0].entries.map(\.index.rawValue) == Array(1...index))
    // It goes when it is not needed any more: spare segments have the usual size.
    try again.write((index + 1...index + 400).map { entry(shardOne, $0, size: 3000) })
    try again.release(shardOne, through: LogIndex(index + 390))
    while try again.prepareSpare() {}
    #expect(again.bytes % (1 << 20) == 0)
  }

  /// What a release could not give back for want of room is given back by the next write that finds some.
  @Test func segmentsThatCouldNotGoGoLater() throws {
    let log = try open()
    var index: UInt64 = 0
    while log.segmentCount < 3 {
      index += 1
      try log.write([entry(shardOne, index, size: 3000)])
    }
    // The last segment is filled to its end, so that what must outlive the others needs another.
    while true {
      let position = index + 1
      disk.setCapacity(used())
      do { try log.write([entry(shardOne, position, size: 3000)]) } catch { break }
      index = position
    }
    #expect { try log.release(shardOne, through: LogIndex(index)) } throws: { ($0 as? StorageError)?.kind == .noSpace }
    #expect(log.segmentCount == 3)
    disk.setCapacity(.max)
    try log.write([entry(shardOne, index + 1, size: 3000)])
    #expect(log.segmentCount == 1)
  }

  @Test func whatIsLiveIsRewrittenASegmentAtATime() throws {
    let log = try open()
    // Of many shards in the same segment: one call moves them all.
    let others = (10..<20).map { ShardID(UInt32($0)) }
    try log.write(others.map { entry($0, 1) } + (1...20).map { entry(shardOne, $0) })
    var index: UInt64 = 0
    func fill(to count: Int) throws {
      while log.segmentCount < count {
        index += 1
        try log.write([entry(shardTwo, index, size: 3000)])
      }
    }
    try fill(to: 2)
    try log.write((21...40).map { entry(shardOne, $0) })
    try fill(to: 4)
    try log.release(shardTwo, through: LogIndex(index))
    #expect(log.segmentCount == 4)
    try log.rewriteOldest()
    #expect(log.segmentCount == 3)
    disk.crash(.nothing)
    let again = try open()
    func areAllThere(_ recovered: [RecoveredShard]) -> Bool {
      recovered.first { $0.shard == shardOne }?.entries.map(\.index.rawValue) == Array(1...40)
        && others.allSatisfy { id in recovered.first { $0.shard == id }?.entries.map(\.index.rawValue) == [1] }
    }
    #expect(areAllThere(again.takeRecovered()))
    // The file of the first one was not used for anything else yet: so it counts again.
    for _ in 0..<3 { try again.rewriteOldest() }
    #expect(again.segmentCount == 1)
    try again.rewriteOldest()
    #expect(again.segmentCount == 1)
    disk.crash(.nothing)
    #expect(areAllThere(try open().takeRecovered()))
  }

  @Test func theBallastHoldsWhatItSaysAndLetsGo() throws {
    try disk.createDirectory("data")
    func make(_ byteCount: UInt64) throws -> Ballast {
      try Ballast(path: "data/ballast", fileSystem: disk, byteCount: byteCount)
    }
    let ballast = try make(1000)
    #expect(try !ballast.release())
    try ballast.take()
    #expect(used() == 1000 && ballast.heldBytes == 1000)
    // The next process finds it, also if it wants another size.
    let next = try make(3000)
    #expect(next.heldBytes == 1000)
    disk.setCapacity(2000)
    #expect { try next.take() } throws: { ($0 as? StorageError)?.kind == .noSpace }
    #expect(used() == 0 && next.heldBytes == 0)
    disk.setCapacity(.max)
    try next.take()
    let smaller = try make(500)
    try smaller.take()
    #expect(used() == 500)
    #expect(try smaller.release())
    #expect(used() == 0 && disk.paths.isEmpty)
  }
}
