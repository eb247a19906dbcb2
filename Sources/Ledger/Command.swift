import Base

/// Builds commands as bytes: each call appends one framed command, `[byteCount u32][CommandHeader][body]`, ready to stand
/// in an entry. Ids are bytes that the caller has validated (1 to 64 of `A-Za-z0-9._-`); they are checked again when the
/// command is applied. The slot that routes the command is computed here and stands in its header.
///
/// An optional text that is nil or empty is left out. Cost: some 20 ns and no allocation, beyond the buffer's growth.
public enum Command {
  /// No command is longer, so no entry traps on a length.
  public static let maximumByteCount = 1 << 20
  public typealias Bytes = UnsafeRawBufferPointer

  /// The amount of an earn or a refund.
  public enum Amount: Sendable, Equatable {
    /// A refund of all that is left.
    case whole
    /// Money in minor units.
    case spend(Int64)
    case points(Int64)
  }
  /// What `MEMBER FREEZE|THAW|CLOSE` does.
  public enum MemberChange: UInt8, Sendable { case freeze = 1, thaw = 2, close = 3 }
  /// What `CARD LOST|FOUND|REMOVE` does.
  public enum CardChange: UInt8, Sendable { case lost = 1, found = 2, remove = 3 }

  /// The slot of a member: where its commands go.
  @inlinable public static func memberSlot(_ member: Bytes, tenant: TenantID) -> Slot {
    Slot(hash: Slot.hash(.member, tenant: tenant, id: member))
  }
  /// The slot of a card number: the shard that knows whose card it is.
  @inlinable public static func cardSlot(_ number: Bytes, tenant: TenantID) -> Slot {
    Slot(hash: Slot.hash(.card, tenant: tenant, id: number))
  }

