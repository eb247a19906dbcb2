import Base

@testable import Raft

/// What a schedule found to be untrue.
struct Violation: Error, CustomStringConvertible {
  var description: String
}

/// A cluster under a random schedule: any event at any time, every message lost, doubled or late, every crash loses what
/// was not durable. Everything follows from the seed.
struct Schedule {
  /// How often what happens, in a thousand events; drawn anew for each seed, so that schedules differ in character.
  struct Weather {
    var deliver = 900
    var tick = 120
    var write = 150
    var apply = 120
    var propose = 60
    var change = 0
    var read = 20
    var transfer = 0
    var crash = 0
    var snapshot = 10
    var partition = 0
    var campaign = 1
    /// A node is told to take over, asking nobody: elections that pre-vote would spare.
    var usurp = 0
    var unreachable = 2
    /// A node that crashes finds its disk as it was some time ago.
    var rot = 0
    /// In a thousand messages.
    var lost = 0
    var doubled = 0
    var isReordering = true

    var total: Int {
      deliver + tick + write + apply + propose + change + read + transfer + crash + snapshot + partition + campaign
        + usurp + unreachable
    }
  }

  var generator: SeededGenerator
  var weather = Weather()
  var nodes: [TestNode] = []
  var network: [Message] = []
  /// By node, which others it does not hear.
  var deaf: [Set<Int>] = []
  var transfers: [(from: Int, to: Int, after: LogIndex)] = []
  var nextValue: UInt64 = 0
  var nextRead: UInt64 = 0
  /// What was committed when the read was asked for.
  var readFloors: [UInt64: LogIndex] = [:]
  var readsDone = 0
  var answersAtRest = 0
  /// At most so many nodes are damaged at a time: a minority, whatever the membership.
  var maxDamaged = 0
  var damages = 0
  /// How often a node was removed and added again before it had heard of it.
  var returns = 0

  // What all nodes together have shown so far.
  var leaders: [Term: NodeID] = [:]
  /// Committed entries, from index 1.
  var committed: [LogEntry] = []
  var committedInTerm: [Term] = []
  /// The state machine's digest after each index, from index 1.
  var digests: [UInt64] = []

  init(seed: UInt64, nodeCount: Int, voters: Int) throws {
    generator = SeededGenerator(seed: seed)
    var options = RaftOptions()
    options.maxMessageBytes = 40 + random(200)
    options.maxInflightBytes = options.maxMessageBytes + random(600)
    options.maxUncommittedBytes = 3000
    options.announcesCommits = chance(300)
    options.idleAfterTicks = [1, 3, .max][random(3)]
    let ids = (1...UInt64(nodeCount)).map { NodeID($0) }
    let first = Configuration(founders: Array(ids.prefix(voters)))
    let founding = LogEntry(index: LogIndex(1), term: Term(1), kind: .configuration, payload: first.payload)
    nodes = try ids.enumerated().map { offset, id in
      offset < voters
        ? try TestNode(id: id, options: options, founding: founding)
        : try TestNode(id: id, options: options, configuration: .empty)
    }
    committed = [founding]
    committedInTerm = [founding.term]
    digests = [TestNode.chain(0, founding)]
    deaf = Array(repeating: [], count: nodeCount)
    drawWeather()
  }
  mutating func drawWeather() {
    weather.lost = [0, 10, 50, 200][random(4)]
    weather.doubled = [0, 10, 100][random(3)]
    weather.isReordering = chance(500)
    weather.change = [0, 3, 10, 30][random(4)]
    weather.transfer = [0, 2, 5][random(3)]
    weather.crash = [0, 1, 4, 10][random(4)]
    weather.partition = [0, 2, 5][random(3)]
    weather.write = [50, 150, 300][random(3)]
    weather.tick = [30, 60, 120][random(3)]
    weather.usurp = [0, 2, 8, 20][random(4)]
    weather.campaign = [0, 1, 5][random(3)]
    if maxDamaged > 0 {
      weather.rot = [100, 300, 600][random(3)]
      weather.crash = [1, 4, 10][random(3)]
    }
  }

  mutating func random(_ bound: Int) -> Int { Int(generator.next() % UInt64(bound)) }
  mutating func chance(_ inThousand: Int) -> Bool { random(1000) < inThousand }

