import Base
import Ledger
import Testing

@testable import Cluster
@testable import Simulator

@Suite struct ReportTests {
  /// The records of an answer, each as a line.
  private func records(_ simulation: Simulation, _ client: SimulatedClient, _ line: String) throws -> [String] {
    let lines = askAll(simulation, client, line, for: 30_000_000)
    let head = try #require(lines.first)
    return head.hasPrefix("*") ? Array(lines.dropFirst()) : lines
  }
  private func field(_ line: String, _ key: String) -> String? {
    line.dropFirst().split(separator: " ").first { $0.hasPrefix(key + "=") }.map { String($0.dropFirst(key.count + 1)) }
  }
  private func figure(_ line: String, _ key: String) -> Int { field(line, key).flatMap { Int($0) } ?? .min }
  private func withoutMoment(_ lines: [String]) -> [String] {
    lines.map { $0.split(separator: " ").filter { !$0.hasPrefix("asof=") }.joined(separator: " ") }
  }
  private static let figures = [
    "issued", "redeemed", "expired", "refunded", "transferred", "adjusted", "outstanding",
  ]

  private func busyCluster(seed: UInt64, shards: Int = 3) throws -> (Simulation, SimulatedClient) {
    let simulation = try makeCluster(seed: seed, shards: shards) { configuration in
      configuration.snapshotLogBytes = 16 << 10
      configuration.ledgerLimits.journalSegmentBytes = 8 << 10
    }
    let client = try #require(simulation.connect(to: 0))
    let setup = [
      "PROGRAM SET main earn=1/100 transfer=yes utc-offset=+08:00", "PROGRAM SET other", "ORG SET north",
      "ORG SET alps parent=north",
      "MERCHANT SET mall program=main org=north region=east",
      "MERCHANT SET shop program=main parent=mall org=alps region=east", "MERCHANT SET kiosk program=main",
      "TIER SET main base rank=0 at=0 by=points period=year", "TIER SET main gold rank=1 at=500 by=points period=year",
    ]
    for line in setup { try #require(ask(simulation, client, line) == "+OK", "\(line)") }
    for member in 0..<12 {
      let kind = ["consumer", "staff"][member % 2]
      try #require(ask(simulation, client, "MEMBER ADD m\(member) class=\(kind) region=r\(member % 3)") == "+OK")
    }
    return (simulation, client)
  }
  private func move(_ simulation: Simulation, _ client: SimulatedClient, _ ids: Range<Int>) {
    var lines: [String] = []
    for id in ids {
      let (member, merchant) = ("m\(id % 12)", ["mall", "shop", "kiosk"][id % 3])
      lines.append("EARN \(member) merchant=\(merchant) points=\(10 + id) id=e\(id)\n")
      if id % 4 == 0 { lines.append("REDEEM \(member) merchant=kiosk points=5 id=r\(id)\n") }
      if id % 5 == 0 { lines.append("TRANSFER \(member) m\((id + 1) % 12) points=2 id=t\(id) program=main\n") }
    }
    client.clear()
    simulation.send(lines.joined(), on: client)
    simulation.run(for: 30_000_000) { client.lineCount == lines.count }
    for line in client.lines { #expect(line.hasPrefix("+"), "\(line)") }
  }

  /// However it is divided, the records add up to the whole, and that to what was moved.
  @Test func theFiguresAreThoseOfWhatWasMoved() throws {
    let (simulation, client) = try busyCluster(seed: 886_000)
    move(simulation, client, 0..<60)
    let whole = try #require(try records(simulation, client, "REPORT points main").first)
    let issued = (0..<60).reduce(0) { $0 + 10 + $1 }
    #expect(figure(whole, "issued") == issued && figure(whole, "redeemed") == 15 * 5 && figure(whole, "expired") == 0)
    #expect(figure(whole, "transferred") == 0 && figure(whole, "outstanding") == issued - 75, "\(whole)")
    for key in ["merchant", "org", "region", "class", "tier", "day", "month"] {
      let parts = try records(simulation, client, "REPORT points main by=\(key)")
      for name in Self.figures {
        #expect(parts.reduce(0) { $0 + figure($1, name) } == figure(whole, name), "\(key): \(parts)")
      }
      #expect(Set(parts.compactMap { field($0, "asof") }).count == 1)
    }
    func keys(_ key: String) throws -> [String] {
      try records(simulation, client, "REPORT points main by=\(key)").compactMap { field($0, key) }
    }
    #expect(try keys("merchant") == ["kiosk", "mall", "shop", "operator"])
    #expect(try keys("org") == ["alps", "north", "operator"] && keys("region") == ["east", "operator"])
    #expect(
      try keys("class") == ["consumer", "staff"] && keys("tier") == ["base", "gold"] || keys("tier") == ["base"])
    // A merchant with what is below it.
    let mall = try records(simulation, client, "REPORT points main by=merchant merchant=mall")
    #expect(mall.compactMap { field($0, "merchant") } == ["mall", "shop"])
    let parts = try records(simulation, client, "REPORT points main by=merchant")
    #expect(Array(withoutMoment(parts)[1...2]) == withoutMoment(mall))
    // What moved elsewhere, or at another time, is in none.
    #expect(try figure(records(simulation, client, "REPORT points other")[0], "issued") == 0)
    let before = try records(simulation, client, "REPORT points main until=2001-01-01")
    #expect(figure(before[0], "issued") == 0 && figure(before[0], "outstanding") == 0)
    let since = try records(simulation, client, "REPORT points main from=2001-01-01")
    #expect(withoutMoment(since) == withoutMoment([whole]))
  }

  /// Days are the program's, and a day that is over is not changed by what comes later.
  @Test func daysArePutTogetherByTheProgramsZone() throws {
    let (simulation, client) = try busyCluster(seed: 886_001)
    // A zone in which the day is over in a minute: nothing was booked in it yet.
    let now = figure(try records(simulation, client, "REPORT members")[0], "asof") / 60_000
    let ahead = 1_438 - now % 1_440
    let east = ahead > 720 ? ahead - 1_440 : ahead
    let zone = [abs(east) / 60, abs(east) % 60].map { ($0 < 10 ? "0" : "") + "\($0)" }.joined(separator: ":")
    #expect(ask(simulation, client, "PROGRAM SET main utc-offset=\(east < 0 ? "-" : "+")\(zone)") == "+OK")
    move(simulation, client, 0..<12)
    let first = try #require(try records(simulation, client, "REPORT points main by=day").first)
    let day = try #require(field(first, "day"))
    simulation.run(for: 130_000_000)
    move(simulation, client, 12..<24)
    let days = try records(simulation, client, "REPORT points main by=day")
    #expect(days.count == 2 && withoutMoment(days)[0] == withoutMoment([first])[0], "\(days)")
    let next = try #require(field(days[1], "day"))
    let alone = try records(simulation, client, "REPORT points main by=day from=\(next)")
    #expect(withoutMoment(alone) == [withoutMoment(days)[1]] && day < next)
    let former = try records(simulation, client, "REPORT points main by=day from=\(day) until=\(next)")
    #expect(withoutMoment(former) == [withoutMoment(days)[0]])
    #expect(try records(simulation, client, "REPORT points main by=month").count <= 2)
  }

  /// All that was is in it, in whichever shards the members are by now.
  @Test func outlivesShards() throws {
    let (simulation, client) = try busyCluster(seed: 886_002, shards: 2)
    move(simulation, client, 0..<40)
    func operation(_ line: String) throws {
      let answer = try #require(ask(simulation, client, line))
      let number = try #require(field(answer, "op"), "\(answer)")
      let isOver = simulation.run(for: 60_000_000) {
        (ask(simulation, client, "CLUSTER OP SHOW \(number)") ?? "").contains("state=done")
      }
      try #require(isOver, "\(line)")
    }
    let before = try records(simulation, client, "REPORT points main by=merchant")
    try operation("CLUSTER SHARD SPLIT 1")
    #expect(try withoutMoment(records(simulation, client, "REPORT points main by=merchant")) == withoutMoment(before))
    try operation("CLUSTER SHARD MERGE 2 1")
    #expect(try withoutMoment(records(simulation, client, "REPORT points main by=merchant")) == withoutMoment(before))
    #expect(try records(simulation, client, "REPORT points main by=class").count == 2)
    move(simulation, client, 40..<50)
    let whole = try records(simulation, client, "REPORT points main")[0]
    #expect(figure(whole, "issued") == (0..<50).reduce(0) { $0 + 10 + $1 }, "\(whole)")
  }

  @Test func membersAreCounted() throws {
    let (simulation, client) = try busyCluster(seed: 886_003)
    #expect(ask(simulation, client, "MEMBER CLOSE m1") == "+OK" && ask(simulation, client, "MEMBER FREEZE m2") == "+OK")
    let all = try records(simulation, client, "REPORT members")
    #expect(withoutMoment(all) == ["+joined=12 active=10 frozen=1 closed=1 total=12"] && field(all[0], "asof") != nil)
    #expect(
      try withoutMoment(records(simulation, client, "REPORT members by=class")) == [
        "+class=consumer joined=6 active=5 frozen=1 closed=0 total=6",
        "+class=staff joined=6 active=5 frozen=0 closed=1 total=6",
      ])
    #expect(try records(simulation, client, "REPORT members by=region").count == 3)
    #expect(
      try withoutMoment(records(simulation, client, "REPORT members main by=tier"))[0].hasPrefix("+tier=base joined=12")
    )
    #expect(try records(simulation, client, "REPORT members main by=day").count == 1)
    #expect(try withoutMoment(records(simulation, client, "REPORT members until=2001-01-01"))[0].contains("joined=0"))
    #expect(try records(simulation, client, "REPORT members by=day until=2001-01-01").isEmpty)
  }

  @Test func campaignsAreTold() throws {
    let (simulation, client) = try busyCluster(seed: 886_004)
    let setup = [
      "QUOTA SET pot limit=100", "CAMPAIGN SET spring budget=pot state=running", "CAMPAIGN SET idle state=running",
      "RULE SET more program=main stage=bonus points=3 campaign=spring state=running",
    ]
    for line in setup { #expect(ask(simulation, client, line) == "+OK", "\(line)") }
    for member in 0..<4 {
      let answer = ask(simulation, client, "EARN m\(member) merchant=kiosk spend=1000 id=c\(member)") ?? ""
      #expect(answer.hasPrefix("+"), "\(answer)")
    }
    let told = try withoutMoment(records(simulation, client, "REPORT campaigns"))
    #expect(
      told == [
        "+campaign=idle members=0 transactions=0 points=0 spend=0",
        "+campaign=spring members=4 transactions=4 points=12 spend=4000 left=88",
      ])
    #expect(ask(simulation, client, "CAMPAIGN REPORT spring") == told[1])
  }

  @Test func whatCannotBeAnsweredIsSaid() throws {
    let (simulation, client) = try busyCluster(seed: 886_005)
    for (line, answer) in [
      ("REPORT orders", "-ERR there is no report of orders in this build yet"),
      ("REPORT cats", "-ERR there are reports of points, members, campaigns"),
      ("REPORT points nothing", "-NOTFOUND no such program 'nothing'"),
      ("REPORT members nothing", "-NOTFOUND no such program 'nothing'"),
      ("REPORT points main merchant=nobody", "-NOTFOUND no such merchant 'nobody'"),
      ("REPORT points main by=colour", "-ERR by= must be one of merchant"),
      ("REPORT members by=merchant", "-ERR by= must be one of region"),
      ("REPORT campaigns by=day", "-ERR REPORT campaigns"),
      ("REPORT members merchant=mall", "-ERR REPORT members takes no merchant="),
    ] {
      #expect(
        ask(simulation, client, line)?.hasPrefix(answer) == true, "\(line): \(ask(simulation, client, line) ?? "")")
    }
    // A shard without a majority is named, and no part is an answer.
    for host in 1..<3 { simulation.kill(host) }
    let alone = try records(simulation, client, "REPORT points main")
    #expect(alone.count == 1 && alone[0].hasPrefix("-UNAVAILABLE") && alone[0].contains(" shards="), "\(alone)")
    let members = try records(simulation, client, "REPORT members")
    #expect(members.count == 1 && members[0].hasPrefix("-UNAVAILABLE") && members[0].contains(" shards="), "\(members)")
  }

  /// A report is of its moment, whatever is booked while journals are read.
  @Test func whatIsBookedMeanwhileIsInNoReport() throws {
    let (simulation, client) = try busyCluster(seed: 886_007)
    move(simulation, client, 0..<30)
    let till = try #require(simulation.connect(to: 1))
    var sent = 0
    client.clear()
    simulation.send("REPORT points main\n", on: client)
    simulation.run(for: 30_000_000) {
      if sent < 3_000 {
        simulation.send("EARN m\(sent % 12) merchant=kiosk points=1 id=more\(sent)\n", on: till)
        sent += 1
      }
      return client.lineCount > 0
    }
    let report = try #require(client.lines.first)
    simulation.run(for: 30_000_000) { till.lineCount == sent }
    let asof = try #require(field(report, "asof"))
    func earned(_ words: String) throws -> Int {
      try records(simulation, client, "FEED limit=10000 kind=earn\(words)").filter { field($0, "kind") == "earn" }
        .reduce(0) { $0 + figure($1, "points") }
    }
    #expect(try figure(report, "issued") == earned(" until=\(asof)"))
    #expect(try figure(report, "issued") < earned(""), "something was booked behind it")
  }

  /// What an audit adds up is what the feed has up to its moment: no more, and no less.
  @Test func theFeedEndsAtAnAuditsMoment() throws {
    let (simulation, client) = try busyCluster(seed: 886_006)
    move(simulation, client, 0..<30)
    client.clear()
    simulation.send("AUDIT\n", on: client)
    simulation.run(for: 20_000_000) { client.lineCount == 5 }
    let total = try #require(client.lines.last)
    let asof = try #require(field(total, "asof"))
    move(simulation, client, 30..<60)
    func earned(_ words: String) throws -> Int {
      try records(simulation, client, "FEED limit=10000 kind=earn \(words)").count { field($0, "kind") == "earn" }
    }
    #expect(try earned("until=\(asof)") == 30 && earned("") == 60)
    let all = try records(simulation, client, "FEED limit=10000 until=\(asof)")
    let movements = all.filter { field($0, "kind") != "change" }
    #expect(movements.allSatisfy { figure($0, "time") <= figure(total, "asof") })
    // Each movement is a transaction.
    #expect(movements.count == figure(total, "transactions"), "\(total)")
    // Behind the last there is nothing, whatever was booked since.
    let last = try #require(all.last.flatMap { field($0, "cursor") })
    #expect(try records(simulation, client, "FEED from=\(last) until=\(asof)").isEmpty)
  }
}
