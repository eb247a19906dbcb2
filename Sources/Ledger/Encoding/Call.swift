import Base
import Vocabulary

/// A command or query as the ledger reads it: whole, of a verb's row, each value in its range. A view of its bytes, valid
/// while they are.
struct Call: BitwiseCopyable {
  typealias Bytes = UnsafeRawBufferPointer
  private(set) var rule: UnsafePointer<VerbRule>
  private(set) var slot = Slot(0)
  private(set) var context = CommandContext(fingerprint: 0)
  private(set) var scope = ScopeKind.none
  private(set) var party = Command.none
  private(set) var card = Command.none
  private(set) var merchant = Command.none
  var request = Command.none
  /// The places that have a value.
  private(set) var present: UInt64 = 0
  private var values = Command.none
  /// See `Command.Attachment`.
  private(set) var otherFingerprints = Command.none
  private(set) var facts = Command.none
  private(set) var terminal = Command.none
  private var askBytes = Command.none
  private var actorBytes = Command.none
  private(set) var askedAt = Stamp.zero
  /// What the ledger has found out: by what its party and its request are found, and the member that it is about.
  var hashes = RequestHashes.none
  var subject = Command.none

  /// Of a query that went on to a pool: the member who asked; empty: nobody.
  var behalf: Bytes { rule.pointee.effect == .read ? subject : Command.none }

  /// Of a question that came again: see `KnownDraws`. A question wants no facts.
  var drawn: Bytes { rule.pointee.effect == .read ? facts : Command.none }

  var verb: Verb { rule.pointee.verb }
  var tenant: TenantID { context.tenant }

  /// One that is yet to be read: into its place, for it is some 40 words long, and each copy costs as many moves.
  @inline(__always) init(rules: UnsafePointer<VerbRule>) { rule = rules }
  /// What a step does in the place of a command: it is of no verb, and has no values.
  init(rules: UnsafePointer<VerbRule>, tenant: TenantID, slot: Slot, request: Bytes) {
    self.init(rules: rules)
    context = CommandContext(tenant: tenant, fingerprint: 0)
    self.slot = slot
    self.request = request
  }
  init(_ command: Bytes) throws(MalformedBytes) {
    self.init(rules: VerbRule.table)
    try read(command)
  }

  /// Reads a command into a call that is new.
  @inline(__always) mutating func read(_ command: Bytes) throws(MalformedBytes) {
    var reader = ByteReader(command)
    let header = try CommandHeader(framed: &reader)
    guard let rule = VerbRule.find(header.rawVerb, in: rule) else {
      throw MalformedBytes("verb \(header.rawVerb) is not known")
    }
    self.rule = rule
    slot = header.slot
    context = header.context
    scope = header.scope
    party = try reader.readCounted()
    card = try reader.readCounted()
    merchant = try reader.readCounted()
    request = try reader.readCounted()
    present = try reader.readVarint()
    try Call.check(rule, present)
    let start = reader.offset
    var rest = present
    while rest != 0 {
      try Call.skip(rule, rest.trailingZeroBitCount, &reader)
      rest &= rest &- 1
    }
    values = Bytes(rebasing: command[start..<reader.offset])
    if !reader.isAtEnd { try readAttachments(&reader) }
    try checkScope()
  }
  private mutating func readAttachments(_ reader: inout ByteReader) throws(MalformedBytes) {
    while !reader.isAtEnd {
      let kind = Command.Attachment(rawValue: try reader.read())
      let bytes = try reader.readCounted()
      switch kind {
      case .otherFingerprints:
        guard bytes.count % 8 == 0, bytes.count <= 8 * (FormerHolders.most + 2) else {
          throw MalformedBytes("too many fingerprints")
        }
        otherFingerprints = bytes
      case .facts: facts = bytes
      case .terminal:
        _ = try TerminalWord(decoding: bytes)
        terminal = bytes
      case .moment:
        var moment = ByteReader(bytes)
        askedAt = Stamp(microseconds: try moment.read())
        guard moment.isAtEnd, (Stamp.zero...CivilTime.latest).contains(askedAt) else {
          throw MalformedBytes("a moment out of range")
        }
      case .ask:
        guard bytes.count == 12 else { throw MalformedBytes("an ask that is none") }
        // They stand behind all others, one behind the other.
        let start = reader.offset - 14 - askBytes.count
        askBytes = Bytes(rebasing: reader.bytes[start..<reader.offset])
      case .behalf: subject = bytes
      case .drawn: facts = bytes
      case .actor:
        _ = try Actor(decoding: bytes)
        actorBytes = bytes
      case nil: throw MalformedBytes("a command has bytes left over")
      }
    }
  }

