import Base
import Protocol
import Storage
import Testing

@testable import Cluster
@testable import NodeDisk

/// A node of its own, whose links are played by hand and whose disk answers at once.
final class LinkPlayer {
  let node: Node
  private let storage: NodeStorage
  private(set) var opened: [(request: UInt64, address: String)] = []
  private(set) var closed: [LinkID] = []
  private(set) var sent: [(link: LinkID, bytes: [UInt8])] = []
  private(set) var exit: Int32?
  private(set) var logged: [String] = []
  private(set) var microseconds: UInt64 = 1_000_000

  init(id: UInt64 = 1, joining addresses: [String], disk: MemoryFileSystem = MemoryFileSystem()) throws {
    let opened = try NodeStorage.open(
      dataDirectory: "/data", fileSystem: disk, newIdentity: id, newProof: Proof(id, 99), wall: Stamp(microseconds: 1),
      logOptions: .init(segmentBytes: 1 << 20, maxRecordBytes: 512 << 10))
    storage = opened.storage
    let configuration = NodeConfiguration(
      name: "n\(id)", region: "east", clientAddress: "n\(id):1", peerAddress: "n\(id):2", join: addresses)
    node = Node(
      configuration: configuration, storage: opened.recovered, seed: id, newHashKey: HashKey(low: 1, high: 2),
      now: Moment(monotonic: microseconds, wall: Stamp(microseconds: 1)))
    flush()
  }

  var now: Moment { Moment(monotonic: microseconds, wall: Stamp(microseconds: Int64(microseconds))) }

  func run(for duration: UInt64) {
    let end = microseconds + duration
    while microseconds < end {
      microseconds += 10_000
      node.tick(now: now)
      flush()
    }
  }

  func flush() {
    var isBusy = true
    while isBusy {
      isBusy = false
      var effects = Effects<NodeWork>()
      node.flush(now: now, into: &effects)
      opened += effects.openLink.map { ($0.request, $0.address) }
      sent += effects.linkOutput
      closed += effects.linkClose
      logged += effects.logLines.map(\.text)
      exit = exit ?? effects.exit?.code
      if let batch = effects.logBatch, let completion = try? storage.write(batch) {
        isBusy = true
        node.completed(completion, now: now)
      }
      for job in effects.jobs {
        isBusy = true
        node.completed(storage.run(job), now: now)
      }
    }
  }

  func accept(_ link: UInt64) -> LinkID {
    node.linkOpened(LinkID(link), request: nil, now: now)
    flush()
    return LinkID(link)
  }
  @discardableResult func hear(_ bytes: [UInt8], on link: LinkID) -> Int {
    let taken = bytes.withUnsafeBytes { node.linkReceived(link, $0, now: now) }
    flush()
    return taken
  }
}

/// What a stranger can say who knows the protocol, and what `CLUSTER NODES` tells everybody.
struct Stranger {
  var hello: Hello
  var cluster: UInt64 = 0

  init(as node: NodeID, incarnation: UInt64 = 1 << 63) {
    hello = Hello(
      node: node, name: "evil", region: "x", clientAddress: "evil:1", peerAddress: "evil:2", version: "0.1.0",
      cluster: 0)
    hello.life = LifeID(incarnation: incarnation, nonce: 7)
    hello.isSeated = true
  }

  func frame(_ kind: UInt8, _ body: [UInt8]) -> [UInt8] {
    var buffer = ByteBuffer()
    let header = FrameHeader(
      kind: kind, cluster: cluster, sender: hello.node, incarnation: hello.life.incarnation, configVersion: 0)
    let mark = header.begin(&buffer)
    buffer.append(body)
    FrameHeader.finish(mark, in: &buffer)
    return buffer.array
  }
  var greeting: [UInt8] {
    var body = ByteBuffer()
    hello.encode(into: &body)
    return frame(1, body.array)
  }
  /// `form` 1: the secret itself; 2: a code.
  func proof(_ form: UInt8, _ proof: Proof) -> [UInt8] {
    var body = ByteBuffer()
    body.append(form)
    proof.encode(into: &body)
    return frame(3, body.array)
  }
}

/// Links to peers that are not what they seem.
@Suite struct LinkTests {
  @Test func aLinkThatNobodyGreetsOnIsGivenUpAndDialledAgain() throws {
    let player = try LinkPlayer(joining: ["b:2"])
    player.run(for: 200_000)
    let request = try #require(player.opened.first?.request)
    player.node.linkOpened(LinkID(7), request: request, now: player.now)
    player.run(for: 4_900_000)
    #expect(player.closed.isEmpty && player.opened.count == 1, "a slow peer has its time")
    player.run(for: 400_000)
    #expect(player.closed == [LinkID(7)])
    #expect(player.opened.count == 2, "it dials again")
  }

