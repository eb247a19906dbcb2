import Base

/// The fields of a record (or of an error) that a `ReplyWriter` wrote, read in place.
struct RecordView {
  private let bytes: UnsafeRawBufferPointer
  init(_ reply: UnsafeRawBufferPointer) { bytes = reply }

  var tag: ReplyTag? { bytes.first.flatMap { ReplyTag(rawValue: $0) } }
  var errorCode: ErrorCode? {
    tag == .error && bytes.count > 1 ? ErrorCode(rawValue: bytes[1]) : nil
  }
  /// The whole reply, if it is an integer.
  var integer: Int64? {
    guard tag == .integer else { return nil }
    var reader = ByteReader(UnsafeRawBufferPointer(rebasing: bytes[1...]))
    return try? reader.readZigzag()
  }

  func text(_ wanted: Field) -> UnsafeRawBufferPointer? {
    guard case .text(let value)? = find(wanted) else { return nil }
    return value
  }
  func number(_ wanted: Field) -> Int64? {
    guard case .number(let value)? = find(wanted) else { return nil }
    return value
  }

  private enum Value {
    case text(UnsafeRawBufferPointer)
    case number(Int64)
  }

  private func find(_ wanted: Field) -> Value? {
    guard tag == .record else { return nil }
    var reader = ByteReader(UnsafeRawBufferPointer(rebasing: bytes[1...]))
    guard let count: UInt8 = try? reader.read() else { return nil }
    for _ in 0..<count {
      guard let raw: UInt8 = try? reader.read(), let field = Field(rawValue: raw) else { return nil }
      switch field.shape {
      case .integer, .stamp:
        guard let value = try? reader.readZigzag() else { return nil }
        if field == wanted { return .number(value) }
      case .transaction:
        guard let value: UInt64 = try? reader.read() else { return nil }
        if field == wanted { return .number(Int64(bitPattern: value)) }
      case .text:
        guard let value = try? reader.readCounted() else { return nil }
        if field == wanted { return .text(value) }
      }
    }
    return nil
  }
}
