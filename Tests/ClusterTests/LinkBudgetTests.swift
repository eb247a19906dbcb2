import Base
import Testing

@testable import Cluster
@testable import Raft
@testable import Simulator

/// How much may be on its way over a link.
@Suite struct LinkBudgetTests {
  /// A link of so many bytes a second and so long a round trip (µs), and a sender that always has more to send.
  private struct Pipe {
    let rate: Double
    let trip: Double
    var budget = LinkBudget()
    var now = 0.0
    private var free = 0.0
    private var sent: UInt64 = 0
    /// When the peer says that it has received so many bytes.
    private var words: [(at: Double, total: UInt64)] = []
    private var head = 0
    private(set) var longestQueue = 0.0

    init(rate: Double, trip: Double) {
      self.rate = rate
      self.trip = trip
    }

    /// Returns the bytes that were delivered in that time.
    mutating func run(for duration: Double, wants: Bool = true) -> Int {
      let end = now + duration
      var delivered = 0
      longestQueue = 0
      while now < end {
        if wants { fill() } else { offer(100) }
        // A turn for each word of the peer, or each 100 ms.
        guard head < words.count, words[head].at <= min(end, now + 100_000) else {
          now = min(end, now + 100_000)
          continue
        }
        now = max(now, words[head].at)
        let before = budget.inFlight
        budget.acknowledge(words[head].total, now: UInt64(now) + 1)
        delivered += before - budget.inFlight
        head += 1
        if head > 4096 {
          words.removeFirst(head)
          head = 0
        }
      }
      return delivered
    }
    private mutating func fill() {
      while budget.inFlight < budget.allowance { offer(4 << 10) }
      budget.isWanted()
    }
    private mutating func offer(_ count: Int) {
      free = max(free, now) + Double(count) / rate * 1_000_000
      sent += UInt64(count)
      budget.sends(count, now: UInt64(now) + 1)
      words.append((free + trip, sent))
      longestQueue = max(longestQueue, free - now)
    }
  }

