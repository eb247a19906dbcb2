import Base
import Storage

// What a node and the shell around it say to each other. The node decides; the shell (module Server, or a simulator)
// owns the sockets, the threads, the disk and the clock, and does what `Effects` asks for. Everything here is called
// from one thread, except `DiskRunner`.

/// A terminal's connection. Never reused in a process.
@frozen public struct ClientID: Hashable, Sendable, BitwiseCopyable {
  public var rawValue: UInt64
  @inlinable public init(_ rawValue: UInt64) { self.rawValue = rawValue }
}

/// A connection to another node, whichever side opened it. Never reused in a process.
@frozen public struct LinkID: Hashable, Sendable, BitwiseCopyable {
  public var rawValue: UInt64
  @inlinable public init(_ rawValue: UInt64) { self.rawValue = rawValue }
}

/// A reading of the clocks. One is taken for each turn of the shell's loop.
@frozen public struct Moment: Sendable, BitwiseCopyable {
  /// Microseconds since an arbitrary origin; never goes back.
  public var monotonic: UInt64
  /// What the wall clock says: may jump.
  public var wall: Stamp
  @inlinable public init(monotonic: UInt64, wall: Stamp) {
    self.monotonic = monotonic
    self.wall = wall
  }
}

/// How much an event matters to the operator.
public enum LogLevel: UInt8, Comparable, CaseIterable, Sendable {
  case debug
  case info
  case warning
  case error
  public static func < (a: LogLevel, b: LogLevel) -> Bool { a.rawValue < b.rawValue }
}

/// One thing that the operator may set: by `key = value` in the configuration file, or by the flag `--key value`.
public struct Setting: Sendable {
  public var key: String
  /// The default.
  public var value: String
  /// For the operator: what it does, its unit and bounds. May have several lines. Empty: it is for tests, and listed nowhere.
  public var documentation: String
  public var isHidden: Bool { documentation.isEmpty }
  /// Why a value is not acceptable ("must be 1 to 100"), nil if it is.
  public var problem: @Sendable (_ value: String) -> String?
  /// It may have another value while the node runs: see `SettingsDesk`.
  public private(set) var isChangeable = false
  /// The same, changeable.
  public var changeable: Setting {
    var copy = self
    copy.isChangeable = true
    return copy
  }

  public init(
    _ key: String, _ value: String, _ documentation: String,
    problem: @escaping @Sendable (_ value: String) -> String? = { _ in nil }
  ) {
    self.key = key
    self.value = value
    self.documentation = documentation
    self.problem = problem
  }
}

/// What the shell measured over the last second, for INFO and for the node's own judgement.
public struct ShellGauges: Sendable {
  @Measured(
    "loop_busy_permille", .loop, "time in which the loop was not waiting, of the last second", .gauge, .permille)
  public var loopBusyPermille = 0
  @Measured("longest_turn_us", .loop, "the loop's longest turn of the last second", .gauge, .microseconds)
  public var longestTurn: UInt64 = 0
  /// Turns of the loop.
  public var turns = 0
  public var clients = 0
  public var links = 0
  public var clientBytesIn: UInt64 = 0
  public var clientBytesOut: UInt64 = 0
  public var linkBytesIn: UInt64 = 0
  public var linkBytesOut: UInt64 = 0
  @Measured("log_writes", .loop, "batches written to the log in the last second", .gauge) public var logWrites = 0
  @Measured("longest_log_write_us", .loop, "the longest of these writes", .gauge, .microseconds)
  public var longestLogWrite: UInt64 = 0
  /// How long batches took that were written to the log and synced, since the start.
  public var logWriteTimes = Histogram()
  /// Bytes accepted from the node that no socket has taken yet.
  public var unsentBytes = 0
  /// Totals since the start, from here on.
  @Measured("refused_clients", .clients, "connections for which there was no room")
  public var clientsRefused: UInt64 = 0
  @Measured("clients_closed_idle", .clients, "idle connections closed to make room")
  public var clientsClosedIdle: UInt64 = 0
  @Measured("tls_handshakes", .clients, "TLS handshakes that ended well, of terminals and of nodes")
  public var tlsHandshakes: UInt64 = 0
  @Measured(
    "tls_failures", .clients, "TLS connections, of terminals and of nodes, that failed in the handshake or later")
  public var tlsFailures: UInt64 = 0
  /// Those that connections begin with now.
  public var certificates: [LoadedCertificate] = []
  /// Connections, of terminals or nodes, that could not be taken or made for want of a descriptor.
  public var connectionsWithoutDescriptor: UInt64 = 0
  @Measured("log_lines_dropped", .loop, "lines of the operator's log that its reader was too slow for")
  public var logLinesDropped: UInt64 = 0
  public init() {}
}

