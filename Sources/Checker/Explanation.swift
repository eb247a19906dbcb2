/// Says in words, and by the fewest operations that show it, why a member's history cannot be.
struct Explanation {
  private static let longestExcerpt = 24
  private static let mostInDoubt = 6
  let violation: Violation

  init(
    _ operations: [Operation], _ member: MemberHistory, _ name: String, _ number: Int,
    _ states: [(balance: Int64, held: Int64)]
  ) {
    let action = member.actions[number]
    violation = Violation(
      member: name, excerpt: Explanation.excerpt(operations, member, action),
      reason: Explanation.reason(operations, member, action, states))
  }

  private static func reason(
    _ operations: [Operation], _ member: MemberHistory, _ action: Action, _ states: [(balance: Int64, held: Int64)]
  ) -> String {
    let operation = operations[action.operation]
    let what = "\(operation.kind.name)\(operation.id.isEmpty ? "" : " \(operation.id)") of \(operation.client)"
    let shown = states.prefix(5).map { "balance \($0.balance)" + ($0.held == 0 ? "" : " (\($0.held) held)") }
    var possible = shown.joined(separator: ", or ")
    if states.count > 5 { possible += ", or \(states.count - 5) more" }
    var why = "no order of what was under way leads to this answer"
    if action.need == .max && action.balance > Action.largestBalance {
      why = "no account may have so much"
    } else if action.need == .max {
      why = "it takes more than was held, or gives back other than that"
    } else if action.closes >= 0, member.holds[action.closes].opener < 0 {
      why = "no operation made its hold"
    } else if action.closes >= 0, action.balance == Action.unseen {
      why = "its hold was not open"
    } else if action.refusedNeed > 0 {
      why = "it was refused, though \(action.refusedNeed) points were available"
    } else if action.leastBalance > 0 {
      why = "it was refused, though there was room for \(operation.points) points"
    } else if action.refusedHold >= 0 {
      why = "it was refused, though its hold was open"
    } else if !action.isObserving {
      why = "\(action.need) points were not available"
    }
    return "nothing explains \(what), answered at \(action.end): \(why); before it ended, what was known allowed "
      + possible
  }

  /// From the last operation that saw the balance before any of those under way began.
  private static func excerpt(_ operations: [Operation], _ member: MemberHistory, _ last: Action) -> [Operation] {
    let underWay = member.actions.filter { $0.isCertain && $0.begin <= last.end && $0.end >= last.end }
    let earliest = underWay.map(\.begin).min() ?? last.begin
    let anchor = member.actions.filter { $0.balance != Action.unseen && $0.isCertain && $0.end < earliest }
      .map(\.begin).max()
    let from = anchor ?? 0
    var places = Set<Int>()
    let certain = member.actions.filter { $0.isCertain && $0.end >= from && $0.begin <= last.end && $0.end < last.end }
      .sorted { $0.end < $1.end }.suffix(longestExcerpt)
    let inDoubt = member.actions.filter { $0.isOptional && $0.begin <= last.end }.sorted { $0.begin < $1.begin }
    for action in certain { places.insert(action.operation) }
    for action in underWay.prefix(longestExcerpt) { places.insert(action.operation) }
    for action in inDoubt.suffix(mostInDoubt) { places.insert(action.operation) }
    places.insert(last.operation)
    return places.sorted { (operations[$0].begin, $0) < (operations[$1].begin, $1) }.map { operations[$0] }
  }
}
