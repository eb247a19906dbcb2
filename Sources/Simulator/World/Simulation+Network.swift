import Base
import Cluster

/// The network between hosts: connections as TCP gives them.
extension Simulation {
  /// Like TCP_USER_TIMEOUT and the time to connect of the server.
  static let unheardLimit: UInt64 = 10_000_000
  static let dialLimit: UInt64 = 3_000_000

  // MARK: Faults

  /// Two hosts cannot reach each other until `heal`, and are told so.
  public func cut(_ a: Int, _ b: Int) {
    network.cuts.formUnion([Network.Path(from: a, to: b), Network.Path(from: b, to: a)])
    reachabilityChanged?()
    for (id, wire) in network.wires.sorted(by: { $0.key < $1.key }) {
      let hosts = (wire.ends[0].host, wire.ends[1].host)
      if hosts == (a, b) || hosts == (b, a) { breakWire(id) }
    }
  }
  /// Whatever one host sends to another stays away until `heal`, as with a pulled cable: nobody is told.
  public func silence(from: Int, to: Int) {
    network.silences.insert(Network.Path(from: from, to: to))
    reachabilityChanged?()
  }

  public func heal() {
    network.cuts.removeAll()
    network.silences.removeAll()
    network.hanging.removeAll()
    reachabilityChanged?()
    for id in network.wires.keys.sorted() { resume(id) }
  }
  /// Ends what `cut` and `silence` did between two hosts.
  public func heal(_ a: Int, _ b: Int) {
    for path in [Network.Path(from: a, to: b), Network.Path(from: b, to: a)] {
      network.cuts.remove(path)
      network.silences.remove(path)
    }
    reachabilityChanged?()
    for (id, wire) in network.wires.sorted(by: { $0.key < $1.key }) {
      let hosts = (wire.ends[0].host, wire.ends[1].host)
      if hosts == (a, b) || hosts == (b, a) { resume(id) }
    }
  }
  /// Breaks one of the connections that there are, whichever `choice` names.
  public func breakConnection(_ choice: UInt64) {
    let ids = network.wires.keys.sorted()
    if !ids.isEmpty { breakWire(ids[Int(choice % UInt64(ids.count))]) }
  }
  /// Holds up one of the connections that there are: what is sent on it from now on arrives so much later.
  public func stallConnection(_ choice: UInt64, for duration: UInt64) {
    let ids = network.wires.keys.sorted()
    guard !ids.isEmpty else { return }
    let id = ids[Int(choice % UInt64(ids.count))]
    if let ends = network.wires[id]?.ends {
      tell(ends[0].host, "the connection to \(hosts[ends[1].host].name) is held up for \(duration / 1000) ms")
    }
    // What an earlier stall still holds up is not overtaken.
    for end in 0..<2 {
      let last = network.wires[id]?.ends[end].lastArrival ?? 0
      network.wires[id]?.ends[end].lastArrival = max(last, now + duration)
    }
  }

  /// Whether one host runs and what it sends reaches another. What was sent before may arrive all the same.
  func isHeard(_ from: Int, by to: Int) -> Bool {
    guard hosts[from].node != nil, !hosts[from].isFrozen else { return false }
    let path = Network.Path(from: from, to: to)
    return !network.cuts.contains(path) && !network.silences.contains(path)
  }

  private func isSilent(_ from: Int, _ to: Int) -> Bool {
    hosts[to].isDark || (!network.silences.isEmpty && network.silences.contains(Network.Path(from: from, to: to)))
  }
  /// The way of an answer is needed as well: an end that hears no acknowledgement counts as unheard.
  private func isOneWay(_ from: Int, _ to: Int) -> Bool {
    !network.silences.isEmpty && network.silences.contains(Network.Path(from: to, to: from))
  }

  func delay(_ a: Int, _ b: Int) -> UInt64 {
    let base = between(faults.minimumDelay, faults.maximumDelay)
    guard !faults.distance.isEmpty else { return base }
    let distance = faults.distance[a][b]
    return base + distance + (distance > 8 ? random.next() % (distance / 8) : 0)
  }

