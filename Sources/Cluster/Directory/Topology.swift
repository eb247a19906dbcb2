import Base
import Ledger
import Raft

/// A node as the directory knows it.
public struct NodeRecord: Hashable, Sendable {
  public var id: NodeID
  public var name: String
  public var region: String
  /// Where terminals connect, and where other nodes do: "host:port".
  public var clientAddress: String
  public var peerAddress: String
  public var state: State
  /// What its greetings are measured by. Never shown.
  public var proof: Proof
  /// The start of it that has its seat; none until it has said so.
  public var life = LifeID.none

  public enum State: UInt8, Sendable {
    case joining = 0
    case up = 1
    case draining = 2
    case removed = 3

    public var word: String {
      switch self {
      case .joining: "joining"
      case .up: "up"
      case .draining: "draining"
      case .removed: "removed"
      }
    }
  }

  func encode(into buffer: inout ByteBuffer) {
    buffer.append(field: 1, zigzag: Int64(bitPattern: id.rawValue))
    buffer.append(field: 2) { $0.append(utf8: name) }
    buffer.append(field: 3) { $0.append(utf8: region) }
    buffer.append(field: 4) { $0.append(utf8: clientAddress) }
    buffer.append(field: 5) { $0.append(utf8: peerAddress) }
    buffer.append(field: 6, zigzag: Int64(state.rawValue))
    buffer.append(field: 7) { proof.encode(into: &$0) }
    buffer.append(field: 8) { life.encode(into: &$0) }
    buffer.appendEndOfFields()
  }
  init(
    id: NodeID, name: String, region: String, clientAddress: String, peerAddress: String, state: State,
    proof: Proof = .unset
  ) {
    self.id = id
    self.name = name
    self.region = region
    self.clientAddress = clientAddress
    self.peerAddress = peerAddress
    self.state = state
    self.proof = proof
  }
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    self.init(id: .none, name: "", region: "", clientAddress: "", peerAddress: "", state: .joining)
    try reader.readFields(of: "a node") { number, value throws(MalformedBytes) in
      switch number {
      case 1: id = NodeID(UInt64(bitPattern: try value.readZigzag()))
      case 2: name = try value.readText()
      case 3: region = try value.readText()
      case 4: clientAddress = try value.readText()
      case 5: peerAddress = try value.readText()
      case 6:
        guard let known = State(rawValue: try value.readSmall()) else {
          throw MalformedBytes("a node in an unknown state")
        }
        state = known
      case 7: proof = try Proof(decoding: &value)
      case 8: life = try LifeID(decoding: &value)
      default: return false
      }
      return true
    }
  }
}

/// A shard and the slots that it owns, with the replicas that it began with. The shard's own log decides which slots: this is
/// a copy, and may be older.
public struct ShardPlacement: Hashable, Sendable {
  public var shard: ShardID
  public var slots: SlotRanges
  /// That of the shard when it came to own these slots.
  public var epoch: UInt64
  /// Sorted by id.
  public var voters: [NodeID]
  /// Who should lead while all is well: spreads the leaders over the nodes.
  public var preferredLeader: NodeID

  func encode(into buffer: inout ByteBuffer) {
    buffer.append(field: 1, zigzag: Int64(shard.rawValue))
    buffer.append(field: 2) { slots.encode(into: &$0) }
    buffer.append(field: 3, zigzag: Int64(bitPattern: epoch))
    buffer.append(field: 4) { list in for voter in voters { list.append(voter.rawValue) } }
    buffer.append(field: 5, zigzag: Int64(bitPattern: preferredLeader.rawValue))
    buffer.appendEndOfFields()
  }
  init(shard: ShardID, slots: SlotRanges, epoch: UInt64, voters: [NodeID], preferredLeader: NodeID) {
    self.shard = shard
    self.slots = slots
    self.epoch = epoch
    self.voters = voters
    self.preferredLeader = preferredLeader
  }
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    self.init(shard: ShardID(0), slots: .none, epoch: 0, voters: [], preferredLeader: .none)
    try reader.readFields(of: "a shard's place") { number, value throws(MalformedBytes) in
      switch number {
      case 1: shard = ShardID(try value.readSmall())
      case 2: slots = try SlotRanges(decoding: &value)
      case 3: epoch = UInt64(bitPattern: try value.readZigzag())
      case 4:
        guard value.remaining <= 64 * 8 else { throw MalformedBytes("a shard with too many voters") }
        while !value.isAtEnd { voters.append(NodeID(try value.read())) }
      case 5: preferredLeader = NodeID(UInt64(bitPattern: try value.readZigzag()))
      default: return false
      }
      return true
    }
    guard shard.rawValue <= Topology.highestShard else { throw MalformedBytes("a shard with an impossible number") }
  }
}