  /// The asks of quotas that the request has waited for, the first first.
  var asks: [QuotaAsk] {
    stride(from: 0, to: askBytes.count - 13, by: 14).compactMap { start in
      let quota = UInt32(littleEndian: askBytes.loadUnaligned(fromByteOffset: start + 2, as: UInt32.self))
      let ask = UInt64(littleEndian: askBytes.loadUnaligned(fromByteOffset: start + 6, as: UInt64.self))
      return ask >> 48 < UInt64(Slot.count) ? QuotaAsk(quota: quota, since: TransactionID(rawValue: ask)) : nil
    }
  }

  /// Who asks, of a verb whose row has `namesActor`; nil: the command does not say.
  var asker: Actor? { actorBytes.isEmpty ? nil : try? Actor(decoding: actorBytes) }

  // MARK: Values

  /// The number that a key says; nil if it is not there.
  @inline(__always) func number(_ key: Key) -> Int64? {
    guard var reader = reader(at: rule.pointee.place(of: key)) else { return nil }
    return try? reader.readZigzag()
  }
  /// Whether a key is there.
  func has(_ key: Key) -> Bool {
    let place = rule.pointee.place(of: key)
    return place != VerbRule.none && present & 1 &<< UInt64(place) != 0
  }
  /// The words that a place has collected.
  var tags: [Bytes] {
    guard var reader = reader(at: 1), let text = try? reader.readCounted() else { return [] }
    return text.split(separator: UInt8(ascii: ",")).map { Bytes(rebasing: $0) }
  }
  /// The text at a place; empty if it is not there.
  func text(at place: UInt8) -> Bytes {
    guard var reader = reader(at: place), let text = try? reader.readCounted() else { return Command.none }
    return text
  }
  /// The text that a key says; empty if it is not there.
  @inline(__always) func text(_ key: Key) -> Bytes {
    guard var reader = reader(at: rule.pointee.place(of: key)), let text = try? reader.readCounted() else {
      return Command.none
    }
    return text
  }
  /// The amounts that a request says, if it does.
  @inline(__always) var points: Points? { number(.points).map { Points($0) } }
  @inline(__always) var spend: Money? { number(.spend).map { Money($0) } }
  func transaction(_ key: Key) -> TransactionID? {
    guard var reader = reader(at: rule.pointee.place(of: key)), let raw: UInt64 = try? reader.read() else {
      return nil
    }
    return TransactionID(rawValue: raw)
  }
  /// The second `WHO` of a verb.
  var recipient: Command.Party {
    guard var reader = reader(at: 1), let member = try? reader.readCounted(), let card = try? reader.readCounted()
    else { return Command.Party(member: Command.none) }
    return Command.Party(member: member, card: card)
  }
  /// What a command of the shards is made of.
  var body: Bytes { values }
  /// The transaction that it is about.
  var transaction: TransactionID {
    guard scope == .transaction, party.count == 8 else { return .none }
    return TransactionID(rawValue: UInt64(littleEndian: party.loadUnaligned(as: UInt64.self)))
  }

  /// At a value that is there.
  @inline(__always) private func reader(at place: UInt8) -> ByteReader? {
    let bit: UInt64 = 1 &<< UInt64(place)
    guard present & bit != 0 else { return nil }
    var reader = ByteReader(values)
    var before = present & (bit &- 1)
    while before != 0 {
      _ = try? Call.pass(rule.pointee.shapes[before.trailingZeroBitCount].wire, &reader)
      before &= before &- 1
    }
    return reader
  }
  private static func pass(_ wire: Shape.Wire, _ reader: inout ByteReader) throws(MalformedBytes) {
    switch wire {
    case .number: _ = try reader.readVarint()
    case .text: _ = try reader.readCounted()
    case .transaction: _ = try reader.read(UInt64.self)
    case .rest: _ = try reader.readBytes(reader.remaining)
    case .who:
      _ = try reader.readCounted()
      _ = try reader.readCounted()
    }
  }

