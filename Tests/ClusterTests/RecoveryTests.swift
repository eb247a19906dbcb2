import Base
import Raft
import Storage
import Testing

@testable import Cluster
@testable import Simulator

/// Groups that have lost their majority for ever.
@Suite struct RecoveryTests {
  private static let nodes = (1...5).map { NodeID(UInt64($0)) }
  private static let names = ["east-1", "north-1", "west-1", "west-2", "north-2"]
  /// Two shards, on the first three and on the last three nodes.
  private static let topology: Topology = {
    let members = nodes.indices.map { i in
      NodeRecord(
        id: nodes[i], name: names[i], region: String(names[i].prefix { $0 != "-" }), clientAddress: "\(names[i]):1",
        peerAddress: "\(names[i]):2", state: .up)
    }
    func placement(_ number: UInt32, _ slots: Range<Int>, _ voters: Range<Int>) -> ShardPlacement {
      ShardPlacement(
        shard: ShardID(number), slots: SlotRanges([slots]) ?? .none, epoch: 1, voters: Array(nodes[voters]),
        preferredLeader: nodes[voters.lowerBound])
    }
    let half = Slot.count / 2
    return Topology(
      cluster: 1, hashKey: .none, nodes: members, directoryVoters: nodes,
      shards: [placement(1, 0..<half, 0..<3), placement(2, half..<Slot.count, 2..<5)], version: 5)
  }()
  private static func witness(
    _ node: Int, of shard: UInt32, _ voters: [Int], outgoing: [Int] = [], version: UInt64 = 1, last: UInt64 = 9,
    term: UInt64 = 3, isDamaged: Bool = false, slots: Range<Int>? = nil
  ) throws -> RecoveryPlan.Witness {
    func replicas(_ list: [Int]) -> [ReplicaID] { list.map { ReplicaID(node: nodes[$0], born: 1) } }
    var report = StrandedReport(
      shard: ShardID(shard),
      configuration: Configuration(voters: replicas(voters), outgoing: replicas(outgoing), version: version),
      last: LogPosition(index: LogIndex(last), term: Term(term)))
    report.commit = LogIndex(last - 2)
    report.isDamaged = isDamaged
    report.stamp = Stamp(microseconds: 77)
    report.epoch = 4
    let place = topology.placement(of: ShardID(shard))
    report.slots = (slots.flatMap { SlotRanges([$0]) }) ?? place?.slots ?? .none
    var buffer = ByteBuffer()
    report.encode(into: &buffer)
    var reader = ByteReader(buffer.bytes)
    #expect(try StrandedReport(decoding: &reader) == report)
    return RecoveryPlan.Witness(node: nodes[node], report: report)
  }
  private static func view(
    _ witnesses: [RecoveryPlan.Witness], led: [UInt32] = [], silent: [Int] = [0, 1]
  ) -> RecoveryPlan.View {
    let quiet = Set(silent.map { nodes[$0] })
    return RecoveryPlan.View(
      topology: topology, up: Set(nodes).subtracting(quiet), silent: quiet, led: Set(led.map { ShardID($0) }),
      witnesses: Dictionary(grouping: witnesses) { $0.report.shard })
  }
  private static func plan(
    _ view: RecoveryPlan.View, without lost: [Int] = [0, 1]
  ) -> Result<RecoveryPlan, RecoveryPlan.Refused> {
    do throws(RecoveryPlan.Refused) { return .success(try RecoveryPlan(without: lost.map { nodes[$0] }, view)) } catch {
      return .failure(error)
    }
  }
  private static func refusal(_ view: RecoveryPlan.View, without lost: [Int] = [0, 1]) -> String {
    switch plan(view, without: lost) {
    case .success(let plan): "\(plan)"
    case .failure(let refused): refused.text
    }
  }

