import Base
import Raft
import Testing

@testable import Cluster

/// The small parts of which links are made: no link, no clock, no other node.
@Suite struct LinkPartsTests {
  // MARK: Dials

  @Test func eachFailureDoublesTheWaitBeforeTheNextAttempt() {
    var dials = DialTable(own: "me:2", configured: ["a:2", "me:2"])
    var request: UInt64 = 0
    var waits: [UInt64] = []
    var now: UInt64 = 0
    for _ in 0..<7 {
      let before = now
      while true {
        let asked = request
        dials.tryAll(now: now) { _ in
          request += 1
          return request
        }
        if request > asked { break }
        now += 10_000
      }
      waits.append(now - before)
      #expect(dials.failed(request, now: now) == "a:2")
    }
    #expect(waits == [0, 50_000, 100_000, 200_000, 400_000, 800_000, 1_000_000])
    #expect(request == 7, "its own address is not dialled")
  }

  @Test func anAddressThatLeadsToNobodyNewRestsUntilItIsNeeded() {
    var dials = DialTable(own: "me:2", configured: ["a:2"])
    func attempts(_ now: UInt64) -> Int {
      var count = 0
      dials.tryAll(now: now) { _ in
        count += 1
        return 1
      }
      return count
    }
    #expect(attempts(0) == 1)
    #expect(dials.opened(1, LinkID(7), now: 0) == "a:2" && dials.opened(1, LinkID(8), now: 0) == nil)
    dials.isFutile(LinkID(7))
    dials.closed(LinkID(7), now: 0)
    #expect(attempts(10_000_000) == 0)
    dials.isNeeded("a:2")
    #expect(attempts(10_000_000) == 1)
  }

  @Test func whatTheOperatorConfiguredIsNotForgotten() {
    var dials = DialTable(own: "me:2", configured: ["a:2"])
    dials.add("b:2")
    dials.tryAll(now: 0) { $0 == "b:2" ? 2 : 1 }
    _ = dials.opened(2, LinkID(9), now: 0)
    #expect(dials.remove("a:2") == nil && dials.remove("b:2") == LinkID(9))
    #expect(dials.dials.map(\.address) == ["a:2"])
  }

  // MARK: The seat

  private func topology(_ ids: [UInt64]) -> Topology {
    let members = ids.map {
      NodeRecord(
        id: NodeID($0), name: "n\($0)", region: "r", clientAddress: "n\($0):1", peerAddress: "n\($0):2", state: .up)
    }
    return Topology(
      cluster: 9, hashKey: .none, nodes: members, directoryVoters: members.map(\.id), shards: [], version: 1)
  }

  @Test func aSeatTakesAMajorityAndWaitsAWhileForTheRest() {
    let seat = Seat(since: 1_000)
    let all = topology([1, 2, 3])
    func may(_ welcoming: Set<NodeID>, at address: String = "n1:2", after wait: UInt64 = 0) -> Bool {
      seat.mayBeTaken(by: NodeID(1), at: address, in: all, welcoming: welcoming, now: 1_000 + wait)
    }
    #expect(seat.mayBeTaken(by: NodeID(1), at: "", in: nil, welcoming: [], now: 1_000), "there is no cluster")
    #expect(!may([], after: 10 * Seat.patience), "one of three is no majority, however long it waits")
    #expect(!may([NodeID(2)]) && may([NodeID(2)], after: Seat.patience))
    #expect(may([NodeID(2), NodeID(3)]))
    #expect(!may([NodeID(2), NodeID(3)], at: "elsewhere:2"), "the node itself may run where it ran before")
    #expect(may([NodeID(2), NodeID(3)], at: "elsewhere:2", after: Seat.patience))
    #expect(!may([NodeID(2)], at: "elsewhere:2", after: 10 * Seat.patience), "node 3 may have promised it to another")
    func mayWithout(_ lost: [String], _ welcoming: Set<NodeID> = []) -> Bool {
      seat.mayBeTaken(by: NodeID(1), at: "n1:2", in: all, welcoming: welcoming, lost: lost, now: 1_000)
    }
    #expect(mayWithout(["n2", "3"]) && mayWithout(["n2"], [NodeID(3)]))
    #expect(!mayWithout(["n2"]) && !mayWithout(["n1", "n2"]) && !mayWithout(["n4"], [NodeID(2)]))
  }

