import Base
import Cluster
import NodeDisk
import Storage

/// A machine of a simulation: a disk that outlives processes, and the process, if one runs.
public final class SimulatedHost {
  public let number: Int
  public internal(set) var configuration: NodeConfiguration
  public internal(set) var disk: MemoryFileSystem
  var identity: UInt64
  /// Which program runs there.
  public var build: UInt64 = 1
  /// Of whoever begins on its disk.
  var newProof: Proof { Proof(identity &* 0x9E37_79B9_7F4A_7C15, ~identity) }
  public internal(set) var node: Node?
  var storage: NodeStorage?
  /// Counts processes: what was meant for one does not reach the next.
  public internal(set) var generation = 0
  public var clock = HostClock()
  /// How often its machine, and not its process alone, has ended.
  var powerLosses = 0
  public var diskPace = DiskPace()
  /// Of snapshots and their journals, written as they came. What lies on its disk tells less: a segment that comes may overwrite
  /// an older one, or go to the archive.
  public internal(set) var bytesReceived: UInt64 = 0
  /// Bytes of memory that its process may use.
  public var memoryLimit = UInt64.max
  var nextMaintenance: UInt64 = 0
  /// How many of its disk's faults have been looked at.
  var faultsSeen = 0
  /// Neither process nor operating system: peers hear nothing, not even that their connections are gone.
  public internal(set) var isDark = false
  /// What happens to it while its process is stopped.
  var deferred: [Simulation.Event] = []
  /// Its process is stopped.
  var isFrozen = false
  var isTurnScheduled = false
  var clients: [ClientID: SimulatedClient] = [:]
  var wires: [LinkID: UInt64] = [:]
  var unreadLinks: [LinkID: [UInt8]] = [:]
  /// Why the last start failed.
  public internal(set) var failure: String?
  /// The code of the last graceful end.
  public internal(set) var exit: Int32?

  init(number: Int, configuration: NodeConfiguration, disk: MemoryFileSystem, identity: UInt64) {
    self.number = number
    self.configuration = configuration
    self.disk = disk
    self.identity = identity
  }

  /// Bytes of memory that its process uses, as far as they grow with what it holds.
  public var memoryUsed: UInt64 { node.map { UInt64($0.view.memoryHeld) } ?? 0 }
  /// So that the process counts as using `share` hundredths of what it may.
  public func setMemoryLimit(asUsed share: UInt64) {
    guard let node else { return }
    memoryLimit = max(1, node.memoryCounted(ofUsed: memoryUsed) * 100 / share)
  }

  public var name: String { configuration.name }
  /// The id of the node whose data its disk holds, or will hold.
  public var nodeID: NodeID { NodeID(identity) }
}

/// The clocks of a host: how far each is from the simulation's time.
public struct HostClock: Sendable {
  /// Microseconds that the wall clock is ahead.
  public var offset: Int64 = 0
  /// By how much the wall clock is too fast, in millionths.
  public var drift: Int64 = 0
  /// The same of the clock that counts time: it never goes back.
  var timerDrift: Int64 = 0
  /// When the wall clock was wrong last.
  var lastWrong: UInt64 = 0

  /// What the host reads.
  /// - Parameter origin: when the simulation began; `now` is counted from before it.
  func moment(at now: UInt64, origin: UInt64, host: Int) -> Moment {
    // Monotonic clocks begin anywhere: those of two hosts have nothing in common.
    Moment(
      monotonic: now &+ UInt64(bitPattern: Int64(now - origin) * timerDrift / 1_000_000)
        &+ UInt64(host) * 1_000_000_007,
      wall: Stamp(microseconds: Simulation.epoch + Int64(now) + offset + Int64(now) * drift / 1_000_000))
  }
}

/// How fast the disk of a host is, and what it is busy with.
public struct DiskPace {
  /// How many times longer than usual everything takes.
  public var slowness: UInt64 = 1
  /// Microseconds that each write of the log takes longer than that.
  public var logDelay: UInt64 = 0
  /// The disk does nothing until then.
  var stalledUntil: UInt64 = 0
  /// What waits for it.
  var waiting: [Simulation.Event] = []
  /// Of each lane; the last, of the jobs that yield.
  private(set) var lanesBusyUntil = DiskPace.idleLanes
  /// Something large is written until then: everything else takes longer.
  private(set) var busyUntil: UInt64 = 0
  private static let idleLanes = [UInt64](repeating: 0, count: NodeWork.lanes + 1)

  /// Nothing of an earlier process is under way.
  mutating func processBegins() {
    lanesBusyUntil = DiskPace.idleLanes
    busyUntil = 0
  }
  /// How long a write of the log takes that takes `usual` on an idle disk.
  func duration(ofLogWrite usual: UInt64, at now: UInt64) -> UInt64 {
    usual * slowness * (busyUntil > now ? 2 : 1) + logDelay
  }
  /// Lanes keep their order: each job waits for those before it in its lane; nobody waits for one that yields.
  /// - Returns: when it is done.
  mutating func begin(_ job: Job, lasting cost: UInt64, at now: UInt64) -> UInt64 {
    let lane = NodeWork.lane(of: job)
    let own = NodeWork.yields(job) ? lanesBusyUntil.count - 1 : lane
    let end = max(lanesBusyUntil[lane], lanesBusyUntil[own], now) + cost * slowness
    lanesBusyUntil[own] = end
    if job.writtenBytes > 0 { busyUntil = end }
    return end
  }
}

/// A client's connection to a simulated host.
public final class SimulatedClient {
  let id: ClientID
  public let host: Int
  let generation: Int
  var unread: [UInt8] = []
  /// What came back since it was last cleared.
  public private(set) var received: [UInt8] = []
  /// How many lines of it are complete.
  public private(set) var lineCount = 0
  public internal(set) var isClosed = false
  /// Gets what comes back instead, or nil once the node's side is closed.
  public var deliver: (([UInt8]?) -> Void)?

  init(id: ClientID, host: Int, generation: Int) {
    self.id = id
    self.host = host
    self.generation = generation
  }

  func receive(_ bytes: [UInt8]) {
    if let deliver { return deliver(bytes) }
    received.append(contentsOf: bytes)
    for byte in bytes where byte == UInt8(ascii: "\n") { lineCount += 1 }
  }
  func closed() {
    guard !isClosed else { return }
    isClosed = true
    deliver?(nil)
  }
  /// Forgets what came back so far.
  public func clear() {
    received.removeAll()
    lineCount = 0
  }
  /// The complete lines that came back, without their ends. O(bytes).
  public var lines: [String] {
    String(decoding: received, as: UTF8.self).split(separator: "\r\n", omittingEmptySubsequences: false).dropLast()
      .map(String.init)
  }
}
