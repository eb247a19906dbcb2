import Base
import Cluster
import Storage

/// A machine of a simulation: a disk that outlives processes, and the process, if one runs.
public final class SimulatedHost {
  public let number: Int
  public let configuration: NodeConfiguration
  public let disk: MemoryFileSystem
  let identity: UInt64
  public internal(set) var node: Node?
  var storage: NodeStorage?
  /// Counts processes: what was meant for one does not reach the next.
  var life = 0
  /// Microseconds that its wall clock is ahead.
  public var clockOffset: Int64 = 0
  /// Microseconds that each write of its log takes longer than chance has it.
  public var logDelay: UInt64 = 0
  var isTurnScheduled = false
  var ticks = 0
  var logBusyUntil: UInt64 = 0
  var laneBusyUntil: [UInt64] = [0, 0]
  var clients: [ClientID: SimulatedClient] = [:]
  var requests: [UInt64: String] = [:]
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
}

/// A terminal's connection to a simulated host.
public final class SimulatedClient {
  let id: ClientID
  let host: Int
  let life: Int
  var unread: [UInt8] = []
  /// What came back since it was last cleared.
  public private(set) var received: [UInt8] = []
  /// How many lines of it are complete.
  public private(set) var lineCount = 0
  public internal(set) var isClosed = false

  init(id: ClientID, host: Int, life: Int) {
    self.id = id
    self.host = host
    self.life = life
  }

  func receive(_ bytes: [UInt8]) {
    received.append(contentsOf: bytes)
    for byte in bytes where byte == UInt8(ascii: "\n") { lineCount += 1 }
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

/// Events by time; those of one time in the order in which they were made.
struct EventQueue {
  private struct Key {
    var time: UInt64
    var order: UInt64
  }
  private var heap: [Key] = []
  private var waiting: [UInt64: Simulation.Event] = [:]
  private(set) var pushed: UInt64 = 0

  mutating func push(at time: UInt64, _ what: Simulation.Event) {
    waiting[pushed] = what
    heap.append(Key(time: time, order: pushed))
    pushed += 1
    var child = heap.count - 1
    while child > 0, precedes(child, (child - 1) / 2) {
      heap.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }
  /// The earliest event, unless it is at `end` or later.
  mutating func popFirst(before end: UInt64) -> (time: UInt64, what: Simulation.Event)? {
    guard let first = heap.first, first.time < end, let what = waiting.removeValue(forKey: first.order) else {
      return nil
    }
    let last = heap.removeLast()
    if !heap.isEmpty {
      heap[0] = last
      sink()
    }
    return (first.time, what)
  }
  private func precedes(_ a: Int, _ b: Int) -> Bool {
    heap[a].time < heap[b].time || (heap[a].time == heap[b].time && heap[a].order < heap[b].order)
  }
  private mutating func sink() {
    var parent = 0
    while true {
      var least = parent
      for child in [parent * 2 + 1, parent * 2 + 2] where child < heap.count && precedes(child, least) { least = child }
      guard least != parent else { return }
      heap.swapAt(parent, least)
      parent = least
    }
  }
}
