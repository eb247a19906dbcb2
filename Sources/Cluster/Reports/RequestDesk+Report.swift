import Base
import Ledger
import Protocol
import Vocabulary

/// `REPORT`: see docs/reports.md.
extension RequestDesk {
  /// - Parameter mostAhead: by how much the clock that is most ahead of ours is.
  func startReport(_ request: Request, _ owner: EdgeItem.Owner, mostAhead: Int64) {
    guard let client = client(of: owner) else { return }
    let report: ReportUnderWay
    switch reportWords(request, owner, client.session.tenant) {
    case .success(let words): report = words
    case .failure(let refusal): return answerError(owner, refusal.code, refusal.text)
    }
    guard workflows.reports.hasRoom() else {
      return answerError(
        owner, .busy,
        "\(ReportUnderWay.mostAtOnce) reports are under way at this node; ask another, or later; nothing was done")
    }
    let number = workflows.number()
    workflows.reports[number] = report
    switch report.name {
    case .points: ask(nil, .report(number), owner, mostAhead: mostAhead)
    case .campaigns: ask(.campaigns(report.tenant), .report(number), owner, mostAhead: mostAhead)
    case .members:
      workflows.reports[number]?.asof = now.wall
      workflows.reports[number]?.map = mapNumber
      workflows.reports[number]?.shards = (membership.topology?.shards.map(\.shard) ?? []).sorted(by: >)
      continueReport(number)
    }
  }
  private struct ReportRefusal: Error {
    var code = ErrorCode.malformed
    var text: String
  }
  private func reportWords(
    _ request: Request, _ owner: EdgeItem.Owner, _ tenant: TenantID
  ) -> Result<ReportUnderWay, ReportRefusal> {
    let word = String(decoding: request.positional(0), as: UTF8.self)
    guard let name = ReportUnderWay.Name(rawValue: word) else {
      let names = ReportUnderWay.Name.allCases.map(\.rawValue).joined(separator: ", ")
      return .failure(
        ReportRefusal(
          text: ReportUnderWay.later.contains(word)
            ? "there is no report of \(word) in this build yet: it has \(names)" : "there are reports of \(names)"))
    }
    var report = ReportUnderWay(owner: owner, tenant: tenant, name: name)
    if request.positionalCount > 1 { report.program = Array(request.positional(1)) }
    (report.from, report.until) = (request.number(.from), request.number(.until))
    if let by = request.text(.by) {
      let known = ReportUnderWay.Division.allCases.filter { division in
        switch name {
        case .points: true
        case .members: division.ofMembers != nil
        case .campaigns: false
        }
      }
      guard let division = known.first(where: { $0.rawValue.utf8.elementsEqual(by) }) else {
        let words = known.map(\.rawValue).joined(separator: ", ")
        return .failure(
          ReportRefusal(text: known.isEmpty ? "REPORT \(word) takes no by=" : "by= must be one of \(words)"))
      }
      report.division = division
    }
    if name == .campaigns, report.from != nil || report.until != nil || request.positionalCount > 1 {
      return .failure(ReportRefusal(text: "REPORT campaigns takes neither a program nor from= and until="))
    }
    guard let merchant = request.text(.merchant) else { return .success(report) }
    guard name == .points else { return .failure(ReportRefusal(text: "REPORT \(word) takes no merchant=")) }
    report.merchants = directory?.entries.merchants(of: tenant, at: now.wall).family(of: merchant) ?? []
    guard !report.merchants.isEmpty else {
      return .failure(
        ReportRefusal(code: .notFound, text: "no such merchant '\(String(decoding: merchant, as: UTF8.self))'"))
    }
    guard report.merchants.count <= PointReport.mostMerchants else {
      return .failure(
        ReportRefusal(
          code: .limit, text: "more than \(PointReport.mostMerchants) merchants are below it: leave merchant= out"))
    }
    return .success(report)
  }

  /// All shards have said what they have at one stamp.
  func reportMoment(_ number: UInt64, _ records: [[UInt8]], _ stamp: Stamp) {
    guard var report = workflows.reports[number] else { return }
    if report.name == .campaigns { return answerCampaigns(number, records, stamp) }
    report.begin(RequestDesk.shards(of: records), asof: stamp)
    workflows.reports[number] = report
    continueReport(number)
  }
  private static func shards(of records: [[UInt8]]) -> [ShardID] {
    records.compactMap { record in
      record.withUnsafeBytes { RecordView($0).number(.shard) }.map { ShardID(UInt32(clamping: $0)) }
    }
  }
  /// What shards have said of one tenant's books is there; how many transactions that are, their journals tell.
  func countTransactions(_ owner: EdgeItem.Owner, _ books: [[UInt8]], _ stamp: Stamp) {
    guard let client = client(of: owner) else { return }
    guard workflows.reports.hasRoom(forAudits: true) else {
      return answerError(
        owner, .busy,
        "\(ReportUnderWay.mostAtOnce) audits of tenants are under way at this node; ask another, or later; nothing was done"
      )
    }
    var report = ReportUnderWay(owner: owner, tenant: client.session.tenant, name: .points)
    report.books = books
    report.begin(RequestDesk.shards(of: books), asof: stamp)
    let number = workflows.number()
    workflows.reports[number] = report
    continueReport(number)
  }

