import Base
import Glibc

/// Replies to bytes: RESP2, where a record is one line of `key=value`, or RESP3, where it is a map.
///
/// |          | RESP2                       | RESP3                                                      |
/// | ---      | ---                         | ---                                                        |
/// | ok, text | `+OK`                       | the same                                                   |
/// | error    | `-CODE text key=value …`    | the same                                                   |
/// | integer  | `:1`                        | the same                                                   |
/// | record   | `+key=value key="a value"`  | `%n` of `+key`, and `:1`, `+3-1042` or `$n` text           |
/// | array    | `*n`                        | the same                                                   |
public enum ReplyRenderer {
  /// Renders the reply at the front of `reply` (`ReplyWriter` wrote it) and gives how many of its bytes that was.
  /// Throws if no `ReplyWriter` wrote it; `output` is then as it was. O(bytes); some 100 ns for the record of an EARN.
  /// - Parameter bulk: in RESP2 a record is a bulk string, and no line: some libraries take every line for an OK.
  @discardableResult public static func render(
    _ reply: UnsafeRawBufferPointer, resp3: Bool, bulk: Bool = false, into output: inout ByteBuffer
  ) throws(MalformedBytes) -> Int {
    var reader = ByteReader(reply)
    let mark = output.count
    do throws(MalformedBytes) {
      try render(&reader, resp3 ? .map : bulk ? .bulk : .line, 0, &output)
    } catch {
      output.truncate(to: mark)
      throw error
    }
    return reader.offset
  }

  /// Arrays lie at most so deep in each other.
  private static let maximumDepth = 8

  /// How a record is rendered.
  private enum RecordForm { case line, bulk, map }

  private static func render(
    _ reader: inout ByteReader, _ form: RecordForm, _ depth: Int, _ output: inout ByteBuffer
  ) throws(MalformedBytes) {
    switch ReplyTag(rawValue: try reader.read()) {
    case .record: try record(&reader, form, &output)
    case .ok: output.append("+OK\r\n")
    case .error: try error(&reader, &output)
    case .integer: integer(try reader.readZigzag(), into: &output)
    case .text:
      output.append(UInt8(ascii: "+"))
      appendLine(try reader.readCounted(), &output)
      output.append("\r\n")
    case .array:
      let count = try reader.readVarint()
      guard count <= UInt64(reader.remaining), depth < maximumDepth else {
        throw MalformedBytes("an array is longer than what is left, or too deep")
      }
      array(count: Int(count), into: &output)
      for _ in 0..<count { try render(&reader, form, depth + 1, &output) }
    case .factsWanted, .moved, .elsewhere, .budgetsWanted, nil: throw MalformedBytes("a reply of an unknown kind")
    }
  }

  @inline(__always) private static func record(
    _ reader: inout ByteReader, _ form: RecordForm, _ output: inout ByteBuffer
  ) throws(MalformedBytes) {
    let count = Int(try reader.read(UInt8.self))
    guard form == .line else {
      if form == .map { try map(&reader, count, &output) } else { try bulkRecord(&reader, count, &output) }
      return
    }
    output.append(UInt8(ascii: "+"))
    let labels = FieldLabel.table
    for i in 0..<count { try pair(&reader, labels, i > 0, &output) }
    output.append("\r\n")
  }

  @inline(never) private static func bulkRecord(
    _ reader: inout ByteReader, _ count: Int, _ output: inout ByteBuffer
  ) throws(MalformedBytes) {
    var line = ByteBuffer()
    let labels = FieldLabel.table
    for i in 0..<count { try pair(&reader, labels, i > 0, &line) }
    bulk(line.bytes, into: &output)
  }

  private static func error(_ reader: inout ByteReader, _ output: inout ByteBuffer) throws(MalformedBytes) {
    guard let code = ErrorCode(rawValue: try reader.read()) else { throw MalformedBytes("an unknown error code") }
    output.append(UInt8(ascii: "-"))
    output.append(code.word)
    output.append(UInt8(ascii: " "))
    appendLine(try reader.readCounted(), &output)
    let count = Int(try reader.read(UInt8.self))
    let labels = FieldLabel.table
    for _ in 0..<count { try pair(&reader, labels, true, &output) }
    output.append("\r\n")
  }

  /// One field as ` key=value`, without the space at the front of a record.
  @inline(__always) private static func pair(
    _ reader: inout ByteReader, _ labels: UnsafePointer<FieldLabel>, _ hasSpace: Bool, _ output: inout ByteBuffer
  ) throws(MalformedBytes) {
    let raw: UInt8 = try reader.read()
    let label = labels[Int(raw)]
    guard label.count > 0 else { return try namedPair(raw, &reader, hasSpace, &output) }
    let place = output.reserve(FieldLabel.maximumBytes)
    let skipped = hasSpace ? 0 : 1
    label.copy(to: place, skipping: skipped)
    output.commit(Int(label.count) &- skipped)
    switch label.shape {
    case .integer: appendDecimal(try reader.readZigzag(), &output)
    case .text: appendWord(try reader.readCounted(), &output)
    case .transaction: appendTransaction(try reader.read(), &output)
    case .stamp: appendStamp(try reader.readZigzag(), &output)
    }
  }

