import Base
import Checker
import Cluster

/// What is asked in quiescence: of every shard, through every node.
extension Scenario {
  /// One name that each shard owns.
  static func membersOfShards(_ topology: Topology) -> [String] {
    topology.shards.map { placement in
      var number = 0
      while topology.shard(ofMember: "p\(number)") != placement.shard { number += 1 }
      return "p\(number)"
    }
  }

  /// Each shard takes a write and answers a read, and the directory takes a write, through each node that is up.
  func askEveryShard() {
    for (number, host) in simulation.hosts.enumerated() where !down.contains(number) && !damaged.contains(number) {
      var requests: [RetryingClient.Pending] = []
      for member in ownMembers {
        var earn = Operation(.earn, member: member, client: "\(host.name)+\(member)", begin: simulation.now)
        earn.id = "peace\(clients.count)-\(member)"
        earn.points = 1
        requests.append(.init(operation: earn, line: "EARN \(member) merchant=north points=1 id=\(earn.id)"))
        let read = Operation(.balance, member: member, client: "\(host.name)-\(member)", begin: simulation.now)
        requests.append(.init(operation: read, line: "BALANCE \(member)"))
      }
      let set = Operation(.earn, member: "", client: host.name, begin: simulation.now)
      requests.append(.init(operation: set, line: "MERCHANT SET west title=peace\(clients.count)", isSide: true))
      let client = RetryingClient(self, 1_000 + number, host: number, requests: requests)
      clients.append(client)
      client.wake()
    }
  }

  func noteLeaderless(_ text: String) {
    if text.hasPrefix("the directory") { reportedShards.insert(.directory) }
    if let shard = field("shard", text).flatMap({ UInt32($0) }) { reportedShards.insert(ShardID(shard)) }
  }
  /// An operator knows why a request is not answered: its shard has no leader, or a replica of it is bad, or a node with
  /// one does not start.
  func isReported(_ pending: RetryingClient.Pending) -> Bool {
    guard let topology = simulation.hosts.compactMap({ $0.node?.knownTopology }).first else { return true }
    var groups = topology.shards.map { ($0.shard, $0.voters) }
    // Cards and the catalogue are any shard's matter.
    if !pending.isSide {
      let owners = [pending.operation.member, pending.operation.to].map { topology.shard(ofMember: $0) }
      groups.removeAll { !owners.contains($0.0) }
    }
    groups.append((.directory, topology.directoryVoters))
    let out = identities.indices.filter { simulation.hosts[$0].node == nil || wiped.contains($0) }.map {
      identities[$0]
    }
    let views = simulation.hosts.flatMap { $0.node?.replicaViews ?? [] }
    return groups.contains { shard, voters in
      reportedShards.contains(shard) || voters.contains { out.contains($0) }
        || views.contains { $0.shard == shard && $0.isBad }
    }
  }
}
