/// What is asked beside, now and then.
extension Scenario {
  /// Now and then somebody wants to know whether the books balance: never may the answer be that they do not.
  func scheduleAudit() {
    simulation.call(after: random.wait(4_000_000)) { [self] in
      guard isFaultPhase, failure == nil else { return }
      let host = Int(random.below(UInt64(simulation.hosts.count)))
      simulation.call(on: host, after: 1_000) { [self] in
        guard let client = simulation.connect(to: host) else { return }
        var heard: [UInt8] = []
        client.deliver = { [unowned self] bytes in
          heard += bytes ?? []
          let text = String(decoding: heard, as: UTF8.self)
          if text.contains("balanced=no") { fail("an audit in the fault phase: \(text)") }
        }
        simulation.send("AUDIT\n", on: client)
      }
      scheduleAudit()
    }
  }

  /// Now and then a client library tries a transaction: never may any of it happen.
  func scheduleTransaction() {
    simulation.call(after: random.wait(4_000_000)) { [self] in
      guard isFaultPhase, failure == nil else { return }
      let host = Int(random.below(UInt64(simulation.hosts.count)))
      side.multiCount += 1
      let lines = [
        "MULTI", "EARN m0 merchant=east points=1000 id=multi-\(side.multiCount)", "BALANCE m0",
        random.pick(["EXEC", "DISCARD"]),
      ]
      simulation.call(on: host, after: 1_000) { [self] in
        guard let client = simulation.connect(to: host) else { return }
        var heard: [UInt8] = []
        client.deliver = { [unowned self] bytes in
          heard += bytes ?? []
          let text = String(decoding: heard, as: UTF8.self)
          if text.contains("+tx=") || text.contains("+member=") {
            reportViolation("a transaction is done in part: \(text)")
          }
        }
        simulation.send(lines.joined(separator: "\n") + "\n", on: client)
      }
      scheduleTransaction()
    }
  }
}
