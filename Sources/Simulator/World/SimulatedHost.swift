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
  /// Microseconds that its wall clock is ahead.
  public var clockOffset: Int64 = 0
  /// When its wall clock was wrong last.
  var lastLie: UInt64 = 0
  /// By how much its wall clock is too fast, in millionths.
  public var clockDrift: Int64 = 0
  /// The same of the clock that counts time: it never goes back.
  var timerDrift: Int64 = 0
  /// How often its machine, and not its process alone, has ended.
  var powerLosses = 0
  /// Its disk does nothing until then.
  var diskStalledUntil: UInt64 = 0
  /// What waits for it.
  var stalled: [Simulation.Event] = []
  /// Microseconds that each write of its log takes longer than that.
  public var logDelay: UInt64 = 0
  /// Bytes of memory that its process may use.
  public var memoryLimit = UInt64.max
  var nextMaintenance: UInt64 = 0
  /// How many of its disk's faults have been looked at.
  var faultsSeen = 0
  /// How many times longer than usual its disk takes.
  public var diskSlowness: UInt64 = 1
  /// Neither process nor operating system: peers hear nothing, not even that their connections are gone.
  public internal(set) var isDark = false
  /// What happens to it while its process is stopped.
  var deferred: [Simulation.Event] = []
  /// Its process is stopped.
  var isFrozen = false
  var isTurnScheduled = false
  /// Of each lane; the last, of the jobs that yield.
  var laneBusyUntil = [UInt64](repeating: 0, count: NodeWork.lanes + 1)
  /// Something large is written to its disk until then: everything else takes longer.
  var diskBusyUntil: UInt64 = 0
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
  public var memoryUsed: UInt64 { node.map { UInt64($0.memoryHeld) } ?? 0 }
  /// So that the process counts as using `share` hundredths of what it may.
  public func setMemoryLimit(asUsed share: UInt64) {
    guard let node else { return }
    memoryLimit = max(1, node.memoryCounted(ofUsed: memoryUsed) * 100 / share)
  }

  public var name: String { configuration.name }
  /// The id of the node whose data its disk holds, or will hold.
  public var nodeID: NodeID { NodeID(identity) }
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
