import Base
import Ledger

/// Requests whose answer needs another shard's word, by the transaction that they wait for.
///
/// Repeats of one come from edges that send everything again, which is the same request, and from terminals that lost
/// patience, whose earlier one is given up at its edge: so a few are all that can be waited for.
struct Waiters {
  static let perTransaction = 16
  private(set) var origins: [TransactionID: [Origin]] = [:]

  @inline(__always) var isEmpty: Bool { origins.isEmpty }

  /// Returns the one that has to give way to it, if there are too many.
  mutating func add(_ origin: Origin, for transaction: TransactionID) -> Origin? {
    var waiting = origins[transaction] ?? []
    guard !waiting.contains(where: { $0.edge == origin.edge && $0.sequence == origin.sequence }) else { return nil }
    let oldest = waiting.count >= Waiters.perTransaction ? waiting.removeFirst() : nil
    waiting.append(origin)
    origins[transaction] = waiting
    return oldest
  }
  /// All that wait for a transaction, which is completed.
  mutating func take(_ transaction: TransactionID) -> [Origin] {
    isEmpty ? [] : origins.removeValue(forKey: transaction) ?? []
  }
  /// Nobody hears an answer there: what still counts the edge asks again.
  mutating func forget(edge: UInt32) {
    origins = origins.compactMapValues { waiting in
      let others = waiting.filter { $0.edge != edge }
      return others.isEmpty ? nil : others
    }
  }
}
