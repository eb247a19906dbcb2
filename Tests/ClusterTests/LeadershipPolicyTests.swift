import Base
import Raft
import Testing

@testable import Cluster

/// Who is to lead, from facts alone.
@Suite struct LeadershipPolicyTests {
  typealias Policy = LeadershipPolicy
  private static let near = NodeID(2)
  private static let far = NodeID(3)

  private static func candidate(
    _ id: NodeID, match: UInt64 = 100, isNear: Bool = true, _ ailments: Policy.Ailments = []
  ) -> Policy.Candidate {
    Policy.Candidate(id: id, match: LogIndex(match), isNear: isNear, ailments: ailments)
  }
  private static let voters = [candidate(near), candidate(far, match: 99, isNear: false)]
  private static let leader = Policy.ShardFacts(isLeader: true)

  private static func node(_ change: (inout Policy.NodeFacts) -> Void) -> Policy.NodeFacts {
    var facts = Policy.NodeFacts()
    change(&facts)
    return facts
  }
  private static func shard(_ change: (inout Policy.ShardFacts) -> Void) -> Policy.ShardFacts {
    var facts = leader
    change(&facts)
    return facts
  }

  struct Case: CustomTestStringConvertible {
    var what: String
    var node = Policy.NodeFacts()
    var shard = LeadershipPolicyTests.leader
    var voters = LeadershipPolicyTests.voters
    var decision: Policy.Decision
    var testDescription: String { what }
  }

  // MARK: A leader

