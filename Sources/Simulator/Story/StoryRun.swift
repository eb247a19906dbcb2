import Base
import Replies

/// One story on three simulated nodes of its own. Their clocks are set as the story says.
public final class StoryRun {
  private let story: Story
  private let simulation: Simulation
  private var connections: [Seat: SimulatedClient] = [:]
  private var kept = Variables()
  private var user: Story.User?
  private var firstUser: Story.User?
  /// From 0; nil: all in turn.
  private var node: Int?
  private var turn = 0
  public private(set) var commandCount = 0
  /// Each names the file, the line, what was expected and what came.
  public private(set) var failures: [String] = []

  /// Whose connection, and to which node.
  private struct Seat: Hashable {
    var user: Story.User?
    var node: Int
  }

  private static let nodeCount = 3
  /// How long a reply may take, and how long a command is said again that was refused for the moment; in microseconds.
  private static let patience: UInt64 = 20_000_000
  /// A clock that is set is believed again after some heartbeats. Until then commands wait.
  private static let clockRest: Int64 = 10_000_000
  /// A story that names a time begins so long before it, any other at noon of a day in January.
  private static let prologue: Int64 = 3_600_000_000
  private static let noon = Stamp(microseconds: 1_768_478_400_000_000)

  public init(_ story: Story) {
    self.story = story
    simulation = Simulation(seed: 1, nodes: StoryRun.nodeCount)
  }

  /// Seconds of virtual time since the beginning.
  public var simulatedSeconds: Double { Double(simulation.now) / 1_000_000 }

  /// Tells it to its end, also behind a reply that is not the expected one.
  public func run() {
    defer { simulation.forgetEvents() }
    do throws(StoryError) { try begin() } catch { return failures.append("\(story.path): \(error)") }
    for block in story.blocks {
      do throws(StoryError) { try take(block) } catch {
        let mark = if case .command = block.act { ">" } else { "@" }
        failures.append("\(story.path):\(block.line.number): \(mark) \(block.line.text)\n    \(error)")
      }
    }
    do throws(StoryError) { try settle() } catch { failures.append("\(story.path): at the end\n    \(error)") }
    for host in simulation.hosts where host.node == nil {
      failures.append("\(story.path): \(host.name) ended: \(host.failure ?? simulation.log.last ?? "")")
    }
  }

  private func begin() throws(StoryError) {
    let start = story.firstTime.map { $0.microseconds - StoryRun.prologue } ?? StoryRun.noon.microseconds
    turnClocks(by: start - wall)
    simulation.run(for: 2_000_000)
    let made = try ask("CLUSTER INIT shards=4 replicas=3", of: 0)
    guard made.shown.hasPrefix("cluster=") else { throw StoryError("the cluster is not made: \(made.shown)") }
    for number in simulation.hosts.indices {
      try wait(for: "healthy=yes") { () throws(StoryError) -> String? in
        let status = try ask("CLUSTER STATUS", of: number).shown
        return status.contains("healthy=yes") ? nil : status
      }
    }
  }

  private func take(_ block: Story.Block) throws(StoryError) {
    switch block.act {
    case .command:
      commandCount += 1
      let answer = try askPatiently(try kept.filled(block.line.text))
      try Expectation(lines: block.expected).check(answer, &kept)
    case .time(let moment): try setClocks(to: moment)
    case .user(let user):
      self.user = user
      guard user != nil else { return }
      firstUser = firstUser ?? user
      // A wrong secret fails here.
      _ = try connection(to: node ?? 0)
    case .node(let number):
      if let number, number >= StoryRun.nodeCount { throw StoryError("there are \(StoryRun.nodeCount) nodes") }
      node = number
    case .settle: try settle()
    }
  }

  // MARK: Time

  /// What the clocks of all nodes show, in microseconds since 1970.
  private var wall: Int64 { simulation.moment(simulation.hosts[0]).wall.microseconds }

