import Base
import Vocabulary

/// The slots for which a request waits (`Outcome.deferred`). What comes for such a slot behind it is deferred, too: it was proposed before the
/// shard's leader knew. Once that knows, it logs so (`Command.appendResume`), and holds back by itself what comes from then on. So requests
/// to one member take effect in the order in which they were proposed. Sorted by slot.
struct PausedSlots: EncodedTable, Sendable {
  struct Row: BitwiseCopyable, Hashable {
    var slot: UInt16
    /// The entry in which a request last began to wait.
    var since: Stamp
  }
  private(set) var rows: [Row] = []
  static var tag: TableTag { TableTag(170, "slots that are paused", since: Semantics.programme) }

  init() {}
  @inline(__always) var isEmpty: Bool { rows.isEmpty }
  /// O(log rows).
  func contains(_ slot: Slot) -> Bool {
    let place = place(of: slot)
    return place < rows.count && rows[place].slot == slot.rawValue
  }
  private func place(of slot: Slot) -> Int {
    var (low, high) = (0, rows.count)
    while low < high {
      let middle = (low + high) / 2
      if rows[middle].slot < slot.rawValue { low = middle + 1 } else { high = middle }
    }
    return low
  }
  /// O(rows) for a slot that is not paused.
  mutating func pause(_ slot: Slot, at stamp: Stamp) {
    let place = place(of: slot)
    if place < rows.count, rows[place].slot == slot.rawValue {
      rows[place].since = stamp
    } else {
      rows.insert(Row(slot: slot.rawValue, since: stamp), at: place)
    }
  }
  /// Those that were paused up to a stamp are so no longer.
  mutating func resume(through stamp: Stamp) { rows.removeAll { $0.since <= stamp } }

  func encode(into buffer: inout ByteBuffer) {
    for row in rows {
      buffer.append(row.slot)
      buffer.append(row.since.microseconds)
    }
  }
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    while !reader.isAtEnd {
      let row = Row(slot: try reader.read(), since: Stamp(microseconds: try reader.read()))
      guard row.slot < UInt16(Slot.count), rows.last.map({ $0.slot < row.slot }) ?? true else {
        throw MalformedBytes("slots out of order")
      }
      rows.append(row)
    }
  }
}

extension Ledger {
  /// A terminal's request to a slot that is paused.
  func isPaused(_ rule: UnsafePointer<VerbRule>, _ slot: Slot) -> Bool {
    rule.pointee.route.keepsOrder && paused.contains(slot)
  }
  public func isPaused(_ slot: Slot) -> Bool { paused.contains(slot) }
  public var pausedSlots: [Slot] { paused.rows.map { Slot($0.slot) } }
}

extension VerbSpec.Route {
  /// What goes to a shard for a member, a card or a transaction, for somebody who may ask the next thing behind it.
  var keepsOrder: Bool {
    switch self {
    case .member, .transaction, .card, .cardIfGiven: true
    case .directory, .node, .connection, .inner: false
    }
  }
}

extension Command {
  /// The slot in which a framed command or query is to keep its place behind others; nil: it may overtake them.
  public static func orderedSlot(of command: Bytes) -> Slot? {
    guard let rule = CommandHeader.rule(of: command), rule.pointee.route.keepsOrder else { return nil }
    return (try? CommandHeader(of: command))?.slot
  }
  /// A leader knows of all that began to wait up to a stamp.
  public static func appendResume(to buffer: inout ByteBuffer, slot: Slot, through stamp: Stamp) {
    let start = begin(&buffer, .resume, slot)
    buffer.append(stamp.microseconds)
    end(&buffer, start)
  }
}