  // MARK: Connecting

  func dial(_ host: SimulatedHost, _ request: UInt64, _ address: String) {
    let target = hosts.first { $0.configuration.peerAddress == address }?.number ?? host.number
    schedule(
      after: delay(host.number, target),
      .dialled(host: host.number, generation: host.generation, request: request, address: address))
  }

  func dialled(_ number: Int, _ generation: Int, _ request: UInt64, _ address: String) {
    guard let (host, node) = process(number, generation) else { return }
    guard let target = hosts.first(where: { $0.configuration.peerAddress == address }) else {
      if network.hanging.contains(address) {
        return schedule(
          after: Simulation.dialLimit, .dialFailed(host: number, generation: generation, request: request))
      }
      node.linkFailed(request: request, now: moment(host))
      return perform(host)
    }
    let there = target.number
    if there != number, isSilent(number, there) || isSilent(there, number) {
      // The call arrives, and the answer does not: for the other side that is a connection.
      if !isSilent(number, there), target.node != nil { halfOpen(host, target) }
      return schedule(after: Simulation.dialLimit, .dialFailed(host: number, generation: generation, request: request))
    }
    guard target.node != nil, !network.cuts.contains(Network.Path(from: number, to: there)) else {
      node.linkFailed(request: request, now: moment(host))
      return perform(host)
    }
    var patience: UInt64 = 0
    if chance(faults.dialPerMille) {
      faultCounts.misdialled += 1
      switch random.next() % 4 {
      case 0:
        node.linkFailed(request: request, now: moment(host))
        return perform(host)
      case 1:
        halfOpen(host, target)
        return schedule(
          after: Simulation.dialLimit, .dialFailed(host: number, generation: generation, request: request))
      default: patience = between(1, 5_000_000)
      }
    }
    let (id, here) = network.makeWire(from: host.number, to: target.number, isOpen: true, at: now)
    host.wires[here] = id
    network.wires[id]?.ends[1].lastArrival = now + patience
    events.push(at: now + patience, .accepted(wire: id, end: 1))
    node.linkOpened(here, request: request, now: moment(host))
    perform(host)
  }

  /// A connection that the dialling side knows nothing of; the other learns that it is none when it hears so, later.
  private func halfOpen(_ host: SimulatedHost, _ target: SimulatedHost) {
    let (id, _) = network.makeWire(from: host.number, to: target.number, isOpen: false, at: now)
    schedule(after: 0, .accepted(wire: id, end: 1))
    schedule(after: between(50_000, 20_000_000), .closed(wire: id, end: 1))
  }

  func accepted(wire id: UInt64, end: Int) {
    guard let wire = network.wires[id], wire.ends[end].isOpen else { return }
    let host = hosts[wire.ends[end].host]
    guard let node = host.node else {
      network.wires[id]?.ends[end].isOpen = false
      return farewell(id, from: end)
    }
    host.wires[wire.ends[end].link] = id
    node.linkOpened(wire.ends[end].link, request: nil, now: moment(host))
    perform(host)
  }

  // MARK: Sending

  func transmit(_ host: SimulatedHost, _ link: LinkID, _ bytes: [UInt8]) {
    network.longestTransmission = max(network.longestTransmission, bytes.count)
    guard let id = host.wires[link], let wire = network.wires[id] else { return }
    if chance(faults.lossPerMille) {
      faultCounts.lost += 1
      return breakWire(id)
    }
    let end = wire.ends[0].link == link && wire.ends[0].host == host.number ? 1 : 0
    overhears?(id, host.number, bytes)
    var travel = delay(host.number, wire.ends[end].host)
    if chance(faults.resendPerMille) {
      faultCounts.resent += 1
      // The retransmission timer doubles each time.
      travel += 200_000 << (random.next() % 5)
    }
    travel += queue(bytes.count, from: host.number, to: wire.ends[end].host)
    let arrival = max(now + travel, wire.ends[end].lastArrival + 1)
    network.wires[id]?.ends[end].lastArrival = arrival
    events.push(at: arrival, .bytes(wire: id, end: end, bytes))
    schedule(after: 50, .drained(host: host.number, generation: host.generation, link))
  }

