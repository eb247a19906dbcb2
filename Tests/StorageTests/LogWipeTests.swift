import Base
import Testing

@testable import Storage

/// What nobody needs any more of the log is gone from the disk.
@Suite struct LogWipeTests {
  let disk = MemoryFileSystem()
  let options = WriteAheadLog.Options(segmentBytes: 64 << 10)

  private func open() throws -> WriteAheadLog {
    try WriteAheadLog(directory: "wal", fileSystem: disk, options: options)
  }
  private func secret(_ index: UInt64) -> LogRecord {
    let payload = Array("Secret-\(index)".utf8)
    return LogRecord(
      shard: shardOne, body: .entry(LogEntry(index: LogIndex(index), term: Term(1), kind: .command, payload: payload)))
  }
  /// In how many files it is.
  private func files(with text: String) -> Int {
    let sought = Array(text.utf8)
    return disk.paths.count { path in
      guard let bytes = disk.contents(path), bytes.count >= sought.count else { return false }
      return bytes.withUnsafeBytes { raw in
        (0...raw.count - sought.count).contains {
          raw[$0] == sought[0] && raw[$0..<$0 + sought.count].elementsEqual(sought)
        }
      }
    }
  }

  /// A segment that is never full goes when it is ended, and its file is overwritten before another use.
  @Test func whatIsReleasedGoesWithTheSegmentThatIsEnded() throws {
    let log = try open()
    try log.write((1...20).map(secret))
    try log.release(shardOne, through: LogIndex(20))
    while try log.prepareSpare() {}
    #expect(files(with: "Secret-") == 1, "it is in the segment that is written")
    try log.roll()
    #expect(log.segmentCount == 1)
    while try log.prepareSpare() {}
    #expect(files(with: "Secret-") == 0)
    #expect(log.bytes <= 3 * 64 << 10)
    try log.roll()
    #expect(log.segmentCount == 1)
    try log.write([secret(21)])
    disk.crash(.nothing)
    let again = try open()
    #expect(again.damage == nil)
    let found = again.takeRecovered()[0]
    #expect(found.startIndex == LogIndex(20) && found.entries.map(\.index.rawValue) == [21])
  }

  /// What is needed still stays, where it is.
  @Test func whatIsNeededIsNotLostByIt() throws {
    let log = try open()
    try log.write((1...20).map(secret))
    try log.release(shardOne, through: LogIndex(10))
    try log.roll()
    try log.write((21...30).map(secret))
    while try log.prepareSpare() {}
    #expect(log.segmentCount == 2)
    disk.crash(.nothing)
    let again = try open()
    #expect(again.takeRecovered()[0].entries.map(\.index.rawValue) == Array(1...30))
    try again.release(shardOne, through: LogIndex(30))
    try again.roll()
    while try again.prepareSpare() {}
    #expect(files(with: "Secret-") == 0)
  }

  /// Power may go at any moment of it: a start goes on, and takes nothing that was given back for its log.
  @Test func aStartGoesOnWithIt() throws {
    for step in 1...40 {
      let disk = MemoryFileSystem()
      func open() throws -> WriteAheadLog {
        try WriteAheadLog(directory: "wal", fileSystem: disk, options: options)
      }
      let log = try open()
      while log.segmentCount < 3 { try log.write([entry(shardOne, log.lastBatch + 1, size: 8_000)]) }
      let last = log.lastBatch
      disk.cutPower(afterSteps: step)
      do {
        try log.release(shardOne, through: LogIndex(last - 1))
        while try log.prepareSpare() {}
        try log.roll()
        while try log.prepareSpare() {}
      } catch {}
      disk.crash(.nothing)
      let again = try open()
      #expect(again.damage == nil, "\(step)")
      let entries = again.takeRecovered().first?.entries ?? []
      #expect(entries.last?.index.rawValue == last, "\(step)")
      try again.release(shardOne, through: LogIndex(last))
      try again.roll()
      while try again.prepareSpare() {}
      #expect(again.segmentCount == 1 && again.bytes <= 3 * 64 << 10, "\(step): \(disk.paths)")
    }
  }
}
