import Base
import Vocabulary

/// Commands and queries as bytes, in one format for all verbs, ready to stand in an entry:
///
///     byteCount:u32
///     verb:u16 slot:u16 tenant:u32 principal:u32 fingerprint:u64 scope:u8     the header
///     party card merchant request                                            the scope: counted, empty if there is none
///     present:varint                                                         a bit for each place that has a value here
///     value*                                                                 in the order of places, by `Shape.wire`
///     (kind:u8 counted)*                                                     attachments: see `Attachment`
///
/// The party is a member's id, or the 8 bytes of a transaction's number. What a command of a verb may have, and in which
/// order, its row in the vocabulary says. It is checked again when the command is read: see `Call`.
public enum Command {
  /// No command is longer, so no entry traps on a length.
  public static let maximumByteCount = 1 << 20
  public typealias Bytes = UnsafeRawBufferPointer
  static var none: Bytes { Bytes(start: nil, count: 0) }

  /// What a command carries beside what its request says. The raw value is part of the log.
  enum Attachment: UInt8 {
    /// Fingerprints that the same request may have had before, 8 bytes each: while a card named somebody else, or nobody.
    case otherFingerprints = 1
    /// What the shard no longer has in memory: see `PastFacts`.
    case facts = 2
    /// Of the terminal that it names: see `TerminalWord`.
    case terminal = 3
    /// What the request has waited for: a quota's number u32, and an ask u64: see `Deferral`. May be there several times.
    case ask = 4
    /// Of a question of what a request would do: the moment at which a node asks, i64.
    case moment = 5
    /// Of a query that went on to a pool: the member who asked.
    case behalf = 6
    /// Who asks: see `Actor`.
    case actor = 7
    /// Of a question that came again: what all shards had drawn of budgets, see `KnownDraws`.
    case drawn = 8
  }

  /// Whom a `WHO` names, once a card has been looked up.
  public struct Party {
    /// Empty: nobody holds the card.
    public var member: Bytes
    /// The card's number, if it was named by one.
    public var card: Bytes
    public init(member: Bytes, card: Bytes? = nil) {
      self.member = member
      self.card = card ?? Command.none
    }
  }

  /// The slot of a member: where its commands go.
  @inlinable public static func memberSlot(_ member: Bytes, tenant: TenantID) -> Slot {
    Slot(hash: Slot.hash(.member, tenant: tenant, id: member))
  }
  /// The slot of a card number: the shard that knows whose card it is.
  @inlinable public static func cardSlot(_ number: Bytes, tenant: TenantID) -> Slot {
    Slot(hash: Slot.hash(.card, tenant: tenant, id: number))
  }

  // MARK: Of a request

  /// Appends the command or query that a terminal's request is. Costs some 20 ns and no allocation, beyond the buffer's
  /// growth.
  ///
  /// - Parameters:
  ///   - slot: where it goes.
  ///   - party: whom the first `WHO` names.
  ///   - recipient: whom a second one names.
  ///   - otherFingerprints: at most one more than `FormerHolders.most`.
  public static func append(
    _ request: Request, to buffer: inout ByteBuffer, slot: Slot, context: CommandContext, party: Party? = nil,
    recipient: Party? = nil, otherFingerprints: [UInt64] = [], terminal: TerminalWord? = nil, askedAt: Stamp? = nil,
    asker: Actor? = nil
  ) {
    let rule = request.rule
    let named = request.bytes(at: rule.pointee.card)
    let scope = scope(of: request)
    let start = begin(&buffer, CommandHeader(request.verb, slot: slot, context: context, scope: scope))
    if scope == .transaction {
      buffer.append(UInt8(8))
      buffer.append(request.transaction(0).rawValue)
    } else {
      buffer.append(counted: party?.member ?? request.bytes(at: rule.pointee.party))
    }
    buffer.append(counted: party?.card ?? named)
    buffer.append(counted: request.bytes(at: rule.pointee.merchant))
    buffer.append(counted: request.bytes(at: rule.pointee.request))
    let given = request.present | ((1 &<< UInt64(truncatingIfNeeded: request.positionalCount)) &- 1)
    var rest = (given | rule.pointee.hasStandard) & rule.pointee.carried
    buffer.append(varint: rest)
    while rest != 0 {
      let place = rest.trailingZeroBitCount
      let isGiven = given & rest & (0 &- rest) != 0
      rest &= rest &- 1
      switch rule.pointee.shapes[place].wire {
      case .number:
        buffer.append(zigzag: isGiven ? request.values[place].number : rule.pointee.standards[place])
      case .text, .rest: buffer.append(counted: request.values[place].bytes)
      case .transaction: buffer.append(request.values[place].number)
      case .who:
        buffer.append(counted: recipient?.member ?? none)
        buffer.append(counted: recipient?.card ?? none)
      }
    }
    if !otherFingerprints.isEmpty { append(otherFingerprints, to: &buffer) }
    if let terminal {
      buffer.append(Attachment.terminal.rawValue)
      buffer.append(counted: terminal.encoded)
    }
    if let askedAt {
      buffer.append(Attachment.moment.rawValue)
      buffer.append(UInt8(8))
      buffer.append(askedAt.microseconds)
    }
    if let asker {
      buffer.append(Attachment.actor.rawValue)
      buffer.append(counted: asker.encoded)
    }
    end(&buffer, start)
  }
  /// What a request's id is scoped to: by this it is routed, too.
  @inline(__always) public static func scope(of request: Request) -> ScopeKind {
    switch request.rule.pointee.route {
    case .member: .member
    case .transaction: .transaction
    case .card: .card
    case .cardIfGiven: request.bytes(at: request.rule.pointee.card).isEmpty ? .member : .card
    case .directory, .node, .connection, .inner: .none
    }
  }

