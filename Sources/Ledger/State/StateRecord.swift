import Base

/// A kind of record that a ledger's state is made of. A new one is its file, and its two lines in `Tables`: so it is in
/// snapshots, in the digest, in the invariants, and known by slot.
protocol StateRecord: TableRecord, SendableMetatype {
  /// What becomes of such records when slots go to another shard. Without a standard: the compiler asks each kind.
  static var belonging: Belonging { get }
  /// Calls `body` with each that is in use. Nothing for what hangs on another record, and goes with that.
  static func forEach(in ledger: borrowing Ledger, _ body: (UnsafePointer<Self>) -> Void)
  /// The slot that it belongs to, with all that hangs on it; nil: it is each shard's own.
  static func slot(of record: UnsafePointer<Self>, in ledger: borrowing Ledger) -> Slot?
  /// Adds what the digest knows of one, with all that hangs on it.
  static func addDigest(of record: UnsafePointer<Self>, in ledger: borrowing Ledger, to sum: inout DigestSum)
  /// The same of all in some slots.
  static func addDigest(in ledger: borrowing Ledger, of slots: (Slot?) -> Bool, to sum: inout DigestSum)
  /// Throws the first thing that is broken among them. O(state): for tests.
  static func check(_ ledger: borrowing Ledger) throws(BrokenInvariant)
}

/// What becomes of a kind of record when slots go to another shard.
enum Belonging {
  /// Those of the slots go: see `SlotRecord`.
  case slot
  /// It hangs on records of another kind, and goes with them, or is made of them.
  case owner
  /// It stays: it is the shard's own.
  case shard
}

extension StateRecord {
  static func forEach(in ledger: borrowing Ledger, _ body: (UnsafePointer<Self>) -> Void) {}
  static func slot(of record: UnsafePointer<Self>, in ledger: borrowing Ledger) -> Slot? { nil }
  static func addDigest(of record: UnsafePointer<Self>, in ledger: borrowing Ledger, to sum: inout DigestSum) {}
  static func addDigest(in ledger: borrowing Ledger, of slots: (Slot?) -> Bool, to sum: inout DigestSum) {
    forEach(in: ledger) { if slots(slot(of: $0, in: ledger)) { addDigest(of: $0, in: ledger, to: &sum) } }
  }
  static func check(_ ledger: borrowing Ledger) throws(BrokenInvariant) {}
}

/// Finds out which kinds of record there are.
private struct KindsVisitor: TableVisitor {
  var kinds: [any StateRecord.Type] = []
  mutating func visit<T: StateTable & ~Copyable>(_ table: inout T, _ tag: TableTag) {
    if let kind = T.record as? any StateRecord.Type { kinds.append(kind) }
  }
}

extension Ledger {
  /// Every kind of record, in the order of the tables.
  static let recordKinds: [any StateRecord.Type] = {
    var visitor = KindsVisitor()
    var ledger = Ledger(shard: .directory)
    ledger.visitTables(&visitor)
    return visitor.kinds
  }()

  /// The digest from the records themselves. O(state): for tests and checks.
  public func recomputeDigest() -> (UInt64, UInt64) {
    let sum = digest { _ in true }
    return (sum.a, sum.b)
  }
  /// The part of the digest that some slots make, and what belongs to none: parts add up.
  func digest(of slots: (Slot?) -> Bool) -> DigestSum {
    var sum = DigestSum()
    for kind in Ledger.recordKinds { kind.addDigest(in: self, of: slots, to: &sum) }
    return sum
  }
}
