import Base

/// Who made an adjustment, in its record of the journal.
///
///     field* 0, see Base/Fields: 1 by
struct AdjustmentDetail: Hashable {
  /// The user's name; empty: anybody, for there were no users.
  var by: [UInt8] = []

  init(by: [UInt8]) { self.by = by }

  var encoded: [UInt8] {
    var buffer = ByteBuffer(capacity: 80)
    if !by.isEmpty { buffer.append(field: 1, by) }
    buffer.appendEndOfFields()
    return buffer.array
  }
  init(decoding bytes: UnsafeRawBufferPointer) throws(MalformedBytes) {
    var reader = ByteReader(bytes)
    try reader.readFields(of: "an adjustment") { number, value throws(MalformedBytes) in
      switch number {
      case 1: by = Array(try value.readBytes(value.remaining))
      default: return false
      }
      return true
    }
    try reader.finish()
  }

  func render(into reply: inout ReplyWriter) {
    if !by.isEmpty { by.withUnsafeBytes { reply.field(named: "by", $0) } }
  }
}
