import Base
import Ledger
import Raft
import Testing

@testable import Cluster

/// What comes next of a split and of a merge, and when the map follows: without a cluster.
@Suite struct SlotMoveTests {
  private static let nodes = (1...6).map { NodeID(UInt64($0)) }
  private static let heir = ShardID(3)

  /// Two shards on the same three nodes, each with half of the slots.
  private static func topology(
    _ slots: [[Range<Int>]] = [[0..<8_192], [8_192..<16_384]], epochs: [UInt64] = [7, 7], voters: [[Int]] = []
  ) -> Topology {
    let members = nodes[0..<4].map {
      NodeRecord(
        id: $0, name: "n\($0.rawValue)", region: "r\($0.rawValue)", clientAddress: "n:1", peerAddress: "n:2", state: .up
      )
    }
    let placements = slots.indices.map { i in
      ShardPlacement(
        shard: ShardID(UInt32(i + 1)), slots: SlotRanges(slots[i]) ?? .none, epoch: epochs[i],
        voters: (i < voters.count ? voters[i] : [0, 1, 2]).map { nodes[$0] }, preferredLeader: nodes[0])
    }
    var topology = Topology(
      cluster: 1, hashKey: .none, nodes: members, directoryVoters: Array(nodes[0..<3]), shards: placements, version: 5)
    topology.semantics = Semantics.splits
    return topology
  }
  private static func group(
    _ shard: UInt32, _ slots: [Range<Int>], epoch: UInt64 = 7, isMoving: Bool = false, lag: [Int: UInt64] = [:],
    silent: [Int] = [], learners: [Int] = [], voters: [Int] = [0, 1, 2]
  ) throws -> GroupReport {
    func replicas(_ list: [Int]) -> [ReplicaID] { list.map { ReplicaID(node: nodes[$0], born: 1) } }
    let configuration = Configuration(
      voters: replicas(voters), outgoing: [], learners: replicas(learners), version: 2)
    let members = configuration.members.filter { $0.node != nodes[voters[0]] }.map { member in
      let i = Int(member.node.rawValue) - 1
      return GroupReport.MemberProgress(node: member.node, lag: lag[i] ?? 0, isActive: !silent.contains(i))
    }
    var report = GroupReport(shard: ShardID(shard), term: Term(4), configuration: configuration, members: members)
    (report.epoch, report.slots, report.isMoving, report.bytes) = (
      epoch, try #require(SlotRanges(slots)), isMoving, 1_000
    )
    var buffer = ByteBuffer()
    report.encode(into: &buffer)
    var reader = ByteReader(buffer.bytes)
    #expect(try GroupReport(decoding: &reader) == report)
    return report
  }
  private static func next<Plan: OperationPlan>(
    _ plan: Plan, step: UInt32, _ groups: [GroupReport], in topology: Topology = topology(), age: Int64 = 1_000_000,
    room: [NodeID: UInt64] = [:], unserved: [UInt32] = []
  ) throws -> OperationAction {
    let view = try view(plan, step: step, groups, in: topology, age: age, room: room, unserved: unserved)
    return view.next(of: try #require(view.record.plan))
  }
  private static func view<Plan: OperationPlan>(
    _ plan: Plan, step: UInt32, _ groups: [GroupReport], in topology: Topology = topology(), age: Int64 = 1_000_000,
    room: [NodeID: UInt64] = [:], unserved: [UInt32] = []
  ) throws -> OperationView {
    var record = Operation(
      number: 31, kind: Plan.kind, params: OperationChild(plan).params, by: "operator",
      started: Stamp(microseconds: 1_000_000))
    (record.state, record.step, record.holds) = (.running, step, plan.holds(at: step))
    if Plan.makesShard { record.heir = heir }
    var view = OperationView(record: record, topology: topology, now: Stamp(microseconds: 1_000_000 + age))
    view.room = room
    view.reachable = Set(nodes)
    for group in groups {
      let isServed = !unserved.contains(group.shard.rawValue)
      view.groups.note(group)
      if isServed { view.leads[nodes[0], default: []].append(group.shard) }
      guard record.holds.isEmpty || record.holds.contains(group.shard) || group.shard == heir else { continue }
      view.shards[group.shard] = .init(
        leader: isServed ? nodes[0] : .none, term: Term(4), isServed: isServed, group: group)
    }
    return view
  }

  // MARK: Split

  private static let split = ShardSplit(shard: ShardID(1), slots: 4_096..<8_192)

  @Test func aSplitBeginsWhenAllItsMembersAreWell() throws {
    #expect(try Self.next(Self.split, step: 0, []) == .wait("shard 1 has no leader that tells of its group"))
    #expect(try Self.next(Self.split, step: 0, [Self.group(1, [0..<8_192])]) == .run(step: 1))
    let silent = try Self.group(1, [0..<8_192], silent: [2])
    let reason = "shard 1 needs all of its 3 members well, and has 2: node n3 was not heard of late"
    #expect(try Self.next(Self.split, step: 0, [silent]) == .wait(reason))
    #expect(try Self.next(Self.split, step: 0, [silent], age: 60_000_000) == .fail("\(reason); nothing has changed"))
    let changing = try Self.group(1, [0..<8_192], learners: [3])
    #expect(try Self.next(Self.split, step: 0, [changing]) == .wait("the members of shard 1 change"))
    let full = try Self.next(Self.split, step: 0, [Self.group(1, [0..<8_192])], room: [Self.nodes[1]: 1_199])
    guard case .wait(let text) = full else { return #expect(Bool(false), "\(full)") }
    #expect(text.hasPrefix("node n2 has 0 MB of disk free, and shard 1 needs"))
  }
  @Test func slotsMoveOnceTheNewShardIsLed() throws {
    let group = try Self.group(1, [0..<8_192])
    #expect(try Self.next(Self.split, step: 1, [group]) == .run(step: 1))
    #expect(
      try Self.next(Self.split, step: 1, [group], age: SlotMove.limit)
        == .fail("shard 3 has not begun within 120 s; no slot has moved"))
    let heir = try Self.group(3, [], epoch: 0)
    #expect(try Self.next(Self.split, step: 1, [group, heir]) == .run(step: 2))
    #expect(try Self.next(Self.split, step: 1, [group, heir], unserved: [3]) == .run(step: 1))
    #expect(
      try Self.next(Self.split, step: 2, [group, heir], unserved: [3])
        == .wait("shard 3 has no leader; 4096 slots have yet to move"))
  }
  @Test func aSplitIsDoneWhenTheMapSaysSo() throws {
    let heir = try Self.group(3, [4_096..<8_192], epoch: 20)
    var map = Self.topology([[0..<8_192], [8_192..<16_384], []], epochs: [7, 7, 0])
    #expect(
      try Self.next(Self.split, step: 2, [Self.group(1, [0..<4_097], epoch: 18), heir], in: map) == .run(step: 2))
    let last = try Self.group(1, [0..<4_096], epoch: 19, isMoving: true)
    #expect(try Self.next(Self.split, step: 2, [last, heir], in: map) == .run(step: 2))
    let over = try Self.group(1, [0..<4_096], epoch: 19)
    #expect(try Self.next(Self.split, step: 2, [over, heir], in: map) == .run(step: 2))
    map.take([
      SlotClaim(shard: ShardID(1), epoch: 19, slots: over.slots),
      SlotClaim(shard: Self.heir, epoch: 20, slots: heir.slots),
    ])
    #expect(
      try Self.next(Self.split, step: 2, [over, heir], in: map)
        == .done("shard 1 has slots 0-4095, epoch 19, new shard 3 4096-8191, epoch 20, took 1000 ms"))
  }
  /// A split that was cancelled meanwhile had some on their way to another shard, or had given it all of them.
  @Test func aSplitWhoseSlotsWentElsewhereEnds() throws {
    let over = try Self.group(1, [0..<4_096], epoch: 19)
    let empty = try Self.group(3, [], epoch: 0)
    let gone = Self.topology([[0..<4_096], [4_096..<16_384], []], epochs: [19, 20, 0])
    #expect(
      try Self.next(Self.split, step: 2, [over, empty], in: gone)
        == .fail("slots 4096-8191 went to other shards before their turn; shard 3 has none: merge it into another"))
    #expect(
      try Self.next(Self.split, step: 0, [over], in: gone)
        == .fail("slots 4096-8191 are not all shard 1's any more; nothing has changed"))
    let some = try Self.group(3, [4_096..<6_000], epoch: 22)
    let half = Self.topology([[0..<4_096], [6_000..<16_384], [4_096..<6_000]], epochs: [21, 20, 22])
    #expect(
      try Self.next(Self.split, step: 2, [over, some], in: half)
        == .done("shard 1 has slots 0-4095, epoch 21, new shard 3 4096-5999, epoch 22, took 1000 ms"))
  }
  /// A merge ends a shard while the word of a move's exchange is still on its way to the directory.
  @Test func whatIsDoneToAShardThatHasEndedFails() throws {
    let move = ShardMove(shard: ShardID(2), from: Self.nodes[2], to: Self.nodes[3])
    let map = Self.topology()
    #expect(try Self.next(move, step: 1, [], in: map) == .wait("shard 2 has no leader that tells of its group"))
    var without = map
    Self.merge.conclude(&without)
    #expect(without.isOver(ShardID(2)))
    #expect(try Self.next(move, step: 1, [], in: without) == .fail("shard 2 is no more"))
  }
  @Test func aSplitHasAPlaceFromTheBeginningAndLosesItIfNothingComesOfIt() throws {
    var record = Operation(
      number: 1, kind: ShardSplit.kind, params: OperationChild(Self.split).params, by: "operator", started: .zero)
    record.heir = Self.heir
    var map = Self.topology()
    map.give(Self.heir)
    Self.split.commence(record, &map)
    let place = try #require(map.placement(of: Self.heir))
    #expect(place.slots.isEmpty && place.epoch == 0 && place.voters == map.shards[0].voters)
    #expect(Self.split.order(to: Self.heir, by: record) == ShardOrder())
    record.step = 1
    #expect(Self.split.order(to: Self.heir, by: record).isFounding)
    #expect(Self.split.order(to: ShardID(1), by: record).give == nil)
    record.step = 2
    #expect(Self.split.order(to: ShardID(1), by: record).give == .init(slots: 4_096..<8_192, heir: Self.heir))
    var moved = map
    Self.split.abandon(record, &moved)
    #expect(moved == map, "some may have moved")
    record.step = 1
    Self.split.abandon(record, &map)
    #expect(map.placement(of: Self.heir) == nil && map.abandoned == [Self.heir] && map.ended.isEmpty)
    #expect(map.newestShard == Self.heir, "no number is given twice")
  }
  @Test func aSplitIsRefusedWhereItCutsNothing() {
    func refusal(_ slots: Range<Int>, in map: Topology = Self.topology()) -> String? {
      ShardSplit(shard: ShardID(1), slots: slots).refusal(in: map)
    }
    #expect(refusal(1..<8_192) == nil)
    #expect(refusal(0..<8_192)?.contains("at slot 0 none of these runs is cut in two") == true)
    #expect(refusal(8_192..<8_193) != nil)
    var old = Self.topology()
    old.semantics = Semantics.splits - 1
    #expect(refusal(1..<8_192, in: old)?.contains("tally cluster upgrade finish") == true)
  }

  // MARK: Merge

  private static let merge = ShardMerge(shard: ShardID(1), ending: ShardID(2))

  @Test func aMergeMovesAllSlotsAndEndsTheOther() throws {
    let (target, source) = (try Self.group(1, [0..<8_192]), try Self.group(2, [8_192..<16_384]))
    #expect(try Self.next(Self.merge, step: 0, [target, source]) == .run(step: 2), "they are on the same nodes")
    #expect(try Self.next(Self.merge, step: 0, [source]) == .wait("shard 1 has no leader that tells of its group"))
    #expect(try Self.next(Self.merge, step: 2, [target, source]) == .run(step: 2))
    let (all, none) = (try Self.group(1, [0..<16_384], epoch: 30), try Self.group(2, [], epoch: 29))
    #expect(try Self.next(Self.merge, step: 2, [all, none]) == .run(step: 2), "the map has yet to say so")
    let map = Self.topology([[0..<16_384], []], epochs: [30, 29])
    var booked = none
    booked.hasBooks = true
    #expect(try Self.next(Self.merge, step: 2, [all, booked], in: map) == .run(step: 2), "its books have yet to move")
    #expect(try Self.next(Self.merge, step: 2, [all, none], in: map) == .run(step: 3))
    #expect(
      try Self.next(Self.merge, step: 2, [all, Self.group(2, [], epoch: 29, isMoving: true)], in: map) == .run(step: 2))
    let late = try Self.group(2, [], epoch: 29, lag: [1: 1])
    #expect(try Self.next(Self.merge, step: 3, [all, late], in: map) == .wait("not all of shard 2's log is on n2"))
    #expect(
      try Self.next(Self.merge, step: 3, [all, none], in: map)
        == .done("shard 1 has slots 0-16383, epoch 30; shard 2 is no more, took 1000 ms"))
    var ended = map
    Self.merge.conclude(&ended)
    #expect(ended.shards.map(\.shard) == [ShardID(1)] && ended.ended == [ShardID(2)])
    #expect(ended.newestShard == ShardID(2))
  }
  @Test func aMergeIsRefusedWithTooManyRuns() {
    #expect(Self.merge.refusal(in: Self.topology()) == nil)
    #expect(ShardMerge(shard: ShardID(1), ending: ShardID(1)).refusal(in: Self.topology()) != nil)
    let (even, odd) = ((0..<8).map { $0 * 200..<$0 * 200 + 100 }, (0..<8).map { $0 * 200 + 100..<$0 * 200 + 200 })
    #expect(Self.merge.refusal(in: Self.topology([even, odd])) == nil, "together they are one run")
    let apartAgain = (0..<8).map { $0 * 200 + 2_000..<$0 * 200 + 2_100 }
    #expect(Self.merge.refusal(in: Self.topology([even, apartAgain]))?.contains("too many runs") == true)
  }

  // MARK: A merge of shards that are on other nodes

  private static let apart = [[0, 1, 2], [1, 2, 3]]
  private static func move(from: Int, to: Int) -> ShardMove {
    ShardMove(shard: ShardID(2), from: nodes[from], to: nodes[to])
  }
  private static func pair(_ voters: [Int] = [1, 2, 3]) throws -> [GroupReport] {
    [try group(1, [0..<8_192]), try group(2, [8_192..<16_384], voters: voters)]
  }

  @Test func replicasGoWhereTheOtherShardIsBeforeSlotsMove() throws {
    var view = try Self.view(Self.merge, step: 0, Self.pair(), in: Self.topology(voters: Self.apart))
    #expect(Self.merge.next(view) == .run(step: 1))
    view = try Self.view(Self.merge, step: 1, Self.pair(), in: Self.topology(voters: Self.apart))
    let begins = OperationAction.begin(OperationChild(Self.move(from: 3, to: 0)), step: 1)
    #expect(Self.merge.next(view) == begins)
    view.copies.add(ShardMove(shard: ShardID(9), from: Self.nodes[1], to: Self.nodes[0]))
    #expect(Self.merge.next(view) == .run(step: 1), "something is copied there already")
    view.copies = CopyLoad()
    var child = Operation(
      number: 32, kind: ShardMove.kind, params: OperationChild(Self.move(from: 3, to: 0)).params, by: view.record.name,
      started: view.now)
    view.children = [child]
    view.progress = [32: OperationProgress(share: 0.5, bytes: 0, age: 0)]
    #expect(Self.merge.next(view) == .run(step: 1), "one at a time")
    #expect(Self.merge.progress(view).share == 0.25 && Self.merge.progress(view).bytes == 2_000)
    (child.state, child.text, child.ended) = (.failed, "why", view.now)
    view.children = [child]
    #expect(Self.merge.next(view) == .wait("operation 32 failed: why"))
    view.now = Stamp(microseconds: view.now.microseconds + NodeRemove.pause)
    #expect(Self.merge.next(view) == begins, "again after a while")
    child.state = .done
    var there = try Self.view(Self.merge, step: 1, Self.pair([0, 1, 2]))
    there.children = [child]
    #expect(Self.merge.next(there) == .run(step: 2))
    #expect(Self.merge.progress(there).share == 0.5)
    there.record.step = 2
    #expect(Self.merge.progress(there).share == 0.75, "and half of the slots")
  }
  /// While replicas move the other shard is free, and may have an operation, or a member that is ill.
  @Test func slotsMoveOnceNothingIsInTheWayOfEitherShard() throws {
    var view = try Self.view(Self.merge, step: 1, Self.pair([0, 1, 2]))
    #expect(Self.merge.next(view) == .run(step: 2))
    view.holders = [ShardID(1): 40, ShardID(2): view.record.number]
    #expect(Self.merge.next(view) == .wait("operation 40 is under way on shard 1 (tally op wait 40)"))
    view.holders = [:]
    view.groups.note(try Self.group(1, [0..<8_192], silent: [2]))
    guard case .wait(let text) = Self.merge.next(view) else { return #expect(Bool(false)) }
    #expect(text.hasSuffix("has 2: node n3 was not heard of late"))
    view.leads = [:]
    #expect(Self.merge.next(view) == .wait("shard 1 has no leader that tells of its group"))
    view.topology.end(ShardID(1))
    #expect(Self.merge.next(view) == .fail("there is no shard 1 any more"))
  }
  @Test func aVoterThatIsLostGoesFirstAndRegionsAreKept() throws {
    var map = Self.topology(voters: [[0, 1, 2], [3, 4, 5]])
    map.nodes += (4...5).map { i in
      var record = map.nodes[0]
      (record.id, record.name, record.region) = (Self.nodes[i], "n\(i + 1)", "r\(6 - i)")
      return record
    }
    map.nodes[3].region = "r3"
    // By region: 4 and 3, 5 and 2, 6 and 1.
    let all = [Self.move(from: 3, to: 2), Self.move(from: 4, to: 1), Self.move(from: 5, to: 0)]
    #expect(try Self.merge.moves(in: map) == all)
    var view = try Self.view(Self.merge, step: 1, Self.pair([3, 4, 5]), in: map)
    view.reachable = Set(Self.nodes[0...3])
    #expect(Self.merge.next(view) == .begin(OperationChild(all[1]), step: 1))
    map.nodes[5].state = .removed
    #expect(try Self.merge.moves(in: map) == [all[2], all[0], all[1]])
    map.nodes[1].state = .draining
    #expect(Self.merge.refusal(in: map) == "node n2 is draining")
    view.topology = map
    #expect(Self.merge.next(view) == .wait("node n2 is draining"))
    map = Self.topology(voters: [[0, 1, 2], [1, 2, 3]])
    map.nodes[0].region = "r2"
    #expect(
      Self.merge.refusal(in: map)?.contains("shard 2 would have 2 of 3 voters in region r2 (n2 is there)") == true)
    map.shards[1].voters = [Self.nodes[3]]
    #expect(Self.merge.refusal(in: map)?.hasPrefix("shard 2 has 1 replicas, shard 1 has 3") == true)
  }
  /// A node is lost once all slots have moved: the other shard gets another node for it, and so does the one that ends.
  @Test func aShardThatEndsIsBroughtWhereTheOtherWasHealed() throws {
    let late = try Self.group(2, [], epoch: 29, silent: [3], voters: [1, 2, 3])
    let all = try Self.group(1, [0..<16_384], epoch: 30)
    var view = try Self.view(
      Self.merge, step: 3, [all, late], in: Self.topology([[0..<16_384], []], epochs: [30, 29], voters: Self.apart))
    #expect(Self.merge.next(view) == .wait("not all of shard 2's log is on n4"), "it may yet come")
    view.reachable = Set(Self.nodes[0...2])
    #expect(Self.merge.next(view) == .begin(OperationChild(Self.move(from: 3, to: 0)), step: 3))
    #expect(Self.merge.mayBeCancelled(view.record), "or somebody gives it up: the shard stays, without slots")
  }

  @Test func aMergeHoldsTheOneThatStaysWhileSlotsMove() throws {
    let map = Self.topology(voters: Self.apart)
    var table = OperationTable()
    func begin<Plan: OperationPlan>(_ plan: Plan, by: String = "operator") throws -> Operation {
      try table.begin(Plan.kind, OperationChild(plan).params, by: by, at: Stamp(microseconds: 5), in: map)
    }
    func advance(to step: UInt32) throws -> Operation {
      let record = try #require(table.find(1))
      let advanced = table.advance(OperationChange(record, .running, step: step, ""), at: .zero)
      return try #require(advanced)
    }
    func conflict(_ operation: Int, _ shard: Int) -> OperationTable.Refused {
      .init(
        code: .conflict, text: "operation \(operation) is under way on shard \(shard) (tally op wait \(operation))")
    }
    let merge = try begin(Self.merge)
    let split = ShardSplit(shard: ShardID(1), slots: 4_096..<8_192)
    #expect(throws: conflict(1, 1)) { try begin(split) }
    #expect(throws: conflict(1, 2)) { try begin(Self.move(from: 3, to: 0)) }
    #expect(try advance(to: 1).holds == [ShardID(2)])
    #expect(throws: conflict(1, 2)) { try begin(Self.move(from: 3, to: 0)) }
    let child = try begin(Self.move(from: 3, to: 0), by: merge.name)
    #expect(table.children[merge.name] == [child])
    #expect(throws: conflict(2, 2), "one at a time") { try begin(Self.move(from: 2, to: 0), by: merge.name) }
    #expect(table.orders[ShardID(2)] == Self.move(from: 3, to: 0).order(to: ShardID(2), by: child))
    _ = try begin(split)
    let waits = try advance(to: 2)
    #expect(waits.state == .waiting && waits.step == 1 && waits.holds == [ShardID(2)])
    #expect(waits.text == conflict(3, 1).text && waits.revision == 2, "what is logged next has seen that")
    _ = table.cancel(3, at: .zero)
    let moves = try advance(to: 2)
    #expect(moves.state == .running && moves.step == 2 && moves.holds == Self.merge.holds)
    #expect(throws: conflict(1, 1)) { try begin(split) }
    #expect(try advance(to: 3).holds == [ShardID(2)])
  }

  // MARK: The map

  @Test func theMapFollowsWhatFitsTogether() throws {
    let map = Self.topology([[0..<8_192], [8_192..<16_384], []], epochs: [7, 7, 0])
    func claims(_ groups: [GroupReport]) -> [SlotClaim] {
      var table = GroupTable()
      for group in groups { table.note(group) }
      return map.newerClaims(table)
    }
    #expect(try claims([Self.group(1, [0..<8_192])]).isEmpty, "it is no news")
    #expect(try claims([Self.group(1, [0..<8_000], epoch: 8)]).isEmpty, "nobody has the rest")
    let heir = try Self.group(3, [8_000..<8_192], epoch: 9)
    #expect(try claims([Self.group(1, [0..<8_000], epoch: 8, isMoving: true), heir]).isEmpty, "some are on their way")
    #expect(claims([heir]).isEmpty, "two have them")
    let both = try claims([Self.group(1, [0..<8_000], epoch: 8), heir])
    #expect(both.map(\.shard) == [ShardID(1), ShardID(3)] && both.map(\.epoch) == [8, 9])
    var changed = map
    changed.take(both)
    #expect(changed.shards.map(\.slots.count) == [8_000, 8_192, 192])
    var again = changed
    again.take([SlotClaim(shard: ShardID(1), epoch: 8, slots: .all)])
    #expect(again == changed, "an epoch that is no higher is old news")
    var buffer = ByteBuffer()
    both[1].encode(into: &buffer)
    var reader = ByteReader(buffer.bytes)
    #expect(try SlotClaim(decoding: &reader) == both[1])
  }
  @Test func whatHasEndedIsKeptInTheMap() throws {
    var map = Self.topology([[0..<16_384], []])
    map.end(ShardID(2))
    map.end(ShardID(9))
    map.abandon(ShardID(2))
    #expect(map.ended == [ShardID(2)] && map.abandoned.isEmpty, "of what never was, or is no more, nothing is kept")
    map.shards.append(map.shards[0])
    map.shards[1].shard = ShardID(7)
    map.abandon(ShardID(7))
    #expect(map.abandoned == [ShardID(7)] && map.ended == [ShardID(2)] && map.newestShard == ShardID(7))
    #expect(map.isOver(ShardID(2)) && map.isOver(ShardID(7)) && !map.isOver(ShardID(1)))
    var buffer = ByteBuffer()
    map.encode(into: &buffer)
    var reader = ByteReader(buffer.bytes)
    #expect(try Topology(decoding: &reader) == map)
  }
}
