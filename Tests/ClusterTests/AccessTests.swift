import Base
import Ledger
import Testing
import Vocabulary

@testable import Cluster
@testable import Simulator

/// What each role may do, and on whose things.
@Suite struct AccessTests {
  /// Who has signed in goes on by a token, at that node, until anything of the user changes or the session ends.
  @Test func aSessionIsItsUsersUntilThatChanges() throws {
    let guarded = try Guarded(seed: 885_010)
    let simulation = guarded.simulation
    func asks(_ question: OwnQuestion, on client: SimulatedClient) throws -> String {
      client.clear()
      let host = simulation.hosts[client.host]
      try #require(host.node).asked(question, by: client.id, now: simulation.moment(host))
      simulation.run(for: 5_000_000) { client.lineCount > 0 }
      return client.lines.first ?? "no answer"
    }
    func token(_ user: String) throws -> [UInt8] {
      let opened = try asks(.openSession, on: guarded.connection(user))
      let token = try #require(opened.split(separator: " ").first { $0.hasPrefix("+token=") }, "\(opened)")
      #expect(opened.contains(" expires="))
      return Array(token.dropFirst("+token=".count).utf8)
    }
    let first = try token("manager")
    let second = try token("manager")
    #expect(first != second)
    let client = try #require(simulation.connect(to: 0))
    #expect(try asks(.openSession, on: client).hasPrefix("-NOAUTH "))
    #expect(try asks(.useSession(Array("tally-session-x".utf8)), on: client).hasPrefix("-WRONGPASS "))
    #expect(ask(simulation, client, "WHOAMI")?.hasPrefix("-NOAUTH ") == true)
    #expect(try asks(.useSession(first), on: client) == "+OK")
    #expect(ask(simulation, client, "WHOAMI")?.hasPrefix("+user=manager role=manager ") == true)
    #expect(ask(simulation, client, "EARN ann merchant=shop points=1 id=s1")?.hasPrefix("-NOPERM ") == true)
    #expect(try asks(.openSession, on: client).hasPrefix("-NOPERM "), "a session gives no other")
    #expect(ask(simulation, client, "RESET") == "+RESET")
    #expect(ask(simulation, client, "WHOAMI")?.hasPrefix("-NOAUTH ") == true)
    // Another node knows nothing of it.
    let other = try #require(simulation.connect(to: 1))
    #expect(try asks(.useSession(first), on: other).hasPrefix("-WRONGPASS "))
    #expect(try asks(.closeSession(first), on: client) == "+OK")
    #expect(try asks(.useSession(first), on: client).hasPrefix("-WRONGPASS "))
    #expect(try asks(.useSession(second), on: client) == "+OK")
    // Any change of the user ends those that are left.
    #expect(guarded.say("operator", "USER SET manager secret=another") == "+OK")
    #expect(try asks(.useSession(second), on: client).hasPrefix("-WRONGPASS "))
    let third = try token("support")
    #expect(guarded.say("operator", "USER SET support state=stopped") == "+OK")
    #expect(try asks(.useSession(third), on: client).hasPrefix("-WRONGPASS "))
  }

