import Checker

/// Whether members are in the tiers that `TierBook` finds.
extension Scenario {
  private typealias Tiers = ScenarioPlan.Tiers

  /// The requests that the histories of its members tell of.
  func checkTiers() -> [String] {
    guard let plan = plan.traffic.tiers, let number = up.last, let client = simulation.connect(to: number) else {
      return []
    }
    defer { simulation.disconnect(client) }
    var requests: [String] = []
    var books: [String: TierBook] = [:]
    for holder in Tiers.accounts + [Tiers.pool] where failure == nil {
      guard let book = readTiers(of: holder, plan, on: client) else { continue }
      requests += book.requests
      books[holder] = book
    }
    for member in Tiers.pooled + Tiers.alone + [Tiers.idle, Tiers.heir] where failure == nil {
      checkStanding(of: member, plan, books, on: client)
    }
    if plan.activityDays > 0, clocks.passed == 0 {
      for holder in Tiers.alone + [Tiers.idle, Tiers.pool] where failure == nil {
        checkIdle(holder, plan, books[holder], on: client)
      }
    }
    return requests
  }
  private func readTiers(of holder: String, _ plan: Tiers, on client: SimulatedClient) -> TierBook? {
    var rows: [String] = []
    if let refusal = readHistory("HISTORY \(holder) program=rise limit=1000", on: client, { rows.append($0) }) {
      fail("the history of \(holder): \(refusal)")
      return nil
    }
    // A merge that brings no points leaves no row, and figures come all the same.
    let isMerged =
      holder == Tiers.heir && !rows.contains { $0.field("kind") == "merge-in" }
      && ask(client, "MEMBER SHOW \(Tiers.merged)").field("merged").map(String.init) == Tiers.heir
    var book = TierBook(plan, isOfPool: holder == Tiers.pool, isMerged: isMerged)
    for row in rows.reversed() {
      let finding = book.take(row, of: holder) { [unowned self] request in
        side.tiers.begun[request].map { (Simulation.epoch + Int64($0)) / 1_000 }
      }
      guard let finding else { continue }
      for row in rows.reversed() { tell(-1, "\(holder): \(row)") }
      reportViolation("\(holder): \(finding): \(row)")
      return nil
    }
    return book
  }

  /// What is due by now counts as booked.
  private func checkStanding(
    of name: String, _ plan: Tiers, _ books: [String: TierBook], on client: SimulatedClient
  ) {
    let isPooled = Tiers.pooled.contains(name)
    guard var book = books[isPooled ? Tiers.pool : name] else { return }
    var (told, now) = ("", Int64(0))
    for _ in 0..<10 {
      now = (Simulation.epoch + Int64(simulation.now) + clocks.passed) / 1_000
      book.goOn(name, to: now)
      told = ask(client, "MEMBER TIER \(name) program=rise")
      var figure = book.figure(of: name, at: now)
      if name == Tiers.heir, book.isMerged { figure += books[Tiers.merged]?.figure(of: Tiers.merged, at: now) ?? 0 }
      let isUnsure = isPooled && book.members[name]?.isUnsure ?? false && clocks.passed == 0
      let tier = told.field("tier").map(String.init) ?? ""
      // Returns may come to the member's slot behind the year's end.
      let isLoose = isPooled && plan.span == .year || name == Tiers.heir
      let isRight =
        (isUnsure || told.number("qualifying") == figure)
        && (isLoose || tier == Tiers.names[book.members[name]?.tier ?? 0])
      if isRight {
        if let finding = book.finding(name) { reportViolation("\(name) \(finding)") }
        return
      }
      // What a return takes from it is on its way.
      simulation.run(for: 1_000_000)
    }
    reportViolation(
      "\(name) is in another tier than its history: \(told), not \(Tiers.names[book.members[name]?.tier ?? 0]) by"
        + " \(book.figure(of: name, at: now))")
  }
  /// Points that end with activity end so many days after the last earning or redemption.
  private func checkIdle(_ holder: String, _ plan: Tiers, _ book: TierBook?, on client: SimulatedClient) {
    let told = ask(client, "BALANCE \(holder) program=rise")
    guard let book, let ends = told.number("expires"), told.number("available") ?? 0 > 0 else { return }
    let due = (book.activeDay + plan.activityDays + 1) * ProgrammeBook.day
    if ends != due { reportViolation("the points of \(holder) end with its activity at \(due): \(told)") }
  }
}
