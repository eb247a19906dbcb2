import Checker

/// The model of docs/testing.md, tried in every order: what the fast checker must agree with. For one member's history of a
/// few operations.
struct BruteForce {
  private struct Hold {
    var points: Int64
    var expires: UInt64?
  }
  private struct State {
    var balance: Int64 = 0
    var open: [String: Hold] = [:]
    var held: Int64 { open.values.reduce(0) { $0 + $1.points } }
    var available: Int64 { balance - held }
  }
  private let member: String
  private let operations: [Operation]

  static func allows(_ operations: [Operation], member: String) -> Bool {
    let own = operations.filter { ($0.member == member || $0.to == member) && $0.result != .rejected }
    let search = BruteForce(member: member, operations: own)
    return search.tryAll(State(), Array(own.indices))
  }

  private func begin(_ operation: Operation) -> UInt64 {
    operation.local.map { min($0, operation.end) } ?? operation.begin
  }

  private func tryAll(_ state: State, _ left: [Int]) -> Bool {
    let certain = left.filter { operations[$0].result != .inDoubt }
    guard let firstEnd = certain.map({ operations[$0].end }).min() else { return true }
    for number in left where begin(operations[number]) <= firstEnd {
      if let after = apply(operations[number], state), tryAll(after, left.filter { $0 != number }) { return true }
    }
    for (id, hold) in state.open {
      guard let expires = hold.expires, expires <= firstEnd else { continue }
      var after = state
      after.open[id] = nil
      if tryAll(after, left) { return true }
    }
    return false
  }

  /// Nil if the operation is not possible there.
  private func apply(_ o: Operation, _ state: State) -> State? {
    var state = state
    if o.member != member {
      if o.result != .refused { state.balance += o.points }
      return state
    }
    if o.result == .refused {
      let isInsufficient = o.code.isEmpty || o.code == "INSUFFICIENT"
      switch o.kind {
      case .redeem, .hold, .transfer: if isInsufficient && state.available >= o.points { return nil }
      case .capture, .release:
        if let hold = state.open[o.hold], o.kind == .release || hold.points >= o.points { return nil }
      case .earn, .balance: return state
      }
    } else {
      switch o.kind {
      case .earn: state.balance += o.points
      case .redeem, .transfer:
        if state.available < o.points { return nil }
        state.balance -= o.points
      case .hold:
        if state.available < o.points { return nil }
        state.open[o.id] = Hold(points: o.points, expires: o.expires.map { max($0, o.begin) })
      case .capture:
        guard let hold = state.open.removeValue(forKey: o.hold), hold.points >= o.points else { return nil }
        state.balance -= o.points == 0 ? hold.points : o.points
      case .release:
        guard let hold = state.open.removeValue(forKey: o.hold) else { return nil }
        if o.points != 0 && o.points != hold.points { return nil }
      case .balance: break
      }
    }
    if let balance = o.balance, o.result != .inDoubt, balance != state.balance { return nil }
    if let held = o.held, o.result != .inDoubt, held != state.held { return nil }
    if let available = o.available, o.result != .inDoubt, available != state.available { return nil }
    return state
  }
}
