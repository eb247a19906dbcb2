import Base

/// The header of a frame between nodes. It names who speaks and what for in every frame, so that a stray or stale
/// peer is refused at the first byte that it sends. 48 bytes, little-endian:
///
///     0  magic "TLY1"   4  crc:u32   8  version:u8  kind:u8  zero:u16   12  byteCount:u32
///     16 cluster:u64   24  sender:u64   32  incarnation:u64   40  configVersion:u64   48  body
///
/// The CRC-32C covers everything behind itself, body included.
public struct FrameHeader: Hashable, Sendable {
  public static let byteCount = 48
  /// The longest body.
  public static let maximumBodyBytes = 64 << 20
  public static let version: UInt8 = 6

  /// What the body is: `Cluster` says.
  public var kind: UInt8
  /// The cluster's id; zero before it has one.
  public var cluster: UInt64
  public var sender: NodeID
  /// Rises with each start of the sender.
  public var incarnation: UInt64
  /// The version of the topology that the sender knows.
  public var configVersion: UInt64

  public init(kind: UInt8, cluster: UInt64, sender: NodeID, incarnation: UInt64, configVersion: UInt64) {
    self.kind = kind
    self.cluster = cluster
    self.sender = sender
    self.incarnation = incarnation
    self.configVersion = configVersion
  }

  public enum Step {
    /// At least so many bytes in all are needed.
    case incomplete(needed: Int)
    /// A whole frame whose checksum is right; the body lies in the bytes given.
    case frame(FrameHeader, body: UnsafeRawBufferPointer, consumed: Int)
    /// Close the link: this is no peer, speaks another version, or the bytes are damaged.
    case bad(reason: String)
  }
}

extension FrameHeader {
  /// "TLY1" as it lies in memory.
  static let magic: UInt32 = 0x3159_4C54

  /// Begins a frame at the end of `output`: the caller appends the body, then calls `finish` with the mark given here.
  public func begin(_ output: inout ByteBuffer) -> Int {
    let mark = output.count
    output.append(FrameHeader.magic)
    output.append(UInt32(0))
    output.append(FrameHeader.version)
    output.append(kind)
    output.append(UInt16(0))
    output.append(UInt32(0))
    output.append(cluster)
    output.append(sender.rawValue)
    output.append(incarnation)
    output.append(configVersion)
    return mark
  }

  /// Ends the frame begun at `mark`: its length and checksum are known now. The body is at most `maximumBodyBytes`.
  public static func finish(_ mark: Int, in output: inout ByteBuffer) {
    let body = output.count - mark - byteCount
    precondition(body >= 0 && body <= maximumBodyBytes, "a frame's body is at most 64 MiB")
    output.patch(UInt32(body), at: mark + 12)
    let covered = UnsafeRawBufferPointer(rebasing: output.bytes[(mark + 8)...])
    output.patch(CRC32C.checksum(covered), at: mark + 4)
  }

  /// Looks at the front of `bytes`, which begin at a frame's first byte. What is wrong in the header is found as soon
  /// as it is there; the checksum is verified once the body is. O(1) until then, O(body) then.
  public static func decode(_ bytes: UnsafeRawBufferPointer) -> Step {
    let known = min(bytes.count, 4)
    for i in 0..<known where bytes[i] != UInt8(truncatingIfNeeded: magic >> UInt32(8 * i)) {
      return .bad(reason: "not a frame of this protocol")
    }
    guard bytes.count >= byteCount else { return .incomplete(needed: byteCount) }
    guard bytes[8] == version else { return .bad(reason: "frame version \(bytes[8]), this node speaks \(version)") }
    guard bytes[10] == 0, bytes[11] == 0 else { return .bad(reason: "frame header damaged") }
    func word(_ offset: Int) -> UInt64 {
      UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
    let body = Int(word(8) >> 32)
    guard body <= maximumBodyBytes else { return .bad(reason: "frame of \(body) bytes, at most \(maximumBodyBytes)") }
    let total = byteCount + body
    guard bytes.count >= total else { return .incomplete(needed: total) }
    let sum = UInt32(truncatingIfNeeded: word(0) >> 32)
    guard CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[8..<total])) == sum else {
      return .bad(reason: "frame checksum does not match")
    }
    let header = FrameHeader(
      kind: bytes[9], cluster: word(16), sender: NodeID(word(24)), incarnation: word(32), configVersion: word(40))
    return .frame(header, body: UnsafeRawBufferPointer(rebasing: bytes[byteCount..<total]), consumed: total)
  }
}