  @Test func oneThatIsLeftGoesOn() throws {
    let view = Self.view([try Self.witness(2, of: 1, [0, 1, 2])], led: [0, 2])
    let plan = try Self.plan(view).get()
    #expect(plan.rows.map(\.shard) == [ShardID(1)] && plan.rows[0].survivor == Self.nodes[2])
    #expect(plan.rows[0].kept == [] && plan.rows[0].lost == Array(Self.nodes[0...1]))
    // Its log may grow while somebody looks at the plan; its configuration may not.
    let grown = try Self.plan(Self.view([try Self.witness(2, of: 1, [0, 1, 2], last: 12)], led: [0, 2])).get()
    // Of a shard that has ended, or never was, somebody may have a replica that has yet to hear of it.
    for hasEnded in [true, false] {
      var late = Self.view(
        [try Self.witness(2, of: 1, [0, 1, 2]), try Self.witness(3, of: 8, [0, 1, 3], slots: 0..<8)], led: [0, 2])
      late.topology.shards.append(late.topology.shards[0])
      late.topology.shards[2].shard = ShardID(8)
      if hasEnded { late.topology.end(ShardID(8)) } else { late.topology.abandon(ShardID(8)) }
      #expect(try Self.plan(late).get() == plan)
    }
    let changed = try Self.plan(Self.view([try Self.witness(2, of: 1, [0, 1, 2], version: 2)], led: [0, 2])).get()
    #expect(grown.digest == plan.digest && changed.digest != plan.digest)
  }
  @Test func theLongestLogGoesOnUnlessItHasLostEntries() throws {
    let all = [0, 1, 2, 3, 4]
    for (a, b, c, best, kept) in [
      ((9, 3), (8, 3), (7, 3), 2, [3, 4]), ((9, 3), (8, 4), (7, 3), 3, [2, 4]), ((9, 3), (9, 3), (9, 2), 3, [2, 4]),
    ] as [((UInt64, UInt64), (UInt64, UInt64), (UInt64, UInt64), Int, [Int])] {
      let witnesses = try zip(2..., [a, b, c]).map { try Self.witness($0, of: 0, all + [], last: $1.0, term: $1.1) }
      // Of five voters three live: they elect one by themselves.
      #expect(Self.refusal(Self.view(witnesses, led: [1, 2])).contains("wait until they have elected one"))
      let wider = try zip(2..., [a, b, c]).map {
        try Self.witness($0, of: 0, all, outgoing: [0, 1, 2], last: $1.0, term: $1.1)
      }
      let row = try Self.plan(Self.view(wider, led: [1, 2])).get().rows[0]
      #expect(row.survivor == Self.nodes[best] && row.kept == kept.map { Self.nodes[$0] }, "\(a) \(b) \(c)")
    }
    let damaged = [
      try Self.witness(3, of: 2, [2, 3, 4], last: 20, isDamaged: true), try Self.witness(4, of: 2, [2, 3, 4]),
    ]
    let row = try Self.plan(Self.view(damaged, led: [0, 1], silent: [2]), without: [2]).get().rows[0]
    #expect(row.survivor == Self.nodes[4] && row.kept == [] && !row.isDamaged)
    let alone = [try Self.witness(4, of: 2, [2, 3, 4], isDamaged: true)]
    #expect(try Self.plan(Self.view(alone, led: [0, 1], silent: [2, 3]), without: [2, 3]).get().rows[0].isDamaged)
  }
  @Test func whatCannotBeRightIsRefused() throws {
    let one = try Self.witness(2, of: 1, [0, 1, 2])
    let half = Slot.count / 2
    for (view, lost, reason) in [
      (Self.view([one], led: [0, 2], silent: [0]), [0, 1], "north-1 was heard within 5 s"),
      (Self.view([one], led: [0, 2]), [0], "north-1 does not answer and is not said to be dead"),
      (Self.view([], led: [0, 1, 2]), [0, 1], "every shard has a leader"),
      (Self.view([], led: [0, 2]), [0, 1], "no replica of shard 1"),
      (
        Self.view([try Self.witness(3, of: 2, [2, 3, 4])], led: [0, 1]), [0, 1],
        "has not told of its replica of shard 2"
      ),
      (
        Self.view([try Self.witness(2, of: 1, [0, 1, 2], slots: 0..<half - 1)], led: [0, 2]), [0, 1],
        "no survivor owns slot"
      ),
      (
        Self.view([try Self.witness(2, of: 1, [0, 1, 2], slots: 0..<half + 1)], led: [0, 2]), [0, 1],
        "shard 1 (epoch 4, at west-1 up to index 9) and shard 2 (epoch 1, led) both claim slot \(half): shard 2 has not heard"
      ),
    ] as [(RecoveryPlan.View, [Int], String)] {
      let text = Self.refusal(view, without: lost)
      #expect(text.contains(reason), "\(text)")
    }
  }

