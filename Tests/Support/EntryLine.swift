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
    try bytes.withUnsafeBytes { raw in
      var reader = ByteReader(raw)
      let request = try EntryRequest(decoding: &reader)
      let nobody = UnsafeRawBufferPointer(start: nil, count: 0)
      let decision = entries.set(
        request, tenant: tenant, by: nobody, stamp: stamp, semantics: semantics, into: &reply)
      if case .changed(let delta) = decision { return delta }
      return nil
    }
  }
  /// Answers a `SHOW`, a `LIST` or a `HISTORY`.
  public func read(_ entries: Entries, at now: Stamp, tenant: TenantID = .first, into reply: inout ReplyWriter) throws {
    try bytes.withUnsafeBytes { raw in
      var reader = ByteReader(raw)
      let request = try EntryRequest(decoding: &reader)
      switch operation {
      case .show: entries.show(request, tenant: tenant, now: now, into: &reply)
      case .history: entries.history(request, tenant: tenant, into: &reply)
      default:
        after.withUnsafeBytes {
          entries.list(request, tenant: tenant, now: now, limit: limit, after: $0, into: &reply)
        }
      }
    }
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
