import Foundation
import Replies
import Testing

@testable import Client

@Suite struct CommandTests {
  @Test func `flags are read in both spellings, and words stay in order`() throws {
    let flags = try Flags(
      ["a", "--to", "x:1", "--json", "b", "--n=5k", "--", "--to"], values: ["to", "n"], switches: ["json"])
    #expect(flags["to"] == "x:1")
    #expect(flags.has("json"))
    #expect(flags.words == ["a", "b", "--to"])
    #expect(try flags.integer("n", or: 1, in: 1...10_000) == 5_000)
    #expect(try flags.integer("absent", or: 7, in: 1...10) == 7)
  }

  @Test(arguments: [["--nope"], ["--to"], ["--to", "a", "--to", "b"], ["--json=1"]])
  func `a wrong flag is named`(arguments: [String]) {
    let error = #expect(throws: ClientError.self) {
      try Flags(arguments, values: ["to"], switches: ["json"])
    }
    #expect(error?.exitCode == 1)
    #expect(error?.description.contains(arguments[0].split(separator: "=")[0]) == true)
  }

  @Test func `a flag is named as it was written`() {
    let error = #expect(throws: ClientError.self) { try Flags(["-c"], values: ["c"]) }
    #expect(error?.description == "-c needs a value")
  }

  @Test(arguments: ["x", "0", "11", "5.5", "99999999999999999999", "9999999999999999M"])
  func `a number out of bounds is refused`(text: String) {
    #expect(throws: ClientError.self) {
      try Flags(["--n", text], values: ["n"]).integer("n", or: 1, in: 1...10)
    }
  }

  @Test func `a table lines up numbers to the right and words to the left`() {
    let records = [
      Record([("node", "east-1"), ("lag", "5")]), Record([("node", "n"), ("lag", "12,345"), ("more", "x")]),
    ]
    #expect(
      Table.render(records) == """
        node       lag  more
        east-1       5  \("")
        n       12,345  x
        """)
  }

  @Test func `json keeps names as text and whole numbers as numbers`() {
    let record = Record([("cluster", "17"), ("nodes", "3"), ("healthy", "yes"), ("lag", "007"), ("say", "a\"b\n")])
    #expect(
      JSON(record).rendered() == """
        {
          "cluster": "17",
          "nodes": 3,
          "healthy": "yes",
          "lag": "007",
          "say": "a\\"b\\n"
        }
        """)
  }

  @Test func `exit codes say what went wrong`() throws {
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
    #expect(table.run(["shards"] + to) == 1)
    cluster.isBalanced = false
    #expect(table.run(["status"] + to) == 4)
    #expect(table.run(["audit", "--json"] + to) == 4)
    #expect(table.run(["status", "--wrong"]) == 1)
    #expect(table.run(["nonsense"]) == 1)
    #expect(table.run([]) == 1)
    #expect(table.run(["help"]) == 0)
    #expect(table.run(["help", "bench"]) == 0)
    #expect(table.run(["bench", "-h"]) == 0)
    #expect(table.run(["version"]) == 0)
    for node in cluster.nodes { node.stop() }
    #expect(table.run(["status"] + to) == 5)
  }

  @Test func `bench adds what is missing, and only that`() throws {
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
  @Test func `what would write among members is refused unless it is said to be meant`() throws {
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
