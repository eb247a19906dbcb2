import Base
import Checker

/// A client that retries, as a terminal does: it asks one thing at a time or several at once and, what it hears nothing
/// certain of, asks again, of this node or another, until it has an answer that counts or gives up. It has a line of its
/// own to the nodes, which may fail too.
final class RetryingClient {
  unowned let scenario: Scenario
  private let number: Int
  var random: SeededGenerator
  private let name: String
  /// Each of the requests under way at once is of a session of its own: a new one after an operation that stays in doubt.
  private var sessions = [Int](repeating: 0, count: RetryingClient.depth)
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

  struct Pending {
    var operation: Operation
    var line: String
    /// Which of the client's sessions asks.
    var session = 0
    /// The checker knows nothing of it.
    var isSide = false
    /// It is of the client's own member: see `checkOrder`.
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

  /// What its own member had after the last answer of this attempt, and after the last write, if that is certain.
  private var ownBalance: Int64?
  private var ownFloor: Int64?
  /// See `Scenario.disturbances`: when this attempt began.
  private var disturbances = 0
  /// Something that was asked of its own member may take effect at any time.
  private var isOwnInDoubt = false

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
  }

  private var simulation: Simulation { scenario.simulation }
  var latency: UInt64 { 200 + random.below(3_000) }

  /// The requests that wait for an answer that counts.
  var pending: [Pending] { asked + unasked }

