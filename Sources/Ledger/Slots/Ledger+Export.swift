import Base

//     export  the heir u32, first slot u16, end u16, the epoch that is to be exported from u64
//
// The effect: the slots leave the ranges, the epoch rises, and all that belongs to the slots leaves the tables and becomes a parcel,
// which is state and is sent until the heir has taken it in (`imported`). From then on until that, what members had is in transit.

extension Ledger {
  /// Slots that left the shard, and are not known to have been taken in.
  public struct OpenExport: Sendable, Hashable {
    public let heir: ShardID
    /// The shard's after the export.
    public let epoch: UInt64
    public let slots: Range<Int>
  }
  /// The parcel that is open: one at a time.
  public var openExport: OpenExport? {
    openParcel.map { OpenExport(heir: $0.heir, epoch: $0.epoch, slots: Int($0.first)..<Int($0.end)) }
  }
  var openParcel: ExportRecord? {
    guard tables.moves.exports.count > 0 else { return nil }
    let record = tables.moves.exports.read(Ref(place: 0)).pointee
    return record.epoch > 0 ? record : nil
  }

  mutating func applyExport(_ reader: inout ByteReader) throws(MalformedBytes) -> Outcome {
    let heir = ShardID(try reader.read())
    let first = Int(try reader.read(UInt16.self))
    let end = Int(try reader.read(UInt16.self))
    let epoch: UInt64 = try reader.read()
    try reader.finish()
    guard core.semantics >= Semantics.splits else { return .silent }
    if first == end, end == Slot.count {
      guard epoch == core.epoch, core.ranges.isEmpty, openParcel == nil, isHeir(heir), hasBooks else { return .silent }
      let parcel = takeOutBooks()
      core.epoch = epoch + 1
      core.hasMovedSlots = true
      open(parcel, heir)
      return .silent
    }
    if first == end {
      beginCensus()
      return .silent
    }
    guard epoch == core.epoch, first < end, core.ranges.contains(first..<end), openParcel == nil, isHeir(heir),
      let rest = core.ranges.removing(first..<end),
      let slots = SlotRanges([first..<end])
    else { return .silent }
    let parcel = takeOut(first..<end)
    core.ranges = rest
    core.epoch = epoch + 1
    core.hasMovedSlots = true
    noteGiven(slots, to: heir, epoch: core.epoch)
    open(parcel, heir)
    return .silent
  }

  private func isHeir(_ shard: ShardID) -> Bool {
    shard != core.shard && shard.rawValue > 0 && shard.rawValue < 1 << 18
  }

