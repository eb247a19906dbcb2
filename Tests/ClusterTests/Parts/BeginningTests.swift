import Base
import Protocol
import Testing

@testable import Cluster

/// How a cluster begins, at one node, whose disk and peers are played by hand.
private final class Beginner {
  let turn = Turn(now: Moment(monotonic: 1_000_000, wall: Stamp(microseconds: 1_000_000)))
  let membership: Membership
  let peers: PeerTable
  let beginning: Beginning
  let owner = EdgeItem.Owner(client: 1, generation: 1, slot: 1)
  private(set) var begun: [Topology] = []
  private(set) var answers: [String] = []

  init(_ id: UInt64, others: [UInt64]) {
    membership = Membership(me: .for(NodeID(id)))
    func hello(_ id: UInt64) -> Hello {
      Hello(
        node: NodeID(id), name: "n\(id)", region: "r\(id)", clientAddress: "n\(id):1", peerAddress: "n\(id):2",
        version: "0", cluster: 0)
    }
    peers = PeerTable(own: hello(id))
    beginning = Beginning(turn: turn, membership: membership, peers: peers, requestTimeout: 5_000_000)
    for other in others {
      let peer = peers.add(hello(other), isMember: false)
      peer.introduction = Proof(other, 99)
      peer.outgoing = LinkID(other)
      peer.incoming = LinkID(100 + other)
      peer.lastHeard = turn.now.monotonic
    }
  }

  /// What the disk is given; all of it is kept.
  func keepPromises() -> [[UInt8]?] {
    var kept: [[UInt8]?] = []
    while let i = turn.out.jobs.firstIndex(where: { if case .keepPromise = $0 { true } else { false } }) {
      if case .keepPromise(let bytes) = turn.out.jobs.remove(at: i) { kept.append(bytes) }
      beginning.promiseKept()
    }
    return kept
  }
  func quiesce() {
    for event in beginning.takeEvents() {
      switch event {
      case .begin(let topology):
        begun.append(topology)
        _ = membership.follow(topology, first: topology)
        beginning.waits(membership.me.id, for: 1)
      case .confirm(let peer, let cluster):
        if membership.cluster == cluster { beginning.waits(peer, for: 1) }
      case .answer(_, let reply):
        answers.append(reply.withUnsafeBytes { RecordView($0).tag } == .error ? "error" : "ok")
      case .refuse(_, let code, let reason): answers.append("\(code) \(reason)")
      case .dial(let address): answers.append("dial \(address)")
      case .restore: break
      }
    }
  }
  func wait(_ microseconds: UInt64) {
    turn.now.monotonic += microseconds
    for peer in peers.others where peer.isConnected { peer.lastHeard = turn.now.monotonic }
    beginning.advance()
    quiesce()
  }
  /// What peers are told, by kind; and no more.
  func said(to id: UInt64) -> [PeerMessageKind] {
    guard let peer = peers[NodeID(id)] else { return [] }
    var messages = PeerMessages(peer.outbox.bytes, ofStrangersOnly: false)
    var kinds: [PeerMessageKind] = []
    while let (kind, _) = try? messages.next() { kinds.append(kind) }
    peer.outbox.removeAll()
    return kinds
  }
  /// - Parameter hasDirectory: its directory's replica is here, though it has not told of a cluster yet.
  func hear(
    _ kind: PeerMessageKind, from id: UInt64, hasDirectory: Bool = false, _ write: (inout ByteBuffer) -> Void
  ) throws {
    var body = ByteBuffer()
    write(&body)
    var reader = ByteReader(body.bytes)
    let peer = try #require(peers[NodeID(id)])
    try beginning.receive(kind, &reader, from: peer, mayBegin: membership.cluster == 0 && !hasDirectory)
    quiesce()
  }
  func initialise(_ shards: Int = 1) {
    beginning.initialise(
      owner, ClusterFigures(shards: shards, replicas: 3, allowSingleRegion: false), isTrial: false)
    quiesce()
  }
}

@Suite struct BeginningTests {
  @Test func aClusterBeginsOnceAllHavePromisedAndTheirWordIsDurable() throws {
    let node = Beginner(1, others: [2, 3])
    node.initialise()
    let plan = try #require(node.beginning.plan)
    node.wait(Beginning.proposalInterval)
    #expect(node.said(to: 2).isEmpty, "its own promise is not durable yet")
    #expect(node.keepPromises().count == 1)
    #expect(node.said(to: 2) == [.propose] && node.said(to: 3) == [.propose])
    try node.hear(.promised, from: 2) { $0.append(plan.cluster) }
    #expect(node.begun.isEmpty)
    try node.hear(.promised, from: 3) { $0.append(plan.cluster) }
    #expect(node.begun == [plan.topology] && node.answers.isEmpty)
    node.wait(Beginning.proposalInterval)
    #expect(node.said(to: 2).isEmpty, "what began it is not durable here")
    node.beginning.durable(through: 1)
    #expect(node.keepPromises() == [nil], "it is promised to nothing any more")
    node.wait(Beginning.proposalInterval)
    #expect(node.said(to: 2) == [.bootstrap])
    try node.hear(.bootstrapDone, from: 2) { _ in }
    #expect(node.answers.isEmpty)
    try node.hear(.bootstrapDone, from: 3) { _ in }
    #expect(node.answers == ["ok"])
    node.initialise()
    node.initialise(2)
    #expect(node.answers.count == 3 && node.answers[1] == "ok" && node.answers[2].hasPrefix("exists"))
  }

