import Base
import Cluster
import System

/// What other threads tell the loop.
enum Mail<Completion: Sendable>: Sendable {
  /// A log batch is durable, or a job is done.
  case completed(Completion)
  /// An address that had to be looked up; nil: it is not known.
  case resolved(request: UInt64, address: SocketAddress?, isBulk: Bool)
  case stop
}

/// The bounds of a loop.
struct LoopOptions: Sendable {
  var clientsMax = 20_000
  /// Connections that terminals of one address may have; nil: any number. Never counts those of this machine itself.
  var connectionsPerAddress: Int?
  /// How much memory the process may use, in bytes; nil: by what the machine has.
  var memoryLimit: UInt64?
  /// Descriptors that the process may have: what the disk and the links to other nodes leave of them is for terminals.
  var descriptorsMax = 1 << 20
  var readBytesMax = 64 << 10
  var turnBytesMax = 256 << 10
  var stopSeconds = 10
  /// Whether a loop that has nothing else to do writes the log itself, in place of sleeping until the log thread has.
  var writesWhenIdle = false
  /// A write of the log that takes longer, in microseconds, is slow.
  var slowLogWrite: UInt64 = 20_000

  /// A client with more unsent output is not read from, until it has less than the other.
  static let unsentBytesMax = 1 << 20
  static let unsentBytesLow = 256 << 10
  /// What a client may have sent that the node neither consumed nor said to wait for.
  static let leftoverBytesMax = 256 << 10
  /// What all terminals together may have sent of requests that do not end: over it, those wait longest are closed.
  var incompleteBytesMax = 64 << 20
  static let linksMax = 4096
  /// Unsent bytes at which a link is given up.
  static let linkUnsentBytesMax = 256 << 20
  /// Unconsumed bytes at which a link is given up: two of the longest frames.
  static let linkInputBytesMax = 128 << 20
  static let linkReadBytes = 256 << 10
  /// Connections taken in a turn.
  static let acceptsMax = 128
  /// In microseconds.
  static let tickInterval: UInt64 = 10_000
  static let memoryInterval: UInt64 = 100_000
  static let connectTimeout: UInt64 = 3_000_000
  static let closeTimeout: UInt64 = 10_000_000
  static let lingerTimeout: UInt64 = 1_000_000
  /// So long a request may take to arrive.
  var incompleteTimeout: UInt64 = 30_000_000
  /// Where there is no descriptor for a connection that waits, it is looked for again after so long.
  static let acceptPause: UInt64 = 100_000
  /// Links to and from other nodes that there may come to be, beside those that are there.
  static let linksExpected = 16
  /// Fewer terminals are never allowed, however many descriptors there are.
  static let clientsMin = 32
  /// The system is given back free memory when connections with so many bytes were closed since it last was.
  static let trimBytes = 16 << 20
  /// What an idle connection costs, here and in the node.
  static let bytesOfClient = 2 << 10
  /// Listeners, the poller, the log's end and the like.
  static let descriptorsOfLoop = 16
  /// Connections looked at for one that is idle.
  static let idleLooks = 1024
  static let slowTurn: UInt64 = 250_000
  /// For so long the loop does not write the log itself, after a write that was slow.
  static let slowLogPause: UInt64 = 10_000_000
}

/// The one thread that talks to the node and to the sockets.
///
/// A turn: wait until something is ready; then other nodes' frames first (others wait for them), then completions of
/// the log and of jobs, then clients; then the node's `flush`, and its effects. So what arrived together is answered
/// together: one log batch, one message to a peer, one send to a client.
///
/// Nothing here waits but the poller. The log is written by a thread of its own, one batch at a time; jobs run on one
/// thread a lane; names are looked up on another.
struct EventLoop<Core: NodeCore>: ~Copyable {
  typealias Completion = Core.Work.Completion

  let core: Core
  let options: LoopOptions
  let logger: Logger
  let poller: Poller
  let inbox: Inbox<Mail<Completion>>
  let workers: Workers<Core.Work>
  let clientListener: Descriptor
  let peerListener: Descriptor

