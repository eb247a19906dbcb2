import Base
import Cluster
import Ledger
import Storage

/// A directory of backups: see docs/backup.md for what lies in it. One at a time works on it, on one thread.
package final class BackupDirectory {
  let path: String
  let fileSystem: any FileSystem
  private let lock: (any FileLock)?

  /// - Parameters:
  ///   - isNew: it is made if it is not there.
  ///   - isShared: what is whole in it is read alone, which nobody changes: it needs no lock.
  /// Throws `.locked` while another works on it, `.refused` if it is no such directory.
  package init(
    _ path: String, fileSystem: any FileSystem, isNew: Bool = false, isShared: Bool = false
  ) throws(StorageError) {
    self.path = path
    self.fileSystem = fileSystem
    if isNew { try fileSystem.createDirectory(path) }
    guard try fileSystem.exists(path) else {
      throw StorageError(.refused, path: path, operation: "open", reason: "there is no such directory on this machine")
    }
    let names = try fileSystem.list(path)
    guard
      names.allSatisfy({
        $0 == "lock" || $0 == "journal" || $0.hasPrefix("erased") || BackupDirectory.number(of: $0) != nil
      })
    else {
      throw StorageError(
        .refused, path: path, operation: "use", reason: "there is something else in it than backups: name an empty one")
    }
    lock = isShared ? nil : try fileSystem.lock(path + "/lock")
  }

  // MARK: Names

  package static func name(_ number: UInt32) -> String {
    let digits = String(number, radix: 16)
    return String(repeating: "0", count: 8 - digits.count) + digits
  }
  private static func number(of name: String) -> UInt32? { name.utf8.count == 8 ? UInt32(name, radix: 16) : nil }

  func folder(_ backup: UInt32) -> String { "\(path)/\(BackupDirectory.name(backup))" }
  func manifestPath(_ backup: UInt32) -> String { folder(backup) + "/manifest" }
  func pagesPath(_ backup: UInt32, _ shard: ShardID) -> String {
    "\(folder(backup))/\(BackupDirectory.name(shard.rawValue)).pages"
  }
  func listPath(_ backup: UInt32, _ shard: ShardID) -> String {
    "\(folder(backup))/\(BackupDirectory.name(shard.rawValue)).list"
  }
  var journalFolder: String { path + "/journal" }
  func journalPath(_ journal: ShardID, _ segment: UInt32) -> String {
    "\(journalFolder)/\(BackupDirectory.name(journal.rawValue))-\(BackupDirectory.name(segment))"
  }
  /// The segments of journals that are there, in order.
  func segments() throws(StorageError) -> [(journal: ShardID, segment: UInt32)] {
    guard try fileSystem.exists(journalFolder) else { return [] }
    return try fileSystem.list(journalFolder).compactMap { name in
      let parts = name.split(separator: "-")
      guard parts.count == 2, let journal = UInt32(parts[0], radix: 16), let segment = UInt32(parts[1], radix: 16)
      else { return nil }
      return (ShardID(journal), segment)
    }
  }

  // MARK: Erased members

  private var erasedPath: String { path + "/erased" }
  /// The list that lies beside the backups: of who was erased after them, as far as somebody has said so.
  func erased() throws(StorageError) -> ErasedMembers {
    guard try fileSystem.exists(erasedPath) else { return ErasedMembers() }
    do throws(MalformedBytes) {
      let bytes = try readWhole(erasedPath, atMost: BackupManifest.bytesMax)
      return try ErasedMembers(text: String(decoding: bytes, as: UTF8.self))
    } catch {
      throw StorageError(.damaged, path: erasedPath, operation: "read", offset: 0, reason: error.description)
    }
  }
  func write(_ erased: ErasedMembers) throws(StorageError) {
    let file = try fileSystem.open(erasedPath + ".new", create: true)
    try file.truncate(0)
    try file.append(Array(erased.text.utf8), at: 0)
    try file.sync()
    file.close()
    try fileSystem.rename(erasedPath + ".new", to: erasedPath)
    try fileSystem.syncDirectory(path)
  }

  // MARK: Manifests

  /// The backups that are whole, and folders of those that are not; sorted.
  func backups() throws(StorageError) -> (whole: [UInt32], unfinished: [UInt32]) {
    var (whole, unfinished) = ([UInt32](), [UInt32]())
    for number in try fileSystem.list(path).compactMap(BackupDirectory.number) {
      if try fileSystem.exists(manifestPath(number)) { whole.append(number) } else { unfinished.append(number) }
    }
    return (whole, unfinished)
  }
  package func newest() throws(StorageError) -> BackupManifest? {
    guard let number = try backups().whole.last else { return nil }
    return try manifest(number)
  }
  package func manifest(_ number: UInt32) throws(StorageError) -> BackupManifest {
    let path = manifestPath(number)
    do throws(MalformedBytes) {
      let manifest = try BackupManifest(try readWhole(path, atMost: BackupManifest.bytesMax))
      guard manifest.number == number else { throw MalformedBytes("it is backup \(manifest.number)'s") }
      return manifest
    } catch {
      throw StorageError(.damaged, path: path, operation: "read", offset: 0, reason: error.description)
    }
  }
  private func readWhole(_ path: String, atMost limit: UInt64) throws(MalformedBytes) -> [UInt8] {
    do throws(StorageError) {
      let file = try fileSystem.open(path, create: false)
      defer { file.close() }
      let size = try file.size()
      guard size <= limit else { throw StorageError(.damaged, path: path, operation: "read", reason: "it is too long") }
      var bytes = [UInt8](repeating: 0, count: Int(size))
      guard try bytes.fill(from: file, at: 0) == bytes.count else {
        throw StorageError(.damaged, path: path, operation: "read", reason: "it is cut")
      }
      return bytes
    } catch { throw MalformedBytes(error.description) }
  }

  /// Up to where the backups that are there have each journal. One whose manifest is damaged has nothing any more.
  func journalEnds() throws(StorageError) -> [ShardID: JournalPosition] {
    var ends: [ShardID: JournalPosition] = [:]
    for number in try backups().whole {
      guard let manifest = try? manifest(number) else { continue }
      for end in manifest.parts.map(\.journal.position) + manifest.journals.map(\.position)
      where ends[end.journal]?.isBefore(end) ?? true { ends[end.journal] = end }
    }
    return ends
  }

  /// Makes a backup count.
  func write(_ manifest: BackupManifest) throws(StorageError) {
    let path = manifestPath(manifest.number)
    let file = try fileSystem.open(path + ".new", create: true)
    try file.truncate(0)
    try file.append(manifest.bytes, at: 0)
    try file.sync()
    file.close()
    try fileSystem.rename(path + ".new", to: path)
    try fileSystem.syncDirectory(folder(manifest.number))
    try fileSystem.syncDirectory(self.path)
  }
}

