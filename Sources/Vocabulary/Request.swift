import Base

/// A validated request: a view of the caller's bytes, or of the parser's scratch where a word had to be unescaped.
/// Valid until the parser's next call, and while the caller's bytes stay where they are. Every accessor is O(1) and
/// allocates nothing.
public struct Request {
  public enum Form: UInt8, Sendable { case line, resp }

  /// The rules of its verb.
  public var rule: UnsafePointer<VerbRule>
  public var form: Form
  /// How many words follow the verb that are not `key=value`; for verbs of a connection, all of them.
  public var positionalCount: Int
  /// The places of the keys that are there.
  public var present: UInt64
  /// By place.
  public var values: UnsafeMutablePointer<ArgumentValue>

  public init(rule: UnsafePointer<VerbRule>, form: Form, values: UnsafeMutablePointer<ArgumentValue>) {
    self.rule = rule
    self.form = form
    positionalCount = 0
    present = 0
    self.values = values
  }

  @inlinable public var verb: Verb { rule.pointee.verb }
  /// A positional word as sent. `i` is below `positionalCount`.
  public func positional(_ i: Int) -> UnsafeRawBufferPointer {
    precondition(i >= 0 && i < positionalCount, "no such positional word")
    return values[i].bytes
  }
  @inline(__always) private func value(_ key: Key) -> UnsafeMutablePointer<ArgumentValue>? {
    let place = rule.pointee.place(of: key)
    return present & 1 &<< UInt64(place) != 0 ? values + Int(place) : nil
  }
  /// What stands at a place; empty if nothing does.
  @inlinable @inline(__always) public func bytes(at place: UInt8) -> UnsafeRawBufferPointer {
    present & 1 &<< UInt64(place) != 0 || Int(place) < positionalCount
      ? values[Int(place)].bytes : UnsafeRawBufferPointer(start: nil, count: 0)
  }
  public func has(_ key: Key) -> Bool { value(key) != nil }
  /// A key's value as sent (unquoted).
  public func text(_ key: Key) -> UnsafeRawBufferPointer? { value(key)?.pointee.bytes }
  /// What a key says as a number, or what it means where it is left out.
  public func number(_ key: Key) -> Int64? {
    let place = rule.pointee.place(of: key)
    let bit: UInt64 = 1 &<< UInt64(place)
    if present & bit != 0 { return values[Int(place)].number }
    return rule.pointee.hasStandard & bit != 0 ? rule.pointee.standards[Int(place)] : nil
  }
}

extension Request {
  /// A `WHO`: a member, or an alias of one.
  public struct Who {
    public var isAlias: Bool
    /// The member's id, or the alias's key: see `AliasKey`.
    public var id: UnsafeRawBufferPointer
  }
  /// A positional word whose shape is `WHO` or a member's id.
  public func who(_ i: Int) -> Who {
    precondition(i >= 0 && i < positionalCount, "no such positional word")
    return who(values[i])
  }
  /// A key's `WHO`; nil: it is not there.
  public func who(_ key: Key) -> Who? { value(key).map { who($0.pointee) } }
  private func who(_ value: ArgumentValue) -> Who {
    guard value.number == 1 else { return Who(isAlias: value.number == 2, id: value.bytes) }
    return Who(isAlias: true, id: UnsafeRawBufferPointer(start: value.start + 5, count: value.count - 5))
  }
  /// A key's value is that from now on. `bytes` must outlive the request.
  public func replace(_ key: Key, by bytes: UnsafeRawBufferPointer) {
    guard let start = bytes.baseAddress else { return }
    value(key)?.pointee = ArgumentValue(start: start, count: bytes.count)
  }
  /// A positional `TX`.
  public func transaction(_ i: Int) -> TransactionID {
    precondition(i >= 0 && i < positionalCount, "no such positional word")
    return TransactionID(rawValue: UInt64(bitPattern: values[i].number))
  }
  /// `before=`.
  public func transaction(_ key: Key) -> TransactionID? {
    number(key).map { TransactionID(rawValue: UInt64(bitPattern: $0)) }
  }
  /// `at=`.
  public func stamp(_ key: Key) -> Stamp? { number(key).map { Stamp(microseconds: $0) } }
  /// `allow-single-region=yes`; no if it is not there.
  public func flag(_ key: Key) -> Bool { number(key) == 1 }
  /// `read=`; leader if it is not there.
  public var readMode: ReadMode { number(.read) == 1 ? .local : .leader }
}
