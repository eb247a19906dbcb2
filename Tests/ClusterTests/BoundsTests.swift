import Base
import Protocol
import Testing

@testable import Cluster
@testable import Simulator

/// Lengths and counts that peers and clients choose, far beyond what they should be: they are refused, and nothing traps.
@Suite struct BoundsTests {
  private func member(_ number: UInt64) -> NodeRecord {
    NodeRecord(
      id: NodeID(number), name: "n\(number)", region: number % 2 == 0 ? "a" : "b", clientAddress: "c:1",
      peerAddress: "p:1", state: .up)
  }
  private func decode(_ topology: Topology) throws -> Topology {
    var buffer = ByteBuffer()
    topology.encode(into: &buffer)
    var reader = ByteReader(buffer.bytes)
    return try Topology(decoding: &reader)
  }

  @Test func aClusterOfMoreNodesThanAGroupMayListIsRefused() throws {
    let most = (1...255).map { member(UInt64($0)) }
    let plan = try Topology.plan(
      cluster: 1, hashKey: .none, nodes: most, shards: 8, replicas: 3, allowSingleRegion: false)
    var buffer = ByteBuffer()
    plan.directoryConfiguration.encode(into: &buffer)
    #expect(try decode(plan) == plan)
    #expect(throws: Topology.Impossible.self) {
      try Topology.plan(
        cluster: 1, hashKey: .none, nodes: most + [member(256)], shards: 8, replicas: 3, allowSingleRegion: false)
    }
    var longer = plan
    longer.nodes.append(member(256))
    #expect(throws: MalformedBytes.self) { try decode(longer) }
  }

  @Test func aShardOfAnImpossibleNumberIsRefused() throws {
    var plan = try Topology.plan(
      cluster: 1, hashKey: .none, nodes: [member(1)], shards: 1, replicas: 1, allowSingleRegion: true)
    plan.shards[0].shard = ShardID(.max)
    #expect(throws: MalformedBytes.self) { try decode(plan) }
  }

  @Test func anAnswerThatFitsIntoNoFrameIsRefused() throws {
    let results = EdgeResults()
    let long = [UInt8](repeating: 1, count: EdgeResults.answerBytes + 1)
    long.withUnsafeBytes { results.append(ShardID(3), 17, $0) }
    var reader = ByteReader(results.buffer.bytes)
    #expect(try reader.read(UInt32.self) == 3)
    #expect(try reader.read(UInt64.self) == 17)
    let length = Int(try reader.read(UInt32.self))
    #expect(RecordView(try reader.readBytes(length)).errorCode == .malformed && reader.isAtEnd)
  }
}
