import Base
import Vocabulary

// `DUE`: who is to be written to, and why. A shard answers in pages, as for `MEMBER FIND`.

/// What a `DUE` asks.
public struct DueMembers: Sendable {
  enum Kind: UInt8, CaseIterable, Sendable {
    case birthday = 1
    case anniversary, expiry, dormant
  }
  var kind: Kind
  /// Since 1970.
  var day: Int64
  var days: Int64
  /// Of what ends, and of what was bought last. Empty: of any.
  var program: [UInt8]

  /// Nil: the request is none, or cannot be understood.
  init?(_ request: Request) {
    guard request.verb == .due, let word = request.text(.kind), let on = request.number(.on), on < 0,
      let kind = Kind.allCases.first(where: { "\($0)".utf8.elementsEqual(word) })
    else { return nil }
    self.kind = kind
    day = -1 - on
    days = request.number(.days) ?? 1
    program = request.text(.program).map { Array($0) } ?? []
  }
  /// Why a request cannot be understood; nil: it can.
  public static func refusal(of request: Request) -> String? {
    guard DueMembers(request) == nil else { return nil }
    let words = Kind.allCases.map { "\($0)" }.joined(separator: ", ")
    return (request.number(.on) ?? 0) < 0 ? "kind= must be one of \(words)" : "on= must be a date like 2026-06-07"
  }

  static func encode(_ due: DueMembers?, into buffer: inout ByteBuffer) {
    buffer.append(due?.kind.rawValue ?? 0)
    guard let due else { return }
    buffer.append(zigzag: due.day)
    buffer.append(zigzag: due.days)
    buffer.append(counted: due.program)
  }
  static func read(_ reader: inout ByteReader) throws(MalformedBytes) -> DueMembers? {
    let raw: UInt8 = try reader.read()
    guard raw > 0 else { return nil }
    guard let kind = Kind(rawValue: raw) else { throw MalformedBytes("a search of an unknown kind") }
    let (day, days) = (try reader.readZigzag(), try reader.readZigzag())
    let furthest = CivilTime.latest.microseconds / CivilTime.microsecondsPerDay
    guard (0...furthest).contains(day), (1...10_000).contains(days) else { throw MalformedBytes("a date out of range") }
    return DueMembers(kind: kind, day: day, days: days, program: Array(try reader.readCounted()))
  }
  private init(kind: Kind, day: Int64, days: Int64, program: [UInt8]) {
    (self.kind, self.day, self.days, self.program) = (kind, day, days, program)
  }
}

extension Ledger {
  /// One thing that is due.
  private struct Due {
    var day: Int64
    var program = ProgramRef.none
    var points: Points = 0
  }

  func writePage(of tenant: TenantID, from first: Int, limit: Int, _ wanted: DueMembers, _ reply: inout ReplyWriter) {
    let program = wanted.program.withUnsafeBytes { catalogue.program($0, tenant: tenant) }
    guard wanted.program.isEmpty || program != nil else {
      return wanted.program.withUnsafeBytes { Refusal.notFound("program", $0) }.write(into: &reply)
    }
    var found: [(Ref<MemberRecord>, Due)] = []
    var place = min(first, tables.members.count)
    let end = min(place + Ledger.membersAPage, tables.members.count)
    while place < end, found.count < limit {
      let ref = Ref<MemberRecord>(place: place)
      let member = tables.members.read(ref)
      if member.pointee.isUsed, member.pointee.tenant == tenant,
        member.pointee.state != MemberState.closed.rawValue
      {
        found += due(ref, wanted, program).map { (ref, $0) }
      }
      place += 1
    }
    reply.array(count: found.count + 1)
    for (ref, due) in found { write(ref, due, &reply) }
    writeEnd(of: place, &reply)
  }
  private func write(_ ref: Ref<MemberRecord>, _ due: Due, _ reply: inout ReplyWriter) {
    let member = tables.members.read(ref)
    reply.record()
    reply.field(.member, memberID(member))
    reply.field(named: "name", file(ofMember: member)[.name])
    reply.field(named: "date", Ledger.text(ofDay: due.day))
    guard !due.program.isNone else { return }
    catalogue.withProgramName(due.program) { reply.field(.program, $0) }
    if due.points > 0 { reply.field(.points, due.points) }
  }

