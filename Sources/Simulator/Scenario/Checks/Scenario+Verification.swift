import Base
import Checker
import Cluster

/// What must hold when a scenario is over.
extension Scenario {
  /// Who is up and was never damaged.
  var up: [Int] { simulation.hosts.indices.filter { !down.contains($0) && !damaged.contains($0) } }
  /// Who was damaged, and runs.
  private var damagedUp: [Int] {
    damaged.sorted().filter { !down.contains($0) && !wiped.contains($0) && simulation.hosts[$0].node != nil }
  }

  func verify() {
    for number in wiped where simulation.hosts[number].node?.replicaViews.isEmpty == false {
      return fail("a node that is new takes part in a group")
    }
    guard waitForConvergence(), checkAudit() else { return }
    checkLogs()
    if plan.faultKinds.contains(.memory) { checkShortMemory() } else { repeatAnsweredRequests() }
    for number in up where failure == nil { checkCatalogue(at: number) }
    guard failure == nil else { return }
    for number in damagedUp where failure == nil { probeDamagedHost(number) }
    // Who was damaged need not have been given all of it again, and leads nobody now.
    for number in damaged.sorted() { simulation.kill(number) }
    keepDown(damaged)
    if !damaged.isEmpty { simulation.run(for: 5_000_000) }
    guard failure == nil, waitForConvergence() else { return }
    checkBooks()
    guard failure == nil else { return }
    if !damaged.isEmpty { repair() }
    guard failure == nil else { return }
    checkLinearizability()
  }

  /// No log is much longer than it may be, whoever held it back.
  private func checkLogs() {
    for number in up where failure == nil {
      let pinned = simulation.hosts[number].node?.pinnedLogBytes ?? 0
      if pinned > UInt64(plan.logLimitBytes) * 2 {
        fail("\(simulation.hosts[number].name) has a log of \(pinned) bytes, and may have \(plan.logLimitBytes)")
      }
    }
  }

  /// Beyond the budget: what is still answered must be right.
  func verifySafety() {
    for number in up + damagedUp where failure == nil { probeDamagedHost(number) }
    checkLinearizability()
  }

  private func checkLinearizability() {
    // Where shards have halted, points may be on their way for good.
    let report = LinearizabilityChecker.check(operations, isSettled: !onlySafetyIsDue)
    switch report.finding {
    case .violation(let violation): reportViolation("not linearizable: \(violation)")
    case .undecided: isUndecided = true
    case .ok: break
    }
  }

  /// All replicas that are up come to the same place; a snapshot that has to be sent anew takes its time, and longer over
  /// a narrow link: as long as more comes, it is waited for, ten minutes at most.
  func waitForConvergence() -> Bool {
    let began = simulation.now
    var differing: String? = "nothing is known"
    for _ in 0..<10 where failure == nil && differing != nil {
      let (since, received) = (simulation.now, bytesReceived(by: up))
      while failure == nil, differing != nil, simulation.now - since < 60_000_000 {
        simulation.run(for: 10_000)
        differing = nil
        for shard in 0...plan.shards where differing == nil { differing = difference(UInt32(shard)) }
      }
      if bytesReceived(by: up) <= received { break }
    }
    guard differing == nil, failure == nil else {
      fail("replicas do not agree after \((simulation.now - began) / 1_000_000) s of quiescence: \(differing ?? "")")
      return false
    }
    tell(-1, "replicas agree after \((simulation.now - began) / 1000) ms")
    for number in up {
      for view in simulation.hosts[number].node?.replicaViews ?? [] { observer.check(view) }
    }
    return failure == nil
  }

  private func difference(_ shard: UInt32) -> String? {
    let views = up.compactMap { number in
      simulation.hosts[number].node?.replicaViews.first { $0.shard.rawValue == shard }
    }
    let best = views.map(\.commitIndex).max() ?? LogIndex(0)
    guard views.allSatisfy({ $0.appliedIndex == best && $0.lastIndex == best }) else {
      let places = views.map {
        "\($0.node.rawValue) has applied \($0.appliedIndex.rawValue) of \($0.lastIndex.rawValue)"
      }
      return "shard \(shard): " + places.joined(separator: ", ")
    }
    let digests = views.compactMap(\.digest)
    if let one = digests.first, !digests.allSatisfy({ $0 == one }) {
      reportViolation("shard \(shard): digests differ in quiescence")
    }
    if lacksSemantics(views) { return "shard \(shard): newer semantics have not begun" }
    return nil
  }