  // MARK: Checks

  @inline(__always) private static func check(
    _ rule: UnsafePointer<VerbRule>, _ present: UInt64
  ) throws(MalformedBytes) {
    let one = present & rule.pointee.oneOf
    let some = present & rule.pointee.atMostOne
    guard present & ~rule.pointee.carried == 0, rule.pointee.mustCarry & ~present == 0,
      rule.pointee.oneOf == 0 || one != 0, one & (one &- 1) == 0, some & (some &- 1) == 0
    else { throw MalformedBytes("\(rule.pointee.verb.words) has not the values that it needs") }
  }
  /// Passes a value and checks it.
  @inline(__always) private static func skip(
    _ rule: UnsafePointer<VerbRule>, _ place: Int, _ reader: inout ByteReader
  ) throws(MalformedBytes) {
    let shape = rule.pointee.shapes[place]
    switch shape.wire {
    case .number:
      let number = try reader.readZigzag()
      guard shape.range?.contains(number) ?? true else { throw wrong(rule, place) }
    case .text:
      let text = try reader.readCounted()
      guard shape == .identifier ? text.isIdentifier : text.count <= shape.maximumBytes else {
        throw wrong(rule, place)
      }
    case .transaction:
      guard try reader.read(UInt64.self) >> 48 < UInt64(Slot.count) else { throw wrong(rule, place) }
    case .who:
      let member = try reader.readCounted()
      let card = try reader.readCounted()
      // Nobody holds the card: there is no member to name.
      guard member.isIdentifier || member.isEmpty && !card.isEmpty, card.isEmpty || AliasKey.isKey(card) else {
        throw wrong(rule, place)
      }
    case .rest: _ = try reader.readBytes(reader.remaining)
    }
  }
  @inline(never) private static func wrong(_ rule: UnsafePointer<VerbRule>, _ place: Int) -> MalformedBytes {
    let argument = rule.pointee.verb.spec.arguments[place]
    return MalformedBytes("\(argument.name) must be \(argument.shape.requirement)")
  }
  /// A party or merchant of a purchase that is no identifier is one that is not found.
  @inline(__always) private func checkScope() throws(MalformedBytes) {
    guard request.isEmpty ? rule.pointee.effect != .movesPoints : request.isIdentifier else {
      throw MalformedBytes("id must be \(Shape.identifier.requirement)")
    }
    guard !(scope == .member && rule.pointee.merchant != VerbRule.none && !merchant.isEmpty) else { return }
    try checkParty()
  }
  @inline(never) private func checkParty() throws(MalformedBytes) {
    let isRight =
      switch rule.pointee.route {
      case .member: scope == .member && party.isIdentifier
      case .transaction:
        scope == .transaction && party.count == 8 && transaction.rawValue >> 48 < UInt64(Slot.count)
      case .card: scope == .card && AliasKey.isKey(card) && (party.isEmpty || party.isIdentifier)
      case .cardIfGiven:
        // Terminals name a card; `TEXT` any alias, once every node takes that.
        party.isIdentifier && (card.isEmpty ? scope == .member : scope == .card && AliasKey.isKey(card))
      case .inner: scope == .none
      case .directory, .node, .connection: false
      }
    let place = rule.pointee.merchant
    guard isRight, place == VerbRule.none || merchant.isEmpty && rule.pointee.required & 1 &<< UInt64(place) == 0 else {
      throw MalformedBytes("\(verb.words) is not about whom it says")
    }
    guard scope != .transaction || transaction.rawValue >> 48 == UInt64(slot.rawValue) else {
      throw MalformedBytes("the transaction lies in another slot")
    }
  }
}