  /// Like 2026-06-07.
  static func text(ofDay day: Int64) -> String {
    let (year, month, dayOfMonth) = CivilTime.date(day: day)
    func digits(_ number: Int64, _ count: Int) -> String {
      let text = String(number)
      return String(repeating: "0", count: max(0, count - text.count)) + text
    }
    return "\(digits(year, 4))-\(digits(month, 2))-\(digits(dayOfMonth, 2))"
  }

  private func due(_ ref: Ref<MemberRecord>, _ wanted: DueMembers, _ program: ProgramRef?) -> [Due] {
    let member = tables.members.read(ref)
    switch wanted.kind {
    case .birthday:
      guard member.pointee.hasFile else { return [] }
      let text = file(ofMember: member)[.birthday]
      guard let born = text.withUnsafeBytes({ MomentText.parseDate($0, earliest: 1) }) else { return [] }
      return returning(born, in: wanted).map { [Due(day: $0)] } ?? []
    case .anniversary:
      let offset =
        catalogue.defaultProgram(of: member.pointee.tenant)
        .map { catalogue.programRows[$0.place].offset } ?? 0
      let joined = CivilTime.day(of: member.pointee.since, offset: offset)
      return returning(joined, in: wanted).map { [Due(day: $0)] } ?? []
    case .expiry: return ending(ref, wanted, program)
    case .dormant: return isDormant(ref, wanted, program) ? [Due(day: wanted.day)] : []
    }
  }
  /// The day of a later year, among those that are wanted, that has the same month and day: 28 February for the 29th in common years.
  private func returning(_ first: Int64, in wanted: DueMembers) -> Int64? {
    let (_, month, dayOfMonth) = CivilTime.date(day: first)
    let (year, _) = CivilTime.yearAndMonth(day: wanted.day)
    return [year, year + 1].lazy.map { CivilTime.day(year: $0, month: month, day: dayOfMonth) }
      .first { $0 > first && $0 >= wanted.day && $0 < wanted.day + wanted.days }
  }
  /// What ends, by program and day: at 00:00 of that day.
  private func ending(_ ref: Ref<MemberRecord>, _ wanted: DueMembers, _ program: ProgramRef?) -> [Due] {
    let member = tables.members.read(ref)
    var all: [Due] = []
    forEachAccount(member) { account in
      let own = account.pointee.program
      guard program ?? own == own else { return }
      let offset = catalogue.programRows[own.place].offset
      let first = CivilTime.midnight(ofDay: wanted.day, offset: offset)
      let end = CivilTime.midnight(ofDay: wanted.day + wanted.days, offset: offset)
      _ = position(member, own) { moment, points in
        guard moment >= first, moment < end else { return }
        let day = CivilTime.day(of: moment, offset: offset)
        if let known = all.firstIndex(where: { $0.day == day && $0.program == own }) {
          all[known].points += points
        } else {
          all.append(Due(day: day, program: own, points: points))
        }
      }
    }
    return all.sorted { ($0.day, $0.program.rawValue) < ($1.day, $1.program.rawValue) }
  }
  /// Nothing is known that the member bought or did in the days before.
  private func isDormant(_ ref: Ref<MemberRecord>, _ wanted: DueMembers, _ program: ProgramRef?) -> Bool {
    let member = tables.members.read(ref)
    let limit = wanted.day - wanted.days
    func day(_ moment: Stamp, _ program: ProgramRef) -> Int64 {
      CivilTime.day(of: moment, offset: program.isNone ? 0 : catalogue.programRows[program.place].offset)
    }
    var latest = day(member.pointee.since, catalogue.defaultProgram(of: member.pointee.tenant) ?? .none)
    forEachCounter(of: ref) { key, value in
      guard program.map({ key.subject == UInt32($0.place) }) ?? true else { return }
      if key.kind == CounterKey.Kind.purchase.rawValue { latest = max(latest, value - 1) }
      if key.kind == CounterKey.Kind.activity.rawValue { latest = max(latest, value) }
    }
    forEachAccount(member) { account in
      let own = account.pointee.program
      guard program ?? own == own else { return }
      var next = account.pointee.firstLot
      while next != .none {
        let lot = lot(member, next).pointee
        latest = max(latest, day(lot.earnedAt, own))
        next = lot.next
      }
    }
    return latest <= limit
  }
}
