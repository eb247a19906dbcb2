import Base
import Dispatch
import Glibc
import Synchronization
import Testing

@testable import Cluster
@testable import Simulator

/// A terminal that never gives up: it sends one request at a time and, when it hears nothing certain, sends the same again
/// to some node, until it has an answer that counts.
final class PersistentTerminal {
  let member: String
  var random: SeededGenerator
  var client: SimulatedClient?
  var sentAt: UInt64 = 0
  var number = 0
  var pending: String?
  /// The first certain answer to each request id.
  var answers: [(id: String, line: String, answer: String)] = []
  var uncertain = 0

  init(member: String, seed: UInt64) {
    self.member = member
    random = SeededGenerator(seed: seed)
  }

  func step(_ simulation: Simulation, mayBegin: Bool) {
    if let client, let pending {
      if client.lineCount > 0, let answer = client.lines.first {
        client.clear()
        let isCertain = !["-UNKNOWN", "-UNAVAILABLE", "-BUSY"].contains { answer.hasPrefix($0) }
        if isCertain {
          answers.append((id(number), pending, answer))
          self.pending = nil
        } else {
          uncertain += 1
          self.client = nil
        }
      } else if client.isClosed || simulation.now - sentAt > 8_000_000
        || simulation.hosts[client.host].node == nil
      {
        self.client = nil
      }
    }
    if pending == nil {
      guard mayBegin else { return }
      number += 1
      let merchant = ["east", "north", "west"][Int(random.next() % 3)]
      let points = random.next() % 50 + 1
      switch random.next() % 10 {
      case 0...5: pending = "EARN \(member) merchant=\(merchant) points=\(points) id=\(id(number))"
      case 6...7: pending = "REDEEM \(member) merchant=\(merchant) points=\(points) id=\(id(number))"
      default: pending = "TRANSFER \(member) m\(random.next() % 12) points=\(points) id=\(id(number))"
      }
      send(simulation)
    } else if client == nil {
      send(simulation)
    }
  }

  private func id(_ number: Int) -> String { "\(member)-\(number)" }

  private func send(_ simulation: Simulation) {
    guard let pending else { return }
    if client == nil || random.next() % 4 == 0 {
      client = simulation.connect(to: Int(random.next() % UInt64(simulation.hosts.count)))
    }
    guard let client else { return }
    client.clear()
    sentAt = simulation.now
    simulation.send(pending + "\n", on: client)
  }
}

/// Replicas' turns on all processors at once.
private final class SideBySide: TurnRunner {
  let turns = Atomic<Int>(0)
  func run(_ shards: [ShardID], _ turn: @escaping @Sendable (_ place: Int) -> Void) {
    turns.add(shards.count, ordering: .relaxed)
    DispatchQueue.concurrentPerform(iterations: shards.count) { turn($0) }
  }
}

@Suite struct FaultTests {
  /// Its links stay open, so nobody is told that it is gone; and no further request comes that would be sent elsewhere.
  @Test func whatAFrozenLeaderWasAskedIsAskedOfTheNextOne() throws {
    let simulation = try makeCluster(seed: 29, shards: 1)
    try populate(simulation)
    let leading = simulation.hosts.first { $0.node?.replicas[ShardID(1)]?.isLeader == true }?.number
    let leader = try #require(leading)
    let client = try #require(simulation.connect(to: (leader + 1) % 3))
    #expect(ask(simulation, client, "EARN ann merchant=shop points=5 id=a")?.contains(" balance=5") == true)
    simulation.freeze(leader)
    let began = simulation.now
    let answer = ask(simulation, client, "EARN ann merchant=shop points=2 id=b")
    #expect(answer?.contains(" balance=7") == true, "\(answer ?? "none")")
    #expect(simulation.now - began < 2_500_000)
    simulation.thaw(leader)
    simulation.run(for: 3_000_000)
    #expect(ask(simulation, client, "BALANCE ann")?.contains(" balance=7 ") == true)
  }

  private func populateRegions(_ simulation: Simulation) throws {
    let regions = ["east", "north", "west"]
    try populate(simulation, members: (0..<12).map { "m\($0)" }, merchants: regions.map { ($0, $0) })
  }

  private func field(_ name: String, _ line: String) -> String? {
    line.split(separator: " ").first { $0.hasPrefix(name + "=") || $0.hasPrefix("+" + name + "=") }
      .map { String($0.split(separator: "=")[1]) }
  }

  private func audit(_ simulation: Simulation, _ host: Int, _ line: String = "AUDIT") throws -> [String] {
    let client = try #require(simulation.connect(to: host))
    simulation.send(line + "\n", on: client)
    simulation.run(for: 20_000_000) {
      client.lines.last?.contains("total=yes") ?? false || client.lines.first?.hasPrefix("-") ?? false
    }
    return client.lines
  }

