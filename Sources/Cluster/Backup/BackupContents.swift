import Base
import Ledger
import Raft

/// A part's state, restored from a backup.
package struct BackupContents: ~Copyable {
  package enum State: ~Copyable {
    case directory(DirectoryMachineBox)
    case shard(Ledger)
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
      state = .shard(try Ledger.restored(from: source, limits: limits))
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
    case .shard(let ledger):
      do throws(BrokenInvariant) {
        try ledger.checkInvariants()
        try ledger.checkBalances()
      } catch { hold(false, error.description) }
      hold(ledger.shard == part.shard, "its state is that of shard \(ledger.shard.rawValue)")
      hold(part.stamp == cut && ledger.lastStamp == cut, "its state is not that at the cut")
      hold(ledger.ranges == part.slots && ledger.epoch == part.epoch, "it owns other slots than the manifest says")
      hold(BackupFigures(of: ledger) == part.figures, "digest or figures are not the manifest's")
      hold(
        JournalChain(position: ledger.journalEnd, hash: ledger.journalChain) == part.journal,
        "its journal ends elsewhere than the manifest says")
      hold(ledger.lineage == part.lineage, "it refers to other journals than the manifest says")
    }
    return findings
  }
}
