import Testing

@testable import Simulator

/// What docs/protocol.md promises, asked of a whole cluster.
@Suite struct ContractTests {
  private func open(seed: UInt64, shards: Int = 3) throws -> (Simulation, SimulatedClient) {
    let simulation = try makeCluster(seed: seed, shards: shards)
    let client = try #require(simulation.connect(to: 0))
    for line in [
      "PROGRAM SET main earn=1/100", "MERCHANT SET shop program=main", "MERCHANT SET cafe program=main",
      "MEMBER ADD ann", "MEMBER ADD ben", "MEMBER ADD cyd",
    ] { #expect(ask(simulation, client, line) == "+OK") }
    return (simulation, client)
  }
  private func field(_ name: String, _ line: String) -> String? {
    line.split(separator: " ").first { $0.hasPrefix(name + "=") || $0.hasPrefix("+" + name + "=") }
      .map { String($0.split(separator: "=", maxSplits: 1)[1]) }
  }

  // MARK: Transactions

  @Test func whatFollowsMultiDoesNotHappen() throws {
    let (simulation, client) = try open(seed: 20)
    for (end, reply) in [("EXEC", "-EXECABORT "), ("DISCARD", "+OK")] {
      client.clear()
      // Behind a request that is under way, pipelined as client libraries do.
      let lines = [
        "EARN ann merchant=shop points=1 id=before-\(end)", "MULTI", "EARN ann merchant=shop points=100 id=in-\(end)",
        "NONSENSE", "MEMBER ADD \(end.lowercased())", "PING", "EARN ann merchant=shop", "CLUSTER STATUS", end,
        "EARN ann merchant=shop points=1 id=after-\(end)",
      ]
      simulation.send(lines.joined(separator: "\n") + "\n", on: client)
      simulation.run(for: 3_000_000) { client.lineCount == lines.count }
      let answers = client.lines
      #expect(
        answers.count == lines.count && answers[0].hasPrefix("+tx=") && answers[9].hasPrefix("+tx="), "\(answers)")
      #expect(answers[1...7].allSatisfy { $0.hasPrefix("-ERR ") } && answers[8].hasPrefix(reply), "\(answers)")
      #expect(ask(simulation, client, "MEMBER SHOW \(end.lowercased())")?.hasPrefix("-NOTFOUND") == true)
    }
    #expect(ask(simulation, client, "BALANCE ann")?.contains("balance=4 ") == true)
  }

  // MARK: Request ids

  @Test func aRecipientWhoDoesNotExistIsRefusedForGoodUnderThatID() throws {
    let (simulation, client) = try open(seed: 21)
    func answer(_ line: String) -> String { ask(simulation, client, line) ?? "" }
    #expect(answer("EARN ann merchant=shop points=100 id=e").hasPrefix("+tx="))
    #expect(answer("TRANSFER ann zed points=5 id=t1").hasPrefix("-NOTFOUND"))
    #expect(answer("TRANSFER ann card:77 points=5 id=t2").hasPrefix("-NOTFOUND"))
    #expect(answer("TRANSFER ann card:77 points=6 id=t2").hasPrefix("-CONFLICT"))
    #expect(answer("MEMBER ADD zed card=77") == "+OK")
    #expect(answer("TRANSFER ann zed points=5 id=t1").hasPrefix("-NOTFOUND"))
    #expect(answer("TRANSFER ann zed points=6 id=t1").hasPrefix("-CONFLICT"))
    #expect(answer("TRANSFER ann card:77 points=5 id=t2").hasPrefix("-NOTFOUND"))
    #expect(answer("TRANSFER ann CARD:77 points=5 id=t2").hasPrefix("-NOTFOUND"))
    #expect(answer("TRANSFER ann card:77 points=6 id=t2").hasPrefix("-CONFLICT"))
    #expect(answer("TRANSFER ann card:77 points=5 id=t3").contains("to=zed points=5 balance=95"))
    #expect(answer("TRANSFER ann zed points=5 id=t3").contains("to=zed points=5 balance=95"))
    #expect(answer("BALANCE zed").contains("balance=5 "))
  }

