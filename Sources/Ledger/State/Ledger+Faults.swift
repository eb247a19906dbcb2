import Base

/// What no entry can bring about, if the ledger is right. Where it comes about all the same, the state is not to be
/// trusted any more: the entry is ended, and whoever applies it stops there, as every replica does.
struct LedgerFaults: OptionSet, BitwiseCopyable {
  let rawValue: UInt8
  /// A figure did not fit its integer.
  static let arithmetic = LedgerFaults(rawValue: 1)
  /// Records do not hang together: points that lie in no lot, a transfer under way that nobody knows.
  static let records = LedgerFaults(rawValue: 2)
}

extension Core {
  /// Adds to a figure; what does not fit is a fault, and the figure wraps.
  @inline(__always) mutating func add<Figure: FixedWidthInteger>(_ change: Figure, to figure: inout Figure) {
    let (sum, isOver) = figure.addingReportingOverflow(change)
    figure = sum
    if isOver { faults.insert(.arithmetic) }
  }
  @inline(__always) mutating func add<Figure: Amount>(_ change: Figure, to figure: inout Figure) {
    add(change.rawValue, to: &figure.rawValue)
  }
}

extension Ledger {
  /// Why the state is not to be trusted after the last entry; nil if it is. It stays so. The command that brought it
  /// about, and those behind it in its entry, have no outcome.
  public var fault: String? {
    if core.faults.isEmpty { return nil }
    return core.faults.contains(.arithmetic) ? "a figure does not fit 64 bits" : "records do not hang together"
  }
  @inline(__always) mutating func fail(_ fault: LedgerFaults) { core.faults.insert(fault) }
}
