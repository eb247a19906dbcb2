import Base
import Ledger

/// What backups want of others.
struct BackupCarrying {
  let node: Node

  func carry(_ event: BackupDesk.Event) {
    switch event {
    case .open(let other):
      guard let peer = node.peers[other], peer.isConnected else {
        return node.snapshots.backups.retry("a source is out of reach")
      }
      node.snapshots.backups.opens(other, request: node.links.open(peer.hello.peerAddress, bulk: true))
    case .refuse(let owner, let code, let reason): node.requests.answerError(owner, code, reason)
    case .initialise(let owner, let figures, let isTrial):
      node.beginning.initialise(owner, figures, isTrial: isTrial)
    case .prepared(let cluster): node.beginning.prepared(cluster: cluster)
    case .cannotBegin(let reason): node.beginning.cannotBegin(reason)
    case .notToBeHad: node.beginning.lostBackup()
    case .begun(let loaded):
      node.shards.begin(restored: loaded)
      node.directoryStarted()
      node.beginning.waits(node.membership.me.id, for: node.health.disk.writer.nextNumber)
    case .close(let link): node.links.forget(link)
    case .mark(let shard, let stamp):
      let slot = node.membership.topology?.placement(of: shard)?.slots.first ?? Slot(0)
      node.requests.submitInternal(shard, flags: .marker) { buffer in
        Command.appendMarker(to: &buffer, slot: slot)
        buffer.append(stamp.microseconds)
      }
    case .advance(let change):
      node.requests.submitInternal(.directory, flags: .repeatable) { buffer in
        DirectoryMachine.append(.advanceOperation, to: &buffer) { change.encode(into: &$0) }
      }
    }
  }
}
