import Base
import CommandSupport
import Foundation
import NodeDisk
import Replies
import Storage
import Testing

@testable import Simulator

/// The data directories that builds have left: `Stored/N` has one whole, with the log, snapshots, journals and identity of a
/// node, and what it answered. Each must be started on for ever. See `Tests/LedgerTests/Stored/README.md`.
@Suite struct StoredNodeTests {
  private static let lines =
    """
    PROGRAM SET points earn=1/100 expire=12m title=Punkte
    MERCHANT SET cafe program=points region=east
    MEMBER ADD ann name=Ann
    MEMBER ADD ben card=4711
    EARN ann merchant=cafe spend=10000 id=a
    EARN ben merchant=cafe spend=5000 id=b
    REDEEM ann merchant=cafe points=30 id=c
    HOLD ann merchant=cafe points=20 ttl=86400 id=d
    TRANSFER ann ben points=7 id=e
    REDEEM ann merchant=cafe points=100000 id=f
    CARD LOST 4711 id=g
    """.split(separator: "\n").map(String.init)
    // So many that there are snapshots, and a second journal segment.
    + (0..<60).map { "EARN m\($0 % 7) merchant=cafe points=\($0) id=more\($0)" }
  private static let questions = """
    BALANCE ann
    BALANCE ben
    HISTORY ann
    HISTORY m3 limit=100
    MEMBER SHOW ann
    MEMBER SHOW ben
    PROGRAM LIST
    PROGRAM HISTORY points
    MERCHANT LIST
    EARN ann merchant=cafe spend=10000 id=a
    EARN ann merchant=cafe spend=10001 id=a
    REDEEM ann merchant=cafe points=100000 id=f
    EARN m3 merchant=cafe points=59 id=more59
    """.split(separator: "\n").map(String.init)

  private static func simulation() -> Simulation {
    Simulation(
      seed: 7, nodes: 1, logOptions: .init(segmentBytes: 64 << 10, maxRecordBytes: 32 << 10)
    ) {
      $0.snapshotLogBytes = 2 << 10
      $0.snapshotCommands = 8
      $0.ledgerLimits.journalSegmentBytes = 4 << 10
    }
  }
  /// The answers to lines, each said again while the node is not ready.
  private static func ask(_ lines: [String], of simulation: Simulation) throws -> [String] {
    let client = try #require(simulation.connect(to: 0))
    return try lines.map { line in
      for _ in 0..<200 {
        client.clear()
        simulation.send(line + "\n", on: client)
        var value: Value?
        simulation.run(for: 20_000_000) {
          value = client.received.withUnsafeBytes { (try? Value.parse($0))?.value }
          return value != nil
        }
        let answer = try #require(value, "no answer to \(line)")
        if case .error(let code, _) = answer, ["UNAVAILABLE", "BUSY"].contains(code) {
          simulation.run(for: 100_000)
          continue
        }
        // A read says how new it is, which is the clock's.
        return answer.shown.split(separator: " ").filter { !$0.hasPrefix("asof=") }.joined(separator: " ")
      }
      Issue.record("\(line) was never answered")
      return ""
    }
  }

  // MARK: Files

