import Base
import Raft

/// Which replica of each group that has lost its majority goes on alone. Pure: facts in, a plan or a refusal out.
struct RecoveryPlan: Hashable {
  /// A replica that has no leader, on a node in reach.
  struct Witness: Hashable {
    var node: NodeID
    var report: StrandedReport
  }
  struct View {
    var topology: Topology
    /// Nodes in reach, and those that were not heard for long enough to be dead.
    var up: Set<NodeID>
    var silent: Set<NodeID>
    /// Groups that have a leader.
    var led: Set<ShardID>
    var witnesses: [ShardID: [Witness]]
    /// What leaders have told of their groups.
    var groups = GroupTable()
  }
  /// What is to become of a group.
  struct Row: Hashable {
    var shard: ShardID
    var survivor: NodeID
    /// Of the survivor's configuration: it goes on from that one, or not at all.
    var version: UInt64
    /// Voters that are in reach as well: they become voters again once they have what the survivor has.
    var kept: [NodeID]
    /// The survivor's log ends there.
    var last: LogIndex
    var commit: LogIndex
    var stamp: Stamp
    /// Voters that are lost.
    var lost: [NodeID]
    var isDamaged: Bool
  }
  /// Sorted.
  let lost: [NodeID]
  /// The directory's first, if it is one of them; then by shard.
  let rows: [Row]

  struct Refused: Error, Equatable {
    let text: String
  }

  init(without lost: [NodeID], _ view: View) throws(Refused) {
    self.lost = Set(lost).sorted()
    let topology = view.topology
    func names(_ nodes: [NodeID]) -> String { nodes.map { topology.name(of: $0) }.joined(separator: ", ") }
    for node in self.lost where !view.silent.contains(node) {
      throw Refused(
        text: "node \(topology.name(of: node)) was heard within \(NodeRemove.silence / 1_000_000) s: it is not dead")
    }
    for record in topology.nodes where record.state != .removed && !lost.contains(record.id) {
      guard !view.up.contains(record.id) else { continue }
      throw Refused(
        text:
          "node \(record.name) does not answer and is not said to be dead: its replicas may have what others lack; wait for it,"
          + " or name it, too")
    }
    // Of a shard that is over a replica may be left that has yet to hear of it.
    let told = view.witnesses.keys.filter { !topology.isOver($0) }
    let shards = Set(topology.shards.map(\.shard) + [.directory]).union(told).subtracting(view.led)
    var rows: [Row] = []
    for shard in shards.sorted() {
      rows.append(try RecoveryPlan.row(of: shard, without: Set(lost), view, names))
    }
    self.rows = rows
    guard !rows.isEmpty else {
      throw Refused(
        text: "every shard has a leader, and the directory too: remove the dead by tally node remove --dead")
    }
    try SlotClaims(of: rows, view).check()
  }

  private static func row(
    of shard: ShardID, without lost: Set<NodeID>, _ view: View, _ names: ([NodeID]) -> String
  ) throws(Refused) -> Row {
    let what = shard == .directory ? "the directory" : "shard \(shard.rawValue)"
    let found = (view.witnesses[shard] ?? []).filter { !lost.contains($0.node) }
    guard let newest = found.map(\.report.configuration).max(by: { $0.version < $1.version }) else {
      let voters = view.topology.placement(of: shard)?.voters ?? view.topology.directoryVoters
      throw Refused(
        text:
          "no replica of \(what) has told that it has no leader: its voters are \(names(voters)). If one of these lives, ask"
          + " again in some seconds; if none does, restore a backup")
    }
    let voters = newest.voters.map(\.node)
    let sound = Set(found.filter { !$0.report.isDamaged }.map(\.node))
    let unheard = newest.voters.map(\.node).filter { node in !lost.contains(node) && !found.contains { $0.node == node }
    }
    guard unheard.isEmpty else {
      throw Refused(
        text:
          "\(names(unheard)) has not told of its replica of \(what): ask again in some seconds, or name it as dead, too"
      )
    }
    let mayElect = [newest.voters, newest.outgoing].allSatisfy { half in
      half.isEmpty || half.count { sound.contains($0.node) } * 2 > half.count
    }
    guard !mayElect else {
      throw Refused(
        text:
          "\(what) has no leader now, but a majority of its voters \(names(voters)) lives: wait until they have elected one"
      )
    }
    // The longest log has all that can be known to be committed; one that has lost entries may not.
    func rank(_ witness: Witness) -> (Int, Term, LogIndex, NodeID) {
      (witness.report.isDamaged ? 0 : 1, witness.report.last.term, witness.report.last.index, witness.node)
    }
    guard let best = found.max(by: { rank($0) < rank($1) }) else { throw Refused(text: "\(what) has no survivor") }
    let kept = found.map(\.node).filter { $0 != best.node && sound.contains($0) && voters.contains($0) }
    return Row(
      shard: shard, survivor: best.node, version: best.report.configuration.version,
      kept: best.report.isDamaged ? [] : kept,
      last: best.report.last.index, commit: best.report.commit, stamp: best.report.stamp,
      lost: newest.members.map(\.node).filter { lost.contains($0) }, isDamaged: best.report.isDamaged)
  }

  /// What is decided, and not what logs grow by: a plan that is applied is the one that was looked at.
  var digest: UInt64 {
    var buffer = ByteBuffer(capacity: 64)
    for node in lost { buffer.append(node.rawValue) }
    for row in rows {
      buffer.append(row.shard.rawValue)
      buffer.append(row.survivor.rawValue)
      buffer.append(row.version)
      for node in row.kept { buffer.append(node.rawValue) }
    }
    return xxh64(buffer.bytes)
  }
}
