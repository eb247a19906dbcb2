import Base
import Ledger
import Protocol
import Raft
import Testing

@testable import Cluster

/// A whole node, to whom terminals and peers say anything.
@Suite struct NodeFuzzTests {
  private func started(seed: UInt64) throws -> NodeHarness {
    let harness = try NodeHarness(seed: seed)
    let client = harness.client(1)
    harness.pass(2_000_000)
    let answer = harness.ask("CLUSTER INIT shards=2 replicas=1 allow-single-region=yes", from: client)
    try #require(answer.hasPrefix("+"), "\(answer)")
    harness.pass(3_000_000)
    for line in ["PROGRAM SET gold earn=1/100", "MERCHANT SET shop program=gold", "MEMBER ADD ann card=5001"] {
      let answer = harness.ask(line, from: client)
      try #require(answer == "+OK\r\n", "\(line): \(answer)")
    }
    return harness
  }

  @Test func anyRequestIsAnsweredAndTheNodeGoesOn() throws {
    let harness = try started(seed: 800)
    var mutator = Mutator(seed: 800)
    let corpus =
      (ProtocolFuzzTests.lines + [
        "EARN ann merchant=shop points=10 id=a1", "REDEEM ann merchant=shop points=1 id=a2", "BALANCE ann",
        "HISTORY ann limit=5", "MEMBER SHOW card:5001", "CLUSTER STATUS", "CLUSTER NODES", "CLUSTER SHARDS", "HEALTH",
      ]).flatMap { [text($0 + "\r\n"), ProtocolFuzzTests.array($0)] }
    var client = harness.client(2)
    for number in 0..<FuzzInputs.count(perMille: 6) {
      // A quick life: the next client comes where one was sent away.
      if harness.closedClients.contains(client) || number % 50 == 49 {
        harness.node.clientClosed(client, now: harness.now)
        client = harness.client(UInt64(10 + number))
      }
      var bytes = mutator.pick(corpus)
      if mutator.below(3) > 0 { bytes = mutator.mutate(bytes, with: mutator.pick(corpus)) }
      let taken = harness.send(bytes, from: client)
      #expect(taken >= 0 && taken <= bytes.count)
      if number % 20 == 0 { harness.pass(20_000) }
      try #require(harness.exit == nil)
    }
    harness.pass(6_000_000)
    let probe = harness.client(3)
    // Some request may have made another program.
    #expect(harness.ask("BALANCE ann program=gold", from: probe).hasPrefix("+member=ann"))
    #expect(harness.ask("AUDIT", from: probe).contains("balanced=yes"))
  }

  private let stranger = NodeID(77)
  private func frame(_ kind: UInt8, _ body: [UInt8], cluster: UInt64) -> [UInt8] {
    var buffer = ByteBuffer()
    let header = FrameHeader(kind: kind, cluster: cluster, sender: stranger, incarnation: 5, configVersion: 0)
    let mark = header.begin(&buffer)
    buffer.append(body)
    FrameHeader.finish(mark, in: &buffer)
    return buffer.array
  }
  private func hello(_ cluster: UInt64, bulk: Bool) -> [UInt8] {
    var hello = Hello(
      node: stranger, name: "x-1", region: "x", clientAddress: "x:1", peerAddress: "x:2", version: "0", cluster: cluster
    )
    hello.isBulk = bulk
    hello.life = LifeID(incarnation: 5, nonce: 1)
    var buffer = ByteBuffer()
    hello.encode(into: &buffer)
    return buffer.array
  }

