import Base

/// A replica's state at one index, in short: the ledger's digest, and the journal's chain after the entry before.
struct StateDigest: Equatable, Sendable {
  var a: UInt64
  var b: UInt64
  var chain: UInt64
}

/// Whether a shard's replicas have come to the same state at the same index (invariant: they must). Kept by the leader, which
/// hears each follower's digests; the last few indices are remembered. O(remembered) a report.
struct DigestComparison {
  enum Comparison: Equatable {
    /// Nothing differs, as far as has been heard.
    case agreement
    /// Some differ, and no majority agrees yet on what is right.
    case split
    /// These differ from what a majority of the voters agrees on.
    case deviants([NodeID])
  }
  /// Entries whose index is a multiple of this are compared, beside audits' markers.
  static let interval: UInt64 = 1_024
  private static let remembered = 64
  /// The latest index at which all voters were in the same state, and when that was found (monotonic, µs).
  private(set) var agreed: (index: LogIndex, at: UInt64)?
  private var rows: [(index: LogIndex, reports: [(node: NodeID, digest: StateDigest)])] = []

  /// Takes a report in. Each node reports an index once in its life; a later report replaces the former.
  mutating func note(
    _ digest: StateDigest, at index: LogIndex, of node: NodeID, voters: [NodeID], now: UInt64 = 0
  ) -> Comparison {
    var place = rows.firstIndex { $0.index == index }
    if place == nil {
      if rows.count == DigestComparison.remembered { rows.removeFirst() }
      rows.append((index, []))
      place = rows.count - 1
    }
    guard let place else { return .agreement }
    rows[place].reports.removeAll { $0.node == node }
    rows[place].reports.append((node, digest))
    let reports = rows[place].reports
    guard reports.contains(where: { $0.digest != digest }) else {
      let isWhole = voters.allSatisfy { voter in reports.contains { $0.node == voter } }
      if isWhole, index >= agreed?.index ?? LogIndex(0) { agreed = (index, now) }
      return .agreement
    }
    for report in reports {
      let agreeing = reports.count { $0.digest == report.digest && voters.contains($0.node) }
      if agreeing * 2 > voters.count {
        return .deviants(reports.filter { $0.digest != report.digest }.map(\.node))
      }
    }
    return .split
  }
}
