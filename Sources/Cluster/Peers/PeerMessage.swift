import Base
import Ledger

/// What nodes say to each other. A frame (see `Protocol.FrameHeader`) carries any number of messages:
///
///     message = kind:u8 length:u32 body
///
/// so that all that one turn of the loop has for a peer leaves in one frame, with one checksum and one system call.
enum PeerMessageKind: UInt8 {
  /// Who is speaking: the first message on each link.
  case hello = 1
  /// A Raft message of one shard: `shard:u32 RaftMessage`.
  case raft = 2
  /// Requests for a shard's leader: `shard:u32 epoch:u32 first:u64 count:u32 item*`.
  case forward = 3
  /// Answers for an edge: `(shard:u32 sequence:u64 length:u32 reply)*`.
  case results = 4
  /// Requests of an edge's stream were not accepted: `shard:u32 epoch:u32 leader:u64`. None of that epoch from `first`
  /// on has been or will be proposed.
  case reject = 5
  /// The leader gave up leadership with requests of an edge proposed and not decided: `shard:u32 epoch:u32`.
  case doubt = 6
  /// Commands that other shards ask this shard to log: `shard:u32 (from:u64 step:u8 stamp:i64 command)*`.
  case deliveries = 7
  /// What a node leads and how far it is: see `NodeStatus`.
  case status = 8
  /// The first entries of the directory group, for a node that is new to the cluster.
  case bootstrap = 9
  case bootstrapDone = 10
  /// The sender wants to send a snapshot of a shard; or not any more: `shard:u32 urgency:u8`. See `SnapshotSlots`.
  case snapshotAsked = 45
  /// The receiver may send it now: `shard:u32`.
  case snapshotGranted = 46
  // A snapshot on its way, on a bulk link: see `SnapshotSender`.
  case snapshotOffer = 11
  case snapshotWant = 12
  case snapshotChunk = 13
  case journalChunk = 14
  case snapshotDone = 15
  /// A piece of a snapshot or of a journal was written: the next may come.
  case snapshotAck = 17
  /// A reading of the sender's clocks, and what it last heard of the receiver's: see `PeerClock`.
  case clock = 18
  /// The receiver's status did not fit to what was known before: the whole is wanted.
  case statusWanted = 19
  /// Which version of users' rights the sender goes by: `u64`.
  case rights = 40
  /// A replica's digest at an index, for its leader to compare: `shard:u32 index:u64 a:u64 b:u64 chain:u64`.
  case digest = 16
  /// The receiver's replica differs from what a majority came to: `shard:u32 index:u64`.
  case deviant = 20

  /// How the sender does: see `NodeCondition`.
  case condition = 21
  /// The receiver is to try an entry of a shard again that it does not apply: `shard:u32`.
  case clearPoison = 41
  /// How a group does that the sender leads: `GroupReport`.
  case group = 42
  /// Is the sender's replica still a member? `shard:u32 born:u64`.
  case membershipAsked = 43
  /// The receiver's replica is none any more: `shard:u32 born:u64 version:u64`, the version of the configuration without it.
  case notAMember = 44
  /// A replica of the sender whose group has no leader: `StrandedReport`.
  case stranded = 60
  /// The receiver's replica of the directory is to go on without nodes that are lost: see `ShardDesk.recoverDirectory`.
  case recoverDirectory = 61
  /// The receiver's replica of a shard is to take what it has lost as lost: `shard:u32`.
  case acceptLoss = 62

  // How a backup is made: see `BackupDesk`.
  /// The receiver is to freeze shards at a stamp: `op:u64 stamp:i64 shard:u32*`.
  case backupArm = 70
  /// Which of them it cannot freeze now: `op:u64 stamp:i64 shard:u32*`.
  case backupArmed = 71
  /// One of them is frozen, or was not: `op:u64 stamp:i64 shard:u32 BackupPart?`.
  case backupFrozen = 72
  /// On a link of its own: a piece is wanted, and here it is: `BackupRead`, then `isThere:u8 bytes`.
  case backupRead = 73
  case backupPiece = 74

  /// How many bytes of frames the sender has received in all on the receiver's present link to it: `u64`. See `LinkBudget`.
  case received = 30
  /// What a node tells ten times a second, for those who say that they take it; others are told by `status`, `clock`, `condition`,
  /// `received`, and `raft` for each group: see `Peer.say(beat:)`.
  case beat = 31
  /// Heartbeats of groups and their answers, between beats: see `Heartbeats`.
  case heartbeats = 32

