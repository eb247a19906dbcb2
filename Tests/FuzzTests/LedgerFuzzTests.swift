import Base
import CommandSupport
import Testing
import Vocabulary

@testable import Ledger

/// Whatever an entry contains, a shard refuses it or applies it, and its books stay whole.
@Suite struct LedgerFuzzTests {
  final class Journal: JournalSource {
    var segments: [UInt32: [UInt8]] = [:]
    func read(at position: JournalPosition, into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
      let bytes = segments[position.segment] ?? []
      let start = Int(min(position.offset, UInt64(bytes.count)))
      let count = min(buffer.count, bytes.count - start)
      buffer.copyBytes(from: bytes[start..<start + count])
      return count
    }
  }
  /// A shard that lives on what is made up for it.
  struct Shard: ~Copyable {
    var ledger: Ledger
    var commands: LedgerCommands
    let journal = Journal()
    var index: UInt64 = 0
    var stamp: Int64 = 1_700_000_000_000_000
    var reply = ReplyWriter()
    var repeats: [JournalPosition] = []
    /// How many commands have got facts.
    var recalls = 0

    init(seed: UInt64) {
      var limits = LedgerLimits()
      limits.journalSegmentBytes = 64 << 10
      limits.lotsPerMember = 8
      limits.transactionSeconds = 1
      ledger = Ledger(shard: ShardID(1), limits: limits)
      commands = LedgerCommands(seed: seed)
      for command in LedgerCommands.catalogue() { apply(payload(command)) }
      if seed % 2 == 0 { fill() }
    }

    /// Members with almost all that an account may hold.
    private mutating func fill() {
      for command in LedgerCommands.filling(990) { apply(payload(command)) }
    }

    func payload(_ command: [UInt8], count: UInt32 = 1) -> [UInt8] {
      var buffer = ByteBuffer()
      EntryHeader(stamp: Stamp(microseconds: stamp), catalogueVersion: 0, commandCount: count).encode(into: &buffer)
      buffer.append(command)
      return buffer.array
    }

    mutating func apply(_ payload: [UInt8]) {
      index += 1
      stamp += Int64(1 + commands.mutator.below(commands.mutator.below(50) == 0 ? 1 << 42 : 1 << 20))
      reply.buffer.removeAll()
      var made: [UInt64] = []
      var repeats: [JournalPosition] = []
      var wanted: [Int] = []
      var asked: [(place: Int, deferral: Deferral)] = []
      payload.withUnsafeBytes {
        ledger.apply(payload: $0, index: LogIndex(index), into: &reply) { place, outcome, start, reply in
          switch outcome {
          case .pending(let tx), .completed(let tx): made.append(tx.rawValue)
          case .repeated(let position): repeats.append(position)
          case .factsWanted: wanted.append(place)
          case .deferred:
            let bytes = UnsafeRawBufferPointer(rebasing: reply.buffer.bytes[start...])
            if let deferral = try? Deferral(decoding: bytes) { asked.append((place, deferral)) }
          case .replied, .silent, .moved: break
          }
        }
      }
      let wanting = recalled(payload, wanted)
      ledger.takeJournal { position, bytes in
        journal.segments[position.segment, default: []].append(contentsOf: bytes)
      }
      for command in wanting { commands.deliveries.append(withFacts(command)) }
      for (command, one) in zip(recalled(payload, asked.map(\.place)), asked) {
        if let again = command.withUnsafeBytes({ Command.carrying(one.deferral, $0) }) {
          commands.deliveries.append(again)
        }
      }
      for delivery in ledger.takeDeliveries() { commands.deliveries.append(delivery.command) }
      if commands.deliveries.count > 32 { commands.deliveries.removeFirst(commands.deliveries.count - 32) }
      self.repeats = repeats
      // Each slot's numbers are 1, 2, 3 …: those of the few members are easily guessed.
      for member in LedgerCommands.members {
        let slot = text(member).withUnsafeBytes { Command.memberSlot($0, tenant: .first) }
        made.append(UInt64(slot.rawValue) << 48 | UInt64(1 + commands.mutator.below(300)))
      }
      commands.transactions = made
    }

