import Base
import Checker

/// A true history: clients ask an object whose every operation happens at one moment between its begin and its end.
struct AtomicLedger {
  struct Options {
    var clients = 4
    var members = 1
    var operations = 60
    /// Operations in a thousand whose answer is lost.
    var lostPerMille: UInt64 = 40
    /// An operation takes up to so many microseconds.
    var longest: UInt64 = 50
    /// A client waits up to so many between two.
    var pause: UInt64 = 20
    /// Of a thousand writes, how many have no balance in their answer.
    var silentPerMille: UInt64 = 100
    var finalReads = true
    /// A hold may lapse from its moment of expiry on; 0: none ever does.
    var ttl: UInt64 = 200
  }
  private struct Hold {
    var id: String
    var points: Int64
    var expires: UInt64
  }
  private struct Account {
    var balance: Int64 = 0
    var open: [Hold] = []
    var held: Int64 { open.reduce(0) { $0 + $1.points } }
    var available: Int64 { balance - held }
  }
  private struct Step {
    var at: UInt64
    var operation: Int
    /// 0: the operation, or a transfer's debit; 1: its credit.
    var part: Int
  }

  private let options: Options
  private var random: SeededGenerator
  private var accounts: [Account]
  private(set) var operations: [Operation] = []
  /// When each took effect; `.max`: never.
  private(set) var moments: [UInt64] = []
  /// The state of the member right after.
  private(set) var balances: [Int64] = []
  /// Holds whose ids clients know.
  private var known: [[Hold]]
  private var last: [UInt64] = []

  init(seed: UInt64, _ options: Options = Options()) {
    self.options = options
    random = SeededGenerator(seed: seed)
    accounts = [Account](repeating: Account(), count: options.members)
    known = [[Hold]](repeating: [], count: options.members)
    live()
  }

  private mutating func below(_ n: UInt64) -> UInt64 { random.next() % max(n, 1) }
  private func name(_ member: Int) -> String { "m\(member)" }

  private mutating func live() {
    // Each client is asleep until a moment, or has an operation under way: with its moment of effect, and its end.
    var free = (0..<options.clients).map { _ in UInt64(1) }
    for client in free.indices { free[client] += below(options.pause) }
    var steps: [Step] = []
    while operations.count < options.operations || !steps.isEmpty {
      let client = free.indices.min { free[$0] < free[$1] } ?? 0
      let begin = operations.count < options.operations ? free[client] : UInt64.max
      if let next = steps.indices.min(by: { (steps[$0].at, steps[$0].part) < (steps[$1].at, steps[$1].part) }),
        steps[next].at <= begin
      {
        let step = steps[next]
        steps.swapAt(next, steps.count - 1)
        steps.removeLast()
        take(step)
        continue
      }
      let duration = 1 + below(options.longest)
      let isLost = below(1000) < options.lostPerMille
      let number = ask(client, begin, begin + duration, isLost: isLost)
      free[client] = begin + duration + 1 + below(options.pause)
      last.append(begin + duration)
      if isLost && below(2) == 0 { continue }
      // One whose answer was lost may take effect long after.
      var at = begin + below(duration + 1)
      if isLost && below(2) == 0 { at += below(options.longest * 8) }
      steps.append(Step(at: at, operation: number, part: 0))
      if operations[number].kind == .transfer {
        let later = isLost ? at + below(options.longest) : at + below(begin + duration - at + 1)
        steps.append(Step(at: later, operation: number, part: 1))
      }
    }
    if options.finalReads { readAll() }
    removeUndone()
  }

