import Base
import Ledger

/// Operations, as the directory's leader drives them.
extension ShardDesk {
  /// With each heartbeat, at the directory's leader: logs what has become of the operations under way. A change is proposed
  /// once in a leadership; should it come twice all the same, it happens once: see `Operation.revision`.
  func driveOperations(_ replica: Replica, _ leaders: some KnowsLeaders) {
    guard replica.hasTakenOver, let directory, let topology = membership.topology else { return }
    let open = directory.operations.open
    groups.keep(Set(open.flatMap(\.holds)))
    guard !open.isEmpty else {
      directory.progress = [:]
      return replica.leading.operationRevisions.removeAll()
    }
    let common = commonView(directory, topology, replica, leaders)
    let children = directory.operations.children
    directory.progress = [:]
    for operation in open {
      guard let plan = operation.plan else { continue }
      var view = common
      view.record = operation
      view.children = children[operation.name] ?? []
      view.others = open.map(\.number).filter { $0 != operation.number }
      for shard in operation.holds {
        view.shards[shard] = report(of: shard, leaders)
        view.idle = groups.idle(of: shard, now: now.monotonic)
        view.near = groups.near(of: shard, now: now.monotonic)
      }
      let (share, bytes) = plan.progress(view)
      directory.progress[operation.number] = OperationProgress(share: share, bytes: bytes, age: view.age)
      guard replica.leading.operationRevisions[operation.number] != operation.revision else { continue }
      let action = view.next(of: plan)
      if case .begin(let child, _) = action, !open.contains(where: { child.isBegun(by: $0) }) {
        begin(child, by: operation.name, replica)
      }
      guard let change = action.change(of: operation) else { continue }
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

  /// What the next step of any of them is decided by.
  private func commonView(
    _ directory: DirectoryMachine, _ topology: Topology, _ replica: Replica, _ leaders: some KnowsLeaders
  ) -> OperationView {
    var view = OperationView(record: directory.operations.open[0], topology: topology, now: now.wall)
    for operation in directory.operations.open {
      for shard in operation.holds { view.holders[shard] = operation.number }
      guard let move = operation.plan as? ShardMove else { continue }
      view.incoming[move.to] = operation.number
      let group = groups.report(of: move.shard, now: now.monotonic)
      if move.isCopying(operation, group) { view.copies.add(move) }
    }
    for placement in topology.shards where leaders.isLed(placement.shard) {
      view.leads[leaders.leader(of: placement.shard).node, default: []].append(placement.shard)
    }
    view.knows = knownSemantics
    let configuration = replica.raft.configuration
    view.directoryVoters = configuration.voters.map(\.node) + configuration.outgoing.map(\.node)
    for record in topology.nodes {
      if peers.isUp(record.id, now: now) { view.reachable.insert(record.id) }
      view.room[record.id] = peers[record.id]?.condition.disk.figures?.free
    }
    view.groups = peers.groups
    view.progress = directory.progress
    view.limits = directory.clusterLimits
    return view
  }
  private func report(of shard: ShardID, _ leaders: some KnowsLeaders) -> OperationView.ShardReport {
    let known = leaders.leader(of: shard)
    return OperationView.ShardReport(
      leader: leaders.isLed(shard) ? known.node : .none, term: known.term, isServed: leaders.isServed(shard),
      group: groups.report(of: shard, now: now.monotonic))
  }

  /// - Parameter by: whose doing it is.
  func begin(_ child: OperationChild, by: String, _ replica: Replica) {
    var buffer = ByteBuffer(capacity: 256)
    DirectoryMachine.append(.beginOperation, to: &buffer) { body in
      body.append(child.kind)
      body.append(counted: by)
      body.append(counted: child.params)
    }
    replica.addInternal(buffer.bytes)
    replica.isDirty = true
  }
}
