import Base
import Checker

/// A client that retries, as a terminal does: it asks one thing at a time or several at once and, what it hears nothing
/// certain of, asks again, of this node or another, until it has an answer that counts or gives up. It has a line of its
/// own to the nodes, which may fail too.
final class RetryingClient {
  unowned let scenario: Scenario
  let number: Int
  var random: SeededGenerator
  let name: String
  /// Each of the requests under way at once is of a session of its own: a new one after an operation that stays in doubt.
  private(set) var sessions = [Int](repeating: 0, count: RetryingClient.depth)
  private var requests = 0
  /// What was asked and is not answered, in the order in which answers come.
  private var asked: [Pending] = []
  /// What is to be asked, for the first time or again.
  private var unasked: [Pending] = []
  private var connection: Connection?
  private static let depth = 8
  /// Counts what it waits for: an answer or a time-out that is late is recognised.
  private var wait = 0
  private var isWaiting = false
  /// When the last piece of what was written leaves: what is said after it must not become part of a line.
  private var lastPieceAt: UInt64 = 0

  struct Pending {
    var operation: Operation
    var line: String
    /// Which of the client's sessions asks.
    var session = 0
    /// The checker knows nothing of it.
    var isSide = false
    /// It is of the client's own member: see `OwnOrder`.
    var isOwn = false
    var attempts = 0
    /// An attempt may have taken effect.
    var inDoubt = false
  }
  private final class Connection {
    let client: SimulatedClient
    var unread: [UInt8] = []
    var lastArrival: UInt64 = 0
    init(_ client: SimulatedClient) { self.client = client }
  }

  /// Of its own member, and of the one of the side traffic.
  private var ownOrder = OwnOrder()
  private var sideOrder = OwnOrder()

  /// The one node that it asks; nil: any.
  private let host: Int?

  /// - Parameter requests: what it asks, of one node, and then nothing more.
  init(_ scenario: Scenario, _ number: Int, host: Int? = nil, requests: [Pending] = []) {
    self.scenario = scenario
    self.number = number
    self.host = host
    unasked = requests
    name = "t\(number)"
    random = SeededGenerator(seed: scenario.plan.seed &* 1_000_003 &+ UInt64(number))
    sideOrder.isOfPool = scenario.plan.traffic.hasBonds
  }

  var simulation: Simulation { scenario.simulation }
  var latency: UInt64 { 200 + random.below(3_000) }

  /// The requests that wait for an answer that counts.
  var pending: [Pending] { asked + unasked }

  /// Begins something, or goes on with what is pending.
  func wake() {
    guard !isWaiting, scenario.failure == nil else { return }
    if unasked.isEmpty {
      guard scenario.isFaultPhase else { return }
      let count =
        random.chance(scenario.plan.traffic.pipelinePerMille)
        ? 2 + Int(random.below(UInt64(RetryingClient.depth) - 1)) : 1
      let isOwn = scenario.plan.traffic.hasOwnMembers && count > 1 && random.chance(300)
      let isOwnOfSide = isOwn && scenario.plan.traffic.hasWaitingMembers && random.chance(600)
      for session in 0..<count {
        if isOwnOfSide {
          unasked.append(chooseWaitingRequest(session))
          continue
        }
        if let programme = scenario.plan.traffic.programme, random.chance(300) {
          unasked.append(chooseProgrammeRequest(programme, session))
          continue
        }
        if scenario.plan.traffic.tiers != nil, random.chance(300) {
          unasked.append(chooseTierRequest(session))
          continue
        }
        let isSide = scenario.plan.traffic.sideMembers > 0 && random.chance(300)
        unasked.append(isOwn ? chooseOwnRequest(session) : isSide ? chooseSideRequest(session) : chooseRequest(session))
      }
    }
    attempt()
  }
  private func wake(after delay: UInt64) {
    let wait = wait
    simulation.call(after: delay) { [self] in if wait == self.wait { wake() } }
  }

  /// Faults have ended: whatever it waits for, it asks anew, of a node that is up.
  func quiesce() {
    guard !asked.isEmpty || !unasked.isEmpty else { return }
    doubt()
    hangUp()
    wait += 1
    isWaiting = false
    wake(after: random.below(1_000))
  }

  /// It will never know more.
  func abandon() {
    doubt()
    hangUp()
    wait += 1
    isWaiting = false
    for pending in unasked { scenario.noteGivenUp(pending) }
    unasked = []
  }

  // MARK: Asking

  func nextRequest() -> String {
    requests += 1
    return scenario.plan.request(requests, of: number)
  }

