import Base
import Testing

@testable import Client

@Suite struct CourierTests {
  private func courier(_ cluster: FakeCluster, depth: Int = 8) throws -> Courier {
    var options = Courier.Options(endpoints: try Endpoint.list(cluster.addresses))
    options.clientCount = 6
    options.pipelineDepth = depth
    options.patience = 20
    return try Courier(options)
  }

  /// Posts `count` EARNs of 3 points, and gives the number of final answers for each.
  private func post(_ count: Int, with courier: Courier, midway: () -> Void = {}) throws -> (
    answers: [Int], errors: Int
  ) {
    var answers = [Int](repeating: 0, count: count)
    var errors = 0
    var isMidway = false
    try courier.deliver(
      count: count,
      write: { job, output in
        output.append(utf8: "EARN m\(job % 20) merchant=s points=3 id=job-\(job)\r\n")
      },
      answered: { job, kind, _ in
        answers[job] += 1
        if kind == UInt8(ascii: "-") { errors += 1 }
      },
      progress: { done in
        if done > count / 2, !isMidway {
          isMidway = true
          midway()
        }
      })
    return (answers, errors)
  }

  private func populated(nodeCount: Int = 3) throws -> FakeCluster {
    let cluster = try FakeCluster(nodeCount: nodeCount)
    for i in 0..<20 { _ = cluster.answer("MEMBER ADD m\(i)") }
    return cluster
  }

  @Test func eachRequestGetsOneFinalAnswerThroughAllNodes() throws {
    let cluster = try populated()
    let outcome = try post(2_000, with: try courier(cluster))
    #expect(outcome.answers.allSatisfy { $0 == 1 })
    #expect(outcome.errors == 0)
    #expect(cluster.totalPoints == 6_000)
    #expect(cluster.nodes.allSatisfy { $0.requestCount > 200 })
  }

  @Test(arguments: ["-BUSY later", "-UNAVAILABLE no quorum", "-UNKNOWN not learnt in time"], [false, true])
  func whatMayPassIsSentAgainUntilItHasAnAnswerAndCountsOnce(line: String, applies: Bool) throws {
    let cluster = try populated()
    cluster.faults = FakeCluster.Faults(errorEvery: 5, errorLine: line, appliesAnyway: applies)
    let courier = try courier(cluster)
    let outcome = try post(500, with: courier)
    #expect(outcome.answers.allSatisfy { $0 == 1 })
    #expect(outcome.errors == 0)
    #expect(courier.counters.retries >= 50)
    #expect(cluster.totalPoints == 1_500)
  }

  @Test func aRefusalIsAFinalAnswer() throws {
    let cluster = try populated()
    cluster.faults = FakeCluster.Faults(errorEvery: 4, errorLine: "-FROZEN the member is frozen")
    let outcome = try post(400, with: try courier(cluster))
    #expect(outcome.answers.allSatisfy { $0 == 1 })
    #expect(outcome.errors == 100)
  }

  @Test func lostConnectionsLoseAndDoubleNothing() throws {
    let cluster = try populated()
    cluster.faults.dropAfter = 50
    let courier = try courier(cluster)
    let outcome = try post(2_000, with: courier)
    #expect(outcome.answers.allSatisfy { $0 == 1 })
    #expect(courier.counters.connectionsLost > 10)
    #expect(cluster.totalPoints == 6_000)
  }

  @Test func aNodeMayGoAndComeBackInTheMiddle() throws {
    let cluster = try populated()
    let courier = try courier(cluster)
    let outcome = try post(4_000, with: courier, midway: { cluster.nodes[1].stop() })
    #expect(outcome.answers.allSatisfy { $0 == 1 })
    #expect(cluster.totalPoints == 12_000)
    let before = cluster.nodes[1].requestCount
    try cluster.nodes[1].restart()
    // A second round with the same ids moves nothing, and the node that is back takes part again.
    var rounds = 0
    while cluster.nodes[1].requestCount == before, rounds < 200 {
      _ = try post(4_000, with: courier)
      rounds += 1
    }
    #expect(cluster.nodes[1].requestCount > before)
    #expect(cluster.totalPoints == 12_000)
  }

  @Test func whenNobodyIsLeftTheDeliveryEndsWithExitCode5() throws {
    let cluster = try populated(nodeCount: 1)
    var options = Courier.Options(endpoints: try Endpoint.list(cluster.addresses))
    options.patience = 0.5
    cluster.nodes[0].stop()
    let courier = try Courier(options)
    let error = #expect(throws: ClientError.self) { _ = try self.post(10, with: courier) }
    #expect(error?.exitCode == 5)
  }
}
