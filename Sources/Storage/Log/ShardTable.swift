import Base

/// What the write-ahead log knows of each shard: enough to tell which segments are still needed, and to carry what is
/// small over when an old segment goes. Kept in step with the bytes on disk, by the same `note` calls when they are
/// written and when they are read back.
struct ShardTable {
  /// The shard's entries in one segment.
  struct Use: Equatable {
    var segment: UInt64
    var bytes: UInt64
    /// The highest index there that is still live.
    var maxIndex: UInt64
  }
  /// Entries from `index` on have this term.
  struct Run: Equatable {
    var index: UInt64
    var term: Term
  }
  struct Shard {
    var id: ShardID
    var state: [UInt8] = []
    var gone: UInt64 = 0
    /// The batch that one of these two was last written in.
    var factBatch: UInt64 = 0
    var start: UInt64 = 0
    var startTerm = Term(0)
    var last: UInt64 = 0
    /// The last entry once the records being checked are written.
    var expected: UInt64 = 0
    /// By rising index.
    var runs: [Run] = []
    /// By rising segment; only those that hold live entries.
    var uses: [Use] = []

    /// Whether there is anything that no entry tells.
    var hasFacts: Bool { !state.isEmpty || gone > 0 }
    /// Bytes of the records that tell it.
    var factBytes: Int {
      (gone > 0 ? LogFormat.recordHeadBytes : 0) + (state.isEmpty ? 0 : LogFormat.recordBytes(payload: state.count))
    }

    func term(at index: UInt64) -> Term? {
      if index == start { return startTerm }
      guard index > start, index <= last else { return nil }
      return runs.last { $0.index <= index }?.term
    }

    @inline(__always)
    mutating func noteEntry(index: UInt64, term: Term, bytes: Int, segment: UInt64) {
      if index <= last { cut(from: index) }
      if runs.isEmpty || runs[runs.count - 1].term != term { runs.append(Run(index: index, term: term)) }
      last = index
      addUse(index: index, bytes: bytes, segment: segment)
    }

    mutating func addUse(index: UInt64, bytes: Int, segment: UInt64) {
      let end = uses.count - 1
      if end >= 0 && uses[end].segment == segment {
        uses[end].bytes += UInt64(bytes)
        if uses[end].maxIndex < index { uses[end].maxIndex = index }
      } else {
        uses.append(Use(segment: segment, bytes: UInt64(bytes), maxIndex: index))
      }
    }

    /// Entries from `index` on are overwritten.
    private mutating func cut(from index: UInt64) {
      while let run = runs.last, run.index >= index { runs.removeLast() }
      for i in uses.indices where uses[i].maxIndex >= index { uses[i].maxIndex = index - 1 }
      uses.removeAll { $0.maxIndex <= start }
    }

    mutating func noteReset(index: UInt64, term: Term) {
      runs = []
      uses = []
      start = index
      startTerm = term
      last = index
    }

    /// Entries up to `index` are no longer needed.
    mutating func noteStart(index: UInt64, term: Term) {
      guard index > start else { return }
      start = index
      startTerm = term
      if last < index { last = index }
      uses.removeAll { $0.maxIndex <= index }
      while runs.count > 1 && runs[1].index <= index + 1 { runs.removeFirst() }
      if last == index { runs = [] }
    }
  }

  private(set) var shards: [Shard] = []
  private var places: [ShardID: Int] = [:]

  /// The shard's place in the table, made if need be. Stable until a shard is forgotten.
  @inline(__always)
  mutating func place(_ id: ShardID) -> Int {
    if let place = places[id] { return place }
    places[id] = shards.count
    shards.append(Shard(id: id))
    return shards.count - 1
  }
  func find(_ id: ShardID) -> Shard? { places[id].map { shards[$0] } }

  private mutating func bury(_ place: Int, born: UInt64) {
    var shard = Shard(id: shards[place].id)
    shard.gone = max(shards[place].gone, born)
    shards[place] = shard
  }