  /// Its own is not needed while another address leads to it: until that does not any more.
  @Test func aPeersOwnAddressIsDialledAgainWhereAnotherOneLedToIt() throws {
    let player = try LinkPlayer(joining: ["alias:2", "evil:2"])
    player.run(for: 200_000)
    for (link, address) in [(LinkID(7), "alias:2"), (LinkID(8), "evil:2")] {
      let request = try #require(player.opened.first { $0.address == address }?.request)
      player.node.linkOpened(link, request: request, now: player.now)
      let peer = Stranger(as: NodeID(5))
      player.hear(peer.greeting, on: link)
      player.hear(peer.proof(1, Proof(5, 6)), on: link)
    }
    #expect(player.node.peers[NodeID(5)]?.outgoing == LinkID(7) && player.closed == [LinkID(8)])
    player.run(for: 3_000_000)
    #expect(player.opened.count == 2, "one link is enough")
    player.node.linkClosed(LinkID(7), now: player.now)
    player.run(for: 1_500_000)
    #expect(player.opened.contains { $0.address == "evil:2" && $0.request > 2 }, "\(player.opened)")
  }

  @Test func whoeverConnectsAndSaysNothingIsHungUpOn() throws {
    let player = try LinkPlayer(joining: [])
    player.run(for: 200_000)
    player.node.linkOpened(LinkID(7), request: nil, now: player.now)
    player.run(for: 4_900_000)
    #expect(player.closed.isEmpty, "a slow peer has its time")
    player.run(for: 400_000)
    #expect(player.closed == [LinkID(7)])
  }

  /// Whatever a stranger says before it has proved who it is: a link for a while is all it gets.
  @Test func strangersTakeNeitherMemoryNorLinks() throws {
    let player = try LinkPlayer(joining: [])
    player.run(for: 200_000)
    for number in 1...300 as ClosedRange<UInt64> {
      let link = player.accept(100 + number)
      player.hear(Stranger(as: NodeID(500 + number)).greeting, on: link)
    }
    #expect(player.node.peers.count == 1, "no stranger is a peer")
    #expect(player.node.links.table.count <= PeerLinks.strangersMax)
    player.run(for: 5_200_000)
    #expect(player.node.links.table.isEmpty && player.closed.count == 300)
    // The log says so once, with their number.
    #expect(player.logged.count { $0.contains("strangers_turned_away") } == 1)
  }

  @Test func aLongGreetingIsNotWaitedFor() throws {
    let player = try LinkPlayer(joining: [])
    let link = player.accept(7)
    let long = Stranger(as: NodeID(5)).frame(1, [UInt8](repeating: 1, count: 40_000))
    #expect(player.hear(Array(long.prefix(60)), on: link) == 60)
    #expect(player.closed == [link])
  }

  @Test func onlySoManyThatAreNotOfTheClusterAreRemembered() throws {
    let player = try LinkPlayer(joining: [])
    for number in 1...200 as ClosedRange<UInt64> {
      let link = player.accept(100 + number)
      let stranger = Stranger(as: NodeID(500 + number))
      player.hear(stranger.greeting, on: link)
      player.hear(stranger.proof(1, Proof(number, 1)), on: link)
    }
    #expect(player.node.peers.count == 1 + PeerTable.strangersMax)
  }

  /// The first proof of an identity binds.
  @Test func whoeverIntroducesItselfOnceKeepsItsName() throws {
    let player = try LinkPlayer(joining: [])
    var stranger = Stranger(as: NodeID(5), incarnation: 10)
    let first = player.accept(7)
    player.hear(stranger.greeting, on: first)
    player.hear(stranger.proof(1, Proof(5, 6)), on: first)
    #expect(player.node.peers[NodeID(5)]?.incoming == first)
    stranger.hello.life.incarnation = 11
    stranger.hello.predecessor = LifeID(incarnation: 10, nonce: 7)
    let second = player.accept(8)
    player.hear(stranger.greeting, on: second)
    player.hear(stranger.proof(1, Proof(5, 7)), on: second)
    #expect(player.closed == [second])
    #expect(player.node.peers[NodeID(5)]?.incarnation == 10 && player.node.peers[NodeID(5)]?.incoming == first)
  }
}
