import Base
import Ledger

/// What this node has its journals' lane do: bytes that wait to be written, a moment, and questions that are answered from
/// there, of which only so many at once.
struct JournalDesk {
  /// What questions under way may cost, in records read.
  let window: Int
  /// Of those that are under way.
  private(set) var cost = 0
  /// Bytes that were given to the disk and are not written.
  private(set) var bytesWaiting = 0
  /// Bytes that were not given to the disk yet.
  private var kept: [ShardID: (position: JournalPosition, bytes: [UInt8])] = [:]
  /// Jobs that read a journal for answers.
  private(set) var jobCount: UInt64 = 0

  /// So much of a shard's bytes waits at most before it is given to the disk.
  private static let keptBytes = 256 << 10
  static let tooMuch = "too much of the journal is being read at this node; nothing was done"

  init(window: Int) { self.window = window }

  // MARK: Writing

  /// Journal bytes wait here for the next tick, or until somebody reads them: a write and a wake-up for each entry would
  /// cost a lone request more than its own work. A crash loses nothing by it: the journal is made again from the log.
  mutating func keep(_ shard: ShardID, _ position: JournalPosition, _ bytes: [UInt8], _ out: inout NodeOutput) {
    if let waiting = kept[shard] {
      let end = waiting.position.advanced(by: waiting.bytes.count)
      if end == position && waiting.bytes.count + bytes.count <= JournalDesk.keptBytes {
        kept[shard]?.bytes.append(contentsOf: bytes)
        return
      }
      write(shard, &out)
    }
    kept[shard] = (position, bytes)
  }
  /// Where what waits for a shard begins; nil: nothing does.
  func start(of shard: ShardID) -> JournalPosition? { kept[shard]?.position }
  /// Gives what waits for a shard to the disk.
  mutating func write(_ shard: ShardID, _ out: inout NodeOutput) {
    guard let waiting = kept.removeValue(forKey: shard) else { return }
    bytesWaiting += waiting.bytes.count
    out.jobs.append(.journalAppend(shard: shard, position: waiting.position, bytes: waiting.bytes))
  }
  /// The same of the journals of other shards that one refers to.
  mutating func write(lineage: [JournalChain], _ out: inout NodeOutput) {
    for end in lineage { write(end.position.journal, &out) }
  }
  var isAnyKept: Bool { !kept.isEmpty }
  mutating func writeAll(_ out: inout NodeOutput) {
    for shard in kept.keys.sorted() { write(shard, &out) }
  }
  mutating func written(_ byteCount: Int) { bytesWaiting -= byteCount }
  /// A snapshot has replaced what waited for a shard.
  mutating func forget(_ shard: ShardID) { kept[shard] = nil }

  // MARK: Reading

  /// Whether one more query may be read from the journal now. One alone always may.
  func admits(_ query: JournalQuery) -> Bool { cost == 0 || cost + query.cost <= window }

  /// Histories asked for faster than the disk tells them are refused, or those who ask would wait longer and longer, and
  /// with them all whose request is a repeat: repeats, of which each costs one read, are not refused here.
  /// - Parameter refuse: told of each that is.
  func admitted(_ queries: [ReplyToQuery], refuse: (ReplyTo) -> Void) -> [ReplyToQuery] {
    var cost = cost
    var admitted: [ReplyToQuery] = []
    for (replyTo, query) in queries {
      if cost > 0 && cost + query.cost > window {
        refuse(replyTo)
      } else {
        cost += query.cost
        admitted.append((replyTo, query))
      }
    }
    return admitted
  }

  /// First answers to requests that came again.
  mutating func submit(repeats queries: [ReplyToQuery], of shard: ShardID, _ out: inout NodeOutput) {
    submit(queries, &out) { .journalRepeats(shard: shard, queries: $0) }
  }
  /// Walks: what is left of one that has yielded comes back, and is submitted again.
  mutating func submit(walks queries: [ReplyToQuery], of shard: ShardID, _ out: inout NodeOutput) {
    submit(queries, &out) { .journalQueries(shard: shard, queries: $0) }
  }
  /// Those of them that need segments which are in the archive.
  mutating func submit(
    archived queries: [ReplyToQuery], of shard: ShardID, cluster: UInt64, _ out: inout NodeOutput
  ) {
    submit(queries, &out) { .archiveQueries(shard: shard, queries: $0, cluster: cluster) }
  }
  private mutating func submit(_ queries: [ReplyToQuery], _ out: inout NodeOutput, _ job: ([ReplyToQuery]) -> Job) {
    var rest = queries[...]
    while !rest.isEmpty {
      var count = 0
      var cost = 0
      while count < rest.count && cost < JournalQuery.stepsAtOnce {
        cost += rest[rest.startIndex + count].query.cost
        count += 1
      }
      // So many share a job, of about as many steps as one alone may take: the first need not wait long for the last.
      out.jobs.append(job(Array(rest.prefix(count))))
      self.cost += cost
      rest = rest.dropFirst(count)
      jobCount += 1
    }
  }
  /// A job is done. What is left of its walks is to be submitted again, and is charged again.
  mutating func answered(_ found: JournalAnswers) { cost -= found.cost }
}