  /// Takes note of a record that is in the log, in this segment.
  @inline(__always)
  mutating func note(_ head: RecordHead, _ payload: UnsafeRawBufferPointer, segment: UInt64) {
    if head.kind == .origin { return }
    let place = place(head.shard)
    let index = head.index.rawValue
    switch head.kind {
    case .entry:
      if index > shards[place].start {
        shards[place].noteEntry(index: index, term: head.term, bytes: head.totalBytes, segment: segment)
      }
    case .moved:
      if index > shards[place].start {
        shards[place].addUse(index: index, bytes: head.totalBytes, segment: segment)
      }
    case .state: shards[place].state = Array(payload)
    case .reset: shards[place].noteReset(index: index, term: head.term)
    case .start: shards[place].noteStart(index: index, term: head.term)
    case .gone: bury(place, born: index)
    case .tombstone: shards[place].gone = max(shards[place].gone, index)
    case .origin: break
    }
  }

  /// As `note` of the record's head, for one that has just been written.
  @inline(__always)
  mutating func note(_ record: LogRecord, place: Int, segment: UInt64) {
    switch record.body {
    case .entry(let entry):
      let index = entry.index.rawValue
      guard index > shards[place].start else { return }
      shards[place].noteEntry(index: index, term: entry.term, bytes: record.byteCount, segment: segment)
    case .state(let state): shards[place].state = state
    case .reset(let index, let term): shards[place].noteReset(index: index.rawValue, term: term)
    case .gone(let born): bury(place, born: born)
    }
  }

  /// Facts of the shard were written in that batch. False if that is known already.
  mutating func noteFact(in batch: UInt64, place: Int) -> Bool {
    if shards[place].factBatch == batch { return false }
    shards[place].factBatch = batch
    return true
  }

  /// Starts a check of records in the order in which they will be written.
  @inline(__always)
  mutating func beginExpecting(_ id: ShardID) -> Int {
    let place = place(id)
    shards[place].expected = shards[place].last
    return place
  }

  /// The last entry before the record, if the record is an entry that leaves a gap behind it.
  @inline(__always)
  mutating func gap(before record: LogRecord, place: Int) -> UInt64? {
    switch record.body {
    case .entry(let entry):
      let index = entry.index.rawValue
      if index == 0 || index > shards[place].expected + 1 { return shards[place].expected }
      shards[place].expected = index
    case .reset(let index, _): shards[place].expected = index.rawValue
    case .gone: shards[place].expected = 0
    case .state: break
    }
    return nil
  }

  /// Entries of `id` up to `through`, or to its last one if that is lower, are no longer needed.
  mutating func release(_ id: ShardID, through: LogIndex) {
    guard let place = places[id] else { return }
    let index = min(through.rawValue, shards[place].last)
    guard index > shards[place].start, let term = shards[place].term(at: index) else { return }
    shards[place].noteStart(index: index, term: term)
  }

  /// One segment was copied to another, which is the newest.
  mutating func renumber(_ old: UInt64, to new: UInt64) {
    for place in shards.indices {
      for i in shards[place].uses.indices where shards[place].uses[i].segment == old {
        shards[place].uses[i].segment = new
      }
    }
  }

  /// What is live in segments below `number` has been written again elsewhere.
  mutating func dropUses(below number: UInt64) {
    for place in shards.indices { shards[place].uses.removeAll { $0.segment < number } }
  }

  /// After reading the log: the terms of the entries found.
  mutating func setEntries(_ id: ShardID, _ entries: [LogEntry]) {
    let place = place(id)
    shards[place].runs = []
    shards[place].last = entries.last?.index.rawValue ?? shards[place].start
    for entry in entries where shards[place].runs.last?.term != entry.term {
      shards[place].runs.append(Run(index: entry.index.rawValue, term: entry.term))
    }
  }

  /// The oldest segment that holds a live entry.
  var oldestNeeded: UInt64? { shards.lazy.compactMap { $0.uses.first?.segment }.min() }
}