  /// Takes all that belongs to some slots out of the tables.
  private mutating func takeOut(_ slots: Range<Int>) -> (header: ParcelHeader, records: [UInt8]) {
    beginCensus()
    while !advanceCensus(limit: 1 << 20) {}
    if core.openJobs > 0 {
      for number in slots { finishJobs(ofMembers: places(of: Slot(UInt16(number))).members) }
      while !advanceCensus(limit: 1 << 20) {}
    }
    var header = ParcelHeader()
    (header.first, header.end) = (UInt16(slots.lowerBound), UInt16(slots.upperBound))
    header.epoch = core.epoch + 1
    header.form = ParcelHeader.form(at: core.semantics)
    header.catalogueVersion = catalogue.version
    header.lineage = lineage.map { .init(end: $0.position, chain: $0.hash) }
      .sorted { $0.end.journal < $1.end.journal }
    var books = catalogue.programRefs.map {
      ParcelHeader.Book(program: $0, members: balances($0), pending: pendings($0))
    }
    var steps = steps(of: slots)
    var coder = ParcelCoder()
    coder.form = header.form
    for number in slots {
      let slot = Slot(UInt16(number))
      dropExpiredRequests(of: slot)
      var context = SlotContext(slot)
      context.found = places(of: slot)
      while let ref = steps.outbox.last, tables.outbox.read(ref).pointee.id.slot == slot {
        context.found.outbox.append(steps.outbox.removeLast())
      }
      while let ref = steps.inbox.last, tables.inbox.read(ref).pointee.slot == number {
        context.found.inbox.append(steps.inbox.removeLast())
      }
      while let ref = steps.leases.last, tables.quotas.leases.read(ref).pointee.slot == number {
        context.found.leases.append(steps.leases.removeLast())
      }
      while let ref = steps.homes.last, tables.quotas.homes.read(ref).pointee.slot == number {
        context.found.homes.append(steps.homes.removeLast())
      }
      addPointsUnderWay(context.found.outbox, to: &books)
      var removals: [(inout Ledger) -> Void] = []
      for kind in SlotKind.all(ofForm: header.form) {
        removals.append(kind.pack(self, &context, &header.digest, &coder))
      }
      for remove in removals.reversed() { remove(&self) }
      forgetPlaces(of: slot)
    }
    core.digest.subtract(header.digest)
    dropStaleDeadlines()
    for place in books.indices {
      books[place].members -= balances(books[place].program)
      books[place].pending -= pendings(books[place].program)
      post(wide: books[place].members, books[place].program, from: .members, to: .inTransit)
      post(wide: books[place].pending, books[place].program, from: .pending, to: .inTransit)
    }
    header.books = books.filter { $0.members != 0 || $0.inTransit != 0 || $0.pending != 0 }
    return (header, coder.buffer.array)
  }
  func balances(_ program: ProgramRef) -> Int128 { tables.programs.read(Ref(place: program.place)).pointee.balances }
  func pendings(_ program: ProgramRef) -> Int128 { rareLots(program).pending }
  /// Steps and quotas' records of some slots, those of the lowest slot last. O(all that there are).
  private func steps(of slots: Range<Int>) -> SlotPlaces {
    var found = SlotPlaces()
    tables.outbox.forEach { ref, record in
      if record.pointee.id != .none, slots.contains(Int(record.pointee.id.slot.rawValue)) { found.outbox.append(ref) }
    }
    tables.inbox.forEach { ref, record in
      if record.pointee.from != .none, slots.contains(Int(record.pointee.slot)) { found.inbox.append(ref) }
    }
    tables.quotas.leases.forEach { ref, record in
      if record.pointee.isUsed, slots.contains(Int(record.pointee.slot)) { found.leases.append(ref) }
    }
    tables.quotas.homes.forEach { ref, record in
      if record.pointee.isUsed, slots.contains(Int(record.pointee.slot)) { found.homes.append(ref) }
    }
    found.leases.sort { tables.quotas.leases.read($0).pointee.slot > tables.quotas.leases.read($1).pointee.slot }
    found.homes.sort { tables.quotas.homes.read($0).pointee.slot > tables.quotas.homes.read($1).pointee.slot }
    found.outbox.sort { tables.outbox.read($0).pointee.id.slot > tables.outbox.read($1).pointee.id.slot }
    found.inbox.sort { tables.inbox.read($0).pointee.slot > tables.inbox.read($1).pointee.slot }
    return found
  }
  private func addPointsUnderWay(_ outbox: [Ref<OutboxRecord>], to books: inout [ParcelHeader.Book]) {
    for ref in outbox {
      let record = tables.outbox.read(ref).pointee
      steps.find(record.kind)?.forEachUnderWay(record, in: self) { books[$0.place].inTransit += Int128($1.rawValue) }
    }
  }
  /// Those that have outlived their retention are not to begin another one.
  private mutating func dropExpiredRequests(of slot: Slot) {
    var expired: [UInt64] = []
    census?.requests.forEach(slot, from: tables.dedupe.first) { number in
      let record = tables.dedupe.read(number)
      if !record.pointee.isForgotten, !record.pointee.isPending, dedupeMarks.isExpired(number) {
        expired.append(number)
      }
    }
    for number in expired {
      tables.dedupe.read(number).pointee.count(-1, in: &core.digest)
      DedupeRecord.remove(number, of: &self)
    }
  }

  /// Keeps a parcel until it is taken in.
  private mutating func open(_ parcel: (header: ParcelHeader, records: [UInt8]), _ heir: ShardID) {
    var coder = ParcelCoder()
    var header = parcel.header
    try? header.code(&coder)
    coder.append(parcel.records)
    var chain = ChunkChain()
    append(coder.buffer.bytes, to: &chain)
    guard parts(chain.count) <= Int(UInt16.max) else { return fail(.records) }
    var record = ExportRecord()
    record.epoch = core.epoch
    record.heir = heir
    (record.first, record.end) = (header.first, header.end)
    record.stamp = now
    record.check = xxh64(coder.buffer.bytes)
    (record.firstChunk, record.chunkCount) = (chain.first, chain.count)
    if tables.moves.exports.count == 0 { _ = tables.moves.exports.append(ExportRecord()) }
    tables.moves.exports.write(Ref(place: 0)).pointee = record
    count(tables.moves.exports.read(Ref(place: 0)), 1)
    hasExported = true
  }
  /// As the entry ends: what it wrote of the slots lies in the journal up to here.
  mutating func finishExport() {
    hasExported = false
    guard openParcel != nil else { return }
    let record = tables.moves.exports.write(Ref(place: 0))
    (record.pointee.journalEnd, record.pointee.chain) = (journal.end, core.chain)
    var part = 0
    var parts: [Delivery] = []
    openParts(from: &part, limit: limits.partsAtOnce) { parts.append($0) }
    newDeliveries += parts
  }

