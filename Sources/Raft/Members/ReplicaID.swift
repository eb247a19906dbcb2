import Base

/// A member of a group: a node, and the version of the configuration that added it. A node that leaves a group and
/// returns is another member: neither what it voted nor what it acknowledged before counts for it now.
public struct ReplicaID: Hashable, Comparable, Sendable, BitwiseCopyable {
  public var node: NodeID
  /// 1 for those that the group began with; 0: not known yet.
  public var born: UInt64

  public init(node: NodeID, born: UInt64) {
    self.node = node
    self.born = born
  }
  /// No member: no vote given, no leader known.
  public static var none: ReplicaID { ReplicaID(node: .none, born: 0) }
  public static func < (a: ReplicaID, b: ReplicaID) -> Bool { (a.node, a.born) < (b.node, b.born) }

  /// `node:u64 born:varint`, at most 18 bytes.
  func encode(into buffer: inout ByteBuffer) {
    buffer.append(node.rawValue)
    buffer.append(varint: born)
  }
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    node = NodeID(try reader.read(UInt64.self))
    born = try reader.readVarint()
  }
}
