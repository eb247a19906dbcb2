import Base
import Cluster

/// A client that follows the feed while faults happen. It asks any node, is cut off anywhere, and then goes on behind any
/// record that it still has: what it has in the end is what the journals have, each shard's records once and in order.
final class FeedFollower {
  unowned let scenario: Scenario
  private var random: SeededGenerator
  private var kept: [Record] = []
  private var connection: SimulatedClient?
  /// Counts what it waits for: what is late is recognised.
  private var wait = 0
  private var heard: [UInt8] = []

  private struct Record {
    var shard: ShardID
    var line: String
    /// Of the first, nothing.
    var cursor: String
  }

  init(_ scenario: Scenario) {
    self.scenario = scenario
    random = SeededGenerator(seed: scenario.plan.seed &* 7_919 &+ 5)
  }
  private var simulation: Simulation { scenario.simulation }

  // MARK: While faults happen

  func wake() {
    guard scenario.isFaultPhase, scenario.failure == nil else { return hangUp() }
    loseSome()
    wait += 1
    let wait = wait
    let host = scenario.anyHost(&random)
    simulation.call(on: host, after: 200 + random.below(3_000)) { [self] in ask(host, wait) }
    simulation.call(after: 500_000 + random.below(8_000_000)) { [self] in
      guard wait == self.wait else { return }
      hangUp()
      wake()
    }
  }
  /// It dies, and has what it kept until a while ago; or it is asked to begin there again.
  private func loseSome() {
    guard !kept.isEmpty, random.chance(300) else { return }
    let most = random.chance(200) ? kept.count : min(kept.count, 20)
    kept.removeLast(Int(random.below(UInt64(most + 1))))
    // It goes on behind the last that had a cursor.
    while kept.last?.cursor.isEmpty == true { kept.removeLast() }
  }
  private var words: String {
    let from = kept.last.map { " from=\($0.cursor)" } ?? ""
    return "FEED\(from) limit=\(random.pick([1, 3, 20, 1_000])) wait=\(random.below(3))"
      + " kind=" + Self.kinds
  }
  /// All but changes of entries.
  private static let kinds = ScenarioKinds.movements

  private func ask(_ host: Int, _ wait: Int) {
    guard wait == self.wait else { return }
    if connection == nil || connection?.host != host || connection?.isClosed ?? true || random.chance(200) { hangUp() }
    let client = connection ?? simulation.connect(to: host)
    guard let client else { return }
    connection = client
    heard = []
    client.deliver = { [weak self] bytes in self?.came(bytes, wait) }
    simulation.send(words + "\n", on: client)
  }
  private func hangUp() {
    guard let client = connection else { return }
    connection = nil
    client.deliver = nil
    simulation.call(on: client.host, after: 500) { [simulation] in simulation.disconnect(client) }
  }
  private func came(_ bytes: [UInt8]?, _ wait: Int) {
    guard wait == self.wait, let bytes else { return }
    heard += bytes
    guard let lines = FeedFollower.whole(heard) else { return }
    self.wait += 1
    guard take(lines) else { return }
    simulation.call(after: random.below(400_000) + 1) { [self] in wake() }
  }
  /// The lines of an answer, once all are there.
  private static func whole(_ bytes: [UInt8]) -> [String]? {
    let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\r\n", omittingEmptySubsequences: false)
      .dropLast().map(String.init)
    guard let first = lines.first else { return nil }
    let count = first.hasPrefix("*") ? Int(first.dropFirst()) ?? 0 : 0
    return lines.count > count ? lines : nil
  }
  /// - Returns: false of what can be no answer.
  private func take(_ lines: [String]) -> Bool {
    guard let first = lines.first else { return true }
    guard first.hasPrefix("*") else {
      if first.hasPrefix("-UNAVAILABLE") || first.hasPrefix("-BUSY") { return true }
      scenario.reportViolation("who follows the feed was told \(first)")
      return false
    }
    for line in lines.dropFirst() {
      // With many journals only some records have one, but always the last.
      let cursor = line.field("cursor") ?? ""
      guard !cursor.isEmpty || line != lines.last else {
        scenario.reportViolation("the last record of the feed has no cursor: \(line)")
        return false
      }
      guard line.field("kind") != "none" else {
        if let last = kept.indices.last { kept[last].cursor = String(cursor) }
        continue
      }
      guard let shard = line.number("shard").flatMap({ UInt32(exactly: $0) }), let tx = line.field("tx"),
        let kind = line.field("kind"), let member = line.field("member"), let points = line.field("points"),
        let balance = line.field("balance"), let time = line.field("time")
      else {
        scenario.reportViolation("a record of the feed lacks something: \(line)")
        return false
      }
      kept.append(
        Record(
          shard: ShardID(shard), line: "\(tx) \(kind) \(member) \(points) \(balance) \(time)", cursor: String(cursor)))
    }
    return true
  }

  // MARK: In the end

  /// Reads what is left, and compares.
  func finish(on client: SimulatedClient) {
    wait += 1
    hangUp()
    guard let before = try? scenario.observer.journals.movements() else {
      return scenario.reportViolation("the journals that replicas wrote cannot be read")
    }
    let end = simulation.now + 60_000_000
    let found = kept.count
    var asked = 0
    var isQuiet = false
    while !isQuiet, scenario.failure == nil {
      guard simulation.now < end else {
        let last = client.lines.first.map { "\($0) … \(client.lines.last ?? "")" } ?? "nothing"
        return scenario.fail(
          "the feed does not come to its end within 60 s: it has \(kept.count) records, \(asked) answers gave \(kept.count - found); the last is"
            + " '\(last)'")
      }
      client.clear()
      asked += 1
      let count = kept.count
      let from = kept.last.map { " from=\($0.cursor)" } ?? ""
      simulation.send("FEED\(from) limit=\(1 + random.below(500)) kind=\(Self.kinds)\n", on: client)
      simulation.run(for: 20_000_000) { FeedFollower.whole(client.received) != nil }
      guard take(FeedFollower.whole(client.received) ?? []) else { return }
      isQuiet = kept.count == count && client.lines.first == "*0"
      if client.lines.first?.hasPrefix("-") ?? true { simulation.run(for: 1_000_000) }
    }
    compare(before)
  }
  private func compare(_ before: [ShardID: [String]]) {
    guard scenario.failure == nil else { return }
    guard let after = try? scenario.observer.journals.movements() else {
      return scenario.reportViolation("the journals that replicas wrote cannot be read")
    }
    var told: [ShardID: [String]] = [:]
    for record in kept { told[record.shard, default: []].append(record.line) }
    for shard in Set(after.keys).union(told.keys).sorted() {
      let (own, all) = (told[shard] ?? [], after[shard] ?? [])
      // What lapsed since it was read is another's.
      guard own.count >= before[shard]?.count ?? 0, all.starts(with: own) else {
        let place = zip(own, all).enumerated().first { $1.0 != $1.1 }?.offset ?? min(own.count, all.count)
        let (fed, written) = (place < own.count ? own[place] : "nothing", place < all.count ? all[place] : "nothing")
        return scenario.reportViolation(
          "the feed of shard \(shard.rawValue) has \(own.count) of \(all.count) records; at \(place) it has '\(fed)', the journal"
            + " '\(written)'")
      }
    }
  }
}
