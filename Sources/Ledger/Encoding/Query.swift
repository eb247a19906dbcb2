import Base
import Vocabulary

/// What nodes ask of shards for themselves. What terminals ask is built by `Command.append`; the format is the same.
public enum Query {
  public typealias Bytes = UnsafeRawBufferPointer

  /// Whose card is it? Answered at once by the card's shard with a record `card member state [former]`, also for a card
  /// that was removed (its repeats must be answered); `NOTFOUND` for a number never bound. `former` are those who held it
  /// before and whose requests may still be repeated, the last one first, with commas between.
  public static func appendCard(to buffer: inout ByteBuffer, tenant: TenantID, number: Bytes) {
    let header = CommandHeader(
      .cardHolders, slot: Command.cardSlot(number, tenant: tenant),
      context: CommandContext(tenant: tenant, fingerprint: 0),
      scope: .card)
    let start = Command.begin(&buffer, header)
    appendScope(&buffer, card: number)
    buffer.append(UInt8(0))
    Command.end(&buffer, start)
  }

  /// Has a member's request of that id been answered, or is it about to be? Answered at once with an integer: which of the
  /// fingerprints it had, or -1. `merchant` is none for what is not scoped to one.
  public static func appendRequest(
    to buffer: inout ByteBuffer, tenant: TenantID, member: Bytes, merchant: Bytes?, request: Bytes,
    fingerprints: [UInt64]
  ) {
    let header = CommandHeader(
      .requestSeen, slot: Command.memberSlot(member, tenant: tenant),
      context: CommandContext(tenant: tenant, fingerprint: 0), scope: .member)
    let start = Command.begin(&buffer, header)
    appendScope(&buffer, party: member, merchant: merchant ?? Command.none, request: request)
    buffer.append(UInt8(0))
    Command.append(fingerprints, to: &buffer)
    Command.end(&buffer, start)
  }

  /// What a command about a transaction would have to carry (see `Command.carrying`): `+` and the facts; `+OK`: nothing
  /// any more; `NOTFOUND`. Appends nothing and returns false if the framed command is of another kind.
  public static func appendFacts(to buffer: inout ByteBuffer, for command: Bytes) -> Bool {
    guard Command.wantsFacts(command), let header = try? CommandHeader(of: command) else { return false }
    let context = CommandContext(tenant: header.context.tenant, fingerprint: 0)
    let start = Command.begin(
      &buffer, CommandHeader(.facts, slot: header.slot, context: context, scope: .transaction))
    if let tx = Command.purchase(of: command) {
      withUnsafeBytes(of: tx.rawValue.littleEndian) { appendScope(&buffer, party: $0) }
    } else {
      appendScope(&buffer, party: Bytes(rebasing: command[Command.transactionOffset..<Command.transactionOffset + 8]))
    }
    buffer.append(UInt8(0))
    Command.end(&buffer, start)
    return true
  }

  /// A transaction as `TX SHOW` has it.
  public static func appendTransaction(to buffer: inout ByteBuffer, tenant: TenantID, _ tx: TransactionID) {
    let context = CommandContext(tenant: tenant, fingerprint: 0)
    let start = Command.begin(
      &buffer, CommandHeader(.transactionShow, slot: tx.slot, context: context, scope: .transaction))
    withUnsafeBytes(of: tx.rawValue.littleEndian) { appendScope(&buffer, party: $0) }
    buffer.append(UInt8(0))
    Command.end(&buffer, start)
  }

  private static func appendScope(
    _ buffer: inout ByteBuffer, party: Bytes = Command.none, card: Bytes = Command.none,
    merchant: Bytes = Command.none, request: Bytes = Command.none
  ) {
    buffer.append(counted: party)
    buffer.append(counted: card)
    buffer.append(counted: merchant)
    buffer.append(counted: request)
  }
}

extension Command {
  /// Where a framed command about a transaction has that one's number.
  static var transactionOffset: Int { CommandHeader.bodyOffset + 1 }

  /// A command about a transaction, with what the shard's leader found out about that. `command` is framed, and carries no
  /// facts yet. Nil if it is of another kind.
  public static func carrying(facts: Bytes, _ command: Bytes) -> [UInt8]? {
    guard wantsFacts(command), command.count + facts.count < maximumByteCount / 2 else { return nil }
    var buffer = ByteBuffer(capacity: command.count + facts.count + 8)
    buffer.append(command)
    buffer.append(Attachment.facts.rawValue)
    buffer.append(counted: facts)
    end(&buffer, 0)
    return buffer.array
  }
  /// A framed command, with what it has waited for. Nil if it has waited too often.
  public static func carrying(_ deferral: Deferral, _ command: Bytes) -> [UInt8]? {
    guard let quota = deferral.quota else { return Array(command) }
    guard command.count < maximumByteCount / 2, waitCount(command) < mostWaits else { return nil }
    var buffer = ByteBuffer(capacity: command.count + 14)
    buffer.append(command)
    buffer.append(Attachment.ask.rawValue)
    buffer.append(UInt8(12))
    buffer.append(quota)
    buffer.append(deferral.since.rawValue)
    end(&buffer, 0)
    return buffer.array
  }
  static let mostWaits = 64
  private static func waitCount(_ command: Bytes) -> Int { (try? Call(command))?.asks.count ?? 0 }
  /// Whether a framed command is one that may want facts: it changes something about a transaction.
  /// The purchase that a `CASE OPEN` is about.
  fileprivate static func purchase(of command: Bytes) -> TransactionID? {
    guard CommandHeader.rule(of: command)?.pointee.verb == .caseOpen, let call = try? Call(command) else { return nil }
    let tx = call.transaction(.tx)
    return tx?.slot == call.slot ? tx : nil
  }
  static func wantsFacts(_ command: Bytes) -> Bool {
    if purchase(of: command) != nil { return true }
    guard command.count >= transactionOffset + 8, command[CommandHeader.bodyOffset] == 8,
      command[CommandHeader.bodyOffset - 1] == ScopeKind.transaction.rawValue,
      let rule = CommandHeader.rule(of: command)
    else { return false }
    return rule.pointee.effect != .read
  }
}