  // MARK: Slots that moved between survivors

  /// Both shards have lost their majority; each goes on from one replica, of another moment.
  private static func halves(
    _ first: Range<Int>, _ second: Range<Int>, moving: SlotsMoving? = nil, taken: [SlotsTaken] = []
  ) throws -> RecoveryPlan.View {
    var one = try witness(2, of: 1, [0, 1, 2], slots: first)
    var two = try witness(4, of: 2, [2, 3, 4], slots: second)
    (one.report.moving, two.report.taken, two.report.epoch) = (moving, taken, 9)
    var buffer = ByteBuffer()
    for witness in [one, two] { witness.report.encode(into: &buffer) }
    var reader = ByteReader(buffer.bytes)
    for witness in [one, two] { #expect(try StrandedReport(decoding: &reader) == witness.report) }
    let lost = try witness(3, of: 2, [2, 3, 4], isDamaged: true),
      third = try witness(2, of: 2, [2, 3, 4], isDamaged: true)
    return view([one, two, lost, third], led: [0])
  }
  @Test func whatIsOnItsWayBetweenTwoSurvivorsIsNotLost() throws {
    let half = Slot.count / 2
    let parcel = SlotsMoving(heir: ShardID(2), epoch: 5, slots: half - 8..<half)
    func text(_ taken: [SlotsTaken], _ moving: SlotsMoving? = parcel) throws -> String {
      Self.refusal(try Self.halves(0..<half - 8, half..<Slot.count, moving: moving, taken: taken))
    }
    let before = SlotsTaken(source: ShardID(1), epoch: 4)
    let plan = try Self.plan(try Self.halves(0..<half - 8, half..<Slot.count, moving: parcel, taken: [before])).get()
    #expect(plan.rows.map(\.shard) == [ShardID(1), ShardID(2)], "it takes them in once it goes on")
    for refusal in [try text([SlotsTaken(source: ShardID(1), epoch: 5)]), try text([], nil)] {
      #expect(refusal.contains("no survivor owns slots \(half - 8)-\(half - 1), and none has"), "\(refusal)")
      #expect(
        refusal.contains("Have one of north-1, east-1 back") || refusal.contains("Have one of east-1, north-1 back"))
    }
    // The shard that gives them away is led: its leader has the parcel.
    var led = Self.view(
      [
        try Self.witness(4, of: 2, [2, 3, 4], slots: half..<Slot.count),
        try Self.witness(3, of: 2, [2, 3, 4], isDamaged: true),
        try Self.witness(2, of: 2, [2, 3, 4], isDamaged: true),
      ], led: [0, 1])
    var group = GroupReport(
      shard: ShardID(1), term: Term(4), configuration: Configuration(voters: [], version: 1), members: [])
    (group.epoch, group.slots, group.isMoving) = (7, SlotRanges([0..<half - 8]) ?? .none, true)
    led.groups.note(group)
    #expect(try Self.plan(led).get().rows.map(\.shard) == [ShardID(2)])
    group.isMoving = false
    led.groups.note(group)
    #expect(Self.refusal(led).contains("no survivor owns slots"), "\(Self.refusal(led))")
  }
  /// The survivor of the source is older than the export, and that of the heir younger than the import.
  @Test func slotsThatTwoSurvivorsClaimAreRefusedAndWhoMayKnowIsNamed() throws {
    let half = Slot.count / 2
    let refusal = Self.refusal(try Self.halves(0..<half, half - 8..<Slot.count))
    let both = "both claim slots \(half - 8)-\(half - 1): shard 1 has not heard that it gave them away"
    #expect(
      refusal.contains(
        "shard 2 (epoch 9, at north-2 up to index 9) and shard 1 (epoch 4, at west-1 up to index 9) \(both)"),
      "\(refusal)")
    #expect(refusal.contains("Have one of east-1, north-1 back, which may know, or restore a backup"), "\(refusal)")
  }

  private static let recovery = UnsafeRecovery(
    lost: Array(nodes[0...1]), rows: [.init(shard: ShardID(1), survivor: nodes[2], version: 4, kept: [nodes[4]])])

  @Test func operationsThatCannotGoOnBesideItFail() throws {
    var table = OperationTable()
    func begin<Plan: OperationPlan>(_ plan: Plan) throws -> Operation {
      try table.begin(Plan.kind, OperationChild(plan).params, by: "operator", at: .zero, in: Self.topology)
    }
    let move = try begin(ShardMove(shard: ShardID(1), from: Self.nodes[1], to: Self.nodes[4]))
    let removal = try begin(NodeRemove(dead: Self.nodes[0], in: Self.topology))
    let other = try begin(ShardMove(shard: ShardID(2), from: Self.nodes[4], to: Self.nodes[1]))
    let recovery = try begin(Self.recovery)
    let failed = table.failOthers(for: recovery, at: .zero)
    #expect(failed.map(\.number) == [move.number, removal.number] && failed.allSatisfy { $0.state == .failed })
    #expect(table.open.map(\.number) == [other.number, recovery.number])
    #expect(table.find(move.number)?.text.contains("operation \(recovery.number) has taken over") == true)
  }
  @Test func itIsDoneOnceWhoeverIsLeftVotes() throws {
    var record = Operation(
      number: 3, kind: UnsafeRecovery.kind, params: OperationChild(Self.recovery).params, by: "operator", started: .zero
    )
    record.state = .running
    for (voters, version, isDone) in [([0, 1, 2], 4, false), ([2], 5, false), ([2, 4], 7, true)]
      as [([Int], UInt64, Bool)]
    {
      var view = OperationView(record: record, topology: Self.topology, now: .zero)
      view.reachable = Set(Self.nodes)
      let configuration = Configuration(
        voters: voters.map { ReplicaID(node: Self.nodes[$0], born: 1) }, version: version)
      let group = GroupReport(shard: ShardID(1), term: Term(4), configuration: configuration, members: [])
      view.shards[ShardID(1)] = .init(leader: Self.nodes[2], term: Term(4), isServed: true, group: group)
      let action = Self.recovery.next(view)
      if case .done = action { #expect(isDone) } else { #expect(!isDone && action == .run(step: 0)) }
      // Where nobody else is left, the group as it was has the survivor among its voters, too.
      let alone = UnsafeRecovery(
        lost: Self.recovery.lost,
        rows: [.init(shard: ShardID(1), survivor: Self.nodes[2], version: 4, kept: [])])
      if case .done = alone.next(view) { #expect(version > 4) } else { #expect(version == 4) }
      view.reachable.remove(Self.nodes[4])
      if !isDone { #expect(Self.recovery.next(view) == .wait("shard 1 needs north-2, out of reach")) }
    }
  }

  // MARK: Whole clusters

  private func balances(_ cluster: ResizedCluster, on host: Int) throws -> [String] {
    try (0..<4).map { try cluster.ask("BALANCE m\($0)", on: host) }
  }
  private func lines(_ request: String, _ cluster: ResizedCluster, on host: Int) throws -> [String] {
    let client = try #require(cluster.simulation.connect(to: host, from: "127.0.0.1:4000"))
    client.clear()
    cluster.simulation.send(request + "\n", on: client)
    cluster.simulation.run(for: 5_000_000) { client.lineCount > 0 }
    return client.lines
  }
  private func plan(_ cluster: ResizedCluster, _ dead: String, on host: Int) throws -> String {
    let lines = try lines("CLUSTER UNSAFE RECOVER dead=\(dead)", cluster, on: host)
    let head = try #require(lines.first { $0.hasPrefix("+id=") }, "\(lines)")
    return String(head.dropFirst(4).prefix { $0 != " " })
  }

  @Test(arguments: [
    (seed: 341, nodes: 3, lost: [1, 2], isRestarted: false), (342, 3, [0, 2], true), (343, 5, [0, 1, 3], false),
    (344, 5, [1, 2, 4], true),
    (345, 5, [0, 2, 3], false),
  ])
  func aClusterGoesOnFromWhatIsLeft(_ given: (seed: UInt64, nodes: Int, lost: [Int], isRestarted: Bool)) throws {
    let cluster = try ResizedCluster(seed: given.seed, nodes: given.nodes, shards: 4)
    let simulation = cluster.simulation
    let first = try cluster.ask("EARN m0 merchant=shop points=100 id=e0")
    for i in 1..<4 { #expect(try cluster.ask("EARN m\(i) merchant=shop points=\(100 + i) id=e\(i)").hasPrefix("+tx=")) }
    try cluster.awaitHomes()
    simulation.run(for: 3_000_000)
    let asked = try #require(simulation.hosts.indices.first { !given.lost.contains($0) })
    let before = try balances(cluster, on: asked)
    for lost in given.lost { simulation.kill(lost) }
    // Survivors may have been started again, too.
    for host in simulation.hosts.indices where given.isRestarted && !given.lost.contains(host) {
      simulation.kill(host)
      simulation.hosts[host].configuration.lost = given.lost.map { simulation.hosts[$0].name }
      simulation.start(host)
    }
    let dead = given.lost.map { simulation.hosts[$0].name }.joined(separator: ",")
    simulation.run(for: 2_000_000)
    #expect(try cluster.ask("CLUSTER UNSAFE RECOVER dead=\(dead)", on: asked).contains("was heard within 5 s"))
    simulation.run(for: 6_000_000)
    #expect(try cluster.ask("CLUSTER UNSAFE RECOVER dead=\(dead) apply=1", on: asked).contains("another plan"))
    let name = try plan(cluster, dead, on: asked)
    let begun = try cluster.ask("CLUSTER UNSAFE RECOVER dead=\(dead) apply=\(name)", on: asked)
    #expect(begun.contains("kind=unsafe-recover"), "\(begun) \(simulation.report)")
    let record = try cluster.wait(on: asked)
    #expect(record.contains("state=done"), "\(record) \(simulation.report)")
    #expect(try balances(cluster, on: asked) == before)
    #expect(try cluster.ask("REDEEM m0 merchant=shop points=10 id=r1", on: asked).hasPrefix("+tx="))
    let repeated = try cluster.ask("EARN m0 merchant=shop points=100 id=e0", on: asked)
    #expect(repeated == first, "\(repeated)")

    // Whoever is lost and comes back hears of it, also when all of them do.
    for lost in given.lost { simulation.start(lost) }
    #expect(
      simulation.run(for: 20_000_000) { given.lost.allSatisfy { cluster.node($0) == nil } }, "\(simulation.report)")
    #expect(given.lost.allSatisfy { simulation.hosts[$0].exit == 2 })

    // New nodes take the places of the lost.
    for lost in given.lost {
      var configuration = simulation.hosts[lost].configuration
      let number = simulation.hosts.count
      configuration.name += "-new"
      (configuration.clientAddress, configuration.peerAddress) = ("node-\(number):7401", "node-\(number):7501")
      configuration.join = [simulation.hosts[asked].configuration.peerAddress]
      let added = simulation.addHost(configuration, disk: MemoryFileSystem())
      try #require(simulation.start(added))
      #expect(simulation.run(for: 20_000_000) { cluster.state(of: added, at: asked) == .up }, "\(simulation.report)")
    }
    #expect(try cluster.ask("CLUSTER REBALANCE apply=yes", on: asked).hasPrefix("+op=2 kind=rebalance"))
    let moved = try cluster.wait(2, for: 200_000_000, on: asked)
    #expect(moved.contains("state=done"), "\(moved)")
    let topology = try #require(cluster.node(asked)?.view.topology)
    let living = Set(topology.nodes.filter { $0.state == .up }.map(\.id))
    #expect(
      topology.shards.allSatisfy { $0.voters.count == 3 && living.isSuperset(of: $0.voters) }, "\(topology.shards)")
    let isFine = simulation.run(for: 30_000_000) { status(simulation, asked)?.contains("healthy=yes") ?? false }
    #expect(isFine, "\(simulation.report)")
    var findings: [String] = []
    // A lead may be on its way home at first: then a digest is told to whoever led before.
    for _ in 0..<5 where findings.first != "*1" { findings = try lines("CLUSTER CHECK", cluster, on: asked) }
    #expect(findings.first == "*1", "\(findings)")
    #expect(try cluster.ask("AUDIT", on: asked).hasPrefix("*"))
  }
}
