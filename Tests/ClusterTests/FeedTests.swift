import Base
import Ledger
import Testing

@testable import Cluster
@testable import Simulator

@Suite struct FeedTests {
  /// The records of an answer, each as a line.
  private func feed(_ simulation: Simulation, _ client: SimulatedClient, _ words: String) throws -> [String] {
    let lines = askAll(simulation, client, "FEED \(words)")
    let head = try #require(lines.first)
    try #require(head.hasPrefix("*"), "\(words): \(head)")
    try #require(Int(head.dropFirst()) == lines.count - 1)
    return Array(lines.dropFirst())
  }
  private func field(_ line: String, _ key: String) -> String? {
    line.dropFirst().split(separator: " ").first { $0.hasPrefix(key + "=") }.map { String($0.dropFirst(key.count + 1)) }
  }
  private func withoutCursor(_ line: String) -> String {
    "+" + line.split(separator: " ").filter { !$0.contains("cursor=") }.joined(separator: " ")
  }
  /// Page by page, each behind the last cursor of the one before.
  private func all(
    _ simulation: Simulation, _ client: SimulatedClient, from start: String? = nil, limit: Int, _ words: String = ""
  ) throws -> [String] {
    var (found, cursor): ([String], String?) = ([], start)
    while true {
      let page = try feed(simulation, client, (cursor.map { "from=\($0) " } ?? "") + "limit=\(limit) \(words)")
      if page.isEmpty { return found }
      try #require(page.count <= limit)
      cursor = field(page[page.count - 1], "cursor")
      found += page
    }
  }
  private func byShard(_ lines: [String]) -> [String: [String]] {
    Dictionary(grouping: lines.map(withoutCursor)) { field($0, "shard") ?? "?" }
  }
  private func busyCluster(seed: UInt64, shards: Int = 3) throws -> (Simulation, SimulatedClient) {
    let simulation = try makeCluster(seed: seed, shards: shards) { configuration in
      configuration.snapshotLogBytes = 16 << 10
      configuration.ledgerLimits.journalSegmentBytes = 8 << 10
    }
    let client = try #require(simulation.connect(to: 0))
    for line in ["PROGRAM SET main earn=1/100 transfer=yes", "MERCHANT SET shop program=main"] {
      try #require(ask(simulation, client, line) == "+OK", "\(line)")
    }
    for member in 0..<20 { try #require(ask(simulation, client, "MEMBER ADD m\(member)") == "+OK") }
    return (simulation, client)
  }
  /// - Returns: by member, the transactions that were answered, in order.
  private func earn(_ simulation: Simulation, _ client: SimulatedClient, _ ids: Range<Int>) throws -> [String: [String]]
  {
    var told: [String: [String]] = [:]
    client.clear()
    let lines = ids.map { "EARN m\($0 % 20) merchant=shop spend=\($0 * 100) id=e\($0)\n" }
    simulation.send(lines.joined(), on: client)
    simulation.run(for: 20_000_000) { client.lineCount == ids.count }
    for (id, line) in zip(ids, client.lines) {
      told["m\(id % 20)", default: []].append(try #require(field(line, "tx"), "\(line)"))
    }
    return told
  }

  /// Each record once, whatever the pages, whichever node is asked, and from each cursor on the rest.
  @Test func everyPageGoesOnBehindTheLast() throws {
    let (simulation, client) = try busyCluster(seed: 876_000)
    let told = try earn(simulation, client, 0..<300)
    let whole = try all(simulation, client, limit: 10_000)
    let earned = whole.filter { field($0, "kind") == "earn" }
    #expect(earned.count == 300)
    for (member, transactions) in told {
      #expect(earned.filter { field($0, "member") == member }.compactMap { field($0, "tx") } == transactions)
    }
    #expect(
      whole.filter { field($0, "kind") == "change" }.compactMap { field($0, "entry") } == ["program", "merchant"])
    let other = try #require(simulation.connect(to: 1))
    for limit in [1, 7, 64] {
      #expect(try byShard(all(simulation, limit == 7 ? other : client, limit: limit)) == byShard(whole), "\(limit)")
    }
    for place in stride(from: 0, to: whole.count, by: 37) {
      let rest = try all(simulation, client, from: field(whole[place], "cursor"), limit: 50)
      #expect(byShard(Array(whole[...place]) + rest) == byShard(whole), "\(place)")
    }
    #expect(try all(simulation, client, limit: 50, "kind=redeem,change").count == 2)
    let parts = try (1...3).map { try all(simulation, client, limit: 20, "part=\($0)/3") }
    #expect(byShard(parts.flatMap { $0 }) == byShard(whole))
    #expect(parts.allSatisfy { Set($0.compactMap { field($0, "shard") }).count <= 2 })
  }

  /// Where one shard has all that there is, it is asked for all of the answer, not for its even part again and again.
  @Test func oneBusyShardFillsAnAnswerInFewPasses() throws {
    let (simulation, client) = try busyCluster(seed: 876_010, shards: 16)
    let lines = (0..<200).map { "EARN m0 merchant=shop points=1 id=one\($0)\n" }
    client.clear()
    simulation.send(lines.joined(), on: client)
    simulation.run(for: 20_000_000) { client.lineCount == lines.count }
    client.clear()
    simulation.send("FEED limit=200 kind=earn\n", on: client)
    var passes = 0
    simulation.run(for: 20_000_000) {
      passes = max(passes, simulation.hosts[0].node?.requests.workflows.feeds.all.map(\.pass).max() ?? 0)
      return client.lineCount == 201
    }
    #expect(client.lines.first == "*200" && (2...3).contains(passes), "\(passes) passes, \(client.lines.first ?? "")")
  }

  /// It survives that shards are split and end, that nodes start again, that leaders change.
  @Test func goesOnThroughSplitsAndMerges() throws {
    let (simulation, client) = try busyCluster(seed: 876_001, shards: 2)
    var told = try earn(simulation, client, 0..<100)
    var found = try all(simulation, client, limit: 30)
    func goOn(_ ids: Range<Int>) throws {
      told.merge(try earn(simulation, client, ids)) { $0 + $1 }
      found += try all(simulation, client, from: found.last.flatMap { field($0, "cursor") }, limit: 30)
    }
    func operation(_ line: String) throws {
      let answer = try #require(ask(simulation, client, line))
      let number = try #require(field(answer, "op"), "\(answer)")
      let isOver = simulation.run(for: 60_000_000) {
        simulation.hosts[0].node?.view.topology != nil
          && (ask(simulation, client, "CLUSTER OP SHOW \(number)") ?? "").contains("state=done")
      }
      try #require(isOver, "\(line): \(ask(simulation, client, "CLUSTER OP SHOW \(number)") ?? "")")
    }
    try operation("CLUSTER SHARD SPLIT 1")
    try goOn(100..<200)
    try operation("CLUSTER SHARD MERGE 2 1")
    try goOn(200..<300)
    for host in 0..<3 { simulation.cutPower(host) }
    for host in 0..<3 { simulation.start(host) }
    simulation.run(for: 5_000_000)
    let again = try #require(simulation.connect(to: 2))
    told.merge(try earn(simulation, again, 300..<400)) { $0 + $1 }
    found += try all(simulation, again, from: found.last.flatMap { field($0, "cursor") }, limit: 30)
    let earned = found.filter { field($0, "kind") == "earn" }
    #expect(earned.count == 400)
    for (member, transactions) in told {
      // A member's records lie in the journals of several shards: each of these in its order.
      let mine = earned.filter { field($0, "member") == member }
      #expect(Set(mine.compactMap { field($0, "tx") }) == Set(transactions) && mine.count == transactions.count)
      for shard in Set(mine.compactMap { field($0, "shard") }) {
        let own = mine.filter { field($0, "shard") == shard }.compactMap { field($0, "tx") }
        #expect(own == transactions.filter(own.contains))
      }
    }
    // Who begins now is told of the shard that has ended, too.
    #expect(try byShard(all(simulation, again, limit: 500)) == byShard(found))
    #expect(byShard(found)["1"] != nil && byShard(found)["3"] != nil)
  }

  /// A wait ends with the first record, or with its time; others are answered meanwhile.
  @Test func waitsForTheFirstRecord() throws {
    let (simulation, client) = try busyCluster(seed: 876_002)
    _ = try earn(simulation, client, 0..<10)
    let cursor = try #require(try all(simulation, client, limit: 1_000).last.flatMap { field($0, "cursor") })
    let began = simulation.now
    #expect(try feed(simulation, client, "from=\(cursor) wait=3").isEmpty)
    #expect(simulation.now - began >= 3_000_000)
    client.clear()
    simulation.send("FEED from=\(cursor) wait=60\n", on: client)
    simulation.run(for: 5_000_000)
    #expect(client.lines.isEmpty)
    let other = try #require(simulation.connect(to: 1))
    let answer = try #require(ask(simulation, other, "EARN m3 merchant=shop spend=500 id=late"))
    let tx = try #require(field(answer, "tx"))
    simulation.run(for: 10_000_000) { client.lineCount == 2 }
    #expect(client.lines.first == "*1" && client.lines.last.flatMap { field($0, "tx") } == tx, "\(client.lines)")
  }

  /// What is no cursor of this cluster's is refused, whatever it says.
  @Test func refusesCursorsThatNobodyGaveOut() throws {
    let (simulation, client) = try busyCluster(seed: 876_003)
    _ = try earn(simulation, client, 0..<10)
    let cursor = try #require(try all(simulation, client, limit: 1_000).last.flatMap { field($0, "cursor") })
    var forged = Array(cursor)
    forged[5] = forged[5] == "A" ? "B" : "A"
    let past = FeedCursor.ofPlaces([FeedPlace(frame: JournalPosition(journal: ShardID(1), segment: 900, offset: 12))])
    let mad = FeedCursor.ofPlaces([
      FeedPlace(frame: JournalPosition(journal: ShardID(1), segment: 1, offset: 100), inner: 77)
    ])
    let key = try #require(simulation.hosts[0].node?.view.topology?.hashKey)
    for (words, code) in [
      ("from=\(String(forged))", "-ERR"), ("from=AAAA", "-ERR"), ("kind=earn,gain", "-ERR"), ("part=3/2", "-ERR"),
      ("from=\(cursor) part=1/2", "-ERR"), ("from=\(past.text(key) ?? "")", "-NOTFOUND"),
      ("from=\(mad.text(key) ?? "")", "-NOTFOUND"), ("wait=61", "-ERR"), ("limit=0", "-ERR"),
    ] {
      let answer = ask(simulation, client, "FEED " + words) ?? ""
      #expect(answer.hasPrefix(code), "\(words): \(answer)")
    }
    #expect(simulation.log.allSatisfy { !$0.contains("alarm") }, "no journal counts as rotten")
  }

  /// How much was passed, once it is much, is told; not where it may be others' who are no business of one's own.
  @Test func whatWasPassedIsToldOfASingleTenantAlone() throws {
    let (simulation, client) = try busyCluster(seed: 3_114, shards: 1)
    for first in stride(from: 0, to: 10_500, by: 1_500) { _ = try earn(simulation, client, first..<first + 1_500) }
    let alone = try feed(simulation, client, "kind=adjust limit=10")
    #expect(
      alone.count == 1 && field(alone[0], "kind") == "none"
        && field(alone[0], "skipped").map { Int($0) ?? 0 >= 10_000 } == true)
    try #require(ask(simulation, client, "TENANT SET second") == "+OK")
    let beside = try feed(simulation, client, "kind=adjust limit=10")
    #expect(beside.count == 1 && field(beside[0], "cursor") != nil && field(beside[0], "skipped") == nil, "\(beside)")
  }
}

