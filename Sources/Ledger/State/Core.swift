import Base

/// What there is one of in a shard. Without padding, and with room: a field that is added takes the place of a part of
/// `room`, and begins as zero.
struct Core: SingleRecord {
  var lastIndex = LogIndex(0)
  var lastStamp = Stamp.zero
  var memberCount: UInt64 = 0
  var accountCount: UInt64 = 0
  var transactionCount: UInt64 = 0
  var digest = DigestSum()
  var chain = SHA256.Digest()
  /// Where the sweep for expired lots goes on.
  var sweepCursor: UInt64 = 0
  /// The number of the newest mark among the lapsed, and the day of the oldest of them whose mark is gone.
  var lapsedMark: UInt64 = 0
  var firstLapsedDay: UInt64 = 0
  var openOutbox: UInt64 = 0
  var openInbox: UInt64 = 0
  /// `.none`: the first entry has yet to tell it.
  var key = HashKey.none
  var faults: LedgerFaults = []
  private var overdue: UInt8 = 0
  private var inEntry: UInt8 = 0
  /// The newest that an entry was applied by.
  var semantics = Semantics.first
  var shard = ShardID(0)
  /// Of a snapshot: where the journal ended.
  var journalEnd = JournalPosition.none
  /// Which slots the shard owns, and since which of its changes. Before the founding entry: all.
  var ranges = SlotRanges.all
  var epoch: UInt64 = 0
  /// Its lowest bit: slots have moved; above it, how many jobs are under way.
  private var movedSlotsAndJobs: UInt64 = 0
  /// Places in the queues of what went to another shard.
  var goneTransactions: UInt64 = 0
  var goneRequests: UInt64 = 0
  private var room = InlineArray<36, UInt64>(repeating: 0)

  static var tag: TableTag { TableTag(1, "the core") }

  /// There is more to forget than this entry has forgotten so far.
  @inline(__always) var hasOverdue: Bool {
    get { overdue != 0 }
    set { overdue = newValue ? 1 : 0 }
  }
  /// Slots came or went: figures that are never negative may be, but for all shards together.
  @inline(__always) var hasMovedSlots: Bool {
    get { movedSlotsAndJobs & 1 != 0 }
    set { movedSlotsAndJobs = movedSlotsAndJobs & ~1 | (newValue ? 1 : 0) }
  }
  /// Jobs that are under way.
  @inline(__always) var openJobs: UInt64 {
    get { movedSlotsAndJobs >> 1 }
    set { movedSlotsAndJobs = newValue << 1 | movedSlotsAndJobs & 1 }
  }
  @inline(__always) var isInEntry: Bool {
    get { inEntry != 0 }
    set { inEntry = newValue ? 1 : 0 }
  }
}
