import Base
import Ledger
import Protocol
import Vocabulary

/// What a node answers of itself.
protocol AnswersForItself {
  var version: String { get }
  var name: String { get }
  func infoSections() -> [InfoSection]
  func settings(matching pattern: String) -> [(key: String, value: String)]
  /// A request that goes to no shard: it is answered now or later, once.
  func answer(_ request: Request, _ owner: EdgeItem.Owner)
}

/// Requests: from a terminal's bytes to the leaders of shards, and answers back in the order of the requests. It has the
/// terminals (`clients`), what is on its way to leaders (`edge`) and what waits inside this node (`workflows`).
///
/// What the journal is to read for it is in `takeWalks`.
final class RequestDesk: Coordinator {
  let turn: Turn
  let membership: Membership
  let peers: PeerTable
  let replicas: ReplicaTable
  var clients: ClientTable
  var edge: Edge
  var workflows = Workflows()
  var counters = RequestCounters()
  var parser = RequestParser()
  var reply = ReplyWriter(capacity: 4096)
  /// Who may ask what, who is signing in, and what was refused.
  var rights: Rights
  var signIns = SignIns()
  var sessions = SessionTable()
  var refusals = RefusalCounts()
  /// By ticket: users whose secrets are being hashed.
  var keptSecrets: [UInt64: UserChange] = [:]
  var nextKept: UInt64 = 0
  /// When peers and the directory are told of rights and refusals next (µs).
  var nextTelling: UInt64 = 0
  /// The request under way that changes something, for the trail.
  var acting: (owner: EdgeItem.Owner, verb: String, target: String)?
  /// The cluster's: by it request ids and contents are told apart.
  private(set) var hashKey = HashKey.none
  /// The restored shards have not proved yet to be the backup.
  private(set) var isHeld = false
  private var walks: [LocalWalk] = []
  private(set) var requestTimeout: UInt64
  /// What a connection is told of this node.
  let version: String
  let nodeName: String
  /// Answers for a peer in one message, at most.
  let resultsBytes: Int

  /// A question that the journal of a shard's replica here answers.
  struct LocalWalk {
    var shard: ShardID
    var walk: JournalQuery
    var continuation: UInt64
  }

  /// - Parameter storage: what was here before.
  init(
    turn: Turn, membership: Membership, peers: PeerTable, replicas: ReplicaTable, configuration: NodeConfiguration,
    _ storage: RecoveredNode? = nil
  ) {
    self.turn = turn
    self.membership = membership
    self.peers = peers
    self.replicas = replicas
    clients = ClientTable(window: configuration.clientWindow, records: configuration.clientRecords)
    edge = Edge(streamBytesLimit: configuration.shardQueueBytes)
    requestTimeout = configuration.requestTimeout
    rights = Rights(
      at: configuration.clientAddress, isGuarded: configuration.guardsOpenCluster, now: turn.now.monotonic)
    (version, nodeName) = (configuration.version, configuration.name)
    precondition(configuration.frameBytes * 2 <= FrameHeader.maximumBodyBytes, "a frame and one message more fit")
    resultsBytes = configuration.frameBytes / 2
    doubtRights(storage?.shards ?? [])
  }
  /// Settings have other values.
  func take(_ configuration: NodeConfiguration) {
    requestTimeout = configuration.requestTimeout
    clients.window = configuration.clientWindow
    edge.bound(bytes: configuration.shardQueueBytes)
  }

  /// The directory has another topology.
  func directoryChanged() {
    followRights()
    guard let topology = membership.topology else { return }
    if membership.promised?.cluster == topology.cluster { rights.began(promised: membership.promisedAt) }
    hashKey = topology.hashKey
    isHeld = topology.restored != nil
    makeTables(through: topology.newestShard)
    edge.place(topology.shards)
  }
  func makeTables(through shard: ShardID) { edge.makeTables(through: shard, incarnation: membership.me.incarnation) }

  func keep(walk: JournalQuery, of shard: ShardID, for continuation: UInt64) {
    walks.append(LocalWalk(shard: shard, walk: walk, continuation: continuation))
  }
  /// There is no room for it.
  func refuse(_ walk: LocalWalk) {
    var writer = ReplyWriter(capacity: 128)
    writer.error(.busy, JournalDesk.tooMuch)
    resume(walk.continuation, writer.buffer.bytes)
  }
  func takeWalks() -> [LocalWalk] {
    if walks.isEmpty { return [] }
    defer { walks.removeAll() }
    return walks
  }
}

extension RequestDesk: KnowsLeaders {
  func leader(of shard: ShardID) -> KnownLeader { edge.leader(of: shard) }
}

struct RequestCounters {
  @Measured("accepted_clients", .clients, "connections of terminals since the start") var accepted: UInt64 = 0
  @Measured("requests", .requests, "requests that were understood") var requests: UInt64 = 0
  @Measured("refused_lines", .requests, "lines that were not understood") var refusedLines: UInt64 = 0
  @Measured("forwarded", .requests, "requests sent to a shard's leader on another node") var forwarded: UInt64 = 0
  @Measured("answered_unknown", .requests, "requests answered UNKNOWN") var unknowns: UInt64 = 0
  @Measured("answered_unavailable", .requests, "requests answered UNAVAILABLE or BUSY") var unavailables: UInt64 = 0
}
