import Base
import Cluster
import NodeDisk
import Storage

/// An operator has nodes save while faults go on. In the end each backup that is there is sound, and a cluster can begin with it.
extension Scenario {
  private static let backups = "/srv/backup"

  func saveBackup(on host: Int) { operate("CLUSTER BACKUP SAVE dir=\(Scenario.backups)", on: host) }

  /// When all operations are over.
  func checkBackups() {
    guard plan.resizes, failure == nil else { return }
    for host in simulation.hosts where !damage.hosts.contains(host.number) && !damage.faultyDisks.contains(host.number)
    {
      guard failure == nil, let verifier = verifiedBackups(of: host), let report = verifier.report else { continue }
      guard verifier.findings.isEmpty else {
        return fail("\(host.name), backup \(report.backup): \(verifier.findings)")
      }
      tell(host.number, "backup \(report.backup) is sound: \(report.members) members, digest \(report.digest)")
      if random.chance(300) { restore(beside: host, report) }
    }
  }
  /// Nil: it has none.
  private func verifiedBackups(of host: SimulatedHost) -> BackupVerifier? {
    guard (try? host.disk.exists(Scenario.backups)) == true else { return nil }
    do {
      var verifier = try BackupVerifier(
        Scenario.backups, fileSystem: host.disk, limits: host.configuration.ledgerLimits)
      verifier.verify()
      return verifier
    } catch {
      // It has lost power, or writes a last one that nobody waits for.
      if !host.disk.isPowerOut, error.kind != .locked { fail("\(host.name): \(error)") }
      return nil
    }
  }

  /// Another number of nodes, without faults, begins with the newest backup, and proves to be that.
  private func restore(beside host: SimulatedHost, _ report: BackupVerifier.Report) {
    let nodes = 1 + Int(random.below(5))
    let beside = Simulation(seed: random.next(), nodes: nodes, logOptions: simulation.logOptions) { configuration in
      configuration.ledgerLimits = host.configuration.ledgerLimits
    }
    do {
      try Scenario.copy(host.disk, to: beside.hosts[0].disk)
    } catch { return fail("\(error)") }
    // Their clocks are to be past the cut, however far ahead some clock was.
    let ahead = report.cut.microseconds - Simulation.epoch
    beside.run(for: UInt64(max(0, ahead)) + 2_000_000)
    let line = "CLUSTER BACKUP RESTORE dir=\(Scenario.backups) replicas=\(nodes < 3 ? 1 : 3) allow-single-region=yes"
    let answer = Scenario.ask(beside, line)
    guard answer.contains("cluster=") else { return fail("not restored into \(nodes) nodes: \(answer)") }
    var record = ""
    for _ in 0..<100 where !record.contains("state=done") && !record.contains("state=failed") {
      beside.run(for: 500_000)
      record = Scenario.ask(beside, "CLUSTER OP SHOW 1")
    }
    guard record.contains("state=done"), record.contains("digest=\(report.digest)") else {
      return fail("restored into \(nodes) nodes it is not the backup: \(record)")
    }
    tell(host.number, "restored into \(nodes) nodes")
  }
  private static func ask(_ simulation: Simulation, _ line: String) -> String {
    guard let client = simulation.connect(to: 0) else { return "" }
    defer { simulation.disconnect(client) }
    simulation.send(line + "\n", on: client)
    simulation.run(for: 60_000_000) { client.lineCount > 0 }
    return client.lines.first ?? ""
  }
  private static func copy(_ from: MemoryFileSystem, to disk: MemoryFileSystem) throws {
    for folder in try from.list(backups) where folder != "lock" {
      try disk.createDirectory("\(backups)/\(folder)")
      for name in try from.list("\(backups)/\(folder)") {
        let path = "\(backups)/\(folder)/\(name)"
        let source = try from.open(path, create: false)
        var bytes = [UInt8](repeating: 0, count: Int(try source.size()))
        _ = try bytes.withUnsafeMutableBytes { try source.read(into: $0, at: 0) }
        let file = try disk.open(path, create: true)
        try bytes.withUnsafeBytes { try file.write($0, at: 0) }
      }
    }
  }
}
