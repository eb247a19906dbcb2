import Base
import Testing
import Vocabulary

@testable import Ledger

/// Members merged into others while everything around them fails, moves or happens twice.
struct MemberMergeTests {
  /// What happens while a merge is under way, after so many of its messages.
  enum Disturbance: CaseIterable {
    /// All messages are lost, and the shards go on from their snapshots: each leader has failed.
    case leadersFail
    /// Each message comes twice, the second time late.
    case twice
    case fromMoves
    case intoMoves
    case aliasesMove
    /// All of FROM's shard goes to INTO's, and back.
    case shardsMerge
    case aliasIsChanged
    case otherWayRound
    case requestsAboutBoth
  }
  static let shards = 4
  static let figures = ["points", "firm"]

  /// Two members with lots that are active, held and pending, a debt, counters, aliases.
  static func open() throws -> World {
    let world = World(shards: shards)
    world.goesByRanges = true
    world.semantics = Semantics.newest
    for place in 0..<shards {
      var buffer = ByteBuffer()
      let slots = try #require(SlotRanges([place * 4_096..<(place + 1) * 4_096]))
      Command.appendBirth(to: &buffer, key: .none, ranges: slots, epoch: 1)
      try world.send(buffer.array, to: place)
    }
    let lines = """
      PROGRAM SET points earn=1/10 earn-cap=100/day expire=30d
      PROGRAM SET firm earn=1/10 activate=2d
      MERCHANT SET cafe program=points
      MEMBER ADD old card=c1
      MEMBER ADD new card=c2
      ALIAS ADD phone:137 member=old
      ALIAS ADD mail:a@b member=old
      EARN old merchant=cafe spend=600 id=e1
      EARN new merchant=cafe spend=200 id=e1
      EARN old merchant=cafe spend=900 program=firm id=e2
      EARN old merchant=cafe points=10 id=e3
      HOLD old merchant=cafe points=15 id=h1
      HOLD old merchant=cafe points=5 id=h2
      REDEEM old merchant=cafe points=30 id=r1
      """
    for line in lines.split(separator: "\n") { #expect(try world.run(String(line)).hasPrefix("+"), "\(line)") }
    return world
  }
  /// All accounts of each program add up to nothing, and what is between shards is no less than nothing.
  static func checkBooks(_ world: World, after place: Int? = nil) throws {
    for (number, shard) in world.shards.enumerated() where place ?? number == number {
      try shard.ledger.checkInvariants()
    }
    for sums in Moving.figures(world) {
      #expect(sums.reduce(0, +) == 0)
      let between = sums[Int(AccountCode.inTransit.rawValue)] + sums[Int(AccountCode.betweenShards.rawValue)]
      #expect(between >= 0)
    }
  }
  /// What the merge leads to, whatever happened meanwhile.
  static func checkEnd(_ world: World) throws {
    world.holdsPost = false
    #expect(try world.run("MEMBER MERGE old new id=m1") == "+from=old into=new program=points points=40 balance=60")
    #expect(try world.run("BALANCE new").contains(" balance=60 held=20 available=40 debt=0 "))
    #expect(try world.run("BALANCE new program=firm").contains(" balance=0 held=0 available=0 debt=0 pending=90"))
    #expect(try world.run("EARN old merchant=cafe points=1 id=x1").isError("CLOSED", "merged=new"))
    #expect(
      try world.run("EARN phone:137 merchant=cafe spend=30 id=x2").contains("member=new program=points points=3 "))
    #expect(try world.run("EARN new merchant=cafe spend=990 id=x3").contains(" points=7 "))
    #expect(try world.run("CAPTURE #5 id=h3").contains("member=new program=points points=-15 balance=55"))
    #expect(try world.run("RELEASE #6 id=h4").contains("member=new program=points points=5 balance=55"))
    #expect(try world.run("REFUND #7 id=f1").contains("member=new points=30 balance=85"))
    #expect(try world.run("REFUND #1 id=f2 spend=300").contains("member=new points=-30 balance=55"))
    #expect(try world.run("MEMBER SHOW old").contains("state=closed"))
    for shard in world.shards { #expect(shard.ledger.openDeliveryCount == 0) }
    try checkBooks(world)
    try AliasStepTests.check(world)
  }
  /// A shard goes on from a snapshot of itself.
  static func restart(_ world: World, _ place: Int) throws {
    let shard = world.shards[place]
    let digest = shard.ledger.digest
    shard.ledger = try Ledger.restored(from: MemorySnapshotSource(shard.snapshotBytes()), limits: shard.ledger.limits)
    #expect(shard.ledger.digest == digest)
  }
  /// The slot of a key goes to the next shard.
  static func move(_ world: World, _ slot: Slot) throws {
    let from = world.shard(of: slot)
    let run = Int(slot.rawValue)..<Int(slot.rawValue) + 1
    try Moving.move(world, run, from: from, to: (from + 1) % shards)
  }
  static func disturb(_ world: World, _ how: Disturbance) throws {
    func member(_ id: String) -> Slot { withBytes(id) { Command.memberSlot($0, tenant: .first) } }
    func alias(_ key: String) -> Slot { withBytes(key) { Command.cardSlot($0, tenant: .first) } }
    switch how {
    case .leadersFail:
      world.post = []
      for place in world.shards.indices { try restart(world, place) }
    case .twice: world.post += world.post
    case .fromMoves: try move(world, member("old"))
    case .intoMoves: try move(world, member("new"))
    case .aliasesMove:
      for key in ["c1", "phone:137", "mail:a@b"] { try move(world, alias(key)) }
    case .shardsMerge:
      let (from, to) = (world.shard(of: member("old")), world.shard(of: member("new")))
      guard from != to else { return }
      for run in world.shards[from].ledger.ranges.ranges {
        try Moving.move(world, run.lowerBound..<run.upperBound, from: from, to: to)
        // One parcel after the other.
        while world.shards[from].ledger.openExport != nil {
          if world.post.isEmpty { Moving.resend(world) }
          try world.send(world.post.removeFirst())
        }
      }
    case .aliasIsChanged:
      _ = try world.run("ALIAS LOST mail:a@b id=c1")
      _ = try world.run("CARD REPLACE c1 c9 id=c2")
    case .otherWayRound: _ = try world.run("MEMBER MERGE new old id=m9")
    case .requestsAboutBoth:
      guard try world.run("MEMBER SHOW old").contains("state=merging") else { return }
      let shard = world.shards[world.shard(of: member("new"))]
      let into = try #require(withBytes("new") { shard.ledger.findMember($0, tenant: .first) })
      let isReceiving = shard.ledger.bond(.receiving, of: into) != nil
      for line in (isReceiving ? ["MEMBER CLOSE new", "MEMBER ERASE new", "MEMBER MERGE new c id=z6"] : []) + [
        "EARN old merchant=cafe points=1 id=z1", "RELEASE #6 id=z2", "REFUND #1 id=z3", "MEMBER SET old name=x",
        "MEMBER CLOSE old", "EARN c1 merchant=cafe points=1 id=z4",
        "TRANSFER new old points=1 id=z5",
      ] {
        let reply = try world.run(line)
        #expect(
          ["-BUSY", "-CLOSED", "-NOTFOUND", "(pending)", "-ERR"].contains { reply.hasPrefix($0) }, "\(line): \(reply)")
      }
    }
  }

