import Base
import Checker

/// What a client asks next.
extension RetryingClient {
  func chooseRequest(_ session: Int) -> Pending {
    let id = nextRequest()
    let name = "\(name)/\(session).\(sessions[session])"
    let member = scenario.plan.member(random.below(UInt64(scenario.plan.members)))
    let merchant = random.pick(["east", "north", "west"])
    let few = Int64(random.below(50) + 1)
    let points =
      scenario.plan.traffic.isNearBounds && random.chance(400) ? Scenario.largestAmount - Int64(random.below(3)) : few
    var kind = Operation.Kind.balance
    var line = ""
    switch random.chance(scenario.plan.traffic.readPerMille) ? 99 : random.below(100) {
    case 0..<34: (kind, line) = (.earn, "EARN \(member) merchant=\(merchant) points=\(points) id=\(id)")
    case 34..<54: (kind, line) = (.redeem, "REDEEM \(member) merchant=\(merchant) points=\(points) id=\(id)")
    case 54..<64:
      var operation = Operation(.hold, member: member, client: name, begin: simulation.now)
      operation.id = id
      operation.points = points
      line = "HOLD \(member) merchant=\(merchant) points=\(points) id=\(id)"
      if scenario.plan.traffic.holdSeconds > 0 {
        let seconds = 1 + random.below(scenario.plan.traffic.holdSeconds)
        line += " ttl=\(seconds)"
        operation.expires = simulation.now + (scenario.plan.clocksLie ? 0 : seconds * 1_000_000)
      }
      return Pending(operation: operation, line: line, session: session)
    case 64..<78:
      if let hold = scenario.record.takeHold(&random) {
        let captures = random.chance(600)
        var operation = Operation(
          captures ? .capture : .release, member: hold.member, client: name, begin: simulation.now)
        operation.id = id
        operation.hold = hold.id
        // The whole, unless it says how much.
        operation.points = captures && random.chance(300) ? Int64(random.below(UInt64(hold.points)) + 1) : hold.points
        let part = operation.points < hold.points ? " points=\(operation.points)" : ""
        let line = "\(captures ? "CAPTURE" : "RELEASE") \(hold.tx) id=\(id)\(part)"
        return Pending(operation: operation, line: line, session: session)
      }
      line = "BALANCE \(member)"
    case 78..<90 where scenario.plan.members > 1 || scenario.plan.traffic.hasFrozen:
      var to = scenario.plan.traffic.hasFrozen && (scenario.plan.members == 1 || random.chance(300)) ? "frozen" : member
      while to == member { to = scenario.plan.member(random.below(UInt64(scenario.plan.members))) }
      var operation = Operation(.transfer, member: member, client: name, begin: simulation.now)
      operation.id = id
      operation.to = to
      // Few points: what is on its way blurs what a refusal for want of room says.
      operation.points = few
      return Pending(operation: operation, line: "TRANSFER \(member) \(to) points=\(few) id=\(id)", session: session)
    default: line = "BALANCE \(member)" + (random.chance(300) ? " read=local" : "")
    }
    var operation = Operation(kind, member: member, client: name, begin: simulation.now)
    if kind != .balance {
      operation.id = id
      operation.points = points
    }
    return Pending(operation: operation, line: line, session: session)
  }

  /// Something of another such member, of whom the checker knows nothing: it waits for other shards, for a quota's points or for a pool.
  func chooseWaitingRequest(_ session: Int) -> Pending {
    let member = ScenarioPlan.waitingMember(of: number)
    var operation = Operation(.earn, member: member, client: "side", begin: simulation.now)
    operation.points = Int64(random.below(50) + 1)
    let what = "\(member) merchant=east"
    var line = "EARN \(what) points=\(operation.points)"
    switch random.below(10) {
    case 0..<4:
      operation.kind = .balance
      line = "BALANCE \(member)"
    case 4..<8 where !scenario.plan.traffic.hasBonds: line = "EARN \(what) spend=0 channel=gift"
    case 8 where !scenario.plan.traffic.hasBonds:
      operation.kind = .redeem
      line = "REDEEM \(what) points=\(operation.points)"
    default: break
    }
    if operation.kind != .balance {
      operation.id = nextRequest()
      line += " id=\(operation.id)"
    }
    return Pending(operation: operation, line: line, session: session, isSide: true, isOwn: true)
  }

  /// Something of a member of whom nobody else asks anything.
  func chooseOwnRequest(_ session: Int) -> Pending {
    let member = ScenarioPlan.ownMember(of: number)
    let isRead = random.chance(400)
    var operation = Operation(
      isRead ? .balance : .earn, member: member, client: "\(name)/\(session).\(sessions[session])",
      begin: simulation.now)
    var line = "BALANCE \(member)"
    if !isRead {
      operation.id = nextRequest()
      operation.points = Int64(random.below(50) + 1)
      line = "EARN \(member) merchant=east points=\(operation.points) id=\(operation.id)"
    }
    return Pending(operation: operation, line: line, session: session, isOwn: true)
  }
}
