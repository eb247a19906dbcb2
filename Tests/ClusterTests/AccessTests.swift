import Base
import Ledger
import Testing
import Vocabulary

@testable import Cluster
@testable import Simulator

@Suite struct OpenClusterTests {
  /// Whoever reaches a port that others reach could mint points.
  @Test func anOpenClusterThatOthersReachAnswersItsOwnMachineAlone() throws {
    let simulation = try makeCluster(seed: 1_702)
    simulation.kill(0)
    simulation.hosts[0].configuration.guardsOpenCluster = true
    simulation.start(0)
    simulation.run(for: 10_000_000) { status(simulation, 0)?.contains("healthy=yes") == true }
    let host = simulation.hosts[0].configuration.clientAddress.split(separator: ":")[0]
    func say(_ line: String, from place: String) throws -> String {
      ask(simulation, try #require(simulation.connect(to: 0, from: place)), line) ?? "no answer"
    }
    for place in ["10.9.8.7:4000", "[2001:db8::1]:4000", "terminal"] {
      #expect(try say("PROGRAM SET gold", from: place).hasPrefix("-NOPERM the cluster has no users yet"), "\(place)")
      #expect(try say("PING", from: place) == "+PONG")
    }
    for (number, place) in ["127.0.0.1:4000", "[::1]:4000", "\(host):4000"].enumerated() {
      #expect(try say("PROGRAM SET gold\(number) id=\(number)", from: place) == "+OK", "\(place)")
    }
    #expect(try say("USER SET boss role=operator secret=s-boss", from: "127.0.0.1:4001") == "+OK")
    let far = try #require(simulation.connect(to: 0, from: "10.9.8.7:4002"))
    #expect(ask(simulation, far, "AUTH boss s-boss") == "+OK")
    #expect(ask(simulation, far, "PROGRAM SET silver id=s") == "+OK")
  }

  /// Who said `--insecure` on a port with TLS is reminded of it as long as everybody may do everything.
  @Test func whatOthersMayDoIsAnAlarmUntilThereIsAUser() throws {
    let simulation = try makeCluster(seed: 1_703)
    #expect(status(simulation, 0)?.contains("INSECURE") == false)
    simulation.kill(0)
    simulation.hosts[0].configuration.answersOpenly = true
    simulation.start(0)
    simulation.run(for: 10_000_000) { status(simulation, 1)?.contains("alarms=INSECURE") == true }
    #expect(status(simulation, 1)?.contains("healthy=yes") == true)
    #expect(status(simulation, 1)?.contains("alarms=INSECURE") == true)
    let client = try #require(simulation.connect(to: 0, from: "10.9.8.7:4002"))
    #expect(ask(simulation, client, "USER SET boss role=operator secret=s-boss") == "+OK")
    #expect(ask(simulation, client, "AUTH boss s-boss") == "+OK")
    simulation.run(for: 2_000_000)
    #expect(ask(simulation, client, "CLUSTER STATUS")?.contains("INSECURE") == false)
  }
}

/// A cluster with a user of each role.
final class Guarded {
  let simulation: Simulation
  private var connections: [String: SimulatedClient] = [:]

  init(seed: UInt64, configure: (inout NodeConfiguration) -> Void = { _ in }) throws {
    simulation = try makeCluster(seed: seed, configure: configure)
    try populate(
      simulation, members: ["ann", "ben"], merchants: [("shop", "east"), ("cafe", "east"), ("kiosk", "east")])
    let open = try #require(simulation.connect(to: 0))
    #expect(ask(simulation, open, "MERCHANT SET kiosk parent=shop id=k") == "+OK")
    #expect(ask(simulation, open, "TERMINAL SET t1 merchant=shop state=active id=t") == "+OK")
    #expect(ask(simulation, open, "USER SET operator role=operator secret=s-operator") == "+OK")
    #expect(ask(simulation, open, "BALANCE ann")?.hasPrefix("-NOAUTH ") == true, "it is closed by its first user")
    for role in Role.allCases where role != .operator {
      let bounds = role.isBounded ? " merchant=shop" + (role == .terminal ? " terminal=t1" : "") : ""
      #expect(say("operator", "USER SET \(role.word) role=\(role.word)\(bounds) secret=s-\(role.word)") == "+OK")
    }
  }