/// A certificate by which this side is known.
public struct LoadedCertificate: Sendable, Hashable {
  /// How long before its end it is spoken of, in seconds.
  public static let notice: Int64 = 14 * 86_400
  /// To whom it is shown: `terminals` or `peers`.
  public var use: String
  /// Whose it is, as it says.
  public var name: String
  /// When it ends, in seconds since 1970.
  public var ends: Int64
  public init(use: String, name: String, ends: Int64) { (self.use, self.name, self.ends) = (use, name, ends) }

  public func isEnding(at now: Stamp) -> Bool { ends - now.microseconds / 1_000_000 < LoadedCertificate.notice }
}

/// How much memory the process uses, and how much it may use before it stops to grow; both in bytes. Of several bounds the
/// one that is nearest.
public struct MemoryUsage: Sendable, Hashable, BitwiseCopyable {
  public var used: UInt64
  public var limit: UInt64
  public init(used: UInt64, limit: UInt64) {
    self.used = used
    self.limit = limit
  }
}

/// What a node gives its disk to do: batches for its log, which are made durable one after another, and jobs beside them.
public protocol DiskWork: Sendable {
  associatedtype LogBatch: Sendable
  associatedtype Job: Sendable
  /// What came of either.
  associatedtype Completion: Sendable

  /// How many lanes (threads) of jobs there are.
  static var lanes: Int { get }
  /// The lane of a job, 0 ..< lanes.
  static func lane(of job: Job) -> Int
  /// Whether nobody waits for what a lane does: its thread lets others go first.
  static func isBackground(lane: Int) -> Bool
  /// A job that yields is begun when all that was submitted to its lane before is done, and lets go before it what comes
  /// later and does not yield. Jobs that yield run in order.
  static func yields(_ job: Job) -> Bool
}

extension DiskWork {
  public static var lanes: Int { 1 }
  public static func lane(of job: Job) -> Int { 0 }
  public static func isBackground(lane: Int) -> Bool { false }
  public static func yields(_ job: Job) -> Bool { false }
}

/// The slow half of a node: what the shell runs on threads of its own.
public protocol DiskRunner<Work>: AnyObject, Sendable {
  associatedtype Work: DiskWork

  /// Makes a batch of log records durable. Called one at a time and in order, each call happening after the one before,
  /// but not always on the same thread.
  /// - Throws: what makes it impossible to go on: the shell logs it and ends the process with code 1.
  func write(_ batch: Work.LogBatch) throws -> Work.Completion
  /// Does one piece of background work. Jobs of a lane run in order, on a thread of that lane.
  func run(_ job: Work.Job) -> Work.Completion
  /// The same of work that has time: it goes no faster than `pacer` lets it.
  func run(_ job: Work.Job, pacer: any WritePacer) -> Work.Completion
  /// Called from a thread of its own some five times a second: prepares log segments and the like.
  /// - Returns: what the node is to hear of it, if anything.
  func maintain() -> Work.Completion?
  /// The same, no faster than `pacer` lets it, unless the log would wait.
  func maintain(pacer: any WritePacer) -> Work.Completion?
  /// How many descriptors it may come to hold, now: what is left is for connections. Called from any thread.
  var descriptorsReserved: Int { get }
}

extension DiskRunner {
  public var descriptorsReserved: Int { 64 }
  public func run(_ job: Work.Job, pacer: any WritePacer) -> Work.Completion { run(job) }
  public func maintain(pacer: any WritePacer) -> Work.Completion? { maintain() }
}

/// Runs the turns of a node's replicas, which share nothing, so that those of different shards may run at once.
public protocol TurnRunner: AnyObject, Sendable {
  /// Calls `turn` once for each place in `shards`, a shard always on the same thread, and returns when all calls have.
  /// `turn` may be let go of later.
  func run(_ shards: [ShardID], _ turn: @escaping @Sendable (_ place: Int) -> Void)
}