  /// How long bytes take to pass a way of so many bytes a second, and all that was sent before them.
  private func queue(_ count: Int, from: Int, to: Int) -> UInt64 {
    guard !faults.bandwidth.isEmpty, faults.bandwidth[from][to] > 0 else { return 0 }
    let path = Network.Path(from: from, to: to)
    let end = max(network.passed[path] ?? 0, now) + UInt64(count) * 1_000_000 / faults.bandwidth[from][to]
    network.passed[path] = end
    return end - now
  }

  /// Bytes, or with nil the other end's farewell, have come to an end of a connection.
  func arrive(wire id: UInt64, end: Int, _ bytes: [UInt8]?) {
    guard let wire = network.wires[id] else { return }
    let here = wire.ends[end]
    let other = wire.ends[1 - end]
    if isSilent(other.host, here.host) || wire.isStranded && !here.isOpen {
      missed(id, end)
      network.wires[id]?.ends[end].held.append(bytes)
      return
    }
    // What was sent later waits behind what is sent again.
    guard here.held.isEmpty else {
      network.wires[id]?.ends[end].held.append(bytes)
      return
    }
    guard here.isOpen, !(wire.isBroken && bytes != nil) else {
      // Nobody is there: the sender is told, if there is one.
      if bytes != nil && other.isOpen && !wire.isBroken { farewell(id, from: end) }
      return
    }
    let host = hosts[here.host]
    guard let node = host.node else { return }
    guard let bytes else {
      network.wires[id]?.ends[end].isOpen = false
      host.wires[here.link] = nil
      host.unreadLinks[here.link] = nil
      network.forget(id)
      note(id, now)
      node.linkClosed(here.link, now: moment(host))
      return perform(host)
    }
    if isOneWay(other.host, here.host), wire.ends[1 - end].heldSince == 0 {
      // What has arrived is not acknowledged.
      network.wires[id]?.ends[1 - end].heldSince = now
      schedule(after: Simulation.unheardLimit, .unheard(wire: id, end: 1 - end, since: now))
    }
    note(id, now, bytes.withUnsafeBytes { xxh64($0) })
    hears?(id, here.host, bytes)
    var kept = host.unreadLinks[here.link] ?? []
    kept.append(contentsOf: bytes)
    let consumed = kept.withUnsafeBytes { node.linkReceived(here.link, $0, now: moment(host)) }
    kept.removeFirst(consumed)
    host.unreadLinks[here.link] = kept.isEmpty || host.wires[here.link] == nil ? nil : kept
    perform(host)
  }

  // MARK: Ending

  /// A node closes its end; the other hears of it after all that was sent.
  func closed(_ link: LinkID, by host: SimulatedHost) {
    guard let id = host.wires.removeValue(forKey: link), let wire = network.wires[id] else { return }
    host.unreadLinks[link] = nil
    let end = wire.ends[0].link == link && wire.ends[0].host == host.number ? 0 : 1
    network.wires[id]?.ends[end].isOpen = false
    farewell(id, from: end)
  }

  /// A process has ended: its system says farewell, if it runs; what was under way may be lost with it.
  func ended(wire id: UInt64, host number: Int) {
    guard let wire = network.wires[id] else { return }
    let end = wire.ends[0].host == number ? 0 : 1
    network.wires[id]?.ends[end].isOpen = false
    network.wires[id]?.ends[end].held.removeAll()
    if hosts[number].isDark { return }
    if random.next() % 2 == 0 { network.wires[id]?.isBroken = true }
    farewell(id, from: end)
  }

