import Base
import Cluster
import NodeDisk
import Storage

/// Runs a node of Tallystick until it is told to stop: `tally start`.
/// - Returns: the exit code, as `start(arguments:settings:make:)` gives it.
public func startNode(arguments: [String]) -> Int32 {
  start(arguments: arguments, settings: NodeSettings.all) { context in
    let configuration = NodeSettings.configuration(of: context.configuration)
    let directory = try NodeSettings.archive(of: context.configuration)
    let (storage, recovered) = try NodeStorage.open(
      dataDirectory: context.configuration.data, fileSystem: SystemFileSystem(), newIdentity: context.newIdentity,
      newProof: context.newProof, wall: context.now.wall, reserve: configuration.diskReserve, build: Startup.build(),
      descriptorsMax: context.descriptorsMax,
      archive: directory.map { path in
        { JournalArchive(directory: path, fileSystem: SystemFileSystem(), writer: $0.rawValue) }
      },
      secrets: RememberingKeeper(.system))
    TrapMark.install(at: storage.trap)
    let workers = context.configuration.workers
    let node = Node(
      configuration: configuration, storage: recovered, seed: context.newIdentity ^ UInt64(context.now.monotonic),
      newHashKey: context.newHashKey, now: context.now, turnRunner: workers > 0 ? TurnPool(threads: workers) : nil)
    return (node, storage)
  }
}

/// Every setting of `tally start` with its default and meaning, for `tally help start`.
public func startSettingsText() -> String {
  SettingsFile.list(ServerConfiguration.settings + NodeSettings.all)
}

/// Every setting that is listed, and the first line of its meaning.
public func startSettings() -> [(key: String, meaning: String)] {
  (ServerConfiguration.settings + NodeSettings.all).filter { !$0.isHidden }.map { setting in
    (setting.key, setting.documentation.split(separator: "\n").first.map(String.init) ?? "")
  }
}

/// The settings of a node, as the operator writes them.
enum NodeSettings {
  static let all: [Setting] = [
    Setting(
      "request-timeout", "5000",
      "Milliseconds after which a request that has no answer gets UNAVAILABLE or UNKNOWN, 100 to 600000.",
      whole: 100...600_000
    ).changeable,
    Setting(
      "heartbeat", "100", "Milliseconds between a leader's heartbeats, 10 to 10000. The same on all nodes.",
      whole: 10...10_000),
    Setting(
      "election-heartbeats", "10",
      "Heartbeats without a word of the leader before an election, 3 to 1000. Over a WAN: at least 10, and 3 round trips.",
      whole: 3...1000),
    Setting(
      "snapshot-commands", "1000000",
      """
      Commands that the node may have to apply again when it starts, of all its shards: over it the shard that has most of
      them gets a snapshot, one at a time, 1000 to 1000000000. A million take some two seconds.
      """, whole: 1000...1_000_000_000
    ).changeable,
    Setting(
      "snapshot-log-mb", "256",
      "A shard's snapshot is taken, too, when its log has grown by so many MiB since the last one, 1 to 4096.",
      whole: 1...4096
    ).changeable,
    Setting(
      "log-tail-mb", "8",
      "MiB of a shard's log kept before its snapshot, for replicas that are just behind, 0 to 1024.",
      whole: 0...1024
    ).changeable,
    Setting(
      "log-limit-mb", "4096",
      """
      MiB of log, of all shards together, over which the shards that hold it back are relieved by snapshots, 256 to
      1048576. Over half as much again their writes are answered BUSY.
      """, whole: 256...1_048_576
    ).changeable,
    Setting(
      "erase-within", "86400",
      """
      Seconds within which what MEMBER ERASE took away is gone from this node's snapshots and log, 60 to 86400. A third as often a
      whole snapshot is taken of each shard that has changed.
      """, whole: 60...86_400),
    Setting(
      "disk-reserve-mb", "512",
      """
      MiB to keep free on the data directory's disk, 0 to 1048576. With less (alarm NOSPACE) the node hands over
      leadership and, where nobody can take it, answers writes BUSY, until there is a tenth more. Up to 65 MiB of it, at
      most half, are held by a file that is let go of when the disk is full. On a small disk set it low; 0: writes are
      refused only when nothing is left.
      """, whole: 0...1_048_576),
    Setting(
      "journal-keep", "off",
      """
      Days like 400d, at least 30d, after which segments of journals go to `journal-archive`; not before the longest refund
      window has passed as well. off: they stay in the data directory. Nothing of a journal is ever thrown away.
      """, problem: { days(of: $0) == nil && $0 != "off" ? "must be days like 400d, 30d to 36500d, or off" : nil }),
    Setting(
      "journal-archive", "",
      """
      The directory to which old segments of journals go, and from which histories read them: one for all nodes, such as a
      mounted store. It is read as DIR/CLUSTER/JOURNAL/SEGMENT.jnl. Once it is used, it must stay readable at this path.
      """, problem: { _ in nil }),
    Setting(
      "client-window", "4096",
      "Requests that one terminal may have unanswered, 1 to 1000000; more are not read until then.",
      whole: 1...1_000_000
    ).changeable,
    Setting(
      "shard-queue-mb", "64",
      "MiB of requests that may wait here for one shard; over it they are answered BUSY, 1 to 4096.",
      whole: 1...4096
    ).changeable,
    // Has this build play an older one, for tests.
    Setting(
      "semantics", "\(NodeConfiguration.newestSemantics)", "", whole: 1...Int(NodeConfiguration.newestSemantics)),
  ]