  // MARK: Pieces

  @inline(__always) static func begin(_ buffer: inout ByteBuffer, _ header: CommandHeader) -> Int {
    let start = buffer.count
    buffer.append(UInt32(0))
    header.encode(into: &buffer)
    return start
  }
  @inline(__always) static func end(_ buffer: inout ByteBuffer, _ start: Int) {
    buffer.patch(UInt32(buffer.count - start - 4), at: start)
  }
  static func append(_ fingerprints: [UInt64], to buffer: inout ByteBuffer) {
    buffer.append(Attachment.otherFingerprints.rawValue)
    buffer.append(varint: UInt64(8 * fingerprints.count))
    for fingerprint in fingerprints { buffer.append(fingerprint) }
  }

  // MARK: Of the shards themselves

  /// Opens a command that is a body of its own, which the caller appends; `end` closes it.
  static func begin(_ buffer: inout ByteBuffer, _ verb: Verb, _ slot: Slot, tenant: TenantID = .first) -> Int {
    let context = CommandContext(tenant: tenant, fingerprint: 0)
    let start = begin(&buffer, CommandHeader(verb, slot: slot, context: context, scope: .none))
    // An empty scope, and one value.
    buffer.append(UInt32(0))
    buffer.append(UInt8(1))
    return start
  }
  /// A catalogue delta, as `Catalogue.decide` made it, for one shard's log. `slot` is any slot of that shard.
  public static func appendCatalogue(to buffer: inout ByteBuffer, slot: Slot, delta: Bytes) {
    let start = begin(&buffer, .catalogue, slot)
    buffer.append(delta)
    end(&buffer, start)
  }
  /// What a shard begins with: the cluster's key, the slots that it owns, and since which epoch.
  public static func appendBirth(to buffer: inout ByteBuffer, key: HashKey, ranges: SlotRanges, epoch: UInt64) {
    let start = begin(&buffer, .birth, ranges.first ?? Slot(0))
    key.encode(into: &buffer)
    ranges.encode(into: &buffer)
    buffer.append(epoch)
    end(&buffer, start)
  }
  /// Slots go to another shard, if the epoch is still this one. None: some are to go.
  public static func appendExport(to buffer: inout ByteBuffer, heir: ShardID, slots: Range<Int>, epoch: UInt64) {
    let start = begin(&buffer, .export, Slot(UInt16(clamping: min(slots.lowerBound, Slot.count - 1))))
    buffer.append(heir.rawValue)
    buffer.append(UInt16(clamping: slots.lowerBound))
    buffer.append(UInt16(clamping: slots.upperBound))
    buffer.append(epoch)
    end(&buffer, start)
  }
  /// A tick: propose one when `Ledger.nextDeadline` has passed, again while it stays in the past.
  public static func appendTick(to buffer: inout ByteBuffer, slot: Slot) { end(&buffer, begin(&buffer, .tick, slot)) }
  /// A marker: its reply is the shard's audit record.
  public static func appendMarker(to buffer: inout ByteBuffer, slot: Slot) {
    end(&buffer, begin(&buffer, .marker, slot))
  }
}