  @inline(never) private static func namedPair(
    _ raw: UInt8, _ reader: inout ByteReader, _ hasSpace: Bool, _ output: inout ByteBuffer
  ) throws(MalformedBytes) {
    let (name, shape) = try namedField(raw, &reader)
    if hasSpace { output.append(UInt8(ascii: " ")) }
    appendLine(name, &output)
    output.append(UInt8(ascii: "="))
    switch shape {
    case .integer: appendDecimal(try reader.readZigzag(), &output)
    case .text: appendWord(try reader.readCounted(), &output)
    case .stamp: appendStamp(try reader.readZigzag(), &output)
    }
  }
  private static func namedField(
    _ raw: UInt8, _ reader: inout ByteReader
  ) throws(MalformedBytes) -> (name: UnsafeRawBufferPointer, shape: Field.NamedShape) {
    guard raw == Field.named else { throw MalformedBytes("an unknown field") }
    let name = try reader.readCounted()
    guard let shape = Field.NamedShape(rawValue: try reader.read()) else { throw MalformedBytes("an unknown shape") }
    return (name, shape)
  }

  /// A record in RESP3.
  private static func map(
    _ reader: inout ByteReader, _ count: Int, _ output: inout ByteBuffer
  ) throws(MalformedBytes) {
    map(count: count, resp3: true, into: &output)
    let labels = FieldLabel.table
    for _ in 0..<count {
      let raw: UInt8 = try reader.read()
      let label = labels[Int(raw)]
      guard label.count > 0 else {
        try namedPair(raw, &reader, &output)
        continue
      }
      let place = output.reserve(FieldLabel.maximumBytes)
      place.storeBytes(of: UInt8(ascii: "+"), as: UInt8.self)
      label.copy(to: place + 1, skipping: 1)
      output.commit(Int(label.count) &- 1)  // " key=" became "+key"
      output.append("\r\n")
      switch label.shape {
      case .integer: integer(try reader.readZigzag(), into: &output)
      case .text: bulk(try reader.readCounted(), into: &output)
      case .transaction:
        output.append(UInt8(ascii: "+"))
        appendTransaction(try reader.read(), &output)
        output.append("\r\n")
      case .stamp: stamp(try reader.readZigzag(), &output)
      }
    }
  }
  private static func stamp(_ microseconds: Int64, _ output: inout ByteBuffer) {
    output.append(UInt8(ascii: microseconds == .max ? "+" : ":"))
    appendStamp(microseconds, &output)
    output.append("\r\n")
  }
  private static func namedPair(
    _ raw: UInt8, _ reader: inout ByteReader, _ output: inout ByteBuffer
  ) throws(MalformedBytes) {
    let (name, shape) = try namedField(raw, &reader)
    output.append(UInt8(ascii: "+"))
    appendLine(name, &output)
    output.append("\r\n")
    switch shape {
    case .integer: integer(try reader.readZigzag(), into: &output)
    case .text: bulk(try reader.readCounted(), into: &output)
    case .stamp: stamp(try reader.readZigzag(), &output)
    }
  }
}

// The parts of replies, for whoever answers without a `ReplyWriter`.
extension ReplyRenderer {
  public static func ok(into output: inout ByteBuffer) { output.append("+OK\r\n") }
  /// `-CODE text`, on one line whatever the text holds.
  public static func error(_ code: ErrorCode, _ text: String, into output: inout ByteBuffer) {
    output.append(UInt8(ascii: "-"))
    output.append(code.word)
    output.append(UInt8(ascii: " "))
    appendLine(text, &output)
    output.append("\r\n")
  }
  /// `+text`, on one line whatever the text holds.
  public static func simple(_ text: String, into output: inout ByteBuffer) {
    output.append(UInt8(ascii: "+"))
    appendLine(text, &output)
    output.append("\r\n")
  }
  public static func integer(_ value: Int64, into output: inout ByteBuffer) { header(":", value, &output) }
  /// A bulk string: any bytes.
  public static func bulk(_ bytes: UnsafeRawBufferPointer, into output: inout ByteBuffer) {
    header("$", Int64(bytes.count), &output)
    output.append(bytes)
    output.append("\r\n")
  }
  public static func bulk(_ text: String, into output: inout ByteBuffer) {
    var copy = text
    copy.withUTF8 { bulk(UnsafeRawBufferPointer($0), into: &output) }
  }
  public static func null(resp3: Bool, into output: inout ByteBuffer) { output.append(resp3 ? "_\r\n" : "$-1\r\n") }
  /// Opens an array: so many replies follow.
  public static func array(count: Int, into output: inout ByteBuffer) { header("*", Int64(count), &output) }
  /// Opens a map of `count` pairs; in RESP2 an array of twice as many replies.
  public static func map(count: Int, resp3: Bool, into output: inout ByteBuffer) {
    resp3 ? header("%", Int64(count), &output) : header("*", Int64(count) * 2, &output)
  }

  @inline(__always) private static func header(_ mark: Unicode.Scalar, _ value: Int64, _ output: inout ByteBuffer) {
    output.append(UInt8(ascii: mark))
    appendDecimal(value, &output)
    output.append("\r\n")
  }
}
