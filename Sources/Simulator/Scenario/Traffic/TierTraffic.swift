import Base
import Checker

/// A program whose members rise and fall in tiers: with accounts of their own, in a pool, and merged. A year ends in the fault phase.
/// At the end `TierBook` works all of it out again.
struct TierTraffic {
  static let client = "tiers"
  /// What may be returned.
  var sales: [(tx: String, member: String, spend: Int64)] = []
  /// When its requests were first asked, by id.
  var begun: [String: UInt64] = [:]
}

extension ScenarioPlan {
  /// What program `rise` is like. Dates are UTC's.
  public struct Tiers: Sendable {
    public enum By: String, Sendable { case points, spend, visits }
    public enum Span: String, Sendable {
      case year
      case months = "12m"
      case ever
    }
    public enum Down: String, Sendable { case earned, one, never }
    public var by = By.points
    public var span = Span.year
    public var down = Down.earned
    /// The second tier is reached by so much, the third by three times as much. Sales of the third earn twice.
    public var step: Int64 = 100
    /// Points end so many days after the last earning or redemption; 0: never.
    public var activityDays: Int64 = 0

    static let names = ["base", "silver", "gold"]
    static let gifts: [Int64] = [0, 7, 11]
    static let pool = "rpool"
    /// Who is in the pool; who has an account; who only redeems in the new year; who is merged, into whom.
    static let pooled = ["r0", "r1"]
    static let alone = ["r2", "r3"]
    static let idle = "r4"
    static let merged = "r5"
    static let heir = "r6"
    static var accounts: [String] { alone + [idle, merged, heir] }

    init(_ random: inout SeededGenerator) {
      by = random.pick([.points, .spend, .visits])
      span = random.pick([.year, .year, .months, .ever])
      down = random.pick([.earned, .one, .never])
      step = by == .visits ? random.pick([2, 4]) : random.pick([20, 60])
      activityDays = random.pick([0, 1, 3])
    }
    func reached(_ figure: Int64) -> Int { figure >= 3 * step ? 2 : figure >= step ? 1 : 0 }

    /// Of set-up.
    var lines: [String] {
      let expiry = activityDays > 0 ? "activity:\(activityDays)d" : "never"
      let common = "by=\(by.rawValue) period=\(span.rawValue) down=\(down.rawValue)"
      return [
        "PROGRAM SET rise earn=1/1 expire=\(expiry)", "MERCHANT SET lift program=rise",
        "TIER SET rise base rank=1 at=0 \(common)",
        "TIER SET rise silver rank=2 at=\(step) \(common) gift=points:\(Tiers.gifts[1])",
        "TIER SET rise gold rank=3 at=\(3 * step) \(common) gift=points:\(Tiers.gifts[2]) earn-times=2/1",
        "POOL ADD \(Tiers.pool)",
      ] + (Tiers.pooled + Tiers.accounts).map { "MEMBER ADD \($0)" }
        + Tiers.pooled.map { "MEMBER SET \($0) pool=\(Tiers.pool)" }
    }
  }
}

extension RetryingClient {
  func chooseTierRequest(_ session: Int) -> Pending {
    typealias Tiers = ScenarioPlan.Tiers
    var member = random.pick(Tiers.pooled + Tiers.accounts)
    let number = Int64(random.below(20) + 1)
    var operation = Operation(.earn, member: member, client: TierTraffic.client, begin: simulation.now)
    operation.id = nextRequest()
    var line = "EARN \(member) merchant=lift spend=\(number)"
    switch random.below(100) {
    // Whoever is idle only redeems as soon as the new year may have begun.
    case _ where member == Tiers.idle && Int64(simulation.now) + Simulation.epoch > Scenario.newYear - 2_000_000,
      70..<80:
      operation.kind = .redeem
      line = "REDEEM \(member) merchant=lift points=1"
    case 80..<92 where !scenario.side.tiers.sales.isEmpty:
      let sale = random.pick(scenario.side.tiers.sales)
      member = sale.member
      line = "REFUND \(sale.tx) spend=\(random.chance(500) ? sale.spend : min(number, sale.spend))"
    case 92..<96:
      line = "MEMBER MERGE \(Tiers.merged) \(Tiers.heir) id=\(operation.id)"
      // It is in no history under its id.
      operation.id = ""
    case 96...:
      operation.kind = .balance
      operation.id = ""
      line = "MEMBER TIER \(member) program=rise"
    default: break
    }
    operation.member = member
    if !operation.id.isEmpty {
      line += " id=\(operation.id)"
      scenario.side.tiers.begun[operation.id] = simulation.now
    }
    return Pending(operation: operation, line: line, session: session, isSide: true)
  }
}

extension Scenario {
  /// When a year begins, in the ledger's time (µs).
  static let newYear: Int64 = 1_767_225_600_000_000

  func noteTierAnswer(_ pending: RetryingClient.Pending, _ operation: Operation, _ line: String) {
    guard operation.result == .ok, pending.line.hasPrefix("EARN"), let tx = line.field("tx"),
      let spend = pending.line.number("spend"),
      ![ScenarioPlan.Tiers.merged, ScenarioPlan.Tiers.idle].contains(operation.member)
    else { return }
    side.tiers.sales.append((String(tx), operation.member, spend))
  }
}
