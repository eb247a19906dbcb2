import Base
import Raft
import Testing

@testable import Cluster

/// What comes next of a move, a drain and a removal, and who votes in the directory: without a cluster.
@Suite struct MovePlanTests {
  private static let nodes = (1...6).map { NodeID(UInt64($0)) }
  private static let names = ["east-1", "north-1", "west-1", "west-2", "north-2", "east-2"]
  private static let shard = ShardID(3)

  private static func topology(_ states: [NodeRecord.State] = []) -> Topology {
    let members = nodes.indices.map { i in
      NodeRecord(
        id: nodes[i], name: names[i], region: String(names[i].prefix { $0 != "-" }), clientAddress: "\(names[i]):1",
        peerAddress: "\(names[i]):2", state: i < states.count ? states[i] : .up)
    }
    let placements = (1...4).map { number in
      ShardPlacement(
        shard: ShardID(UInt32(number)), slots: SlotRanges([(number - 1) * 100..<number * 100]) ?? .none, epoch: 7,
        voters: Array(nodes[0..<3]), preferredLeader: nodes[0])
    }
    return Topology(
      cluster: 1, hashKey: .none, nodes: members, directoryVoters: Array(nodes[0..<3]), shards: placements, version: 5
    )
  }
  private static func group(
    _ voters: [Int] = [0, 1, 2], learners: [Int] = [], outgoing: [Int] = [], version: UInt64 = 9,
    match: [Int: UInt64] = [:], lag: [Int: UInt64] = [:], late: [Int: UInt64] = [:], silent: [Int] = [],
    damaged: [Int] = [], loading: [Int] = [], probed: [Int] = [], copied: [Int: UInt64] = [:], waiting: [Int] = [],
    bytes: UInt64 = 0
  ) throws -> GroupReport {
    func replicas(_ list: [Int]) -> [ReplicaID] { list.map { ReplicaID(node: nodes[$0], born: 1) } }
    let configuration = Configuration(
      voters: replicas(voters), outgoing: replicas(outgoing), learners: replicas(learners), version: version)
    // The first leads.
    let members = configuration.members.filter { $0.node != nodes[0] }.map { member in
      let i = Int(member.node.rawValue) - 1
      return GroupReport.MemberProgress(
        node: member.node, match: LogIndex(match[i] ?? 0), lag: lag[i] ?? 0, lagTime: late[i] ?? 0,
        isActive: !silent.contains(i), isDamaged: damaged.contains(i), isLoading: loading.contains(i),
        isFollowing: !loading.contains(i) && !probed.contains(i),
        copy: CopyProgress(
          copied: copied[i] ?? 0, bytes: copied[i] == nil ? 0 : 1_000, isWaiting: waiting.contains(i)))
    }
    var report = GroupReport(shard: shard, term: Term(4), configuration: configuration, members: members)
    report.bytes = bytes
    var buffer = ByteBuffer()
    report.encode(into: &buffer)
    var reader = ByteReader(buffer.bytes)
    #expect(try GroupReport(decoding: &reader) == report)
    return report
  }
  private static func record<Plan: OperationPlan>(_ plan: Plan, step: UInt32 = 0, expects: UInt64 = 0) -> Operation {
    var record = Operation(
      number: 31, kind: Plan.kind, params: OperationChild(plan).params, by: "operator",
      started: Stamp(microseconds: 1_000_000))
    (record.state, record.step, record.expects, record.holds) = (.running, step, expects, plan.holds)
    return record
  }

  // MARK: A move

  /// West's second node takes the place of its first.
  private func view(
    _ group: GroupReport?, step: UInt32 = 0, expects: UInt64 = 0, idle: UInt64 = 0,
    near: UInt64 = ShardMove.nearTime, in topology: Topology = topology()
  ) -> OperationView {
    let plan = ShardMove(shard: Self.shard, from: Self.nodes[2], to: Self.nodes[3])
    var view = OperationView(
      record: Self.record(plan, step: step, expects: expects), topology: topology, now: Stamp(microseconds: 1_812_000))
    view.shards[Self.shard] = .init(leader: Self.nodes[0], term: Term(4), isServed: true, group: group)
    view.idle = idle
    view.near = [Self.nodes[3]: near]
    if let group { view.groups.note(group) }
    return view
  }
  private func next(
    _ group: GroupReport?, step: UInt32 = 0, expects: UInt64 = 0, idle: UInt64 = 0,
    near: UInt64 = ShardMove.nearTime, in topology: Topology = topology()
  ) throws -> OperationAction {
    let view = view(group, step: step, expects: expects, idle: idle, near: near, in: topology)
    return try #require(view.record.plan).next(view)
  }

