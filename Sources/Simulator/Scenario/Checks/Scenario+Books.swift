import Checker
import Cluster

/// What members' histories say, against what clients were told.
extension Scenario {
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
      guard lines.count == 1001, let last = lines.last, let place = last.field("tx") ?? last.field("version")
      else { return nil }
      before = " before=\(place)"
    }
  }

  /// A member's history, and the balance after it was read.
  private struct Book {
    var requests: [String] = []
    var sum: Int64 = 0
    var balance: Int64?
    /// By transaction, what was drawn on the quota, and what refunds say of any.
    var gifts: [String: Int64] = [:]
    var refunds: [String: Int64] = [:]
    var drawn: Int64 { gifts.reduce(0) { $0 + $1.value + (refunds[$1.key] ?? 0) } }
    /// What came in place of a page.
    var refusal: String?
    var isOff: Bool { refusal == nil && balance.map { $0 != sum } ?? false }
  }
  private func readBook(of member: String, on client: SimulatedClient) -> Book {
    var book = Book()
    book.refusal = readHistory("HISTORY \(member) limit=1000", on: client) { line in
      let kind = line.field("kind") ?? ""
      if kind != "hold", kind != "release", kind != "lapse" { book.sum += line.number("points") ?? 0 }
      if let tx = line.field("tx"), kind == "earn", line.number("spend") == 0 {
        book.gifts[String(tx), default: 0] += line.number("points") ?? 0
      }
      if let of = line.field("of"), kind == "refund" {
        book.refunds[String(of), default: 0] += line.number("points") ?? 0
      }
      if let request = line.field("request"), kind != "transfer-in" { book.requests.append(String(request)) }
    }
    guard book.refusal == nil else { return book }
    let asked = simulation.now
    let line = ask(client, "BALANCE \(member)")
    if !member.hasPrefix("s"), !member.hasPrefix("ps") {
      noteRead(Operation(.balance, member: member, client: "end", begin: asked), line)
    }
    book.balance = line.number("balance")
    return book
  }

  /// What each member's history shows is what clients were told, once each, and adds up to the balance.
  func checkBooks() {
    guard let number = up.last, let client = simulation.connect(to: number) else { return }
    leavePools(client)
    var seen: [String: Int] = [:]
    var gifts: Int64 = 0
    for member in members + pools {
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
      gifts += found.drawn
      for request in found.requests { seen[request, default: 0] += 1 }
    }
    for request in checkTiers() { seen[request, default: 0] += 1 }
    for request in checkProgramme() { seen[request, default: 0] += 1 }
    guard failure == nil else { return }
    if plan.traffic.budget > 0 { checkBudget(drawn: gifts, client) }
    if plan.traffic.hasFrozen {
      let line = ask(client, "BALANCE frozen program=main")
      if line.number("balance") ?? 0 != 0 { return reportViolation("a frozen member was given points: \(line)") }
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

  /// What histories say was drawn is what the quota says, and within its limit.
  private func checkBudget(drawn: Int64, _ client: SimulatedClient) {
    // A shard may be changing its leader.
    var line = ""
    for _ in 0..<10 {
      line = ask(client, "QUOTA SHOW gifts")
      if line.number("used") != nil { break }
      simulation.run(for: 1_000_000)
    }
    guard let used = line.number("used") else { return fail("the quota is not shown: \(line)") }
    tell(-1, "the quota of \(plan.traffic.budget): \(line)")
    guard used == drawn, used <= plan.traffic.budget, line.number("left") == plan.traffic.budget - used else {
      return reportViolation(
        "of a quota of \(plan.traffic.budget) histories say \(drawn) were drawn, and it says \(line)")
    }
  }
}