/// What a node wants done, in one turn. Reused: the shell empties it.
public struct Effects<Work: DiskWork> {
  /// Sent in order; any number of pieces a client, one system call a client.
  public var clientOutput: [(client: ClientID, bytes: [UInt8])] = []
  /// Closed once what was output before has been sent. The node hears no more of it: `clientClosed` is not called.
  public var clientClose: [ClientID] = []
  /// Stop or resume reading. `on: true` also offers the bytes again that the node left unconsumed.
  public var clientReading: [(client: ClientID, on: Bool)] = []
  public var linkOutput: [(link: LinkID, bytes: [UInt8])] = []
  /// Answered by `linkOpened` with the request, or by `linkFailed`. The address is "host:port".
  public var openLink: [(request: UInt64, address: String, bulk: Bool)] = []
  /// Closed once what was output before has been sent. `linkClosed` is not called.
  public var linkClose: [LinkID] = []
  /// For the log thread: at most one is under way; the node keeps further records until it completes.
  public var logBatch: Work.LogBatch?
  /// Somebody waits for that batch, and it is nothing but records; else it is for the log thread in any case, so that neither a disk which
  /// hangs nor what takes longer holds up anybody.
  public var isLogBatchAwaited = true
  /// For the background threads.
  public var jobs: [Work.Job] = []
  /// For the operator: `what happened key=value key=value`.
  public var logLines: [(level: LogLevel, text: String)] = []
  /// There is more to do: the next turn is not to wait for events.
  public var wantsTurn = false
  /// Settings that have another value from now on.
  public var settings: [(key: String, value: String)] = []
  /// The process is to end, once all output above has been handed to the kernel.
  public var exit: (code: Int32, reason: String)?
  public init() {}
}

/// The node as the shell sees it. A turn of the loop calls any of these, and `flush` last.
public protocol NodeCore: AnyObject {
  associatedtype Work: DiskWork

  func clientOpened(_ id: ClientID, from: String, now: Moment)
  /// A client that was just opened has shown a certificate that holds, made out to a user of that name.
  func clientCertified(_ id: ClientID, as user: String, now: Moment)
  /// So many connections of clients there may be from now on. Called before the first, and when it changes.
  func clientsLimited(to limit: Int, now: Moment)
  /// Whether a client waits for nothing: it may be closed to make room for another.
  func isIdle(_ id: ClientID) -> Bool
  /// Bytes of a client, beginning with those that the call before did not consume.
  /// - Returns: how many bytes were consumed. The shell keeps the rest, and calls again when more has come, or when the
  ///   node asks by `Effects.clientReading`.
  func clientReceived(_ id: ClientID, _ bytes: UnsafeRawBufferPointer, now: Moment) -> Int
  /// The client sends no more, but may still read: answer what is under way, then give `Effects.clientClose`.
  func clientEnded(_ id: ClientID, now: Moment)
  /// The connection is gone. Called once for each client opened that the node did not close itself.
  func clientClosed(_ id: ClientID, now: Moment)

  /// - Parameter request: that of `Effects.openLink`; nil: the other side opened it.
  /// Whoever that client is, it asks that: answered with a reply, like a request.
  func asked(_ question: OwnQuestion, by id: ClientID, now: Moment)
  /// All figures, as they are now.
  func figures(now: Moment) -> Figures

  func linkOpened(_ id: LinkID, request: UInt64?, now: Moment)
  /// As `clientReceived`.
  func linkReceived(_ id: LinkID, _ bytes: UnsafeRawBufferPointer, now: Moment) -> Int
  /// The connection is gone. Called once for each link opened that the node did not close itself.
  func linkClosed(_ id: LinkID, now: Moment)
  func linkFailed(request: UInt64, now: Moment)
  /// All output of the link has gone to the kernel: for one opened as `bulk` after each output, for any other after it
  /// had been held up.
  func linkDrained(_ id: LinkID, now: Moment)

  /// Called each 10 ms or so, also when idle.
  func tick(now: Moment)
  /// A log batch is durable, or a job is done.
  func completed(_ completion: Work.Completion, now: Moment)
  /// The operator wants the process to end: hand over what can be, then give `Effects.exit`.
  func stop(now: Moment)
  /// Called once a second.
  func measured(_ gauges: ShellGauges, now: Moment)
  /// Called some times a second.
  func memoryMeasured(_ usage: MemoryUsage, now: Moment)
  /// Called last in each turn: everything that the node wants done.
  func flush(now: Moment, into effects: inout Effects<Work>)
}

extension NodeCore {
  public func memoryMeasured(_ usage: MemoryUsage, now: Moment) {}
  public func clientCertified(_ id: ClientID, as user: String, now: Moment) {}
  public func clientsLimited(to limit: Int, now: Moment) {}
  public func isIdle(_ id: ClientID) -> Bool { true }
  public func asked(_ question: OwnQuestion, by id: ClientID, now: Moment) {}
  public func figures(now: Moment) -> Figures { Figures() }
  public func measured(_ gauges: ShellGauges, now: Moment) {}
}
