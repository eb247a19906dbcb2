import Base

/// Somebody changes the catalogue while there are faults: so the directory's log is written too, and each change must reach all. A
/// change that was acknowledged may come again, late: it must not undo a newer one.
extension Scenario {
  struct CatalogueChanges {
    /// By merchant's name.
    var merchants: [String: Titles] = [:]
    var count = 0
    /// What was acknowledged, and may come again.
    var acknowledged: [(number: Int, line: String)] = []
  }
  /// What a merchant's title may be: that of the change with that number.
  struct Titles {
    /// The newest that was acknowledged.
    var acknowledged = 0
    /// Those of which nothing certain was heard: each may take effect at any time.
    var open: Set<Int> = []
    /// All that were acknowledged.
    var done: Set<Int> = []
  }

  func scheduleCatalogue() {
    simulation.call(after: random.wait(plan.catalogue.gap)) { [self] in
      guard isFaultPhase, failure == nil else { return }
      let host = Int(random.below(UInt64(simulation.hosts.count)))
      simulation.call(on: host, after: 1_000) { [self] in
        if random.chance(plan.catalogue.lateChangePerMille), !catalogue.acknowledged.isEmpty {
          repeatChange(at: host)
        } else {
          changeCatalogue(at: host)
        }
      }
    }
  }

  /// One after another: the next begins when this one was answered, or has no answer to expect.
  private func changeCatalogue(at host: Int) {
    catalogue.count += 1
    let number = catalogue.count
    let merchant = plan.catalogue.merchants == 1 ? "east" : "shop\(random.below(UInt64(plan.catalogue.merchants)))"
    let id = random.chance(700) ? " id=c\(number)" : ""
    let line = "MERCHANT SET \(merchant) title=t\(number)\(id)"
    catalogue.merchants[merchant, default: Titles()].open.insert(number)
    send(line, to: host) { [self] answer in
      if answer == "+OK" {
        catalogue.merchants[merchant]?.acknowledged = number
        catalogue.merchants[merchant]?.done.insert(number)
        if !id.isEmpty { catalogue.acknowledged.append((number, line)) }
      }
      if answer == "+OK" || Scenario.saysNothingHappened(answer) { catalogue.merchants[merchant]?.open.remove(number) }
      scheduleCatalogue()
    }
  }

  private func repeatChange(at host: Int) {
    let (number, line) = catalogue.acknowledged[Int(random.below(UInt64(catalogue.acknowledged.count)))]
    send(line, to: host) { [self] answer in
      let isKnown = answer == "+OK" || answer.hasPrefix("-UNKNOWN") || answer.hasPrefix("no answer")
      if !isKnown && !Scenario.saysNothingHappened(answer) {
        reportViolation("a copy of change \(number) was answered: \(answer)")
      }
      scheduleCatalogue()
    }
  }

  private static func saysNothingHappened(_ answer: String) -> Bool {
    answer.hasPrefix("-UNAVAILABLE") || answer.hasPrefix("-BUSY")
  }

  /// Says what came, once: also that nothing did.
  func send(_ line: String, to host: Int, _ answered: @escaping (String) -> Void) {
    guard let client = simulation.connect(to: host) else { return answered("-UNAVAILABLE here") }
    var isWaiting = true
    func end(_ answer: String) {
      guard isWaiting else { return }
      isWaiting = false
      tell(host, "\(line): \(answer)")
      answered(answer)
    }
    var heard: [UInt8] = []
    client.deliver = { bytes in
      guard let bytes else { return end("no answer") }
      heard += bytes
      if let line = String(decoding: heard, as: UTF8.self).split(separator: "\r\n").first, heard.last == 10 {
        end(String(line))
      }
    }
    simulation.call(after: 12_000_000) { end("no answer in time") }
    simulation.send(line + "\n", on: client)
  }

  /// Of each merchant the newest change that was acknowledged is there, or one whose fate is open.
  func checkCatalogue(at number: Int) {
    guard catalogue.count > 0, let client = simulation.connect(to: number) else { return }
    defer { simulation.disconnect(client) }
    let name = simulation.hosts[number].name
    var titles: [String: Int] = [:]
    var after = ""
    while true {
      client.clear()
      simulation.send("MERCHANT LIST limit=100\(after)\n", on: client)
      var count: Int?
      simulation.run(for: 20_000_000) {
        count = client.lines.first.flatMap { $0.hasPrefix("*") ? Int($0.dropFirst()) : nil }
        return client.lines.first?.hasPrefix("-") == true || count.map { client.lineCount > $0 } ?? false
      }
      let rows = client.lines.dropFirst().compactMap { row in row.field("merchant").map { ($0, row) } }
      guard let count, rows.count == count else {
        return fail("\(name) does not list its merchants: \(client.lines.first ?? "no answer")")
      }
      for (merchant, row) in rows {
        titles[String(merchant)] = row.field("title").flatMap { Int($0.dropFirst()) } ?? 0
      }
      guard count == 100, let last = rows.last else { break }
      after = " after=\(last.0)"
    }
    for (merchant, known) in catalogue.merchants.sorted(by: { $0.key < $1.key }) {
      let title = titles[merchant] ?? 0
      guard title == known.acknowledged || known.open.contains(title) else {
        return reportViolation(
          "title t\(known.acknowledged) of \(merchant) was acknowledged, and \(name) says t\(title)")
      }
      checkHistory(of: merchant, known, title, on: client, name)
      if failure != nil { return }
    }
  }

  /// The node's own journal has each change that was acknowledged, once, and none that was refused; the newest is in force.
  private func checkHistory(
    of merchant: String, _ known: Titles, _ title: Int, on client: SimulatedClient, _ name: String
  ) {
    var versions: [Int] = []
    var titles: [Int] = []
    let refusal = readHistory("MERCHANT HISTORY \(merchant) limit=1000 read=local", on: client) { row in
      if let version = row.field("version").flatMap({ Int($0) }) { versions.append(version) }
      if let title = row.field("title").flatMap({ Int($0.dropFirst()) }) { titles.append(title) }
    }
    if let refusal {
      // None of its changes took effect.
      if known.done.isEmpty && title == 0 && refusal.hasPrefix("-NOTFOUND") { return }
      return fail("\(name) does not tell the history of \(merchant): \(refusal)")
    }
    let isWhole = versions == (0..<versions.count).map { versions.count - $0 }
    let isKnown = known.done.isSubset(of: titles) && titles.allSatisfy { known.done.union(known.open).contains($0) }
    // The directory's leader may be ahead by a change that nobody was told of yet: then the node's own state counts.
    func isOwn() -> Bool {
      guard known.open.contains(title) else { return false }
      let own = ask(client, "MERCHANT SHOW \(merchant) read=local").field("title")
      return own.flatMap { Int($0.dropFirst()) } ?? 0 == titles.first ?? 0
    }
    guard isWhole, isKnown, Set(titles).count == titles.count, titles.first ?? 0 == title || isOwn() else {
      return reportViolation("\(name) tells of \(merchant) versions \(versions) with titles \(titles), now t\(title)")
    }
  }
}
