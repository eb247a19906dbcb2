import Base
import Protocol

/// A link stands: both sides have proved who they are, and have their seats.
extension PeerLinks {
  func establish(_ link: Link, _ hello: Hello) {
    let peer = peers[hello.node] ?? peers.add(hello, isMember: membership.belongs(hello.node))
    table[link.id]?.peer = peer.index
    table[link.id]?.greeting = nil
    if peer.life != hello.life { takeSeat(hello, peer, on: link.id) }
    if peer.hello.peerAddress != hello.peerAddress { forgetDial(peer.hello.peerAddress) }
    // It was dialled at the address that was forgotten: the peer is dialled where it says that it is.
    guard table[link.id] != nil else {
      peer.hello = hello
      return dial(hello.peerAddress)
    }
    peer.hello = hello
    peer.cluster = hello.cluster
    peer.lastHeard = now.monotonic
    warnOfNames(peer)
    if link.dialled != nil {
      establish(outgoing: link, peer)
    } else if link.bulk {
      tell(.bulkReady(link.id))
    } else if !hello.isBulk {
      establish(incoming: link, peer)
    }
    tell(.met(peer.id))
    if peer.isConnected { turn.out.isStatusDue = true }
  }

  private func establish(outgoing link: Link, _ peer: Peer) {
    dials.succeeded(link.id)
    if let old = peer.outgoing, old != link.id {
      // Two addresses lead to one node: one link is enough.
      dials.isFutile(link.id)
      return close(link.id)
    }
    peer.outgoing = link.id
    peer.forgetWaiting()
    peer.needsWholeStatus = true
    tell(.linked(peer.id))
    log(.info, "linked node=\(peer.hello.name) region=\(peer.hello.region) address=\(peer.hello.peerAddress)")
  }

  func establish(incoming link: Link, _ peer: Peer) {
    if let old = peer.incoming, old != link.id {
      // The peer gave its link up before we noticed: what it last said on it may be lost.
      turn.out.closeLinks.append(old)
      table[old] = nil
      lost(peer)
    }
    peer.incoming = link.id
    peer.received = ReceivedBytes()
    peer.isSpeaking = false
    // It may have been another's address before.
    if peer.outgoing == nil { dials.isNeeded(peer.hello.peerAddress) }
    dial(peer.hello.peerAddress)
  }

  /// Another life of a peer has its seat from now on: nothing that comes of the one before counts any more.
  private func takeSeat(_ hello: Hello, _ peer: Peer, on link: LinkID) {
    if peer.life != .none {
      lost(peer)
      tell(.beganAnew(peer.id, link))
      for old in inOrder where old.peer == peer.index && old.id != link && !old.bulk { close(old.id) }
    }
    // A life that ended before it had its seat leaves links on which nobody will ever say more.
    for old in inOrder {
      guard let greeted = old.greeting?.hello, greeted.node == hello.node, greeted.life != hello.life else { continue }
      close(old.id)
    }
    peer.life = hello.life
    peer.isGivenUp = false
    promises[hello.node] = nil
    peer.lastEcho = 0
    tell(.forgotten(edge: peer.index))
  }

  // MARK: What the directory says

  /// The directory has another topology: its members are dialled, and who runs elsewhere is told when it greets again.
  func directoryChanged() {
    guard let topology = membership.topology else { return }
    if topology.node(me.id)?.state == .removed { return endAsRemoved() }
    peers.own.hello.cluster = membership.cluster
    for peer in peers { peer.isMember = membership.belongs(peer.id) }
    for record in topology.nodes where record.state != .removed && (record.id != me.id || !seat.isTaken) {
      dial(record.peerAddress)
    }
  }
  /// The directory knows a later life of a peer than the one that speaks here: that one is told when it greets again.
  func dropSuperseded() {
    for record in membership.topology?.nodes ?? [] {
      guard let peer = peers[record.id], peer.index != 0, peer.life != .none,
        record.life.incarnation > peer.life.incarnation
      else { continue }
      for link in [peer.outgoing, peer.incoming] {
        if let link { close(link, because: "\(record.name) runs elsewhere: at \(record.peerAddress)") }
      }
    }
  }

  /// What the directory is to be told now of this node, which life it is and where; nil: it knows, or it is not time, or this
  /// life is not the node.
  func announcement() -> NodeRecord? {
    guard let known = membership.topology?.node(me.id) else { return nil }
    guard known.life.mayBeFollowed(by: me.life, after: me.predecessor) else {
      endAsCopy(of: known.name, at: known.peerAddress)
      return nil
    }
    let hello = peers.own.hello
    var mine = NodeRecord(
      id: me.id, name: hello.name, region: hello.region, clientAddress: hello.clientAddress,
      peerAddress: hello.peerAddress, state: known.state == .joining ? .up : known.state, proof: known.proof)
    mine.life = me.life
    guard seat.isTaken, known != mine, now.monotonic >= nextAnnouncement else { return nil }
    nextAnnouncement = now.monotonic + announcementInterval
    return mine
  }

  // MARK: Newcomers

  /// Nodes without a cluster that this one is linked to in both directions, so that others can dial them too: they join.
  /// - Parameter semantics: what the cluster has agreed on; a node that does not know it cannot join.
  func newcomers(_ semantics: UInt8) -> [NodeRecord] {
    guard seat.isTaken, membership.topology != nil else { return [] }
    return peers.others.compactMap { peer in
      guard peer.isConnected, !peer.isMember, peer.hello.cluster == 0, peer.hello.isSeated,
        let proof = peer.introduction
      else { return nil }
      guard peer.hello.semantics >= semantics else {
        if !peer.told.isRefusal {
          peer.told.isRefusal = true
          log(
            .warning,
            "node \(peer.hello.name) at \(peer.hello.peerAddress) cannot join: it knows semantics \(peer.hello.semantics), and"
              + " the cluster is at \(semantics); start it with a newer build")
        }
        return nil
      }
      var record = NodeRecord(
        id: peer.id, name: peer.hello.name, region: peer.hello.region, clientAddress: peer.hello.clientAddress,
        peerAddress: peer.hello.peerAddress, state: .joining, proof: proof)
      // It has its seat once it says so itself.
      record.life = .none
      return record
    }
  }

  // MARK: Names

  private func warnOfNames(_ peer: Peer) {
    guard
      let other = peers.first(where: {
        $0 !== peer && PeerTable.isPresent($0, membership) && $0.hello.name == peer.hello.name
      }),
      !peer.told.isName
    else { return }
    peer.told.isName = true
    log(
      .warning,
      "two nodes bear the name \(peer.hello.name): \(peer.id.hex) at \(peer.hello.peerAddress) and"
        + " \(other.id.hex) at \(other.hello.peerAddress); start one of them with another --name")
  }
}
