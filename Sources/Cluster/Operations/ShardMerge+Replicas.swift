import Base
import Raft

/// A shard that is to end comes to the nodes of the one that takes its slots: one replica after the other, each by a move of its own.
extension ShardMerge {
  /// How many of its replicas are elsewhere.
  func strays(in topology: Topology) -> Int {
    guard let target = topology.placement(of: shard), let source = topology.placement(of: ending) else { return 0 }
    return source.voters.count { !target.voters.contains($0) }
  }

  /// Which of its replicas are to go where, places of nodes that are removed first: the other moves need a majority. One that goes
  /// and one that comes are of one region where there are such: so each move keeps to the regions as the other shard does.
  func moves(in topology: Topology) throws(ReplicaPlan.Impossible) -> [ShardMove] {
    guard let target = topology.placement(of: shard), let source = topology.placement(of: ending) else { return [] }
    guard target.voters.count == source.voters.count else {
      throw ReplicaPlan.Impossible(
        text: "shard \(ending.rawValue) has \(source.voters.count) replicas, shard \(shard.rawValue) has"
          + " \(target.voters.count): all of the one go to the nodes of the other")
    }
    let going = source.voters.filter { !target.voters.contains($0) }
    var coming = target.voters.filter { !source.voters.contains($0) }
    var (vacant, near, far): ([NodeID], [ShardMove], [NodeID]) = ([], [], [])
    for node in going {
      guard let record = topology.node(node), record.state != .removed else {
        vacant.append(node)
        continue
      }
      if let place = coming.firstIndex(where: { topology.node($0)?.region == record.region }) {
        near.append(ShardMove(shard: ending, from: node, to: coming.remove(at: place)))
      } else {
        far.append(node)
      }
    }
    let rest = zip(vacant + far, coming).map { ShardMove(shard: ending, from: $0, to: $1) }
    let moves = rest.prefix(vacant.count) + near + rest.dropFirst(vacant.count)
    var after = topology
    for move in moves {
      if let reason = move.refusal(in: after) { throw ReplicaPlan.Impossible(text: reason) }
      move.conclude(&after)
    }
    return Array(moves)
  }

  /// The next move; nil: all replicas are where they are to be. Planned anew each time: the other shard may have got other nodes.
  func bring(_ view: OperationView) -> OperationAction? {
    let step = view.record.step
    guard view.children.allSatisfy(\.state.isOver) else { return .run(step: step) }
    let planned: [ShardMove]
    do throws(ReplicaPlan.Impossible) { planned = try moves(in: view.topology) } catch { return .wait(error.text) }
    // A voter that is lost goes first: the next loss would stop the others.
    guard let move = planned.first(where: { !view.reachable.contains($0.from) }) ?? planned.first else { return nil }
    if let last = view.children.last, last.state != .done,
      view.now.microseconds - last.ended.microseconds < NodeRemove.pause
    {
      return .wait("operation \(last.number) \(last.state): \(last.text)")
    }
    guard view.copies.hasRoom(for: move, isThere: view.reachable.contains(move.from)) else { return .run(step: step) }
    return .begin(OperationChild(move), step: step)
  }
}
