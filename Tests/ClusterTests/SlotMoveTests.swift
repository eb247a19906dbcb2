import Base
import Ledger
import Raft
import Testing

@testable import Cluster

/// What comes next of a split and of a merge, and when the map follows: without a cluster.
@Suite struct SlotMoveTests {
  private static let nodes = (1...4).map { NodeID(UInt64($0)) }
  private static let heir = ShardID(3)

  /// Two shards on the same three nodes, each with half of the slots.
  private static func topology(
    _ slots: [[Range<Int>]] = [[0..<8_192], [8_192..<16_384]], epochs: [UInt64] = [7, 7], voters: [[Int]] = []
  ) -> Topology {
    let members = nodes.map {
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
    silent: [Int] = [], learners: [Int] = []
  ) throws -> GroupReport {
    func replicas(_ list: [Int]) -> [ReplicaID] { list.map { ReplicaID(node: nodes[$0], born: 1) } }
    let configuration = Configuration(
      voters: replicas([0, 1, 2]), outgoing: [], learners: replicas(learners), version: 2)
    let members = configuration.members.filter { $0.node != nodes[0] }.map { member in
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
    var record = Operation(
      number: 31, kind: Plan.kind, params: OperationChild(plan).params, by: "operator",
      started: Stamp(microseconds: 1_000_000))
    (record.state, record.step, record.holds) = (.running, step, plan.holds)
    if Plan.makesShard { record.heir = heir }
    var view = OperationView(record: record, topology: topology, now: Stamp(microseconds: 1_000_000 + age))
    view.room = room
    for group in groups {
      let isServed = !unserved.contains(group.shard.rawValue)
      view.shards[group.shard] = .init(
        leader: isServed ? nodes[0] : .none, term: Term(4), isServed: isServed, group: group)
    }
    return try #require(record.plan).next(view)
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
    #expect(map.placement(of: Self.heir) == nil && map.ended == [Self.heir])
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
    #expect(try Self.next(Self.merge, step: 0, [target, source]) == .run(step: 1))
    #expect(try Self.next(Self.merge, step: 0, [source]) == .wait("shard 1 has no leader that tells of its group"))
    #expect(try Self.next(Self.merge, step: 1, [target, source]) == .run(step: 1))
    let (all, none) = (try Self.group(1, [0..<16_384], epoch: 30), try Self.group(2, [], epoch: 29))
    #expect(try Self.next(Self.merge, step: 1, [all, none]) == .run(step: 1), "the map has yet to say so")
    let map = Self.topology([[0..<16_384], []], epochs: [30, 29])
    var booked = none
    booked.hasBooks = true
    #expect(try Self.next(Self.merge, step: 1, [all, booked], in: map) == .run(step: 1), "its books have yet to move")
    #expect(try Self.next(Self.merge, step: 1, [all, none], in: map) == .run(step: 2))
    #expect(
      try Self.next(Self.merge, step: 1, [all, Self.group(2, [], epoch: 29, isMoving: true)], in: map) == .run(step: 1))
    let late = try Self.group(2, [], epoch: 29, lag: [1: 1])
    #expect(try Self.next(Self.merge, step: 2, [all, late], in: map) == .wait("not all of shard 2's log is on n2"))
    #expect(
      try Self.next(Self.merge, step: 2, [all, none], in: map)
        == .done("shard 1 has slots 0-16383, epoch 30; shard 2 is no more, took 1000 ms"))
    var ended = map
    Self.merge.conclude(&ended)
    #expect(ended.shards.map(\.shard) == [ShardID(1)] && ended.ended == [ShardID(2)])
    #expect(ended.newestShard == ShardID(2))
  }
  @Test func aMergeIsRefusedOnOtherNodesAndWithTooManyRuns() {
    #expect(Self.merge.refusal(in: Self.topology()) == nil)
    let apart = Self.merge.refusal(in: Self.topology(voters: [[0, 1, 2], [0, 1, 3]]))
    #expect(apart?.contains("shard 2 is on n1, n2, n4, shard 1 on n1, n2, n3") == true)
    #expect(apart?.contains("tally shard move 2 --from A --to B") == true)
    #expect(ShardMerge(shard: ShardID(1), ending: ShardID(1)).refusal(in: Self.topology()) != nil)
    let (even, odd) = ((0..<8).map { $0 * 200..<$0 * 200 + 100 }, (0..<8).map { $0 * 200 + 100..<$0 * 200 + 200 })
    #expect(Self.merge.refusal(in: Self.topology([even, odd])) == nil, "together they are one run")
    let apartAgain = (0..<8).map { $0 * 200 + 2_000..<$0 * 200 + 2_100 }
    #expect(Self.merge.refusal(in: Self.topology([even, apartAgain]))?.contains("too many runs") == true)
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
    #expect(map.ended == [ShardID(2)], "of what never was nothing is kept")
    var buffer = ByteBuffer()
    map.encode(into: &buffer)
    var reader = ByteReader(buffer.bytes)
    #expect(try Topology(decoding: &reader) == map)
  }
}
