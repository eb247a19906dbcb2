import Base
import NodeDisk
import Storage
import Testing

@testable import Cluster
@testable import Simulator

/// A cluster that begins with another's backup.
struct RestoredCluster {
  let simulation: Simulation
  static let directory = SavedCluster.directory

  /// - Parameter isLate: its clocks are past the backup's cut.
  init(of saved: SavedCluster, on host: Int, seed: UInt64, nodes: Int, isLate: Bool = true) throws {
    simulation = Simulation(seed: seed, nodes: nodes)
    try RestoredCluster.copy(saved.simulation.hosts[host].disk, to: simulation.hosts[0].disk)
    simulation.run(for: isLate ? saved.simulation.now + 2_000_000 : 2_000_000)
  }
  static func copy(_ from: MemoryFileSystem, to disk: MemoryFileSystem) throws {
    for folder in try from.list(directory) where folder != "lock" {
      try disk.createDirectory("\(directory)/\(folder)")
      for name in try from.list("\(directory)/\(folder)") {
        let path = "\(directory)/\(folder)/\(name)"
        let source = try from.open(path, create: false)
        var bytes = [UInt8](repeating: 0, count: Int(try source.size()))
        _ = try bytes.withUnsafeMutableBytes { try source.read(into: $0, at: 0) }
        let file = try disk.open(path, create: true)
        try bytes.withUnsafeBytes { try file.write($0, at: 0) }
        try file.sync()
      }
      try disk.syncDirectory("\(directory)/\(folder)")
    }
    try disk.syncDirectory(directory)
  }
  func ask(_ line: String, on host: Int = 0, for limit: UInt64 = 60_000_000) throws -> String {
    let client = try #require(simulation.connect(to: host))
    client.clear()
    simulation.send(line + "\n", on: client)
    simulation.run(for: limit) { client.lineCount > 0 }
    return client.lines.first ?? "nothing"
  }
  func lines(_ line: String, on host: Int = 0) throws -> [String] {
    let client = try #require(simulation.connect(to: host))
    client.clear()
    simulation.send(line + "\n", on: client)
    simulation.run(for: 3_000_000)
    return client.lines
  }
  func restore(_ more: String = "") throws -> String {
    try ask("CLUSTER BACKUP RESTORE dir=\(RestoredCluster.directory)\(more)")
  }
  /// Waits until it has proved to be the backup.
  func awaitProof(on host: Int = 0, for limit: UInt64 = 120_000_000) throws -> String {
    var record = ""
    let end = simulation.now + limit
    while simulation.now < end {
      if simulation.hosts[host].node != nil { record = try ask("CLUSTER OP SHOW 1", on: host, for: 5_000_000) }
      if record.contains("state=done") || record.contains("state=failed") { break }
      simulation.run(for: 500_000)
    }
    return record
  }
}

