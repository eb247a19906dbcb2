import Base
import Ledger
import Protocol
import Raft
import Testing
import Vocabulary

@testable import Cluster

/// A node's terminals and their requests, without the node.
@Suite struct RequestDeskTests {
  private let a = Counter.member(of: PartWorld.one)
  private let b = Counter.member(of: PartWorld.two)

  // MARK: There and back

  @Test func aRequestGoesToItsShardsLeaderAndAnswersComeInTheOrderAsked() throws {
    let counter = Counter()
    let lines = "BALANCE \(b)\nBALANCE \(a)\n"
    #expect(counter.say(lines) == lines.utf8.count)
    let asked = try counter.asked()
    #expect(asked.map(\.to) == [NodeID(2), NodeID(3)] && asked.map(\.shard) == [PartWorld.one, PartWorld.two])
    #expect(asked.allSatisfy { $0.verb == .balance && $0.flags == .query })
    try counter.answer(asked[0]) { $0.integer(1) }
    #expect(counter.heard() == "", "the other was asked first")
    try counter.answer(asked[1]) { $0.integer(2) }
    #expect(counter.heard() == ":2\r\n:1\r\n")
    try counter.answer(asked[1]) { $0.integer(3) }
    #expect(counter.heard() == "", "the first answer counts")
  }

  @Test func ofNobodyIsNothingAskedAndNobodyIsAnswered() throws {
    let counter = Counter()
    counter.say("BALANCE \(a)\n")
    counter.desk.closed(ClientID(1))
    counter.open(2)
    try counter.answer(try counter.one()) { $0.integer(1) }
    #expect(counter.heard(by: 2) == "" && counter.heard() == "")
    #expect(counter.say("BALANCE \(a)\n") == "BALANCE \(a)\n".utf8.count)
    #expect(try counter.asked().isEmpty)
  }

  @Test func withoutAClusterNothingIsAskedOfAnybody() throws {
    let counter = Counter(isInCluster: false)
    counter.say("BALANCE \(a)\nCLUSTER STATUS\nHEALTH\n")
    let answers = counter.heard()
    #expect(answers.hasPrefix("-UNAVAILABLE there is no cluster yet: run 'tally init'\r\n+it itself\r\n-UNAVAILABLE"))
    counter.world.peers[NodeID(3)]?.hello.cluster = 9
    counter.say("BALANCE \(a)\n")
    #expect(counter.heard() == "-UNAVAILABLE this node is not in the cluster yet; ask n3 at n3:1\r\n")
  }

  @Test func aBarrierWaitsForAllThatWasAskedAndIsWaitedFor() throws {
    let counter = Counter()
    let (first, barrier, last) = ("BALANCE \(a)\n", "TRANSFER \(a) \(b) points=1 id=x\n", "BALANCE \(b)\n")
    #expect(counter.say(first + barrier + last) == first.utf8.count && counter.isRead == false)
    try counter.answer(try counter.one()) { $0.integer(1) }
    #expect(counter.isRead == true)
    #expect(counter.say(barrier + last) == barrier.utf8.count && counter.isRead == false)
    let transfer = try counter.one()
    #expect(transfer.verb == .transfer && transfer.flags == .repeatable && transfer.to == NodeID(2))
    try counter.answer(transfer) { $0.integer(2) }
    #expect(counter.isRead == true && counter.say(last) == last.utf8.count)
    #expect(try counter.one().verb == .balance)
  }

