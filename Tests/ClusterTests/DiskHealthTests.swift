import Base
import Storage
import Testing

@testable import Cluster

/// How well a disk is, from what is measured of it.
@Suite struct DiskHealthTests {
  private static let slow: UInt64 = 500_000
  private var health = DiskHealth(reserve: DiskReserve(byteCount: 1_000), slowWrite: slow, now: 0)
  private var out = NodeOutput()

  private static func gauges(free: UInt64, shortages: UInt64 = 0) -> DiskGauges {
    DiskGauges(freeBytes: free, log: LogUsage(), shortageCount: shortages)
  }
  private static func error(_ kind: StorageError.Kind) -> StorageError {
    StorageError(kind, path: "/data/wal", operation: "write", reason: "none left")
  }
  private var lines: [String] { out.logLines.map(\.text) }

  // MARK: Room

  @Test mutating func aDiskIsFullBelowItsReserveAndHasRoomOnlyWithATenthMore() {
    #expect(!health.measured(Self.gauges(free: 1_000), now: 1, &out) && !health.isFull)
    #expect(health.measured(Self.gauges(free: 999), now: 2, &out))
    #expect(health.isFull && health.fullSince == 2 && out.isStatusDue)
    #expect(lines.count == 1 && lines[0].hasPrefix("alarm=NOSPACE"))
    #expect(!health.measured(Self.gauges(free: 1_099), now: 3, &out) && health.isFull)
    #expect(health.measured(Self.gauges(free: 1_100), now: 4, &out) && !health.isFull)
  }

  @Test mutating func aBatchWithoutRoomMakesADiskFullWhateverIsMeasured() {
    _ = health.measured(Self.gauges(free: 1 << 30), now: 1, &out)
    health.writeBegins(now: 2)
    #expect(health.refused(Self.error(.noSpace), now: 3, &out))
    #expect(health.refusesBatches && health.batchLacksRoom && health.isFull && !health.lacksDescriptors)
    #expect(health.wrote(now: 4, &out))
    #expect(!health.refusesBatches && !health.isFull)
  }

  // MARK: Descriptors

  @Test mutating func descriptorsThatAreWantingAreToldOnceAndForgottenAfterAWhile() {
    health.noteShortages(ofConnections: 3, now: 10, &out)
    health.noteShortages(ofConnections: 3, now: 20, &out)
    health.noteShortages(ofFiles: 1, now: 30, &out)
    #expect(health.lacksDescriptors && lines.count == 1 && lines[0].hasPrefix("alarm=NOFILES"))
    health.advance(now: 30 + DiskHealth.recovery - 1, &out)
    #expect(health.lacksDescriptors)
    health.advance(now: 30 + DiskHealth.recovery, &out)
    #expect(!health.lacksDescriptors)
  }

  @Test mutating func theyAreNotForgottenWhileABatchWaitsForOne() {
    #expect(!health.refused(Self.error(.noDescriptors), now: 10, &out))
    #expect(health.refusesBatches && !health.batchLacksRoom && !health.isFull && health.lacksDescriptors)
    health.advance(now: 10 + 2 * DiskHealth.recovery, &out)
    #expect(health.lacksDescriptors)
    _ = health.wrote(now: 11 + 2 * DiskHealth.recovery, &out)
    health.advance(now: 12 + 2 * DiskHealth.recovery, &out)
    #expect(!health.lacksDescriptors)
  }

  // MARK: Time

  @Test mutating func aWriteThatTookLongMakesADiskSlowUntilItHasBeenQuickForAWhile() {
    health.writeBegins(now: 0)
    _ = health.wrote(now: Self.slow, &out)
    #expect(health.isSlow && lines.count == 1 && lines[0].hasPrefix("alarm=SLOWDISK"))
    // Half as slow is no recovery.
    let later = Self.slow + DiskHealth.recovery - 1
    health.writeBegins(now: later - Self.slow / 2)
    _ = health.wrote(now: later, &out)
    health.advance(now: Self.slow + DiskHealth.recovery, &out)
    #expect(health.isSlow)
    health.advance(now: later + DiskHealth.recovery, &out)
    #expect(!health.isSlow)
  }

  @Test mutating func aWriteThatDoesNotEndIsSlowAndThenStuck() {
    health.writeBegins(now: 0)
    var now: UInt64 = 0
    while now < DiskHealth.stuckWrite {
      #expect(health.isSlow == (now >= Self.slow) && out.exit == nil)
      now += 100_000
      health.advance(now: now, &out)
    }
    #expect(out.exit?.code == 1)
  }

  @Test mutating func aProcessThatStoodStillDoesNotBlameItsDisk() {
    health.writeBegins(now: 0)
    health.advance(now: 60_000_000, &out)
    #expect(!health.isSlow && out.exit == nil)
  }
}