  /// Neither beside the node itself nor beside another copy.
  @Test func noCopyHasEnoughBesideAnother() {
    for voters in 1...9 {
      let home = Seat.needed(of: voters - 1, isVoter: true, isMoved: false)
      let moved = Seat.needed(of: voters - 1, isVoter: true, isMoved: true)
      #expect(home == voters / 2, "of \(voters)")
      #expect(voters == 1 || home + moved > voters - 1 && 2 * moved > voters - 1, "of \(voters)")
    }
    #expect(Seat.needed(of: 3, isVoter: false, isMoved: true) == 2)
  }

  @Test func aPromiseExcludesOthersUntilItIsNotRenewed() {
    let (a, b) = (LifeID(incarnation: 1, nonce: 1), LifeID(incarnation: 2, nonce: 1))
    var promise = SeatPromise(to: b, isMoved: true, now: 0)
    #expect(promise.excludes(a, now: SeatPromise.hold - 1) && !promise.excludes(b, now: 0))
    #expect(!promise.excludes(a, now: SeatPromise.hold))
    // Both ask ten times a second: who has it when, and until when it was last renewed.
    var turns: [(of: LifeID, from: UInt64, to: UInt64)] = []
    for now in stride(from: UInt64(0), through: 28_000_000, by: 100_000) {
      for life in [b, a] where promise.grants(life, isMoved: true, isKeeping: false, now: now) {
        #expect(!promise.excludes(life, now: now + Seat.lease))
        if turns.last?.of != life { turns.append((life, now, now)) }
        turns[turns.count - 1].to = now
      }
    }
    #expect(turns.map(\.of) == [b, a, b])
    #expect(turns[0].to - turns[0].from < SeatPromise.turn)
    #expect(turns[1].to - turns[1].from >= SeatPromise.longTurn - 200_000, "whoever began first has the longer turn")
    for (before, next) in zip(turns, turns.dropFirst()) { #expect(next.from - before.to >= SeatPromise.hold) }
    // Nobody else asks any more.
    let last = turns[2].of
    for now in stride(from: UInt64(40_000_000), through: 80_000_000, by: 100_000) {
      let isGranted = promise.grants(last, isMoved: true, isKeeping: false, now: now)
      #expect(isGranted, "at \(now)")
    }
  }
  @Test func aPromiseIsKeptWhileTheDiskNotesTheSeatAndGoesFirstToWhoIsWhereItWas() {
    let (a, b) = (LifeID(incarnation: 1, nonce: 1), LifeID(incarnation: 2, nonce: 1))
    var promise = SeatPromise(to: a, isMoved: true, now: 0)
    let isGranted = promise.grants(b, isMoved: false, isKeeping: false, now: 0)
    let isRenewed = promise.grants(a, isMoved: true, isKeeping: false, now: SeatPromise.turn)
    let isKept = promise.grants(a, isMoved: true, isKeeping: true, now: SeatPromise.turn)
    #expect(!isGranted && !isRenewed && isKept)
  }

  private func hello(_ incarnation: UInt64, after predecessor: UInt64, at address: String = "n5:2") -> Hello {
    var hello = Hello(
      node: NodeID(5), name: "n5", region: "r", clientAddress: "n5:1", peerAddress: address, version: "0", cluster: 9)
    hello.life = LifeID(incarnation: incarnation, nonce: incarnation)
    hello.predecessor = LifeID(incarnation: predecessor, nonce: predecessor)
    hello.logPosition = 100
    return hello
  }
  private func verdict(_ hello: Hello, _ peer: Peer?, record: NodeRecord? = nil, at now: UInt64 = 10_000_000)
    -> SeatVerdict
  {
    SeatVerdict.judge(
      hello, greetedAt: now, peer: peer, record: record, now: Moment(monotonic: now, wall: .zero))
  }

  @Test func aLifeFollowsTheOneThatItKnows() {
    let peer = Peer(id: NodeID(5), index: 1, hello: hello(10, after: 9))
    peer.life = peer.hello.life
    peer.incoming = LinkID(3)
    peer.lastHeard = 9_999_999
    #expect(verdict(hello(10, after: 9), peer) == .welcome)
    #expect(verdict(hello(11, after: 10), nil) == .welcome, "nobody knows of another")
    #expect(verdict(hello(11, after: 10), peer) == .wait, "the one before was heard a moment ago")
    #expect(verdict(hello(11, after: 10), peer, at: 9_999_999 + SeatVerdict.vacantAfter) == .welcome)
    #expect(verdict(hello(11, after: 9), peer) == .superseded(peer.hello), "it lives on a copy")
    var seated = hello(11, after: 10)
    seated.isSeated = true
    #expect(verdict(seated, peer) == .welcome, "enough others have given the one before up")
    peer.isGivenUp = true
    #expect(verdict(hello(11, after: 10), peer) == .welcome && verdict(hello(10, after: 9), peer) == .givenUp)
    peer.isGivenUp = false
    peer.incoming = nil
    #expect(verdict(hello(11, after: 10), peer) == .welcome, "it has taken the place of the one before")
  }

  /// Whoever has just begun has not heard those who are there.
  @Test func aNodeThatHasJustBegunListensBeforeItWelcomesAMovedOne() {
    let record = topology([5]).nodes[0]
    func verdict(_ hello: Hello, after wait: UInt64) -> SeatVerdict {
      SeatVerdict.judge(
        hello, greetedAt: 1, peer: nil, record: record, since: 1, now: Moment(monotonic: 1 + wait, wall: .zero))
    }
    let moved = hello(11, after: 10, at: "elsewhere:2")
    #expect(verdict(moved, after: SeatVerdict.vacantAfter - 1) == .wait)
    #expect(verdict(moved, after: SeatVerdict.vacantAfter) == .welcome)
    #expect(verdict(hello(11, after: 10), after: 0) == .welcome, "it is where it was")
  }

  @Test func aCopyOfOlderDataIsTurnedAway() {
    let peer = Peer(id: NodeID(5), index: 1, hello: hello(10, after: 9))
    peer.life = peer.hello.life
    peer.logPosition = 101
    let copy = hello(11, after: 10, at: "elsewhere:2")
    #expect(verdict(copy, peer) == .superseded(peer.hello))
    peer.logPosition = 100
    #expect(verdict(copy, peer) == .welcome)
    peer.lastEcho = 10_000_001
    #expect(verdict(copy, peer) == .superseded(peer.hello), "the one on the seat has heard what was said since")
    var record = topology([5]).nodes[0]
    record.life = LifeID(incarnation: 20, nonce: 1)
    guard case .superseded(let holder) = verdict(hello(10, after: 9), peer, record: record) else {
      Issue.record("the directory knows a later life")
      return
    }
    #expect(holder.peerAddress == "n5:2")
  }

  // MARK: What is known of members

  @Test func theDirectoryTellsWhoIsAMemberAndAPromiseWhoWillBe() {
    let membership = Membership(me: .for(NodeID(1)))
    var plan = topology([1, 2])
    plan.nodes[1].proof = Proof(2, 2)
    membership.promised = plan
    #expect(membership.proof(of: NodeID(2)) == Proof(2, 2) && !membership.belongs(NodeID(2)))
    plan.nodes[1].proof = Proof(3, 3)
    #expect(membership.follow(plan, first: plan) && !membership.follow(plan, first: plan))
    #expect(membership.proof(of: NodeID(2)) == Proof(3, 3), "the directory's record counts more")
    #expect(membership.belongs(NodeID(2)) && membership.header.cluster == 9)
  }

  // MARK: What waits on a link

  private func append(_ index: UInt64, entries: Int) -> Message {
    var message = Message(
      .append, from: ReplicaID(node: NodeID(1), born: 0), to: ReplicaID(node: NodeID(2), born: 0), term: Term(1),
      index: LogIndex(index))
    message.entries = (0..<entries).map {
      LogEntry(index: LogIndex(index + 1 + UInt64($0)), term: Term(1), payload: [UInt8](repeating: 1, count: 1_000))
    }
    return message
  }

  @Test func entriesWaitForRoomAndHeartbeatsNever() {
    var queue = LinkQueue()
    let shard = ShardID(1)
    #expect(queue.holds(append(1, entries: 1), of: shard, outbox: 0) == false, "there is room")
    #expect(queue.holds(append(1, entries: 1), of: shard, outbox: LinkBudget.floor) == true)
    #expect(queue.holds(append(9, entries: 0), of: ShardID(2), outbox: LinkBudget.floor) == false)
    #expect(queue.holds(append(9, entries: 0), of: shard, outbox: 0) == true, "it would overtake what waits")
    #expect(queue.holds(append(2, entries: 1), of: ShardID(2), outbox: 0) == true, "others wait already")
    #expect(queue.next(outbox: LinkBudget.floor) == nil)
    #expect(queue.next(outbox: 0) == .appends(shard))
    let (message, isLast) = queue.takeAppend(of: shard)
    #expect(message?.index == LogIndex(1) && isLast)
    queue.served(.appends(shard), bytes: 1_000, hasMore: false)
    #expect(queue.next(outbox: 0) == .appends(ShardID(2)))
  }

  /// However much the link may carry, others are served between one mebibyte and the next.
  @Test func oneTurnSendsNoMoreThanItsShare() {
    var queue = LinkQueue()
    var received: UInt64 = 0
    // A quick link, and always something that waits.
    for now in 1...40 as ClosedRange<UInt64> {
      queue.budget.isWanted()
      queue.budget.sends(queue.budget.allowance, now: now * 1_000)
      received += UInt64(queue.budget.inFlight)
      queue.budget.acknowledge(received, now: now * 1_000 + 1)
    }
    #expect(queue.budget.allowance > 4 << 20)
    #expect(!queue.wantsTurn && queue.hasRoom(outbox: 1 << 19) && !queue.hasRoom(outbox: 1 << 20))
    #expect(queue.holds(append(1, entries: 1), of: ShardID(1), outbox: 1 << 20) && queue.wantsTurn)
  }

  @Test func whatWasReceivedIsToldOnce() {
    var received = ReceivedBytes()
    #expect(received.takeWord() == nil)
    received.note(100)
    #expect(!received.isWordOwed && received.takeWord() == 100 && received.takeWord() == nil)
    received.note(Int(ReceivedBytes.untoldMax))
    #expect(received.isWordOwed)
  }

  // MARK: How a node does

  @Test func aConditionIsReadAsItWasWritten() throws {
    var condition = NodeCondition()
    condition.disk = DiskCondition(
      isFull: true, lacksDescriptors: true, figures: DiskCondition.Figures(free: 1, log: 2, pinned: 3),
      syncTime: 2_500)
    condition.memory = .over
    condition.isForgettingEarly = true
    condition.poisons = [PoisonedShard(shard: ShardID(3), index: LogIndex(4), kind: "EARN")]
    condition.replaying = [ShardID(1), ShardID(7)]
    condition.logPosition = .max
    var buffer = ByteBuffer()
    condition.encode(into: &buffer)
    var reader = ByteReader(buffer.bytes)
    #expect(try NodeCondition(decoding: &reader) == condition && reader.isAtEnd)
  }
  @Test func whatIsNoWordIsNotPassedOn() throws {
    var condition = NodeCondition()
    condition.poisons = [PoisonedShard(shard: ShardID(3), index: LogIndex(4), kind: "no word")]
    var buffer = ByteBuffer()
    condition.encode(into: &buffer)
    var reader = ByteReader(buffer.bytes)
    #expect(try NodeCondition(decoding: &reader).poisons.first?.kind == "UNKNOWN")
  }
}

extension NodeIdentity {
  /// One that has just been born.
  static func `for`(_ node: NodeID, incarnation: UInt64 = 1) -> NodeIdentity {
    NodeIdentity(
      id: node, proof: Proof(node.rawValue, 99), life: LifeID(incarnation: incarnation, nonce: node.rawValue),
      predecessor: .none, fence: 0, newHashKey: HashKey(low: node.rawValue, high: 2))
  }
}
