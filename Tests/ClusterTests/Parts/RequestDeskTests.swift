import Base
import Ledger
import Protocol
import Raft
import Testing
import Vocabulary

@testable import Cluster

/// A request on its way to a leader.
private struct Asked {
  var to: NodeID
  var shard: ShardID
  var sequence: UInt64
  var flags: EdgeItem.Flags
  var command: [UInt8]
  /// Of a marker.
  var stamp = Stamp.zero
  var verb: Verb? { command.withUnsafeBytes { CommandHeader.verb(of: $0) } }
}

/// Terminals at a desk whose leaders are played by hand: node 2 leads the directory and shard 1, node 3 shard 2.
private final class Counter {
  let world = PartWorld()
  let desk: RequestDesk
  private var output: [ClientID: String] = [:]

  /// What the node itself answers.
  private struct Itself: AnswersForItself {
    let desk: RequestDesk
    var version: String { "0" }
    var name: String { "n1" }
    func settings(matching pattern: String) -> [(key: String, value: String)] { [] }
    func infoSections() -> [InfoSection] { [] }
    func answer(_ request: Request, _ owner: EdgeItem.Owner) {
      switch request.verb {
      case .audit: desk.startAudit(owner, mostAhead: 7)
      case .health: desk.startHealth(owner)
      default: desk.answer(owner) { $0.text("it itself") }
      }
    }
  }

  init(isInCluster: Bool = true, _ change: (inout NodeConfiguration) -> Void = { _ in }) {
    var configuration = NodeConfiguration(
      name: "n1", region: "r1", clientAddress: "n1:1", peerAddress: "n1:2", join: [])
    change(&configuration)
    desk = RequestDesk(
      turn: world.turn, membership: world.membership, peers: world.peers, replicas: world.replicas,
      configuration: configuration)
    open(1)
    guard isInCluster else { return }
    world.follow(PartWorld.topology())
    desk.makeTables(through: .directory)
    desk.directoryChanged()
    // It hears of the directory.
    desk.rights.began(promised: .max)
    desk.noteLeader(.directory, NodeID(2), Term(1))
    desk.noteLeader(PartWorld.one, NodeID(2), Term(1))
    desk.noteLeader(PartWorld.two, NodeID(3), Term(1))
  }

  /// The name of a member that a shard owns.
  static func member(of shard: ShardID) -> String {
    let names = (0..<100).map { "m\($0)" }
    return names.first { PartWorld.topology().shard(ofMember: $0) == shard } ?? ""
  }
  static func card(of shard: ShardID) -> String {
    let half = UInt16(Slot.count / 2)
    let numbers = (5_000..<5_100).map { "\($0)" }
    let number = numbers.first { number in
      let slot = Array(number.utf8).withUnsafeBytes { Command.cardSlot($0, tenant: .first) }
      return (slot.rawValue < half) == (shard == PartWorld.one)
    }
    return number ?? ""
  }

  func open(_ terminal: UInt64) { desk.opened(ClientID(terminal), from: "here") }
  /// Says some lines. How many bytes of them are done with.
  @discardableResult func say(_ lines: String, by terminal: UInt64 = 1) -> Int {
    Array(lines.utf8).withUnsafeBytes { desk.received(ClientID(terminal), $0, Itself(desk: desk)) }
  }
  /// What a terminal has been answered, and no more.
  func heard(by terminal: UInt64 = 1) -> String {
    var effects = Effects<NodeWork>()
    desk.clients.flush(into: &effects, &world.turn.out)
    for (client, bytes) in effects.clientOutput {
      output[client, default: ""] += String(decoding: bytes, as: UTF8.self)
    }
    return output.removeValue(forKey: ClientID(terminal)) ?? ""
  }
  /// Whether a terminal is to be read on, as was said last.
  var isRead: Bool? { world.turn.out.clientReading.last?.on }

  /// What leaders are asked, and no more.
  func asked() throws -> [Asked] {
    desk.sendStreams()
    var all: [Asked] = []
    for id in [2, 3] as [UInt64] {
      for (kind, body) in try world.said(to: id) where kind == .forward {
        try body.withUnsafeBytes { raw in
          var reader = ByteReader(raw)
          let shard = ShardID(try reader.read())
          _ = try reader.read(UInt32.self)
          _ = try reader.read(UInt64.self)
          for _ in 0..<(try reader.read(UInt32.self)) {
            let sequence = try reader.read(UInt64.self)
            let flags = EdgeItem.Flags(rawValue: try reader.read())
            var asked = Asked(
              to: NodeID(id), shard: shard, sequence: sequence, flags: flags, command: Array(try Envelope.next(&reader))
            )
            if flags.contains(.marker) { asked.stamp = Stamp(microseconds: try reader.read()) }
            all.append(asked)
          }
        }
      }
    }
    return all
  }
  func one() throws -> Asked {
    let all = try asked()
    try #require(all.count == 1)
    return all[0]
  }
  func answer(_ asked: Asked, _ write: (inout ReplyWriter) -> Void) throws {
    var reply = ReplyWriter()
    write(&reply)
    var body = ByteBuffer()
    body.append(asked.shard.rawValue)
    body.append(asked.sequence)
    body.append(UInt32(reply.buffer.count))
    body.append(reply.buffer.bytes)
    let peer = try #require(world.peers[asked.to])
    try desk.receive(.results, body.bytes, from: peer)
  }
  /// What a peer says that it leads.
  func leads(_ shards: [ShardID: UInt32], _ id: UInt64, hash: UInt64? = nil) throws {
    let led = shards.sorted { $0.key < $1.key }.map { shard, version in
      NodeStatus.Led(
        shard: shard, term: Term(1), commit: LogIndex(5), applied: LogIndex(5), catalogueVersion: version,
        closed: .zero,
        closedIndex: LogIndex(0), hasTakenOver: true)
    }
    var status = LedTable.whole(led, replicas: 1)
    if let hash { status.hash = hash }
    desk.noteStatus(status, of: try #require(world.peers[NodeID(id)]))
  }
}

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

