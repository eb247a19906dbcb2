import Base

/// The bytes of a snapshot file: encoding and verification. `README.md` has the layout.
enum SnapshotFormat {
  static let version: UInt32 = 2
  static let headerMagic: UInt64 = 0x504E_5359_4C4C_4154  // "TALLYSNP"
  static let footerMagic: UInt64 = 0x444E_4559_4C4C_4154  // "TALLYEND"
  static let headerBytes = 64
  static let footerBytes = 64
  static let chunkHeadBytes = 8
  static let chunkBytes = 256 << 10
  static let maxMetadataBytes = 1 << 20

  static func name(_ shard: ShardID, _ index: LogIndex, _ term: Term) -> String {
    "\(hexadecimal(UInt64(shard.rawValue), digits: 8))-\(hexadecimal(index.rawValue, digits: 16))-"
      + hexadecimal(term.rawValue, digits: 16)
  }

  /// Shard, index and term in a name of the form above, whatever follows it.
  static func parse(_ name: String) -> (shard: ShardID, index: LogIndex, term: Term)? {
    let parts = name.prefix { $0 != "." }.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count >= 3, let shard = UInt32(parts[0], radix: 16), let index = UInt64(parts[1], radix: 16),
      let term = UInt64(parts[2], radix: 16)
    else { return nil }
    return (ShardID(shard), LogIndex(index), Term(term))
  }

  /// Header and metadata, as they stand at the front of the file.
  static func header(_ snapshot: SnapshotFile) -> [UInt8] {
    let metadata = snapshot.metadata
    var buffer = ByteBuffer(capacity: headerBytes + metadata.count)
    buffer.append(headerMagic)
    buffer.append(version)
    buffer.append(UInt32(0))
    buffer.append(snapshot.shard.rawValue)
    buffer.append(UInt32(metadata.count))
    buffer.append(snapshot.index.rawValue)
    buffer.append(snapshot.term.rawValue)
    buffer.append(snapshot.base?.index.rawValue ?? 0)
    buffer.append(snapshot.base?.term.rawValue ?? 0)
    buffer.append(snapshot.base?.digest ?? 0)
    buffer.append(metadata)
    buffer.patch(CRC32C.checksum(buffer.bytes), at: 12)
    return buffer.array
  }

  /// CRC of a chunk: it covers the chunk's place in the file, its size and its payload.
  static func chunkChecksum(offset: UInt64, _ payload: UnsafeRawBufferPointer) -> UInt32 {
    let place = (offset.littleEndian, UInt64(payload.count).littleEndian)
    return CRC32C.checksum(payload, continuing: withUnsafeBytes(of: place) { CRC32C.checksum($0) })
  }

  static func footer(bodyBytes: UInt64, chunkCount: Int, digest: SHA256.Digest) -> [UInt8] {
    var buffer = ByteBuffer(capacity: footerBytes)
    buffer.append(footerMagic)
    buffer.append(bodyBytes)
    buffer.append(UInt64(chunkCount))
    digest.withBytes { buffer.append($0) }
    buffer.append(UInt32(0))
    buffer.append(CRC32C.checksum(buffer.bytes))
    return buffer.array
  }

  struct Footer {
    var bodyBytes: UInt64
    var chunkCount: UInt64
    var digest: SHA256.Digest
  }

