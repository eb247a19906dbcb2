import Base
import Ledger
import Vocabulary

/// A request made of values instead of bytes, also of such as no parser lets through; encoded as any other.
struct Draft: ~Copyable {
  typealias Bytes = UnsafeRawBufferPointer
  private let values: UnsafeMutablePointer<ArgumentValue>
  private var request: Request
  nonisolated(unsafe) private static let nothing = UnsafeRawPointer(
    UnsafeMutableRawPointer.allocate(byteCount: 1, alignment: 1))

  init(_ verb: Verb) {
    let count = Int(VerbRule.none)
    values = .allocate(capacity: count)
    values.initialize(repeating: ArgumentValue(start: Draft.nothing, count: 0), count: count)
    request = Request(rule: VerbRule.of(verb), form: .line, values: values)
    request.positionalCount = verb.spec.positionals.count
  }
  deinit { values.deallocate() }

  mutating func set(_ key: Key, _ text: Bytes?) {
    guard let text, text.count > 0, let start = text.baseAddress else { return }
    set(key, ArgumentValue(start: start, count: text.count))
  }
  mutating func set(_ key: Key, _ number: Int64?) {
    guard let number else { return }
    set(key, ArgumentValue(start: Draft.nothing, count: 0, number: number))
  }
  private mutating func set(_ key: Key, _ value: ArgumentValue) {
    let place = request.rule.pointee.place(of: key)
    precondition(place != VerbRule.none, "\(request.verb) does not know \(key)")
    values[Int(place)] = value
    request.present |= 1 << UInt64(place)
  }
  mutating func set(_ place: Int, _ text: Bytes) {
    values[place] = ArgumentValue(start: text.baseAddress ?? Draft.nothing, count: text.count)
  }
  mutating func set(_ place: Int, _ transaction: TransactionID) {
    values[place] = ArgumentValue(start: Draft.nothing, count: 0, number: Int64(bitPattern: transaction.rawValue))
  }
  mutating func set(_ amount: Command.Amount) {
    switch amount {
    case .whole: break
    case .spend(let money): set(.spend, money)
    case .points(let points): set(.points, points)
    }
  }

  func append(
    to buffer: inout ByteBuffer, _ slot: Slot, _ context: CommandContext, _ party: Command.Party? = nil,
    recipient: Command.Party? = nil, otherFingerprints: [UInt64] = []
  ) {
    Command.append(
      request, to: &buffer, slot: slot, context: context, party: party, recipient: recipient,
      otherFingerprints: otherFingerprints)
  }
}

extension Command {
  /// Bytes from the start of a command of the shards themselves to its body.
  public static let innerBodyOffset = CommandHeader.bodyOffset + 5

  /// The amount of an earn or a refund.
  public enum Amount: Sendable, Equatable {
    case whole
    case spend(Int64)
    case points(Int64)
  }
  public enum MemberChange: Sendable {
    case freeze, thaw, close
    var verb: Verb { self == .freeze ? .memberFreeze : self == .thaw ? .memberThaw : .memberClose }
  }
  public enum CardChange: Sendable {
    case lost, found, remove
    var verb: Verb { self == .lost ? .cardLost : self == .found ? .cardFound : .cardRemove }
  }

