import Base
import Checker

/// What clients asked and were told.
struct ClientRecord {
  /// In the order of the answers; what never was answered at the end.
  private(set) var operations: [Operation] = []
  /// What was answered for good, word for word: of the side traffic too.
  private(set) var answers: [Answer] = []
  private var holds: [Hold] = []

  struct Answer {
    var request: String
    var answer: String
  }
  /// A hold that was made, perhaps one that is closed already.
  struct Hold {
    var tx: String
    /// The request id under which it was made.
    var id: String
    var member: String
    var points: Int64
  }

  mutating func note(_ operation: Operation) { operations.append(operation) }
  mutating func note(_ answer: String, to request: String) {
    answers.append(Answer(request: request, answer: answer))
  }
  mutating func note(_ hold: Hold) { holds.append(hold) }

  /// A hold to capture or release; nil if there is none. Mostly nobody is told of it again.
  mutating func takeHold(_ random: inout SeededGenerator) -> Hold? {
    guard !holds.isEmpty else { return nil }
    let place = Int(random.below(UInt64(holds.count)))
    return random.chance(700) ? holds.remove(at: place) : holds[place]
  }
}

extension Scenario {
  public var operations: [Operation] { record.operations }

  /// A host that is up, as far as clients know.
  func anyHost(_ random: inout SeededGenerator) -> Int {
    let up = simulation.hosts.indices.filter { !down.contains($0) && (isFaultPhase || !damage.hosts.contains($0)) }
    // Beyond the budget nobody may be left: then it is one that does not answer.
    return random.pick(up.isEmpty ? Array(simulation.hosts.indices) : up)
  }
  /// Rises when a node may have to ask a leader again.
  var disturbances: Int { observer.leaderships + simulation.network.madeWires }

  /// An answer that counts.
  func noteAnswer(_ line: String, to pending: RetryingClient.Pending) {
    var operation = pending.operation
    operation.end = simulation.now
    operation.result = line.hasPrefix("+") ? .ok : .refused
    if pending.isSide { return noteSideAnswer(pending, operation, line) }
    if let points = line.number("points") { operation.points = abs(points) }
    operation.balance = operation.result == .ok ? line.number("balance") : nil
    operation.available = line.number("available")
    operation.held = operation.kind == .balance ? line.number("held") : nil
    if let asof = line.number("asof") {
      let slack = clocks.promiseSlack(plan, simulation)
      operation.local = UInt64(max(0, asof * 1000 - Simulation.epoch - slack))
    }
    if operation.kind == .hold, let expires = line.number("expires") {
      // Where clocks jump, a shard's time may run ahead.
      let slack: Int64 = plan.clocksLie ? 2_000_000 : 0
      let earliest = UInt64(max(0, expires * 1000 - Simulation.epoch - slack))
      operation.expires = plan.clocksJump ? operation.begin : max(operation.begin, earliest)
    }
    if operation.result == .refused { operation.code = line.errorCode }
    record.note(operation)
    if operation.kind != .balance { record.note(line, to: pending.line) }
    if operation.kind == .hold, operation.result == .ok, let tx = line.field("tx") {
      record.note(
        ClientRecord.Hold(
          tx: String(tx), id: operation.id, member: operation.member, points: operation.points))
    }
  }
  /// A read of the checks themselves.
  func noteRead(_ operation: Operation, _ line: String) {
    noteAnswer(line, to: RetryingClient.Pending(operation: operation, line: ""))
  }
  /// A client asks no more: what became of the request is in doubt, or it was rejected each time.
  func noteGivenUp(_ pending: RetryingClient.Pending) {
    guard pending.operation.kind != .balance, !pending.operation.id.isEmpty else { return }
    var operation = pending.operation
    operation.end = pending.inDoubt ? .max : simulation.now
    operation.result = pending.inDoubt ? .inDoubt : .rejected
    if pending.isSide { side.operations.append(operation) } else { record.note(operation) }
  }

  /// In the form that docs/testing.md lays down.
  public var history: [UInt8] { History(operations.sorted { $0.begin < $1.begin }).rendered() }

  /// One line on what happened.
  public var summary: String {
    let counts = [Operation.Result.ok, .refused, .rejected, .inDoubt].map { result in
      "\(result)=\(operations.count { $0.result == result })"
    }
    return "operations=\(operations.count) \(counts.joined(separator: " ")) applied=\(observer.appliedCount)"
      + " leaderships=\(observer.leaderships)"
  }
}

/// One line of a reply.
extension String {
  /// The value of a `key=value` word, also in the first, behind its `+`.
  func field(_ name: String) -> Substring? {
    let bytes = utf8, name = name.utf8
    var at = bytes.startIndex
    while at < bytes.endIndex {
      let end = bytes[at...].firstIndex(of: UInt8(ascii: " ")) ?? bytes.endIndex
      let word = bytes[at] == UInt8(ascii: "+") ? bytes[at..<end].dropFirst() : bytes[at..<end]
      if word.starts(with: name) {
        let rest = word.dropFirst(name.count)
        if rest.first == UInt8(ascii: "=") { return Substring(rest.dropFirst()) }
      }
      at = end == bytes.endIndex ? end : bytes.index(after: end)
    }
    return nil
  }
  func number(_ name: String) -> Int64? { field(name).flatMap { Int64($0) } }
  /// `BUSY` of `-BUSY …`.
  var errorCode: String { String(dropFirst().prefix { $0 != " " }) }
}
