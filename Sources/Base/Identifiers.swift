/// The identity of a node: random, kept in its data directory, never reused. Zero is no node.
@frozen public struct NodeID: Hashable, Comparable, Sendable, BitwiseCopyable {
  public var rawValue: UInt64
  @inlinable public init(_ rawValue: UInt64) { self.rawValue = rawValue }
  /// No node: no vote given, no leader known.
  @inlinable public static var none: NodeID { NodeID(0) }
  @inlinable public static func < (a: NodeID, b: NodeID) -> Bool { a.rawValue < b.rawValue }
}

/// A shard: one Raft group. Shard 0 is the directory; ledger shards count from 1.
@frozen public struct ShardID: Hashable, Comparable, Sendable, BitwiseCopyable {
  public var rawValue: UInt32
  @inlinable public init(_ rawValue: UInt32) { self.rawValue = rawValue }
  @inlinable public static var directory: ShardID { ShardID(0) }
  @inlinable public static func < (a: ShardID, b: ShardID) -> Bool { a.rawValue < b.rawValue }
}

/// A Raft term (Raft §5.1).
@frozen public struct Term: Hashable, Comparable, Sendable, BitwiseCopyable {
  public var rawValue: UInt64
  @inlinable public init(_ rawValue: UInt64) { self.rawValue = rawValue }
  @inlinable public static func < (a: Term, b: Term) -> Bool { a.rawValue < b.rawValue }
}

/// A position in one shard's replicated log. The first entry has index 1; 0 is "before the log".
@frozen public struct LogIndex: Hashable, Comparable, Sendable, BitwiseCopyable {
  public var rawValue: UInt64
  @inlinable public init(_ rawValue: UInt64) { self.rawValue = rawValue }
  @inlinable public static func < (a: LogIndex, b: LogIndex) -> Bool { a.rawValue < b.rawValue }
  @inlinable public static func + (a: LogIndex, n: UInt64) -> LogIndex { LogIndex(a.rawValue + n) }
  @inlinable public static func - (a: LogIndex, n: UInt64) -> LogIndex { LogIndex(a.rawValue - n) }
}

/// A moment of ledger time: microseconds since 1970-01-01T00:00:00Z, written by a shard's leader into each entry.
@frozen public struct Stamp: Hashable, Comparable, Sendable, BitwiseCopyable {
  public var microseconds: Int64
  @inlinable public init(microseconds: Int64) { self.microseconds = microseconds }
  @inlinable public init(milliseconds: Int64) { self.microseconds = milliseconds * 1000 }
  /// After every real moment: an expiry that never comes.
  @inlinable public static var never: Stamp { Stamp(microseconds: .max) }
  @inlinable public static var zero: Stamp { Stamp(microseconds: 0) }
  @inlinable public var milliseconds: Int64 { microseconds / 1000 }
  @inlinable public static func < (a: Stamp, b: Stamp) -> Bool { a.microseconds < b.microseconds }
}

/// One operator's isolated world inside a cluster. The first tenant is 1.
@frozen public struct TenantID: Hashable, Sendable, BitwiseCopyable {
  public var rawValue: UInt32
  @inlinable public init(_ rawValue: UInt32) { self.rawValue = rawValue }
  @inlinable public static var first: TenantID { TenantID(1) }
}

/// The user that asked. Zero is a connection that did not sign in.
@frozen public struct PrincipalID: Hashable, Sendable, BitwiseCopyable {
  public var rawValue: UInt32
  @inlinable public init(_ rawValue: UInt32) { self.rawValue = rawValue }
  @inlinable public static var anonymous: PrincipalID { PrincipalID(0) }
}

/// One of the 16,384 parts of the key space. A key's slot never changes; the shard that owns a slot may.
@frozen public struct Slot: Hashable, Comparable, Sendable, BitwiseCopyable {
  public var rawValue: UInt16
  @inlinable public static var count: Int { 16_384 }
  @inlinable public init(_ rawValue: UInt16) {
    precondition(rawValue < 16_384, "a slot is below 16,384")
    self.rawValue = rawValue
  }
  /// The kinds of key that are spread over slots. The raw value is part of the hash: never change one.
  public enum Kind: UInt8, Sendable { case member = 1, card = 2, quota = 3 }

  /// The 64-bit stable hash of a key: XXH64 of the id's bytes, seeded with `tenant << 8 | kind`.
  @inlinable public static func hash(_ kind: Kind, tenant: TenantID, id: UnsafeRawBufferPointer) -> UInt64 {
    xxh64(id, seed: UInt64(tenant.rawValue) << 8 | UInt64(kind.rawValue))
  }
  /// A key's slot is the top 14 bits of its stable hash, for ever.
  @inlinable public init(hash: UInt64) { self.rawValue = UInt16(truncatingIfNeeded: hash >> 50) }
  @inlinable public static func < (a: Slot, b: Slot) -> Bool { a.rawValue < b.rawValue }
}

/// A transaction's number, written `SLOT-SEQUENCE`: the slot it routes by for ever, and its place in that slot (from 1).
@frozen public struct TransactionID: Hashable, Sendable, BitwiseCopyable {
  /// Slot in the top 16 bits, sequence in the low 48. Zero is no transaction.
  public var rawValue: UInt64
  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }
  @inlinable public init(slot: Slot, sequence: UInt64) {
    precondition(sequence > 0 && sequence < 1 << 48, "a sequence has 48 bits")
    self.rawValue = UInt64(slot.rawValue) << 48 | sequence
  }
  @inlinable public static var none: TransactionID { TransactionID(rawValue: 0) }
  @inlinable public var slot: Slot { Slot(UInt16(truncatingIfNeeded: rawValue >> 48)) }
  @inlinable public var sequence: UInt64 { rawValue & 0xFFFF_FFFF_FFFF }

  /// Parses `SLOT-SEQUENCE`; nil if it is anything else.
  public init?(parsing text: UnsafeRawBufferPointer) {
    guard let dash = text.firstIndex(of: UInt8(ascii: "-")),
      let slot = parseDigits(UnsafeRawBufferPointer(rebasing: text[..<dash])), slot < UInt64(Slot.count),
      let sequence = parseDigits(UnsafeRawBufferPointer(rebasing: text[(dash + 1)...])), sequence > 0,
      sequence < 1 << 48
    else { return nil }
    self.rawValue = slot << 48 | sequence
  }
}

/// Plain decimal digits, 1 to 19 of them, as a number; nil for anything else (sign, space, overflow of 63 bits).
@inlinable public func parseDigits(_ text: UnsafeRawBufferPointer) -> UInt64? {
  guard text.count >= 1 && text.count <= 19 else { return nil }
  var value: UInt64 = 0
  for byte in text {
    let digit = byte &- 48
    guard digit < 10 else { return nil }
    value = value &* 10 &+ UInt64(digit)
  }
  return value <= UInt64(Int64.max) ? value : nil
}
