import Base
import Testing
import Vocabulary

@testable import Ledger

/// What journals come to is what the accounts have.
struct ReportTests {
  /// Asks every shard for a report of points, page by page, and adds up.
  static func points(
    _ world: World, _ program: String, by key: ReportKey = .none, from: Int64? = nil, until: Int64? = nil,
    moment: Stamp = .never, merchants: [String] = []
  ) throws -> [String: PointFigures] {
    var sums: [String: PointFigures] = [:]
    for (number, shard) in world.shards.enumerated() {
      var place = FeedPlace(beginningOf: ShardID(UInt32(number + 1)))
      var isEnd = false
      while !isEnd {
        var report = PointReport(
          from: place, tenant: .first, program: Array(program.utf8), by: key, from: from, until: until,
          moment: moment == .never ? world.time : moment)
        report.merchants = merchants.map { Array($0.utf8) }
        var buffer = ByteBuffer()
        Query.appendReport(to: &buffer, slot: shard.ledger.ranges.first ?? Slot(0), report)
        var reply = ReplyWriter()
        switch buffer.array.withUnsafeBytes({ shard.ledger.read($0, into: &reply) }) {
        case .journal(let query): try query.run(shard.journal, into: &reply)
        default: break
        }
        try #require(reply.buffer.bytes.first == ReplyTag.text.rawValue, "\(world.text(of: reply.buffer.bytes))")
        var reader = ByteReader(UnsafeRawBufferPointer(rebasing: reply.buffer.bytes.dropFirst()))
        let page = try PointPage(decoding: try reader.readCounted())
        for (key, figures) in page.figures {
          sums[String(decoding: key, as: UTF8.self), default: PointFigures()] += figures
        }
        (place, isEnd) = (page.next, page.isEnd)
      }
    }
    return sums
  }
  /// The accounts of a program in all shards.
  private static func account(_ world: World, _ program: String, _ code: AccountCode) -> Int128 {
    world.shards.reduce(0) { sum, shard in
      sum
        + shard.ledger.auditFigures().programs.filter { $0.name == Array(program.utf8) }
        .reduce(0) { $0 + $1[code] }
    }
  }
  /// All that may be between two figures: a report of everything, and the accounts.
  static func check(_ world: World, _ program: String, _ comment: String = "") throws {
    let all = try points(world, program)[""] ?? PointFigures()
    func account(_ code: AccountCode) -> Int128 { ReportTests.account(world, program, code) }
    #expect(all.issued - all.refunded + all.adjusted == -account(.merchantIssues) - account(.adjustments), "\(comment)")
    // What a redemption of a merged member gives back is redeemed until it has come.
    let away = account(.inTransit) + account(.betweenShards)
    #expect(all.redeemed - all.transferred == account(.merchantRedeems) + away, "\(comment)")
    if world.post.isEmpty { #expect(all.transferred == 0 && all.redeemed == account(.merchantRedeems), "\(comment)") }
    #expect(all.expired == account(.breakage), "\(comment)")
    #expect(all.outstanding == account(.members) + account(.pending), "\(comment)")
    // However it is divided.
    let counted = try points(world, program, by: .transactions)[""]?.issued ?? 0
    #expect(counted > 0 && counted <= world.shards.reduce(0) { $0 + Int128($1.ledger.transactionCount) }, "\(comment)")
    for key in ReportKey.allCases where key != .transactions {
      let parts = try points(world, program, by: key)
      var sum = PointFigures()
      for part in parts.values { sum += part }
      #expect(sum == all, "\(comment) \(key)")
    }
  }

  /// A purchase of a member that has been merged, whose points had lapsed before, is returned: they come back from the breakage there.
  @Test func whatLapsedBeforeAMergeComesBack() throws {
    let world = try MemberMergeTests.open()
    let earned = try world.run("EARN old merchant=cafe points=40 id=lapsing")
    let tx = try #require(earned.split(separator: " ").first?.dropFirst("+tx=".count))
    world.time = Stamp(microseconds: world.time.microseconds + 40 * CivilTime.microsecondsPerDay)
    _ = try world.run("TICK")
    #expect(try world.run("MEMBER MERGE old new id=merge").hasPrefix("+"))
    let before = try ReportTests.points(world, "points")[""]?.expired ?? 0
    #expect(try world.run("REFUND \(tx) id=back").hasPrefix("+"))
    let after = try ReportTests.points(world, "points")[""]?.expired ?? 0
    // The rest of the lot had been spent, and is owed.
    #expect(before - after == 30, "\(before) \(after)")
    try ReportTests.check(world, "points")
  }

  /// Movements of every sort, some of them between shards.
  private struct Traffic {
    var random: SeededGenerator
    var count = 0
    /// The newest hold.
    var hold = "#1"
    mutating func pick(_ n: Int) -> Int { Int(random.next() % UInt64(n)) }
    mutating func line(_ transactions: Int) -> String {
      count += 1
      let member = ["old", "new", "m1", "m2", "m3", "pool"][pick(pick(4) == 0 ? 6 : 5)]
      let tx = "#\(pick(max(1, transactions)) + 1)"
      let merchant = "merchant=\(["cafe", "book"][pick(2)])"
      let program = "program=\(["points", "firm"][pick(3) == 0 ? 1 : 0])"
      let id = "id=r\(count)"
      switch pick(24) {
      case 0...4: return "EARN \(member) \(merchant) spend=\(pick(9_000)) \(id) \(program)"
      case 5: return "EARN \(member) \(merchant) points=\(1 + pick(50)) \(id) \(program) at=2026-01-14T00:00:00Z"
      case 6...8: return "REDEEM \(member) \(merchant) points=\(1 + pick(60)) \(id) \(program)"
      case 9: return "HOLD \(member) \(merchant) points=\(1 + pick(40)) ttl=\(1 + pick(90_000)) \(id) \(program)"
      case 10: return "CAPTURE \(hold) \(id)"
      case 11: return "RELEASE \(hold) \(id)"
      case 12...15: return "REFUND \(tx) \(id)" + ["", " points=\(1 + pick(30))"][pick(2)]
      case 16...17:
        return "TRANSFER \(member) \(["old", "new", "m1", "gone"][pick(4)]) points=\(1 + pick(50)) \(id) \(program)"
      case 18...19:
        return
          "ADJUST \(member) points=\(1 + pick(40)) direction=\(["up", "down"][pick(2)]) reason=service \(id) \(program)"
      case 20: return "EVENT \(member) event=visit \(id) \(program)"
      case 21: return pick(6) == 0 ? "MEMBER CLOSE m3" : "MEMBER SET m2 pool=\(["pool", "none"][pick(2)])"
      default: return "EARN \(member) \(merchant) spend=\(pick(9_000)) \(id)"
      }
    }
  }

  @Test(arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
  func whatJournalsComeToIsWhatAccountsHave(seed: UInt64) throws {
    let world = try MemberMergeTests.open()
    let lines = [
      "MERCHANT SET book program=points", "PROGRAM SET points refund-policy=\(seed % 2 == 0 ? "absorb" : "debt")",
      "RULE SET look program=points stage=bonus points=7 event=visit state=running", "AS ada operator 100000",
      "POOL ADD pool",
      "MEMBER ADD m1", "MEMBER ADD m2", "MEMBER ADD m3",
    ]
    for line in lines { #expect(try world.run(line) == "+OK", "\(line)") }
    var traffic = Traffic(random: SeededGenerator(seed: seed))
    let held = try world.run("HOLD new merchant=cafe points=3 id=held").split(separator: " ").first ?? ""
    #expect(try world.run("CAPTURE \(held.dropFirst("+tx=".count)) id=captured").hasPrefix("+"))
    var done: [String: Int] = [:]
    for step in 0..<500 {
      world.time = Stamp(microseconds: world.time.microseconds + Int64(traffic.pick(20_000)) * 1_000_000)
      if step % 5 == 0 { _ = try world.run("TICK") }
      if step == 240 {
        // What it has had lapses, and it owes more than it has.
        world.time = Stamp(microseconds: world.time.microseconds + 40 * CivilTime.microsecondsPerDay)
        _ = try world.run("TICK")
        #expect(try world.run("ADJUST old points=5000 direction=down reason=debt id=debt").hasPrefix("+"))
        #expect(try world.run("EARN old merchant=cafe program=firm spend=700 id=pending").hasPrefix("+"))
        #expect(try world.run("ADJUST old program=firm points=9000 direction=down reason=debt id=debts").hasPrefix("+"))
      }
      if step == 250 { #expect(try world.run("MEMBER MERGE old new id=merge").hasPrefix("+"), "seed \(seed)") }
      // What is on its way between two shards is on its way in a report too.
      if step == 480 { world.holdsPost = true }
      let line = traffic.line(world.names.count)
      let reply = try world.run(line)
      if line.hasPrefix("HOLD"), let tx = reply.split(separator: " ").first, tx.hasPrefix("+tx=") {
        traffic.hold = String(tx.dropFirst("+tx=".count))
      }
      if reply.hasPrefix("+") { done[String(line.prefix { $0 != " " }), default: 0] += 1 }
      if step % 50 == 0 {
        for program in MemberMergeTests.figures { try ReportTests.check(world, program, "\(seed) \(step)") }
      }
    }
    for program in MemberMergeTests.figures { try ReportTests.check(world, program, "\(seed) with open steps") }
    try world.deliverAll()
    for program in MemberMergeTests.figures { try ReportTests.check(world, program, "\(seed)") }
    for verb in ["EARN", "REDEEM", "REFUND", "TRANSFER", "ADJUST", "EVENT"] {
      #expect(done[verb, default: 0] > 0, "\(verb), seed \(seed)")
    }
    for shard in world.shards { try shard.ledger.checkInvariants() }
  }
}
