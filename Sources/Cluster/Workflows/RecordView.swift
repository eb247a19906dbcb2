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

  /// The whole reply, if it is a text.
  var wholeText: UnsafeRawBufferPointer? {
    guard tag == .text else { return nil }
    var reader = ByteReader(UnsafeRawBufferPointer(rebasing: bytes[1...]))
    return try? reader.readCounted()
  }

  func text(_ wanted: Field) -> UnsafeRawBufferPointer? {
    guard case .text(let value)? = find(wanted) else { return nil }
    return value
  }
  func number(_ wanted: Field) -> Int64? {
    guard case .number(let value)? = find(wanted) else { return nil }
    return value
  }

  /// A field of that name that is a text.
  func named(_ name: String) -> UnsafeRawBufferPointer? {
    guard tag == .record else { return nil }
    var reader = ByteReader(UnsafeRawBufferPointer(rebasing: bytes[1...]))
    do throws(MalformedBytes) {
      let count: UInt8 = try reader.read()
      for _ in 0..<count {
        var next = reader
        guard try next.read(UInt8.self) == Field.named, try next.readCounted().elementsEqual(name.utf8),
          try next.read(UInt8.self) == Field.NamedShape.text.rawValue
        else {
          try RecordView.skipFields(1, &reader)
          continue
        }
        return try next.readCounted()
      }
    } catch {}
    return nil
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
      guard let raw: UInt8 = try? reader.read() else { return nil }
      guard raw != Field.named else {
        guard (try? RecordView.skipNamed(&reader)) != nil else { return nil }
        continue
      }
      guard let field = Field(rawValue: raw) else { return nil }
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

  // MARK: A field more

  /// Copies a reply, with one more field in each of its records. Throws if no `ReplyWriter` wrote it.
  static func copy(
    _ reply: UnsafeRawBufferPointer, adding field: Field, _ stamp: Stamp, into writer: inout ReplyWriter
  ) throws(MalformedBytes) {
    var reader = ByteReader(reply)
    try copy(&reader, field, stamp, &writer)
  }
  private static func copy(
    _ reader: inout ByteReader, _ field: Field, _ stamp: Stamp, _ writer: inout ReplyWriter
  ) throws(MalformedBytes) {
    let start = reader.offset
    func copied(_ reader: ByteReader) -> UnsafeRawBufferPointer {
      UnsafeRawBufferPointer(rebasing: reader.bytes[start..<reader.offset])
    }
    switch ReplyTag(rawValue: try reader.read()) {
    case .record:
      let count: UInt8 = try reader.read()
      let first = reader.offset
      try skipFields(count, &reader)
      writer.record(copying: UnsafeRawBufferPointer(rebasing: reader.bytes[first..<reader.offset]), count: count)
      if count < .max { writer.field(field, stamp) }
    case .array:
      let count = try reader.readVarint()
      guard count <= UInt64(reader.remaining) else { throw MalformedBytes("an array longer than what is left") }
      writer.array(count: Int(count))
      for _ in 0..<count { try copy(&reader, field, stamp, &writer) }
    case .ok: writer.buffer.append(copied(reader))
    case .integer:
      _ = try reader.readZigzag()
      writer.buffer.append(copied(reader))
    case .text:
      _ = try reader.readCounted()
      writer.buffer.append(copied(reader))
    case .error:
      _ = try reader.read(UInt8.self)
      _ = try reader.readCounted()
      try skipFields(try reader.read(), &reader)
      writer.buffer.append(copied(reader))
    case .factsWanted, .moved, .elsewhere, .budgetsWanted, nil: throw MalformedBytes("a reply of an unknown kind")
    }
  }
  private static func skipFields(_ count: UInt8, _ reader: inout ByteReader) throws(MalformedBytes) {
    for _ in 0..<count {
      let raw: UInt8 = try reader.read()
      guard raw != Field.named else {
        try skipNamed(&reader)
        continue
      }
      guard let field = Field(rawValue: raw) else { throw MalformedBytes("an unknown field") }
      switch field.shape {
      case .integer, .stamp: _ = try reader.readZigzag()
      case .transaction: _ = try reader.read(UInt64.self)
      case .text: _ = try reader.readCounted()
      }
    }
  }
  /// The records of an array, each as it was written; nil: it is something else.
  static func records(of reply: UnsafeRawBufferPointer) -> [UnsafeRawBufferPointer]? {
    var reader = ByteReader(reply)
    var all: [UnsafeRawBufferPointer] = []
    do throws(MalformedBytes) {
      guard try reader.read(UInt8.self) == ReplyTag.array.rawValue else { return nil }
      let count = try reader.readVarint()
      guard count <= UInt64(reader.remaining) else { return nil }
      for _ in 0..<count {
        let start = reader.offset
        guard try reader.read(UInt8.self) == ReplyTag.record.rawValue else { return nil }
        try skipFields(try reader.read(), &reader)
        all.append(UnsafeRawBufferPointer(rebasing: reply[start..<reader.offset]))
      }
      return all
    } catch {
      return nil
    }
  }
  private static func skipNamed(_ reader: inout ByteReader) throws(MalformedBytes) {
    _ = try reader.readCounted()
    switch Field.NamedShape(rawValue: try reader.read()) {
    case .integer, .stamp: _ = try reader.readZigzag()
    case .text: _ = try reader.readCounted()
    case nil: throw MalformedBytes("an unknown shape")
    }
  }
}
