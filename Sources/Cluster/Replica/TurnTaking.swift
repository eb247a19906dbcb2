import Base

/// How the replicas of a node take their turns: one after another, or, where several have much to do and the shell has
/// threads for it, side by side. They share nothing, and what came of a turn is looked at afterwards, in the order of the
/// shards: so it is the same either way.
struct TurnTaking {
  /// Those that took the last turn, by rising shard.
  private(set) var turned: [Replica] = []
  /// Those that have taken a turn since work was shared and had more to apply: they are for the next turn of the node.
  private var behind: [Replica] = []
  var isBehind: Bool { !behind.isEmpty }
  /// How often work was shared so far, and what one replica may apply until it is shared again.
  private var sharings = 0
  private var share = 0
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
    for replica in behind where replicas[replica.shard] === replica { replica.isDirty = true }
    behind.removeAll(keepingCapacity: true)
    var waiting = 0
    for replica in replicas.dirty where replica.hasBacklog { waiting += 1 }
    share = max(1, applyWork / max(1, waiting))
    sharings += 1
    for replica in replicas.dirty where replica.hasBacklog {
      let mayTakeTime = replica.isCatchingUp && replica.applying.mayTakeTime()
      replica.applying.allow(mayTakeTime ? min(share, TurnTaking.newcomersWork) : share, sharing: sharings)
    }
  }

  /// Each replica to which something has happened takes a turn.
  mutating func take(_ replicas: ReplicaTable, clock: Stamp, earliest: Stamp?) {
    turned.removeAll(keepingCapacity: true)
    var heavy = 0
    var isAnySuspect = false
    for replica in replicas.dirty {
      replica.isDirty = false
      replica.applying.allow(share, sharing: sharings)
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
      noteThoseBehind()
      return
    }
    nonisolated(unsafe) let turned = turned
    runner.run(turned.map(\.shard)) { turned[$0].turn(clock: clock, earliest: earliest) }
    noteThoseBehind()
  }
  private mutating func noteThoseBehind() {
    for replica in self.turned where replica.hasBacklog { behind.append(replica) }
  }
}
