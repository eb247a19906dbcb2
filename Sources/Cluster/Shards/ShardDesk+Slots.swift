import Base
import Ledger
import Raft
import Storage

/// Shards that begin and end because slots move, and the map that follows.
extension ShardDesk {
  /// With each tick: what has left goes; what waits for its moment is looked at; replicas from which slots are to go count what belongs
  /// to which, a little at a time.
  /// - Parameters:
  ///   - busy: a shard of which a file is being written.
  ///   - isCalm: nothing has happened to any replica since the last tick.
  func advance(but busy: ShardID?, isCalm: Bool) {
    absent.clearAway(but: busy, &turn.out)
    sweepJournals()
    guard !isCalm || isAnyCounting else { return }
    isAnyCounting = false
    for replica in replicas where !replica.leading.markers.isEmpty { replica.isDirty = true }
    for replica in replicas where replica.shard != .directory {
      guard let ledger = replica.machine as? LedgerMachine, ledger.isCounting else { continue }
      isAnyCounting = true
      let isWhole = ledger.advanceCensus(leading: replica.isLeader)
      guard replica.isLeader else { continue }
      if isWhole { replica.leading.giving.isCounted = true }
      replica.giveSlots()
      replica.sendParts()
    }
  }
  /// With each heartbeat: what the directory's log wants of slots.
  func driveSlots() {
    guard let directory else { return }
    let orders = directory.operations.orders
    for replica in replicas where replica.shard != .directory {
      let wanted = orders[replica.shard]?.give
      if replica.isLeader {
        replica.give(wanted, mapped: membership.topology?.placement(of: replica.shard)?.epoch ?? 0)
        replica.giveSlots()
      }
      guard wanted == nil, let ledger = replica.machine as? LedgerMachine, ledger.isCounting, !ledger.isMoving else {
        continue
      }
      ledger.dropCensus()
    }
    foundHeirs(orders)
    leaveEnded()
    leaveAbandoned()
  }

  /// A shard that slots are to go to begins here, if this node is one of its founders. Each writes the same beginning by itself, as at the
  /// cluster's; one that comes late is a follower that is behind.
  private func foundHeirs(_ orders: [ShardID: ShardOrder]) {
    guard let topology = membership.topology else { return }
    for placement in topology.shards where orders[placement.shard]?.isFounding == true {
      let shard = placement.shard
      guard placement.voters.contains(peers.id), replicas[shard] == nil, absent.admits(shard, born: 1) else { continue }
      found(Founding.heir(placement, of: topology))
      guard let found = absent.take(shard) else { continue }
      start(found, machine: newLedger(shard))
      log(.info, "shard \(shard.rawValue) begins here, without slots")
    }
  }

  /// A shard that gave all its slots away leaves: its leader once the others have heard that all of its log is committed.
  private func leaveEnded() {
    guard let ended = membership.topology?.ended, !ended.isEmpty else { return }
    for shard in ended {
      guard let replica = replicas[shard] else {
        startEnded(shard)
        continue
      }
      let since = endedSince[shard] ?? now.monotonic
      endedSince[shard] = since
      if !replica.isLeader, replica.commitIndex < replica.raft.lastIndex {
        // The directory ended it when every member had all of its log; whoever led it may have left.
        replica.raft.commitAll()
        replica.isDirty = true
      }
      let isDue = !replica.isLeader || now.monotonic - since >= ShardDesk.endPatience
      let holdings = replica.machine.holdings
      // What the rest of its log decides belongs to its journal, which other shards' records refer to.
      let hasApplied = replica.machine.lastIndex >= replica.raft.lastIndex
      guard isDue, hasApplied, holdings.slots.isEmpty, holdings.moving == nil, !holdings.hasBooks,
        !replica.applying.isMidEntry
      else {
        continue
      }
      endedSince[shard] = nil
      retire(replica)
    }
  }
  private static let endPatience: UInt64 = 2_000_000

  /// What a start has found of a shard that has ended meanwhile: it is applied, for the journal's sake, and then it leaves.
  private func startEnded(_ shard: ShardID) {
    guard let found = absent.take(shard) else { return }
    start(found, machine: found.machine?.machine ?? newLedger(shard))
  }

  /// A shard that was to begin and does not leaves at once, as its leader or not, and without being started: nothing in its log counts.
  private func leaveAbandoned() {
    for shard in membership.topology?.abandoned ?? [] {
      if let replica = replicas[shard] {
        guard !replica.applying.isMidEntry else { continue }
        retire(replica)
      } else if let found = absent.take(shard) {
        dismiss(found)
      }
    }
  }

  /// As the directory's leader: the map is what the shards' leaders tell, where it is newer.
  func followSlots(_ directory: Replica) {
    guard directory.hasTakenOver, let topology = membership.topology, topology.restored == nil,
      topology.semantics >= Semantics.splits
    else { return }
    let claims = topology.newerClaims(peers.groups)
    guard !claims.isEmpty, directory.leading.claimedFrom != topology.version else { return }
    var buffer = ByteBuffer(capacity: 256)
    DirectoryMachine.append(.slots, to: &buffer) { body in for claim in claims { claim.encode(into: &body) } }
    guard directory.addInternal(buffer.bytes) else { return }
    directory.leading.claimedFrom = topology.version
    directory.isDirty = true
  }
}
