import Base
import Vocabulary

// A card number's slot owns who the number belongs to; the member's shard keeps the member's own cards with their states,
// which is what a purchase is checked against. A change goes to the number's slot, which sends a step to the member's and
// answers when the verdict is back. While it is away the entry is pending, and another change of that number is `BUSY`.

//
// A command that was sent by `card:NUMBER` may be repeated after the number passed to somebody else; it must have its
// first answer, and that lies with the member it named then. So a number's entry keeps its former holders for as long as
// their requests are remembered, and whoever looks the number up asks them first (`Query.appendRequest`): only where
// there are any, so that all other cards pay nothing. It is safe to send the former holder's shard what it has seen: if
// it had forgotten it meanwhile, the card is not theirs there any more, and nothing moves.

/// Who held a card number before, the last one first: `(until:i64 member:counted)*`.
struct FormerHolders {
  /// A number that passes on more often than this within the retention is refused: nobody is forgotten early.
  static let most = 16
  private var reader: ByteReader
  init(_ bytes: UnsafeRawBufferPointer) { reader = ByteReader(bytes) }
  mutating func next() -> (until: Stamp, member: UnsafeRawBufferPointer)? {
    guard let until: Int64 = try? reader.read(), let member = try? reader.readCounted() else { return nil }
    return (Stamp(microseconds: until), member)
  }
}

/// A change of a card, at the number's slot and at the member's.
struct CardStep {
  typealias Bytes = UnsafeRawBufferPointer
  enum Kind: UInt8 { case cardAdd = 2, memberAdd = 3, lost = 4, found = 5, remove = 6 }
  var kind: Kind
  var number: Bytes
  var member: Bytes
  /// Of a member that is to be; of a card that is added, its type.
  var file = MemberFile()
  var request = Bytes(start: nil, count: 0)

  func encode(into buffer: inout ByteBuffer) {
    buffer.append(counted: number)
    buffer.append(counted: member)
    buffer.append(counted: file[.name])
    buffer.append(counted: file[.region])
    buffer.append(counted: request)
    if !file.isPlain { buffer.append(counted: file.values.bytes) }
  }
  init(kind: Kind, number: Bytes, member: Bytes, file: MemberFile = MemberFile(), request: Bytes) {
    self.kind = kind
    self.number = number
    self.member = member
    self.file = file
    self.request = request
  }
  init(_ kind: Kind, decoding reader: inout ByteReader) throws(MalformedBytes) {
    self.kind = kind
    number = try reader.readCounted()
    member = try reader.readCounted()
    let name = try reader.readCounted()
    let region = try reader.readCounted()
    request = try reader.readCounted()
    guard AliasKey.isKey(number), member.isIdentifier, name.count <= Ledger.longestName,
      region.count <= Ledger.longestRegion
    else { throw MalformedBytes("a card step with a bad text") }
    file = MemberFile(name: name, region: region)
    guard !reader.isAtEnd else { return }
    guard let values = EntryValues(checking: Array(try reader.readCounted())) else {
      throw MalformedBytes("a card step with a bad file")
    }
    file = MemberFile(values)
  }
}

/// A step's verdict: done, or why not.
struct Verdict: Equatable {
  /// 0: done.
  var code: UInt8 = 0
  var which: UInt8 = 0
  /// What the destination says beside that; at most `mostText` bytes.
  var text: [UInt8] = []
  static let mostText = 60_000
  static let done = Verdict()
  /// No verdict: what is asked cannot be said yet. The step stays as it is, and the source asks again in a while.
  static let later = Verdict(code: .max, which: .max)
  /// Done, and nothing had to be changed: the card stays as it is.
  static let unchanged = Verdict(code: 0, which: 1)
  static let whichNames: [StaticString] = [
    "", "balance", "lots", "cards", "members", "program", "aliases", "holders", "holds", "pool",
  ]
  /// `text` is no part of what was decided.
  static func == (one: Verdict, other: Verdict) -> Bool { one.code == other.code && one.which == other.which }
  init() {}
  init(done text: [UInt8]) { self.text = text }
  init(_ code: ErrorCode, which: UInt8 = 0) {
    self.code = code.rawValue
    self.which = which
  }
  init(code: UInt8, which: UInt8, text: [UInt8] = []) {
    self.code = code
    self.which = which
    self.text = text
  }
}

extension Ledger {
  // MARK: The number's slot

