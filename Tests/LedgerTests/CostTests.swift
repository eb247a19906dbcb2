import Base
import CommandSupport
import Testing

@testable import Ledger

/// What members and purchases cost: the figures of docs/architecture.md. Printed, and bounded.
@Suite struct CostTests {
  /// Days of purchases, evenly over members and time.
  private final class Days {
    static let members = 2_000
    static let purchases = 40_000
    let shard: TestShard
    var time = World.stamp("2026-01-15T12:00")
    var logBytes = 0
    var journalBytes = 0
    private var number = 0

    init(limits: LedgerLimits) throws {
      let world = World(limits: limits)
      _ = try world.run("PROGRAM SET gold earn=1/100 expire=12m")
      _ = try world.run("MERCHANT SET shop-17 program=gold")
      shard = world.shards[0]
    }
    var memory: Int { shard.ledger.memoryByteCount }

    func entry(_ count: Int, _ append: (inout ByteBuffer, Int) -> Void) {
      var payload = ByteBuffer()
      EntryHeader(stamp: time, catalogueVersion: 0, commandCount: UInt32(count)).encode(into: &payload)
      for _ in 0..<count {
        append(&payload, number)
        number += 1
      }
      shard.index += 1
      logBytes += payload.count
      var reply = ReplyWriter()
      reply.isDiscarded = true
      shard.ledger.apply(payload: payload.bytes, index: LogIndex(shard.index), into: &reply) { _, outcome, _, reply in
        #expect(outcome == .replied)
        reply.buffer.removeAll()
      }
      shard.ledger.takeJournal { journalBytes += $1.count }
    }
    func addMembers() {
      time = Stamp(microseconds: time.microseconds + 1_000_000)
      entry(Days.members) { buffer, i in
        withBytes("m\(10_000_000 + i)") {
          Command.appendMemberAdd(to: &buffer, context: CommandContext(fingerprint: 1), member: $0)
        }
      }
      number = 0
    }
    func day() {
      let perEntry = 200
      for _ in 0..<Days.purchases / perEntry {
        time = Stamp(
          microseconds: time.microseconds + CivilTime.microsecondsPerDay * Int64(perEntry) / Int64(Days.purchases))
        entry(perEntry) { buffer, i in
          withBytes("m\(10_000_000 + i * 7 % Days.members)") { member in
            withBytes("shop-17") { merchant in
              withBytes("till3-\(1_000_000 + i)") { request in
                Command.appendEarn(
                  to: &buffer, context: CommandContext(fingerprint: UInt64(i)), member: member, merchant: merchant,
                  amount: .spend(1_250), request: request)
              }
            }
          }
        }
      }
    }
  }

  @Test func whatADayOfPurchasesCosts() throws {
    var limits = LedgerLimits()
    limits.retentionSeconds = 1
    let days = try Days(limits: limits)
    let empty = days.memory
    days.addMembers()
    days.day()
    // The first day's purchases are in memory as they are, the others in 16 bytes each.
    var memory = [days.memory]
    let (log, journal) = (days.logBytes, days.journalBytes)
    for _ in 0..<5 {
      days.day()
      memory.append(days.memory)
    }
    let whole = Double(memory[0] - empty) / Double(Days.purchases)
    let past = Double(memory[5] - memory[1]) / Double(4 * Days.purchases)
    let logged = Double(days.logBytes - log) / Double(5 * Days.purchases)
    let journaled = Double(days.journalBytes - journal) / Double(5 * Days.purchases)
    let ids = try Days(limits: LedgerLimits())
    ids.addMembers()
    for _ in 0..<6 { ids.day() }
    let request = Double(ids.memory - days.memory) / Double(6 * Days.purchases)
    let saved = Double(days.shard.snapshotBytes().count) / Double(days.memory)
    print(
      "a purchase: in memory \(whole) with its member's share on the first day, \(past) later, its request id \(request);"
        + " log \(logged), journal \(journaled); a snapshot is \(saved) of the memory")
    #expect(past <= 24)
    #expect(whole <= 150)
    #expect(request <= 60)
    #expect(logged <= 120 && journaled <= 100)
    #expect(saved <= 1.01)
    try days.shard.ledger.checkInvariants()
  }
}