  // MARK: Pages

  /// With each tick.
  func advanceReports() {
    guard !workflows.reports.isEmpty else { return }
    for number in workflows.reports.due(now: now.monotonic) { continueReport(number) }
  }
  private func continueReport(_ number: UInt64) {
    workflows.reports[number]?.nextPage = nil
    workflows.reports[number]?.askedAt = now.monotonic
    guard var report = workflows.reports[number] else { return }
    // Nobody hears the answer any more.
    guard client(of: report.owner) != nil else { return workflows.reports[number] = nil }
    if report.name == .members { return askForMembers(number, report) }
    if let (shard, members) = report.unknown.last { return askForWords(number, report, shard, members.map(\.id)) }
    if report.places.isEmpty {
      report.askInherited()
      workflows.reports[number] = report
    }
    guard let next = report.places.last else { return answerPoints(number) }
    var query = PointReport(
      from: next.place, tenant: report.tenant, program: report.program, by: report.key,
      from: report.from, until: report.until, moment: report.asof)
    query.merchants = report.merchants
    ask(next.by, number) { Query.appendReport(to: &$0, slot: $1, query) }
  }
  private func askForMembers(_ number: UInt64, _ report: ReportUnderWay) {
    guard let shard = report.shards.last else { return answerMembers(number) }
    let query = MemberReport(
      from: report.place, by: report.division?.ofMembers ?? .none, program: report.program, joinedFrom: report.from,
      until: report.until)
    ask(shard, number) { Query.appendReport(to: &$0, slot: $1, tenant: report.tenant, query) }
  }
  private func askForWords(_ number: UInt64, _ report: ReportUnderWay, _ shard: ShardID, _ members: [[UInt8]]) {
    ask(shard, number) {
      Query.appendWords(
        to: &$0, slot: $1, tenant: report.tenant, of: members, by: report.division?.ofMembers ?? .none,
        program: report.program)
    }
  }
  private func ask(_ shard: ShardID, _ number: UInt64, _ write: (inout ByteBuffer, Slot) -> Void) {
    guard let placement = membership.topology?.placement(of: shard) else {
      return end(number, .unavailable, "shards are split or merged just now: ask again", lacking: shard)
    }
    guard isLed(shard) else {
      return end(
        number, .unavailable, "no leader of shard \(shard.rawValue) is known, and no part is an answer", lacking: shard)
    }
    submitInternal(shard, flags: .query, continuation: keep(.report(number: number, shard: shard))) {
      write(&$0, placement.slots.first ?? Slot(0))
    }
  }

  func reportAnswered(_ number: UInt64, _ shard: ShardID, _ reply: Bytes) {
    guard let report = workflows.reports[number] else { return }
    let view = RecordView(reply)
    guard let text = view.wholeText else {
      // There is no such program.
      if view.errorCode == .notFound {
        workflows.reports[number] = nil
        return answer(report.owner, reply)
      }
      return end(
        number, .unavailable, "shard \(shard.rawValue) did not answer, and no part is an answer", lacking: shard)
    }
    let isTaken =
      report.name == .members ? take(membersPage: text, number, report, shard) : take(text, number, report, shard)
    guard isTaken else { return }
    let keys = workflows.reports[number].map { max($0.points.count, $0.members.count) } ?? 0
    guard keys <= ReportUnderWay.mostKeys else {
      return end(
        number, .limit,
        "it would have more than \(ReportUnderWay.mostKeys) records: say from= and until=, or another by=")
    }
    let pause = min(now.monotonic - report.askedAt, ReportUnderWay.longestPause)
    guard pause >= ReportUnderWay.shortestPause else { return continueReport(number) }
    workflows.reports[number]?.nextPage = now.monotonic + pause
  }
  /// - Returns: false: it is answered.
  private func take(_ text: Bytes, _ number: UInt64, _ report: ReportUnderWay, _ shard: ShardID) -> Bool {
    var report = report
    if !report.unknown.isEmpty {
      guard report.takeWords(text) else { return isUnreadable(number, shard) }
    } else {
      guard let page = try? PointPage(decoding: text) else { return isUnreadable(number, shard) }
      let tenant = report.tenant
      report.take(page, by: shard) { member in
        edge.shard(of: member.withUnsafeBytes { Command.memberSlot($0, tenant: tenant) })
      }
    }
    workflows.reports[number] = report
    return true
  }
  private func take(
    membersPage text: Bytes, _ number: UInt64, _ report: ReportUnderWay, _ shard: ShardID
  ) -> Bool {
    guard let page = try? MemberReportPage(decoding: text) else { return isUnreadable(number, shard) }
    // As for `MEMBER FIND`: no member is on its way between two shards.
    guard page.epoch == membership.topology?.placement(of: shard)?.epoch, report.map == mapNumber else {
      end(number, .unavailable, "members are moving to other shards: ask again", lacking: shard)
      return false
    }
    var report = report
    for (key, figures) in page.figures { report.members[key, default: MemberFigures()] += figures }
    report.place = page.next ?? 0
    if page.next == nil { report.shards.removeLast() }
    workflows.reports[number] = report
    return true
  }
  private func isUnreadable(_ number: UInt64, _ shard: ShardID) -> Bool {
    end(number, .unavailable, "shard \(shard.rawValue) answered in an unknown form", lacking: shard)
    return false
  }
  /// Answers with an error.
  func end(reportOf number: UInt64, lacking shard: ShardID?) {
    let which = shard.map { "shard \($0.rawValue)" } ?? "a shard"
    end(number, .unavailable, "\(which) did not report, and no part is an answer", lacking: shard)
  }
  private func end(_ number: UInt64, _ code: ErrorCode, _ text: String, lacking shard: ShardID? = nil) {
    guard let owner = workflows.reports[number]?.owner else { return }
    workflows.reports[number] = nil
    answer(owner) { reply in
      reply.error(code, text)
      if let shard { reply.field(named: "shards", "\(shard.rawValue)") }
    }
  }

