import Base
import Vocabulary

/// Who asks, as a command of a verb says it whose row has `namesActor`.
///
///     role:u8 adjustLimit:zigzag name:counted
public struct Actor: Hashable, Sendable {
  /// Empty: anybody, for there are no users.
  public var name: [UInt8]
  public var role: Role
  /// So many points one adjustment of it may move.
  public var adjustLimit: Int64

  public init(name: [UInt8], role: Role, adjustLimit: Int64) {
    (self.name, self.role, self.adjustLimit) = (name, role, adjustLimit)
  }
  /// Where there are no users everybody may do everything.
  public static let anybody = Actor(name: [], role: .operator, adjustLimit: 0)

  var encoded: [UInt8] {
    var buffer = ByteBuffer(capacity: 80)
    buffer.append(role.rawValue)
    buffer.append(zigzag: adjustLimit)
    buffer.append(counted: name)
    return buffer.array
  }
  init(decoding bytes: UnsafeRawBufferPointer) throws(MalformedBytes) {
    var reader = ByteReader(bytes)
    guard let role = Role(rawValue: try reader.read()) else { throw MalformedBytes("a role of an unknown kind") }
    let limit = try reader.readZigzag()
    let name = try reader.readCounted()
    guard name.count <= 64, limit >= 0 else { throw MalformedBytes("an actor that is out of bounds") }
    self.init(name: Array(name), role: role, adjustLimit: limit)
    try reader.finish()
  }
}
