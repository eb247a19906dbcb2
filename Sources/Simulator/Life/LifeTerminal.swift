import Base
import Checker

/// A terminal: it asks one thing at a time and, when it hears nothing certain, asks the same again, of this node or
/// another, until it has an answer that counts or gives up. It has a line of its own to the nodes, which may fail too.
final class LifeTerminal {
  private unowned let life: Life
  private let number: Int
  private var random: SeededGenerator
  /// A new one after an operation of which it never learnt what became.
  private var name: String
  private var names = 0
  private var requests = 0
  private(set) var pending: Pending?
  private var connection: Connection?
  /// Counts what it waits for: an answer or a time-out that is late is recognised.
  private var wait = 0
  private var isWaiting = false

  struct Pending {
    var operation: Operation
    var line: String
    /// An attempt may have taken effect.
    var inDoubt = false
  }
  private final class Connection {
    let client: SimulatedClient
    var unread: [UInt8] = []
    var lastArrival: UInt64 = 0
    init(_ client: SimulatedClient) { self.client = client }
  }

  init(_ life: Life, _ number: Int) {
    self.life = life
    self.number = number
    name = "t\(number)"
    random = SeededGenerator(seed: life.plan.seed &* 1_000_003 &+ UInt64(number))
  }

  private var simulation: Simulation { life.simulation }
  private var latency: UInt64 { 200 + random.below(3_000) }

  /// Begins something, or goes on with what is pending.
  func wake() {
    guard !isWaiting, life.failure == nil else { return }
    if pending == nil {
      guard life.mayBegin else { return }
      choose()
    }
    attempt()
  }
  private func wake(after delay: UInt64) {
    let wait = wait
    simulation.call(after: delay) { [self] in if wait == self.wait { wake() } }
  }

  /// Faults have ended: whatever it waits for, it asks anew, of a node that is up.
  func peace() {
    guard pending != nil else { return }
    if isWaiting { pending?.inDoubt = true }
    hangUp()
    wait += 1
    isWaiting = false
    wake(after: random.below(1_000))
  }

  // MARK: Asking

  private func choose() {
    requests += 1
    let id = "\(name)-\(requests)"
    let member = "m\(random.below(UInt64(life.plan.members)))"
    let merchant = random.pick(["east", "north", "west"])
    let points = Int64(random.below(50) + 1)
    var kind = Operation.Kind.balance
    var line = ""
    switch random.below(100) {
    case 0..<34: (kind, line) = (.earn, "EARN \(member) merchant=\(merchant) points=\(points) id=\(id)")
    case 34..<54: (kind, line) = (.redeem, "REDEEM \(member) merchant=\(merchant) points=\(points) id=\(id)")
    case 54..<64: (kind, line) = (.hold, "HOLD \(member) merchant=\(merchant) points=\(points) id=\(id)")
    case 64..<78:
      if let hold = life.hold(&random) {
        let captures = random.chance(600)
        var operation = Operation(
          captures ? .capture : .release, member: hold.member, client: name, begin: simulation.now)
        operation.id = id
        operation.hold = hold.id
        let part = captures && random.chance(300) ? " points=\(random.below(UInt64(hold.points)) + 1)" : ""
        pending = Pending(operation: operation, line: "\(captures ? "CAPTURE" : "RELEASE") \(hold.tx) id=\(id)\(part)")
        return
      }
      line = "BALANCE \(member)"
    case 78..<90 where life.plan.members > 1:
      var to = member
      while to == member { to = "m\(random.below(UInt64(life.plan.members)))" }
      var operation = Operation(.transfer, member: member, client: name, begin: simulation.now)
      operation.id = id
      operation.to = to
      operation.points = points
      pending = Pending(operation: operation, line: "TRANSFER \(member) \(to) points=\(points) id=\(id)")
      return
    default: line = "BALANCE \(member)" + (random.chance(300) ? " read=local" : "")
    }
    var operation = Operation(kind, member: member, client: name, begin: simulation.now)
    if kind != .balance {
      operation.id = id
      operation.points = points
    }
    pending = Pending(operation: operation, line: line)
  }