@Suite struct RestoreTests {
  @Test(arguments: [3, 5, 1]) func aBackupIsRestoredIntoAnyNumberOfNodes(nodes: Int) throws {
    let saved = try SavedCluster(seed: 911, nodes: 3, shards: 4)
    try saved.trade(1, count: 120)
    let first = try saved.cluster.ask("EARN b0 merchant=shop points=77 id=before")
    #expect(first.hasPrefix("+tx="))
    let figures = try saved.audited()
    let history = try saved.lines("HISTORY b0 limit=100")
    #expect(try saved.save().contains("state=done"))
    // What came after the cut is unknown to the restored.
    #expect(try saved.cluster.ask("EARN b0 merchant=shop points=5 id=after").hasPrefix("+tx="))
    let restored = try RestoredCluster(of: saved, on: 0, seed: 912, nodes: nodes)
    let answer = try restored.restore(nodes == 1 ? " replicas=1" : "")
    #expect(answer.contains("cluster=") && answer.contains("shards=4"), "\(answer)\n\(restored.simulation.report)")
    let proof = try restored.awaitProof()
    #expect(
      proof.contains("state=done") && proof.contains("digest=\(figures.digestText)"),
      "\(proof)\n\(restored.simulation.report)")
    let found = try BackupFigures(audit: "", lines: restored.lines("AUDIT"))
    #expect(found.digest == figures.digest && found.members == figures.members)
    #expect(try restored.lines("HISTORY b0 limit=100") == history)
    for host in 0..<nodes {
      #expect(try restored.ask("EARN b0 merchant=shop points=77 id=before", on: host) == first)
    }
    #expect(try restored.ask("EARN b0 merchant=shop points=5 id=after").hasPrefix("+tx="))
    #expect(try restored.ask("MERCHANT SET other program=main region=east").hasPrefix("+OK"))
    #expect(try restored.ask("TRANSFER b0 b1 points=5 id=t-after").hasPrefix("+tx="))
    // Another can be saved of it, to another directory.
    let again = try restored.ask("CLUSTER BACKUP SAVE dir=/srv/again")
    #expect(again.contains("kind=backup-save"), "\(again)")
    #expect(try restored.ask("CLUSTER BACKUP RESTORE dir=/srv/backup").hasPrefix("-EXISTS"))
  }

  /// Whoever was erased after the backup is erased again before the restored cluster takes anything: by the list beside it.
  @Test func whoWasErasedSinceIsErasedAgain() throws {
    let saved = try SavedCluster(seed: 883_030, nodes: 3, shards: 4)
    for line in [
      "MEMBER ADD zoe name=Secret-name birthday=1999-02-03 x.hobby=Secret-hobby card=Secret-card id=a",
      "MEMBER ADD yan name=Secret-still card=Secret-other id=b", "ALIAS ADD phone:Secret-phone member=zoe id=c",
      "MEMBER NOTE zoe kind=visit text=Secret-note id=d", "CARD ADD Secret-passed member=zoe id=e",
      "EARN card:Secret-card merchant=shop points=100 id=f", "MEMBER ERASE yan id=y", "MEMBER SET yan name=Anew-name",
    ] { #expect(try saved.cluster.ask(line).hasPrefix("+"), "\(line)") }
    let history = try saved.lines("HISTORY zoe")
    #expect(try saved.save().contains("state=done"))
    #expect(try saved.cluster.ask("MEMBER ERASE phone:Secret-phone") == "+OK")
    let again = try saved.cluster.ask("CLUSTER BACKUP SAVE dir=/srv/newer")
    #expect(again.contains("kind=backup-save"), "\(again)")
    #expect(try saved.cluster.wait(2, on: 1).contains("state=done"))

    let restored = try RestoredCluster(of: saved, on: 0, seed: 883_031, nodes: 3)
    let source = saved.simulation.hosts[0].disk
    let limits = saved.simulation.hosts[0].configuration.ledgerLimits
    let count = try ErasedList.carry(
      from: "/srv/newer", to: SavedCluster.directory, fileSystem: source, limits: limits)
    #expect(count == 2)
    let list = try #require(source.contents(SavedCluster.directory + "/erased"))
    #expect(String(decoding: list, as: UTF8.self).contains(" zoe "))
    let disk = restored.simulation.hosts[0].disk
    let file = try disk.open(RestoredCluster.directory + "/erased", create: true)
    try list.withUnsafeBytes { try file.write($0, at: 0) }
    try file.sync()
    try disk.syncDirectory(RestoredCluster.directory)

    #expect(try restored.restore().contains("cluster="))
    #expect(try restored.awaitProof().contains("state=done"), "\(restored.simulation.report)")
    let shown = try restored.ask("MEMBER SHOW zoe")
    #expect(shown.hasPrefix("+member=zoe ") && !shown.contains("Secret") && shown.contains(" cards=\"\" "), "\(shown)")
    #expect(try restored.ask("MEMBER SHOW yan").contains("name=Anew-name"), "she was erased before the cut")
    for alias in ["card:Secret-card", "phone:Secret-phone", "card:Secret-passed", "card:Secret-other"] {
      #expect(try restored.ask("BALANCE \(alias)").hasPrefix("-NOTFOUND "), "\(alias)")
    }
    #expect(try restored.ask("EARN card:Secret-card merchant=shop points=100 id=f").hasPrefix("-NOTFOUND "))
    #expect(try restored.lines("HISTORY zoe") == history, "the movements stay")
    #expect(try restored.lines("AUDIT").last?.contains("balanced=yes") == true)
    for host in restored.simulation.hosts {
      for path in host.disk.paths where path.hasPrefix("/data/") && !path.hasPrefix("/data/restore") {
        #expect(
          !String(decoding: host.disk.contents(path) ?? [], as: UTF8.self).contains("Secret-"), "\(host.number) \(path)"
        )
      }
    }
    // The number is free: another may have it.
    #expect(try restored.ask("CARD ADD Secret-card member=yan id=z") == "+OK")
  }

  /// Points that are on their way at the cut arrive; none is lost or doubled.
  @Test func whatIsOnItsWayArrives() throws {
    let saved = try SavedCluster(seed: 913, nodes: 3, shards: 4)
    let before = try saved.audited()
    try saved.trade(1, count: 200)
    saved.simulation.run(for: 5_000)
    let record = try saved.save()
    #expect(record.contains("state=done"), "\(record)")
    let restored = try RestoredCluster(of: saved, on: 0, seed: 914, nodes: 3)
    _ = try restored.restore()
    #expect(try restored.awaitProof().contains("state=done"))
    restored.simulation.run(for: 10_000_000)
    let totals = try restored.lines("AUDIT")
    #expect(totals.last?.contains("intransit=0") == true && totals.last?.contains("balanced=yes") == true, "\(totals)")
    _ = before
  }

  /// What was granted, leased and drawn of a quota, and what a campaign gave, is state like any other: no point is given twice.
  @Test func aQuotaGoesOnWhereItWas() throws {
    let saved = try SavedCluster(seed: 870_010, nodes: 3, shards: 4)
    for line in [
      "QUOTA SET gifts limit=500", "CAMPAIGN SET gifts state=running budget=gifts",
      "RULE SET gift program=main stage=bonus campaign=gifts when=\"channel = gift\" points=40 state=running",
    ] { #expect(try saved.cluster.ask(line) == "+OK", "\(line)") }
    func gift(_ number: Int) -> String { "EARN b\(number) merchant=shop spend=0 channel=gift id=g\(number)" }
    var answers: [String] = []
    for number in 0..<8 { answers.append(try saved.cluster.ask(gift(number))) }
    #expect(answers.allSatisfy { $0.contains(" points=40 ") }, "\(answers)")
    let quota = try saved.cluster.ask("QUOTA SHOW gifts")
    let campaign = try saved.cluster.ask("CAMPAIGN REPORT gifts")
    #expect(quota.hasSuffix(" used=320 left=180") && campaign.contains(" members=8 transactions=8 points=320 "))
    #expect(try saved.save().contains("state=done"))
    let restored = try RestoredCluster(of: saved, on: 0, seed: 870_011, nodes: 3)
    _ = try restored.restore()
    #expect(try restored.awaitProof().contains("state=done"))
    #expect(try restored.ask("QUOTA SHOW gifts") == quota)
    #expect(try restored.ask("CAMPAIGN REPORT gifts") == campaign)
    // A repeat draws nothing. The rest lies in leases of all shards, and is drawn to the last point.
    for number in 0..<8 { #expect(try restored.ask(gift(number)) == answers[number]) }
    var points: [String] = []
    for number in 8..<14 {
      let answer = try restored.ask(gift(number))
      points.append(answer.split(separator: " ").first { $0.hasPrefix("points=") }.map(String.init) ?? answer)
    }
    #expect(points == Array(repeating: "points=40", count: 4) + ["points=20", "points=0"])
    #expect(try restored.ask("QUOTA SHOW gifts").hasSuffix(" used=500 left=0"))
  }

  @Test func aClockBehindTheCutIsWaitedFor() throws {
    let saved = try SavedCluster(seed: 915, nodes: 3, shards: 1)
    saved.simulation.run(for: 30_000_000)
    #expect(try saved.save().contains("state=done"))
    let restored = try RestoredCluster(of: saved, on: 0, seed: 916, nodes: 3, isLate: false)
    let client = try #require(restored.simulation.connect(to: 0))
    restored.simulation.send("CLUSTER BACKUP RESTORE dir=\(RestoredCluster.directory)\n", on: client)
    restored.simulation.run(for: 10_000_000)
    #expect(client.lines.isEmpty)
    #expect(restored.simulation.log.contains { $0.contains("behind the backup's cut") })
    restored.simulation.run(for: saved.simulation.now)
    #expect(client.lines.first?.contains("cluster=") == true)
    #expect(try restored.awaitProof().contains("state=done"))
  }

  /// A state was overdue in part at the cut, and clocks are far on: what an entry forgets must not count.
  @Test func aBackupOfLongAgoIsRestored() throws {
    let saved = try SavedCluster(seed: 921, nodes: 3, shards: 2)
    try saved.trade(1, count: 100)
    #expect(try saved.save().contains("state=done"))
    let restored = try RestoredCluster(of: saved, on: 0, seed: 922, nodes: 3)
    for host in restored.simulation.hosts { host.clock.offset = 40 * 86_400_000_000 }
    restored.simulation.run(for: 1_000_000)
    #expect(try restored.restore().contains("cluster="))
    let proof = try restored.awaitProof()
    #expect(proof.contains("state=done"), "\(proof)")
  }

  /// Any node dies at some step of its disk, the one that makes the cluster too; all ends with a whole cluster or with none.
  @Test(arguments: [0, 1], [5, 12, 20, 30, 45, 60, 80, 110, 150])
  func anyNodeMayDie(host: Int, steps: Int) throws {
    let saved = try SavedCluster(seed: 917, nodes: 3, shards: 2)
    try saved.trade(1)
    let figures = try saved.audited()
    #expect(try saved.save().contains("state=done"))
    let restored = try RestoredCluster(of: saved, on: 0, seed: 918, nodes: 3)
    let simulation = restored.simulation
    simulation.hosts[host].disk.cutPower(afterSteps: steps)
    let client = try #require(simulation.connect(to: 0))
    simulation.send("CLUSTER BACKUP RESTORE dir=\(RestoredCluster.directory)\n", on: client)
    simulation.run(for: 5_000_000)
    simulation.hosts[host].disk.cutPower(afterSteps: nil)
    if simulation.hosts[host].node != nil { simulation.kill(host) }
    simulation.run(for: 500_000)
    try #require(simulation.start(host), "\(simulation.hosts[host].failure ?? "")")
    simulation.run(for: 5_000_000)
    if host == 0, simulation.hosts[0].node?.view.topology == nil {
      simulation.run(for: 5_000_000)
      let answer = try restored.restore()
      #expect(answer.contains("cluster="), "\(answer)\n\(simulation.report)")
    }
    let proof = try restored.awaitProof(on: 2)
    #expect(proof.contains("state=done"), "\(proof)\n\(simulation.report)")
    #expect(try BackupFigures(audit: "", lines: restored.lines("AUDIT", on: 2)).digest == figures.digest)
    simulation.run(for: 20_000_000)
    for number in simulation.hosts.indices {
      try #require(simulation.hosts[number].node != nil, "\(number): \(simulation.ends) \(simulation.log.suffix(5))")
      #expect(try restored.ask("EARN b1 merchant=shop points=1 id=x\(number)", on: number).hasPrefix("+tx="))
    }
  }

  /// A state that is another than the manifest says opens nothing.
  @Test func whatIsRottenIsNotRestored() throws {
    let saved = try SavedCluster(seed: 919, nodes: 3, shards: 2)
    try saved.trade(1)
    #expect(try saved.save().contains("state=done"))
    let restored = try RestoredCluster(of: saved, on: 0, seed: 920, nodes: 3)
    let path = "\(RestoredCluster.directory)/00000001/00000001.pages"
    let file = try restored.simulation.hosts[0].disk.open(path, create: false)
    try [UInt8(0xFF)].withUnsafeBytes { try file.write($0, at: 5_000) }
    let answer = try restored.restore()
    #expect(answer.hasPrefix("-UNAVAILABLE") && answer.contains(path), "\(answer)")
    restored.simulation.run(for: 5_000_000)
    // They are free for another.
    #expect(try restored.ask("CLUSTER INIT shards=2 replicas=3").contains("cluster="))
    restored.simulation.run(for: 20_000_000)
    #expect(try restored.ask("PROGRAM SET main earn=1/100 expire=never").hasPrefix("+OK"))
  }
}
