import Base
import Testing

@testable import Cluster
@testable import Simulator

/// Backups of clusters whose shards were split or merged: records lie in the journal of another shard than the one that has them.
@Suite struct SplitBackupTests {
  /// What was asked of a member, before its slot moved.
  private struct Purchase {
    let member: String
    let line: String
    let answer: String
    var tx: String { answer.field("tx").map(String.init) ?? "" }
  }
  private func purchases(_ saved: SavedCluster) throws -> [Purchase] {
    try saved.members.map { member in
      let line = "EARN \(member) merchant=shop points=40 id=before-\(member)"
      let answer = try saved.cluster.ask(line)
      try #require(answer.hasPrefix("+tx="), "\(answer)")
      return Purchase(member: member, line: line, answer: answer)
    }
  }
  private func operate(_ saved: SavedCluster, _ line: String, _ number: Int) throws {
    let answer = try saved.cluster.ask(line)
    try #require(answer.contains("op=\(number)"), "\(answer)")
    let record = try saved.cluster.wait(number)
    try #require(record.contains("state=done"), "\(record)")
  }
  private func histories(_ members: [String], _ lines: (String) throws -> [String]) rethrows -> [[String]] {
    try members.map { try lines("HISTORY \($0) limit=100") }
  }

  @Test(arguments: [3, 5, 1]) func aRestoredClusterRemembersAcrossASplit(nodes: Int) throws {
    let saved = try SavedCluster(seed: 941, nodes: 3, shards: 1)
    let before = try purchases(saved)
    try operate(saved, "CLUSTER SHARD SPLIT 1", 1)
    let map = try #require(saved.cluster.node(0)?.view.topology)
    let moved = before.filter { map.shard(ofMember: $0.member) == ShardID(2) }
    try #require(moved.count > 3 && moved.count < before.count, "members are on both sides: \(moved.count)")
    // Its journal goes on in the heir's, and the parent's too.
    for member in saved.members {
      #expect(try saved.cluster.ask("EARN \(member) merchant=shop points=2 id=behind-\(member)").hasPrefix("+tx="))
    }
    let told = try histories(saved.members) { try saved.lines($0, on: 0) }
    try #require(told.allSatisfy { $0.count == 3 }, "\(told.first ?? [])")
    let record = try saved.save(on: 0, 2)
    try #require(record.contains("state=done"), "\(record)")
    #expect(try saved.verified().findings == [])

    let restored = try RestoredCluster(of: saved, on: 0, seed: 942, nodes: nodes)
    let answer = try restored.restore(nodes == 1 ? " replicas=1" : "")
    #expect(answer.contains("cluster=") && answer.contains("shards=2"), "\(answer)")
    let proof = try restored.awaitProof()
    try #require(proof.contains("state=done"), "\(proof)\n\(restored.simulation.report)")
    try remembers(restored, before, told, nodes: nodes)
  }

  /// The source is no more: what its records were lies in a journal without a shard.
  @Test func aRestoredClusterRemembersAcrossAMerge() throws {
    let saved = try SavedCluster(seed: 943, nodes: 3, shards: 2)
    let before = try purchases(saved)
    try operate(saved, "CLUSTER SHARD MERGE 1 2", 1)
    let told = try histories(saved.members) { try saved.lines($0, on: 0) }
    let record = try saved.save(on: 0, 2)
    try #require(record.contains("state=done"), "\(record)")
    let restored = try RestoredCluster(of: saved, on: 0, seed: 944, nodes: 5)
    #expect(try restored.restore().contains("shards=1"))
    let proof = try restored.awaitProof()
    try #require(proof.contains("state=done"), "\(proof)\n\(restored.simulation.report)")
    try remembers(restored, before, told, nodes: 5)
  }

  private func remembers(
    _ restored: RestoredCluster, _ before: [Purchase], _ told: [[String]], nodes: Int
  ) throws {
    for host in 0..<nodes {
      #expect(try histories(before.map(\.member)) { try restored.lines($0, on: host) } == told, "host \(host)")
    }
    for (number, purchase) in before.enumerated() {
      let host = number % nodes
      #expect(try restored.ask(purchase.line, on: host) == purchase.answer)
      let shown = try restored.ask("TX SHOW \(purchase.tx)", on: host)
      #expect(shown.contains("member=\(purchase.member) ") && shown.contains("points=40 "), "\(shown)")
      let refund = try restored.ask("REFUND \(purchase.tx) id=back-\(number)", on: host)
      #expect(refund.contains("points=-40 ") && refund.contains("of=\(purchase.tx) "), "\(refund)")
    }
    let totals = try restored.lines("AUDIT")
    #expect(totals.last?.contains("balanced=yes") == true, "\(totals)")
  }
}
