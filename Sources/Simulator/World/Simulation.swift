import Base
import Cluster
import Storage

/// A whole cluster in one thread and in virtual time: the production `Node` and `Storage` over a simulated network, disks
/// and clocks. One seed decides everything that chance decides, so the same seed gives the same run, always.
public final class Simulation {
  /// What may go wrong, and how often. Chances are of 1,000 unless they say otherwise.
  public struct Faults: Sendable {
    /// That a transmission breaks its connection, and both ends learn of it.
    public var lossPerMille: UInt64 = 0
    /// That a transmission is lost and sent again: it comes up to seconds later, and so does all that follows it there.
    public var resendPerMille: UInt64 = 0
    /// That an attempt to connect goes wrong, perhaps on one side only.
    public var dialPerMille: UInt64 = 0
    /// How long bytes travel, in microseconds; by host pair some more where `distance` says so.
    public var minimumDelay: UInt64 = 200
    public var maximumDelay: UInt64 = 2_000
    public var distance: [[UInt64]] = []
    /// Bytes a second from host to host, over all connections; 0, or nothing at all: no bound.
    public var bandwidth: [[UInt64]] = []
    /// How long a log write takes, in microseconds.
    public var minimumWrite: UInt64 = 50
    public var maximumWrite: UInt64 = 1_000
    /// How fast snapshots are written.
    public var bytesPerMicrosecond = 20
    /// How long a turn of a node takes that has more to do.
    public var busyTurn: UInt64 = 1_000
    /// How often a node is told the time.
    public var tickInterval: UInt64 = 10_000
    public init() {}
  }

  public internal(set) var now = Simulation.begin
  private static let begin: UInt64 = 1_000_000
  /// Wall time at virtual time 0: 2025-12-31T23:59:40Z, so that a day, a month and a year end early in each scenario.
  public static let epoch: Int64 = 1_767_225_580_000_000
  public var faults: Faults
  let turnRunner: (any TurnRunner)?
  let observer: (any ReplicaObserver)?
  let logOptions: WriteAheadLog.Options
  /// Where old segments of the journals of all hosts go; nil: they stay.
  public var archive: MemoryFileSystem? {
    didSet { try? archive?.createDirectory(Simulation.archiveDirectory) }
  }
  /// Of hosts that do not read that one.
  public var ownArchives: [Int: MemoryFileSystem] = [:] {
    didSet { for store in ownArchives.values { try? store.createDirectory(Simulation.archiveDirectory) } }
  }
  static let archiveDirectory = "/archive"
  var random: SeededGenerator
  public private(set) var hosts: [SimulatedHost] = []
  var events = EventQueue()
  /// A running hash of everything that happened, to compare two runs of one seed.
  public private(set) var trace: UInt64 = 0
  /// What chance did to the network, and how often the power went in the middle of a change to a disk.
  public internal(set) var faultCounts = FaultCounts()
  public struct FaultCounts: Sendable {
    public var lost = 0
    public var resent = 0
    public var misdialled = 0
    public var torn = 0
  }
  public internal(set) var network = Network()
  /// What operators would read: warnings and errors.
  public internal(set) var log: [String] = []
  /// Hears of everything worth telling: for a transcript. `host` is -1 for what is of no one host.
  public var transcript: ((_ host: Int, _ text: String) -> Void)?
  /// Hears each time that other hosts may be able to reach each other than before.
  var reachabilityChanged: (() -> Void)?
  /// Hears of each process that ends by a trap.
  public var trapped: ((_ host: SimulatedHost) -> Void)?
  /// Hears of each error that a node logs, and of each process that ends or cannot start of itself.
  public var errorReported: ((_ host: SimulatedHost, _ text: String) -> Void)?
  /// Why processes ended by themselves.
  public internal(set) var ends: [String] = []
  /// Hears all that nodes say to each other.
  var overhears: ((_ wire: UInt64, _ from: Int, _ bytes: [UInt8]) -> Void)?
  /// The same where it arrives.
  var hears: ((_ wire: UInt64, _ by: Int, _ bytes: [UInt8]) -> Void)?

