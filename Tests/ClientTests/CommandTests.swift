import Foundation
import Replies
import Testing

@testable import Client

@Suite struct CommandTests {
  private static let known: [Flag] = [.to, .json, .value("n", "N", ""), .value("c", "'LINE'", "")]
  private static let plain = Style(isColoured: false, limit: Style.width)

  @Test func flagsAreReadInBothSpellingsAndWordsStayInOrder() throws {
    let flags = try Flags(["a", "--to", "x:1", "--json", "b", "--n=5k", "--", "--to"], accepting: CommandTests.known)
    #expect(flags["to"] == "x:1")
    #expect(flags.has("json"))
    #expect(flags.words == ["a", "b", "--to"])
    #expect(try flags.integer("n", or: 1, in: 1...10_000) == 5_000)
    #expect(try flags.integer("absent", or: 7, in: 1...10) == 7)
  }

  @Test(arguments: [["--nope"], ["--to"], ["--to", "a", "--to", "b"], ["--json=1"]])
  func aWrongFlagIsNamed(arguments: [String]) {
    let error = #expect(throws: ClientError.self) { try Flags(arguments, accepting: CommandTests.known) }
    #expect(error?.exitCode == 1)
    #expect(error?.description.contains(arguments[0].split(separator: "=")[0]) == true)
  }

  @Test func toNamesANodeAsWellAsAddressesWhereACommandIsAboutOne() throws {
    let flags = try Flags(["3", "--to", "north-1", "--to=h:1,h:2"], accepting: [.to, .node])
    #expect(flags["to-node"] == "north-1" && flags["to"] == "h:1,h:2" && flags.words == ["3"])
    #expect(throws: ClientError.self) { try Flags(["--to", "a", "--to-node", "b"], accepting: [.to, .node]) }
    #expect(try Flags(["--to", "a"], accepting: [.to])["to"] == "a")
  }

  @Test func anOperationIsFollowedUntilItIsOverAndTheExitCodeSaysHowItEnded() throws {
    let cluster = try FakeCluster()
    let table = CommandTable(ClientCommands.all)
    let to = ["--to", cluster.addresses]
    let leader = ["shard", "leader", "3", "--to", "north-1"] + to
    #expect(table.run(leader) == 0 && cluster.followedCount == 1, "it waits")
    #expect(table.run(leader + ["--no-wait"]) == 0 && cluster.followedCount == 1)
    #expect(table.run(leader + ["--dry-run"]) == 0 && cluster.followedCount == 1)
    #expect(table.run(leader + ["--wait", "--json"]) == 0 && cluster.followedCount == 2)
    #expect(table.run(["shard", "leader", "3"] + to) == 1)
    #expect(table.run(["shard", "leader", "x", "--region", "north"] + to) == 1)
    #expect(table.run(["shard", "leader", "9", "--region", "north"] + to) == 2)
    #expect(table.run(["op", "list"] + to) == 0)
    #expect(table.run(["ops"] + to) == 0)
    #expect(table.run(["op", "show", "1"] + to) == 0)
    #expect(table.run(["op", "wait", "2", "--json"] + to) == 2)
    #expect(table.run(["op", "wait", "3", "--timeout", "0.3"] + to) == 3)
    #expect(table.run(["op", "cancel", "3"] + to) == 0)
    // Whoever only looks is told, however it ended.
    #expect(table.run(["op", "show", "2"] + to) == 0)
    #expect(table.run(["op", "cancel", "2", "--dry-run"] + to) == 2)
    #expect(table.run(["op", "show", "4"] + to) == 2)
    #expect(table.run(["op", "show", "x"] + to) == 1)
  }

  /// Any other operation on the shard is named, and nobody waits for it.
  @Test func whatChangesAShardWaitsForASave() throws {
    let cluster = try FakeCluster()
    let table = CommandTable(ClientCommands.all)
    let leader = ["shard", "leader", "8", "--to", "north-1", "--to", cluster.addresses]
    #expect(table.run(leader + ["--no-wait"]) == 2 && cluster.followedCount == 0)
    #expect(table.run(leader) == 0 && cluster.followedCount == 1)
    let other = ["shard", "leader", "9", "--to", "north-1", "--to", cluster.addresses]
    #expect(table.run(other) == 2)
  }