  private func attempt() {
    guard let pending else { return }
    wait += 1
    let wait = wait
    if let connection, connection.client.isClosed || random.below(8) == 0 {
      _ = connection
      hangUp()
    }
    isWaiting = true
    let line = Array((pending.line + "\n").utf8)
    if let connection {
      send(line, on: connection, wait)
    } else {
      let host = life.anyHost(&random)
      simulation.call(on: host, after: latency) { [self] in connect(to: host, line, wait) }
    }
    let patience = life.mayBegin ? 1_000_000 + random.below(7_000_000) : 6_000_000
    simulation.call(after: patience) { [self] in
      guard wait == self.wait, isWaiting else { return }
      lost("hears nothing")
    }
  }

  private func connect(to host: Int, _ line: [UInt8], _ wait: Int) {
    guard wait == self.wait, isWaiting else { return }
    guard let client = simulation.connect(to: host) else {
      // Refused: that attempt was none.
      isWaiting = false
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
    life.tell(client.host, "\(name) > \(pending?.line ?? "")")
    guard life.mayBegin, random.chance(life.plan.terminalPerMille) else {
      return simulation.call(on: client.host, after: delay) { [self] in simulation.send(line, on: client) }
    }
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

  private func hangUp() {
    guard let client = connection?.client else { return }
    connection = nil
    client.deliver = nil
    // After what was sent on it, however late that comes.
    if random.chance(800) {
      simulation.call(on: client.host, after: latency + 200) { [self] in simulation.disconnect(client) }
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
      guard let end = connection.unread.firstIndex(of: 13), connection.unread.count > end + 1 else { return }
      let line = String(decoding: connection.unread[..<end], as: UTF8.self)
      connection.unread.removeFirst(end + 2)
      answered(line)
    }
  }

  /// No answer came: the attempt may have taken effect, now or later.
  private func lost(_ why: String) {
    hangUp()
    guard isWaiting else { return }
    life.tell(-1, "\(name) \(why)")
    pending?.inDoubt = true
    again()
  }

  private func answered(_ line: String) {
    guard isWaiting, let pending else { return life.fail("\(name) got an answer to nothing: \(line)") }
    life.tell(connection?.client.host ?? -1, "\(name) < \(line)")
    if line.hasPrefix("-UNAVAILABLE") || line.hasPrefix("-BUSY") { return again() }
    if line.hasPrefix("-UNKNOWN") {
      self.pending?.inDoubt = true
      return again()
    }
    if pending.operation.kind == .balance, line.hasPrefix("-NOTFOUND"), pending.line.hasSuffix("read=local") {
      // The node at hand has not heard of the member yet: it may be as far behind as that.
      isWaiting = false
      wait += 1
      self.pending = nil
      return wake(after: random.wait(life.plan.thinkTime))
    }
    let refusals = ["-INSUFFICIENT", "-REVERSED"]
    guard line.hasPrefix("+") || refusals.contains(where: { line.hasPrefix($0) }) else {
      return life.fail("\(name) asked \(pending.line) and was told \(line)")
    }
    isWaiting = false
    wait += 1
    self.pending = nil
    life.answered(pending, line)
    wake(after: random.wait(life.plan.thinkTime))
  }

  private func again() {
    isWaiting = false
    wait += 1
    guard let pending else { return }
    if life.mayBegin && random.chance(pending.inDoubt ? 30 : 100) {
      self.pending = nil
      life.gaveUp(pending)
      if pending.inDoubt && pending.operation.kind != .balance {
        names += 1
        name = "t\(number).\(names)"
      }
    }
    wake(after: 10_000 + random.below(life.mayBegin ? 400_000 : 50_000))
  }
}