  var clients: ConnectionTable<ClientConnection>
  var links: ConnectionTable<LinkConnection>
  /// Every read of a client goes here first: an idle client has no buffer.
  let buffer: ScratchBuffer
  var scratch: UnsafeMutableRawBufferPointer { buffer.bytes }
  /// Held back, so that a connection can be refused when the process has no descriptor left.
  var spare: Descriptor?

  var effects = Effects<Core.Work>()
  var mail: [Mail<Completion>] = []
  /// To be written by the loop itself, unless there is something else to do.
  var idleBatch: Core.Work.LogBatch?
  /// Clients to be read from, in order: those not reached in a turn come first in the next.
  var ready: [UInt64] = []
  var dirtyClients: [UInt64] = []
  /// Clients that have sent something, by when they last did, and those that never have, by when they came; those that are
  /// being closed are in neither.
  var speakers = RecencyList()
  var strangers = RecencyList()
  /// How many there may be now, and what the node and the operator were told last; 0: nothing yet.
  var clientLimit: Int
  var limitTold = 0
  /// Clients with a request that has not arrived whole, by when they were noticed.
  var incompleteClients: [UInt64] = []
  /// By where they come from, if that is bounded.
  var countByAddress: [NetworkAddress: Int] = [:]
  /// Bytes of connections that were closed since memory was last given back.
  var closedBytes = 0
  /// Listeners that are not watched, for want of a descriptor, until then; 0: they are.
  var acceptsPausedUntil: UInt64 = 0
  var dirtyLinks: [UInt64] = []
  /// Links of whose drained output the node is to hear.
  var drainedLinks: [UInt64] = []
  var failedRequests: [UInt64] = []
  /// Clients being closed, and links being made or closed: those with a deadline.
  var closingClients: [UInt64] = []
  var timedLinks: [UInt64] = []

  var now: Moment
  var nextTick: UInt64
  var stopDeadline: UInt64?
  var gauges = ShellGauges()
  var meter: LoopMeter
  let memory: MemoryMeter
  var nextMemoryLook: UInt64

  /// - Parameters:
  ///   - clientListener: listening, as `peerListener`.
  ///   - onFatal: called, from any thread, when the process is to end at once.
  static func make(
    core: Core, disk: any DiskRunner<Core.Work>, options: LoopOptions, logger: Logger,
    clientListener: consuming Descriptor,
    peerListener: consuming Descriptor, onFatal: @escaping @Sendable (String) -> Void
  ) throws(SystemError) -> EventLoop {
    let poller = try Poller()
    let inbox = try Inbox<Mail<Completion>>()
    try poller.add(clientListener.rawValue, .readable, token: Source.clientListener.token())
    try poller.add(peerListener.rawValue, .readable, token: Source.peerListener.token())
    try poller.add(inbox.waker.rawDescriptor, [.readable, .edgeTriggered], token: Source.waker.token())
    return EventLoop(
      core: core, options: options, logger: logger, clientListener: clientListener, peerListener: peerListener,
      poller: poller, inbox: inbox,
      workers: Workers(disk: disk, inbox: inbox, slowWrite: options.slowLogWrite, onFatal: onFatal))
  }
  private init(
    core: Core, options: LoopOptions, logger: Logger, clientListener: consuming Descriptor,
    peerListener: consuming Descriptor, poller: consuming Poller, inbox: Inbox<Mail<Completion>>,
    workers: Workers<Core.Work>
  ) {
    self.core = core
    self.options = options
    self.logger = logger
    self.clientListener = clientListener
    self.peerListener = peerListener
    self.poller = poller
    self.inbox = inbox
    self.workers = workers
    clients = ConnectionTable(capacity: options.clientsMax)
    links = ConnectionTable(capacity: LoopOptions.linksMax)
    buffer = ScratchBuffer(byteCount: LoopOptions.leftoverBytesMax + 2 * options.readBytesMax)
    spare = Descriptor.spare()
    clientLimit = options.clientsMax
    now = Clock.now()
    nextTick = now.monotonic + LoopOptions.tickInterval
    meter = LoopMeter(now: now.monotonic)
    memory = MemoryMeter(limit: options.memoryLimit)
    nextMemoryLook = now.monotonic
  }

