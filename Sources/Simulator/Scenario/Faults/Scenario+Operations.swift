import Base
import Cluster

/// An operator moves the leadership of shards while faults go on, and now and then gives that up. Whatever befalls the
/// directory's leaders meanwhile: in the quiescence each operation that was begun is over, and says what it came to.
extension Scenario {
  /// In quiescence an operation may take its own limit, and whatever an election takes besides (µs).
  private static let operationPatience: UInt64 = 60_000_000

  func scheduleLeaderMoves() {
    guard plan.movesLeaders else { return }
    simulation.call(after: random.wait(2_000_000)) { [self] in
      guard isFaultPhase, failure == nil else { return }
      let host = Int(random.below(UInt64(simulation.hosts.count)))
      let heir = random.pick(simulation.hosts).name
      let shard = 1 + random.below(UInt64(plan.shards))
      let line =
        random.chance(100)
        ? "CLUSTER OP CANCEL \(1 + random.below(20))" : "CLUSTER SHARD LEADER \(shard) to=\(heir)"
      operate(line, on: host)
      scheduleLeaderMoves()
    }
  }

  /// An operator says a line at a node, and does not wait.
  func operate(_ line: String, on host: Int) {
    simulation.call(on: host, after: 1_000) { [self] in
      guard let client = simulation.connect(to: host) else { return }
      client.deliver = { [unowned self] bytes in
        guard let bytes else { return }
        tell(host, "\(line): \(String(decoding: bytes, as: UTF8.self).split(separator: "\r\n").first ?? "")")
      }
      simulation.send(line + "\n", on: client)
    }
  }

  /// In quiescence, once all requests are answered.
  func checkOperations() {
    guard plan.movesLeaders || plan.resizes, !onlySafetyIsDue, failure == nil else { return }
    let able = simulation.hosts.indices.filter { !down.contains($0) && !damage.hosts.contains($0) }
    guard let host = able.first, let client = simulation.connect(to: host) else { return }
    let end = simulation.now + Scenario.operationPatience
    var open: [String] = []
    while failure == nil {
      client.clear()
      simulation.send("CLUSTER OP LIST\n", on: client)
      simulation.run(for: 20_000_000) {
        client.isClosed || client.lines.first.map { client.lineCount > (Int($0.dropFirst()) ?? 0) } ?? false
      }
      let lines = client.lines
      open = lines.filter { $0.contains(" state=running ") || $0.contains(" state=waiting ") }
      // An upgrade waits for nodes that are away.
      if able.count < simulation.hosts.count { open.removeAll { $0.contains(" kind=upgrade-finish ") } }
      let isList = lines.first?.hasPrefix("*") == true
      if isList, open.isEmpty {
        let mute = lines.filter { $0.contains(" state=failed ") && $0.contains(" error=none ") }
        if !mute.isEmpty { fail("operations failed without a reason: \(mute)") }
        tally.leaderMoves = lines.count { $0.contains(" state=done ") }
        return tell(host, "operations: \(lines.count - 1), of which \(tally.leaderMoves) done")
      }
      guard simulation.now < end else { break }
      simulation.run(for: 500_000)
    }
    fail("operations are not over in quiescence: \(open)")
  }
}
