import Base
import Storage

/// What befalls disks; damage, which destroys copies, among it.
extension Scenario {
  func slowDisk(_ fault: Fault) {
    let host = fault.host
    host.diskPace.slowness = 1 << random.below(8)
    tell(fault, "\(host.diskPace.slowness) times for \(fault.milliseconds) ms")
    callInFaultPhase(after: fault.duration) { host.diskPace.slowness = 1 }
  }
  func stallDisk(_ fault: Fault) {
    tell(fault, "for \(fault.milliseconds) ms")
    simulation.stallDisk(fault.host.number, for: fault.duration)
  }
  func failWrite(_ fault: Fault) {
    let after = Int(random.below(30))
    tell(fault, "the \(after)th")
    damage.faultyDisks.insert(fault.host.number)
    fault.host.disk.failWrite(after: after, to: random.pick([".wal", ".wal", ".jnl", ".tmp", ""]), .failed)
    restart(fault.host.number)
  }
  func failSync(_ fault: Fault) {
    tell(fault)
    damage.faultyDisks.insert(fault.host.number)
    fault.host.disk.failSync(after: Int(random.below(10)))
    restart(fault.host.number)
  }
  func fillDisk(_ fault: Fault) {
    let host = fault.host
    let room = random.pick([0, 4 << 10, 64 << 10, 512 << 10] as [UInt64])
    tell(fault, "with room for \(room) bytes for \(fault.milliseconds) ms")
    damage.fullDisks.insert(host.number)
    host.disk.setCapacity(host.disk.usedByteCount + room)
    callInFaultPhase(after: fault.duration) { host.disk.setCapacity(.max) }
    restart(host.number)
  }

  // MARK: Damage

  func rot(_ fault: Fault) -> Bool {
    let host = fault.host
    let files = host.disk.files.filter { $0.bytes > 0 }
    guard !files.isEmpty else { return false }
    // Files are many, and the log is written to one of them.
    let newest = host.disk.newestWrite
    let current = random.chance(300) ? files.first { $0.path == newest?.path && $0.path.hasSuffix(".wal") } : nil
    let file = current ?? random.pick(files)
    let start = Int(random.below(UInt64(min(file.bytes, 96 << 10))))
    let end = start + 1 + Int(random.below(8_192))
    // What is bad in the last batch of a log is taken for torn.
    if let newest, newest.path == file.path, newest.range.overlaps(start..<end) { return false }
    tell(fault, "\(file.path) from \(start)")
    damage.takesCopies(of: host.number)
    host.disk.rot(file.path, start..<end, bits: 1 + Int(random.below(20)), seed: random.next())
    if random.chance(500) {
      simulation.kill(host.number)
      restart(host.number)
    }
    return true
  }
  func loseWrite(_ fault: Fault) {
    let (suffix, after) = drawRequest(fault)
    fault.host.disk.failWrite(after: after, to: suffix, .lost)
  }
  func misdirectWrite(_ fault: Fault) {
    let (suffix, after) = drawRequest(fault)
    let files = fault.host.disk.files
    let path = files.isEmpty || random.chance(500) ? nil : random.pick(files).path
    fault.host.disk.failWrite(
      after: after, to: suffix, .misdirected(to: path, sector: Int(random.below(32))))
  }
  func failRead(_ fault: Fault) {
    let (suffix, after) = drawRequest(fault)
    fault.host.disk.failRead(after: after, of: suffix)
  }
  /// Which request of a disk goes wrong: of files with that suffix, the one after so many.
  private func drawRequest(_ fault: Fault) -> (suffix: String, after: Int) {
    damage.takesCopies(of: fault.host.number)
    let suffix = random.pick([".wal", ".wal", ".jnl", ".snap", ".tmp", ""])
    let after = Int(random.below(30))
    tell(fault, "of \(suffix), the \(after)th")
    return (suffix, after)
  }
  func wipe(_ fault: Fault) {
    let number = fault.host.number
    tell(fault)
    damage.wipes(number)
    let hasName = fault.host.disk.paths.contains("/data/identity")
    if random.chance(500), hasName, (try? simulation.loseLog(number)) != nil, simulation.start(number) {
      return fail(
        "\(fault.host.name) starts under its name without its log: its votes and acknowledgements are forgotten")
    }
    simulation.wipe(number)
    restart(number)
  }
}