  /// Each is decided where its card lies: those of other members and other cards go on together, all else waits.
  @Test func membersWithCardsFollowOneAnother() throws {
    let counter = Counter()
    let lines = (1...3).map { "MEMBER ADD m\($0) card=\($0) id=i\($0)\n" }
    #expect(counter.say(lines.joined()) == lines.joined().utf8.count && counter.isRead != false)
    let asked = try counter.asked()
    #expect(asked.count == 3 && asked.allSatisfy { $0.verb == .memberAdd })
    // Of the same member, of the same card, of anything else; and it is not forgotten which are under way.
    for line in [
      "MEMBER ADD m2 card=7\n", "MEMBER ADD m7 card=2\n", "BALANCE \(a)\n", "MEMBER ADD m2\n",
      "MEMBER ADD m7 card=7 referrer=card:1\n",
    ] {
      #expect(counter.say(line) == 0 && counter.isRead == false, "\(line)")
    }
    for one in asked { try counter.answer(one) { $0.ok() } }
    #expect(counter.isRead == true && counter.heard() == "+OK\r\n+OK\r\n+OK\r\n")
    #expect(counter.say("BALANCE \(a)\nMEMBER ADD m9 card=9\n") == "BALANCE \(a)\n".utf8.count)
    try counter.answer(try counter.one()) { $0.integer(1) }
    #expect(counter.say("MEMBER ADD m2 card=7\nBALANCE \(a)\n") == "MEMBER ADD m2 card=7\n".utf8.count)
    try counter.answer(try counter.one()) { $0.ok() }
    #expect(counter.isRead == true && counter.say("BALANCE \(a)\n") > 0)
  }

  @Test func noMoreIsReadThanMayBeUnanswered() throws {
    let counter = Counter { $0.clientWindow = 4 }
    let line = "BALANCE \(a)\n"
    #expect(counter.say(String(repeating: line, count: 6)) == 4 * line.utf8.count && counter.isRead == false)
    let asked = try counter.asked()
    for one in asked.prefix(2) { try counter.answer(one) { $0.ok() } }
    #expect(asked.count == 4 && counter.isRead == true)
  }

  @Test func whatWaitsForALeaderIsBoundedAndOtherShardsAreServed() throws {
    let counter = Counter { $0.shardQueueBytes = 1 }
    counter.say("BALANCE \(a)\nBALANCE \(a)\nBALANCE \(b)\n")
    let asked = try counter.asked()
    #expect(asked.map(\.shard) == [PartWorld.one, PartWorld.two])
    for one in asked { try counter.answer(one) { $0.ok() } }
    #expect(counter.heard() == "+OK\r\n-BUSY too much waits for shard 1 at this node; nothing was done\r\n+OK\r\n")
  }

  @Test func theLastPlacesAreForOperators() throws {
    let counter = Counter()
    counter.desk.clients.places.setLimit(2)
    counter.open(2)
    counter.say("BALANCE \(a)\nCLUSTER STATUS\n", by: 2)
    #expect(counter.heard(by: 2).hasPrefix("-BUSY all but the last 16 connections are taken") && counter.isRead == nil)
    #expect(try counter.asked().isEmpty)
    counter.desk.closed(ClientID(1))
    counter.say("BALANCE \(a)\n", by: 2)
    #expect(try counter.asked().count == 1, "there is room by now")
  }

  // MARK: Leaders that are lost, or not the ones