  // How a cluster begins: see `Beginning`.
  /// A plan that the receiver is asked to promise itself to: `ClusterPlan`.
  case propose = 22
  /// The receiver's plan is promised, durably: `cluster:u64`.
  case promised = 23
  /// It is not: `cluster:u64 isMember:u8`.
  case declined = 24
  /// The sender's plan comes to nothing: `cluster:u64`.
  case abandoned = 25
  /// What became of the receiver's plan? `cluster:u64`.
  case planAsked = 26
  /// Nodes without a cluster that the sender is linked to: `(node:u64 address)*`.
  case acquaintances = 27

  /// Whether a node listens to it also from one that belongs to no cluster, or to none yet itself.
  var isOfStrangers: Bool {
    switch self {
    case .bootstrap, .bootstrapDone, .propose, .promised, .declined, .abandoned, .planAsked, .acquaintances,
      .backupRead,
      .backupPiece:
      true
    default: false
    }
  }

  /// How many bytes of these messages make one frame: whole messages, as many as fit within the limit, at least one.
  static func wholeMessages(of messages: UnsafeRawBufferPointer, within limit: Int) -> Int {
    guard messages.count > limit else { return messages.count }
    var end = 0
    while end < messages.count {
      let next = end + 5 + Int(messages.loadUnaligned(fromByteOffset: end + 1, as: UInt32.self))
      if end > 0 && next > limit { break }
      end = next
    }
    return end
  }
}

extension ByteBuffer {
  /// Opens a message; `endMessage` patches its length.
  mutating func beginMessage(_ kind: PeerMessageKind) -> Int {
    append(kind.rawValue)
    append(UInt32(0))
    return count
  }
  mutating func endMessage(_ start: Int) { patch(UInt32(count - start), at: start - 4) }
}

/// What a node tells of itself when a link opens: see `PeerLinks+Greeting`.
struct Hello: Hashable, Sendable {
  var node: NodeID
  var name: String
  var region: String
  var clientAddress: String
  var peerAddress: String
  var version: String
  /// Zero: the node belongs to no cluster yet.
  var cluster: UInt64
  /// The link carries a snapshot, and nothing else.
  var isBulk = false
  /// Which start of the node speaks, and the last one before it that had the node's seat.
  var life = LifeID.none
  var predecessor = LifeID.none
  /// The number of the last batch in its log when that life began.
  var logPosition: UInt64 = 0
  /// This life has the seat.
  var isSeated = false
  /// What the other side's proof is to cover: never the same twice.
  var challenge = Proof.unset
  /// The newest that the node knows.
  var semantics = Semantics.first
  /// It says when it is to be sent a snapshot: see `SnapshotSlots`.
  var grantsSlots = false
  /// It takes `PeerMessageKind.beat` and `heartbeats`.
  var takesBeats = false
  /// It asks for its seat by `SeatQuestion`; earlier builds are told once, unasked.
  var asksForSeat = false

  func encode(into buffer: inout ByteBuffer) {
    buffer.append(field: 1, zigzag: Int64(bitPattern: node.rawValue))
    for (number, text) in [(2, name), (3, region), (4, clientAddress), (5, peerAddress), (6, version)] {
      buffer.append(field: number) { $0.append(utf8: text) }
    }
    buffer.append(field: 7, zigzag: Int64(bitPattern: cluster))
    let flags = [isBulk, isSeated, grantsSlots, takesBeats, asksForSeat].enumerated().reduce(Int64(0)) { flags, flag in
      flags | (flag.element ? 1 << flag.offset : 0)
    }
    buffer.append(field: 8, zigzag: flags)
    buffer.append(field: 9) { life.encode(into: &$0) }
    buffer.append(field: 10) { predecessor.encode(into: &$0) }
    buffer.append(field: 11, zigzag: Int64(bitPattern: logPosition))
    buffer.append(field: 12) { challenge.encode(into: &$0) }
    buffer.append(field: 13, zigzag: Int64(semantics))
    buffer.appendEndOfFields()
  }
  init(
    node: NodeID, name: String, region: String, clientAddress: String, peerAddress: String, version: String,
    cluster: UInt64
  ) {
    self.node = node
    self.name = name
    self.region = region
    self.clientAddress = clientAddress
    self.peerAddress = peerAddress
    self.version = version
    self.cluster = cluster
  }
  /// What a node says of itself before it belongs to a cluster.
  init(of me: NodeIdentity, _ configuration: NodeConfiguration, logPosition: UInt64) {
    self.init(
      node: me.id, name: configuration.name, region: configuration.region, clientAddress: configuration.clientAddress,
      peerAddress: configuration.peerAddress, version: configuration.version, cluster: 0)
    life = me.life
    predecessor = me.predecessor
    self.logPosition = logPosition
    semantics = configuration.semantics
    grantsSlots = true
    takesBeats = configuration.takesBeats
    asksForSeat = configuration.asksForSeat
  }
  /// What a newer build says beside is no matter of this one.
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    self.init(node: .none, name: "", region: "", clientAddress: "", peerAddress: "", version: "", cluster: 0)
    try reader.readFields(of: "a greeting") { number, value throws(MalformedBytes) in
      switch number {
      case 1: node = NodeID(UInt64(bitPattern: try value.readZigzag()))
      case 2: name = try value.readText()
      case 3: region = try value.readText()
      case 4: clientAddress = try value.readText()
      case 5: peerAddress = try value.readText()
      case 6: version = try value.readText()
      case 7: cluster = UInt64(bitPattern: try value.readZigzag())
      case 8:
        let flags = try value.readZigzag()
        isBulk = flags & 1 != 0
        isSeated = flags & 2 != 0
        grantsSlots = flags & 4 != 0
        takesBeats = flags & 8 != 0
        asksForSeat = flags & 16 != 0
      case 9: life = try LifeID(decoding: &value)
      case 10: predecessor = try LifeID(decoding: &value)
      case 11: logPosition = UInt64(bitPattern: try value.readZigzag())
      case 12: challenge = try Proof(decoding: &value)
      case 13: semantics = try value.readSmall()
      default: _ = try value.readBytes(value.remaining)
      }
      return true
    }
  }
}

