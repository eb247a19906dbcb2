import Base

/// What state keeps of a transaction that has left memory. Its records in the journal tell the rest.
struct PastEntry: BitwiseCopyable {
  /// Where the record is that last spoke about it: its own, that of its latest refund, that of a hold's capture.
  var position = JournalPosition.none
  /// The transaction's state in the top byte, and 56 bits of what its records must come to.
  var word: UInt64 = 0

  static let checkMask: UInt64 = 1 << 56 - 1
  /// In the place of a transaction that is in memory again.
  static let away = PastEntry(word: 1)
  var isEmpty: Bool { position == .none }
  /// `TransactionRecord.state`
  var state: UInt8 { UInt8(truncatingIfNeeded: word >> 56) }
}

/// The entries of all transactions that have left memory, found by number without a cell for each: numbers are dense in a
/// slot, so blocks of eight neighbours are indexed.
///
/// A block is *sealed* once its slot has gone on to a later one, and leaves, oldest first, some time after that: whatever
/// it has entries of was booked before. The last block of each slot stays.
///
/// Cost: 18 bytes an entry and 11 to 21 for a block's cell, so 19.3 to 20.7 bytes; at most one block of each slot is not
/// full: 16,384 × 165 bytes, 2.7 MB in all shards together, and 64 KiB a shard to know it by. A find is two cache misses.
struct PastTable: TabledState, ~Copyable {
  static let entriesPerBlock = 8

  struct Block: ReusedRecord {
    /// The transaction's number / 8, of all its entries.
    var number: UInt64
    /// In minutes since the epoch; 0: not sealed.
    var sealedAt: UInt32 = 0
    /// The next one sealed, or the next one free.
    var next = Ref<Block>.none
    var entries = InlineArray<8, PastEntry>(repeating: PastEntry())
    var slot: Slot { Slot(UInt16(truncatingIfNeeded: number >> 45)) }
    /// A number that no transaction has: the block is free.
    static let noNumber = UInt64.max
    /// Its slot went to another shard: it waits in its list, and nothing finds it.
    static let gone = UInt64.max - 1
    var isUsed: Bool { number < Block.gone }
    static var free: Block { Block(number: noNumber) }
    static var tag: TableTag { TableTag(14, "blocks of the past") }
  }
  private struct Lists: SingleRecord {
    var firstSealed = Ref<Block>.none
    var lastSealed = Ref<Block>.none
    var used: UInt32 = 0
    static var tag: TableTag { TableTag(13, "lists of the past") }
  }

  private var blocks = KeyedTable<Block>()
  /// By the cluster's key.
  var hashes = KeyedHashes(.none)
  /// The newest block of each slot; none at all before the first.
  private var newest = PagedArray<Ref<Block>>()
  private var lists = Lists()

  /// By slot, where its blocks are; while slots are to move.
  var census: SlotChains?

  /// How many blocks are in use.
  var blockCount: Int { Int(lists.used) }

  /// What is known of a number that is not in memory.
  enum Knowledge {
    case entry(PastEntry)
    /// A number that was never booked: an inner step took it.
    case never
    /// Older than what is kept, or never booked.
    case unknown
  }
  func find(_ tx: TransactionID) -> Knowledge {
    let number = tx.rawValue >> 3
    if let place = place(number) {
      let entry = blocks.read(place).pointee.entries[Int(tx.rawValue & 7)]
      if !entry.isEmpty { return .entry(entry) }
      return entry.word == 0 ? .never : .unknown
    }
    guard newest.count > 0 else { return .unknown }
    let last = newest.read(Int(tx.slot.rawValue)).pointee
    return last != .none && blocks.read(last).pointee.number < number ? .never : .unknown
  }
  private func place(_ number: UInt64) -> Ref<Block>? {
    blocks.find(hashes.number(number)) { $0.pointee.number == number }
  }

  /// Keeps an entry in the place of what was there.
  mutating func set(_ tx: TransactionID, _ entry: PastEntry, now: Stamp) {
    let number = tx.rawValue >> 3
    let place = place(number) ?? open(number, tx.slot, now)
    blocks.write(place).pointee.entries[Int(tx.rawValue & 7)] = entry
  }
  private mutating func open(_ number: UInt64, _ slot: Slot, _ now: Stamp) -> Ref<Block> {
    let place = blocks.add(Block(number: number), hashes.number(number))
    lists.used += 1
    census?.note(place.place, slot)
    if newest.count == 0 { for _ in 0..<Slot.count { newest.append(.none) } }
    let last = newest.read(Int(slot.rawValue)).pointee
    if last != .none, blocks.read(last).pointee.number > number {
      // A straggler: its slot has gone on.
      seal(place, now)
    } else {
      if last != .none { seal(last, now) }
      newest[Int(slot.rawValue)] = place
    }
    return place
  }
  private mutating func seal(_ place: Ref<Block>, _ now: Stamp) {
    let block = blocks.write(place)
    block.pointee.sealedAt = PastTable.minute(now)
    block.pointee.next = .none
    if lists.lastSealed == .none {
      lists.firstSealed = place
    } else {
      blocks.write(lists.lastSealed).pointee.next = place
    }
    lists.lastSealed = place
  }
  private static func minute(_ stamp: Stamp) -> UInt32 { UInt32(clamping: max(1, stamp.microseconds / 60_000_000)) }