  func connection(_ user: String, on host: Int = 0) throws -> SimulatedClient {
    let key = "\(user)@\(host)"
    if let known = connections[key] { return known }
    let client = try #require(simulation.connect(to: host))
    #expect(ask(simulation, client, "AUTH \(user) s-\(user)") == "+OK", "\(user)")
    connections[key] = client
    return client
  }
  func say(_ user: String, _ line: String, on host: Int = 0) -> String {
    guard let client = try? connection(user, on: host) else { return "no connection" }
    return ask(simulation, client, line) ?? "no answer"
  }
  /// All lines of an answer.
  func all(_ user: String, _ line: String) throws -> [String] {
    let client = try connection(user)
    client.clear()
    simulation.send(line + "\n", on: client)
    simulation.run(for: 5_000_000) {
      guard let first = client.lines.first else { return false }
      return client.lineCount > (first.hasPrefix("*") ? Int(first.dropFirst()) ?? 0 : 0)
    }
    return client.lines
  }
  /// What shards and the directory have come to.
  func state() throws -> [String] {
    try all("operator", "AUDIT").map { line in
      line.split(separator: " ").filter { !$0.hasPrefix("index=") && !$0.hasPrefix("asof=") }.joined(separator: " ")
    } + all("operator", "TRAIL limit=10000").filter { $0.contains("outcome=OK") }.map { "\($0.dropFirst(20))" }
      + all("operator", "USER LIST").map { "\($0.split(separator: " last-seen")[0])" } + all("operator", "TENANT LIST")
  }
}

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
      let isRead = spec.reads.contains { spec.example.split(separator: " ").contains(Substring($0)) }
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
    let guarded = try Guarded(seed: 874_001)
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
    #expect(try guarded.all("operator", "TRAIL verb=\"CLUSTER LIMIT\" user=operator").count == 2)
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

  // MARK: Signing in

  @Test func nobodyLearnsWhichOfTheTwoWasWrong() throws {
    let guarded = try Guarded(seed: 874_006)
    #expect(guarded.say("operator", "USER SET gone role=auditor secret=s-gone state=stopped") == "+OK")
    #expect(guarded.say("operator", "USER SET bare role=auditor") == "+OK")
    var answers: Set<String> = []
    var took: [UInt64] = []
    let client = try #require(guarded.simulation.connect(to: 1))
    for line in [
      "AUTH manager wrong", "AUTH nobody s-manager", "AUTH gone s-gone", "AUTH bare x", "AUTH x",
      "HELLO 3 AUTH auditor x",
    ] {
      let began = guarded.simulation.now
      answers.insert(ask(guarded.simulation, client, line) ?? "")
      took.append(guarded.simulation.now - began)
    }
    #expect(answers == ["-WRONGPASS invalid username-password pair or user is disabled."], "\(answers)")
    #expect(took.allSatisfy { $0 >= 250_000 && $0 < 300_000 }, "\(took)")
    // The more have failed, the later comes the answer; who was right is not kept out.
    took = []
    for _ in 0..<8 {
      let began = guarded.simulation.now
      _ = ask(guarded.simulation, client, "AUTH manager wrong")
      took.append(guarded.simulation.now - began)
    }
    #expect(zip(took, took.dropFirst()).allSatisfy { $1 + 50_000 >= $0 } && took[7] >= 8_000_000, "\(took)")
    #expect(ask(guarded.simulation, client, "BALANCE ann")?.hasPrefix("-NOAUTH ") == true)
    #expect(ask(guarded.simulation, client, "HELLO 2 AUTH manager s-manager") != nil)
    guarded.simulation.run(for: 1_000_000)
    #expect(ask(guarded.simulation, client, "WHOAMI")?.hasPrefix("+user=manager ") == true)
    #expect(ask(guarded.simulation, client, "RESET") == "+RESET")
    #expect(ask(guarded.simulation, client, "WHOAMI")?.hasPrefix("-NOAUTH ") == true)
    guarded.simulation.run(for: 2_000_000)
    let trail = try guarded.all("operator", "TRAIL verb=AUTH user=manager")
    #expect(trail.contains { $0.contains("outcome=WRONGPASS") }, "\(trail)")
  }