  private func attempt() {
    asked = unasked
    unasked = []
    ownOrder.attemptBegins(scenario.disturbances)
    sideOrder.attemptBegins(scenario.disturbances)
    for i in asked.indices { asked[i].attempts += 1 }
    wait += 1
    let wait = wait
    if let connection, connection.client.isClosed || random.below(8) == 0 { hangUp() }
    isWaiting = true
    let lines = Array(asked.map { $0.line + "\n" }.joined().utf8)
    if let connection {
      send(lines, on: connection, wait)
    } else {
      // The one that it is to ask may have been removed meanwhile.
      let host = host.flatMap { scenario.down.contains($0) ? nil : $0 } ?? scenario.anyHost(&random)
      simulation.call(on: host, after: latency) { [self] in connect(to: host, lines, wait) }
    }
    if scenario.isFaultPhase, random.chance(scenario.plan.traffic.duplicatePerMille) { sendDuplicate(of: lines) }
    let patience = scenario.isFaultPhase ? 1_000_000 + random.below(7_000_000) : 6_000_000
    simulation.call(after: patience) { [self] in
      guard wait == self.wait, isWaiting else { return }
      lost("hears nothing")
    }
  }

  /// What asks twice, or the network does: another node gets the same, and nobody waits for its answer.
  private func sendDuplicate(of lines: [UInt8]) {
    for i in asked.indices { asked[i].inDoubt = true }
    let host = scenario.anyHost(&random)
    simulation.call(on: host, after: random.wait(300_000)) { [scenario] in
      guard let client = scenario.simulation.connect(to: host) else { return }
      scenario.tally.duplicates += 1
      scenario.simulation.send(lines, on: client)
      scenario.simulation.call(on: host, after: 15_000_000) { scenario.simulation.disconnect(client) }
    }
  }

  private func connect(to host: Int, _ line: [UInt8], _ wait: Int) {
    guard wait == self.wait, isWaiting else { return }
    guard let client = simulation.connect(to: host) else {
      // Refused: that attempt was none.
      isWaiting = false
      (unasked, asked) = (asked, [])
      return wake(after: 20_000 + random.below(300_000))
    }
    let made = Connection(client)
    connection = made
    client.deliver = { [weak self] bytes in self?.came(bytes, on: made) }
    send(line, on: made, wait, isThere: true)
  }

  private func send(_ line: [UInt8], on connection: Connection, _ wait: Int, isThere: Bool = false) {
    let client = connection.client
    var delay = isThere ? 0 : latency
    scenario.tell(client.host, "\(name) > \(asked.map(\.line).joined(separator: " | "))")
    guard scenario.isFaultPhase, random.chance(scenario.plan.traffic.faultPerMille) else {
      return sendInPieces(line, on: client, after: delay)
    }
    scenario.tally.clientFaults += 1
    switch random.below(3) {
    case 0:
      // It is cut off in the middle of the request.
      let part = Array(line.prefix(Int(random.below(UInt64(line.count)))))
      simulation.call(on: client.host, after: delay) { [self] in
        simulation.send(part, on: client)
        simulation.disconnect(client)
      }
      simulation.call(after: delay + random.below(100_000)) { [self] in
        if wait == self.wait, isWaiting { lost("is cut off while asking") }
      }
    case 1:
      // Or before the answer, or in the middle of it.
      simulation.call(on: client.host, after: delay) { [self] in simulation.send(line, on: client) }
      simulation.call(on: client.host, after: delay + random.below(20_000)) { [self] in simulation.disconnect(client) }
      simulation.call(after: delay + random.below(100_000)) { [self] in
        if wait == self.wait, isWaiting { lost("is cut off before the answer") }
      }
    default:
      // What it sent comes late: perhaps when it has long asked elsewhere.
      delay += random.below(10_000_000)
      simulation.call(on: client.host, after: delay) { [self] in simulation.send(line, on: client) }
    }
  }

  /// What is written at once need not come at once: line by line, or cut anywhere.
  private func sendInPieces(_ bytes: [UInt8], on client: SimulatedClient, after delay: UInt64) {
    var delay = delay
    var rest = bytes[...]
    while !rest.isEmpty {
      var count = rest.count
      if scenario.isFaultPhase, asked.count > 1 {
        switch random.below(4) {
        case 0: count = 1 + Int(random.below(UInt64(count)))
        case 1, 2: count = rest.firstIndex(of: 10).map { $0 - rest.startIndex + 1 } ?? count
        default: break
        }
      }
      let piece = Array(rest.prefix(count))
      rest = rest.dropFirst(count)
      simulation.call(on: client.host, after: delay) { [self] in simulation.send(piece, on: client) }
      lastPieceAt = simulation.now + delay
      delay += random.below(3_000)
    }
  }

