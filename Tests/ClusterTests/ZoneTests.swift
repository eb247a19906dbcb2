import Base
import Testing

@testable import Cluster
@testable import Simulator

/// A program's zone changes while purchases come: whatever is booked is booked by one zone.
@Suite struct ZoneTests {
  @Test(arguments: [0, 1, 2] as [UInt64]) func aPurchaseBesideTheChangeIsBookedByTheZoneThatStays(seed: UInt64) throws {
    let simulation = try makeCluster(seed: 950 + seed)
    let admin = try #require(simulation.connect(to: 0))
    let till = try #require(simulation.connect(to: 1))
    for i in 0..<24 {
      for line in [
        "PROGRAM SET p\(i) earn=1/1 expire=1d", "MERCHANT SET shop\(i) program=p\(i)", "MEMBER ADD m\(i)",
      ] { #expect(ask(simulation, admin, line) == "+OK", "\(line)") }
      admin.clear()
      till.clear()
      simulation.send("PROGRAM SET p\(i) utc-offset=+08:00\n", on: admin)
      simulation.run(for: UInt64(i) * 6_000 + seed * 2_000)
      simulation.send("EARN m\(i) merchant=shop\(i) points=5 id=e\n", on: till)
      simulation.run(for: 20_000_000) { admin.lineCount > 0 && till.lineCount > 0 }
      let (said, earned) = (admin.lines.first ?? "", till.lines.first ?? "")
      let isSet = said == "+OK"
      #expect(isSet || said.hasPrefix("-ERR utc-offset= cannot change"), "\(said)")
      #expect(earned.hasPrefix("+") || earned.hasPrefix("-CLOSED"), "\(earned)")
      let shown = ask(simulation, admin, "PROGRAM SHOW p\(i)") ?? ""
      #expect(shown.contains("utc-offset=\(isSet ? "+08:00" : "+00:00")") && shown.contains("state=active"), "\(shown)")
      #expect(ask(simulation, admin, "EARN m\(i) merchant=shop\(i) points=5 id=f")?.hasPrefix("+") == true)
      // Points end at midnight there.
      let balance = ask(simulation, admin, "BALANCE m\(i) program=p\(i)") ?? ""
      let ends = balance.split(separator: " ").first { $0.hasPrefix("expires=") }.flatMap { Int64($0.dropFirst(8)) }
      let expiring = balance.split(separator: " ").first { $0.hasPrefix("expiring=") }.flatMap {
        Int64($0.dropFirst(9))
      }
      #expect(expiring == (earned.hasPrefix("+") ? 10 : 5), "booked by two zones: \(balance)")
      #expect(try #require(ends) % 86_400_000 == (isSet ? 16 * 3_600_000 : 0), "\(said), \(earned), \(balance)")
    }
  }

  /// Two zones at once, while purchases come: one of them is set, or none, and whatever is booked is booked by that.
  @Test(arguments: [0, 1, 2] as [UInt64]) func ofTwoChangesAtOnceNoneUndoesTheOther(seed: UInt64) throws {
    let simulation = try makeCluster(seed: 980 + seed)
    let admins = try (0..<2).map { try #require(simulation.connect(to: $0)) }
    let till = try #require(simulation.connect(to: 2))
    var said: [String: Int] = [:]
    for i in 0..<20 {
      for line in [
        "PROGRAM SET p\(i) earn=1/1 expire=1d\(i % 4 == 3 ? " state=stopped" : "")",
        "MERCHANT SET shop\(i) program=p\(i)",
        "MEMBER ADD m\(i)",
      ] { #expect(ask(simulation, admins[0], line) == "+OK", "\(line)") }
      for connection in admins + [till] { connection.clear() }
      simulation.send("PROGRAM SET p\(i) utc-offset=+08:00\(i % 4 == 3 ? " state=active" : "")\n", on: admins[0])
      simulation.run(for: UInt64(i) * 2_500 + seed * 800)
      simulation.send("PROGRAM SET p\(i) utc-offset=+01:00\n", on: admins[1])
      for j in 0..<40 {
        simulation.send("EARN m\(i) merchant=shop\(i) points=1 id=e\(j)\n", on: till)
        simulation.run(for: 1_500)
      }
      simulation.run(for: 30_000_000) { admins.allSatisfy { $0.lineCount > 0 } && till.lineCount == 40 }
      for line in admins.map({ $0.lines.first ?? "" }) {
        let word = line.split(separator: " ").first.map(String.init) ?? ""
        #expect(["+OK", "-UNAVAILABLE", "-UNKNOWN", "-ERR"].contains(word), "\(line)")
        said[word, default: 0] += 1
      }
      let shown = ask(simulation, admins[0], "PROGRAM SHOW p\(i)") ?? ""
      if shown.contains("state=stopped") { _ = ask(simulation, admins[0], "PROGRAM SET p\(i) state=active") }
      #expect(ask(simulation, till, "EARN m\(i) merchant=shop\(i) points=1 id=last")?.hasPrefix("+") == true)
      // Points end at midnight there, all of them at once.
      let balance = ask(simulation, admins[0], "BALANCE m\(i) program=p\(i)") ?? ""
      let zone = shown.contains("utc-offset=+08:00") ? 16 : shown.contains("utc-offset=+01:00") ? 23 : 0
      #expect(balance.field("expiring") == balance.field("balance"), "booked by two zones: \(shown) \(balance)")
      let hour = balance.field("expires").flatMap { Int($0) }.map { $0 % 86_400_000 / 3_600_000 }
      #expect(hour == zone, "\(shown) \(balance)")
    }
    #expect(said["+OK", default: 0] > 0 && said.count > 1, "\(said)")
  }

  /// The node that is asked dies between two steps, and comes back or does not.
  @Test(arguments: [0, 1, 2] as [UInt64]) func aChangeThatNobodyEndsEndsByItself(seed: UInt64) throws {
    let simulation = try makeCluster(seed: 960 + seed)
    let admin = try #require(simulation.connect(to: 0))
    var stopped = 0
    var ends: Set<String> = []
    for i in 0..<12 {
      for line in [
        "PROGRAM SET p\(i) earn=1/1 expire=1d", "MERCHANT SET shop\(i) program=p\(i)", "MEMBER ADD m\(i)",
      ] { #expect(ask(simulation, admin, line) == "+OK", "\(line)") }
      let asked = try #require(simulation.connect(to: 1))
      simulation.send("PROGRAM SET p\(i) utc-offset=+08:00 id=zone\n", on: asked)
      simulation.run(for: UInt64(i) * 20_000 + seed * 7_000)
      simulation.kill(1)
      func isActive() -> Bool { ask(simulation, admin, "PROGRAM SHOW p\(i)")?.contains("state=active") == true }
      simulation.run(for: 300_000)
      if !isActive() { stopped += 1 }
      if i % 2 == 0 { simulation.start(1) }
      var isOn = isActive()
      for _ in 0..<40 where !isOn {
        simulation.run(for: 1_000_000)
        isOn = isActive()
      }
      #expect(isOn, "p\(i) is stopped for good")
      #expect(ask(simulation, admin, "EARN m\(i) merchant=shop\(i) points=5 id=e")?.hasPrefix("+") == true)
      let zone = ask(simulation, admin, "PROGRAM SHOW p\(i)")?.contains("utc-offset=+08:00") == true ? 16 : 0
      let balance = ask(simulation, admin, "BALANCE m\(i) program=p\(i)") ?? ""
      #expect(balance.field("expires").flatMap { Int($0) }.map { $0 % 86_400_000 / 3_600_000 } == zone, "\(balance)")
      ends.insert("\(zone)")
      if i % 2 == 1 { simulation.start(1) }
      simulation.run(for: 2_000_000)
      // The same request again is answered by what became of the first.
      let again = ask(simulation, admin, "PROGRAM SET p\(i) utc-offset=+08:00 id=zone") ?? ""
      #expect(zone == 16 ? again == "+OK" : again.hasPrefix("-ERR utc-offset= cannot change"), "\(again)")
      #expect(isActive())
    }
    // Some were stopped as the node died; some have the new zone, some the old one.
    #expect(stopped > 0 && ends.count == 2, "\(stopped) stopped, \(ends)")
  }

  /// A shard cannot answer: nothing changes, and the program is not left stopped.
  @Test func aChangeThatAShardDoesNotAnswerIsGivenUp() throws {
    let simulation = try makeCluster(seed: 970)
    let admin = try #require(simulation.connect(to: 0))
    let lines = [
      "PROGRAM SET p earn=1/1", "MERCHANT SET shop program=p", "MEMBER ADD m",
      "PROGRAM SET q earn=1/1 utc-offset=+01:00",
    ]
    for line in lines { #expect(ask(simulation, admin, line) == "+OK", "\(line)") }
    // What the directory refuses of the request leaves the program as it was, too.
    let refused = ask(simulation, admin, "PROGRAM SET p utc-offset=+02:00 on-close=transfer:!") ?? ""
    #expect(refused.hasPrefix("-ERR"), "\(refused)")
    #expect(ask(simulation, admin, "PROGRAM SHOW p")?.contains("state=active") == true)
    let announced = ask(simulation, admin, "PROGRAM SET p utc-offset=+02:00 from=2099-01-01") ?? ""
    #expect(announced.hasPrefix("-ERR utc-offset= cannot be announced"), "\(announced)")
    #expect(ask(simulation, admin, "PROGRAM SET p utc-offset=+02:00 state=stopped") == "+OK")
    #expect(ask(simulation, admin, "PROGRAM SHOW p")?.contains("state=stopped") == true)
    simulation.run(for: 60_000_000)
    #expect(ask(simulation, admin, "PROGRAM SHOW p")?.contains("state=stopped") == true, "nobody starts it")
    #expect(ask(simulation, admin, "PROGRAM SET p utc-offset=+03:00 state=active") == "+OK")
    #expect(ask(simulation, admin, "PROGRAM SHOW p")?.contains("utc-offset=+03:00 ") == true)
    #expect(ask(simulation, admin, "EARN m merchant=shop points=5 id=e")?.hasPrefix("+") == true)
  }
}