  static let cases: [Case] = [
    Case(what: "all is well", decision: .lead),
    // Nobody takes what it proposes.
    Case(what: "its clock is off", node: node { $0.clockOffFor = 0 }, decision: .offer(to: near, .clock)),
    Case(
      what: "its clock is off, and one that is far behind is all there is", node: node { $0.clockOffFor = 0 },
      voters: [voters[1]], decision: .offer(to: far, .clock)),
    Case(
      what: "its clock is off, and it is alone", node: node { $0.clockOffFor = 0 }, voters: [],
      decision: .refuse(.clock)),
    Case(
      what: "its clock has been off for long", node: node { $0.clockOffFor = Policy.handOver },
      decision: .stepDown(.clock)),
    Case(
      what: "its entries are ahead for a moment", shard: shard { $0.aheadFor = Policy.handOver - 1 }, decision: .lead),
    Case(
      what: "its entries are ahead for long", shard: shard { $0.aheadFor = Policy.handOver },
      decision: .stepDown(.future)),
    Case(
      what: "entries ahead count more than a clock", node: node { $0.clockOffFor = Policy.handOver },
      shard: shard { $0.aheadFor = Policy.handOver }, decision: .stepDown(.future)),
    // Another is to take its place, or it is to lead nothing.
    Case(what: "its replica leaves", shard: shard { $0.isLeaving = true }, decision: .offer(to: near, .leaving)),
    Case(
      what: "its replica leaves, and all others are drained", shard: shard { $0.isLeaving = true },
      voters: [candidate(near, [.draining]), candidate(far, match: 200, [.draining, .unlinked])],
      decision: .offer(to: near, .leaving)),
    Case(what: "it is drained", node: node { $0.isDraining = true }, decision: .offer(to: near, .draining)),
    Case(
      what: "it is drained, and so are all others", node: node { $0.isDraining = true },
      voters: [candidate(near, [.draining])], decision: .lead),
    // Its node ends.
    Case(what: "it stops", node: node { $0.isStopping = true }, decision: .offer(to: near, .stopping)),
    Case(
      what: "it stops, and nobody is well", node: node { $0.isStopping = true },
      voters: [candidate(near, [.slowDisk]), candidate(far, match: 200, [.unlinked])],
      decision: .offer(to: near, .stopping)),
    Case(
      what: "it stops, and nobody can be reached", node: node { $0.isStopping = true },
      voters: [candidate(near, [.mute, .slowDisk]), candidate(far, [.damaged])], decision: .lead),
    Case(
      what: "it stops with a clock that is off and nobody who is fit",
      node: node {
        $0.isStopping = true
        $0.clockOffFor = 0
      }, voters: [candidate(near, [.fullDisk])], decision: .offer(to: near, .stopping)),
    Case(
      what: "it stops, and its disk is full: no more is offered than before",
      node: node {
        $0.isStopping = true
        $0.isDiskFull = true
      }, voters: [], decision: .lead),
    // Another would serve better.
    Case(what: "its disk is slow", node: node { $0.isDiskSlow = true }, decision: .offer(to: near, .slowDisk)),
    Case(what: "its disk is full", node: node { $0.isDiskFull = true }, decision: .offer(to: near, .fullDisk)),
    Case(what: "its log is blocked", node: node { $0.isLogBlocked = true }, decision: .offer(to: near, .blockedLog)),
    Case(what: "its memory is over", node: node { $0.isMemoryOver = true }, decision: .offer(to: near, .memory)),
    Case(
      what: "its journal is rotten", shard: shard { $0.isJournalRotten = true },
      decision: .offer(to: near, .rottenJournal)),
    Case(
      what: "the gravest want is told",
      node: node {
        $0.isMemoryOver = true
        $0.isDiskFull = true
        $0.isDiskSlow = true
      }, decision: .offer(to: near, .slowDisk)),
    Case(
      what: "it offered a moment ago", node: node { $0.isDiskFull = true }, shard: shard { $0.mayOffer = false },
      decision: .lead),
    Case(
      what: "nobody near is better off", node: node { $0.isDiskFull = true }, voters: [voters[1]], decision: .lead),
    Case(
      what: "a full disk goes to who lacks but memory", node: node { $0.isDiskFull = true },
      voters: [candidate(near, [.memory])], decision: .offer(to: near, .fullDisk)),
    Case(
      what: "a lack of memory does not", node: node { $0.isMemoryOver = true }, voters: [candidate(near, [.memory])],
      decision: .lead),
    Case(
      what: "who is well comes before who has more of the log", node: node { $0.isDiskFull = true },
      voters: [candidate(near, match: 200, [.memory]), candidate(far, match: 1)],
      decision: .offer(to: far, .fullDisk)),
    // Its place is elsewhere.
    Case(what: "an operation wants another", shard: shard { $0.ordered = near }, decision: .offer(to: near, .ordered)),
    Case(what: "the one that it wants is far behind", shard: shard { $0.ordered = far }, decision: .lead),
    Case(
      what: "the one that it wants is ill", shard: shard { $0.ordered = near },
      voters: [candidate(near, [.fullDisk]), candidate(far)], decision: .lead),
    Case(
      what: "an operation counts more than home, also while it waits",
      shard: shard {
        $0.ordered = far
        $0.home = near
      }, decision: .lead),
    Case(
      what: "an operation has offered a moment ago",
      shard: shard {
        $0.ordered = near
        $0.mayOffer = false
      }, decision: .lead),
    Case(
      what: "an operation counts less than a want", node: node { $0.isDiskFull = true },
      shard: shard { $0.ordered = far },
      voters: [candidate(near), candidate(far, match: 99)], decision: .offer(to: near, .fullDisk)),
    Case(what: "home is elsewhere", shard: shard { $0.home = near }, decision: .offer(to: near, .home)),
    Case(what: "home is far behind", shard: shard { $0.home = far }, decision: .lead),
    Case(
      what: "home has not been heard", shard: shard { $0.home = near }, voters: [candidate(near, [.quiet])],
      decision: .lead),
    Case(
      what: "home lacks memory", shard: shard { $0.home = near }, voters: [candidate(near, [.memory])], decision: .lead),
    Case(
      what: "home counts less than a want",
      node: node { $0.isDiskSlow = true },
      shard: shard { $0.home = far }, voters: [candidate(near), candidate(far, match: 99)],
      decision: .offer(to: near, .slowDisk)),
    Case(
      what: "it goes home while it may not offer for a want", node: node { $0.isDiskSlow = true },
      shard: shard {
        $0.home = near
        $0.mayOffer = false
      }, decision: .offer(to: near, .home)),
    // It must not lead, and nobody can take over.
    Case(what: "it is poisoned", shard: shard { $0.isPoisoned = true }, decision: .refuse(.poison)),
    Case(what: "it rests", shard: shard { $0.isResting = true }, decision: .refuse(.future)),
  ]

  @Test(arguments: cases) func aLeaderGoesAsThingsStand(_ given: Case) {
    let decision = LeadershipPolicy.decide(given.node, given.shard) { given.voters }
    #expect(decision == given.decision)
  }

  // MARK: A follower

