import Base
import Testing

@testable import Ledger

struct EntryTests {
  @Test func aWholeEntryAppliesAsItsCommandsOneByOne() throws {
    let world = try PropertyTests.open(1, seed: 2)
    func copy() throws -> TestShard {
      let other = TestShard(1, limits: world.shards[0].ledger.limits)
      other.ledger = try Ledger.restored(
        from: MemorySnapshotSource(world.shards[0].snapshotBytes()), limits: world.shards[0].ledger.limits)
      other.index = world.shards[0].index
      return other
    }
    let other = try copy()
    // The same again, in steps of any size.
    let cut = try copy()
    var cuts = SeededGenerator(seed: 9)
    var traffic = PropertyTests.Traffic(random: SeededGenerator(seed: 8))
    for round in 0..<12 as Range<Int> {
      var commands: [[UInt8]] = []
      while commands.count < 1 + round * 9 {
        let built = try world.build(traffic.line(40))
        if !built.isQuery && !built.bytes.isEmpty { commands.append(built.bytes) }
      }
      var payload = ByteBuffer()
      let stamp = Stamp(microseconds: world.time.microseconds + Int64(round + 1) * 3_600_000_000)
      EntryHeader(stamp: stamp, catalogueVersion: 1, commandCount: UInt32(commands.count)).encode(into: &payload)
      for command in commands { payload.append(command) }

      let shard = world.shards[0]
      shard.index += 1
      other.index += 1
      var one = ReplyWriter()
      var all = ReplyWriter()
      var outcomes: [Outcome] = []
      shard.ledger.beginEntry(
        EntryHeader(stamp: stamp, catalogueVersion: 1, commandCount: 0), index: LogIndex(shard.index))
      for command in commands { outcomes.append(command.withUnsafeBytes { shard.ledger.apply($0, into: &one) }) }
      shard.ledger.endEntry()
      var places: [Int] = []
      other.ledger.apply(payload: payload.bytes, index: LogIndex(other.index), into: &all) { place, outcome, _, _ in
        places.append(place)
        #expect(outcome == outcomes[place])
      }
      #expect(places == Array(commands.indices))
      cut.index += 1
      var pieces = ReplyWriter()
      var cursor = cut.ledger.begin(payload: payload.bytes, index: LogIndex(cut.index))
      var isOver = false
      var steps = 0
      var count = 0
      while !isOver {
        steps += 1
        var work = Int(cuts.next() % 12)
        let limit = cuts.next() % 3 == 0 ? cursor.place + Int(cuts.next() % 40) : .max
        isOver = cut.ledger.apply(payload.bytes, from: &cursor, until: limit, work: &work, into: &pieces) {
          place, outcome, _, _ in
          #expect(place == count && outcome == outcomes[place])
          count += 1
        }
      }
      #expect(count == commands.count && pieces.buffer.array == all.buffer.array)
      #expect(steps > commands.count / 40 && (round < 3 || steps > 1))
      #expect(cut.ledger.digest == other.ledger.digest)
      #expect(cut.ledger.journalChain == other.ledger.journalChain)
      #expect(one.buffer.array == all.buffer.array)
      #expect(shard.ledger.digest == other.ledger.digest)
      #expect(shard.ledger.journalChain == other.ledger.journalChain)
    }
    try other.ledger.checkInvariants()
  }

  @Test func aPayloadThatBreaksOffIsAppliedUpToThere() throws {
    let world = try PropertyTests.open(1, seed: 2)
    let shard = world.shards[0]
    let command = try world.build("EARN m1 merchant=cafe spend=500 id=a").bytes
    var payload = ByteBuffer()
    EntryHeader(stamp: world.time, catalogueVersion: 1, commandCount: 9).encode(into: &payload)
    payload.append(command)
    payload.append(UInt32(7))
    var reply = ReplyWriter()
    var count = 0
    shard.ledger.apply(payload: payload.bytes, index: LogIndex(shard.index + 1), into: &reply) { _, _, _, _ in
      count += 1
    }
    shard.ledger.apply(
      payload: UnsafeRawBufferPointer(start: nil, count: 0), index: LogIndex(shard.index + 2), into: &reply
    ) { _, _, _, _ in count += 1 }
    #expect(count == 1)
    #expect(shard.ledger.lastIndex == LogIndex(shard.index + 2))
    try shard.ledger.checkInvariants()
  }
}
