/// Values by number, so that a later build can add one: a field that is not there keeps what it has, and one that the reader
/// does not know is refused, in a line that says so.
///
/// The form: fields, each its number (varint, from 1, rising), its length (varint) and its bytes; then a 0.
extension ByteBuffer {
  public mutating func append(field number: Int, _ bytes: UnsafeRawBufferPointer) {
    append(varint: UInt64(number))
    append(counted: bytes)
  }
  public mutating func append(field number: Int, _ bytes: [UInt8]) {
    bytes.withUnsafeBytes { append(field: number, $0) }
  }
  /// - Parameter encode: appends the field's bytes.
  public mutating func append(field number: Int, _ encode: (inout ByteBuffer) -> Void) {
    var value = ByteBuffer(capacity: 64)
    encode(&value)
    append(field: number, value.bytes)
  }
  /// Appends an integer as a field; a reader takes it by `readZigzag`.
  public mutating func append(field number: Int, zigzag value: Int64) {
    append(varint: UInt64(number))
    let start = count
    append(UInt8(0))
    append(zigzag: value)
    patch(UInt8(count - start - 1), at: start)
  }
  /// Ends what `append(field:)` began.
  public mutating func appendEndOfFields() { append(UInt8(0)) }
}

extension ByteReader {
  /// Reads fields up to their end.
  /// - Parameters:
  ///   - what: what has the fields, for errors.
  ///   - late: a field of that number may stand behind higher ones, as a build once wrote it; 0: none may.
  ///   - decode: is given each field's number and bytes, all of which it reads; it returns false for an unknown number.
  public mutating func readFields(
    of what: StaticString, late: Int = 0,
    _ decode: (_ number: Int, _ value: inout ByteReader) throws(MalformedBytes) -> Bool
  ) throws(MalformedBytes) {
    var last: UInt64 = 0
    while true {
      let number = try readVarint()
      if number == 0 { return }
      guard number > last || number == UInt64(late), number <= UInt64(UInt16.max) else {
        throw MalformedBytes("\(what): fields out of order")
      }
      last = max(last, number)
      var value = ByteReader(try readCounted())
      guard try decode(Int(number), &value) else {
        throw MalformedBytes("\(what): field \(number) is not known to this build: a newer build wrote it")
      }
      guard value.isAtEnd else { throw MalformedBytes("\(what): field \(number) is longer than this build knows") }
    }
  }

  /// An integer that `append(field:zigzag:)` wrote, in the range of its type.
  public mutating func readSmall<T: FixedWidthInteger>(_ type: T.Type = T.self) throws(MalformedBytes) -> T {
    guard let value = T(exactly: try readZigzag()) else { throw MalformedBytes("an integer out of range") }
    return value
  }
  /// All bytes that are left, as text.
  public mutating func readText() throws(MalformedBytes) -> String {
    String(decoding: try readBytes(remaining), as: UTF8.self)
  }
}
