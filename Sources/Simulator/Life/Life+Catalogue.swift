import Base

/// Somebody changes the catalogue in trouble: so the directory's log is written too, and each change must reach all.
extension Life {
  struct CatalogueChanges {
    var count = 0
    /// The newest that was acknowledged.
    var acknowledged = 0
    /// Those of which nothing certain was heard: each may take effect at any time.
    var open: Set<Int> = []
  }

  func scheduleCatalogue() {
    simulation.call(after: random.wait(3_000_000)) { [self] in
      guard mayBegin, failure == nil else { return }
      let host = Int(random.below(UInt64(simulation.hosts.count)))
      simulation.call(on: host, after: 1_000) { [self] in changeCatalogue(at: host) }
    }
  }

  /// One after another: the next begins when this one was answered, or has no answer to expect.
  private func changeCatalogue(at host: Int) {
    guard let client = simulation.connect(to: host) else { return scheduleCatalogue() }
    catalogue.count += 1
    let number = catalogue.count
    catalogue.open.insert(number)
    var isWaiting = true
    func end(_ answer: String) {
      guard isWaiting else { return }
      isWaiting = false
      tell(host, "catalogue \(number): \(answer)")
      if answer == "+OK" { catalogue.acknowledged = number }
      if answer == "+OK" || answer.hasPrefix("-UNAVAILABLE") || answer.hasPrefix("-BUSY") {
        catalogue.open.remove(number)
      }
      scheduleCatalogue()
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
    simulation.send("MERCHANT SET east title=t\(number)\n", on: client)
  }

  /// The newest change that was acknowledged is there, or one whose fate is open.
  func checkCatalogue(at number: Int) {
    guard catalogue.count > 0, let client = simulation.connect(to: number) else { return }
    simulation.send("MERCHANT LIST\n", on: client)
    simulation.run(for: 20_000_000) { client.lineCount > 3 }
    simulation.disconnect(client)
    let east = client.lines.first { field("merchant", $0) == "east" || field("name", $0) == "east" } ?? "no answer"
    let title = field("title", east).flatMap { Int($0.dropFirst()) } ?? 0
    guard title == catalogue.acknowledged || catalogue.open.contains(title) else {
      return wrong(
        "title t\(catalogue.acknowledged) was acknowledged, and \(simulation.hosts[number].name) says \(east)")
    }
  }
}
