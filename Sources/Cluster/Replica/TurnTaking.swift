import Base

/// How the replicas of a node take their turns: one after another, or, where several have much to do and the shell has
/// threads for it, side by side. They share nothing, and what came of a turn is looked at afterwards, in the order of the
/// shards: so it is the same either way.
struct TurnTaking {
  /// Those that took the last turn, by rising shard.
  private(set) var turned: [Replica] = []
  /// One that has taken its turn since work was shared had more to apply: it is for the next turn of the node.
  private(set) var isBehind = false
  /// What is left to apply of this turn's work, where replicas take their turns one after another.
  private var workLeft = 0
  /// Nil: turns are taken one after another.
  private let runner: (any TurnRunner)?
  /// What one turn may apply, of all replicas together, in units of a purchase.
  private let applyWork: Int
  /// What one turn may apply of a replica that does not vote, unless that takes too many turns: nobody waits for it, and terminals of this
  /// node do for the turn's end. What is new here is met cold, at several times the usual cost.
  static let newcomersWork = 128
  /// With so much to propose or apply a replica's turn is worth a thread.
  private let parallelBytes: Int

  init(runner: (any TurnRunner)?, _ configuration: NodeConfiguration) {
    self.init(runner: runner, applyWork: configuration.applyWork, parallelBytes: configuration.parallelBytes)
  }
  init(runner: (any TurnRunner)?, applyWork: Int, parallelBytes: Int) {
    self.runner = runner
    self.applyWork = applyWork
    self.parallelBytes = parallelBytes
  }

  /// What one turn may apply is shared by the replicas that have more to apply than that; each gets on. Others get what
  /// these leave, or wait for the next turn, in which they have their share.
  mutating func shareWork(among replicas: ReplicaTable) {
    workLeft = applyWork
    isBehind = false
    var waiting = 0
    for replica in replicas where replica.hasBacklog { waiting += 1 }
    let share = max(1, applyWork / max(1, waiting))
    for replica in replicas {
      replica.applying.allowance = share
      guard replica.hasBacklog else { continue }
      replica.isDirty = true
      if replica.isCatchingUp, replica.applying.mayTakeTime() {
        replica.applying.allowance = min(share, TurnTaking.newcomersWork)
      }
    }
  }

  /// Each replica to which something has happened takes a turn.
  mutating func take(_ replicas: ReplicaTable, clock: Stamp, earliest: Stamp?) {
    turned.removeAll(keepingCapacity: true)
    var heavy = 0
    var isAnySuspect = false
    for replica in replicas {
      guard replica.isDirty else { continue }
      replica.isDirty = false
      turned.append(replica)
      // Side by side with others nobody could tell at whose entry the process dies.
      if replica.halt.suspect != nil { isAnySuspect = true }
      if runner != nil && replica.work >= parallelBytes { heavy += 1 }
    }
    guard let runner, heavy > 1, !isAnySuspect else {
      for replica in turned {
        replica.applying.allowance = min(replica.applying.allowance, workLeft)
        let before = replica.applying.allowance
        replica.turn(clock: clock, earliest: earliest)
        workLeft -= before - replica.applying.allowance
      }
      isBehind = isBehind || turned.contains(where: \.hasBacklog)
      return
    }
    nonisolated(unsafe) let turned = turned
    runner.run(turned.map(\.shard)) { turned[$0].turn(clock: clock, earliest: earliest) }
    isBehind = isBehind || turned.contains(where: \.hasBacklog)
  }
}
