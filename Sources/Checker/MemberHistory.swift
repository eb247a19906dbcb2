/// One member's part of a history, made ready for the search.
struct MemberHistory {
  struct Event {
    /// The moment, doubled; plus 1 where an action ends: at one moment, all that begins comes before what ends.
    var key: UInt64
    var action: Int
    var isEnd: Bool { key & 1 == 1 }
  }
  private(set) var actions: [Action] = []
  private(set) var holds: [HoldActions] = []
  private(set) var events: [Event] = []

  /// - Parameters:
  ///   - operations: the whole history.
  ///   - own: the places in it of this member's operations and of transfers to it.
  ///   - assume: what is assumed of one operation in doubt, to learn whether that can be.
  init(_ operations: [Operation], own: ArraySlice<Int>, member: String, assume: Assumption? = nil) {
    let holdNumbers = collectHolds(operations, own, member)
    for place in own {
      let operation = operations[place]
      if operation.result == .rejected { continue }
      if operation.wasGivenBack {
        if operation.member == member { appendDebitAndReturn(operation, place) }
        continue
      }
      guard var action = action(of: operation, at: place, isRecipient: operation.member != member, holdNumbers) else {
        continue
      }
      if operation.lackedRoom {
        let away = MemberHistory.away(operations, own, member, during: operation)
        action.leastBalance = max(1, Action.largestBalance - operation.points - away + 1)
      }
      if let assume, assume.operation == place {
        guard let end = assume.happensBefore else { continue }
        action.end = max(end, action.begin)
      }
      append(action)
    }
    addLapses(operations)
    link()
    orderEvents()
  }

  /// That an operation in doubt took effect before a moment, or never did.
  struct Assumption {
    var operation: Int
    var happensBefore: UInt64?
  }

  private mutating func append(_ action: Action) {
    let number = actions.count
    if action.opens >= 0 { holds[action.opens].opener = number }
    if action.closes >= 0 { holds[action.closes].closers.append(number) }
    actions.append(action)
  }

  /// What may be on its way to others while an operation is under way: that has its room kept, and nobody sees it.
  private static func away(
    _ operations: [Operation], _ own: ArraySlice<Int>, _ member: String, during operation: Operation
  ) -> Int64 {
    var away: Int64 = 0
    for place in own where operations[place].kind == .transfer && operations[place].member == member {
      let other = operations[place]
      guard other.begin <= operation.end, other.result == .inDoubt || other.end >= operation.begin else { continue }
      away = min(away + other.points, Action.largestBalance)
    }
    return away
  }

  /// A transfer that the recipient refused: the points were away for a while, or never. What comes back is tied to what
  /// went as a hold is to its end.
  private mutating func appendDebitAndReturn(_ operation: Operation, _ place: Int) {
    var debit = Action(begin: operation.begin, end: operation.end, operation: place)
    debit.balanceChange = -operation.points
    debit.opens = holds.count
    var credit = Action(begin: operation.begin, end: operation.end, operation: place)
    credit.balanceChange = operation.points
    credit.closes = holds.count
    holds.append(HoldActions(points: operation.points))
    append(debit)
    append(credit)
  }

  /// The holds that operations of this member make or name.
  private mutating func collectHolds(
    _ operations: [Operation], _ own: ArraySlice<Int>, _ member: String
  ) -> [String: Int] {
    var numbers: [String: Int] = [:]
    for place in own where operations[place].kind == .hold && operations[place].result != .refused {
      // One without an id cannot be named: it needs no number here.
      if operations[place].result == .rejected || operations[place].id.isEmpty { continue }
      numbers[operations[place].id] = holds.count
      holds.append(HoldActions(points: operations[place].points))
    }
    for place in own where [.capture, .release].contains(operations[place].kind) {
      if numbers[operations[place].hold] != nil { continue }
      numbers[operations[place].hold] = holds.count
      holds.append(HoldActions(points: operations[place].points))
    }
    return numbers
  }