  /// Does the member's part here at once where the member is here, else sends it.
  mutating func sendCardStep(
    _ call: Call, _ step: CardStep, _ place: Ref<CardEntryRecord>, _ reply: inout ReplyWriter
  ) throws(Stop) -> Outcome {
    let tenant = call.tenant
    if let number = findMember(step.member, tenant: tenant) {
      let verdict = attach(number, step)
      finishCard(place, step, verdict)
      if let refusal = refusal(verdict) { throw .refused(refusal) }
      return done(call, subject: step.member, &reply)
    }
    let tx = nextTransaction(call.slot)
    var record = OutboxRecord(
      id: tx, stamp: now, to: Command.memberSlot(step.member, tenant: tenant).rawValue, kind: step.kind.rawValue,
      tenant: tenant)
    record.card = place
    setRequest(call.hashes.key, &record)
    var texts = ByteBuffer(capacity: 512)
    step.encode(into: &texts)
    addOutbox(&record, texts.bytes)
    setPending(place, tx)
    remember(call.hashes.key, pending: tx)
    return .pending(tx)
  }
  /// Writes a verdict on the number's entry.
  mutating func finishCard(_ place: Ref<CardEntryRecord>, _ step: CardStep, _ verdict: Verdict) {
    let entry = tables.cardEntries.write(place)
    let hash = entry.pointee.hash
    if entry.pointee.pending != .none {
      core.digest.add(hash, DigestField.link, 0 &- Int64(bitPattern: entry.pointee.pending.rawValue))
      entry.pointee.pending = .none
    }
    guard verdict == .done else { return }
    countCardEntry(UnsafePointer(entry), -1)
    switch step.kind {
    case .cardAdd, .memberAdd:
      if entry.pointee.member == 0 || !tables.texts.equals(entry.pointee.member, step.member) {
        if entry.pointee.member != 0 { entry.pointee.former = holders(before: step.member, UnsafePointer(entry)) }
        entry.pointee.member = tables.texts.append(step.member)
      }
      // The same card named again keeps its state: it may be reported lost.
      if entry.pointee.state != CardState.lost.rawValue { entry.pointee.state = CardState.active.rawValue }
    case .lost: entry.pointee.state = CardState.lost.rawValue
    case .found: entry.pointee.state = CardState.active.rawValue
    case .remove: entry.pointee.state = CardState.removed.rawValue
    }
    countCardEntry(UnsafePointer(entry), 1)
  }
  /// A number that is not known yet, and nobody's.
  mutating func addEntry(_ number: Bytes, _ tenant: TenantID) -> Ref<CardEntryRecord> {
    let hash = Slot.hash(.card, tenant: tenant, id: number)
    let record = CardEntryRecord(
      hash: hash, number: tables.texts.append(number), member: 0, tenant: tenant, state: CardState.claimed.rawValue)
    let place = tables.cardEntries.add(record, hashes.card(number, tenant).finishedLow())
    census?.cards.note(place.place, Slot(hash: hash))
    return place
  }
  /// A number waits for the verdict on a change, of itself or of another.
  mutating func setPending(_ place: Ref<CardEntryRecord>, _ tx: TransactionID) {
    let entry = tables.cardEntries.write(place)
    entry.pointee.pending = tx
    core.digest.add(entry.pointee.hash, DigestField.link, Int64(bitPattern: tx.rawValue))
  }
  /// What a verdict refuses; nil if the step was done.
  func refusal(_ verdict: Verdict) -> Refusal? {
    switch ErrorCode(rawValue: verdict.code) {
    case nil: nil
    case .notFound: Refusal(.notFound, "no such member")
    case .exists: Refusal(.exists, "a member of that id has other content")
    case .closed: Refusal(.closed, "the member is closed")
    case .frozen: Refusal(.frozen, "the member is frozen")
    case .lost: Refusal(.lost, "the card is reported lost")
    case .busy: Refusal(.busy, "the member is being erased, or merged with another")
    case .limit:
      .limit(Int(verdict.which) < Verdict.whichNames.count ? Verdict.whichNames[Int(verdict.which)] : "")
    case let code?: Refusal(code, "refused")
    }
  }
  /// The place of a card's entry. `hash` is the number's keyed one.
  func findCard(_ hash: UInt64, _ tenant: TenantID, _ number: Bytes) -> Ref<CardEntryRecord>? {
    tables.cardEntries.find(hash) {
      $0.pointee.tenant == tenant && tables.texts.equals($0.pointee.number, number)
    }
  }
  func cardContent(_ entry: UnsafePointer<CardEntryRecord>) -> UInt64 {
    guard entry.pointee.member != 0 else { return 0 }
    let present = xxh64(tables.texts.read(entry.pointee.member), seed: UInt64(entry.pointee.state))
    return entry.pointee.former == 0 ? present : xxh64(tables.texts.read(entry.pointee.former), seed: present)
  }
  mutating func countCardEntry(_ entry: UnsafePointer<CardEntryRecord>, _ sign: Int64) {
    core.digest.add(entry.pointee.hash, DigestField.cardEntry, sign &* Int64(bitPattern: cardContent(entry)))
  }

  // MARK: Former holders

  /// Calls `body` with each former holder whose requests may still be remembered, the last one first.
  func forEachFormerHolder(
    _ entry: UnsafePointer<CardEntryRecord>, _ body: (_ until: Stamp, _ member: Bytes) -> Void
  ) {
    guard entry.pointee.former != 0 else { return }
    let oldest = now.microseconds - limits.retentionSeconds * CivilTime.microsecondsPerSecond
    var list = FormerHolders(tables.texts.read(entry.pointee.former))
    while let (until, member) = list.next() {
      if until.microseconds >= oldest { body(until, member) }
    }
  }
  /// Whether a number's list of holders has room for it to pass to a member.
  func mayPass(_ entry: UnsafePointer<CardEntryRecord>, to member: Bytes) -> Bool {
    guard entry.pointee.member != 0, !tables.texts.equals(entry.pointee.member, member) else { return true }
    var count = 1
    forEachFormerHolder(entry) { _, former in
      if !former.elementsEqual(member) && !tables.texts.equals(entry.pointee.member, former) { count += 1 }
    }
    return count <= FormerHolders.most
  }
  /// The list for an entry whose number passes to a member now: each once, and not the new holder.
  mutating func holders(before member: Bytes, _ entry: UnsafePointer<CardEntryRecord>) -> UInt64 {
    var list = ByteBuffer(capacity: 256)
    list.append(now.microseconds)
    list.append(counted: tables.texts.read(entry.pointee.member))
    var count = 1
    forEachFormerHolder(entry) { until, former in
      guard count < FormerHolders.most, !former.elementsEqual(member),
        !tables.texts.equals(entry.pointee.member, former)
      else { return }
      list.append(until.microseconds)
      list.append(counted: former)
      count += 1
    }
    return tables.texts.append(list.bytes)
  }
}