  @Test func noSecretIsOnADiskOrInAnAnswer() throws {
    let guarded = try Guarded(seed: 874_007)
    let secret = "unheard-of-secret"
    #expect(guarded.say("operator", "USER SET manager secret=\(secret)") == "+OK")
    let client = try #require(guarded.simulation.connect(to: 2))
    #expect(ask(guarded.simulation, client, "AUTH manager \(secret)") == "+OK")
    _ = ask(guarded.simulation, client, "AUTH manager \(secret)-not")
    guarded.simulation.run(for: 3_000_000)
    let answers = try guarded.all("operator", "TRAIL") + guarded.all("operator", "USER LIST")
    #expect(!answers.joined().contains(secret))
    for host in guarded.simulation.hosts {
      for file in host.disk.files {
        let bytes = host.disk.contents(file.path) ?? []
        #expect(!AccessTests.contains(bytes, Array(secret.utf8)), "\(host.name): \(file.path)")
      }
      #expect(!guarded.simulation.log.joined().contains(secret))
    }
  }
  private static func contains(_ bytes: [UInt8], _ wanted: [UInt8]) -> Bool {
    guard bytes.count >= wanted.count else { return false }
    return (0...bytes.count - wanted.count).contains { start in
      bytes[start] == wanted[0] && bytes[start..<start + wanted.count].elementsEqual(wanted)
    }
  }

  // MARK: How rights spread