  // MARK: Events

  mutating func run(events: Int) throws {
    for event in 0..<events {
      try step()
      if event % 64 == 0 { try checkLogsMatch() }
      if event % 2000 == 1999 { drawWeather() }
    }
    try heal()
  }

  private mutating func step() throws {
    let w = weather
    var dice = random(w.total)
    /// Whether the dice fell on this event.
    func falls(_ weight: Int) -> Bool {
      dice -= weight
      return dice < 0
    }
    if falls(w.deliver) { return try deliver() }
    let at = random(nodes.count)
    if falls(w.tick) {
      let isIdleBeat = chance(300)
      return try event(at) { $0.group.tick(isIdleBeat: isIdleBeat) }
    }
    if falls(w.write) { return try event(at) { $0.completeWrite() } }
    if falls(w.apply) { return try apply(at, atMost: 1 + random(5)) }
    if falls(w.propose) { return try propose(probableLeader(at)) }
    if falls(w.change) { return try change(probableLeader(at)) }
    if falls(w.read) { return try read(probableLeader(at)) }
    if falls(w.transfer) { return try transfer(probableLeader(at)) }
    if falls(w.crash) { return try crashOrRestart(at) }
    if falls(w.snapshot) { return try snapshot(at) }
    if falls(w.partition) { return partition(at) }
    if falls(w.campaign) { return try event(at) { $0.group.campaign() } }
    if falls(w.usurp) { return try event(at) { $0.group.takeTimeoutNow() } }
    let peer = nodes[random(nodes.count)].id
    try event(at) { $0.group.reportUnreachable(peer) }
  }
  /// Mostly some node that believes to lead, so that orders do not all go astray.
  private mutating func probableLeader(_ at: Int) -> Int {
    let leaders = nodes.indices.filter { nodes[$0].isUp && nodes[$0].group.role == .leader }
    return leaders.isEmpty || chance(200) ? at : leaders[random(leaders.count)]
  }

  /// Something happens to a node that is up; then what it wants is mostly done, and all is checked.
  mutating func event(_ at: Int, _ body: (inout TestNode) throws -> Void) throws {
    guard nodes[at].isUp else { return }
    let before = nodes[at].group.configuration
    try body(&nodes[at])
    try observe(at, configurationBefore: before)
    if chance(900) { try takeReady(at) }
  }

  mutating func takeReady(_ at: Int) throws {
    let before = nodes[at].group.configuration
    let ready = nodes[at].group.takeReady()
    try observe(at, configurationBefore: before)
    if let persist = ready.persist { nodes[at].writing.append(persist) }
    for message in ready.messages {
      try checkPromise(message, at)
      network.append(try Self.recoded(message))
    }
    nodes[at].toApply += ready.committed
    for state in ready.readStates {
      guard let floor = readFloors.removeValue(forKey: state.context) else {
        throw Violation(description: "read \(state.context) was answered twice")
      }
      readsDone += 1
      if state.index < floor { throw Violation(description: "a read at \(state.index) is older than \(floor)") }
    }
    for context in ready.readsRefused where readFloors.removeValue(forKey: context) == nil {
      throw Violation(description: "read \(context) was answered and refused")
    }
    if let born = ready.successor {
      returns += 1
      try nodes[at].beginAnew(born: born)
    }
    for need in ready.snapshotNeeded { transfers.append((at, Int(need.peer.rawValue) - 1, need.afterIndex)) }
  }
  /// Through the codec and back, for every message that is sent.
  static func recoded(_ message: Message) throws -> Message {
    var buffer = ByteBuffer()
    message.encode(into: &buffer)
    var reader = ByteReader(buffer.bytes)
    var copy = try Message(decoding: &reader)
    // It goes with heartbeats that travel together, which are written otherwise.
    copy.mayWait = message.mayWait
    guard copy == message, reader.isAtEnd, buffer.count <= message.encodedBound else {
      throw Violation(description: "\(message) became \(copy)")
    }
    return copy
  }

