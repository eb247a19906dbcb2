import Base
import Cluster
import NodeDisk
import Storage

/// Processes: how they start, end and stand still, and what they ask of their machine.
extension Simulation {
  /// Starts a host's process on what its disk holds. False if it cannot: `SimulatedHost.failure` says why.
  /// - Parameter isObserved: false of a process that is nobody's: what it finds on its disk is not what it did.
  @discardableResult public func start(_ number: Int, isObserved: Bool = true) -> Bool {
    let host = hosts[number]
    precondition(host.node == nil, "the process runs already")
    defer { reachabilityChanged?() }
    if host.isDark {
      host.isDark = false
      powerIsBack(number)
    }
    host.isFrozen = false
    host.failure = nil
    note(0x57A7, now, UInt64(number))
    do {
      let opened = try NodeStorage.open(
        dataDirectory: "/data", fileSystem: host.disk, newIdentity: host.identity, newProof: host.newProof,
        wall: moment(host).wall, logOptions: logOptions, ledgerLimits: host.configuration.ledgerLimits,
        reserve: host.configuration.diskReserve, build: host.build,
        archive: (ownArchives[number] ?? archive).map { store in
          { JournalArchive(directory: Simulation.archiveDirectory, fileSystem: store, writer: $0.rawValue) }
        })
      host.generation += 1
      host.isTurnScheduled = false
      host.diskPace.processBegins()
      host.faultsSeen = host.disk.struckFaults.count
      host.storage = opened.storage
      host.node = Node(
        configuration: host.configuration, storage: opened.recovered, seed: random.next(),
        newHashKey: newHashKey(of: host), now: moment(host),
        turnRunner: turnRunner, observer: isObserved ? observer : nil)
      tell(number, "starts")
      schedule(after: 1, .tick(host: number, generation: host.generation))
      perform(host)
    } catch {
      host.failure = "\(error)"
      log.append("\(now) \(host.name) cannot start: \(error)")
      tell(number, "cannot start: \(error)")
      note(text: "\(error)")
      if host.disk.isPowerOut {
        host.powerLosses += 1
        host.disk.crash(.some(seed: random.next()))
      } else {
        errorReported?(host, "cannot start: \(error)")
      }
    }
    return host.node != nil
  }

  /// SIGKILL: nothing more happens in this process; its disk keeps what was synced, and any part of the rest.
  public func kill(_ number: Int) { end(number, .some(seed: random.next())) }

  /// SIGKILL of a process whose machine lives on: all that was written is there, synced or not, until the power goes.
  public func killProcess(_ number: Int) {
    let disk = hosts[number].disk
    end(number, disk.isPowerOut || disk.isArmed ? .some(seed: random.next()) : nil)
  }

  /// The machine loses its power: peers are not told, until it is back and does not know their connections.
  public func cutPower(_ number: Int) {
    hosts[number].isDark = true
    end(number, .some(seed: random.next()))
  }

  /// - Parameter survivors: what the disk keeps if the machine ends as well.
  private func end(_ number: Int, _ survivors: MemoryFileSystem.Survivors?) {
    let host = hosts[number]
    guard host.node != nil else { return }
    defer { reachabilityChanged?() }
    note(0xDEAD, UInt64(number))
    host.node = nil
    host.storage = nil
    host.isFrozen = false
    host.deferred.removeAll()
    for (_, client) in host.clients.sorted(by: { $0.key.rawValue < $1.key.rawValue }) { client.closed() }
    host.clients.removeAll()
    if let survivors {
      host.powerLosses += 1
      host.disk.crash(survivors)
    } else {
      host.disk.endProcess()
    }
    for id in host.wires.values.sorted() { ended(wire: id, host: number) }
    host.wires.removeAll()
    host.unreadLinks.removeAll()
  }

  /// The disk is replaced by an empty one: whoever starts there is somebody else.
  public func wipe(_ number: Int) {
    kill(number)
    let host = hosts[number]
    host.disk.wipe()
    host.identity = random.next() | 1
    note(0x417E, UInt64(number))
  }

  /// A host's disk goes to a machine at another address, where it may be started. Its old machine is off; or it hangs, and
  /// peers are told nothing. The operators of all nodes name the new address from their next starts on.
  func move(_ number: Int, to name: String, hangs: Bool) {
    let host = hosts[number]
    let old = host.configuration.peerAddress
    if hangs {
      network.hanging.insert(old)
      for id in host.wires.values.sorted() { strand(wire: id, host: number) }
      host.wires.removeAll()
    }
    kill(number)
    host.configuration.peerAddress = "\(name):7501"
    host.configuration.clientAddress = "\(name):7401"
    for other in hosts {
      other.configuration.join = other.configuration.join.map { $0 == old ? host.configuration.peerAddress : $0 }
    }
    note(text: name)
  }

