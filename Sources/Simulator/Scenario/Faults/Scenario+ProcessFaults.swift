import Base
import Cluster

/// What befalls processes and machines.
extension Scenario {
  func killProcess(_ fault: Fault) {
    tell(fault)
    simulation.killProcess(fault.host.number)
    restart(fault.host.number)
  }
  func cutPower(_ fault: Fault) {
    tell(fault)
    simulation.cutPower(fault.host.number)
    restart(fault.host.number)
  }
  func blackOut(_ fault: Fault) {
    tell(fault)
    for number in simulation.hosts.indices {
      simulation.cutPower(number)
      restart(number)
    }
  }
  func tearWrite(_ fault: Fault) {
    let steps = Int(random.below(30))
    tell(fault, "in \(steps) steps of the disk")
    fault.host.disk.cutPower(afterSteps: steps)
    restart(fault.host.number)
  }
  func stopProcess(_ fault: Fault) {
    tell(fault)
    simulation.stop(fault.host.number)
    stopped[fault.host.number] = fault.host.generation
    callInFaultPhase(after: 4_000_000) { [self] in restart(fault.host.number) }
  }
  /// Where acknowledged entries are missing, a node at another address is taken for an older copy, as it must be.
  func move(_ fault: Fault) -> Bool {
    let number = fault.host.number
    guard fault.host.node?.view.isSeated == true, impostors.realDisks[number] == nil, !damage.hosts.contains(number)
    else { return false }
    let hangs = random.chance(500)
    let name = "moved-\(tally[.move] + 1)"
    tell(fault, "to \(name), from a machine that \(hangs ? "hangs" : "is off")")
    simulation.move(number, to: name, hangs: hangs)
    restart(number)
    return true
  }
  func trap(_ fault: Fault) -> Bool {
    guard poisoned?.isSpent ?? true, let shard = fault.host.node?.view.replicas.map(\.shard), !shard.isEmpty
    else { return false }
    let isEverywhere = random.chance(500)
    poisonNextEntry(
      of: random.pick(shard), on: isEverywhere ? Array(simulation.hosts.indices) : [fault.host.number])
    return true
  }
  func freeze(_ fault: Fault) {
    tell(fault, "for \(fault.milliseconds) ms")
    simulation.freeze(fault.host.number)
    callInFaultPhase(after: fault.duration) { [self] in simulation.thaw(fault.host.number) }
  }

  func starve(_ fault: Fault) {
    let leaders = simulation.hosts.filter { $0.node?.view.replicas.contains(where: \.isLeader) == true }
    let starved = leaders.isEmpty || random.chance(300) ? fault.host.number : random.pick(leaders).number
    let time = 1_000_000 + random.below(8_000_000)
    tell(starved, "*** starve for \(time / 1000) ms")
    starve(starved, until: simulation.now + time)
    if random.chance(700) {
      let others = simulation.hosts.indices.filter { $0 != starved }
      silence(others.map { (starved, $0) } + others.map { ($0, starved) }, for: time)
    }
  }
  /// A process gets the processor for a moment, and then for long not.
  private func starve(_ number: Int, until end: UInt64) {
    guard simulation.now < end else { return }
    let pause = 150_000 + random.below(400_000)
    simulation.freeze(number)
    callInFaultPhase(after: pause) { [self] in
      simulation.thaw(number)
      callInFaultPhase(after: 1_000 + random.below(20_000)) { [self] in starve(number, until: end) }
    }
  }

  func jumpClock(_ fault: Fault) {
    let host = fault.host
    // Where half of all clocks lie, or more, nobody knows what time it is.
    // What others heard of a clock goes on for a while after it is right again.
    let liars = simulation.hosts.filter {
      $0 !== host
        && (abs($0.clock.offset) > 100_000 + plan.clocks.spread || $0.clock.lastWrong + 3_000_000 > simulation.now)
    }
    // Where nodes may be cut off from each other, a few hear few: of three clocks no two may lie.
    let running = simulation.hosts.count { $0.node != nil }
    let heard = plan.faultKinds.contains(where: \.cutsOff) ? min(3, running) : running
    let mayLie = (liars.count + 1) * 2 < heard
    let sizes: [Int64] = mayLie ? [100_000, 600_000, 5_000_000, 3_600_000_000] : [100_000]
    let size = Int64(random.below(UInt64(random.pick(sizes) * 2))) / 2 * (random.chance(500) ? 1 : -1)
    tell(fault, "by \(size / 1000) ms for \(fault.milliseconds) ms")
    if abs(size) > 300_000 { clocks.haveJumpedFar = true }
    host.clock.offset += size
    callInFaultPhase(after: fault.duration) { [self] in
      host.clock.offset -= size
      if abs(size) > 100_000 { host.clock.lastWrong = simulation.now }
    }
  }

  func takeDescriptors(_ fault: Fault) {
    let host = fault.host
    let left = random.pick([0, 0, 1, 4])
    tell(fault, "\(left) are left for \(fault.milliseconds) ms")
    damage.withoutDescriptors.insert(host.number)
    host.disk.limitOpenFiles(to: host.disk.openFileCount + left)
    callInFaultPhase(after: fault.duration) { host.disk.limitOpenFiles(to: nil) }
    restart(host.number)
  }
  func takeMemory(_ fault: Fault) {
    let host = fault.host
    let share = random.pick([85, 103, 103, 120] as [UInt64])
    tell(fault, "\(share) hundredths of its limit for \(fault.milliseconds) ms")
    strainMemory(of: host.number, to: share)
    callInFaultPhase(after: fault.duration) { host.memoryLimit = .max }
  }
}
