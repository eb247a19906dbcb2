import Base
import CommandSupport
import Foundation
import Testing

@testable import Ledger

#if canImport(Glibc)
  import Glibc
#endif

/// How long the steps take in which the periods of a million members end (`TIERS_BENCH=1`,
/// `swift test -c release -Xswiftc -enable-testing --filter TierTests`); without that a few thousand, so that it stays right.
enum TierBenchmark {
  static func run() throws {
    let isBench = ProcessInfo.processInfo.environment["TIERS_BENCH"] != nil
    let members = isBench ? 1_000_000 : 3_000
    let world = World()
    world.semantics = Semantics.newest
    for line in [
      "PROGRAM SET gold earn=1/100 refund-window=1d", "MERCHANT SET shop",
      "TIER SET gold base rank=1 at=0 by=spend period=year", "TIER SET gold silver rank=2 at=100 by=spend period=year",
      "TIER SET gold gold rank=3 at=200 by=spend period=year",
    ] { #expect(try world.run(line) == "+OK") }
    let shard = world.shards[0]
    var number = 0
    func entry(_ append: (inout ByteBuffer, Int) -> Void) {
      var payload = ByteBuffer()
      world.time = Stamp(microseconds: world.time.microseconds + 1_000_000)
      EntryHeader(stamp: world.time, catalogueVersion: 0, commandCount: 1_000, semantics: Semantics.newest)
        .encode(into: &payload)
      for _ in 0..<1_000 {
        append(&payload, number)
        number += 1
      }
      shard.index += 1
      var reply = ReplyWriter()
      reply.isDiscarded = true
      shard.ledger.apply(payload: payload.bytes, index: LogIndex(shard.index), into: &reply) { _, outcome, _, _ in
        #expect(outcome == .replied)
      }
      shard.ledger.takeJournal { _, _ in }
    }
    let empty = shard.ledger.memoryByteCount
    for _ in 0..<members / 1_000 {
      entry { buffer, i in
        withBytes("m\(10_000_000 + i)") {
          Command.appendMemberAdd(to: &buffer, context: CommandContext(fingerprint: 1), member: $0)
        }
      }
    }
    let plain = shard.ledger.memoryByteCount - empty
    number = 0
    for _ in 0..<members / 1_000 {
      entry { buffer, i in
        withBytes("m\(10_000_000 + i)") { member in
          withBytes("shop") { merchant in
            withBytes("t-\(i)") { request in
              Command.appendEarn(
                to: &buffer, context: CommandContext(fingerprint: UInt64(i)), member: member, merchant: merchant,
                amount: .spend(50 + Int64(i % 4) * 50), request: request)
            }
          }
        }
      }
    }
    world.time = World.stamp("2027-01-01T00:00")
    // Of this thread alone: others may be at work on the machine.
    func clock() -> Int64 {
      var time = timespec()
      clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
      return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000
    }
    var steps: [Int64] = []
    let before = shard.ledger.memoryByteCount
    while steps.count < members / 10, let deadline = shard.ledger.nextTierDue, deadline <= world.time {
      world.time = Stamp(microseconds: world.time.microseconds + 1)
      var work = shard.ledger.limits.tickWork
      shard.index += 1
      shard.ledger.beginEntry(
        EntryHeader(stamp: world.time, catalogueVersion: 0, commandCount: 1, semantics: Semantics.newest),
        index: LogIndex(shard.index))
      let start = clock()
      shard.ledger.sweepTiers(&work)
      steps.append(clock() - start)
      shard.ledger.endEntry()
      shard.ledger.takeJournal { _, _ in }
    }
    steps.sort()
    let sum = steps.reduce(0, +)
    print(
      "periods of \(members) members ended in \(steps.count) steps, \(sum) µs in all; the longest \(steps[steps.count - 1]) µs,"
        + " of 100 steps 99 at most \(steps[steps.count * 99 / 100]) µs, one \(sum / Int64(steps.count)) on average;"
        + " a member without tier has \(plain / members) bytes; \((before - empty) / members) with one, purchase and request id"
    )
    #expect(shard.ledger.tierDues.rows.allSatisfy { $0.day == Int32(CivilTime.days(year: 2028, month: 1, day: 1)) })
    #expect(shard.ledger.tierDues.rows.first?.count == Int64(members))
    if !isBench { try shard.ledger.checkInvariants() }
  }
}
