import Base
import Testing

@testable import Ledger

/// Transactions that have left memory.
struct PastTests {
  private static let day = CivilTime.microsecondsPerDay

  private func pass(_ world: World, days: Int64) throws {
    world.time = Stamp(microseconds: world.time.microseconds + days * Self.day)
    // The sweep of old transactions goes along with entries.
    _ = try world.run("MEMBER ADD ann")
  }
  private func cafe(_ program: String = "earn=1/100", shards: Int = 1) throws -> World {
    try World.withCafe(program, members: ["ann", "bob"], shards: shards)
  }

  // MARK: The same answers

  /// A ledger that keeps all in memory and one that lets all go after some hours, or all but a few, are asked the same.
  @Test(arguments: [21, 22, 23, 24] as [UInt64], [false, true])
  func answersDoNotTellWhatIsInMemory(seed: UInt64, areFew: Bool) throws {
    let present = try PropertyTests.open(1, seed: seed, transactionSeconds: 1 << 40)
    let world = try PropertyTests.open(
      1, seed: seed, transactionSeconds: areFew ? 1 << 40 : 7_200, transactionsInMemory: areFew ? 5 : 1 << 18)
    var traffic = PropertyTests.Traffic(random: SeededGenerator(seed: seed))
    for step in 0..<700 {
      let time = Stamp(
        microseconds: max(present.time, world.time).microseconds + Int64(traffic.pick(30_000)) * 1_000_000)
      var line = traffic.line(world.names.count)
      if step % 7 == 0 { line = "TICK" }
      if step % 9 == 0 { line = "TX SHOW #\(1 + traffic.pick(max(1, world.names.count)))" }
      if step % 25 == 0 {
        line = "HISTORY m\(traffic.pick(14)) limit=9 before=#\(1 + traffic.pick(max(1, world.names.count)))"
      }
      present.time = time
      world.time = time
      let expected = try present.run(line)
      let answer = try world.run(line)
      try #require(answer == expected, "\(step): \(line)")
      if step % 50 == 0 { try world.shards[0].ledger.checkInvariants() }
    }
    for member in 0..<14 {
      for line in ["BALANCE m\(member) program=points", "BALANCE m\(member) program=miles", "HISTORY m\(member)"] {
        #expect(try world.run(line) == present.run(line))
      }
    }
    #expect(world.recalls > 40, "\(world.recalls)")
    #expect(world.shards[0].ledger.tables.transactions.count < (areFew ? 30 : 100))
    #expect(present.recalls == 0)
    try world.shards[0].ledger.checkInvariants()
  }

  // MARK: Repeats