  private func turnClocks(by microseconds: Int64) {
    for host in simulation.hosts { host.clock.offset += microseconds }
  }

  /// Commands go on at that moment, when all nodes believe the clocks again.
  private func setClocks(to moment: Stamp) throws(StoryError) {
    guard moment.microseconds >= wall else { throw StoryError("the clocks are past that, and never go back") }
    turnClocks(by: max(0, moment.microseconds - StoryRun.clockRest - wall))
    simulation.run(for: UInt64(moment.microseconds - wall))
  }

  /// Waits until nothing is between shards, and what is due by the clocks is booked; the books must balance.
  private func settle() throws(StoryError) {
    let (asking, asked) = (user, node)
    (user, node) = (firstUser, 0)
    defer { (user, node) = (asking, asked) }
    // More than a tick of every shard.
    simulation.run(for: 1_000_000)
    var total: Record?
    try wait(for: "intransit=0") { () throws(StoryError) -> String? in
      let answer = try askPatiently("AUDIT")
      total = answer.records.last
      return total?["intransit"] == "0" ? nil : answer.shown
    }
    guard total?["balanced"] == "yes", total?["sum"] == "0" else {
      throw StoryError("the books do not balance: \(total.map { "\($0)" } ?? "")")
    }
  }

  /// Tries until `body` gives nil. What it gave last is told if that takes too long.
  private func wait(for wanted: String, _ body: () throws(StoryError) -> String?) throws(StoryError) {
    let end = simulation.now + StoryRun.patience
    while let got = try body() {
      guard simulation.now < end else { throw StoryError("expected: \(wanted)\n    got:      \(got)") }
      simulation.run(for: 100_000)
    }
  }

  // MARK: Asking

  /// Asks the node whose turn it is. Asks again what was not done, or perhaps not: said twice it counts once.
  private func askPatiently(_ line: String) throws(StoryError) -> Value {
    let number = node ?? turn % StoryRun.nodeCount
    if node == nil { turn += 1 }
    let end = simulation.now + StoryRun.patience
    while true {
      let answer = try ask(line, of: number)
      guard case .error(let code, _) = answer, ["UNAVAILABLE", "BUSY", "UNKNOWN"].contains(code),
        simulation.now < end
      else { return answer }
      simulation.run(for: 100_000)
    }
  }

  private func ask(_ line: String, of number: Int) throws(StoryError) -> Value {
    try say(line, on: try connection(to: number))
  }

  private func connection(to number: Int) throws(StoryError) -> SimulatedClient {
    let seat = Seat(user: user, node: number)
    if let connection = connections[seat], !connection.isClosed { return connection }
    guard let connection = simulation.connect(to: number) else {
      throw StoryError("node \(number + 1) does not run: \(simulation.hosts[number].failure ?? "")")
    }
    if let user {
      let answer = try say("AUTH \(user.name) \(user.secret)", on: connection)
      guard answer == .text("OK") else { throw StoryError("AUTH \(user.name): \(answer.shown)") }
    }
    connections[seat] = connection
    return connection
  }

  private func say(_ line: String, on connection: SimulatedClient) throws(StoryError) -> Value {
    connection.clear()
    simulation.send(line + "\n", on: connection)
    var seen = 0
    var reply: Result<Value, MalformedReply>?
    simulation.run(for: StoryRun.patience) {
      guard connection.received.count > seen else { return connection.isClosed }
      seen = connection.received.count
      reply = connection.received.withUnsafeBytes { bytes in
        do throws(MalformedReply) { return (try Value.parse(bytes)).map { .success($0.value) } } catch {
          return .failure(error)
        }
      }
      return reply != nil
    }
    switch reply {
    case .success(let value): return value
    case .failure(let malformed): throw StoryError("not a reply: \(malformed.text)")
    case nil: throw StoryError(connection.isClosed ? "the node closed the connection" : "no reply came in 20 s")
    }
  }
}