  /// The node that was asked is gone, as one is that was removed: others tell how its operation went.
  @Test func anOperationOutlivesTheNodeThatWasAsked() throws {
    let cluster = try FakeCluster()
    let named = cluster.nodes[0]
    let target = try Target(Flags(["--to", "127.0.0.1:\(named.port)"], accepting: [.to]))
    let wider = target.knowingAllNodes()
    #expect(wider.endpoints.map(\.description) == cluster.nodes.map { "127.0.0.1:\($0.port)" })
    named.stop()
    #expect(try wider.askRecords("CLUSTER OP SHOW 1").first?["state"] == "done")
    #expect(throws: ClientError.self) { try target.askRecords("CLUSTER OP SHOW 1") }
  }

  /// Programs find what a dry run would do under one name, in rows of one kind.
  @Test func dryRunsHavePlans() throws {
    let cluster = try FakeCluster()
    func rows(_ command: Command, _ words: String...) throws -> [[String]] {
      let flags = try Flags(words + ["--to", cluster.addresses], accepting: [.to])
      let plan = try #require(command.plan)
      let result = try plan(Invocation(flags: flags, target: try Target(flags), isJSON: true))
      guard case .object(let fields) = result.json, case .array(let steps) = fields.first(where: { $0.0 == "plan" })?.1
      else { return [] }
      return steps.map { step in
        guard case .object(let fields) = step else { return [] }
        return fields.map(\.0)
      }
    }
    let keys = ["step", "shard", "from", "to", "bytes"]
    #expect(try rows(LimitCommands.set, "moves=5", "dead-after=1h") == [["name"] + keys, ["name"] + keys])
    #expect(try rows(InitCommand.command) == [keys])
    #expect(try rows(OperationCommands.cancel, "3") == [keys])
    // The rules are as they were.
    #expect(try rows(PlacementCommands.set, "leaders=east") == [])
  }

  /// The system takes connections for a process that is stopped.
  @Test func aNodeThatHangsIsPassedOverAndAskedNothing() throws {
    let cluster = try FakeCluster()
    let hung = try FakeNode(index: 9, cluster: cluster, isHung: true)
    defer { hung.stop() }
    let table = CommandTable(ClientCommands.all)
    let to = ["--to", "127.0.0.1:\(hung.port),\(cluster.addresses)", "--timeout", "20"]
    #expect(table.run(["op", "show", "1"] + to) == 0)
    #expect(table.run(["op", "cancel", "3"] + to) == 0)
    // Where there is nobody else, it has all the time that it is given.
    #expect(table.run(["op", "show", "1", "--to", "127.0.0.1:\(hung.port)", "--timeout", "0.3"]) == 3)
    let two = "127.0.0.1:\(hung.port),127.0.0.1:\(hung.port)"
    #expect(table.run(["op", "show", "1", "--to", two, "--timeout", "0.3"]) == 3)
  }

