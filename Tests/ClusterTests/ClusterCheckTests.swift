import Base
import Raft
import Testing

@testable import Cluster
@testable import Simulator

@Suite struct ClusterCheckTests {
  typealias Finding = ClusterCheck.Finding
  private static let nodes = (1...3).map { NodeID(UInt64($0)) }

  /// Nothing is wrong with it.
  private static func check() -> ClusterCheck {
    let records = zip(nodes, ["east-1", "north-1", "west-1"]).map { id, name in
      NodeRecord(
        id: id, name: name, region: String(name.prefix { $0 != "-" }), clientAddress: "a:1", peerAddress: "a:2",
        state: .up)
    }
    let shards = (0..<2).map { number in
      ShardPlacement(
        shard: ShardID(UInt32(number + 1)), slots: SlotRanges([number * 8_192..<(number + 1) * 8_192]) ?? .none,
        epoch: 1,
        voters: nodes, preferredLeader: nodes[number])
    }
    let topology = Topology(
      cluster: 1, hashKey: .none, nodes: records, directoryVoters: nodes, shards: shards, version: 5)
    var check = ClusterCheck(topology: topology, up: Set(nodes))
    check.leaders = [.directory: nodes[0], ShardID(1): nodes[0], ShardID(2): nodes[1]]
    check.maps = nodes.map { ClusterCheck.Map(node: $0, version: 5, digest: 7) }
    check.digests = [ShardID(1): .equal, ShardID(2): .equal]
    return check
  }

  struct Case: CustomTestStringConvertible, Sendable {
    var what: String
    var change: @Sendable (inout ClusterCheck) -> Void
    var findings: [Finding]
    var testDescription: String { what }
  }
  static let cases: [Case] = [
    Case(what: "nothing", change: { _ in }, findings: []),
    Case(
      what: "slots of nobody, and of two",
      change: { $0.topology.shards[1].slots = SlotRanges([8_000..<8_100, 8_300..<16_384]) ?? .none },
      findings: [
        Finding(kind: .slots, text: "no shard owns 108 slots, the first is 8192"),
        Finding(kind: .slots, text: "two shards own 100 slots, the first is 8000"),
      ]),
    Case(
      what: "a node is down", change: { $0.up.remove(nodes[2]) },
      findings: [
        Finding(kind: .down, node: "west-1", text: "it is not in reach"),
        Finding(kind: .underReplicated, shard: ShardID(1), node: "west-1", text: "2 of its 3 voters are up"),
        Finding(kind: .underReplicated, shard: ShardID(2), node: "west-1", text: "2 of its 3 voters are up"),
      ]),
    Case(
      what: "a shard has too few voters", change: { $0.topology.shards[0].voters = [nodes[0]] },
      findings: [Finding(kind: .underReplicated, shard: ShardID(1), text: "it has 1 of 3 voters")]),
    Case(
      what: "no leader",
      change: {
        $0.leaders = [.directory: nodes[0], ShardID(2): nodes[1]]
        $0.digests[ShardID(1)] = .unasked
      },
      findings: [
        Finding(kind: .leaderless, shard: ShardID(1), text: "it has no leader that serves"),
        Finding(kind: .digest, shard: ShardID(1), text: "its replicas could not be compared"),
      ]),
    Case(
      what: "no leader of the directory", change: { $0.leaders[.directory] = nil },
      findings: [Finding(kind: .leaderless, shard: .directory, text: "the directory has no leader")]),
    Case(
      what: "a rule is broken", change: { $0.topology.rules.lead = .region("north") },
      findings: [
        Finding(kind: .misplaced, shard: ShardID(1), node: "east-1", text: "it is led from region east, not from north")
      ]),
    Case(
      what: "alarms", change: { $0.alarms = [nodes[1]: ["NOSPACE", "CLOCK"]] },
      findings: [Finding(kind: .alarm, node: "north-1", text: "NOSPACE, CLOCK")]),
    Case(
      what: "an older map, and another one",
      change: {
        $0.maps[0].version = 4
        $0.maps[1].digest = 8
      },
      findings: [
        Finding(kind: .map, node: "east-1", text: "it goes by version 4 of the map, and 5 is the newest"),
        Finding(kind: .map, node: "north-1", text: "its version 5 of the map is another than that of west-1"),
      ]),
    Case(
      what: "replicas differ, or are behind", change: { $0.digests = [ShardID(1): .differ, ShardID(2): .open] },
      findings: [
        Finding(kind: .digest, shard: ShardID(1), text: "its replicas are not in the same state"),
        Finding(
          kind: .digest, shard: ShardID(2), text: "not all of its replicas told their digest in time: one may be behind"
        ),
      ]),
  ]
  @Test(arguments: cases) func whatIsWrongIsFound(given: Case) {
    var check = Self.check()
    given.change(&check)
    #expect(check.findings == given.findings)
    #expect(ClusterCheck.isFine(check.findings) == given.findings.isEmpty)
  }

