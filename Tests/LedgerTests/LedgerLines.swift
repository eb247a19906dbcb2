import Base
import CommandSupport
import Protocol
import Vocabulary

@testable import Ledger

/// What a line of the protocol is to a shard.
struct Built {
  var bytes: [UInt8]
  var isQuery: Bool
}

extension World {
  /// A line as the product's parser and encoder make it: a framed command or query.
  func build(_ line: String) throws -> Built {
    try parsing(expanded(line)) { request in
      guard let built = try encode(request) else { throw RefusedLine(text: "it is none of a shard's") }
      return built
    }
  }
  /// Carries out a line; what the terminal gets, with names for what differs between clusters.
  ///
  /// `TICK` does what is due by now, `CHECK` checks all invariants of each shard, `RECALLS` counts how often a command was
  /// sent again with facts of the past. `AS name role limit` says who asks from here on. `USED id` is what all shards drew of a quota, `REPORT id` what they say of a campaign.
  func run(_ line: String) throws -> String {
    switch line {
    case "TICK": return try tickAll()
    case "CHECK":
      for shard in shards { try shard.ledger.checkInvariants() }
      return "ok"
    case "RECALLS": return "\(recalls)"
    default: break
    }
    let words = line.split(separator: " ").map(String.init)
    if words.count == 4, words[0] == "AS", let role = Role.allCases.first(where: { $0.word == words[2] }) {
      asker = Actor(name: Array(words[1].utf8), role: role, adjustLimit: Int64(words[3]) ?? 0)
      return "+OK"
    }
    if words.count == 2, words[0] == "USED" {
      let sums = try ask(.quota(.first, id: Array(words[1].utf8)))
      return "+used=\(sums["points"] ?? 0) limit=\(sums["needed"] ?? 0)"
    }
    if words.count == 2, words[0] == "REPORT" {
      let sums = try ask(.campaign(.first, id: Array(words[1].utf8)))
      return "+"
        + ["members", "transactions", "points", "spend"].map { "\($0)=\(sums[$0] ?? 0)" }.joined(separator: " ")
    }
    do {
      return try parsing(expanded(line)) { request in
        if let entry = EntryLine(request) { return try run(entry) }
        guard let built = try encode(request) else { throw RefusedLine(text: "it is none of a shard's") }
        if built.isQuery { return try ask(built.bytes) }
        let (text, outcome) = try send(built.bytes)
        return try deliver(text, outcome, built.bytes)
      }
    } catch let refused as RefusedLine {
      return "-ERR \(refused.text)"
    }
  }
  private func run(_ entry: EntryLine) throws -> String {
    var reply = ReplyWriter()
    guard entry.operation == .set else {
      try book.read(entry, at: time, into: &reply)
      return text(of: reply.buffer.bytes)
    }
    guard let delta = try book.set(entry, at: time, into: &reply) else {
      return reply.buffer.isEmpty ? "+OK" : text(of: reply.buffer.bytes)
    }
    for i in shards.indices {
      var buffer = ByteBuffer()
      delta.withUnsafeBytes { Command.appendCatalogue(to: &buffer, slot: Slot(0), delta: $0) }
      try send(buffer.array, to: i)
    }
    return "+OK"
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
  private func encode(_ request: Request) throws -> Built? {
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
    case .none: return nil
    }
    var buffer = ByteBuffer()
    let isQuery = rule.effect == .read
    let fingerprint = isQuery ? 0 : request.fingerprint(.none, party?.member)
    Command.append(
      request, to: &buffer, slot: slot, context: CommandContext(fingerprint: fingerprint), party: party,
      recipient: recipient, terminal: terminal(request),
      asker: rule.traits.contains(.namesActor) ? asker : nil)
    return Built(bytes: buffer.array, isQuery: isQuery)
  }
  /// As the node knows it that takes the request.
  private func terminal(_ request: Request) -> TerminalWord? {
    guard request.has(.terminal), let id = request.text(.terminal) else { return nil }
    return book.entries.terminal(id, of: request.bytes(at: request.rule.pointee.merchant), tenant: .first, at: time)
  }
  private func party(_ who: Request.Who) throws -> Command.Party {
    guard who.isAlias else { return Command.Party(member: who.id) }
    var query = ByteBuffer()
    Query.appendCard(to: &query, tenant: .first, number: who.id)
    let reply = try ask(query.array)
    let member = reply.split(separator: " ").first { $0.hasPrefix("member=") }?.dropFirst(7) ?? "nobody"
    return Command.Party(member: lasting(String(member)), card: who.id)
  }

  /// The next entry is stamped with this time.
  func setTime(_ text: String) { time = Stamp(microseconds: World.stamp(text).microseconds - 1) }
}

extension World {
  /// What the terminal gets of a reply, with names for what differs between clusters: `#1` is the first transaction that
  /// was seen; times are in UTC, to the minute.
  func text(of reply: UnsafeRawBufferPointer) -> String {
    var output = ByteBuffer()
    guard (try? ReplyRenderer.render(reply, resp3: false, into: &output)) != nil else { return "(malformed reply)" }
    return String(decoding: output.bytes, as: UTF8.self).split(separator: "\r\n").map { line in
      line.split(separator: " ", omittingEmptySubsequences: false).map(named).joined(separator: " ")
    }.joined(separator: "\n")
  }
  private static let times = ["time", "expires", "effective", "since", "from", "until", "set", "at"]
  /// Digits of a moment: of the years from 2001 on.
  private static let digitsOfMoment = 13
  private func named(_ word: Substring) -> String {
    guard let equals = word.firstIndex(of: "=") else { return String(word) }
    let value = word[word.index(after: equals)...]
    let key = word[..<equals].drop { $0 == "+" }
    if World.times.contains(String(key)), value.count == World.digitsOfMoment, let milliseconds = Int64(value) {
      return word[...equals] + World.text(Stamp(microseconds: milliseconds * 1_000))
    }
    let isNumber = ["tx", "of", "before", "case"].contains(key)
    guard isNumber, let tx = withBytes(String(value), { TransactionID(parsing: $0) }) else {
      return String(word)
    }
    return word[...equals] + name(tx)
  }
}

extension String {
  /// Of the text of a reply: the records of an array, else the one that it is.
  var rows: [String] {
    let lines = split(separator: "\n").dropFirst(hasPrefix("*") ? 1 : 0)
    return lines.map { String($0.drop { $0 == "+" }) }
  }
  /// It is an error of that code, which ends with these fields.
  func isError(_ code: String, _ fields: String = "") -> Bool { hasPrefix("-\(code) ") && hasSuffix(fields) }
}
