import Base
import Testing
import Vocabulary

@testable import Ledger

/// Worlds whose slots move from shard to shard.
enum Moving {
  /// Shards that own the slots one behind the other, with programs, merchants and members.
  /// Requests are remembered as long as each test goes on: that begins anew where a slot comes.
  static func open(
    _ runs: [Range<Int>], seed: UInt64, transactionSeconds: Int64 = 20_000, tickWork: Int = 40
  ) throws -> World {
    let world = try PropertyTests.open(
      runs.count, seed: seed, transactionSeconds: transactionSeconds, retentionDays: 365, tickWork: tickWork
    ) { world in
      world.goesByRanges = true
      world.semantics = Semantics.newest
      for (place, run) in runs.enumerated() {
        var buffer = ByteBuffer()
        Command.appendBirth(
          to: &buffer, key: .none, ranges: run.isEmpty ? .none : try #require(SlotRanges([run])), epoch: 1)
        try world.send(buffer.array, to: place)
      }
    }
    return world
  }
  static func run(_ traffic: inout PropertyTests.Traffic, _ steps: Int, _ world: World) throws {
    for step in 0..<steps {
      world.time = Stamp(microseconds: world.time.microseconds + Int64(traffic.pick(9_000)) * 1_000_000)
      if step % 7 == 0 { _ = try world.run("TICK") }
      _ = try world.run(traffic.line(world.names.count))
    }
  }
  /// Steps between shards, some of which have their verdict already.
  static func beginSteps(_ world: World) throws {
    world.holdsPost = true
    for i in 0..<14 {
      _ = try world.run("MEMBER THAW m\(i)")
      _ = try world.run("EARN m\(i) merchant=cafe points=50 id=more\(i)")
      _ = try world.run("TRANSFER m\(i) m\((i + 5) % 14) points=3 id=step\(i) program=points")
      _ = try world.run("CARD ADD k\(i) member=m\(i) id=card\(i)")
    }
    let made = world.post
    world.post = made.enumerated().compactMap { $0 % 3 == 0 ? nil : $1 }
    for (place, delivery) in made.enumerated() where place % 3 == 0 { try world.send(delivery) }
  }
  static func export(_ slots: Range<Int>, to heir: Int, epoch: UInt64) -> [UInt8] {
    var buffer = ByteBuffer()
    Command.appendExport(to: &buffer, heir: ShardID(UInt32(heir + 1)), slots: slots, epoch: epoch)
    return buffer.array
  }
  /// Exports slots from one shard to another; false: that had no effect.
  @discardableResult static func move(
    _ world: World, _ slots: Range<Int>, from: Int, to: Int, epoch: UInt64? = nil
  ) throws -> Bool {
    let before = world.shards[from].ledger.epoch
    let (text, outcome) = try world.send(export(slots, to: to, epoch: epoch ?? before), to: from)
    #expect(text.isEmpty && outcome == .silent)
    return world.shards[from].ledger.epoch == before + 1
  }
  /// Some slots next to each other that a shard owns, by chance; nil: it has none.
  static func pick(_ world: World, _ place: Int, _ traffic: inout PropertyTests.Traffic) -> Range<Int>? {
    let runs = world.shards[place].ledger.ranges.ranges
    guard !runs.isEmpty else { return nil }
    let run = runs[traffic.pick(runs.count)]
    // Members are few: whole eighths of all slots.
    let first = traffic.pick(2) == 0 ? run.lowerBound : run.lowerBound + traffic.pick(run.count)
    return first..<min(run.upperBound, first + 1 + traffic.pick(5_000))
  }
  /// By program: all figures of all shards together.
  static func figures(_ world: World) -> [[Int128]] {
    var sums: [[Int128]] = []
    for shard in world.shards {
      for (place, program) in shard.ledger.auditFigures().programs.enumerated() {
        if sums.count <= place { sums.append([Int128](repeating: 0, count: AccountCode.allCases.count)) }
        for code in AccountCode.allCases { sums[place][Int(code.rawValue)] += program[code] }
      }
    }
    return sums
  }
  static func digest(_ world: World) -> [UInt64] {
    world.shards.reduce([0, 0]) { [$0[0] &+ $1.ledger.digest.0, $0[1] &+ $1.ledger.digest.1] }
  }
  static func counts(_ world: World) -> [UInt64] {
    world.shards.reduce([0, 0, 0]) {
      [$0[0] + $1.ledger.memberCount, $0[1] + $1.ledger.transactionCount, $0[2] + $1.ledger.core.accountCount]
    }
  }
  static func check(_ world: World) throws { for shard in world.shards { try shard.ledger.checkInvariants() } }
  /// All that waits for an answer is sent again.
  static func resend(_ world: World) {
    for shard in world.shards {
      var places = DeliveryPlaces()
      shard.ledger.openDeliveries(from: &places, limit: 1 << 20) { world.post.append($0) }
    }
  }
}
