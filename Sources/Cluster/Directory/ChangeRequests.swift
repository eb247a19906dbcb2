import Base
import Ledger

/// Request ids of the catalogue's changes, each with what was answered: kept for 30 days, so that a late copy of a change
/// does not undo a newer one. Where there are too many, those older than a day go first; none that is younger.
struct ChangeRequests: Sendable {
  /// One of them: 48 bytes, and as much again to find it.
  struct Item: Sendable, BitwiseCopyable {
    var key: UInt128
    var fingerprint: UInt64
    /// The catalogue's when it was answered.
    var version: UInt32
    var stamp: Stamp
  }
  static let retention: Int64 = 30 * 86_400_000_000
  static let shortestRetention: Int64 = 86_400_000_000
  /// One change forgets no more than this, so that none takes long; it remembers one.
  private static let forgottenAtOnce = 64

  /// By age.
  private(set) var items = ChunkedQueue<Item>()
  /// Numbers by key, in parts by its last bits: each grows by itself.
  private var numbers = [[UInt128: Int]](repeating: [:], count: 256)
  private let limit: Int

  init(limit: Int) { self.limit = limit }

  private static func part(_ key: UInt128) -> Int { Int(truncatingIfNeeded: key >> 8) & 255 }

  /// There is no room for another: it pushes out the oldest, though that is younger than the retention, or is refused if
  /// that is younger than a day.
  var isFull: Bool { items.count >= limit }

  func find(_ key: UInt128) -> Item? { numbers[ChangeRequests.part(key)][key].map { items[$0] } }

  mutating func add(_ item: Item) {
    numbers[ChangeRequests.part(item.key)][item.key] = items.endIndex
    items.append(item)
  }

  /// Forgets those whose time is over. Whether there is room for one more.
  mutating func makeRoom(at now: Stamp) -> Bool {
    var left = ChangeRequests.forgottenAtOnce
    while left > 0, let first = items.first {
      let age = now.microseconds - first.stamp.microseconds
      guard age > ChangeRequests.retention || items.count >= limit && age > ChangeRequests.shortestRetention else {
        break
      }
      let part = ChangeRequests.part(first.key)
      if numbers[part][first.key] == items.startIndex { numbers[part][first.key] = nil }
      items.drop(before: items.startIndex + 1)
      left -= 1
    }
    return !isFull
  }
}