  // MARK: Answers

  private func answerPoints(_ number: UInt64) {
    guard var report = workflows.reports[number] else { return }
    workflows.reports[number] = nil
    if let books = report.books {
      return answerAudit(report.owner, books, asof: report.asof, transactions: report.points[[]]?.issued ?? 0)
    }
    let merchants = directory?.entries.merchants(of: report.tenant, at: now.wall)
    switch report.division {
    case .org: report.divide { merchants?.org(of: $0) }
    case .region: report.divide { merchants?.region(of: $0) }
    default: break
    }
    if report.division == nil, report.points.isEmpty { report.points[[]] = PointFigures() }
    // By key, and what has none last.
    let sums = report.points.sorted { a, b in
      a.key.isEmpty || b.key.isEmpty ? !a.key.isEmpty : a.key.lexicographicallyPrecedes(b.key)
    }
    write(report, sums.map { ($0.key, $0.value) }) { $0.write(into: &$1) }
  }
  private func answerMembers(_ number: UInt64) {
    guard var report = workflows.reports[number] else { return }
    workflows.reports[number] = nil
    if report.division == nil, report.members.isEmpty { report.members[[]] = MemberFigures() }
    let sums = report.members.sorted { a, b in
      a.key.isEmpty || b.key.isEmpty ? !a.key.isEmpty : a.key.lexicographicallyPrecedes(b.key)
    }
    write(report, sums.map { ($0.key, $0.value) }) { $0.write(into: &$1) }
  }
  private func write<Figures>(
    _ report: ReportUnderWay, _ sums: [([UInt8], Figures)], _ write: (Figures, inout ReplyWriter) -> Void
  ) {
    answer(report.owner) { reply in
      if report.division != nil { reply.array(count: sums.count) }
      for (key, figures) in sums {
        reply.record()
        if let division = report.division {
          let isOfMerchants = division.ofPoints == .merchant && report.name == .points
          let none = isOfMerchants ? ReportUnderWay.theOperator : "none"
          reply.field(named: division.rawValue, key.isEmpty ? none : String(decoding: key, as: UTF8.self))
        }
        write(figures, &reply)
        reply.field(.asof, report.asof)
      }
    }
  }
  /// A record a campaign, by id.
  private func answerCampaigns(_ number: UInt64, _ records: [[UInt8]], _ stamp: Stamp) {
    guard let report = workflows.reports[number] else { return }
    workflows.reports[number] = nil
    var sums: [[UInt8]: CampaignFigures] = [:]
    for record in records {
      let isRead = record.withUnsafeBytes { bytes in
        RecordView(bytes).text(.detail).map { CampaignFigures.add($0, to: &sums) } ?? true
      }
      guard isRead else {
        return answerError(report.owner, .unavailable, "a shard answered in an unknown form")
      }
    }
    answer(report.owner) { reply in
      let sums = sums.sorted { $0.key.lexicographicallyPrecedes($1.key) }
      reply.array(count: sums.count)
      for (id, figures) in sums {
        reply.record()
        reply.field(named: "campaign", String(decoding: id, as: UTF8.self))
        figures.write(into: &reply)
        reply.field(.asof, stamp)
      }
    }
  }
}