  @Test func anOperationIsNothingWrongUnlessItWaits() {
    var check = Self.check()
    let plan = NodeDrain(node: Self.nodes[0])
    var operation = Operation(
      number: 3, kind: NodeDrain.kind, params: OperationChild(plan).params, by: "operator", started: .zero)
    operation.state = .running
    check.operations = [operation]
    #expect(check.findings == [Finding(kind: .operation, text: "operation 3, node-drain, is under way")])
    #expect(ClusterCheck.isFine(check.findings))
    operation.state = .waiting
    operation.text = "why"
    check.operations = [operation]
    #expect(check.findings == [Finding(kind: .waiting, text: "operation 3, node-drain, waits: why")])
    #expect(!ClusterCheck.isFine(check.findings))
  }

  @Test func onlyWhenAllVotersAreTheSameReplicasAreCompared() {
    var comparison = DigestComparison()
    let digest = StateDigest(a: 1, b: 2, chain: 3)
    func note(_ node: Int, _ index: UInt64, _ digest: StateDigest, at now: UInt64) -> DigestComparison.Comparison {
      comparison.note(digest, at: LogIndex(index), of: Self.nodes[node], voters: Self.nodes, now: now)
    }
    #expect(note(0, 10, digest, at: 1) == .agreement)
    #expect(note(1, 10, digest, at: 2) == .agreement)
    #expect(comparison.agreed == nil)
    #expect(note(2, 10, digest, at: 3) == .agreement)
    #expect(comparison.agreed?.index == LogIndex(10) && comparison.agreed?.at == 3)
    #expect(note(0, 20, digest, at: 4) == .agreement)
    #expect(note(1, 20, StateDigest(a: 1, b: 2, chain: 4), at: 5) == .split)
    #expect(note(2, 20, digest, at: 6) == .deviants([Self.nodes[1]]))
    #expect(comparison.agreed?.index == LogIndex(10))
  }

  @Test func aConditionIsReadAsItWasWritten() throws {
    var condition = NodeCondition()
    condition.map = MapMark(version: 9, digest: .max)
    condition.divergent = [ShardID(2)]
    condition.compared = [Compared(shard: ShardID(1), index: LogIndex(77))]
    var buffer = ByteBuffer()
    condition.encode(into: &buffer)
    var reader = ByteReader(buffer.bytes)
    #expect(try NodeCondition(decoding: &reader) == condition)
  }

  // MARK: In a cluster

  private func check(_ cluster: ResizedCluster, on host: Int = 0) throws -> [String] {
    let client = try #require(cluster.simulation.connect(to: host))
    return askAll(cluster.simulation, client, "CLUSTER CHECK")
  }
  @Test func aWholeClusterIsComparedAndFine() throws {
    let cluster = try ResizedCluster(seed: 351, shards: 4)
    // Until leads are at home.
    cluster.simulation.run(for: 5_000_000)
    for host in 0..<3 {
      let lines = try check(cluster, on: host)
      #expect(lines == ["*1", "+ok=yes nodes=3 shards=4 compared=4"], "\(lines)")
    }
    #expect(try cluster.ask("HEALTH all=yes").hasPrefix("+healthy: committed on 4 of 4 led shards"))
  }
  /// Whenever the map changes, some nodes hear of it a moment after the others, and this one may be among them.
  @Test func aNodeThatHasYetToHearOfTheNewestMapIsNotNamed() {
    let hello = Hello(
      node: NodeID(1), name: "east-1", region: "east", clientAddress: "e:1", peerAddress: "e:2", version: "0",
      cluster: 9)
    let peer = Peer(id: NodeID(1), index: 1, hello: hello)
    let own = MapMark(version: 9, digest: 1)
    peer.condition.map = MapMark(version: 10, digest: 2)
    #expect(peer.differsOfLate(from: own, now: 100_000_000), "it has just said so")
    peer.mapDiffersSince = 100_000_000
    #expect(peer.differsOfLate(from: own, now: 102_000_000))
    #expect(!peer.differsOfLate(from: own, now: 104_000_000), "it has had time")
    #expect(!peer.differsOfLate(from: peer.condition.map, now: 101_000_000))
  }
  @Test func whatIsDownIsNamedAndTheRestCompared() throws {
    let cluster = try ResizedCluster(seed: 352, shards: 2)
    cluster.simulation.kill(2)
    cluster.simulation.run(for: 8_000_000)
    let lines = try check(cluster)
    #expect(lines.dropFirst().first == "+ok=no nodes=3 shards=2 compared=0")
    #expect(lines.contains { $0.hasPrefix("+kind=down node=") })
    #expect(lines.count { $0.hasPrefix("+kind=under-replicated shard=") } == 2)
    #expect(!lines.contains { $0.hasPrefix("+kind=digest") }, "of what is down that is said already")
  }
}
