extension VerbSpec {
  static let cluster: [VerbSpec] = [
    .init(
      .clusterInit, "CLUSTER INIT", .cluster,
      [
        .optional(.shards, standard: 6), .optional(.replicas, standard: 3), .optional(.allowSingleRegion),
        .optional(.dryRun),
      ], .node, .changes, traits: [.barrier, .reserved, .alone], reply: "cluster nodes shards replicas",
      summary: "Once: makes a cluster of the nodes that have found each other; dry-run=yes only says which.",
      example: "CLUSTER INIT shards=12 replicas=3"),
    .init(
      .clusterNodes, "CLUSTER NODES", .cluster, [], .node, .read, traits: [.barrier, .costly, .reserved, .alone],
      reply:
        "records: node name region address state leaders replicas learning id incarnation warnings version alarms disk_free log log_pinned fsync_p99_us",
      summary: "The nodes, a record each.", example: "CLUSTER NODES"),
    .init(
      .clusterShards, "CLUSTER SHARDS", .cluster, [.word("S", .optional)], .node, .read,
      traits: [.barrier, .costly, .reserved, .alone],
      reply:
        "records: shard slots epoch leader region state config voters learners term commit applied lag-entries lag-seconds bytes",
      summary: "The shards, a record each; of one, and then of each member of its group: how far it is.",
      example: "CLUSTER SHARDS 3"),
    .init(
      .clusterStatus, "CLUSTER STATUS", .cluster, [], .node, .read, traits: [.barrier, .reserved, .alone],
      reply: "cluster nodes up shards leaders healthy node version alarms [detail] state warnings",
      summary: "The cluster in one record.", example: "CLUSTER STATUS"),
    .init(
      .clusterAlarm, "CLUSTER ALARM", .cluster,
      [.word("LIST|CLEAR"), .word("NAME", .optional), .optional(.shard), .optional(.acceptLoss)], .node, .changes,
      traits: .alone, reads: ["LIST"],
      reply: "records: node alarms [detail]; of CLEAR +OK",
      summary:
        "The nodes that have an alarm, a record each; tries a POISON entry again once; or takes what is CORRUPT as lost.",
      example: "CLUSTER ALARM CLEAR POISON shard=3"),
    .init(
      .clusterShard, "CLUSTER SHARD", .cluster,
      [
        .word("LEADER|MOVE|SPLIT|MERGE"), .word("S"), .word("T", .optional), .atMostOne(.to), .atMostOne(.region),
        .optional(.dryRun),
        .optional(.from), .optional(.at, shape: .slot),
      ], .node, .changes,
      traits: [.barrier, .reserved], reply: "as CLUSTER OP SHOW; of dry-run=yes records: step shard from to bytes",
      summary:
        "Changes a shard by an operation: LEADER has another of its voters lead it; MOVE has a node take another's place; SPLIT gives"
        + " its slots from one on to a new shard; MERGE has it take all slots of another, T, which ends.",
      example: "CLUSTER SHARD LEADER 3 to=north-1"),
    .init(
      .clusterNode, "CLUSTER NODE", .cluster,
      [
        .word("DRAIN|UNDRAIN|REMOVE|REPLACE"), .word("NODE"), .word("NEW", .optional), .optional(.to), .optional(.dead),
        .optional(.dryRun),
      ], .node, .changes,
      traits: [.barrier, .reserved], reply: "as CLUSTER OP SHOW; of dry-run=yes records: step shard from to bytes",
      summary: "Has a node hand over what it leads, take leads again, leave for ever, or leave its shards to another.",
      example: "CLUSTER NODE DRAIN east-1"),
    .init(
      .clusterRebalance, "CLUSTER REBALANCE", .cluster,
      [.word("REPLICAS|LEADERS", .optional), .optional(.apply), .optional(.dryRun)], .node, .changes,
      traits: [.barrier, .reserved], reads: ["", "REPLICAS", "LEADERS"],
      reply:
        "records: node region replicas replicas-after leaders leaders-after, then step shard kind from to bytes crosses; of"
        + " apply=yes as CLUSTER OP SHOW",
      summary: "Shows which replicas and leads would go where, so that nodes have even parts; apply=yes does it.",
      example: "CLUSTER REBALANCE LEADERS apply=yes"),
    .init(
      .clusterPlacement, "CLUSTER PLACEMENT", .cluster,
      [.word("SHOW|SET"), .optional(.spread), .optional(.leaders), .optional(.shard), .optional(.dryRun)], .node,
      .changes,
      traits: [.barrier, .reserved], reads: ["SHOW"],
      reply: "records: kind=rule [shard] [spread] leads, then kind=breach shard node text",
      summary:
        "Shows the rules of placement and what breaks them, or sets them: replicas a region, and from where shards are led.",
      example: "CLUSTER PLACEMENT SET spread=east:2,north:1 leaders=east"),
    .init(
      .clusterCheck, "CLUSTER CHECK", .cluster, [], .node, .read, traits: [.barrier, .costly, .reserved],
      reply: "records: ok nodes shards compared, then kind [shard] [node] text",
      summary: "Looks for all that is wrong, and compares all replicas at one index.", example: "CLUSTER CHECK"),
    .init(
      .clusterUpgrade, "CLUSTER UPGRADE", .cluster, [.word("SHOW|FINISH"), .optional(.dryRun)], .node, .changes,
      traits: [.barrier, .reserved], reads: ["SHOW"],
      reply: "of SHOW records: node knows semantics; of FINISH as CLUSTER OP SHOW",
      summary: "Which rules and formats each node knows; or has the newest begin that all know.",
      example: "CLUSTER UPGRADE SHOW"),
    .init(
      .clusterBackup, "CLUSTER BACKUP", .cluster,
      [
        .word("SAVE|RESTORE"), .text("DIR", .optional), .optional(.dir), .optional(.replicas, standard: 3),
        .optional(.allowSingleRegion),
        .optional(.dryRun),
      ], .node, .changes, traits: [.barrier, .reserved, .alone],
      reply:
        "of SAVE as CLUSTER OP SHOW, of its dry-run=yes records: step shard from to bytes; of RESTORE as CLUSTER INIT",
      summary:
        "Has the asked node write a backup of the whole cluster to its directory; or makes a cluster of one that is there.",
      example: "CLUSTER BACKUP SAVE /srv/backup"),
    .init(
      .clusterOperation, "CLUSTER OP", .cluster,
      [.word("LIST|SHOW|CANCEL"), .word("N", .optional), .optional(.limit), .optional(.after)], .node, .changes,
      traits: [.barrier, .reserved], reads: ["LIST", "SHOW"],
      reply: "records: op kind target state steps done current percent bytes eta-seconds error started by detail",
      summary: "The operations, the newest first; one of them; or gives one up.", example: "CLUSTER OP LIST"),
    .init(
      .clusterLimit, "CLUSTER LIMIT", .cluster,
      [.word("SHOW|SET"), .optional(.deadAfter), .optional(.moves), .optional(.snapshotRate)], .node, .changes,
      traits: [.barrier, .reserved], reads: ["SHOW"], reply: "dead-after moves snapshot-rate",
      summary:
        "What holds for the whole cluster: when a silent node is replaced, how many of its shards move at once, and how fast.",
      example: "CLUSTER LIMIT SET dead-after=30m"),
    .init(
      .clusterUnsafe, "CLUSTER UNSAFE", .cluster,
      [.word("RECOVER"), .required(.dead, shape: .text), .optional(.apply, shape: .identifier), .optional(.dryRun)],
      .node,
      .changes, traits: [.barrier, .reserved],
      reply: "records: id cluster shards, then shard node index commit since detail; of apply=PLAN as CLUSTER OP SHOW",
      summary:
        "Shows from which replica each shard that has lost its majority for ever would go on, and what that loses; apply=PLAN does it.",
      example: "CLUSTER UNSAFE RECOVER dead=east-1,east-2"),
    .init(
      .configSet, "CONFIG SET", .cluster, [.word("SETTING"), .text("VALUE")], .node, .changes,
      traits: [.barrier, .reserved, .alone], reply: "+OK",
      summary: "Another value of one of this node's settings, from now on and after a restart, where that may be.",
      example: "CONFIG SET log-level debug"),
    .init(
      .health, "HEALTH", .cluster, [.optional(.all)], .node, .read, traits: [.barrier, .reserved], reply: "a record",
      summary:
        "Commits an entry in every shard led by this node (all=yes: in every shard), and tells how long it took.",
      example: "HEALTH"),
  ]
}
