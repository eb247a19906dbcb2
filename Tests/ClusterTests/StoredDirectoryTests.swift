import Base
import CommandSupport
import Foundation
import Ledger
import Protocol
import Raft
import Testing

@testable import Cluster

/// The directory as builds have stored it, as `Tests/LedgerTests/Stored` has the states of shards: see the README there.
@Suite struct StoredDirectoryTests {
  private struct Source: SnapshotSource {
    var bytes: ArraySlice<UInt8>
    mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws {
      guard buffer.count <= bytes.count else { throw MalformedBytes("it ends early") }
      buffer.copyBytes(from: bytes.prefix(buffer.count))
      bytes = bytes.dropFirst(buffer.count)
    }
  }
  private static let names = ["log", "image", "journal", "answers"]

  private static func topology() throws -> Topology {
    let members = (1...3).map { number in
      NodeRecord(
        id: NodeID(UInt64(number) << 40 | 7), name: "node-\(number)", region: ["east", "north", "west"][number - 1],
        clientAddress: "h\(number):7401", peerAddress: "h\(number):7501", state: .up)
    }
    return try Topology.plan(
      cluster: 0xC1A5, hashKey: HashKey(low: 5, high: 6), nodes: members, shards: 2, replicas: 3,
      allowSingleRegion: false)
  }
  private static func withText<R>(_ text: String, _ body: (UnsafeRawBufferPointer) -> R) -> R {
    Array(text.utf8).withUnsafeBytes { body($0) }
  }
  /// The payloads of a directory's entries.
  private static func payloads() throws -> [[UInt8]] {
    let topology = try topology()
    var all: [[UInt8]] = []
    func add(_ kind: DirectoryMachine.Kind, _ semantics: UInt8, _ body: (inout ByteBuffer) -> Void) {
      var payload = ByteBuffer()
      EntryHeader(
        stamp: Stamp(microseconds: 1_767_225_600_000_000 + Int64(all.count)), catalogueVersion: 0, commandCount: 1,
        semantics: semantics
      ).encode(into: &payload)
      DirectoryMachine.append(kind, to: &payload, body)
      all.append(payload.array)
    }
    add(.bootstrap, Semantics.first) { topology.encode(into: &$0) }
    func set(_ id: Int, _ fingerprint: UInt64, _ semantics: UInt8, _ line: String) throws {
      let request = try EntryLine(line).bytes
      add(.entry, semantics) { body in
        body.append(UInt128(id))
        body.append(fingerprint)
        body.append(TenantID.first.rawValue)
        body.append(counted: "")
        body.append(request)
      }
    }
    try set(0, 9, Semantics.first, "PROGRAM SET points title=Punkte")
    try set(0, 9, Semantics.first, "PROGRAM SET miles")
    for (id, region) in ["east", "west", "north"].enumerated() {
      try set(id + 1, 11, Semantics.newest, "MERCHANT SET shop-\(region) region=\(region) x.floor=2")
    }
    try set(0, 9, Semantics.newest, "PROGRAM SET points earn=1/50 from=2030-01-01")
    try set(0, 9, Semantics.newest, "ORG SET north title=North")
    try set(0, 9, Semantics.newest, "ORG SET far-north parent=north")
    try set(0, 9, Semantics.newest, "TERMINAL SET till merchant=shop-east")
    try set(0, 9, Semantics.newest, "PRODUCT SET tea price=1990")
    try set(0, 9, Semantics.newest, "CARDTYPE SET gold earn-times=3/2")
    for i in 1...64 { try set(0, 9, Semantics.newest, "PRODUCT SET tea price=\(2_000 + i)") }
    for name in ["till-7", "boss"] {
      var change = AccessChange(.user, by: 0, tenant: .first, name: name)
      (change.role, change.request, change.fingerprint) = (.operator, 7, 77)
      add(.access, Semantics.newest) { change.encode(into: &$0) }
    }
    add(.spread, Semantics.newest) { $0.append(UInt32(2)) }
    return all
  }
  /// The directory, and its journal.
  private static func machine(after payloads: [[UInt8]]) -> (DirectoryMachine, MemoryJournal) {
    let machine = DirectoryMachine()
    var journal = MemoryJournal()
    for (i, payload) in payloads.enumerated() {
      payload.withUnsafeBytes { bytes in
        var reply = ReplyWriter()
        var cursor = machine.begin(bytes, index: LogIndex(UInt64(i + 1)))
        var work = Int.max
        _ = machine.apply(bytes, from: &cursor, until: .max, work: &work, into: &reply) { _, _, _, _ in }
      }
    }
    var outbox = ReplicaOutbox()
    machine.takeOutputs(into: &outbox, leading: true)
    for (position, bytes) in outbox.journal { bytes.withUnsafeBytes { journal.append(position, $0) } }
    return (machine, journal)
  }
  private static func answers(of machine: DirectoryMachine, _ journal: MemoryJournal) -> String {
    var text = ByteBuffer()
    for line in [
      "PROGRAM LIST", "PROGRAM HISTORY points", "MERCHANT LIST", "ORG LIST", "TERMINAL LIST", "PRODUCT LIST",
      "CARDTYPE LIST",
    ] {
      var reply = ReplyWriter()
      _ = try? EntryLine(line).read(
        machine.entries, at: machine.lastStamp, journal: journal, end: machine.journal.position, into: &reply)
      _ = try? ReplyRenderer.render(reply.buffer.bytes, resp3: false, into: &text)
    }
    let nodes = machine.topology?.nodes.map { "\($0.name) \($0.region) \($0.clientAddress) \($0.peerAddress)" } ?? []
    let shards =
      machine.topology?.shards.map { "\($0.shard.rawValue): \($0.slots) epoch \($0.epoch) \($0.voters.count)" } ?? []
    return """
      version \(machine.catalogueVersion) dropped \(machine.droppedVersion) semantics \(machine.semantics)
      requests \(machine.requests.items.count) index \(machine.lastIndex.rawValue)
      \((nodes + shards).joined(separator: "\n"))
      \(String(decoding: text.bytes, as: UTF8.self))
      """
  }
  private static func present() throws -> [String: [UInt8]] {
    let payloads = try payloads()
    let (machine, journal) = machine(after: payloads)
    var log = ByteBuffer()
    for payload in payloads {
      log.append(UInt32(payload.count))
      log.append(payload)
    }
    var image: [UInt8] = []
    try machine.beginSnapshot().write(false) { image.append(contentsOf: $0) }
    return [
      "log": log.array, "image": image, "journal": journal.segments[1] ?? [],
      "answers": Array(answers(of: machine, journal).utf8),
    ]
  }

