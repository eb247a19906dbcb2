import Base
import NodeDisk
import Storage
import Testing

@testable import Cluster
@testable import Simulator

/// A cluster of which one node makes backups.
struct SavedCluster {
  let cluster: ResizedCluster
  let members: [String]
  static let directory = "/srv/backup"

  /// - Parameter nodes: five: none holds all shards.
  init(seed: UInt64, nodes: Int = 5, shards: Int = 5) throws {
    members = (0..<24).map { "b\($0)" }
    cluster = try ResizedCluster(seed: seed, nodes: nodes, shards: shards)
    try populate(cluster.simulation, members: members)
  }
  var simulation: Simulation { cluster.simulation }

  /// Purchases and transfers all over, at nodes in turn; nobody waits for the answers.
  func trade(_ round: Int, count: Int = 40) throws {
    let clients = simulation.hosts.compactMap { $0.node == nil ? nil : simulation.connect(to: $0.number) }
    for number in 0..<count {
      let (from, to) = (members[number % members.count], members[(number * 7 + 5) % members.count])
      simulation.send(
        "EARN \(from) merchant=shop points=9 id=r\(round)e\(number)\n", on: clients[number % clients.count])
      guard from != to else { continue }
      simulation.send("TRANSFER \(from) \(to) points=3 id=r\(round)t\(number)\n", on: clients[number % clients.count])
    }
  }
  /// Has a node save; gives the operation's record once it is over.
  func save(on host: Int = 0, _ number: Int = 1) throws -> String {
    let answer = try cluster.ask("CLUSTER BACKUP SAVE dir=\(SavedCluster.directory)", on: host)
    guard answer.contains("kind=backup-save") else { return answer }
    return try cluster.wait(number, on: host == 0 ? 1 : 0)
  }
  func verified(on host: Int = 0) throws -> BackupVerifier {
    var verifier = try BackupVerifier(
      SavedCluster.directory, fileSystem: simulation.hosts[host].disk,
      limits: simulation.hosts[host].configuration.ledgerLimits)
    verifier.verify()
    return verifier
  }
  /// What an audit says of all shards together, once nothing is under way.
  func audited() throws -> BackupFigures {
    simulation.run(for: 10_000_000)
    return try BackupFigures(audit: try cluster.ask("AUDIT"), lines: lines("AUDIT"))
  }
  func lines(_ line: String, on host: Int = 0) throws -> [String] {
    let client = try #require(simulation.connect(to: host))
    client.clear()
    simulation.send(line + "\n", on: client)
    simulation.run(for: 2_000_000)
    return client.lines
  }
}

extension BackupFigures {
  /// Of an audit's records.
  init(audit first: String, lines: [String]) throws {
    self.init()
    for line in lines {
      guard let digest = line.field("digest"), digest.count == 32 else { continue }
      self.digest.a &+= try #require(UInt64(digest.prefix(16), radix: 16))
      self.digest.b &+= try #require(UInt64(digest.suffix(16), radix: 16))
      members += UInt64(line.field("members") ?? "") ?? 0
      transactions += UInt64(line.field("transactions") ?? "") ?? 0
    }
  }
}

@Suite struct BackupTests {
  @Test func theRecordOfASaveIsReadAsItWasWritten() throws {
    let plan = BackupSave(
      node: NodeID(0x8000_0000_0000_0001), directory: "/srv/a b", shards: [ShardID(1), ShardID(70_000)])
    var buffer = ByteBuffer()
    plan.encode(into: &buffer)
    #expect(try BackupSave.kind.plan(buffer.array) as? BackupSave == plan)
  }

  @Test func aBackupMadeWhileAllGoesOnIsSound() throws {
    let saved = try SavedCluster(seed: 901)
    try saved.trade(1)
    let record = try saved.save(on: 4)
    #expect(record.contains("state=done") && record.contains("balanced=yes"), "\(record)\n\(saved.simulation.report)")
    let verifier = try saved.verified(on: 4)
    #expect(verifier.findings == [])
    let report = try #require(verifier.report)
    #expect(report.shards == 5 && report.backup == 1 && report.isBalanced)
    #expect(record.contains("digest=\(report.digest)"))
  }

