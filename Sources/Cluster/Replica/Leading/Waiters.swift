import Base
import Ledger

/// Requests whose answer needs another shard's word, by the transaction that they wait for.
///
/// Repeats of one come from edges that send everything again, which is the same request, and from terminals that lost
/// patience, whose earlier one is given up at its edge: so a few are all that can be waited for.
struct Waiters {
  static let perTransaction = 16
  private(set) var repliesTo: [TransactionID: [ReplyTo]] = [:]

  @inline(__always) var isEmpty: Bool { repliesTo.isEmpty }

  /// Returns the one that has to give way to it, if there are too many.
  mutating func add(_ replyTo: ReplyTo, for transaction: TransactionID) -> ReplyTo? {
    var waiting = repliesTo[transaction] ?? []
    guard !waiting.contains(where: { $0.edge == replyTo.edge && $0.sequence == replyTo.sequence }) else { return nil }
    let oldest = waiting.count >= Waiters.perTransaction ? waiting.removeFirst() : nil
    waiting.append(replyTo)
    repliesTo[transaction] = waiting
    return oldest
  }
  /// All that wait for a transaction, which is completed.
  mutating func take(_ transaction: TransactionID) -> [ReplyTo] {
    isEmpty ? [] : repliesTo.removeValue(forKey: transaction) ?? []
  }
  /// All that wait for transactions of which that is true, by rising number.
  mutating func takeAll(where isWanted: (TransactionID) -> Bool) -> [(TransactionID, [ReplyTo])] {
    let wanted = repliesTo.keys.filter(isWanted).sorted { $0.rawValue < $1.rawValue }
    return wanted.map { ($0, take($0)) }
  }
  /// Nobody hears an answer there: what still counts the edge asks again.
  mutating func forget(edge: UInt32) {
    repliesTo = repliesTo.compactMapValues { waiting in
      let others = waiting.filter { $0.edge != edge }
      return others.isEmpty ? nil : others
    }
  }
}
