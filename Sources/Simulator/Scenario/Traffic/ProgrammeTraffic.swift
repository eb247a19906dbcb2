import Base
import Checker

/// A programme with rules, caps and lots that end: purchases of its members are worked out by a rate that somebody changes
/// meanwhile, at once or announced. A year ends in the fault phase. At the end `ProgrammeBook` works all of it out again.
struct ProgrammeTraffic {
  static let client = "programme"
  /// The rule's versions, the first from before the fault phase. The rate of a version is its number.
  var rates = [Rate(number: 1, begun: 0, acknowledged: 0)]
  /// What may be taken back.
  var sales: [(tx: String, member: String, points: Int64)] = []
  /// When its requests began and ended, by id.
  var spans: [String: (begun: UInt64, ended: UInt64)] = [:]

  struct Rate {
    var number: Int64
    /// When it was first asked for, and when that was acknowledged; nil: it was not.
    var begun: UInt64
    var acknowledged: UInt64?
    /// In force from that moment of the ledger's time on (ms), for one that was announced.
    var from: Int64?
  }
}

extension ScenarioPlan {
  /// What program `club` is like. Dates are UTC's.
  public struct Programme: Sendable {
    public enum Expiry: String, Sendable { case days1 = "1d", days2 = "2d", month = "0m", year = "0y" }
    public var expiry = Expiry.days1
    /// Points become active at the next midnight.
    public var isPending = false
    /// What a rule and the program credit a member at most, in a day and in a month.
    public var capOfDay: Int64 = 100
    public var capOfMonth: Int64 = 1_000
    public var members = 1
    /// Mean time between two changes of the rate.
    public var gap: UInt64 = 1_000_000

    init(_ random: inout SeededGenerator) {
      expiry = random.pick([.days1, .days2, .month, .year])
      isPending = random.chance(400)
      capOfDay = random.pick([30, 100, 1_000_000])
      capOfMonth = random.pick([50, 150, 1_000_000])
      members = 1 + Int(random.below(3))
      gap = random.pick([300_000, 2_000_000])
    }

    /// Of set-up.
    var lines: [String] {
      let activation = isPending ? " activate=1d" : ""
      var lines = [
        "PROGRAM SET club earn=1/1 expire=\(expiry.rawValue) earn-cap=\(capOfMonth)/month\(activation)",
        "MERCHANT SET guild program=club",
        "RULE SET rate program=club stage=base earn=1/1 state=running",
        "RULE SET most program=club stage=cap cap=\(capOfDay)/day state=running",
      ]
      for member in 0..<members { lines += ["MEMBER ADD g\(member)", "ALIAS ADD phone:g\(member) member=g\(member)"] }
      return lines
    }
    var memberNames: [String] { (0..<members).map { "g\($0)" } }
  }
}

extension RetryingClient {
  func chooseProgrammeRequest(_ programme: ScenarioPlan.Programme, _ session: Int) -> Pending {
    let member = "g\(random.below(UInt64(programme.members)))"
    let id = nextRequest()
    let number = Int64(random.below(20) + 1)
    var operation = Operation(.earn, member: member, client: ProgrammeTraffic.client, begin: simulation.now)
    operation.id = id
    let who = random.chance(300) ? "phone:\(member)" : member
    var line = "EARN \(who) merchant=guild spend=\(number) id=\(id)"
    switch random.below(100) {
    case 0..<60: break
    case 60..<80:
      operation.kind = .redeem
      line = "REDEEM \(who) merchant=guild points=\(number) id=\(id)"
    case 80..<95 where !scenario.side.programme.sales.isEmpty:
      let sale = random.pick(scenario.side.programme.sales)
      operation.member = sale.member
      line = "REFUND \(sale.tx) points=\(min(number, sale.points)) id=\(id)"
    default:
      operation.id = ""
      operation.kind = .balance
      line = "BALANCE \(who) program=club"
    }
    if !operation.id.isEmpty { scenario.side.programme.spans[id] = (simulation.now, .max) }
    return Pending(operation: operation, line: line, session: session, isSide: true)
  }
}

extension Scenario {
  func noteProgrammeAnswer(_ pending: RetryingClient.Pending, _ operation: Operation, _ line: String) {
    side.programme.spans[operation.id]?.ended = simulation.now
    guard operation.result == .ok, pending.line.hasPrefix("EARN"), let tx = line.field("tx"),
      let points = line.number("points"), points > 0
    else { return }
    side.programme.sales.append((String(tx), operation.member, points))
  }

  /// The rate rises by one, now and then; one change after another.
  func scheduleRates() {
    guard let plan = plan.traffic.programme else { return }
    simulation.call(after: random.wait(plan.gap)) { [self] in
      guard isFaultPhase, failure == nil else { return }
      let number = (side.programme.rates.last?.number ?? 0) + 1
      var rate = ProgrammeTraffic.Rate(number: number, begun: simulation.now)
      var line = "RULE SET rate program=club earn=\(number)/1 id=rate-\(number)"
      if random.chance(300) {
        // Behind all attempts to announce it.
        let from = (Simulation.epoch + Int64(simulation.now)) / 1_000 + 8_000
        rate.from = from
        line += " from=\(from)"
      }
      side.programme.rates.append(rate)
      askForRate(line, number, until: simulation.now + 5_000_000)
    }
  }
  /// Again and again, with the same id, until it is answered; then the next may come.
  private func askForRate(_ line: String, _ number: Int64, until end: UInt64) {
    let host = anyHost(&random)
    send(line, to: host) { [self] answer in
      let place = Int(number) - 1
      if answer == "+OK" {
        side.programme.rates[place].acknowledged = simulation.now
      } else if side.programme.rates[place].from == nil || simulation.now < end {
        return simulation.call(after: 100_000 + random.below(300_000)) { [self] in
          if isFaultPhase, failure == nil { askForRate(line, number, until: end) }
        }
      }
      // One that is announced is in force before the next is asked for: a change meanwhile would change it too.
      let now = (Simulation.epoch + Int64(simulation.now)) / 1_000
      let rest = side.programme.rates[place].from.map { max(0, $0 + 1_000 - now) } ?? 0
      simulation.call(after: UInt64(rest) * 1_000) { [self] in scheduleRates() }
    }
  }
}