  /// Asks the loop to stop, from any thread: the node hands over what it can, then `run` returns.
  var stopper: @Sendable () -> Void { { [inbox] in inbox.post(.stop) } }
  var pulse: Pulse { workers.pulse }

  /// Turns until the node asks for the end, or a stop takes too long.
  /// - Returns: the exit code of the process.
  mutating func run() -> Int32 {
    limitClients()
    while true {
      turn()
      if let exit = effects.exit { return finish(code: exit.code, reason: exit.reason) }
      if let stopDeadline, now.monotonic >= stopDeadline {
        return finish(code: 1, reason: "stopping took over \(options.stopSeconds) s")
      }
    }
  }

  /// One turn.
  mutating func turn() {
    let count = wait()
    now = Clock.now()
    meter.turnBegins(at: now.monotonic)
    workers.pulse.turns.add(1, ordering: .relaxed)
    let accepts = sort(events: count)
    tellOfLinks()
    openMail()
    if accepts.peers { acceptLinks() }
    if accepts.clients { acceptClients() }
    readClients()
    if now.monotonic >= nextTick { tick() }
    core.flush(now: now, into: &effects)
    perform()
  }

  /// Waits for events, no longer than until the next tick.
  private mutating func wait() -> Int {
    let time = Clock.monotonic()
    meter.turnEnds(at: time)
    let isBusy =
      effects.wantsTurn || !ready.isEmpty || !drainedLinks.isEmpty || !failedRequests.isEmpty || time >= nextTick
    if let batch = idleBatch {
      idleBatch = nil
      let count = poller.wait(milliseconds: 0)
      // For a while after a write that was slow, whoever wrote, the disk is not trusted to be quick.
      let lastSlow = workers.pulse.lastSlowLogWrite.load(ordering: .relaxed)
      let isSlow = lastSlow > 0 && time < lastSlow + LoopOptions.slowLogPause
      if count > 0 || isBusy || inbox.isMailed || isSlow { workers.submit(batch) } else { workers.write(batch) }
      return count
    }
    guard !isBusy, inbox.prepareToSleep() else { return poller.wait(milliseconds: 0) }
    let count = poller.wait(milliseconds: Int32((nextTick - time + 999) / 1000))
    inbox.wokeUp()
    return count
  }

  /// Deals with links at once, and notes clients and listeners for later in the turn.
  private mutating func sort(events count: Int) -> (clients: Bool, peers: Bool) {
    var accepts = (clients: false, peers: false)
    for index in 0..<count {
      let token = poller.token(at: index)
      let readiness = poller.readiness(at: index)
      let id = Source.id(of: token)
      switch Source(token: token) {
      case .link: linkReady(id, readiness)
      case .client: clientReady(id, readiness)
      case .clientListener: accepts.clients = true
      case .peerListener: accepts.peers = true
      case .waker, nil: break
      }
    }
    return accepts
  }

  private mutating func openMail() {
    inbox.take(into: &mail)
    guard !mail.isEmpty else { return }
    for item in mail {
      switch item {
      case .completed(let completion): core.completed(completion, now: now)
      case .resolved(let request, let address, let isBulk): connect(request: request, to: address, isBulk: isBulk)
      case .stop:
        if stopDeadline == nil {
          stopDeadline = now.monotonic + UInt64(options.stopSeconds) * 1_000_000
          core.stop(now: now)
        }
      }
    }
    mail.removeAll(keepingCapacity: true)
  }

  private mutating func tick() {
    if now.monotonic >= nextMemoryLook {
      let usage = memory.measure()
      // Where much is used already, the rest may go quickly.
      let isMuch = usage.map { $0.used > $0.limit / 10 * 7 } ?? false
      nextMemoryLook = now.monotonic + (isMuch ? LoopOptions.tickInterval : LoopOptions.memoryInterval)
      if let usage { core.memoryMeasured(usage, now: now) }
    }
    core.tick(now: now)
    // A tick that was missed is not made up for.
    nextTick = now.monotonic + LoopOptions.tickInterval
    expireClients()
    expireIncomplete()
    expireLinks()
    if acceptsPausedUntil > 0 && now.monotonic >= acceptsPausedUntil { resumeAccepting() }
    if let turned = meter.second(at: now.monotonic, logWrites: workers.pulse.logWrites.load(ordering: .relaxed) / 2) {
      limitClients()
      report(turned)
    }
  }

