import Base
import Cluster
import Storage

/// A whole cluster in one thread and in virtual time: the production `Node` and `Storage` over a simulated network, disks
/// and clocks. One seed decides everything that chance decides, so the same seed gives the same life, always.
public final class Simulation {
  /// What may go wrong, and how often. Chances are of 1,000.
  public struct Faults: Sendable {
    public var lossPerMille: UInt64 = 0
    /// A link is cut and both ends learn of it.
    public var minimumDelay: UInt64 = 200
    public var maximumDelay: UInt64 = 2_000
    /// How long a log write takes, in microseconds.
    public var minimumWrite: UInt64 = 50
    public var maximumWrite: UInt64 = 1_000
    /// How long a turn of a node takes that has more to do.
    public var busyTurn: UInt64 = 1_000
    public init() {}
  }

  public private(set) var now: UInt64 = 1_000_000
  /// Wall time at virtual time 0: 2026-01-01T00:00:00Z.
  static let epoch: Int64 = 1_767_225_600_000_000
  public var faults: Faults
  private let turnRunner: (any TurnRunner)?
  var random: SeededGenerator
  public private(set) var hosts: [SimulatedHost] = []
  private var events = EventQueue()
  /// A running hash of everything that happened, to compare two runs of one seed.
  public private(set) var trace: UInt64 = 0
  /// Of all that a node has handed to a link at once, the most bytes.
  public var longestTransmission = 0
  private var nextLink: UInt64 = 1
  private var wires: [UInt64: Wire] = [:]
  /// Pairs of hosts that cannot reach each other.
  private var cuts: Set<Pair> = []
  private var frozen: Set<Int> = []
  public private(set) var log: [String] = []

  struct Pair: Hashable {
    var a: Int
    var b: Int
    init(_ a: Int, _ b: Int) {
      self.a = min(a, b)
      self.b = max(a, b)
    }
  }
  /// A connection: bytes arrive in order, each way.
  struct Wire {
    var ends: [(host: Int, link: LinkID)]
    /// When the last bytes to that end arrive: later ones do not overtake them.
    var lastArrival: [UInt64]
    var closed = false
  }

  public init(
    seed: UInt64, nodes: Int, faults: Faults = Faults(), turnRunner: (any TurnRunner)? = nil,
    configure: (inout NodeConfiguration) -> Void = { _ in }
  ) {
    self.turnRunner = turnRunner
    random = SeededGenerator(seed: seed)
    self.faults = faults
    let regions = ["east", "north", "west"]
    let addresses = (0..<nodes).map { "node-\($0):7501" }
    for i in 0..<nodes {
      var configuration = NodeConfiguration(
        name: "\(regions[i % 3])-\(i / 3 + 1)", region: regions[i % 3], clientAddress: "node-\(i):7401",
        peerAddress: addresses[i], join: addresses)
      configuration.snapshotLogBytes = 64 << 10
      configuration.logTailBytes = 8 << 10
      configuration.diskReserve = DiskReserve(byteCount: 2 << 20)
      configure(&configuration)
      hosts.append(
        SimulatedHost(
          number: i, configuration: configuration, disk: MemoryFileSystem(),
          identity: random.next() | 1))
    }
    for i in 0..<nodes { start(i) }
  }

  func moment(_ host: SimulatedHost) -> Moment {
    // Monotonic clocks begin anywhere: those of two hosts have nothing in common.
    Moment(
      monotonic: now + UInt64(host.number) * 1_000_000_007,
      wall: Stamp(microseconds: Simulation.epoch + Int64(now) + host.clockOffset))
  }
  func chance(_ perMille: UInt64) -> Bool { perMille > 0 && random.next() % 1000 < perMille }
  func between(_ low: UInt64, _ high: UInt64) -> UInt64 { low + random.next() % (high - low + 1) }
  private func note(_ values: UInt64...) {
    for value in values { trace = (trace ^ value) &* 0x0000_0100_0000_01B3 &+ 0x9E37_79B9_7F4A_7C15 }
  }

  // MARK: Processes