  /// The machine at this end hangs: the other end hears nothing any more, until it has waited too long.
  func strand(wire id: UInt64, host number: Int) {
    guard let wire = network.wires[id] else { return }
    let end = wire.ends[0].host == number ? 0 : 1
    network.wires[id]?.ends[end].isOpen = false
    network.wires[id]?.isStranded = true
    if !wire.ends[1 - end].isOpen { network.forget(id) }
  }

  private func farewell(_ id: UInt64, from end: Int) {
    guard let wire = network.wires[id] else { return }
    let target = wire.ends[1 - end]
    guard target.isOpen else { return network.forget(id) }
    let arrival = max(now + delay(wire.ends[end].host, target.host), target.lastArrival + 1)
    network.wires[id]?.ends[1 - end].lastArrival = arrival
    events.push(at: arrival, .closed(wire: id, end: 1 - end))
  }

  /// Cuts a connection; both ends learn of it a moment later.
  func breakWire(_ id: UInt64) {
    guard let wire = network.wires[id], !wire.isBroken else { return }
    network.wires[id]?.isBroken = true
    for end in 0..<2 where wire.ends[end].isOpen {
      let travel = delay(wire.ends[1 - end].host, wire.ends[end].host)
      events.push(at: now + travel, .closed(wire: id, end: end))
    }
  }

  /// What an end sent was not acknowledged in time: its side gives the connection up, and the other hears nothing.
  func unheard(wire id: UInt64, end: Int, since: UInt64) {
    guard let wire = network.wires[id], wire.ends[end].isOpen else { return }
    let here = wire.ends[end]
    let waits = !wire.ends[1 - end].held.isEmpty && wire.ends[1 - end].heldSince == since
    guard waits || here.heldSince == since else { return }
    network.wires[id]?.ends[end].isOpen = false
    network.wires[id]?.ends[1 - end].held.removeAll()
    let host = hosts[here.host]
    host.wires[here.link] = nil
    host.unreadLinks[here.link] = nil
    guard let node = host.node else { return }
    note(id, now)
    node.linkClosed(here.link, now: moment(host))
    perform(host)
  }

  /// Something stays away from an end: the other one gives up unless that changes.
  private func missed(_ id: UInt64, _ end: Int) {
    guard let here = network.wires[id]?.ends[end], here.held.isEmpty || here.heldSince == 0 else { return }
    let since = here.heldSince == 0 ? now : here.heldSince
    network.wires[id]?.ends[end].heldSince = since
    schedule(after: Simulation.unheardLimit, .unheard(wire: id, end: 1 - end, since: since))
  }

  /// The way is open again: what stayed away comes when the sender's timer tells it to send once more.
  private func resume(_ id: UInt64) {
    network.wires[id]?.isStranded = false
    guard let wire = network.wires[id] else { return }
    for end in 0..<2 {
      guard !isSilent(wire.ends[1 - end].host, wire.ends[end].host) else { continue }
      network.wires[id]?.ends[end].heldSince = 0
      guard !wire.ends[end].held.isEmpty else { continue }
      schedule(after: between(1, 1_000_000), .resent(wire: id, end: end))
    }
  }
  func resent(wire id: UInt64, end: Int) {
    guard let wire = network.wires[id] else { return }
    let held = wire.ends[end].held
    guard !held.isEmpty else { return }
    if isSilent(wire.ends[1 - end].host, wire.ends[end].host) || wire.isStranded && !wire.ends[end].isOpen {
      return missed(id, end)
    }
    network.wires[id]?.ends[end].held = []
    for bytes in held { arrive(wire: id, end: end, bytes) }
  }
  /// A machine has its power back: who still speaks to what ran there hears that it is gone.
  func powerIsBack(_ number: Int) {
    for (id, wire) in network.wires.sorted(by: { $0.key < $1.key })
    where wire.ends.contains(where: { $0.host == number }) {
      resume(id)
    }
  }
}
