import Base
import Vocabulary
import Synchronization

/// One shard's state machine: members, their points, their holds; the shard's part of every merchant's account; what
/// was answered to which request. A deterministic value: the same entries give the same state, the same replies and the
/// same journal, byte for byte. What an entry contains never traps: it is refused.
///
/// Used from one thread at a time. Apply an entry by `beginEntry`, `apply` for each command, `endEntry`. How it lies in
/// memory, and what it costs, is in README.md.
public struct Ledger: ~Copyable, @unchecked Sendable {
  // Unchecked: it has one owner; what a snapshot shares with another thread is frozen (see `PagePool`).
  public let limits: LedgerLimits
  /// The rows of verbs, at hand.
  let rules = VerbRule.table
  /// The programs and merchants as this shard's log has them.
  public internal(set) var catalogue: Catalogue
  /// By the cluster's key, as the first entry has told it.
  var hashes: KeyedHashes

  var core = Core()
  /// When lots end that are not booked yet, and how many do.
  var calendar = ExpiryCalendar()
  /// When request ids came.
  var dedupeMarks = RetentionMarks()
  /// When periods of members' tiers end, and how many do.
  var tierDues = TierDues()
  /// For which a request waits.
  var paused = PausedSlots()
  var journal: JournalBuffer
  /// Deliveries made since last taken.
  var newDeliveries: [Delivery] = []
  /// Where the records of each slot lie, while slots are to move. No part of the state.
  var census: Census?
  /// What requests may have waited for and is over, since last taken: asks of quotas' homes, movements of pools.
  var answeredWaits: [TransactionID] = []
  /// What the command that is being applied has to wait for, or is refused for: the quota's number. No part of the state.
  var deferral: Deferral?
  var emptyQuota: UInt32?
  /// The open entry has an export: its parcel is complete as the entry ends.
  var hasExported = false
  /// What shards ask of each other.
  var steps = StepTable.all
  /// Where a record's lots are written before it is. No part of the state.
  var lotBuffer = ByteBuffer(capacity: 64)
  /// Where a record's detail is written before it is. No part of the state.
  var detailBuffer = ByteBuffer(capacity: 256)
  /// Where earnings are worked out. No part of the state.
  var earning = EarningWork()
  /// What is about to be booked. No part of the state.
  var openEarnings = OpenEarnings()
  /// Where `warm` leaves its sum. No part of the state.
  var warmth: UInt64 = 0
  /// Never used. What holds an atomic stays where it is, so a ledger is lent by its address; without it the compiler
  /// lends a copy, 2 KiB at each call of a method that changes nothing.
  private let pin = Atomic<UInt8>(0)

  var pool: PagePool
  var tables = Tables()

  /// An empty ledger.
  public init(shard: ShardID, limits: LedgerLimits = LedgerLimits()) {
    self.limits = limits
    catalogue = Catalogue(key: .none)
    hashes = KeyedHashes(.none)
    pool = PagePool()
    journal = JournalBuffer(segmentBytes: limits.journalSegmentBytes, end: JournalPosition(beginningOf: shard))
    tables.attachTables(pool.state)
    for _ in 0..<Slot.count { _ = tables.sequences.append(SequenceRecord()) }
    core.shard = shard
  }

  public var shard: ShardID { core.shard }
  public var lastStamp: Stamp { core.lastStamp }
  public var lastIndex: LogIndex { core.lastIndex }
  public var semantics: UInt8 { core.semantics }
  public var catalogueVersion: UInt32 { catalogue.version }
  public var memberCount: UInt64 { core.memberCount }
  public var transactionCount: UInt64 { core.transactionCount }
  /// The slots that the shard owns, as its own log has it, and the number of the change by which it does: a higher one is
  /// later, at whichever shard.
  public var ranges: SlotRanges { core.ranges }
  public var epoch: UInt64 { core.epoch }
  public var hashKey: HashKey { core.key }
  /// Bytes of memory that the state occupies.
  public var memoryByteCount: Int { pool.usedByteCount }
  /// Bytes of memory that are kept for the state to grow into.
  public var spareByteCount: Int { pool.spareByteCount }
  /// Additive over canonical records, whatever the layout; kept as the state changes. Equal on all replicas.
  public var digest: (UInt64, UInt64) { (core.digest.a, core.digest.b) }