  @Test(arguments: Disturbance.allCases) func aMergeEndsWhateverComesBetween(how: Disturbance) throws {
    var isOver = false
    for count in 0..<60 where !isOver {
      let world = try Self.open()
      world.afterEntry = { try Self.checkBooks(world, after: $0) }
      world.holdsPost = true
      #expect(try world.run("MEMBER MERGE old new id=m1") == "(pending)")
      for _ in 0..<count where !world.post.isEmpty { try world.send(world.post.removeFirst()) }
      isOver = world.post.isEmpty
      try Self.disturb(world, how)
      var random = SeededGenerator(seed: UInt64(count))
      try AliasStepTests.deliver(world, &random)
      if how == .aliasIsChanged || how == .otherWayRound {
        // It may have been refused: one of the two was.
        world.holdsPost = false
        let end = try world.run("MEMBER SHOW old")
        guard end.contains("state=closed"), try world.run("MEMBER SHOW new").contains("state=active"),
          how != .aliasIsChanged
        else {
          try Self.checkBooks(world)
          try AliasStepTests.check(world)
          continue
        }
      }
      try Self.checkEnd(world)
    }
    #expect(isOver)
  }

  /// What INTO has no room for is refused before anything moves; and while it is kept, nothing else takes the room.
  /// A purchase by a card comes to FROM's slot when the card has gone: whoever asks again finds INTO.
  @Test func aCardThatWasLookedUpBeforeItWentIsAskedForAgain() throws {
    let world = try Self.open()
    let late = try world.build("EARN card:c1 merchant=cafe points=3 id=late")
    #expect(try world.run("MEMBER MERGE old new id=m1").hasPrefix("+"))
    try world.deliverAll()
    #expect(try world.send(late.bytes).text.isError("BUSY"))
    let answer = try world.run("EARN card:c1 merchant=cafe points=3 id=late")
    #expect(answer.contains("member=new") && answer.contains("points=3"), "\(answer)")
    #expect(try world.run("EARN card:none merchant=cafe points=3 id=other").isError("NOTFOUND"))
    try Self.checkBooks(world)
  }

