import Base

/// Puts the shards' logs together from records in the order of the write-ahead log.
///
/// Of a recycled log only a suffix is there, so a shard's first entry seen may have any index; entries moved to the end
/// by `rewriteOldest` come after younger ones. What is put together must have no gap.
struct LogReplay {
  struct Missing: Error {
    var reason: String
  }
  private struct Shard {
    var state: [UInt8] = []
    var gone: UInt64 = 0
    /// A later state may have been lost.
    var isStateLost = false
    var start: UInt64 = 0
    var startTerm = Term(0)
    /// Without a gap, as they came.
    var entries: [LogEntry] = []
    /// Moved entries, below the first of `entries`.
    var moved: [UInt64: LogEntry] = [:]

    /// Throws if entries before it are missing.
    mutating func append(_ entry: LogEntry, _ id: ShardID) throws(Missing) {
      let index = entry.index.rawValue
      if index <= start { return }
      if let first = entries.first?.index.rawValue {
        let next = first + UInt64(entries.count)
        if index > next { throw Missing(reason: "entry \(index) of shard \(id.rawValue) follows entry \(next - 1)") }
        if index <= first {
          entries.removeAll(keepingCapacity: true)
        } else if index < next {
          entries.removeLast(Int(next - index))
        }
      }
      if entries.isEmpty && !moved.isEmpty { moved = moved.filter { $0.key < index } }
      entries.append(entry)
    }

    mutating func move(_ entry: LogEntry) {
      let index = entry.index.rawValue
      if index <= start { return }
      if let first = entries.first?.index.rawValue, index >= first { return }
      moved[index] = entry
    }

    mutating func advance(to index: UInt64, _ term: Term) {
      guard index > start else { return }
      start = index
      startTerm = term
      if let first = entries.first?.index.rawValue, first <= index {
        entries.removeFirst(min(entries.count, Int(index - first + 1)))
      }
    }
  }
  private var shards: [ShardID: Shard] = [:]
  /// Batches up to this number are not needed: what must outlive them was written again behind.
  private(set) var origin: UInt64 = 0
  /// Batches are missing.
  private(set) var hasGap = false
  /// Also of shards that have not been seen yet a state may be lost.
  private(set) var areStatesInDoubt = false

  mutating func apply(_ head: RecordHead, _ payload: UnsafeRawBufferPointer) throws(Missing) {
    switch head.kind {
    case .entry, .moved:
      guard let kind = LogEntry.Kind(rawValue: head.entryKind) else {
        throw Missing(reason: "an entry has the unknown kind \(head.entryKind)")
      }
      let entry = LogEntry(index: head.index, term: head.term, kind: kind, payload: Array(payload))
      if head.kind == .entry {
        try shards[head.shard, default: Shard()].append(entry, head.shard)
      } else {
        shards[head.shard, default: Shard()].move(entry)
      }
    case .state: shards[head.shard, default: Shard()].state = Array(payload)
    case .reset:
      let (state, gone) = (shards[head.shard]?.state ?? [], shards[head.shard]?.gone ?? 0)
      shards[head.shard] = Shard(state: state, gone: gone, start: head.index.rawValue, startTerm: head.term)
    case .start: shards[head.shard, default: Shard()].advance(to: head.index.rawValue, head.term)
    case .gone: bury(head)
    case .tombstone: noteGone(head)
    case .origin: origin = max(origin, head.index.rawValue)
    }
  }

  private mutating func bury(_ head: RecordHead) {
    shards[head.shard] = Shard(gone: shards[head.shard]?.gone ?? 0)
    noteGone(head)
  }
  private mutating func noteGone(_ head: RecordHead) {
    let known = shards[head.shard]?.gone ?? 0
    shards[head.shard, default: Shard()].gone = max(known, head.index.rawValue)
  }

  /// Batches are missing here. What comes after them is no longer a shard's log: it stays as it was at this moment.
  /// - Parameter isStateLost: not all states that stood there are known to be repeated behind.
  mutating func passGap(isStateLost: Bool) {
    hasGap = true
    guard isStateLost else { return }
    areStatesInDoubt = true
    for id in Array(shards.keys) { shards[id]?.isStateLost = true }
  }

  /// A record behind missing batches: which shards there are or were, and their latest states.
  mutating func applyBehindGap(_ head: RecordHead, _ payload: UnsafeRawBufferPointer) {
    precondition(hasGap, "batches are missing")
    switch head.kind {
    case .gone: return bury(head)
    case .origin: return
    case .entry, .state, .reset, .start, .moved, .tombstone: break
    }
    if shards[head.shard] == nil {
      shards[head.shard] = Shard()
      shards[head.shard]?.isStateLost = areStatesInDoubt
    }
    // Facts are told together, this one first: its own record is among what is lost, and what came before that is gone.
    if head.kind == .tombstone, head.index.rawValue > shards[head.shard]?.gone ?? 0 { bury(head) }
    if head.kind == .state {
      shards[head.shard]?.state = Array(payload)
      shards[head.shard]?.isStateLost = false
    }
  }

  /// As `finish`, of a log with gaps: of each shard the entries that follow one another.
  mutating func salvage() -> [RecoveredShard] {
    var result: [RecoveredShard] = []
    for id in shards.keys.sorted() {
      guard let shard = shards.removeValue(forKey: id) else { continue }
      let early = shard.moved.keys.filter { $0 > shard.start }.sorted()
      var entries = early.compactMap { shard.moved[$0] } + shard.entries
      var isWhole = !hasGap
      var start = (index: LogIndex(shard.start), term: shard.startTerm)
      if let first = entries.first?.index {
        // Of a recycled log the start may be told behind the gap only.
        if first > start.index + 1 {
          start = (first - 1, Term(0))
          isWhole = false
        }
        let count = entries.enumerated().prefix { $1.index == first + UInt64($0) }.count
        if count < entries.count { isWhole = false }
        entries.removeLast(entries.count - count)
      }
      var found = RecoveredShard(
        shard: id, state: shard.state, startIndex: start.index, startTerm: start.term, entries: entries)
      found.gone = shard.gone
      found.isDamaged = !isWhole
      found.isStateLost = shard.isStateLost
      result.append(found)
    }
    return result
  }

  /// Everything, sorted by shard. Throws `.damaged` if a shard lacks an entry. The replay is used up.
  mutating func finish(path: String) throws(StorageError) -> [RecoveredShard] {
    var result: [RecoveredShard] = []
    for id in shards.keys.sorted() {
      guard let shard = shards.removeValue(forKey: id) else { continue }
      let early = shard.moved.keys.filter { $0 > shard.start }.sorted()
      let entries = early.compactMap { shard.moved[$0] } + shard.entries
      var next = shard.start + 1
      for entry in entries {
        guard entry.index.rawValue == next else {
          throw StorageError(
            .damaged, path: path, operation: "open",
            reason: "entry \(next) of shard \(id.rawValue) is missing before entry \(entry.index.rawValue)")
        }
        next += 1
      }
      var found = RecoveredShard(
        shard: id, state: shard.state, startIndex: LogIndex(shard.start), startTerm: shard.startTerm, entries: entries)
      found.gone = shard.gone
      result.append(found)
    }
    return result
  }
}