  /// Reads and verifies header and footer. `byteCount` is the file's size.
  static func readEnds(
    of file: any File, byteCount: UInt64
  ) throws(StorageError) -> (file: SnapshotFile, footer: Footer) {
    func damaged(_ offset: UInt64, _ reason: String) -> StorageError {
      StorageError(.damaged, path: file.path, operation: "open", offset: offset, reason: reason)
    }
    guard byteCount >= UInt64(headerBytes + footerBytes) else { throw damaged(0, "it is too short for a snapshot") }
    var header = [UInt8](repeating: 0, count: headerBytes)
    guard try file.readBytes(into: &header, at: 0) == headerBytes else { throw damaged(0, "it ends in its header") }
    let fields = header.withBytes { bytes in
      (
        magic: LogFormat.load(bytes, 0, as: UInt64.self), version: LogFormat.load(bytes, 8, as: UInt32.self),
        crc: LogFormat.load(bytes, 12, as: UInt32.self), shard: ShardID(LogFormat.load(bytes, 16)),
        metadataBytes: Int(LogFormat.load(bytes, 20, as: UInt32.self)), index: LogIndex(LogFormat.load(bytes, 24)),
        term: Term(LogFormat.load(bytes, 32)),
        base: SnapshotBase(
          index: LogIndex(LogFormat.load(bytes, 40)), term: Term(LogFormat.load(bytes, 48)),
          digest: LogFormat.load(bytes, 56))
      )
    }
    guard fields.magic == headerMagic else { throw damaged(0, "it does not begin as a snapshot") }
    // A newer format keeps magic and version where they are, but may check its header in another way.
    try checkVersion(fields.version, known: version, path: file.path)
    guard fields.metadataBytes <= maxMetadataBytes else { throw damaged(20, "its metadata is too large") }
    var metadata = [UInt8](repeating: 0, count: fields.metadataBytes)
    guard try file.readBytes(into: &metadata, at: UInt64(headerBytes)) == metadata.count else {
      throw damaged(UInt64(headerBytes), "it ends in its metadata")
    }
    for i in 12..<16 { header[i] = 0 }
    let crc = metadata.withBytes { CRC32C.checksum($0, continuing: header.withBytes { CRC32C.checksum($0) }) }
    guard crc == fields.crc else { throw damaged(0, "its header is not what was written") }
    let footer = try readFooter(of: file, at: byteCount - UInt64(footerBytes))
    let snapshot = SnapshotFile(
      shard: fields.shard, index: fields.index, term: fields.term,
      base: fields.base.index == LogIndex(0) ? nil : fields.base, metadata: metadata, path: file.path,
      byteCount: byteCount, digest: footer.digest)
    return (snapshot, footer)
  }

  private static func readFooter(of file: any File, at offset: UInt64) throws(StorageError) -> Footer {
    var bytes = [UInt8](repeating: 0, count: footerBytes)
    let count = try file.readBytes(into: &bytes, at: offset)
    let footer = bytes.withBytes { bytes -> Footer? in
      guard count == footerBytes, LogFormat.load(bytes, 0, as: UInt64.self) == footerMagic,
        LogFormat.load(bytes, 60, as: UInt32.self) == CRC32C.checksum(LogFormat.slice(bytes, 0, 60))
      else { return nil }
      return Footer(
        bodyBytes: LogFormat.load(bytes, 8), chunkCount: LogFormat.load(bytes, 16),
        digest: SHA256.Digest(bytes: LogFormat.slice(bytes, 24, 56)))
    }
    guard let footer else {
      throw StorageError(
        .damaged, path: file.path, operation: "open", offset: offset, reason: "its footer is not what was written")
    }
    return footer
  }
}

/// SHA-256 over SHA-256s of parts: so the system's one-shot digest does nearly all the work.
struct PartsDigest {
  private var digests: [UInt8] = []
  mutating func add(_ part: UnsafeRawBufferPointer) {
    SHA256.digest(part).withBytes { digests.append(contentsOf: $0) }
  }
  func finish() -> SHA256.Digest { SHA256.digest(digests) }
}

/// SHA-256 over the first eight bytes (of a chunk: its length and CRC) and the XXH64 of each part. It tells a file from
/// others and what was damaged on its way, not what somebody forged; a SHA-256 of all bytes took as long as all else that a
/// start does with a snapshot.
struct SnapshotDigest {
  private var parts: [UInt8] = []
  mutating func add(_ part: UnsafeRawBufferPointer) {
    parts.append(contentsOf: part.prefix(8))
    withUnsafeBytes(of: xxh64(part).littleEndian) { parts.append(contentsOf: $0) }
  }
  func finish() -> SHA256.Digest { SHA256.digest(parts) }
}
