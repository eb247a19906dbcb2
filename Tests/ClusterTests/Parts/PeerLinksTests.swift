import Base
import Protocol
import Testing

@testable import Cluster

/// The links of one node, by themselves: what the others' links say goes from one to the other by hand.
final class LinkedNode {
  let turn = Turn(now: Moment(monotonic: 1_000_000, wall: Stamp(microseconds: 1_000_000)))
  let membership: Membership
  let peers: PeerTable
  let links: PeerLinks
  private(set) var events: [PeerLinks.Event] = []
  private(set) var heard: [PeerMessageKind] = []

  init(
    _ id: UInt64, incarnation: UInt64 = 1, nonce: UInt64? = nil, join: [String] = [], address: String? = nil,
    frameBytes: Int = 1 << 20
  ) {
    var identity = NodeIdentity.for(NodeID(id), incarnation: incarnation)
    if let nonce {
      identity = NodeIdentity(
        id: NodeID(id), proof: identity.proof, life: LifeID(incarnation: incarnation, nonce: nonce),
        predecessor: .none, fence: 0, newHashKey: identity.newHashKey)
    }
    membership = Membership(me: identity)
    var hello = Hello(
      node: NodeID(id), name: "n\(id)", region: "r", clientAddress: "n\(id):1", peerAddress: address ?? "n\(id):2",
      version: "0", cluster: 0)
    hello.life = identity.life
    peers = PeerTable(own: hello)
    var configuration = NodeConfiguration(
      name: hello.name, region: "r", clientAddress: hello.clientAddress, peerAddress: hello.peerAddress, join: join)
    configuration.frameBytes = frameBytes
    links = PeerLinks(turn: turn, membership: membership, peers: peers, configuration: configuration)
    links.advanceSeat()
    links.seatKept()
    links.advance()
    collect()
  }

  func collect() { events += links.takeEvents() }
  /// What is to go over its links.
  func take() -> [(link: LinkID, bytes: [UInt8])] {
    defer { turn.out.linkBytes.removeAll() }
    return turn.out.linkBytes
  }
  func hear(_ bytes: [UInt8], on link: LinkID) {
    bytes.withUnsafeBytes { raw in
      var offset = 0
      while offset < raw.count {
        switch links.receive(UnsafeRawBufferPointer(rebasing: raw[offset...]), on: link) {
        case .incomplete: return
        case .closed: offset = raw.count
        case .taken(let count): offset += count
        case .messages(let count, var messages, _):
          offset += count
          while let (kind, _) = try? messages.next() { heard.append(kind) }
        }
        collect()
      }
    }
  }
  /// This node's request to `other` has led to a link, which is given the number on both sides.
  func connect(to other: LinkedNode, _ number: UInt64) {
    let request = turn.out.openLinks.removeFirst().request
    let link = LinkID(number)
    links.opened(link, request: request, isBulk: false)
    other.links.opened(link, request: nil, isBulk: false)
    exchange(with: other, link)
  }
  func exchange(with other: LinkedNode, _ link: LinkID) {
    for _ in 0..<4 {
      for (link, bytes) in take() { other.hear(bytes, on: link) }
      for (link, bytes) in other.take() { hear(bytes, on: link) }
    }
    collect()
    other.collect()
  }
}

@Suite struct PeerLinksTests {
  @Test func twoNodesProveThemselvesAndTheLinkStands() throws {
    let a = LinkedNode(1, join: ["n2:2"])
    let b = LinkedNode(2)
    a.connect(to: b, 7)
    let b2 = try #require(a.peers[NodeID(2)])
    #expect(b2.outgoing == LinkID(7) && b2.incoming == nil && b2.introduction == Proof(2, 99))
    #expect(a.events.contains(.linked(NodeID(2))) && a.events.contains(.met(NodeID(2))))
    #expect(b.peers[NodeID(1)]?.incoming == LinkID(7))
    #expect(b.turn.out.openLinks.isEmpty)
    b.links.advance()
    #expect(b.turn.out.openLinks.map(\.address) == ["n1:2"], "it dials back")
  }

  @Test func aStrangerThatDoesNotProveItselfChangesNothing() {
    let a = LinkedNode(1)
    let link = LinkID(7)
    a.links.opened(link, request: nil, isBulk: false)
    let liar = LinkedNode(5, join: ["n1:2"])
    liar.links.opened(link, request: liar.turn.out.openLinks[0].request, isBulk: false)
    a.hear(liar.take()[0].bytes, on: link)
    #expect(a.peers.count == 1 && a.links.isStrange(link))
    // It speaks before it has proved anything.
    let peer = liar.peers.add(a.peers.own.hello, isMember: false)
    peer.outgoing = link
    peer.say(.statusWanted)
    liar.links.sendFrames(to: peer)
    for (_, bytes) in liar.take() { a.hear(bytes, on: link) }
    #expect(a.heard.isEmpty && a.turn.out.closeLinks == [link] && a.peers.count == 1)
    #expect(a.links.counters.strangersTurnedAway == 1)
  }