  /// Nil: no number of days that may be.
  private static func days(of value: String) -> Int? {
    guard value.hasSuffix("d"), let days = Int(value.dropLast()), (30...36_500).contains(days) else { return nil }
    return days
  }
  /// The archive's directory; nil: there is none. Throws where the two settings do not fit together.
  static func archive(of server: ServerConfiguration) throws(ConfigurationError) -> String? {
    let keep = server.nodeValue("journal-keep") ?? "off"
    let directory = server.nodeValue("journal-archive") ?? ""
    guard keep != "off" || directory.isEmpty else {
      throw ConfigurationError(
        "journal-archive \(directory) needs journal-keep: say after how many days segments go there, such as 400d")
    }
    guard keep == "off" || !directory.isEmpty else {
      throw ConfigurationError(
        "journal-keep \(keep) needs journal-archive: nothing of a journal is thrown away; name a directory that all nodes"
          + " read, or leave journal-keep off")
    }
    guard directory.isEmpty || directory.hasPrefix("/") else {
      throw ConfigurationError("journal-archive \(directory): name it by its whole path, from / on")
    }
    return directory.isEmpty ? nil : directory
  }
  static func configuration(of server: ServerConfiguration) -> NodeConfiguration {
    var node = NodeConfiguration(
      name: server.name, region: server.region, clientAddress: server.advertise.description,
      peerAddress: server.advertisePeer.description, join: server.join.map(\.description))
    node.lost = server.lost
    node.isInsecure = server.isInsecure
    node.guardsOpenCluster = server.exposure.guardsOpenCluster
    node.answersOpenly = server.exposure.answersOpenly
    for (key, value) in server.node { take(key, value, &node) }
    node.settings = server.all
    node.changed = server.changed
    node.take = take
    return node
  }
  /// A setting of the node, checked; nothing, of any other.
  @Sendable private static func take(_ key: String, _ value: String, _ node: inout NodeConfiguration) {
    let number = Int(value) ?? 0
    switch key {
    case "request-timeout": node.requestTimeout = UInt64(number) * 1000
    case "heartbeat": node.heartbeatInterval = UInt64(number) * 1000
    case "election-heartbeats": node.electionTicks = number
    case "snapshot-commands": node.snapshotCommands = number
    case "snapshot-log-mb": node.snapshotLogBytes = number << 20
    case "log-tail-mb": node.logTailBytes = number << 20
    case "erase-within": node.eraseWithin = UInt64(number) * 1_000_000
    case "log-limit-mb": node.logLimitBytes = number << 20
    case "disk-reserve-mb": node.diskReserve = DiskReserve(byteCount: UInt64(number) << 20)
    case "client-window": node.clientWindow = number
    case "shard-queue-mb": node.shardQueueBytes = number << 20
    case "semantics": node.semantics = UInt8(number)
    case "journal-keep": node.journalKeep = days(of: value).map { UInt64($0) * 86_400_000_000 }
    default: break
    }
  }
}
