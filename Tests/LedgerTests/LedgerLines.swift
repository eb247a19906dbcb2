import Base
import CommandSupport
import Protocol
import Vocabulary

@testable import Ledger

/// What a line of the protocol is to a shard; empty if it is none of a shard's.
struct Built {
  var bytes: [UInt8] = []
  var isQuery = false
  /// The text with which the parser refuses it.
  var refusal: String?
}

extension World {
  /// A line as the product's parser and encoder make it: a framed command or query.
  func build(_ line: String) throws -> Built {
    var parser = RequestParser()
    var framing = Framing()
    let bytes = Array((expanded(line) + "\r\n").utf8)
    return try bytes.withUnsafeBytes { bytes in
      switch parser.next(bytes, &framing) {
      case .request: return try encode(parser.request)
      case .refused(_, let message), .fatal(let message): return Built(refusal: message)
      case .incomplete, .empty: return Built()
      }
    }
  }

  /// With transactions by their numbers (`#1` is the first that was seen) and times in full.
  private func expanded(_ line: String) -> String {
    line.split(separator: " ").map { word in
      if word.hasPrefix("#") { return number(String(word)) }
      guard let equals = word.firstIndex(of: "=") else { return String(word) }
      let (key, value) = (word[..<equals], String(word[word.index(after: equals)...]))
      if value.hasPrefix("#") { return "\(key)=\(number(value))" }
      return key == "at" && value.count == 16 ? "\(key)=\(value):00Z" : String(word)
    }.joined(separator: " ")
  }

  private func number(_ name: String) -> String {
    let tx = transaction(name)
    return "\(tx.slot.rawValue)-\(tx.sequence)"
  }

  /// Where a request goes, and what it is there: as a node has it, but that a card is looked up at once.
  private func encode(_ request: Request) throws -> Built {
    let rule = request.rule.pointee
    let tenant = TenantID.first
    var party: Command.Party?
    var recipient: Command.Party?
    let slot: Slot
    switch Command.scope(of: request) {
    case .transaction: slot = request.transaction(0).slot
    case .card: slot = Command.cardSlot(request.bytes(at: rule.card), tenant: tenant)
    case .member where rule.route == .member:
      let first = try self.party(request.who(0))
      party = first
      if rule.hasRecipient { recipient = try self.party(request.who(1)) }
      slot = Command.memberSlot(first.member, tenant: tenant)
    case .member: slot = Command.memberSlot(request.bytes(at: rule.party), tenant: tenant)
    case .none: return Built()
    }
    var buffer = ByteBuffer()
    let isQuery = rule.effect == .read
    let fingerprint = isQuery ? 0 : request.fingerprint(.none, party?.member)
    Command.append(
      request, to: &buffer, slot: slot, context: CommandContext(fingerprint: fingerprint), party: party,
      recipient: recipient)
    return Built(bytes: buffer.array, isQuery: isQuery)
  }
  private func party(_ who: Request.Who) throws -> Command.Party {
    guard who.isCard else { return Command.Party(member: who.id) }
    var query = ByteBuffer()
    Query.appendCard(to: &query, tenant: .first, number: who.id)
    let reply = try ask(query.array)
    let member = reply.split(separator: " ").first { $0.hasPrefix("member=") }?.dropFirst(7) ?? "nobody"
    return Command.Party(member: lasting(String(member)), card: who.id)
  }

  /// Plays a transcript: `> line` is carried out, `@ 2026-01-15T12:00` sets the clock; the lines in between are what
  /// came back. Returns the transcript as it really went.
  func play(_ transcript: String) throws -> String {
    var out: [String] = []
    for line in transcript.split(separator: "\n", omittingEmptySubsequences: false) {
      if line.hasPrefix("> ") {
        out.append(String(line))
        out.append(try run(String(line.dropFirst(2))))
      } else if line.hasPrefix("@ ") {
        out.append(String(line))
        setTime(String(line.dropFirst(2)))
      }
    }
    return out.joined(separator: "\n")
  }
  /// The next entry is stamped with this time.
  func setTime(_ text: String) { time = Stamp(microseconds: World.stamp(text).microseconds - 1) }
}
