import Base
import Raft

/// Rules of placement, as the directory keeps them: how many replicas of each shard a region has, and from which region shards are led.
/// A plan obeys them (`PlacementView`), so do moves that an operator asks for, and leaders.
struct PlacementRules: Hashable, Sendable {
  struct Share: Hashable, Sendable {
    var region: String
    var replicas: UInt32
  }
  /// From where a shard is to be led.
  enum Lead: Hashable, Sendable {
    case any
    case region(String)
    /// From the region that most of its requests come from.
    case traffic

    init(word: String) { self = word == "any" ? .any : word == "traffic" ? .traffic : .region(word) }
    var word: String {
      switch self {
      case .any: "any"
      case .region(let name): name
      case .traffic: "traffic"
      }
    }
  }
  struct OfShard: Hashable, Sendable {
    var shard: ShardID
    var lead: Lead
  }
  /// Sorted by region. Empty: as even as there are regions.
  var spread: [Share] = []
  /// Of all shards without a rule of their own.
  var lead = Lead.any
  /// Sorted by shard.
  var ofShards: [OfShard] = []

  func lead(of shard: ShardID) -> Lead { ofShards.first { $0.shard == shard }?.lead ?? lead }
  /// How many voters of one shard a region may have; nil: no rule says so.
  func limit(in region: String) -> Int? {
    spread.isEmpty ? nil : Int(spread.first { $0.region == region }?.replicas ?? 0)
  }
  /// `east:2,north:1`, or `even`.
  var spreadText: String {
    spread.isEmpty ? "even" : spread.map { "\($0.region):\($0.replicas)" }.joined(separator: ",")
  }
  /// Nil: it says nothing of that kind.
  static func spread(_ text: String) -> [Share]? {
    if text == "even" { return [] }
    var shares: [Share] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let words = part.split(separator: ":", omittingEmptySubsequences: false)
      guard words.count == 2, !words[0].isEmpty, let replicas = UInt32(words[1]), (1...7).contains(replicas),
        !shares.contains(where: { $0.region == words[0] })
      else { return nil }
      shares.append(Share(region: String(words[0]), replicas: replicas))
    }
    return shares.isEmpty ? nil : shares.sorted { $0.region < $1.region }
  }

  func encode(into buffer: inout ByteBuffer) {
    buffer.append(field: 1) { $0.append(utf8: spreadText) }
    buffer.append(field: 2) { $0.append(utf8: lead.word) }
    buffer.append(field: 3) { list in
      for rule in ofShards {
        list.append(rule.shard.rawValue)
        list.append(counted: rule.lead.word)
      }
    }
    buffer.appendEndOfFields()
  }
  init() {}
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    try reader.readFields(of: "rules of placement") { number, value throws(MalformedBytes) in
      switch number {
      case 1:
        guard let known = PlacementRules.spread(try value.readText()) else {
          throw MalformedBytes("a spread of replicas")
        }
        spread = known
      case 2: lead = Lead(word: try value.readText())
      case 3:
        while !value.isAtEnd {
          let shard = ShardID(try value.read())
          ofShards.append(OfShard(shard: shard, lead: Lead(word: try value.readString())))
        }
      default: return false
      }
      return true
    }
  }
}

/// What `CLUSTER PLACEMENT SET` changes of the rules.
struct PlacementChange: Hashable, Sendable {
  /// As they were said; nil: it stays as it is.
  var spread: String?
  var lead: String?
  /// Whose lead; nil: of all that have no rule of their own.
  var shard: ShardID?

  func encode(into buffer: inout ByteBuffer) {
    if let spread { buffer.append(field: 1) { $0.append(utf8: spread) } }
    if let lead { buffer.append(field: 2) { $0.append(utf8: lead) } }
    if let shard { buffer.append(field: 3, zigzag: Int64(shard.rawValue)) }
    buffer.appendEndOfFields()
  }
  init(spread: String? = nil, lead: String? = nil, shard: ShardID? = nil) {
    (self.spread, self.lead, self.shard) = (spread, lead, shard)
  }
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    self.init()
    try reader.readFields(of: "a change of placement") { number, value throws(MalformedBytes) in
      switch number {
      case 1: spread = try value.readText()
      case 2: lead = try value.readText()
      case 3: shard = ShardID(try value.readSmall())
      default: return false
      }
      return true
    }
  }

  /// The rules after it, or why no set of nodes can meet them.
  func applied(to topology: Topology) throws(OperationTable.Refused) -> PlacementRules {
    var rules = topology.rules
    if let spread {
      guard let shares = PlacementRules.spread(spread) else {
        throw .init(code: .malformed, text: "spread must be like east:2,north:1 (each 1 to 7), or even")
      }
      rules.spread = shares
    }
    if let shard {
      guard topology.placement(of: shard) != nil else {
        throw .init(code: .notFound, text: "there is no shard \(shard.rawValue)")
      }
      guard let lead else {
        throw .init(code: .malformed, text: "say from where shard \(shard.rawValue) is to be led: leaders=")
      }
      rules.ofShards.removeAll { $0.shard == shard }
      // A rule of its own, also where it says the same as that of all now: only `any` takes it away.
      if lead != PlacementRules.Lead.any.word {
        rules.ofShards.append(.init(shard: shard, lead: .init(word: lead)))
        rules.ofShards.sort { $0.shard < $1.shard }
      }
    } else if let lead {
      rules.lead = .init(word: lead)
    }
    if let reason = rules.obstacle(in: topology) { throw .init(code: .conflict, text: reason) }
    return rules
  }
}

