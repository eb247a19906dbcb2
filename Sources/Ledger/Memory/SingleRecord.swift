import Base

/// A table of one record, which is kept in place: what there is one of.
protocol SingleRecord: NamedTable, BitwiseCopyable {}

extension SingleRecord {
  static var record: Any.Type { Self.self }
  func attach(_ pool: UnsafeMutablePointer<PoolState>) {}
  static var recordSize: Int { MemoryLayout<Self>.size }
  func freeze(_ tag: TableTag, into snapshot: inout SnapshotBuilder) {
    withUnsafeBytes(of: self) { snapshot.append(snapshot.header(tag, .record, recordSize: Self.recordSize), $0) }
  }
  mutating func restore<Source: SnapshotSource>(
    _ section: RestoredSection, from reader: inout SnapshotReader<Source>
  ) throws {
    try section.expect(.record, metaCount: section.recordSize)
    guard section.recordSize <= Self.recordSize else { throw MalformedBytes("its record is too large") }
    withUnsafeMutableBytes(of: &self) { own in section.meta.withUnsafeBytes { own.copyMemory(from: $0) } }
  }
  func finishRestoring() {}
  var isToGrow: Bool { false }
}

/// A table that is written as bytes: short, and kept in a form of its own.
protocol EncodedTable: NamedTable {
  func encode(into buffer: inout ByteBuffer)
  init(decoding reader: inout ByteReader) throws(MalformedBytes)
}

extension EncodedTable {
  func attach(_ pool: UnsafeMutablePointer<PoolState>) {}
  static var recordSize: Int { 1 }
  func freeze(_ tag: TableTag, into snapshot: inout SnapshotBuilder) {
    var buffer = ByteBuffer(capacity: 1024)
    encode(into: &buffer)
    snapshot.append(snapshot.header(tag, .bytes, recordSize: Self.recordSize), buffer.bytes)
  }
  mutating func restore<Source: SnapshotSource>(
    _ section: RestoredSection, from reader: inout SnapshotReader<Source>
  ) throws {
    try section.expect(.bytes)
    self = try section.meta.withUnsafeBytes { bytes in
      var reader = ByteReader(bytes)
      let value = try Self(decoding: &reader)
      try reader.finish()
      return value
    }
  }
  func finishRestoring() {}
  var isToGrow: Bool { false }
}