extension FeedCursor {
  static func ofPlaces(_ places: [FeedPlace]) -> FeedCursor {
    var cursor = FeedCursor()
    for place in places { cursor.set(place) }
    return cursor
  }
}

@Suite struct FeedCursorTests {
  private let key = HashKey(low: 1, high: 2)
  private func read(_ text: String, _ key: HashKey) -> FeedCursor? {
    Array(text.utf8).withUnsafeBytes { FeedCursor($0, key) }
  }

  @Test func comesBackAsItWas() throws {
    var random = SeededGenerator(seed: 4)
    for _ in 0..<200 {
      var cursor = FeedCursor()
      cursor.known = UInt32(random.below(1 << 18))
      cursor.turn = UInt32(random.below(1 << 18))
      for _ in 0..<random.below(40) {
        cursor.set(
          FeedPlace(
            frame: JournalPosition(
              journal: ShardID(UInt32(random.below(1 << 18))), segment: UInt32(1 + random.below((1 << 18) - 2)),
              offset: random.below(1 << 28)), inner: random.below(2) == 0 ? 0 : UInt32(random.below(1 << 24))))
      }
      let text = try #require(cursor.text(key))
      #expect(text.utf8.count <= 4_096)
      #expect(read(text, key) == cursor)
      #expect(read(text, HashKey(low: 1, high: 3)) == nil)
      var bytes = Array(text.utf8)
      bytes[Int(random.below(UInt64(bytes.count)))] ^= 1
      #expect(read(String(decoding: bytes, as: UTF8.self), key) == nil)
      #expect(read(String(text.dropLast()), key) == nil)
    }
  }
  /// Some 400 journals fit, wherever they are; more are refused.
  @Test func isBounded() {
    let far = (0..<500).map {
      FeedPlace(frame: JournalPosition(journal: ShardID($0), segment: 9_000, offset: 60 << 20))
    }
    #expect(FeedCursor.ofPlaces(Array(far[..<350])).text(key).map { $0.utf8.count <= 4_096 } ?? false)
    #expect(FeedCursor.ofPlaces(far).text(key) == nil)
  }
  @Test func whatIsNotListed() {
    var cursor = FeedCursor.ofPlaces([FeedPlace(beginningOf: ShardID(2))])
    cursor.known = 3
    #expect(cursor.place(ShardID(2)) == FeedPlace(beginningOf: ShardID(2)))
    #expect(cursor.place(ShardID(3)) == nil)
    #expect(cursor.place(ShardID(4)) == FeedPlace(beginningOf: ShardID(4)))
    #expect(cursor.place(.directory) == FeedPlace(beginningOf: .directory))
  }
}
