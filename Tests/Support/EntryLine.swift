import Base
import Ledger
import Protocol
import Vocabulary

/// Why the product's parser refuses a line.
public struct RefusedLine: Error {
  public let text: String
  public init(text: String) { self.text = text }
}

/// Reads a line of the protocol as a node does. Throws `RefusedLine`. What is given to `body` is valid within it.
public func parsing<Result>(
  _ line: String, in language: Language = .standard, _ body: (Request) throws -> Result
) throws -> Result {
  var parser = RequestParser(language)
  var framing = Framing()
  return try Array((line + "\r\n").utf8).withUnsafeBytes { bytes in
    switch parser.next(bytes, &framing) {
    case .request: return try body(parser.request)
    case .refused(_, let message), .fatal(let message): throw RefusedLine(text: message)
    case .incomplete, .empty: throw RefusedLine(text: "there is nothing on the line")
    }
  }
}

/// A request about entries, made of a line like `MERCHANT SET shop title=x`: what a node sends to the directory.
public struct EntryLine {
  public let operation: EntryRequest.Operation
  /// An encoded `EntryRequest`.
  public let bytes: [UInt8]
  private let limit: Int
  private let after: [UInt8]

  public init(_ line: String, in language: Language = .standard) throws {
    self = try parsing(line, in: language) { request in
      guard let entry = EntryLine(request) else { throw RefusedLine(text: "it is about no entry") }
      return entry
    }
  }
  /// Nil if a request is about no entry.
  public init?(_ request: Request) {
    guard let operation = EntryRequest.Operation.allCases.first(where: { $0.verb == request.verb }) else { return nil }
    self.operation = operation
    bytes = Array(request.positional(0)) + Array(request.positional(1))
    limit = Int(request.number(.limit) ?? 1_000)
    after = request.text(.after).map { Array($0) } ?? []
  }

  /// Carries out a `SET`. The delta for shards, if there is one; the reply is written if it was refused.
  public func set(
    _ entries: inout Entries, at stamp: Stamp, tenant: TenantID = .first, semantics: UInt8 = Semantics.newest,
    into reply: inout ReplyWriter
  ) throws -> [UInt8]? {
    var nowhere = EntryJournal()
    return try set(&entries, at: stamp, tenant: tenant, semantics: semantics, journal: &nowhere, into: &reply)
  }
  func set(
    _ entries: inout Entries, at stamp: Stamp, tenant: TenantID, semantics: UInt8, journal: inout EntryJournal,
    into reply: inout ReplyWriter
  ) throws -> [UInt8]? {
    try bytes.withUnsafeBytes { raw in
      var reader = ByteReader(raw)
      let request = try EntryRequest(decoding: &reader)
      let nobody = UnsafeRawBufferPointer(start: nil, count: 0)
      let decision = entries.set(
        request, tenant: tenant, by: nobody, stamp: stamp, semantics: semantics, journal: &journal, into: &reply)
      if case .changed(let delta) = decision { return delta }
      return nil
    }
  }
  /// Answers a `SHOW`, a `LIST` or a `HISTORY`. What reads of the journal it took.
  @discardableResult public func read(
    _ entries: Entries, at now: Stamp, tenant: TenantID = .first, journal: MemoryJournal = MemoryJournal(),
    end: JournalPosition = JournalPosition(beginningOf: .directory), into reply: inout ReplyWriter
  ) throws -> Int {
    let outcome: ReadOutcome = try bytes.withUnsafeBytes { raw in
      var reader = ByteReader(raw)
      let request = try EntryRequest(decoding: &reader)
      switch operation {
      case .show: return entries.show(request, tenant: tenant, now: now, journal: end, into: &reply)
      case .history: return entries.history(request, tenant: tenant, limit: limit, journal: end, into: &reply)
      default:
        after.withUnsafeBytes {
          entries.list(request, tenant: tenant, now: now, limit: limit, after: $0, into: &reply)
        }
        return .replied
      }
    }
    guard case .journal(let query) = outcome else { return 0 }
    let source = CountingJournal(journal)
    try query.run(source, into: &reply)
    return source.reads
  }
  /// The deltas of some lines, for a ledger of its own.
  public static func deltas(_ lines: [String], stamp: Stamp = Stamp(microseconds: 1)) -> [[UInt8]] {
    var entries = Entries()
    return lines.compactMap { line in
      var reply = ReplyWriter()
      return try? EntryLine(line).set(&entries, at: stamp, into: &reply)
    }
  }
}

/// A journal in memory.
public struct MemoryJournal: JournalSource, Equatable {
  public var segments: [UInt32: [UInt8]] = [:]
  /// Of other shards, by number: what this one's records refer to.
  public var inherited: [UInt32: MemoryJournal] = [:]
  public init() {}
  public mutating func append(_ position: JournalPosition, _ bytes: UnsafeRawBufferPointer) {
    precondition(segments[position.segment, default: []].count == Int(position.offset), "journal bytes are contiguous")
    segments[position.segment, default: []].append(contentsOf: bytes)
  }
  public func read(at position: JournalPosition, into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    if let other = inherited[position.journal.rawValue] { return try other.read(at: position, into: buffer) }
    let bytes = segments[position.segment] ?? []
    let start = min(Int(position.offset), bytes.count)
    let n = min(buffer.count, bytes.count - start)
    buffer.copyBytes(from: bytes[start..<start + n])
    return n
  }
}

/// Counts the reads of a journal.
public final class CountingJournal: JournalSource {
  let journal: MemoryJournal
  public private(set) var reads = 0
  public init(_ journal: MemoryJournal) { self.journal = journal }
  public func read(at position: JournalPosition, into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    reads += 1
    return try journal.read(at: position, into: buffer)
  }
}

/// Entries by themselves, with their journal in memory; each change is an entry of the log.
public final class EntryBook {
  public var entries: Entries
  public private(set) var journal = MemoryJournal()
  private var unwritten: EntryJournal
  private var index = LogIndex(0)

  public init(kinds: [EntryKind] = EntryKind.all, segmentBytes: UInt64 = 64 << 20) {
    entries = Entries(kinds: kinds)
    unwritten = EntryJournal(segmentBytes: segmentBytes)
  }
  public var chain: JournalChain { unwritten.chain }

  public func set(
    _ line: EntryLine, at stamp: Stamp, tenant: TenantID = .first, semantics: UInt8 = Semantics.newest,
    into reply: inout ReplyWriter
  ) throws -> [UInt8]? {
    index = index + 1
    unwritten.begin(index, stamp: stamp)
    defer {
      unwritten.endEntry()
      unwritten.take { journal.append($0, $1) }
    }
    return try line.set(
      &entries, at: stamp, tenant: tenant, semantics: semantics, journal: &unwritten, into: &reply)
  }
  /// - Parameter restored: other entries that have this journal.
  @discardableResult public func read(
    _ line: EntryLine, of restored: Entries? = nil, at now: Stamp, tenant: TenantID = .first,
    into reply: inout ReplyWriter
  ) throws -> Int {
    try line.read(
      restored ?? entries, at: now, tenant: tenant, journal: journal, end: unwritten.end, into: &reply)
  }
}