    /// The commands at some places of an entry: those that want facts, framed.
    private func recalled(_ payload: [UInt8], _ places: [Int]) -> [[UInt8]] {
      guard !places.isEmpty else { return [] }
      return payload.withUnsafeBytes { bytes in
        guard var entry = try? EntryReader(bytes) else { return [] }
        var all: [[UInt8]] = []
        while let command = try? entry.next() { all.append(Array(command)) }
        return places.filter { $0 < all.count }.map { all[$0] }
      }
    }
    /// A command with the facts that it wants, or with somebody's.
    private mutating func withFacts(_ command: [UInt8]) -> [UInt8] {
      var query = ByteBuffer()
      guard command.withUnsafeBytes({ Query.appendFacts(to: &query, for: $0) }) else { return command }
      var reply = ReplyWriter()
      if case .journal(let walk) = ledger.read(query.bytes, into: &reply) { try? walk.run(journal, into: &reply) }
      var reader = ByteReader(UnsafeRawBufferPointer(rebasing: reply.buffer.bytes.dropFirst()))
      guard reply.buffer.bytes.first == ReplyTag.text.rawValue, let facts = try? reader.readCounted() else {
        return command
      }
      recalls += 1
      return command.withUnsafeBytes { Command.carrying(facts: facts, $0) } ?? command
    }
  }

  @Test(arguments: 0..<4) func anyEntryIsAppliedOrRefused(part: UInt64) throws {
    var shard = Shard(seed: 400 + part)
    for number in 0..<FuzzInputs.count(perMille: 60) {
      var body: [UInt8] = []
      let count = 1 + shard.commands.mutator.below(3)
      for _ in 0..<count {
        var command = shard.commands.next()
        if shard.commands.mutator.below(2) == 0 { command = damaged(command, &shard.commands) }
        body += command
      }
      var payload = shard.payload(body, count: UInt32(count))
      if shard.commands.mutator.below(10) == 0 { payload = shard.commands.mutator.mutate(payload, with: body) }
      // A moment in the far future would leave no time for anything else.
      if number % 400 != 399 { keepStamp(&payload, shard.stamp) }
      shard.apply(payload)
      #expect(shard.reply.buffer.count <= 1 << 20)
      if number % 300 == 299 {
        try shard.ledger.checkInvariants()
        let (found, kept) = (shard.ledger.recomputeDigest(), shard.ledger.auditFigures().digest)
        #expect(found == kept)
        #expect(shard.ledger.fault == nil)
      }
      // After such a moment the shard's life is over.
      if number % 400 == 399 { shard = Shard(seed: 500 + part + UInt64(number)) }
    }
  }

  /// Bytes changed behind the command's length, which most often still fits.
  private func damaged(_ command: [UInt8], _ commands: inout LedgerCommands) -> [UInt8] {
    var bytes = commands.mutator.mutate(command, with: commands.next())
    guard commands.mutator.below(8) > 0, bytes.count >= 4 else { return bytes }
    for i in 0..<4 { bytes[i] = UInt8(truncatingIfNeeded: (bytes.count - 4) >> (8 * i)) }
    // Most are to reach the shard's rules: kind and slot as they were.
    if commands.mutator.below(3) > 0 && bytes.count > 8 { bytes.replaceSubrange(4..<8, with: command[4..<8]) }
    return bytes
  }
  private func keepStamp(_ payload: inout [UInt8], _ stamp: Int64) {
    guard payload.count >= 12 else { return }
    for i in 0..<8 { payload[4 + i] = UInt8(truncatingIfNeeded: stamp >> Int64(8 * i)) }
  }

  @Test func anyQuestionIsAnsweredOrRefused() throws {
    var shard = Shard(seed: 420)
    for _ in 0..<400 { shard.apply(shard.payload(shard.commands.next())) }
    for _ in 0..<FuzzInputs.count(perMille: 50) {
      var query = shard.commands.query()
      if shard.commands.mutator.below(2) == 0 { query = damaged(query, &shard.commands) }
      var reply = ReplyWriter()
      if case .journal(let question) = query.withUnsafeBytes({ shard.ledger.read($0, into: &reply) }) {
        try? question.run(shard.journal, into: &reply)
      }
      #expect(reply.buffer.count <= 1 << 20)
    }
  }