  /// `EARN`. `card` is the number the terminal used, if it did; `member` is always the resolved id.
  public static func appendEarn(
    to buffer: inout ByteBuffer, context: CommandContext, member: Bytes, card: Bytes? = nil, merchant: Bytes,
    program: Bytes? = nil, amount: Amount, request: Bytes, at: Stamp? = nil
  ) {
    let start = begin(&buffer, .earn, memberSlot(member, tenant: context.tenant), context)
    appendParty(&buffer, member, card)
    buffer.append(counted: merchant)
    buffer.append(optional: program)
    buffer.append(counted: request)
    append(&buffer, amount)
    buffer.append(UInt8(at == nil ? 0 : 1))
    if let at { buffer.append(zigzag: at.microseconds) }
    end(&buffer, start)
  }
  /// `REDEEM`.
  public static func appendRedeem(
    to buffer: inout ByteBuffer, context: CommandContext, member: Bytes, card: Bytes? = nil, merchant: Bytes,
    program: Bytes? = nil, points: Int64, request: Bytes
  ) {
    let start = begin(&buffer, .redeem, memberSlot(member, tenant: context.tenant), context)
    appendParty(&buffer, member, card)
    buffer.append(counted: merchant)
    buffer.append(optional: program)
    buffer.append(counted: request)
    buffer.append(zigzag: points)
    end(&buffer, start)
  }
  /// `HOLD`. `ttlSeconds` is 900 unless the terminal said otherwise.
  public static func appendHold(
    to buffer: inout ByteBuffer, context: CommandContext, member: Bytes, card: Bytes? = nil, merchant: Bytes,
    program: Bytes? = nil, points: Int64, request: Bytes, ttlSeconds: Int64 = 900
  ) {
    let start = begin(&buffer, .hold, memberSlot(member, tenant: context.tenant), context)
    appendParty(&buffer, member, card)
    buffer.append(counted: merchant)
    buffer.append(optional: program)
    buffer.append(counted: request)
    buffer.append(zigzag: points)
    buffer.append(zigzag: ttlSeconds)
    end(&buffer, start)
  }
  /// `CAPTURE`. Without `points`: all that is held.
  public static func appendCapture(
    to buffer: inout ByteBuffer, context: CommandContext, hold: TransactionID, points: Int64? = nil, request: Bytes
  ) {
    let start = begin(&buffer, .capture, hold.slot, context)
    buffer.append(hold.rawValue)
    buffer.append(counted: request)
    append(&buffer, points.map { .points($0) } ?? .whole)
    end(&buffer, start)
  }
  /// `RELEASE`.
  public static func appendRelease(
    to buffer: inout ByteBuffer, context: CommandContext, hold: TransactionID, request: Bytes
  ) {
    let start = begin(&buffer, .release, hold.slot, context)
    buffer.append(hold.rawValue)
    buffer.append(counted: request)
    end(&buffer, start)
  }
  /// `REFUND` of an earn, redeem or capture.
  public static func appendRefund(
    to buffer: inout ByteBuffer, context: CommandContext, of original: TransactionID, amount: Amount = .whole,
    request: Bytes
  ) {
    let start = begin(&buffer, .refund, original.slot, context)
    buffer.append(original.rawValue)
    buffer.append(counted: request)
    append(&buffer, amount)
    end(&buffer, start)
  }
  /// `TRANSFER`: goes to the sender's slot. An empty `recipient` is one whose card nobody holds: it is refused there, so
  /// that the refusal is kept. `otherFingerprints`, at most `FormerHolders.most` and one, are those that the same request
  /// had while the recipient's card named somebody else, or nobody.
  public static func appendTransfer(
    to buffer: inout ByteBuffer, context: CommandContext, from: Bytes, fromCard: Bytes? = nil, recipient: Bytes,
    recipientCard: Bytes? = nil, program: Bytes? = nil, points: Int64, request: Bytes,
    otherFingerprints: [UInt64] = []
  ) {
    let start = begin(&buffer, .transfer, memberSlot(from, tenant: context.tenant), context)
    appendParty(&buffer, from, fromCard)
    appendParty(&buffer, recipient, recipientCard)
    buffer.append(optional: program)
    buffer.append(counted: request)
    buffer.append(zigzag: points)
    for fingerprint in otherFingerprints { buffer.append(fingerprint) }
    end(&buffer, start)
  }
  /// `MEMBER ADD`. With a card it goes to the card's slot first, which claims the number; without, to the member's.
  public static func appendMemberAdd(
    to buffer: inout ByteBuffer, context: CommandContext, member: Bytes, name: Bytes? = nil, region: Bytes? = nil,
    card: Bytes? = nil, request: Bytes? = nil
  ) {
    var slot = memberSlot(member, tenant: context.tenant)
    if let card, !card.isEmpty { slot = cardSlot(card, tenant: context.tenant) }
    let start = begin(&buffer, .memberAdd, slot, context)
    appendParty(&buffer, member, card)
    buffer.append(optional: name)
    buffer.append(optional: region)
    buffer.append(optional: request)
    end(&buffer, start)
  }
  /// `MEMBER FREEZE|THAW|CLOSE`. `card` is the number that named the member, if one did.
  public static func appendMemberState(
    to buffer: inout ByteBuffer, context: CommandContext, member: Bytes, change: MemberChange, request: Bytes? = nil,
    card: Bytes? = nil
  ) {
    let start = begin(&buffer, .memberState, memberSlot(member, tenant: context.tenant), context)
    buffer.append(counted: member)
    buffer.append(change.rawValue)
    buffer.append(optional: request)
    if let card, !card.isEmpty { buffer.append(counted: card) }
    end(&buffer, start)
  }
  /// `CARD ADD`: goes to the card's slot.
  public static func appendCardAdd(
    to buffer: inout ByteBuffer, context: CommandContext, number: Bytes, member: Bytes, request: Bytes? = nil
  ) {
    let start = begin(&buffer, .cardAdd, cardSlot(number, tenant: context.tenant), context)
    appendParty(&buffer, member, number)
    buffer.append(optional: request)
    end(&buffer, start)
  }
  /// `CARD LOST|FOUND|REMOVE`: goes to the card's slot.
  public static func appendCardState(
    to buffer: inout ByteBuffer, context: CommandContext, number: Bytes, change: CardChange, request: Bytes? = nil
  ) {
    let start = begin(&buffer, .cardState, cardSlot(number, tenant: context.tenant), context)
    buffer.append(counted: number)
    buffer.append(change.rawValue)
    buffer.append(optional: request)
    end(&buffer, start)
  }
  /// A catalogue delta, as `Catalogue.decide` made it, for one shard's log. `slot` is any slot of that shard.
  public static func appendCatalogue(to buffer: inout ByteBuffer, slot: Slot, delta: Bytes) {
    let start = begin(&buffer, .catalogue, slot, CommandContext(fingerprint: 0))
    buffer.append(delta)
    end(&buffer, start)
  }
  /// The cluster's key, for a shard whose log has no entry yet.
  public static func appendKey(to buffer: inout ByteBuffer, slot: Slot, key: HashKey) {
    let start = begin(&buffer, .key, slot, CommandContext(fingerprint: 0))
    key.encode(into: &buffer)
    end(&buffer, start)
  }
  /// A tick: propose one when `Ledger.nextDeadline` has passed, again while it stays in the past.
  public static func appendTick(to buffer: inout ByteBuffer, slot: Slot) {
    end(&buffer, begin(&buffer, .tick, slot, CommandContext(fingerprint: 0)))
  }
  /// A marker: its reply is the shard's audit record.
  public static func appendMarker(to buffer: inout ByteBuffer, slot: Slot) {
    end(&buffer, begin(&buffer, .marker, slot, CommandContext(fingerprint: 0)))
  }

