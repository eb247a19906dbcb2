import Base
import Raft

/// What an operator must look at, in words of capitals.
extension Node {
  /// Whether a replica here may lack what it acknowledged, or has come to another state than the others.
  var isCorrupt: Bool {
    let isAnyReplicaCorrupt = replicas.contains { replica in
      replica.map { $0.raft.isDamaged || $0.raft.isFenced || $0.quarantined != nil } ?? false
    }
    return isAnyReplicaCorrupt || !rottenJournals.isEmpty || fence != 0
  }

  /// What is wrong with a node, as far as it has told; sorted.
  func alarms(of peer: Peer) -> [String] {
    let isSelf = peer.index == 0
    let disk = isSelf ? ownDisk : peer.disk
    let found = [
      ("CLOCK", isSelf ? clock.isOff : peer.clock.isOff), ("CORRUPT", isSelf ? isCorrupt : peer.isCorrupt),
      ("NOSPACE", disk.isFull), ("SLOWDISK", disk.isSlow),
    ]
    return found.filter(\.1).map(\.0)
  }
  /// Of all nodes in reach.
  var alarms: [String] {
    var all: Set<String> = []
    for peer in peers where peer.isConnectedOrSelf { all.formUnion(alarms(of: peer)) }
    return all.sorted()
  }
  static func list(_ alarms: [String]) -> String { alarms.isEmpty ? "none" : alarms.joined(separator: ",") }
}