  /// Messages of every kind, as a peer says them.
  private func messages(_ mutator: inout Mutator) -> [(PeerMessageKind, [UInt8])] {
    let shard = UInt32(mutator.below(4))
    func body(_ build: (inout ByteBuffer) -> Void) -> [UInt8] {
      var buffer = ByteBuffer()
      build(&buffer)
      return buffer.array
    }
    let entry = body {
      EntryHeader(stamp: Stamp(microseconds: 1_700_000_000_000_000), catalogueVersion: 1, commandCount: 1).encode(
        into: &$0)
      Command.appendTick(to: &$0, slot: Slot(0))
    }
    let command = body { Command.appendTick(to: &$0, slot: Slot(UInt16(mutator.below(16_384)))) }
    var found: [(PeerMessageKind, [UInt8])] = []
    for kind in Message.Kind.allCases {
      let (term, index) = (UInt64(mutator.below(6)), UInt64(mutator.below(40)))
      found.append(
        (
          .raft,
          body {
            $0.append(shard)
            Message(
              kind, from: ReplicaID(node: stranger, born: 1), to: ReplicaID(node: NodeID(801), born: 1),
              term: Term(term + 1), index: LogIndex(index),
              logTerm: Term(term), commit: LogIndex(index),
              entries: kind == .append
                ? [LogEntry(index: LogIndex(index + 1), term: Term(term + 1), payload: entry)] : []
            ).encode(into: &$0)
          }
        ))
    }
    func words(_ count: Int) -> [UInt8] { body { for _ in 0..<count { $0.append(UInt64(mutator.below(3))) } } }
    found.append(
      (
        .forward,
        body {
          $0.append(shard)
          $0.append(UInt32(1))
          $0.append(UInt32(mutator.below(3)))
          $0.append(UInt32(1))
          $0.append(command)
        }
      ))
    found.append(
      (
        .deliveries,
        body {
          $0.append(shard)
          $0.append(Int64(1_700_000_000_000_000))
          $0.append(command)
        }
      ))
    found.append(
      (
        .results,
        body {
          $0.append(shard)
          $0.append(UInt64(mutator.below(4)))
          $0.append(counted: text("+OK\r\n"))
        }
      ))
    found.append(
      (
        .status,
        body {
          NodeStatus(
            isWhole: true, replicas: 2, closed: Stamp(microseconds: 5), hash: 3, gone: [ShardID(1)],
            led: [
              .init(
                shard: ShardID(shard), term: Term(9), commit: LogIndex(3), applied: LogIndex(3), catalogueVersion: 1,
                closed: Stamp(microseconds: 5), closedIndex: LogIndex(3), hasTakenOver: true)
            ]
          ).encode(into: &$0)
        }
      ))
    found.append((.heartbeats, heartbeats(&mutator)))
    found.append(
      (
        .beat,
        body {
          let heartbeats = heartbeats(&mutator)
          for number in 1...6 where mutator.below(3) > 0 {
            $0.append(field: number, number == 4 ? heartbeats : body { $0.append(UInt64(number)) } + words(6))
          }
          $0.appendEndOfFields()
        }
      ))
    for kind: PeerMessageKind in [
      .reject, .doubt, .digest, .clock, .statusWanted, .bootstrap, .bootstrapDone, .propose, .promised, .declined,
      .abandoned, .planAsked, .acquaintances,
    ] {
      found.append((kind, body { $0.append(shard) } + words(6)))
    }
    for kind: PeerMessageKind in [
      .snapshotAsked, .snapshotGranted, .snapshotOffer, .snapshotWant, .snapshotChunk, .journalChunk, .snapshotAck,
      .snapshotDone,
    ] {
      found.append((kind, body { $0.append(shard) } + words(12)))
    }
    return found
  }

  private func heartbeats(_ mutator: inout Mutator) -> [UInt8] {
    var buffer = ByteBuffer()
    for _ in 0..<mutator.below(5) {
      let kind: Message.Kind = mutator.below(2) == 0 ? .heartbeat : .heartbeatReply
      var message = Message(
        kind, from: ReplicaID(node: stranger, born: 1), to: ReplicaID(node: NodeID(801), born: 1),
        term: Term(UInt64(mutator.below(6)) + 1), commit: LogIndex(UInt64(mutator.below(40))),
        context: UInt64(mutator.below(3)))
      message.mayWait = mutator.below(2) == 0
      message.life = UInt64(mutator.below(3))
      message.encode(heartbeatOf: ShardID(UInt32(mutator.below(4))), into: &buffer)
    }
    return buffer.array
  }

