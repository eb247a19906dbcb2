import Base
import Ledger
import Vocabulary

/// A request about entries, made of a line like `MERCHANT SET shop title=x` (words without spaces): what a node sends to the
/// directory.
public struct EntryLine {
  public struct Refused: Error { public var text: String }
  public let operation: EntryRequest.Operation
  /// An encoded `EntryRequest`.
  public private(set) var bytes: [UInt8] = []
  private(set) var limit = 1_000
  private(set) var after: [UInt8] = []

  public init(_ line: String, kinds: [EntryKind] = EntryKind.all) throws {
    let words = line.split(separator: " ").map(String.init)
    guard words.count > 1, let kind = kinds.first(where: { $0.word == words[0] }),
      let operation = EntryRequest.Operation.allCases.first(where: { "\($0)".uppercased() == words[1] })
    else { throw Refused(text: "no such verb") }
    self.operation = operation
    var writer = EntryRequestWriter(kind, operation)
    var buffer = ByteBuffer()
    do {
      for word in words.dropFirst(2) {
        guard let equals = word.firstIndex(of: "=") else {
          try Array(word.utf8).withUnsafeBytes { try writer.add($0) }
          continue
        }
        let name = String(word[..<equals])
        let value = Array(word[word.index(after: equals)...].utf8)
        switch name {
        case "limit": limit = Int(String(decoding: value, as: UTF8.self)) ?? 0
        case "after": after = value
        default: try Array(name.utf8).withUnsafeBytes { name in try value.withUnsafeBytes { try writer.add(name, $0) } }
        }
      }
      _ = try writer.finish(into: &buffer)
    } catch let refusal as EntryRequestWriter.Refusal {
      throw Refused(text: EntryLine.text(refusal))
    }
    bytes = buffer.array
  }
  private static func text(_ refusal: EntryRequestWriter.Refusal) -> String {
    switch refusal {
    case .unexpected: "unexpected"
    case .unknownKey: "unknown key"
    case .twice: "twice"
    case .wrong(let name, _, let requirement): "\(name) must be \(requirement)"
    case .missing(let name): "\(name) is missing"
    }
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
  public init() {}
  public mutating func append(_ position: JournalPosition, _ bytes: UnsafeRawBufferPointer) {
    precondition(segments[position.segment, default: []].count == Int(position.offset), "journal bytes are contiguous")
    segments[position.segment, default: []].append(contentsOf: bytes)
  }
  public func read(at position: JournalPosition, into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
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
