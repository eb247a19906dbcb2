import Base

/// How nodes are called. A name is what operators see; ids tell nodes apart.
extension PeerTable {
  func name(of node: NodeID, _ membership: Membership) -> String {
    if node == .none { return "none" }
    return membership.topology?.node(node)?.name ?? self[node]?.hello.name ?? node.hex
  }

  static func isPresent(_ peer: Peer, _ membership: Membership) -> Bool {
    peer.isConnectedOrSelf || membership.belongs(peer.id)
  }
  /// Whether another node that is there bears the same name.
  func isNameShared(_ name: String, _ membership: Membership) -> Bool {
    var bearers: Set<NodeID> = []
    for record in membership.topology?.nodes ?? [] where record.state != .removed && record.name == name {
      bearers.insert(record.id)
    }
    for peer in self where !membership.belongs(peer.id) && peer.isConnectedOrSelf && peer.hello.name == name {
      bearers.insert(peer.id)
    }
    return bearers.count > 1
  }
  func isAnyNameShared(_ membership: Membership) -> Bool {
    contains { PeerTable.isPresent($0, membership) && isNameShared($0.hello.name, membership) }
  }
}