  @Test func aFollowerIsOnlyToldThatItMustNotLead() {
    func follower(_ change: (inout Policy.ShardFacts) -> Void = { _ in }) -> Policy.ShardFacts {
      var facts = Policy.ShardFacts()
      change(&facts)
      return facts
    }
    func decide(_ node: Policy.NodeFacts, _ shard: Policy.ShardFacts) -> Policy.Decision {
      Policy.decide(node, shard) {
        Issue.record("nobody is to take over what is not led here")
        return []
      }
    }
    #expect(decide(.init(), follower()) == .lead)
    #expect(decide(Self.node { $0.clockOffFor = 0 }, follower()) == .refuse(.clock))
    #expect(decide(Self.node { $0.isDiskSlow = true }, follower()) == .refuse(.slowDisk))
    #expect(decide(.init(), follower { $0.isResting = true }) == .refuse(.future))
    #expect(decide(.init(), follower { $0.isPoisoned = true }) == .refuse(.poison))
    // These would serve badly, and better than nobody.
    let poor = Self.node {
      $0.isDiskFull = true
      $0.isLogBlocked = true
      $0.isMemoryOver = true
      $0.isStopping = true
    }
    #expect(decide(poor, follower { $0.isJournalRotten = true }) == .lead)
  }

  @Test func aSlowDiskIsNoReasonToStopLeading() {
    let slow = Self.node { $0.isDiskSlow = true }
    #expect(Policy.refusal(slow, Policy.ShardFacts(isLeader: false)) == .slowDisk)
    #expect(Policy.refusal(slow, Policy.ShardFacts(isLeader: true)) == nil)
  }

  // MARK: Heirs

  @Test(arguments: [
    Policy.Ailments.unlinked, .clock, .fullDisk, .slowDisk, .descriptors, .corrupt, .replaying, .poisoned, .damaged,
  ])
  func whoeverIsIllInheritsNothing(_ ailment: Policy.Ailments) {
    let ill = Self.candidate(Self.near, match: 1_000, ailment)
    #expect(Policy.successor(among: [ill]) == nil)
    #expect(Policy.successor(among: [ill, Self.candidate(Self.far)]) == Self.far)
  }

  @Test func aLackOfMemoryIsTheLeastOfAilments() {
    let short = Self.candidate(Self.near, [.memory])
    #expect(Policy.successor(among: [short]) == Self.near)
    #expect(Policy.successor(among: [short], orShortOfMemory: false) == nil)
    #expect(Policy.successor(among: [short, Self.candidate(Self.far, match: 1)]) == Self.far)
  }

  @Test func ofEqualsTheFirstInherits() {
    let voters = [Self.candidate(Self.far), Self.candidate(Self.near), Self.candidate(NodeID(4), match: 99)]
    #expect(Policy.successor(among: voters) == Self.far)
  }

  // MARK: What is remembered

  @Test func entriesAheadAreCountedFromTheFirstTimeAndRestEndsByItself() {
    var record = LeadershipRecord()
    record.note(isAhead: true, now: 100)
    record.note(isAhead: true, now: 200)
    #expect(record.aheadSince == 100)
    record.note(isAhead: false, now: 300)
    #expect(record.aheadSince == nil)
    record.note(isAhead: true, now: 400)
    record.rest(now: 500)
    #expect(record.isResting && record.aheadSince == nil)
    let end = 500 + 2 * Policy.handOver
    // What it holds is still ahead: it is looked at again after the rest.
    record.note(isAhead: true, now: end - 1)
    #expect(record.isResting && record.aheadSince == nil)
    record.note(isAhead: true, now: end)
    #expect(!record.isResting && record.aheadSince == nil)
    record.note(isAhead: true, now: end + 1)
    #expect(record.aheadSince == end + 1)
  }

  @Test func anOfferIsFollowedByAPause() {
    var record = LeadershipRecord()
    record.offered(now: 10, pause: 5)
    #expect(record.nextOffer == 15)
  }

  @Test func thatThereIsNoLeaderIsToldAfterAWhileAndAgain() {
    var record = LeadershipRecord()
    var told: [UInt64] = []
    for now in stride(from: 100, through: 180, by: 10) as StrideThrough<UInt64> {
      // There is one for a moment.
      if record.note(isLeaderless: now != 120, for: 20, now: now) { told.append(now) }
    }
    #expect(told == [150, 170])
  }
}
