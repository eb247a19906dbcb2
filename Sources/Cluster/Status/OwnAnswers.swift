import Base
import Protocol
import Vocabulary

/// What is asked of the node itself.
struct OwnAnswers: AnswersForItself {
  let node: Node

  var version: String { node.configuration.version }
  var name: String { node.configuration.name }
  func settings(matching pattern: String) -> [(key: String, value: String)] {
    node.settings.values(matching: pattern)
  }
  func infoSections() -> [InfoSection] {
    node.status.judge(node.health)
    return Gauges.sections(of: node)
  }

  func answer(_ request: Request, _ owner: EdgeItem.Owner) {
    let requests = node.requests
    node.status.judge(node.health)
    switch request.verb {
    case .audit:
      if requests.startTenantsAudit(owner) { break }
      if request.readMode == .local {
        requests.auditLocally(owner)
      } else {
        requests.startAudit(owner, mostAhead: node.health.mostAhead)
      }
    case .memberFind, .due, .caseList: requests.startFind(request, owner, mostAhead: node.health.mostAhead)
    case .feed: requests.startFeed(request, owner)
    case .text: requests.startText(request, owner)
    case .report: requests.startReport(request, owner, mostAhead: node.health.mostAhead)
    case .extendAll: requests.startExtension(request, owner)
    case .jobShow: requests.showJob(request, owner)
    case .campaignReport: requests.reportCampaign(request, owner)
    case .clusterInit:
      node.beginning.initialise(owner, ClusterFigures(request), isTrial: request.flag(.dryRun))
      node.carryOver()
    case .clusterNodes: requests.answer(owner) { node.status.nodes(node.requests, into: &$0) }
    case .clusterShards:
      let word = request.positionalCount > 0 ? String(decoding: request.positional(0), as: UTF8.self) : nil
      let only = word.flatMap { UInt32($0) }.map { ShardID($0) }
      guard word == nil || only != nil else {
        return requests.answerError(owner, .malformed, "which shard: CLUSTER SHARDS takes a shard's number, or nothing")
      }
      requests.answer(owner) { node.status.shards(only, node.requests, into: &$0) }
    case .clusterStatus:
      requests.answer(owner) {
        node.status.status(StatusDesk.Standing(node.links, node.beginning), node.requests, into: &$0)
      }
    case .clusterAlarm: answerAlarm(Alarm.Command(request), owner)
    case .clusterShard: requests.clusterShard(request, owner)
    case .clusterNode: requests.clusterNode(request, owner)
    case .clusterRebalance: requests.rebalance(request, owner)
    case .clusterCheck: requests.startCheck(owner, mostAhead: node.health.mostAhead)
    case .clusterPlacement: requests.placement(request, owner)
    case .clusterUpgrade: requests.clusterUpgrade(request, owner, at: node.shards)
    case .clusterUnsafe: requests.clusterUnsafe(request, owner, at: node.shards)
    case .clusterLimit: requests.clusterLimit(request, owner)
    case .clusterBackup: requests.backup(request, owner, at: node.snapshots.backups)
    case .clusterOperation: requests.clusterOperation(request, owner)
    case .configSet: setConfiguration(request, owner)
    case .userSet: requests.setUser(request, owner)
    case .userShow: requests.showUser(request, owner)
    case .userList: requests.listUsers(request, owner)
    case .whoAmI: requests.whoAmI(owner)
    case .ruleApprove: requests.approve(.rule, request, owner)
    case .campaignApprove: requests.approve(.campaign, request, owner)
    case .tenantSet: requests.setTenant(request, owner)
    case .tenantList: requests.listTenants(owner)
    case .tenantUse: requests.useTenant(request, owner)
    case .trail: requests.showTrail(request, owner)
    case .health: requests.startHealth(owner, all: request.flag(.all))
    default: requests.answerError(owner, .malformed, "\(request.verb.words) is not served here")
    }
  }
  private func answerAlarm(_ command: Alarm.Command, _ owner: EdgeItem.Owner) {
    let requests = node.requests
    switch command {
    case .list: requests.answer(owner) { node.status.alarms(into: &$0) }
    case .clearPoison(let shard):
      guard node.shards.clearPoison(shard) else {
        return requests.answerError(owner, .notFound, "no node in reach has that alarm for shard \(shard.rawValue)")
      }
      // Answered first: the entry may end this process again.
      requests.answerDone(owner, verb: "CLUSTER ALARM", target: "CLEAR POISON shard \(shard.rawValue)")
      node.shards.tryPoison(shard)
      node.health.judgeLeadership()
    case .acceptLoss(let shard):
      guard !requests.isLed(shard) || requests.isStranded(shard) else {
        return requests.answerError(
          owner, .conflict,
          "shard \(shard.rawValue) has a leader, which supplies its damaged replicas; replace what stays damaged (CLUSTER SHARD MOVE);"
            + " nothing was done")
      }
      guard node.membership.topology?.placement(of: shard) != nil || shard == .directory else {
        return requests.answerError(owner, .notFound, "there is no shard \(shard.rawValue)")
      }
      node.shards.acceptLossEverywhere(shard)
      requests.answerDone(owner, verb: "CLUSTER ALARM", target: "CLEAR CORRUPT shard \(shard.rawValue)")
    case .unknown(let reason): requests.answerError(owner, .malformed, reason)
    }
  }
}