/// Who belongs to the cluster and who holds what: the part of the directory that every node acts by.
public struct Topology: Hashable, Sendable {
  public var cluster: UInt64
  /// The cluster's secret, drawn as it began and the same for ever. Told to nodes only.
  public var hashKey: HashKey
  /// Sorted by id.
  public var nodes: [NodeRecord]
  /// Voters of the directory group. Sorted.
  public var directoryVoters: [NodeID]
  /// Sorted by shard. Together they own every slot once, but for those that are moving.
  public var shards: [ShardPlacement]
  /// Rises with every change.
  public var version: UInt64
  /// Of placement.
  var rules = PlacementRules()
  /// Up to which semantics may begin: see `UpgradeFinish`. A cluster begins with the newest that all its nodes know.
  public var semantics = Semantics.first
  /// It began with a backup, and has not proved yet to be that: shards take nothing.
  public var restored: RestoredFrom?
  /// The highest number that was given to a shard after the cluster began. No number is given twice.
  private var newestGiven = ShardID.directory
  /// Shards whose slots all went to another, when every member had all of their log. Sorted.
  private(set) var ended: [ShardID] = []
  /// Shards that were to be founded, and then were not: nobody vouches for what their logs have. Sorted.
  private(set) var abandoned: [ShardID] = []

  /// The highest number that a shard has, or is to have.
  public var newestShard: ShardID { max(newestGiven, shards.last?.shard ?? .directory) }
  /// A shard is to begin by that number.
  mutating func give(_ number: ShardID) { newestGiven = max(newestGiven, number) }
  /// A shard is no more, for ever: its replicas leave.
  mutating func end(_ shard: ShardID) {
    if forget(shard) { ended = (ended + [shard]).sorted() }
  }
  /// A shard does not come to be: no slot was ever on its way there.
  mutating func abandon(_ shard: ShardID) {
    if forget(shard) { abandoned = (abandoned + [shard]).sorted() }
  }
  /// Whether a shard was there, or was to be, and is no more.
  func isOver(_ shard: ShardID) -> Bool { ended.contains(shard) || abandoned.contains(shard) }
  private mutating func forget(_ shard: ShardID) -> Bool {
    guard shards.contains(where: { $0.shard == shard }), !isOver(shard) else { return false }
    give(newestShard)
    shards.removeAll { $0.shard == shard }
    findHomes()
    return true
  }

  /// Tables by shard are as long as its number.
  static let highestShard: UInt32 = 65_535
  /// A group's configuration lists no more.
  static let mostNodes = 255

  /// What may be asked of `plan` and is not to be had.
  public struct Impossible: Error { public let reason: String }

  /// The first placement of a new cluster: `shards` equal ranges of slots, each with `replicas` voters spread over as
  /// many regions as there are, and leaders spread over the nodes: nothing that a rebalance would change.
  public static func plan(
    cluster: UInt64, hashKey: HashKey, nodes: [NodeRecord], shards: Int, replicas: Int, allowSingleRegion: Bool
  ) throws(Impossible) -> Topology {
    guard shards >= 1 && shards <= 1024 else { throw Impossible(reason: "shards must be 1 to 1024, not \(shards)") }
    guard replicas >= 1 && replicas <= 7 && replicas % 2 == 1 else {
      throw Impossible(reason: "replicas must be odd, 1 to 7, not \(replicas)")
    }
    guard nodes.count <= mostNodes else {
      throw Impossible(reason: "a cluster has at most \(mostNodes) nodes; \(nodes.count) have found each other")
    }
    guard nodes.count >= replicas else {
      throw Impossible(reason: "\(replicas) replicas need as many nodes; only \(nodes.count) have found each other")
    }
    let sorted = nodes.sorted { $0.id < $1.id }
    var regions: [String] = []
    for node in sorted where !regions.contains(node.region) { regions.append(node.region) }
    regions.sort()
    guard regions.count > 1 || replicas == 1 || allowSingleRegion else {
      throw Impossible(
        reason: "all nodes are in region \(regions[0]); add nodes elsewhere, or say --allow-single-region")
    }
    // Nodes dealt out region by region, so that any run of `replicas` of them spans as many regions as it can.
    let byRegion = regions.map { region in sorted.filter { $0.region == region }.sorted { $0.name < $1.name } }
    var dealt: [NodeRecord] = []
    for round in 0..<sorted.count {
      for group in byRegion where round < group.count { dealt.append(group[round]) }
    }
    var placements: [ShardPlacement] = []
    for number in 0..<shards {
      let slots = SlotRanges([number * Slot.count / shards..<(number + 1) * Slot.count / shards])
      let chosen = (0..<replicas).map { dealt[(number + $0) % dealt.count].id }
      placements.append(
        ShardPlacement(
          shard: ShardID(UInt32(number + 1)), slots: slots ?? .none, epoch: 1, voters: chosen.sorted(),
          preferredLeader: chosen[0]))
    }
    placements = spread(placements, over: sorted, replicas)
    let directoryCount = min(7, dealt.count % 2 == 1 ? dealt.count : dealt.count - 1)
    let directory = dealt.prefix(max(1, directoryCount)).map(\.id).sorted()
    return Topology(
      cluster: cluster, hashKey: hashKey, nodes: sorted, directoryVoters: directory, shards: placements, version: 1)
  }

