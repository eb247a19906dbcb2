import Base
import Ledger
import Protocol
import Raft
import Testing
import Vocabulary

@testable import Cluster

/// A request on its way to a leader.
struct Asked {
  var to: NodeID
  var shard: ShardID
  var sequence: UInt64
  var flags: EdgeItem.Flags
  var command: [UInt8]
  /// Of a marker.
  var stamp = Stamp.zero
  var verb: Verb? { command.withUnsafeBytes { CommandHeader.verb(of: $0) } }
}

/// Terminals at a desk whose leaders are played by hand: node 2 leads the directory and shard 1, node 3 shard 2.
final class Counter {
  let world = PartWorld()
  let desk: RequestDesk
  private var output: [ClientID: String] = [:]

  /// What the node itself answers.
  private struct Itself: AnswersForItself {
    let desk: RequestDesk
    var version: String { "0" }
    var name: String { "n1" }
    func settings(matching pattern: String) -> [(key: String, value: String)] { [] }
    func infoSections() -> [InfoSection] { [] }
    func answer(_ request: Request, _ owner: EdgeItem.Owner) {
      switch request.verb {
      case .audit: desk.startAudit(owner, mostAhead: 7)
      case .health: desk.startHealth(owner)
      default: desk.answer(owner) { $0.text("it itself") }
      }
    }
  }

  init(isInCluster: Bool = true, _ change: (inout NodeConfiguration) -> Void = { _ in }) {
    var configuration = NodeConfiguration(
      name: "n1", region: "r1", clientAddress: "n1:1", peerAddress: "n1:2", join: [])
    change(&configuration)
    desk = RequestDesk(
      turn: world.turn, membership: world.membership, peers: world.peers, replicas: world.replicas,
      configuration: configuration)
    open(1)
    guard isInCluster else { return }
    world.follow(PartWorld.topology())
    desk.makeTables(through: .directory)
    desk.directoryChanged()
    // It hears of the directory.
    desk.rights.began(promised: .max)
    desk.noteLeader(.directory, NodeID(2), Term(1))
    desk.noteLeader(PartWorld.one, NodeID(2), Term(1))
    desk.noteLeader(PartWorld.two, NodeID(3), Term(1))
  }

  /// The name of a member that a shard owns.
  static func member(of shard: ShardID) -> String {
    let names = (0..<100).map { "m\($0)" }
    return names.first { PartWorld.topology().shard(ofMember: $0) == shard } ?? ""
  }
  static func card(of shard: ShardID) -> String {
    let half = UInt16(Slot.count / 2)
    let numbers = (5_000..<5_100).map { "\($0)" }
    let number = numbers.first { number in
      let slot = Array(number.utf8).withUnsafeBytes { Command.cardSlot($0, tenant: .first) }
      return (slot.rawValue < half) == (shard == PartWorld.one)
    }
    return number ?? ""
  }

  func open(_ terminal: UInt64) { desk.opened(ClientID(terminal), from: "here") }
  /// Says some lines. How many bytes of them are done with.
  @discardableResult func say(_ lines: String, by terminal: UInt64 = 1) -> Int {
    Array(lines.utf8).withUnsafeBytes { desk.received(ClientID(terminal), $0, Itself(desk: desk)) }
  }
  /// What a terminal has been answered, and no more.
  func heard(by terminal: UInt64 = 1) -> String {
    var effects = Effects<NodeWork>()
    desk.clients.flush(into: &effects, &world.turn.out)
    for (client, bytes) in effects.clientOutput {
      output[client, default: ""] += String(decoding: bytes, as: UTF8.self)
    }
    return output.removeValue(forKey: ClientID(terminal)) ?? ""
  }
  /// Whether a terminal is to be read on, as was said last.
  var isRead: Bool? { world.turn.out.clientReading.last?.on }

  /// What leaders are asked, and no more.
  func asked() throws -> [Asked] {
    desk.sendStreams()
    var all: [Asked] = []
    for id in [2, 3] as [UInt64] {
      for (kind, body) in try world.said(to: id) where kind == .forward {
        try body.withUnsafeBytes { raw in
          var reader = ByteReader(raw)
          let shard = ShardID(try reader.read())
          _ = try reader.read(UInt32.self)
          _ = try reader.read(UInt64.self)
          for _ in 0..<(try reader.read(UInt32.self)) {
            let sequence = try reader.read(UInt64.self)
            let flags = EdgeItem.Flags(rawValue: try reader.read())
            var asked = Asked(
              to: NodeID(id), shard: shard, sequence: sequence, flags: flags, command: Array(try Envelope.next(&reader))
            )
            if flags.contains(.marker) { asked.stamp = Stamp(microseconds: try reader.read()) }
            all.append(asked)
          }
        }
      }
    }
    return all
  }
  func one() throws -> Asked {
    let all = try asked()
    try #require(all.count == 1)
    return all[0]
  }
  func answer(_ asked: Asked, _ write: (inout ReplyWriter) -> Void) throws {
    var reply = ReplyWriter()
    write(&reply)
    var body = ByteBuffer()
    body.append(asked.shard.rawValue)
    body.append(asked.sequence)
    body.append(UInt32(reply.buffer.count))
    body.append(reply.buffer.bytes)
    let peer = try #require(world.peers[asked.to])
    try desk.receive(.results, body.bytes, from: peer)
  }
  /// What a peer says that it leads.
  func leads(_ shards: [ShardID: UInt32], _ id: UInt64, hash: UInt64? = nil) throws {
    let led = shards.sorted { $0.key < $1.key }.map { shard, version in
      NodeStatus.Led(
        shard: shard, term: Term(1), commit: LogIndex(5), applied: LogIndex(5), catalogueVersion: version,
        closed: .zero,
        closedIndex: LogIndex(0), hasTakenOver: true)
    }
    var status = LedTable.whole(led, replicas: 1)
    if let hash { status.hash = hash }
    desk.noteStatus(status, of: try #require(world.peers[NodeID(id)]))
  }
}
