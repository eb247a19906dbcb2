import Base

/// How far the oldest records of a queue have outlived their retention, without a stamp in each: records are numbered in the
/// order in which they came, so a mark says of a run of them when the newest came. A run spans at most `interval`, and
/// leaves as one: each record stays at least for the retention, and at most `interval` longer.
///
/// At most some retention / `interval` marks, 24 bytes each, beside those of records that are overdue.
struct RetentionMarks: EncodedTable, Sendable, Equatable {
  /// Records of a run, up to `end`.
  struct Run: BitwiseCopyable, Sendable, Equatable {
    /// When its first and its newest record came.
    var opened: Stamp
    var latest: Stamp
    /// The number of the next run's first record.
    var end: UInt64
  }
  static var tag: TableTag { TableTag(3, "marks of the request ids") }
  /// Oldest first; of none has the retention ended.
  private(set) var runs: [Run] = []
  /// Records below this number have outlived the retention, for good.
  private(set) var expiredEnd: UInt64 = 0
  static let interval = 3600 * CivilTime.microsecondsPerSecond

  /// Called as an entry begins. What came since the last call, up to the number `end`, came at `latest`, the stamp of the
  /// entry before. `retention` is in microseconds; it may change, but what has ended once stays so.
  mutating func advance(to now: Stamp, retention: Int64, end: UInt64, latest: Stamp) {
    if end > runs.last?.end ?? expiredEnd {
      if let last = runs.last, latest.microseconds - last.opened.microseconds < RetentionMarks.interval {
        runs[runs.count - 1].latest = latest
        runs[runs.count - 1].end = end
      } else {
        runs.append(Run(opened: latest, latest: latest, end: end))
      }
    }
    var ended = 0
    while ended < runs.count, runs[ended].latest.microseconds <= now.microseconds - retention {
      expiredEnd = runs[ended].end
      ended += 1
    }
    if ended > 0 { runs.removeFirst(ended) }
  }

  @inline(__always) func isExpired(_ number: UInt64) -> Bool { number < expiredEnd }
  /// The latest moment at which a record can have come; nil: its retention has ended, or it came in the last entry.
  func latest(of number: UInt64) -> Stamp? {
    number < expiredEnd ? nil : runs.first { number < $0.end }?.latest
  }
  /// When a retention ends next; nil: nothing waits for that.
  func nextEnd(retention: Int64) -> Stamp? {
    runs.first.map { Stamp(microseconds: $0.latest.microseconds + retention) }
  }

  func encode(into buffer: inout ByteBuffer) {
    buffer.append(expiredEnd)
    buffer.append(UInt64(runs.count))
    for run in runs {
      buffer.append(run.opened.microseconds)
      buffer.append(run.latest.microseconds)
      buffer.append(run.end)
    }
  }
  init() {}
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    expiredEnd = try reader.read()
    let count: UInt64 = try reader.read()
    guard count <= UInt64(reader.remaining / 24) else { throw MalformedBytes("marks longer than their bytes") }
    for _ in 0..<count {
      runs.append(
        Run(
          opened: Stamp(microseconds: try reader.read()), latest: Stamp(microseconds: try reader.read()),
          end: try reader.read()))
    }
  }
}