  /// Begins something, or goes on with what is pending.
  func wake() {
    guard !isWaiting, scenario.failure == nil else { return }
    if unasked.isEmpty {
      guard scenario.isFaultPhase else { return }
      let count =
        random.chance(scenario.plan.pipelinePerMille) ? 2 + Int(random.below(UInt64(RetryingClient.depth) - 1)) : 1
      let isOwn = scenario.plan.hasOwnMembers && count > 1 && random.chance(300)
      for session in 0..<count {
        let isSide = scenario.plan.sideMembers > 0 && random.chance(300)
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

  private func chooseRequest(_ session: Int) -> Pending {
    let id = nextRequest()
    let name = "\(name)/\(session).\(sessions[session])"
    let member = scenario.plan.member(random.below(UInt64(scenario.plan.members)))
    let merchant = random.pick(["east", "north", "west"])
    let few = Int64(random.below(50) + 1)
    let points =
      scenario.plan.isNearBounds && random.chance(400) ? Scenario.largestAmount - Int64(random.below(3)) : few
    var kind = Operation.Kind.balance
    var line = ""
    switch random.chance(scenario.plan.readPerMille) ? 99 : random.below(100) {
    case 0..<34: (kind, line) = (.earn, "EARN \(member) merchant=\(merchant) points=\(points) id=\(id)")
    case 34..<54: (kind, line) = (.redeem, "REDEEM \(member) merchant=\(merchant) points=\(points) id=\(id)")
    case 54..<64:
      var operation = Operation(.hold, member: member, client: name, begin: simulation.now)
      operation.id = id
      operation.points = points
      line = "HOLD \(member) merchant=\(merchant) points=\(points) id=\(id)"
      if scenario.plan.holdSeconds > 0 {
        let seconds = 1 + random.below(scenario.plan.holdSeconds)
        line += " ttl=\(seconds)"
        operation.expires = simulation.now + (scenario.plan.clocksLie ? 0 : seconds * 1_000_000)
      }
      return Pending(operation: operation, line: line, session: session)
    case 64..<78:
      if let hold = scenario.hold(&random) {
        let captures = random.chance(600)
        var operation = Operation(
          captures ? .capture : .release, member: hold.member, client: name, begin: simulation.now)
        operation.id = id
        operation.hold = hold.id
        // The whole, unless it says how much.
        operation.points = captures && random.chance(300) ? Int64(random.below(UInt64(hold.points)) + 1) : hold.points
        let part = operation.points < hold.points ? " points=\(operation.points)" : ""
        let line = "\(captures ? "CAPTURE" : "RELEASE") \(hold.tx) id=\(id)\(part)"
        return Pending(operation: operation, line: line, session: session)
      }
      line = "BALANCE \(member)"
    case 78..<90 where scenario.plan.members > 1 || scenario.plan.hasFrozen:
      var to = scenario.plan.hasFrozen && (scenario.plan.members == 1 || random.chance(300)) ? "frozen" : member
      while to == member { to = scenario.plan.member(random.below(UInt64(scenario.plan.members))) }
      var operation = Operation(.transfer, member: member, client: name, begin: simulation.now)
      operation.id = id
      operation.to = to
      // Few points: what is on its way blurs what a refusal for want of room says.
      operation.points = few
      return Pending(operation: operation, line: "TRANSFER \(member) \(to) points=\(few) id=\(id)", session: session)
    default: line = "BALANCE \(member)" + (random.chance(300) ? " read=local" : "")
    }
    var operation = Operation(kind, member: member, client: name, begin: simulation.now)
    if kind != .balance {
      operation.id = id
      operation.points = points
    }
    return Pending(operation: operation, line: line, session: session)
  }

  /// Something of a member of whom nobody else asks anything.
  private func chooseOwnRequest(_ session: Int) -> Pending {
    let member = ScenarioPlan.ownMember(of: number)
    let isRead = random.chance(400)
    var operation = Operation(
      isRead ? .balance : .earn, member: member, client: "\(name)/\(session).\(sessions[session])",
      begin: simulation.now)
    var line = "BALANCE \(member)"
    if !isRead {
      operation.id = nextRequest()
      operation.points = Int64(random.below(50) + 1)
      line = "EARN \(member) merchant=east points=\(operation.points) id=\(operation.id)"
    }
    return Pending(operation: operation, line: line, session: session, isOwn: true)
  }

  private func attempt() {
    asked = unasked
    unasked = []
    (ownBalance, ownFloor) = (nil, nil)
    disturbances = scenario.disturbances
    for i in asked.indices { asked[i].attempts += 1 }
    wait += 1
    let wait = wait
    if let connection, connection.client.isClosed || random.below(8) == 0 { hangUp() }
    isWaiting = true
    let lines = Array(asked.map { $0.line + "\n" }.joined().utf8)
    if let connection {
      send(lines, on: connection, wait)
    } else {
      let host = host ?? scenario.anyHost(&random)
      simulation.call(on: host, after: latency) { [self] in connect(to: host, lines, wait) }
    }
    if scenario.isFaultPhase, random.chance(scenario.plan.duplicatePerMille) { sendDuplicate(of: lines) }
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
      scenario.duplicates += 1
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
    guard scenario.isFaultPhase, random.chance(scenario.plan.clientFaultPerMille) else {
      return sendInPieces(line, on: client, after: delay)
    }
    scenario.clientFaults += 1
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
      simulation.call(on: client.host, after: latency + 200) { [self] in simulation.disconnect(client, saying: last) }
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
    if scenario.plan.isNearBounds { refusals.append("-LIMIT") }
    if line.hasPrefix("-UNAVAILABLE") || line.hasPrefix("-BUSY") {
      unasked.append(pending)
    } else if line.hasPrefix("-UNKNOWN") {
      pending.inDoubt = true
      unasked.append(pending)
    } else if pending.operation.kind == .balance, line.hasPrefix("-NOTFOUND"), pending.line.hasSuffix("read=local") {
      // The node at hand has not heard of the member yet: it may be as far behind as that.
    } else if line.hasPrefix("+") || refusals.contains(where: { line.hasPrefix($0) }) {
      scenario.answered(pending, line)
      if pending.isOwn { checkOrder(pending, line) }
    } else {
      return scenario.reportViolation("\(name) asked \(pending.line) and was told \(line)")
    }
    guard asked.isEmpty else { return }
    guard unasked.isEmpty else { return again() }
    isWaiting = false
    wait += 1
    wake(after: random.wait(scenario.plan.thinkTime))
  }

  /// Requests of one connection to one member take effect in the order sent. Only a read that its node has to ask again, of
  /// another leader or on another link, may see what was asked for behind it.
  private func checkOrder(_ pending: Pending, _ line: String) {
    let (before, floor) = (ownBalance, ownFloor)
    ownBalance = nil
    guard !isOwnInDoubt, !pending.inDoubt, pending.attempts == 1, let now = scenario.number("balance", line) else {
      return
    }
    let isRead = pending.operation.kind == .balance
    let change = isRead ? 0 : pending.operation.points
    let isCalm = scenario.disturbances == disturbances
    if floor.map({ now < $0 + change }) ?? false || isCalm && before.map({ now != $0 + change }) ?? false {
      scenario.reportViolation("\(name) had \(before ?? floor ?? 0), asked \(pending.line) next, and was told \(line)")
    }
    ownBalance = now
    if !isRead { ownFloor = now }
  }

  /// Asks what is left again, but for what it gives up.
  private func again() {
    isWaiting = false
    wait += 1
    if scenario.isFaultPhase {
      unasked.removeAll { pending in
        // Of what comes back it wants to know when.
        if pending.inDoubt && pending.operation.to == "frozen" { return false }
        guard random.chance(pending.inDoubt ? 30 : scenario.plan.quitPerMille) else { return false }
        scenario.noteGivenUp(pending)
        if pending.inDoubt && pending.isOwn { isOwnInDoubt = true }
        if pending.inDoubt && pending.operation.kind != .balance { sessions[pending.session] += 1 }
        return true
      }
    }
    wake(after: 10_000 + random.below(scenario.isFaultPhase ? 400_000 : 50_000))
  }
}
