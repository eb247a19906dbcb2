import Base
import Storage
import Testing

@testable import Cluster
@testable import Simulator

/// Disks that take long.
@Suite struct SlowDiskTests {
  private func makeCluster(seed: UInt64) throws -> DiskCluster { try DiskCluster(seed: seed) }

  @Test func aNodeWhoseDiskIsSlowHandsOverAlsoWhenNothingFlows() throws {
    let cluster = try makeCluster(seed: 71)
    let simulation = cluster.simulation
    simulation.run(for: 3_000_000)
    simulation.hosts[1].diskPace.logDelay = 3_000_000
    // A second until the probe, half an election timeout until it is late, and the transfer.
    #expect(simulation.run(for: 2_000_000) { cluster.led(by: 1) == 0 }, "\(simulation.report)")
    #expect(cluster.logged("alarm=SLOWDISK", by: 1) == 1)
    for host in 0..<3 {
      let began = simulation.now
      let answers = try cluster.earnAll("slow\(host)", on: host)
      #expect(answers.allSatisfy { $0.hasPrefix("+") } && simulation.now - began < 500_000, "\(answers)")
      #expect(cluster.status(host).contains("healthy=no") && cluster.status(host).contains("alarms=SLOWDISK"))
    }
    simulation.run(for: 20_000_000)
    #expect(cluster.led(by: 1) == 0)
    simulation.hosts[1].diskPace.logDelay = 0
    // It has to be quick for a while.
    simulation.run(for: 4_000_000)
    #expect(cluster.led(by: 1) == 0)
    #expect(simulation.run(for: 10_000_000) { cluster.led(by: 1) > 0 }, "\(simulation.report)")
    #expect(cluster.status(0).contains("healthy=yes") && cluster.logged("alarm=SLOWDISK", by: 1) == 1)
    try cluster.checkBooks()
  }

  /// For want of memory is refused the same, whoever leads; a slow disk is felt of its leader alone.
  @Test func whoIsShortOfMemoryTakesOverFromASlowDisk() throws {
    let cluster = try makeCluster(seed: 77)
    let simulation = cluster.simulation
    let earned = try cluster.earnAll("before", on: 0)
    for host in simulation.hosts { host.setMemoryLimit(asUsed: 104) }
    simulation.run(for: 2_000_000)
    let slow = try #require((0..<3).first { cluster.led(by: $0) > 0 })
    cluster.host(slow).diskPace.logDelay = 3_000_000
    #expect(simulation.run(for: 3_000_000) { cluster.led(by: slow) == 0 }, "\(simulation.report)")
    #expect(try cluster.earnAll("before", on: slow) == earned)
    // Among those that are no better off nothing is handed on.
    let leading = (0..<3).map { cluster.led(by: $0) }
    simulation.run(for: 5_000_000) { (0..<3).map { cluster.led(by: $0) } != leading }
    #expect((0..<3).map { cluster.led(by: $0) } == leading)
  }

  @Test func aNodeWhoseDiskIsSlowDoesNotCampaign() throws {
    let cluster = try makeCluster(seed: 72)
    let simulation = cluster.simulation
    simulation.hosts[1].diskPace.logDelay = 3_000_000
    simulation.run(for: 3_000_000)
    for other in [0, 2] { simulation.kill(other) }
    simulation.run(for: 5_000_000)
    let replicas = try cluster.node(1).replicas.map { $0 }
    #expect(replicas.allSatisfy { $0.raft.role == .follower })
    simulation.hosts[1].diskPace.logDelay = 0
    simulation.start(0)
    #expect(simulation.run(for: 20_000_000) { cluster.led(by: 0) + cluster.led(by: 1) == 3 }, "\(simulation.report)")
  }

  /// With nobody to hand over to, who leads goes on.
  @Test func ifAllDisksAreSlowLeadersGoOn() throws {
    let cluster = try makeCluster(seed: 73)
    for host in 0..<3 { cluster.simulation.hosts[host].diskPace.logDelay = 700_000 }
    cluster.simulation.run(for: 5_000_000)
    let answers = try cluster.earnAll("all", on: 0)
    #expect(answers.allSatisfy { $0.hasPrefix("+") }, "\(answers)")
    #expect((0..<3).allSatisfy { cluster.led(by: $0) == 1 })
  }

  @Test func aWriteThatDoesNotEndEndsTheProcess() throws {
    let cluster = try makeCluster(seed: 74)
    let host = cluster.simulation.hosts[1]
    host.diskPace.logDelay = 60_000_000
    cluster.simulation.run(for: 19_000_000)
    #expect(host.node != nil)
    cluster.simulation.run(for: 3_000_000)
    #expect(host.node == nil && host.exit == 1)
    host.diskPace.logDelay = 0
    cluster.simulation.start(1)
    #expect(cluster.simulation.run(for: 20_000_000) { cluster.led(by: 1) > 0 }, "\(cluster.simulation.report)")
  }

  /// A process that was itself stopped in the middle of a write is not taken for one whose disk does not answer.
  @Test func timeInWhichTheProcessWasStoppedDoesNotCount() throws {
    let cluster = try makeCluster(seed: 75)
    let host = cluster.simulation.hosts[1]
    #expect(cluster.simulation.run(for: 5_000_000) { host.node?.health.disk.writer.isBusy == false })
    host.diskPace.logDelay = 65_000_000
    #expect(cluster.simulation.run(for: 5_000_000) { host.node?.health.disk.writer.isBusy == true })
    cluster.simulation.freeze(1)
    cluster.simulation.run(for: 60_000_000)
    cluster.simulation.thaw(1)
    host.diskPace.logDelay = 0
    cluster.simulation.run(for: 3_000_000)
    #expect(host.node?.health.disk.writer.isBusy == true && host.exit == nil, "the write is still under way")
    cluster.simulation.run(for: 10_000_000)
    #expect(host.node != nil && host.exit == nil)
  }

  @Test func anIdleNodeProbesItsDiskOnceASecondAndABusyOneDoesNot() throws {
    let cluster = try makeCluster(seed: 76)
    let simulation = cluster.simulation
    simulation.run(for: 3_000_000)
    func probes() throws -> [UInt64] { try (0..<3).map { try cluster.node($0).health.disk.writer.probeCount } }
    func batches() throws -> [UInt64] { try (0..<3).map { try cluster.node($0).health.disk.writer.nextNumber } }
    let (idle, batchesBefore) = (try probes(), try batches())
    simulation.run(for: 10_000_000)
    for (before, after) in zip(idle, try probes()) { #expect((9...10).contains(after - before)) }
    for (before, after) in zip(batchesBefore, try batches()) { #expect(after - before <= 11) }
    var busy: [UInt64] = []
    for round in 0..<10 {
      if round == 1 { busy = try probes() }
      simulation.run(for: 500_000)
      #expect(try cluster.earnAll("busy\(round)", on: 0).allSatisfy { $0.hasPrefix("+") })
    }
    #expect(try probes() == busy)
  }
}