  /// Nil if the operation neither does nor says anything.
  private func action(
    of operation: Operation, at place: Int, isRecipient: Bool, _ holdNumbers: [String: Int]
  ) -> Action? {
    var action = Action(begin: operation.begin, end: operation.end, operation: place)
    if operation.result == .inDoubt { action.end = .max }
    if isRecipient {
      guard operation.result != .refused else { return nil }
      action.balanceChange = operation.points
      return action
    }
    action.balance = operation.balance ?? Action.unseen
    action.held = operation.held ?? Action.unseen
    action.available = operation.available ?? Action.unseen
    if action.balance > Action.largestBalance { action.need = .max }
    if operation.result == .refused { return refusal(operation, action, holdNumbers) }
    switch operation.kind {
    case .earn: action.balanceChange = operation.points
    case .redeem, .transfer:
      action.balanceChange = -operation.points
      action.need = operation.points
    case .hold:
      action.heldChange = operation.points
      action.need = operation.points
      action.opens = holdNumbers[operation.id] ?? -1
    case .capture, .release:
      let number = holdNumbers[operation.hold] ?? -1
      let whole = holds[number].points
      action.closes = number
      action.heldChange = -whole
      if operation.kind == .capture { action.balanceChange = -(operation.points == 0 ? whole : operation.points) }
      // More than was held was captured, or other than that given back: nothing can be so rich.
      if operation.points > whole || (operation.kind == .release && operation.points != 0 && operation.points != whole)
      {
        action.need = .max
      }
    case .balance:
      if operation.result == .inDoubt { return nil }
      if let local = operation.local { action.begin = min(local, operation.end) }
    }
    return action
  }

  private func refusal(_ operation: Operation, _ action: Action, _ holdNumbers: [String: Int]) -> Action? {
    var action = action
    switch operation.kind {
    case .redeem, .hold, .transfer:
      guard operation.code.isEmpty || operation.code == "INSUFFICIENT" else { return nil }
      action.refusedNeed = operation.points
    case .capture, .release:
      guard operation.code.isEmpty || operation.code == "REVERSED" else { return nil }
      action.refusedHold = holdNumbers[operation.hold] ?? -1
      action.refusedHoldPoints = operation.kind == .capture ? operation.points : 0
    case .earn:
      guard operation.lackedRoom else { return nil }
    case .balance: return nil
    }
    return action
  }

  /// A hold that may lapse is closed by an action that nobody asked for.
  private mutating func addLapses(_ operations: [Operation]) {
    for opener in actions.indices where actions[opener].opens >= 0 {
      let place = actions[opener].operation
      guard let expires = operations[place].expires else { continue }
      var action = Action(begin: max(expires, actions[opener].begin), end: .max, operation: place)
      action.closes = actions[opener].opens
      action.heldChange = -operations[place].points
      append(action)
    }
  }

  /// Finds optional actions of the same effect, and openers that must be tried early.
  private mutating func link() {
    struct Effect: Hashable {
      var balance: Int64
      var held: Int64
    }
    var last: [Effect: Int] = [:]
    let optional = actions.indices.filter { actions[$0].isOptional }.sorted {
      (actions[$0].begin, $0) < (actions[$1].begin, $1)
    }
    for number in optional {
      let action = actions[number]
      if action.closes >= 0 || (action.opens >= 0 && !holds[action.opens].closers.isEmpty) { continue }
      let effect = Effect(balance: action.balanceChange, held: action.heldChange)
      actions[number].previousAlike = last[effect] ?? -1
      last[effect] = number
    }
    for hold in holds where hold.opener >= 0 {
      let opener = actions[hold.opener]
      actions[hold.opener].branches = hold.closers.contains {
        // What a hold in doubt and its lapse do together is nothing: there is no need to try that.
        let isLapse = actions[$0].operation == opener.operation
        return opener.isOptional ? !isLapse : actions[$0].begin <= opener.end
      }
    }
  }

  private mutating func orderEvents() {
    var lastEnd: UInt64 = 0
    for action in actions where action.isCertain { lastEnd = max(lastEnd, action.end) }
    events.reserveCapacity(actions.count * 2)
    for (number, action) in actions.enumerated() where action.begin <= lastEnd {
      events.append(Event(key: action.begin << 1, action: number))
      if action.isCertain { events.append(Event(key: action.end << 1 | 1, action: number)) }
    }
    events.sort { ($0.key, $0.action) < ($1.key, $1.action) }
  }
}
