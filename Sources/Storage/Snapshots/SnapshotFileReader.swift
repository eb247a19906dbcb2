import Base
import Glibc

/// Reads a snapshot's body from the front. No byte is given out before its chunk's CRC was verified.
public final class SnapshotFileReader {
  public let file: SnapshotFile
  private let source: any File
  private let footer: SnapshotFormat.Footer
  private let chunk = AlignedBuffer(capacity: SnapshotFormat.chunkHeadBytes + SnapshotFormat.chunkBytes)
  /// Payload of the chunk at hand, and how much of it was given out.
  private var available = 0
  private var given = 0
  private var offset: UInt64
  private var bodyBytes: UInt64 = 0
  private var chunkCount: UInt64 = 0
  /// Nil: the chunks' CRCs, places and number are enough, for what this node wrote itself.
  private var digest: SnapshotDigest?

  /// Bytes that `read` gives in all, as the footer says.
  public var bodyByteCount: UInt64 { footer.bodyBytes }

  init(_ source: any File, verifyingDigest: Bool) throws(StorageError) {
    self.source = source
    digest = verifyingDigest ? SnapshotDigest() : nil
    (file, footer) = try SnapshotFormat.readEnds(of: source, byteCount: try source.size())
    let header = SnapshotFormat.header(file)
    offset = UInt64(header.count)
    header.withBytes { digest?.add($0) }
  }

  /// Fills the whole buffer; throws `.damaged` if the body ends before.
  public func read(into buffer: UnsafeMutableRawBufferPointer) throws(StorageError) {
    var done = 0
    while done < buffer.count {
      if given == available {
        guard try nextChunk() else { throw damaged("the body ends before what is expected in it") }
      }
      let count = min(buffer.count - done, available - given)
      if let start = buffer.baseAddress {
        memcpy(start + done, chunk.base + SnapshotFormat.chunkHeadBytes + given, count)
      }
      given += count
      done += count
    }
  }

  /// Verifies that the body ends here, and that the digest over the whole is the footer's if that was asked for. What was
  /// read must not be used before this returns.
  public func finish() throws(StorageError) {
    guard given == available, isAtEnd else { throw damaged("the body goes on behind what is expected in it") }
    guard footer.bodyBytes == bodyBytes, footer.chunkCount == chunkCount,
      digest.map({ $0.finish() == footer.digest }) ?? true
    else {
      throw damaged("the digest over the whole is not the footer's")
    }
  }

  /// Reads all that is left, and verifies as `finish`.
  func verifyRest() throws(StorageError) {
    repeat { given = available } while try nextChunk()
    try finish()
  }

  private var isAtEnd: Bool { offset + UInt64(SnapshotFormat.footerBytes) == file.byteCount }

  /// Reads and verifies the next chunk; false if there is none.
  private func nextChunk() throws(StorageError) -> Bool {
    if isAtEnd { return false }
    let end = file.byteCount - UInt64(SnapshotFormat.footerBytes)
    let headBytes = SnapshotFormat.chunkHeadBytes
    guard offset + UInt64(headBytes) <= end,
      try source.read(into: chunk.mutablePrefix(headBytes), at: offset) == headBytes
    else { throw damaged("a chunk is cut") }
    let count = Int(LogFormat.load(chunk.prefix(headBytes), 0, as: UInt32.self))
    let crc = LogFormat.load(chunk.prefix(headBytes), 4, as: UInt32.self)
    let total = headBytes + count
    guard count > 0, count <= SnapshotFormat.chunkBytes, offset + UInt64(total) <= end else {
      throw damaged("a chunk's size is not what was written")
    }
    let rest = UnsafeMutableRawBufferPointer(start: chunk.base + headBytes, count: count)
    guard try source.read(into: rest, at: offset + UInt64(headBytes)) == count,
      SnapshotFormat.chunkChecksum(offset: offset, UnsafeRawBufferPointer(rest)) == crc
    else { throw damaged("a chunk is not what was written") }
    digest?.add(chunk.prefix(total))
    offset += UInt64(total)
    bodyBytes += UInt64(count)
    chunkCount += 1
    available = count
    given = 0
    return true
  }

  private func damaged(_ reason: String) -> StorageError {
    StorageError(.damaged, path: file.path, operation: "read", offset: offset, reason: reason)
  }
}

/// A snapshot's file as bytes, to be sent. The receiver verifies them.
public final class RawSnapshot {
  public let file: SnapshotFile
  private let source: any File
  init(_ source: any File) throws(StorageError) {
    self.source = source
    file = try SnapshotFormat.readEnds(of: source, byteCount: try source.size()).file
  }
  /// Reads until the buffer is full or the file ends.
  public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(StorageError) -> Int {
    try source.read(into: buffer, at: offset)
  }
}