  private static let directory = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
    "Stored")
  private static let versions: [Int] = {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? []
    return names.compactMap { Int($0) }.sorted()
  }()
  private static func read(_ version: Int, _ name: String) throws -> [UInt8] {
    Array(try Data(contentsOf: directory.appendingPathComponent("\(version)/\(name)")))
  }

  @Test(arguments: versions) func aStoredDirectoryIsOpened(version: Int) throws {
    let answers = String(decoding: try Self.read(version, "answers"), as: UTF8.self)
    var source = Source(bytes: try Self.read(version, "image")[...])
    var journal = MemoryJournal()
    journal.segments[1] = try Self.read(version, "journal")
    let present = Self.answers(of: try DirectoryMachine(restoring: &source), journal)
    #expect(answersAgree(present, with: answers), "\(present)")
    let payloads = try Self.read(version, "log").withUnsafeBytes { bytes in
      var reader = ByteReader(bytes)
      var all: [[UInt8]] = []
      while !reader.isAtEnd { all.append(Array(try reader.readBytes(Int(try reader.read(UInt32.self))))) }
      return all
    }
    let (machine, rewritten) = Self.machine(after: payloads)
    let again = Self.answers(of: machine, rewritten)
    #expect(answersAgree(again, with: answers) && rewritten == journal, "\(again)")
  }

  /// Set `TALLY_STORE=N` to store what this build writes as number N.
  @Test func noFormatOfTheDirectoryHasChangedWithoutANewNumber() throws {
    let present = try Self.present()
    if let number = ProcessInfo.processInfo.environment["TALLY_STORE"].flatMap({ Int($0) }) {
      let place = Self.directory.appendingPathComponent("\(number)")
      try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
      for (name, bytes) in present { try Data(bytes).write(to: place.appendingPathComponent(name)) }
      return
    }
    let newest = try #require(Self.versions.last, "there is nothing in \(Self.directory.path)")
    for name in Self.names where try Self.read(newest, name) != present[name] {
      Issue.record(
        "this build writes another \(name) than Stored/\(newest) has: its format, or a rule, has changed without new semantics; see LedgerTests/Stored/README.md"
      )
    }
  }
}
