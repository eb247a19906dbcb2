import Base
import Storage

/// A replica's state, frozen for a backup right after the entry at its stamp.
struct FrozenPart {
  var part: BackupPart
  /// To be written as the replica's next snapshot.
  var order: SnapshotOrder
}

extension Replica {
  /// An entry has been applied, and a backup's cut is due: freezes the state if that was its marker.
  func freeze(at cut: Stamp) {
    snapshots.cut = nil
    // The snapshot's configuration is that of its entry.
    raft.applied(through: machine.lastIndex)
    guard machine.lastStamp == cut, let ledger = machine as? LedgerMachine, let order = beginSnapshot(isWhole: true)
    else {
      outbox.frozen.append(nil)
      return
    }
    var part = BackupPart(
      shard: shard, slots: ledger.slots, epoch: ledger.epoch, index: order.index, term: order.term, stamp: cut,
      journal: ledger.journal)
    part.lineage = ledger.holdings.lineage
    part.figures = ledger.backupFigures
    part.catalogueVersion = ledger.catalogueVersion
    outbox.frozen.append(FrozenPart(part: part, order: order))
  }
  /// The directory's, as it is now. Nil: not now.
  func freezeDirectory() -> FrozenPart? {
    guard outbox.journal.isEmpty, let machine = machine as? DirectoryMachine, let order = beginSnapshot(isWhole: true)
    else { return nil }
    var part = BackupPart(
      shard: shard, slots: .none, epoch: 0, index: order.index, term: order.term, stamp: machine.lastStamp,
      journal: machine.journal)
    part.catalogueVersion = machine.catalogueVersion
    return FrozenPart(part: part, order: order)
  }
}
