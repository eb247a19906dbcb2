import Base
import Vocabulary

/// What a node that takes a request says of the terminal that it names. Terminals are entries that no shard knows: so the node says it,
/// by its copy of the directory, and the command carries it.
///
///     verdict:u8 channel:counted region:counted
public struct TerminalWord: Equatable, Sendable {
  /// The raw value is part of the log.
  public enum Verdict: UInt8, Sendable {
    /// It is that merchant's, and active.
    case good = 0
    case unknown = 1
    /// It is another merchant's, stopped, or not yet in force.
    case closed = 2
  }
  public var verdict: Verdict
  public var channel: [UInt8] = []
  public var region: [UInt8] = []

  public var encoded: [UInt8] {
    var buffer = ByteBuffer(capacity: 64)
    buffer.append(verdict.rawValue)
    buffer.append(counted: channel)
    buffer.append(counted: region)
    return buffer.array
  }
  init(_ verdict: Verdict) { self.verdict = verdict }
  init(decoding bytes: UnsafeRawBufferPointer) throws(MalformedBytes) {
    var reader = ByteReader(bytes)
    let raw: UInt8 = try reader.read()
    guard let verdict = Verdict(rawValue: raw) else { throw MalformedBytes("an unknown word of a terminal") }
    self.verdict = verdict
    (channel, region) = (Array(try reader.readCounted()), Array(try reader.readCounted()))
    try reader.finish()
  }
}

extension Entries {
  /// Of a terminal that a request names, with the merchant that it names.
  public func terminal(
    _ id: UnsafeRawBufferPointer, of merchant: UnsafeRawBufferPointer, tenant: TenantID, at moment: Stamp
  ) -> TerminalWord {
    guard let table = table(word: "TERMINAL"), let merchants = self.table(word: "MERCHANT"),
      let number = find(table, id, tenant)
    else { return TerminalWord(.unknown) }
    let item = tables[table].items[number]
    func value(_ name: String) -> [UInt8]? {
      tables[table].kind.field(name).flatMap { effective(table, item, $0, at: moment) }
    }
    let owner = value("merchant")?.withUnsafeBytes { Entries.references($0).first }
    guard item.isInForce(at: moment), let state = value("state"), EntryField.number(stored: state) == 0,
      let owner = owner.flatMap({ $0 }), tables[merchants].items[owner].key.elementsEqual(merchant)
    else { return TerminalWord(.closed) }
    var word = TerminalWord(.good)
    (word.channel, word.region) = (value("channel") ?? [], value("region") ?? [])
    return word
  }
}
