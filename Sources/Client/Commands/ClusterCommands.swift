import Foundation
import Replies
import System

/// The commands that show the cluster's state, and the one that makes a cluster.
enum ClusterCommands {
  static let all = [status, nodes, shards, audit, cluster, initialise]

  private static let commonUsage = """
      --to HOST:PORT[,…]   any nodes, tried in order (TALLY_TO; 127.0.0.1:7401)
      --timeout SECONDS    how long to wait for a reply (30)
      --json               for programs: fields and words as in the protocol
    """

  private static func parse(_ arguments: [String]) throws(ClientError) -> (target: Target, json: Bool) {
    let flags = try Flags(arguments, values: Target.flags, switches: ["json"])
    try flags.expectNoWords()
    return (try Target(flags), flags.has("json"))
  }

  static let status = CommandEntry(
    name: "status", summary: "the cluster at a glance, a node a row",
    usage: "  tally status [flags]\n\n\(commonUsage)\n\nExit code 4 unless the cluster is healthy.",
    body: { arguments throws(ClientError) in
      let (target, json) = try parse(arguments)
      guard let record = try target.askRecords("CLUSTER STATUS").first else {
        throw .malformedReply("CLUSTER STATUS answered nothing")
      }
      let rows = (try? target.askRecords("CLUSTER NODES")) ?? []
      if json {
        guard case .object(let fields) = JSON(record) else { return 3 }
        Console.print(JSON.object(fields + [("rows", JSON(rows))]).rendered())
      } else {
        Console.print(record.fields.map { "\($0.key) \($0.value)" }.joined(separator: " · "))
        if !rows.isEmpty { Console.print("\n" + Table.render(rows)) }
      }
      return record["healthy"] == "yes" ? 0 : 4
    })

  private static func list(_ name: String, _ line: String, _ summary: String) -> CommandEntry {
    CommandEntry(
      name: name, summary: summary, usage: "  tally \(name) [flags]\n\n\(commonUsage)",
      body: { arguments throws(ClientError) in
        let (target, json) = try parse(arguments)
        let records = try target.askRecords(line)
        Console.print(json ? JSON(records).rendered() : Table.render(records))
        return 0
      })
  }
  static let nodes = list("nodes", "CLUSTER NODES", "the nodes: region, address, state, leaders, replicas")
  static let shards = list("shards", "CLUSTER SHARDS", "the shards: slots, leader, voters, term, commit, applied")

  static let audit = CommandEntry(
    name: "audit", summary: "adds up the books of all shards at one moment",
    usage: "  tally audit [flags]\n\n\(commonUsage)\n\nExit code 4 unless balanced=yes.",
    body: { arguments throws(ClientError) in
      let (target, json) = try parse(arguments)
      let records = try target.askRecords("AUDIT")
      guard let total = records.last(where: { $0["total"] == "yes" }) else {
        throw .malformedReply("AUDIT gave no total")
      }
      if json {
        Console.print(JSON(records).rendered())
      } else {
        Console.print(Table.render(records.filter { $0["total"] == nil }))
        Console.print("\n" + total.fields.map { "\($0.key)=\($0.value)" }.joined(separator: " "))
      }
      return total["balanced"] == "yes" ? 0 : 4
    })

  private static let initialiseUsage = """
      tally init [--shards N] [--replicas N] [flags]

      --shards N              how many shards the key space is cut into (6)
      --replicas N            copies of each, an odd number (3)
      --allow-single-region   all copies of a shard in one region, if need be
      --dry-run               says what it would make, shard by shard, and makes nothing
      --no-wait               does not wait until the cluster is healthy
    \(commonUsage)

    Said again with the same figures it prints the same; with others it is refused.
    """

  static let initialise = CommandEntry(
    name: "init", summary: "once, makes a cluster of the nodes that have found each other", usage: initialiseUsage,
    body: initialise(_:))

  static let cluster = CommandEntry(
    name: "cluster", summary: "cluster init (short: init)", usage: initialiseUsage,
    body: { arguments throws(ClientError) in
      let rest = Array(arguments.dropFirst())
      switch arguments.first {
      case "init": return try initialise(rest)
      case "status": return status.run(rest)
      case "nodes": return nodes.run(rest)
      case "shards": return shards.run(rest)
      case "alarm": return AlarmCommand.entry.run(rest)
      case let other?: throw .usage("no command 'cluster \(other)'")
      case nil: throw .usage("cluster init, cluster status, cluster nodes, cluster shards or cluster alarm")
      }
    })

  private static func initialise(_ arguments: [String]) throws(ClientError) -> Int32 {
    let flags = try Flags(
      arguments, values: Target.flags + ["shards", "replicas"],
      switches: ["json", "dry-run", "allow-single-region", "no-wait"])
    try flags.expectNoWords()
    let target = try Target(flags)
    var line = "CLUSTER INIT"
    if flags.has("shards") { line += " shards=\(try flags.integer("shards", or: 0, in: 1...4096))" }
    if flags.has("replicas") { line += " replicas=\(try flags.integer("replicas", or: 0, in: 1...9))" }
    if flags.has("allow-single-region") { line += " allow-single-region=yes" }
    if flags.has("dry-run") { line += " dry-run=yes" }
    let reply: Value
    do { reply = try target.connect().request(line).orThrow() } catch {
      // The arguments were looked at here: what the cluster finds wrong is how its nodes are placed.
      guard case .refused("ERR", let text) = error else { throw error }
      Console.report("tally init: refused: \(text)")
      return 2
    }
    if flags.has("dry-run") { return try printTrial(reply, isJSON: flags.has("json")) }
    let isHealthy = flags.has("no-wait") || waitUntilHealthy(target)
    if flags.has("json") {
      let record = reply.record ?? Record([("result", "OK")])
      Console.print(JSON(record).rendered())
    } else if let record = reply.record {
      Console.print(record.fields.map { "\($0.key) \($0.value)" }.joined(separator: " · "))
    } else {
      Console.print("done")
    }
    guard isHealthy else {
      throw .timedOut("the cluster is made, but not healthy yet (tally status)")
    }
    return 0
  }

  /// What `init` would make: a record of the cluster, and one for each shard.
  private static func printTrial(_ reply: Value, isJSON: Bool) throws(ClientError) -> Int32 {
    let records = reply.records
    guard let cluster = records.first else {
      throw .malformedReply("CLUSTER INIT dry-run=yes gave no records")
    }
    let shards = Array(records.dropFirst())
    if isJSON {
      guard case .object(let fields) = JSON(cluster) else { return 3 }
      Console.print(JSON.object(fields + [("shard_rows", JSON(shards))]).rendered())
      return 0
    }
    let made = cluster["cluster"] == "none"
    Console.print(made ? "would make, and has not made:" : "this cluster is there; nothing would change:")
    Console.print(cluster.fields.map { "\($0.key) \($0.value)" }.joined(separator: " · "))
    if !shards.isEmpty { Console.print("\n" + Table.render(shards)) }
    return 0
  }

  private static func waitUntilHealthy(_ target: Target) -> Bool {
    let start = Clock.monotonicNanoseconds()
    while Clock.monotonicNanoseconds() - start < UInt64(target.timeouts.reply) * 1_000_000 {
      if let record = try? target.askRecords("CLUSTER STATUS").first, record["healthy"] == "yes" { return true }
      // Between two questions: no node tells a client when the cluster becomes healthy.
      pause(milliseconds: 100)
    }
    return false
  }
}
