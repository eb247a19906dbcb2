import Base
import Checker
import Cluster

/// Faults end, and all that waits must be answered; then each shard is asked through each node.
extension Scenario {
  /// Ten of the longest waits for an election.
  var patience: UInt64 {
    let configuration = simulation.hosts[0].configuration
    return 10 * UInt64(configuration.electionTicks * 3 / 2) * configuration.heartbeatInterval
  }

  /// Faults end; a random set of hosts with a majority of every group is up, and everything must be answered.
  func quiesce() {
    isFaultPhase = false
    reports.quiescenceBegins()
    endOutage()
    simulation.faults.lossPerMille = 0
    simulation.faults.resendPerMille = 0
    simulation.faults.dialPerMille = 0
    simulation.heal()
    for number in impostors.realDisks.keys.sorted() { putBack(number) }
    // While a member is away its group has a copy less.
    if away == nil { chooseDownHosts() }
    down.formUnion(resizing.removed)
    if plan.resizes { helpNewcomers() }
    for host in simulation.hosts {
      endFaults(at: host)
      guard bringUpOrDown(host) else {
        return fail("\(host.name) does not start in quiescence: \(host.failure ?? "")")
      }
    }
    vouchForMoved()
    clearPoisons()
    if plan.resizes { undrainAll() }
    tell(-1, "quiescence begins; down: \(down.sorted().map { simulation.hosts[$0].name })")
    for client in clients { client.quiesce() }
    askEveryShard()
    waitForAnswers()
    waitForReturn()
    checkOperations()
    checkRemovals()
    checkBackups()
  }

  /// Hosts whose nodes moved, as far as they know themselves, and have not taken their seats since.
  private var movedHosts: [SimulatedHost] {
    simulation.hosts.filter { host in
      guard let view = host.node?.view, let record = view.topology?.node(host.nodeID) else { return false }
      return record.peerAddress != host.configuration.peerAddress && !view.isSeated
    }
  }
  /// A node that moved needs more of the others than one that is where it was (`Seat`): an operator says which are gone.
  private func vouchForMoved() {
    let up = simulation.hosts.filter { !down.contains($0.number) }.map(\.nodeID)
    for host in movedHosts where !down.contains(host.number) {
      guard let topology = host.node?.view.topology else { continue }
      let lost = topology.directoryVoters.filter { !up.contains($0) }.map { String($0.rawValue, radix: 16) }
      guard !lost.isEmpty else { continue }
      tell(host.number, "*** is told that these are lost: \(lost)")
      simulation.killProcess(host.number)
      host.configuration.lost = lost
      simulation.start(host.number)
    }
  }

  private func endFaults(at host: SimulatedHost) {
    host.clock.offset = 0
    host.clock.drift = 0
    simulation.resumeDisk(host.number)
    host.diskPace.slowness = 1
    simulation.thaw(host.number)
    host.disk.setCapacity(.max)
    host.disk.limitOpenFiles(to: nil)
    host.memoryLimit = .max
    host.disk.failSync(after: .max)
    host.disk.cutPower(afterSteps: nil)
    host.disk.cancelFaults()
  }
  /// Has a host down, or up.
  /// - Returns: false of one that should start and cannot.
  private func bringUpOrDown(_ host: SimulatedHost) -> Bool {
    // What a disk has refused is made anew from the log when the process starts.
    // And a process that is about to stop, or has no power and has not noticed, has stopped.
    if damage.faultyDisks.contains(host.number) || stopped[host.number] == host.generation || host.disk.isPowerOut {
      simulation.killProcess(host.number)
    }
    if down.contains(host.number) {
      if random.chance(500) { simulation.kill(host.number) } else { simulation.cutPower(host.number) }
    } else if host.node == nil, !simulation.start(host.number) {
      guard damage.hosts.contains(host.number) else { return false }
      down.insert(host.number)
    }
    return true
  }

