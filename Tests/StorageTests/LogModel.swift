import Base

@testable import Storage

/// What a write-ahead log must hold: the records applied one by one, in plain data.
struct LogModel: Equatable {
  struct Shard: Equatable {
    var state: [UInt8] = []
    /// Where the last reset put the start: what a release did to it since may be forgotten.
    var floor: UInt64 = 0
    var start: UInt64 = 0
    var startTerm: UInt64 = 0
    var entries: [LogEntry] = []
    var gone: UInt64 = 0
    var last: UInt64 { start + UInt64(entries.count) }
    func term(at index: UInt64) -> UInt64 {
      index == start ? startTerm : entries[Int(index - start - 1)].term.rawValue
    }
  }
  var shards: [ShardID: Shard] = [:]

  mutating func apply(_ records: [LogRecord]) {
    for record in records {
      var shard = shards[record.shard] ?? Shard()
      switch record.body {
      case .entry(let entry):
        shard.entries.removeLast(Int(shard.last + 1 - entry.index.rawValue))
        shard.entries.append(entry)
      case .state(let state): shard.state = state
      case .reset(let index, let term):
        shard = Shard(
          state: shard.state, floor: index.rawValue, start: index.rawValue, startTerm: term.rawValue, gone: shard.gone)
      case .gone(let born): shard = Shard(gone: max(shard.gone, born))
      }
      shards[record.shard] = shard
    }
  }

  mutating func release(_ id: ShardID, through: UInt64) {
    guard var shard = shards[id] else { return }
    let index = min(through, shard.last)
    guard index > shard.start else { return }
    shard.startTerm = shard.term(at: index)
    shard.entries.removeFirst(Int(index - shard.start))
    shard.start = index
    shards[id] = shard
  }

  /// Why `recovered` is not this model; nil if it is. A recovered log may not know of the latest releases.
  func difference(from recovered: [RecoveredShard]) -> String? {
    var ids = Set(shards.filter { $0.value != Shard() }.keys)
    for found in recovered {
      let known = shards[found.shard] ?? Shard()
      ids.remove(found.shard)
      if found.state != known.state { return "state of \(found.shard)" }
      if found.gone != known.gone { return "the end of \(found.shard)" }
      if found.startIndex.rawValue < known.floor { return "a reset of \(found.shard)" }
      if found.startIndex.rawValue > known.start { return "start of \(found.shard) is past what was released" }
      if found.startIndex.rawValue == known.start && found.startTerm.rawValue != known.startTerm {
        return "start term of \(found.shard)"
      }
      if found.entries.filter({ $0.index.rawValue > known.start }) != known.entries {
        return "entries of \(found.shard)"
      }
      if let first = found.entries.first, first.index != found.startIndex + 1 { return "gap in \(found.shard)" }
    }
    return ids.isEmpty ? nil : "lost \(ids)"
  }
}

/// Draws what a node might do with its log.
struct LogDriver {
  var generator: SeededGenerator
  var shardCount = 3
  var maxPayload = 3000

  mutating func below(_ n: Int) -> Int { Int(generator.next() % UInt64(n)) }
  mutating func payload(_ n: Int) -> [UInt8] {
    let seed = generator.next()
    return (0..<n).map { UInt8(truncatingIfNeeded: seed &+ UInt64($0) &* 31) }
  }

  mutating func batch(_ model: LogModel) -> [LogRecord] {
    var after = model
    var records: [LogRecord] = []
    for _ in 0...below(4) {
      let id = ShardID(UInt32(below(shardCount)))
      let shard = after.shards[id] ?? LogModel.Shard()
      let term = max(shard.entries.last?.term.rawValue ?? shard.startTerm, 1)
      var new: [LogRecord] = []
      switch below(20) {
      case 0: new = [LogRecord(shard: id, body: .reset(LogIndex(shard.last + UInt64(below(50) + 1)), Term(term + 1)))]
      case 1...3: new = [LogRecord(shard: id, body: .state(payload(1 + below(24))))]
      case 4 where !shard.entries.isEmpty:
        // A later leader overwrites a suffix.
        let index = shard.last - UInt64(below(min(shard.entries.count, 6)))
        let entry = LogEntry(index: LogIndex(index), term: Term(term + 1), kind: .noop, payload: [])
        new = [LogRecord(shard: id, body: .entry(entry))]
      case 5 where below(4) == 0:
        new = [LogRecord(shard: id, body: .gone(born: shard.gone + 1 + UInt64(below(3))))]
      default:
        for i in 0...below(3) {
          let size = below(6) == 0 ? below(maxPayload) : below(120)
          let entry = LogEntry(index: LogIndex(shard.last + 1 + UInt64(i)), term: Term(term), payload: payload(size))
          new.append(LogRecord(shard: id, body: .entry(entry)))
        }
      }
      after.apply(new)
      records += new
    }
    return records
  }
}
