import Base
import Storage
import Testing

@testable import Cluster

/// Links to peers that are not what they seem.
@Suite struct LinkTests {
  /// A node of its own, whose links are played by hand.
  private final class Player {
    let node: Node
    private(set) var opened: [UInt64] = []
    private(set) var closed: [LinkID] = []
    private(set) var microseconds: UInt64 = 1_000_000

    init(joining addresses: [String]) throws {
      let opened = try NodeStorage.open(
        dataDirectory: "/data", fileSystem: MemoryFileSystem(), newIdentity: 1, wall: Stamp(microseconds: 1),
        logOptions: .init(segmentBytes: 1 << 20, maxRecordBytes: 512 << 10))
      let configuration = NodeConfiguration(
        name: "n1", region: "east", clientAddress: "a:1", peerAddress: "a:2", join: addresses)
      node = Node(
        configuration: configuration, storage: opened.recovered, seed: 1, newHashKey: HashKey(low: 1, high: 2),
        now: Moment(monotonic: microseconds, wall: Stamp(microseconds: 1)))
    }

    var now: Moment { Moment(monotonic: microseconds, wall: Stamp(microseconds: Int64(microseconds))) }

    func run(for duration: UInt64) {
      let end = microseconds + duration
      while microseconds < end {
        microseconds += 10_000
        node.tick(now: now)
        var effects = Effects<NodeStorage>()
        node.flush(now: now, into: &effects)
        opened += effects.openLink.map(\.request)
        closed += effects.linkClose
      }
    }
  }

  @Test func aLinkThatNobodyGreetsOnIsGivenUpAndDialledAgain() throws {
    let player = try Player(joining: ["b:2"])
    player.run(for: 200_000)
    let request = try #require(player.opened.first)
    player.node.linkOpened(LinkID(7), request: request, now: player.now)
    player.run(for: 4_900_000)
    #expect(player.closed.isEmpty && player.opened.count == 1, "a slow peer has its time")
    player.run(for: 400_000)
    #expect(player.closed == [LinkID(7)])
    #expect(player.opened.count == 2, "it dials again")
  }

  @Test func whoeverConnectsAndSaysNothingIsHungUpOn() throws {
    let player = try Player(joining: [])
    player.run(for: 200_000)
    player.node.linkOpened(LinkID(7), request: nil, now: player.now)
    player.run(for: 4_900_000)
    #expect(player.closed.isEmpty, "a slow peer has its time")
    player.run(for: 400_000)
    #expect(player.closed == [LinkID(7)])
  }
}
