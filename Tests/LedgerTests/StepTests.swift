import Base
import Testing

@testable import Ledger

/// A step that no product has: it leaves a note at a member of another shard, and one at its own when that has happened.
private enum GreetingStep: ShardStep {
  static var kinds: ClosedRange<UInt8> { 200...200 }

  static func receive(
    _ origin: StepOrigin, _ reader: inout ByteReader, in ledger: inout Ledger
  ) throws(MalformedBytes) -> Verdict {
    _ = try reader.readCounted()
    let to = try reader.readCounted()
    guard reader.isAtEnd else { throw MalformedBytes("more than a greeting") }
    guard let member = ledger.findMember(to, tenant: origin.tenant) else { return Verdict(.notFound) }
    note("greeted", member, &ledger)
    return .done
  }
  static func complete(
    _ step: OutboxRecord, _ kept: Bytes, _ verdict: Verdict, in ledger: inout Ledger, _ reply: inout ReplyWriter
  ) throws(MalformedBytes) {
    var reader = ByteReader(kept)
    let from = try reader.readCounted()
    if let member = ledger.findMember(from, tenant: step.tenant) {
      note(verdict == .done ? "arrived" : "refused", member, &ledger)
    }
    ledger.answer(step, ledger.refusal(verdict), request: Command.none, member: from, slot: step.id.slot, &reply)
  }
  private static func note(_ text: String, _ member: Ref<MemberRecord>, _ ledger: inout Ledger) {
    ledger.addNote(
      to: member, after: ledger.newestNote(of: member), kind: lasting("step"), text: lasting(text), by: .anonymous)
  }
}

@Suite struct StepTests {
  /// Two shards that know the step, and a member of each.
  private func world() throws -> (World, from: String, to: String) {
    let world = World(shards: 2)
    let names = (0..<20).map { "m\($0)" }
    let from = try #require(names.first { world.home($0) == 0 })
    let to = try #require(names.first { world.home($0) == 1 })
    for name in [from, to] { try #require(try world.run("MEMBER ADD \(name)") == "+OK") }
    for shard in world.shards { shard.ledger.steps = StepTable(types: StepTable.all.types + [GreetingStep.self]) }
    world.holdsPost = true
    return (world, from, to)
  }
  private func greet(_ world: World, _ from: String, _ to: String) {
    let shard = world.shards[0]
    world.time = Stamp(microseconds: world.time.microseconds + 1)
    shard.index += 1
    shard.ledger.beginEntry(
      EntryHeader(stamp: world.time, catalogueVersion: 0, commandCount: 1), index: LogIndex(shard.index))
    let slot = withBytes(from) { Command.memberSlot($0, tenant: .first) }
    let target = withBytes(to) { Command.memberSlot($0, tenant: .first) }
    var step = OutboxRecord(
      id: shard.ledger.nextTransaction(slot), stamp: world.time, to: target.rawValue, kind: 200, tenant: .first)
    var kept = ByteBuffer()
    kept.append(counted: lasting(from))
    kept.append(counted: lasting(to))
    shard.ledger.addOutbox(&step, kept.bytes)
    shard.ledger.endEntry()
    shard.ledger.takeJournal { shard.journal.append($0, $1) }
    world.post += shard.ledger.takeDeliveries()
  }
  private func open(_ shard: TestShard) -> [Delivery] {
    var places = DeliveryPlaces()
    var all: [Delivery] = []
    shard.ledger.openDeliveries(from: &places, limit: 10) { all.append($0) }
    return all
  }
  private func deliver(_ world: World, _ deliveries: [Delivery]) throws {
    for delivery in deliveries {
      world.time = max(world.time, delivery.stamp)
      try world.send(delivery.command)
    }
  }

  @Test func aStepIsDoneOnceThoughItIsLostAndDoubled() throws {
    let (world, from, to) = try world()
    greet(world, from, to)
    // The delivery is lost, and sent again twice.
    #expect(world.post.count == 1)
    world.post = []
    try deliver(world, open(world.shards[0]))
    try deliver(world, open(world.shards[0]))
    // A snapshot in between changes nothing, and the verdict is lost, too.
    for shard in world.shards {
      shard.ledger = try Ledger.restored(from: MemorySnapshotSource(shard.snapshotBytes()), limits: shard.ledger.limits)
      shard.ledger.steps = StepTable(types: StepTable.all.types + [GreetingStep.self])
      try shard.ledger.checkInvariants()
    }
    world.post = []
    let verdicts = open(world.shards[1])
    #expect(verdicts.map(\.kind) == [.verdict])
    try deliver(world, verdicts + verdicts)
    // Both acknowledgements arrive.
    #expect(world.post.map(\.kind) == [.acknowledged, .acknowledged])
    try deliver(world, world.post)
    #expect(try world.run("MEMBER NOTES \(to)").rows.map { $0.suffix(7) } == ["greeted"])
    #expect(try world.run("MEMBER NOTES \(from)").rows.map { $0.suffix(7) } == ["arrived"])
    #expect(world.shards.allSatisfy { $0.ledger.openDeliveryCount == 0 })
    for shard in world.shards { try shard.ledger.checkInvariants() }
  }

  @Test func aStepThatIsRefusedComesBack() throws {
    let (world, from, to) = try world()
    world.holdsPost = false
    greet(world, from, "nobody-\(to)")
    // Whichever shard it was addressed to.
    try world.deliverAll()
    #expect(try world.run("MEMBER NOTES \(from)").hasSuffix("text=refused"))
    #expect(world.shards.allSatisfy { $0.ledger.openDeliveryCount == 0 })
  }

  @Test func aStepOfAnUnknownKindIsMalformed() throws {
    let (world, from, to) = try world()
    greet(world, from, to)
    world.shards[1].ledger.steps = .all
    let delivery = try #require(world.post.first)
    #expect(try world.send(delivery.command).text.hasPrefix("-ERR"))
    #expect(world.shards[1].ledger.openDeliveryCount == 0)
  }
}