  /// All files: counted path, size, then runs of bytes that are not 0, each with its offset and count; count 0 ends a file.
  private static func packed(_ disk: MemoryFileSystem) -> [UInt8] {
    var buffer = ByteBuffer()
    for path in disk.paths {
      let bytes = disk.contents(path) ?? []
      buffer.append(counted: path)
      buffer.append(UInt32(bytes.count))
      var at = 0
      while at < bytes.count {
        let end = min(at + 64, bytes.count)
        if bytes[at..<end].contains(where: { $0 != 0 }) {
          buffer.append(UInt32(at))
          buffer.append(UInt32(end - at))
          buffer.append(Array(bytes[at..<end]))
        }
        at = end
      }
      buffer.append(UInt32(0))
      buffer.append(UInt32(0))
    }
    return buffer.array
  }
  private static func unpacked(_ packed: [UInt8]) throws -> MemoryFileSystem {
    let disk = MemoryFileSystem()
    try packed.withUnsafeBytes { bytes in
      var reader = ByteReader(bytes)
      while !reader.isAtEnd {
        let path = String(decoding: try reader.readCounted(), as: UTF8.self)
        var file = [UInt8](repeating: 0, count: Int(try reader.read(UInt32.self)))
        while true {
          let offset = Int(try reader.read(UInt32.self))
          let count = Int(try reader.read(UInt32.self))
          guard count > 0 else { break }
          file.replaceSubrange(offset..<offset + count, with: try reader.readBytes(count))
        }
        try disk.createDirectory(String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)]))
        disk.setContents(path, file)
      }
    }
    return disk
  }

  private static let directory = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
    "Stored")
  static let versions: [Int] = {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? []
    return names.compactMap { Int($0) }.sorted()
  }()

  // MARK: Tests

  @Test func thereAreStoredNodes() { #expect(!Self.versions.isEmpty) }

  @Test(arguments: versions) func aNodeStartsOnWhatABuildLeft(version: Int) throws {
    let place = Self.directory.appendingPathComponent("\(version)")
    let simulation = Self.simulation()
    defer { simulation.forgetEvents() }
    simulation.killProcess(0)
    let host = simulation.hosts[0]
    host.disk = try Self.unpacked(Array(try Data(contentsOf: place.appendingPathComponent("disk"))))
    // Later than all that is stored.
    host.clock.offset = 3_600_000_000
    #expect(simulation.start(0), "\(host.failure ?? "")")
    let answers = try Self.ask(Self.questions, of: simulation).joined(separator: "\n")
    let stored = try String(contentsOf: place.appendingPathComponent("answers"), encoding: .utf8)
    #expect(answersAgree(answers, with: stored), "\(answers)")
    #expect(simulation.log.filter { $0.contains("CORRUPT") } == [])
  }

  private static func inspect(
    _ disk: MemoryFileSystem, _ body: (inout Inspection) throws -> Void
  ) throws -> (faults: Int, lines: [String]) {
    var lines: [String] = []
    var inspection = try Inspection(directory: "/data", fileSystem: disk, shard: nil) { lines.append($0) }
    try body(&inspection)
    return (inspection.faults, lines)
  }
  @Test func whatLiesInADirectoryIsShownAndWhatIsDamagedThereIsNamed() throws {
    let place = Self.directory.appendingPathComponent("\(try #require(Self.versions.last))")
    let packed = Array(try Data(contentsOf: place.appendingPathComponent("disk")))
    let parts: [(kind: String, shows: String, body: (inout Inspection) throws -> Void)] = [
      ("/data/wal/", "kind=entry", { $0.log() }), ("/data/snapshots/", "digest=", { try $0.snapshots() }),
      ("/data/journal/0000000", "kind=earn", { try $0.journals() }),
    ]
    for part in parts {
      let disk = try Self.unpacked(packed)
      let before = disk.paths.map { disk.contents($0) }
      let sound = try Self.inspect(disk, part.body)
      #expect(
        sound.faults == 0 && sound.lines.contains { $0.contains(part.shows) }, "\(part.kind): \(sound.lines.suffix(3))")
      #expect(disk.paths.map { disk.contents($0) } == before, "something was changed")
      // The largest: of a journal that is one block long, a start cannot tell rot from a write that was cut.
      let path = try #require(
        disk.paths.filter { $0.hasPrefix(part.kind) }.max {
          disk.contents($0)?.count ?? 0 < disk.contents($1)?.count ?? 0
        })
      var bytes = try #require(disk.contents(path))
      let flipped = try #require(bytes.indices.first { bytes[$0] != 0 && $0 > 4_096 + 100 })
      bytes[flipped] ^= 1
      disk.setContents(path, bytes)
      let damaged = try Self.inspect(disk, part.body)
      #expect(damaged.faults == 1, "\(part.kind)")
      #expect(damaged.lines.contains { $0.hasPrefix("bad ") && $0.contains(path) }, "\(damaged.lines.suffix(3))")
    }
    #expect(throws: StorageError.self) { try Self.inspect(MemoryFileSystem()) { $0.log() } }
  }

  /// Set `TALLY_STORE=N` to store what this build leaves as number N.
  @Test func aNodeLeavesWhatTheNextStartsOn() throws {
    let simulation = Self.simulation()
    defer { simulation.forgetEvents() }
    _ = try Self.ask(["CLUSTER INIT shards=2 replicas=1 allow-single-region=yes"], of: simulation)
    _ = try Self.ask((0..<7).map { "MEMBER ADD m\($0)" } + Self.lines, of: simulation)
    let answers = try Self.ask(Self.questions, of: simulation).joined(separator: "\n")
    simulation.killProcess(0)
    let disk = simulation.hosts[0].disk
    for kind in ["/data/wal/", "/data/snapshots/", "/data/journal/"] {
      #expect(disk.paths.contains { $0.hasPrefix(kind) }, "\(kind) in \(disk.paths)")
    }
    if let number = ProcessInfo.processInfo.environment["TALLY_STORE"].flatMap({ Int($0) }) {
      let place = Self.directory.appendingPathComponent("\(number)")
      try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
      try Data(Self.packed(disk)).write(to: place.appendingPathComponent("disk"))
      try Data(answers.utf8).write(to: place.appendingPathComponent("answers"))
    }
    simulation.hosts[0].disk = try Self.unpacked(Self.packed(disk))
    simulation.start(0)
    #expect(try Self.ask(Self.questions, of: simulation).joined(separator: "\n") == answers)
  }
}
