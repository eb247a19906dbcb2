import Base
import Ledger

/// By which rules entries are proposed and applied: see `Semantics`.
extension Replica {
  /// What this leader proposes by.
  var semantics: UInt8 { max(machine.semantics, leading.semantics) }

  /// As leader: all nodes know these semantics, so entries go by them from now on. One follows at once.
  func raiseSemantics(to wanted: UInt8) {
    guard hasTakenOver, wanted > semantics, poison == nil else { return }
    var buffer = ByteBuffer(capacity: 64)
    machine.appendNothing(to: &buffer)
    guard addInternal(buffer.bytes) else { return }
    leading.semantics = wanted
    isDirty = true
  }

  /// Whether an entry's semantics are known here. If not, nothing from it on is applied: as with an entry that ends the
  /// process, this replica goes on with votes and acknowledgements, and leads nothing.
  func knowsSemantics(of entry: LogEntry) -> Bool {
    guard entry.kind == .command else { return true }
    let semantics = EntryHeader.semantics(of: entry.payload)
    guard semantics > limits.semantics else { return true }
    halt(at: entry.index, semantics)
    return false
  }
  /// The state may come from a snapshot that a newer build wrote.
  func haltIfSemanticsAreUnknown() {
    guard machine.semantics > limits.semantics else { return }
    halt(at: machine.lastIndex + 1, machine.semantics)
  }
  private func halt(at index: LogIndex, _ semantics: UInt8) {
    halt.stop(at: Poison(index: index, kind: "SEMANTICS"))
    setMayLead(false)
    outbox.alarms.append(
      "alarm=POISON shard=\(shard.rawValue) index=\(index.rawValue) kind=SEMANTICS entries from there on are of semantics"
        + " \(semantics), and this build knows up to \(limits.semantics): nothing from there on is applied here; start a newer build"
    )
  }
}
