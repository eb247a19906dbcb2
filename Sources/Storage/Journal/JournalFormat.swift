import Base
import Glibc

/// The bytes of journal files: encoding and verification. `README.md` has the layout.
enum JournalFormat {
  static let version: UInt32 = 1
  static let segmentMagic: UInt64 = 0x4C4E_4A59_4C4C_4154  // "TALLYJNL"
  static let sealMagic: UInt64 = 0x4145_5359_4C4C_4154  // "TALLYSEA"
  static let blockBytes = 4096
  /// Bytes of the ledger in a block; two slots of 8 bytes follow them.
  static let payloadBytes = 4080
  static let sealBytes = 64
  /// Unit of a segment's digest.
  static let digestBytes = 256 << 10

  static func header(shard: ShardID, segment: UInt32) -> [UInt8] {
    var buffer = ByteBuffer(capacity: blockBytes)
    buffer.append(segmentMagic)
    buffer.append(version)
    buffer.append(UInt32(0))
    buffer.append(shard.rawValue)
    buffer.append(segment)
    while buffer.count < blockBytes { buffer.append(UInt64(0)) }
    buffer.patch(CRC32C.checksum(buffer.bytes), at: 12)
    return buffer.array
  }

  static func seal(_ segment: SealedSegment) -> [UInt8] {
    var buffer = ByteBuffer(capacity: sealBytes)
    buffer.append(sealMagic)
    buffer.append(version)
    buffer.append(UInt32(0))
    buffer.append(segment.shard.rawValue)
    buffer.append(segment.segment)
    buffer.append(segment.byteCount)
    segment.digest.withBytes { buffer.append($0) }
    buffer.patch(CRC32C.checksum(buffer.bytes), at: 12)
    return buffer.array
  }

  /// Checks magic, version and CRC of a header or a seal.
  static func check(_ bytes: [UInt8], magic: UInt64, path: String) throws(StorageError) {
    let (found, version, crc) = bytes.withBytes { bytes in
      (
        LogFormat.load(bytes, 0, as: UInt64.self), LogFormat.load(bytes, 8, as: UInt32.self),
        LogFormat.load(bytes, 12, as: UInt32.self)
      )
    }
    var cleared = bytes
    for i in 12..<16 { cleared[i] = 0 }
    guard found == magic, cleared.withBytes({ CRC32C.checksum($0) }) == crc else {
      throw StorageError(
        .damaged, path: path, operation: "open", offset: 0, reason: "its header is not what was written")
    }
    try checkVersion(version, known: JournalFormat.version, path: path)
  }

  static func decodeSeal(_ bytes: [UInt8], path: String) throws(StorageError) -> SealedSegment {
    try check(bytes, magic: sealMagic, path: path)
    return bytes.withBytes { bytes in
      SealedSegment(
        shard: ShardID(LogFormat.load(bytes, 16)), segment: LogFormat.load(bytes, 20),
        byteCount: LogFormat.load(bytes, 24),
        digest: SHA256.Digest(bytes: LogFormat.slice(bytes, 32, 64)))
    }
  }

  /// The CRC that a block's payload continues: it covers shard, segment and the block's place.
  static func placeChecksum(shard: ShardID, segment: UInt32, block: Int) -> UInt32 {
    let place = (UInt64(shard.rawValue).littleEndian, UInt64(segment).littleEndian, UInt64(block).littleEndian)
    return withUnsafeBytes(of: place) { CRC32C.checksum($0) }
  }

  /// A slot says how many bytes of its block count, and what they are. A block has two, written in turn: the one that
  /// the last sync made durable is left alone until the next sync has made the other durable.
  static func writeSlot(_ slot: Int, used: Int, checksum: UInt32, in block: UnsafeMutableRawPointer) {
    let count = UInt32(used).littleEndian
    let crc = withUnsafeBytes(of: count) { CRC32C.checksum($0, continuing: checksum) }
    block.storeBytes(of: count, toByteOffset: payloadBytes + 8 * slot, as: UInt32.self)
    block.storeBytes(of: crc.littleEndian, toByteOffset: payloadBytes + 8 * slot + 4, as: UInt32.self)
  }

  /// The bytes that a slot vouches for; nil if they are not what was written. `checksum` is the place's.
  static func verifySlot(_ slot: Int, in block: UnsafeRawBufferPointer, placeChecksum: UInt32) -> Int? {
    let used = LogFormat.load(block, payloadBytes + 8 * slot, as: UInt32.self)
    guard used > 0, used <= UInt32(payloadBytes) else { return nil }
    let payload = CRC32C.checksum(LogFormat.slice(block, 0, Int(used)), continuing: placeChecksum)
    let crc = withUnsafeBytes(of: used.littleEndian) { CRC32C.checksum($0, continuing: payload) }
    return crc == LogFormat.load(block, payloadBytes + 8 * slot + 4, as: UInt32.self) ? Int(used) : nil
  }
}
