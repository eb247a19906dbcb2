import Base
import Testing
import Vocabulary

@testable import Ledger

/// Slots that go to another shard: everything goes on as if they had stayed.
@Suite struct MovingTests {
  @Test(arguments: 1..<9 as Range<UInt64>) func aMoveChangesNoSum(seed: UInt64) throws {
    let world = try Moving.open([0..<8_192, 8_192..<16_384, 0..<0], seed: seed)
    var traffic = PropertyTests.Traffic(random: SeededGenerator(seed: seed))
    try Moving.run(&traffic, 300, world)
    try Moving.beginSteps(world)
    let (before, figures, counts) = (Moving.digest(world), Moving.figures(world), Moving.counts(world))
    let open = world.shards.reduce(0) { $0 + $1.ledger.openDeliveryCount }
    let kept = world.post
    var slots = 2_000 + Int(seed) * 300..<8_192
    if seed % 3 == 0 { slots = 0..<5_000 }
    for (place, heir) in [2, 1].enumerated() {
      world.post = []
      let from = place == 0 ? 0 : 2
      #expect(try Moving.move(world, slots, from: from, to: heir))
      try Moving.check(world)
      let source = world.shards[from]
      #expect(source.ledger.openExport?.slots == slots && source.ledger.openExport?.epoch == source.ledger.epoch)
      let whereabouts = Whereabouts(
        shard: ShardID(UInt32(heir + 1)), epoch: source.ledger.epoch, slots: try #require(SlotRanges([slots])))
      #expect(source.ledger.successor(of: Slot(UInt16(slots.lowerBound))) == whereabouts)
      let parts = world.post.filter { $0.kind == .part }
      #expect(!parts.isEmpty && parts.allSatisfy { $0.shard == ShardID(UInt32(heir + 1)) })
      #expect(parts.allSatisfy { $0.command.count <= 65_536 + 64 })
      world.post = []
      for part in parts { try world.send(part) }
      try Moving.check(world)
      let taker = world.shards[heir]
      #expect(taker.ledger.owns(Slot(UInt16(slots.lowerBound))) && taker.ledger.epoch > source.ledger.epoch)
      #expect(taker.ledger.importMarks.contains { $0.source.rawValue == UInt32(from + 1) })
      for answer in world.post.filter({ $0.kind == .taken }) { try world.send(answer) }
      #expect(world.shards[from].ledger.openExport == nil)
      try Moving.check(world)
      #expect(Moving.digest(world) == before && Moving.figures(world) == figures)
      #expect(Moving.counts(world) == counts)
      #expect(world.shards.reduce(0) { $0 + $1.ledger.openDeliveryCount } == open && open > 1)
    }
    world.post = kept
    world.holdsPost = false
    for _ in 0..<3 {
      try world.deliverAll()
      Moving.resend(world)
    }
    try world.deliverAll()
    #expect(world.shards.allSatisfy { $0.ledger.openDeliveryCount == 0 })
    try Moving.run(&traffic, 200, world)
    try Moving.check(world)
  }

  @Test(arguments: 1..<5 as Range<UInt64>) func trafficGoesOnAsIfNothingHadMoved(seed: UInt64) throws {
    let (whole, moved) = (
      try Moving.open([0..<16_384], seed: seed),
      try Moving.open([0..<16_384, 0..<0, 0..<0], seed: seed)
    )
    var one = PropertyTests.Traffic(random: SeededGenerator(seed: seed))
    var other = one
    var moves = PropertyTests.Traffic(random: SeededGenerator(seed: seed + 100))
    moved.afterEntry = { try moved.shards[$0].ledger.checkInvariants() }
    var count = 0
    for _ in 0..<50 {
      try Moving.run(&one, 16, whole)
      try Moving.run(&other, 16, moved)
      let from = moves.pick(3)
      guard let slots = Moving.pick(moved, from, &moves) else { continue }
      if moves.pick(3) == 0 { _ = moved.shards[from].ledger.advanceCensus(limit: moves.pick(300)) }
      if moves.pick(6) == 0 { moved.shards[from].ledger.dropCensus() }
      if try Moving.move(moved, slots, from: from, to: (from + 1 + moves.pick(2)) % 3) { count += 1 }
      // Between two entries a replica is what its snapshot says.
      if moves.pick(4) == 0 {
        let shard = moved.shards[moves.pick(3)]
        shard.ledger = try Ledger.restored(
          from: MemorySnapshotSource(shard.snapshotBytes()), limits: shard.ledger.limits)
      }
    }
    #expect(count > 20)
    for shard in moved.shards { #expect(shard.ledger.openDeliveryCount == 0) }
    (whole.time, moved.time) = (max(whole.time, moved.time), max(whole.time, moved.time))
    for name in (0..<14).map({ "m\($0)" }) + (0..<30).map({ "n\($0)" }) {
      for line in ["BALANCE \(name)", "BALANCE \(name) program=miles", "MEMBER SHOW \(name)", "MEMBER NOTES \(name)"] {
        #expect(try whole.run(line) == moved.run(line), "\(line)")
      }
      let (a, b) = (try history(whole, name), try history(moved, name))
      #expect(a == b, "\(name)")
    }
    // The same requests once more have the same answers.
    for line in one.sent where !line.contains("card:") && !line.hasPrefix("CARD") {
      let (a, b) = (try shown(whole, line), try shown(moved, line))
      #expect(a == b)
    }
    let (a, b) = (Moving.figures(whole), Moving.figures(moved))
    for code in AccountCode.allCases { #expect(a.map { $0[Int(code.rawValue)] } == b.map { $0[Int(code.rawValue)] }) }
  }
  /// Every figure is where it would be: the digests add up to that of the one shard whose slots never move.
  @Test(arguments: 1..<4 as Range<UInt64>) func theDigestsAddUpToThatOfOneShard(seed: UInt64) throws {
    // When a transaction leaves memory depends on when it came to its shard.
    let (whole, moved) = (
      try Moving.open([0..<16_384], seed: seed, transactionSeconds: 1 << 40, tickWork: 1 << 20),
      try Moving.open([0..<16_384, 0..<0, 0..<0], seed: seed, transactionSeconds: 1 << 40, tickWork: 1 << 20)
    )
    var traffic = PropertyTests.Traffic(random: SeededGenerator(seed: seed))
    var moves = PropertyTests.Traffic(random: SeededGenerator(seed: seed + 200))
    var time = World.stamp("2026-02-01T00:00").microseconds
    for step in 0..<500 {
      // Stamps are part of the state: the same in both worlds. Steps between shards are not in both.
      time += 60_000_000 + Int64(traffic.pick(8_000)) * 1_000_000
      var line = traffic.line(whole.names.count)
      while line.hasPrefix("TRANSFER") || line.contains("card") || line.hasPrefix("CARD") {
        line = traffic.line(whole.names.count)
      }
      for world in [whole, moved] {
        for place in world.shards.indices {
          world.time = Stamp(microseconds: time)
          try world.send(world.tick(), to: place)
        }
        world.time = Stamp(microseconds: time + 1_000)
        _ = try world.run(line)
      }
      guard step % 10 == 9 else { continue }
      #expect(Moving.digest(whole) == Moving.digest(moved), "step \(step)")
      let from = moves.pick(3)
      guard let slots = Moving.pick(moved, from, &moves) else { continue }
      moved.time = Stamp(microseconds: time + 2_000)
      try Moving.move(moved, slots, from: from, to: (from + 1 + moves.pick(2)) % 3)
      #expect(Moving.digest(whole) == Moving.digest(moved), "after the move of step \(step)")
    }
    let lapsed = Moving.figures(moved).map { $0[Int(AccountCode.breakage.rawValue)] }
    #expect(lapsed.contains { $0 > 0 })
  }

  /// What a slot booked here, there and here again is found, though no shard's state knows it any more.
  @Test func aSlotThatCameBackHasItsWholePast() throws {
    var limits = LedgerLimits()
    limits.transactionSeconds = 3_600
    limits.journalSegmentBytes = 4_096
    let world = World(shards: 2, limits: limits)
    world.goesByRanges = true
    world.semantics = Semantics.newest
    for (place, ranges) in [SlotRanges.all, .none].enumerated() {
      var buffer = ByteBuffer()
      Command.appendBirth(to: &buffer, key: .none, ranges: ranges, epoch: 1)
      try world.send(buffer.array, to: place)
    }
    for line in ["PROGRAM SET points earn=1/1", "PROGRAM SET miles earn=1/1", "MERCHANT SET cafe program=points"] {
      _ = try world.run(line)
    }
    for name in ["ann", "ben"] { _ = try world.run("MEMBER ADD \(name)") }
    let home = Int(withBytes("ann") { Command.memberSlot($0, tenant: .first) }.rawValue)
    var spent = 0
    for round in 0..<5 {
      for i in 0..<40 {
        world.time = Stamp(microseconds: world.time.microseconds + 600_000_000)
        // Now one of the two accounts has the newest record, now the other.
        let program = (i + round) % 3 == 0 ? "miles" : "points"
        spent += 1
        _ = try world.run("EARN ann merchant=cafe spend=\(spent) program=\(program) id=a\(spent)")
        _ = try world.run("EARN ben merchant=cafe spend=1 id=b\(spent)")
      }
      try Moving.move(world, home..<home + 1, from: round % 2, to: 1 - round % 2)
      try Moving.check(world)
    }
    #expect(world.shards[1].ledger.lineage.count == 1 && world.shards[0].ledger.lineage.count == 1)
    let history = try world.run("HISTORY ann limit=1000")
    #expect(history.hasPrefix("*200\n"))
    let spends = history.rows.compactMap { $0.split(separator: " ").first { $0.hasPrefix("spend=") } }
    #expect(spends == (1...200).reversed().map { "spend=\($0)" })
    // They leave memory, and after a year the past.
    world.time = Stamp(microseconds: world.time.microseconds + 3 * 3_600_000_000)
    for _ in 0..<10 { for place in 0..<2 { try world.send(world.tick(), to: place) } }
    let names = history.rows.compactMap { row in
      row.split(separator: " ").first { $0.hasPrefix("tx=") }.map { String($0.dropFirst(3)) }
    }
    world.time = Stamp(microseconds: world.time.microseconds + 400 * CivilTime.microsecondsPerDay)
    for i in 0..<50 { _ = try world.run("EARN ben merchant=cafe spend=1 id=late\(i)") }
    _ = try world.run("EARN ann merchant=cafe spend=1 id=last")
    for _ in 0..<60 { for place in 0..<2 { try world.send(world.tick(), to: place) } }
    for (place, name) in names.enumerated() where place % 7 == 0 {
      let shown = try world.run("TX SHOW \(name)")
      #expect(shown.contains("spend=\(200 - place)"), "\(name): \(shown)")
    }
    #expect(try world.run("REFUND \(names[150]) id=r").isError("LIMIT", "which=refund-window"))
    #expect(try world.run("EARN ann merchant=cafe spend=200 program=points id=a200").isEmpty == false)
  }

  /// A reply without the numbers of transactions, some of which inner steps between shards take.
  private func shown(_ world: World, _ line: String) throws -> String {
    "\(line): " + (try world.run(line).replacing(/#\d+/, with: "#"))
  }
  /// Without transfers out: one that is refused leaves no record where the recipient is in the same shard.
  private func history(_ world: World, _ name: String) throws -> [Substring] {
    try shown(world, "HISTORY \(name) limit=1000").split(separator: "\n").dropFirst().filter {
      !$0.contains("kind=transfer-out") && !$0.contains("kind=transfer-back")
    }
  }
}