  @Test func ofALostLeadersRequestsOnlyThoseWithAnIDAreSentAgain() throws {
    let counter = Counter()
    counter.say("MEMBER FREEZE \(a)\nMEMBER THAW \(a) id=1\nBALANCE \(a)\n")
    #expect(try counter.asked().map(\.flags) == [[], .repeatable, .query])
    counter.desk.lost(NodeID(2))
    #expect(
      counter.heard() == "-UNKNOWN the leader was lost; without an id= the request is not sent again\r\n")
    counter.desk.noteLeader(PartWorld.one, NodeID(3), Term(2))
    let again = try counter.asked()
    #expect(again.map(\.verb) == [.memberThaw, .balance] && again.allSatisfy { $0.to == NodeID(3) })
    // What the next leader says of it is not true of the one that was lost.
    try counter.answer(again[0]) { $0.error(.busy, "nothing was done") }
    try counter.answer(again[1]) { $0.error(.busy, "nothing was done") }
    #expect(
      counter.heard() == "-UNKNOWN a leader was lost while it had this request; repeat it with the same id\r\n"
        + "-BUSY nothing was done\r\n")
    #expect(counter.desk.counters.unknowns == 2)
  }

  @Test func whatALeaderRefusedIsSentAgainAMomentLater() throws {
    let counter = Counter()
    counter.say("MEMBER THAW \(a) id=1\n")
    _ = try counter.asked()
    let epoch = counter.desk.stream(PartWorld.one).epoch
    let peer = try #require(counter.world.peers[NodeID(2)])
    var body = ByteBuffer()
    body.append(PartWorld.one.rawValue)
    body.append(epoch)
    body.append(UInt64(0))
    try counter.desk.receive(.reject, body.bytes, from: peer)
    #expect(try counter.asked().isEmpty)
    counter.world.wait(5_000)
    let again = try counter.one()
    try counter.answer(again) { $0.error(.busy, "nothing was done") }
    #expect(counter.heard() == "-BUSY nothing was done\r\n", "refused is refused: nothing is in doubt")
  }

  @Test func ofAShardThatIsNotHereNothingIsTaken() throws {
    let counter = Counter()
    var body = ByteBuffer()
    body.append(PartWorld.two.rawValue)
    body.append(UInt32(8))
    body.append(UInt64(3))
    body.append(UInt32(0))
    try counter.desk.receive(.forward, body.bytes, from: try #require(counter.world.peers[NodeID(3)]))
    let said = try counter.world.said(to: 3)
    var expected = ByteBuffer()
    expected.append(PartWorld.two.rawValue)
    expected.append(UInt32(8))
    expected.append(UInt64(3))
    #expect(said.map(\.kind) == [.reject] && said.first?.body == expected.array)
  }

  @Test func answersOfNoShardAreNoAnswers() throws {
    let counter = Counter()
    var asked = Asked(to: NodeID(2), shard: ShardID(3), sequence: 1, flags: .query, command: [])
    #expect(throws: MalformedBytes.self) { try counter.answer(asked) { $0.ok() } }
    asked.shard = PartWorld.two
    #expect(throws: Never.self) { try counter.answer(asked) { $0.ok() } }
  }

  @Test func aSlotThatHasMovedIsFollowed() throws {
    let counter = Counter()
    counter.say("MEMBER THAW \(a) id=1\nBALANCE \(a)\n")
    var asked = try counter.asked()
    try counter.answer(asked[1]) { $0.moved(Moved()) }
    // The map here is older than the shard: nobody knows where to.
    try counter.answer(asked[0]) { $0.moved(Moved()) }
    let nowhere = "-UNAVAILABLE its slot has moved to another shard a moment ago; nothing was done\r\n"
    #expect(counter.heard() == nowhere + nowhere)
    counter.say("MEMBER THAW \(a) id=1\n")
    asked = try counter.asked()
    counter.world.follow(PartWorld.topology(from: 0, epoch: 2, version: 2))
    counter.desk.directoryChanged()
    try counter.answer(asked[0]) { $0.moved(Moved()) }
    let moved = try counter.one()
    #expect(moved.to == NodeID(3) && moved.shard == PartWorld.two && moved.command == asked[0].command)
    #expect(moved.flags == .repeatable)
    try counter.answer(moved) { $0.ok() }
    #expect(counter.heard() == "+OK\r\n")
  }

  @Test func whatWasInDoubtBeforeItsSlotMovedIsInDoubtAfterIt() throws {
    let counter = Counter()
    counter.say("MEMBER THAW \(a) id=1\n")
    _ = try counter.asked()
    counter.desk.lost(NodeID(2))
    counter.desk.noteLeader(PartWorld.one, NodeID(3), Term(2))
    let asked = try counter.one()
    counter.world.follow(PartWorld.topology(from: 0, epoch: 2, version: 2))
    counter.desk.directoryChanged()
    try counter.answer(asked) { $0.moved(Moved()) }
    try counter.answer(try counter.one()) { $0.error(.unavailable, "nothing was done") }
    #expect(counter.heard().hasPrefix("-UNKNOWN a leader was lost"))
  }
}