  /// Tells the node, once a second, and the operator, if something is amiss.
  private mutating func report(_ measured: LoopMeter.Second) {
    var total = gauges
    total.loopBusyPermille = measured.busyPermille
    total.longestTurn = measured.longestTurn
    total.turns = measured.turns
    total.clients = clients.count
    total.links = links.count
    total.logWrites = measured.logWrites
    total.longestLogWrite = workers.pulse.longestLogWrite.exchange(0, ordering: .relaxed)
    total.logLinesDropped = logger.droppedCount
    core.measured(total, now: now)
    if closedBytes >= LoopOptions.trimBytes {
      closedBytes = 0
      workers.trimMemory()
    }
    if measured.longestTurn >= LoopOptions.slowTurn {
      logger.log(
        .warning,
        "the loop was slow longest_turn_ms=\(measured.longestTurn / 1000) busy_permille=\(measured.busyPermille)")
    }
    if gauges.clientsRefused > meter.refusedBefore {
      let count = gauges.clientsRefused - meter.refusedBefore
      logger.log(.warning, "clients refused count=\(count) clients=\(clients.count) max_clients=\(clientLimit)")
    }
    meter.refusedBefore = gauges.clientsRefused
    gauges.clientBytesIn = 0
    gauges.clientBytesOut = 0
    gauges.linkBytesIn = 0
    gauges.linkBytesOut = 0
  }

  /// Sends what is unsent, for a second at most, and ends the threads.
  private mutating func finish(code: Int32, reason: String) -> Int32 {
    logger.log(code == 0 ? .info : .error, "stopped code=\(code) reason=\"\(reason)\"")
    effects.exit = nil
    if let batch = idleBatch.take() { workers.submit(batch) }
    let deadline = Clock.monotonic() + 1_000_000
    while gauges.unsentBytes > 0 && Clock.monotonic() < deadline {
      for index in 0..<poller.wait(milliseconds: 10) where poller.readiness(at: index).contains(.writable) {
        let token = poller.token(at: index)
        switch Source(token: token) {
        case .client: sendToClient(Source.id(of: token))
        case .link: sendToLink(Source.id(of: token))
        default: break
        }
      }
    }
    for id in clients.allIDs { clients.find(id)?.pointee.descriptor.endOutput() }
    workers.stop(waitingForLog: code == 0)
    return code
  }
}

/// Memory of a fixed size with one owner.
struct ScratchBuffer: ~Copyable {
  let bytes: UnsafeMutableRawBufferPointer
  init(byteCount: Int) { bytes = .allocate(byteCount: byteCount, alignment: 64) }
  deinit { bytes.deallocate() }
}

/// How the loop's time is spent.
struct LoopMeter {
  struct Second {
    var busyPermille: Int
    var longestTurn: UInt64
    var turns: Int
    var logWrites: Int
  }
  private var secondBegan: UInt64
  private var turnBegan: UInt64?
  private var busy: UInt64 = 0
  private var longest: UInt64 = 0
  private var turns = 0
  private var logWritesBefore: UInt64 = 0
  var refusedBefore: UInt64 = 0

  init(now: UInt64) { secondBegan = now }

  mutating func turnBegins(at time: UInt64) {
    turnBegan = time
    turns += 1
  }
  mutating func turnEnds(at time: UInt64) {
    guard let began = turnBegan else { return }
    turnBegan = nil
    busy += time - began
    longest = max(longest, time - began)
  }
  /// The figures of the second that has passed, nil if it has not.
  /// - Parameter logWrites: since the start.
  mutating func second(at time: UInt64, logWrites: UInt64) -> Second? {
    let passed = time - secondBegan
    guard passed >= 1_000_000 else { return nil }
    let result = Second(
      busyPermille: Int(min(1000, busy * 1000 / passed)), longestTurn: longest, turns: turns,
      logWrites: Int(logWrites - logWritesBefore))
    logWritesBefore = logWrites
    secondBegan = time
    busy = 0
    longest = 0
    turns = 0
    return result
  }
}
