import Testing

@testable import Cluster

/// How near a node is to the end of its memory, from what is measured.
@Suite struct MemoryHealthTests {
  @Test func levelsComeAtTheirSharesAndGoWithSomeSlack() {
    var health = MemoryHealth()
    var out = NodeOutput()
    func measure(_ used: UInt64, spare: UInt64 = 0) -> MemoryLevel {
      _ = health.measured(MemoryUsage(used: used * 1_000, limit: 100_000), spare: { spare * 1_000 }, &out)
      return health.level
    }
    #expect([79, 80, 99, 100, 109, 110].map { measure($0) } == [.ok, .near, .near, .over, .over, .farOver])
    #expect([105, 104, 95, 94, 75, 74].map { measure($0) } == [.farOver, .over, .over, .near, .near, .ok])
    #expect(out.isStatusDue)
    #expect(out.logLines.map(\.level) == [.warning, .error, .error, .warning, .info, .info])
  }

  @Test func whatIsSpareCountsUpToASixth() {
    #expect(MemoryHealth.counted(ofUsed: 600, spare: 50) == 550)
    #expect(MemoryHealth.counted(ofUsed: 600, spare: 500) == 500)
  }

  /// Who has plenty is not asked to count.
  @Test func whatIsSpareIsCountedOnlyWhereItMatters() {
    var health = MemoryHealth()
    var out = NodeOutput()
    var asked = 0
    func measure(_ used: UInt64) -> MemoryLevel {
      _ = health.measured(
        MemoryUsage(used: used, limit: 100_000),
        spare: {
          asked += 1
          return 10_000
        }, &out)
      return health.level
    }
    #expect(measure(79_000) == .ok && asked == 0)
    #expect(measure(89_000) == .ok && measure(90_000) == .near && asked == 2)
    #expect(measure(80_000) == .ok && asked == 3)
  }

  @Test func onlyAnotherLevelIsTold() {
    var health = MemoryHealth()
    var out = NodeOutput()
    #expect(health.measured(MemoryUsage(used: 90_000, limit: 100_000), spare: { 0 }, &out))
    #expect(!health.measured(MemoryUsage(used: 91_000, limit: 100_000), spare: { 0 }, &out))
    #expect(out.logLines.count == 1)
  }
}
