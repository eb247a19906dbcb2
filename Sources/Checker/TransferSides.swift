/// Which transfers in doubt seem to have taken effect on one side only.
struct TransferSides {
  struct Doubtful {
    var operation: Int
    /// Numbers of members.
    var doneAt: Int
    var missingAt: Int
  }
  private struct Side {
    var member: Int
    var inAll: Bool
    var inAny: Bool
  }
  private var first: [Int: Side] = [:]
  /// In the order in which they were found.
  private(set) var doubtful: [Doubtful] = []

  /// What the orders that were found for a member say. They are not all that there are: what seems doubtful is to be
  /// looked at again.
  mutating func note(
    _ member: MemberHistory, _ number: Int, _ operations: [Operation], _ inAll: [Bool], _ inAny: [Bool]
  ) {
    for (action, place) in member.actions.lazy.map(\.operation).enumerated()
    where operations[place].kind == .transfer && operations[place].result == .inDoubt {
      let side = Side(member: number, inAll: inAll[action], inAny: inAny[action])
      guard let other = first.removeValue(forKey: place) else {
        first[place] = side
        continue
      }
      if side.inAll && !other.inAny {
        doubtful.append(Doubtful(operation: place, doneAt: number, missingAt: other.member))
      } else if other.inAll && !side.inAny {
        doubtful.append(Doubtful(operation: place, doneAt: other.member, missingAt: number))
      }
    }
  }
}