  /// Nobody waits for ever for what no node tells of.
  @Test func anOperationOfWhichNobodyTellsIsUnknown() throws {
    let flags = try Flags(["--to", "127.0.0.1:1"], accepting: [.to])
    let invocation = Invocation(flags: flags, target: try Target(flags), isJSON: true)
    let error = #expect(throws: ClientError.self) {
      try OperationCommands.finished(Record([("op", "7"), ("state", "running")]), invocation, silence: 0.2)
    }
    #expect(error?.exitCode == 3 && error?.description.contains("tally op wait 7") == true)
  }

  @Test func aRebalanceIsShownAndOnlyBegunIfThatIsSaid() throws {
    let cluster = try FakeCluster()
    let table = CommandTable(ClientCommands.all)
    let to = ["--to", cluster.addresses]
    #expect(table.run(["rebalance"] + to) == 0)
    #expect(table.run(["rebalance", "leaders", "--json"] + to) == 0)
    #expect(table.run(["rebalance", "--apply", "--dry-run"] + to) == 0)
    #expect(cluster.begunCount == 0)
    #expect(table.run(["rebalance", "replicas", "--apply", "--wait", "--json"] + to) == 0)
    #expect(cluster.begunCount == 1)
    #expect(table.run(["rebalance", "voters"] + to) == 1)
    let steps = [
      Record([("step", "1"), ("kind", "replica"), ("bytes", "2048"), ("crosses", "yes")]),
      Record([("step", "2"), ("kind", "replica"), ("bytes", "1024"), ("crosses", "no")]),
      Record([("step", "3"), ("kind", "leader"), ("bytes", "0"), ("crosses", "no")]),
    ]
    #expect(
      PlacementCommands.summary(steps)
        == "2 replicas (3.0 KiB) and 1 leads would go elsewhere, 1 of them (2.0 KiB) between regions")
    #expect(PlacementCommands.summary([]) == "✓ even: nothing would go elsewhere")
  }

  @Test func rulesOfPlacementAreShownAndSet() throws {
    let cluster = try FakeCluster()
    let table = CommandTable(ClientCommands.all)
    let to = ["--to", cluster.addresses]
    #expect(table.run(["placement"] + to) == 0)
    #expect(table.run(["placement", "show", "--json"] + to) == 0)
    #expect(table.run(["placement", "set", "spread=east:2,north:1", "leaders=traffic", "--dry-run"] + to) == 0)
    #expect(table.run(["placement", "set", "leaders=east", "shard=3"] + to) == 0)
    #expect(table.run(["placement", "set", "leaders=mars"] + to) == 2)
    #expect(table.run(["placement", "set", "replicas=3"] + to) == 1)
    #expect(table.run(["placement", "set"] + to) == 1)
  }

  /// Of one word, of two or of three.
  @Test func everyNameOfACommandFindsIt() {
    let table = CommandTable(ClientCommands.all)
    for entry in ClientCommands.all {
      for name in [entry.name] + entry.aliases {
        #expect(table.run(name.split(separator: " ").map(String.init) + ["--help"]) == 0, "\(name)")
      }
    }
  }

  @Test func aCheckNamesWhatIsWrong() throws {
    let cluster = try FakeCluster()
    let table = CommandTable(ClientCommands.all)
    let to = ["--to", cluster.addresses]
    #expect(table.run(["check"] + to) == 0)
    #expect(table.run(["check", "--json"] + to) == 0)
    #expect(table.run(["health"] + to) == 0)
    cluster.isBalanced = false
    #expect(table.run(["check", "--json"] + to) == 4)
    #expect(table.run(["health", "--json"] + to) == 4)
    let verdict = Record([("ok", "no"), ("nodes", "3"), ("shards", "4"), ("compared", "3")])
    let findings = [
      Record([("kind", "operation"), ("text", "operation 3, node-drain, is under way")]),
      Record([("kind", "leaderless"), ("shard", "4"), ("text", "it has no leader that serves")]),
    ]
    #expect(
      CheckCommands.page(verdict, findings).rendered(CommandTests.plain) == """
        ✗ 1 things are wrong
        3 nodes · 4 shards · replicas of 3 compared and equal at one index
        operation 3, node-drain, is under way

        kind        shard  text
        leaderless      4  it has no leader that serves
        """)
    let result = try #require(CheckCommands.Result("healthy: committed on 12 of 12 led shards, took 2143 us"))
    #expect(result.text == "healthy: committed on 12 of 12 led shards, took 2.14 ms")
    #expect(CheckCommands.Result("healthy: 1 2") == nil)
  }

  @Test func topShowsWhatHappenedBetweenTwoReadings() throws {
    func reading(at seconds: UInt64, commit: Int, requests: Int64?) -> TopReading {
      let nodes = [("east-1", "east", "up"), ("north-1", "north", "down")].map {
        Record([
          ("node", $0), ("region", $1), ("state", $2), ("leaders", $0 == "east-1" ? "2" : "0"), ("replicas", "2"),
          ("alarms", "none"),
        ])
      }
      let shards = (1...2).map {
        Record([
          ("shard", "\($0)"), ("leader", "east-1"), ("region", "east"), ("term", "4"), ("commit", "\(commit * $0)"),
          ("applied", "\(commit * $0 - $0)"),
        ])
      }
      let status = Record([
        ("cluster", "c1"), ("healthy", "no"), ("nodes", "2"), ("up", "1"), ("shards", "2"), ("leaders", "2"),
      ])
      var reading = TopReading(at: seconds * 1_000_000_000, status: status, nodes: nodes, shards: shards)
      reading.counted["east-1"] = requests.map { .init(requests: $0, busyPermille: 120, commitNanoseconds: 812_000) }
      return reading
    }
    let rates = TopRates(
      reading(at: 14, commit: 700, requests: 4_500), since: reading(at: 10, commit: 300, requests: 500))
    #expect(
      rates.page(reading(at: 14, commit: 0, requests: nil).status, rows: 24, clock: "12:00:00Z").rendered(
        CommandTests.plain)
          == """
          tally top · cluster c1 · ✗ not healthy · 12:00:00Z · q ends
          1 of 2 nodes up · 2 of 2 shards led

          node     region  state   leads  holds  requests/s  commits/s  commit µs  busy ‰
          east-1   east    up          2      2       1,000        300        812     120
          north-1  north   ✗ down      0      2           ?          0          ?       ?

          region  nodes  leads  requests/s  commits/s
          east        1      2       1,000        300
          north       1      0           0          0

          shard  leader  region  commits/s  lag  term
              2  east-1  east          200    2     4
              1  east-1  east          100    1     4
          """)
    // It has started again meanwhile: nothing is negative.
    let again = TopRates(reading(at: 14, commit: 1, requests: 10), since: reading(at: 10, commit: 300, requests: 500))
    #expect(again.nodes[0]["requests_s"] == "0" && again.shards[0]["commits_s"] == "0")
    let counted = try #require(
      TopReading.Counted(info: "# loop\r\nrequests:17\r\nloop_busy_permille:5\r\n", health: nil))
    #expect(counted.requests == 17 && counted.busyPermille == 5 && counted.commitNanoseconds == nil)
    let cluster = try FakeCluster()
    let table = CommandTable(ClientCommands.all)
    #expect(table.run(["top", "--interval", "0.2", "--json", "--to", cluster.addresses]) == 0)
    #expect(table.run(["top", "--interval", "0", "--to", cluster.addresses]) == 1)
  }

  @Test func aBarIsOneLineOfTheTerminal() {
    let facts = ["40 s left", "copy to west-2", "step 0 of 2", "1.2 GiB"]
    #expect(
      Progress.line("operation 7", percent: 43, facts, columns: 100)
        == "operation 7 ████████░░░░░░░░░░░░ 43 % · 40 s left · copy to west-2 · step 0 of 2 · 1.2 GiB")
    #expect(
      Progress.line("operation 7", percent: 43, facts, columns: 62)
        == "operation 7 ████████░░░░░░░░░░░░ 43 % · 40 s left · copy to …")
    for columns in 20...90 {
      let line = Progress.line("operation 7", percent: 100, facts, columns: columns)
      #expect(DisplayWidth.of(line) < max(columns, 40), "\(columns)")
    }
  }
  @Test func limitsAreShownAndSet() throws {
    let cluster = try FakeCluster()
    func run(_ words: String) -> Int32 {
      CommandTable(ClientCommands.all).run(words.split(separator: " ").map(String.init) + ["--to", cluster.addresses])
    }
    #expect(run("limit show") == 0 && run("limit set dead-after=30m moves=2 --dry-run") == 0)
    #expect(run("limit set dead-after=30m moves=2 --json") == 0 && run("limit set dead-after=9s") == 1)
    #expect(run("limit set snapshot=3") == 1 && run("limit set") == 1)
  }
  @Test func aFlagIsNamedAsItWasWritten() {
    let error = #expect(throws: ClientError.self) { try Flags(["-c"], accepting: CommandTests.known) }
    #expect(error?.description == "-c needs a value")
  }

  @Test(arguments: ["x", "0", "11", "5.5", "99999999999999999999", "9999999999999999M"])
  func aNumberOutOfBoundsIsRefused(text: String) {
    #expect(throws: ClientError.self) {
      try Flags(["--n", text], accepting: CommandTests.known).integer("n", or: 1, in: 1...10)
    }
  }

  @Test func aTableLinesUpNumbersToTheRightAndWordsToTheLeft() {
    let records = [
      Record([("node", "east-1"), ("index", "5")]), Record([("node", "n"), ("index", "12345"), ("more", "x")]),
    ]
    #expect(
      Table(records).rendered(CommandTests.plain) == """
        node     index  more
        east-1       5  \("")
        n       12,345  x
        """)
  }

  @Test func aTableFitsItsRoomWordsAreShortenedWhatHasNoneStandsBelowItsRow() {
    let long = String(repeating: "abcdefghi-", count: 6)
    let record = Record([("node", long), ("region", long), ("address", long)] + (0..<10).map { ("n\($0)", "1234567") })
    let lines = Table([record]).rendered(CommandTests.plain).split(separator: "\n").map(String.init)
    #expect(lines.allSatisfy { DisplayWidth.of($0) <= 80 }, "\(lines)")
    #expect(lines[1].hasPrefix("abcdefghi…  abcdefghi…  abcdefghi-…  1234567"), "\(lines)")
    #expect(lines.joined().contains("n9=1234567"))
    let wide = Table([record]).rendered(Style(isColoured: false, limit: nil)).split(separator: "\n")
    #expect(wide.count == 2 && wide[1].hasPrefix(long))
    let plain = Table([record], isPlain: true).rendered(CommandTests.plain)
    #expect(plain.contains("region=\(long)") && plain.contains("n9=1234567") && !plain.contains("…"))
  }

  @Test func columnsThatStandBelowHaveRoomWhereThatHasNoLimit() {
    var table = Table([Record([("node", "east-1"), ("version", "0.1.0")])])
    table.below = 1
    #expect(table.rendered(CommandTests.plain) == "node\neast-1\n    version=0.1.0")
    #expect(table.rendered(Style(isColoured: false, limit: nil)).hasSuffix("east-1    0.1.0"))
  }

  /// Names are not shortened where a column has to go all the same.
  @Test func aTableThatIsTooWideInAnyCaseKeepsItsNames() {
    let figures = (0..<8).map { ("figure-\($0)", "810593") }
    let record = Record([("merchant", "cdnow-east")] + figures)
    let lines = Table([record]).rendered(CommandTests.plain).split(separator: "\n").map(String.init)
    #expect(lines.allSatisfy { DisplayWidth.of($0) <= 80 } && lines.count == 3, "\(lines)")
    #expect(lines[1].hasPrefix("cdnow-east ") && lines[2].contains("figure-7=810593"), "\(lines)")
  }

  @Test func whatIsBadHasAMarkAndAColourWhereThereAreColours() {
    let records = [Record([("node", "e"), ("state", "up")]), Record([("node", "w"), ("state", "down")])]
    #expect(Table(records).rendered(CommandTests.plain) == "node  state\ne     up\nw     ✗ down")
    let coloured = Table(records).rendered(Style(isColoured: true, limit: nil))
    #expect(coloured.contains("\u{1B}[31m✗ down\u{1B}[0m") && !coloured.contains("[31me"))
  }

  @Test func peopleReadUnits() {
    let record = Record([("disk_free", "52613349376"), ("log", "9961472"), ("log_pinned", "unknown"), ("up", "1234")])
    let rows = Table([record]).rows[0].map(\.text)
    #expect(rows == ["49 GiB", "9.5 MiB", "?", "1,234"])
    #expect(Format.bytes(640) == "640 B" && Format.bytes(1 << 50) == "1024 TiB")
    #expect([0, 119_999, 120_000, 7_200_000, 172_800_000].map(Format.age) == ["0 s", "119 s", "2 min", "2 h", "2 d"])
  }

  @Test func jsonHasTypes() {
    let record = Record([
      ("cluster", "17"), ("nodes", "3"), ("healthy", "yes"), ("lag", "007"), ("say", "a\"b\n"), ("alarms", "none"),
      ("voters", "e,w"), ("leader", "none"), ("disk_free", "unknown"), ("why", "e is down; w is down"), ("a-b", "5"),
    ])
    #expect(
      JSON(record).rendered() == """
        {
          "cluster": "17",
          "nodes": 3,
          "healthy": true,
          "lag": "007",
          "say": "a\\"b\\n",
          "alarms": [],
          "voters": [
            "e",
            "w"
          ],
          "leader": null,
          "disk_free": null,
          "why": [
            "e is down",
            "w is down"
          ],
          "a_b": 5
        }
        """)
  }

  @Test func errorsAreJsonToo() {
    #expect(
      ClientError.refused(code: "NOTFOUND", text: "no such shard").json.rendered() == """
        {
          "error": {
            "code": "NOTFOUND",
            "text": "no such shard",
            "exit": 2
          }
        }
        """)
    #expect(ClientError.unreachable(["a: refused", "b: refused"]).json.rendered().contains(#""code": "UNREACHABLE""#))
  }

  @Test func statusSaysWhyTheClusterIsNotHealthyAndSinceWhen() throws {
    let record = Record([
      ("cluster", "c1"), ("nodes", "3"), ("up", "2"), ("shards", "6"), ("leaders", "6"), ("healthy", "no"),
      ("node", "east-1"), ("version", "0.1.0"), ("alarms", "NOSPACE"), ("state", "up"), ("warnings", "none"),
      ("since", "1767225600000"), ("why", "west-1 is down; east-1 has the alarm NOSPACE"),
    ])
    let flags = try Flags([], accepting: [])
    let page = ClusterCommands.page(record, [], flags, now: 1_767_225_660_000)
    #expect(
      page.rendered(CommandTests.plain) == """
        ✗ not healthy since 2026-01-01 00:00:00Z (60 s)
          west-1 is down
          east-1 has the alarm NOSPACE
        cluster c1 · 2 of 3 nodes up · 6 of 6 shards led
        asked east-1 · state up · version 0.1.0
        alarms: NOSPACE
        """)
    let healthy = Record([("cluster", "c1"), ("healthy", "yes"), ("since", "1767225600000"), ("why", "none")])
    let other = ClusterCommands.page(healthy, [], flags, now: 1_767_225_660_000).rendered(CommandTests.plain)
    #expect(other == "✓ healthy since 2026-01-01 00:00:00Z (60 s)\ncluster c1")
  }

  @Test func theUsageOfEachCommandNamesAllOfItsFlagsIn80Columns() {
    let commands =
      ClusterCommands.all + InitCommand.all + AlarmCommands.all + ShardCommands.all + OperationCommands.all
      + PlacementCommands.all + CheckCommands.all + [TopCommand.command]
      + LimitCommands.all + NodeCommands.all
      + [BenchCommand.command, ReplayCommand.command]
    for command in commands {
      for flag in command.allFlags { #expect(command.usage.contains(flag.spelling)) }
      let lines = command.usage.split(separator: "\n")
      #expect(lines.allSatisfy { DisplayWidth.of($0) <= 80 }, "\(command.usage)")
      #expect(command.allFlags.contains { $0.name == "json" })
    }
    #expect(InitCommand.command.allFlags.contains { $0.name == "dry-run" })
    #expect(!ClusterCommands.status.allFlags.contains { $0.name == "dry-run" })
  }

  @Test func exitCodesSayWhatWentWrong() throws {
    let cluster = try FakeCluster()
    let table = CommandTable(ClientCommands.all)
    let to = ["--to", cluster.addresses]
    #expect(table.run(["status"] + to) == 0)
    #expect(table.run(["nodes", "--json"] + to) == 0)
    #expect(table.run(["audit"] + to) == 0)
    #expect(table.run(["init", "--shards", "4"] + to) == 0)
    #expect(table.run(["cluster", "init", "--dry-run"] + to) == 0)
    #expect(table.run(["init", "--replicas", "2"] + to) == 2)
    #expect(table.run(["init", "--replicas", "11"] + to) == 1)
    #expect(table.run(["alarm", "list"] + to) == 1)
    cluster.isBalanced = false
    #expect(table.run(["status"] + to) == 4)
    #expect(table.run(["audit", "--json"] + to) == 4)
    #expect(table.run(["status", "--wrong"]) == 1)
    #expect(table.run(["nonsense"]) == 1)
    #expect(table.run(["status", "word"] + to) == 1)
    #expect(table.run(["cluster", "status"] + to) == 4)
    #expect(table.run(["cluster"]) == 1)
    #expect(table.run(["alarm", "clear", "NOSPACE", "--shard", "1"] + to) == 1)
    #expect(table.run(["alarm", "clear", "POISON"] + to) == 1)
    #expect(table.run(["help", "alarm"]) == 0)
    #expect(table.run(["help", "cluster", "init"]) == 0)
    #expect(table.run([]) == 1)
    #expect(table.run(["help"]) == 0)
    #expect(table.run(["help", "bench"]) == 0)
    #expect(table.run(["bench", "-h"]) == 0)
    #expect(table.run(["version"]) == 0)
    for node in cluster.nodes { node.stop() }
    #expect(table.run(["status"] + to) == 5)
  }

  @Test func benchAddsWhatIsMissingAndOnlyThat() throws {
    let cluster = try FakeCluster()
    let table = CommandTable(ClientCommands.all)
    let common = [
      "bench", "--to", cluster.addresses, "--members", "300", "--json", "--clients", "4", "--pipeline", "5",
    ]
    #expect(table.run(common + ["--load-only"]) == 0)
    #expect(cluster.memberCount == 300)
    #expect(table.run(common + ["--requests", "200", "--mix", "earn", "--yes"]) == 0)
    #expect(cluster.transactionCount == 200)
    cluster.isBalanced = false
    #expect(table.run(common + ["--requests", "20", "--yes"]) == 4)
  }

  /// Tests have no terminal to ask at.
  @Test func whatWouldWriteAmongMembersIsRefusedUnlessItIsSaidToBeMeant() throws {
    let cluster = try FakeCluster()
    let table = CommandTable(ClientCommands.all)
    let to = ["--to", cluster.addresses, "--json"]
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("consent-\(getpid()).csv")
    try "customer,date,cents\n1,1997-01-01,1250\n".write(to: file, atomically: true, encoding: .utf8)
    defer { try? FileManager.default.removeItem(at: file) }
    let bench = ["bench", "--members", "10", "--clients", "1", "--pipeline", "1", "--requests", "5"] + to
    #expect(table.run(["replay", file.path] + to) == 0)
    #expect(cluster.memberCount == 1 && cluster.transactionCount == 1)
    #expect(table.run(bench) == 2)
    #expect(table.run(bench + ["--no-load"]) == 2)
    #expect(table.run(bench + ["--load-only"]) == 2)
    #expect(table.run(bench + ["--line", "EARN c1 merchant=m points=1 id={id}"]) == 2)
    #expect(table.run(["replay", file.path] + to) == 2)
    #expect(cluster.memberCount == 1 && cluster.transactionCount == 1)
    #expect(table.run(["replay", file.path, "--yes"] + to) == 0)
    #expect(table.run(bench + ["--yes"]) == 0)
    #expect(cluster.memberCount == 11 && cluster.transactionCount == 6)
  }
}
