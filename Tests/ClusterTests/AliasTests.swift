import Base
import Ledger
import Testing

@testable import Cluster
@testable import Simulator

/// Aliases, and who has which, over the shards of a cluster.
@Suite struct AliasTests {
  private func members(_ lines: [String]) -> [String] {
    lines.compactMap { $0.hasPrefix("+member=") ? String($0.dropFirst(8).prefix { $0 != " " }) : nil }
  }
  private func cursor(_ lines: [String]) -> String? {
    lines.last?.split(separator: " ").first { $0.hasPrefix("+cursor=") }.map { String($0.dropFirst(8)) }
  }

  @Test func anAliasHasOneOwnerWhereverItLies() throws {
    let cluster = try ResizedCluster(seed: 371, shards: 6)
    for number in 0..<8 {
      #expect(try cluster.ask("ALIAS ADD mail:a\(number)@x member=m\(number % 4)", on: number % 3) == "+OK")
      #expect(
        try cluster.ask("ALIAS ADD mail:a\(number)@x member=m\((number + 1) % 4)", on: 1).hasPrefix("-EXISTS"))
      let line = "EARN mail:a\(number)@x merchant=shop points=5 id=e\(number)"
      let first = try cluster.ask(line, on: 2)
      #expect(first.contains("member=m\(number % 4) "))
      #expect(try cluster.ask("ALIAS REMOVE mail:a\(number)@x") == "+OK")
      #expect(try cluster.ask("BALANCE mail:a\(number)@x").hasPrefix("-NOTFOUND"))
      // A repeat, also when it is another's.
      #expect(try cluster.ask(line) == first)
      #expect(try cluster.ask("ALIAS ADD mail:a\(number)@x member=m\((number + 1) % 4)", on: 1) == "+OK")
      #expect(try cluster.ask(line, on: 1) == first)
    }
    #expect(try cluster.ask("TRANSFER mail:a0@x mail:a1@x points=1 id=t").contains("from=m1 to=m2 "))
  }

  /// Sent at once on one connection: who referred is there by then, though another shard has it.
  @Test func aReferrerThatWasAddedJustBeforeIsFound() throws {
    let cluster = try ResizedCluster(seed: 370, shards: 6)
    let client = try #require(cluster.simulation.connect(to: 1))
    // Half of them with cards of their own, which are claimed first.
    let lines = (1...12).map { number in
      "MEMBER ADD chain\(number)" + ([1, 2].contains(number % 4) ? " card=900\(number)" : "")
        + (number > 1 ? " referrer=chain\(number - 1)" : "")
    }
    cluster.simulation.send(
      (lines + ["MEMBER ADD chain13 referrer=nobody", "MEMBER SET chain1 referrer=chain12"]).joined(separator: "\n")
        + "\n",
      on: client)
    cluster.simulation.run(for: 20_000_000) { client.lineCount == 14 }
    #expect(client.lines.count { $0 == "+OK" } == 13, "\(client.lines)")
    #expect(client.lines[12] == "-NOTFOUND referrer=: no such member 'nobody'")
    #expect(try cluster.ask("MEMBER SHOW chain13").hasPrefix("-NOTFOUND"))
  }

  /// By an alias, of a member that is added, changed or minted; what a shard keeps is the member.
  @Test func aReferrerMayBeNamedByAnAlias() throws {
    let cluster = try ResizedCluster(seed: 372, shards: 6)
    #expect(try cluster.ask("CARD ADD 77 member=m1") == "+OK")
    #expect(try cluster.ask("MEMBER ADD new1 referrer=card:77") == "+OK")
    #expect(try cluster.ask("MEMBER SHOW new1").contains(" referrer=m1"))
    // Both are aliases.
    #expect(try cluster.ask("CARD ADD 78 member=new1") == "+OK")
    #expect(try cluster.ask("MEMBER SET card:78 referrer=m2", on: 1) == "+OK")
    #expect(try cluster.ask("MEMBER SET card:78 referrer=card:77 id=s1", on: 1) == "+OK")
    #expect(try cluster.ask("MEMBER SET card:78 referrer=card:77 id=s1", on: 2) == "+OK")
    #expect(try cluster.ask("MEMBER SHOW new1").contains(" referrer=m1"))
    #expect(try cluster.ask("MEMBER SET new1 referrer=card:79").hasPrefix("-NOTFOUND"))
    #expect(try cluster.ask("MEMBER SET new1 referrer=fax:79").hasPrefix("-ERR"))
    #expect(try cluster.ask("MEMBER SET new1 referrer=") == "+OK")
    #expect(!(try cluster.ask("MEMBER SHOW new1").contains(" referrer=m1")))
    let region = try #require(cluster.simulation.hosts.first?.name.split(separator: "-").first)
    let minted = try cluster.ask("MEMBER ADD * region=\(region) id=r1 referrer=card:77")
    let id = try #require(minted.split(separator: "=").last)
    #expect(try cluster.ask("MEMBER SHOW \(id)").contains(" referrer=m1"), "\(minted)")
  }

  @Test(arguments: [381, 382, 383] as [UInt64]) func aCardIsReplacedOnceThoughNodesFail(seed: UInt64) throws {
    let cluster = try ResizedCluster(seed: seed, shards: 6)
    let simulation = cluster.simulation
    #expect(try cluster.ask("CARDTYPE SET gold") == "+OK")
    for number in 0..<6 {
      #expect(try cluster.ask("ALIAS ADD card:o\(number) member=m\(number % 4) type=gold") == "+OK")
    }
    for number in 0..<6 {
      let client = try #require(simulation.connect(to: 0))
      simulation.send("CARD REPLACE o\(number) n\(number) id=r\n", on: client)
      // Somewhere on its way.
      simulation.run(for: UInt64(number) * 12_000 + 3_000)
      let victim = 1 + number % 2
      simulation.kill(victim)
      simulation.run(for: 8_000_000)
      try #require(simulation.start(victim))
      var answer = ""
      for _ in 0..<20 where !answer.hasPrefix("+") {
        answer = try cluster.ask("CARD REPLACE o\(number) n\(number) id=r")
        simulation.run(for: 1_000_000)
      }
      #expect(answer == "+member=m\(number % 4)")
      #expect(try cluster.ask("EARN card:o\(number) merchant=shop points=1 id=a\(number)").hasPrefix("-LOST"))
      #expect(try cluster.ask("EARN card:n\(number) merchant=shop points=1 id=b\(number)").hasPrefix("+tx="))
      #expect(try cluster.ask("MEMBER SHOW card:n\(number)").contains("n\(number):gold"))
    }
    for number in 0..<4 {
      #expect(try cluster.ask("MEMBER ERASE m\(number) id=x") == "+OK")
      #expect(try cluster.ask("MEMBER SHOW m\(number)").contains(" cards=\"\" "))
      #expect(try cluster.ask("BALANCE card:n\(number)").hasPrefix("-NOTFOUND"))
    }
  }

  @Test func membersAreFoundInAllShards() throws {
    let cluster = try ResizedCluster(seed: 372, shards: 6)
    let simulation = cluster.simulation
    var wanted: [String] = []
    for number in 0..<24 {
      let region = ["north", "south"][number % 2]
      #expect(try cluster.ask("MEMBER ADD f\(number) region=\(region) x.n=\(number % 3)", on: number % 3) == "+OK")
      if number % 4 == 0 {
        #expect(try cluster.ask("MEMBER TAG f\(number) vip t\(number)", on: number % 3) == "+OK")
        wanted.append("f\(number)")
      }
    }
    let client = try #require(simulation.connect(to: 1))
    let found = askAll(simulation, client, "MEMBER FIND tag=vip")
    #expect(members(found).sorted() == wanted.sorted() && cursor(found) == "\"\"", "\(found)")
    #expect(found.last?.contains(" asof=") == true)
    #expect(
      members(askAll(simulation, client, "MEMBER FIND tag=vip x.n=0 region=north class=consumer")).sorted() == [
        "f0", "f12",
      ])
    #expect(members(askAll(simulation, client, "MEMBER FIND region=south")).count == 12)
    #expect(members(askAll(simulation, client, "MEMBER FIND class=staff")).isEmpty)
    _ = askAll(simulation, client, "MEMBER FREEZE f3")
    #expect(members(askAll(simulation, client, "MEMBER FIND state=frozen")) == ["f3"])
    // Page by page: each once.
    var pages: [String] = []
    var next = ""
    repeat {
      let page = askAll(simulation, client, "MEMBER FIND region=north limit=5" + (next.isEmpty ? "" : " after=\(next)"))
      #expect(members(page).count <= 5)
      pages += members(page)
      next = cursor(page) ?? "\"\""
    } while next != "\"\""
    #expect(pages.count == 12 && Set(pages).count == 12)
    #expect(askAll(simulation, client, "MEMBER FIND after=nonsense")[0].hasPrefix("-ERR"))
    #expect(askAll(simulation, client, "MEMBER FIND after=1-0-9999")[0].hasPrefix("-NOTFOUND"))
    // What the connection wrote before it, without waiting.
    client.clear()
    simulation.send("MEMBER TAG f1 late\nMEMBER FIND tag=late\n", on: client)
    simulation.run(for: 5_000_000) { client.lineCount == 4 }
    #expect(members(client.lines) == ["f1"], "\(client.lines)")
  }

  @Test func tooManySearchesAreRefusedAndAShardThatIsMissingIsNamed() throws {
    let cluster = try ResizedCluster(seed: 373, shards: 6)
    let simulation = cluster.simulation
    let clients = try (0..<5).map { _ in try #require(simulation.connect(to: 0)) }
    for client in clients { simulation.send("MEMBER FIND\n", on: client) }
    simulation.run(for: 10_000_000) { clients.allSatisfy { $0.lineCount > 0 } }
    #expect(clients.count { $0.lines[0].hasPrefix("-BUSY 4 searches") } == 1, "\(clients.map(\.lines))")
    #expect(clients.count { $0.lines[0].hasPrefix("*") } == 4)
    // There is room again.
    #expect(askAll(simulation, clients[0], "MEMBER FIND")[0].hasPrefix("*"))
    simulation.kill(1)
    simulation.kill(2)
    simulation.run(for: 2_000_000)
    func ask(_ clients: ArraySlice<SimulatedClient>) -> [String] {
      for client in clients {
        client.clear()
        simulation.send("MEMBER FIND\n", on: client)
      }
      simulation.run(for: 10_000_000) { clients.allSatisfy { $0.lineCount > 0 } }
      return clients.map { $0.lines.first ?? "nothing" }
    }
    for answer in ask(clients[..<4]) {
      let shard = answer.split(separator: " ").last.flatMap { Int($0.dropFirst(7)) }
      #expect(answer.hasPrefix("-UNAVAILABLE") && shard.map { (1...6).contains($0) } == true, "\(answer)")
    }
    for host in 1...2 { simulation.start(host) }
    simulation.run(for: 20_000_000) { status(simulation, 0)?.contains("healthy=yes") == true }
    let answers = ask(clients[1...])
    #expect(answers.allSatisfy { $0.hasPrefix("*") }, "\(answers)")
  }

  @Test func membersAreFoundWhereTheirSlotsHaveMoved() throws {
    let cluster = try ResizedCluster(seed: 374, shards: 2)
    let simulation = cluster.simulation
    for number in 0..<20 { #expect(try cluster.ask("MEMBER ADD f\(number) region=north") == "+OK") }
    let client = try #require(simulation.connect(to: 0))
    let early = try #require(cursor(askAll(simulation, client, "MEMBER FIND region=north limit=3")))
    let answer = try cluster.ask("CLUSTER SHARD SPLIT 1")
    try #require(answer.contains("op=1"), "\(answer)")
    // While slots move it has all, or says that it cannot.
    var isDone = false
    var refusals = 0
    for _ in 0..<2_000 where !isDone {
      isDone = try cluster.ask("CLUSTER OP SHOW 1").contains("state=done")
      let found = askAll(simulation, client, "MEMBER FIND region=north")
      let isWhole = members(found).count == 20 && Set(members(found)).count == 20
      if !isWhole { refusals += 1 }
      #expect(isWhole || found.first?.hasPrefix("-UNAVAILABLE members") == true, "\(found)")
      simulation.run(for: 2_000)
    }
    #expect(refusals > 0, "it was asked while they moved")
    try #require(isDone)
    let record = try cluster.wait(1)
    try #require(record.contains("state=done"), "\(record)")
    simulation.run(for: 3_000_000)
    #expect(members(askAll(simulation, client, "MEMBER FIND region=north")).count == 20)
    #expect(askAll(simulation, client, "MEMBER FIND region=north after=\(early)")[0].hasPrefix("-NOTFOUND"))
  }
}