  private func frame(
    _ kind: FrameKind, from id: UInt64, incarnation: UInt64 = 1, cluster: UInt64 = 0,
    _ write: (inout ByteBuffer) -> Void
  ) -> [UInt8] {
    let header = FrameHeader(
      kind: kind.rawValue, cluster: cluster, sender: NodeID(id), incarnation: incarnation, configVersion: 0)
    var bytes = ByteBuffer()
    let mark = header.begin(&bytes)
    write(&bytes)
    FrameHeader.finish(mark, in: &bytes)
    return bytes.array
  }

  @Test func aGreetingInAnothersNameOrASecondOneIsTurnedAway() {
    let hello = LinkedNode(5).peers.own.hello
    for (sender, incarnation, count) in [(6, 1, 1), (5, 2, 1), (5, 1, 2)] as [(UInt64, UInt64, Int)] {
      let a = LinkedNode(1)
      let link = LinkID(7)
      a.links.opened(link, request: nil, isBulk: false)
      let greeting = frame(.hello, from: sender, incarnation: incarnation) { hello.encode(into: &$0) }
      for _ in 1..<count { a.hear(greeting, on: link) }
      #expect(a.turn.out.closeLinks.isEmpty)
      a.hear(greeting, on: link)
      #expect(a.turn.out.closeLinks == [link] && a.peers.count == 1, "node \(sender), \(count)")
    }
  }

  @Test func aWrongProofIsTurnedAway() throws {
    let a = LinkedNode(1, join: ["n2:2"])
    a.connect(to: LinkedNode(2), 7)
    // Somebody who knows its name and not its secret.
    let hello = LinkedNode(2, incarnation: 2).peers.own.hello
    let link = LinkID(8)
    a.links.opened(link, request: nil, isBulk: false)
    a.hear(frame(.hello, from: 2, incarnation: 2) { hello.encode(into: &$0) }, on: link)
    let proof = frame(.proof, from: 2, incarnation: 2) {
      $0.append(ProofForm.introduction.rawValue)
      Proof(2, 98).encode(into: &$0)
    }
    a.hear(proof, on: link)
    #expect(a.turn.out.closeLinks == [link] && a.peers[NodeID(2)]?.incarnation == 1)
    #expect(a.turn.out.logLines.contains { $0.text.contains("a wrong proof of n2") })
  }

  @Test func aFrameOfSomebodyElseOrOfAnotherClusterIsNotHeard() throws {
    for (sender, incarnation, cluster, isHeard) in [
      (2, 1, 9, true), (3, 1, 9, false), (2, 2, 9, false), (2, 1, 8, false),
    ] as [(UInt64, UInt64, UInt64, Bool)] {
      let a = LinkedNode(1)
      let b = LinkedNode(2, join: ["n1:2"])
      b.connect(to: a, 7)
      _ = a.membership.follow(PartWorld.topology(), first: nil)
      a.links.directoryChanged()
      let said = frame(.messages, from: sender, incarnation: incarnation, cluster: cluster) {
        let start = $0.beginMessage(.statusWanted)
        $0.endMessage(start)
      }
      a.hear(said, on: LinkID(7))
      #expect(a.heard.contains(.statusWanted) == isHeard, "node \(sender) of \(cluster)")
      #expect(a.turn.out.closeLinks.contains(LinkID(7)) == !isHeard)
    }
  }

  @Test func aLinkOnWhichNobodyProvesAnythingIsClosedInTime() {
    let a = LinkedNode(1)
    a.links.opened(LinkID(7), request: nil, isBulk: false)
    a.turn.now.monotonic += PeerLinks.greetingLimit
    a.links.advance()
    #expect(a.turn.out.closeLinks.isEmpty)
    a.turn.now.monotonic += 1
    a.links.advance()
    #expect(a.turn.out.closeLinks == [LinkID(7)] && a.links.table.isEmpty)
  }