  private func hangUp() {
    guard let client = connection?.client else { return }
    connection = nil
    client.deliver = nil
    // After what was sent on it, however late that comes.
    if random.chance(800) {
      let last = random.chance(300) ? "QUIT\n" : ""
      let rest = lastPieceAt - min(lastPieceAt, simulation.now)
      simulation.call(on: client.host, after: rest + latency + 200) { [self] in
        simulation.disconnect(client, saying: last)
      }
    }
  }

  // MARK: Hearing

  private func came(_ bytes: [UInt8]?, on connection: Connection) {
    let arrival = max(simulation.now + latency, connection.lastArrival + 1)
    connection.lastArrival = arrival
    simulation.call(after: arrival - simulation.now) { [self] in
      guard connection === self.connection else { return }
      guard let bytes else { return lost("loses its connection") }
      connection.unread.append(contentsOf: bytes)
      while connection === self.connection, let end = connection.unread.firstIndex(of: 13),
        connection.unread.count > end + 1
      {
        let line = String(decoding: connection.unread[..<end], as: UTF8.self)
        connection.unread.removeFirst(end + 2)
        answered(line)
      }
    }
  }

  /// No answer came: the attempts may have taken effect, now or later.
  private func lost(_ why: String) {
    hangUp()
    guard isWaiting else { return }
    scenario.tell(-1, "\(name) \(why)")
    doubt()
    again()
  }
  private func doubt() {
    for i in asked.indices { asked[i].inDoubt = true }
    unasked += asked
    asked = []
  }

  private func answered(_ line: String) {
    guard isWaiting, !asked.isEmpty else {
      return scenario.reportViolation("\(name) got an answer to nothing: \(line)")
    }
    var pending = asked.removeFirst()
    scenario.tell(connection?.client.host ?? -1, "\(name) < \(line)")
    var refusals = ["-INSUFFICIENT", "-REVERSED"]
    if pending.operation.to == "frozen" { refusals.append("-FROZEN") }
    if pending.isSide { refusals += ["-FROZEN", "-LOST", "-LIMIT", "-CLOSED"] }
    if scenario.plan.traffic.isNearBounds { refusals.append("-LIMIT") }
    if line.hasPrefix("-UNAVAILABLE") || line.hasPrefix("-BUSY") {
      unasked.append(pending)
    } else if line.hasPrefix("-UNKNOWN") {
      pending.inDoubt = true
      unasked.append(pending)
    } else if pending.operation.kind == .balance, line.hasPrefix("-NOTFOUND"), pending.line.hasSuffix("read=local") {
      // The node at hand has not heard of the member yet: it may be as far behind as that.
    } else if line.hasPrefix("+") || refusals.contains(where: { line.hasPrefix($0) }) {
      scenario.noteAnswer(line, to: pending)
      if let before = breach(by: pending, line) {
        scenario.reportViolation("\(name) had \(before), asked \(pending.line) next, and was told \(line)")
      }
    } else {
      return scenario.reportViolation("\(name) asked \(pending.line) and was told \(line)")
    }
    guard asked.isEmpty else { return }
    guard unasked.isEmpty else { return again() }
    isWaiting = false
    wait += 1
    wake(after: random.wait(scenario.plan.traffic.thinkTime))
  }

  /// See `OwnOrder.breach`.
  private func breach(by pending: Pending, _ line: String) -> Int64? {
    guard pending.isOwn else { return nil }
    return pending.isSide
      ? sideOrder.breach(by: pending, line, scenario.disturbances)
      : ownOrder.breach(by: pending, line, scenario.disturbances)
  }

  /// Asks what is left again, but for what it gives up.
  private func again() {
    isWaiting = false
    wait += 1
    if scenario.isFaultPhase {
      unasked.removeAll { pending in
        // Of what comes back it wants to know when.
        if pending.inDoubt && pending.operation.to == "frozen" { return false }
        guard random.chance(pending.inDoubt ? 30 : scenario.plan.traffic.quitPerMille) else { return false }
        scenario.noteGivenUp(pending)
        if pending.inDoubt && pending.isOwn {
          if pending.isSide { sideOrder.isInDoubt = true } else { ownOrder.isInDoubt = true }
        }
        if pending.inDoubt && pending.operation.kind != .balance { sessions[pending.session] += 1 }
        return true
      }
    }
    wake(after: 10_000 + random.below(scenario.isFaultPhase ? 400_000 : 50_000))
  }
}
