import Base
import Cluster

/// An operator moves the leadership of shards while faults go on, and now and then gives that up. Whatever befalls the
/// directory's leaders meanwhile: in the quiescence each operation that was begun is over, and says what it came to.
extension Scenario {
  /// In quiescence an operation may take its own limit, and whatever an election takes besides (µs):
  /// a minute; five where links are so narrow that followers which are further behind have them for as long.
  private var operationPatience: UInt64 { (1..<1_000_000).contains(plan.network.bandwidth) ? 300_000_000 : 60_000_000 }

  func scheduleLeaderMoves() {
    guard plan.operations.movesLeaders else { return }
    simulation.call(after: random.wait(2_000_000)) { [self] in
      guard isFaultPhase, failure == nil else { return }
      let host = Int(random.below(UInt64(simulation.hosts.count)))
      let heir = random.pick(simulation.hosts).name
      let shard = anyShard().rawValue
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

  /// In quiescence, once all requests are answered. As long as they get on they are waited for, ten minutes at most.
  func checkOperations() {
    guard plan.operations.movesLeaders || plan.resizes || plan.operations.splits, !onlySafetyIsDue, failure == nil
    else { return }
    let last = simulation.now + 10 * operationPatience
    var end = simulation.now + operationPatience
    var open: [String] = []
    while failure == nil, simulation.now < min(end, last) {
      guard let host = up.first, let lines = listOperations(at: host) else { return }
      var now = lines.filter { $0.contains(" state=running ") || $0.contains(" state=waiting ") }
      // An upgrade waits for nodes that are away.
      if up.count < simulation.hosts.count { now.removeAll { $0.contains(" kind=upgrade-finish ") } }
      if lines.first?.hasPrefix("*") == true {
        guard !now.isEmpty else { return noteOperations(lines, at: host) }
        if now != open { end = simulation.now + operationPatience }
        open = now
        giveUpImpossible(open, at: host)
      }
      simulation.run(for: 500_000)
    }
    fail("operations are not over in quiescence: \(open)")
  }
  private func listOperations(at host: Int) -> [String]? {
    guard let client = simulation.connect(to: host) else { return nil }
    defer { simulation.disconnect(client) }
    simulation.send("CLUSTER OP LIST\n", on: client)
    simulation.run(for: 20_000_000) {
      client.isClosed || client.lines.first.map { client.lineCount > (Int($0.dropFirst()) ?? 0) } ?? false
    }
    return client.lines
  }
  private func noteOperations(_ lines: [String], at host: Int) {
    let mute = lines.filter { $0.contains(" state=failed ") && $0.contains(" error=none ") }
    if !mute.isEmpty { return fail("operations failed without a reason: \(mute)") }
    let done = lines.filter { $0.contains(" state=done ") }
    tally.removals = done.count { $0.contains(" kind=node-remove ") }
    tally.moves = done.count { $0.contains(" kind=shard-move ") }
    tally.splits = done.count { $0.contains(" kind=shard-split ") }
    tally.merges = done.count { $0.contains(" kind=shard-merge ") }
    tally.leaderMoves = done.count { $0.contains(" kind=shard-leader ") }
    tell(host, "operations: \(lines.count - 1), of which \(done.count) done")
  }
}
