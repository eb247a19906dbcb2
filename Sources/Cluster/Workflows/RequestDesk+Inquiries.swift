import Base
import Ledger
import Protocol
import Vocabulary

/// Figures of all shards at one stamp, as an audit's, on their way to an answer.
struct InquiryUnderWay {
  enum Purpose {
    /// What the directory has of the quota.
    case quota(shown: [UInt8])
    case campaign(id: [UInt8])
    /// A `SET` that changes a program's zone, if nothing was booked in it.
    case zone(ZoneChange)
    case job(id: [UInt8])
    /// What all shards have drawn of budgets.
    case budgets(BudgetQuestion)
    /// An audit of one tenant's.
    case books
    /// The moment of a report, by its number.
    case report(UInt64)
    /// The moment of a search for members, by its number.
    case members(UInt64)
  }
  var owner: EdgeItem.Owner
  /// Nil: what an audit has of them.
  var inquiry: Inquiry?
  var purpose: Purpose
}

/// Sums of figures that shards report: as wide as it takes.
struct InquiryTotals {
  private var sums: [Field: Int128] = [:]
  /// Of what all shards have alike.
  private var common: [Field: Int64] = [:]

  init(_ records: [[UInt8]], _ fields: [Field], alike: [Field] = []) {
    for record in records {
      record.withUnsafeBytes { bytes in
        let view = RecordView(bytes)
        for field in fields { sums[field, default: 0] += Int128(view.number(field) ?? 0) }
        for field in alike { if let figure = view.number(field) { common[field] = figure } }
      }
    }
  }
  subscript(field: Field) -> Int64 { Int64(clamping: sums[field] ?? 0) }
  func alike(_ field: Field) -> Int64? { common[field] }
}

extension RequestDesk {
  func ask(
    _ inquiry: Inquiry?, _ purpose: InquiryUnderWay.Purpose, _ owner: EdgeItem.Owner, mostAhead: Int64 = 0
  ) {
    let number = workflows.beginAudit(owner)
    workflows.inquiries[number] = InquiryUnderWay(owner: owner, inquiry: inquiry, purpose: purpose)
    sendMarkers(number, mostAhead)
  }
  func inquiryAnswered(
    _ number: UInt64, _ records: [[UInt8]]?, _ stamp: Stamp, lacking shard: ShardID? = nil
  ) {
    guard let inquiry = workflows.inquiries.removeValue(forKey: number) else { return }
    guard let records else {
      if case .zone(let change) = inquiry.purpose, change.isStopped { return zoneUnanswered(change) }
      if case .budgets(let question) = inquiry.purpose { return budgetsUnknown(question) }
      if case .report(let number) = inquiry.purpose { return end(reportOf: number, lacking: shard) }
      if case .members(let number) = inquiry.purpose { return noCut(number, lacking: shard) }
      return answerError(inquiry.owner, .unavailable, "a shard did not report, and no part is an answer")
    }
    switch inquiry.purpose {
    case .quota(let shown): answerQuota(inquiry.owner, shown, records)
    case .campaign(let id): answerCampaign(inquiry.owner, id, records)
    case .job(let id): answerJob(inquiry.owner, id, records)
    case .budgets(let question): budgetsKnown(question, records)
    case .books: countTransactions(inquiry.owner, records, stamp)
    case .report(let number): reportMoment(number, records, stamp)
    case .members(let number): cutIsMade(number, records, stamp)
    case .zone(let change): zoneAnswered(change, records)
    }
  }

  // MARK: Quotas

  /// Whether a `SHOW` is a quota's, of now: then it is answered with what was drawn, over all shards.
  func showsQuota(_ request: Request, _ owner: EdgeItem.Owner, _ tenant: TenantID) -> Bool {
    guard request.readMode != .local, let entry = RequestDesk.entry(request), entry.kind == EntryKind.quota.number,
      !entry.hasMoment
    else { return false }
    let continuation = keep(.quotaShown(owner, tenant: tenant, id: entry.key))
    submitInternal(.directory, flags: .query, continuation: continuation, question(.showEntry, request, tenant))
    return true
  }
  func quotaShown(_ owner: EdgeItem.Owner, _ tenant: TenantID, _ id: [UInt8], _ reply: Bytes) {
    guard RecordView(reply).tag == .record else { return answer(owner, reply) }
    ask(.quota(tenant, id: id), .quota(shown: Array(reply)), owner)
  }
  private func answerQuota(_ owner: EdgeItem.Owner, _ shown: [UInt8], _ records: [[UInt8]]) {
    let totals = InquiryTotals(records, [.points], alike: [.needed])
    answer(owner) { reply in
      shown.withUnsafeBytes { reply.record(copying: Bytes(rebasing: $0[2...]), count: $0[1]) }
      reply.field(named: "used", totals[.points])
      reply.field(.left, max(0, (totals.alike(.needed) ?? 0) - totals[.points]))
    }
  }

  // MARK: Campaigns

  func reportCampaign(_ request: Request, _ owner: EdgeItem.Owner) {
    let id = Array(request.positional(0))
    guard let client = client(of: owner) else { return }
    let tenant = client.session.tenant
    ask(.campaign(tenant, id: id), .campaign(id: id), owner)
  }
  private func answerCampaign(_ owner: EdgeItem.Owner, _ id: [UInt8], _ records: [[UInt8]]) {
    let fields: [Field] = [.members, .transactions, .points, .spend]
    let totals = InquiryTotals(records, fields + [.held], alike: [.needed, .members])
    guard totals.alike(.members) != nil else {
      return answerError(owner, .notFound, "no such campaign '\(String(decoding: id, as: UTF8.self))'")
    }
    answer(owner) { reply in
      reply.record()
      reply.field(named: "campaign", String(decoding: id, as: UTF8.self))
      for field in fields { reply.field(field, totals[field]) }
      if let limit = totals.alike(.needed) { reply.field(.left, max(0, limit - totals[.held])) }
    }
  }

  // MARK: Entries

  /// The kind and the key that a request about an entry names, and whether it is about a moment.
  private static func entry(_ request: Request) -> (kind: Int, key: [UInt8], hasMoment: Bool)? {
    var buffer = ByteBuffer(capacity: 256)
    buffer.append(request.positional(0))
    buffer.append(request.positional(1))
    var reader = ByteReader(buffer.bytes)
    guard let entry = try? EntryRequest(decoding: &reader) else { return nil }
    return (Int(entry.kind), Array(entry.key), entry.moment != nil)
  }
}