  @Test func theLimitsOfIntoAreAskedFirst() throws {
    var limits = LedgerLimits()
    (limits.lotsPerMember, limits.holdsPerMember, limits.cardsPerMember) = (4, 2, 2)
    let world = World(shards: 3, limits: limits)
    world.semantics = Semantics.newest
    for line in ["PROGRAM SET points expire=30d", "MERCHANT SET cafe", "MEMBER ADD a", "MEMBER ADD b"] {
      #expect(try world.run(line) == "+OK")
    }
    func earn(_ member: String, days: Int) throws {
      for day in 0..<days {
        world.time = Stamp(microseconds: world.time.microseconds + CivilTime.microsecondsPerDay)
        #expect(try world.run("EARN \(member) merchant=cafe points=10 id=\(member)\(day)").hasPrefix("+"))
      }
    }
    try earn("a", days: 3)
    try earn("b", days: 2)
    #expect(try world.run("MEMBER MERGE a b id=m1").isError("LIMIT", "which=lots"))
    #expect(try world.run("MEMBER MERGE a b id=m1").isError("LIMIT", "which=lots"))
    #expect(try world.run("REDEEM a merchant=cafe points=10 id=r1").hasPrefix("+"))
    for card in ["x", "y"] { #expect(try world.run("CARD ADD \(card) member=a") == "+OK") }
    #expect(try world.run("CARD ADD z member=b") == "+OK")
    #expect(try world.run("MEMBER MERGE a b id=m2").isError("LIMIT", "which=cards"))
    #expect(try world.run("CARD REMOVE x") == "+OK")
    for hold in 0..<2 { #expect(try world.run("HOLD a merchant=cafe points=1 id=h\(hold)").hasPrefix("+")) }
    #expect(try world.run("HOLD b merchant=cafe points=1 id=h9").hasPrefix("+"))
    #expect(try world.run("MEMBER MERGE a b id=m3").isError("LIMIT", "which=holds"))
    #expect(try world.run("RELEASE #7 id=l1").hasPrefix("+"))
    world.holdsPost = true
    #expect(try world.run("MEMBER MERGE a b id=m4") == "(pending)")
    try world.send(world.post.removeFirst())
    // The room is kept from here on.
    #expect(try world.run("HOLD b merchant=cafe points=1 id=h8").isError("LIMIT", "which=holds"))
    world.time = Stamp(microseconds: world.time.microseconds + CivilTime.microsecondsPerDay)
    #expect(try world.run("EARN b merchant=cafe points=10 id=b9").isError("LIMIT", "which=lots"))
    #expect(try world.run("CARD ADD w member=b").isError("LIMIT", "which=cards") || world.post.count > 1)
    var random = SeededGenerator(seed: 1)
    try AliasStepTests.deliver(world, &random)
    world.holdsPost = false
    #expect(try world.run("MEMBER SHOW b").contains("cards=z,y "))
    try Self.checkBooks(world)
  }

  /// A member with thousands of things goes in parts that a step has room for.
  @Test func aLargeMemberGoesInParts() throws {
    let world = World(shards: 2)
    world.semantics = Semantics.newest
    for line in ["PROGRAM SET points expire=4000d", "MERCHANT SET cafe", "MEMBER ADD a", "MEMBER ADD bb"] {
      #expect(try world.run(line) == "+OK")
    }
    for i in 0..<1_000 {
      world.time = Stamp(microseconds: world.time.microseconds + CivilTime.microsecondsPerDay)
      #expect(try world.run("EARN a merchant=cafe points=10 id=e\(i)").hasPrefix("+"))
    }
    for i in 0..<100 { #expect(try world.run("HOLD a merchant=cafe points=45 ttl=2000000 id=h\(i)").hasPrefix("+")) }
    world.holdsPost = true
    #expect(try world.run("MEMBER MERGE a bb id=m") == "(pending)")
    var parts = Set<TransactionID>()
    while !world.post.isEmpty {
      for delivery in world.post where delivery.kind == .delivery { parts.insert(delivery.from) }
      for delivery in world.post { #expect(delivery.command.count <= 65_536) }
      try world.send(world.post.removeFirst())
    }
    #expect(parts.count > 3)
    world.holdsPost = false
    #expect(try world.run("MEMBER MERGE a bb id=m").hasSuffix("points=10000 balance=10000"))
    #expect(try world.run("BALANCE bb").contains("balance=10000 held=4500 available=5500 "))
    try Self.checkBooks(world)
  }

  /// The digest knows what ties members to each other, and what steps and verdicts say.
  @Test func theDigestCoversWhatIsUnderWay() throws {
    let world = try Self.open()
    world.holdsPost = true
    _ = try world.run("MEMBER MERGE old new id=m1")
    for count in 0..<12 where !world.post.isEmpty {
      for (place, shard) in world.shards.enumerated() {
        let (a, b) = shard.ledger.recomputeDigest()
        #expect((a, b) == shard.ledger.digest, "shard \(place) after \(count)")
        let restored = try Ledger.restored(
          from: MemorySnapshotSource(shard.snapshotBytes()), limits: shard.ledger.limits)
        #expect(restored.digest == shard.ledger.digest)
        try restored.checkInvariants()
      }
      try world.send(world.post.removeFirst())
    }
  }
}
