import Base
import Checker

/// Members who are merged into others while terminals ask about both, and a pool that members enter and leave.
extension Scenario {
  /// Each has a card, and is merged once.
  static let mergedMembers = (0..<6).map { "sx\($0)" }
  static let pool = "spool"

  var bondSetUp: [String] {
    Scenario.mergedMembers.enumerated().map { "CARD ADD d\($0.offset) member=\($0.element)" } + [
      "POOL ADD \(Scenario.pool)"
    ]
      + waitingMembers.flatMap {
        ["POOL ADD \(Scenario.pool(of: $0))", "MEMBER SET \($0) pool=\(Scenario.pool(of: $0))"]
      }
  }
  /// Each has a pool of its own.
  var waitingMembers: [String] {
    plan.traffic.hasWaitingMembers ? (0..<plan.clients).map(ScenarioPlan.waitingMember) : []
  }
  static func pool(of member: String) -> String { "p\(member)" }
  /// Those whose histories tell of what their members asked for.
  var pools: [String] { plan.traffic.hasBonds ? [Scenario.pool] + waitingMembers.map(Scenario.pool) : [] }
  /// Where all has come to rest: a member's own points show again, and its history adds up to them.
  func leavePools(_ client: SimulatedClient) {
    guard plan.traffic.hasBonds else { return }
    for member in (0..<plan.traffic.sideMembers).map({ "s\($0)" }) + waitingMembers {
      // By an id, for leads may still move: then the node asks again.
      let answer = ask(client, "MEMBER SET \(member) pool=none id=leaves")
      if answer != "+OK", !answer.hasPrefix("-CLOSED") { reportViolation("\(member) leaves its pool: \(answer)") }
    }
  }
}

extension RetryingClient {
  func chooseBondRequest(_ session: Int, _ id: String, of member: String, _ points: Int64) -> Pending {
    let place = Int(random.below(UInt64(Scenario.mergedMembers.count)))
    let merged = Scenario.mergedMembers[place]
    func pending(_ kind: Operation.Kind, _ line: String, of member: String, id: String) -> Pending {
      var operation = Operation(kind, member: member, client: "side", begin: scenario.simulation.now)
      operation.id = id
      operation.points = points
      return Pending(operation: operation, line: id.isEmpty ? line : line + " id=\(id)", session: session, isSide: true)
    }
    let who = random.chance(300) ? "card:d\(place)" : merged
    let what = "\(who) merchant=east points=\(points)"
    switch random.below(10) {
    case 0..<3: return pending(.earn, "EARN \(what)", of: merged, id: id)
    case 3: return pending(.redeem, "REDEEM \(what)", of: merged, id: id)
    case 4: return pending(.hold, "HOLD \(what) ttl=\(1 + random.below(10))", of: merged, id: id)
    case 5..<7:
      // It is in no history under its id.
      return pending(.earn, "MEMBER MERGE \(merged) \(member) id=\(id)", of: merged, id: "")
    default:
      let pool = random.chance(500) ? Scenario.pool : "none"
      return pending(.earn, "MEMBER SET \(member) pool=\(pool)", of: member, id: "")
    }
  }
}
