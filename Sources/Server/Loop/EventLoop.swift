import Base
import Cluster
import OpenSSL
import System

/// What other threads tell the loop.
enum Mail<Completion: Sendable>: Sendable {
  /// A log batch is durable, or a job is done.
  case completed(Completion)
  /// An address that had to be looked up; nil: it is not known.
  case resolved(request: UInt64, address: SocketAddress?, isBulk: Bool)
  /// From now on connections begin with these certificates; those that are there keep theirs.
  case secured(LoopSecurity)
  /// The figures that clients of HTTP asked for, as they are shown.
  case rendered([UInt8])
  case stop
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
  var options: LoopOptions
  let logger: Logger
  let poller: Poller
  let inbox: Inbox<Mail<Completion>>
  let workers: Workers<Core.Work>
  var listeners: Listeners

  var clients: Clients
  var links: Links
  /// Every read of a client goes here first: an idle client has no buffer.
  let buffer: ScratchBuffer
  var scratch: UnsafeMutableRawBufferPointer { buffer.bytes }

  var security: LoopSecurity
  /// What all TLS sessions read from and write to.
  let wire = TLSWire(inputBytes: LoopOptions.linkReadBytes)
  /// Steps of handshakes that links of others took in this turn.
  var strangerSteps = 0
  var failureLog = FailureLog()
  var expiry = ExpiryReminder()

  var effects = Effects<Core.Work>()
  var mail: [Mail<Completion>] = []
  /// To be written by the loop itself, unless there is something else to do.
  var idleBatch: Core.Work.LogBatch?
  var clientLimit: ClientLimit
  var addressCounts: AddressCounts

  var clock: LoopClock
  var now: Moment { clock.now }
  var gauges = ShellGauges()
  var meter: LoopMeter
  var memory: ProcessMemory

  /// - Parameters:
  ///   - clientListener: listening, as `peerListener`.
  ///   - security: which TLS connections have.
  ///   - onFatal: called, from any thread, when the process is to end at once.
  static func make(
    core: Core, disk: any DiskRunner<Core.Work>, options: LoopOptions, logger: Logger,
    clientListener: consuming Descriptor, peerListener: consuming Descriptor,
    httpListener: consuming Descriptor? = nil, security: LoopSecurity = LoopSecurity(),
    onFatal: @escaping @Sendable (String) -> Void
  ) throws(SystemError) -> EventLoop {
    let poller = try Poller()
    let inbox = try Inbox<Mail<Completion>>()
    let listeners = Listeners(clients: clientListener, peers: peerListener, http: httpListener)
    try listeners.watch(poller)
    try poller.add(inbox.waker.rawDescriptor, [.readable, .edgeTriggered], token: Source.waker.token())
    return EventLoop(
      core: core, options: options, logger: logger, security: security, listeners: listeners, poller: poller,
      inbox: inbox,
      workers: Workers(disk: disk, inbox: inbox, slowWrite: options.slowLogWrite, onFatal: onFatal))
  }
  private init(
    core: Core, options: LoopOptions, logger: Logger, security: LoopSecurity, listeners: consuming Listeners,
    poller: consuming Poller, inbox: Inbox<Mail<Completion>>, workers: Workers<Core.Work>
  ) {
    self.core = core
    self.options = options
    self.logger = logger
    self.security = security
    self.listeners = listeners
    self.poller = poller
    self.inbox = inbox
    self.workers = workers
    clients = Clients(capacity: options.clientsMax)
    links = Links(capacity: LoopOptions.linksMax)
    buffer = ScratchBuffer(byteCount: LoopOptions.leftoverBytesMax + 2 * options.readBytesMax + TLSSession.slack)
    clientLimit = ClientLimit(options)
    addressCounts = AddressCounts(most: options.connectionsPerAddress)
    let now = Clock.now()
    clock = LoopClock(now: now)
    meter = LoopMeter(now: now.monotonic)
    memory = ProcessMemory(limit: options.memoryLimit, now: now.monotonic)
  }