  public init(
    seed: UInt64, nodes: Int, faults: Faults = Faults(), turnRunner: (any TurnRunner)? = nil,
    observer: (any ReplicaObserver)? = nil, archive: MemoryFileSystem? = nil,
    logOptions: WriteAheadLog.Options = .init(segmentBytes: 1 << 20, maxRecordBytes: 512 << 10),
    configure: (inout NodeConfiguration) -> Void = { _ in }
  ) {
    self.turnRunner = turnRunner
    self.observer = observer
    self.archive = archive
    try? archive?.createDirectory(Simulation.archiveDirectory)
    self.logOptions = logOptions
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

  /// Another machine, with a disk as it is: for instance a copy of one. Nothing runs there until `start`.
  /// - Returns: its number.
  public func addHost(_ configuration: NodeConfiguration, disk: MemoryFileSystem) -> Int {
    hosts.append(
      SimulatedHost(number: hosts.count, configuration: configuration, disk: disk, identity: random.next() | 1))
    return hosts.count - 1
  }

  func moment(_ host: SimulatedHost) -> Moment {
    host.clock.moment(at: now, origin: Simulation.begin, host: host.number)
  }
  func chance(_ perMille: UInt64) -> Bool { perMille > 0 && random.next() % 1000 < perMille }
  func between(_ low: UInt64, _ high: UInt64) -> UInt64 { low + random.next() % (high - low + 1) }
  func note(_ values: UInt64...) {
    for value in values { trace = (trace ^ value) &* 0x0000_0100_0000_01B3 &+ 0x9E37_79B9_7F4A_7C15 }
  }
  public func note(text: String) {
    var text = text
    note(now, text.withUTF8 { xxh64(UnsafeRawBufferPointer($0)) })
  }
  /// Tells a person what happened: costs nothing while nobody listens.
  func tell(_ host: Int, _ text: @autoclosure () -> String) { transcript?(host, text()) }

  /// Where everything stands, for a person who looks into a failure.
  public var report: String {
    var lines = [
      "at \(now), \(events.pushed) events: "
        + zip(Event.kinds, counts).map { "\($0) \($1)" }.joined(separator: ", ")
    ]
    for host in hosts {
      lines.append("\(host.configuration.name): \(host.node?.view.report ?? "not running \(host.failure ?? "")")")
    }
    for (id, wire) in network.wires.sorted(by: { $0.key < $1.key }) {
      let ends = wire.ends.map {
        "\(hosts[$0.host].name) open=\($0.isOpen) held=\($0.held.count) last=\($0.lastArrival)"
      }
      lines.append("wire \(id) \(ends.joined(separator: " - ")) broken=\(wire.isBroken)")
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

  /// The end of a simulation: nothing happens any more, and nobody listens.
  func forgetEvents() {
    events.removeAll()
    for host in hosts {
      host.deferred = []
      host.diskPace.waiting = []
      host.clients = [:]
    }
  }
  func schedule(after delay: UInt64, _ what: Event) { events.push(at: now + delay, what) }
  /// Has `body` called later: what the world beside the cluster does.
  public func call(after delay: UInt64, _ body: @escaping () -> Void) { schedule(after: delay, .call(body)) }
  /// The same for what a host's process must be awake for: while it is stopped, this waits.
  public func call(on host: Int, after delay: UInt64, _ body: @escaping () -> Void) {
    schedule(after: delay, .visit(host: host, body))
  }

  enum Event {
    case tick(host: Int, generation: Int)
    case bytes(wire: UInt64, end: Int, [UInt8])
    case closed(wire: UInt64, end: Int)
    case accepted(wire: UInt64, end: Int)
    /// An end has waited too long for what it sent to be taken.
    case unheard(wire: UInt64, end: Int, since: UInt64)
    /// What stayed away from an end is sent once more.
    case resent(wire: UInt64, end: Int)
    case dialled(host: Int, generation: Int, request: UInt64, address: String)
    case dialFailed(host: Int, generation: Int, request: UInt64)
    case written(host: Int, generation: Int, LogBatch)
    case job(host: Int, generation: Int, Job)
    case drained(host: Int, generation: Int, LinkID)
    case turn(host: Int, generation: Int)
    case call(() -> Void)
    case visit(host: Int, () -> Void)

    static let kinds = [
      "tick", "bytes", "closed", "accepted", "unheard", "dialled", "dialFailed", "written", "job", "drained", "turn",
      "call", "visit", "resent",
    ]
    var kind: Int {
      switch self {
      case .tick: 0
      case .bytes: 1
      case .closed: 2
      case .accepted: 3
      case .unheard: 4
      case .dialled: 5
      case .dialFailed: 6
      case .written: 7
      case .job: 8
      case .drained: 9
      case .turn: 10
      case .call: 11
      case .visit: 12
      case .resent: 13
      }
    }
  }

  /// Events handled, by kind.
  private var counts = [Int](repeating: 0, count: Event.kinds.count)

  /// The host to whose process an event happens, if it still is there.
  private func host(of event: Event) -> Int? {
    switch event {
    case .tick(let host, _), .dialled(let host, _, _, _), .dialFailed(let host, _, _), .written(let host, _, _),
      .job(let host, _, _), .drained(let host, _, _), .turn(let host, _), .visit(let host, _):
      host
    case .bytes(let wire, let end, _), .closed(let wire, let end), .accepted(let wire, let end),
      .unheard(let wire, let end, _), .resent(let wire, let end):
      network.wires[wire]?.ends[end].host
    case .call: nil
    }
  }

  private func handle(_ event: Event) {
    if let number = host(of: event), hosts[number].isFrozen {
      hosts[number].deferred.append(event)
      return
    }
    counts[event.kind] += 1
    switch event {
    case .tick(let number, let generation):
      guard let (host, node) = process(number, generation) else { return }
      node.tick(now: moment(host))
      if now >= host.nextMaintenance { maintain(host, node) }
      schedule(after: faults.tickInterval, .tick(host: number, generation: generation))
      perform(host)
    case .bytes(let id, let end, let bytes): arrive(wire: id, end: end, bytes)
    case .closed(let id, let end): arrive(wire: id, end: end, nil)
    case .accepted(let id, let end): accepted(wire: id, end: end)
    case .unheard(let id, let end, let since): unheard(wire: id, end: end, since: since)
    case .resent(let id, let end): resent(wire: id, end: end)
    case .dialled(let number, let generation, let request, let address): dialled(number, generation, request, address)
    case .dialFailed(let number, let generation, let request):
      guard let (host, node) = process(number, generation) else { return }
      node.linkFailed(request: request, now: moment(host))
      perform(host)
    case .written(let number, let generation, let batch): write(batch, number, generation)
    case .job(let number, let generation, let job): run(job, number, generation)
    case .drained(let number, let generation, let link):
      guard let (host, node) = process(number, generation) else { return }
      node.linkDrained(link, now: moment(host))
      perform(host)
    case .turn(let number, let generation):
      guard let (host, _) = process(number, generation) else { return }
      host.isTurnScheduled = false
      perform(host)
    case .call(let body), .visit(_, let body): body()
    }
  }

  /// The process for which an event was meant, if it still runs.
  func process(_ number: Int, _ generation: Int) -> (SimulatedHost, Node)? {
    let host = hosts[number]
    guard host.generation == generation, let node = host.node else { return nil }
    return (host, node)
  }
}