  /// The log is gone and all else is there: it had a disk of its own, or somebody cleaned up.
  public func loseLog(_ number: Int) throws {
    kill(number)
    let disk = hosts[number].disk
    for path in disk.paths where path.hasPrefix("/data/wal/") { try disk.remove(path) }
    try disk.syncDirectory("/data/wal")
    note(0x1057, UInt64(number))
  }

  /// SIGSTOP: nothing happens in this process until `thaw`, and nobody is told; what is sent to it waits.
  public func freeze(_ number: Int) {
    hosts[number].isFrozen = true
    reachabilityChanged?()
  }
  /// SIGCONT.
  public func thaw(_ number: Int) {
    let host = hosts[number]
    guard host.isFrozen else { return }
    host.isFrozen = false
    reachabilityChanged?()
    for event in host.deferred { schedule(after: 0, event) }
    host.deferred.removeAll()
  }
  public func isFrozen(_ number: Int) -> Bool { hosts[number].isFrozen }

  /// What the operating system would have drawn.
  private func newHashKey(of host: SimulatedHost) -> HashKey {
    var drawn = SeededGenerator(seed: host.identity &+ UInt64(host.generation))
    return HashKey(low: drawn.next() | 1, high: drawn.next())
  }

  /// SIGTERM: the process hands over what it leads, and ends.
  public func stop(_ number: Int) {
    let host = hosts[number]
    guard let node = host.node, !host.isFrozen else { return }
    note(0x5709, now, UInt64(number))
    node.stop(now: moment(host))
    perform(host)
  }

  // MARK: Clients

  /// Connects a client to a host. Its answers are gathered in `SimulatedClient.received`.
  /// - Parameter place: where it is, `host:port`.
  public func connect(to number: Int, from place: String = "terminal") -> SimulatedClient? {
    let host = hosts[number]
    guard let node = host.node else { return nil }
    let client = SimulatedClient(id: ClientID(network.takeLink()), host: number, generation: host.generation)
    host.clients[client.id] = client
    node.clientOpened(client.id, from: place, now: moment(host))
    return client
  }
  public func send(_ text: String, on client: SimulatedClient) { send(Array(text.utf8), on: client) }
  public func send(_ bytes: [UInt8], on client: SimulatedClient) {
    let host = hosts[client.host]
    guard let node = host.node, host.generation == client.generation, !client.isClosed else { return }
    client.unread.append(contentsOf: bytes)
    offer(client, node, host)
    perform(host)
  }
  /// The client's side of a connection is gone, with the last that it said, if anything, in the same moment.
  public func disconnect(_ client: SimulatedClient, saying last: String = "") {
    let host = hosts[client.host]
    guard let node = host.node, host.generation == client.generation, !client.isClosed else { return }
    if !last.isEmpty {
      client.unread.append(contentsOf: last.utf8)
      offer(client, node, host)
    }
    client.deliver = nil
    client.isClosed = true
    host.clients[client.id] = nil
    node.clientClosed(client.id, now: moment(host))
    perform(host)
  }
  private func offer(_ client: SimulatedClient, _ node: Node, _ host: SimulatedHost) {
    let bytes = client.unread
    let consumed = bytes.withUnsafeBytes { node.clientReceived(client.id, $0, now: moment(host)) }
    client.unread.removeFirst(consumed)
  }

  // MARK: What a node wants done

