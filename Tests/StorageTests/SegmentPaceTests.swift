import Base
import Synchronization
import Testing

@testable import Storage

/// The next segment is made no faster than the log's writes bear, and is there when the log needs it.
@Suite struct SegmentPaceTests {
  private static let mebibyte = 1 << 20
  private static let options = WriteAheadLog.Options(segmentBytes: 16 * mebibyte)
  private let disk = MemoryFileSystem()

  private func open() throws -> WriteAheadLog {
    try WriteAheadLog(directory: "wal", fileSystem: disk, options: Self.options)
  }

  @Test func aLogThatIsFarFromItsEndLetsTheNextSegmentWait() throws {
    let log = try open()
    let pacer = CountingPacer()
    while try log.prepareSpare(pacer) {}
    #expect(pacer.waits.withLock { $0 } == Array(repeating: BulkSync.bytes, count: 64))
    #expect(pacer.open.load(ordering: .relaxed) == 0)
  }

  /// The log is at 5 of its 16 MB and writes another one whenever the next segment is to wait: that stays twice as far.
  @Test func theNextSegmentStaysAheadOfTheLog() throws {
    let log = try open()
    var next: UInt64 = 1
    func write(_ count: Int) throws {
      for _ in 0..<count {
        try log.write([entry(shardOne, next, size: Self.mebibyte)])
        next += 1
      }
    }
    try write(5)
    let pacer = CountingPacer { if next < 15 { try? write(1) } }
    while try log.prepareSpare(pacer) {}
    #expect(log.segmentCount == 1)
    // Ten at once, then one more of its own for each that it writes of the next: at eight there is no time to wait.
    #expect((1...3).contains(pacer.waits.withLock { $0.count }))
    let before = disk.paths.count { $0.hasSuffix(".wal") }
    while log.segmentCount == 1 { try write(1) }
    #expect(disk.paths.count { $0.hasSuffix(".wal") } == before, "it was ready")
  }

  /// Whatever part of it is done when the process ends, the next start uses what is there, and leaves nothing lying about.
  @Test func aStartGoesOnWithASegmentThatIsHalfMade() throws {
    for step in 1...30 {
      let disk = MemoryFileSystem()
      let log = try WriteAheadLog(directory: "wal", fileSystem: disk, options: Self.options)
      try log.write([entry(shardOne, 1, size: 8_000)])
      disk.cutPower(afterSteps: step)
      do { while try log.prepareSpare(CountingPacer()) {} } catch {}
      disk.crash(.nothing)
      let again = try WriteAheadLog(directory: "wal", fileSystem: disk, options: Self.options)
      #expect(again.damage == nil && again.takeRecovered().first?.entries.count == 1, "\(step)")
      while try again.prepareSpare() {}
      #expect(again.bytes <= 3 * 16 * Self.mebibyte, "\(step): \(disk.paths)")
      #expect(disk.paths.count { $0.hasSuffix(".tmp") } <= 1, "\(step): \(disk.paths)")
    }
  }
}

private final class CountingPacer: WritePacer, @unchecked Sendable {
  let waits = Mutex<[Int]>([])
  let open = Atomic<Int>(0)
  private let body: () -> Void
  init(_ body: @escaping () -> Void = {}) { self.body = body }
  func began() { open.add(1, ordering: .relaxed) }
  func wrote(_ byteCount: Int) {
    waits.withLock { $0.append(byteCount) }
    body()
  }
  func ended() { open.subtract(1, ordering: .relaxed) }
}
