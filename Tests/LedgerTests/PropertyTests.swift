import Base
import Testing

@testable import Ledger

/// Random traffic over several shards: what must hold after every step, whatever happens.
struct PropertyTests {
  /// A crowd of members, cards and merchants, and lines that they may send.
  struct Traffic {
    var random: SeededGenerator
    var count = 0
    var members = (0..<14).map { "m\($0)" }
    var sent: [String] = []

    mutating func pick(_ n: Int) -> Int { Int(random.next() % UInt64(n)) }
    mutating func member() -> String {
      pick(6) == 0 ? "card:c\(pick(8))" : members[pick(members.count)]
    }
    mutating func line(_ transactions: Int) -> String {
      count += 1
      if pick(12) == 0, let old = sent.isEmpty ? nil : sent[pick(sent.count)] { return old }
      let tx = "#\(pick(max(1, transactions)) + 1)"
      let id = "id=r\(count)"
      let merchant = "merchant=\(["cafe", "book", "shut"][pick(12) == 0 ? 2 : pick(2)])"
      let program = pick(3) == 0 ? " program=miles" : ""
      let line: String
      switch pick(26) {
      case 0...5: line = "EARN \(member()) \(merchant) spend=\(pick(90_000)) \(id)\(program)"
      case 6: line = "EARN \(member()) \(merchant) points=\(1 + pick(500)) \(id)\(program)"
      case 7...9: line = "REDEEM \(member()) \(merchant) points=\(1 + pick(400)) \(id)\(program)"
      case 10...11:
        line = "HOLD \(member()) \(merchant) points=\(1 + pick(300)) ttl=\(1 + pick(500_000)) \(id)\(program)"
      case 12: line = "CAPTURE \(tx) \(id)" + (pick(2) == 0 ? " points=\(1 + pick(200))" : "")
      case 13: line = "RELEASE \(tx) \(id)"
      case 14...16:
        line = "REFUND \(tx) \(id)" + ["", " points=\(1 + pick(300))", " spend=\(1 + pick(30_000))"][pick(3)]
      case 17...20:
        line = "TRANSFER \(member()) \(members[pick(members.count)]) points=\(1 + pick(300)) \(id) program=points"
      case 21: line = "MEMBER \(["FREEZE", "THAW", "THAW"][pick(3)]) \(members[pick(members.count)])"
      case 22: line = "CARD ADD c\(pick(8)) member=\(members[pick(members.count)]) \(id)"
      case 24:
        line =
          "MEMBER NOTE \(member()) kind=\(["visit", "complaint"][pick(2)]) text=t\(pick(50))"
          + (pick(2) == 0 ? " \(id)" : "")
      case 23: line = "CARD \(["LOST", "FOUND", "REMOVE"][pick(3)]) c\(pick(8))"
      default:
        line =
          pick(8) == 0
          ? "MEMBER CLOSE \(members[pick(4)])" : "MEMBER ADD n\(pick(30)) name=x\(pick(2)) card=c\(pick(8))"
      }
      if line.contains("id=") { sent.append(line) }
      return line
    }
  }

  /// Transactions leave memory within hours, so that most of what is refunded has left it.
  static func open(
    _ shards: Int, seed: UInt64, transactionSeconds: Int64 = 20_000, transactionsInMemory: Int = 1 << 18,
    retentionDays: Int64 = 30, tickWork: Int = 40, prepare: (World) throws -> Void = { _ in }
  ) throws -> World {
    var limits = LedgerLimits()
    limits.retentionSeconds = retentionDays * 86_400
    limits.transactionSeconds = transactionSeconds
    limits.transactionsInMemory = transactionsInMemory
    limits.journalSegmentBytes = 65_536
    limits.tickWork = tickWork
    let world = World(shards: shards, limits: limits)
    try prepare(world)
    _ = try world.run("PROGRAM SET points earn=1/100 expire=2m")
    _ = try world.run("PROGRAM SET miles earn=3/200 expire=5d utc-offset=+08:00 refund-window=60d")
    _ = try world.run("MERCHANT SET cafe program=points earn=2/100")
    _ = try world.run("MERCHANT SET book program=points")
    _ = try world.run("MERCHANT SET shut program=points state=frozen")
    world.time = World.stamp("2026-01-15T13:00")
    for i in 0..<14 { _ = try world.run("MEMBER ADD m\(i)") }
    return world
  }

