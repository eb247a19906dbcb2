import Base
import Ledger
import Raft

/// A part's state, restored from a backup.
package struct BackupContents: ~Copyable {
  package enum State {
    case directory(DirectoryMachineBox)
    case shard(LedgerBox)
  }
  /// A shard's state.
  package final class LedgerBox {
    var ledger: Ledger
    init(_ ledger: consuming Ledger) { self.ledger = ledger }
  }
  /// A directory's state.
  package final class DirectoryMachineBox {
    let machine: DirectoryMachine
    init(_ machine: DirectoryMachine) { self.machine = machine }
  }
  let state: State

  package init(_ shard: ShardID, from source: some SnapshotSource, limits: LedgerLimits) throws {
    if shard == .directory {
      var source = source
      state = .directory(
        DirectoryMachineBox(try DirectoryMachine(restoring: &source, limits: DirectoryLimits(limits))))
    } else {
      state = .shard(LedgerBox(try Ledger.restored(from: source, limits: limits)))
    }
  }

  /// Erases members of a shard. Throws if its books do not hold behind that. What the shard comes to now.
  package func erase(_ list: ErasedMembers) throws(BrokenInvariant) -> BackupFigures {
    switch state {
    case .shard(let box):
      try box.ledger.erase(list)
      try box.ledger.checkInvariants()
      return BackupFigures(of: box.ledger)
    case .directory: return BackupFigures()
    }
  }
  /// Gives the body of a shard's snapshot anew.
  package func writeShard(to sink: (UnsafeRawBufferPointer) throws -> Void) throws {
    guard case .shard(let box) = state else { throw MalformedBytes("this is no shard") }
    let snapshot = box.ledger.beginSnapshot()
    defer { box.ledger.endSnapshot(snapshot) }
    try snapshot.write(to: sink)
  }
  /// Members of a shard that were erased.
  package var erasedMembers: ErasedMembers {
    switch state {
    case .shard(let box): box.ledger.erasedMembers()
    case .directory: ErasedMembers()
    }
  }

  /// What is not as the manifest says, or must not be at all, a line each.
  package func findings(against part: BackupPart, cut: Stamp) -> [String] {
    let name = part.shard == .directory ? "the directory" : "shard \(part.shard.rawValue)"
    var findings: [String] = []
    func hold(_ condition: Bool, _ what: @autoclosure () -> String) {
      if !condition { findings.append("\(name): \(what())") }
    }
    switch state {
    case .directory(let box):
      hold(box.machine.topology != nil, "it knows no cluster")
      hold(box.machine.journal == part.journal, "its journal ends elsewhere than the manifest says")
      hold(box.machine.catalogueVersion == part.catalogueVersion, "its catalogue is of another version")
    case .shard(let box):
      do throws(BrokenInvariant) {
        try box.ledger.checkInvariants()
        try box.ledger.checkBalances()
      } catch { hold(false, error.description) }
      hold(box.ledger.shard == part.shard, "its state is that of shard \(box.ledger.shard.rawValue)")
      hold(part.stamp == cut && box.ledger.lastStamp == cut, "its state is not that at the cut")
      hold(
        box.ledger.ranges == part.slots && box.ledger.epoch == part.epoch, "it owns other slots than the manifest says")
      hold(BackupFigures(of: box.ledger) == part.figures, "digest or figures are not the manifest's")
      hold(
        JournalChain(position: box.ledger.journalEnd, hash: box.ledger.journalChain) == part.journal,
        "its journal ends elsewhere than the manifest says")
      hold(box.ledger.lineage == part.lineage, "it refers to other journals than the manifest says")
    }
    return findings
  }
}
