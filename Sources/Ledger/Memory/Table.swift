import Base

/// How snapshots name a part of the state. The number is that part's for ever.
struct TableTag: Sendable {
  let number: UInt16
  /// For errors.
  let name: StaticString
  /// Bytes of a record in each version before the present one, the first first.
  let formerSizes: [Int]
  /// The semantics that it came with: until they begin it is empty, and in no snapshot.
  let since: UInt8

  init(_ number: UInt16, _ name: StaticString, formerSizes: [Int] = [], since: UInt8 = Semantics.first) {
    precondition(number > 0, "0 ends a snapshot")
    self.number = number
    self.name = name
    self.formerSizes = formerSizes
    self.since = since
  }
  /// Of the records that this build keeps. From 1; raised where a record grows or means something else.
  var version: UInt16 { UInt16(formerSizes.count + 1) }

  /// Checks that a section's records are of a version that this build knows.
  /// - Parameter size: bytes of a record of the present version.
  func check(_ section: RestoredSection, size: Int) throws(MalformedBytes) {
    guard section.version >= 1, section.version <= version else {
      throw MalformedBytes(
        "\(name): records of version \(section.version), and this build knows up to \(version): start a newer build")
    }
    let expected = section.version == version ? size : formerSizes[Int(section.version) - 1]
    guard section.recordSize == expected else {
      throw MalformedBytes("\(name): a record has \(section.recordSize) bytes, in that version it had \(expected)")
    }
  }
}

/// A part of the state that is a section of a snapshot.
protocol Table: ~Copyable {
  /// Bytes of a record.
  static var recordSize: Int { get }
  /// Adds it as it is to a snapshot.
  mutating func freeze(_ tag: TableTag, into snapshot: inout SnapshotBuilder)
  /// Makes it what `freeze` wrote, or takes in what has changed. Throws `MalformedBytes` if the bytes are something else,
  /// and what the source throws; it is then of no use.
  mutating func restore<Source: SnapshotSource>(
    _ section: RestoredSection, from reader: inout SnapshotReader<Source>) throws
  /// Called when all that is to be restored is: gives records that were smaller their present size, and checks what
  /// `restore` left unchecked.
  mutating func finishRestoring() throws
  /// Whether `finishRestoring` will lay the records out anew.
  var isToGrow: Bool { get }
}

/// What is done with each table of a state.
protocol TableVisitor: ~Copyable {
  associatedtype Failure: Error
  mutating func visit<T: Table & ~Copyable>(_ table: inout T, _ tag: TableTag) throws(Failure)
}

/// A state made of tables. It names each of them once, in `visitTables`.
protocol TabledState: ~Copyable {
  mutating func visitTables<V: TableVisitor & ~Copyable>(_ visitor: inout V) throws(V.Failure)
}

extension TabledState where Self: ~Copyable {
  /// Adds all tables that builds of these semantics know to a snapshot.
  mutating func frozen(
    into builder: consuming SnapshotBuilder, semantics: UInt8 = Semantics.newest
  ) -> SnapshotBuilder {
    var visitor = FreezingVisitor(builder: builder, semantics: semantics)
    visitTables(&visitor)
    return visitor.finish()
  }

  /// Makes the tables what a snapshot has of them, section by section. A table without a section stays as it is, which in
  /// a new state is empty; a section without a table is refused.
  /// - Parameter forms: what sections the whole snapshot had; filled by it. Changes that have others are refused.
  mutating func restoreTables<Source: SnapshotSource>(
    from reader: inout SnapshotReader<Source>, forms: inout [SectionForm]
  ) throws {
    var found: [SectionForm] = []
    while let section = try reader.nextSection() {
      var visitor = RestoringVisitor(section, reader)
      try visitTables(&visitor)
      guard visitor.isDone else {
        throw MalformedBytes(
          "it has a table \(section.number) that this build does not know: a newer build wrote it, start that")
      }
      reader = visitor.reader
      guard !found.contains(where: { $0.number == section.number }) else {
        throw MalformedBytes("it has table \(section.number) twice")
      }
      found.append(section.form)
    }
    if reader.hasChangesOnly {
      guard found == forms else { throw MalformedBytes("changes of another snapshot: of other tables") }
    } else {
      forms = found
    }
  }

  /// Ends what `restoreTables` began.
  /// - Returns: the tables lie as the snapshots have them, so that a later snapshot may have the changes since.
  mutating func finishRestoring() throws -> Bool {
    var visitor = FinishingVisitor()
    try visitTables(&visitor)
    return !visitor.hasGrown
  }
}

private struct FreezingVisitor: TableVisitor, ~Copyable {
  var builder: SnapshotBuilder
  let semantics: UInt8
  mutating func visit<T: Table & ~Copyable>(_ table: inout T, _ tag: TableTag) {
    if tag.since <= semantics { table.freeze(tag, into: &builder) }
  }
  consuming func finish() -> SnapshotBuilder { builder }
}

/// Lets the table that a section is of take it in.
private struct RestoringVisitor<Source: SnapshotSource>: TableVisitor {
  let section: RestoredSection
  var reader: SnapshotReader<Source>
  var isDone = false

  init(_ section: RestoredSection, _ reader: SnapshotReader<Source>) {
    self.section = section
    self.reader = reader
  }
  mutating func visit<T: Table & ~Copyable>(_ table: inout T, _ tag: TableTag) throws {
    guard tag.number == section.number else { return }
    try tag.check(section, size: T.recordSize)
    do {
      try table.restore(section, from: &reader)
    } catch let error as MalformedBytes {
      throw MalformedBytes("\(tag.name): \(error)")
    }
    isDone = true
  }
}

private struct FinishingVisitor: TableVisitor {
  var hasGrown = false
  mutating func visit<T: Table & ~Copyable>(_ table: inout T, _ tag: TableTag) throws {
    if table.isToGrow { hasGrown = true }
    try table.finishRestoring()
  }
}

/// A table of one record, which is kept in place: what there is one of.
protocol SingleRecord: Table, BitwiseCopyable {}

extension SingleRecord {
  static var recordSize: Int { MemoryLayout<Self>.size }
  func freeze(_ tag: TableTag, into snapshot: inout SnapshotBuilder) {
    withUnsafeBytes(of: self) { snapshot.append(SectionHeader(tag, .record, recordSize: Self.recordSize), $0) }
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
protocol EncodedTable: Table {
  func encode(into buffer: inout ByteBuffer)
  init(decoding reader: inout ByteReader) throws(MalformedBytes)
}

extension EncodedTable {
  static var recordSize: Int { 1 }
  func freeze(_ tag: TableTag, into snapshot: inout SnapshotBuilder) {
    var buffer = ByteBuffer(capacity: 1024)
    encode(into: &buffer)
    snapshot.append(SectionHeader(tag, .bytes, recordSize: Self.recordSize), buffer.bytes)
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
