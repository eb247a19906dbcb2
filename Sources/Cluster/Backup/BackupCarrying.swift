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
