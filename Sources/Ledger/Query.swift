import Base

/// What a read asks for.
public enum QueryKind: UInt8, Sendable {
  case balance = 128
  case history = 129
  case transaction = 130
  case memberShow = 131
  case card = 132
  case request = 133
  case facts = 134
}

/// Builds read requests as bytes, framed as commands are. The header's slot says which shard answers.
public enum Query {
  public typealias Bytes = UnsafeRawBufferPointer

  /// `BALANCE`: answered at once. For `read=local` the caller adds `reply.field(.asof, …)` to the open record.
  public static func appendBalance(to buffer: inout ByteBuffer, tenant: TenantID, member: Bytes, program: Bytes? = nil)
  {
    let start = begin(&buffer, .balance, Command.memberSlot(member, tenant: tenant), tenant)
    buffer.append(counted: member)
    buffer.append(optional: program)
    Command.end(&buffer, start)
  }
  /// `HISTORY`: answered from the journal. `limit` is 1 to 1,000.
  public static func appendHistory(
    to buffer: inout ByteBuffer, tenant: TenantID, member: Bytes, program: Bytes? = nil, limit: Int = 20,
    before: TransactionID? = nil
  ) {
    let start = begin(&buffer, .history, Command.memberSlot(member, tenant: tenant), tenant)
    buffer.append(counted: member)
    buffer.append(optional: program)
    buffer.append(zigzag: Int64(limit))
    buffer.append((before ?? .none).rawValue)
    Command.end(&buffer, start)
  }
  /// `TX SHOW`: answered from the journal.
  public static func appendTransaction(to buffer: inout ByteBuffer, tenant: TenantID, transaction: TransactionID) {
    let start = begin(&buffer, .transaction, transaction.slot, tenant)
    buffer.append(transaction.rawValue)
    Command.end(&buffer, start)
  }
  /// `MEMBER SHOW`: answered at once.
  public static func appendMemberShow(to buffer: inout ByteBuffer, tenant: TenantID, member: Bytes) {
    let start = begin(&buffer, .memberShow, Command.memberSlot(member, tenant: tenant), tenant)
    buffer.append(counted: member)
    Command.end(&buffer, start)
  }
  /// Whose card is it? Answered at once by the card's shard with a record `card member state [former]`, also for a card
  /// that was removed (its repeats must be answered); `NOTFOUND` for a number never bound. `former` are those who held it
  /// before and whose requests may still be repeated, the last one first, with commas between.
  public static func appendCard(to buffer: inout ByteBuffer, tenant: TenantID, number: Bytes) {
    let start = begin(&buffer, .card, Command.cardSlot(number, tenant: tenant), tenant)
    buffer.append(counted: number)
    Command.end(&buffer, start)
  }

  /// Has a member's request of that id been answered, or is it about to be? Answered at once with an integer: which of the
  /// fingerprints it had, or -1. `merchant` is none for what is not scoped to one.
  public static func appendRequest(
    to buffer: inout ByteBuffer, tenant: TenantID, member: Bytes, merchant: Bytes?, request: Bytes,
    fingerprints: [UInt64]
  ) {
    let start = begin(&buffer, .request, Command.memberSlot(member, tenant: tenant), tenant)
    buffer.append(counted: member)
    buffer.append(optional: merchant)
    buffer.append(counted: request)
    for fingerprint in fingerprints { buffer.append(fingerprint) }
    Command.end(&buffer, start)
  }

  static func begin(_ buffer: inout ByteBuffer, _ kind: QueryKind, _ slot: Slot, _ tenant: TenantID) -> Int {
    let start = buffer.count
    buffer.append(UInt32(0))
    CommandHeader(rawKind: kind.rawValue, slot: slot, context: CommandContext(tenant: tenant, fingerprint: 0))
      .encode(into: &buffer)
    return start
  }
}
