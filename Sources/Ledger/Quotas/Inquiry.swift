import Base
import Vocabulary

/// What is asked of all shards at one stamp, by a marker as an audit's is: its answer is a record of figures that add up.
public enum Inquiry: Sendable, Hashable {
  /// `points`: drawn of a quota in the period that holds the moment; `needed`: its limit.
  case quota(TenantID, id: [UInt8])
  /// `members transactions points spend` of a campaign; of its budget `held`, what is drawn, and `needed`, its limit; −1: it has none.
  case campaign(TenantID, id: [UInt8])
  /// `transactions`: something was booked in a program; `needed`: its zone is what is said; `up`: it is running. Nothing where it is not known.
  case movements(TenantID, program: [UInt8], zone: [UInt8])
  /// `done` and `steps` of a job, members, and whether it is under way: `up`; nothing where it is not known.
  case job(TenantID, id: [UInt8])
  /// What an audit has of one tenant's programs and members, but for the count of transactions, which its journal tells: see `Ledger.audit`.
  case books(TenantID)
  /// `members transactions points spend` and the budgets of all campaigns of a tenant, as `CampaignFigures`, in `detail`.
  case campaigns(TenantID)
  /// In `detail`, what is drawn of quotas' periods, divided by commas: see `KnownDraws`.
  case drawn(TenantID, periods: [UInt8])
  /// Nothing: whoever leads the shard opens a view of its members (`Ledger.openView`), if it can.
  case members

  func encode(into buffer: inout ByteBuffer) {
    func append(_ kind: UInt8, _ tenant: TenantID, _ texts: [UInt8]...) {
      buffer.append(kind)
      buffer.append(tenant.rawValue)
      for text in texts { buffer.append(counted: text) }
    }
    switch self {
    case .quota(let tenant, let id): append(1, tenant, id)
    case .campaign(let tenant, let id): append(2, tenant, id)
    case .movements(let tenant, let program, let zone): append(3, tenant, program, zone)
    case .job(let tenant, let id): append(4, tenant, id)
    case .books(let tenant): append(40, tenant, [])
    case .campaigns(let tenant): append(57, tenant, [])
    case .drawn(let tenant, let periods): append(58, tenant, periods)
    case .members: append(62, .first, [])
    }
  }
  init(_ reader: inout ByteReader) throws(MalformedBytes) {
    let kind: UInt8 = try reader.read()
    let tenant = TenantID(try reader.read())
    let id = Array(try reader.readCounted())
    switch kind {
    case 1: self = .quota(tenant, id: id)
    case 2: self = .campaign(tenant, id: id)
    case 3: self = .movements(tenant, program: id, zone: Array(try reader.readCounted()))
    case 4: self = .job(tenant, id: id)
    case 40: self = .books(tenant)
    case 57: self = .campaigns(tenant)
    case 58: self = .drawn(tenant, periods: id)
    case 62: self = .members
    default: throw MalformedBytes("an inquiry of an unknown kind")
    }
    try reader.finish()
  }
}

extension Command {
  /// A marker whose reply is a record of what is asked.
  public static func appendMarker(to buffer: inout ByteBuffer, slot: Slot, asking inquiry: Inquiry) {
    let start = begin(&buffer, .marker, slot)
    inquiry.encode(into: &buffer)
    end(&buffer, start)
  }
}

extension Ledger {
  /// Writes what an inquiry asks, with what the whole is told by: `slots`, and `moving` while books are on their way.
  func answer(_ inquiry: Inquiry, into reply: inout ReplyWriter) {
    reply.record()
    reply.field(.shard, Int64(shard.rawValue))
    switch inquiry {
    case .quota(let tenant, let id):
      guard let number = id.withUnsafeBytes({ catalogue.number(.quota, $0, tenant) }) else { break }
      writeQuota(number, as: .points, &reply)
    case .campaign(let tenant, let id):
      guard let number = id.withUnsafeBytes({ catalogue.number(.campaign, $0, tenant) }) else { break }
      let figures = campaignFigures(number)
      reply.field(.members, figures.members)
      reply.field(.transactions, figures.transactions)
      reply.field(.points, Int64(clamping: figures.points))
      reply.field(.spend, Int64(clamping: figures.spend))
      if let budget = budget(ofCampaign: Int(number)) {
        reply.field(.held, budget.drawn)
        reply.field(.needed, budget.limit)
      }
    case .movements(let tenant, let program, let zone):
      guard let ref = program.withUnsafeBytes({ catalogue.program($0, tenant: tenant) }) else { break }
      reply.field(.transactions, hasMovements(ref) ? 1 : 0)
      let own = catalogue.value(.program, ref.place, ProgramField.zone)
      let isSame = (own ?? EntryField.stored(0)) == zone
      reply.field(.needed, isSame ? 1 : 0)
      reply.field(.up, catalogue.programRows[ref.place].isActive ? 1 : 0)
    case .job(let tenant, let id):
      guard let ref = findJob(id, tenant) else { break }
      let job = tables.quotas.jobs.read(ref).pointee
      reply.field(.done, Int64(clamping: job.done))
      reply.field(.steps, Int64(tables.members.count))
      reply.field(.up, job.state == JobRecord.running ? 1 : 0)
    case .books(let tenant): writeBooks(of: tenant, &reply)
    case .campaigns(let tenant): writeCampaigns(of: tenant, &reply)
    case .drawn(_, let periods): writeDrawn(periods, &reply)
    case .members: break
    }
    if core.hasMovedSlots { reply.field(.slots, "\(core.ranges)") }
    if let slots = openExport?.slots {
      reply.field(.moving, slots.isEmpty ? "books" : "\(slots.lowerBound)-\(slots.upperBound - 1)")
    }
  }
  private func writeQuota(_ number: UInt32, as field: Field, _ reply: inout ReplyWriter) {
    guard let figures = figures(ofQuota: number) else { return }
    reply.field(field, figures.drawn)
    reply.field(.needed, figures.limit)
  }
  /// What of a campaign's budget is drawn here in the period that holds the moment, and its limit; nil: it has none.
  func budget(ofCampaign number: Int) -> (drawn: Int64, limit: Int64)? {
    let stored = catalogue.value(.campaign, number, CampaignField.budget)
    guard let budget = stored.flatMap({ $0.withUnsafeBytes { Entries.references($0).first } }) else { return nil }
    return figures(ofQuota: UInt32(clamping: budget))
  }
  private func figures(ofQuota number: UInt32) -> (drawn: Int64, limit: Int64)? {
    guard let row = catalogue.quota(number) else { return nil }
    let zone = catalogue.defaultProgram(of: row.tenant).map { catalogue.programRows[$0.place].offset } ?? 0
    let period = catalogue.period(ofQuota: number, day: CivilTime.day(of: now, offset: zone))
    return (period.map { drawn(of: $0) } ?? 0, row.limit)
  }
  private func hasMovements(_ program: ProgramRef) -> Bool {
    guard program.place < tables.programs.count else { return false }
    let record = tables.programs.read(Ref(place: program.place)).pointee
    return record.accounts > 0 || record.figures.indices.contains { record.figures[$0] != 0 }
  }
}

enum ProgramField { static let zone = 7 }
