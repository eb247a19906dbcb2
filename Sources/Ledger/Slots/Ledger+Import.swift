import Base

//     import    the source u32, its epoch after the export u64, part u16, how many there are u16, the part's bytes
//     imported  that epoch
//
// Parts are taken in their order; with the last all of them are taken in, by one apply. What cannot be taken in yet has no effect:
// it comes again.

extension Ledger {
  /// Of each shard that slots came from, its epoch after the newest export that was taken in.
  public var importMarks: [(source: ShardID, epoch: UInt64)] {
    (0..<tables.moves.marks.count).map { place in
      let mark = tables.moves.marks.read(Ref(place: place)).pointee
      return (mark.source, mark.epoch)
    }
  }

  mutating func applyImport(_ call: Call, _ reader: inout ByteReader) throws(MalformedBytes) -> Outcome {
    let source = ShardID(try reader.read())
    let epoch: UInt64 = try reader.read()
    let part: UInt16 = try reader.read()
    let parts: UInt16 = try reader.read()
    let bytes = try reader.readBytes(reader.remaining)
    guard core.semantics >= Semantics.splits, source != core.shard, source.rawValue > 0, source.rawValue < 1 << 18,
      epoch > 0, part < parts
    else { return .silent }
    if let mark = importMarks.first(where: { $0.source == source }), epoch <= mark.epoch {
      newDeliveries.append(taken(epoch, by: source, call.slot))
      return .silent
    }
    let known = arrival(of: source)
    if part == 0 {
      if let known, tables.moves.arrivals.read(known).pointee.epoch >= epoch { return .silent }
      if let known { drop(known) }
      guard parts > 1 else { return try takeIn(bytes, source, epoch, nil, call.slot) }
      keep(bytes, of: addArrival(source, epoch, parts: parts))
      return .silent
    }
    guard let known else { return .silent }
    let record = tables.moves.arrivals.read(known).pointee
    guard record.epoch == epoch, record.parts == parts, record.part == part else { return .silent }
    if part + 1 < parts {
      keep(bytes, of: known)
      return .silent
    }
    var all = ByteBuffer(capacity: Int(parts) * (limits.chunksPerPart * ParcelChunk.room))
    readChunks(from: record.firstChunk, to: &all)
    all.append(bytes)
    return try takeIn(all.bytes, source, epoch, known, call.slot)
  }

  // MARK: Parts

  private func arrival(of source: ShardID) -> Ref<ArrivalRecord>? {
    (0..<tables.moves.arrivals.count).lazy.map { Ref<ArrivalRecord>(place: $0) }.first {
      tables.moves.arrivals.read($0).pointee.epoch > 0 && tables.moves.arrivals.read($0).pointee.source == source
    }
  }
  private mutating func addArrival(_ source: ShardID, _ epoch: UInt64, parts: UInt16) -> Ref<ArrivalRecord> {
    var record = ArrivalRecord()
    (record.source, record.epoch, record.parts) = (source, epoch, parts)
    let ref = tables.moves.arrivals.add(record)
    count(tables.moves.arrivals.read(ref), 1)
    return ref
  }
  private mutating func keep(_ bytes: Bytes, of arrival: Ref<ArrivalRecord>) {
    var record = tables.moves.arrivals.read(arrival).pointee
    var chain = ChunkChain(first: record.firstChunk, last: record.lastChunk)
    append(bytes, to: &chain)
    count(tables.moves.arrivals.read(arrival), -1)
    (record.firstChunk, record.lastChunk) = (chain.first, chain.last)
    record.part += 1
    tables.moves.arrivals.write(arrival).pointee = record
    count(tables.moves.arrivals.read(arrival), 1)
  }
  private mutating func drop(_ arrival: Ref<ArrivalRecord>) {
    count(tables.moves.arrivals.read(arrival), -1)
    dropChunks(from: tables.moves.arrivals.read(arrival).pointee.firstChunk)
    tables.moves.arrivals.remove(arrival)
  }
  private func taken(_ epoch: UInt64, by source: ShardID, _ slot: Slot) -> Delivery {
    var buffer = ByteBuffer(capacity: 64)
    let start = Command.begin(&buffer, .imported, slot)
    buffer.append(epoch)
    Command.end(&buffer, start)
    return Delivery(
      from: Ledger.name(epoch, Int(UInt16.max) - 1, slot), step: 0, kind: .taken, to: slot, shard: source, stamp: now,
      command: buffer.array)
  }

  // MARK: All of it

