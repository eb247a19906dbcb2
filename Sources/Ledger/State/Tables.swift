import Base

/// The tables of a ledger. Each has a line where it is declared and one in `visitTables`, and no more: see `StateRecord`.
struct Tables: TabledState, ~Copyable {
  var members = KeyedTable<MemberRecord>()
  var notes = KeyedTable<NoteRecord>()
  var accounts = Table<AccountRecord>()
  var lots = Table<LotRecord>()
  var takes = Table<TakeRecord>()
  var texts = PagedBlob()
  var sequences = Table<SequenceRecord>()
  var transactions = KeyedQueue<TransactionRecord>()
  /// Those that have left memory.
  var past = PastTable()
  var dedupe = KeyedQueue<DedupeRecord>()
  var holds = Table<HoldRecord>()
  var holdQueue = PagedArray<HoldDeadline>()
  var transits = Table<TransitRecord>()
  var lapsed = KeyedQueue<LapsedRecord>()
  var cards = Table<CardRecord>()
  var cardEntries = KeyedTable<CardEntryRecord>()
  var programs = Table<ProgramRecord>()
  var parts = Table<PartRecord>()
  /// Of each merchant.
  var firstParts = PagedArray<Ref<PartRecord>>()
  var outbox = KeyedTable<OutboxRecord>()
  var inbox = KeyedTable<InboxRecord>()
  var files = Table<FileRecord>()
  /// What hangs on files and on programs.
  var details = DetailTables()
  /// Quotas, their leases, and campaigns.
  var quotas = QuotaTables()
  /// What is known of slots that came and went.
  var moves = MoveTables()

  mutating func visitTables<V: TableVisitor & ~Copyable>(_ visitor: inout V) throws(V.Failure) {
    try visitor.visit(&members)
    try visitor.visit(&notes)
    try visitor.visit(&accounts)
    try visitor.visit(&lots)
    try visitor.visit(&takes)
    try visitor.visit(&texts, TableTag(9, "texts"))
    try visitor.visit(&sequences)
    try visitor.visit(&transactions)
    try past.visitTables(&visitor)
    try visitor.visit(&dedupe)
    try visitor.visit(&holds)
    try visitor.visit(&holdQueue, HoldDeadline.tag)
    try visitor.visit(&transits)
    try visitor.visit(&lapsed)
    try visitor.visit(&cards)
    try visitor.visit(&cardEntries)
    try visitor.visit(&programs)
    try visitor.visit(&parts)
    try visitor.visit(&firstParts, PartRecord.firstTag)
    try visitor.visit(&outbox)
    try visitor.visit(&inbox)
    try moves.visitTables(&visitor)
    try visitor.visit(&files)
    try details.visitTables(&visitor)
    try quotas.visitTables(&visitor)
  }
}

struct DetailTables: TabledState, ~Copyable {
  var chunks = Table<FileChunk>()
  var counters = Table<CounterRecord>()
  var rareLots = Table<RareLotsRecord>()
  /// Of each day of a year, once some member has a birthday.
  var birthdays = Table<BirthdayRecord>()
  /// Of each program, once it has rules for birthdays.
  var birthdayRuns = Table<BirthdayRun>()
  var bonds = Table<BondRecord>()

  mutating func visitTables<V: TableVisitor & ~Copyable>(_ visitor: inout V) throws(V.Failure) {
    try visitor.visit(&chunks)
    try visitor.visit(&counters)
    try visitor.visit(&rareLots)
    try visitor.visit(&birthdays)
    try visitor.visit(&birthdayRuns)
    try visitor.visit(&bonds)
  }
}

struct MoveTables: TabledState, ~Copyable {
  var given = Table<GivenSlots>()
  var ancestors = Table<AncestorRecord>()
  var chunks = Table<ParcelChunk>()
  /// At most one.
  var exports = Table<ExportRecord>()
  var arrivals = Table<ArrivalRecord>()
  var marks = Table<ImportMark>()
  var slotArrivals = Table<SlotArrival>()

  mutating func visitTables<V: TableVisitor & ~Copyable>(_ visitor: inout V) throws(V.Failure) {
    try visitor.visit(&given)
    try visitor.visit(&ancestors)
    try visitor.visit(&chunks)
    try visitor.visit(&exports)
    try visitor.visit(&arrivals)
    try visitor.visit(&marks)
    try visitor.visit(&slotArrivals)
  }
}

extension Ledger: TabledState {
  mutating func visitTables<V: TableVisitor & ~Copyable>(_ visitor: inout V) throws(V.Failure) {
    try visitor.visit(&core)
    try visitor.visit(&calendar)
    try visitor.visit(&dedupeMarks)
    try visitor.visit(&tierDues)
    try visitor.visit(&paused)
    try tables.visitTables(&visitor)
  }
}