  private func checkAudit() -> Bool {
    guard let number = up.first, let client = simulation.connect(to: number) else { return true }
    var total = ""
    // A transfer that nobody waits for any more is delivered when its leader sends it again.
    let end = simulation.now + patience
    repeat {
      client.clear()
      simulation.send("AUDIT\n", on: client)
      simulation.run(for: 20_000_000) {
        client.lines.last?.contains("total=yes") ?? false || client.lines.first?.hasPrefix("-") ?? false
      }
      total = client.lines.last ?? "no answer"
      if total.contains("balanced=no") || total.contains("intransit=0") { break }
      simulation.run(for: 1_000_000)
    } while simulation.now < end
    // A shard whose stamps once ran ahead of all clocks takes no marker until these have come as far.
    if total.hasPrefix("-UNAVAILABLE"), plan.faultKinds.contains(.clockJump) { return true }
    guard total.contains("balanced=yes"), total.contains("intransit=0") else {
      fail("the books do not balance: \(total)")
      return false
    }
    return true
  }

  /// Asks many things at once, each answered by one line.
  func askAll(_ number: Int, _ lines: [String]) -> [String] {
    var answers: [String] = []
    guard let client = simulation.connect(to: number) else { return [] }
    var rest = lines[...]
    while !rest.isEmpty {
      let part = rest.prefix(50)
      rest = rest.dropFirst(50)
      client.clear()
      simulation.send(part.joined(separator: "\n") + "\n", on: client)
      // Each may be a barrier that crosses the longest link twice.
      guard simulation.run(for: 60_000_000, until: { client.lineCount >= part.count }) else {
        fail("\(simulation.hosts[number].name) answers \(client.lineCount) of \(part.count) requests in quiescence")
        return []
      }
      answers += client.lines
    }
    simulation.disconnect(client)
    return answers
  }

  /// Every answer that was given is given again, by one node that knows them all and by one of the others each.
  func repeatAnsweredRequests() {
    let one = up[Int(random.below(UInt64(up.count)))]
    for (place, number) in up.enumerated() where failure == nil {
      let share = number == one ? answers : answers.enumerated().filter { $0.offset % up.count == place }.map(\.element)
      repeatAnsweredRequests(share, at: number)
    }
  }
  /// Who finds only now what rotted hands over first, a repaired node too: no history tells of what was refused, so that it
  /// may not have been read since. A log that is too long is made shorter first. And who takes a shard over in quiescence, with
  /// more to apply than its patience, says so, in doubt to whom the last leader took a request from.
  func repeatAnsweredRequests(_ answers: [(line: String, answer: String, operation: Operation)], at number: Int) {
    var found = askAll(number, answers.map(\.line))
    for _ in 0..<3 where failure == nil {
      let unanswered = found.indices.filter { place in
        !damaged.union(everDamaged).isEmpty && found[place].hasPrefix("-UNAVAILABLE")
          || plan.isLogLimited && found[place].hasPrefix("-BUSY the log")
          || plan.isImpatient && Scenario.isOfTakeover(found[place])
      }
      if unanswered.isEmpty { break }
      simulation.run(for: 2_000_000)
      for (place, answer) in zip(unanswered, askAll(number, unanswered.map { answers[$0].line })) {
        found[place] = answer
      }
    }
    guard failure == nil else { return }
    for (known, now) in zip(answers, found) where known.answer != now {
      return reportViolation(
        "\(known.line) was answered \(known.answer), and \(simulation.hosts[number].name) now says \(now)")
    }
  }

  private static func isOfTakeover(_ answer: String) -> Bool {
    answer.hasPrefix("-UNKNOWN a leader was lost")
      || answer.hasPrefix("-UNAVAILABLE") && answer.contains("applies what its log has first")
  }

