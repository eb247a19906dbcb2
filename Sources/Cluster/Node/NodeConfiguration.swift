import Base
import Ledger

/// What the operator decides about a node. Times are in microseconds.
public struct NodeConfiguration: Sendable {
  public var name: String
  public var region: String
  /// Where terminals and other nodes reach this node: "host:port".
  public var clientAddress: String
  public var peerAddress: String
  /// Peer addresses of some nodes of the cluster.
  public var join: [String]
  /// Nodes that will never come back, by name or id: this start does not wait for what they would say of it.
  public var lost: [String] = []
  public var version = "0.1.0"
  /// Terminals are listened to where others can read what they say.
  public var isInsecure = false
  /// Others reach the terminals' port, and need no certificate: while the cluster has no user, only this machine is answered.
  public var guardsOpenCluster = false
  /// Others reach the terminals' port, and are answered although the cluster has no user.
  public var answersOpenly = false

  /// How long a request may take before it is answered `UNAVAILABLE` or `UNKNOWN`.
  public var requestTimeout: UInt64 = 5_000_000
  /// One Raft tick, and one heartbeat.
  public var heartbeatInterval: UInt64 = 100_000
  /// Ticks without a word of the leader before an election; up to half as many more at random.
  public var electionTicks = 10
  /// Leaders of idle groups send their heartbeats with every so many-th of the node's: three within the shortest wait for one.
  var idleBeats: Int { max(1, electionTicks / 3) }
  /// This node says, and takes, all that it tells a peer ten times a second in one message: false where a test has it play an
  /// older build.
  public var takesBeats = true
  /// This node asks its peers for its seat, as builds do from semantics 5 on: false where a test has it play an older one.
  public var asksForSeat = true
  /// Commands that a node may have to apply again when it starts, of all its shards: over it the shard that has most of them
  /// gets a snapshot. Some two seconds' work.
  public var snapshotCommands = 1_000_000
  /// A shard's snapshot is taken, too, when its log has grown by this since the last one.
  public var snapshotLogBytes = 256 << 20
  /// Log kept before a snapshot, for followers that are just behind.
  public var logTailBytes = 8 << 20
  /// What is applied in one turn of the loop, over all shards, in units of a purchase (see `CommandHeader.work`): a
  /// millisecond's work or two. What is left is done in the next, also of one entry, and other events come in between.
  public var applyWork = 1_024
  /// A replica that has more commands to apply says so at once, in place of an answer: some tenths of a second's work.
  public var replayPatience = 50_000
  /// An entry of a shard's log is proposed at the latest when it holds this much.
  public var entryBytes = 256 << 10
  /// Bytes of commands that wait at a leader to be proposed, as one entry; over it new ones are answered `BUSY`. With `entryBytes`, for
  /// commands that nobody waits for, it stays below the largest record of the node's log.
  public var gatherBytes = 16 << 20
  /// Replicas with so many bytes to propose or apply take their turns side by side, if the shell has threads for that.
  public var parallelBytes = 16 << 10
  /// Entries travel to a follower in messages of about this size, in bytes.
  public var appendBytes = 64 << 10
  /// While followers are sent snapshots, the logs after these are kept up to this size in all, so that they can go on from
  /// there.
  public var logHeldBytes = 512 << 20
  /// What `MEMBER ERASE` took away is gone from this node's snapshots and log within this time: see `SnapshotSchedule`.
  public var eraseWithin: UInt64 = 86_400_000_000
  /// So often, at most, a whole snapshot is taken of what has changed, and all log before it released.
  var wholeInterval: UInt64 { eraseWithin / 3 }
  /// So often the log's last segment is ended, however little is in it.
  var rollInterval: UInt64 { eraseWithin / 6 }
  /// What is kept free on the disk.
  public var diskReserve = DiskReserve(byteCount: 512 << 20)
  /// Bytes of the node's log over which shards that hold it back are relieved; over half as much again their writes are
  /// refused.
  public var logLimitBytes = 4 << 30
  /// A snapshot travels in pieces of this size.
  public var transferPieceBytes = 64 << 10
  /// Bounds of the ledgers: the same on all nodes, for ever.
  public var ledgerLimits = LedgerLimits()
  /// Requests that a client may have unanswered; more are not read until some are.
  public var clientWindow = 4096
  /// Requests of one shard that wait at this node, in bytes; over it new ones are answered `BUSY`.
  public var shardQueueBytes = 64 << 20
  /// Records of `HISTORY` that a client may have asked for and not got; more requests are not read until some came.
  public var clientRecords = 8_192
  /// What journal queries under way at this node may cost, in records read; over it new ones are answered `BUSY`.
  public var journalWindow = 131_072
  /// Sealed segments of journals go to the archive when all that they tell is older than this; nil: there is no archive.
  public var journalKeep: UInt64?
  /// How often each journal is looked at for such a segment.
  public var archiveInterval: UInt64 = 60_000_000
  /// They go as soon as `journalKeep` is over, though refunds and repeats may ask for what is in them: for tests, which have not so long.
  public var archivesEarly = false
  /// A frame to a peer is ended when it holds this much; a longer message has one of its own. Short ones, so that the peer
  /// says soon what it has received.
  public var frameBytes = 64 << 10
  /// Changes of the catalogue that all shards have applied are dropped from the directory so many at a time.
  public var deltasKept = 256
  /// How often this node looks for deliveries to other shards that had no answer; they are sent again after that, or after
  /// four round trips of the longest link where that is more, and then ever less often.
  public var deliveryInterval: UInt64 = 200_000

  /// The newest semantics that this node admits to know: fewer than it does where a test has it play an older build.
  public var semantics = NodeConfiguration.newestSemantics
  public static let newestSemantics = Semantics.newest

  /// A write to the log that takes longer is slow: half an election timeout.
  var slowWrite: UInt64 { UInt64(electionTicks) * heartbeatInterval / 2 }

  /// Every setting of the process, with the value that it has, in the order of its documentation.
  public var settings: [(setting: Setting, value: String)] = []
  /// Those of them that `CONFIG SET` changed, now or before a restart.
  public var changed: [(key: String, value: String)] = []
  /// Takes a setting of the node that has another value; nothing, of one of the shell's.
  public var take: @Sendable (_ key: String, _ value: String, _ configuration: inout NodeConfiguration) -> Void = {
    _, _, _ in
  }

  public init(name: String, region: String, clientAddress: String, peerAddress: String, join: [String]) {
    self.name = name
    self.region = region
    self.clientAddress = clientAddress
    self.peerAddress = peerAddress
    self.join = join
  }
}
