import Replies
import System

/// `tally alarm`: what nodes are alarmed of, and the one alarm that an operator ends.
enum AlarmCommand {
  static let entry = CommandEntry(
    name: "alarm", summary: "alarm list, alarm clear POISON --shard S",
    usage: """
        tally alarm list [flags]
        tally alarm clear POISON --shard S [flags]

        --shard S            the shard of which an entry is to be tried again, once
        --to HOST:PORT[,…]   any nodes, tried in order (TALLY_TO; 127.0.0.1:7401)
        --timeout SECONDS    how long to wait for a reply (30)
        --json               for programs: fields and words as in the protocol
      """,
    body: { arguments throws(ClientError) in
      switch arguments.first {
      case "list":
        let flags = try Flags(Array(arguments.dropFirst()), values: Target.flags, switches: ["json"])
        try flags.expectNoWords()
        let records = try Target(flags).askRecords("CLUSTER ALARM LIST")
        Console.print(flags.has("json") ? JSON(records).rendered() : Table.render(records))
        return 0
      case "clear":
        guard arguments.count > 1, arguments[1].uppercased() == "POISON" else {
          throw .usage("alarm clear takes POISON; other alarms end by themselves")
        }
        let flags = try Flags(Array(arguments.dropFirst(2)), values: Target.flags + ["shard"], switches: ["json"])
        try flags.expectNoWords()
        guard flags.has("shard") else { throw .usage("of which shard: alarm clear POISON --shard S") }
        let shard = try flags.integer("shard", or: 0, in: 0...65_535)
        _ = try Target(flags).connect().request("CLUSTER ALARM CLEAR POISON shard=\(shard)").orThrow()
        Console.print(flags.has("json") ? JSON(Record([("result", "OK")])).rendered() : "tried again once")
        return 0
      default: throw .usage("alarm list, or alarm clear POISON --shard S")
      }
    })
}
