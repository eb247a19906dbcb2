import Base
import Checker

/// Traffic of which the checker knows nothing: purchases that lapse at midnight, refunds, holds that lapse, cards that are
/// lost, members that are frozen. Each answer must be given again, each request be there once, and the books balance.
struct SideTraffic {
  var programme = ProgrammeTraffic()
  var tiers = TierTraffic()
  /// Who follows the feed, if anybody does.
  var follower: FeedFollower?
  var operations: [Operation] = []
  /// What may be refunded.
  var transactions: [(tx: String, member: String, points: Int64)] = []
  /// What was given back of each, as far as anyone was told.
  var refunded: [String: Int64] = [:]
  /// Transactions (MULTI) that client libraries tried.
  var multiCount = 0
  /// What may be captured or released.
  var holds: [(tx: String, member: String, points: Int64)] = []
}

extension Scenario {
  /// Noon of the day before: with `expire=1d` what is bought then lapses at the midnight that falls into this scenario.
  static let dayBefore = (Simulation.epoch + 20_000_000) / 1000 - 36 * 3_600_000

  func noteSideAnswer(_ pending: RetryingClient.Pending, _ operation: Operation, _ line: String) {
    guard !operation.id.isEmpty else { return }
    var operation = operation
    if operation.result == .refused { operation.code = line.errorCode }
    side.operations.append(operation)
    record.note(line, to: pending.line)
    if operation.client == ProgrammeTraffic.client { return noteProgrammeAnswer(pending, operation, line) }
    if operation.client == TierTraffic.client { return noteTierAnswer(pending, operation, line) }
    guard operation.result == .ok, !pending.isOwn, let tx = line.field("tx") else { return }
    if pending.line.hasPrefix("REFUND") { noteRefund(line) }
    if operation.kind == .hold {
      side.holds.append((String(tx), operation.member, operation.points))
    } else if operation.kind != .transfer && operation.kind != .release {
      // A rule may have decided.
      let points = operation.kind == .earn ? abs(line.number("points") ?? 0) : operation.points
      if points > 0 { side.transactions.append((String(tx), operation.member, points)) }
    }
  }
}

extension Scenario {
  /// However often and from wherever a transaction is refunded, no more comes back than it moved.
  private func noteRefund(_ line: String) {
    guard let of = line.field("of").map(String.init), let points = line.number("points") else {
      return reportViolation("a refund is answered without of= or points=: \(line)")
    }
    side.refunded[of, default: 0] += abs(points)
    if let whole = side.transactions.first(where: { $0.tx == of })?.points, side.refunded[of, default: 0] > whole {
      reportViolation(
        "of transaction \(of), which moved \(whole) points, \(side.refunded[of, default: 0]) were given back")
    }
  }
}

extension RetryingClient {
  /// On a line of its own, soon; nobody waits for the answer.
  private func close(_ member: String) {
    let host = scenario.anyHost(&random)
    scenario.simulation.call(on: host, after: latency + random.below(random.pick([2_000, 20_000, 300_000]))) {
      [scenario] in
      guard let client = scenario.simulation.connect(to: host) else { return }
      scenario.simulation.send("MEMBER CLOSE \(member)\n", on: client)
      scenario.simulation.call(on: host, after: 15_000_000) { scenario.simulation.disconnect(client) }
    }
  }

  func chooseSideRequest(_ session: Int) -> Pending {
    let id = nextRequest()
    let count = UInt64(scenario.plan.traffic.sideMembers)
    let number = random.below(count)
    let member = "s\(number)"
    let who = random.chance(300) ? "card:c\(number)" : member
    let merchant = random.pick(["east", "north", "west"])
    let points = Int64(random.below(50) + 1)
    func pending(_ kind: Operation.Kind, _ line: String, of member: String, id: String) -> Pending {
      var operation = Operation(kind, member: member, client: "side", begin: scenario.simulation.now)
      operation.id = id
      operation.points = points
      return Pending(operation: operation, line: id.isEmpty ? line : line + " id=\(id)", session: session, isSide: true)
    }
    if scenario.plan.traffic.budget > 0, random.chance(400) {
      return pending(.earn, "EARN \(who) merchant=\(merchant) spend=0 channel=gift", of: member, id: id)
    }
    if scenario.plan.traffic.hasBonds, random.chance(200) { return chooseBondRequest(session, id, of: member, points) }
    let what = "\(who) merchant=\(merchant) points=\(points)"
    switch random.below(100) {
    case 0..<35:
      let at = random.chance(500) ? " at=\(Scenario.dayBefore + Int64(random.below(1_000)))" : ""
      return pending(.earn, "EARN \(what)\(at)", of: member, id: id)
    case 35..<50: return pending(.redeem, "REDEEM \(what)", of: member, id: id)
    case 50..<62: return pending(.hold, "HOLD \(what) ttl=\(1 + random.below(10))", of: member, id: id)
    case 62..<72:
      guard !scenario.side.holds.isEmpty else { break }
      let hold = random.pick(scenario.side.holds)
      if random.chance(500) { return pending(.release, "RELEASE \(hold.tx)", of: hold.member, id: id) }
      let part = min(points, hold.points)
      return pending(.capture, "CAPTURE \(hold.tx) points=\(part)", of: hold.member, id: id)
    case 72..<86:
      guard !scenario.side.transactions.isEmpty else { break }
      let tx = random.pick(scenario.side.transactions)
      return pending(.earn, "REFUND \(tx.tx) points=\(min(points, tx.points))", of: tx.member, id: id)
    case 86..<92 where count > 1:
      let to = "s\((number + 1) % count)"
      return pending(.transfer, "TRANSFER \(member) \(to) points=\(points)", of: member, id: id)
    case 92..<96:
      if scenario.plan.traffic.closesMembers, random.chance(300) {
        guard scenario.plan.traffic.hasFrozen, random.chance(700) else {
          return pending(.earn, "MEMBER CLOSE \(member)", of: member, id: "")
        }
        // It closes while points of it are under way to somebody who does not take them.
        close(member)
        return pending(.transfer, "TRANSFER \(member) frozen points=1", of: member, id: id)
      }
      return pending(.earn, "MEMBER \(random.pick(["FREEZE", "THAW", "THAW"])) \(member)", of: member, id: "")
    default: return pending(.earn, "CARD \(random.pick(["LOST", "FOUND", "FOUND"])) c\(number)", of: member, id: "")
    }
    return pending(.balance, "BALANCE \(member)", of: member, id: "")
  }
}