  /// One life: terminals at work while nodes die, come back, and are cut off; then peace, and everything must add up.
  private func live(seed: UInt64) throws {
    var faults = Simulation.Faults()
    faults.lossPerMille = 1
    let simulation = try makeCluster(seed: seed, shards: 3, faults: faults) { configuration in
      guard seed % 2 == 0 else { return }
      // Logs so short that who comes back gets a snapshot.
      configuration.snapshotLogBytes = 2 << 10
      configuration.logTailBytes = 256
      configuration.transferPieceBytes = 1 << 10
      configuration.ledgerLimits.journalSegmentBytes = 64 << 10
    }
    try populateRegions(simulation)
    var random = SeededGenerator(seed: seed &* 77)
    let terminals = (0..<12).map { PersistentTerminal(member: "m\($0)", seed: seed &* 1000 + UInt64($0)) }
    var dead: Int?
    for round in 0..<200 {
      simulation.run(for: 50_000)
      for terminal in terminals { terminal.step(simulation, mayBegin: true) }
      if getenv("FAULT_TRACE") != nil, round % 20 == 0 { print(simulation.report) }
      guard round % 20 == 19 else { continue }
      if let victim = dead {
        simulation.start(victim)
        simulation.heal()
        dead = nil
      } else if random.next() % 3 > 0 {
        let victim = Int(random.next() % 3)
        simulation.kill(victim)
        dead = victim
      } else {
        simulation.cut(Int(random.next() % 3), Int(random.next() % 3))
      }
    }
    simulation.heal()
    simulation.faults.lossPerMille = 0
    if let dead { simulation.start(dead) }
    let quiet = simulation.run(for: 60_000_000) {
      for terminal in terminals { terminal.step(simulation, mayBegin: false) }
      return terminals.allSatisfy { $0.pending == nil }
    }
    try #require(
      quiet, "seed \(seed): never answered: \(terminals.compactMap(\.pending)) \(simulation.report)")
    simulation.run(for: 5_000_000)
    try verify(simulation, terminals, seed)
  }

  private func verify(_ simulation: Simulation, _ terminals: [PersistentTerminal], _ seed: UInt64) throws {
    let total = try #require(try audit(simulation, 0).last, "seed \(seed)")
    #expect(total.contains("balanced=yes"), "seed \(seed): \(total) \(simulation.log.suffix(5))")
    #expect(total.contains("intransit=0"), "seed \(seed): \(total)")
    // Replicas agree, each asked for its own.
    let digests = try (0..<3).map { host in
      try audit(simulation, host, "AUDIT read=local").dropLast().compactMap { field("digest", $0) }
    }
    #expect(!digests[0].isEmpty && digests[0] == digests[1] && digests[1] == digests[2], "seed \(seed): \(digests)")
    // Every repeat has its first answer, and the balances are what the answers add up to.
    let client = try #require(simulation.connect(to: 1))
    var expected: [String: Int] = [:]
    for terminal in terminals {
      for (id, line, answer) in terminal.answers {
        try #require(ask(simulation, client, line) == answer, "seed \(seed): \(id)")
        guard answer.hasPrefix("+"), let points = field("points", answer).flatMap({ Int($0) }) else { continue }
        if let to = field("to", answer) {
          expected[terminal.member, default: 0] -= abs(points)
          expected[to, default: 0] += abs(points)
        } else {
          expected[terminal.member, default: 0] += points
        }
      }
    }
    for i in 0..<12 {
      let balance = try #require(ask(simulation, client, "BALANCE m\(i)"))
      #expect(field("balance", balance) == "\(expected["m\(i)"] ?? 0)", "seed \(seed): m\(i) \(balance)")
    }
  }

  /// `FAULT_SEED=n` runs that life alone, `FAULT_SEEDS=n` the first n.
  static let seeds: ClosedRange<Int> = {
    func number(_ name: String) -> Int? { getenv(name).flatMap { Int(String(cString: $0)) } }
    if let one = number("FAULT_SEED") { return one...one }
    return 1...max(1, number("FAULT_SEEDS") ?? 6)
  }()

  @Test(arguments: seeds) func noPointIsLostOrDoubledWhileNodesDie(seed: Int) throws {
    try live(seed: UInt64(seed))
  }

  @Test func theSameSeedLivesTheSameLife() throws {
    func hash(_ turnRunner: (any TurnRunner)? = nil) throws -> UInt64 {
      let simulation = try makeCluster(seed: 99, turnRunner: turnRunner) { $0.parallelBytes = 0 }
      try populateRegions(simulation)
      simulation.kill(1)
      simulation.run(for: 3_000_000)
      simulation.start(1)
      simulation.run(for: 3_000_000)
      return simulation.trace
    }
    let first = try hash()
    #expect(try hash() == first)
    // Nor does it matter whether replicas take their turns one after another.
    let sideBySide = SideBySide()
    #expect(try hash(sideBySide) == first)
    #expect(sideBySide.turns.load(ordering: .relaxed) > 100)
  }
}
