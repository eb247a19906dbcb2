import Base
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

/// What is wanted of another shard's journal is not here yet: that shard's replica here, or a transfer, brings it.
struct JournalNotHere: Error {
  let journal: ShardID
}
/// Another shard's journal is not what was written.
struct JournalFault: Error, CustomStringConvertible {
  let journal: ShardID
  let error: StorageError
  var description: String { error.description }
}

/// The journals that a shard's records lie in, as the ledger wants them: its own, and those of others that it refers to. What is on
/// disk, and behind it what waits for room there. Throws `JournalNotHere` and `JournalFault` where it reads another's.
struct JournalView: JournalSource {
  let store: JournalStore
  let shard: ShardID
  /// By journal.
  var unwritten: [ShardID: JournalBacklog] = [:]
  /// Nil: what is in an archive is not read; `ArchivedSegment` is thrown.
  var archive: ClusterArchive?

  func read(at position: JournalPosition, into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    let journal = position.journal
    guard journal != shard else { return try readHere(at: position, into: buffer) }
    do {
      if unwritten[journal].map({ position.isBefore($0.start) }) ?? true,
        try !position.isBefore(store.end(journal))
      {
        throw JournalNotHere(journal: journal)
      }
      return try readHere(at: position, into: buffer)
    } catch let error as StorageError {
      throw JournalFault(journal: journal, error: error)
    }
  }
  private func readHere(at position: JournalPosition, into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    let journal = position.journal
    if let seal = try store.archived(journal, segment: position.segment) {
      guard let archive else { throw ArchivedSegment() }
      return try archive.archive.read(seal, of: archive.cluster, at: position.offset, into: buffer)
    }
    guard let unwritten = unwritten[journal], !unwritten.isEmpty else {
      return try store.read(journal, at: position, into: buffer)
    }
    if !position.isBefore(unwritten.start) {
      let count = unwritten.read(at: position, into: buffer)
      // Behind what waits there is nothing yet.
      if count == 0, journal != shard { throw JournalNotHere(journal: journal) }
      return count
    }
    let count = try store.read(journal, at: position, into: buffer)
    guard count < buffer.count, position.advanced(by: count) == unwritten.start else { return count }
    let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[count...])
    return count + unwritten.read(at: unwritten.start, into: rest)
  }
}