  @Test func aMoveGoesFromALearnerToAnExchange() throws {
    #expect(try next(nil) == .wait("shard 3 has no leader that tells of its group"))
    #expect(try next(Self.group()) == .run(step: 0, expects: 9))
    #expect(try next(Self.group(learners: [3], version: 10, lag: [3: 5_000]), expects: 9) == .run(step: 0, expects: 9))
    #expect(try next(Self.group(learners: [3], version: 10, loading: [3]), expects: 9) == .run(step: 0, expects: 9))
    #expect(try next(Self.group(learners: [3], version: 10, silent: [3]), expects: 9) == .run(step: 0, expects: 9))
    #expect(try next(Self.group(learners: [3], version: 10, probed: [3]), expects: 9) == .run(step: 0, expects: 9))
    #expect(try next(Self.group(learners: [3], version: 10, damaged: [3]), expects: 9) == .run(step: 0, expects: 9))
    #expect(
      try next(Self.group(learners: [3], version: 10, late: [3: 1_000_001]), expects: 9) == .run(step: 0, expects: 9),
      "a few entries, and these are old")
    let near = try Self.group(learners: [3], version: 10, lag: [3: 1_000], late: [3: 1_000_000])
    #expect(
      try next(near, expects: 9, near: ShardMove.nearTime - 1) == .run(step: 0, expects: 9), "not for long enough")
    #expect(try next(near, expects: 9) == .run(step: 1, expects: 10))
    let joint = try Self.group([0, 1, 3], outgoing: [0, 1, 2], version: 11)
    #expect(try next(joint, step: 1, expects: 10) == .run(step: 1, expects: 10))
    #expect(
      try next(Self.group([0, 1, 3], version: 12), step: 1, expects: 10)
        == .done("west-1 → west-2, configuration 12, took 812 ms"))
  }
  /// It may be exchanged as long as some leader may have read that it is to be: so the group has to drop it.
  @Test func aNewcomerThatIsLostBeforeTheExchangeIsDropped() throws {
    let lost = try Self.group(learners: [3], version: 10, silent: [3])
    #expect(try next(lost, step: 1, expects: 10) == .run(step: 1, expects: 10), "it may come back")
    #expect(try next(lost, step: 1, expects: 10, idle: ShardMove.patience) == .run(step: 2, expects: 10))
    let draining = Self.topology([.up, .up, .up, .draining])
    #expect(try next(lost, step: 1, expects: 10, in: draining) == .run(step: 2, expects: 10))
    let near = try Self.group(learners: [3], version: 10)
    #expect(try next(near, step: 1, expects: 10, in: draining) == .run(step: 1, expects: 10), "it completes")
    #expect(try next(near, step: 2, expects: 10) == .run(step: 2, expects: 10), "there is no way back")
    let plan = ShardMove(shard: Self.shard, from: Self.nodes[2], to: Self.nodes[3])
    let record = Self.record(plan, step: 2, expects: 10)
    #expect(plan.order(to: Self.shard, by: record) == ShardOrder(change: .drop(Self.nodes[3]), version: 10))
    #expect(!plan.mayBeCancelled(record))
    #expect(
      try next(Self.group(version: 11), step: 2, expects: 10)
        == .fail("west-2 was lost before it could take the place; nothing has changed"))
    // A leader that had not read of it was quicker.
    let joint = try Self.group([0, 1, 3], outgoing: [0, 1, 2], version: 11)
    #expect(try next(joint, step: 2, expects: 10) == .run(step: 2, expects: 10))
    guard case .done = try next(Self.group([0, 1, 3], version: 12), step: 2, expects: 10) else {
      return #expect(Bool(false))
    }
    // Before the exchange a node that is drained or removed gets nothing.
    for state in [NodeRecord.State.draining, .removed] {
      #expect(
        try next(near, expects: 9, in: Self.topology([.up, .up, .up, state]))
          == .fail("node west-2 is \(state.word); nothing has changed"))
    }
  }
  @Test func aMoveIsPlannedAnewFromWhatThereIs() throws {
    // Another change came between: the step goes on from that version.
    #expect(try next(Self.group(version: 11), expects: 9) == .run(step: 0, expects: 11))
    #expect(try next(Self.group(learners: [3], version: 12), step: 1, expects: 10) == .run(step: 1, expects: 12))
    #expect(try next(Self.group(version: 12), step: 1, expects: 10) == .run(step: 0, expects: 12))
  }
  @Test func aMoveWaitsForThoseWhoMustAnswerAndNotForWhoGoes() throws {
    #expect(try next(Self.group(learners: [3], version: 10, silent: [2]), expects: 9) == .run(step: 1, expects: 10))
    #expect(
      try next(Self.group(learners: [3], version: 10, silent: [1, 2]), expects: 9)
        == .wait("of shard 3 too few voters answer: not north-1, west-1"))
    #expect(
      try next(Self.group(learners: [3], version: 10, silent: [1]), expects: 9)
        == .wait("of shard 3 too few voters answer: not north-1"), "the newcomer is not counted on")
    #expect(
      try next(Self.group(learners: [3], version: 10, damaged: [1]), expects: 9)
        == .wait("of shard 3 too few voters answer: not north-1"))
  }
  @Test func aMoveThatGetsNowhereFails() throws {
    let behind = try Self.group(learners: [3], version: 10, lag: [3: 5_000])
    #expect(
      try next(behind, expects: 9, idle: ShardMove.patience)
        == .fail("west-2 got nowhere for 60 s, 5000 entries behind; nothing has changed"))
    let loading = try Self.group(learners: [3], version: 10, loading: [3])
    #expect(try next(loading, expects: 9, idle: ShardMove.patience) == .run(step: 0, expects: 9))
    #expect(
      try next(Self.group(), in: Self.topology([.up, .up, .up, .removed]))
        == .fail("node west-2 is removed; nothing has changed"))
  }
  /// A hundred others may be before it at the receiver.
  @Test func aMoveThatWaitsForItsTurnDoesNotFail() throws {
    let waiting = try Self.group(learners: [3], version: 10, loading: [3], copied: [3: 0], waiting: [3])
    #expect(try next(waiting, expects: 9, idle: 10 * ShardMove.loadingPatience) == .run(step: 0, expects: 9))
    let loading = try Self.group(learners: [3], version: 10, loading: [3], copied: [3: 0])
    #expect(
      try next(loading, expects: 9, idle: ShardMove.loadingPatience)
        == .fail("west-2 got nowhere for 1800 s, 0 entries behind; nothing has changed"))
    #expect(loading.isAhead(of: waiting), "its turn has come: from then on it is watched")
  }
  @Test func copiesGoOneToANodeAndTwoFromOne() {
    let (a, b, c, d) = (Self.nodes[0], Self.nodes[1], Self.nodes[2], Self.nodes[3])
    func move(_ from: NodeID, _ to: NodeID) -> ShardMove { ShardMove(shard: Self.shard, from: from, to: to) }
    var load = CopyLoad()
    #expect(load.hasRoom(for: move(a, b), isThere: true))
    load.add(move(a, b))
    #expect(!load.hasRoom(for: move(c, b), isThere: true), "one is on its way there")
    #expect(load.hasRoom(for: move(a, c), isThere: true))
    load.add(move(a, c))
    #expect(!load.hasRoom(for: move(a, d), isThere: true), "two are on their way from there")
    #expect(load.hasRoom(for: move(a, d), isThere: false), "it is lost, and others send")
  }
  @Test func aNewcomerThatIsNearIsCopiedToNoMore() throws {
    let plan = ShardMove(shard: Self.shard, from: Self.nodes[2], to: Self.nodes[3])
    #expect(plan.isCopying(Self.record(plan), nil))
    #expect(try plan.isCopying(Self.record(plan), Self.group(learners: [3], loading: [3])))
    #expect(try !plan.isCopying(Self.record(plan), Self.group(learners: [3])))
    #expect(try !plan.isCopying(Self.record(plan, step: 1), Self.group(learners: [3], loading: [3])))
  }
  @Test func whatAMoveWantsOfALeader() {
    let plan = ShardMove(shard: Self.shard, from: Self.nodes[2], to: Self.nodes[3])
    #expect(plan.order(to: Self.shard, by: Self.record(plan)) == ShardOrder())
    let learning = plan.order(to: Self.shard, by: Self.record(plan, expects: 9))
    #expect(learning == ShardOrder(change: .learner(Self.nodes[3]), version: 9))
    let record = Self.record(plan, step: 1, expects: 10)
    let exchanging = plan.order(to: Self.shard, by: record)
    #expect(exchanging.change == .exchange(out: Self.nodes[2], in: Self.nodes[3]) && exchanging.version == 10)
    #expect(exchanging.leaving == Self.nodes[2] && exchanging.leader == nil)
    #expect(plan.mayBeCancelled(Self.record(plan)) && !plan.mayBeCancelled(record))
    var changed = Self.topology()
    plan.conclude(&changed)
    #expect(changed.placement(of: Self.shard)?.voters == [Self.nodes[0], Self.nodes[1], Self.nodes[3]])
    #expect(changed.placement(of: Self.shard)?.preferredLeader == Self.nodes[0])
  }
  @Test func aRegionIsNotCrowded() {
    let topology = Self.topology()
    func reason(_ from: Int, _ to: Int) -> String? {
      ShardMove(shard: Self.shard, from: Self.nodes[from], to: Self.nodes[to]).refusal(in: topology)
    }
    #expect(reason(2, 3) == nil && reason(0, 5) == nil)
    #expect(reason(0, 3)?.contains("2 of 3 voters in region west") == true)
    // Where there are no three regions any more there is no choice.
    let two = Self.topology([.up, .removed, .up, .up, .removed, .up])
    #expect(ShardMove(shard: Self.shard, from: Self.nodes[1], to: Self.nodes[3]).refusal(in: two) == nil)
  }

  @Test func onlyALearnerThatGetsOnIsProgress() throws {
    var reports = GroupReports()
    func note(at now: UInt64, match: [Int: UInt64], lag: UInt64, loading: [Int] = [], version: UInt64 = 10) throws {
      reports.note(
        try Self.group(learners: [3], version: version, match: match, lag: [3: lag], loading: loading), now: now)
    }
    func idle(at now: UInt64) -> UInt64 { reports.idle(of: Self.shard, now: now) }
    try note(at: 1_000, match: [1: 5], lag: 7)
    // Traffic goes on, and it falls further behind.
    try note(at: 2_000, match: [1: 900], lag: 800)
    #expect(idle(at: 2_500) == 1_500)
    try note(at: 3_000, match: [1: 900, 3: 1], lag: 800)
    #expect(idle(at: 3_500) == 500)
    try note(at: 4_000, match: [1: 900, 3: 1], lag: 800, loading: [3])
    #expect(idle(at: 4_500) == 500)
    try note(at: 5_000, match: [1: 950, 3: 1], lag: 900, loading: [3], version: 11)
    #expect(idle(at: 5_500) == 500)
    try note(at: 6_000, match: [1: 950, 3: 1], lag: 900, loading: [3], version: 11)
    #expect(idle(at: 6_500) == 1_500)
    // What is old counts no more, and what no operation wants is forgotten.
    #expect(reports.report(of: Self.shard, now: 6_000 + GroupReports.limit - 1) != nil)
    #expect(reports.report(of: Self.shard, now: 6_000 + GroupReports.limit) == nil)
    reports.keep([])
    #expect(reports.report(of: Self.shard, now: 6_000) == nil && idle(at: 6_500) == 0)
  }
  @Test func aLearnerIsNearAsLongAsEachReportSaysSo() throws {
    var reports = GroupReports()
    func note(at now: UInt64, lag: UInt64) throws {
      reports.note(try Self.group(learners: [3], version: 10, lag: [3: lag]), now: now)
    }
    func near(at now: UInt64) -> UInt64? { reports.near(of: Self.shard, now: now)[Self.nodes[3]] }
    try note(at: 1_000, lag: 1_001)
    #expect(near(at: 1_500) == nil)
    try note(at: 2_000, lag: 1_000)
    try note(at: 3_000, lag: 7)
    #expect(near(at: 3_500) == 1_500)
    try note(at: 4_000, lag: 1_001)
    try note(at: 5_000, lag: 7)
    #expect(near(at: 5_500) == 500, "there was a break")
    // Nobody has told of it for a while.
    try note(at: 5_000 + GroupReports.limit, lag: 7)
    #expect(near(at: 5_500 + GroupReports.limit) == 500)
    #expect(reports.idle(of: Self.shard, now: 5_500 + GroupReports.limit) == 500)
  }
  @Test func howFarAMoveIs() throws {
    func progress(_ group: GroupReport?, step: UInt32 = 0, near: UInt64 = 0) -> (share: Double, bytes: UInt64) {
      let view = view(group, step: step, near: near)
      return ShardMove(shard: Self.shard, from: Self.nodes[2], to: Self.nodes[3]).progress(view)
    }
    #expect(progress(nil) == (0, 0))
    #expect(try progress(Self.group(bytes: 700)) == (0, 700))
    let half = try Self.group(learners: [3], version: 10, loading: [3], copied: [3: 500], bytes: 700)
    #expect(progress(half) == (0.4, 1_000), "the file and the journal that are sent may be more")
    #expect(try progress(Self.group(learners: [3], version: 10, lag: [3: 5_000])).share == 0.8)
    #expect(try progress(Self.group(learners: [3], version: 10)).share == 0.9)
    #expect(try progress(Self.group(learners: [3], version: 10), step: 1).share == 0.98)
    #expect(OperationProgress(share: 0.4, bytes: 1, age: 8_000_000).left == 12)
    #expect(OperationProgress(share: 0.01, bytes: 1, age: 8_000_000).left == nil)
  }
  @Test func aNodeNeedsRoomForWhatItIsGiven() throws {
    var view = try view(Self.group(bytes: 1_000_000_000), near: 0)
    view.room[Self.nodes[3]] = 1_199_999_999
    let plan = ShardMove(shard: Self.shard, from: Self.nodes[2], to: Self.nodes[3])
    #expect(
      plan.next(view)
        == .fail(
          "node west-2 has 1199 MB of disk free, and shard 3 needs 1200 MB: state and journal, and a fifth more; nothing has"
            + " changed"))
    view.room[Self.nodes[3]] = 1_200_000_000
    #expect(plan.next(view) == .run(step: 0, expects: 9))
  }
  @Test func allNodesAreToldWhatHasChangedAndAllOnANewLink() throws {
    var told = ToldGroups()
    let (quiet, busy) = (try Self.group(), try Self.group(version: 10))
    var other = quiet
    other.shard = ShardID(4)
    let peer = Self.nodes[1]
    #expect(told.isDue(now: 5))
    #expect(told.tell([quiet, other], to: [(peer, LinkID(1))], now: 5) == [[quiet, other]])
    #expect(!told.isDue(now: 5 + ToldGroups.interval - 1) && told.isDue(now: 5 + ToldGroups.interval))
    #expect(told.tell([busy, other], to: [(peer, LinkID(1))], now: 6) == [[busy]])
    #expect(
      told.tell([busy, other], to: [(peer, LinkID(2)), (Self.nodes[2], LinkID(3))], now: 7) == [
        [busy, other], [busy, other],
      ])
    // What was led meanwhile by another is told again.
    #expect(told.tell([busy], to: [(peer, LinkID(2))], now: 8) == [[]])
    #expect(told.tell([busy, other], to: [(peer, LinkID(2))], now: 9) == [[other]])
    var table = GroupTable()
    table.note(busy)
    var older = quiet
    older.term = Term(3)
    table.note(older)
    #expect(table[Self.shard] == busy)
  }
  @Test func aDeposedLeadersReportDoesNotCount() throws {
    var reports = GroupReports()
    let newer = try Self.group(version: 10)
    var older = try Self.group(version: 9)
    older.term = Term(newer.term.rawValue - 1)
    reports.note(newer, now: 1)
    reports.note(older, now: 2)
    #expect(reports.report(of: Self.shard, now: 3) == newer)
  }
  @Test func aCopyThatBeginsOverAndOverFails() throws {
    let plan = ShardMove(shard: Self.shard, from: Self.nodes[2], to: Self.nodes[3])
    var view = OperationView(
      record: Self.record(plan, expects: 9), topology: Self.topology(),
      now: Stamp(microseconds: 1_000_000 + ShardMove.limit))
    let group = try Self.group(learners: [3], version: 10, loading: [3])
    view.shards[Self.shard] = .init(leader: Self.nodes[0], term: Term(4), isServed: true, group: group)
    #expect(plan.next(view) == .fail("west-2 has not caught up within 24 h; nothing has changed"))
  }

  // MARK: The directory's table

  private func begin<Plan: OperationPlan>(
    _ plan: Plan, in table: inout OperationTable, by: String = "operator"
  ) throws -> Operation {
    try table.begin(
      Plan.kind, OperationChild(plan).params, by: by, at: Stamp(microseconds: 5), in: Self.topology())
  }
  @Test func aMoveThatExchangesCannotBeGivenUp() throws {
    var table = OperationTable()
    let record = try begin(ShardMove(shard: Self.shard, from: Self.nodes[2], to: Self.nodes[3]), in: &table)
    let change = OperationChange(record, .running, step: 1, expects: 10, "")
    let advanced = table.advance(change, at: .zero)
    let exchanging = try #require(advanced)
    #expect(exchanging.step == 1 && exchanging.expects == 10)
    let kept = table.cancel(record.number, at: .zero)
    #expect(kept == exchanging && table.open == [exchanging])
    let other = try begin(ShardMove(shard: ShardID(4), from: Self.nodes[2], to: Self.nodes[3]), in: &table)
    let cancelled = table.cancel(other.number, at: .zero)
    #expect(cancelled?.state == .cancelled)
  }
  @Test func aNodeBelongsToOneOperationAtATime() throws {
    var table = OperationTable()
    func removal(_ shards: [UInt32], by successor: NodeID = .none) -> NodeRemove {
      NodeRemove(node: Self.nodes[2], successor: successor, isDead: false, shards: shards.map { ShardID($0) })
    }
    let first = try begin(removal([1, 2, 3, 4]), in: &table)
    let again = try begin(removal([3, 4]), in: &table)
    #expect(again == first, "said again when some of it is done")
    let conflict = OperationTable.Refused(
      code: .conflict, text: "operation 1 is under way on node west-1 (tally op wait 1)")
    #expect(throws: conflict) { try begin(removal([4], by: Self.nodes[3]), in: &table) }
    #expect(throws: conflict) { try begin(NodeUndrain(node: Self.nodes[2]), in: &table) }
    #expect(throws: conflict) { try begin(NodeDrain(node: Self.nodes[2]), in: &table) }
    let other = try begin(NodeDrain(node: Self.nodes[1]), in: &table)
    #expect(other.number == 2)
  }
  @Test func childrenAreKnownByWhoseDoingTheyAre() throws {
    var table = OperationTable()
    let parent = try begin(
      NodeRemove(node: Self.nodes[2], successor: .none, isDead: false, shards: [ShardID(1)]), in: &table)
    let move = ShardMove(shard: ShardID(1), from: Self.nodes[2], to: Self.nodes[3])
    let child = try begin(move, in: &table, by: parent.name)
    _ = table.advance(OperationChange(child, .failed, step: 0, "why"), at: .zero)
    let again = try begin(move, in: &table, by: parent.name)
    #expect(table.children[parent.name]?.map(\.number) == [child.number, again.number])
    #expect(table.children["operator"]?.map(\.number) == [parent.number])
  }

  // MARK: An upgrade

  @Test func anUpgradeEndsOnceAllNodesKnowWhatIsToBeginAndNothingElseIsUnderWay() throws {
    var table = OperationTable()
    let plan = UpgradeFinish(semantics: 2)
    let record = try begin(plan, in: &table)
    #expect(throws: OperationTable.Refused(code: .conflict, text: "operation 1 is under way already (tally op wait 1)"))
    {
      try begin(UpgradeFinish(semantics: 3), in: &table)
    }
    var view = OperationView(record: record, topology: Self.topology(), now: .zero)
    let names = view.topology.nodes.map(\.name)
    #expect(plan.next(view) == .wait("node \(names[0]) is not in reach"))
    for node in view.topology.nodes { view.knows[node.id] = 2 }
    view.knows[view.topology.nodes[1].id] = 1
    #expect(plan.next(view) == .wait("node \(names[1]) knows semantics 1 only: start a newer build there"))
    view.knows[view.topology.nodes[1].id] = 3
    view.others = [7]
    #expect(plan.next(view) == .wait("operation 7 is under way (tally op wait 7)"))
    view.others = []
    #expect(plan.next(view) == .done("semantics 2 from now on"))
    plan.conclude(&view.topology)
    #expect(view.topology.semantics == 2)
    // Said again it is done, whoever is away.
    view.knows = [:]
    #expect(plan.next(view) == .done("semantics 2 may begin already"))
    UpgradeFinish(semantics: 1).conclude(&view.topology)
    #expect(view.topology.semantics == 2, "there is no way back")
  }

  // MARK: A node

  @Test func aDrainIsDoneWhenNothingIsLed() throws {
    let plan = NodeDrain(node: Self.nodes[1])
    var topology = Self.topology()
    plan.commence(Self.record(plan), &topology)
    #expect(topology.node(Self.nodes[1])?.state == .draining)
    var view = OperationView(record: Self.record(plan), topology: topology, now: Stamp(microseconds: 1_020_000))
    view.leads = [Self.nodes[1]: [ShardID(1), ShardID(4)]]
    #expect(plan.next(view) == .run(step: 0))
    view.now = Stamp(microseconds: 1_000_000 + NodeDrain.patience)
    #expect(plan.next(view) == .wait("2 shards have nobody else who would serve well: 1, 4"))
    view.leads = [Self.nodes[0]: [ShardID(1)]]
    #expect(plan.next(view) == .done("north-1 leads nothing, took 30000 ms"))
    plan.abandon(Self.record(plan), &topology)
    #expect(topology == Self.topology())
    #expect(
      plan.refusal(in: Self.topology([.draining, .up, .draining]))?.contains("shard 1 would have nobody") == true)
  }

  @Test func aRemovalMovesShardAfterShardAndThenLeavesTheDirectory() throws {
    let plan = NodeRemove(
      node: Self.nodes[2], successor: .none, isDead: false, shards: (1...4).map { ShardID(UInt32($0)) })
    var topology = Self.topology()
    plan.commence(Self.record(plan), &topology)
    var view = OperationView(record: Self.record(plan), topology: topology, now: Stamp(microseconds: 2_000_000))
    view.directoryVoters = topology.directoryVoters
    func move(_ shard: UInt32) -> ShardMove { ShardMove(shard: ShardID(shard), from: Self.nodes[2], to: Self.nodes[3]) }
    #expect(
      plan.next(view) == .wait("3 replicas need as many nodes that take them, and there are 0"),
      "nothing goes to a node that is away")
    view.reachable = Set(topology.nodes.map(\.id))
    #expect(plan.next(view) == .begin(OperationChild(move(1)), step: 0), "to the other node of the region")
    #expect(plan.progress(view).share == 0)
    var child = Self.record(move(1))
    child.by = view.record.name
    view.children = [child]
    view.holders = [ShardID(1): child.number]
    #expect(plan.next(view) == .begin(OperationChild(move(2)), step: 0))
    view.progress = [child.number: OperationProgress(share: 0.5, bytes: 0, age: 0)]
    #expect(plan.progress(view).share == 0.98 * 0.5 / 4, "a half of one of four")
    // No more at once than may be.
    view.children = Array(repeating: child, count: 4)
    #expect(plan.next(view) == .run(step: 0))
    view.limits.moves = 5
    #expect(plan.next(view) == .begin(OperationChild(move(2)), step: 0))
    // One that failed is named, and tried again after a while.
    child.state = .failed
    child.text = "why"
    child.ended = Stamp(microseconds: 1_900_000)
    view.children = [child]
    view.holders = [:]
    #expect(plan.next(view) == .wait("shard 1: operation 31 failed: why"))
    view.now = Stamp(microseconds: 1_900_000 + NodeRemove.pause)
    #expect(plan.next(view) == .begin(OperationChild(move(1)), step: 0))
    for shard in UInt32(1)...4 { move(shard).conclude(&view.topology) }
    #expect(plan.next(view) == .run(step: 4), "it votes in the directory")
    view.topology.directoryVoters = [Self.nodes[0], Self.nodes[1], Self.nodes[3]]
    view.directoryVoters = view.topology.directoryVoters
    view.incoming = [Self.nodes[2]: 40]
    #expect(plan.next(view) == .wait("operation 40 still moves a replica to it"))
    view.incoming = [:]
    guard case .done = plan.next(view) else { return #expect(Bool(false), "\(plan.next(view))") }
    plan.conclude(&view.topology)
    #expect(view.topology.node(Self.nodes[2])?.state == .removed)
  }

  @Test func aRemovalBeginsWithWhatTheNextLossWouldStopAndEndsWhenTheNodeIsBack() {
    let plan = NodeRemove(dead: Self.nodes[2], in: Self.topology())
    #expect(plan.isDead && plan.shards.count == 4 && !plan.wasDraining)
    var view = OperationView(record: Self.record(plan), topology: Self.topology(), now: Stamp(microseconds: 2_000_000))
    plan.commence(Self.record(plan), &view.topology)
    // Of shard 3 one more voter is silent.
    view.topology.shards[2].voters = [Self.nodes[1], Self.nodes[2], Self.nodes[5]]
    view.reachable = Set(Self.nodes).subtracting([Self.nodes[2], Self.nodes[5]])
    let urgent = ShardMove(shard: Self.shard, from: Self.nodes[2], to: Self.nodes[3])
    #expect(plan.next(view) == .begin(OperationChild(urgent), step: 0))
    view.reachable.insert(Self.nodes[2])
    #expect(plan.next(view) == .begin(OperationChild(urgent), step: 0), "an operator knows")
    view.record.by = Operation.cluster
    #expect(plan.next(view) == .cancel("west-1 is back: 0 of 4 shards have gone, and it keeps the others"))
    plan.abandon(Self.record(plan), &view.topology)
    #expect(view.topology.node(Self.nodes[2])?.state == .up)
    let drained = NodeRemove(dead: Self.nodes[2], in: Self.topology([.up, .up, .draining]))
    view.topology = Self.topology([.up, .up, .draining])
    drained.abandon(Self.record(drained), &view.topology)
    #expect(drained.wasDraining && view.topology.node(Self.nodes[2])?.state == .draining)
    // All that it held has gone: it is too late.
    view.topology.shards = view.topology.shards.map { placement in
      var placement = placement
      placement.voters = [Self.nodes[0], Self.nodes[1], Self.nodes[3]]
      return placement
    }
    view.topology.directoryVoters = [Self.nodes[0], Self.nodes[1], Self.nodes[3]]
    guard case .done = plan.next(view) else { return #expect(Bool(false), "\(plan.next(view))") }
  }

  // MARK: The directory's voters

  struct VotersCase: CustomTestStringConvertible {
    var what: String
    var states: [NodeRecord.State] = []
    var now = [0, 1, 2]
    var leaving: [Int] = []
    var near: [Int] = []
    var mayGrow = true
    var wanted: [Int]
    var testDescription: String { what }
  }
  static let three: [NodeRecord.State] = [.up, .up, .up, .removed, .removed, .removed]
  static let voters: [VotersCase] = [
    VotersCase(what: "all there are", states: three, wanted: [0, 1, 2]),
    VotersCase(
      what: "a fourth does not vote", states: [.up, .up, .up, .up, .removed, .removed], near: [3], wanted: [0, 1, 2]),
    VotersCase(what: "five vote", near: [3, 4, 5], wanted: [0, 1, 2, 3, 4]),
    VotersCase(what: "two have to catch up", near: [4], wanted: [0, 1, 2]),
    VotersCase(what: "somebody is silent", near: [3, 4, 5], mayGrow: false, wanted: [0, 1, 2]),
    VotersCase(
      what: "one that joins does not vote", states: [.up, .up, .up, .joining, .up, .removed], near: [3, 4],
      wanted: [0, 1, 2]),
    VotersCase(
      what: "another takes the place of one that leaves", leaving: [2], near: [3, 4, 5], mayGrow: false,
      wanted: [0, 1, 3]),
    VotersCase(what: "none has caught up", leaving: [2], mayGrow: false, wanted: [0, 1, 2]),
    VotersCase(
      what: "one that is drained votes on", states: [.up, .up, .draining, .up], near: [3], mayGrow: false,
      wanted: [0, 1, 2]),
    VotersCase(
      what: "a drained one does not begin to", states: [.up, .up, .up, .draining, .up], leaving: [2], near: [3, 4],
      mayGrow: false, wanted: [0, 1, 4]),
    VotersCase(
      what: "there are fewer", states: [.up, .up, .up, .up, .removed, .removed], now: [0, 1, 2, 3, 4],
      wanted: [0, 1, 2]),
    VotersCase(what: "two are left", states: [.up, .up, .removed, .removed, .removed, .removed], wanted: [0]),
    VotersCase(what: "nobody is", states: nodes.map { _ in .removed }, wanted: [0, 1, 2]),
  ]
  @Test(arguments: voters) func whoVotesInTheDirectory(given: VotersCase) {
    func ids(_ list: [Int]) -> [NodeID] { list.map { Self.nodes[$0] } }
    let found = DirectoryVoters(
      Self.topology(given.states), now: ids(given.now), leaving: Set(ids(given.leaving)), mayGrow: given.mayGrow
    ) { ids(given.near).contains($0) }
    #expect(found.wanted == ids(given.wanted))
  }
}