  /// Starts a host's process on what its disk holds.
  public func start(_ number: Int) {
    let host = hosts[number]
    precondition(host.node == nil, "the process runs already")
    do {
      let opened = try NodeStorage.open(
        dataDirectory: "/data", fileSystem: host.disk, newIdentity: host.identity, wall: moment(host).wall,
        logOptions: .init(segmentBytes: 1 << 20, maxRecordBytes: 512 << 10),
        ledgerLimits: host.configuration.ledgerLimits, reserve: host.configuration.diskReserve)
      host.life += 1
      host.isTurnScheduled = false
      host.storage = opened.storage
      host.node = Node(
        configuration: host.configuration, storage: opened.recovered, seed: random.next(), now: moment(host),
        turnRunner: turnRunner)
      host.logBusyUntil = now
      schedule(after: 1, .tick(host: number, life: host.life))
      perform(host)
    } catch {
      host.failure = "\(error)"
      log.append("\(host.configuration.name) cannot start: \(error)")
    }
  }

  /// SIGKILL: nothing more happens in this process; its disk keeps what was synced, and any part of the rest.
  public func kill(_ number: Int) {
    let host = hosts[number]
    guard host.node != nil else { return }
    note(0xDEAD, UInt64(number))
    host.node = nil
    host.storage = nil
    host.clients.removeAll()
    host.requests.removeAll()
    host.disk.crash(.some(seed: random.next()))
    for (id, wire) in wires.sorted(by: { $0.key < $1.key }) where !wire.closed {
      if wire.ends.contains(where: { $0.host == number }) { close(wire: id) }
    }
  }

  /// SIGSTOP: nothing happens in this process until `thaw`, and nobody is told; what is sent to it waits.
  public func freeze(_ number: Int) { frozen.insert(number) }
  /// SIGCONT.
  public func thaw(_ number: Int) { frozen.remove(number) }

  /// Two hosts cannot reach each other until `heal`.
  public func cut(_ a: Int, _ b: Int) {
    cuts.insert(Pair(a, b))
    for (id, wire) in wires.sorted(by: { $0.key < $1.key }) where !wire.closed {
      if Pair(wire.ends[0].host, wire.ends[1].host) == Pair(a, b) { close(wire: id) }
    }
  }
  public func heal() { cuts.removeAll() }

  // MARK: Clients

  /// Connects a terminal to a host. Its answers are gathered in `SimulatedClient.received`.
  public func connect(to number: Int) -> SimulatedClient? {
    let host = hosts[number]
    guard let node = host.node else { return nil }
    nextLink += 1
    let client = SimulatedClient(id: ClientID(nextLink), host: number, life: host.life)
    host.clients[client.id] = client
    node.clientOpened(client.id, from: "terminal", now: moment(host))
    return client
  }
  public func send(_ text: String, on client: SimulatedClient) {
    let host = hosts[client.host]
    guard let node = host.node, host.life == client.life, !client.isClosed else { return }
    client.unread.append(contentsOf: Array(text.utf8))
    offer(client, node, host)
    perform(host)
  }
  private func offer(_ client: SimulatedClient, _ node: Node, _ host: SimulatedHost) {
    let bytes = client.unread
    let consumed = bytes.withUnsafeBytes { node.clientReceived(client.id, $0, now: moment(host)) }
    client.unread.removeFirst(consumed)
  }

