import Base

/// A validated request: a view of the caller's bytes, or of the parser's scratch where a word had to be unescaped.
/// Valid until the parser's next call, and while the caller's bytes stay where they are. Every accessor is O(1) and
/// allocates nothing.
public struct Request {
  public enum Form: UInt8, Sendable { case line, resp }

  /// One positional word or value, in place, and the number that its shape made of it.
  struct Value: BitwiseCopyable {
    var start: UnsafeRawPointer
    var count: Int
    var number: Int64
    @inline(__always) var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: count) }
  }

  public internal(set) var verb: Verb
  public internal(set) var form: Form
  /// How many words follow the verb that are not `key=value`; for verbs of a connection, all of them.
  public internal(set) var positionalCount: Int
  public internal(set) var keys: KeySet
  var positionals: UnsafeMutablePointer<Value>
  var values: UnsafeMutablePointer<Value>

  /// A positional word as sent. `i` is below `positionalCount`.
  public func positional(_ i: Int) -> UnsafeRawBufferPointer {
    precondition(i >= 0 && i < positionalCount, "no such positional word")
    return positionals[i].bytes
  }
  public func has(_ key: Key) -> Bool { keys.contains(key) }
  /// A key's value as sent (unquoted).
  public func text(_ key: Key) -> UnsafeRawBufferPointer? {
    keys.contains(key) ? values[Int(key.rawValue)].bytes : nil
  }
  @inline(__always) func number(_ key: Key) -> Int64? {
    keys.contains(key) ? values[Int(key.rawValue)].number : nil
  }
}

extension Request {
  /// A `WHO`: a member, or a card bound to one.
  public struct Who {
    public var isCard: Bool
    /// The member's id, or the card's number without `card:`.
    public var id: UnsafeRawBufferPointer
  }
  /// A positional word whose shape is `WHO` or a member's id.
  public func who(_ i: Int) -> Who {
    precondition(i >= 0 && i < positionalCount, "no such positional word")
    let value = positionals[i]
    guard value.number == 1 else { return Who(isCard: false, id: value.bytes) }
    return Who(isCard: true, id: UnsafeRawBufferPointer(start: value.start + 5, count: value.count - 5))
  }
  /// A positional `TX`.
  public func transaction(_ i: Int) -> TransactionID {
    precondition(i >= 0 && i < positionalCount, "no such positional word")
    return TransactionID(rawValue: UInt64(bitPattern: positionals[i].number))
  }
  /// `before=`.
  public func transaction(_ key: Key) -> TransactionID? {
    number(key).map { TransactionID(rawValue: UInt64(bitPattern: $0)) }
  }
  /// `spend=`, `points=`, `ttl=`, `limit=`, `shards=`, `replicas=`, `shard=`; also `backdate=` and `refund-window=` in days, and
  /// `utc-offset=` in minutes.
  public func integer(_ key: Key) -> Int64? { number(key) }
  /// `at=`.
  public func stamp(_ key: Key) -> Stamp? { number(key).map { Stamp(microseconds: $0) } }
  /// `earn=`.
  public func rate(_ key: Key) -> EarnRate? {
    number(key).map { EarnRate(points: UInt32($0 >> 32), minorUnits: UInt32(truncatingIfNeeded: $0)) }
  }
  /// `expire=`.
  public func expiry(_ key: Key) -> ExpiryTerm? {
    number(key).map { $0 == 0 ? .never : $0 > 0 ? .days(Int($0)) : .months(Int(-$0)) }
  }
  /// `allow-single-region=yes`; no if it is not there.
  public func flag(_ key: Key) -> Bool { number(key) == 1 }
  /// `read=`; leader if it is not there.
  public var readMode: ReadMode { number(.read) == 1 ? .local : .leader }
  /// `kind=` of `PROGRAM SET`.
  public var programKind: ProgramKind? { number(.kind).flatMap { ProgramKind(rawValue: Int($0)) } }
  /// `state=` of `MERCHANT SET`.
  public var merchantState: MerchantState? { number(.state).flatMap { MerchantState(rawValue: Int($0)) } }
}
