import Base
import Testing

@testable import Raft

#if canImport(Glibc)
  import Glibc
#endif

/// `RAFT_SEEDS=1000` runs more seeds; `RAFT_SEED=17` one.
struct ScheduleTests {
  private static func number(_ name: String) -> UInt64? {
    getenv(name).flatMap { UInt64(String(cString: $0)) }
  }
  private func run(from first: UInt64, count: UInt64, nodeCount: Int, voters: Int, maxDamaged: Int = 0) {
    let seeds = Self.number("RAFT_SEED").map { $0...$0 } ?? first...(first + (Self.number("RAFT_SEEDS") ?? count) - 1)
    var (commits, reads, terms, damages, returns, answers) = (0, 0, 0, 0, 0, 0)
    for seed in seeds {
      do {
        var schedule = try Schedule(seed: seed, nodeCount: nodeCount, voters: voters)
        schedule.maxDamaged = maxDamaged
        if maxDamaged > 0 { schedule.drawWeather() }
        try schedule.run(events: 8_000)
        commits += schedule.committed.count
        reads += schedule.readsDone
        terms += schedule.leaders.count
        damages += schedule.damages
        returns += schedule.returns
        answers += schedule.answersAtRest
      } catch {
        Issue.record("seed \(seed): \(error)")
        return
      }
    }
    // A schedule in which nothing happens proves nothing.
    #expect(commits > 20 * seeds.count && reads > seeds.count && terms > seeds.count)
    #expect(voters == 1 || answers > seeds.count, "\(answers)")
    #expect(maxDamaged == 0 || damages > seeds.count, "\(damages)")
    #expect(nodeCount == voters || returns > 0, "nobody left and returned")
  }

  @Test func threeVotersOfSixNodesStaySafeUnderAnySchedule() {
    run(from: 1, count: 25, nodeCount: 6, voters: 3)
  }
  @Test func fiveVotersStaySafeUnderAnySchedule() { run(from: 1_000_000, count: 15, nodeCount: 5, voters: 5) }
  @Test func withADiskThatRotsAmongThreeTheGroupStaysSafeUnderAnySchedule() {
    run(from: 3_000_000, count: 25, nodeCount: 3, voters: 3, maxDamaged: 1)
  }
  @Test func withTwoDisksThatRotAmongFiveTheGroupStaysSafeUnderAnySchedule() {
    run(from: 4_000_000, count: 15, nodeCount: 5, voters: 5, maxDamaged: 2)
  }
  @Test func withADiskThatRotsAndAMembershipThatChangesTheGroupStaysSafeUnderAnySchedule() {
    run(from: 5_000_000, count: 40, nodeCount: 6, voters: 3, maxDamaged: 1)
  }
  @Test func oneVoterStaysSafeUnderAnySchedule() { run(from: 2_000_000, count: 10, nodeCount: 3, voters: 1) }
}
