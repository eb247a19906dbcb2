import Base
import Testing

@testable import Ledger

/// Amounts near every bound, in all orders: no figure leaves its bound, and what is refused is what has no room.
struct BoundPropertyTests {
  struct Traffic {
    var random: SeededGenerator
    var count = 0
    mutating func pick(_ n: Int) -> Int { Int(random.next() % UInt64(n)) }
    mutating func amount() -> Int64 {
      let most = Ledger.largestAmount.rawValue
      return [1, 2, most - 1, most, most, most, most / 2, most / 2 + 1, 40 + Int64(pick(9))][pick(9)]
    }
    mutating func line(_ members: [String], _ transactions: Int) -> String {
      count += 1
      let member = members[pick(members.count)]
      let tx = "#\(max(1, transactions - pick(60)))"
      let id = "id=r\(count)"
      let program = "program=\(pick(3) == 0 ? "miles" : "points")"
      let part = pick(2) == 0 ? "" : " points=\(amount())"
      switch pick(24) {
      case 0..<7: return "EARN \(member) merchant=cafe points=\(amount()) \(id) \(program)"
      case 7: return "EARN \(member) merchant=cafe spend=\(amount()) \(id) \(program)"
      case 8: return "EARN \(member) merchant=cafe points=\(amount()) \(id) \(program) at=2026-06-1\(pick(9))T12:00"
      case 9, 10: return "REDEEM \(member) merchant=cafe points=\(amount()) \(id) \(program)"
      case 11..<14: return "HOLD \(member) merchant=cafe points=\(amount()) \(id) \(program) ttl=\(1 + pick(200_000))"
      case 14: return "CAPTURE \(tx) \(id)\(part)"
      case 15: return "RELEASE \(tx) \(id)"
      case 16..<19: return "REFUND \(tx) \(id)\(part)"
      case 19..<23:
        return "TRANSFER \(member) \(members[pick(members.count)]) points=\(amount()) \(id) \(program)"
      default:
        return pick(30) == 0
          ? "MEMBER CLOSE \(member)" : "MEMBER \(["FREEZE", "THAW", "THAW"][pick(3)]) \(member)"
      }
    }
  }

  /// Four members in three shards, with all that an account may hold or a few commands less.
  private func open(_ seed: UInt64) throws -> (World, [String]) {
    let world = World(shards: 3)
    for line in [
      "PROGRAM SET points earn=1/1 refund-window=40d",
      "PROGRAM SET miles earn=1000000000/1 expire=3d backdate=60d refund-window=40d",
      "MERCHANT SET cafe program=points",
    ] { try #require(try world.run(line) == "+OK", "\(line)") }
    let members = (0..<4).map { "m\($0)" }
    for member in members { try #require(try world.run("MEMBER ADD \(member)") == "+OK") }
    for (place, member) in members.enumerated() {
      for i in 0..<(BoundTests.fill - place) {
        _ = try world.run("EARN \(member) merchant=cafe points=\(Ledger.largestAmount) id=f\(i) program=points")
      }
    }
    // The purchases are forgotten: a check of everything is then no long walk.
    world.time = World.stamp("2026-06-10T00:00")
    for shard in world.shards.indices {
      for _ in 0..<70 { try world.send(world.tick(), to: shard) }
    }
    try #require(world.shards.allSatisfy { $0.ledger.tables.transactions.count < 10 })
    return (world, members)
  }

  @Test(arguments: [1, 2, 3, 4] as [UInt64])
  func nothingLeavesItsBoundInAnyOrder(seed: UInt64) throws {
    let (world, members) = try open(seed)
    var traffic = Traffic(random: SeededGenerator(seed: 7_000 + seed))
    world.afterEntry = { try world.shards[$0].ledger.checkInvariants() }
    /// What left and has not arrived: by transaction, of whom, of what, how much.
    var away: [UInt64: (account: String, points: Int64)] = [:]
    var refusals: [String: Int] = [:]
    for step in 0..<500 {
      world.time = Stamp(microseconds: world.time.microseconds + Int64(traffic.pick(4000)) * 1_000_000)
      if step % 9 == 0 { _ = try world.run("TICK") }
      world.holdsPost = traffic.pick(3) > 0
      if !world.holdsPost { try world.deliverAll() }
      away = away.filter { world.completed[$0.key] == nil }
      let line = traffic.line(members, world.names.count)
      let (words, keys) = world.split(line)
      let program = keys["program"] ?? ""
      let known = words[0] == "EARN" ? try world.run("BALANCE \(words[1]) program=\(program)") : ""
      let bytes = try world.build(line).bytes
      let (text, outcome) = try world.send(bytes)
      let reply = try world.deliver(text, outcome, bytes)
      if case .pending(let tx) = outcome, world.completed[tx.rawValue] == nil {
        away[tx.rawValue] = ("\(words[1]) \(program)", Int64(keys["points"] ?? "") ?? 0)
      }
      if let which = reply.split(separator: " ").last, reply.hasPrefix("-LIMIT") {
        refusals[String(which), default: 0] += 1
      }
      guard words[0] == "EARN", let points = Int64(keys["points"] ?? ""),
        reply.hasPrefix("+tx=") || reply.contains("balance")
      else { continue }
      // Refused if, and only if, there is no room.
      func figure(_ name: String) throws -> Int64 { try #require(Int64(world.split(known).keys[name] ?? "")) }
      let held = try figure("available") + figure("held")
      let onItsWay = away.values.filter { $0.account == "\(words[1]) \(program)" }.reduce(0) { $0 + $1.points }
      let fits = held + onItsWay + points <= Ledger.largestBalance.rawValue
      #expect(fits == reply.hasPrefix("+tx="), "\(line): \(reply); before \(known), \(onItsWay) on its way")
    }
    try world.deliverAll()
    for shard in world.shards {
      try shard.ledger.checkInvariants()
      #expect(shard.ledger.openDeliveryCount == 0)
    }
    #expect(refusals["which=balance", default: 0] > 5 && refusals["which=points", default: 0] > 0, "\(refusals)")
  }
}