  private mutating func ask(_ client: Int, _ begin: UInt64, _ end: UInt64, isLost: Bool) -> Int {
    let member = Int(below(UInt64(options.members)))
    var kind = Operation.Kind.allCases[Int(below(7))]
    if below(4) == 0 { kind = .earn }
    if kind == .transfer && options.members < 2 { kind = .redeem }
    if (kind == .capture || kind == .release) && known[member].isEmpty { kind = .hold }
    var o = Operation(kind, member: name(member), client: "c\(client)", begin: begin, end: end)
    o.id = kind == .balance ? "" : "r\(operations.count)"
    o.points = Int64(1 + below(kind == .earn ? 60 : 30))
    switch kind {
    case .transfer:
      let other = Int(below(UInt64(options.members - 1)))
      o.to = name(other >= member ? other + 1 : other)
    case .hold: if options.ttl > 0 { o.expires = begin + below(options.ttl) }
    case .capture, .release:
      // Sometimes another client has a hand in the same hold.
      let place = Int(below(UInt64(known[member].count)))
      let hold = known[member][place]
      if below(8) > 0 { known[member].remove(at: place) }
      o.hold = hold.id
      o.points = kind == .capture && below(2) == 0 ? 1 + Int64(below(UInt64(hold.points))) : hold.points
    case .balance: o.points = 0
    case .earn, .redeem: break
    }
    if isLost { o.end = .max }
    operations.append(o)
    moments.append(.max)
    balances.append(0)
    return operations.count - 1
  }

  private mutating func take(_ step: Step) {
    let o = operations[step.operation]
    let isSecond = step.part == 1
    // The credit of a transfer that was refused does not come.
    if isSecond && moments[step.operation] == .max { return }
    let member = Int((isSecond ? o.to : o.member).dropFirst()) ?? 0
    lapse(member, step.at)
    if isSecond {
      accounts[member].balance += o.points
      return
    }
    let isDone = change(member, o)
    if isDone { moments[step.operation] = step.at }
    balances[step.operation] = accounts[member].balance
    if o.end == .max { return }
    operations[step.operation].result = isDone ? .ok : .refused
    if isDone { answer(step.operation, member) }
    if o.kind == .hold && isDone {
      known[member].append(Hold(id: o.id, points: o.points, expires: o.expires ?? .max))
    }
  }

  private mutating func lapse(_ member: Int, _ now: UInt64) {
    // Not all that may lapse does so at once.
    while let place = accounts[member].open.firstIndex(where: { $0.expires <= now }), below(3) == 0 {
      accounts[member].open.remove(at: place)
    }
  }

  private mutating func change(_ member: Int, _ o: Operation) -> Bool {
    switch o.kind {
    case .earn: accounts[member].balance += o.points
    case .redeem, .transfer:
      guard accounts[member].available >= o.points else { return false }
      accounts[member].balance -= o.points
    case .hold:
      guard accounts[member].available >= o.points else { return false }
      accounts[member].open.append(Hold(id: o.id, points: o.points, expires: o.expires ?? .max))
    case .capture, .release:
      guard let place = accounts[member].open.firstIndex(where: { $0.id == o.hold }) else { return false }
      accounts[member].open.remove(at: place)
      if o.kind == .capture { accounts[member].balance -= o.points }
    case .balance: break
    }
    return true
  }

  private mutating func answer(_ number: Int, _ member: Int) {
    let account = accounts[member]
    if operations[number].kind != .balance && below(1000) < options.silentPerMille { return }
    operations[number].balance = account.balance
    switch operations[number].kind {
    case .balance:
      operations[number].held = account.held
      operations[number].available = account.available
    case .hold, .capture, .release: operations[number].available = account.available
    default: break
    }
  }

  private mutating func readAll() {
    var now = (last.max() ?? 0) + options.longest * 10
    for member in 0..<options.members {
      var o = Operation(.balance, member: name(member), client: "reader", begin: now + 1, end: now + 2, result: .ok)
      o.balance = accounts[member].balance
      o.held = accounts[member].held
      o.available = accounts[member].available
      operations.append(o)
      moments.append(now + 1)
      balances.append(accounts[member].balance)
      now += 3
    }
  }

  /// Some of what was asked in vain is known to have come to nothing.
  private mutating func removeUndone() {
    for number in operations.indices
    where operations[number].result == .inDoubt && moments[number] == .max && operations[number].kind != .balance {
      if below(4) > 0 { continue }
      operations[number].result = .rejected
      operations[number].end = operations[number].begin + 1
    }
  }
}