  /// A change of rights with a request id is made once, and answered alike when it is repeated: also by another node, later, with another secret.
  @Test func aChangeOfRightsWithARequestIDIsMadeOnce() throws {
    let guarded = try Guarded(seed: 912_200)
    let make = "USER SET extra role=auditor secret=s-extra id=u-1"
    #expect(guarded.say("operator", make) == "+OK")
    #expect(guarded.say("operator", "USER SET extra state=stopped rate=7 id=u-2") == "+OK")
    // A late copy does not let the user in again, and gives no other secret.
    #expect(guarded.say("operator", make) == "+OK")
    #expect(guarded.say("operator", "user set extra ID=u-1 secret=another ROLE=auditor") == "+OK")
    #expect(guarded.say("operator", "USER SHOW extra").contains("state=stopped"))
    #expect(guarded.say("operator", "USER SET extra state=active") == "+OK")
    #expect(guarded.say("operator", "USER SET extra state=stopped rate=7 id=u-2") == "+OK")
    #expect(guarded.say("operator", "USER SHOW extra").contains("state=active"))
    let client = try #require(guarded.simulation.connect(to: 1))
    #expect(ask(guarded.simulation, client, "AUTH extra another")?.hasPrefix("-WRONGPASS") == true)
    guarded.simulation.run(for: 2_000_000)
    #expect(ask(guarded.simulation, client, "AUTH extra s-extra") == "+OK")
    // Another request under it.
    for other in ["role=manager secret=s-extra", "role=auditor", "role=auditor secret=s-extra rate=1"] {
      #expect(guarded.say("operator", "USER SET extra \(other) id=u-1").hasPrefix("-CONFLICT "), "\(other)")
    }
    #expect(guarded.say("operator", "USER SHOW extra").contains("role=auditor"))
    // It is the user's own: for another it says nothing; what was refused is not kept.
    #expect(guarded.say("operator", "USER SET more id=u-1").hasPrefix("-ERR a new user needs role="))
    #expect(guarded.say("operator", "USER SET more role=auditor id=u-1") == "+OK")
    #expect(guarded.say("admin", "USER SET other role=support id=u-3").hasPrefix("-NOPERM "))
    #expect(guarded.say("operator", "USER SHOW other").hasPrefix("-NOTFOUND"))
    #expect(guarded.say("operator", "USER SET other role=support id=u-3") == "+OK")
    // Tenants too; a node that begins anew from the directory's snapshot goes on.
    #expect(guarded.say("admin", "TENANT SET second title=Two id=t-1") == "+OK")
    #expect(guarded.say("admin", "TENANT SET second title=Three") == "+OK")
    for host in 0..<3 {
      guarded.simulation.killProcess(host)
      guarded.simulation.start(host)
      guarded.simulation.run(for: 8_000_000)
    }
    guarded.forgetConnections()
    #expect(guarded.say("admin", "TENANT SET second title=Two id=t-1") == "+OK")
    #expect(try guarded.all("admin", "TENANT LIST").contains { $0.contains("title=Three") })
    #expect(guarded.say("admin", "TENANT SET second title=Four id=t-1").hasPrefix("-CONFLICT "))
    #expect(guarded.say("operator", make) == "+OK")
  }

