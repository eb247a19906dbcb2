import Base

extension Request {
  /// A fingerprint of the request's content: the verb, the positional words and the keys as sent, whatever their
  /// order, case of keys, quoting or form. Two requests with the same `id=` and different fingerprints are a
  /// `-CONFLICT`. It is kept for weeks by the ledger: its definition never changes.
  ///
  /// It is SipHash-2-4 with the cluster's key, so that nobody can choose two contents that have the same: over the verb,
  /// which keys there are and how many positional words; each of these; each key's value. Keys are known by their places
  /// and stand in their order. `id=` is left out: it is equal wherever two are compared.
  ///
  /// - Parameters:
  ///   - key: the cluster's.
  ///   - first: the member to which the first positional, a `card:`, was resolved; nil where it is as sent.
  ///   - second: the same for `TRANSFER`'s recipient.
  ///   - secret: a key of which it counts that it is there, and not its value.
  public func fingerprint(
    _ key: HashKey, _ first: UnsafeRawBufferPointer? = nil, _ second: UnsafeRawBufferPointer? = nil,
    without secret: Key? = nil
  ) -> UInt64 {
    var hash = SipHash(key)
    var rest = present & ~(1 &<< UInt64(rule.pointee.place(of: .id)))
    hash.absorb(UInt64(verb.rawValue) | UInt64(UInt32(truncatingIfNeeded: positionalCount)) &<< 32)
    hash.absorb(rest)
    for i in 0..<positionalCount {
      let resolved = i == 0 ? first : i == 1 ? second : nil
      hash.absorb(resolved ?? values[i].bytes, tag: Request.positionalTag)
    }
    if let secret { rest &= ~(1 &<< UInt64(rule.pointee.place(of: secret))) }
    while rest != 0 {
      let place = rest.trailingZeroBitCount
      rest &= rest &- 1
      hash.absorb(values[place].bytes, tag: UInt8(truncatingIfNeeded: place))
    }
    return hash.finished()
  }
  private static var positionalTag: UInt8 { 0xFF }

  /// What a change of the directory that carries `id=` is known by, in the scope of its verb and its first word, which is an
  /// entry's kind and key; never 0.
  public func scopedID(_ key: HashKey, tenant: TenantID) -> UInt128? {
    guard let id = text(.id) else { return nil }
    var hash = SipHash(wide: key)
    hash.absorb(UInt64(verb.rawValue) | UInt64(tenant.rawValue) &<< 32)
    hash.absorb(positional(0), tag: Request.positionalTag)
    hash.absorb(id, tag: UInt8(truncatingIfNeeded: Key.id.rawValue))
    let (low, high) = hash.finishedWide()
    return UInt128(high) << 64 | UInt128(low | 1)
  }
}
