import Base

/// Majorities: of the voters, and while joint of both halves.
extension RaftGroup {
  /// Whether a majority of the incoming voters satisfies `test`, and of the outgoing if there are any. One that is fenced
  /// counts as against. O(members).
  func quorum(_ test: (Progress) -> Bool) -> Bool {
    var (incoming, outgoing, incomingYes, outgoingYes) = (0, 0, 0, 0)
    for peer in peers where peer.isVoter {
      let yes = !peer.isFenced && test(peer)
      if peer.isIncoming {
        incoming += 1
        if yes { incomingYes += 1 }
      }
      if peer.isOutgoing {
        outgoing += 1
        if yes { outgoingYes += 1 }
      }
    }
    return incoming > 0 && incomingYes * 2 > incoming && (outgoing == 0 || outgoingYes * 2 > outgoing)
  }

  /// The highest value that a quorum has reached. O(members²) of a handful.
  func quorumValue(_ value: (Progress) -> UInt64) -> UInt64 {
    withUnsafeTemporaryAllocation(of: UInt64.self, capacity: peers.count + 1) { sorted in
      func reached(_ belongs: (Progress) -> Bool) -> UInt64? {
        var count = 0
        for peer in peers where belongs(peer) {
          let new = peer.isFenced ? 0 : value(peer)
          var at = count
          while at > 0, sorted[at - 1] > new {
            sorted[at] = sorted[at - 1]
            at -= 1
          }
          sorted[at] = new
          count += 1
        }
        return count == 0 ? nil : sorted[(count - 1) / 2]
      }
      guard let incoming = reached(\.isIncoming) else { return 0 }
      return min(incoming, reached(\.isOutgoing) ?? .max)
    }
  }

  /// Where a member's progress is; nil for one that is none, or none any more. O(members).
  func position(of replica: ReplicaID) -> Int? { peers.firstIndex { $0.id == replica } }
  /// Where the progress of a node's member is; nil for a node that has none. O(members).
  func position(on node: NodeID) -> Int? { peers.firstIndex { $0.id.node == node } }

  /// Whether this node may become leader.
  var isPromotable: Bool { damage.mayVote && peers.contains { $0.id == id && $0.isVoter } }

  /// One progress for each member; those that stay keep theirs.
  mutating func rebuildPeers() {
    let old = peers
    peers = configuration.members.map { replica in
      var peer = old.first { $0.id == replica } ?? newProgress(of: replica)
      peer.isIncoming = configuration.voters.contains(replica)
      peer.isOutgoing = configuration.outgoing.contains(replica)
      return peer
    }
  }
  func newProgress(of replica: ReplicaID) -> Progress {
    var peer = Progress(id: replica)
    peer.next = log.lastIndex + 1
    peer.heardAtTick = ticks
    if replica == id { peer.match = durability.stable }
    return peer
  }
  /// Whether the member was heard of within an election timeout.
  func isActive(_ peer: Progress) -> Bool {
    peer.id == id || ticks - peer.heardAtTick < UInt64(options.electionTicks)
  }
}