  /// Each member of the tenant once, as it was at the cut.
  @Test func aBackupTellsItsMembers() throws {
    let saved = try SavedCluster(seed: 886_010, nodes: 3, shards: 3)
    #expect(try saved.cluster.ask("MEMBER SET b3 name=Before") == "+OK")
    #expect(try saved.save(1).contains("state=done"))
    #expect(try saved.cluster.ask("MEMBER SET b3 name=After") == "+OK")
    #expect(try saved.cluster.ask("MEMBER ADD late") == "+OK")
    let members = try saved.verified().report?.members
    let backup = try BackupMembers(SavedCluster.directory, fileSystem: saved.simulation.hosts[0].disk)
    var told: [String] = []
    try backup.forEach(ofTenant: "default") { told.append($0) }
    let ids = told.compactMap { $0.field("member").map(String.init) }
    #expect(Set(ids).count == told.count && Set(ids).isSuperset(of: saved.members) && !ids.contains("late"))
    #expect(members == UInt64(told.count))
    #expect(told.contains { $0.field("member") == "b3" && $0.field("name") == "Before" }, "\(told)")
    #expect(throws: BackupMembers.Failure.self) { try backup.forEach(ofTenant: "nobody") { _ in } }
  }

  /// What has not changed is not written again; and what an audit says at rest is in the backup.
  @Test func theNextBackupWritesWhatHasChanged() throws {
    let saved = try SavedCluster(seed: 902, nodes: 3)
    for round in 0..<8 { try saved.trade(round, count: 200) }
    let before = try saved.audited()
    let first = try saved.save(1)
    let second = try saved.save(on: 0, 2)
    #expect(first.contains("state=done") && second.contains("state=done"), "\(first)\n\(second)")
    func written(_ record: String) throws -> Int { try #require(Int(record.field("written") ?? "")) }
    #expect(try written(second) * 4 < written(first), "\(first)\n\(second)")
    let verifier = try saved.verified()
    #expect(verifier.findings == [])
    #expect(verifier.report?.backup == 2 && verifier.report?.digest == before.digestText)
    #expect(verifier.report?.members == before.members && verifier.report?.transactions == before.transactions)
  }

  @Test func whatIsFlippedIsNamed() throws {
    let saved = try SavedCluster(seed: 903, nodes: 3, shards: 2)
    try saved.trade(1)
    #expect(try saved.save().contains("state=done"))
    try saved.trade(2)
    #expect(try saved.save(2).contains("state=done"))
    let disk = saved.simulation.hosts[0].disk
    var random = SeededGenerator(seed: 903)
    var files: [String] = []
    for folder in ["00000001", "00000002", "journal"] {
      let path = "\(SavedCluster.directory)/\(folder)"
      files += try disk.list(path).map { "\(path)/\($0)" }
    }
    #expect(files.count >= 16, "\(files)")
    for path in files {
      let file = try disk.open(path, create: false)
      let size = try file.size()
      for _ in 0..<6 where size > 0 {
        let offset = random.next() % size
        var byte: [UInt8] = [0]
        _ = try byte.withUnsafeMutableBytes { try file.read(into: $0, at: offset) }
        let flipped = [byte[0] ^ UInt8(1 << (random.next() % 8))]
        try flipped.withUnsafeBytes { try file.write($0, at: offset) }
        let findings = try saved.verified().findings
        #expect(findings.contains { $0.contains(path) && $0.contains("at byte") }, "\(path) \(offset): \(findings)")
        try byte.withUnsafeBytes { try file.write($0, at: offset) }
      }
    }
    #expect(try saved.verified().findings == [])
  }

  /// The node that saves dies at some step of its disk, or of the network; it goes on when it is back.
  @Test(arguments: [3, 8, 20, 40, 60, 90, 130, 180])
  func whoeverSavesMayDie(steps: Int) throws {
    let saved = try SavedCluster(seed: 904)
    try saved.trade(1)
    let simulation = saved.simulation
    let answer = try saved.cluster.ask("CLUSTER BACKUP SAVE dir=\(SavedCluster.directory)", on: 4)
    #expect(answer.contains("state=running"), "\(answer)")
    simulation.hosts[4].disk.cutPower(afterSteps: steps)
    simulation.run(for: 3_000_000)
    simulation.hosts[4].disk.cutPower(afterSteps: nil)
    if simulation.hosts[4].node != nil { simulation.kill(4) }
    simulation.run(for: 500_000)
    try saved.trade(2)
    try #require(simulation.start(4), "\(simulation.hosts[4].failure ?? "")")
    let record = try saved.cluster.wait()
    #expect(record.contains("state=done"), "\(record)\n\(simulation.report)")
    #expect(try saved.verified(on: 4).findings == [])
  }

  /// A source dies, and is back, while its shards are on their way.
  @Test(arguments: [100_000, 900_000, 1_000_000, 1_100_000, 1_300_000] as [UInt64])
  func aSourceMayDie(after moment: UInt64) throws {
    let saved = try SavedCluster(seed: 905)
    try saved.trade(1)
    let simulation = saved.simulation
    _ = try saved.cluster.ask("CLUSTER BACKUP SAVE dir=\(SavedCluster.directory)", on: 4)
    simulation.run(for: moment)
    for host in 0..<3 {
      simulation.kill(host)
      simulation.run(for: 200_000)
      try #require(simulation.start(host))
      simulation.run(for: 2_000_000)
    }
    let record = try saved.cluster.wait(for: 120_000_000)
    #expect(record.contains("state=done"), "\(record)\n\(simulation.report)")
    #expect(try saved.verified(on: 4).findings == [])
  }

  @Test func aDirectoryOfSomethingElseIsRefused() throws {
    let saved = try SavedCluster(seed: 906, nodes: 3, shards: 1)
    let disk = saved.simulation.hosts[0].disk
    try disk.createDirectory(SavedCluster.directory)
    _ = try disk.open(SavedCluster.directory + "/letters.txt", create: true)
    let record = try saved.save()
    #expect(record.contains("state=failed") && record.contains("something else"), "\(record)")
    #expect(try saved.cluster.ask("CLUSTER BACKUP SAVE dir=backup").contains("from its root on"))
    #expect(try saved.cluster.ask("CLUSTER BACKUP SAVE dir=/x dry-run=yes").hasPrefix("*1"))
    // In the words of the command line it is the same.
    #expect(try saved.cluster.ask("CLUSTER BACKUP SAVE /x dry-run=yes").hasPrefix("*1"))
    for wrong in ["SAVE", "SAVE /x dir=/x", "SAVE x", "RESTORE", "KEEP /x"] {
      #expect(try saved.cluster.ask("CLUSTER BACKUP \(wrong)").hasPrefix("-ERR "), "\(wrong)")
    }
  }

  @Test func aMoveAndASaveDoNotMeet() throws {
    let saved = try SavedCluster(seed: 907)
    #expect(try saved.cluster.ask("CLUSTER BACKUP SAVE dir=/srv/backup").contains("state=running"))
    let cluster = saved.cluster
    let voters = cluster.node(0)?.view.topology?.shards.first?.voters ?? []
    let names = saved.simulation.hosts.map { ($0.name, voters.contains($0.nodeID)) }
    let (from, to) = (names.first { $0.1 }?.0 ?? "", names.first { !$0.1 }?.0 ?? "")
    #expect(
      try cluster.ask("CLUSTER SHARD MOVE 1 from=\(from) to=\(to)").contains("operation 1 is under way on shard 1"))
    #expect(try cluster.ask("CLUSTER OP CANCEL 1").contains("state=cancelled"))
    saved.simulation.run(for: 2_000_000)
    #expect(saved.simulation.hosts.allSatisfy { $0.node?.snapshots.backups.sources.sources.isEmpty ?? false })
    #expect(try cluster.ask("CLUSTER SHARD MOVE 1 from=\(from) to=\(to)").contains("state=running"))
    #expect(try cluster.wait(2).contains("state=done"))
  }
}