  @Test func aRepeatByACardHasItsFirstAnswerWhoeverHoldsTheCardNow() throws {
    let (simulation, client) = try open(seed: 22)
    func answer(_ line: String) -> String { ask(simulation, client, line) ?? "" }
    #expect(answer("CARD ADD 5001 member=ann") == "+OK")
    #expect(answer("CARD ADD 6001 member=cyd") == "+OK")
    let lines = [
      "EARN card:5001 merchant=shop spend=10000 id=a", "REDEEM card:5001 merchant=cafe points=10 id=b",
      "HOLD card:5001 merchant=shop points=5 id=c", "TRANSFER card:5001 card:6001 points=7 id=d",
      "TRANSFER card:5001 ben points=3 id=e", "REDEEM card:5001 merchant=shop points=9999 id=f",
      "MEMBER FREEZE card:5001 id=g", "MEMBER THAW card:5001 id=h",
    ]
    let first = lines.map(answer)
    #expect(first[0].hasPrefix("+tx=") && first[3].contains("to=cyd") && first[5].hasPrefix("-INSUFFICIENT"))
    #expect(first[6] == "+OK" && first[7] == "+OK")
    let balance = answer("BALANCE ann")
    func move(_ card: String, to member: String) {
      #expect(answer("CARD REMOVE \(card)") == "+OK")
      #expect(lines.map(answer) == first)
      #expect(answer("CARD ADD \(card) member=\(member)") == "+OK")
      #expect(lines.map(answer) == first)
    }
    move("5001", to: "ben")
    #expect(answer("MEMBER SHOW card:5001").contains("member=ben state=active"))
    move("6001", to: "ann")
    move("5001", to: "cyd")
    #expect(answer("BALANCE ann") == balance)
    // A new request is the present holder's, also under an id that a former holder used for something else.
    #expect(answer("EARN card:5001 merchant=shop spend=10000 id=z").contains("member=cyd"))
    #expect(answer("EARN card:5001 merchant=shop spend=20000 id=a").contains("member=cyd"))
    #expect(answer("EARN card:5001 merchant=shop spend=20000 id=a").contains("member=cyd"))
    #expect(answer("MEMBER SHOW ann").contains("state=active"))
    let total = try #require(askAll(simulation, client, "AUDIT").last)
    #expect(total.contains("balanced=yes"), "\(total)")
  }

  @Test func aCardThatWasRemovedNamesNobody() throws {
    let (simulation, client) = try open(seed: 23)
    func answer(_ line: String) -> String { ask(simulation, client, line) ?? "" }
    #expect(answer("CARD ADD 5001 member=ann") == "+OK")
    #expect(answer("CARD REMOVE 5001") == "+OK")
    for line in [
      "BALANCE card:5001", "HISTORY card:5001", "MEMBER SHOW card:5001", "MEMBER FREEZE card:5001",
      "MEMBER CLOSE card:5001 id=x", "EARN card:5001 merchant=shop points=1 id=x",
    ] { #expect(answer(line).hasPrefix("-NOTFOUND"), "\(line)") }
    #expect(answer("MEMBER SHOW ann").contains("state=active"))
  }

  @Test func addingAMemberAgainChangesNothingWhateverBecameOfTheCard() throws {
    let (simulation, client) = try open(seed: 24)
    func answer(_ line: String) -> String { ask(simulation, client, line) ?? "" }
    #expect(answer("MEMBER ADD dan name=Dan card=9") == "+OK")
    #expect(answer("CARD REMOVE 9") == "+OK")
    #expect(answer("MEMBER ADD dan name=Dan card=9") == "+OK")
    #expect(answer("MEMBER ADD dan name=Don card=9").hasPrefix("-EXISTS"))
    #expect(answer("MEMBER ADD dan name=Dan card=10").hasPrefix("-EXISTS"))
    #expect(answer("BALANCE card:9").hasPrefix("-NOTFOUND"))
    #expect(answer("CARD ADD 9 member=ann") == "+OK")
    #expect(answer("MEMBER ADD dan name=Dan card=9").hasPrefix("-EXISTS"))
    #expect(answer("CARD REMOVE 9") == "+OK")
    #expect(answer("MEMBER ADD dan name=Dan card=9") == "+OK")
    #expect(answer("BALANCE card:9").hasPrefix("-NOTFOUND"))
    #expect(answer("MEMBER ADD eve card=9") == "+OK")
    #expect(answer("BALANCE card:9").contains("member=eve"))
  }

  @Test func changesOfTheCatalogueAreRepeatedByTheirID() throws {
    let (simulation, client) = try open(seed: 25)
    func answer(_ line: String) -> String { ask(simulation, client, line) ?? "" }
    #expect(answer("PROGRAM SET main earn=2/100 id=p") == "+OK")
    #expect(answer("PROGRAM SET main earn=3/100") == "+OK")
    #expect(answer("PROGRAM SET main earn=2/100 id=p") == "+OK")
    #expect(askAll(simulation, client, "PROGRAM LIST").last?.contains("earn=3/100") == true)
    #expect(answer("PROGRAM SET main earn=4/100 id=p").hasPrefix("-CONFLICT"))
    #expect(answer("MERCHANT SET main title=One id=p") == "+OK")
    #expect(answer("MERCHANT SET main title=Two") == "+OK")
    #expect(answer("MERCHANT SET main title=One id=p") == "+OK")
    #expect(
      askAll(simulation, client, "MERCHANT LIST").contains { $0.contains("merchant=main") && $0.contains("title=Two") })
    #expect(answer("MERCHANT SET main title=Three id=p").hasPrefix("-CONFLICT"))
  }

