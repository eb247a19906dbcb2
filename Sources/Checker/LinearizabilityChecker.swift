/// Judges histories by the model of docs/testing.md: each member's by itself, then transfers between members.
///
/// A finding of `ok` comes with an order that explains everything, a `violation` is certain; where the search for either
/// would take too long, the member is `undecided`.
public enum LinearizabilityChecker {
  /// Greedy first: nearly every true history is explained at once. The last is a full search.
  private static let passes = [
    MemberSearch.Limits(configurations: 16, unseenAtOnce: 2, unseenTried: 0, successors: 4, steps: 4_000_000),
    MemberSearch.Limits(configurations: 512, unseenAtOnce: 3, unseenTried: 1, successors: 64, steps: 20_000_000),
    MemberSearch.Limits(
      configurations: 1 << 16, unseenAtOnce: .max, unseenTried: .max, successors: .max, steps: 20_000_000),
  ]

  /// A member on whom some dozens of operations in doubt never took effect, while dozens of clients are at work, is likely to
  /// be undecided, after some seconds.
  ///
  /// Cost: some 2 µs an operation for true histories of few operations in doubt a member; memory some 100 bytes an operation
  /// beside the operations themselves.
  ///
  /// - Parameter isQuiescent: what was under way came to its end before the final reads: so each transfer is whole by then.
  public static func check(_ operations: [Operation], isQuiescent: Bool = true) -> CheckReport {
    let index = MemberIndex(operations)
    var report = CheckReport()
    report.operations = operations.count
    report.members = index.names.count
    report.inDoubt = operations.reduce(0) { $0 + ($1.result == .inDoubt ? 1 : 0) }
    var violations: [Violation] = []
    var undecided: [String] = []
    var transfers = TransferSides()
    for number in index.names.indices {
      let member = MemberHistory(operations, own: index.operations(of: number), member: index.names[number])
      switch search(member) {
      case .linearizable(let inAll, let inAny): transfers.note(member, number, operations, inAll, inAny)
      case .violated(let action, let states):
        violations.append(Explanation(operations, member, index.names[number], action, states).violation)
      case .undecided: undecided.append(index.names[number])
      }
    }
    if violations.isEmpty && isQuiescent {
      for transfer in transfers.doubtful {
        if let violation = checkSides(transfer, operations, index) { violations.append(violation) }
      }
    }
    if var first = violations.first {
      first.violatingMembers = violations.count
      report.finding = .violation(first)
    } else if !undecided.isEmpty {
      report.finding = .undecided(members: undecided)
    }
    return report
  }

  static func search(_ member: MemberHistory) -> MemberSearch.Conclusion {
    var conclusion = MemberSearch.Conclusion.undecided
    for limits in passes {
      conclusion = MemberSearch.run(member, limits)
      if case .undecided = conclusion { continue }
      break
    }
    return conclusion
  }

  // MARK: Transfers

  /// A transfer in doubt must not have taken effect on one side and, at the end, still not on the other. The end is a
  /// member's final read; without one nothing is certain.
  private static func checkSides(
    _ transfer: TransferSides.Doubtful, _ operations: [Operation], _ index: MemberIndex
  ) -> Violation? {
    let done = transfer.doneAt
    let missing = transfer.missingAt
    guard let final = finalRead(operations, index.operations(of: missing)),
      operations[final].begin > operations[transfer.operation].begin
    else { return nil }
    func cannotBe(_ member: Int, _ happensBefore: UInt64?) -> Bool {
      let history = MemberHistory(
        operations, own: index.operations(of: member), member: index.names[member],
        assume: .init(operation: transfer.operation, happensBefore: happensBefore))
      if case .violated = search(history) { return true }
      return false
    }
    guard cannotBe(done, nil), cannotBe(missing, operations[final].begin - 1) else { return nil }
    let isDebit = operations[transfer.operation].member == index.names[done]
    return Violation(
      member: index.names[missing], excerpt: [operations[transfer.operation], operations[final]],
      reason: "the transfer \(isDebit ? "debited" : "credited") \(index.names[done]), and the final read shows that it "
        + "never \(isDebit ? "credited" : "debited") \(index.names[missing])")
  }

  /// The last read of a member, if it began after all else that is certain had ended.
  private static func finalRead(_ operations: [Operation], _ own: ArraySlice<Int>) -> Int? {
    let certain = own.filter { operations[$0].result == .ok || operations[$0].result == .refused }
    let reads = certain.filter { operations[$0].kind == .balance && operations[$0].local == nil }
    guard let last = reads.max(by: { operations[$0].begin < operations[$1].begin }) else { return nil }
    return certain.contains { $0 != last && operations[$0].end >= operations[last].begin } ? nil : last
  }
}
