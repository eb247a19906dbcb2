import Base

/// Where journal bytes are read from.
public protocol JournalSource {
  /// Fills the buffer with the journal's bytes from a position on; returns how many, fewer only at a segment's end.
  func read(at position: JournalPosition, into buffer: UnsafeMutableRawBufferPointer) throws -> Int
}

/// What the journal does not bear out: rot, or a position that is not a record's.
public struct JournalCorruption: Error, CustomStringConvertible {
  public let description: String
}

/// A question that the journal answers: a member's history, one transaction, the first answer to a repeated request; of the
/// directory's, an entry's history, or what it was.
/// A value to be run anywhere, while the ledger goes on: a run takes so many steps at most, and what is left of the question
/// then is another. A step is one read of some hundred bytes, or work of that time.
public struct JournalQuery: Sendable {
  enum Question: Sendable {
    case history(HistoryWalk)
    case transaction(at: JournalPosition, tx: TransactionID, left: Points?, state: String)
    case answer(at: JournalPosition)
    /// A transaction that has left memory, by the record that last spoke about it.
    case remembered(at: JournalPosition, tx: TransactionID, tenant: TenantID, state: UInt8)
    /// A transaction that the state has forgotten.
    case past(TransactionSearch, tenant: TenantID)
    /// The records themselves, of the one and of the other.
    case facts(at: JournalPosition, tx: TransactionID)
    case pastFacts(TransactionSearch)
    /// How the points of a transaction were worked out.
    case explanation(at: JournalPosition, tx: TransactionID, tenant: TenantID)
    case pastExplanation(TransactionSearch, tenant: TenantID)
    /// Of the directory's journal.
    case entry(EntryWalk)
    /// Of either.
    case feed(FeedWalk)
    /// What movements come to.
    case points(PointWalk)
  }
  private(set) var question: Question
  let catalogue: CatalogueRecords
  /// The journal must be readable up to here.
  public let end: JournalPosition
  /// The steps that the next run takes at most, a few aside: a measure of its time, and of its answer's size.
  public private(set) var cost: Int
  /// No run takes more than this: others have their turn then.
  public static let stepsAtOnce = 1_000

  init(_ question: Question, catalogue: Catalogue, end: JournalPosition) {
    self.question = question
    self.catalogue = catalogue.records
    self.end = end
    cost =
      switch question {
      case .history(let walk): walk.firstCost
      case .transaction, .answer: 1
      case .remembered, .facts, .explanation: 2
      case .past, .pastFacts, .pastExplanation: JournalQuery.stepsAtOnce
      case .entry(let walk): walk.firstCost
      case .feed: FeedWalk.firstCost
      case .points: PointWalk.firstCost
      }
  }
  /// A question about entries: none about a ledger's catalogue.
  init(_ walk: EntryWalk, end: JournalPosition) {
    question = .entry(walk)
    catalogue = CatalogueRecords()
    self.end = end
    cost = walk.firstCost
  }

  /// Of the records of a journal, whosever it is.
  init(_ walk: FeedWalk, catalogue: CatalogueRecords = CatalogueRecords()) {
    question = .feed(walk)
    self.catalogue = catalogue
    end = walk.end
    cost = FeedWalk.firstCost
  }
  init(_ walk: PointWalk, catalogue: CatalogueRecords) {
    question = .points(walk)
    self.catalogue = catalogue
    end = walk.end
    cost = PointWalk.firstCost
  }

  /// Runs for `cost` steps. Nil: the reply is written; else what is left of the question. Throws what the source throws,
  /// and `JournalCorruption`.
  public func step(_ source: some JournalSource, into reply: inout ReplyWriter) throws -> JournalQuery? {
    var reader = JournalRecordReader(source, catalogue, end)
    switch question {
    case .answer(let position):
      try reader.read(at: position) { $0.render(catalogue, into: &reply) }
    case .transaction(let position, let tx, let left, let state):
      try reader.read(at: position) { record in
        guard record.tx == tx else { throw JournalCorruption(description: "another transaction at \(position)") }
        record.describe(catalogue, into: &reply, withMember: true)
        if !state.isEmpty { reply.field(.state, state) }
        if let left { reply.field(.left, left) }
      }
    case .history(var walk):
      if try !walk.run(&reader, steps: cost, into: &reply) { return rest(.history(walk)) }
    case .entry(var walk):
      if try !walk.run(&reader, steps: cost, into: &reply) { return rest(.entry(walk)) }
    case .feed(var walk):
      if try !walk.run(source, catalogue, steps: cost, into: &reply) { return rest(.feed(walk)) }
    case .points(var walk):
      if try !walk.run(source, catalogue, steps: cost, into: &reply) { return rest(.points(walk)) }
    case .remembered(let position, let tx, let tenant, let state):
      try reader.show(tx, at: position, tenant, state: state, into: &reply)
    case .facts(let position, let tx):
      try reader.writeFacts(of: tx, at: position, into: &reply)
    case .pastFacts(var search):
      switch try search.run(&reader, steps: cost) {
      case .unfinished: return rest(.pastFacts(search))
      case .nowhere: reply.error(.notFound, Refusal.notFound(search.tx).text)
      case .found(let position): try reader.writeFacts(of: search.tx, at: position, into: &reply)
      }
    case .explanation(let position, let tx, let tenant):
      try reader.explain(tx, at: position, tenant, into: &reply)
    case .pastExplanation(var search, let tenant):
      switch try search.run(&reader, steps: cost) {
      case .unfinished: return rest(.pastExplanation(search, tenant: tenant))
      case .nowhere: reply.error(.notFound, Refusal.notFound(search.tx).text)
      case .found(let position): try reader.explain(search.tx, at: position, tenant, into: &reply)
      }
    case .past(var search, let tenant):
      switch try search.run(&reader, steps: cost) {
      case .unfinished: return rest(.past(search, tenant: tenant))
      case .nowhere: reply.error(.notFound, Refusal.notFound(search.tx).text)
      case .found(let position):
        try reader.read(at: position) { record in
          guard record.tenant == tenant else { return reply.error(.notFound, Refusal.notFound(search.tx).text) }
          record.describe(catalogue, into: &reply, withMember: true)
        }
      }
    }
    return nil
  }
  private func rest(_ question: Question) -> JournalQuery {
    var rest = self
    rest.question = question
    rest.cost = JournalQuery.stepsAtOnce
    return rest
  }

