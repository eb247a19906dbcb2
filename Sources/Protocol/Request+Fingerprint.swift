import Base

extension Request {
  /// A fingerprint of the request's content: the verb, the positional words and the keys as sent, whatever their
  /// order, case of keys, quoting or form. Two requests with the same `id=` and different fingerprints are a
  /// `-CONFLICT`. It is kept for weeks by the ledger: its definition never changes.
  ///
  ///     fingerprint = H(verb) + Σ H(positional i) + Σ H(key, value)         (mod 2^64)
  ///     H(verb)     = verb × an odd constant
  ///     H(position) = XXH64(word,  seed: 0x100 + i)
  ///     H(key)      = XXH64(value, seed: key)        `id=` is left out: it is equal wherever two are compared
  ///
  /// - Parameters:
  ///   - first: the member to which the first positional, a `card:`, was resolved; nil where it is as sent.
  ///   - second: the same for `TRANSFER`'s recipient.
  public func fingerprint(_ first: UnsafeRawBufferPointer? = nil, _ second: UnsafeRawBufferPointer? = nil) -> UInt64 {
    var sum = contentFingerprint
    for i in 0..<positionalCount {
      let resolved = i == 0 ? first : i == 1 ? second : nil
      sum &+= Request.fingerprint(of: resolved ?? positionals[i].bytes, at: i)
    }
    return sum
  }

  /// The part that does not depend on positional words: for whoever resolves a card only later. The fingerprint is
  /// the sum of it and of `fingerprint(of:at:)` for each positional.
  public var contentFingerprint: UInt64 {
    var sum = UInt64(verb.rawValue) &* 0x9E37_79B9_7F4A_7C15
    var rest = keys.bits & ~(1 &<< UInt64(Key.id.rawValue))
    while rest != 0 {
      let key = rest.trailingZeroBitCount
      rest &= rest &- 1
      sum &+= xxh64(values[key].bytes, seed: UInt64(key))
    }
    return sum
  }

  /// The part of the positional word `i`.
  @inlinable public static func fingerprint(of word: UnsafeRawBufferPointer, at i: Int) -> UInt64 {
    xxh64(word, seed: 0x100 &+ UInt64(i))
  }
}