  mutating func applyImported(_ reader: inout ByteReader) throws(MalformedBytes) -> Outcome {
    let epoch: UInt64 = try reader.read()
    try reader.finish()
    guard let record = openParcel, record.epoch == epoch else { return .silent }
    for book in openBooks() {
      post(wide: book.members + book.inTransit + book.pending, book.program, from: .inTransit, to: .betweenShards)
    }
    count(tables.moves.exports.read(Ref(place: 0)), -1)
    dropChunks(from: record.firstChunk)
    tables.moves.exports.write(Ref(place: 0)).pointee = ExportRecord()
    return .silent
  }
  /// What the open parcel has of each program.
  func openBooks() -> [ParcelHeader.Book] {
    guard let record = openParcel else { return [] }
    var buffer = ByteBuffer(capacity: 4_096)
    readChunks(from: record.firstChunk, to: &buffer)
    var coder = ParcelCoder(reading: ByteReader(buffer.bytes))
    var header = ParcelHeader()
    guard (try? header.code(&coder)) != nil else { return [] }
    return header.books
  }

  // MARK: Parts

  /// Of a parcel of more parts than go out at once: the next ones. `part` is 0 after the last.
  public func parts(ofParcel epoch: UInt64, from part: inout Int, _ body: (Delivery) -> Void) {
    guard let record = openParcel, record.epoch == epoch, part < parts(record.chunkCount) else { return part = 0 }
    openParts(from: &part, limit: limits.partsAtOnce, body)
  }
  private func parts(_ chunks: UInt32) -> Int {
    (Int(chunks) + limits.chunksPerPart - 1) / limits.chunksPerPart
  }
  /// Gives the parts of the open parcel from `part` on, at most `limit`. The next call goes on behind them.
  func openParts(from part: inout Int, limit: Int, _ body: (Delivery) -> Void) {
    guard let record = openParcel else { return part = 0 }
    let parts = parts(record.chunkCount)
    if part >= parts { part = 0 }
    var skipped = ByteBuffer(capacity: 64)
    var next = record.firstChunk
    for _ in 0..<part * limits.chunksPerPart { next = tables.moves.chunks.read(next).pointee.next }
    for _ in 0..<min(limit, parts - part) {
      skipped.removeAll()
      if part == 0 {
        skipped.append(record.journalEnd.rawValue)
        record.chain.withBytes { skipped.append($0) }
        skipped.append(record.check)
      }
      next = readChunks(from: next, limit: limits.chunksPerPart, to: &skipped)
      body(delivery(of: record, part, of: parts, skipped.bytes))
      part += 1
    }
    if part == parts { part = 0 }
  }
  private func delivery(of record: ExportRecord, _ part: Int, of parts: Int, _ bytes: Bytes) -> Delivery {
    let slot = Slot(min(record.first, UInt16(Slot.count - 1)))
    var buffer = ByteBuffer(capacity: bytes.count + 64)
    let start = Command.begin(&buffer, .import, slot)
    buffer.append(core.shard.rawValue)
    buffer.append(record.epoch)
    buffer.append(UInt16(part))
    buffer.append(UInt16(parts))
    buffer.append(bytes)
    Command.end(&buffer, start)
    return Delivery(
      from: Ledger.name(record.epoch, part, slot), step: 0, kind: .part, to: slot, shard: record.heir,
      stamp: record.stamp, command: buffer.array)
  }
  /// What a part is told from others by.
  static func name(_ epoch: UInt64, _ part: Int, _ slot: Slot) -> TransactionID {
    TransactionID(slot: slot, sequence: (epoch & 0xFFFF_FFFF) << 16 | UInt64(part + 1))
  }
}