/// Where a page of a state lies.
struct BackupRow: Hashable {
  /// In whose file of pages.
  var backup: UInt32
  var byteCount: UInt32
  var offset: UInt64
  var digest: SHA256.Digest

  static let bytes = 52
  /// A page is no longer: what stands between two may be, a table's own figures.
  static let mostBytes = 64 << 20

  /// The CRC covers the row's place, too.
  func encode(_ shard: ShardID, _ place: Int, into buffer: inout ByteBuffer) {
    let start = buffer.count
    buffer.append(backup)
    buffer.append(byteCount)
    buffer.append(offset)
    digest.withBytes { buffer.append($0) }
    buffer.append(BackupRow.checksum(shard, place, UnsafeRawBufferPointer(rebasing: buffer.bytes[start...])))
  }
  private static func checksum(_ shard: ShardID, _ place: Int, _ row: UnsafeRawBufferPointer) -> UInt32 {
    let whose = (UInt64(shard.rawValue).littleEndian, UInt64(place).littleEndian)
    return CRC32C.checksum(row, continuing: withUnsafeBytes(of: whose) { CRC32C.checksum($0) })
  }
  /// Nil: it is not what was written.
  init?(_ shard: ShardID, _ place: Int, _ bytes: UnsafeRawBufferPointer) {
    var reader = ByteReader(bytes)
    guard let backup: UInt32 = try? reader.read(), let byteCount: UInt32 = try? reader.read(),
      let offset: UInt64 = try? reader.read(), let digest = try? reader.readBytes(32),
      let checksum: UInt32 = try? reader.read(),
      checksum == BackupRow.checksum(shard, place, UnsafeRawBufferPointer(rebasing: bytes[..<48])),
      byteCount <= BackupRow.mostBytes
    else { return nil }
    self.init(backup: backup, byteCount: byteCount, offset: offset, digest: SHA256.Digest(bytes: digest))
  }
  init(backup: UInt32, byteCount: UInt32, offset: UInt64, digest: SHA256.Digest) {
    self.backup = backup
    self.byteCount = byteCount
    self.offset = offset
    self.digest = digest
  }
}

extension BackupDirectory {
  /// What a part's state is made of, verified. Throws `.damaged` with the row's offset.
  func rows(of part: BackupPart, in backup: UInt32) throws(StorageError) -> [BackupRow] {
    let path = listPath(backup, part.shard)
    func damaged(_ offset: Int, _ reason: String) -> StorageError {
      StorageError(
        .damaged, path: path, operation: "read", offset: UInt64(offset),
        reason: "\(reason), of shard \(part.shard.rawValue)"
      )
    }
    let file = try fileSystem.open(path, create: false)
    defer { file.close() }
    let size = try file.size()
    guard size == part.rows * UInt64(BackupRow.bytes) else {
      throw damaged(0, "it has \(size) bytes, and \(part.rows) rows were written")
    }
    var bytes = [UInt8](repeating: 0, count: Int(size))
    guard try bytes.fill(from: file, at: 0) == bytes.count else { throw damaged(0, "the list is cut") }
    var rows: [BackupRow] = []
    rows.reserveCapacity(Int(part.rows))
    for place in 0..<Int(part.rows) {
      let start = place * BackupRow.bytes
      let row = bytes.withUnsafeBytes {
        BackupRow(part.shard, place, UnsafeRawBufferPointer(rebasing: $0[start..<start + BackupRow.bytes]))
      }
      guard let row else { throw damaged(start, "a row of the list is not what was written") }
      rows.append(row)
    }
    guard SHA256.digest(bytes) == part.listDigest else { throw damaged(0, "the list is another than was written") }
    return rows
  }
}

extension [UInt8] {
  /// Reads into all of it; how much there was.
  mutating func fill(from file: any File, at offset: UInt64) throws(StorageError) -> Int {
    var result: Result<Int, StorageError> = .success(0)
    withUnsafeMutableBytes { room in
      do throws(StorageError) { result = .success(try file.read(into: room, at: offset)) } catch {
        result = .failure(error)
      }
    }
    return try result.get()
  }
}
extension File {
  /// Writes bytes; where the next go.
  @discardableResult
  func append(_ bytes: [UInt8], at offset: UInt64) throws(StorageError) -> UInt64 {
    var result: Result<Void, StorageError> = .success(())
    bytes.withUnsafeBytes { raw in
      do throws(StorageError) { try write(raw, at: offset) } catch { result = .failure(error) }
    }
    try result.get()
    return offset + UInt64(bytes.count)
  }
}
