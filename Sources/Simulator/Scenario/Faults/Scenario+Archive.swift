import Base
import Cluster
import Storage

/// The store to which old segments go loses its power now and then, in the midst of a change to it, and comes back with what was
/// durable there.
extension Scenario {
  func scheduleOutages() {
    guard plan.operations.archive.outageGap > 0 else { return }
    simulation.call(after: random.wait(plan.operations.archive.outageGap)) { [self] in
      guard isFaultPhase, failure == nil, let store = simulation.archive else { return }
      tell(-1, "*** the archive is about to lose its power")
      store.cutPower(afterSteps: Int(random.below(8)))
      simulation.call(after: 100_000 + random.below(3_000_000)) { [self] in
        endOutage()
        scheduleOutages()
      }
    }
  }
  func endOutage() {
    guard let store = simulation.archive, store.isPowerOut || store.isArmed else { return }
    if store.isPowerOut {
      tally.outages += 1
      tell(-1, "*** the archive is back")
    }
    store.crash(.some(seed: random.next()))
    reports.archiveExcusedUntil = simulation.now + 1_000_000
  }
  var isArchiveExcused: Bool {
    guard let store = simulation.archive else { return false }
    return store.isPowerOut || simulation.now < reports.archiveExcusedUntil
  }

  /// How many are in the store.
  static func segments(_ store: MemoryFileSystem) -> Int { store.paths.count { $0.hasSuffix(".jnl") } }
}