  @Test func whoeverDoesNotAnswerInTimeEndsThePlan() throws {
    let node = Beginner(1, others: [2, 3])
    node.initialise()
    let plan = try #require(node.beginning.plan)
    _ = node.keepPromises()
    try node.hear(.promised, from: 2) { $0.append(plan.cluster) }
    node.wait(4_000_000)
    #expect(node.answers == ["unavailable no answer from n3; no cluster has been made, nothing has changed: try again"])
    #expect(node.begun.isEmpty && node.beginning.plan == nil)
    #expect(node.said(to: 2).last == .abandoned)
  }

  @Test func aPromiseIsKeptWhateverOthersPropose() throws {
    let node = Beginner(3, others: [1, 2])
    let topology = try Beginner(1, others: [2, 3]).plan()
    try node.hear(.propose, from: 1) { topology.encode(into: &$0) }
    #expect(node.said(to: 1).isEmpty, "nobody hears of it before it is durable")
    #expect(node.keepPromises().count == 1 && node.said(to: 1) == [.promised])
    let rival = try Beginner(2, others: [1, 3]).plan()
    try node.hear(.propose, from: 2) { rival.encode(into: &$0) }
    #expect(node.said(to: 2) == [.declined] && node.beginning.plan == topology)
    node.initialise()
    #expect(node.answers.isEmpty, "whoever asks here waits for what comes of it")
    try node.hear(.abandoned, from: 1) { $0.append(topology.cluster) }
    #expect(node.beginning.plan == nil && node.answers.first?.hasPrefix("unavailable node n1 gave up") == true)
  }

  @Test func whoMadeAPlanAloneProposesItAndGivesItUp() throws {
    let node = Beginner(3, others: [1, 2])
    let plan = try Beginner(1, others: [2, 3]).plan()
    try node.hear(.propose, from: 2) { plan.encode(into: &$0) }
    #expect(node.beginning.plan == nil && node.keepPromises().isEmpty)
    try node.hear(.propose, from: 1) { plan.encode(into: &$0) }
    _ = node.keepPromises()
    try node.hear(.abandoned, from: 2) { $0.append(plan.cluster) }
    try node.hear(.abandoned, from: 1) { $0.append(plan.cluster &+ 2) }
    #expect(node.beginning.plan == plan)
    try node.hear(.abandoned, from: 1) { $0.append(plan.cluster) }
    #expect(node.beginning.plan == nil)
  }

  @Test func aPromiseCountsForItsPlanAlone() throws {
    let node = Beginner(1, others: [2, 3])
    let plan = try node.plan()
    _ = node.keepPromises()
    try node.hear(.promised, from: 2) { $0.append(plan.cluster &+ 2) }
    try node.hear(.promised, from: 3) { $0.append(plan.cluster) }
    #expect(node.begun.isEmpty)
    try node.hear(.promised, from: 2) { $0.append(plan.cluster) }
    #expect(node.begun.count == 1)
  }

  @Test func aNodeThatIsPromisedElsewhereIsAskedAgainAndAMemberEndsThePlan() throws {
    let node = Beginner(1, others: [2, 3])
    let plan = try node.plan()
    _ = node.keepPromises()
    func declined(by id: UInt64, isMember: Bool) throws {
      try node.hear(.declined, from: id) {
        $0.append(plan.cluster)
        $0.append(UInt8(isMember ? 1 : 0))
      }
    }
    try declined(by: 2, isMember: false)
    #expect(node.beginning.plan == plan && node.answers.isEmpty)
    try declined(by: 3, isMember: true)
    #expect(node.answers == ["exists node n3 belongs to a cluster already; it must not be named"])
    #expect(node.beginning.plan == nil && node.said(to: 2).last == .abandoned)
  }

  @Test func aMemberIsPromisedToNothingAndTellsWhatBecameOfAPlan() throws {
    let first = try Beginner(1, others: [2, 3]).plan()
    let node = Beginner(3, others: [1, 2])
    try node.hear(.planAsked, from: 2) { $0.append(first.cluster) }
    #expect(node.said(to: 2) == [.abandoned], "it knows of none")
    try node.hear(.bootstrap, from: 1) { first.topology.encode(into: &$0) }
    node.beginning.durable(through: 1)
    _ = node.keepPromises()
    let rival = try Beginner(2, others: [1, 3]).plan()
    try node.hear(.propose, from: 2) { rival.encode(into: &$0) }
    #expect(node.said(to: 2) == [.declined] && node.keepPromises().isEmpty && node.begun.count == 1)
    try node.hear(.planAsked, from: 2) { $0.append(first.cluster) }
    #expect(node.said(to: 2) == [.bootstrap])
  }

