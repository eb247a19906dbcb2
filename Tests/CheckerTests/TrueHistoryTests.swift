import Checker
import Testing

@Suite struct TrueHistoryTests {
  @Test(arguments: 0..<8) func whatAnAtomicLedgerSaysIsLinearizable(part: UInt64) {
    for seed in part * 40..<(part + 1) * 40 {
      var options = AtomicLedger.Options()
      options.members = 1 + Int(seed % 3)
      options.clients = 1 + Int(seed % 8)
      options.operations = 40 + Int(seed % 160)
      options.silentPerMille = [0, 100, 1000][Int(seed % 7) % 3]
      options.ttl = [0, 100, 5000][Int(seed % 5) % 3]
      let history = AtomicLedger(seed: seed, options)
      let report = LinearizabilityChecker.check(history.operations)
      #expect(report.isOK, "seed \(seed): \(report.finding)")
      if !report.isOK { return }
    }
  }

  @Test func manyClientsOfOneMemberAreExplained() {
    var options = AtomicLedger.Options()
    options.clients = 64
    options.operations = 2000
    options.lostPerMille = 10
    options.silentPerMille = 0
    options.ttl = 0
    let report = LinearizabilityChecker.check(AtomicLedger(seed: 1, options).operations)
    #expect(report.isOK, "\(report.finding)")
  }

  @Test func aFileSaysTheSameAsTheOperations() throws {
    for seed in UInt64(0)..<20 {
      var options = AtomicLedger.Options()
      options.members = 3
      let operations = AtomicLedger(seed: seed, options).operations
      let file = History(operations).rendered()
      let read = try History(parsing: file)
      #expect(read.operations.map(\.line) == operations.map(\.line))
      #expect(read.rendered() == file)
    }
  }
}
