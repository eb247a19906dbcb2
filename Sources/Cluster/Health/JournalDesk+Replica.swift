import Base
import Ledger
import Protocol

extension JournalDesk {
  /// Queries that the journal answers, and requests that came before: many of them in one job, as many as came together.
  mutating func read(for replica: Replica, _ out: inout NodeOutput) {
    if replica.outbox.queries.isEmpty && replica.outbox.repeats.isEmpty { return }
    let shard = replica.shard
    let queries = admitted(replica.outbox.queries) { replyTo in
      var refusal = ReplyWriter(capacity: 128)
      refusal.error(.busy, JournalDesk.tooMuch)
      replica.outbox.result(shard, replyTo, refusal.buffer.bytes)
    }
    replica.outbox.queries.removeAll(keepingCapacity: true)
    // What waits here must be written first, if any of it is asked for.
    if let start = start(of: shard),
      !queries.isEmpty || replica.outbox.repeats.contains(where: { !$0.position.isBefore(start) })
    {
      write(shard, &out)
    }
    if isAnyKept { write(lineage: replica.machine.holdings.lineage, &out) }
    var repeats: [ReplyToQuery] = []
    for (replyTo, position) in replica.outbox.repeats {
      if let query = replica.machine.firstAnswer(at: position) { repeats.append((replyTo, query)) }
    }
    replica.outbox.repeats.removeAll(keepingCapacity: true)
    submit(repeats: repeats, of: shard, &out)
    submit(walks: queries, of: shard, &out)
  }
}
