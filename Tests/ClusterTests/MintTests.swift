import Base
import Ledger
import Testing

@testable import Cluster
@testable import Simulator

/// Members whose ids are minted where their traffic is.
@Suite struct MintTests {
  private func member(_ answer: String) -> String? {
    answer.hasPrefix("+member=") ? String(answer.dropFirst(8)) : nil
  }
  private func region(of member: String, _ cluster: ResizedCluster) throws -> String {
    let topology = try #require(cluster.node(0)?.view.topology)
    let slot = Array(member.utf8).withUnsafeBytes { Command.memberSlot($0, tenant: .first) }
    let shard = try #require(topology.shards.first { $0.slots.contains(slot) }).shard
    let leader = try #require(cluster.simulation.hosts.first { $0.node?.replicas[shard]?.isLeader == true })
    return leader.configuration.region
  }

  @Test func anIDLiesWhereItsRegionLeads() throws {
    let cluster = try ResizedCluster(seed: 361, shards: 6)
    let simulation = cluster.simulation
    let areAtHome = simulation.run(for: 20_000_000) {
      simulation.hosts.allSatisfy { host in
        host.node?.replicas.count { $0.shard != .directory && $0.hasTakenOver } == 2
      }
    }
    try #require(areAtHome)
    simulation.run(for: 1_000_000)
    var seen: Set<String> = []
    for (place, host) in simulation.hosts.enumerated() {
      for number in 0..<6 {
        let answer = try cluster.ask(
          "MEMBER ADD * region=\(host.configuration.region) id=r\(number) name=Ann", on: (place + number) % 3)
        let id = try #require(member(answer), "\(answer)")
        #expect(seen.insert(id).inserted)
        #expect(try region(of: id, cluster) == host.configuration.region)
        #expect(try cluster.ask("MEMBER SHOW \(id)").contains("region=\(host.configuration.region)"))
        #expect(try cluster.ask("EARN \(id) merchant=shop points=5 id=a\(number)").hasPrefix("+tx="))
      }
    }
    #expect(try cluster.ask("CLUSTER SHARDS") == "*6")
  }

  @Test func theSameRequestGivesTheSameMemberWhoeverLeadsByThen() throws {
    let cluster = try ResizedCluster(seed: 362, shards: 6)
    let simulation = cluster.simulation
    let region = simulation.hosts[2].configuration.region
    let line = "MEMBER ADD * region=\(region) id=once name=Ann card=7001"
    let first = try #require(member(try cluster.ask(line)))
    #expect(try cluster.ask(line, on: 1) == "+member=\(first)")
    #expect(try cluster.ask("MEMBER SHOW card:7001").contains("member=\(first)"))
    // Another content is another request; another region, another scope.
    #expect(try cluster.ask("MEMBER ADD * region=\(region) id=once name=Bob").hasPrefix("-CONFLICT"))
    let other = simulation.hosts[1].configuration.region
    #expect(try #require(member(try cluster.ask("MEMBER ADD * region=\(other) id=once name=Ann"))) != first)
    // Nothing is led from there any more.
    simulation.kill(2)
    simulation.run(for: 8_000_000)
    #expect(try cluster.ask(line) == "+member=\(first)")
    #expect(
      try cluster.ask("MEMBER ADD * region=\(region) id=later").hasPrefix(
        "-CONFLICT no shard is led from that region now"))
    try #require(simulation.start(2))
    let isBack = simulation.run(for: 60_000_000) {
      cluster.node(2)?.replicas.contains { $0.shard != .directory && $0.hasTakenOver } == true
    }
    try #require(isBack)
    simulation.run(for: 3_000_000)
    #expect(member(try cluster.ask("MEMBER ADD * region=\(region) id=later")) != nil, "that refusal is not kept")
  }

  @Test func whatIsMissingIsNamed() throws {
    let cluster = try ResizedCluster(seed: 363)
    #expect(try cluster.ask("MEMBER ADD * id=a") == "-ERR MEMBER ADD * mints an id: it needs region= and id=")
    #expect(try cluster.ask("MEMBER ADD * region=east") == "-ERR MEMBER ADD * mints an id: it needs region= and id=")
    #expect(try cluster.ask("MEMBER SHOW *").hasPrefix("-ERR"))
    #expect(try cluster.ask("MEMBER ADD * region=mars id=a").hasPrefix("-CONFLICT no shard"))
  }

  @Test func idsAreTriedInAnOrderThatARequestHas() {
    func ids(_ region: String, _ request: String, tenant: UInt32 = 1) -> MintedIDs {
      Array(region.utf8).withUnsafeBytes { region in
        Array(request.utf8).withUnsafeBytes {
          MintedIDs(key: HashKey(low: 1, high: 2), tenant: TenantID(tenant), region: region, request: $0)
        }
      }
    }
    let first = ids("east", "a")
    #expect(first.candidate(3) == ids("east", "a").candidate(3) && first.slot == ids("east", "a").slot)
    #expect(Set((0..<1_000).map { first.candidate($0) }).count == 1_000)
    #expect(first.scope == ids("east", "b").scope)
    #expect(first.scope != ids("north", "a").scope && first.scope != ids("east", "a", tenant: 2).scope)
    #expect(
      first.candidate(0) != ids("east", "b").candidate(0)
        && first.candidate(0) != ids("east", "a", tenant: 2).candidate(0))
    #expect(Array(first.scope.utf8).withUnsafeBytes { $0.isIdentifier })
  }
}