  @Test(
    arguments: [100_000, 1_000_000, 12_500_000, 125_000_000] as [Double], [200, 10_000, 80_000, 300_000] as [Double])
  func aLinkIsFilledAndItsQueueIsShort(rate: Double, trip: Double) {
    var pipe = Pipe(rate: rate, trip: trip)
    _ = pipe.run(for: 12_000_000)
    for _ in 0..<4 {
      let delivered = pipe.run(for: 10_000_000)
      let most = min(rate, Double(LinkBudget.most) / trip * 1_000_000)
      #expect(Double(delivered) >= most * 10 * 0.8, "\(rate) bytes/s \(trip) µs: \(delivered)")
      let floor = Double(2 * (LinkBudget.floor + 4 << 10)) / rate * 1_000_000
      #expect(
        pipe.longestQueue <= max(floor, 2 * trip + 3 * Double(LinkBudget.slack)),
        "\(rate) bytes/s \(trip) µs: \(pipe.longestQueue)")
    }
  }
  @Test func whatALinkOnceCarriedIsForgotten() {
    var pipe = Pipe(rate: 1_000_000, trip: 80_000)
    _ = pipe.run(for: 20_000_000)
    // A pause of an hour, in which only heartbeats flow, and a moment in which the peer was stopped.
    _ = pipe.run(for: 60_000_000, wants: false)
    pipe.now += 5_000_000
    _ = pipe.run(for: 1_000_000, wants: false)
    let delivered = pipe.run(for: 10_000_000)
    #expect(delivered >= 7_000_000 && pipe.longestQueue < 500_000, "\(delivered) \(pipe.longestQueue)")
  }
  @Test func aPeerThatClaimsTooMuchIsNotBelieved() {
    var budget = LinkBudget()
    budget.sends(1_000, now: 1)
    budget.acknowledge(2_000, now: 2)
    #expect(budget.inFlight == 1_000)
    budget.acknowledge(1_000, now: 3)
    budget.acknowledge(400, now: 4)
    #expect(budget.inFlight == 0)
  }

  @Test func whoSendsLittleComesBeforeWhoAlwaysHasMore() {
    var turns = FairTurns<Int>()
    for flow in 0..<4 { turns.join(flow) }
    var bytes = [Int](repeating: 0, count: 4)
    for round in 0..<4_000 {
      // The fifth wants something now and then.
      if round % 40 == 0 { turns.join(9) }
      guard let flow = turns.next() else { break }
      #expect(round % 40 != 0 || flow == 9 || round == 0, "\(round)")
      // Flow 3's messages are long.
      let count = flow == 9 ? 200 : flow == 3 ? 60_000 : 4_000
      if flow < 4 { bytes[flow] += count }
      turns.served(flow, bytes: count, hasMore: flow < 4)
    }
    let most = bytes.max() ?? 0
    let least = bytes.min() ?? 0
    #expect(most - least <= 3 * 60_000, "\(bytes)")
  }
  /// Who empties its queue in each turn is not first each time.
  @Test func manyWhoSendLittleDoNotKeepAnotherOut() {
    var turns = FairTurns<Int>()
    turns.join(0)
    var served = 0
    for _ in 0..<10_000 {
      for flow in 1..<9 { turns.join(flow) }
      guard let flow = turns.next() else { break }
      if flow == 0 { served += 1 }
      turns.served(flow, bytes: 8_000, hasMore: flow == 0)
    }
    #expect(served > 800, "\(served)")
    while let flow = turns.next() { turns.served(flow, bytes: 1, hasMore: false) }
    #expect(turns.isEmpty)
  }

  @Test func appendsOfAPipelineThatWasBegunAnewTakeThePlaceOfTheOld() {
    func append(_ index: UInt64, _ count: UInt64) -> Message {
      Message(
        .append, from: ReplicaID(node: NodeID(1), born: 1), to: ReplicaID(node: NodeID(2), born: 1), term: Term(3),
        index: LogIndex(index),
        entries: (1...count).map { LogEntry(index: LogIndex(index + $0), term: Term(3), payload: []) })
    }
    var held = HeldAppends()
    held.append(append(10, 5))
    held.append(append(15, 1))
    #expect(held.removeFirst()?.index == LogIndex(10))
    held.append(append(16, 2))
    #expect(held.removeFirst()?.index == LogIndex(15))
    for _ in 0..<100 { held.append(append(12, 4)) }
    #expect(held.removeFirst()?.index == LogIndex(12))
    #expect(held.isEmpty)
  }

  /// A region was away for a while and comes back over a narrow link: whoever is served there meanwhile waits for no more
  /// than the link's budget, nobody takes it for dead, and it catches up.
  @Test func aRegionIsHeardWhileItCatchesUp() throws {
    let rate: UInt64 = 150_000
    var faults = Simulation.Faults()
    faults.minimumDelay = 10_000
    faults.maximumDelay = 10_000
    faults.bandwidth = [[0, 0, rate], [0, 0, rate], [rate, rate, 0]]
    let simulation = try makeCluster(seed: 331, shards: 8, faults: faults) {
      $0.snapshotLogBytes = 64 << 20
      $0.logTailBytes = 64 << 20
    }
    simulation.run(for: 5_000_000)
    let members = (0..<32).map { "m\($0)" }
    try populate(simulation, members: members)
    for host in 0..<2 { simulation.cut(host, 2) }
    simulation.run(for: 5_000_000)
    let padding = String(repeating: "x", count: 40)
    var done = 0
    for wave in 0..<16 {
      let client = try #require(simulation.connect(to: wave % 2))
      for i in 0..<800 {
        simulation.send("EARN \(members[i % 32]) merchant=shop points=1 id=\(padding)-\(wave)-\(i)\n", on: client)
      }
      simulation.run(for: 10_000_000) { client.lineCount == 800 }
      done += client.lines.filter { $0.hasPrefix("+") }.count
    }
    try #require(done == 16 * 800)
    func lag() -> UInt64 {
      simulation.hosts[0..<2].flatMap { $0.node.map { Array($0.replicas) } ?? [] }.reduce(0) { sum, replica in
        guard replica.isLeader else { return sum }
        let there = simulation.hosts[2].node?.replicas[replica.shard]?.raft.lastIndex.rawValue ?? 0
        return sum + replica.raft.lastIndex.rawValue - min(replica.raft.lastIndex.rawValue, there)
      }
    }
    #expect(lag() > 100)
    func terms() -> [Term] { simulation.hosts[0].node?.replicas.map { $0.term } ?? [] }
    simulation.heal()
    let linked = simulation.run(for: 3_000_000) {
      simulation.hosts[0].node?.peers.allSatisfy { $0.isConnectedOrSelf } == true
    }
    try #require(linked)
    // It was cut off, and has to hear first whether there are users by now.
    let isServing = simulation.run(for: 1_000_000) { simulation.hosts[2].node?.requests.rights.isUnknown == false }
    try #require(isServing)
    let before = terms()
    let quiet = simulation.log.count
    var longest: UInt64 = 0
    var asked = 0
    while lag() > 0 && asked < 400 {
      let client = try #require(simulation.connect(to: 2))
      let since = simulation.now
      let answer = ask(simulation, client, "EARN \(members[asked % 32]) merchant=shop points=1 id=n\(asked)")
      #expect(answer?.hasPrefix("+") == true, "\(answer ?? "none")")
      longest = max(longest, simulation.now - since)
      simulation.run(for: 20_000)
      asked += 1
    }
    #expect(lag() == 0 && asked > 8, "\(asked)")
    #expect(longest < 900_000, "\(longest)")
    #expect(simulation.log[quiet...].filter { $0.contains("heard nothing") }.isEmpty)
    // Leadership goes home once the region has caught up, and not before.
    let risen = zip(before, terms()).filter { $1 > $0 }.count
    #expect(risen <= 4, "\(simulation.log.suffix(5))")
  }
}
