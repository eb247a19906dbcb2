import Base
import Cluster

/// What goes wrong, and how it is put right again.
extension Scenario {
  func scheduleFault() {
    guard !plan.faultKinds.isEmpty else { return }
    simulation.call(after: random.wait(plan.faultGap)) { [self] in
      guard isFaultPhase, failure == nil else { return }
      inject(random.pick(plan.faultKinds))
      scheduleFault()
    }
  }

  /// How long something lasts: mostly short, now and then so long that everybody has given up.
  private var duration: UInt64 {
    switch random.below(50) {
    case 0..<25: random.below(500_000)
    case 25..<45: random.below(4_000_000)
    case 45..<(plan.isLong ? 47 : 49): random.below(15_000_000)
    default: random.below(60_000_000)
    }
  }
  private func callInFaultPhase(after delay: UInt64, _ body: @escaping () -> Void) {
    simulation.call(after: delay) { [self] in if isFaultPhase, failure == nil { body() } }
  }

  private func inject(_ kind: FaultKind) {
    let count = simulation.hosts.count
    if kind.isDamage && damageable.isEmpty { return }
    let victim = kind.isDamage ? random.pick(damageable) : Int(random.below(UInt64(count)))
    let other = (victim + 1 + Int(random.below(UInt64(count - 1)))) % count
    let host = simulation.hosts[victim]
    let time = duration
    simulation.note(text: kind.name)
    // What befalls a copy of its disk is not what befalls the node.
    if realDisks[victim] != nil && kind.isDamage { return }
    // A process that is dead cannot be killed.
    var hasHappened = host.node != nil || ![.kill, .power, .stop, .freeze].contains(kind)
    defer { if hasHappened { injectedCounts[kind.rawValue] += 1 } }
    func told(_ text: String) { tell(victim, "*** \(kind.name) \(text)") }
    switch kind {
    case .kill:
      told("")
      simulation.killProcess(victim)
      restart(victim)
    case .power:
      told("")
      simulation.cutPower(victim)
      restart(victim)
    case .tear:
      let steps = Int(random.below(30))
      told("in \(steps) steps of the disk")
      host.disk.cutPower(afterSteps: steps)
      restart(victim)
    case .blackout:
      told("")
      for number in 0..<count {
        simulation.cutPower(number)
        restart(number)
      }
    case .stop:
      told("")
      simulation.stop(victim)
      stopped[victim] = host.generation
      callInFaultPhase(after: 4_000_000) { [self] in restart(victim) }
    case .move:
      // Where acknowledged entries are missing, a node at another address is taken for an older copy, as it must be.
      hasHappened = false
      guard host.node?.isSeated == true, realDisks[victim] == nil, !damaged.contains(victim) else { return }
      hasHappened = true
      moves += 1
      let hangs = random.chance(500)
      told("to moved-\(moves), from a machine that \(hangs ? "hangs" : "is off")")
      simulation.move(victim, to: "moved-\(moves)", hangs: hangs)
      restart(victim)
    case .trap:
      hasHappened = false
      guard poisoned?.isSpent ?? true, let shard = host.node?.replicaViews.map(\.shard), !shard.isEmpty else { return }
      let isEverywhere = random.chance(500)
      poisonNextEntry(of: random.pick(shard), on: isEverywhere ? Array(0..<count) : [victim])
      hasHappened = true
    case .freeze:
      told("for \(time / 1000) ms")
      simulation.freeze(victim)
      callInFaultPhase(after: time) { [self] in simulation.thaw(victim) }
    case .starve:
      let leaders = simulation.hosts.filter { $0.node?.replicaViews.contains(where: \.isLeader) == true }
      let starved = leaders.isEmpty || random.chance(300) ? victim : random.pick(leaders).number
      let time = 1_000_000 + random.below(8_000_000)
      tell(starved, "*** starve for \(time / 1000) ms")
      starve(starved, until: simulation.now + time)
      if random.chance(700) {
        let others = (0..<count).filter { $0 != starved }
        silence(others.map { (starved, $0) } + others.map { ($0, starved) }, for: time)
      }
    case .clockJump:
      // Where half of all clocks lie, or more, nobody knows what time it is.
      // What others heard of a clock goes on for a while after it is right again.
      let liars = simulation.hosts.filter {
        $0 !== host
          && (abs($0.clockOffset) > 100_000 + plan.clockSpread || $0.lastLie + 3_000_000 > simulation.now)
      }
      let mayLie = (liars.count + 1) * 2 < count
      let sizes: [Int64] = mayLie ? [100_000, 600_000, 5_000_000, 3_600_000_000] : [100_000]
      let size = Int64(random.below(UInt64(random.pick(sizes) * 2))) / 2 * (random.chance(500) ? 1 : -1)
      told("by \(size / 1000) ms for \(time / 1000) ms")
      if abs(size) > 300_000 { hasJumpedFar = true }
      host.clockOffset += size
      callInFaultPhase(after: time) { [self] in
        host.clockOffset -= size
        if abs(size) > 100_000 { host.lastLie = simulation.now }
      }
    case .cut:
      told("to \(simulation.hosts[other].name) for \(time / 1000) ms")
      simulation.cut(victim, other)
      callInFaultPhase(after: time) { [self] in simulation.heal(victim, other) }
    case .silence:
      told("to \(simulation.hosts[other].name) for \(time / 1000) ms")
      silence([(victim, other), (other, victim)], for: time)
    case .oneWay:
      told("to \(simulation.hosts[other].name) for \(time / 1000) ms")
      silence([(victim, other)], for: time)
    case .isolate:
      told("for \(time / 1000) ms")
      let others = (0..<count).filter { $0 != victim }
      let (hears, speaks) = random.pick([(false, false), (true, false), (false, true)])
      silence((speaks ? [] : others.map { (victim, $0) }) + (hears ? [] : others.map { ($0, victim) }), for: time)
    case .ring:
      // Each hears its neighbours alone.
      told("for \(time / 1000) ms")
      var paths: [(Int, Int)] = []
      for a in 0..<count {
        for b in 0..<count where a != b && (a + 1) % count != b && (b + 1) % count != a { paths.append((a, b)) }
      }
      if count == 3 { paths = [(0, 1), (1, 2), (2, 0)] }
      silence(paths, for: time)
    case .split:
      told("for \(time / 1000) ms")
      let side = random.next()
      var paths: [(Int, Int)] = []
      for a in 0..<count {
        for b in 0..<count where side >> UInt64(a) & 1 != side >> UInt64(b) & 1 { paths.append((a, b)) }
      }
      silence(paths, for: time)
    case .breakLink: simulation.breakConnection(random.next())
    case .stallLink: simulation.stallConnection(random.next(), for: time)
    case .slowDisk:
      host.diskSlowness = 1 << random.below(8)
      told("\(host.diskSlowness) times for \(time / 1000) ms")
      callInFaultPhase(after: time) { host.diskSlowness = 1 }
    case .stallDisk:
      told("for \(time / 1000) ms")
      simulation.stallDisk(victim, for: time)
    case .failWrite:
      let after = Int(random.below(30))
      told("the \(after)th")
      faultyDisks.insert(victim)
      host.disk.failWrite(after: after, to: random.pick([".wal", ".wal", ".jnl", ".tmp", ""]), .failed)
      restart(victim)
    case .failSync:
      told("")
      faultyDisks.insert(victim)
      host.disk.failSync(after: Int(random.below(10)))
      restart(victim)
    case .rot:
      let files = host.disk.files.filter { $0.bytes > 0 }
      hasHappened = false
      guard !files.isEmpty else { return }
      // Files are many, and the log is written to one of them.
      let newest = host.disk.newestWrite
      let current = random.chance(300) ? files.first { $0.path == newest?.path && $0.path.hasSuffix(".wal") } : nil
      let file = current ?? random.pick(files)
      let start = Int(random.below(UInt64(min(file.bytes, 96 << 10))))
      let end = start + 1 + Int(random.below(8_192))
      // What is bad in the last batch of a log is taken for torn.
      if let newest, newest.path == file.path, newest.range.overlaps(start..<end) { return }
      hasHappened = true
      told("\(file.path) from \(start)")
      damaged.insert(victim)
      host.disk.rot(file.path, start..<end, bits: 1 + Int(random.below(20)), seed: random.next())
      if random.chance(500) {
        simulation.kill(victim)
        restart(victim)
      }
    case .lostWrite, .strayWrite, .failedRead:
      damaged.insert(victim)
      let suffix = random.pick([".wal", ".wal", ".jnl", ".snap", ".tmp", ""])
      let after = Int(random.below(30))
      told("of \(suffix), the \(after)th")
      if kind == .failedRead {
        host.disk.failRead(after: after, of: suffix)
      } else if kind == .lostWrite {
        host.disk.failWrite(after: after, to: suffix, .lost)
      } else {
        let files = host.disk.files
        let path = files.isEmpty || random.chance(500) ? nil : random.pick(files).path
        host.disk.failWrite(after: after, to: suffix, .misdirected(to: path, sector: Int(random.below(32))))
      }
    case .wipe:
      told("")
      damaged.insert(victim)
      wiped.insert(victim)
      let hasName = host.disk.paths.contains("/data/identity")
      if random.chance(500), hasName, (try? simulation.loseLog(victim)) != nil, simulation.start(victim) {
        return fail("\(host.name) starts under its name without its log: its votes and acknowledgements are forgotten")
      }
      simulation.wipe(victim)
      restart(victim)
    case .fullDisk:
      let room = random.pick([0, 4 << 10, 64 << 10, 512 << 10] as [UInt64])
      told("with room for \(room) bytes for \(time / 1000) ms")
      fullDisks.insert(victim)
      host.disk.setCapacity(host.disk.usedByteCount + room)
      callInFaultPhase(after: time) { host.disk.setCapacity(.max) }
      restart(victim)
    case .descriptors:
      let left = random.pick([0, 0, 1, 4])
      told("\(left) are left for \(time / 1000) ms")
      hostsWithoutDescriptors.insert(victim)
      host.disk.limitOpenFiles(to: host.disk.openFileCount + left)
      callInFaultPhase(after: time) { host.disk.limitOpenFiles(to: nil) }
      restart(victim)
    case .memory:
      let share = random.pick([85, 103, 103, 120] as [UInt64])
      told("\(share) hundredths of its limit for \(time / 1000) ms")
      strainMemory(of: victim, to: share)
      callInFaultPhase(after: time) { host.memoryLimit = .max }
    }
  }

