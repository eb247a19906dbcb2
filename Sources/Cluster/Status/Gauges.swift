import Base
import Protocol

/// The figures that are looked up when somebody asks.
enum Gauges {
  private static let lists = [clientGauges, clusterGauges, snapshotGauges, diskGauges, memoryGauges]

  /// All figures with their values, section by section: those that are looked up before those that are kept.
  static func all(of node: Node) -> [(metric: Metric, value: String)] {
    let looked = lists.joined().map { ($0.metric, $0.read(node)) }
    let kept = Metric.kept(
      in: [
        node.requests.counters, node.links.counters, node.snapshots.counters, node.health.disk.counters,
        node.status.gauges,
      ])
    let all = looked + kept
    return Metric.Section.allCases.flatMap { section in all.filter { $0.0.section == section } }
  }

  /// For `/metrics`: as they are now, to be shown by whoever has time.
  static func figures(of node: Node) -> Figures {
    node.status.judge(node.health)
    let configuration = node.configuration
    var figures = Figures()
    figures.build = [("version", configuration.version), ("semantics", "\(configuration.semantics)")]
    figures.node = [
      ("cluster", node.membership.cluster == 0 ? "none" : node.membership.clusterName), ("node", node.peers.id.hex),
      ("name", configuration.name), ("region", configuration.region),
    ]
    figures.alarms = node.peers.own.everyAlarm
    figures.plain = all(of: node)
    figures.requests = node.requests.clients.outcomes.all
    figures.kept = node.status.kept
    figures.logWrites = node.status.gauges.logWriteTimes
    figures.queues = [
      ("shards", node.requests.edge.streams.reduce(0) { $0 + $1.byteCount }),
      ("clients", node.status.gauges.unsentBytes),
    ]
    figures.certificates = node.status.gauges.certificates
    figures.shards = node.replicas.map { replica in
      ShardFigures(of: replica, known: node.requests.leader(of: replica.shard).commit)
    }
    return figures
  }

  static func sections(of node: Node) -> [InfoSection] {
    let all = all(of: node)
    return Metric.Section.allCases.map { section in
      InfoSection(
        section.rawValue,
        all.filter { $0.metric.section == section }.map { (name: "\($0.metric.name)", value: $0.value) })
    }
  }

  private static let clientGauges = [
    Gauge("connected_clients", .clients, "connections of terminals") { "\($0.requests.clients.count)" }
  ]
  private static let clusterGauges = [
    Gauge("cluster", .cluster, "the cluster's id", .fact) {
      $0.membership.cluster == 0 ? "none" : $0.membership.clusterName
    },
    Gauge("node_id", .cluster, "the node's id", .fact) { $0.peers.id.hex },
    Gauge("region", .cluster, "its region", .fact) { $0.configuration.region },
    Gauge("replicas", .cluster, "replicas that it holds") { "\($0.replicas.count)" },
    Gauge("leaders", .cluster, "shards that it leads") { "\($0.replicas.count { $0.isLeader })" },
    Gauge("peers", .cluster, "other nodes in reach") { "\($0.peers.count { $0.isConnected })" },
    Gauge("clock_ahead_ms", .cluster, "by how much its clock is ahead of the others' median", .gauge, .milliseconds) {
      $0.health.clock.ahead.map { "\($0 / 1000)" } ?? "unknown"
    },
    Gauge("clock_right", .cluster, "whether it may lead by its clock: yes or no", .fact) {
      $0.health.clock.isOff ? "no" : "yes"
    },
  ]
  private static let snapshotGauges = [
    Gauge("commands_behind_snapshots", .snapshots, "commands that a start would apply again") {
      "\($0.snapshots.commandsBehind)"
    },
    Gauge("snapshot_under_way", .snapshots, "the shard whose snapshot is being written", .fact) {
      $0.snapshots.underWay.map { "\($0.rawValue)" } ?? "none"
    },
  ]

  private static let diskGauges = [
    Gauge("alarms", .disk, "its alarms", .fact) { Alarm.list($0.peers.own.alarms) },
    Gauge("disk_free", .disk, "free on the data's file system", .gauge, .bytes) {
      $0.health.disk.health.gauges.map { "\($0.freeBytes)" } ?? "unknown"
    },
    Gauge("disk_reserve", .disk, "below this it takes no writes", .gauge, .bytes) {
      "\($0.configuration.diskReserve.byteCount)"
    },
    Gauge("log_bytes", .disk, "the log's files", .gauge, .bytes) {
      "\($0.health.disk.health.gauges?.log.byteCount ?? 0)"
    },
    Gauge("log_pinned_bytes", .disk, "those of them that are needed", .gauge, .bytes) {
      "\($0.health.disk.health.gauges?.log.pinnedBytes ?? 0)"
    },
    Gauge("log_limit", .disk, "what the log may take", .gauge, .bytes) { "\($0.configuration.logLimitBytes)" },
    Gauge("log_held_by_shard", .disk, "the shard that holds back most of the log", .fact) {
      $0.health.disk.shardHoldingLog.map { "\($0.shard.rawValue)" } ?? "none"
    },
    Gauge("log_held_bytes", .disk, "how much it holds back", .gauge, .bytes) {
      "\($0.health.disk.shardHoldingLog?.pinnedBytes ?? 0)"
    },
    Gauge("log_live_bytes", .disk, "and how much of that is live", .gauge, .bytes) {
      "\($0.health.disk.shardHoldingLog?.liveBytes ?? 0)"
    },
    Gauge("log_probes", .disk, "empty batches that asked the disk whether it answers", .counter) {
      "\($0.health.disk.writer.probeCount)"
    },
  ]
  private static let memoryGauges = [
    Gauge("memory_used", .memory, "what counts of what the process uses", .gauge, .bytes) {
      $0.health.memory.usage.map { "\($0.used)" } ?? "unknown"
    },
    Gauge("memory_limit", .memory, "what it may use", .gauge, .bytes) {
      $0.health.memory.usage.map { "\($0.limit)" } ?? "unknown"
    },
    Gauge("memory_level", .memory, "what is refused for want of memory", .fact) { "\($0.health.memory.level)" },
    Gauge("memory_spare", .memory, "what the ledgers keep to grow into", .gauge, .bytes) {
      "\($0.replicas.spareBytes)"
    },
    Gauge("memory_state", .memory, "what the ledgers' state takes", .gauge, .bytes) {
      "\($0.replicas.reduce(0) { $0 + $1.machine.memoryByteCount })"
    },
  ]
}