  // MARK: Reading

  @Test func everyReadMayBeAnsweredByTheNodeAtHand() throws {
    let (simulation, client) = try open(seed: 26)
    #expect(ask(simulation, client, "CARD ADD 5001 member=ann") == "+OK")
    let earned = try #require(ask(simulation, client, "EARN ann merchant=shop points=100 id=e"))
    let tx = try #require(field("tx", earned))
    simulation.run(for: 1_000_000)
    let before = askAll(simulation, client, "HISTORY ann")
    simulation.cut(2, 0)
    simulation.cut(2, 1)
    simulation.run(for: 3_000_000)
    let alone = try #require(simulation.connect(to: 2))
    let lines = [
      "BALANCE ann", "BALANCE card:5001", "HISTORY ann", "HISTORY card:5001", "TX SHOW \(tx)", "MEMBER SHOW ann",
      "PROGRAM LIST", "MERCHANT LIST", "AUDIT",
    ]
    for line in lines {
      let answer = askAll(simulation, alone, "\(line) read=local")
      let records = answer.filter { $0.hasPrefix("+") }
      #expect(!records.isEmpty && answer.allSatisfy { !$0.hasPrefix("-") }, "\(line): \(answer)")
      for record in records {
        let asof = field("asof", record).flatMap { Int64($0) } ?? 0
        let passed = asof - Simulation.epoch / 1000
        #expect(passed > 0 && passed < Int64(simulation.now / 1000), "\(record)")
      }
    }
    let row = try #require(before.last)
    let local = askAll(simulation, alone, "HISTORY ann read=local")
    #expect(local.last?.hasPrefix(row + " asof=") == true, "\(before) \(local)")
    #expect(askAll(simulation, alone, "BALANCE card:9 read=local").first?.hasPrefix("-NOTFOUND") == true)
  }

