import Base
import CommandSupport
import Testing

@testable import Ledger

/// A shard decides what lies in its slots, as its own log has them, and nothing else.
@Suite struct OwnershipTests {
  private static func birth(_ ranges: [Range<Int>], epoch: UInt64) throws -> [UInt8] {
    var buffer = ByteBuffer()
    Command.appendBirth(to: &buffer, key: .none, ranges: try #require(SlotRanges(ranges)), epoch: epoch)
    return buffer.array
  }
  /// A name in the lower half of the slots, or in the upper one.
  private static func member(inUpperHalf isUpper: Bool) -> String {
    (0...).lazy.map { "m\($0)" }.first { name in
      (withBytes(name) { Command.memberSlot($0, tenant: .first) }.rawValue >= 8_192) == isUpper
    } ?? ""
  }
  private let own = member(inUpperHalf: false)
  private let foreign = member(inUpperHalf: true)
  private var foreignSlot: Slot { withBytes(foreign) { Command.memberSlot($0, tenant: .first) } }
  private let world: World
  private var ledgerFigures: [UInt64] {
    let shard = world.shards[0]
    return [
      shard.ledger.digest.0, shard.ledger.digest.1, shard.ledger.memberCount, shard.ledger.transactionCount,
      shard.ledger.tables.dedupe.end, shard.ledger.core.openInbox, shard.ledger.core.openOutbox,
    ]
  }

  /// One shard, of the lower half.
  init() throws {
    world = World()
    #expect(try world.send(Self.birth([0..<8_192], epoch: 3)).outcome == .silent)
    for line in ["PROGRAM SET points", "MERCHANT SET cafe program=points", "MEMBER ADD \(own)"] {
      try #require(try world.run(line) == "+OK", "\(line)")
    }
  }

  @Test func aCommandForAForeignSlotChangesNothing() throws {
    let before = ledgerFigures
    for line in ["MEMBER ADD \(foreign)", "EARN \(foreign) merchant=cafe points=5 id=a", "MEMBER FREEZE \(foreign)"] {
      let (text, outcome) = try world.send(try world.build(line).bytes)
      #expect(outcome == .moved(foreignSlot) && text.isEmpty, "\(line)")
      #expect(ledgerFigures == before, "\(line)")
    }
    #expect(try world.run("EARN \(own) merchant=cafe points=5 id=a").hasPrefix("+tx="))
    try world.shards[0].ledger.checkInvariants()
  }

  @Test func aStepForAForeignSlotHasNoEffectAndNoAnswer() throws {
    #expect(try world.run("EARN \(own) merchant=cafe points=50 id=a").hasPrefix("+tx="))
    world.holdsPost = true
    _ = try world.send(try world.build("TRANSFER \(own) \(foreign) points=20 id=b").bytes)
    let delivery = try #require(world.post.first)
    let before = ledgerFigures
    world.post = []
    let (text, outcome) = try world.send(delivery.command)
    #expect(outcome == .moved(foreignSlot) && text.isEmpty && world.post.isEmpty && ledgerFigures == before)
    #expect(world.shards[0].ledger.core.openOutbox == 1, "it is sent again")
  }

  @Test func aQueryForAForeignSlotIsNotAnswered() throws {
    var reply = ReplyWriter()
    for (member, isOwn) in [(own, true), (foreign, false)] {
      let outcome = try world.build("BALANCE \(member)").bytes.withUnsafeBytes {
        world.shards[0].ledger.read($0, into: &reply)
      }
      if case .moved(let slot) = outcome { #expect(!isOwn && slot == foreignSlot) } else { #expect(isOwn) }
    }
    let command = try world.build("EARN \(foreign) merchant=cafe points=5 id=a").bytes
    #expect(command.withUnsafeBytes { world.shards[0].ledger.answered($0) } == .none)
  }

  @Test func whatIsAboutTheShardItselfHasNoSlot() throws {
    for append in [Command.appendTick, Command.appendMarker] {
      var buffer = ByteBuffer()
      append(&buffer, Slot(16_383))
      #expect(try world.send(buffer.array).outcome != .moved(Slot(16_383)))
    }
  }

  @Test func rangesAndEpochAreToldOnceAndKept() throws {
    #expect(try world.send(Self.birth([0..<16_384], epoch: 9)).outcome == .silent)
    let shard = world.shards[0]
    #expect(shard.ledger.epoch == 3 && shard.ledger.ranges == SlotRanges([0..<8_192]))
    let bytes = shard.snapshotBytes()
    let restored = try Ledger.restored(from: MemorySnapshotSource(bytes))
    #expect(restored.epoch == 3 && restored.ranges == SlotRanges([0..<8_192]))
    #expect(Ledger(shard: ShardID(1)).ranges == .all)
  }
}
