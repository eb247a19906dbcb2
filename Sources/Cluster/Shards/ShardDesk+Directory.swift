import Base
import Ledger

/// What leaders of this node log because the directory, or time, wants it.
extension ShardDesk {
  /// Ticks for what is due, catalogue changes for the shards that lack them, and deliveries that had no answer.
  /// - Parameter copies: snapshots on their way to followers.
  func proposeDue(_ leaders: some KnowsLeaders, _ copies: SnapshotSender? = nil) {
    raiseSemantics()
    driveGroups(leaders, copies)
    driveSlots()
    // What acknowledging a delivery takes when all is well: there and back, and an entry at either side; and one trip more.
    let patience = max(configuration.deliveryInterval, 4 * peers.longestTrip(now: now))
    for replica in replicas where replica.isLeader {
      if replica.shard == .directory {
        dropSpreadDeltas(replica, leaders)
        endZoneChanges(replica)
        followMembers(replica)
        driveOperations(replica, leaders)
        heal(replica)
        followSlots(replica)
        continue
      }
      // The restored state is to be found as it was.
      replica.reads.mayPassDeadlines = membership.topology?.restored == nil
      guard membership.topology?.restored == nil else { continue }
      replica.proposeDue(clock: now.wall)
      if let directory { replica.proposeCatalogue(from: directory) }
      replica.resendDeliveries(
        now: now.monotonic, interval: configuration.deliveryInterval, patience: patience)
      replica.expireDeferred(now: now.monotonic, patience: configuration.requestTimeout / 4 * 3)
    }
  }

  // MARK: The catalogue

  /// The directory has applied something: if the catalogue has moved on, what shards lack is logged there.
  func catalogueMoved() {
    guard let version = directory?.catalogueVersion, version != spreadVersion else { return }
    spreadVersion = version
    spreadCatalogue()
  }
  /// What shards lack of the catalogue is logged where they are led. One that has a new leader gets it with a heartbeat.
  func spreadCatalogue() {
    guard let directory, directory.topology?.restored == nil else { return }
    for replica in replicas {
      guard replica.shard != .directory else { continue }
      replica.proposeCatalogue(from: directory)
    }
  }

  /// As the directory's leader: what all shards have applied of the catalogue need not be kept for them. Their leaders
  /// tell; what none has told of yet counts as nothing applied.
  private func dropSpreadDeltas(_ replica: Replica, _ leaders: some KnowsLeaders) {
    guard let directory, let topology = membership.topology, replica.hasTakenOver else { return }
    let known = topology.shards.map { leaders.leader(of: $0.shard).catalogueVersion }
    guard let spread = known.min() else { return }
    let dropped = max(directory.droppedVersion, replica.leading.catalogueVersion)
    guard spread > dropped, Int(spread - dropped) >= configuration.deltasKept else { return }
    var buffer = ByteBuffer(capacity: 16)
    DirectoryMachine.append(.spread, to: &buffer) { $0.append(spread) }
    guard replica.addInternal(buffer.bytes) else { return }
    replica.leading.catalogueVersion = spread
    replica.isDirty = true
  }

  // MARK: Semantics

  // When newer semantics begin (see `Semantics`): every node says in its greeting which it knows. An operator ends the upgrade
  // (`UpgradeFinish`), and the directory remembers up to which they may begin. Once all nodes of the cluster are in reach and know
  // them, the directory's leader logs that; whoever leads a shard follows.
  /// With each look at what is due.
  private func raiseSemantics() {
    guard let directory, directory.topology?.restored == nil else { return }
    for replica in replicas {
      guard replica.hasTakenOver else { continue }
      if replica.shard != .directory {
        replica.raiseSemantics(to: directory.semantics)
      } else if let common = commonSemantics, common > replica.semantics {
        log(.info, "semantics \(common) begin")
        replica.raiseSemantics(to: common)
      }
    }
  }

  /// The newest that may begin and that all nodes know; nil while one of them is not in reach.
  private var commonSemantics: UInt8? {
    guard let topology = membership.topology else { return nil }
    let known = knownSemantics
    var common = topology.semantics
    for record in topology.nodes where record.state != .removed {
      guard let newest = known[record.id] else { return nil }
      common = min(common, newest)
    }
    return common
  }
  /// By node in reach, this one too: the newest that it knows.
  var knownSemantics: [NodeID: UInt8] {
    var known = [peers.id: configuration.semantics]
    for peer in peers where peer.id != peers.id && peer.isConnected { known[peer.id] = peer.hello.semantics }
    return known
  }
}