  // MARK: Pieces

  @inline(__always) static func begin(
    _ buffer: inout ByteBuffer, _ kind: CommandKind, _ slot: Slot, _ context: CommandContext
  ) -> Int {
    let start = buffer.count
    buffer.append(UInt32(0))
    CommandHeader(rawKind: kind.rawValue, slot: slot, context: context).encode(into: &buffer)
    return start
  }
  @inline(__always) static func end(_ buffer: inout ByteBuffer, _ start: Int) {
    buffer.patch(UInt32(buffer.count - start - 4), at: start)
  }
  @inline(__always) static func appendParty(_ buffer: inout ByteBuffer, _ member: Bytes, _ card: Bytes?) {
    buffer.append(counted: member)
    buffer.append(optional: card)
  }
  @inline(__always) static func append(_ buffer: inout ByteBuffer, _ amount: Amount) {
    switch amount {
    case .whole: buffer.append(UInt8(0))
    case .spend(let money):
      buffer.append(UInt8(1))
      buffer.append(zigzag: money)
    case .points(let points):
      buffer.append(UInt8(2))
      buffer.append(zigzag: points)
    }
  }
}

extension ByteBuffer {
  /// Counted bytes; nil is written as none.
  @inline(__always) mutating func append(optional data: UnsafeRawBufferPointer?) {
    append(counted: data ?? UnsafeRawBufferPointer(start: nil, count: 0))
  }
}
extension ByteReader {
  /// Counted bytes at the end of a command, where they may be missing: none then.
  mutating func readTrailingCounted() throws(MalformedBytes) -> UnsafeRawBufferPointer {
    isAtEnd ? UnsafeRawBufferPointer(start: nil, count: 0) : try readCounted()
  }
  @inline(__always) mutating func readAmount() throws(MalformedBytes) -> Command.Amount {
    switch try read(UInt8.self) {
    case 0: return .whole
    case 1: return .spend(try readZigzag())
    case 2: return .points(try readZigzag())
    default: throw MalformedBytes("an amount of unknown kind")
    }
  }
}
