/// The digest of a state: two independent sums over all fields of all records, each field's value times a factor that is
/// a hash of the record's key and the field's number (multilinear hashing, modulo 2^64). So it does not depend on the
/// order or the place of records, a change costs its difference alone, and a part account split over shards adds up.
///
/// It finds faults and divergence; it does not resist an adversary who chooses the figures.
struct DigestSum: BitwiseCopyable, Equatable {
  var a: UInt64 = 0
  var b: UInt64 = 0

  /// Adds `change` to a field of the record with `key`.
  @inline(__always) mutating func add(_ key: UInt64, _ field: UInt64, _ change: Int64) {
    var z = key &+ field &* 0x9E37_79B9_7F4A_7C15
    z = (z ^ z &>> 32) &* 0xD6E8_FEB8_6659_FD93
    z ^= z &>> 29
    let value = UInt64(bitPattern: change)
    a &+= (z | 1) &* value
    b &+= ((z &* 0xC2B2_AE3D_27D4_EB4F ^ z &>> 31) | 1) &* value
  }
  @inline(__always) mutating func add(_ key: UInt64, _ field: UInt64, _ change: some Amount) {
    add(key, field, change.rawValue)
  }
  @inline(__always) mutating func add(_ other: DigestSum) {
    a &+= other.a
    b &+= other.b
  }
  @inline(__always) mutating func subtract(_ other: DigestSum) {
    a &-= other.a
    b &-= other.b
  }
  /// A key made of two others.
  @inline(__always) static func mix(_ x: UInt64, _ y: UInt64) -> UInt64 {
    let product = (x ^ 0xA076_1D64_78BD_642F).multipliedFullWidth(by: y ^ 0xE703_7ED1_A0B4_28DB)
    return product.high ^ product.low
  }
}
