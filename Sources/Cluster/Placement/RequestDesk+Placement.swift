import Base
import Ledger
import Protocol
import Vocabulary

/// `CLUSTER PLACEMENT SHOW` and `SET …`: the rules, and who breaks them.
extension RequestDesk {
  func placement(_ request: Request, _ owner: EdgeItem.Owner) {
    guard let topology = membership.topology else { return answerError(owner, .unavailable, "there is no cluster yet") }
    let word = request.positionalCount > 0 ? String(decoding: request.positional(0), as: UTF8.self).uppercased() : ""
    let change = PlacementChange(request)
    switch (word, change == PlacementChange()) {
    case ("SHOW", true): tellPlacement(topology, owner)
    case ("SET", false): setPlacement(change, request, topology, owner)
    default:
      answerError(
        owner, .malformed,
        "CLUSTER PLACEMENT takes SHOW, or SET with spread=east:2,north:1, or leaders=REGION and shard=S")
    }
  }
  private func tellPlacement(_ topology: Topology, _ owner: EdgeItem.Owner) {
    answer(owner) { reply in
      topology.tellRules(&reply) { isLed($0.shard) ? edge.leader(of: $0.shard).node : nil }
    }
  }
  private func setPlacement(
    _ change: PlacementChange, _ request: Request, _ topology: Topology, _ owner: EdgeItem.Owner
  ) {
    var after = topology
    do throws(OperationTable.Refused) { after.rules = try change.applied(to: topology) } catch {
      return answerError(owner, error.code, "\(error.text); nothing was done")
    }
    guard !request.flag(.dryRun) else { return tellPlacement(after, owner) }
    askDirectory(owner, .repeatable) { buffer in
      DirectoryMachine.append(.placement, to: &buffer) { change.encode(into: &$0) }
    }
  }
}

extension PlacementChange {
  fileprivate init(_ request: Request) {
    func text(_ key: Key) -> String? { request.text(key).map { String(decoding: $0, as: UTF8.self) } }
    self.init(
      spread: text(.spread), lead: text(.leaders),
      shard: request.number(.shard).map { ShardID(UInt32(truncatingIfNeeded: $0)) })
  }
}

extension DirectoryMachine {
  /// Rules that nobody can meet are refused here too: the nodes may be others than those that the asked node knew.
  func applyPlacement(_ reader: inout ByteReader, _ reply: inout ReplyWriter) throws(MalformedBytes) {
    let change = try PlacementChange(decoding: &reader)
    guard let topology else { throw MalformedBytes("there is no cluster") }
    do throws(OperationTable.Refused) {
      let rules = try change.applied(to: topology)
      self.change {
        $0.rules = rules
        $0.findHomes()
      }
      self.topology?.tellRules(&reply) { $0.preferredLeader }
    } catch {
      reply.error(error.code, error.text)
    }
  }
}

extension Topology {
  /// A record of the rules of all shards, one a shard that has a rule of its own, and one a breach.
  func tellRules(_ reply: inout ReplyWriter, leader: (ShardPlacement) -> NodeID?) {
    let breaches = rules.breaches(in: self, leader: leader)
    reply.array(count: 1 + rules.ofShards.count + breaches.count)
    reply.record()
    reply.field(.kind, "rule")
    reply.field(.spread, rules.spreadText)
    reply.field(.leads, rules.lead.word)
    for rule in rules.ofShards {
      reply.record()
      reply.field(.kind, "rule")
      reply.field(.shard, Int64(rule.shard.rawValue))
      reply.field(.leads, rule.lead.word)
    }
    for breach in breaches {
      reply.record()
      reply.field(.kind, "breach")
      reply.field(.shard, Int64(breach.shard.rawValue))
      reply.field(.node, name(of: breach.node))
      reply.field(.text, breach.text)
    }
  }
}
