import Base
import CommandSupport
import Testing
import Vocabulary

@testable import Ledger

/// The three steps by which slots move, one by one: what has an effect and what has none, and what replicas make of them.
@Suite struct ParcelTests {
  private static func lively(_ seed: UInt64, steps: Int = 250) throws -> World {
    let world = try Moving.open([0..<16_384, 0..<0, 0..<0], seed: seed)
    var traffic = PropertyTests.Traffic(random: SeededGenerator(seed: seed))
    try Moving.run(&traffic, steps, world)
    world.holdsPost = true
    return world
  }
  /// A world whose parcel has several parts, and these.
  private static func large(_ seed: UInt64) throws -> (world: World, parts: [Delivery]) {
    let world = try lively(seed)
    for i in 0..<1_500 { _ = try world.run("MEMBER ADD large-member-\(i) name=some-long-name-of-a-member-\(i)") }
    for i in 0..<1_500 { _ = try world.run("EARN large-member-\(i) merchant=cafe spend=100 id=large\(i)") }
    world.post = []
    #expect(try Moving.move(world, 0..<16_384, from: 0, to: 1))
    let parts = world.post
    world.post = []
    return (world, parts)
  }

  @Test func anExportThatCannotBeHasNoEffect() throws {
    let world = try Moving.open([0..<8_192, 8_192..<16_384], seed: 1)
    world.holdsPost = true
    let before = world.shards[0].ledger.digest
    #expect(try !Moving.move(world, 0..<100, from: 0, to: 1, epoch: 2), "another epoch")
    #expect(try !Moving.move(world, 8_000..<8_200, from: 0, to: 1), "part of them is the other's")
    #expect(try !Moving.move(world, 0..<100, from: 0, to: 0), "to itself")
    #expect(try !Moving.move(world, 0..<100, from: 0, to: (1 << 18) - 1), "no shard has that number")
    #expect((world.shards[0].ledger.isCounting) == false)
    #expect(try !Moving.move(world, 0..<0, from: 0, to: 1), "slots are to move")
    #expect(world.shards[0].ledger.isCounting == true)
    world.shards[0].ledger.dropCensus()
    #expect(!world.shards[0].ledger.isCounting && world.shards[0].ledger.digest == before)
    #expect(world.post.isEmpty && world.shards[0].ledger.ranges == SlotRanges([0..<8_192]))
    // As many runs as there can be are left by these.
    for round in 0..<7 {
      #expect(try Moving.move(world, 1_000 * round + 500..<1_000 * round + 600, from: 0, to: 1))
      #expect(try !Moving.move(world, 8_000..<8_100, from: 0, to: 1), "one parcel is open")
      try world.deliverAll()
      #expect(try !Moving.move(world, 8_000..<8_100, from: 0, to: 1, epoch: 1), "told again")
      #expect(world.post.isEmpty && world.shards[0].ledger.owns(Slot(8_000)))
    }
    #expect(try !Moving.move(world, 7_500..<7_600, from: 0, to: 1), "the rest would be nine runs")
    #expect(world.shards[0].ledger.ranges.ranges.count == 8)
    // Not before all nodes know what that is.
    let old = try PropertyTests.open(2, seed: 1)
    #expect(try !Moving.move(old, 0..<100, from: 0, to: 1))
  }

  @Test func partsComeInAnyOrderAndMoreThanOnce() throws {
    let (world, parts) = try Self.large(3)
    #expect(parts.count > 4)
    let shard = world.shards[1]
    // Behind the first, and again: nothing.
    var random = SeededGenerator(seed: 4)
    for _ in 0..<20 { try world.send(parts[1 + Int(random.next() % UInt64(parts.count - 1))]) }
    #expect(shard.ledger.digest == (0, 0) && world.post.isEmpty && shard.ledger.ranges.isEmpty)
    var digests: [(UInt64, UInt64)] = []
    for part in parts.dropLast() {
      try world.send(part)
      digests.append(shard.ledger.digest)
      try world.send(part)
      #expect(shard.ledger.digest == digests[digests.count - 1])
      try Moving.check(world)
      shard.ledger = try Ledger.restored(from: MemorySnapshotSource(shard.snapshotBytes()), limits: shard.ledger.limits)
    }
    #expect(Set(digests.map(\.0)).count == digests.count, "they count in the digest")
    try world.send(parts[parts.count - 1])
    #expect(shard.ledger.ranges == .all && shard.ledger.epoch == 3)
    try Moving.check(world)
    #expect(world.post.map(\.kind) == [.taken])
    let digest = shard.ledger.digest
    for part in parts.shuffled(using: &random) {
      try world.send(part)
      #expect(shard.ledger.digest == digest && world.post.last?.kind == .taken)
    }
    let answers = world.post
    world.post = []
    for answer in answers { try world.send(answer) }
    #expect(world.shards[0].ledger.openExport == nil && world.shards[0].ledger.openDeliveryCount == 0)
    try Moving.check(world)
    // One of the first parcel comes late, when another is open: it is not for that.
    #expect(try Moving.move(world, 0..<16_384, from: 1, to: 0))
    #expect(Moving.counts(world)[0] == 0 && world.shards[1].ledger.openExport != nil)
    try world.send(answers[0])
    var late = answers[0]
    late.shard = ShardID(2)
    try world.send(late)
    #expect(world.shards[1].ledger.openExport != nil)
    // Whoever leads next sends what is open.
    world.post = []
    Moving.resend(world)
    #expect(world.post.filter { $0.kind == .part }.count == parts.count)
    try world.deliverAll()
    #expect(world.shards[0].ledger.ranges == .all && world.shards[1].ledger.openExport == nil)
    try Moving.check(world)
  }

