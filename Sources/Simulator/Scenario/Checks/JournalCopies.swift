import Base
import Cluster
import Ledger

/// The journals of all shards as their replicas wrote them, entry by entry: kept beside, for who checks what a feed tells.
struct JournalCopies {
  /// By shard, then by segment, from 1 on.
  private var journals: [ShardID: [[UInt8]]] = [:]

  /// A replica has applied an entry. It is looked at once, whoever applied it first.
  mutating func note(_ replica: ReplicaView) {
    guard replica.shard != .directory else { return }
    for (position, bytes) in replica.newJournal {
      var segments = journals[replica.shard] ?? [[]]
      let place = Int(position.segment) - 1
      if place == segments.count { segments.append([]) }
      guard place == segments.count - 1, Int(position.offset) == segments[place].count else { continue }
      segments[place].append(contentsOf: bytes)
      journals[replica.shard] = segments
    }
  }
  /// The cluster that began has never been.
  mutating func forget() { journals = [:] }

  /// What a feed is to tell of each shard, a line a record. Throws where what was kept is no journal.
  func movements() throws -> [ShardID: [String]] {
    var told: [ShardID: [String]] = [:]
    for (shard, segments) in journals {
      var lines: [String] = []
      let end = JournalPosition(
        journal: shard, segment: UInt32(segments.count), offset: UInt64(segments[segments.count - 1].count))
      let start = JournalPosition(beginningOf: shard)
      try JournalInspection.read(from: start, to: end, in: Copy(segments: segments)) { record in
        guard FeedKinds.names.contains(record.kind) else { return }
        lines.append(
          "\(record.tx.slot.rawValue)-\(record.tx.sequence) \(record.kind) \(record.member) \(record.points) \(record.balance)"
            + " \(record.stamp.milliseconds)")
      }
      told[shard] = lines
    }
    return told
  }
  private struct Copy: JournalSource {
    let segments: [[UInt8]]
    func read(at position: JournalPosition, into buffer: UnsafeMutableRawBufferPointer) -> Int {
      let place = Int(position.segment) - 1
      guard segments.indices.contains(place), Int(position.offset) < segments[place].count else { return 0 }
      let rest = segments[place][Int(position.offset)...].prefix(buffer.count)
      rest.withUnsafeBytes { buffer.copyMemory(from: $0) }
      return rest.count
    }
  }
}