  @Test func repeatsHaveTheirFirstAnswerForAllOfTheRetentionAlsoBeyondTheWindow() throws {
    let world = try cafe("refund-window=30d")
    _ = try world.run("EARN ann merchant=cafe points=100 id=a")
    _ = try world.run("HOLD ann merchant=cafe points=40 ttl=2592000 id=b")
    // The slot's numbers go on, and so the block in which these are is let go of in time.
    for i in 0..<9 { _ = try world.run("EARN ann merchant=cafe points=1 id=e\(i)") }
    try pass(world, days: 2)
    try pass(world, days: 27)
    let refund = try world.run("REFUND #1 id=c")
    let capture = try world.run("CAPTURE #2 id=d")
    let second = try world.run("RELEASE #2 id=e")
    #expect(
      refund == "+tx=#12 of=#1 member=ann points=-100 balance=9 program=points" && second.isError("REVERSED", "left=0"))
    for days in [1, 2, 10, 15] as [Int64] {
      try pass(world, days: days)
      #expect(try world.run("REFUND #1 id=c") == refund)
      #expect(try world.run("CAPTURE #2 id=d") == capture)
      #expect(try world.run("RELEASE #2 id=e") == second)
      #expect(try world.run("REFUND #1 points=1 id=c").isError("CONFLICT"))
    }
    // Nothing of them is left: 57 days are over, and what is kept is kept for 40.
    var isForgotten = false
    if case .unknown = world.shards[0].ledger.tables.past.find(world.transaction("#1")) { isForgotten = true }
    #expect(isForgotten)
    #expect(try world.run("REFUND #1 id=new").isError("LIMIT", "which=refund-window"))
    #expect(try world.run("REFUND #1 id=new").isError("LIMIT", "which=refund-window"))
    #expect(try world.run("REFUND #1 points=2 id=new").isError("CONFLICT"))
    try pass(world, days: 10)
    #expect(try world.run("REFUND #1 id=c").isError("LIMIT", "which=refund-window"))
    try world.shards[0].ledger.checkInvariants()
  }

  /// Card steps take numbers too.
  @Test func aNumberThatWasNeverBookedIsNotFound() throws {
    let world = try cafe()
    _ = try world.run("EARN ann merchant=cafe points=100 id=a")
    try pass(world, days: 3)
    let slot = world.transaction("#1").slot
    let shard = world.shards[0]
    _ = shard.ledger.nextTransaction(slot)
    let inner = TransactionID(slot: slot, sequence: world.transaction("#1").sequence + 1)
    world.names.append(inner)
    let line = "REFUND #\(world.names.count) id=x"
    #expect(try world.run(line).isError("NOTFOUND"))
    try pass(world, days: 300)
    _ = try world.run("EARN ann merchant=cafe points=1 id=b")
    try pass(world, days: 300)
    #expect(try world.run(line).isError("NOTFOUND"))
  }

  // MARK: Facts

  /// A refund of a transaction that has left memory, its facts, and the shard.
  private func recalled() throws -> (world: World, command: [UInt8], facts: [UInt8]) {
    let world = try cafe()
    _ = try world.run("EARN ann merchant=cafe points=100 id=a")
    _ = try world.run("REDEEM ann merchant=cafe points=70 id=b")
    try pass(world, days: 3)
    let command = try world.build("REFUND #2 points=10 id=r").bytes
    return (world, command, try #require(try world.facts(for: command)))
  }
  private func send(_ command: [UInt8], _ facts: [UInt8], _ world: World) throws -> Outcome {
    let carrying = command.withUnsafeBytes { c in facts.withUnsafeBytes { Command.carrying(facts: $0, c) } }
    return try world.send(try #require(carrying)).outcome
  }

  @Test func factsThatAreStaleOrForgedOrAnothersAreRefusedAndChangeNothing() throws {
    let (world, command, facts) = try recalled()
    let shard = world.shards[0]
    func isRefused(_ wrong: [UInt8], _ what: String) throws {
      let digest = shard.ledger.digest
      let journal = shard.ledger.journalEnd
      #expect(try send(command, wrong, world) == .factsWanted, "\(what)")
      #expect(shard.ledger.digest == digest && shard.ledger.journalEnd == journal, "\(what)")
    }
    #expect(try world.send(command).outcome == .factsWanted)
    try isRefused([], "none")
    for at in stride(from: 0, to: facts.count, by: 3) {
      var rotten = facts
      rotten[at] ^= 0x20
      try isRefused(rotten, "rotten at \(at)")
      try isRefused(Array(facts[..<at]), "cut at \(at)")
    }
    // Whole records that say something else.
    func forged(_ change: (inout JournalRecord) -> Void) throws -> [UInt8] {
      try facts.withUnsafeBytes { bytes in
        var record = try JournalRecord(decoding: bytes)
        change(&record)
        var buffer = ByteBuffer()
        record.encode(into: &buffer)
        return buffer.array
      }
    }
    #expect(try forged { _ in } == facts)
    try isRefused(try forged { $0.amount += 1 }, "more points")
    try isRefused(try forged { $0.member = lasting("bob") }, "another member")
    try isRefused(try forged { $0.kind = .earn }, "an earn")
    try isRefused(try forged { $0.stamp = Stamp(microseconds: $0.stamp.microseconds + 1) }, "later")
    try isRefused(try forged { $0.merchant = MerchantRef(place: 7) }, "an unknown merchant")
    try isRefused(try forged { $0.lots = UnsafeRawBufferPointer(start: nil, count: 0) }, "no lots")
    try isRefused(try forged { $0.tx = world.transaction("#1") }, "another number")
    let other = try #require(try world.facts(for: try world.build("REFUND #1 id=x").bytes))
    try isRefused(other, "another transaction's")
    // Where records are does not count.
    let moved = try forged { $0.previous = .none }
    #expect(try send(command, moved, world) == .replied)
    // In memory now: what it carries is not looked at.
    #expect(try send(try world.build("REFUND #2 points=10 id=s").bytes, [1, 2, 3], world) == .replied)
    // A refund later the first facts are old.
    try pass(world, days: 3)
    let late = try world.build("REFUND #2 points=55 id=t").bytes
    #expect(try send(late, facts, world) == .factsWanted)
    #expect(try world.run("REFUND #2 points=55 id=t").isError("REVERSED", "left=50"))
    #expect(try world.run("REFUND #2 points=50 id=u").contains("points=50"))
    try shard.ledger.checkInvariants()
  }

  @Test func factsOfTwoRecordsAreBothVerified() throws {
    let (world, _, first) = try recalled()
    #expect(try world.run("REFUND #2 points=10 id=r").contains("points=10"))
    try pass(world, days: 3)
    let command = try world.build("REFUND #2 id=s").bytes
    let facts = try #require(try world.facts(for: command))
    #expect(facts.count > first.count && Array(facts[..<first.count]) == first)
    #expect(try send(command, first, world) == .factsWanted)
    let forged = try facts.withUnsafeBytes { bytes in
      var record = try JournalRecord(decoding: UnsafeRawBufferPointer(rebasing: bytes[first.count...]))
      #expect(record.reversedPoints == 10 && record.of == world.transaction("#2"))
      record.reversedPoints = 0
      var buffer = ByteBuffer()
      buffer.append(first)
      record.encode(into: &buffer)
      return buffer.array
    }
    #expect(try send(command, forged, world) == .factsWanted)
    #expect(try world.run("REFUND #2 id=s").contains("points=60"))
  }

  // MARK: State

  @Test func whatIsOpenStaysInMemoryAndHoldsBackNobody() throws {
    let world = try cafe()
    _ = try world.run("EARN ann merchant=cafe points=1000 id=a")
    _ = try world.run("HOLD ann merchant=cafe points=10 ttl=2592000 id=h")
    for day in 0..<20 {
      try pass(world, days: 1)
      _ = try world.run("EARN bob merchant=cafe points=1 id=b\(day)")
      #expect(world.shards[0].ledger.tables.transactions.count < 6)
      #expect(world.shards[0].ledger.findTransaction(world.transaction("#2")) != nil)
      try world.shards[0].ledger.checkInvariants()
    }
    #expect(try world.run("CAPTURE #2 id=c").contains("points=-10"))
    #expect(world.recalls == 0)
  }

  @Test func theStateLevelsOffWhenTheWindowIsOverAndASnapshotGoesOn() throws {
    let world = try cafe("refund-window=30d expire=never")
    var sizes: [Int] = []
    for hour in 0..<24 * 130 {
      world.time = Stamp(microseconds: world.time.microseconds + 3_600_000_000)
      for i in 0..<4 { _ = try world.send(try world.build("EARN ann merchant=cafe points=1 id=e\(hour)-\(i)").bytes) }
      if hour % (24 * 10) == 0 { sizes.append(world.shards[0].ledger.tables.past.blockCount) }
    }
    // 40 days of 96 a day, in blocks of 8.
    #expect(sizes[5...].allSatisfy { (470...510).contains($0) }, "\(sizes)")
    let shard = world.shards[0]
    try shard.ledger.checkInvariants()
    let restored = try Ledger.restored(from: MemorySnapshotSource(shard.snapshotBytes()))
    try restored.checkInvariants()
    let (a, b) = (restored.digest, shard.ledger.digest)
    #expect(a == b && restored.tables.past.blockCount == shard.ledger.tables.past.blockCount)
  }
}
