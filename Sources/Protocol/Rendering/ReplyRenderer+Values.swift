import Base
import Glibc

/// A field's key as it stands in a line, ` key=`, ready to be copied in two stores.
struct FieldLabel: BitwiseCopyable {
  private var low: UInt64 = 0
  private var high: UInt64 = 0
  /// Of ` key=`.
  var count: UInt8 = 0
  var shape = FieldShape.text
  static let maximumBytes = 32

  /// `Field.Shape`, as a raw byte.
  enum FieldShape: UInt8, BitwiseCopyable { case integer, text, transaction, stamp }

  /// By `Field.rawValue`; made once, never freed. A count of 0 is no field. Asking for it costs a look whether it is made:
  /// ask once a record.
  nonisolated(unsafe) static let table: UnsafePointer<FieldLabel> = {
    let table = UnsafeMutablePointer<FieldLabel>.allocate(capacity: 256)
    table.initialize(repeating: FieldLabel(), count: 256)
    for field in Field.allCases { table[Int(field.rawValue)] = FieldLabel(field) }
    return UnsafePointer(table)
  }()

  private init() {}
  private init(_ field: Field) {
    let bytes = Array(" \(field.key)=".utf8)
    precondition(bytes.count <= 16, "a field's key has at most 14 bytes")
    withUnsafeMutableBytes(of: &low) { $0.copyBytes(from: bytes.prefix(8)) }
    withUnsafeMutableBytes(of: &high) { $0.copyBytes(from: bytes.dropFirst(8)) }
    count = UInt8(bytes.count)
    shape =
      switch field.shape {
      case .integer: .integer
      case .text: .text
      case .transaction: .transaction
      case .stamp: .stamp
      }
  }

  /// Copies 16 bytes behind the first `skipping`, at most 8, bytes of the label: `count - skipping` of them matter.
  @inline(__always) func copy(to place: UnsafeMutableRawPointer, skipping: Int) {
    guard skipping > 0 else {
      place.storeBytes(of: low, as: UInt64.self)
      place.storeBytes(of: high, toByteOffset: 8, as: UInt64.self)
      return
    }
    let shift = UInt64(truncatingIfNeeded: skipping &* 8)
    place.storeBytes(of: low.littleEndian &>> shift, as: UInt64.self)
    place.storeBytes(of: high, toByteOffset: 8 &- skipping, as: UInt64.self)
  }
}

extension ReplyRenderer {
  /// "00" to "99", two bytes.
  @inline(__always) private static func pair(_ number: UInt64) -> UInt16 {
    let tens = (number &* 103) &>> 10
    return UInt16(truncatingIfNeeded: tens | (number &- tens &* 10) &<< 8) &+ 0x3030
  }

  /// Decimal digits, two at a time.
  @inline(__always) static func appendDecimal(_ value: Int64, _ output: inout ByteBuffer) {
    let place = output.reserve(32)
    var rest = value.magnitude
    var at = 20
    // Written from the right into the reserved bytes, then moved to their front.
    while rest >= 100 {
      let quotient = rest / 100
      at &-= 2
      place.storeBytes(of: pair(rest &- quotient &* 100).littleEndian, toByteOffset: at, as: UInt16.self)
      rest = quotient
    }
    at &-= 2
    place.storeBytes(of: pair(rest).littleEndian, toByteOffset: at, as: UInt16.self)
    if rest < 10 { at &+= 1 }
    if value < 0 {
      at &-= 1
      place.storeBytes(of: UInt8(ascii: "-"), toByteOffset: at, as: UInt8.self)
    }
    let count = 20 &- at
    let a = place.loadUnaligned(fromByteOffset: at, as: UInt64.self)
    if count > 8 {
      memmove(place, place + at, count)
    } else {
      place.storeBytes(of: a, as: UInt64.self)
    }
    output.commit(count)
  }

  static func appendTransaction(_ rawValue: UInt64, _ output: inout ByteBuffer) {
    appendDecimal(Int64(rawValue >> 48), &output)
    output.append(UInt8(ascii: "-"))
    appendDecimal(Int64(rawValue & 0xFFFF_FFFF_FFFF), &output)
  }

  /// Milliseconds since 1970, or `never`.
  static func appendStamp(_ microseconds: Int64, _ output: inout ByteBuffer) {
    guard microseconds != .max else { return output.append("never") }
    appendDecimal(Stamp(microseconds: microseconds).milliseconds, &output)
  }

  /// A value of a line: quoted if it could not be told from what stands around it.
  @inline(__always) static func appendWord(_ text: UnsafeRawBufferPointer, _ output: inout ByteBuffer) {
    // Most are identifiers, of which no byte needs quotes.
    if text.isIdentifier { output.append(text) } else { appendOther(text, &output) }
  }
  @inline(never) private static func appendOther(_ text: UnsafeRawBufferPointer, _ output: inout ByteBuffer) {
    if text.isEmpty || text.contains(where: needsQuotes) {
      appendQuoted(text, &output)
    } else {
      output.append(text)
    }
  }

  private static func needsQuotes(_ byte: UInt8) -> Bool {
    byte <= 0x20 || byte == 0x7F || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'")
  }

  /// In double quotes, as a request may have it.
  @inline(never) private static func appendQuoted(_ text: UnsafeRawBufferPointer, _ output: inout ByteBuffer) {
    output.append(UInt8(ascii: "\""))
    for byte in text {
      switch byte {
      case 0x0A: output.append("\\n")
      case 0x0D: output.append("\\r")
      case 0x09: output.append("\\t")
      case UInt8(ascii: "\""), UInt8(ascii: "\\"):
        output.append(UInt8(ascii: "\\"))
        output.append(byte)
      case 0..<0x20, 0x7F:
        output.append("\\x")
        output.append(hexDigit(byte >> 4))
        output.append(hexDigit(byte & 15))
      default: output.append(byte)
      }
    }
    output.append(UInt8(ascii: "\""))
  }
  private static func hexDigit(_ value: UInt8) -> UInt8 { value < 10 ? value + 48 : value + 87 }

  /// Text on the rest of a line: what would end it, or is invisible, becomes a space.
  static func appendLine(_ text: UnsafeRawBufferPointer, _ output: inout ByteBuffer) {
    for byte in text { output.append(byte < 0x20 || byte == 0x7F ? 0x20 : byte) }
  }
  static func appendLine(_ text: String, _ output: inout ByteBuffer) {
    var copy = text
    copy.withUTF8 { appendLine(UnsafeRawBufferPointer($0), &output) }
  }
}