  /// What a split needs: each record counts in the slot that it goes with, or as the shard's own.
  @Test func theDigestIsTheSumOfItsSlots() throws {
    let world = try PropertyTests.open(3, seed: 21)
    var traffic = Traffic(random: SeededGenerator(seed: 21))
    for step in 0..<400 {
      world.time = Stamp(microseconds: world.time.microseconds + Int64(traffic.pick(5000)) * 1_000_000)
      if step % 7 == 0 { _ = try world.run("TICK") }
      _ = try world.run(traffic.line(world.names.count))
      // Some steps between shards stay open.
      world.holdsPost = step > 350
    }
    for shard in world.shards {
      var sum = shard.ledger.digest { $0 == nil }
      for part in 0..<4 as Range<UInt16> {
        sum.add(shard.ledger.digest { $0.map { $0.rawValue % 4 == part } ?? false })
      }
      #expect((sum.a, sum.b) == shard.ledger.digest)
      // What a member has done lies in its slot, and nowhere else.
      let home = withBytes("m1") { Command.memberSlot($0, tenant: .first) }
      let own = shard.ledger.digest { $0 == home }
      #expect((own != DigestSum()) == (world.shard(of: home) == world.shards.firstIndex { $0 === shard }))
    }
  }

  @Test(arguments: [1, 2, 3, 4] as [UInt64])
  func invariantsHoldAfterEveryEntryOfMixedTraffic(seed: UInt64) throws {
    let world = try PropertyTests.open(seed % 2 == 0 ? 3 : 1, seed: seed)
    var traffic = Traffic(random: SeededGenerator(seed: seed))
    var answers: [String: String] = [:]
    world.afterEntry = { try world.shards[$0].ledger.checkInvariants() }
    for step in 0..<600 {
      world.time = Stamp(microseconds: world.time.microseconds + Int64(traffic.pick(5000)) * 1_000_000)
      if step % 7 == 0 { _ = try world.run("TICK") }
      let line = traffic.line(world.names.count)
      // A card's member may change between a request and its repeat: then it is another request.
      let reply = try world.run(line)
      guard line.contains("id="), !line.contains("card:"), !line.hasPrefix("CARD") else { continue }
      let kept = ["INSUFFICIENT", "FROZEN", "CLOSED", "LOST", "LIMIT", "REVERSED"].contains {
        reply.hasPrefix("-\($0)")
      }
      if let first = answers[line] {
        #expect(reply == first, "\(line)")
      } else if kept || !reply.hasPrefix("-") {
        answers[line] = reply
      }
    }
    #expect(answers.count > 200)
    for shard in world.shards { #expect(shard.ledger.openDeliveryCount == 0) }
  }

  @Test func replicasAgreeByteForByteAndASnapshotGoesOnAsItsOriginal() throws {
    let world = try PropertyTests.open(3, seed: 9)
    var traffic = Traffic(random: SeededGenerator(seed: 77))
    let replicas = (0..<3).map { TestShard($0 + 1, limits: world.shards[0].ledger.limits) }
    var replayed = [0, 0, 0]
    for step in 0..<900 {
      world.time = Stamp(microseconds: world.time.microseconds + Int64(traffic.pick(40_000)) * 1_000_000)
      if step % 11 == 0 { _ = try world.run("TICK") }
      _ = try world.run(traffic.line(world.names.count))
      guard step % 300 == 299 else { continue }
      for i in 0..<3 {
        // A replica that applies the same log, one that is restored from a snapshot half way.
        while replayed[i] < world.log[i].count {
          let (command, stamp) = world.log[i][replayed[i]]
          var reply = ReplyWriter()
          _ = replicas[i].apply(command, stamp: stamp, reply: &reply)
          replayed[i] += 1
        }
        let original = world.shards[i]
        #expect(replicas[i].ledger.digest == original.ledger.digest)
        #expect(replicas[i].ledger.journalChain == original.ledger.journalChain)
        #expect(replicas[i].journal == original.journal)
        let bytes = replicas[i].snapshotBytes()
        #expect(same(bytes, original.snapshotBytes()))
        replicas[i].ledger = try Ledger.restored(
          from: MemorySnapshotSource(bytes), limits: original.ledger.limits)
        #expect(replicas[i].ledger.digest == original.ledger.digest)
        #expect(replicas[i].ledger.journalEnd == original.ledger.journalEnd)
        try replicas[i].ledger.checkInvariants()
      }
    }
  }

  @Test(arguments: [5, 6] as [UInt64])
  func deliveriesLateTwiceAndOutOfOrderLoseNothing(seed: UInt64) throws {
    let world = try PropertyTests.open(4, seed: seed)
    var traffic = Traffic(random: SeededGenerator(seed: seed))
    world.holdsPost = true
    world.afterEntry = { try world.shards[$0].ledger.checkInvariants() }
    var old: [Delivery] = []
    for step in 0..<700 {
      world.time = Stamp(microseconds: world.time.microseconds + Int64(traffic.pick(3000)) * 1_000_000)
      _ = try world.run(traffic.line(world.names.count))
      for _ in 0..<traffic.pick(4) where !world.post.isEmpty {
        let delivery = world.post.remove(at: traffic.pick(world.post.count))
        switch traffic.pick(6) {
        case 0: break  // lost: sent again below
        case 1: world.post.append(delivery)
        default: old.append(delivery)
        }
        if traffic.pick(6) != 0 { try world.send(delivery.command) }
      }
      if !old.isEmpty && traffic.pick(4) == 0 { try world.send(old[traffic.pick(old.count)].command) }
      if step % 100 == 99 { resend(world) }
    }
    world.holdsPost = false
    for _ in 0..<3 {
      resend(world)
      try world.deliverAll()
    }
    for delivery in old { try world.send(delivery.command) }
    var between: [Int128] = [0, 0]
    for shard in world.shards {
      try shard.ledger.checkInvariants()
      #expect(shard.ledger.openDeliveryCount == 0)
      for (i, program) in shard.ledger.auditFigures().programs.enumerated() {
        #expect(program[.inTransit] == 0)
        between[i] += program[.betweenShards]
      }
    }
    #expect(between == [0, 0])
    #expect(!world.completed.isEmpty)
  }
  private func resend(_ world: World) {
    for shard in world.shards {
      var places = DeliveryPlaces()
      shard.ledger.openDeliveries(from: &places, limit: 1 << 20) { world.post.append($0) }
    }
  }

  @Test func digestsDoNotDependOnHowSlotsLieInShards() throws {
    var sums: [[UInt64]] = []
    for count in [1, 3] {
      // When a transaction leaves memory depends on its shard's traffic.
      let world = try PropertyTests.open(count, seed: 3, transactionSeconds: 1 << 40)
      var random = SeededGenerator(seed: 4)
      for i in 0..<400 {
        // Stamps are part of the state: the same in both worlds.
        world.time = Stamp(microseconds: World.stamp("2026-02-01T00:00").microseconds + Int64(i) * 60_000_000)
        let member = random.next() % 14
        _ = try world.run("EARN m\(member) merchant=cafe spend=\(random.next() % 5000) id=a\(i)")
        if i % 3 == 0 { _ = try world.run("REDEEM m\(random.next() % 14) merchant=book points=9 id=b\(i)") }
      }
      var sum: [UInt64] = [0, 0]
      for shard in world.shards {
        sum[0] &+= shard.ledger.digest.0
        sum[1] &+= shard.ledger.digest.1
      }
      sums.append(sum)
    }
    #expect(sums[0] == sums[1])
  }

  @Test func bytesThatNobodyWroteAreRefusedAndNeverTrap() throws {
    let world = try PropertyTests.open(1, seed: 1)
    var traffic = Traffic(random: SeededGenerator(seed: 11))
    for _ in 0..<60 { _ = try world.run(traffic.line(world.names.count)) }
    var random = SeededGenerator(seed: 12)
    let shard = world.shards[0]
    for _ in 0..<1500 {
      let built = try world.build(traffic.line(world.names.count))
      var (bytes, isQuery) = (built.bytes, built.isQuery)
      guard !bytes.isEmpty else { continue }
      for _ in 0..<1 + random.next() % 3 {
        bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
      }
      if random.next() % 4 == 0 { bytes.removeLast(Int(random.next() % UInt64(bytes.count))) }
      if bytes.count >= 4 {
        let count = UInt32(bytes.count - 4)
        for i in 0..<4 { bytes[i] = UInt8(truncatingIfNeeded: count >> UInt32(i * 8)) }
      }
      isQuery = isQuery || random.next() % 8 == 0
      var reply = ReplyWriter()
      if isQuery {
        _ = bytes.withUnsafeBytes { shard.ledger.read($0, into: &reply) }
      } else {
        world.time = Stamp(microseconds: world.time.microseconds + 1)
        _ = shard.apply(bytes, stamp: world.time, reply: &reply)
      }
    }
    try shard.ledger.checkInvariants()
  }
}
