import Base
import Testing

@testable import Raft

struct RepairTests {
  private func damaged() -> Repair { Repair(damage: Damage(life: 2, isOpen: true)) }

  @Test func aReplicaIsWholeOnceAllUpToTheRepairPointIsDurableAndCommitted() {
    var repair = damaged()
    #expect(repair.close(committed: LogIndex(90), stable: LogIndex(90)) == false, "no leader has named the point yet")
    #expect(repair.take(point: LogIndex(7), life: 2) == true)
    #expect(repair.close(committed: LogIndex(6), stable: LogIndex(7)) == false)
    #expect(repair.close(committed: LogIndex(7), stable: LogIndex(6)) == false)
    #expect(repair.close(committed: LogIndex(7), stable: LogIndex(7)) == true)
    #expect(repair.damage == Damage(life: 2) && repair.point == LogIndex(0))
    #expect(repair.close(committed: LogIndex(7), stable: LogIndex(7)) == false, "it is news once")
  }
  @Test func aPointIsTheWordOfOneLeaderAboutOneLife() {
    var repair = damaged()
    #expect(repair.take(point: LogIndex(7), life: 1) == false)
    #expect(repair.take(point: LogIndex(0), life: 2) == false)
    #expect(repair.point == LogIndex(0))
    #expect(repair.take(point: LogIndex(7), life: 2) == true)
    repair.forgetPoint()
    #expect(repair.close(committed: LogIndex(7), stable: LogIndex(7)) == false)
  }
  @Test func aReplicaThatIsWholeTakesNoPoint() {
    var repair = Repair(damage: .none)
    #expect(repair.take(point: LogIndex(7), life: 0) == false)
    #expect(repair.damage == .none)
  }
  @Test func aLossBeginsANewLifeThatIsFencedAndNamesNoPoint() {
    var repair = damaged()
    _ = repair.take(point: LogIndex(7), life: 2)
    repair.noticeLoss()
    #expect(repair.damage == Damage(life: 3, isOpen: true, isFenced: true) && repair.point == LogIndex(0))
  }
}
