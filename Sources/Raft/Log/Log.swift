import Base

/// The entries since the last compaction, in memory. Reading, appending and cutting the end are O(1) an entry;
/// cutting the front is O(entries kept), once a snapshot.
struct Log: Sendable {
  /// The place just before the first entry.
  private(set) var start: LogPosition
  private var entries: [LogEntry] = []
  /// `offsets[i]`: the cost of all entries through `entries[i]`, counted since this value was made. Differences give
  /// the bytes of any run of entries in O(1).
  private var offsets: [UInt64] = []
  private var startOffset: UInt64 = 0

  /// What an entry counts for in windows and limits: its payload and some 32 bytes around it.
  static func cost(of entry: LogEntry) -> UInt64 { UInt64(entry.payload.count + 32) }

  init(start: LogPosition, entries: [LogEntry]) {
    self.start = start
    self.entries.reserveCapacity(entries.count)
    self.offsets.reserveCapacity(entries.count)
    for entry in entries { append(entry) }
  }

  var lastIndex: LogIndex { LogIndex(start.index.rawValue &+ UInt64(entries.count)) }
  var lastTerm: Term { entries.last?.term ?? start.term }
  var firstIndex: LogIndex { start.index + 1 }

  private func position(of index: LogIndex) -> Int {
    precondition(index > start.index && index <= lastIndex, "an index outside the log")
    return Int(index.rawValue - start.index.rawValue) - 1
  }
  subscript(index: LogIndex) -> LogEntry { entries[position(of: index)] }

  /// The term of the entry at `index`; nil when it is not, or no longer, in memory.
  func term(at index: LogIndex) -> Term? {
    if index == start.index { return start.term }
    guard index > start.index, index <= lastIndex else { return nil }
    return entries[position(of: index)].term
  }
  func kind(at index: LogIndex) -> LogEntry.Kind { entries[position(of: index)].kind }

  /// The newest configuration entry above `index`; 0 if there is none. O(entries above).
  func newestConfiguration(after index: LogIndex) -> LogIndex {
    var at = lastIndex
    while at > index {
      if kind(at: at) == .configuration { return at }
      at = at - 1
    }
    return LogIndex(0)
  }

  /// Whether the log holds the entry of this index and term.
  func holds(_ index: LogIndex, _ term: Term) -> Bool { self.term(at: index) == term }

  /// Whether a log that ends at (`index`, `term`) has everything that may be committed here (Raft §5.4.1).
  func isUpToDate(index: LogIndex, term: Term) -> Bool {
    term > lastTerm || term == lastTerm && index >= lastIndex
  }

  mutating func append(_ entry: LogEntry) {
    precondition(entry.index == lastIndex + 1, "entries are appended without a gap")
    precondition(entry.term >= lastTerm, "terms never fall along the log")
    offsets.append((offsets.last ?? startOffset) + Self.cost(of: entry))
    entries.append(entry)
  }
  /// Forgets the entry at `index` and all after it.
  mutating func truncate(from index: LogIndex) {
    let count = entries.count - position(of: index)
    entries.removeLast(count)
    offsets.removeLast(count)
  }
  /// Forgets everything through `index`.
  mutating func compact(through index: LogIndex) {
    guard index > start.index else { return }
    let count = position(of: index) + 1
    start = LogPosition(index: index, term: entries[count - 1].term)
    startOffset = offsets[count - 1]
    entries.removeFirst(count)
    offsets.removeFirst(count)
  }
  /// Forgets everything; the next entry follows `position`.
  mutating func restart(at position: LogPosition) { self = Log(start: position, entries: []) }

  /// The cost of the entries in (`after`, `through`], as far as they are in memory. O(1).
  func cost(after: LogIndex, through: LogIndex) -> UInt64 {
    let low = offset(through: after)
    let high = offset(through: through)
    return high > low ? high - low : 0
  }
  private func offset(through index: LogIndex) -> UInt64 {
    guard index > start.index else { return startOffset }
    return offsets[Int(min(index, lastIndex).rawValue - start.index.rawValue) - 1]
  }

  /// The entries in [`from`, `through`]. O(their count); payloads are shared.
  func slice(from: LogIndex, through: LogIndex) -> [LogEntry] {
    guard from <= through else { return [] }
    return Array(entries[position(of: from)...position(of: through)])
  }
  /// The entries from `from` on whose payloads fit into `bytes`; at least one if there is one.
  func slice(from: LogIndex, bytes: Int) -> [LogEntry] {
    guard from <= lastIndex else { return [] }
    let first = position(of: from)
    var end = first
    var sum = 0
    while end < entries.count {
      sum += entries[end].payload.count
      if end > first && sum > bytes { break }
      end += 1
    }
    return Array(entries[first..<end])
  }

  /// The lowest index through which the log may be cut so that (it, `through`] still costs no more than `bytes`.
  /// O(entries kept).
  func cut(before through: LogIndex, keeping bytes: Int) -> LogIndex {
    var cut = through
    while cut > start.index, cost(after: cut - 1, through: through) <= UInt64(max(0, bytes)) { cut = cut - 1 }
    return cut
  }
  /// The highest index at or below `index` whose term is at or below `term`: where a log that has `term` at `index` may
  /// still agree with this one. O(entries passed over), bounded by what the logs differ in.
  func agreement(at index: LogIndex, term: Term) -> LogPosition {
    var at = min(index, lastIndex)
    while at > start.index, let own = self.term(at: at), own > term { at = at - 1 }
    guard let own = self.term(at: at) else { return LogPosition(index: at, term: Term(0)) }
    return LogPosition(index: at, term: own)
  }
}