  /// Until all that is asked is answered, which must be soon.
  func waitForAnswers() {
    let began = simulation.now
    let isDone = { [self] in failure != nil || clients.allSatisfy(\.pending.isEmpty) }
    var quiet = simulation.run(for: patience, until: isDone)
    // A majority that has to be sent a snapshot first takes its time: here its pieces are of a few bytes.
    let views = simulation.hosts.flatMap { $0.node?.view.replicas ?? [] }
    if !quiet && (reports.lastInstall > began || views.contains(where: \.sendsSnapshot)) {
      quiet = simulation.run(for: 3 * patience, until: isDone)
      // Over narrow ways more yet: as long as more comes, ten minutes at most.
      let all = Array(simulation.hosts.indices)
      for _ in 0..<20 where !quiet && plan.network.bandwidth > 0 {
        let received = bytesReceived(by: all)
        quiet = simulation.run(for: 30_000_000, until: isDone)
        if bytesReceived(by: all) <= received { break }
      }
    }
    // What waits for all shards in turn, over long ways, goes on while something comes of it.
    var left = clients.reduce(0) { $0 + $1.pending.count }
    for _ in 0..<3 where !quiet && plan.network.distances[0] > 0 {
      quiet = simulation.run(for: patience, until: isDone)
      let now = clients.reduce(0) { $0 + $1.pending.count }
      if now >= left { break }
      left = now
    }
    guard failure == nil else { return }
    let waiting = clients.flatMap(\.pending)
    let silent = quiet || !onlySafetyIsDue ? [] : waiting.filter { !isReported($0) }
    if onlySafetyIsDue { for client in clients { client.abandon() } }
    guard silent.isEmpty else { return reportViolation("halted without a word; not answered: \(silent.map(\.line))") }
    guard quiet else {
      return fail("not answered within \(patience / 1000) ms of quiescence: \(waiting.map(\.line))")
    }
    tell(-1, "all is answered after \((simulation.now - began) / 1000) ms")
  }

  /// Whom to take down: as many as may be, those in `first` before others.
  func chooseDownHosts(first: [Int] = []) {
    // Replicas may be on their way: what is a majority of a group, only its leader knows.
    if plan.resizes || plan.operations.splits { return }
    // Entries of the future are taken by nobody whose clock is right: to lead the shard without them those who have none
    // may all be needed.
    let present = Simulation.epoch + Int64(simulation.now) + 400_000
    let views = simulation.hosts.flatMap { $0.node?.view.replicas ?? [] }
    let isFutureThere = views.contains { $0.newestUncommittedStamp ?? 0 > present }
    if isFutureThere || clocks.haveJumpedFar && simulation.hosts.contains(where: { $0.node == nil }) { return }
    guard let topology = simulation.hosts.compactMap({ $0.node?.view.topology }).first else { return }
    let groups = topology.shards.map(\.voters) + [topology.directoryVoters]
    var order = Array(simulation.hosts.indices)
    for i in order.indices.reversed() { order.swapAt(i, Int(random.below(UInt64(i + 1)))) }
    order = first + order.filter { !first.contains($0) }
    let count = first.isEmpty ? Int(random.below(UInt64(order.count))) : order.count
    for number in order.prefix(count) {
      let less = down.union([number])
      // A host with damage may have to be given again what it lost, and does not count until then.
      let dead = less.union(damage.hosts).map { founders[$0] }
      if groups.allSatisfy({ voters in voters.filter { !dead.contains($0) }.count * 2 > voters.count }) { down = less }
    }
  }

  /// One name that each shard owns.
  static func membersOfShards(_ topology: Topology) -> [String] {
    topology.shards.map { placement in
      var number = 0
      while topology.shard(ofMember: "p\(number)") != placement.shard { number += 1 }
      return "p\(number)"
    }
  }

  /// Each shard takes a write and answers a read, and the directory takes a write, through each node that is up.
  func askEveryShard() {
    for (number, host) in simulation.hosts.enumerated() where !down.contains(number) && !damage.hosts.contains(number) {
      var requests: [RetryingClient.Pending] = []
      for member in shardMembers {
        var earn = Operation(.earn, member: member, client: "\(host.name)+\(member)", begin: simulation.now)
        earn.id = "quiet\(clients.count)-\(member)"
        earn.points = 1
        requests.append(.init(operation: earn, line: "EARN \(member) merchant=north points=1 id=\(earn.id)"))
        let read = Operation(.balance, member: member, client: "\(host.name)-\(member)", begin: simulation.now)
        requests.append(.init(operation: read, line: "BALANCE \(member)"))
      }
      let set = Operation(.earn, member: "", client: host.name, begin: simulation.now)
      requests.append(.init(operation: set, line: "MERCHANT SET west title=quiet\(clients.count)", isSide: true))
      let client = RetryingClient(self, 1_000 + number, host: number, requests: requests)
      clients.append(client)
      client.wake()
    }
  }
}
