import Base

/// Who made an adjustment or opened a case, in its record of the journal.
///
///     field* 0, see Base/Fields: 1 by  2 approved by  3 case  4 kind
struct AdjustmentDetail: Hashable {
  /// The user's name; empty: anybody, for there were no users.
  var by: [UInt8] = []
  var approvedBy: [UInt8] = []
  /// By which it was posted.
  var number = TransactionID.none
  /// Of a case.
  var kind: CaseKind?

  init(by: [UInt8]) { self.by = by }

  var encoded: [UInt8] {
    var buffer = ByteBuffer(capacity: 80)
    if !by.isEmpty { buffer.append(field: 1, by) }
    if !approvedBy.isEmpty { buffer.append(field: 2, approvedBy) }
    if number != .none { buffer.append(field: 3, zigzag: Int64(bitPattern: number.rawValue)) }
    if let kind { buffer.append(field: 4, zigzag: Int64(kind.rawValue)) }
    buffer.appendEndOfFields()
    return buffer.array
  }
  init(decoding bytes: UnsafeRawBufferPointer) throws(MalformedBytes) {
    var reader = ByteReader(bytes)
    try reader.readFields(of: "an adjustment") { number, value throws(MalformedBytes) in
      switch number {
      case 1: by = Array(try value.readBytes(value.remaining))
      case 2: approvedBy = Array(try value.readBytes(value.remaining))
      case 3: self.number = TransactionID(rawValue: UInt64(bitPattern: try value.readZigzag()))
      case 4: kind = CaseKind(rawValue: UInt8(truncatingIfNeeded: try value.readZigzag()))
      default: return false
      }
      return true
    }
    try reader.finish()
  }

  func render(into reply: inout ReplyWriter) {
    if !by.isEmpty { by.withUnsafeBytes { reply.field(named: "by", $0) } }
    if !approvedBy.isEmpty { approvedBy.withUnsafeBytes { reply.field(named: "approved-by", $0) } }
    if number != .none { reply.field(named: "case", number.text) }
  }
}
