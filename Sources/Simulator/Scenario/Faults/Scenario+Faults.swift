import Base
import Cluster

/// One fault as it is injected.
struct Fault {
  let kind: FaultKind
  let host: SimulatedHost
  /// Another host.
  let other: SimulatedHost
  /// Microseconds that it lasts, if it ends by itself.
  let duration: UInt64
  var milliseconds: UInt64 { duration / 1_000 }
}

/// When faults come, and which.
extension Scenario {
  func scheduleFault() {
    guard !plan.faultKinds.isEmpty else { return }
    simulation.call(after: random.wait(plan.faultGap)) { [self] in
      guard isFaultPhase, failure == nil else { return }
      inject(random.pick(plan.faultKinds))
      scheduleFault()
    }
  }

  private func inject(_ kind: FaultKind) {
    let count = simulation.hosts.count
    if kind.isDamage && damage.candidates.isEmpty { return }
    let victim = kind.isDamage ? random.pick(damage.candidates) : Int(random.below(UInt64(count)))
    let other = (victim + 1 + Int(random.below(UInt64(count - 1)))) % count
    let fault = Fault(
      kind: kind, host: simulation.hosts[victim], other: simulation.hosts[other], duration: drawDuration())
    simulation.note(text: kind.name)
    // What befalls a copy of its disk is not what befalls the node.
    if impostors.realDisks[victim] != nil && kind.isDamage { return }
    if inject(fault) { tally.count(kind) }
  }

  /// - Returns: whether it has happened.
  private func inject(_ fault: Fault) -> Bool {
    // A process that is dead cannot be killed.
    let isAlive = fault.host.node != nil
    switch fault.kind {
    case .kill:
      killProcess(fault)
      return isAlive
    case .power:
      cutPower(fault)
      return isAlive
    case .stop:
      stopProcess(fault)
      return isAlive
    case .freeze:
      freeze(fault)
      return isAlive
    case .tear: tearWrite(fault)
    case .blackout: blackOut(fault)
    case .move: return move(fault)
    case .trap: return trap(fault)
    case .starve: starve(fault)
    case .clockJump: jumpClock(fault)
    case .descriptors: takeDescriptors(fault)
    case .memory: takeMemory(fault)
    case .cut: cut(fault)
    case .silence: silence(fault)
    case .oneWay: silenceOneWay(fault)
    case .isolate: isolate(fault)
    case .ring: leaveRing(fault)
    case .split: split(fault)
    case .breakLink: simulation.breakConnection(random.next())
    case .stallLink: simulation.stallConnection(random.next(), for: fault.duration)
    case .slowDisk: slowDisk(fault)
    case .stallDisk: stallDisk(fault)
    case .failSync: failSync(fault)
    case .failWrite: failWrite(fault)
    case .fullDisk: fillDisk(fault)
    case .rot: return rot(fault)
    case .lostWrite: loseWrite(fault)
    case .strayWrite: misdirectWrite(fault)
    case .failedRead: failRead(fault)
    case .wipe: wipe(fault)
    }
    return true
  }

  /// How long something lasts: mostly short, now and then so long that everybody has given up.
  private func drawDuration() -> UInt64 {
    switch random.below(50) {
    case 0..<25: random.below(500_000)
    case 25..<45: random.below(4_000_000)
    case 45..<(plan.isLong ? 47 : 49): random.below(15_000_000)
    default: random.below(60_000_000)
    }
  }

  // MARK: What faults are made of

  func tell(_ fault: Fault, _ text: @autoclosure () -> String = "") {
    tell(fault.host.number, "*** \(fault.kind.name) \(text())")
  }
  /// Does something later, unless faults have ended by then.
  func callInFaultPhase(after delay: UInt64, _ body: @escaping () -> Void) {
    simulation.call(after: delay) { [self] in if isFaultPhase, failure == nil { body() } }
  }

  /// Keeps a host's process running: looks after it a while from now, and then again until it runs.
  func restart(_ number: Int) {
    let wait =
      random.chance(300) ? random.below(20_000) : random.below(random.pick([1_000_000, 5_000_000, 12_000_000]))
    callInFaultPhase(after: wait) { [self] in
      let host = simulation.hosts[number]
      guard host.node == nil else {
        // It lives, or is not dead yet.
        if host.disk.isArmed { restart(number) }
        return
      }
      // A node that was removed is started once more, now and then.
      if resizing.removed.contains(number), !random.chance(300) { return }
      if plan.faultKinds.contains(.trap), random.chance(100) { host.build += 1 }
      // Now and then the power goes while it starts.
      if plan.faultKinds.contains(.tear), random.chance(300) { host.disk.cutPower(afterSteps: Int(random.below(40))) }
      if !simulation.start(number, isObserved: impostors.realDisks[number] == nil) { restart(number) }
    }
  }
}
