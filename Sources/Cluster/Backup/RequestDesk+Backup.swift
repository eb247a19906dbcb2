import Base
import Protocol
import Vocabulary

extension RequestDesk {
  /// `CLUSTER BACKUP SAVE dir=…`
  func backup(_ request: Request, _ owner: EdgeItem.Owner, at backups: BackupDesk) {
    guard word(request, 0) == "SAVE", request.positionalCount == 1 else {
      return answerError(owner, .malformed, "CLUSTER BACKUP takes SAVE and dir=")
    }
    guard let topology = membership.topology else {
      return answerError(owner, .unavailable, "this node knows no cluster yet")
    }
    let directory = String(decoding: request.text(.dir) ?? .init(start: nil, count: 0), as: UTF8.self)
    guard directory.hasPrefix("/") else {
      return answerError(owner, .malformed, "dir= is a path on this node from its root on, such as /srv/backup")
    }
    let plan = BackupSave(node: membership.me.id, directory: directory, shards: topology.shards.map(\.shard))
    guard request.flag(.dryRun) else { return begin(plan, owner) }
    answerPlan(
      owner,
      topology.shards.map { placement in
        let source = backups.source(of: placement)
        return PlanStep(
          shard: placement.shard, from: topology.name(of: source), to: plan.target(in: topology),
          bytes: peers.groups[placement.shard]?.bytes)
      })
  }
}
