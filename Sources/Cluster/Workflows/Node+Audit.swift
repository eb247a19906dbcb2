import Base
import Ledger
import Protocol

/// `AUDIT`: every shard logs a marker at one and the same stamp and reports its state there. What a shard debited before
/// the stamp and another credited only after it is in transit; nothing can be credited before it was debited, because a
/// delivery is stamped later than the debit that sent it.
struct Audit {
  var owner: EdgeItem.Owner
  var attempt = 0
  var records: [ShardID: [UInt8]] = [:]
  /// Some shard was past the stamp: all begin again at a later one.
  var retryAt: UInt64?
}

/// What the shards' records of an audit add up to: as wide as it takes, so that no shard's figures make it wrap.
struct AuditTotals {
  var members: Int128 = 0
  var transactions: Int128 = 0
  /// Of the sums that should be 0, without their signs.
  var sum: Int128 = 0
  /// What left one shard and has not arrived in another.
  var inTransit: Int128 = 0
  private var isWhole = true
  var isBalanced: Bool { isWhole && sum == 0 && inTransit >= 0 }

  mutating func add(_ record: RecordView) {
    members += Int128(record.number(.members) ?? 0)
    transactions += Int128(record.number(.transactions) ?? 0)
    guard let own = record.number(.sum), let digits = record.text(.between),
      let between = Int128(String(decoding: digits, as: UTF8.self))
    else {
      isWhole = false
      return
    }
    sum += Int128(own.magnitude)
    inTransit &+= between
  }
}

extension Node {
  func startAudit(_ owner: EdgeItem.Owner) { sendMarkers(workflows.beginAudit(owner)) }

  private func sendMarkers(_ number: UInt64) {
    guard let topology, let attempt = workflows.attemptAudit(number) else { return }
    // Far enough ahead that the markers arrive before the shards' clocks do, also over a WAN if a try has failed.
    let ahead = min(Int64(2_000) << Int64(attempt), 250_000)
    let stamp = Stamp(microseconds: now.wall.microseconds + mostAhead + ahead)
    for placement in topology.shards {
      let continuation = keep(.audit(number: number, shard: placement.shard, attempt: attempt))
      submitInternal(placement.shard, flags: .marker, continuation: continuation) { buffer in
        Command.appendMarker(to: &buffer, slot: placement.slots.first ?? Slot(0))
        buffer.append(stamp.microseconds)
      }
    }
  }

  func auditAnswered(_ number: UInt64, _ shard: ShardID, _ attempt: Int, _ reply: UnsafeRawBufferPointer) {
    let answered = workflows.auditAnswered(
      number, shard, attempt, reply, shards: topology?.shards.count ?? 0, now: now.monotonic)
    guard let (owner, outcome) = answered else { return }
    switch outcome {
    case .waits: break
    case .complete(let records): answerAudit(owner, records)
    case .failed:
      answerError(owner, .unavailable, "shard \(shard.rawValue) did not report; without it the audit says nothing")
    }
  }

  func advanceAudits() {
    for number in workflows.dueAudits(now: now.monotonic) { sendMarkers(number) }
  }

  /// `AUDIT read=local`: what this node's own replicas hold, each at its own index: to compare replicas when traffic
  /// has stopped.
  func auditLocally(_ owner: EdgeItem.Owner) {
    var records: [[UInt8]] = []
    var oldest = Stamp.never
    for replica in replicas {
      guard let replica, replica.quarantined == nil, let ledger = replica.machine as? LedgerMachine else { continue }
      replica.endOpenEntry()
      reply.buffer.removeAll()
      ledger.audit(into: &reply)
      reply.field(.asof, replica.closedTime)
      oldest = min(oldest, replica.closedTime)
      records.append(reply.buffer.array)
    }
    answerAudit(owner, records, asof: oldest)
  }

  private func answerAudit(_ owner: EdgeItem.Owner, _ records: [[UInt8]], asof: Stamp? = nil) {
    var totals = AuditTotals()
    reply.buffer.removeAll()
    reply.array(count: records.count + 1)
    for record in records {
      record.withUnsafeBytes { bytes in
        totals.add(RecordView(bytes))
        reply.buffer.append(bytes)
      }
    }
    reply.record()
    reply.field(.total, "yes")
    reply.field(.members, Int64(clamping: totals.members))
    reply.field(.transactions, Int64(clamping: totals.transactions))
    reply.field(.sum, Int64(clamping: totals.sum))
    reply.field(.intransit, Int64(clamping: totals.inTransit))
    reply.field(.balanced, totals.isBalanced && divergent.isEmpty ? "yes" : "no")
    if let asof { reply.field(.asof, asof) }
    answer(owner, reply.buffer.bytes)
  }
}
