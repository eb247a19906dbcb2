import Base
import Ledger
import Raft
import Storage

/// Replicas begin at a founding, or for a message that names their birth; and leave for ever.
extension ShardDesk {
  /// Begins the cluster here: founds the groups that this node is a founder of, the directory last, whose log vouches for
  /// the others'.
  func begin(_ topology: Topology) {
    for placement in topology.shards where placement.voters.contains(peers.id) {
      found(Founding.shard(placement, of: topology))
    }
    let directory = Founding.directory(of: topology)
    found(directory)
    absent.take(.directory).map(install(directory:))
  }

  /// Writes a group's beginning. A node that lost what it knew of the group may have voted since, and may have been told
  /// more than its beginning; of what it still has nothing is touched.
  func found(_ founding: Founding) {
    let left = absent.take(founding.shard)
    if let left, founding.isKept(by: left) { return absent.keep(left) }
    // A founder may have left since.
    guard absent.admits(founding.shard, born: 1) else { return }
    var state = left?.hardState ?? unknownState(born: 1)
    state.term = max(state.term, Founding.term)
    state.commit = max(state.commit, founding.lastIndex)
    state.born = max(state.born, 1)
    disk.writer.add(LogRecord(shard: founding.shard, body: .state(state.encoded)))
    for entry in founding.entries { disk.writer.add(LogRecord(shard: founding.shard, body: .entry(entry))) }
    absent.keep(
      RecoveredReplica(
        shard: founding.shard, hardState: state, snapshotIndex: LogIndex(0), snapshotTerm: Term(0), configuration: nil,
        entries: founding.entries, machine: nil))
  }

  /// Of a replica of which nothing was found on disk: nothing was there, or all of it is lost, votes and all.
  func unknownState(born: UInt64) -> HardState {
    let state = HardState(born: born)
    return membership.me.fence == 0 ? state : state.damaged(life: membership.me.fence, isVoteLost: true)
  }

  /// Whom a message is for: the replica that is here, or a newcomer.
  @inline(__always)
  func replica(_ shard: ShardID, for message: Message, _ mayJoin: @autoclosure () -> Bool) -> Replica? {
    replicas[shard] ?? startNewcomer(shard, for: message, mayJoin: mayJoin())
  }
  /// Starts an empty replica of a shard for a message that is meant for it. It votes, and keeps its votes, as any other.
  /// - Parameter mayJoin: this node has no cluster, and may join the one whose directory speaks to it.
  func startNewcomer(_ shard: ShardID, for message: Message, mayJoin: Bool = false) -> Replica? {
    guard message.to.node == peers.id, absent.admits(shard, born: message.to.born) else { return nil }
    let isKnown = membership.topology?.placement(of: shard) != nil
    guard shard == .directory ? mayJoin : isKnown else { return nil }
    let empty = RecoveredReplica(
      shard: shard, hardState: unknownState(born: message.to.born), snapshotIndex: LogIndex(0), snapshotTerm: Term(0),
      configuration: nil, entries: [], machine: nil)
    if shard == .directory { install(directory: empty) } else { start(empty, machine: newLedger(shard)) }
    return replicas[shard]
  }

  /// The group has removed a replica, and may have added this node again: the replica leaves for ever. The next message that is
  /// meant for a successor begins that one, once nothing of this one is left.
  func retire(_ replica: Replica) {
    let shard = replica.shard
    let born = replica.raft.id.born
    toldRemoved[shard] = nil
    replicas.remove(shard)
    replicas.rottenJournals.remove(shard)
    // Its successor meets the same entries: one of which processes died here is not tried anew because the replica was away.
    deaths[shard] = note.death(of: shard)
    if mayBeReferredTo(replica) {
      for (position, bytes) in replica.outbox.journal { disk.journal.keep(shard, position, bytes, &turn.out) }
      disk.journal.write(shard, &turn.out)
      absent.leave(shard, born: born)
    } else {
      disk.journal.forget(shard)
      bury(shard, born: born)
    }
    log(.info, "replica removed shard=\(shard.rawValue) born=\(born)")
  }
  /// What was found on disk of a replica leaves without having been started. No record refers to its journal.
  func dismiss(_ found: RecoveredReplica) {
    replicas.waiting.remove(found.shard)
    disk.journal.forget(found.shard)
    bury(found.shard, born: max(1, found.hardState.born))
    log(.info, "replica removed shard=\(found.shard.rawValue) born=\(found.hardState.born)")
  }
  /// What a replica that has left decided is durable: its log may go.
  func journalClosed(_ shard: ShardID, failure: String?) {
    if let failure { log(.error, "what shard \(shard.rawValue) decided here cannot be made durable: \(failure)") }
    if let born = absent.closed(shard, isDone: failure == nil) { bury(shard, born: born) }
  }
  private func bury(_ shard: ShardID, born: UInt64) {
    disk.writer.add(LogRecord(shard: shard, body: .gone(born: born)))
    absent.bury(shard, born: born, batch: disk.writer.lastNumber)
  }
  func clearedAway(_ shard: ShardID, failure: String?) {
    absent.cleared(shard, isDone: failure == nil)
    if let failure { log(.error, "what is left of shard \(shard.rawValue) here cannot be removed: \(failure)") }
  }
}
