import Base
import Ledger
import Protocol
import Raft
import Testing
import Vocabulary

@testable import Cluster

/// Whom a node takes for leaders, and what it asks of its own.
@Suite struct RequestDeskLeadersTests {
  private let a = Counter.member(of: PartWorld.one)
  private let b = Counter.member(of: PartWorld.two)

  // MARK: Leaders

  @Test func whoseTableIsNotTheToldOneAsksForTheWhole() throws {
    let counter = Counter()
    try counter.leads([PartWorld.one: 0], 2)
    #expect(try counter.world.said(to: 2).isEmpty)
    try counter.leads([PartWorld.one: 0], 2, hash: 5)
    #expect(try counter.world.said(to: 2).map(\.kind) == [.statusWanted])
  }

  @Test func aStepOfATransactionGoesToTheLeaderOfItsSlotOrWaitsToBeSentAgain() throws {
    let counter = Counter()
    let delivery = Delivery(
      from: TransactionID(slot: Slot(1), sequence: 1), step: 1, kind: .delivery, to: Slot(UInt16(Slot.count - 1)),
      stamp: Stamp(microseconds: 7), command: [1, 2, 3])
    counter.desk.send(delivery)
    let said = try counter.world.said(to: 3)
    var body = ByteBuffer()
    body.append(PartWorld.two.rawValue)
    body.append(Int64(7))
    body.append([1, 2, 3] as [UInt8])
    #expect(said.map(\.kind) == [.deliveries] && said.first?.body == body.array)
    counter.world.peers[NodeID(3)]?.outgoing = nil
    counter.desk.send(delivery)
    #expect(try counter.world.said(to: 3).isEmpty && counter.world.said(to: 2).isEmpty)
  }

  // MARK: A leader, and a replica, of this node

  private func lead(_ counter: Counter) throws -> Replica {
    let founding = Founding.shard(PartWorld.topology().shards[0], of: PartWorld.topology())
    let raft = try RaftGroup(
      node: PartWorld.me, options: RaftOptions(), seed: 1, hardState: HardState(commit: founding.lastIndex),
      snapshotIndex: LogIndex(0), snapshotTerm: Term(0), configuration: .empty, entries: founding.entries)
    let replica = Replica(
      shard: PartWorld.one, machine: LedgerMachine(Ledger(shard: PartWorld.one), lastIndex: LogIndex(0)), raft: raft)
    counter.world.replicas.add(replica)
    try counter.world.lead(replica)
    counter.desk.take(of: replica)
    counter.desk.noteProgress(of: replica)
    return replica
  }

  @Test func whatThisNodeLeadsIsAskedOfItsOwnReplica() throws {
    let counter = Counter()
    let replica = try lead(counter)
    #expect(counter.desk.leader(of: PartWorld.one).node == PartWorld.me && counter.desk.isServed(PartWorld.one))
    counter.say("MEMBER ADD \(a)\nMEMBER SHOW \(a)\n")
    #expect(try counter.asked().isEmpty)
    for _ in 0..<3 {
      counter.world.quiesce(replica)
      counter.desk.take(of: replica)
    }
    let answer = counter.heard()
    #expect(answer.hasPrefix("+OK\r\n+member=\(a) state=active"), "\(answer)")
    try counter.world.follow(3, by: replica)
    counter.desk.take(of: replica)
    #expect(counter.desk.leader(of: PartWorld.one).node == NodeID(3))
    counter.world.wait(5_000)
    counter.say("MEMBER SHOW \(a)\n")
    #expect(try counter.asked().map(\.to) == [NodeID(3)])
  }

  @Test func aLocalReadIsAnsweredHereWithItsMoment() throws {
    let counter = Counter()
    counter.say("MEMBER SHOW \(a) read=local\n")
    #expect(try counter.one().to == NodeID(2), "there is no replica here")
    let replica = try lead(counter)
    counter.open(2)
    counter.say("MEMBER SHOW \(a) read=local\n", by: 2)
    #expect(counter.heard(by: 2).hasPrefix("-NOTFOUND"))
    counter.say("MEMBER ADD \(a)\n", by: 2)
    #expect(try counter.asked().isEmpty)
    counter.world.quiesce(replica)
    counter.desk.take(of: replica)
    #expect(counter.heard(by: 2) == "+OK\r\n")
    counter.say("MEMBER SHOW \(a) read=local\n", by: 2)
    let shown = counter.heard(by: 2)
    #expect(shown.hasPrefix("+member=\(a) ") && shown.contains(" asof="), "\(shown)")
    replica.quarantine("a test")
    counter.say("MEMBER SHOW \(a) read=local\n", by: 2)
    #expect(counter.heard(by: 2) == "", "it is asked of somebody who is sound")
  }
}