  /// Runs to the end.
  public func run(_ source: some JournalSource, into reply: inout ReplyWriter) throws {
    var next = try step(source, into: &reply)
    while let query = next { next = try query.step(source, into: &reply) }
  }
}

/// Reads records of a journal.
struct JournalRecordReader<Source: JournalSource> {
  let source: Source
  let catalogue: CatalogueRecords
  let end: JournalPosition
  private var scratch = [UInt8](repeating: 0, count: 512)

  init(_ source: Source, _ catalogue: CatalogueRecords, _ end: JournalPosition) {
    self.source = source
    self.catalogue = catalogue
    self.end = end
  }

  /// The record at a position, and its bytes in the journal.
  mutating func read<R>(at position: JournalPosition, _ body: (JournalRecord) throws -> R) throws -> R {
    let length = try fetch(position)
    return try scratch.withUnsafeBytes { try body(try decode(.init(rebasing: $0[0..<length]), position)) }
  }
  /// A copy of the record at a position.
  mutating func copy(at position: JournalPosition) throws -> [UInt8] { Array(scratch[0..<(try fetch(position))]) }
  /// A record that was copied from there.
  func read<R>(_ bytes: [UInt8], from position: JournalPosition, _ body: (JournalRecord) throws -> R) throws -> R {
    try bytes.withUnsafeBytes { try body(try decode($0, position)) }
  }
  /// As `read`, and where the next record of its frame is.
  mutating func read<R>(
    at position: JournalPosition, next: inout JournalPosition, _ body: (JournalRecord) throws -> R
  ) throws -> R {
    let length = try fetch(position)
    next = position.advanced(by: length)
    return try scratch.withUnsafeBytes { try body(try decode(.init(rebasing: $0[0..<length]), position)) }
  }

  /// The bytes of the record at a position, of whatever form.
  mutating func bytes<R>(
    at position: JournalPosition, atMost most: Int, _ body: (UnsafeRawBufferPointer) throws -> R
  ) throws -> R {
    let length = try fetch(position, atMost: most)
    return try scratch.withUnsafeBytes { try body(.init(rebasing: $0[0..<length])) }
  }

  /// Reads the record at a position to the front of `scratch`; its length.
  private mutating func fetch(
    _ position: JournalPosition, atMost most: Int = JournalRecord.maximumByteCount
  ) throws -> Int {
    let source = source
    var got = try scratch.withUnsafeMutableBytes { try source.read(at: position, into: $0) }
    guard got >= JournalRecord.fixedSize else { throw JournalCorruption(description: "no record at \(position)") }
    let length = scratch.withUnsafeBytes {
      Int(UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: 4, as: UInt32.self)))
    }
    guard length >= JournalRecord.fixedSize, length <= most else {
      throw JournalCorruption(description: "a record of \(length) bytes at \(position)")
    }
    if length > scratch.count {
      scratch = [UInt8](repeating: 0, count: length)
      got = try scratch.withUnsafeMutableBytes { try source.read(at: position, into: $0) }
    }
    guard got >= length else { throw JournalCorruption(description: "a record at \(position) is cut") }
    return length
  }
  private func decode(_ bytes: UnsafeRawBufferPointer, _ position: JournalPosition) throws -> JournalRecord {
    do {
      let record = try JournalRecord(decoding: bytes)
      guard
        !record.kind.isOfHistory || catalogue.has(record.program)
      else {
        throw MalformedBytes("a record of an unknown program")
      }
      return record
    } catch {
      throw JournalCorruption(description: "at segment \(position.segment), offset \(position.offset): \(error)")
    }
  }
}
