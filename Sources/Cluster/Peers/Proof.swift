import Base

/// A secret of 128 bits that shows whose word something is: a node draws its own at its first start, and the directory keeps
/// those of all members. No command, log line or error shows one.
///
/// A member never sends it: it answers the other side's challenge with a code over what both have said, which nobody can use
/// again on another link. A node that belongs to no cluster yet has nobody who knows it, and introduces itself with it.
public struct Proof: Hashable, Sendable, BitwiseCopyable {
  private var a: UInt64
  private var b: UInt64

  public init(_ a: UInt64, _ b: UInt64) {
    self.a = a
    self.b = b
  }
  /// Of a directory that was begun without one: it proves nothing.
  public static let unset = Proof(0, 0)

  package func encode(into buffer: inout ByteBuffer) {
    buffer.append(a)
    buffer.append(b)
  }
  package init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    a = try reader.read()
    b = try reader.read()
  }

  /// In constant time: how long it takes says nothing about how much is right.
  func matches(_ other: Proof) -> Bool {
    let difference = (a ^ other.a) | (b ^ other.b)
    let isUnset = (a | b) == 0
    return difference == 0 && !isUnset
  }

  /// A code over a message that only this secret makes: SipHash-2-4 of 128 bits, with the secret as its key.
  func code(over message: [UInt8]) -> Proof {
    var hash = SipHash(wide: HashKey(low: a, high: b))
    message.withUnsafeBytes { hash.absorbEnd($0) }
    let (low, high) = hash.finishedWide()
    return Proof(low, high)
  }
}

extension Proof: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  public var description: String { "(secret)" }
  public var debugDescription: String { description }
  public var customMirror: Mirror { Mirror(self, children: []) }
}

/// One start of a node. Two processes may begin with the same number, where a data directory was copied; what they drew
/// tells them apart.
public struct LifeID: Hashable, Sendable, BitwiseCopyable {
  /// See `Incarnation`; 0: no life.
  public var incarnation: UInt64
  /// Random.
  public var nonce: UInt64

  public init(incarnation: UInt64, nonce: UInt64) {
    self.incarnation = incarnation
    self.nonce = nonce
  }
  public static let none = LifeID(incarnation: 0, nonce: 0)

  package func encode(into buffer: inout ByteBuffer) {
    buffer.append(incarnation)
    buffer.append(nonce)
  }
  package init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    incarnation = try reader.read()
    nonce = try reader.read()
  }

  /// Whether a life that came after `predecessor` may follow this one on its seat: what came after an older one, or beside
  /// it, lives on a copy of the data.
  func mayBeFollowed(by life: LifeID, after predecessor: LifeID) -> Bool {
    if self == .none || self == life { return true }
    return predecessor == self || predecessor.incarnation > incarnation
  }
}