  public static func appendEarn(
    to buffer: inout ByteBuffer, context: CommandContext, member: Bytes, card: Bytes? = nil, merchant: Bytes,
    program: Bytes? = nil, amount: Amount, request: Bytes, at: Stamp? = nil
  ) {
    var draft = Draft(.earn)
    draft.set(.merchant, merchant)
    draft.set(.program, program)
    draft.set(.id, request)
    draft.set(amount)
    draft.set(.at, at?.microseconds)
    draft.append(
      to: &buffer, memberSlot(member, tenant: context.tenant), context, Party(member: member, card: card))
  }
  public static func appendRedeem(
    to buffer: inout ByteBuffer, context: CommandContext, member: Bytes, card: Bytes? = nil, merchant: Bytes,
    program: Bytes? = nil, points: Int64, request: Bytes
  ) {
    var draft = Draft(.redeem)
    draft.set(.merchant, merchant)
    draft.set(.program, program)
    draft.set(.id, request)
    draft.set(.points, points)
    draft.append(
      to: &buffer, memberSlot(member, tenant: context.tenant), context, Party(member: member, card: card))
  }
  public static func appendHold(
    to buffer: inout ByteBuffer, context: CommandContext, member: Bytes, card: Bytes? = nil, merchant: Bytes,
    program: Bytes? = nil, points: Int64, request: Bytes, ttlSeconds: Int64 = 900
  ) {
    var draft = Draft(.hold)
    draft.set(.merchant, merchant)
    draft.set(.program, program)
    draft.set(.id, request)
    draft.set(.points, points)
    draft.set(.ttl, ttlSeconds)
    draft.append(
      to: &buffer, memberSlot(member, tenant: context.tenant), context, Party(member: member, card: card))
  }
  public static func appendCapture(
    to buffer: inout ByteBuffer, context: CommandContext, hold: TransactionID, points: Int64? = nil, request: Bytes
  ) {
    var draft = Draft(.capture)
    draft.set(0, hold)
    draft.set(.id, request)
    draft.set(.points, points)
    draft.append(to: &buffer, hold.slot, context)
  }
  public static func appendRelease(
    to buffer: inout ByteBuffer, context: CommandContext, hold: TransactionID, request: Bytes
  ) {
    var draft = Draft(.release)
    draft.set(0, hold)
    draft.set(.id, request)
    draft.append(to: &buffer, hold.slot, context)
  }
  public static func appendRefund(
    to buffer: inout ByteBuffer, context: CommandContext, of original: TransactionID, amount: Amount = .whole,
    request: Bytes
  ) {
    var draft = Draft(.refund)
    draft.set(0, original)
    draft.set(.id, request)
    draft.set(amount)
    draft.append(to: &buffer, original.slot, context)
  }
  public static func appendTransfer(
    to buffer: inout ByteBuffer, context: CommandContext, from: Bytes, fromCard: Bytes? = nil, recipient: Bytes,
    recipientCard: Bytes? = nil, program: Bytes? = nil, points: Int64, request: Bytes,
    otherFingerprints: [UInt64] = []
  ) {
    var draft = Draft(.transfer)
    draft.set(.program, program)
    draft.set(.id, request)
    draft.set(.points, points)
    draft.append(
      to: &buffer, memberSlot(from, tenant: context.tenant), context, Party(member: from, card: fromCard),
      recipient: Party(member: recipient, card: recipientCard), otherFingerprints: otherFingerprints)
  }
  public static func appendMemberAdd(
    to buffer: inout ByteBuffer, context: CommandContext, member: Bytes, name: Bytes? = nil, region: Bytes? = nil,
    card: Bytes? = nil, request: Bytes? = nil
  ) {
    var draft = Draft(.memberAdd)
    draft.set(0, member)
    draft.set(.name, name)
    draft.set(.region, region)
    draft.set(.card, card)
    draft.set(.id, request)
    let number = card.flatMap { $0.isEmpty ? nil : $0 }
    let slot = number.map { cardSlot($0, tenant: context.tenant) } ?? memberSlot(member, tenant: context.tenant)
    draft.append(to: &buffer, slot, context)
  }
  public static func appendMemberState(
    to buffer: inout ByteBuffer, context: CommandContext, member: Bytes, change: MemberChange, request: Bytes? = nil,
    card: Bytes? = nil
  ) {
    var draft = Draft(change.verb)
    draft.set(.id, request)
    draft.append(
      to: &buffer, memberSlot(member, tenant: context.tenant), context, Party(member: member, card: card))
  }
  public static func appendCardAdd(
    to buffer: inout ByteBuffer, context: CommandContext, number: Bytes, member: Bytes, request: Bytes? = nil
  ) {
    var draft = Draft(.cardAdd)
    draft.set(0, number)
    draft.set(.member, member)
    draft.set(.id, request)
    draft.append(to: &buffer, cardSlot(number, tenant: context.tenant), context)
  }
  public static func appendCardState(
    to buffer: inout ByteBuffer, context: CommandContext, number: Bytes, change: CardChange, request: Bytes? = nil
  ) {
    var draft = Draft(change.verb)
    draft.set(0, number)
    draft.set(.id, request)
    draft.append(to: &buffer, cardSlot(number, tenant: context.tenant), context)
  }
}

extension Query {
  private static func context(_ tenant: TenantID) -> CommandContext { CommandContext(tenant: tenant, fingerprint: 0) }

  public static func appendBalance(
    to buffer: inout ByteBuffer, tenant: TenantID, member: Bytes, program: Bytes? = nil, ofAll: Bool = false
  ) {
    var draft = Draft(.balance)
    draft.set(.program, program)
    draft.set(.all, ofAll ? 1 : nil)
    draft.append(
      to: &buffer, Command.memberSlot(member, tenant: tenant), context(tenant), Command.Party(member: member))
  }
  public static func appendHistory(
    to buffer: inout ByteBuffer, tenant: TenantID, member: Bytes, program: Bytes? = nil, limit: Int = 20,
    before: TransactionID? = nil
  ) {
    var draft = Draft(.history)
    draft.set(.program, program)
    draft.set(.limit, Int64(limit))
    draft.set(.before, before.map { Int64(bitPattern: $0.rawValue) })
    draft.append(
      to: &buffer, Command.memberSlot(member, tenant: tenant), context(tenant), Command.Party(member: member))
  }
  public static func appendTransaction(to buffer: inout ByteBuffer, tenant: TenantID, transaction: TransactionID) {
    var draft = Draft(.transactionShow)
    draft.set(0, transaction)
    draft.append(to: &buffer, transaction.slot, context(tenant))
  }
  public static func appendMemberShow(to buffer: inout ByteBuffer, tenant: TenantID, member: Bytes) {
    let draft = Draft(.memberShow)
    draft.append(
      to: &buffer, Command.memberSlot(member, tenant: tenant), context(tenant), Command.Party(member: member))
  }
}
