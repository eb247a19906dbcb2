import Base
import CommandSupport
import Ledger
import Raft
import Storage
import Testing

@testable import Cluster

/// A desk of a node that has just started, whose disk, peers and groups are played by hand.
final class ShardDeskHolder {
  let world = PartWorld()
  let disk: DiskDesk
  let desk: ShardDesk

  /// - Parameters:
  ///   - found: replicas of which the disk has something.
  ///   - fence: not 0: the log lost states.
  init(
    found: [RecoveredReplica] = [], tombstones: [ShardID: UInt64] = [:], fence: UInt64 = 0,
    note: ApplyingNote = ApplyingNote(PrivateMemory(byteCount: ApplyingNote.byteCount)),
    deaths: [ShardID: ApplyingNote.Death] = [:], _ change: (inout NodeConfiguration) -> Void = { _ in }
  ) {
    var configuration = NodeConfiguration(
      name: "n1", region: "r1", clientAddress: "n1:1", peerAddress: "n1:2", join: [])
    change(&configuration)
    disk = DiskDesk(turn: world.turn, configuration: configuration)
    let storage = RecoveredNode(
      identity: PartWorld.me, proof: Proof(1, 99), incarnation: 1, predecessor: .none, logPosition: 0, promise: nil,
      shards: found, tombstones: tombstones, warnings: [], fence: fence,
      note: note, deaths: deaths)
    let membership =
      fence == 0
      ? world.membership
      : Membership(
        me: NodeIdentity(
          id: PartWorld.me, proof: Proof(1, 99), life: LifeID(incarnation: 1, nonce: 1), predecessor: .none,
          fence: fence,
          newHashKey: .none))
    desk = ShardDesk(
      turn: world.turn, membership: membership, peers: world.peers, replicas: world.replicas, disk: disk,
      configuration: configuration, storage: storage, random: SeededGenerator(seed: 1), observer: nil)
    isRestored = desk.restore(found)
  }
  /// Whether the directory was there at the start.
  let isRestored: Bool

  /// The directory tells of its shards, as the node has it do.
  func follow(_ topology: Topology = PartWorld.topology()) {
    _ = desk.membership.follow(topology, first: topology)
    desk.startRecovered()
  }
  /// A cluster in which this node leads the directory and shard 1.
  static func leading(
    voters: [UInt64] = [1], _ change: (inout NodeConfiguration) -> Void = { _ in }
  ) throws -> ShardDeskHolder {
    let holder = ShardDeskHolder(change)
    holder.desk.begin(PartWorld.topology(voters: voters))
    holder.follow(PartWorld.topology(voters: voters))
    try holder.world.lead(holder.directory)
    try holder.world.lead(holder.shard)
    return holder
  }
  var directory: Replica? { world.replicas[.directory] }
  var shard: Replica? { world.replicas[PartWorld.one] }

  /// Has the directory log a command.
  func log(_ kind: DirectoryMachine.Kind, _ body: (inout ByteBuffer) -> Void) throws {
    var buffer = ByteBuffer()
    DirectoryMachine.append(kind, to: &buffer, body)
    let isTaken = try #require(directory).addInternal(buffer.bytes)
    try #require(isTaken)
    world.quiesce(directory)
  }
  func setMerchant(_ name: String) throws {
    let line = try EntryLine("MERCHANT SET \(name) title=x")
    try log(.entry) {
      $0.append(UInt128(0))
      $0.append(UInt64(0))
      $0.append(TenantID.first.rawValue)
      $0.append(counted: "")
      $0.append(line.bytes)
    }
  }
  /// With a heartbeat: what is due is logged, and applied.
  func beat(_ leaders: SaidLeaders = SaidLeaders()) {
    desk.proposeDue(leaders)
    for replica in world.replicas { world.quiesce(replica) }
  }
  func lastIndex(_ replica: Replica?) -> UInt64 { replica?.raft.lastIndex.rawValue ?? 0 }

  /// What the log is to write, as a batch that is written by then.
  func written() -> [LogRecord] {
    guard let batch = disk.nextBatch() else { return [] }
    _ = disk.batchWritten()
    desk.absent.written(through: batch.number)
    return batch.records
  }
  /// Shards whose files are to go.
  func clearedAway() -> [ShardID] {
    desk.absent.clearAway(but: nil, &world.turn.out)
    defer { world.turn.out.jobs.removeAll() }
    return world.turn.out.jobs.compactMap { if case .clearAway(let shard) = $0 { shard } else { nil } }
  }
  /// A message for a replica of shard 1 that was born by that version.
  func message(born: UInt64, node: NodeID = PartWorld.me) -> Message {
    Message(
      .append, from: ReplicaID(node: NodeID(2), born: 1), to: ReplicaID(node: node, born: born), term: Term(3))
  }
}
