import Base
import Ledger
import Testing

@testable import Cluster
@testable import Simulator

/// `MEMBER FIND cut=yes`: members of all shards as they were at one moment.
struct CutTests {
  private func field(_ line: String, _ key: String) -> String? {
    line.dropFirst().split(separator: " ").first { $0.hasPrefix(key + "=") }.map { String($0.dropFirst(key.count + 1)) }
  }
  private static let pairs = 12

  private func cluster(seed: UInt64) throws -> ResizedCluster {
    let cluster = try ResizedCluster(seed: seed, shards: 4)
    try cluster.awaitHomes()
    for pair in 0..<Self.pairs {
      for side in ["a", "b"] {
        try #require(try cluster.ask("MEMBER ADD \(side)\(pair) x.v=0 id=add-\(side)\(pair)") == "+OK")
      }
    }
    return cluster
  }
  /// Changes one after the other, each answered before the next: of each pair the first member is never behind the second, and ahead by one
  /// at most; members are added by rising numbers.
  private final class Changes {
    let cluster: ResizedCluster
    var random: SeededGenerator
    var steps = [Int](repeating: 0, count: CutTests.pairs)
    var added = 0
    init(_ cluster: ResizedCluster, seed: UInt64) { (self.cluster, random) = (cluster, SeededGenerator(seed: seed)) }

    func go(_ count: Int) throws {
      for _ in 0..<count {
        let pair = Int(random.next() % UInt64(CutTests.pairs))
        let step = steps[pair]
        steps[pair] += 1
        let line = "MEMBER SET \(step % 2 == 0 ? "a" : "b")\(pair) x.v=\(step / 2 + 1)"
        try #require(try cluster.ask(line) == "+OK", "\(line)")
        guard step % 3 == 0 else { continue }
        try #require(try cluster.ask("MEMBER ADD n\(added)") == "+OK")
        added += 1
      }
    }
  }
  /// What is wrong with a list of members as of one moment; `added` of the numbered ones were there before it was asked for.
  private func findings(_ lines: [String], added: Int) -> [String] {
    let members = lines.compactMap { field($0, "member") }
    var found: [String] = []
    if Set(members).count != members.count { found.append("somebody is there twice") }
    for pair in 0..<Self.pairs {
      let values = ["a", "b"].map { side in
        lines.first { field($0, "member") == "\(side)\(pair)" }.flatMap { field($0, "x.v") }.flatMap { Int($0) } ?? -1
      }
      if values.contains(-1) { found.append("pair \(pair) lacks somebody") }
      if ![0, 1].contains(values[0] - values[1]) { found.append("pair \(pair) has \(values)") }
    }
    let numbers = members.filter { $0.hasPrefix("n") }.compactMap { Int($0.dropFirst()) }.sorted()
    if numbers != Array(0..<numbers.count) { found.append("added \(numbers)") }
    if numbers.count < added { found.append("\(numbers.count) of \(added)") }
    return found
  }
  private func page(_ simulation: Simulation, _ client: SimulatedClient, _ words: String) throws -> [String] {
    try #require(askAll(simulation, client, "MEMBER FIND \(words)").first.map { _ in client.lines })
  }

