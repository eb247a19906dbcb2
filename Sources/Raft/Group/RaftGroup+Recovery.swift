import Base

extension RaftGroup {
  /// Joins the entries found on disk with the snapshot.
  static func recoverLog(
    _ entries: [LogEntry], snapshot: LogPosition
  ) throws(MalformedBytes) -> (log: Log, isRestarted: Bool) {
    // Without entries the log on disk may begin anywhere: it is told where it does.
    guard let first = entries.first else { return (Log(start: snapshot, entries: []), snapshot.index.rawValue > 0) }
    var last = Term(0)
    for (offset, entry) in entries.enumerated() {
      guard entry.index == first.index + UInt64(offset), entry.term >= last else {
        throw MalformedBytes("the log on disk does not go on at entry \(entry.index.rawValue)")
      }
      last = entry.term
    }
    if first.index <= snapshot.index {
      // A kept tail, or what was here before a snapshot was installed. The tail's first entry serves as the place before
      // the log.
      let at = snapshot.index.rawValue - first.index.rawValue
      guard at < UInt64(entries.count), entries[Int(at)].term == snapshot.term else {
        return (Log(start: snapshot, entries: []), true)
      }
      let start = LogPosition(index: first.index, term: first.term)
      return (Log(start: start, entries: Array(entries.dropFirst())), false)
    }
    guard first.index == snapshot.index + 1, first.term >= snapshot.term else {
      let (begin, end) = (first.index.rawValue, snapshot.index.rawValue)
      throw MalformedBytes("the log on disk begins at \(begin) and does not join a snapshot at \(end)")
    }
    return (Log(start: snapshot, entries: entries), false)
  }

  /// The end of what the group began with, if its log begins here: a configuration, and what else its founders wrote in the
  /// same term. It is committed wherever it stands: each founder has it of itself, and leaders are of later terms.
  var foundedThrough: LogIndex {
    guard log.firstIndex == LogIndex(1), log.lastIndex > LogIndex(0), log.kind(at: LogIndex(1)) == .configuration else {
      return LogIndex(0)
    }
    let term = log[LogIndex(1)].term
    var index = LogIndex(1)
    while index < log.lastIndex, log[index + 1].term == term { index = index + 1 }
    return index
  }

  /// Takes up what was known to be committed, and the configurations in it.
  mutating func recoverCommit(through index: LogIndex) throws(MalformedBytes) {
    while commitIndex < index {
      let entry = log[commitIndex + 1]
      if entry.kind == .configuration {
        configurations.commit(try Configuration(payload: entry.payload), at: entry.index)
      }
      cursor.commit(through: entry.index)
    }
    rebuildPeers()
  }
}