  /// Gives the loop renewed certificates, from any thread.
  var securer: @Sendable (LoopSecurity) -> Void { { [inbox] in inbox.post(.secured($0)) } }
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
      if clock.isStopOverdue {
        return finish(code: 1, reason: "stopping took over \(options.stopSeconds) s")
      }
    }
  }

  /// One turn.
  mutating func turn() {
    let count = wait()
    clock.turnBegins(at: Clock.now())
    meter.turnBegins(at: now.monotonic)
    workers.pulse.turns.add(1, ordering: .relaxed)
    strangerSteps = 0
    let accepts = sort(events: count)
    tellOfLinks()
    openMail()
    if accepts.peers { acceptLinks() }
    if accepts.clients { acceptClients(speaking: .protocol) }
    if accepts.http { acceptClients(speaking: .http) }
    readClients()
    goOnWithStreams()
    if clock.isTickDue(at: now.monotonic) { tick() }
    core.flush(now: now, into: &effects)
    perform()
  }

  /// Waits for events, no longer than until the next tick.
  private mutating func wait() -> Int {
    let time = Clock.monotonic()
    meter.turnEnds(at: time)
    let isBusy = effects.wantsTurn || clients.hasReady || links.hasNews || clock.isTickDue(at: time)
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
    let count = poller.wait(milliseconds: clock.millisecondsToTick(from: time))
    inbox.wokeUp()
    return count
  }

  /// Deals with links at once, and notes clients and listeners for later in the turn.
  private mutating func sort(events count: Int) -> (clients: Bool, peers: Bool, http: Bool) {
    var accepts = (clients: false, peers: false, http: false)
    for index in 0..<count {
      let token = poller.token(at: index)
      let readiness = poller.readiness(at: index)
      let id = Source.id(of: token)
      switch Source(token: token) {
      case .link: linkReady(id, readiness)
      case .client: clientReady(id, readiness)
      case .clientListener: accepts.clients = true
      case .peerListener: accepts.peers = true
      case .httpListener: accepts.http = true
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
      case .secured(let renewed): security = renewed
      case .rendered(let figures): rendered(figures)
      case .stop:
        if clock.beginStop(within: options.stopSeconds) { core.stop(now: now) }
      }
    }
    mail.removeAll(keepingCapacity: true)
  }

  private mutating func tick() {
    if let usage = memory.look(at: now.monotonic) { core.memoryMeasured(usage, now: now) }
    core.tick(now: now)
    clock.ticked()
    expireClients()
    expireHandshakes()
    expireIncomplete()
    expireLinks()
    listeners.resumeIfDue(at: now.monotonic, poller)
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
    total.logWriteTimes = workers.pulse.logWriteTimes.withLock { $0 }
    total.certificates = security.certificates
    total.logLinesDropped = logger.droppedCount
    core.measured(total, now: now)
    if memory.takeTrim() { workers.trimMemory() }
    if measured.longestTurn >= LoopOptions.slowTurn {
      logger.log(
        .warning,
        "the loop was slow longest_turn_ms=\(measured.longestTurn / 1000) busy_permille=\(measured.busyPermille)")
    }
    if gauges.clientsRefused > meter.refusedBefore {
      let count = gauges.clientsRefused - meter.refusedBefore
      logger.log(.warning, "clients refused count=\(count) clients=\(clients.count) max_clients=\(clientLimit.current)")
    }
    meter.refusedBefore = gauges.clientsRefused
    if let line = failureLog.second() { logger.log(.warning, line) }
    for line in expiry.lines(security, now: now.wall.microseconds / 1_000_000) { logger.log(.warning, line) }
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
    for id in clients.allIDs { clients.find(id)?.pointee.stream.endOutput() }
    workers.stop(waitingForLog: code == 0)
    return code
  }
}
