import Base

/// A kind of record that goes with its slot to another shard. A new one says here what a parcel has of it (`Content`), and has a
/// line in `SlotKind.all`; that it is packed, counted, removed and put in again follows.
protocol SlotRecord: StateRecord {
  associatedtype Place
  associatedtype Content: SlotContent
  /// Those of a slot, in an order that does not depend on where they lie.
  static func places(in slot: SlotContext, of ledger: borrowing Ledger) -> [Place]
  /// The record at a place.
  static func read(_ place: Place, in ledger: borrowing Ledger) -> UnsafePointer<Self>
  /// What a parcel says of it, with all that hangs on it.
  static func content(_ place: Place, in slot: SlotContext, of ledger: borrowing Ledger) -> Content
  /// Puts one into the tables. The digest does not know it yet.
  static func add(_ content: Content, to slot: inout SlotContext, of ledger: inout Ledger) -> Place
  /// Adds what the digest knows of it.
  static func count(_ place: Place, in ledger: borrowing Ledger, to sum: inout DigestSum)
  /// Has others refer to them by their order.
  static func note(_ places: [Place], in slot: inout SlotContext)
  /// Takes one out, with all that hangs on it. The digest does not know it any more.
  static func remove(_ place: Place, of ledger: inout Ledger)
}

extension SlotRecord {
  static var belonging: Belonging { .slot }
  static func count(_ place: Place, in ledger: borrowing Ledger, to sum: inout DigestSum) {
    addDigest(of: read(place, in: ledger), in: ledger, to: &sum)
  }
  static func note(_ places: [Place], in slot: inout SlotContext) {}
}

/// What a parcel says of a record.
protocol SlotContent: ParcelContent {
  /// Throws if the ledger cannot take it in. Notes in `slot` what later ones refer to.
  func check(_ slot: inout SlotContext, before: Self?, in ledger: borrowing Ledger) throws(MalformedBytes)
}

/// What the kinds of one slot's records know of each other.
struct SlotContext {
  let slot: Slot
  /// Places of the slot's records, as they were found: in no order.
  var found = SlotPlaces()
  /// The slot's members and card numbers, in the parcel's order: so others refer to them.
  var members: [Ref<MemberRecord>] = [] {
    didSet { ordinals = nil }
  }
  var cards: [Ref<CardEntryRecord>] = []
  /// How many of them the parcel has, while it is checked.
  var memberCount = 0
  var cardCount = 0
  private var ordinals: [(ref: UInt32, ordinal: Int)]?

  init(_ slot: Slot) { self.slot = slot }

  /// Sees to it that `ordinal(of:)` knows the members.
  mutating func order() {
    ordinals = members.enumerated().map { ($1.rawValue, $0) }.sorted { $0.ref < $1.ref }
  }
  /// Which of the slot's members it is, counted from 0.
  func ordinal(of member: Ref<MemberRecord>) -> Int {
    guard let ordinals else { return members.firstIndex(of: member) ?? members.count }
    var (low, high) = (0, ordinals.count)
    while low < high {
      let middle = (low + high) / 2
      if ordinals[middle].ref < member.rawValue { low = middle + 1 } else { high = middle }
    }
    return low < ordinals.count && ordinals[low].ref == member.rawValue ? ordinals[low].ordinal : members.count
  }
  func member(_ ordinal: Int) -> Ref<MemberRecord> { ordinal < members.count ? members[ordinal] : .none }
}

/// A kind whose records go with their slot, and what is done with it.
struct SlotKind: Sendable {
  let record: any SlotRecord.Type
  /// The form of a parcel from which it is in one.
  let form: UInt8
  /// Writes the records of a slot, and counts them. What it returns takes them out of the tables.
  let pack:
    @Sendable (borrowing Ledger, inout SlotContext, inout DigestSum, inout ParcelCoder) -> (inout Ledger) -> Void
  /// Reads what a parcel says of a slot's records, and throws if they cannot be taken in.
  let check: @Sendable (borrowing Ledger, inout SlotContext, inout ParcelCoder) throws(MalformedBytes) -> Void
  /// Takes in what was checked, and counts it.
  let unpack:
    @Sendable (inout Ledger, inout SlotContext, inout DigestSum, inout ParcelCoder) throws(MalformedBytes) -> Void

  @inline(__always) init<Kind: SlotRecord>(_ kind: Kind.Type, form: UInt8 = 1) {
    record = kind
    self.form = form
    pack = { ledger, slot, sum, coder in
      let places = Kind.places(in: slot, of: ledger)
      Kind.note(places, in: &slot)
      var count = places.count
      try? coder.count(&count)
      for place in places {
        var content = Kind.content(place, in: slot, of: ledger)
        try? content.code(&coder)
        Kind.count(place, in: ledger, to: &sum)
      }
      return { ledger in for place in places { Kind.remove(place, of: &ledger) } }
    }
    check = { ledger, slot, coder throws(MalformedBytes) in
      var count = 0
      try coder.count(&count)
      var before: Kind.Content?
      for _ in 0..<count {
        var content = Kind.Content()
        try content.code(&coder)
        try content.check(&slot, before: before, in: ledger)
        before = content
      }
    }
    unpack = { ledger, slot, sum, coder throws(MalformedBytes) in
      var count = 0
      try coder.count(&count)
      for _ in 0..<count {
        var content = Kind.Content()
        try content.code(&coder)
        let place = Kind.add(content, to: &slot, of: &ledger)
        Kind.count(place, in: ledger, to: &sum)
      }
    }
  }

  /// In the order in which a parcel has them: each after those that it refers to.
  static let all: [SlotKind] = [
    SlotKind(SequenceRecord.self), SlotKind(MemberRecord.self), SlotKind(NoteRecord.self),
    SlotKind(TransactionRecord.self), SlotKind(LapsedRecord.self), SlotKind(PastTable.Block.self),
    SlotKind(CardEntryRecord.self), SlotKind(DedupeRecord.self), SlotKind(OutboxRecord.self),
    SlotKind(InboxRecord.self), SlotKind(FileRecord.self, form: 2),
    SlotKind(LeaseRecord.self, form: 2), SlotKind(HomeRecord.self, form: 2),
  ]
  /// Those that are in a parcel of a form.
  static func all(ofForm form: UInt8) -> some Sequence<SlotKind> { all.lazy.filter { $0.form <= form } }
}
