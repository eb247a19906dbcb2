import Base
import Glibc

/// Told of what a background writer has written, it makes that wait for as long as others need the disk.
public protocol WritePacer: AnyObject, Sendable {
  func began()
  /// May take its time.
  func wrote(_ byteCount: Int)
  func ended()
}

/// Writes one snapshot. Bytes are gathered into chunks of 256 KiB, each with its CRC-32C.
public final class SnapshotWriter {
  private let fileSystem: any FileSystem
  private let directory: String
  private let temporaryPath: String
  private let path: String
  private let file: any File
  private var snapshot: SnapshotFile
  private let chunk = AlignedBuffer(capacity: SnapshotFormat.chunkHeadBytes + SnapshotFormat.chunkBytes)
  private var gathered = 0
  private var offset: UInt64
  private var bodyBytes: UInt64 = 0
  private var chunkCount = 0
  private var digest = SnapshotDigest()
  private var isDone = false
  private let pacer: (any WritePacer)?
  private var bulk = BulkSync()

  /// Called once the snapshot is in its place, or given up.
  private let atEnd: () -> Void

  init(
    _ snapshot: SnapshotFile, directory: String, fileSystem: any FileSystem, pacer: (any WritePacer)?,
    atEnd: @escaping () -> Void = {}
  ) throws(StorageError) {
    self.pacer = pacer
    self.atEnd = atEnd
    self.snapshot = snapshot
    self.directory = directory
    self.fileSystem = fileSystem
    path = snapshot.path
    temporaryPath = snapshot.path + ".tmp"
    file = try fileSystem.open(temporaryPath, create: true)
    let header = SnapshotFormat.header(snapshot)
    offset = UInt64(header.count)
    header.withBytes { digest.add($0) }
    try file.truncate(0)
    try header.withBytes { bytes throws(StorageError) in try file.write(bytes, at: 0) }
    pacer?.began()
  }
  deinit { abandon() }

  /// Adds bytes to the body.
  public func append(_ bytes: UnsafeRawBufferPointer) throws(StorageError) {
    precondition(!isDone, "the snapshot is finished or abandoned")
    var taken = 0
    while taken < bytes.count {
      let count = min(bytes.count - taken, SnapshotFormat.chunkBytes - gathered)
      if let start = bytes.baseAddress {
        memcpy(chunk.base + SnapshotFormat.chunkHeadBytes + gathered, start + taken, count)
      }
      gathered += count
      taken += count
      if gathered == SnapshotFormat.chunkBytes { try writeChunk() }
    }
  }

  private func writeChunk() throws(StorageError) {
    let total = SnapshotFormat.chunkHeadBytes + gathered
    let payload = UnsafeRawBufferPointer(start: chunk.base + SnapshotFormat.chunkHeadBytes, count: gathered)
    chunk.base.storeBytes(of: UInt32(gathered).littleEndian, as: UInt32.self)
    let crc = SnapshotFormat.chunkChecksum(offset: offset, payload)
    chunk.base.storeBytes(of: crc.littleEndian, toByteOffset: 4, as: UInt32.self)
    digest.add(chunk.prefix(total))
    try file.write(chunk.prefix(total), at: offset)
    offset += UInt64(total)
    bodyBytes += UInt64(gathered)
    chunkCount += 1
    gathered = 0
    try bulk.wrote(total, to: file)
    pacer?.wrote(total)
  }

  /// Writes the footer, syncs, renames into place and syncs the folder: then the snapshot counts. Only now may the
  /// log be released.
  public func finish() throws(StorageError) -> SnapshotFile {
    precondition(!isDone, "the snapshot is finished or abandoned")
    if gathered > 0 { try writeChunk() }
    snapshot.digest = digest.finish()
    let footer = SnapshotFormat.footer(bodyBytes: bodyBytes, chunkCount: chunkCount, digest: snapshot.digest)
    try footer.withBytes { bytes throws(StorageError) in try file.write(bytes, at: offset) }
    snapshot.byteCount = offset + UInt64(footer.count)
    try file.sync()
    try fileSystem.rename(temporaryPath, to: path)
    try fileSystem.syncDirectory(directory)
    end()
    return snapshot
  }

  private func end() {
    isDone = true
    pacer?.ended()
    file.close()
    atEnd()
  }

  /// Gives up and removes the temporary file. So does letting go of the writer.
  public func abandon() {
    if isDone { return }
    end()
    // What cannot be removed now is removed when the store is opened next.
    try? fileSystem.remove(temporaryPath)
  }
}
