import Base
import Vocabulary

// `REPORT`: what a shard is asked for one. Its journal is added up beside the loop, its members page by page, as for `MEMBER FIND`.

/// What nodes ask for reports.
private enum ReportQuestion: UInt8 {
  case points = 1
  case members = 2
  case words = 3
}

extension Query {
  /// What movements in a journal come to, as a `PointPage` in a text: in the shard's own, or in that of another which its records
  /// refer to. `NOTFOUND`: it has no such journal, or there is no such program. `slot` is any of the shard's.
  public static func appendReport(to buffer: inout ByteBuffer, slot: Slot, _ report: PointReport) {
    append(.points, to: &buffer, slot, report.tenant) { report.encode(into: &$0) }
  }
  /// How many members there are, as a `MemberReportPage` in a text.
  public static func appendReport(to buffer: inout ByteBuffer, slot: Slot, tenant: TenantID, _ report: MemberReport) {
    append(.members, to: &buffer, slot, tenant) { report.encode(into: &$0) }
  }
  /// The class, or the tier in a program, of each of some members of the shard's: counted words in a text, in their order.
  public static func appendWords(
    to buffer: inout ByteBuffer, slot: Slot, tenant: TenantID, of members: [[UInt8]], by key: MemberKey,
    program: [UInt8]
  ) {
    append(.words, to: &buffer, slot, tenant) {
      $0.append(key.rawValue)
      $0.append(counted: program)
      for member in members { $0.append(counted: member) }
    }
  }
  private static func append(
    _ question: ReportQuestion, to buffer: inout ByteBuffer, _ slot: Slot, _ tenant: TenantID,
    _ body: (inout ByteBuffer) -> Void
  ) {
    let start = Command.begin(&buffer, .reportPage, slot, tenant: tenant)
    buffer.append(question.rawValue)
    body(&buffer)
    Command.end(&buffer, start)
  }
}

/// What a shard is asked for a report, as it was understood.
private enum AskedReport {
  case points(PointReport)
  case members(MemberReport)
  case words(of: [[UInt8]], key: MemberKey, program: [UInt8])

  init(_ reader: inout ByteReader, _ tenant: TenantID) throws(MalformedBytes) {
    switch ReportQuestion(rawValue: try reader.read()) {
    case .points: self = .points(try PointReport(&reader, tenant: tenant))
    case .members: self = .members(try MemberReport(&reader))
    case .words:
      guard let key = MemberKey(rawValue: try reader.read()) else { throw MalformedBytes("words of an unknown kind") }
      let program = Array(try reader.readCounted())
      var members: [[UInt8]] = []
      while !reader.isAtEnd { members.append(Array(try reader.readCounted())) }
      self = .words(of: members, key: key, program: program)
    case nil: throw MalformedBytes("a report of an unknown kind")
    }
    try reader.finish()
  }
}

extension Ledger {
  /// Members that a page of a report looks at: a fraction of a millisecond.
  private static var membersAReportPage: Int { 512 }

  func readReport(_ call: Call, _ reply: inout ReplyWriter) throws(Stop) -> ReadOutcome {
    let asked: AskedReport
    do throws(MalformedBytes) {
      var reader = ByteReader(call.body)
      asked = try AskedReport(&reader, call.tenant)
    } catch {
      throw .malformed(error.description)
    }
    switch asked {
    case .points(let report): return try read(report, &reply)
    case .members(let report): try read(report, call.tenant, &reply)
    case .words(let members, let key, let program): try readWords(of: members, key, program, call.tenant, &reply)
    }
    return .replied
  }

