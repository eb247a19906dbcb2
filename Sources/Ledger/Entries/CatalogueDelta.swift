import Base

/// What every shard is told of a change of an entry: what its fields are from the change's moment on. The delta alone, in the
/// shard's own log, makes its row: shards know neither what was said nor how it was judged.
///
///     delta = version:u32 stamp:i64 field* 0        see Base/Fields
///     1 kind  2 number  3 tenant  4 key             of a new entry: whose it is
///     5 horizon                                     what ended before is not asked for any more
///     6 (1 from  2 values  3 number)*               in place of all that there was from that moment on; the version's number, of a
///                                                   kind that has bounds: without it the entry is not in force
///     7 left                                        of a whole catalogue: how many entries are to come before that is its version
struct CatalogueDelta {
  /// Rises by 1 with each delta.
  var version: UInt32
  /// When the directory decided it.
  var stamp: Stamp
  var kind: Int
  var number: Int
  var name: (tenant: TenantID, key: [UInt8])?
  var horizon: Stamp
  typealias Version = CatalogueItem.Version
  var versions: [Version] = []
  /// It is one of all entries, for a shard that has none; nil: it is a change.
  var left: Int?

  init(version: UInt32, stamp: Stamp, kind: Int, number: Int, horizon: Stamp) {
    self.version = version
    self.stamp = stamp
    self.kind = kind
    self.number = number
    self.horizon = horizon
  }

  var encoded: [UInt8] {
    var buffer = ByteBuffer(capacity: 256)
    buffer.append(version)
    buffer.append(stamp.microseconds)
    buffer.append(field: 1, zigzag: Int64(kind))
    buffer.append(field: 2, zigzag: Int64(number))
    if let name {
      buffer.append(field: 3, zigzag: Int64(name.tenant.rawValue))
      buffer.append(field: 4, name.key)
    }
    if horizon > .zero { buffer.append(field: 5, zigzag: horizon.microseconds) }
    buffer.append(field: 6) { list in
      for version in versions { version.encode(into: &list) }
    }
    if let left { buffer.append(field: 7, zigzag: Int64(left)) }
    buffer.appendEndOfFields()
    return buffer.array
  }
  init(decoding bytes: UnsafeRawBufferPointer) throws(MalformedBytes) {
    var reader = ByteReader(bytes)
    self.init(
      version: try reader.read(), stamp: Stamp(microseconds: try reader.read()), kind: 0, number: 0, horizon: .zero)
    let range = Stamp.zero...CivilTime.latest
    guard range.contains(stamp) else { throw MalformedBytes("a moment out of range") }
    var tenant: TenantID?
    try reader.readFields(of: "a change of the catalogue") { number, value throws(MalformedBytes) in
      switch number {
      case 1: kind = Int(try value.readSmall(UInt16.self))
      case 2: self.number = Int(try value.readSmall(UInt32.self))
      case 3: tenant = TenantID(try value.readSmall())
      case 4: name = (tenant ?? TenantID(0), Array(try value.readBytes(value.remaining)))
      case 5: horizon = Stamp(microseconds: try value.readZigzag())
      case 6:
        while !value.isAtEnd {
          let version = try Version(decoding: &value)
          guard version.from > versions.last?.from ?? Stamp(microseconds: -1) else {
            throw MalformedBytes("versions out of order")
          }
          versions.append(version)
        }
      case 7: left = Int(try value.readSmall(UInt32.self))
      default: return false
      }
      return true
    }
    try reader.finish()
  }
}
