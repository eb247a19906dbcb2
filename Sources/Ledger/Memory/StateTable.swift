import Base

/// A part of the state that is a section of a snapshot, or two: its records and their index.
protocol StateTable: ~Copyable {
  /// Bytes of a record.
  static var recordSize: Int { get }
  /// The type of a record, where the state knows it as one of its own.
  static var record: Any.Type { get }
  /// Takes its pages from that pool from now on. Called once, before all else.
  mutating func attach(_ pool: UnsafeMutablePointer<PoolState>)
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

/// A table with a tag of its own.
protocol NamedTable: StateTable, ~Copyable {
  static var tag: TableTag { get }
}

/// What is done with each table of a state.
protocol TableVisitor: ~Copyable {
  associatedtype Failure: Error
  mutating func visit<T: StateTable & ~Copyable>(_ table: inout T, _ tag: TableTag) throws(Failure)
}

extension TableVisitor where Self: ~Copyable {
  mutating func visit<T: NamedTable & ~Copyable>(_ table: inout T) throws(Failure) { try visit(&table, T.tag) }
}

/// A state made of tables. It names each of them once, in `visitTables`.
protocol TabledState: ~Copyable {
  mutating func visitTables<V: TableVisitor & ~Copyable>(_ visitor: inout V) throws(V.Failure)
}

extension StateTable where Self: ~Copyable {
  static var record: Any.Type { Void.self }
}

extension TabledState where Self: ~Copyable {
  /// Gives all tables their pages' pool.
  mutating func attachTables(_ pool: UnsafeMutablePointer<PoolState>) {
    var visitor = AttachingVisitor(pool: pool)
    visitTables(&visitor)
  }

  /// Adds all tables that builds of these semantics know to a snapshot.
  mutating func frozen(
    into builder: consuming SnapshotBuilder, semantics: UInt8 = Semantics.newest
  ) -> SnapshotBuilder {
    var visitor = FreezingVisitor(builder: builder)
    visitor.builder.semantics = semantics
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

private struct AttachingVisitor: TableVisitor {
  let pool: UnsafeMutablePointer<PoolState>
  mutating func visit<T: StateTable & ~Copyable>(_ table: inout T, _ tag: TableTag) { table.attach(pool) }
}

private struct FreezingVisitor: TableVisitor, ~Copyable {
  var builder: SnapshotBuilder
  mutating func visit<T: StateTable & ~Copyable>(_ table: inout T, _ tag: TableTag) {
    if tag.since <= builder.semantics { table.freeze(tag, into: &builder) }
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
  mutating func visit<T: StateTable & ~Copyable>(_ table: inout T, _ tag: TableTag) throws {
    guard tag.owns(section) else { return }
    let isIndex = tag.isIndex(section)
    try (isIndex ? tag.index : tag).check(section, size: isIndex ? HashIndex.recordSize : T.recordSize)
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
  mutating func visit<T: StateTable & ~Copyable>(_ table: inout T, _ tag: TableTag) throws {
    if table.isToGrow { hasGrown = true }
    try table.finishRestoring()
  }
}