  private func read(_ report: PointReport, _ reply: inout ReplyWriter) throws(Stop) -> ReadOutcome {
    let program = report.key == .transactions ? .none : try reportedProgram(report.program, report.tenant)
    let inherited = lineage.map(\.position)
    let own = core.isInEntry ? journal.openFrame : journal.end
    let journal = report.place.journal
    guard let end = journal == shard ? own : inherited.first(where: { $0.journal == journal }),
      !end.isBefore(report.place.frame) || report.place.isEnd(end)
    else {
      throw .refused(
        Refusal(.notFound, "shard \(shard.rawValue) knows no such place of the journal of shard \(journal.rawValue)"))
    }
    var merchants: Set<MerchantRef>?
    if !report.merchants.isEmpty {
      merchants = []
      for name in report.merchants {
        if let one = name.withUnsafeBytes({ catalogue.merchant($0, tenant: report.tenant) }) { merchants?.insert(one) }
      }
    }
    let walk = PointWalk(
      report, program, offset: program.isNone ? 0 : catalogue.programRows[program.place].offset, merchants: merchants,
      to: end,
      lineage: inherited)
    return .journal(JournalQuery(walk, catalogue: catalogue.records))
  }
  private func reportedProgram(_ name: [UInt8], _ tenant: TenantID) throws(Stop) -> ProgramRef {
    let found = name.withUnsafeBytes { bytes in
      Result { () throws(Stop) in try program(bytes, .none, tenant) }
    }
    return try found.get()
  }

  // MARK: Members

  private func read(_ report: MemberReport, _ tenant: TenantID, _ reply: inout ReplyWriter) throws(Stop) {
    // Who has no program yet has members all the same.
    let program = report.program.isEmpty ? catalogue.defaultProgram(of: tenant) : nil
    let meant = report.program.isEmpty ? program ?? .none : try reportedProgram(report.program, tenant)
    let offset = meant.isNone ? 0 : catalogue.programRows[meant.place].offset
    let from = report.from.map { Entries.moment($0, zone: offset) } ?? .zero
    let until = report.until.map { Entries.moment($0, zone: offset) } ?? .never
    let isByJoining = report.key == .day || report.key == .month
    var sums: [[UInt8]: MemberFigures] = [:]
    var place = min(report.place, tables.members.count)
    let end = min(place + Ledger.membersAReportPage, tables.members.count)
    while place < end {
      let ref = Ref<MemberRecord>(place: place)
      let member = tables.members.read(ref)
      place += 1
      guard member.pointee.isUsed, member.pointee.tenant == tenant else { continue }
      let isJoiner = member.pointee.since >= from && member.pointee.since < until
      guard isJoiner || !isByJoining else { continue }
      let key: [UInt8]
      switch report.key {
      case .none: key = []
      case .holderClass, .tier, .region: key = word(of: ref, report.key, meant)
      case .day, .month:
        let text = Ledger.text(ofDay: CivilTime.day(of: member.pointee.since, offset: offset))
        key = Array(text.utf8.prefix(report.key == .day ? 10 : 7))
      }
      sums[key, default: MemberFigures()].count(member.pointee.state, isJoiner: isJoiner)
    }
    var page = MemberReportPage(next: place < tables.members.count ? place : nil, epoch: core.epoch)
    page.figures = sums.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map { ($0.key, $0.value) }
    page.write(into: &reply)
  }
  /// A member's class, region, or tier in a program; empty: it has none.
  private func word(of ref: Ref<MemberRecord>, _ key: MemberKey, _ program: ProgramRef) -> [UInt8] {
    let member = tables.members.read(ref)
    switch key {
    case .holderClass:
      let own = holderClass(member)
      return own.isEmpty ? Array(Ledger.consumer) : own
    case .tier:
      guard !program.isNone, let view = tierView(ref, program) else { return [] }
      return catalogue.records.tierName(view.rung.number)
    case .region: return member.pointee.hasFile ? file(ofMember: member)[.region] : []
    case .none, .day, .month: return []
    }
  }
  private func readWords(
    of members: [[UInt8]], _ key: MemberKey, _ program: [UInt8], _ tenant: TenantID, _ reply: inout ReplyWriter
  ) throws(Stop) {
    let meant = try reportedProgram(program, tenant)
    var buffer = ByteBuffer(capacity: 16 * members.count)
    for id in members {
      guard let ref = id.withUnsafeBytes({ findMember($0, tenant: tenant) }) else {
        throw .refused(Refusal(.unavailable, "members are moving to other shards: ask again"))
      }
      buffer.append(counted: word(of: ref, key, meant))
    }
    reply.text(buffer.bytes)
  }
}

extension MemberFigures {
  fileprivate mutating func count(_ state: UInt8, isJoiner: Bool) {
    if isJoiner { joined += 1 }
    switch MemberState(rawValue: state) {
    case .closed: closed += 1
    case .frozen, .merging: frozen += 1
    case .active, nil: active += 1
    }
  }
}
