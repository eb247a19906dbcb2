import Base
import Ledger

/// What waits inside this node: requests between two of their steps, and those that gather the answers of many shards. Each
/// waits under a number of its own; an answer to a step comes back with it.
struct Workflows {
  private var steps: [UInt64: Continuation] = [:]
  private var nextNumber: UInt64 = 1
  private(set) var audits: [UInt64: Audit] = [:]
  /// By the number of the audit that each has.
  var checks: [UInt64: CheckUnderWay] = [:]
  /// The same of inquiries.
  var inquiries: [UInt64: InquiryUnderWay] = [:]
  /// Jobs that shards are told of.
  var jobs: [UInt64: JobUnderWay] = [:]
  /// The audit by which what was restored proves to be the backup, and when the next may begin.
  var proof: UInt64?
  var nextProof: UInt64 = 0
  private(set) var searches: [UInt64: MemberSearch] = [:]
  /// What `FEED` has under way.
  var feeds = FeedTable()
  var reports = ReportTable()
  private var healthChecks: [UInt64: HealthCheck] = [:]
  private var probes: [EdgeItem.Owner] = []
  private var catalogueWaits: [CatalogueWait] = []

  /// An audit is tried so often.
  static let auditAttempts = 10
  /// Until an audit is tried again, in microseconds.
  private static let auditPause: UInt64 = 10_000

  mutating func number() -> UInt64 {
    defer { nextNumber += 1 }
    return nextNumber
  }

  // MARK: Steps

  /// Keeps what is to be done with an answer. Number 0 is nobody's.
  mutating func keep(_ step: Continuation) -> UInt64 {
    let number = number()
    steps[number] = step
    return number
  }
  func step(_ number: UInt64) -> Continuation? { steps[number] }
  /// The answer is there: it comes once.
  mutating func take(_ number: UInt64) -> Continuation? { steps.removeValue(forKey: number) }

  // MARK: Audits

  enum AuditOutcome: Hashable {
    case waits
    /// All shards have reported: their records, in the order of the shards.
    case complete([[UInt8]])
    case failed
  }

  mutating func beginAudit(_ owner: EdgeItem.Owner) -> UInt64 {
    let number = number()
    audits[number] = Audit(owner: owner)
    return number
  }
  /// So many shards are asked (again). Which attempt it is, from 1; nil: it is over.
  mutating func attemptAudit(_ number: UInt64, of shards: Int, at stamp: (_ attempt: Int) -> Stamp = { _ in .zero })
    -> Int?
  {
    audits[number]?.attempt += 1
    if let attempt = audits[number]?.attempt { audits[number]?.stamp = stamp(attempt) }
    audits[number]?.shards = shards
    audits[number]?.records = [:]
    audits[number]?.retryAt = nil
    return audits[number]?.attempt
  }
  /// - Parameters:
  ///   - isThere: the shard is in the map still; else all that are there now are asked.
  ///   - isWhole: whether their records are of the whole cluster; else all are asked again.
  /// - Returns: who asked, if it is this attempt's answer, and what came of it; of one that is over no more is kept.
  mutating func auditAnswered(
    _ number: UInt64, _ shard: ShardID, _ attempt: Int, _ reply: UnsafeRawBufferPointer, isThere: Bool, now: UInt64,
    isWhole: ([ShardID: [UInt8]]) -> Bool = { _ in true }
  ) -> (owner: EdgeItem.Owner, stamp: Stamp, outcome: AuditOutcome)? {
    guard let audit = audits[number], audit.attempt == attempt else { return nil }
    let view = RecordView(reply)
    if view.tag == .record {
      audits[number]?.records[shard] = Array(reply)
      guard let records = audits[number]?.records, records.count == audit.shards else {
        return (audit.owner, audit.stamp, .waits)
      }
      if isWhole(records) {
        audits[number] = nil
        return (audit.owner, audit.stamp, .complete(records.sorted { $0.key < $1.key }.map(\.value)))
      }
    }
    if view.tag == .record || view.errorCode == .busy || !isThere, attempt < Workflows.auditAttempts {
      audits[number]?.retryAt = now + Workflows.auditPause
      return (audit.owner, audit.stamp, .waits)
    }
    audits[number] = nil
    return (audit.owner, audit.stamp, .failed)
  }
  /// Those that are to be tried again.
  func dueAudits(now: UInt64) -> [UInt64] {
    audits.filter { $0.value.retryAt.map { now >= $0 } ?? false }.keys.sorted()
  }

  // MARK: Searches

  /// Nil: so many are under way that another has to wait.
  mutating func begin(_ search: MemberSearch) -> UInt64? {
    guard searches.count < MemberSearch.mostAtOnce else { return nil }
    let number = number()
    searches[number] = search
    return number
  }
  /// Nil: it is over.
  mutating func setSearch(_ number: UInt64, _ search: MemberSearch?) { searches[number] = search }

  // MARK: Health

  /// A commit is asked of so many shards.
  mutating func beginHealthCheck(
    _ owner: EdgeItem.Owner, isProbe: Bool = false, of asked: Int, now: UInt64
  ) -> UInt64 {
    let number = number()
    healthChecks[number] = HealthCheck(
      owner: owner, isProbe: isProbe, started: now, waiting: asked, asked: asked, committed: 0)
    return number
  }
  /// - Parameter isCommitted: nil: nothing was asked of anybody.
  /// - Returns: the check, if it is over by that.
  mutating func healthAnswered(_ number: UInt64, isCommitted: Bool?) -> HealthCheck? {
    guard var check = healthChecks[number] else { return nil }
    if let isCommitted {
      check.waiting -= 1
      if isCommitted { check.committed += 1 }
    }
    healthChecks[number] = check.waiting == 0 ? nil : check
    return check.waiting == 0 ? check : nil
  }

  /// A probe waits for the check that is under way, or for one that is to begin.
  /// - Returns: whether one is to begin.
  mutating func addProbe(_ owner: EdgeItem.Owner) -> Bool {
    probes.append(owner)
    return probes.count == 1
  }
  mutating func takeProbes() -> [EdgeItem.Owner] {
    defer { probes = [] }
    return probes
  }

  // MARK: The catalogue

  mutating func wait(
    _ owner: EdgeItem.Owner, forVersion version: UInt32, until deadline: UInt64, zone: ZoneChange? = nil
  ) {
    catalogueWaits.append(CatalogueWait(owner: owner, version: version, deadline: deadline, zone: zone))
  }
  /// Those whose change has reached all shards, or whose time is over: these with the shards that it has yet to reach.
  /// - Parameter behind: the shards that have not applied a version.
  mutating func endedWaits(
    now: UInt64, _ behind: (UInt32) -> [ShardID]
  ) -> [(wait: CatalogueWait, behind: [ShardID])] {
    if catalogueWaits.isEmpty { return [] }
    var ended: [(wait: CatalogueWait, behind: [ShardID])] = []
    catalogueWaits.removeAll { wait in
      let lacking = behind(wait.version)
      guard lacking.isEmpty || now >= wait.deadline else { return false }
      ended.append((wait, lacking))
      return true
    }
    return ended
  }
}
