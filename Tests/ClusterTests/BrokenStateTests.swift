import Base
import CommandSupport
import Raft
import Storage
import Testing

@testable import Cluster
@testable import Ledger

/// A committed entry that breaks a shard's state stops the shard's replica, and nothing else.
@Suite struct BrokenStateTests {
  /// One that leads alone: member `ann` has points in a lot whose figures are about to overflow.
  private final class LoneReplica {
    let replica: Replica
    private var clock: Int64 = 2_000_000_000_000_000
    private var message: UInt64 = 0
    private var sequence: UInt64 = 0

    init(broken: Bool) throws {
      var ledger = Ledger(shard: ShardID(1))
      for delta in EntryLine.deltas(["PROGRAM SET points earn=1/1", "MERCHANT SET shop program=points"]) {
        LoneReplica.apply(&ledger) { buffer in
          delta.withUnsafeBytes { Command.appendCatalogue(to: &buffer, slot: Slot(0), delta: $0) }
        }
      }
      LoneReplica.apply(&ledger) { buffer in
        Array("ann".utf8).withUnsafeBytes {
          Command.appendMemberAdd(to: &buffer, context: CommandContext(fingerprint: 1), member: $0)
        }
      }
      LoneReplica.apply(&ledger) { LoneReplica.earn(&$0, 5, "first") }
      if broken { ledger.tables.members.write(Ref(place: 0)).pointee.lot.issued = .max - 5 }
      let last = ledger.lastIndex
      let raft = try RaftGroup(
        node: NodeID(1), options: RaftOptions(), seed: 1, hardState: HardState(), snapshotIndex: last,
        snapshotTerm: Term(1), configuration: Configuration(founders: [NodeID(1)]), entries: [])
      replica = Replica(
        shard: ShardID(1), machine: LedgerMachine(ledger, lastIndex: last), raft: raft)
      replica.campaign()
      turn()
      try #require(replica.isLeader)
    }
    private static func apply(_ ledger: inout Ledger, _ command: (inout ByteBuffer) -> Void) {
      var buffer = ByteBuffer()
      command(&buffer)
      var reply = ReplyWriter()
      let index = LogIndex(ledger.lastIndex.rawValue + 1)
      ledger.beginEntry(
        EntryHeader(stamp: Stamp(microseconds: Int64(index.rawValue)), catalogueVersion: 0, commandCount: 1),
        index: index)
      _ = ledger.apply(buffer.bytes, into: &reply)
      ledger.endEntry()
    }
    static func earn(_ buffer: inout ByteBuffer, _ points: Int64, _ id: String) {
      let (member, merchant, request) = (Array("ann".utf8), Array("shop".utf8), Array(id.utf8))
      member.withUnsafeBytes { member in
        merchant.withUnsafeBytes { merchant in
          request.withUnsafeBytes {
            Command.appendEarn(
              to: &buffer, context: CommandContext(fingerprint: 1), member: member, merchant: merchant,
              amount: .points(points), request: $0)
          }
        }
      }
    }

    func turn() {
      clock += 1000
      replica.applying.allowance = 1 << 20
      replica.turn(clock: Stamp(microseconds: clock), earliest: nil)
      while !replica.outbox.persist.isEmpty {
        replica.persisted(replica.outbox.persist.removeFirst().sequence)
        replica.turn(clock: Stamp(microseconds: clock), earliest: nil)
      }
    }
    /// Sends purchases, and with `reads` a question before each, as one message.
    func send(_ points: [Int64], reads: Bool) throws {
      var items = ByteBuffer()
      var count: UInt32 = 0
      func begin(_ flags: EdgeItem.Flags) {
        sequence += 1
        count += 1
        items.append(sequence)
        items.append(flags.rawValue)
      }
      for amount in points {
        if reads {
          begin(.query)
          Array("ann".utf8).withUnsafeBytes { Query.appendBalance(to: &items, tenant: .first, member: $0) }
        }
        begin([])
        LoneReplica.earn(&items, amount, "r\(sequence)")
      }
      try replica.receive(edge: 0, epoch: 1, message: message, count: count, items: items.bytes)
      message += 1
    }
    /// How many answers were given.
    var answers: Int {
      var reader = ByteReader(
        replica.outbox.results.first?.buffer.bytes ?? UnsafeRawBufferPointer(start: nil, count: 0))
      var count = 0
      while !reader.isAtEnd, (try? reader.readBytes(12)) != nil, let length = try? reader.read(UInt32.self),
        (try? reader.readBytes(Int(length))) != nil
      {
        count += 1
      }
      return count
    }
  }

  @Test(arguments: [false, true]) func whatBreaksAShardStopsItsReplicaAndIsToldToNobody(reads: Bool) throws {
    let sound = try LoneReplica(broken: false)
    try sound.send([1, 7, 1], reads: reads)
    sound.turn()
    #expect(sound.replica.quarantined == nil && sound.answers == (reads ? 6 : 3))

    let lone = try LoneReplica(broken: true)
    try lone.send([1, 7, 1], reads: reads)
    lone.turn()
    let reason = try #require(lone.replica.quarantined)
    #expect(reason.contains("a figure does not fit 64 bits"), "\(reason)")
    #expect(lone.replica.outbox.alarms.contains { $0.contains("keep the data directories") })
    // What came before it in the entry had its answer.
    #expect(lone.answers == (reads ? 3 : 1))
    #expect(!lone.replica.isLeader && lone.replica.beginSnapshot() == nil)
    try lone.send([1], reads: false)
    lone.turn()
    #expect(lone.answers == (reads ? 3 : 1))
  }
}
