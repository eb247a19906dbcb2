/// What befalls the ways between hosts.
extension Scenario {
  func cut(_ fault: Fault) {
    tell(fault, "to \(fault.other.name) for \(fault.milliseconds) ms")
    simulation.cut(fault.host.number, fault.other.number)
    callInFaultPhase(after: fault.duration) { [self] in simulation.heal(fault.host.number, fault.other.number) }
  }
  func silence(_ fault: Fault) {
    let (a, b) = (fault.host.number, fault.other.number)
    tell(fault, "to \(fault.other.name) for \(fault.milliseconds) ms")
    silence([(a, b), (b, a)], for: fault.duration)
  }
  func silenceOneWay(_ fault: Fault) {
    tell(fault, "to \(fault.other.name) for \(fault.milliseconds) ms")
    silence([(fault.host.number, fault.other.number)], for: fault.duration)
  }
  func isolate(_ fault: Fault) {
    let number = fault.host.number
    tell(fault, "for \(fault.milliseconds) ms")
    let others = simulation.hosts.indices.filter { $0 != number }
    let (hears, speaks) = random.pick([(false, false), (true, false), (false, true)])
    silence(
      (speaks ? [] : others.map { (number, $0) }) + (hears ? [] : others.map { ($0, number) }), for: fault.duration)
  }
  /// Each hears its neighbours alone.
  func leaveRing(_ fault: Fault) {
    let count = simulation.hosts.count
    tell(fault, "for \(fault.milliseconds) ms")
    var paths: [(Int, Int)] = []
    for a in 0..<count {
      for b in 0..<count where a != b && (a + 1) % count != b && (b + 1) % count != a { paths.append((a, b)) }
    }
    if count == 3 { paths = [(0, 1), (1, 2), (2, 0)] }
    silence(paths, for: fault.duration)
  }
  func split(_ fault: Fault) {
    let count = simulation.hosts.count
    tell(fault, "for \(fault.milliseconds) ms")
    let side = random.next()
    var paths: [(Int, Int)] = []
    for a in 0..<count {
      for b in 0..<count where side >> UInt64(a) & 1 != side >> UInt64(b) & 1 { paths.append((a, b)) }
    }
    silence(paths, for: fault.duration)
  }

  func silence(_ paths: [(Int, Int)], for time: UInt64) {
    for (from, to) in paths { simulation.silence(from: from, to: to) }
    callInFaultPhase(after: time) { [self] in for (from, to) in paths { simulation.heal(from, to) } }
  }
}
