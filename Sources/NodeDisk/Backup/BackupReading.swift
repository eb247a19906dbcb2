import Base
import Cluster
import Ledger
import Storage

/// A part's state, from its pages, each of which is verified before a byte of it is given out.
final class BackupState {
  let part: BackupPart
  private let directory: BackupDirectory
  private let backup: UInt32
  private let rows: [BackupRow]
  private var files: [UInt32: any File] = [:]
  /// The page at hand, and how much of it was given out.
  private var page: [UInt8] = []
  private var given = 0
  private var nextRow = 0

  init(_ directory: BackupDirectory, _ part: BackupPart, of backup: UInt32) throws(StorageError) {
    self.directory = directory
    self.part = part
    self.backup = backup
    rows = try directory.rows(of: part, in: backup)
  }
  deinit { for file in files.values { file.close() } }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws(StorageError) {
    var done = 0
    while done < buffer.count {
      if given == page.count {
        guard nextRow < rows.count else {
          throw StorageError(
            .damaged, path: directory.listPath(backup, part.shard), operation: "read",
            reason: "the state of shard \(part.shard.rawValue) ends before what is expected in it")
        }
        page = try read(rows[nextRow])
        given = 0
        nextRow += 1
      }
      let count = min(buffer.count - done, page.count - given)
      page.withUnsafeBytes { bytes in
        let target = UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + count])
        target.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[given..<given + count]))
      }
      given += count
      done += count
    }
  }
  /// Whether all of it was read.
  var isAtEnd: Bool { given == page.count && nextRow == rows.count }

  /// Verifies the pages that a backup has in a file of its own.
  func verifyOwnPages(of backup: UInt32) throws(StorageError) {
    for row in rows where row.backup == backup { _ = try read(row) }
  }

  private func read(_ row: BackupRow) throws(StorageError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: Int(row.byteCount))
    let file = try file(row.backup)
    let count = try bytes.fill(from: file, at: row.offset)
    guard count == bytes.count, SHA256.digest(bytes) == row.digest else {
      throw StorageError(
        .damaged, path: file.path, operation: "read", offset: row.offset,
        reason: "a page of shard \(part.shard.rawValue), \(row.byteCount) bytes from there, is not what was written")
    }
    return bytes
  }
  private func file(_ backup: UInt32) throws(StorageError) -> any File {
    if let known = files[backup] { return known }
    let file = try directory.fileSystem.open(directory.pagesPath(backup, part.shard), create: false)
    files[backup] = file
    return file
  }
}

/// It as a ledger wants it.
struct BackupBody: SnapshotSource {
  let state: BackupState
  func read(into buffer: UnsafeMutableRawBufferPointer) throws { try state.read(into: buffer) }
}

/// A journal in a directory of backups, up to where a backup has it.
struct BackupJournal: JournalSource {
  let directory: BackupDirectory
  let end: JournalPosition

  func read(at position: JournalPosition, into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    guard position.journal == end.journal, position.segment <= end.segment else { return 0 }
    let file = try directory.fileSystem.open(directory.journalPath(end.journal, position.segment), create: false)
    defer { file.close() }
    let limit = position.segment == end.segment ? min(end.offset, try file.size()) : try file.size()
    guard position.offset < limit else { return 0 }
    let wanted = min(UInt64(buffer.count), limit - position.offset)
    return try file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(wanted)]), at: position.offset)
  }

  /// Follows the chain from an earlier backup's end, or from the beginning. Throws what does not follow, with file and offset.
  /// - Parameter references: what shards refer to of it: the hashes there, by rising positions.
  func verify(from start: JournalChain?, through references: [JournalChain] = [], to chain: JournalChain) throws {
    guard chain.position.journal == end.journal else { return }
    var passed = start ?? JournalChain(position: JournalPosition(beginningOf: end.journal), hash: SHA256.Digest())
    do {
      var frame = [UInt8](repeating: 0, count: 65_536)
      var before = passed.position
      for mark in references.filter({ passed.position.isBefore($0.position) }) + [chain] {
        while passed.position.isBefore(mark.position) {
          before = passed.position
          try passed.step(in: self, before: chain.position, &frame)
        }
        guard passed == mark else { throw JournalEnds(at: before) }
      }
    } catch let error as StorageError {
      throw error
    } catch {
      // A frame's bytes are vouched for by the next one, or by the state.
      let place = (error as? JournalEnds)?.at ?? passed.position
      throw StorageError(
        .damaged, path: directory.journalPath(end.journal, place.segment), operation: "read", offset: place.offset,
        reason: "the journal of shard \(end.journal.rawValue) is not what was written, there or in the frame before")
    }
  }
  private struct JournalEnds: Error { let at: JournalPosition }
}