  @Test func aParcelWaitsForWhatItRefersTo() throws {
    let world = try Self.lively(5)
    // The first shard is told of it before the others.
    let line = "PROGRAM SET stars earn=1/1"
    world.log = Array(repeating: [], count: 3)
    _ = try world.run(line)
    let delta = try #require(world.log[1].last?.command)
    let late = TestShard(2, limits: world.shards[1].ledger.limits)
    let fresh = try Moving.open([0..<16_384, 0..<0, 0..<0], seed: 5)
    late.ledger = try Ledger.restored(
      from: MemorySnapshotSource(fresh.shards[1].snapshotBytes()), limits: late.ledger.limits)
    late.index = fresh.shards[1].index
    late.journal = fresh.shards[1].journal
    world.shards[1] = late
    _ = try world.run("EARN m1 merchant=cafe points=7 program=stars id=stars")
    #expect(try Moving.move(world, 0..<16_384, from: 0, to: 1))
    let parts = world.post
    world.post = []
    for part in parts + parts { try world.send(part) }
    #expect(late.ledger.ranges.isEmpty && world.post.isEmpty && late.ledger.fault == nil)
    try world.send(delta, to: 1)
    for part in parts { try world.send(part) }
    #expect(late.ledger.ranges == .all)
    try late.ledger.checkInvariants()
    #expect(try world.run("BALANCE m1 program=stars").contains("balance=7"))
  }

