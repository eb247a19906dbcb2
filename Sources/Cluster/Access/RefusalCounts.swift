import Base
import Vocabulary

/// Attempts that this node has refused and the trail has yet to hear of, and users it has seen.
struct RefusalCounts {
  private struct Key: Hashable {
    var tenant: UInt32
    var user: String
    var verb: String
    var outcome: String
  }
  private var counts: [Key: (count: Int64, address: String)] = [:]
  private var seen: [UInt32: Stamp] = [:]
  /// When each was told of last.
  private var told: [UInt32: Stamp] = [:]
  private(set) var note: UInt64 = 0

  private static let mostKeys = 4_096
  /// How much newer a user's last request is to be before the directory hears of it (µs).
  private static let grain: Int64 = 600_000_000

  var isEmpty: Bool { counts.isEmpty && seen.isEmpty }

  mutating func refused(_ tenant: TenantID, _ user: String, _ verb: String, _ outcome: String, from address: String) {
    var key = Key(tenant: tenant.rawValue, user: user, verb: verb, outcome: outcome)
    // Whoever tries very much at once is counted together.
    if counts[key] == nil, counts.count >= RefusalCounts.mostKeys { key.verb = "…" }
    guard counts[key] != nil || counts.count <= RefusalCounts.mostKeys else { return }
    counts[key] = (min((counts[key]?.count ?? 0), .max / 2) + 1, address)
  }
  mutating func saw(_ user: UInt32, at moment: Stamp) {
    if let last = told[user], moment.microseconds - last.microseconds < RefusalCounts.grain { return }
    guard seen.count < TrailNote.mostSeen else { return }
    seen[user] = moment
    told[user] = moment
  }

  mutating func nextNote() -> UInt64 {
    note += 1
    return note
  }
  /// What the directory is to hear, in a steady order; the rest waits for the next.
  mutating func take(into note: inout TrailNote, node: String) {
    let keys = counts.keys.sorted {
      ($0.tenant, $0.user, $0.verb, $0.outcome) < ($1.tenant, $1.user, $1.verb, $1.outcome)
    }
    for key in keys.prefix(TrailNote.mostRecords) {
      guard let (count, address) = counts.removeValue(forKey: key) else { continue }
      var record = TrailRecord(user: key.user, verb: key.verb)
      record.tenant = TenantID(key.tenant)
      (record.outcome, record.count, record.address, record.node) = (key.outcome, count, address, node)
      note.records.append(record)
    }
    note.seen = seen.sorted { $0.key < $1.key }.map { (user: $0.key, at: $0.value) }
    seen = [:]
  }
}
