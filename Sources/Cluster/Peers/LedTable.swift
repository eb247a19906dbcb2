import Base

/// What a node leads, as it told its peers, and as a peer of it knows it. Ten times a second a node tells what has changed;
/// of all the rest it gives a hash, and one stamp: nothing up to that is missing from what each of these shards has logged.
/// A peer whose table has another hash asks for the whole.
struct LedTable: Equatable {
  /// By rising shard.
  private(set) var rows: [NodeStatus.Led] = []
  /// What the rows were last looked through by; nil: they are to be looked through again.
  private var looked: Look?

  private struct Look: Equatable {
    /// The common stamp.
    var closed: Stamp
    /// Of how many shards this node had tables.
    var shards: Int
  }

  /// What has to be told so that a table like this one becomes `current`, which has the rows by rising shard.
  func changes(to current: [NodeStatus.Led], replicas: UInt32) -> NodeStatus {
    let common = LedTable.commonStamp(of: current)
    var status = NodeStatus(
      isWhole: false, replicas: replicas, closed: common, hash: LedTable.hash(of: current), gone: [], led: [])
    var old = rows[...]
    for row in current {
      while let first = old.first, first.shard < row.shard {
        status.gone.append(first.shard)
        old = old.dropFirst()
      }
      var known: NodeStatus.Led?
      if let first = old.first, first.shard == row.shard {
        known = first
        known?.closed = common
        old = old.dropFirst()
      }
      if known != row { status.led.append(row) }
    }
    status.gone.append(contentsOf: old.map(\.shard))
    return status
  }

  /// All of it, for somebody who knows nothing.
  static func whole(_ current: [NodeStatus.Led], replicas: UInt32) -> NodeStatus {
    NodeStatus(
      isWhole: true, replicas: replicas, closed: commonStamp(of: current), hash: hash(of: current), gone: [],
      led: current)
  }

  mutating func set(_ current: [NodeStatus.Led]) { rows = current }

  /// Takes over what a node tells. False if the table is not like that node's then: what is told is true, but not all.
  mutating func apply(_ status: NodeStatus) -> Bool {
    var next: [NodeStatus.Led] = []
    next.reserveCapacity(rows.count + status.led.count)
    var told = status.led[...]
    var gone = status.gone[...]
    for row in status.isWhole ? [] : rows {
      while let first = told.first, first.shard < row.shard {
        next.append(first)
        told = told.dropFirst()
      }
      while let first = gone.first, first < row.shard { gone = gone.dropFirst() }
      if gone.first == row.shard { continue }
      if let first = told.first, first.shard == row.shard {
        next.append(first)
        told = told.dropFirst()
      } else {
        next.append(row)
        next[next.count - 1].closed = status.closed
      }
    }
    next.append(contentsOf: told)
    guard LedTable.hash(of: next) == status.hash else {
      // The rest may be of another time: no stamp holds for it.
      rows = status.led
      return false
    }
    rows = next
    return true
  }

  /// What is new of what a node tells, to be looked through: after `apply`, which gave `isComplete`.
  /// - Parameter shards: of how many this node has tables.
  mutating func news(_ status: NodeStatus, isComplete: Bool, shards: Int) -> ArraySlice<NodeStatus.Led> {
    let look = Look(closed: status.closed, shards: shards)
    let isAsBefore = isComplete && status.led.isEmpty && looked == look
    looked = isComplete ? look : nil
    // The directory's leader says something by being heard.
    return isAsBefore ? rows.prefix(1) : rows[...]
  }

  /// The stamp that most rows have, if one has more than half (Boyer and Moore).
  private static func commonStamp(of rows: [NodeStatus.Led]) -> Stamp {
    var candidate = Stamp.zero
    var count = 0
    for row in rows {
      if count == 0 { candidate = row.closed }
      count += row.closed == candidate ? 1 : -1
    }
    return candidate
  }

  /// Over everything but the stamps.
  private static func hash(of rows: [NodeStatus.Led]) -> UInt64 {
    var hash: UInt64 = 0x9E37_79B9_7F4A_7C15
    for row in rows {
      mix(UInt64(row.shard.rawValue) << 32 | UInt64(row.catalogueVersion), into: &hash)
      mix(row.term.rawValue, into: &hash)
      mix(row.commit.rawValue, into: &hash)
      mix(row.applied.rawValue, into: &hash)
      mix(row.closedIndex.rawValue << 1 | (row.hasTakenOver ? 1 : 0), into: &hash)
    }
    return hash
  }
  @inline(__always)
  private static func mix(_ value: UInt64, into hash: inout UInt64) {
    hash = (hash ^ value) &* 0xFF51_AFD7_ED55_8CCD
    hash ^= hash >> 32
  }
}