  @Test func anyJournalIsReadOrCalledCorrupt() throws {
    var shard = Shard(seed: 430)
    var answers: [JournalPosition] = []
    for _ in 0..<1500 {
      shard.apply(shard.payload(shard.commands.next()))
      answers += shard.repeats
    }
    let whole = shard.journal.segments
    let segments = whole.keys.sorted()
    #expect(!answers.isEmpty && !segments.isEmpty)
    for _ in 0..<FuzzInputs.count(perMille: 20) {
      let segment = shard.commands.mutator.pick(segments)
      shard.journal.segments[segment] = shard.commands.mutator.mutate(whole[segment] ?? [])
      for _ in 0..<4 {
        var reply = ReplyWriter()
        if case .journal(let question) = shard.commands.query().withUnsafeBytes({ shard.ledger.read($0, into: &reply) })
        {
          try? question.run(shard.journal, into: &reply)
        }
        let position = shard.commands.mutator.pick(answers)
        try? shard.ledger.firstAnswer(at: position).run(shard.journal, into: &reply)
        #expect(reply.buffer.count <= 1 << 20)
      }
      // Records by themselves, where the frame's checks do not stand before them.
      let bytes = shard.journal.segments[segment] ?? []
      let from = shard.commands.mutator.below(bytes.count)
      bytes.withUnsafeBytes { buffer in
        let part = UnsafeRawBufferPointer(rebasing: buffer[from..<min(from + 200, buffer.count)])
        if let record = try? JournalRecord(decoding: part) {
          var reply = ReplyWriter()
          record.render(shard.ledger.catalogue, into: &reply)
        }
      }
      shard.journal.segments[segment] = whole[segment]
    }
  }

  @Test func anySnapshotIsRestoredOrRefused() throws {
    var shard = Shard(seed: 440)
    var images: [[UInt8]] = []
    for _ in 0..<2 {
      for _ in 0..<300 { shard.apply(shard.payload(shard.commands.next())) }
      let snapshot = shard.ledger.beginSnapshot()
      var bytes: [UInt8] = []
      snapshot.write(changesOnly: !images.isEmpty) { bytes.append(contentsOf: $0) }
      shard.ledger.endSnapshot(snapshot, isKept: true)
      images.append(bytes)
    }
    func restore(_ whole: [UInt8], _ changes: [UInt8]) throws {
      _ = try Ledger.restored(from: MemorySnapshotSource(whole), changes: [MemorySnapshotSource(changes)])
    }
    try restore(images[0], images[1])
    for number in 0..<FuzzInputs.count(perMille: 3) {
      // Where the lengths are: in the first bytes of a section, each after a whole number of pages.
      var mutated = images
      let which = number % 2
      mutated[which] = shard.commands.mutator.mutate(images[which], with: images[1 - which])
      if shard.commands.mutator.below(2) == 0, mutated[which].count > 64 {
        let at = shard.commands.mutator.below(64)
        mutated[which][at] ^= 1 << UInt8(shard.commands.mutator.below(8))
      }
      do { try restore(mutated[0], mutated[1]) } catch {}
    }
  }

  @Test func aCatalogueOutOfBoundsIsRefused() throws {
    var catalogue = Catalogue(key: .none)
    let delta = Array(LedgerCommands.catalogue()[0][Command.innerBodyOffset...])
    _ = try delta.withUnsafeBytes { try catalogue.apply($0) }
    let sound = catalogue.programs[0].versions[0].values.fields
    let changes: [(name: String, number: Int64)] = [
      ("utc-offset", 1_441), ("utc-offset", .max / 60), ("backdate", .max / (86_400_000_000 * 2)),
      ("refund-window", -1),
      ("earn", 1 << 32), ("expire", .max), ("state", 9),
    ]
    for (name, number) in changes {
      let field = try #require(EntryKind.program.field(name))
      let values = (sound.filter { $0.number != field.number } + [(field.number, EntryField.stored(number))])
      // Put there as `put` would, if only it could.
      var other = catalogue
      other.programs[0].versions[0].values = EntryValues(values.sorted { $0.number < $1.number })
      var source = MemorySnapshotSource(written(other))
      #expect((try? Catalogue(restoring: &source, key: .none)) == nil, "\(name)=\(number)")
    }
  }

  @Test func aDeltaOfAnImpossibleMomentIsRefused() {
    let delta = Array(LedgerCommands.catalogue()[0][Command.innerBodyOffset...])
    for moment in [Int64.min, Int64.max] {
      var bytes = delta
      for i in 0..<8 { bytes[4 + i] = UInt8(truncatingIfNeeded: moment >> Int64(8 * i)) }
      var catalogue = Catalogue(key: .none)
      #expect(throws: MalformedBytes.self) { try bytes.withUnsafeBytes { _ = try catalogue.apply($0) } }
    }
  }

