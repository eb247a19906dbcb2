import Base
import Ledger
import Protocol

extension RequestDesk {
  /// - Parameter mostAhead: by how much the clock that is most ahead of ours is.
  func startAudit(_ owner: EdgeItem.Owner, mostAhead: Int64) {
    sendMarkers(workflows.beginAudit(owner), mostAhead)
  }

  func sendMarkers(_ number: UInt64, _ mostAhead: Int64) {
    guard let topology = membership.topology else { return }
    let asked = topology.shards.filter { workflows.checks[number]?.shards.contains($0.shard) ?? true }
    let soonest = now.wall.microseconds + mostAhead
    let attempt = workflows.attemptAudit(number, of: asked.count) { attempt in
      // Far enough ahead that the markers arrive before the shards' clocks do, also over a WAN if a try has failed. The end of a
      // millisecond: so records' times in milliseconds tell which of them are of the moment.
      let ahead = min(Int64(2_000) << Int64(attempt), 250_000)
      return Stamp(microseconds: (soonest + ahead) / 1_000 * 1_000 + 999)
    }
    guard let attempt, let stamp = workflows.audits[number]?.stamp else { return }
    for placement in asked {
      let continuation = keep(.audit(number: number, shard: placement.shard, attempt: attempt))
      submitInternal(placement.shard, flags: .marker, continuation: continuation) { buffer in
        let slot = placement.slots.first ?? Slot(0)
        if let inquiry = workflows.inquiries[number]?.inquiry {
          Command.appendMarker(to: &buffer, slot: slot, asking: inquiry)
        } else {
          Command.appendMarker(to: &buffer, slot: slot)
        }
        buffer.append(stamp.microseconds)
      }
    }
  }

  func auditAnswered(_ number: UInt64, _ shard: ShardID, _ attempt: Int, _ reply: UnsafeRawBufferPointer) {
    let isCheck = workflows.checks[number] != nil
    let answered = workflows.auditAnswered(
      number, shard, attempt, reply,
      isThere: membership.topology?.placement(of: shard) != nil, now: now.monotonic,
      isWhole: { isCheck || coversAllSlots($0) })
    guard let (owner, stamp, outcome) = answered else { return }
    if number == workflows.proof {
      switch outcome {
      case .waits: return
      case .complete(let records): return proofCame(records)
      case .failed: return proofCame(nil)
      }
    }
    if workflows.inquiries[number] != nil {
      switch outcome {
      case .waits: return
      case .complete(let records): return inquiryAnswered(number, records, stamp)
      case .failed: return inquiryAnswered(number, nil, stamp, lacking: shard)
      }
    }
    if workflows.checks[number] != nil {
      switch outcome {
      case .waits: return
      case .complete(let records): return checkReported(number, records)
      case .failed: return checkReported(number, nil)
      }
    }
    switch outcome {
    case .waits: break
    case .complete(let records): answerAudit(owner, records, asof: stamp)
    case .failed:
      answerError(owner, .unavailable, "shard \(shard.rawValue) did not report; without it the audit says nothing")
    }
  }

  /// Slots may have moved since the map was made that was gone by: a shard of which none ever did owns what that says. Those that are
  /// on their way count, where nobody has them yet.
  private func coversAllSlots(_ records: [ShardID: [UInt8]]) -> Bool {
    var owned = [Bool](repeating: false, count: Slot.count)
    var moving = owned
    for (shard, record) in records.sorted(by: { $0.key < $1.key }) {
      let said = record.withUnsafeBytes { bytes in
        let view = RecordView(bytes)
        return (
          slots: view.text(.slots).map(SlotRanges.runs(in:)), moving: view.text(.moving).map(SlotRanges.runs(in:))
        )
      }
      for slot in (said.slots ?? membership.topology?.placement(of: shard)?.slots.ranges ?? []).joined() {
        guard !owned[slot] else { return false }
        owned[slot] = true
      }
      // Books on their way are in no shard's record.
      if let runs = said.moving, runs.isEmpty { return false }
      for slot in (said.moving ?? []).joined() { moving[slot] = true }
    }
    return owned.indices.allSatisfy { owned[$0] || moving[$0] }
  }

  /// With each look at the clock.
  func advanceAudits(mostAhead: @autoclosure () -> Int64) {
    advanceAccess()
    for number in workflows.dueAudits(now: now.monotonic) {
      if number == workflows.proof { askForProof(number) } else { sendMarkers(number, mostAhead()) }
    }
    if !workflows.checks.isEmpty { advanceChecks() }
    if isHeld { proveRestored() }
    advanceFeeds()
    advanceReports()
  }

  /// `AUDIT read=local`: what this node's own replicas hold, each at its own index: to compare replicas when traffic
  /// has stopped.
  func auditLocally(_ owner: EdgeItem.Owner) {
    var records: [[UInt8]] = []
    var oldest = Stamp.never
    for replica in replicas {
      guard replica.quarantined == nil, let ledger = replica.machine as? LedgerMachine else { continue }
      replica.endOpenEntry()
      reply.buffer.removeAll()
      ledger.audit(into: &reply)
      reply.field(.asof, replica.closedTime)
      oldest = min(oldest, replica.closedTime)
      records.append(reply.buffer.array)
    }
    answerAudit(owner, records, asof: oldest)
  }

  /// Whether whoever asks sees one tenant's books alone: then they are asked for.
  func startTenantsAudit(_ owner: EdgeItem.Owner) -> Bool {
    guard let client = client(of: owner), client.grant.user != nil, !client.grant.roles.contains(.admins),
      directory?.access.tenants.count ?? 1 > 1
    else { return false }
    ask(.books(client.session.tenant), .books, owner)
    return true
  }

  /// - Parameter transactions: of one tenant's books; nil: what the records add up to.
  func answerAudit(
    _ owner: EdgeItem.Owner, _ records: [[UInt8]], asof: Stamp? = nil, transactions: Int128? = nil
  ) {
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
    reply.field(.transactions, Int64(clamping: transactions ?? Int128(totals.transactions)))
    reply.field(.sum, Int64(clamping: totals.sum))
    reply.field(.intransit, Int64(clamping: totals.inTransit))
    reply.field(.balanced, totals.isBalanced && replicas.divergent.isEmpty ? "yes" : "no")
    if let asof { reply.field(.asof, asof) }
    answer(owner, reply.buffer.bytes)
  }
}
