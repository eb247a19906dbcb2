import Base
import CommandSupport
import Vocabulary

@testable import Ledger

extension World {
  /// A line of the protocol as a framed command or query; no bytes where the line is none of the ledger's.
  func build(_ line: String) throws -> (bytes: [UInt8], isQuery: Bool) {
    let (words, keys) = split(line)
    var buffer = ByteBuffer()
    let context = CommandContext(fingerprint: fingerprint(words, keys))
    func text(_ key: String) -> UnsafeRawBufferPointer? { keys[key].map(lasting) }
    func number(_ key: String) -> Int64? { keys[key].flatMap { Int64($0) } }
    let amount: Command.Amount = number("spend").map { .spend($0) } ?? number("points").map { .points($0) } ?? .whole
    let request = text("id") ?? lasting("")
    // `card:NUMBER` is resolved through the card's shard, as a node does.
    func who(_ i: Int) throws -> (member: UnsafeRawBufferPointer, card: UnsafeRawBufferPointer?) {
      guard words[i].hasPrefix("card:") else { return (lasting(words[i]), nil) }
      let card = String(words[i].dropFirst(5))
      var query = ByteBuffer()
      Query.appendCard(to: &query, tenant: .first, number: lasting(card))
      let reply = try ask(query.array)
      let member = reply.split(separator: " ").first { $0.hasPrefix("member=") }?.dropFirst(7) ?? "nobody"
      return (lasting(String(member)), lasting(card))
    }
    switch words[0] {
    case "EARN":
      let (member, card) = try who(1)
      Command.appendEarn(
        to: &buffer, context: context, member: member, card: card, merchant: text("merchant") ?? lasting(""),
        program: text("program"), amount: amount, request: request, at: keys["at"].map { World.stamp($0) })
    case "REDEEM":
      let (member, card) = try who(1)
      Command.appendRedeem(
        to: &buffer, context: context, member: member, card: card, merchant: text("merchant") ?? lasting(""),
        program: text("program"), points: number("points") ?? 0, request: request)
    case "HOLD":
      let (member, card) = try who(1)
      Command.appendHold(
        to: &buffer, context: context, member: member, card: card, merchant: text("merchant") ?? lasting(""),
        program: text("program"), points: number("points") ?? 0, request: request, ttlSeconds: number("ttl") ?? 900)
    case "CAPTURE":
      Command.appendCapture(
        to: &buffer, context: context, hold: transaction(words[1]), points: number("points"), request: request)
    case "RELEASE":
      Command.appendRelease(to: &buffer, context: context, hold: transaction(words[1]), request: request)
    case "REFUND":
      Command.appendRefund(
        to: &buffer, context: context, of: transaction(words[1]), amount: amount, request: request)
    case "TRANSFER":
      let (from, fromCard) = try who(1)
      let (to, toCard) = try who(2)
      Command.appendTransfer(
        to: &buffer, context: context, from: from, fromCard: fromCard, recipient: to, recipientCard: toCard,
        program: text("program"), points: number("points") ?? 0, request: request)
    case "MEMBER" where words[1].hasPrefix("NOTE"):
      let (member, card) = try who(2)
      let isQuery = words[1] == "NOTES"
      Query.appendOfMember(
        isQuery ? .memberNotes : .memberNote, to: &buffer, context: context, member: member, card: card,
        texts: isQuery ? [] : [(.kind, text("kind")), (.text, text("text")), (.id, text("id"))],
        numbers: isQuery ? [(.limit, number("limit"))] : [])
      return (buffer.array, isQuery)
    case "MEMBER": return (try buildMember(words, keys, context, request), words[1] == "SHOW")
    case "CARD":
      if words[1] == "ADD" {
        Command.appendCardAdd(
          to: &buffer, context: context, number: lasting(words[2]), member: text("member") ?? lasting(""),
          request: request)
      } else {
        Command.appendCardState(
          to: &buffer, context: context, number: lasting(words[2]),
          change: words[1] == "LOST" ? .lost : words[1] == "FOUND" ? .found : .remove, request: request)
      }
    case "BALANCE":
      Query.appendBalance(
        to: &buffer, tenant: .first, member: try who(1).member, program: text("program"), ofAll: keys["all"] == "yes")
      return (buffer.array, true)
    case "HISTORY":
      Query.appendHistory(
        to: &buffer, tenant: .first, member: try who(1).member, program: text("program"),
        limit: Int(number("limit") ?? 20), before: keys["before"].map { transaction($0) })
      return (buffer.array, true)
    case "TX":
      Query.appendTransaction(to: &buffer, tenant: .first, transaction: transaction(words[2]))
      return (buffer.array, true)
    default: return ([], false)
    }
    return (buffer.array, false)
  }
  private func buildMember(
    _ words: [String], _ keys: [String: String], _ context: CommandContext, _ request: UnsafeRawBufferPointer
  ) throws -> [UInt8] {
    var buffer = ByteBuffer()
    let id = lasting(words[2])
    switch words[1] {
    case "ADD":
      Command.appendMemberAdd(
        to: &buffer, context: context, member: id, name: keys["name"].map(lasting), region: keys["region"].map(lasting),
        card: keys["card"].map(lasting), request: request)
    case "SHOW": Query.appendMemberShow(to: &buffer, tenant: .first, member: id)
    default:
      let change: Command.MemberChange = words[1] == "FREEZE" ? .freeze : words[1] == "THAW" ? .thaw : .close
      Command.appendMemberState(to: &buffer, context: context, member: id, change: change, request: request)
    }
    return buffer.array
  }
  /// Of the verb and its keys, in any order.
  private func fingerprint(_ words: [String], _ keys: [String: String]) -> UInt64 {
    var sum = words.joined(separator: " ").xxh64()
    for (key, value) in keys where key != "id" { sum &+= "\(key)=\(value)".xxh64() }
    return sum
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
        time = World.stamp(String(line.dropFirst(2)))
        time = Stamp(microseconds: time.microseconds - 1)
      } else if line.hasPrefix("--") {
        out.append(String(line))
      }
    }
    return out.joined(separator: "\n")
  }
}
