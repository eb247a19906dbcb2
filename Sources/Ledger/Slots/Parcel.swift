import Base

// What slots have that go from a shard to another, as bytes in one order, whatever the layout of tables:
//
//     where the source's journal ended after the export  u64, its hash there  32 bytes     in front: known as the entry ends
//     xxh64 of what follows  u64
//     form u8 (1 or 2), first slot u16, end u16, the source's epoch u64, version of the catalogue u32, digest 2 × u64
//     lineage: of each journal its end u64 and hash, in the order of journals; counted
//     books: of each program its number, what members have i128, what is in transit i128; counted, zeros left out
//     slot by slot, kind by kind (`SlotKind`): the records, counted
//
// A part is a run of that, of so many chunks as `LedgerLimits` say.

/// The front of a parcel.
struct ParcelHeader: ParcelContent {
  struct Ancestor: ParcelContent {
    var end = JournalPosition.none
    var chain = SHA256.Digest()
    mutating func code(_ coder: inout ParcelCoder) throws(MalformedBytes) {
      try coder.position(&end)
      try coder.word(&chain.a)
      try coder.word(&chain.b)
      try coder.word(&chain.c)
      try coder.word(&chain.d)
    }
  }
  struct Book: ParcelContent {
    var program = ProgramRef.none
    var members: Int128 = 0
    var inTransit: Int128 = 0
    var pending: Int128 = 0
    mutating func code(_ coder: inout ParcelCoder) throws(MalformedBytes) {
      try coder.reference(&program)
      try coder.wide(&members)
      try coder.wide(&inTransit)
      if coder.form > 1 { try coder.wide(&pending) }
      // Sums of accounts stay far from overflow.
      for points in [members, inTransit, pending] { try coder.expect(points.magnitude < 1 << 120) }
    }
  }
  /// The second has files of members, and what of lots and accounts came with them.
  static let newestForm: UInt8 = 2
  static func form(at semantics: UInt8) -> UInt8 { semantics >= Semantics.programme ? 2 : 1 }

  var form: UInt8 = 1
  var first: UInt16 = 0
  var end: UInt16 = 0
  var epoch: UInt64 = 0
  var catalogueVersion: UInt32 = 0
  var digest = DigestSum()
  var lineage: [Ancestor] = []
  var books: [Book] = []

  var slots: Range<Int> { Int(first)..<Int(end) }

  mutating func code(_ coder: inout ParcelCoder) throws(MalformedBytes) {
    try coder.word(&form)
    try coder.expect((1...ParcelHeader.newestForm).contains(form))
    coder.form = form
    try coder.word(&first)
    try coder.word(&end)
    // The last of a shard has no slots: `Ledger+LastParcel.swift`.
    try coder.expect(first < end && Int(end) <= Slot.count || Int(first) == Slot.count && first == end)
    try coder.word(&epoch)
    try coder.word(&catalogueVersion)
    try coder.word(&digest.a)
    try coder.word(&digest.b)
    try coder.list(&lineage)
    try coder.list(&books, most: Catalogue.maximumPrograms)
  }
}

/// A chain of chunks that grows.
struct ChunkChain {
  var first = Ref<ParcelChunk>.none
  var last = Ref<ParcelChunk>.none
  var count: UInt32 = 0
}

extension Ledger {
  /// Keeps bytes at the end of a chain of chunks.
  mutating func append(_ bytes: Bytes, to chain: inout ChunkChain) {
    var rest = bytes
    while rest.count > 0 {
      if chain.last == .none || Int(tables.moves.chunks.read(chain.last).pointee.count) == ParcelChunk.room {
        var chunk = ParcelChunk()
        chunk.count = 0
        let ref = tables.moves.chunks.add(chunk)
        if chain.last == .none { chain.first = ref } else { tables.moves.chunks.write(chain.last).pointee.next = ref }
        chain.last = ref
        chain.count += 1
      } else {
        count(tables.moves.chunks.read(chain.last), -1)
      }
      let chunk = tables.moves.chunks.write(chain.last)
      let used = Int(chunk.pointee.count)
      let part = min(rest.count, ParcelChunk.room - used)
      withUnsafeMutableBytes(of: &chunk.pointee.bytes) {
        UnsafeMutableRawBufferPointer(rebasing: $0[used..<used + part]).copyMemory(from: Bytes(rebasing: rest[..<part]))
      }
      chunk.pointee.count = UInt32(used + part)
      count(UnsafePointer(chunk), 1)
      rest = Bytes(rebasing: rest[part...])
    }
  }
  /// Adds the bytes of up to `limit` chunks; where the chain goes on.
  @discardableResult func readChunks(
    from first: Ref<ParcelChunk>, limit: Int = .max, to buffer: inout ByteBuffer
  ) -> Ref<ParcelChunk> {
    var next = first
    var left = limit
    while next != .none, left > 0 {
      let chunk = tables.moves.chunks.read(next)
      chunk.pointee.withBytes { buffer.append($0) }
      next = chunk.pointee.next
      left -= 1
    }
    return next
  }
  mutating func dropChunks(from first: Ref<ParcelChunk>) {
    var next = first
    while next != .none {
      let chunk = tables.moves.chunks.read(next)
      let after = chunk.pointee.next
      count(chunk, -1)
      tables.moves.chunks.remove(next)
      next = after
    }
  }
  /// Counts a record in the digest, or no more.
  mutating func count<Record: StateRecord>(_ record: UnsafePointer<Record>, _ sign: Int) {
    var sum = DigestSum()
    Record.addDigest(of: record, in: self, to: &sum)
    if sign > 0 { core.digest.add(sum) } else { core.digest.subtract(sum) }
  }

  /// Moves what members of slots have, or what is on its way from them, between two accounts of a program.
  mutating func post(wide points: Int128, _ program: ProgramRef, from: AccountCode, to: AccountCode) {
    let record = tables.programs.write(Ref(place: program.place))
    for (code, change) in [(from, -points), (to, points)] {
      core.add(change, to: &record.pointee.figures[Int(code.rawValue)])
      guard code != .members else { continue }
      core.digest.add(programKey(program), code.digestField, Int64(truncatingIfNeeded: change))
    }
  }
}
