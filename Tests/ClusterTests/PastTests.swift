import Base
import Ledger
import Testing

@testable import Cluster
@testable import Simulator

/// Requests about transactions that have left memory, from terminals at any node.
@Suite struct PastTests {
  private func cluster(seed: UInt64, shards: Int = 1, seconds: Int64 = 2) throws -> DiskCluster {
    try DiskCluster(seed: seed, shards: shards) { $0.ledgerLimits.transactionSeconds = seconds }
  }
  private func field(_ name: String, _ line: String) throws -> String {
    let word = line.dropFirst().split(separator: " ").first { $0.hasPrefix(name + "=") }
    return String(try #require(word, "\(name) in \(line)").dropFirst(name.count + 1))
  }
  /// Lets all that was booked leave memory: by time, and by an entry of its shard.
  private func pass(_ cluster: DiskCluster, _ tag: String) throws {
    cluster.simulation.run(for: 4_000_000)
    for member in cluster.members {
      #expect(try cluster.answer("EARN \(member) merchant=shop points=1 id=\(tag)-\(member)", on: 0).hasPrefix("+"))
    }
  }

  @Test func refundsCapturesAndRepeatsAreAnsweredFromEveryNode() throws {
    let cluster = try cluster(seed: 91, shards: 3)
    let earned = try cluster.members.map { try cluster.answer("EARN \($0) merchant=shop points=100 id=a", on: 0) }
    let held = try cluster.members.map { try cluster.answer("HOLD \($0) merchant=shop points=40 id=h", on: 1) }
    let captured = try held.map { try cluster.answer("CAPTURE \(try field("tx", $0)) points=30 id=c", on: 2) }
    try pass(cluster, "p")
    for (i, member) in cluster.members.enumerated() {
      let tx = try field("tx", earned[i])
      let first = try cluster.answer("REFUND \(tx) points=10 id=r", on: i % 3)
      #expect(first.contains(" points=-10 ") && first.contains("of=\(tx)"), "\(first)")
      #expect(
        try cluster.answer("REFUND \(try field("tx", held[i])) points=5 id=s", on: (i + 1) % 3).contains("points=5 "))
      for host in 0..<3 {
        #expect(try cluster.answer("REFUND \(tx) points=10 id=r", on: host) == first)
        #expect(try cluster.answer("CAPTURE \(try field("tx", held[i])) points=30 id=c", on: host) == captured[i])
      }
      #expect(try cluster.answer("TX SHOW \(tx)", on: 0).contains("left=90"))
      #expect(try cluster.answer("BALANCE \(member)", on: 0).contains("balance=66 held=0"))
    }
    try pass(cluster, "q")
    let tx = try field("tx", earned[0])
    #expect(try cluster.answer("TX SHOW \(tx) read=local", on: 2).contains("left=90"))
    #expect(try cluster.answer("REFUND \(tx) points=91 id=t", on: 1).hasPrefix("-REVERSED"))
    #expect(try cluster.answer("REFUND 16383-99 id=t", on: 1).hasPrefix("-NOTFOUND"))
    try cluster.checkBooks()
  }

  /// What is sent after a refund sees it, though the refund was sent twice.
  @Test func requestsOfOneConnectionTakeEffectInTheOrderSent() throws {
    let cluster = try cluster(seed: 92)
    let lines = try (0..<8).map { try cluster.answer("EARN m0 merchant=shop points=10 id=a\($0)", on: $0 % 3) }
    try pass(cluster, "p")
    for host in 0..<3 {
      let client = try #require(cluster.simulation.connect(to: host))
      var text = "EARN m0 merchant=shop points=1 id=x\(host)\n"
      for i in 0..<2 { text += "REFUND \(try field("tx", lines[2 * host + i])) id=r\(host)-\(i)\nBALANCE m0\n" }
      text += "EARN m0 merchant=shop points=3 id=z\(host)\n"
      cluster.simulation.send(text, on: client)
      cluster.simulation.run(for: 10_000_000) { client.lineCount >= 6 }
      let balances = try client.lines.map { Int(try field("balance", $0)) ?? 0 }
      let start = balances.first ?? 0
      #expect(balances.map { $0 - start } == [0, -10, -10, -20, -20, -17], "\(client.lines)")
    }
  }

  /// Leaders die with refunds on their way: each is done once, or was never done.
  @Test(arguments: [93, 94] as [UInt64]) func aRefundIsDoneOnceThoughLeadersDie(seed: UInt64) throws {
    let cluster = try cluster(seed: seed, seconds: 0)
    let simulation = cluster.simulation
    let purchase = try cluster.answer("EARN m0 merchant=shop points=1000 id=a", on: 0)
    let tx = try field("tx", purchase)
    for round in 0..<6 {
      let leader = try #require((0..<3).first { cluster.led(by: $0) > 0 })
      let edge = (leader + 1) % 3
      let line = "REFUND \(tx) points=10 id=r\(round)"
      // Two terminals at once: the facts of one are old when the other has been served.
      let clients = try [edge, (leader + 2) % 3].map { try #require(simulation.connect(to: $0)) }
      simulation.send(line + "\n", on: clients[0])
      simulation.send("REFUND \(tx) points=1 id=s\(round)\n", on: clients[1])
      simulation.run(for: UInt64(300 + round * 900))
      simulation.kill(leader)
      simulation.run(for: 8_000_000) { clients.allSatisfy { $0.lineCount > 0 } }
      simulation.start(leader)
      var answers: [String] = []
      for (i, text) in [line, "REFUND \(tx) points=1 id=s\(round)"].enumerated() {
        var answer = clients[i].lines.first ?? ""
        let isCertain = answer.hasPrefix("+")
        #expect(isCertain || answer.isEmpty || answer.hasPrefix("-UN") || answer.hasPrefix("-BUSY"), "\(answer)")
        for _ in 0..<20 where !answer.hasPrefix("+") { answer = try cluster.answer(text, on: edge) }
        answers.append(answer)
        #expect(try cluster.answer(text, on: leader) == answer)
      }
      #expect(answers.allSatisfy { $0.hasPrefix("+") }, "\(answers)")
      #expect(try cluster.answer("BALANCE m0", on: edge).contains("balance=\(1000 - 11 * (round + 1)) "))
      #expect(try cluster.answer("TX SHOW \(tx)", on: edge).contains("left=\(1000 - 11 * (round + 1))"))
    }
    try cluster.checkBooks()
  }
}
