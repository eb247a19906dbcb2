import Base
import Ledger

/// When newer semantics begin (see `Semantics`): every node says in its greeting which it knows. Once all members of the
/// cluster are in reach and know newer ones, the directory's leader logs that; whoever leads a shard follows.
extension Node {
  /// With each look at what is due.
  func raiseSemantics() {
    guard let directory else { return }
    for replica in replicas {
      guard let replica, replica.hasTakenOver else { continue }
      if replica.shard != .directory {
        replica.raiseSemantics(to: directory.semantics)
      } else if let common = commonSemantics, common > replica.semantics {
        log(.info, "every node knows semantics \(common): they begin")
        replica.raiseSemantics(to: common)
      }
    }
  }

  /// The newest that all members know; nil while one of them is not in reach.
  private var commonSemantics: UInt8? {
    var common = configuration.semantics
    for member in topology?.members ?? [] where member.state != .removed && member.id != id {
      guard let peer = peer(member.id), peer.isConnected else { return nil }
      common = min(common, peer.hello.semantics)
    }
    return topology == nil ? nil : common
  }
}