  /// Before all nodes know of it no change of rights carries an id.
  @Test func aRequestIDWaitsForTheUpgrade() throws {
    let simulation = try makeCluster(seed: 912_201) { $0.semantics = Semantics.checked }
    let client = try #require(simulation.connect(to: 0))
    for line in ["USER SET ann role=operator secret=x id=1", "TENANT SET two id=1"] {
      let answer = try #require(ask(simulation, client, line))
      #expect(answer.hasPrefix("-UNAVAILABLE not all nodes keep the id= of ") && answer.contains("nothing was done"))
    }
    #expect(ask(simulation, client, "USER LIST") == "*0")
    #expect(
      ask(simulation, client, "MEMBER FIND cut=yes")?.hasPrefix("-UNAVAILABLE not all nodes know cut=yes") == true)
  }

  /// Who may follow the feed no more hears nothing of what comes, though it was asked before.
  @Test func aFeedThatWaitsEndsWithItsUsersRights() throws {
    let guarded = try Guarded(seed: 885_011)
    let client = try guarded.connection("auditor")
    client.clear()
    guarded.simulation.send("FEED kind=earn wait=30\n", on: client)
    guarded.simulation.run(for: 1_000_000)
    #expect(client.lineCount == 0)
    #expect(guarded.say("operator", "USER SET auditor state=stopped") == "+OK")
    #expect(guarded.say("operator", "EARN ann merchant=shop points=5 id=f1").hasPrefix("+tx="))
    guarded.simulation.run(for: 5_000_000) { client.lineCount > 0 }
    #expect(client.lines.first?.hasPrefix("-NOAUTH ") == true, "\(client.lines)")
  }

  @Test func sessionsAreBoundedAndEnd() {
    var table = SessionTable()
    func token(_ number: Int) -> [UInt8] { Array("t\(number)".utf8) }
    func isAdded(_ number: Int, user: UInt32, now: UInt64) -> Bool {
      table.add(token(number), user: user, revision: 1, now: now)
    }
    for number in 0..<100 { #expect(isAdded(number, user: 1, now: UInt64(number))) }
    #expect(table.count == SessionTable.mostOfUser)
    #expect(table.find(token(35), now: 100) == nil && table.find(token(36), now: 100)?.user == 1)
    #expect(table.find(token(36), now: SessionTable.lifetime + 35) != nil)
    #expect(table.find(token(36), now: SessionTable.lifetime + 36) == nil)
    for number in 100..<SessionTable.most + 36 { #expect(isAdded(number, user: UInt32(number), now: 200)) }
    #expect(table.count == SessionTable.most)
    #expect(!isAdded(-1, user: 2, now: 200), "there is no room")
    table.end(token(99))
    #expect(table.find(token(99), now: 200) == nil && isAdded(-1, user: 2, now: 200))
    // All of them are over.
    #expect(isAdded(-2, user: 2, now: 300 + SessionTable.lifetime) && table.count == 1)
  }

  @Test func everyVerbIsRefusedToEveryRoleThatMayNotAskForIt() throws {
    let guarded = try Guarded(seed: 874_000)
    let before = try guarded.state()
    var refused = 0
    for spec in VerbSpec.all where spec.route != .connection {
      let isRead =
        spec.reads.contains { spec.example.split(separator: " ").contains(Substring($0)) }
        && !spec.example.contains("apply=")
      let may = isRead ? spec.roles.union(spec.readers) : spec.roles
      for role in Role.allCases where role != .operator && !may.contains(role.roles) {
        let answer = guarded.say(role.word, spec.example)
        #expect(
          answer.hasPrefix("-NOPERM \(spec.words.joined(separator: " ")) is not for the role \(role.word)"), "\(answer)"
        )
        refused += 1
      }
    }
    #expect(refused > 300)
    for line in ["CLUSTER REBALANCE", "CLUSTER REBALANCE LEADERS dry-run=yes", "CLUSTER PLACEMENT SHOW"] {
      #expect(guarded.say("auditor", line).hasPrefix("*"), "\(line)")
    }
    #expect(guarded.say("auditor", "CLUSTER REBALANCE REPLICAS apply=yes").hasPrefix("-NOPERM "))
    let stranger = try #require(guarded.simulation.connect(to: 1))
    for spec in VerbSpec.all where !spec.roles.contains(.strangers) {
      let answer = ask(guarded.simulation, stranger, spec.example) ?? ""
      #expect(answer.hasPrefix("-NOAUTH "), "\(spec.example): \(answer)")
    }
    // A node tells of 100 refusals a second.
    guarded.simulation.run(for: 10_000_000)
    let after = try guarded.state()
    #expect(after == before, "what is refused changes nothing: \(after.filter { !before.contains($0) })")
    let trail = try guarded.all("operator", "TRAIL user=manager verb=EARN")
    #expect(trail.count == 2 && trail[1].contains("outcome=NOPERM count=1"), "\(trail)")
  }

  @Test func whatARoleMayAskIsServed() throws {
    let guarded = try Guarded(seed: 874_001) { configuration in
      configuration.settings = [(Setting("log-limit-mb", "4", "The limit.").changeable, "4")]
    }
    let lines: [(user: String, line: String, reply: String)] = [
      ("terminal", "EARN ann merchant=shop spend=5000 id=e1", "+tx="), ("terminal", "BALANCE ann", "+member=ann"),
      ("merchant", "REDEEM ann merchant=shop points=5 id=r1", "+tx="), ("merchant", "MEMBER SHOW ann", "+member=ann"),
      ("merchant", "EARN ann merchant=kiosk spend=5000 id=e2", "+tx="),
      ("channel", "TRANSFER ann ben points=1 id=t1", "+tx="), ("channel", "PROGRAM SHOW main", "+program=main"),
      ("manager", "MERCHANT SET shop title=Shop", "+OK"), ("support", "MEMBER NOTE ann kind=call text=hello", "+OK"),
      ("support", "ALIAS ADD phone:123 member=ann id=a1", "+OK"), ("approver", "RULE LIST", "*0"),
      ("auditor", "BALANCE ann", "+member=ann"), ("auditor", "USER SHOW manager", "+user=manager role=manager"),
      ("admin", "CLUSTER STATUS", "+cluster="), ("admin", "CLUSTER OP LIST", "*0"), ("admin", "HEALTH", "+healthy"),
      ("auditor", "CLUSTER OP LIST", "*0"), ("auditor", "CLUSTER OP SHOW 7", "-NOTFOUND "),
      ("auditor", "CLUSTER OP CANCEL 7", "-NOPERM "), ("auditor", "cluster limit show", "+dead-after="),
      ("auditor", "CLUSTER LIMIT SET moves=2", "-NOPERM "), ("auditor", "CLUSTER ALARM LIST", "*0"),
      ("auditor", "CLUSTER ALARM CLEAR POISON shard=1", "-NOPERM "), ("auditor", "CLUSTER PLACEMENT SHOW", "*"),
      ("auditor", "CLUSTER UPGRADE SHOW", "*3"), ("auditor", "CLUSTER UPGRADE FINISH", "-NOPERM "),
      ("manager", "CLUSTER OP LIST", "-NOPERM "), ("operator", "CLUSTER LIMIT SET moves=3", "+dead-after="),
      ("operator", "CLUSTER PLACEMENT SET leaders=east", "*1"), ("operator", "CONFIG SET log-limit-mb 5", "+OK"),
      ("operator", "MEMBER CLOSE ben id=c", "+OK"),
      ("merchant", "WHOAMI", "+user=merchant role=merchant tenant=default merchant=shop state=active"),
      ("merchant", "MERCHANT SHOW kiosk", "+merchant=kiosk"), ("merchant", "TERMINAL SHOW t1", "+terminal=t1"),
      ("merchant", "TERMINAL SET t9 merchant=kiosk", "+OK"),
    ]
    for (user, line, reply) in lines {
      let answer = guarded.say(user, line)
      #expect(answer.hasPrefix(reply), "\(user): \(line): \(answer)")
    }
    let trail = try guarded.all("operator", "TRAIL verb=\"MERCHANT SET\" user=manager")
    #expect(trail.count == 2 && trail[1].contains("target=shop outcome=OK count=1 address="), "\(trail)")
    for verb in ["CLUSTER LIMIT", "CLUSTER PLACEMENT", "CONFIG SET"] {
      #expect(try guarded.all("operator", "TRAIL verb=\"\(verb)\" user=operator").count == 2, "\(verb)")
    }
  }

  // MARK: Bounds

  @Test func aMerchantsUserTouchesNothingOfAnothers() throws {
    let guarded = try Guarded(seed: 874_002)
    func tx(_ line: String) -> String {
      let answer = guarded.say("operator", line)
      return String(answer.split(separator: " ").first?.dropFirst(4) ?? "")
    }
    let other = tx("EARN ann merchant=cafe spend=9000 id=o1")
    let own = tx("EARN ann merchant=shop spend=7000 id=o2")
    let below = tx("EARN ann merchant=kiosk spend=5000 id=o3")
    let hold = tx("HOLD ann merchant=cafe points=5 id=o4")
    let gift = tx("TRANSFER ann ben points=1 id=o5")
    for user in ["merchant", "terminal"] {
      let lines = [
        "EARN ann merchant=cafe spend=100 id=x1", "REDEEM ann merchant=cafe points=1 id=x2",
        "HOLD ann merchant=cafe points=1 id=x3", "REFUND \(other) id=x4", "CAPTURE \(hold) id=x5",
        "RELEASE \(hold) id=x6", "TX SHOW \(other)", "TX SHOW \(gift)", "EVENT ann event=checkin merchant=cafe id=x7",
        "EVENT ann event=checkin id=x8", "SIMULATE EARN ann merchant=cafe spend=100",
        "EXPLAIN EARN ann merchant=cafe spend=100", "MERCHANT SHOW cafe", "TERMINAL SET t1 merchant=cafe",
        "TERMINAL SET t5", "TERMINAL SET t5 merchant=cafe", "TERMINAL LIST", "TERMINAL LIST merchant=cafe",
        "EXPLAIN \(other)", "REPORT points main", "REPORT points main merchant=cafe", "REPORT members",
        "USER SET merchant merchant=cafe", "TENANT USE default",
      ]
      for line in lines {
        let answer = guarded.say(user, line)
        #expect(answer.hasPrefix("-NOPERM "), "\(user): \(line): \(answer)")
      }
    }
    #expect(guarded.say("terminal", "EARN ann merchant=kiosk spend=100 id=y0").hasPrefix("-NOPERM "))
    #expect(guarded.say("terminal", "EARN ann merchant=shop terminal=t2 spend=1 id=y1").hasPrefix("-NOPERM "))
    #expect(guarded.say("merchant", "TX SHOW \(below)").hasPrefix("+tx=\(below)"))
    #expect(guarded.say("merchant", "EXPLAIN \(own)").hasPrefix("*"))
    // Its own, and what is below it: 70 points and 50.
    #expect(guarded.say("merchant", "REPORT points main merchant=shop").hasPrefix("+issued=120 redeemed=0"))
    #expect(guarded.say("merchant", "REPORT points main merchant=kiosk").hasPrefix("+issued=50 redeemed=0"))
    #expect(guarded.say("merchant", "REFUND \(own) spend=100 id=y2").hasPrefix("+tx="))
    #expect(guarded.say("terminal", "REFUND \(own) spend=100 id=y3").hasPrefix("+tx="))
    #expect(guarded.say("terminal", "REFUND \(below) spend=100 id=y4").hasPrefix("-NOPERM "))
  }

  @Test func aHistoryHasTheMerchantsOwnSalesAndSaysHowToGoOn() throws {
    let guarded = try Guarded(seed: 874_003)
    for i in 0..<6 {
      let merchant = i % 3 == 0 ? "shop" : "cafe"
      #expect(guarded.say("operator", "EARN ann merchant=\(merchant) spend=1000 id=h\(i)").hasPrefix("+tx="))
    }
    let whole = try guarded.all("merchant", "HISTORY ann")
    #expect(whole.count == 3 && whole[1].contains("request=h3") && whole[2].contains("request=h0"), "\(whole)")
    let page = try guarded.all("merchant", "HISTORY ann limit=4")
    #expect(page.count == 3 && page[1].contains("request=h3") && page[2].hasPrefix("+more=yes before="), "\(page)")
    let before = page[2].dropFirst("+more=yes ".count)
    let rest = try guarded.all("merchant", "HISTORY ann limit=4 \(before)")
    #expect(rest.count == 2 && rest[1].contains("request=h0"), "\(rest)")
    let local = try guarded.all("merchant", "HISTORY ann read=local")
    #expect(local.count == 3 && local[1].contains(" asof="), "\(local)")
  }

  @Test func aTerminalThatIsStoppedMovesNothingMore() throws {
    let guarded = try Guarded(seed: 874_004)
    #expect(guarded.say("terminal", "EARN ann merchant=shop spend=5000 id=e1", on: 1).hasPrefix("+tx="))
    #expect(guarded.say("operator", "TERMINAL SET t1 state=stopped") == "+OK")
    for host in 0..<3 {
      for line in ["EARN ann merchant=shop spend=1 id=f\(host)", "REDEEM ann merchant=shop points=1 id=g\(host)"] {
        let answer = guarded.say("terminal", line, on: host)
        #expect(answer.hasPrefix("-CLOSED "), "\(host): \(line): \(answer)")
      }
    }
    #expect(guarded.say("merchant", "EARN ann merchant=shop spend=5000 id=e3").hasPrefix("+tx="))
  }

  /// What a terminal undoes or ends it moves as well.
  @Test func aTerminalThatIsStoppedEndsAndUndoesNothing() throws {
    let guarded = try Guarded(seed: 883_000)
    func number(_ line: String) -> String {
      let answer = guarded.say("terminal", line)
      return String(answer.split(separator: " ")[0].dropFirst("+tx=".count))
    }
    let earn = number("EARN ann merchant=shop spend=50000 id=e1")
    let holds = (1...3).map { number("HOLD ann merchant=shop points=10 id=h\($0)") }
    let captured = guarded.say("terminal", "CAPTURE \(holds[0]) id=c1")
    #expect(captured.hasPrefix("+tx="), "\(captured)")
    #expect(guarded.say("operator", "TERMINAL SET t1 state=stopped") == "+OK")
    for line in ["CAPTURE \(holds[1]) id=c2", "RELEASE \(holds[2]) id=c3", "REFUND \(earn) id=c4"] {
      for host in 0..<3 {
        let answer = guarded.say("terminal", line, on: host)
        #expect(answer.hasPrefix("-CLOSED the terminal "), "\(line): \(answer)")
      }
    }
    #expect(guarded.say("terminal", "CAPTURE \(holds[0]) id=c1") == captured, "the first answer stands")
    #expect(guarded.say("merchant", "RELEASE \(holds[2]) id=c5").hasPrefix("+tx="))
  }

  @Test func aUserHasSoManyRequestsASecond() throws {
    let guarded = try Guarded(seed: 874_005)
    #expect(guarded.say("operator", "USER SET terminal rate=3") == "+OK")
    let client = try guarded.connection("terminal")
    client.clear()
    let lines = (0..<20).map { "EARN ann merchant=shop spend=5000 id=e\($0)" }
    guarded.simulation.send(lines.joined(separator: "\n") + "\n", on: client)
    guarded.simulation.run(for: 3_000_000) { client.lineCount == lines.count }
    let taken = client.lines.count { $0.hasPrefix("+tx=") }
    #expect((3...6).contains(taken), "\(client.lines)")
    #expect(client.lines.count { $0.hasPrefix("-BUSY ") } == lines.count - taken)
    guarded.simulation.run(for: 2_000_000)
    #expect(guarded.say("terminal", "EARN ann merchant=shop spend=5000 id=e19").hasPrefix("+tx="), "it is not kept")
  }
}