  @Test func aNodeThatIsCutOffClaimsNoLeadership() throws {
    let (simulation, _) = try open(seed: 27)
    simulation.run(for: 5_000_000)
    let client = try #require(simulation.connect(to: 0, from: "127.0.0.1:4000"))
    let rows = askAll(simulation, client, "CLUSTER NODES").dropFirst()
    #expect(rows.allSatisfy { field("leaders", $0) == "1" }, "\(rows)")
    simulation.cut(0, 1)
    simulation.cut(0, 2)
    simulation.run(for: 5_000_000)
    let status = try #require(ask(simulation, client, "CLUSTER STATUS"))
    #expect(
      field("healthy", status) == "no" && field("leaders", status) == "0" && field("up", status) == "1", "\(status)")
    let alone = askAll(simulation, client, "CLUSTER NODES").dropFirst()
    #expect(alone.allSatisfy { field("leaders", $0) == "0" }, "\(alone)")
    #expect(askAll(simulation, client, "CLUSTER SHARDS").dropFirst().allSatisfy { field("leader", $0) == "none" })
    #expect(ask(simulation, client, "HEALTH")?.hasPrefix("-UNAVAILABLE") == true)
    let other = try #require(simulation.connect(to: 1))
    let led = askAll(simulation, other, "CLUSTER NODES").dropFirst().compactMap {
      field("leaders", $0).flatMap { Int($0) }
    }
    #expect(led.reduce(0, +) == 3, "\(led)")
  }

  // MARK: Connections, leaders

  @Test func membersWithoutACardAreAddedSideBySide() throws {
    let (simulation, client) = try open(seed: 28)
    client.clear()
    simulation.send((0..<50).map { "MEMBER ADD many\($0)\n" }.joined(), on: client)
    #expect(client.unread.isEmpty, "all are taken in before the first is answered")
    simulation.run(for: 3_000_000) { client.lineCount == 50 }
    #expect(client.lines == Array(repeating: "+OK", count: 50))
    client.clear()
    simulation.send((0..<50).map { "MEMBER ADD c\($0) card=\($0 + 7)\n" }.joined(), on: client)
    #expect(client.unread.isEmpty, "so are those with cards")
    simulation.run(for: 3_000_000) { client.lineCount == 50 }
    #expect(client.lines == Array(repeating: "+OK", count: 50))
    client.clear()
    simulation.send("MEMBER ADD one card=1\nEARN card:1 merchant=shop points=3 id=e1\n", on: client)
    #expect(!client.unread.isEmpty, "a card is another shard's: what follows waits")
    simulation.run(for: 3_000_000) { client.lineCount == 2 }
    #expect(client.lines[0] == "+OK" && client.lines[1].contains("points=3"), "\(client.lines)")
  }

  @Test func oneShardIsShownWithItsMembers() throws {
    let (simulation, client) = try open(seed: 29)
    simulation.run(for: 5_000_000)
    let rows = askAll(simulation, client, "CLUSTER SHARDS").dropFirst()
    let one = askAll(simulation, client, "CLUSTER SHARDS 1")
    #expect(one.first == "*4" && one.dropFirst().first == rows.first, "\(one)")
    #expect(one.dropFirst(2).map { field("state", $0) ?? "" }.sorted() == ["leader", "voter", "voter"])
    #expect(askAll(simulation, client, "CLUSTER SHARDS 99") == ["-NOTFOUND there is no shard 99"])
    #expect(askAll(simulation, client, "CLUSTER SHARDS one").first?.hasPrefix("-ERR which shard") == true)
  }

  @Test(arguments: 30...49 as ClosedRange<UInt64>)
  func aDeadLeaderWhoseAddressRefusesIsReplacedBeforeItsHeartbeatsAreMissed(seed: UInt64) throws {
    let (simulation, client) = try open(seed: seed)
    simulation.run(for: 5_000_000)
    let rows = askAll(simulation, client, "CLUSTER SHARDS").dropFirst()
    let names = simulation.hosts.map(\.configuration.name)
    let victim = try #require(rows.compactMap { field("leader", $0) }.compactMap { names.firstIndex(of: $0) }.max())
    let watcher = try #require(simulation.connect(to: victim == 0 ? 1 : 0))
    simulation.kill(victim)
    let start = simulation.now
    simulation.run(for: 5_000_000) {
      guard simulation.now - start > 20_000, (simulation.now / 1000) % 10 == 0 else { return false }
      watcher.clear()
      simulation.send("CLUSTER STATUS\n", on: watcher)
      return watcher.lines.last.flatMap { field("leaders", $0) } == "3"
    }
    // Ten heartbeats of 100 ms would have to be missed otherwise.
    #expect(simulation.now - start < 700_000, "\(simulation.now - start) us")
  }
}