  /// Takes out the oldest sealed block, if it was sealed more than a minute before a moment.
  mutating func popSealed(before stamp: Stamp) -> Block? {
    let place = lists.firstSealed
    guard place != .none else { return nil }
    let block = blocks.read(place).pointee
    guard stamp > .zero, block.sealedAt < PastTable.minute(stamp) else { return nil }
    lists.firstSealed = block.next
    if block.next == .none { lists.lastSealed = .none }
    guard block.isUsed else {
      blocks.removeUnindexed(place)
      return block
    }
    census?.forget(place.place, block.slot)
    blocks.remove(place, hashes.number(block.number))
    lists.used -= 1
    return block
  }

  // MARK: Slots that come and go

  func block(_ place: Ref<Block>) -> UnsafePointer<Block> { blocks.read(place) }
  /// Adds a block of a slot that came, behind those that it has. The one before it is sealed.
  mutating func add(_ number: UInt64, _ entries: InlineArray<8, PastEntry>, _ slot: Slot, now: Stamp) -> Ref<Block> {
    let place = open(number, slot, now)
    blocks.write(place).pointee.entries = entries
    return place
  }
  /// Takes out a block of a slot that goes; all others of the slot go as well.
  mutating func drop(_ place: Ref<Block>) {
    let block = blocks.read(place).pointee
    let slot = Int(block.slot.rawValue)
    lists.used -= 1
    if newest.read(slot).pointee == place {
      newest[slot] = .none
      return blocks.remove(place, hashes.number(block.number))
    }
    blocks.unindex(place, hashes.number(block.number))
    var gone = Block(number: Block.gone)
    (gone.sealedAt, gone.next) = (block.sealedAt, block.next)
    blocks.write(place).pointee = gone
  }
  /// Goes on with the census by up to `limit` places; how many are left.
  mutating func advanceCensus(limit: Int) -> Int {
    guard let first = census?.cursor else { return 0 }
    for place in first..<min(blocks.count, first + limit) {
      let block = blocks.read(Ref(place: place)).pointee
      census?.pass(block.isUsed ? block.slot : nil)
    }
    return blocks.count - (census?.cursor ?? 0)
  }

  /// Visits all entries. O(blocks): for tests and checks.
  func forEach(_ body: (TransactionID, PastEntry) -> Void) {
    forEachBlock { $0.pointee.forEach(body) }
  }
  func forEachBlock(_ body: (UnsafePointer<Block>) -> Void) {
    blocks.forEach { if $1.pointee.isUsed { body($1) } }
  }
  /// What of the table's own order is broken, for tests; nil if nothing is.
  func fault() -> String? {
    var used = 0
    for i in 0..<blocks.count {
      let ref = Ref<Block>(place: i)
      let block = blocks.read(ref).pointee
      guard block.isUsed else { continue }
      used += 1
      guard place(block.number) == ref else { return "a block of the past is not found by its number" }
      let last = newest.read(Int(block.number >> 45)).pointee
      guard last != .none, (last == ref) == (block.sealedAt == 0) else { return "a block that is sealed wrongly" }
      guard block.number <= blocks.read(last).pointee.number else { return "a block newer than the newest" }
    }
    guard used == blockCount, used == blocks.index.count else {
      return "\(used) blocks of the past, counted \(blockCount)"
    }
    var (next, before, count) = (lists.firstSealed, UInt32(0), 0)
    while next != .none, count <= blocks.count {
      let block = blocks.read(next).pointee
      guard block.sealedAt >= before, block.sealedAt > 0 else { return "sealed blocks out of order" }
      (before, next, count) = (block.sealedAt, block.next, count + 1)
    }
    return count <= blocks.count ? nil : "the sealed blocks are a ring"
  }

  // MARK: Snapshots

  mutating func visitTables<V: TableVisitor & ~Copyable>(_ visitor: inout V) throws(V.Failure) {
    try visitor.visit(&lists)
    try visitor.visit(&blocks)
    try visitor.visit(&newest, TableTag(16, "the newest of the past"))
  }
  /// Called once it is restored.
  func checkRestored() throws {
    let places = [lists.firstSealed.rawValue, lists.lastSealed.rawValue, lists.used]
    guard newest.count == Slot.count || blocks.count == 0, places.allSatisfy({ Int($0) <= blocks.count }),
      (0..<newest.count).allSatisfy({ Int(newest.read($0).pointee.rawValue) <= blocks.count })
    else { throw MalformedBytes("the past refers to blocks that are not there") }
  }
}

extension PastTable.Block {
  /// Visits its entries, with the transactions' numbers.
  func forEach(_ body: (TransactionID, PastEntry) -> Void) {
    guard isUsed else { return }
    for i in 0..<PastTable.entriesPerBlock where !entries[i].isEmpty {
      body(TransactionID(rawValue: number << 3 | UInt64(i)), entries[i])
    }
  }
}