  /// When there is something to book: propose a tick then, and again while it stays in the past.
  public var nextDeadline: Stamp? {
    var next = calendar.first
    if tables.holdQueue.count > 0 { next = min(next ?? .never, tables.holdQueue.read(0).pointee.deadline) }
    if let nextTierDue { next = min(next ?? .never, nextTierDue) }
    if let nextBirthday { next = min(next ?? .never, nextBirthday) }
    if let overdue { next = min(next ?? .never, overdue) }
    if core.openJobs > 0 { next = min(next ?? .never, core.lastStamp) }
    return next
  }

  /// The moment that commands are applied at.
  @inline(__always) var now: Stamp { core.lastStamp }

  // MARK: Entries

  /// Opens an entry. Index and stamp must be above those before; a stamp that is not counts as the next microsecond.
  /// Drops what has outlived its retention, within bounds.
  public mutating func beginEntry(_ header: EntryHeader, index: LogIndex) {
    precondition(!core.isInEntry, "an entry is ended before the next begins")
    precondition(index > core.lastIndex, "entries are applied in order")
    core.isInEntry = true
    core.lastIndex = index
    let stamp = min(max(header.stamp.microseconds, core.lastStamp.microseconds + 1), CivilTime.latest.microseconds)
    let latest = core.lastStamp
    core.lastStamp = Stamp(microseconds: max(stamp, core.lastStamp.microseconds))
    catalogue.advance(to: core.lastStamp)
    shutLowered()
    if journal.beginFrame(index: index, stamp: core.lastStamp, chain: core.chain) { indexSequences() }
    if header.semantics > core.semantics { raiseSemantics(to: header.semantics) }
    dedupeMarks.advance(to: now, retention: retention, end: tables.dedupe.end, latest: latest)
    dropOverdue(atMost: Ledger.dropsAnEntry)
  }
  private mutating func raiseSemantics(to semantics: UInt8) {
    core.semantics = semantics
    // What is written from now on may have another form.
    pool.forgetKept()
    guard semantics >= Semantics.rulesInJournal else { return }
    var record = JournalRecord(
      .rules, tx: .none, stamp: core.lastStamp, tenant: .first, member: UnsafeRawBufferPointer(start: nil, count: 0))
    record.number = Int64(semantics)
    _ = journal.append(record)
  }
  /// How far each slot's transactions are numbered, at the beginning of a journal segment: some 16 to 100 KiB, once in 64 MiB.
  private mutating func indexSequences() {
    var list = ByteBuffer(capacity: 65_536)
    for first in stride(from: 0, to: Slot.count, by: JournalRecord.slotsPerIndex) {
      list.removeAll()
      for slot in first..<first + JournalRecord.slotsPerIndex {
        list.append(varint: tables.sequences.read(Ref(place: slot)).pointee.last)
      }
      var record = JournalRecord(
        .index, tx: .none, stamp: core.lastStamp, tenant: .first, member: UnsafeRawBufferPointer(start: nil, count: 0))
      record.number = Int64(first)
      record.answer = list.bytes
      _ = journal.append(record)
    }
  }
  /// Closes the entry, and its journal frame: chain = SHA-256(previous chain ∥ frame). Whoever applies entries looks for a
  /// `fault` then.
  public mutating func endEntry() {
    precondition(core.isInEntry, "an entry is open")
    core.isInEntry = false
    if let chain = journal.endFrame() { core.chain = chain }
    if hasExported { finishExport() }
    pool.trim(pages: 1)
  }
}
