import Checker

/// Whether the programme's members have what `ProgrammeBook` finds.
extension Scenario {
  /// The requests that the histories of its members tell of.
  func checkProgramme() -> [String] {
    guard let plan = plan.traffic.programme, let number = up.last, let client = simulation.connect(to: number) else {
      return []
    }
    defer { simulation.disconnect(client) }
    return plan.memberNames.flatMap { failure == nil ? checkBook(of: $0, plan, on: client) : [] }
  }
  private func checkBook(
    of member: String, _ plan: ScenarioPlan.Programme, on client: SimulatedClient
  ) -> [String] {
    var told = ""
    for _ in 0..<2 {
      var rows: [String] = []
      if let refusal = readHistory("HISTORY \(member) program=club limit=1000", on: client, { rows.append($0) }) {
        fail("the history of \(member): \(refusal)")
        return []
      }
      var book = ProgrammeBook(plan) { [unowned self] in mayHave(rate: $0, request: $1, at: $2) }
      for row in rows.reversed() {
        guard let finding = book.take(row) else { continue }
        for row in rows.reversed() { tell(-1, "\(member): \(row)") }
        reportViolation("\(member): \(finding): \(row)")
        return []
      }
      told = ask(client, "BALANCE \(member) program=club")
      if let available = told.number("available"), let debt = told.number("debt"), available - debt == book.balance {
        return book.requests
      }
      // What lapses at a midnight is gone at once, and booked a moment later.
      simulation.run(for: 1_000_000)
    }
    fail("\(member) has another balance than its history: \(told)")
    return []
  }

  /// A rate is in force from its acknowledgement on at the latest, from its announced moment, and not before it was asked for; until the next
  /// is. Clocks that lie have a second's grace each.
  private func mayHave(rate number: Int64, request: String, at time: Int64) -> Bool {
    guard let rate = side.programme.rates.first(where: { $0.number == number }),
      let span = side.programme.spans[request]
    else { return false }
    let grace: UInt64 = plan.clocksLie ? 2_000_000 : 0
    guard rate.begun <= span.ended, rate.from ?? .min <= time else { return false }
    return !side.programme.rates.contains { next in
      guard next.number > number, let known = next.acknowledged, known + grace < span.begun else { return false }
      return next.from ?? .min <= time
    }
  }

  /// All clocks go on by more than a year: all that was ever earned has ended by then, and the books balance.
  func passTime() {
    guard plan.traffic.programme != nil || plan.traffic.tiers != nil, failure == nil else { return }
    // What was sent late has come by then.
    simulation.run(for: 16_000_000)
    clocks.passed = 400 * 86_400_000_000
    for host in simulation.hosts { host.clock.offset += clocks.passed }
    tell(-1, "a year passes")
    simulation.run(for: 15_000_000)
    guard failure == nil, checkAudit() else { return }
    _ = checkTiers()
    _ = checkProgramme()
    guard let plan = plan.traffic.programme, let number = up.last, let client = simulation.connect(to: number) else {
      return
    }
    for member in plan.memberNames where failure == nil {
      let line = ask(client, "BALANCE \(member) program=club")
      guard line.number("available") == 0, line.number("pending") == 0 else {
        return reportViolation("after a year \(member) still has points: \(line)")
      }
    }
  }
}