  /// Two processes on copies of one data directory: the one that began first stays.
  @Test func ofTwoNodesOfOneIdentityTheSecondEnds() {
    let first = LinkedNode(1, incarnation: 5, nonce: 1)
    let second = LinkedNode(1, incarnation: 5, nonce: 2, join: ["other:2"])
    second.connect(to: first, 7)
    #expect(second.turn.out.exit?.code == 2 && first.turn.out.exit == nil)
    #expect(first.peers.count == 1)
    #expect(first.turn.out.logLines.contains { $0.text.contains("another process with this node's identity") })
  }

  @Test func aLostLinkIsToldAndDialledAgain() {
    let a = LinkedNode(1, join: ["n2:2"])
    let b = LinkedNode(2)
    a.connect(to: b, 7)
    a.links.dropped(LinkID(7))
    a.collect()
    #expect(a.events.suffix(2) == [.closed(LinkID(7)), .lost(NodeID(2))])
    #expect(a.peers[NodeID(2)]?.outgoing == nil)
    a.links.advance()
    #expect(a.turn.out.openLinks.isEmpty)
    a.turn.now.monotonic += DialTable.firstBackoff
    a.links.advance()
    #expect(a.turn.out.openLinks.map(\.address) == ["n2:2"])
    let request = a.turn.out.openLinks[0].request
    #expect(a.links.failed(request) && !a.links.failed(99))
    a.collect()
    #expect(a.events.last == .isGone(NodeID(2)), "nobody answers, and no link of it is left")
  }

  /// The peer has another address, and still answers at the one that was dialled: that link is let go of, whole, and the peer is
  /// dialled where it says that it is.
  @Test func aPeerThatHasMovedIsDialledWhereItIs() throws {
    let a = LinkedNode(1)
    let found = LinkedNode(2, join: ["n1:2"])
    found.connect(to: a, 6)
    a.links.advance()
    a.connect(to: found, 7)
    for link in [6, 7] { a.links.dropped(LinkID(UInt64(link))) }
    a.turn.now.monotonic += 60_000_000
    a.links.advance()
    let moved = LinkedNode(2, address: "n2:9")
    a.connect(to: moved, 8)
    a.links.advance()
    #expect(a.peers[NodeID(2)]?.outgoing == nil && a.peers[NodeID(2)]?.hello.peerAddress == "n2:9")
    #expect(a.turn.out.closeLinks.contains(LinkID(8)))
    #expect(a.turn.out.openLinks.map(\.address) == ["n2:9"])
    a.connect(to: moved, 9)
    #expect(a.peers[NodeID(2)]?.outgoing == LinkID(9) && a.turn.out.openLinks.isEmpty)
  }

  @Test func theNextLifeOfAPeerEndsWhatTheOneBeforeHad() {
    let a = LinkedNode(1)
    let old = LinkedNode(2, incarnation: 1, join: ["n1:2"])
    old.connect(to: a, 7)
    let new = LinkedNode(2, incarnation: 2, nonce: 2, join: ["n1:2"])
    new.connect(to: a, 8)
    #expect(a.peers[NodeID(2)]?.incarnation == 1, "the one before was heard a moment ago, and is no predecessor")
    #expect(new.turn.out.exit?.code == 2)
  }

  @Test func aFrameOfMoreThanItsLimitIsSplitAtMessages() {
    let a = LinkedNode(1, join: ["n2:2"], frameBytes: 100)
    let b = LinkedNode(2)
    a.connect(to: b, 7)
    for peer in a.peers.others {
      for _ in 0..<5 { peer.say(.statusWanted) { $0.append([UInt8](repeating: 0, count: 40)) } }
      a.links.sendFrames(to: peer)
      #expect(peer.outbox.isEmpty && peer.queue.budget.inFlight > 225)
    }
    let frames = a.take()
    #expect(frames.count == 3)
    for (link, bytes) in frames { b.hear(bytes, on: link) }
    #expect(b.heard.count { $0 == .statusWanted } == 5)
    #expect((b.peers[NodeID(1)]?.received.count ?? 0) > 225)
  }

  @Test func whatIsOfTheClusterIsNotHeardFromOthers() throws {
    var body = ByteBuffer()
    for kind in [PeerMessageKind.statusWanted, .planAsked] {
      let start = body.beginMessage(kind)
      body.endMessage(start)
    }
    #expect(try kinds(PeerMessages(body.bytes, ofStrangersOnly: false)) == [.statusWanted, .planAsked])
    #expect(try kinds(PeerMessages(body.bytes, ofStrangersOnly: true)) == [.planAsked])
  }
  private func kinds(_ messages: PeerMessages) throws -> [PeerMessageKind] {
    var messages = messages
    var kinds: [PeerMessageKind] = []
    while let (kind, _) = try messages.next() { kinds.append(kind) }
    return kinds
  }
}
