import Base
import Ledger
import Protocol

/// `AUDIT`: every shard logs a marker at one and the same stamp and reports its state there. What a shard debited before
/// the stamp and another credited only after it is in transit; nothing can be credited before it was debited, because a
/// delivery is stamped later than the debit that sent it.
struct Audit {
  var owner: EdgeItem.Owner
  var attempt = 0
  /// The markers', of this attempt.
  var stamp = Stamp.zero
  /// How many were asked.
  var shards = 0
  var records: [ShardID: [UInt8]] = [:]
  /// Some shard was past the stamp: all begin again at a later one.
  var retryAt: UInt64?
}

/// What the shards' records of an audit add up to: as wide as it takes, so that no shard's figures make it wrap.
struct AuditTotals {
  var members: Int128 = 0
  var transactions: Int128 = 0
  /// Of the sums that should be 0, without their signs.
  var sum: Int128 = 0
  /// What left one shard and has not arrived in another.
  var inTransit: Int128 = 0
  /// What members owe, more than they have, who are on their way with their slots.
  private var owed: Int128 = 0
  private var isWhole = true
  var isBalanced: Bool { isWhole && sum == 0 && inTransit >= 0 &- owed }

  mutating func add(_ record: RecordView) {
    members += Int128(record.number(.members) ?? 0)
    transactions += Int128(record.number(.transactions) ?? 0)
    guard let own = record.number(.sum), let digits = record.text(.between),
      let between = Int128(String(decoding: digits, as: UTF8.self))
    else {
      isWhole = false
      return
    }
    sum += Int128(own.magnitude)
    inTransit &+= between
    guard let more = record.named("owed") else { return }
    guard let value = Int128(String(decoding: more, as: UTF8.self)), value >= 0 else { return isWhole = false }
    owed &+= value
  }
}
