import Base
import Raft
import Storage

/// What this node lacks (a clock that is right, a disk with room, memory), and what follows from it: who is to lead the shards
/// that are here, and whose writes are refused.
final class HealthDesk: Coordinator {
  let turn: Turn
  let peers: PeerTable
  let replicas: ReplicaTable
  let disk: DiskDesk
  let leadership: LeadershipDesk
  private let shedding: Shedding
  var clock = ClockGuard()
  private(set) var memory = MemoryHealth()
  /// Until when leadership is handed over, before the process ends; nil: it does not.
  private var stopping: UInt64?
  private static let handOver: UInt64 = 3_000_000

  private let isReadByOthers: Bool
  private let answersOpenly: Bool

  init(turn: Turn, membership: Membership, peers: PeerTable, replicas: ReplicaTable, configuration: NodeConfiguration) {
    self.turn = turn
    self.peers = peers
    self.replicas = replicas
    disk = DiskDesk(turn: turn, configuration: configuration)
    isReadByOthers = configuration.isInsecure
    answersOpenly = configuration.answersOpenly
    leadership = LeadershipDesk(
      turn: turn, membership: membership, peers: peers, replicas: replicas, slowWrite: configuration.slowWrite)
    shedding = Shedding(turn: turn, peers: peers, replicas: replicas)
  }

  /// Others can read what terminals say to this node; or may do everything here, as long as there is no user.
  var isInsecure: Bool { isReadByOthers || answersOpenly && isOpen }
  private var isOpen: Bool { (replicas[.directory]?.machine as? DirectoryMachine)?.access.isOpen ?? true }

  // MARK: Time

  /// With each heartbeat.
  /// - Parameter isCalm: nothing has happened to any replica since the last.
  func beat(isCalm: Bool) {
    judgeClock()
    guard !isCalm || facts != LeadershipPolicy.NodeFacts() else { return }
    leadership.judgeDistances()
    judgeShedding()
    leadership.noteEntriesAhead()
    judgeLeadership()
  }
  /// With each tick.
  /// - Parameters:
  ///   - sendsHome: leaders are to be where the placement wants them.
  ///   - isCalm: nothing has happened to any replica since the last tick.
  func advance(sendsHome: Bool, isCalm: Bool) {
    disk.health.advance(now: now.monotonic, &turn.out)
    let facts = facts
    guard !isCalm || sendsHome || facts != LeadershipPolicy.NodeFacts() else { return }
    leadership.decide(facts, sendsHome: sendsHome)
    archiveNext()
  }

  // MARK: Stopping

  var isStopping: Bool { stopping != nil }
  func stop() {
    guard stopping == nil else { return }
    log(.info, "stopping: handing over leadership")
    stopping = now.monotonic + HealthDesk.handOver
    leadership.decide(facts)
  }
  /// With each tick: ends the process once nothing is left to hand over and to write.
  func continueStopping() {
    guard let stopping else { return }
    let canHandOver = peers.contains { $0.isConnected }
    let leading = canHandOver && replicas.contains { $0.isLeader && $0.voterCount > 1 }
    if (!leading && disk.writer.isIdle) || now.monotonic >= stopping {
      turn.out.end(0, leading ? "stopped, with leadership not handed over in time" : "stopped")
    }
  }

  // MARK: The clock

  /// A moment that no clock which may stamp entries has yet to come to; nil while no peer's clock is known.
  var earliest: Stamp? { clock.earliest(now: now) }
  /// By how much the clock that is most ahead of ours is, of those that may stamp entries.
  var mostAhead: Int64 { clock.mostAhead(of: peers.clockReadings(now: now)) }

  private func judgeClock() {
    if clock.judge(peers.clockReadings(now: now), now: now, &turn.out) { judgeLeadership() }
  }
  /// A clock that was set is judged before it stamps anything.
  func noticeClockStep() {
    if clock.wasSet(now: now) { judgeClock() }
  }
  /// Whether something is left of a leader's message: see `ClockGuard.admit`.
  func admit(_ message: inout Message, _ replica: Replica, from peer: Peer) -> Bool {
    clock.admit(
      &message, of: replica.shard, applied: replica.machine.lastStamp, from: peer.hello.name, now: now, &turn.out)
  }

  // MARK: Memory and disk

  func memoryMeasured(_ usage: MemoryUsage) {
    if memory.measured(usage, spare: { replicas.spareBytes }, &turn.out) { judgeShedding() }
  }
  func measured(_ gauges: ShellGauges) {
    disk.health.noteShortages(ofConnections: gauges.connectionsWithoutDescriptor, now: now.monotonic, &turn.out)
  }
  func measured(_ gauges: DiskGauges) {
    if disk.measured(gauges) { judgeShedding() }
  }
  /// A read found what was not written there.
  func journalIsRotten(_ shard: ShardID, _ reason: String) {
    replicas.rottenJournals.insert(shard)
    log(
      .error,
      "CORRUPT \(reason); others are to lead that shard; start this node again: its peers then supply its journal")
  }
  func batchWritten(isRewriting: Bool) {
    if disk.batchWritten(isRewriting: isRewriting) { judgeShedding() }
  }
  func batchRefused(_ batch: LogBatch, _ error: StorageError) {
    if disk.batchRefused(batch, error) { judgeShedding() }
  }

  // MARK: What follows

  private var facts: LeadershipPolicy.NodeFacts {
    LeadershipPolicy.NodeFacts(
      isStopping: isStopping, clockOffFor: clock.isOff ? now.monotonic - clock.offSince : nil,
      isDiskSlow: disk.health.isSlow, isDiskFull: disk.health.isFull, isLogBlocked: disk.health.refusesBatches,
      isMemoryOver: memory.level >= .over,
      isDraining: leadership.membership.topology?.node(peers.id)?.state == .draining)
  }
  /// Also when something has changed between two ticks.
  func judgeLeadership() { leadership.judge(facts) }
  func judgeShedding() {
    let facts = Shedding.Facts(
      disk: disk.health, memory: memory.level, pinning: disk.bound.pinning, journalBytes: disk.journal.bytesWaiting)
    shedding.judge(facts) { leadership.hasHeir($0, self.facts) }
  }
}