  @Test func whatIsOwnedAlreadyIsAFaultAndWhatDoesNotFitWaits() throws {
    let world = try Self.lively(6)
    #expect(try Moving.move(world, 0..<100, from: 0, to: 1))
    let part = try #require(world.post.last)
    let other = TestShard(2, limits: world.shards[1].ledger.limits)
    var birth = ByteBuffer()
    var reply = ReplyWriter()
    func begin(_ ranges: SlotRanges) {
      other.ledger = Ledger(shard: ShardID(2), limits: world.shards[1].ledger.limits)
      other.journal = MemoryJournal()
      birth.removeAll()
      Command.appendBirth(to: &birth, key: .none, ranges: ranges, epoch: 1)
      _ = other.apply(birth.array, stamp: world.time, semantics: Semantics.newest, reply: &reply)
      for (command, stamp) in world.log[0] where command.withUnsafeBytes({ CommandHeader.verb(of: $0) }) == .catalogue {
        _ = other.apply(command, stamp: stamp, semantics: Semantics.newest, reply: &reply)
      }
      _ = other.apply(part.command, stamp: world.time, semantics: Semantics.newest, reply: &reply)
    }
    begin(try #require(SlotRanges([50..<60])))
    #expect(other.ledger.fault != nil)
    begin(try #require(SlotRanges((1..<9).map { 1_000 * $0..<1_000 * $0 + 1 })))
    #expect(other.ledger.fault == nil && other.ledger.ranges.count == 8)
    #expect(other.ledger.importMarks.isEmpty)
    begin(try #require(SlotRanges([100..<101])))
    #expect(other.ledger.fault == nil && other.ledger.ranges == SlotRanges([0..<101]))
    try other.ledger.checkInvariants()
  }

  @Test(arguments: 1..<4 as Range<UInt64>) func replicasMakeTheSameBytesWhateverTheirCensus(seed: UInt64) throws {
    let world = try Moving.open([0..<16_384, 0..<0, 0..<0], seed: seed)
    var traffic = PropertyTests.Traffic(random: SeededGenerator(seed: seed))
    var random = SeededGenerator(seed: seed + 50)
    let replicas = (0..<3).map { TestShard($0 + 1, limits: world.shards[0].ledger.limits) }
    var replayed = [0, 0, 0]
    for round in 0..<24 {
      try Moving.run(&traffic, 25, world)
      let from = traffic.pick(3)
      if let slots = Moving.pick(world, from, &traffic) {
        try Moving.move(world, slots, from: from, to: (from + 1 + traffic.pick(2)) % 3)
      }
      world.holdsPost = traffic.pick(3) == 0
      if !world.holdsPost { try world.deliverAll() }
      for i in 0..<3 {
        let original = world.shards[i]
        while replayed[i] < world.log[i].count {
          let (command, stamp) = world.log[i][replayed[i]]
          var reply = ReplyWriter()
          if random.next() % 16 == 0 { _ = replicas[i].ledger.advanceCensus(limit: Int(random.next() % 40)) }
          if random.next() % 64 == 0 { replicas[i].ledger.dropCensus() }
          if random.next() % 64 == 0 { replicas[i].ledger.beginCensus() }
          _ = replicas[i].apply(command, stamp: stamp, semantics: Semantics.newest, reply: &reply)
          replayed[i] += 1
        }
        #expect(replicas[i].ledger.digest == original.ledger.digest)
        #expect(replicas[i].ledger.journalChain == original.ledger.journalChain)
        let bytes = replicas[i].snapshotBytes()
        #expect(same(bytes, original.snapshotBytes()), "shard \(i), round \(round)")
        guard random.next() % 4 == 0 else { continue }
        replicas[i].ledger = try Ledger.restored(from: MemorySnapshotSource(bytes), limits: original.ledger.limits)
        try replicas[i].ledger.checkInvariants()
      }
    }
  }

  @Test func aBatchIsTheHighestSlotsThatComeToSoManyBytes() throws {
    let (world, parts) = try Self.large(8)
    for part in parts { try world.send(part) }
    try world.deliverAll()
    let shard = world.shards[1]
    shard.ledger.beginCensus()
    let isWhole = shard.ledger.advanceCensus(limit: 100)
    #expect(!isWhole)
    while !shard.ledger.advanceCensus(limit: 1_000) {}
    var wanted = 5_000..<16_384
    var sizes: [Int] = []
    while let batch = shard.ledger.nextBatch(of: wanted, bytes: 20_000) {
      #expect(batch.upperBound == wanted.upperBound && batch.count <= 512)
      #expect(try Moving.move(world, batch, from: 1, to: 2))
      sizes.append(world.post.filter { $0.kind == .part }.reduce(0) { $0 + $1.command.count })
      try world.deliverAll()
      _ = shard.ledger.advanceCensus(limit: 1 << 20)
      wanted = wanted.lowerBound..<batch.lowerBound
    }
    #expect(wanted.isEmpty && sizes.count > 20)
    #expect(sizes.allSatisfy { $0 > 6_000 && $0 < 40_000 }, "\(sizes)")
    try Moving.check(world)
    let none = shard.ledger.nextBatch(of: 5_000..<16_384, bytes: 20_000)
    let one = shard.ledger.nextBatch(of: 4_999..<16_384, bytes: 0)
    #expect(none == nil && one == 4_999..<5_000, "one at least")
  }

  @Test func whatIsForSlotsThatLeftIsSentOnAndNothingIsDone() throws {
    let world = try Moving.open([0..<8_192, 8_192..<16_384], seed: 2)
    var traffic = PropertyTests.Traffic(random: SeededGenerator(seed: 2))
    try Moving.run(&traffic, 200, world)
    try Moving.beginSteps(world)
    let late = world.post
    world.post = []
    #expect(try Moving.move(world, 4_000..<8_192, from: 0, to: 1))
    let parcel = world.post
    let before = world.shards[0].ledger.digest
    var moved = 0
    for delivery in late where delivery.to.rawValue >= 4_000 && delivery.to.rawValue < 8_192 {
      moved += 1
      world.post = []
      #expect(try world.send(delivery.command, to: 0).outcome == .moved(delivery.to))
      #expect(world.post.isEmpty && world.shards[0].ledger.digest == before)
    }
    #expect(moved > 2)
    var reply = ReplyWriter()
    world.shards[0].ledger.audit(into: &reply)
    let audit = world.text(of: reply.buffer.bytes)
    #expect(audit.contains("slots=0-3999") && audit.contains("moving=4000-8191"))
    world.post = parcel
    world.holdsPost = false
    try world.deliverAll()
    Moving.resend(world)
    try world.deliverAll()
    #expect(world.shards.allSatisfy { $0.ledger.openDeliveryCount == 0 })
    try Moving.check(world)
  }

  /// Who owes points takes less than nothing along: the audit says how much that may be.
  @Test func whatIsOwedMovesToo() throws {
    let world = try Self.lively(12)
    _ = try world.run("MEMBER ADD zoe")
    let earned = try world.run("EARN zoe merchant=cafe points=18 id=a")
    let tx = try #require(earned.split(separator: " ").first?.dropFirst(4))
    #expect(try world.run("REDEEM zoe merchant=cafe points=18 id=b").hasPrefix("+tx="))
    #expect(try world.run("REFUND \(tx) id=c").hasPrefix("+"))
    #expect(try world.run("BALANCE zoe").contains("balance=-18"))
    func audit(_ place: Int) -> String {
      var reply = ReplyWriter()
      world.shards[place].ledger.audit(into: &reply)
      return world.text(of: reply.buffer.bytes)
    }
    let home = Int(withBytes("zoe") { Command.memberSlot($0, tenant: .first) }.rawValue)
    let from = try #require(world.shards.firstIndex { $0.ledger.ranges.contains(Slot(UInt16(home))) })
    #expect(!audit(from).contains("owed="))
    world.holdsPost = true
    #expect(try Moving.move(world, home..<home + 1, from: from, to: 1 - from))
    #expect(audit(from).contains(" owed=18") && audit(from).contains("moving="))
    world.holdsPost = false
    try world.deliverAll()
    #expect(!audit(from).contains("owed=") && !audit(1 - from).contains("owed="))
  }

  /// What an entry books before it exports lies within the journal that the heir is told of.
  @Test func anEntryMayBookAndExport() throws {
    let world = try Self.lively(11)
    for name in ["zoe", "yan"] { _ = try world.run("MEMBER ADD \(name)") }
    world.shards[0].index += 1
    let built = try world.build("EARN zoe merchant=cafe points=5 id=with-the-export")
    let home = Int(withBytes("zoe") { Command.memberSlot($0, tenant: .first) }.rawValue)
    let export = Moving.export(home..<home + 1, to: 1, epoch: world.shards[0].ledger.epoch)
    let more = try world.build("EARN yan merchant=cafe points=5 id=behind-the-export")
    var payload = ByteBuffer()
    EntryHeader(stamp: world.time, catalogueVersion: 0, commandCount: 3, semantics: Semantics.newest)
      .encode(into: &payload)
    for command in [built.bytes, export, more.bytes] { payload.append(command) }
    var reply = ReplyWriter()
    let shard = world.shards[0]
    shard.ledger.apply(payload: payload.bytes, index: LogIndex(shard.index), into: &reply) { _, _, _, _ in }
    shard.ledger.takeJournal { shard.journal.append($0, $1) }
    try shard.ledger.checkInvariants()
    world.post = shard.ledger.takeDeliveries()
    #expect(world.post.map(\.kind) == [.part])
    let (end, chain) = (shard.ledger.journalEnd, shard.ledger.journalChain)
    try world.deliverAll()
    #expect(world.shards[1].ledger.lineage == [JournalChain(position: end, hash: chain)])
    #expect(try world.run("HISTORY zoe limit=1").contains("points=5"))
    try Moving.check(world)
  }

  /// Each kind of record says what becomes of it, and those that go with their slot are in a parcel.
  @Test func everyKindOfRecordGoesOrStays() throws {
    for kind in Ledger.recordKinds {
      let isMoved = SlotKind.all.contains { $0.record == kind }
      #expect(isMoved == (kind.belonging == .slot), "\(kind)")
    }
    #expect(SlotKind.all.count == Ledger.recordKinds.filter { $0.belonging == .slot }.count)
    // Of each that goes there are some in the traffic of these tests, and all are gone afterwards.
    let world = try Moving.open([0..<16_384, 0..<0], seed: 3)
    var traffic = PropertyTests.Traffic(random: SeededGenerator(seed: 3))
    try Moving.run(&traffic, 500, world)
    let (other, _) = (try Moving.open([0..<8_192, 8_192..<16_384], seed: 3), 0)
    try Moving.run(&traffic, 100, other)
    try Moving.beginSteps(other)
    _ = try world.run("MEMBER TAG m3 vip")
    for line in [
      "QUOTA SET gifts limit=900", "CAMPAIGN SET gifts budget=gifts state=running",
      "RULE SET gift program=points stage=bonus campaign=gifts points=5 state=running",
      "EARN m3 merchant=cafe spend=0 id=gift",
    ] { #expect(try world.run(line).hasPrefix("+"), "\(line)") }
    let sums = [world, other].map { world in SlotKind.all.map { sum(of: $0.record, in: world.shards[0].ledger) } }
    for (place, kind) in SlotKind.all.enumerated() {
      #expect(sums.contains { $0[place] != DigestSum() }, "\(kind.record)")
    }
    for (world, slots) in [(world, 0..<16_384), (other, 0..<8_192)] {
      #expect(try Moving.move(world, slots, from: 0, to: 1))
      for kind in Ledger.recordKinds where kind.belonging != .shard {
        let left = sum(of: kind, in: world.shards[0].ledger)
        #expect(left == DigestSum(), "\(kind)")
      }
    }
  }
  private func sum(of kind: any StateRecord.Type, in ledger: borrowing Ledger) -> DigestSum {
    var sum = DigestSum()
    kind.addDigest(in: ledger, of: { _ in true }, to: &sum)
    return sum
  }

  @Test func bytesThatAreNoParcelChangeNothingAndNeverTrap() throws {
    let world = try Self.lively(9)
    // One slot, with a member who has done much.
    let home = Int(withBytes("m1") { Command.memberSlot($0, tenant: .first) }.rawValue)
    #expect(try Moving.move(world, home..<home + 1, from: 0, to: 1))
    let parts = world.post
    var stream: [UInt8] = []
    let front = CommandHeader.bodyOffset + 5 + 16
    for part in parts { stream += part.command[front...] }
    let catalogue = world.log[0].filter { command, _ in
      command.withUnsafeBytes { CommandHeader.verb(of: $0) } == .catalogue
    }
    func fresh() throws -> TestShard {
      let shard = TestShard(2, limits: world.shards[1].ledger.limits)
      var birth = ByteBuffer()
      Command.appendBirth(to: &birth, key: .none, ranges: .none, epoch: 1)
      var reply = ReplyWriter()
      for (command, stamp) in [(birth.array, Stamp.zero)] + catalogue {
        _ = shard.apply(command, stamp: stamp, semantics: Semantics.newest, reply: &reply)
      }
      return shard
    }
    func command(_ bytes: [UInt8]) -> [UInt8] {
      var buffer = ByteBuffer()
      let start = Command.begin(&buffer, .import, Slot(0))
      buffer.append(UInt32(1))
      buffer.append(UInt64(2))
      buffer.append(UInt16(0))
      buffer.append(UInt16(1))
      buffer.append(bytes)
      Command.end(&buffer, start)
      return buffer.array
    }
    func sealed(_ bytes: [UInt8]) -> [UInt8] {
      guard bytes.count > 48 else { return bytes }
      let check = bytes[48...].withUnsafeBytes { xxh64($0) }
      return Array(bytes[..<40]) + (0..<8).map { UInt8(truncatingIfNeeded: check >> UInt64($0 * 8)) } + bytes[48...]
    }
    var shard = try fresh()
    var reply = ReplyWriter()
    _ = shard.apply(command(sealed(stream)), stamp: world.time, semantics: Semantics.newest, reply: &reply)
    #expect(shard.ledger.ranges == SlotRanges([home..<home + 1]) && shard.ledger.fault == nil)
    try shard.ledger.checkInvariants()
    var random = SeededGenerator(seed: 10)
    shard = try fresh()
    let before = shard.ledger.digest
    var (refused, faults) = (0, 0)
    for round in 0..<600 {
      var bytes = stream
      for _ in 0..<1 + random.next() % 3 {
        let place = Int(random.next() % UInt64(round % 3 == 0 ? min(400, bytes.count) : bytes.count))
        bytes[place] =
          round % 2 == 0 ? UInt8(truncatingIfNeeded: random.next()) : bytes[place] ^ 1 << UInt8(random.next() % 8)
      }
      if round % 5 == 0 { bytes.removeLast(1 + Int(random.next() % UInt64(bytes.count - 1))) }
      guard bytes != stream else { continue }
      // Also where the check is as the bytes are.
      if round % 4 != 0 { bytes = sealed(bytes) }
      _ = shard.apply(command(bytes), stamp: world.time, semantics: Semantics.newest, reply: &reply)
      if shard.ledger.fault == nil, shard.ledger.ranges.isEmpty {
        refused += 1
        #expect(shard.ledger.digest == before && shard.ledger.memberCount == 0)
      } else {
        // What no digest knows may differ: where a record lies in the journal.
        if shard.ledger.fault != nil { faults += 1 }
        shard = try fresh()
      }
    }
    #expect(refused > 250 && faults > 40, "\(refused) were refused, \(faults) are faults")
    try shard.ledger.checkInvariants()
  }
}