  /// Takes a whole parcel in. Bytes that are something else change nothing, but that their parts are asked for again.
  private mutating func takeIn(
    _ bytes: Bytes, _ source: ShardID, _ epoch: UInt64, _ arrival: Ref<ArrivalRecord>?, _ slot: Slot
  ) throws(MalformedBytes) -> Outcome {
    let parcel: Parcel
    do throws(MalformedBytes) {
      parcel = try Parcel(bytes)
      guard parcel.header.epoch == epoch, parcel.end.position.journal == source else {
        throw MalformedBytes("a parcel of another shard")
      }
      // What it refers to is yet to come, or there is no room: it comes again.
      guard catalogue.version >= parcel.header.catalogueVersion else { return .silent }
      try check(parcel)
    } catch {
      if let arrival { drop(arrival) }
      throw error
    }
    let slots = parcel.header.slots
    guard !core.ranges.ranges.contains(where: { $0.overlaps(slots) }) else {
      fail(.records)
      return .silent
    }
    guard let ranges = slots.isEmpty ? core.ranges : core.ranges.adding(slots) else { return .silent }
    if let arrival { drop(arrival) }
    do throws(MalformedBytes) {
      try putIn(parcel)
    } catch {
      fail(.records)
      return .silent
    }
    core.ranges = ranges
    core.epoch = max(core.epoch, epoch) + 1
    core.hasMovedSlots = true
    noteTaken(slots)
    restartJobs()
    mark(source, epoch)
    for ancestor in parcel.header.lineage { descend(from: JournalChain(position: ancestor.end, hash: ancestor.chain)) }
    descend(from: parcel.end)
    newDeliveries.append(taken(epoch, by: source, slot))
    return .silent
  }
  private mutating func mark(_ source: ShardID, _ epoch: UInt64) {
    for place in 0..<tables.moves.marks.count
    where tables.moves.marks.read(Ref(place: place)).pointee.source == source {
      tables.moves.marks.write(Ref(place: place)).pointee.epoch = epoch
      return
    }
    _ = tables.moves.marks.append(ImportMark(source: source, epoch: epoch))
  }

  /// Reads all of it, and changes nothing.
  private func check(_ parcel: Parcel) throws(MalformedBytes) {
    guard !parcel.header.slots.isEmpty else {
      _ = try books(of: parcel)
      return
    }
    guard parcel.header.books.allSatisfy({ catalogue.has($0.program) }) else {
      throw MalformedBytes("a parcel of a program that is not there")
    }
    var coder = ParcelCoder(reading: parcel.records)
    coder.form = parcel.header.form
    for number in parcel.header.slots {
      var context = SlotContext(Slot(UInt16(number)))
      for kind in SlotKind.all(ofForm: parcel.header.form) { try kind.check(self, &context, &coder) }
    }
    try coder.expect(coder.reader.isAtEnd)
  }
  private mutating func putIn(_ parcel: Parcel) throws(MalformedBytes) {
    guard !parcel.header.slots.isEmpty else { return putIn(try books(of: parcel)) }
    let before = catalogue.programRefs.map { (balances($0), pendings($0)) }
    beginSlotArrivals()
    var sum = DigestSum()
    var coder = ParcelCoder(reading: parcel.records)
    coder.form = parcel.header.form
    for number in parcel.header.slots {
      var context = SlotContext(Slot(UInt16(number)))
      for kind in SlotKind.all(ofForm: parcel.header.form) { try kind.unpack(&self, &context, &sum, &coder) }
      tables.moves.slotArrivals.write(Ref(place: number)).pointee.journalEnd = journal.end
    }
    // It is as the source counted it, record by record and as a sum.
    var members = [(Int128, Int128)](repeating: (0, 0), count: before.count)
    for book in parcel.header.books {
      members[book.program.place].0 += book.members
      members[book.program.place].1 += book.pending
      post(wide: book.pending, book.program, from: .betweenShards, to: .pending)
      post(wide: book.members, book.program, from: .betweenShards, to: .members)
      post(wide: book.inTransit, book.program, from: .betweenShards, to: .inTransit)
    }
    let isRight = catalogue.programRefs.allSatisfy {
      balances($0) - before[$0.place].0 == members[$0.place].0
        && pendings($0) - before[$0.place].1 == members[$0.place].1
    }
    guard sum == parcel.header.digest, isRight else { return fail(.records) }
    core.digest.add(sum)
    repeatBirthdays()
  }
  private mutating func beginSlotArrivals() {
    guard tables.moves.slotArrivals.count == 0 else { return }
    for _ in 0..<Slot.count { _ = tables.moves.slotArrivals.append(SlotArrival()) }
  }
}

/// A parcel that is whole.
struct Parcel {
  /// The source's journal as it was after the export.
  let end: JournalChain
  var header = ParcelHeader()
  /// At the first slot's records.
  let records: ByteReader

  init(_ bytes: UnsafeRawBufferPointer) throws(MalformedBytes) {
    var front = ByteReader(bytes)
    let position = JournalPosition(rawValue: try front.read())
    let chain = SHA256.Digest(bytes: try front.readBytes(32))
    let check: UInt64 = try front.read()
    let body = UnsafeRawBufferPointer(rebasing: bytes[front.offset...])
    guard xxh64(body) == check else { throw MalformedBytes("a parcel whose bytes are not what was sent") }
    end = JournalChain(position: position, hash: chain)
    var coder = ParcelCoder(reading: ByteReader(body))
    try header.code(&coder)
    records = coder.reader
  }
}