  private mutating func deliver() throws {
    while network.count > 400 { network.remove(at: random(network.count)) }
    guard !network.isEmpty else { return }
    let at = weather.isReordering ? random(min(network.count, 60)) : 0
    let message = chance(weather.doubled) ? network[at] : network.remove(at: at)
    if chance(weather.lost) { return }
    let (from, to) = (Int(message.from.node.rawValue) - 1, Int(message.to.node.rawValue) - 1)
    if deaf[to].contains(from) { return }
    if chance(500), nodes[to].isUp, try answerAtRest(message, to) { return }
    try event(to) { $0.group.step(message) }
  }
  /// A heartbeat may be answered at once; what comes of it, and what is left, is as if it had been stepped. False: nothing was done.
  private mutating func answerAtRest(_ message: Message, _ at: Int) throws -> Bool {
    var (quick, slow) = (nodes[at].group, nodes[at].group)
    guard let answer = quick.answerAtRest(message) else {
      guard !chance(50) || "\(quick)" == "\(slow)" else {
        throw Violation(description: "\(message) was refused, and changed something")
      }
      return false
    }
    slow.step(message)
    nodes[at].group = quick
    var (ready, other) = (quick.takeReady(), slow.takeReady())
    ready.messages.append(answer)
    // Those that waited leave with the next that are taken.
    ready.messages.sort { "\($0)" < "\($1)" }
    other.messages.sort { "\($0)" < "\($1)" }
    guard "\(ready)" == "\(other)", "\(quick)" == "\(slow)" else {
      throw Violation(description: "\(message) was answered otherwise than it is: \(ready) and \(other)")
    }
    answersAtRest += 1
    network.append(try Self.recoded(answer))
    return true
  }
  mutating func apply(_ at: Int, atMost count: Int) throws {
    for _ in 0..<count {
      guard nodes[at].isUp, let entry = nodes[at].applyOne() else { return }
      let place = Int(entry.index.rawValue) - 1
      guard committed.indices.contains(place), committed[place] == entry else {
        throw Violation(description: "\(nodes[at].id) applied \(entry), which is not what was committed there")
      }
      try checkDigest(at)
    }
  }
  private mutating func propose(_ at: Int) throws {
    nextValue += 1
    var payload = withUnsafeBytes(of: nextValue.littleEndian) { Array($0) }
    payload += Array(repeating: 0, count: random(60))
    try event(at) { _ = try? $0.group.propose(payload) }
  }
  private mutating func change(_ at: Int) throws {
    var voters: [NodeID] = []
    var learners: [NodeID] = []
    for node in nodes {
      let dice = random(10)
      if dice < 6 { voters.append(node.id) } else if dice < 8 { learners.append(node.id) }
    }
    guard voters.count > 2 * maxDamaged else { return }
    try event(at) {
      _ = try? $0.group.propose(voters: voters, learners: learners, ifVersion: $0.group.configuration.version)
    }
  }
  private mutating func read(_ at: Int) throws {
    nextRead += 1
    let context = nextRead
    let floor = LogIndex(UInt64(committed.count))
    guard nodes[at].isUp else { return }
    do throws(ProposalRefused) {
      try nodes[at].group.readIndex(context: context)
      readFloors[context] = floor
    } catch { return }
    if chance(500) { try takeReady(at) }
  }
  private mutating func transfer(_ at: Int) throws {
    let target = nodes[random(nodes.count)].id
    try event(at) { try? $0.group.transferLeadership(to: target) }
  }
  private mutating func crashOrRestart(_ at: Int) throws {
    if !nodes[at].isUp { return try restart(at) }
    crash(at)
    if chance(500) { try restart(at) }
  }
  /// Some of the writes under way reached the disk, the last of them perhaps in part.
  mutating func crash(_ at: Int) {
    nodes[at].isUp = false
    let writing = nodes[at].writing
    let whole = random(writing.count + 1)
    for persist in writing.prefix(whole) { nodes[at].disk.write(persist) }
    if whole < writing.count { nodes[at].disk.write(writing[whole], records: random(4)) }
    nodes[at].writing = []
  }
  private mutating func restart(_ at: Int) throws {
    let damaged = nodes.indices.filter { $0 != at && nodes[$0].disk.hardState.damage.isOpen }.count
    if chance(weather.rot), damaged < maxDamaged {
      damages += 1
      if chance(200) {
        nodes[at].disk.rotSnapshot()
        transfers.removeAll { $0.from == at }
      } else {
        nodes[at].disk.rot(to: random(nodes[at].disk.moments + 1))
      }
    }
    try nodes[at].restart()
    try takeReady(at)
  }
  private mutating func snapshot(_ at: Int) throws {
    if chance(400) {
      guard nodes[at].isUp else { return }
      nodes[at].makeSnapshot(keepingTail: [0, 200, 1000][random(3)])
    } else if !transfers.isEmpty {
      try transferSnapshot(transfers.remove(at: random(transfers.count)), fails: chance(200))
    }
  }
  mutating func transferSnapshot(_ job: (from: Int, to: Int, after: LogIndex), fails: Bool) throws {
    guard nodes[job.from].isUp else { return }
    let snapshot = nodes[job.from].disk.snapshot
    if snapshot.position.index < job.after {
      throw Violation(description: "a snapshot is needed that nobody has made")
    }
    let succeeds = !fails && nodes[job.to].isUp
    if succeeds { try event(job.to) { _ = $0.install(snapshot) } }
    let peer = nodes[job.to].id
    try event(job.from) { $0.group.snapshotSent(to: peer, index: snapshot.position.index, succeeded: succeeds) }
  }
  private mutating func partition(_ at: Int) {
    for other in nodes.indices { deaf[other] = [] }
    switch random(3) {
    case 0: break
    case 1:
      for other in nodes.indices where other != at {
        deaf[at].insert(other)
        deaf[other].insert(at)
      }
    default: deaf[at].insert(random(nodes.count))
    }
  }