  /// Where regions have different numbers of nodes, dealing gives some shards more voters of a region than it may have: then they go where a
  /// rebalance would take them.
  private static func spread(
    _ placements: [ShardPlacement], over nodes: [NodeRecord], _ replicas: Int
  ) -> [ShardPlacement] {
    let view = PlacementView(
      nodes: nodes.map { PlacementView.Node(id: $0.id, region: $0.region) },
      shards: placements.map {
        PlacementView.Shard(shard: $0.shard, voters: $0.voters, leader: $0.preferredLeader)
      },
      replicas: replicas)
    guard let plan = try? ReplicaPlan(view, .even) else { return placements }
    let leaders = LeaderPlan(view, voters: plan.voters).leader
    var spread = placements
    for place in spread.indices {
      spread[place].voters = plan.voters[place]
      if let leader = leaders[place] { spread[place].preferredLeader = view.nodes[leader].id }
    }
    return spread
  }

  public init(
    cluster: UInt64, hashKey: HashKey, nodes: [NodeRecord], directoryVoters: [NodeID], shards: [ShardPlacement],
    version: UInt64
  ) {
    self.cluster = cluster
    self.hashKey = hashKey
    self.nodes = nodes
    self.directoryVoters = directoryVoters
    self.shards = shards
    self.version = version
  }

  func encode(into buffer: inout ByteBuffer) {
    buffer.append(field: 1, zigzag: Int64(bitPattern: cluster))
    buffer.append(field: 2) { hashKey.encode(into: &$0) }
    buffer.append(field: 3, zigzag: Int64(bitPattern: version))
    buffer.append(field: 4) { list in for node in nodes { node.encode(into: &list) } }
    buffer.append(field: 5) { list in for voter in directoryVoters { list.append(voter.rawValue) } }
    buffer.append(field: 6) { list in for shard in shards { shard.encode(into: &list) } }
    if rules != PlacementRules() { buffer.append(field: 7) { rules.encode(into: &$0) } }
    if semantics != Semantics.first { buffer.append(field: 8, zigzag: Int64(semantics)) }
    if newestGiven != .directory { buffer.append(field: 9, zigzag: Int64(newestGiven.rawValue)) }
    if !ended.isEmpty {
      buffer.append(field: 10) { list in for shard in ended { list.append(varint: UInt64(shard.rawValue)) } }
    }
    if !abandoned.isEmpty {
      buffer.append(field: 11) { list in for shard in abandoned { list.append(varint: UInt64(shard.rawValue)) } }
    }
    if let restored { buffer.append(field: 12) { restored.encode(into: &$0) } }
    buffer.appendEndOfFields()
  }
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    self.init(cluster: 0, hashKey: .none, nodes: [], directoryVoters: [], shards: [], version: 0)
    try reader.readFields(of: "the topology") { number, value throws(MalformedBytes) in
      switch number {
      case 1: cluster = UInt64(bitPattern: try value.readZigzag())
      case 2: hashKey = try HashKey(decoding: &value)
      case 3: version = UInt64(bitPattern: try value.readZigzag())
      case 4: while !value.isAtEnd { nodes.append(try NodeRecord(decoding: &value)) }
      case 5: while !value.isAtEnd { directoryVoters.append(NodeID(try value.read())) }
      case 6: while !value.isAtEnd { shards.append(try ShardPlacement(decoding: &value)) }
      case 7: rules = try PlacementRules(decoding: &value)
      case 8: semantics = try value.readSmall()
      case 9: newestGiven = ShardID(try value.readSmall())
      case 10: while !value.isAtEnd { ended.append(ShardID(UInt32(clamping: try value.readVarint()))) }
      case 11: while !value.isAtEnd { abandoned.append(ShardID(UInt32(clamping: try value.readVarint()))) }
      case 12: restored = try RestoredFrom(decoding: &value)
      default: return false
      }
      return true
    }
    guard nodes.count <= Topology.mostNodes else {
      throw MalformedBytes("a topology of more nodes than a group may have")
    }
    guard directoryVoters.count <= 65_536, shards.count <= 65_536 else {
      throw MalformedBytes("a topology larger than any cluster")
    }
  }

  /// Every node follows the directory; those that are not among its voters only listen.
  var directoryConfiguration: Configuration {
    Configuration(founders: directoryVoters, learners: nodes.map(\.id).filter { !directoryVoters.contains($0) })
  }

  public func node(_ id: NodeID) -> NodeRecord? { nodes.first { $0.id == id } }

  /// Nodes do not all write the same shard's snapshot at once: each begins at another place of its first round. By how many
  /// commands a shard is ahead in it, where a round has so many.
  func headStart(of shard: ShardID, at node: NodeID, in commands: Int) -> Int {
    guard let rank = nodes.firstIndex(where: { $0.id == node }) else { return 0 }
    let here = max(1, shards.count { $0.voters.contains(node) })
    return commands / here * ((rank + Int(shard.rawValue)) % nodes.count) / nodes.count
  }
}
