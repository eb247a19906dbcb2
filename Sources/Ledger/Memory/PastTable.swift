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
struct PastTable: ~Copyable {
  static let entriesPerBlock = 8

  struct Block: BitwiseCopyable {
    /// The transaction's number / 8, of all its entries.
    var number: UInt64
    /// In minutes since the epoch; 0: not sealed.
    var sealedAt: UInt32 = 0
    /// The next one sealed, or the next one free.
    var next: UInt32 = 0
    var entries = InlineArray<8, PastEntry>(repeating: PastEntry())
    /// A number that no transaction has: the block is free.
    static let free = UInt64.max
  }
  private struct Lists: SingleRecord {
    var firstSealed: UInt32 = 0
    var lastSealed: UInt32 = 0
    var firstFree: UInt32 = 0
    var used: UInt32 = 0
  }

  private var blocks: PagedArray<Block>
  private var index: HashIndex
  /// By the cluster's key.
  var hashes = KeyedHashes(.none)
  /// The newest block of each slot; none at all before the first.
  private var newest: PagedArray<UInt32>
  private var lists = Lists()

  init(_ pool: borrowing PagePool) {
    blocks = PagedArray(pool)
    index = HashIndex(pool)
    newest = PagedArray(pool)
  }

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
      let entry = blocks.read(Int(place - 1)).pointee.entries[Int(tx.rawValue & 7)]
      if !entry.isEmpty { return .entry(entry) }
      return entry.word == 0 ? .never : .unknown
    }
    guard newest.count > 0 else { return .unknown }
    let last = newest.read(Int(tx.slot.rawValue)).pointee
    return last != 0 && blocks.read(Int(last - 1)).pointee.number < number ? .never : .unknown
  }
  private func place(_ number: UInt64) -> UInt32? {
    index.find(hashes.number(number)) { blocks.read(Int($0 - 1)).pointee.number == number }
  }

  /// Keeps an entry in the place of what was there.
  mutating func set(_ tx: TransactionID, _ entry: PastEntry, now: Stamp) {
    let number = tx.rawValue >> 3
    let place = place(number) ?? open(number, tx.slot, now)
    blocks.write(Int(place - 1)).pointee.entries[Int(tx.rawValue & 7)] = entry
  }
  private mutating func open(_ number: UInt64, _ slot: Slot, _ now: Stamp) -> UInt32 {
    var place = lists.firstFree
    if place != 0 {
      lists.firstFree = blocks.read(Int(place - 1)).pointee.next
      blocks[Int(place - 1)] = Block(number: number)
    } else {
      place = UInt32(blocks.append(Block(number: number)) + 1)
    }
    index.insert(hashes.number(number), place)
    lists.used += 1
    if newest.count == 0 { for _ in 0..<Slot.count { newest.append(0) } }
    let last = newest.read(Int(slot.rawValue)).pointee
    if last != 0, blocks.read(Int(last - 1)).pointee.number > number {
      // A straggler: its slot has gone on.
      seal(place, now)
    } else {
      if last != 0 { seal(last, now) }
      newest[Int(slot.rawValue)] = place
    }
    return place
  }
  private mutating func seal(_ place: UInt32, _ now: Stamp) {
    let block = blocks.write(Int(place - 1))
    block.pointee.sealedAt = PastTable.minute(now)
    block.pointee.next = 0
    if lists.lastSealed == 0 {
      lists.firstSealed = place
    } else {
      blocks.write(Int(lists.lastSealed - 1)).pointee.next = place
    }
    lists.lastSealed = place
  }
  private static func minute(_ stamp: Stamp) -> UInt32 { UInt32(clamping: max(1, stamp.microseconds / 60_000_000)) }

  /// Takes out the oldest sealed block, if it was sealed more than a minute before a moment.
  mutating func popSealed(before stamp: Stamp) -> Block? {
    let place = lists.firstSealed
    guard place != 0 else { return nil }
    let block = blocks.read(Int(place - 1)).pointee
    guard stamp > .zero, block.sealedAt < PastTable.minute(stamp) else { return nil }
    lists.firstSealed = block.next
    if block.next == 0 { lists.lastSealed = 0 }
    index.remove(hashes.number(block.number), place)
    blocks[Int(place - 1)] = Block(number: Block.free, next: lists.firstFree)
    lists.firstFree = place
    lists.used -= 1
    return block
  }

  /// Visits all entries. O(blocks): for tests and checks.
  func forEach(_ body: (TransactionID, PastEntry) -> Void) {
    for i in 0..<blocks.count { blocks.read(i).pointee.forEach(body) }
  }
  /// What of the table's own order is broken, for tests; nil if nothing is.
  func fault() -> String? {
    var used = 0
    for i in 0..<blocks.count where blocks.read(i).pointee.number != Block.free {
      let block = blocks.read(i).pointee
      used += 1
      guard place(block.number) == UInt32(i + 1) else { return "a block of the past is not found by its number" }
      let last = newest.read(Int(block.number >> 45)).pointee
      guard last != 0, (last == UInt32(i + 1)) == (block.sealedAt == 0) else { return "a block that is sealed wrongly" }
      guard block.number <= blocks.read(Int(last - 1)).pointee.number else { return "a block newer than the newest" }
    }
    guard used == blockCount, used == index.count else { return "\(used) blocks of the past, counted \(blockCount)" }
    var (next, before, count) = (lists.firstSealed, UInt32(0), 0)
    while next != 0, count <= used {
      let block = blocks.read(Int(next - 1)).pointee
      guard block.sealedAt >= before, block.sealedAt > 0 else { return "sealed blocks out of order" }
      (before, next, count) = (block.sealedAt, block.next, count + 1)
    }
    return count <= used ? nil : "the sealed blocks are a ring"
  }

  // MARK: Snapshots

  mutating func visitTables<V: TableVisitor & ~Copyable>(_ visitor: inout V) throws(V.Failure) {
    try visitor.visit(&lists, .pastLists)
    try visitor.visit(&blocks, .pastBlocks)
    try visitor.visit(&index, .pastIndex)
    try visitor.visit(&newest, .newestPast)
  }
  /// Called once it is restored.
  func checkRestored() throws {
    let places = [lists.firstSealed, lists.lastSealed, lists.firstFree, lists.used]
    guard newest.count == Slot.count || blocks.count == 0, places.allSatisfy({ Int($0) <= blocks.count }),
      (0..<newest.count).allSatisfy({ Int(newest.read($0).pointee) <= blocks.count })
    else { throw MalformedBytes("the past refers to blocks that are not there") }
  }
}

extension PastTable.Block {
  /// Visits its entries, with the transactions' numbers.
  func forEach(_ body: (TransactionID, PastEntry) -> Void) {
    guard number != PastTable.Block.free else { return }
    for i in 0..<PastTable.entriesPerBlock where !entries[i].isEmpty {
      body(TransactionID(rawValue: number << 3 | UInt64(i)), entries[i])
    }
  }
}
