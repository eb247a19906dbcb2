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

extension Node {
  static let auditAttempts = 10

  func startAudit(_ owner: EdgeItem.Owner) {
    let number = nextContinuation
    nextContinuation += 1
    audits[number] = Audit(owner: owner)
    sendMarkers(number)
  }

  private func sendMarkers(_ number: UInt64) {
    guard var audit = audits[number], let topology else { return }
    audit.attempt += 1
    audit.records = [:]
    audit.retryAt = nil
    audits[number] = audit
    // Far enough ahead that the markers arrive before the shards' clocks do, also over a WAN if a try has failed.
    let ahead = min(Int64(2_000) << Int64(audit.attempt), 250_000)
    let stamp = Stamp(microseconds: now.wall.microseconds + mostAhead + ahead)
    for placement in topology.shards {
      let continuation = keep(.audit(number: number, shard: placement.shard, attempt: audit.attempt))
      submitInternal(placement.shard, flags: .marker, continuation: continuation) { buffer in
        Command.appendMarker(to: &buffer, slot: Slot(UInt16(placement.first)))
        buffer.append(stamp.microseconds)
      }
    }
  }

  func auditAnswered(_ number: UInt64, _ shard: ShardID, _ attempt: Int, _ reply: UnsafeRawBufferPointer) {
    guard var audit = audits[number], audit.attempt == attempt else { return }
    let view = RecordView(reply)
    if view.tag == .record {
      audit.records[shard] = Array(reply)
      audits[number] = audit
      if audit.records.count == topology?.shards.count { finishAudit(number, audit) }
    } else if view.errorCode == .busy && attempt < Node.auditAttempts {
      audit.retryAt = now.monotonic + 10_000
      audits[number] = audit
    } else {
      audits[number] = nil
      answerError(
        audit.owner, .unavailable, "shard \(shard.rawValue) did not report; without it the audit says nothing")
    }
  }

  func advanceAudits() {
    for (number, audit) in audits.sorted(by: { $0.key < $1.key }) {
      if let retryAt = audit.retryAt, now.monotonic >= retryAt { sendMarkers(number) }
    }
  }

  private func finishAudit(_ number: UInt64, _ audit: Audit) {
    audits[number] = nil
    answerAudit(audit.owner, audit.records.sorted { $0.key < $1.key }.map(\.value))
  }

  /// `AUDIT read=local`: what this node's own replicas hold, each at its own index: to compare replicas when traffic
  /// has stopped.
  func auditLocally(_ owner: EdgeItem.Owner) {
    var records: [[UInt8]] = []
    var oldest = Stamp.never
    for replica in replicas {
      guard let replica, replica.quarantined == nil, let ledger = replica.machine as? LedgerMachine else { continue }
      reply.buffer.removeAll()
      ledger.audit(into: &reply)
      reply.field(.asof, replica.closedTime)
      oldest = min(oldest, replica.closedTime)
      records.append(reply.buffer.array)
    }
    answerAudit(owner, records, asof: oldest)
  }

  private func answerAudit(_ owner: EdgeItem.Owner, _ records: [[UInt8]], asof: Stamp? = nil) {
    var members: Int64 = 0
    var transactions: Int64 = 0
    var sum: Int64 = 0
    var inTransit: Int64 = 0
    var allZero = true
    reply.buffer.removeAll()
    reply.array(count: records.count + 1)
    for record in records {
      record.withUnsafeBytes { bytes in
        let view = RecordView(bytes)
        members &+= view.number(.members) ?? 0
        transactions &+= view.number(.transactions) ?? 0
        let own = view.number(.sum) ?? 1
        sum &+= own
        if own != 0 { allZero = false }
        inTransit &+= (view.number(.intransit) ?? 0) &+ (view.number(.between) ?? 0)
        reply.buffer.append(bytes)
      }
    }
    reply.record()
    reply.field(.total, "yes")
    reply.field(.members, members)
    reply.field(.transactions, transactions)
    reply.field(.sum, sum)
    reply.field(.intransit, inTransit)
    reply.field(.balanced, allZero && inTransit >= 0 && divergent.isEmpty ? "yes" : "no")
    if let asof { reply.field(.asof, asof) }
    answer(owner, reply.buffer.bytes)
  }
}
