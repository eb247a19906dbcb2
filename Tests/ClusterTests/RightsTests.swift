import Base
import Ledger
import Testing
import Vocabulary

@testable import Cluster
@testable import Simulator

/// Signing in, how rights spread, and whose right it is to give them.
@Suite struct RightsTests {
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
        #expect(!RightsTests.contains(bytes, Array(secret.utf8)), "\(host.name): \(file.path)")
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
    // A damaged replica of the directory itself may be all there is.
    let accepted = ask(simulation, admin, "CLUSTER ALARM CLEAR CORRUPT shard=0 accept-loss=yes") ?? ""
    #expect(!accepted.hasPrefix("-UNAVAILABLE this node has heard nothing"), "\(accepted)")
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
    // A terminal is of one merchant, and so is whoever uses it.
    for line in [
      "USER SET odd role=terminal merchant=cafe terminal=t1", "USER SET terminal merchant=cafe",
      "USER SET odd role=terminal merchant=cafe terminal=t1 secret=x",
    ] {
      #expect(
        guarded.say("second", line).hasPrefix("-ERR terminal= t1 is of the merchant 'shop', not of 'cafe'"), "\(line)")
    }
    #expect(guarded.say("second", "USER SET odd role=terminal merchant=shop terminal=t1") == "+OK")
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