  /// Asks a node that may be unable to answer: what it does say of the past is what was said.
  private func probeDamagedHost(_ number: Int) {
    guard let client = simulation.connect(to: number) else { return }
    defer { simulation.disconnect(client) }
    for known in answers.suffix(ScenarioPlan.probes) {
      let answer = ask(client, known.line, for: 8_000_000)
      guard client.lineCount > 0 else { return tell(number, "does not answer \(known.line)") }
      if ["-UNAVAILABLE", "-BUSY", "-UNKNOWN"].contains(where: { answer.hasPrefix($0) }) {
        tell(number, "does not answer \(known.line): \(answer)")
        continue
      }
      guard answer == known.answer else {
        let name = simulation.hosts[number].name
        return reportViolation(
          "\(known.line) was answered \(known.answer), and \(name), which was damaged, now says \(answer)")
      }
    }
    for member in (0..<plan.members).map({ plan.member(UInt64($0)) }) {
      let asked = simulation.now
      let answer = ask(client, "BALANCE \(member)", for: 8_000_000)
      if answer.hasPrefix("+") {
        record(Operation(.balance, member: member, client: "probe \(number)", begin: asked), answer)
      } else if !answer.hasPrefix("-UNAVAILABLE"), !answer.hasPrefix("-BUSY"), client.lineCount > 0 {
        return reportViolation("BALANCE \(member) at \(simulation.hosts[number].name), which was damaged: \(answer)")
      }
    }
  }

  /// All of a history, page by page. Returns what came in place of a page.
  @discardableResult
  func readHistory(_ request: String, on client: SimulatedClient, _ body: (String) -> Void) -> String? {
    var before = ""
    while true {
      client.clear()
      simulation.send("\(request)\(before)\n", on: client)
      var expected = Int.max
      simulation.run(for: 20_000_000) {
        if expected == .max, client.lineCount > 0, let first = client.lines.first {
          expected = first.hasPrefix("*") ? 1 + (Int(first.dropFirst()) ?? 0) : 1
        }
        return client.lineCount >= expected
      }
      let lines = client.lines
      guard let first = lines.first, first.hasPrefix("*") else { return lines.first ?? "no answer" }
      lines.dropFirst().forEach(body)
      guard lines.count == 1001, let last = lines.last, let tx = field("tx", last) else { return nil }
      before = " before=\(tx)"
    }
  }

  /// A member's history, and the balance after it was read.
  private struct Book {
    var requests: [String] = []
    var sum: Int64 = 0
    var balance: Int64?
    /// What came in place of a page.
    var refusal: String?
    var isOff: Bool { refusal == nil && balance.map { $0 != sum } ?? false }
  }
  private func readBook(of member: String, on client: SimulatedClient) -> Book {
    var book = Book()
    book.refusal = readHistory("HISTORY \(member) limit=1000", on: client) { line in
      let kind = field("kind", line) ?? ""
      if kind != "hold", kind != "release", kind != "lapse" { book.sum += number("points", line) ?? 0 }
      if let request = field("request", line), kind != "transfer-in" { book.requests.append(String(request)) }
    }
    guard book.refusal == nil else { return book }
    let asked = simulation.now
    let line = ask(client, "BALANCE \(member)")
    if !member.hasPrefix("s") { record(Operation(.balance, member: member, client: "end", begin: asked), line) }
    book.balance = number("balance", line)
    return book
  }

  /// What each member's history shows is what clients were told, once each, and adds up to the balance.
  private func checkBooks() {
    guard let number = up.last, let client = simulation.connect(to: number) else { return }
    var seen: [String: Int] = [:]
    for member in members {
      var found = readBook(of: member, on: client)
      if found.isOff {
        // What lapses at a midnight is gone at once, and booked a moment later.
        simulation.run(for: 1_000_000)
        found = readBook(of: member, on: client)
      }
      if let refusal = found.refusal { return fail("the history of \(member): \(refusal)") }
      if found.isOff {
        return fail("\(member) has \(found.balance ?? 0), and its history adds up to \(found.sum)")
      }
      for request in found.requests { seen[request, default: 0] += 1 }
    }
    if plan.hasFrozen {
      let line = ask(client, "BALANCE frozen program=main")
      if self.number("balance", line) ?? 0 != 0 { return reportViolation("a frozen member was given points: \(line)") }
    }
    for operation in operations + side.operations where operation.kind != .balance {
      let count = seen[operation.id] ?? 0
      switch operation.result {
      case .ok:
        if count != 1 { return fail("\(operation.id) was acknowledged, and is there \(count) times") }
      case .refused, .rejected:
        // What the recipient refused went and came back: it adds up, or the sum above would not.
        let mayComeBack =
          operation.to == "frozen"
          || operation.kind == .transfer && ["FROZEN", "CLOSED", "LIMIT"].contains(operation.code)
        if count != 0 && !mayComeBack {
          return fail("\(operation.id) was \(operation.result), and is there")
        }
      case .inDoubt:
        if count > 1 { return fail("\(operation.id) is there \(count) times") }
      }
    }
  }
}