extension PlacementRules {
  /// Why no set of the cluster's nodes can meet the rules; nil: one can.
  func obstacle(in topology: Topology) -> String? {
    func count(in region: String) -> Int { topology.nodes.count { $0.region == region && $0.state != .removed } }
    let replicas = topology.shards.map(\.voters.count).max() ?? 0
    if !spread.isEmpty {
      let sum = spread.reduce(0) { $0 + Int($1.replicas) }
      guard sum == replicas else { return "\(spreadText) is \(sum) replicas, and each shard has \(replicas)" }
    }
    for share in spread where count(in: share.region) < Int(share.replicas) {
      return
        "\(share.replicas) replicas in region \(share.region) need as many nodes there, and there are"
        + " \(count(in: share.region))"
    }
    for lead in [lead] + ofShards.map(\.lead) {
      guard case .region(let name) = lead else { continue }
      guard count(in: name) > 0 else { return "there is no node in region \(name) that could lead" }
      guard limit(in: name) != 0 else {
        return "no shard has a replica in region \(name), from which it could be led: \(spreadText)"
      }
    }
    return nil
  }
  /// The same for a plan.
  var limits: [String: Int]? {
    spread.isEmpty ? nil : Dictionary(uniqueKeysWithValues: spread.map { ($0.region, Int($0.replicas)) })
  }

  /// What breaks a rule.
  struct Breach: Hashable {
    var shard: ShardID
    /// Who has or does what another should; `none`: nobody does.
    var node: NodeID
    var text: String
  }
  /// - Parameter leader: who leads a shard now; nil: nobody, or it is not known.
  func breaches(in topology: Topology, leader: (ShardPlacement) -> NodeID?) -> [Breach] {
    topology.shards.flatMap { placement in
      var found = crowded(placement, topology)
      guard case .region(let wanted) = lead(of: placement.shard), let leader = leader(placement) else { return found }
      let region = topology.node(leader)?.region ?? ""
      if region != wanted {
        let isThere = placement.voters.contains { topology.node($0)?.region == wanted }
        found.append(
          Breach(
            shard: placement.shard, node: leader,
            text: "it is led from region \(region), not from \(wanted)"
              + (isThere ? "" : ", where it has no voter (tally rebalance, or tally shard move)")))
      }
      return found
    }
  }
  private func crowded(_ placement: ShardPlacement, _ topology: Topology) -> [Breach] {
    let regions = Set(placement.voters.compactMap { topology.node($0)?.region }).sorted()
    let uniform = topology.regionLimit(replicas: placement.voters.count)
    return regions.compactMap { region in
      let there = placement.voters.filter { topology.node($0)?.region == region }
      let limit = limit(in: region) ?? uniform
      guard there.count > limit, let last = there.last else { return nil }
      return Breach(
        shard: placement.shard, node: last,
        text: "region \(region) has \(there.count) of its \(placement.voters.count) voters, and may have \(limit)")
    }
  }
}

extension Topology {
  /// Those that are at home where the rules do not want it have another home, if they have a voter where they do: of these the one that is
  /// home to the fewest.
  mutating func findHomes() {
    guard !rules.ofShards.isEmpty || rules.lead != .any else { return }
    var homes = shards.reduce(into: [NodeID: Int]()) { $0[$1.preferredLeader, default: 0] += 1 }
    for place in shards.indices {
      guard case .region(let wanted) = rules.lead(of: shards[place].shard) else { continue }
      let now = shards[place].preferredLeader
      guard node(now)?.region != wanted || !shards[place].voters.contains(now) else { continue }
      let there = shards[place].voters.filter { node($0)?.region == wanted }
      func order(_ voter: NodeID) -> (Int, Int, NodeID) {
        (node(voter)?.state == .up ? 0 : 1, homes[voter] ?? 0, voter)
      }
      guard let home = there.min(by: { order($0) < order($1) }) else { continue }
      homes[now, default: 0] -= 1
      homes[home, default: 0] += 1
      shards[place].preferredLeader = home
    }
  }
}
