import Base
import Ledger
import Protocol
import Raft
import Testing
import Vocabulary

@testable import Cluster

/// Requests for which a node asks something first, or many shards.
@Suite struct RequestDeskWorkflowsTests {
  private let a = Counter.member(of: PartWorld.one)
  private let b = Counter.member(of: PartWorld.two)

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
}