  private func written(_ catalogue: Catalogue) -> [UInt8] {
    var bytes: [UInt8] = []
    catalogue.records.write { bytes += $0 }
    return bytes
  }

  @Test func anyCatalogueIsReadOrRefused() throws {
    var mutator = Mutator(seed: 450)
    var catalogue = Catalogue(key: .none)
    for command in LedgerCommands.catalogue() {
      _ = try command.withUnsafeBytes {
        try catalogue.apply(UnsafeRawBufferPointer(rebasing: $0[Command.innerBodyOffset...]))
      }
    }
    let encoded = written(catalogue)
    let deltas = LedgerCommands.catalogue().map { Array($0[Command.innerBodyOffset...]) }
    for _ in 0..<FuzzInputs.count(perMille: 50) {
      let changed = mutator.mutate(encoded, with: encoded)
      var source = MemorySnapshotSource(changed)
      if let found = try? Catalogue(restoring: &source, key: .none) {
        #expect(found.programs.count <= changed.count && found.merchantRows.count <= changed.count)
      }
      let delta = mutator.mutate(mutator.pick(deltas), with: mutator.pick(deltas))
      var copy = mutator.below(2) == 0 ? catalogue : Catalogue(key: .none)
      _ = delta.withUnsafeBytes { try? copy.apply($0) }
      #expect(copy.programs.count + copy.merchants.count <= 2)
    }
  }

  /// What stands in the directory's log and snapshots may be anything.
  @Test func anyRequestAboutEntriesIsAnsweredAndAnySnapshotReadOrRefused() throws {
    var mutator = Mutator(seed: 451)
    let lines = [
      "PROGRAM SET p earn=1/100", "MERCHANT SET m program=p x.a=1 x.b=2", "ORG SET a", "ORG SET b parent=a",
      "MERCHANT SET m org=a,b earn=1/3 from=2030-01-01", "TERMINAL SET t merchant=m", "PRODUCT SET s price=5",
      "MERCHANT SHOW m", "MERCHANT LIST program=p x.a=1", "MERCHANT HISTORY m", "PRODUCT HISTORY s before=70",
      "PRODUCT SHOW s at=1970-01-01T00:00:00Z", "PROGRAM SET p default=yes",
    ].compactMap { try? EntryLine($0) }
    let book = EntryBook()
    for line in lines where line.operation == .set {
      var reply = ReplyWriter()
      _ = try book.set(line, at: Stamp(microseconds: 1_000), into: &reply)
    }
    for i in 0..<200 {
      var reply = ReplyWriter()
      _ = try book.set(
        try EntryLine("PRODUCT SET s price=\(i)"), at: Stamp(microseconds: 1_001 + Int64(i)), into: &reply)
    }
    let sound = book.entries
    var encoded: [UInt8] = []
    sound.image.write { encoded += $0 }
    let now = Stamp(microseconds: 2_000)
    for _ in 0..<FuzzInputs.count(perMille: 50) {
      var source = MemorySnapshotSource(mutator.mutate(encoded, with: encoded))
      var entries = (try? Entries(restoring: &source)) ?? sound
      let bytes = mutator.mutate(mutator.pick(lines).bytes, with: mutator.pick(lines).bytes)
      bytes.withUnsafeBytes { raw in
        var reader = ByteReader(raw)
        guard let request = try? EntryRequest(decoding: &reader) else { return }
        let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
        var reply = ReplyWriter()
        var changes = EntryJournal(at: book.chain)
        var journal = book.journal
        journal.segments[1] = mutator.mutate(journal.segments[1] ?? [], with: encoded)
        entries.list(request, tenant: .first, now: now, limit: 10, after: nothing, into: &reply)
        for outcome in [
          entries.show(request, tenant: .first, now: now, journal: changes.end, into: &reply),
          entries.history(request, tenant: .first, limit: 100, journal: changes.end, into: &reply),
        ] {
          if case .journal(let query) = outcome { try? query.run(journal, into: &reply) }
        }
        changes.begin(LogIndex(500), stamp: now)
        _ = entries.set(
          request, tenant: .first, by: nothing, stamp: now, semantics: Semantics.newest, journal: &changes, into: &reply
        )
        #expect(reply.buffer.count <= 1 << 17)
      }
    }
  }
}