/// What a node tells its peers ten times a second, and at once when one of its shards' catalogue moves on: see `LedTable`.
struct NodeStatus: Hashable, Sendable {
  struct Led: Hashable, Sendable {
    var shard: ShardID
    var term: Term
    var commit: LogIndex
    var applied: LogIndex
    var catalogueVersion: UInt32
    /// Nothing stamped up to `closed` is missing from what is applied through `closedIndex`.
    var closed: Stamp
    var closedIndex: LogIndex
    /// It has applied what earlier leaders left: it proposes.
    var hasTakenOver: Bool
  }
  /// `led` is all there is.
  var isWhole: Bool
  var replicas: UInt32
  /// What `closed` is of all shards that are not named.
  var closed: Stamp
  /// Over all shards, named or not.
  var hash: UInt64
  /// Led no more; both lists by rising shard.
  var gone: [ShardID]
  var led: [Led]

  init(isWhole: Bool, replicas: UInt32, closed: Stamp, hash: UInt64, gone: [ShardID], led: [Led]) {
    self.isWhole = isWhole
    self.replicas = replicas
    self.closed = closed
    self.hash = hash
    self.gone = gone
    self.led = led
  }

  func encode(into buffer: inout ByteBuffer) {
    buffer.append(UInt8(isWhole ? 1 : 0))
    buffer.append(replicas)
    buffer.append(closed.microseconds)
    buffer.append(hash)
    buffer.append(varint: UInt64(gone.count))
    for shard in gone { buffer.append(shard.rawValue) }
    buffer.append(varint: UInt64(led.count))
    for item in led {
      buffer.append(item.shard.rawValue)
      buffer.append(item.term.rawValue)
      buffer.append(item.commit.rawValue)
      buffer.append(item.applied.rawValue)
      buffer.append(item.catalogueVersion)
      buffer.append(item.closed.microseconds)
      buffer.append(item.closedIndex.rawValue)
      buffer.append(UInt8(item.hasTakenOver ? 1 : 0))
    }
  }
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    isWhole = try reader.read(UInt8.self) == 1
    replicas = try reader.read()
    closed = Stamp(microseconds: try reader.read())
    hash = try reader.read()
    let goneCount = try reader.readVarint()
    guard goneCount <= 65_536 else { throw MalformedBytes("a status names too many shards") }
    gone = []
    for _ in 0..<goneCount { gone.append(ShardID(try reader.read())) }
    let count = try reader.readVarint()
    guard count <= 65_536 else { throw MalformedBytes("a status names too many shards") }
    led = []
    for _ in 0..<count {
      led.append(
        Led(
          shard: ShardID(try reader.read()), term: Term(try reader.read()), commit: LogIndex(try reader.read()),
          applied: LogIndex(try reader.read()), catalogueVersion: try reader.read(),
          closed: Stamp(microseconds: try reader.read()), closedIndex: LogIndex(try reader.read()),
          hasTakenOver: try reader.read(UInt8.self) == 1))
    }
  }
}