  @Test func ofTwoCoordinatorsTheHigherGivesWay() throws {
    let node = Beginner(2, others: [1, 3])
    node.initialise()
    let mine = try #require(node.beginning.plan)
    _ = node.keepPromises()
    for other in [1, 3] as [UInt64] { _ = node.said(to: other) }
    let other = try Beginner(1, others: [2, 3]).plan()
    try node.hear(.propose, from: 1) { other.encode(into: &$0) }
    #expect(node.beginning.plan == other && other != mine)
    #expect(node.said(to: 3) == [.abandoned])
    let higher = try Beginner(3, others: [1, 2]).plan()
    let low = Beginner(1, others: [2, 3])
    low.initialise()
    _ = low.keepPromises()
    _ = low.said(to: 3)
    try low.hear(.propose, from: 3) { higher.encode(into: &$0) }
    #expect(low.said(to: 3) == [.declined])
  }

  /// A write that found no room is owed, and made with what holds by then.
  @Test func aPromiseThatFoundNoRoomIsOwed() throws {
    let node = Beginner(3, others: [1, 2])
    let plan = try Beginner(1, others: [2, 3]).plan()
    try node.hear(.propose, from: 1) { plan.encode(into: &$0) }
    node.turn.out.jobs.removeAll()
    node.beginning.promise.waits()
    #expect(node.said(to: 1).isEmpty)
    node.beginning.promise.writeOwed(&node.turn.out)
    node.beginning.promise.writeOwed(&node.turn.out)
    #expect(node.keepPromises().count == 1 && node.said(to: 1) == [.promised])
  }

  @Test func aPromiseIsVoidWhenItsCoordinatorStaysAway() throws {
    let node = Beginner(3, others: [1, 2])
    let plan = try Beginner(1, others: [2, 3]).plan()
    try node.hear(.propose, from: 1) { plan.encode(into: &$0) }
    _ = node.keepPromises()
    _ = node.said(to: 1)
    node.wait(500_000)
    #expect(node.said(to: 1) == [.planAsked])
    node.peers[NodeID(1)]?.incoming = nil
    node.wait(Promise.limit - 1)
    #expect(node.beginning.plan == plan)
    node.wait(500_000)
    #expect(node.beginning.plan == nil)
  }

  @Test func aPromiseOutlivesItsProcessUnlessItIsItsOwnPlan() throws {
    let plan = try Beginner(1, others: [2, 3]).plan()
    var bytes = ByteBuffer()
    plan.encode(into: &bytes)
    let other = Beginner(3, others: [1])
    other.beginning.recover(promise: bytes.array)
    #expect(other.beginning.plan == plan && other.membership.proof(of: NodeID(2)) == Proof(2, 99))
    let own = Beginner(1, others: [3])
    own.beginning.recover(promise: bytes.array)
    #expect(own.beginning.plan == nil && own.keepPromises() == [nil])
  }

  @Test func whoeverWasHeardOfIsWaitedFor() throws {
    let node = Beginner(1, others: [2, 3])
    try node.hear(.acquaintances, from: 2) {
      $0.append(UInt64(4))
      $0.append(counted: "n4:2")
    }
    #expect(node.answers == ["dial n4:2"])
    node.initialise()
    #expect(node.beginning.plan == nil && node.beginning.missing == ["a node at n4:2"])
    node.wait(4_000_000)
    #expect(node.answers.last?.hasPrefix("unavailable not in reach: a node at n4:2") == true)
    node.wait(Acquaintances.limit)
    #expect(node.beginning.missing.isEmpty)
  }

  @Test func aMemberThatMissedTheBeginningIsToldOfIt() throws {
    let first = try Beginner(1, others: [2, 3]).plan().topology
    let node = Beginner(3, others: [1])
    try node.hear(.bootstrap, from: 1, hasDirectory: true) { first.encode(into: &$0) }
    #expect(node.begun.isEmpty, "it has begun, and does not know it yet")
    try node.hear(.bootstrap, from: 1) { first.encode(into: &$0) }
    #expect(node.begun == [first] && node.said(to: 1).isEmpty)
    node.beginning.durable(through: 1)
    #expect(node.said(to: 1) == [.bootstrapDone])
    try node.hear(.bootstrap, from: 1) { first.encode(into: &$0) }
    #expect(node.begun.count == 1, "once is enough")
  }
}

extension Beginner {
  /// Its plan.
  fileprivate func plan() throws -> ClusterPlan {
    initialise()
    return try #require(beginning.plan)
  }
}