  /// Now and then somebody wants to know whether the books balance: never may the answer be that they do not.
  func scheduleAudit() {
    simulation.call(after: random.wait(4_000_000)) { [self] in
      guard isFaultPhase, failure == nil else { return }
      let host = Int(random.below(UInt64(simulation.hosts.count)))
      simulation.call(on: host, after: 1_000) { [self] in
        guard let client = simulation.connect(to: host) else { return }
        var heard: [UInt8] = []
        client.deliver = { [unowned self] bytes in
          heard += bytes ?? []
          let text = String(decoding: heard, as: UTF8.self)
          if text.contains("balanced=no") { fail("an audit in the fault phase: \(text)") }
        }
        simulation.send("AUDIT\n", on: client)
      }
      scheduleAudit()
    }
  }

  /// Now and then a client library tries a transaction: never may any of it happen.
  func scheduleTransaction() {
    simulation.call(after: random.wait(4_000_000)) { [self] in
      guard isFaultPhase, failure == nil else { return }
      let host = Int(random.below(UInt64(simulation.hosts.count)))
      transactions += 1
      let lines = [
        "MULTI", "EARN m0 merchant=east points=1000 id=multi-\(transactions)", "BALANCE m0",
        random.pick(["EXEC", "DISCARD"]),
      ]
      simulation.call(on: host, after: 1_000) { [self] in
        guard let client = simulation.connect(to: host) else { return }
        var heard: [UInt8] = []
        client.deliver = { [unowned self] bytes in
          heard += bytes ?? []
          let text = String(decoding: heard, as: UTF8.self)
          if text.contains("+tx=") || text.contains("+member=") {
            reportViolation("a transaction is done in part: \(text)")
          }
        }
        simulation.send(lines.joined(separator: "\n") + "\n", on: client)
      }
      scheduleTransaction()
    }
  }

  private func silence(_ paths: [(Int, Int)], for time: UInt64) {
    for (from, to) in paths { simulation.silence(from: from, to: to) }
    callInFaultPhase(after: time) { [self] in for (from, to) in paths { simulation.heal(from, to) } }
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
      if plan.faultKinds.contains(.trap), random.chance(100) { host.build += 1 }
      // Now and then the power goes while it starts.
      if plan.faultKinds.contains(.tear), random.chance(300) { host.disk.cutPower(afterSteps: Int(random.below(40))) }
      if !simulation.start(number, isObserved: realDisks[number] == nil) { restart(number) }
    }
  }
}