  @Test(arguments: [912_100, 912_101, 912_102, 912_103] as [UInt64])
  func pagesAreOfOneMomentWhateverIsChangedBetweenThem(seed: UInt64) throws {
    let cluster = try cluster(seed: seed)
    let simulation = cluster.simulation
    let clients = try (0..<3).map { try #require(simulation.connect(to: $0)) }
    let changes = Changes(cluster, seed: seed)
    for round in 0..<3 {
      try changes.go(20)
      let added = changes.added
      var lines: [String] = []
      var moments: Set<String> = []
      var next = ""
      var place = round
      repeat {
        // Whichever node is asked.
        place += 1
        let words = next.isEmpty ? "cut=yes limit=5" : "limit=\(4 + place % 3) after=\(next)"
        let page = try page(simulation, clients[place % 3], words)
        try #require(page[0].hasPrefix("*"), "\(page)")
        lines += page.dropFirst().dropLast()
        let last = try #require(page.last)
        moments.insert(try #require(field(last, "asof")))
        next = try #require(field(last, "cursor"))
        try changes.go(4)
      } while next != "\"\""
      #expect(findings(lines, added: added) == [])
      #expect(moments.count == 1)
      // Nothing is kept for it any more.
      #expect(views(simulation) == 0)
    }
  }
  /// How many views all nodes keep.
  private func views(_ simulation: Simulation) -> Int {
    simulation.hosts.compactMap(\.node).reduce(0) { sum, node in
      sum + node.replicas.count { ($0.machine as? LedgerMachine)?.hasView == true }
    }
  }

  /// Reads to the end; the code of the refusal if there is one.
  private func rest(
    _ simulation: Simulation, _ client: SimulatedClient, _ first: [String]
  ) throws -> (lines: [String], refusal: String?) {
    var page = first
    var lines: [String] = []
    while true {
      guard page[0].hasPrefix("*") else { return (lines, page[0]) }
      lines += page.dropFirst().dropLast()
      let next = try #require(page.last.flatMap { field($0, "cursor") })
      if next == "\"\"" { return (lines, nil) }
      page = try self.page(simulation, client, "after=\(next)")
    }
  }

  @Test func aLeaderThatChangesTakesItsViewAlong() throws {
    let cluster = try cluster(seed: 912_110)
    let simulation = cluster.simulation
    let client = try #require(simulation.connect(to: 0))
    let first = try page(simulation, client, "cut=yes limit=3")
    try #require(first[0] == "*4", "\(first)")
    let shard = ShardID(4)
    let old = try #require(simulation.hosts.first { $0.node?.replicas[shard]?.isLeader == true })
    let new = try #require(simulation.hosts.first { $0.nodeID != old.nodeID })
    let leads = simulation.run(for: 60_000_000) {
      old.node?.replicas[shard]?.transferLeadership(to: new.nodeID)
      return new.node?.replicas[shard]?.hasTakenOver == true
    }
    try #require(leads)
    let end = try rest(simulation, client, first)
    #expect(end.refusal?.hasPrefix("-NOTFOUND a shard does not keep ") == true, "\(end)")
    // The old leader keeps nothing.
    simulation.run(for: 1_000_000)
    #expect((old.node?.replicas[shard]?.machine as? LedgerMachine)?.hasView == false)
    // Nor do those whose views are of no use any more.
    #expect(views(simulation) == 0)
    let anew = try rest(simulation, client, page(simulation, client, "cut=yes"))
    #expect(anew.refusal == nil && findings(anew.lines, added: 0) == [])
  }

  @Test func whoReadsGoesBeforeWhoComesLaterAndNobodyWaitsForWhoStopsReading() throws {
    let cluster = try cluster(seed: 912_111)
    let simulation = cluster.simulation
    let clients = try (0..<2).map { try #require(simulation.connect(to: $0)) }
    let first = try page(simulation, clients[0], "cut=yes limit=3")
    try #require(first[0] == "*4")
    let other = try rest(simulation, clients[1], page(simulation, clients[1], "cut=yes"))
    #expect(other.refusal?.contains("another such list is being read") == true, "\(other)")
    let end = try rest(simulation, clients[0], first)
    #expect(
      end.refusal == nil
        && findings(first.dropFirst().dropLast() + end.lines.filter { !first.contains($0) }, added: 0) == [])
    // One that is not read on is given up.
    let left = try page(simulation, clients[0], "cut=yes limit=3")
    simulation.run(for: 45_000_000)
    let late = try rest(simulation, clients[0], left)
    #expect(late.refusal?.hasPrefix("-NOTFOUND") == true, "\(late)")
    let anew = try rest(simulation, clients[1], page(simulation, clients[1], "cut=yes"))
    #expect(anew.refusal == nil && findings(anew.lines, added: 0) == [])
    #expect(try page(simulation, clients[0], "cut=yes after=nonsense")[0].hasPrefix("-ERR"))
    // Nor is a list at one moment gone on with as another one, which needs what a view has not.
    let cut = try #require(page(simulation, clients[0], "cut=yes limit=1").last.flatMap { field($0, "cursor") })
    for line in ["DUE kind=expiry on=2026-01-01 days=300", "DUE kind=birthday on=2026-01-01", "CASE LIST"] {
      let told = askAll(simulation, clients[0], "\(line) after=\(cut)")
      #expect(told.first?.hasPrefix("-ERR after= must be") == true, "\(line): \(told)")
    }
    #expect(simulation.hosts.allSatisfy { $0.node != nil })
    let plain = try #require(page(simulation, clients[0], "limit=3").last.flatMap { field($0, "cursor") })
    #expect(try page(simulation, clients[0], "cut=yes after=\(plain)")[0].hasPrefix("-ERR after= must be"))
  }

  /// What it has is as filtered as without it, and slots that move end it.
  @Test func whereAndMovesOfSlots() throws {
    let cluster = try cluster(seed: 912_112)
    let simulation = cluster.simulation
    let client = try #require(simulation.connect(to: 1))
    #expect(try cluster.ask("MEMBER TAG b3 vip") == "+OK")
    let some = try rest(simulation, client, page(simulation, client, "cut=yes tag=vip"))
    #expect(some.refusal == nil && some.lines.compactMap { field($0, "member") } == ["b3"])
    let first = try page(simulation, client, "cut=yes limit=3")
    #expect(try cluster.ask("CLUSTER SHARD SPLIT 2").hasPrefix("+op="))
    let before = try #require(cluster.node(0)?.requests.mapNumber)
    let hasMoved = simulation.run(for: 25_000_000) { cluster.node(1).map { $0.requests.mapNumber > before } ?? false }
    try #require(hasMoved)
    let end = try rest(simulation, client, first)
    #expect(end.refusal?.hasPrefix("-NOTFOUND members have moved") == true, "\(end)")
    simulation.run(for: 1_000_000)
    #expect(views(simulation) == 0)
    var anew = try rest(simulation, client, page(simulation, client, "cut=yes"))
    for _ in 0..<60 where anew.refusal != nil {
      simulation.run(for: 1_000_000)
      anew = try rest(simulation, client, page(simulation, client, "cut=yes"))
    }
    #expect(anew.refusal == nil && findings(anew.lines, added: 0) == [], "\(anew)")
  }
}
