import Replies
import System

/// `tally top`: the cluster at work, drawn over and over.
enum TopCommand {
  static let command = Command(
    "top", aliases: ["cluster top"],
    summary: "a live screen: nodes, regions and shards with rates, latency and lag",
    flags: [.value("interval", "SECONDS", "between two looks (2)")],
    notes:
      "requests/s: what terminals ask of the node; commits/s: entries of the shards that it leads; commit: how long an entry takes in all "
      + "of them, tried each time; busy: of the loop's time; lag: entries that the asked node has yet to apply. Keys: q or Ctrl-C ends, "
      + "any other looks again. Where the output is no terminal, and with --json, it looks once.",
    body: { invocation throws(ClientError) in
      let interval = try invocation.flags.number("interval", or: 2, in: 0.2...3_600)
      let reader = TopReader(invocation.target)
      var before = try reader.read()
      guard !invocation.isJSON, Console.isOutputTerminal, Console.isInputTerminal else {
        pause(milliseconds: Int(interval * 1_000))
        return once(try reader.read(), since: before)
      }
      let terminal = Terminal()
      try terminal.onScreen { () throws(ClientError) in
        var isFirst = true
        while true {
          // Rates want two looks: the second comes soon.
          let key = terminal.key(within: Int32(isFirst ? min(500, interval * 1_000) : interval * 1_000))
          if [.interrupt, .endOfInput, .character("q"), .character("Q")].contains(key) { return }
          isFirst = false
          let reading = try reader.read()
          let style = Style(descriptor: 1, isWide: invocation.flags.has("wide"))
          let clock = String(Format.moment(Clock.wall() / 1_000).dropFirst(11))
          terminal.draw(
            TopRates(reading, since: before).page(reading.status, rows: terminal.rowCount, clock: clock).rendered(style)
          )
          before = reading
        }
      }
      return CommandResult()
    })

  private static func once(_ reading: TopReading, since before: TopReading) -> CommandResult {
    let rates = TopRates(reading, since: before)
    let json = JSON(reading.status).adding([
      ("node_rows", JSON(rates.nodes)), ("region_rows", JSON(rates.regions)), ("shard_rows", JSON(rates.shards)),
    ])
    let clock = String(Format.moment(Clock.wall() / 1_000).dropFirst(11))
    return CommandResult(json: json, page: rates.page(reading.status, rows: .max, clock: clock))
  }
}

/// Asks for readings. It keeps a connection to each node; one that does not answer is asked anew the next time.
final class TopReader {
  private let target: Target
  private var connections: [String: Connection] = [:]
  /// What a node may take to answer (ms).
  private static let patience = Connection.Timeouts(connect: 300, reply: 1_000)

  init(_ target: Target) { self.target = target }

  /// Throws where no node answers at all.
  func read() throws(ClientError) -> TopReading {
    guard let status = try target.askRecords("CLUSTER STATUS").first else {
      throw .malformedReply("CLUSTER STATUS answered nothing")
    }
    let nodes = try target.askRecords("CLUSTER NODES")
    let shards = try target.askRecords("CLUSTER SHARDS")
    var reading = TopReading(at: Clock.monotonicNanoseconds(), status: status, nodes: nodes, shards: shards)
    for node in nodes where node["state"] != "down" && node["state"] != "removed" {
      guard let name = node["node"], let address = node["address"] else { continue }
      reading.counted[name] = counted(name, address)
    }
    return reading
  }

  private func counted(_ name: String, _ address: String) -> TopReading.Counted? {
    do throws(ClientError) {
      let connection: Connection
      if let known = connections[name] {
        connection = known
      } else {
        connection = try target.connect(to: [try target.endpoint(address)], timeouts: TopReader.patience)
        connections[name] = connection
      }
      guard case .bulk(let info?) = try connection.request("INFO") else { return nil }
      let health: String? = if case .text(let text) = try connection.request("HEALTH") { text } else { nil }
      return TopReading.Counted(info: info, health: health)
    } catch {
      // What comes later on it would be taken for another's answer.
      connections[name] = nil
      return nil
    }
  }
}
