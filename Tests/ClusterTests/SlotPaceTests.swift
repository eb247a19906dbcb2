import Base
import Ledger
import Testing

@testable import Cluster
@testable import Simulator

@Suite struct SlotPaceTests {
  /// The leader of a shard that is to give all its slots to another, in a cluster at rest.
  private func makeSource(
    seed: UInt64
  ) throws -> (simulation: Simulation, leader: Replica, ledger: LedgerMachine, order: ShardOrder.Give) {
    let simulation = try makeCluster(seed: seed, shards: 2)
    try populate(simulation)
    simulation.run(for: 2_000_000)
    let leader = try #require(simulation.hosts.compactMap { $0.node?.replicas[ShardID(1)] }.first { $0.isLeader })
    let ledger = try #require(leader.machine as? LedgerMachine)
    let slots = try #require(ledger.holdings.slots.ranges.first)
    return (simulation, leader, ledger, ShardOrder.Give(slots: slots, heir: ShardID(2)))
  }

  /// A shard remembers some of the slots that it gave; of the others the map tells, which follows while none is on its way.
  @Test func slotsDoNotGoFarAheadOfTheMap() throws {
    let (simulation, leader, ledger, order) = try makeSource(seed: 1_501)
    let epoch = ledger.epoch
    // Its replicas are told first to count what is in which slot.
    leader.give(order, mapped: epoch &- SlotsGiven.mostAhead)
    leader.giveSlots()
    #expect(simulation.run(for: 90_000) { ledger.isCounting })
    leader.give(order, mapped: epoch &- SlotsGiven.mostAhead)
    leader.leading.giving.isCounted = true
    for _ in 0..<1_000 { leader.giveSlots() }
    #expect(leader.leading.giving.proposedFrom == nil, "the map is behind")
    leader.give(order, mapped: epoch &- SlotsGiven.mostAhead &+ 1)
    for _ in 0..<1_000 { leader.giveSlots() }
    #expect(leader.leading.giving.proposedFrom == epoch, "the map has followed")
  }

  /// Whatever a leader has to do meanwhile, it counts by ticks alone, as its followers do: a first export that finds theirs unfinished
  /// would hold up all that those have to do.
  @Test func theFirstSlotsGoOnceTheFollowersHaveCountedTheirs() throws {
    let (simulation, leader, ledger, order) = try makeSource(seed: 1_502)
    leader.give(order, mapped: ledger.epoch)
    leader.giveSlots()
    #expect(simulation.run(for: 90_000) { ledger.isCounting })
    for _ in 0..<1_000 { leader.giveSlots() }
    #expect(leader.leading.giving.proposedFrom == nil, "it has not counted by ticks")
    #expect(simulation.run(for: 90_000) { leader.leading.giving.proposedFrom != nil })
  }
}
