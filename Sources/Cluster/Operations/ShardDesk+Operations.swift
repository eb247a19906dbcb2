import Base
import Ledger

/// Operations, as the directory's leader drives them.
extension ShardDesk {
  /// With each heartbeat, at the directory's leader: logs what has become of the operations under way. A change is proposed
  /// once in a leadership; should it come twice all the same, it happens once: see `Operation.revision`.
  func driveOperations(_ replica: Replica, _ leaders: some KnowsLeaders) {
    guard replica.hasTakenOver, let directory, let topology = membership.topology else { return }
    let open = directory.operations.open
    guard !open.isEmpty else { return replica.leading.operationRevisions.removeAll() }
    for operation in open where replica.leading.operationRevisions[operation.number] != operation.revision {
      guard let plan = operation.plan else { continue }
      var view = OperationView(record: operation, topology: topology, now: now.wall)
      for shard in operation.holds {
        let known = leaders.leader(of: shard)
        view.shards[shard] = OperationView.ShardReport(
          leader: leaders.isLed(shard) ? known.node : .none, term: known.term, isServed: leaders.isServed(shard))
      }
      for member in topology.members where peers.isUp(member.id, now: now) { view.reachable.insert(member.id) }
      guard let change = plan.next(view).change(of: operation) else { continue }
      var buffer = ByteBuffer(capacity: 256)
      DirectoryMachine.append(.advanceOperation, to: &buffer) { change.encode(into: &$0) }
      guard replica.addInternal(buffer.bytes) else { return }
      replica.leading.operationRevisions[operation.number] = operation.revision
      replica.isDirty = true
      if change.state.isOver {
        log(.info, "operation \(operation.number) \(DirectoryMachine.word(of: change.state)): \(change.text)")
      }
    }
  }
}
