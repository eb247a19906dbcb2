import Base
import Testing

@testable import Cluster
@testable import Raft
@testable import Simulator

/// What one shard asks of another: when it is asked again, and who waits for the answer.
@Suite struct DeliveryTests {
  @Test(arguments: [200_000, 600_000, 5_000_000] as [UInt64])
  func aDeliveryIsSentAgainAfterItsPatienceAndThenEverLessOften(patience: UInt64) {
    let interval: Int64 = 200_000
    let retry = DeliveryRetry(sinceLastWalk: UInt64(interval), patience: patience)
    for phase in stride(from: -10 * interval, to: -9 * interval, by: 7_000) {
      var times: [Int64] = []
      for age in stride(from: phase, to: 60_000_000 as Int64, by: 200_000) where retry.isDue(age: age) {
        times.append(age)
      }
      #expect(times[0] >= Int64(patience) && times[0] < Int64(patience) + interval, "\(times)")
      let gaps: [Int64] = zip(times, times.dropFirst()).map { $1 - $0 }
      #expect(gaps.allSatisfy { $0 <= Int64(max(DeliveryRetry.longestWait, patience)) + interval }, "\(times)")
      #expect(times.count <= 6 + Int(60_000_000 / max(DeliveryRetry.longestWait, patience)), "\(times)")
    }
  }
  @Test func aNewLeaderSendsAllAndOneWhoseClockIsBehindNotNever() {
    #expect(DeliveryRetry(sinceLastWalk: nil, patience: 200_000).isDue(age: -5))
    let retry = DeliveryRetry(sinceLastWalk: 200_000, patience: 200_000)
    let times = stride(from: -3_600_000_000 as Int64, to: -3_500_000_000, by: 200_000).filter { retry.isDue(age: $0) }
    #expect(times.count == 25)
  }

  /// Two members whose shards differ, and the number of the second's.
  private func twoMembers(_ simulation: Simulation) throws -> (from: String, to: String, shard: ShardID) {
    let node = try #require(simulation.hosts[0].node)
    func shard(_ name: String) -> UInt32 {
      var name = name
      let slot = name.withUTF8 { Slot(hash: Slot.hash(.member, tenant: .first, id: UnsafeRawBufferPointer($0))) }
      return node.requests.edge.shard(of: slot).rawValue
    }
    let other = try #require((0..<64).map { "m\($0)" }.first { shard($0) != shard("ann") })
    return ("ann", other, ShardID(shard(other)))
  }

  @Test func overALongWayNothingIsSentTwice() throws {
    var faults = Simulation.Faults()
    faults.minimumDelay = 110_000
    faults.maximumDelay = 110_000
    let simulation = try makeCluster(seed: 311, shards: 4, faults: faults)
    simulation.run(for: 6_000_000)
    let (from, to, _) = try twoMembers(simulation)
    let client = try populate(simulation, members: [from, to])
    #expect(ask(simulation, client, "EARN \(from) merchant=shop points=100 id=e")?.hasPrefix("+") == true)
    for i in 0..<20 {
      #expect(ask(simulation, client, "TRANSFER \(from) \(to) points=1 id=t\(i)")?.hasPrefix("+") == true)
    }
    simulation.run(for: 3_000_000)
    for host in simulation.hosts {
      for replica in host.node.map({ Array($0.replicas) }) ?? [] { #expect(replica.counters.deliveriesSentAgain == 0) }
    }
  }

  /// The recipient's shard takes nothing; the sender's terminal asks again and again, over links that break.
  @Test func theWaitersOfATransferDoNotGrowWithItsRepeats() throws {
    let simulation = try makeCluster(seed: 312, shards: 4)
    let (from, to, shard) = try twoMembers(simulation)
    let admin = try populate(simulation, members: [from, to])
    #expect(ask(simulation, admin, "EARN \(from) merchant=shop points=100 id=e")?.hasPrefix("+") == true)
    for host in simulation.hosts { host.node?.replicas[shard]?.quarantine("to see what waits for it") }
    let line = "TRANSFER \(from) \(to) points=1 id=t\n"
    var answers: [String] = []
    for round in 0..<12 {
      for host in 0..<3 {
        for _ in 0..<4 {
          let client = try #require(simulation.connect(to: host))
          client.deliver = { if let bytes = $0 { answers.append(String(decoding: bytes, as: UTF8.self)) } }
          simulation.send(line, on: client)
        }
      }
      simulation.run(for: 300_000)
      // All that waits is sent again, in a new epoch.
      simulation.breakConnection(UInt64(round))
      simulation.run(for: 300_000)
      for replica in simulation.hosts.flatMap({ $0.node.map { Array($0.replicas) } ?? [] }) {
        for waiting in replica.leading.waiters.repliesTo.values {
          #expect(waiting.count <= Waiters.perTransaction)
          let names = Set(waiting.map { "\($0.edge) \($0.sequence)" })
          #expect(names.count == waiting.count, "a request waits twice")
        }
      }
    }
    simulation.run(for: 6_000_000)
    #expect(answers.count == 144 && answers.allSatisfy { $0.hasPrefix("-UNKNOWN") }, "\(Set(answers))")
  }

  /// A ledger that has no room for request ids says so, at every node, for as long as that lasts.
  @Test func requestIDsWithoutRoomRaiseAnAlarm() throws {
    let simulation = try makeCluster(seed: 313, shards: 1) { $0.ledgerLimits.requestIDs = 20 }
    let client = try populate(simulation)
    func alarms() -> String {
      status(simulation, 1)?.split(separator: " ").first { $0.hasPrefix("alarms=") }.map(String.init) ?? ""
    }
    var last = ""
    for i in 0..<21 {
      if i < 19 { #expect(!alarms().contains("RETENTION"), "\(i)") }
      last = ask(simulation, client, "EARN ann merchant=shop points=1 id=i\(i)") ?? ""
      if last.hasPrefix("-BUSY") { break }
    }
    #expect(last.hasPrefix("-BUSY"))
    simulation.run(for: 2_000_000)
    #expect(alarms().contains("RETENTION"), "\(alarms())")
    for host in simulation.hosts {
      #expect(simulation.log.filter { $0.contains(" \(host.name) alarm=RETENTION shard=1 ") }.count == 1)
    }
  }
}