  /// Somebody says hello, proves itself and more, well or badly.
  private func greet(_ harness: NodeHarness, _ mutator: inout Mutator, number: UInt64) {
    let link = harness.link(number)
    let cluster = mutator.below(2) == 0 ? 0 : harness.node.membership.cluster
    for kind in [1, 3, 5, 4, 2] as [UInt8] where mutator.below(8) > 0 {
      var body = kind == 1 ? hello(cluster, bulk: false) : [UInt8](repeating: UInt8(mutator.below(3)), count: 17)
      if mutator.below(3) == 0 { body = mutator.mutate(body) }
      harness.send(frame(mutator.below(20) == 0 ? UInt8(mutator.below(8)) : kind, body, cluster: cluster), on: link)
    }
    if mutator.below(2) == 0, !harness.closedLinks.contains(link) { harness.node.linkClosed(link, now: harness.now) }
  }

  /// A link of a member, as after its greeting.
  private func memberLink(_ number: UInt64, of harness: NodeHarness, isIncoming: Bool) -> LinkID {
    let link = harness.link(number)
    let node = harness.node
    let hello = Hello(
      node: stranger, name: "x-1", region: "x", clientAddress: "x:1", peerAddress: "x:2", version: "0",
      cluster: node.membership.cluster)
    if !node.membership.belongs(stranger), var topology = node.membership.topology {
      topology.version += 1 << 32
      topology.nodes.append(
        NodeRecord(
          id: stranger, name: "x-1", region: "x", clientAddress: "x:1", peerAddress: "x:2", state: .up,
          proof: Proof(1, 2)))
      _ = node.membership.follow(topology, first: node.membership.first)
    }
    let peer = node.peers[stranger] ?? node.peers.add(hello, isMember: true)
    peer.life = LifeID(incarnation: 5, nonce: 1)
    node.links.table[link]?.peer = peer.index
    node.links.table[link]?.greeting = nil
    if isIncoming { node.links.establish(incoming: Link(id: link), peer) }
    return link
  }

  @Test func anythingAPeerSaysIsTakenOrItsLinkClosed() throws {
    var mutator = Mutator(seed: 810)
    var harness = try started(seed: 800)
    var link = LinkID(0)
    var number: UInt64 = 100
    for input in 0..<FuzzInputs.count(perMille: 20) {
      // What a peer of the cluster may say can end a shard's life; a node's, never.
      if input % 5000 == 4999 { harness = try started(seed: 800) }
      if link == LinkID(0) || input % 5000 == 4999 || harness.closedLinks.contains(link) || mutator.below(200) == 0 {
        number += 1
        link = memberLink(number, of: harness, isIncoming: mutator.below(3) > 0)
      }
      var body: [UInt8] = []
      let all = messages(&mutator)
      for _ in 0...mutator.below(3) {
        let (kind, whole) = mutator.pick(all)
        let bytes = mutator.below(3) == 0 ? whole : mutator.mutate(whole, with: mutator.pick(all).1)
        var message = ByteBuffer()
        message.append(kind.rawValue)
        message.append(UInt32(bytes.count))
        message.append(bytes)
        body += message.array
      }
      if mutator.below(10) == 0 { body = mutator.mutate(body) }
      if mutator.below(10) == 0 { greet(harness, &mutator, number: 1_000_000 + UInt64(input)) }
      let isHello = mutator.below(30) == 0
      let bytes = isHello ? mutator.mutate(hello(harness.node.membership.cluster, bulk: false)) : body
      let framed = frame(isHello ? 1 : 2, bytes, cluster: harness.node.membership.cluster)
      let taken = harness.send(framed, on: link)
      #expect(taken == framed.count)
      if input % 50 == 0 { harness.pass(20_000) }
      try #require(harness.exit == nil)
    }
  }
}