  func perform(_ host: SimulatedHost) {
    guard let node = host.node else { return }
    var effects = Effects<NodeWork>()
    node.flush(now: moment(host), into: &effects)
    if node.view.hasTrapped {
      // What it did in this turn it has not done: it died before anything of it left.
      tell(host.number, "dies of a trap")
      note(0x78A9, UInt64(host.number))
      host.storage?.trap.pointee = 4
      killProcess(host.number)
      trapped?(host)
      return
    }
    for (id, bytes) in effects.clientOutput {
      note(id.rawValue, now, bytes.withUnsafeBytes { xxh64($0) })
      host.clients[id]?.receive(bytes)
    }
    for id in effects.clientClose { host.clients.removeValue(forKey: id)?.closed() }
    for (link, bytes) in effects.linkOutput { transmit(host, link, bytes) }
    for (request, address, _) in effects.openLink { dial(host, request, address) }
    for link in effects.linkClose { closed(link, by: host) }
    if let batch = effects.logBatch {
      let usual = between(faults.minimumWrite, faults.maximumWrite)
      schedule(
        after: host.diskPace.duration(ofLogWrite: usual, at: now),
        .written(host: host.number, generation: host.generation, batch))
    }
    for job in effects.jobs {
      let cost = between(5, 200) + UInt64(job.writtenBytes / faults.bytesPerMicrosecond)
      let end = host.diskPace.begin(job, lasting: cost, at: now)
      events.push(at: end, .job(host: host.number, generation: host.generation, job))
    }
    if effects.wantsTurn && !host.isTurnScheduled {
      host.isTurnScheduled = true
      schedule(after: faults.busyTurn, .turn(host: host.number, generation: host.generation))
    }
    for (level, text) in effects.logLines {
      tell(host.number, text)
      if level >= .warning { log.append("\(now) \(host.name) \(text)") }
      if level == .error { errorReported?(host, text) }
    }
    for (id, on) in effects.clientReading where on {
      if let client = host.clients[id], !client.unread.isEmpty { offer(client, node, host) }
    }
    if let exit = effects.exit {
      host.exit = exit.code
      ends.append("\(now) \(host.name) \(exit.code) \(exit.reason)")
      tell(host.number, "ends: \(exit.reason)")
      if exit.code != 0 { errorReported?(host, "dies: \(exit.reason)") }
      killProcess(host.number)
      return
    }
    checkJournals(host)
    if effects.clientReading.contains(where: { $0.on }) { perform(host) }
  }

  /// A process that could not sync a journal must have ended: what that sync dropped, no later one would miss.
  private func checkJournals(_ host: SimulatedHost) {
    let faults = host.disk.struckFaults
    guard faults.count > host.faultsSeen else { return }
    for fault in faults[host.faultsSeen...] where fault.hasPrefix("failed sync") && fault.hasSuffix(".jnl") {
      errorReported?(host, "lives on after a \(fault)")
    }
    host.faultsSeen = faults.count
  }

  // MARK: The disk

  /// The disk does nothing for a while.
  public func stallDisk(_ number: Int, for duration: UInt64) {
    let host = hosts[number]
    host.diskPace.stalledUntil = max(host.diskPace.stalledUntil, now + duration)
    call(after: duration) { [self] in if now >= host.diskPace.stalledUntil { resumeDisk(number) } }
  }
  public func resumeDisk(_ number: Int) {
    let host = hosts[number]
    host.diskPace.stalledUntil = 0
    for event in host.diskPace.waiting { schedule(after: 0, event) }
    host.diskPace.waiting.removeAll()
  }

  func write(_ batch: LogBatch, _ number: Int, _ generation: Int) {
    guard let (host, node) = process(number, generation), let storage = host.storage else { return }
    if host.diskPace.stalledUntil > now {
      return host.diskPace.waiting.append(.written(host: number, generation: generation, batch))
    }
    do {
      let completion = try storage.write(batch)
      guard !diesOfPower(host) else { return }
      node.completed(completion, now: moment(host))
      maintain(host, node)
      guard host.node != nil else { return }
      perform(host)
    } catch {
      guard !diesOfPower(host) else { return }
      log.append("\(now) \(host.name) dies: \(error)")
      tell(number, "dies: \(error)")
      errorReported?(host, "dies: \(error)")
      // What a failed sync left behind may still be read, until something else needs the memory.
      if random.next() & 1 == 0 { kill(number) } else { killProcess(number) }
    }
  }

  /// Five times a second, and after each batch of the log.
  func maintain(_ host: SimulatedHost, _ node: Node) {
    guard let completion = host.storage?.maintain(), !diesOfPower(host) else { return }
    host.nextMaintenance = now + 200_000
    node.completed(completion, now: moment(host))
    node.memoryMeasured(MemoryUsage(used: host.memoryUsed, limit: host.memoryLimit), now: moment(host))
  }

  func run(_ job: Job, _ number: Int, _ generation: Int) {
    guard let (host, node) = process(number, generation), let storage = host.storage else { return }
    if host.diskPace.stalledUntil > now {
      return host.diskPace.waiting.append(.job(host: number, generation: generation, job))
    }
    if case .transfer(let step) = job { host.bytesReceived += UInt64(step.receivedBytes) }
    let completion = storage.run(job)
    guard !diesOfPower(host) else { return }
    node.completed(completion, now: moment(host))
    perform(host)
  }

  /// Whether the power went in the middle of what the disk was just doing.
  private func diesOfPower(_ host: SimulatedHost) -> Bool {
    guard host.disk.isPowerOut else { return false }
    tell(host.number, "loses its power in the middle of a write")
    faultCounts.torn += 1
    cutPower(host.number)
    return true
  }
}
