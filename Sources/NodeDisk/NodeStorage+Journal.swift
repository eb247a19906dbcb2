import Base
import Cluster
import Ledger
import Storage

/// Journal bytes that the disk had no room for, oldest first. They wait here, and are read from here.
struct JournalBacklog {
  private(set) var pieces: [(position: JournalPosition, bytes: [UInt8])] = []

  var start: JournalPosition { pieces.first?.position ?? .none }
  var isEmpty: Bool { pieces.isEmpty }

  mutating func add(_ position: JournalPosition, _ bytes: [UInt8]) {
    if let last = pieces.last, last.position.advanced(by: last.bytes.count) == position {
      pieces[pieces.count - 1].bytes.append(contentsOf: bytes)
    } else {
      pieces.append((position, bytes))
    }
  }
  mutating func removeFirst() { pieces.removeFirst() }

  /// Fills the buffer from a position on, as far as its segment goes.
  func read(at position: JournalPosition, into buffer: UnsafeMutableRawBufferPointer) -> Int {
    guard let piece = pieces.last(where: { !position.isBefore($0.position) }),
      piece.position.segment == position.segment, piece.position.journal == position.journal
    else { return 0 }
    let skip = min(Int(position.offset - piece.position.offset), piece.bytes.count)
    let count = min(buffer.count, piece.bytes.count - skip)
    piece.bytes.withUnsafeBytes {
      buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[skip..<skip + count]))
    }
    return count
  }
}

/// One shard's journal as the ledger wants it: what is on disk, and behind it what waits for room there.
struct JournalView: JournalSource {
  let store: JournalStore
  let shard: ShardID
  var unwritten: JournalBacklog?
  /// Nil: what is in an archive is not read; `ArchivedSegment` is thrown.
  var archive: ClusterArchive?

  func read(at position: JournalPosition, into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    if let seal = try store.archived(shard, segment: position.segment) {
      guard let archive else { throw ArchivedSegment() }
      return try archive.archive.read(seal, of: archive.cluster, at: position.offset, into: buffer)
    }
    guard let unwritten, !unwritten.isEmpty else { return try store.read(shard, at: position, into: buffer) }
    if !position.isBefore(unwritten.start) { return unwritten.read(at: position, into: buffer) }
    let count = try store.read(shard, at: position, into: buffer)
    guard count < buffer.count, position.advanced(by: count) == unwritten.start else { return count }
    let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[count...])
    return count + unwritten.read(at: unwritten.start, into: rest)
  }
}

/// Journals: all of it on lane 0.
extension NodeStorage {
  func journalView(_ shard: ShardID) -> JournalView {
    JournalView(store: journals, shard: shard, unwritten: unwritten[shard])
  }

  /// Writes what a shard's entries have decided. What cannot be written is kept until it can: a replica applies no more
  /// than its log has taken, and a log without room takes nothing, so this is bounded by what room the log still had.
  func keepJournal(_ shard: ShardID, _ position: JournalPosition, _ bytes: [UInt8]) -> Completion {
    do {
      try writeBacklog(of: shard)
      try appendJournal(shard, position, bytes[...])
    } catch {
      unwritten[shard, default: JournalBacklog()].add(position, bytes)
      if NodeStorage.isRot(error), noteRot(inJournalOf: shard) {
        return .journalRotten(JournalAnswers(shard: shard), reason: "\(error)")
      }
      if NodeStorage.breaks(error) { return NodeStorage.broken(shard, error) }
      guard waitingJournals.insert(shard).inserted else { return .nothing }
      return .failed("the journal of shard \(shard.rawValue) cannot be written, it waits in memory: \(error)")
    }
    guard waitingJournals.remove(shard) != nil else { return .nothing }
    return .recovered("the journal of shard \(shard.rawValue) is written again")
  }

  /// Writes what waits, before anything else is done to the shard's journal. Throws if there is still no room.
  func writeBacklog(of shard: ShardID) throws {
    guard var waiting = unwritten[shard] else { return }
    while let (position, bytes) = waiting.pieces.first {
      // An append that failed may have left a part, and not vouch for what was synced before it.
      let end = try journals.end(shard)
      if position == end || position.isBefore(end), position.offset > 0 { try journals.truncate(shard, to: position) }
      try appendJournal(shard, position, bytes[...])
      waiting.removeFirst()
      unwritten[shard] = waiting.isEmpty ? nil : waiting
    }
  }

  /// Appends to a shard's journal what it has not got yet: the same bytes may come from a peer and from our own log.
  func appendJournal(_ shard: ShardID, _ position: JournalPosition, _ bytes: ArraySlice<UInt8>) throws {
    let end = try journals.end(shard)
    var skip = 0
    if position.segment < end.segment {
      return
    } else if position.segment == end.segment && position.offset < end.offset {
      skip = Int(min(end.offset - position.offset, UInt64(bytes.count)))
    }
    guard skip < bytes.count else { return }
    let start = position.advanced(by: skip)
    try bytes.dropFirst(skip).withUnsafeBytes { try journals.append(shard, at: start, $0) }
  }
}
