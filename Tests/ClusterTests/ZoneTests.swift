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
}