  // MARK: Recovery

  /// Everything works again: there must soon be a leader, and all must come to agree.
  private mutating func heal() throws {
    for at in nodes.indices {
      deaf[at] = []
      if !nodes[at].isUp { try restart(at) }
    }
    weather.lost = 0
    weather.doubled = 0
    weather.isReordering = false
    var probe: LogIndex?
    for _ in 0..<200 {
      for at in nodes.indices { try event(at) { $0.group.tick() } }
      try quiesce()
      if let leader = nodes.indices.first(where: { nodes[$0].group.hasCommittedInOwnTerm }) {
        if probe == nil { try event(leader) { probe = try? $0.group.propose([1, 2, 3]) } }
        let group = nodes[leader].group
        if let probe, group.commitIndex >= probe, !group.configuration.isJoint,
          group.configuration.members.allSatisfy({ nodes[Int($0.node.rawValue) - 1].applied == group.lastIndex })
        {
          return try checkLogsMatch()
        }
      }
    }
    throw Violation(description: "after all was healed, the cluster did not come to rest:\n\(summary)")
  }
  private var summary: String {
    var lines: [String] = []
    for node in nodes {
      let (group, log) = (node.group, node.group.log)
      lines.append(
        "\(node.id.rawValue): \(group.role) term \(group.term.rawValue) vote \(group.vote) log \(log.start.index.rawValue)"
          + "...\(log.lastIndex.rawValue) at \(log.lastTerm.rawValue) stable \(group.stableIndex.rawValue) commit \(group.commitIndex.rawValue)"
          + " applied \(node.applied.rawValue) damage \(group.damage) voters \(group.configuration.voters)"
          + " outgoing \(group.configuration.outgoing) learners \(group.configuration.learners)"
      )
      for peer in group.progress {
        lines.append("   \(peer.id) \(peer.state) match \(peer.match.rawValue) \(peer.isActive)")
      }
    }
    return lines.joined(separator: "\n")
  }
  private mutating func quiesce() throws {
    for _ in 0..<40 {
      for at in nodes.indices {
        try takeReady(at)
        while !nodes[at].writing.isEmpty { try event(at) { $0.completeWrite() } }
        try takeReady(at)
        try apply(at, atMost: 1000)
      }
      let messages = network
      network = []
      if messages.isEmpty && transfers.isEmpty { return }
      for message in messages { try event(Int(message.to.node.rawValue) - 1) { $0.group.step(message) } }
      let jobs = transfers
      transfers = []
      for job in jobs { try transferSnapshot(job, fails: false) }
    }
  }
}
