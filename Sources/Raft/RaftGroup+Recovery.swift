import Base

extension RaftGroup {
  /// Joins the entries found on disk with the snapshot.
  static func recoverLog(
    _ entries: [LogEntry], snapshot: LogPosition
  ) throws(MalformedBytes) -> (log: Log, isRestarted: Bool) {
    guard let first = entries.first else { return (Log(start: snapshot, entries: []), false) }
    for (offset, entry) in entries.enumerated() where entry.index != first.index + UInt64(offset) {
      throw MalformedBytes("the log on disk has a gap before entry \(entry.index.rawValue)")
    }
    guard first.index > snapshot.index else {
      // A kept tail. Its first entry serves as the place before the log.
      let at = snapshot.index.rawValue - first.index.rawValue
      guard at < UInt64(entries.count), entries[Int(at)].term == snapshot.term else {
        return (Log(start: snapshot, entries: []), true)
      }
      let start = LogPosition(index: first.index, term: first.term)
      return (Log(start: start, entries: Array(entries.dropFirst())), false)
    }
    guard first.index == snapshot.index + 1 else {
      throw MalformedBytes("the log on disk begins at \(first.index.rawValue), after a snapshot at \(snapshot.index.rawValue)")
    }
    return (Log(start: snapshot, entries: entries), false)
  }

  /// Takes up what was known to be committed, and the configurations in it.
  mutating func recoverCommit(through index: LogIndex) throws(MalformedBytes) {}
  mutating func rebuildPeers() {}
  mutating func resetElectionTimer() {}
}