  /// Where everything stands, for a person who looks into a failure.
  public var report: String {
    var lines = [
      "at \(now), \(events.pushed) events: \(counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" })"
    ]
    for host in hosts {
      lines.append("\(host.configuration.name): \(host.node?.report ?? "not running \(host.failure ?? "")")")
    }
    return (lines + log.suffix(20)).joined(separator: "\n")
  }

  // MARK: Time

  /// Runs until a moment of virtual time, or until `until` holds.
  @discardableResult
  public func run(for microseconds: UInt64, until done: () -> Bool = { false }) -> Bool {
    let end = now + microseconds
    while !done() {
      guard let event = events.popFirst(before: end) else {
        now = end
        return done()
      }
      now = max(now, event.time)
      handle(event.what)
    }
    return true
  }

  private func schedule(after delay: UInt64, _ what: Event) { events.push(at: now + delay, what) }

  enum Event {
    case tick(host: Int, life: Int)
    case bytes(wire: UInt64, end: Int, [UInt8])
    case closed(wire: UInt64, end: Int)
    case dialled(host: Int, life: Int, request: UInt64, address: String, bulk: Bool)
    case written(host: Int, life: Int, LogBatch)
    case job(host: Int, life: Int, Job)
    case drained(host: Int, life: Int, LinkID)
    case turn(host: Int, life: Int)

    var kind: String {
      switch self {
      case .tick: "tick"
      case .bytes: "bytes"
      case .closed: "closed"
      case .dialled: "dialled"
      case .written: "written"
      case .job: "job"
      case .drained: "drained"
      case .turn: "turn"
      }
    }
  }

  /// Events handled, by kind.
  private var counts: [String: Int] = [:]

  /// The host to which an event happens, if it still is there.
  private func host(of event: Event) -> Int? {
    switch event {
    case .tick(let host, _), .dialled(let host, _, _, _, _), .written(let host, _, _), .job(let host, _, _),
      .drained(let host, _, _), .turn(let host, _):
      host
    case .bytes(let wire, let end, _), .closed(let wire, let end): wires[wire]?.ends[end].host
    }
  }

  private func handle(_ event: Event) {
    if let host = host(of: event), frozen.contains(host) {
      schedule(after: 10_000, event)
      return
    }
    counts[event.kind, default: 0] += 1
    switch event {
    case .tick(let number, let life):
      let host = hosts[number]
      guard host.life == life, let node = host.node else { return }
      node.tick(now: moment(host))
      host.ticks += 1
      if host.ticks % 20 == 0 { maintain(host) }
      schedule(after: 10_000, .tick(host: number, life: life))
      perform(host)
    case .bytes(let id, let end, let bytes):
      guard let wire = wires[id], !wire.closed else { return }
      let host = hosts[wire.ends[end].host]
      guard let node = host.node else { return }
      note(id, now, bytes.withUnsafeBytes { xxh64($0) })
      let link = wire.ends[end].link
      var kept = host.unreadLinks[link] ?? []
      kept.append(contentsOf: bytes)
      let consumed = kept.withUnsafeBytes { node.linkReceived(link, $0, now: moment(host)) }
      kept.removeFirst(consumed)
      host.unreadLinks[link] = kept.isEmpty ? nil : kept
      perform(host)
    case .closed(let id, let end):
      guard let wire = wires[id] else { return }
      let host = hosts[wire.ends[end].host]
      host.node?.linkClosed(wire.ends[end].link, now: moment(host))
      perform(host)
    case .dialled(let number, let life, let request, let address, let bulk):
      dialled(number, life, request, address, bulk)
    case .written(let number, let life, let batch):
      let host = hosts[number]
      guard host.life == life, let node = host.node, let storage = host.storage else { return }
      do {
        node.completed(try storage.write(batch), now: moment(host))
        maintain(host)
        perform(host)
      } catch {
        log.append("\(host.configuration.name) dies: \(error)")
        kill(number)
      }
    case .job(let number, let life, let job):
      let host = hosts[number]
      guard host.life == life, let node = host.node, let storage = host.storage else { return }
      node.completed(storage.run(job), now: moment(host))
      perform(host)
    case .drained(let number, let life, let link):
      let host = hosts[number]
      guard host.life == life, let node = host.node else { return }
      node.linkDrained(link, now: moment(host))
      perform(host)
    case .turn(let number, let life):
      let host = hosts[number]
      guard host.life == life, host.node != nil else { return }
      host.isTurnScheduled = false
      perform(host)
    }
  }

  /// Five times a second, and after each batch of the log.
  private func maintain(_ host: SimulatedHost) {
    if let completion = host.storage?.maintain() { host.node?.completed(completion, now: moment(host)) }
  }

  // MARK: Effects

  private func perform(_ host: SimulatedHost) {
    guard let node = host.node else { return }
    var effects = Effects<NodeStorage>()
    node.flush(now: moment(host), into: &effects)
    for (id, bytes) in effects.clientOutput {
      note(id.rawValue, now, bytes.withUnsafeBytes { xxh64($0) })
      host.clients[id]?.receive(bytes)
    }
    for id in effects.clientClose { host.clients.removeValue(forKey: id)?.isClosed = true }
    for (link, bytes) in effects.linkOutput { transmit(host, link, bytes) }
    for (request, address, bulk) in effects.openLink {
      schedule(
        after: delay(), .dialled(host: host.number, life: host.life, request: request, address: address, bulk: bulk))
    }
    for link in effects.linkClose {
      if let id = host.wires[link] { close(wire: id, by: host.number) }
    }
    if let batch = effects.logBatch {
      schedule(
        after: between(faults.minimumWrite, faults.maximumWrite) + host.logDelay,
        .written(host: host.number, life: host.life, batch))
    }
    for job in effects.jobs {
      // Lanes keep their order: each job waits for the one before it in its lane.
      let lane = NodeStorage.lane(of: job)
      host.laneBusyUntil[lane] = max(host.laneBusyUntil[lane], now) + between(5, 200)
      events.push(at: host.laneBusyUntil[lane], .job(host: host.number, life: host.life, job))
    }
    if effects.wantsTurn && !host.isTurnScheduled {
      host.isTurnScheduled = true
      schedule(after: faults.busyTurn, .turn(host: host.number, life: host.life))
    }
    for (level, text) in effects.logLines where level >= .warning {
      log.append("\(now) \(host.configuration.name) \(text)")
    }
    for (id, on) in effects.clientReading where on {
      if let client = host.clients[id], !client.unread.isEmpty { offer(client, node, host) }
    }
    if let exit = effects.exit {
      host.exit = exit.code
      kill(host.number)
    } else if effects.clientReading.contains(where: { $0.on }) {
      perform(host)
    }
  }

  private func delay() -> UInt64 { between(faults.minimumDelay, faults.maximumDelay) }

  private func transmit(_ host: SimulatedHost, _ link: LinkID, _ bytes: [UInt8]) {
    longestTransmission = max(longestTransmission, bytes.count)
    guard let id = host.wires[link], var wire = wires[id], !wire.closed else { return }
    if chance(faults.lossPerMille) {
      // On TCP a loss is a connection that breaks.
      close(wire: id)
      return
    }
    let end = wire.ends[0].link == link && wire.ends[0].host == host.number ? 1 : 0
    let arrival = max(now + delay(), wire.lastArrival[end] + 1)
    wire.lastArrival[end] = arrival
    wires[id] = wire
    events.push(at: arrival, .bytes(wire: id, end: end, bytes))
    schedule(after: 50, .drained(host: host.number, life: host.life, link))
  }

  private func dialled(_ number: Int, _ life: Int, _ request: UInt64, _ address: String, _ bulk: Bool) {
    let host = hosts[number]
    guard host.life == life, let node = host.node else { return }
    guard let target = hosts.first(where: { $0.configuration.peerAddress == address }), let other = target.node,
      !cuts.contains(Pair(number, target.number))
    else {
      node.linkFailed(request: request, now: moment(host))
      perform(host)
      return
    }
    let here = LinkID(nextLink + 1)
    let there = LinkID(nextLink + 2)
    let id = nextLink + 3
    nextLink += 3
    wires[id] = Wire(ends: [(number, here), (target.number, there)], lastArrival: [now, now])
    host.wires[here] = id
    target.wires[there] = id
    node.linkOpened(here, request: request, now: moment(host))
    perform(host)
    other.linkOpened(there, request: nil, now: moment(target))
    perform(target)
  }

  /// Cuts a connection; the ends that did not do it learn of it a moment later.
  private func close(wire id: UInt64, by closer: Int? = nil) {
    guard var wire = wires[id], !wire.closed else { return }
    for (end, place) in wire.ends.enumerated() {
      hosts[place.host].unreadLinks[place.link] = nil
      hosts[place.host].wires[place.link] = nil
      if place.host != closer {
        events.push(at: max(now + delay(), wire.lastArrival[end] + 1), .closed(wire: id, end: end))
      }
    }
    wire.closed = true
    wires[id] = wire
  }
}