  // MARK: What has to be known first

  @Test func factsOfThePastAreAskedForAndGoWithTheRequest() throws {
    let counter = Counter()
    counter.say("REFUND 3-1042 id=r\n")
    let bare = try counter.one()
    try counter.answer(bare) { $0.factsWanted() }
    let question = try counter.one()
    #expect(question.verb == .facts && question.flags == [.query, .continuation] && question.to == NodeID(2))
    try counter.answer(question) { $0.text("facts") }
    let whole = try counter.one()
    #expect(whole.verb == .refund && whole.flags == [.repeatable, .continuation])
    let facts = Array("facts".utf8)
    #expect(
      whole.command
        == facts.withUnsafeBytes { facts in bare.command.withUnsafeBytes { Command.carrying(facts: facts, $0) } })
    try counter.answer(whole) { $0.integer(7) }
    #expect(counter.heard() == ":7\r\n")
  }

  @Test func factsThatAreOldEachTimeAreAskedForAFewTimesOnly() throws {
    let counter = Counter()
    counter.say("REFUND 3-1042 id=r\n")
    try counter.answer(try counter.one()) { $0.factsWanted() }
    for _ in 1..<PastRequest.mostAttempts {
      try counter.answer(try counter.one()) { $0.text("facts") }
      try counter.answer(try counter.one()) { $0.factsWanted() }
    }
    try counter.answer(try counter.one()) { $0.text("facts") }
    #expect(counter.heard() == "")
    try counter.answer(try counter.one()) { $0.factsWanted() }
    #expect(
      counter.heard() == "-BUSY others change the same transaction at the same time; nothing was done\r\n")
  }

  @Test func aRequestThatWantsFactsAfterADoubtStaysInDoubt() throws {
    let counter = Counter()
    counter.say("REFUND 3-1042 id=r\n")
    _ = try counter.asked()
    counter.desk.lost(NodeID(2))
    counter.desk.noteLeader(PartWorld.one, NodeID(3), Term(2))
    try counter.answer(try counter.one()) { $0.factsWanted() }
    try counter.answer(try counter.one()) { $0.ok() }
    try counter.answer(try counter.one()) { $0.error(.busy, "nothing was done") }
    #expect(counter.heard().hasPrefix("-UNKNOWN a leader was lost"))
  }

  @Test func aCardIsLookedUpFirstAndItsConnectionWaits() throws {
    let counter = Counter()
    let card = Counter.card(of: PartWorld.two)
    let line = "BALANCE card:\(card)\n"
    #expect(counter.say(line + line) == line.utf8.count && counter.isRead == false)
    let question = try counter.one()
    #expect(question.verb == .cardHolders && question.shard == PartWorld.two)
    try counter.answer(question) {
      $0.record()
      $0.field(.member, a)
      $0.field(.state, "active")
    }
    let asked = try counter.one()
    #expect(asked.verb == .balance && asked.shard == PartWorld.one)
    try counter.answer(asked) { $0.integer(4) }
    #expect(counter.heard() == ":4\r\n" && counter.isRead == true)
  }

  @Test func aCardOfNobodyIsNotFoundAndARemovedOneIsNotRead() throws {
    let counter = Counter()
    let card = Counter.card(of: PartWorld.two)
    counter.say("BALANCE card:\(card)\n")
    try counter.answer(try counter.one()) { $0.error(.notFound, "no such card") }
    #expect(counter.heard() == "-NOTFOUND no such card\r\n")
    counter.say("BALANCE card:\(card)\n")
    try counter.answer(try counter.one()) {
      $0.record()
      $0.field(.member, a)
      $0.field(.state, "removed")
    }
    #expect(counter.heard() == "-NOTFOUND the card '\(card)' was removed\r\n")
    // The sender's shard refuses a recipient that is nobody, and keeps that.
    counter.say("TRANSFER \(a) card:\(card) points=1 id=t\n")
    try counter.answer(try counter.one()) { $0.error(.notFound, "no such card") }
    let transfer = try counter.one()
    #expect(transfer.verb == .transfer && transfer.shard == PartWorld.one)
  }

  /// A repeat of what a former holder of the card sent is that one's.
  @Test(arguments: [(0, true), (-1, false)] as [(Int64, Bool)])
  func formerHoldersAreAskedWhetherARequestIsTheirs(answer: Int64, isTheirs: Bool) throws {
    let counter = Counter()
    let card = Counter.card(of: PartWorld.two)
    counter.say("REDEEM card:\(card) merchant=shop points=1 id=r\n")
    try counter.answer(try counter.one()) {
      $0.record()
      $0.field(.member, a)
      $0.field(.former, b)
    }
    let question = try counter.one()
    #expect(question.verb == .requestSeen && question.shard == PartWorld.two)
    try counter.answer(question) { $0.integer(answer) }
    let redeem = try counter.one()
    #expect(redeem.verb == .redeem && redeem.shard == (isTheirs ? PartWorld.two : PartWorld.one))
  }

  // MARK: What many shards answer

  @Test func aChangeOfTheCatalogueIsDoneOnceAllShardsHaveIt() throws {
    let counter = Counter()
    for end in [false, true] {
      counter.say("MERCHANT SET shop title=x\n")
      let change = try counter.one()
      #expect(change.shard == .directory && change.flags == .continuation)
      try counter.answer(change) { $0.integer(end ? 4 : 3) }
      try counter.leads([.directory: 0, PartWorld.one: end ? 4 : 3], 2)
      counter.desk.advanceCatalogueWaits()
      #expect(counter.heard() == "", "shard 2 has yet to say so")
      if end { try counter.leads([PartWorld.two: 4], 3) } else { counter.world.wait(5_000_000) }
      counter.desk.advanceCatalogueWaits()
      #expect(
        counter.heard()
          == (end
            ? "+OK\r\n" : "-UNKNOWN the change is made, and has yet to reach shards 2; it still spreads\r\n"))
    }
  }

  @Test func anAuditAsksAllShardsForOneAndTheSameMoment() throws {
    let counter = Counter()
    func report(_ write: inout ReplyWriter, sum: Int64 = 0) {
      write.record()
      write.field(.members, 2)
      write.field(.transactions, 3)
      write.field(.sum, sum)
      write.field(.between, "0")
    }
    counter.say("AUDIT\n")
    let first = try counter.asked()
    #expect(first.map(\.shard) == [PartWorld.one, PartWorld.two] && first.allSatisfy { $0.verb == .marker })
    #expect(
      first[0].stamp == first[1].stamp && first[0].stamp.microseconds > counter.world.turn.now.wall.microseconds + 7)
    try counter.answer(first[0]) { report(&$0) }
    try counter.answer(first[1]) { $0.error(.busy, "it is past that moment") }
    #expect(counter.heard() == "")
    counter.world.wait(10_000)
    counter.desk.advanceAudits(mostAhead: 7)
    let second = try counter.asked()
    #expect(second.count == 2 && second[0].stamp > first[0].stamp)
    for one in second { try counter.answer(one) { report(&$0) } }
    let answer = counter.heard()
    #expect(answer.contains("total=yes members=4 transactions=6 sum=0") && answer.contains("balanced=yes"), "\(answer)")
    counter.say("AUDIT\n")
    for one in try counter.asked() { try counter.answer(one) { report(&$0, sum: one.shard == PartWorld.two ? -1 : 0) } }
    #expect(counter.heard().contains("balanced=no"))
    counter.say("AUDIT\n")
    try counter.answer(try counter.asked()[1]) { $0.error(.unavailable, "no leader") }
    #expect(counter.heard() == "-UNAVAILABLE shard 2 did not report; without it the audit says nothing\r\n")
  }

  @Test func healthWantsALeaderOfEachShard() throws {
    let counter = Counter()
    counter.say("HEALTH\n")
    #expect(
      counter.heard() == "-UNAVAILABLE this node knows no leader of shards 1, 2\r\n", "none has said that it lives")
    try counter.leads([.directory: 0, PartWorld.one: 0], 2)
    counter.say("HEALTH\n")
    #expect(counter.heard() == "-UNAVAILABLE this node knows no leader of shards 2\r\n")
    try counter.leads([PartWorld.two: 0], 3)
    counter.say("HEALTH\n")
    #expect(counter.heard().hasPrefix("+healthy: committed on 0 of 0 led shards"))
    counter.world.turn.now.monotonic += PeerTable.downAfter
    counter.say("HEALTH\n")
    #expect(counter.heard() == "-UNAVAILABLE this node knows no leader of shards 1, 2\r\n")
  }

  @Test func aProbeIsAnsweredInItsPlaceWhoeverAsks() throws {
    let counter = Counter()
    counter.desk.readinessAsked(by: ClientID(1))
    #expect(counter.heard() == "-UNAVAILABLE this node knows no leader of shards 1, 2\r\n")
    try counter.leads([.directory: 0, PartWorld.one: 0, PartWorld.two: 0], 2)
    counter.desk.readinessAsked(by: ClientID(1))
    counter.desk.readinessAsked(by: ClientID(999))
    // A check that is over answers no later probe.
    #expect(counter.desk.workflows.takeProbes().isEmpty)
    #expect(counter.heard().hasPrefix("+healthy: committed on 0 of 0 led shards"))
  }

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