  @Test func aStoppedUserIsSignedOutEverywhereWhenThatIsAnswered() throws {
    let guarded = try Guarded(seed: 874_008)
    for host in 0..<3 { #expect(guarded.say("auditor", "BALANCE ann", on: host).hasPrefix("+member=ann")) }
    #expect(guarded.say("operator", "USER SET auditor state=stopped") == "+OK")
    for host in 0..<3 {
      let answer = guarded.say("auditor", "BALANCE ann", on: host)
      #expect(answer.hasPrefix("-NOAUTH "), "\(host): \(answer)")
    }
    // With the same secret it goes on; with another, nothing does that had signed in by the old one, whether it asked meanwhile or not.
    #expect(guarded.say("operator", "USER SET auditor state=active") == "+OK")
    for host in 0..<3 { #expect(guarded.say("auditor", "BALANCE ann", on: host).hasPrefix("+member=ann")) }
    for line in ["state=stopped", "secret=another", "state=active"] {
      #expect(guarded.say("operator", "USER SET auditor \(line)") == "+OK")
    }
    for host in 0..<3 { #expect(guarded.say("auditor", "BALANCE ann", on: host).hasPrefix("-NOAUTH ")) }
    let client = try guarded.connection("auditor")
    #expect(ask(guarded.simulation, client, "AUTH auditor another") == "+OK")
    #expect(guarded.say("auditor", "BALANCE ann").hasPrefix("+member=ann"))
    // Another secret alone leaves who is there.
    #expect(guarded.say("operator", "USER SET auditor secret=third") == "+OK")
    #expect(guarded.say("auditor", "BALANCE ann").hasPrefix("+member=ann"))
  }

  @Test func aNodeThatIsCutOffServesNoUserByOldRights() throws {
    let guarded = try Guarded(seed: 874_009)
    let simulation = guarded.simulation
    let lonely = try guarded.connection("auditor", on: 2)
    #expect(ask(simulation, lonely, "BALANCE ann read=local")?.hasPrefix("+member=ann") == true)
    for host in 0..<2 {
      simulation.silence(from: host, to: 2)
      simulation.silence(from: 2, to: host)
    }
    #expect(ask(simulation, lonely, "BALANCE ann read=local")?.hasPrefix("+member=ann") == true, "for a while it may")
    let began = simulation.now
    // Whoever leads may have to be found first.
    #expect(guarded.say("operator", "USER SET auditor state=stopped") == "+OK")
    #expect(simulation.now - began >= 5_000_000, "the node that is cut off may have served it so long")
    let answer = ask(simulation, lonely, "BALANCE ann read=local") ?? ""
    #expect(answer.hasPrefix("-UNAVAILABLE this node has heard nothing of the directory"), "\(answer)")
    simulation.heal()
    simulation.run(for: 20_000_000) { ask(simulation, lonely, "BALANCE ann read=local")?.hasPrefix("-NOAUTH ") == true }
    #expect(ask(simulation, lonely, "BALANCE ann read=local")?.hasPrefix("-NOAUTH ") == true)
  }

  @Test func usersOutliveStarts() throws {
    let guarded = try Guarded(seed: 874_010)
    let before = try guarded.all("operator", "USER LIST").map { $0.split(separator: " last-seen")[0] }
    for host in 0..<3 { guarded.simulation.kill(host) }
    for host in 0..<3 { guarded.simulation.start(host) }
    let client = try #require(guarded.simulation.connect(to: 0))
    guarded.simulation.run(for: 20_000_000) { ask(guarded.simulation, client, "AUTH operator s-operator") == "+OK" }
    client.clear()
    guarded.simulation.run(for: 8_000_000)
    guarded.simulation.send("USER LIST\n", on: client)
    guarded.simulation.run(for: 5_000_000) { client.lineCount > Role.allCases.count }
    #expect(client.lines.map { $0.split(separator: " last-seen")[0] } == before)
  }

  // MARK: Whose right it is to give rights

  /// The log alone says that there are users, and no peer says what of it counts: that is not an open cluster.
  @Test func aStartOpensNoClusterThatHasUsers() throws {
    let simulation = try makeCluster(seed: 891_000)
    try populate(simulation, members: ["ann"])
    let open = try #require(simulation.connect(to: 0))
    #expect(ask(simulation, open, "USER SET boss role=operator secret=s-boss") == "+OK")
    for host in 0..<3 { simulation.kill(host) }
    simulation.start(0)
    let client = try #require(simulation.connect(to: 0))
    for _ in 0..<3 {
      for line in [
        "BALANCE ann read=local", "MEMBER SHOW ann read=local", "WHOAMI", "AUTH boss s-boss", "CLUSTER STATUS",
      ] {
        let answer = ask(simulation, client, line) ?? "no answer"
        #expect(answer.hasPrefix("-UNAVAILABLE "), "\(line): \(answer)")
      }
      #expect(ask(simulation, client, "PING") == "+PONG")
      simulation.run(for: 3_000_000)
    }
    // Who has shown a certificate meanwhile is known once users are.
    let certified = try #require(simulation.connect(to: 0))
    let host = simulation.hosts[0]
    try #require(host.node).clientCertified(certified.id, as: "boss", now: simulation.moment(host))
    #expect(ask(simulation, certified, "WHOAMI")?.hasPrefix("-UNAVAILABLE ") == true)
    simulation.start(1)
    #expect(simulation.run(for: 20_000_000) { ask(simulation, certified, "WHOAMI")?.hasPrefix("+user=boss ") == true })
    #expect(ask(simulation, client, "BALANCE ann")?.hasPrefix("-NOAUTH ") == true)
    #expect(ask(simulation, client, "AUTH boss s-boss") == "+OK")
    #expect(ask(simulation, client, "BALANCE ann")?.hasPrefix("+member=ann ") == true)
  }

  /// Without a majority of the directory an admin mends the cluster on the machine of a node that is left, and from nowhere else.
  @Test func whoeverIsOnTheMachineMayRescueAClusterThatKnowsNobody() throws {
    let guarded = try Guarded(seed: 891_001)
    let simulation = guarded.simulation
    let near = "127.0.0.1:4000"
    let admin = try #require(simulation.connect(to: 0, from: near))
    #expect(ask(simulation, admin, "AUTH admin s-admin") == "+OK")
    let manager = try #require(simulation.connect(to: 0, from: near))
    #expect(ask(simulation, manager, "AUTH manager s-manager") == "+OK")
    let dead = (1...2).map { simulation.hosts[$0].configuration.name }
    let rescue = "CLUSTER UNSAFE RECOVER dead=\(dead.joined(separator: ","))"
    let directory = try #require(simulation.hosts[0].node?.replicas[.directory])
    for host in simulation.hosts { host.node?.replicas[.directory]?.transferLeadership(to: simulation.hosts[0].nodeID) }
    try #require(simulation.run(for: 5_000_000) { directory.hasTakenOver })
    for host in 1...2 { simulation.kill(host) }
    // Nobody will ever say whether that is decided.
    let asked = try #require(simulation.connect(to: 0, from: near))
    #expect(ask(simulation, asked, "AUTH admin s-admin") == "+OK")
    simulation.send("USER SET late role=admin secret=s-late\n", on: asked)
    simulation.run(for: 12_000_000)
    #expect(guarded.say("admin", rescue).hasPrefix("-UNAVAILABLE this node has heard nothing"), "from elsewhere")
    #expect(ask(simulation, manager, rescue)?.hasPrefix("-UNAVAILABLE this node has heard nothing") == true)
    #expect(ask(simulation, admin, "CLUSTER STATUS")?.contains("up=1") == true)
    #expect(ask(simulation, admin, "CLUSTER NODE DRAIN 1")?.hasPrefix("-UNAVAILABLE this node has heard") == true)
    let planned = ask(simulation, admin, rescue) ?? ""
    #expect(planned.hasPrefix("*"), "\(planned)")
    // A start forgets what was applied of the log.
    simulation.kill(0)
    simulation.start(0)
    let local = try #require(simulation.connect(to: 0, from: near))
    let far = try #require(simulation.connect(to: 0, from: "10.9.8.7:4000"))
    #expect(ask(simulation, local, rescue)?.hasPrefix("-UNAVAILABLE this node has started") == true, "not at once")
    simulation.run(for: 12_000_000)
    #expect(ask(simulation, far, rescue)?.hasPrefix("-UNAVAILABLE this node has started") == true)
    #expect(ask(simulation, local, "BALANCE ann read=local")?.hasPrefix("-UNAVAILABLE this node has started") == true)
    #expect(ask(simulation, local, rescue)?.hasPrefix("*") == true)
  }

  @Test func rightsAreGivenByWhoMay() throws {
    let guarded = try Guarded(seed: 874_011)
    #expect(guarded.say("operator", "USER SET second role=operator secret=s-second") == "+OK")
    let refused = [
      ("second", "USER SET admin state=stopped"), ("second", "USER SET operator state=stopped"),
      ("second", "USER SET third role=admin"), ("second", "USER SET second role=admin"),
      ("admin", "USER SET manager role=operator"), ("admin", "USER SET fourth role=operator"),
      ("admin", "USER SET fourth role=auditor"), ("second", "TENANT SET other"), ("second", "TENANT USE default"),
      ("manager", "USER SET manager role=operator"), ("auditor", "USER SET auditor role=operator"),
    ]
    for (user, line) in refused {
      let answer = guarded.say(user, line)
      #expect(answer.hasPrefix("-NOPERM "), "\(user): \(line): \(answer)")
    }
    #expect(guarded.say("admin", "USER SET fifth role=admin secret=s-fifth") == "+OK")
    #expect(guarded.say("fifth", "USER SET admin state=stopped") == "+OK")
    #expect(guarded.say("fifth", "USER SET operator state=stopped") == "+OK")
    #expect(guarded.say("fifth", "USER SET fifth state=stopped").hasPrefix("-NOPERM it is the cluster's last admin"))
    #expect(guarded.say("second", "USER SET odd").hasPrefix("-ERR a new user needs role="))
    #expect(
      guarded.say("second", "USER SET odd role=merchant").hasPrefix("-ERR a user of role merchant needs merchant="))
    #expect(guarded.say("second", "USER SET odd role=merchant merchant=none").hasPrefix("-NOTFOUND no such merchant"))
  }

  // MARK: Tenants

  @Test func aTenantsUsersSeeNothingOfAnother() throws {
    let guarded = try Guarded(seed: 874_012)
    #expect(guarded.say("admin", "TENANT SET two title=Second") == "+OK")
    #expect(guarded.say("admin", "TENANT USE two") == "+OK")
    #expect(guarded.say("admin", "USER SET boss role=operator secret=s-boss") == "+OK")
    #expect(guarded.say("admin", "USER SET boss2 role=operator secret=x").hasPrefix("-NOPERM "), "it is not the first")
    #expect(guarded.say("admin", "USER SET manager role=manager").hasPrefix("-EXISTS "))
    #expect(guarded.say("boss", "WHOAMI").hasPrefix("+user=boss role=operator tenant=two "))
    for line in ["MEMBER SHOW ann", "PROGRAM SHOW main", "MERCHANT SHOW shop", "USER SHOW manager", "BALANCE ann"] {
      #expect(guarded.say("boss", line, on: 1).hasPrefix("-NOTFOUND "), "\(line)")
    }
    for line in ["PROGRAM LIST", "MERCHANT LIST", "MEMBER FIND"] {
      let lines = try guarded.all("boss", line)
      #expect(!lines.joined().contains("main") && !lines.joined().contains("ann"), "\(lines)")
    }
    #expect(try guarded.all("boss", "USER LIST").count == 2)
    // Of users of another tenant an admin may change something, wherever it is; their tenant's trail has it.
    #expect(guarded.say("admin", "USER SET operator state=active") == "+OK")
    #expect(!(try guarded.all("boss", "TRAIL").joined().contains("target=operator")))
    #expect(try guarded.all("operator", "TRAIL user=admin").joined().contains("target=operator"))
    #expect(!(try guarded.all("manager", "WHOAMI").isEmpty), "it is connected")
    func listed(_ user: String) throws -> String { try guarded.all(user, "CLIENT LIST").joined(separator: "\n") }
    #expect(try listed("boss").contains("user=boss") && !listed("boss").contains("user=manager"))
    #expect(try listed("auditor").contains("user=manager") && !listed("auditor").contains("user=boss"))
    #expect(try listed("manager").contains("user=manager") && !listed("manager").contains("user=operator"))
    #expect(try listed("admin").contains("user=boss") && listed("admin").contains("user=manager"))
    #expect(!(try guarded.all("boss", "TRAIL").joined().contains("manager")))
    #expect(guarded.say("boss", "PROGRAM SET main earn=1/1") == "+OK")
    #expect(guarded.say("boss", "MERCHANT SET shop program=main") == "+OK")
    #expect(guarded.say("boss", "MEMBER ADD ann") == "+OK")
    #expect(guarded.say("boss", "EARN ann merchant=shop spend=7 id=e1").contains("points=7 balance=7"))
    #expect(guarded.say("operator", "BALANCE ann").contains(" balance=0 "))
    guarded.simulation.run(for: 2_000_000)
    let books = try guarded.all("boss", "AUDIT").last ?? ""
    #expect(books.hasPrefix("+total=yes members=1 transactions=1 sum=0 intransit=0 balanced=yes asof="), "\(books)")
    let rest = try guarded.all("auditor", "AUDIT").last ?? ""
    #expect(rest.hasPrefix("+total=yes members=2 transactions=0 sum=0 "), "\(rest)")
    for i in 1...3 { #expect(guarded.say("operator", "EARN ann merchant=shop spend=700 id=f\(i)").hasPrefix("+tx=")) }
    #expect(guarded.say("operator", "REDEEM ann merchant=shop points=900 id=f9").hasPrefix("-INSUFFICIENT "))
    #expect(try guarded.all("auditor", "AUDIT").last?.hasPrefix("+total=yes members=2 transactions=3 sum=0 ") == true)
    #expect(try guarded.all("boss", "AUDIT").last?.hasPrefix("+total=yes members=1 transactions=1 sum=0 ") == true)
    #expect(try guarded.all("admin", "AUDIT").last?.hasPrefix("+total=yes members=3 transactions=4 ") == true)
    #expect(guarded.say("admin", "TENANT SET two state=stopped") == "+OK")
    #expect(guarded.say("boss", "BALANCE ann").hasPrefix("-CLOSED the tenant is stopped"))
    #expect(guarded.say("operator", "BALANCE ann").hasPrefix("+member=ann"))
    // The first user is an admin, and an operator in its own tenant alone.
    #expect(guarded.say("operator", "TENANT SET two state=active") == "+OK")
    #expect(guarded.say("operator", "TENANT USE two") == "+OK")
    #expect(guarded.say("operator", "MEMBER SHOW ann").hasPrefix("-NOPERM "))
    #expect(guarded.say("operator", "TENANT USE default") == "+OK")
    #expect(guarded.say("operator", "MEMBER SHOW ann").hasPrefix("+member=ann"))
  }
}

/// The table of rights by itself.
@Suite struct AccessTableTests {
  private func change(
    _ name: String, by: UInt32 = 0, _ tenant: TenantID = .first, _ set: (inout AccessChange) -> Void = { _ in }
  ) -> AccessChange {
    var change = AccessChange(.user, by: by, tenant: tenant, name: name)
    set(&change)
    return change
  }

  @Test func twoFirstUsersAtOnceAreOne() throws {
    var table = AccessTable()
    try table.take(change("a") { $0.role = .auditor }) { _, _ in true }
    #expect(throws: AccessTable.Refused.self) {
      try table.take(change("b") { $0.role = .admin }) { _, _ in true }
    }
    let first = try #require(table.user(named: "a"))
    #expect(first.isAdmin && first.role == .auditor && table.userCount == 1)
  }

  @Test func changesAndUsersAreReadAsTheyWereWritten() throws {
    let secret = KeptSecret(form: .chosen, salt: [UInt8](1...16), code: [UInt8](1...32))
    let made = change("till", by: 7, TenantID(3)) {
      ($0.role, $0.merchant, $0.terminal, $0.org) = (.terminal, "shop", "t1", "north")
      ($0.adjustLimit, $0.rate, $0.isStopped, $0.secret, $0.title) = (5, 9, true, secret, "T")
    }
    var buffer = ByteBuffer()
    made.encode(into: &buffer)
    var reader = ByteReader(buffer.bytes)
    #expect(try AccessChange(decoding: &reader) == made)
    for cut in 0..<buffer.count {
      var reader = ByteReader(UnsafeRawBufferPointer(rebasing: buffer.bytes[..<cut]))
      #expect(throws: MalformedBytes.self) { _ = try AccessChange(decoding: &reader) }
    }
    var user = User(number: 4, name: "till", role: .terminal)
    (user.tenant, user.merchant, user.secret, user.revision) = (TenantID(3), "shop", secret, 12)
    buffer.removeAll()
    user.encode(into: &buffer)
    reader = ByteReader(buffer.bytes)
    #expect(try User(decoding: &reader) == user)
  }

  @Test func theTrailCountsRefusalsByTheMinuteAndKeepsChangesApart() {
    var trail = Trail()
    let start: Int64 = 1_767_225_600_000_000
    var refusal = TrailRecord(user: "x", verb: "EARN")
    refusal.outcome = "NOPERM"
    trail.note(change: TrailRecord(user: "boss", verb: "RULE SET"), at: Stamp(microseconds: start))
    for second in 0..<Int64(180) { trail.note(refusal: refusal, at: Stamp(microseconds: start + second * 1_000_000)) }
    let found = trail.find(Trail.Wanted())
    #expect(found.map(\.verb) == ["EARN", "EARN", "EARN", "RULE SET"] && found[0].count == 60)
    for i in 0..<Trail.mostRefusals + 10 {
      var other = refusal
      other.user = "y\(i)"
      trail.note(refusal: other, at: Stamp(microseconds: start + 400_000_000))
    }
    #expect(trail.refusals.count == Trail.mostRefusals && trail.changes.count == 1)
    #expect(trail.find(Trail.Wanted(user: "boss")).count == 1)
    let late = Stamp(microseconds: start + Trail.retention + 1_000_000)
    trail.note(change: TrailRecord(user: "boss", verb: "RULE SET"), at: late)
    #expect(trail.changes.count == 1, "what is older than its time is forgotten")
    var marks = Trail()
    let told = [(1, 5, 1), (1, 5, 1), (1, 4, 1), (2, 1, 1), (1, 1, 2)].map { incarnation, note, node in
      marks.isNew(TrailMark(incarnation: incarnation, note: note), of: node)
    }
    #expect(told == [true, false, false, true, true])
  }

  @Test func attemptsOfAnAddressAndANameAreLookedAtOneByOne() {
    var signIns = SignIns()
    func attempt(_ slot: UInt64, _ name: String = "ann", from address: String = "a") -> SignIn {
      SignIn(
        owner: EdgeItem.Owner(client: 0, generation: 0, slot: slot), raw: [], name: name, secret: [], address: address)
    }
    let added = [attempt(0), attempt(1), attempt(2), attempt(9, from: "b")].map { signIns.add($0, now: 0) }
    #expect(added == [true, true, true, true])
    let begun = signIns.begin(now: 0)
    #expect(begun.map(\.attempt.owner.slot) == [0, 9])
    guard let first = signIns.take(begun[0].ticket), let other = signIns.take(begun[1].ticket) else {
      Issue.record("they were begun")
      return
    }
    signIns.ended(first, succeeded: false, now: 0)
    let early = (begun: signIns.begin(now: 249_999).count, answers: signIns.answers(now: 249_999).count)
    #expect(early == (0, 0))
    let answered = signIns.answers(now: 250_000).map(\.owner.slot)
    #expect(answered == [0])
    let next = signIns.begin(now: 250_000)
    #expect(next.map(\.attempt.owner.slot) == [1])
    signIns.ended(other, succeeded: true, now: 260_000)
    if let second = signIns.take(next[0].ticket) { signIns.ended(second, succeeded: true, now: 270_000) }
    let last = signIns.begin(now: 270_000).map(\.attempt.owner.slot)
    #expect(last == [2] && signIns.count == 1)
    #expect(SignIns.delay(1, 250, 8_000) == 250 && SignIns.delay(99, 250, 8_000) == 8_000)
  }
}
