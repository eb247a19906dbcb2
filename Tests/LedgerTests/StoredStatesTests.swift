import Base
import CommandSupport
import Foundation
import Testing

@testable import Ledger

/// The states that builds have stored: `Stored/N` has what the formats of number N look like. Each must be opened for ever.
/// `Stored/README.md` says what to do where a format changes.
@Suite struct StoredStatesTests {
  // MARK: What is stored

  /// A shard's life, every kind of record in it.
  private static let lines = """
    PROGRAM SET points earn=1/100 expire=12m title=Punkte
    PROGRAM SET miles earn=1/1 expire=30d refund-window=90d
    MERCHANT SET cafe program=points region=east title=Cafe
    MERCHANT SET shop
    MEMBER ADD ann name=Ann region=east
    MEMBER ADD a-member-with-a-long-name
    MEMBER ADD ben card=4711
    CARD ADD 4712 member=ann id=c1
    EARN ann merchant=cafe spend=10000 id=a
    EARN ann merchant=shop program=miles spend=700 id=b
    EARN a-member-with-a-long-name merchant=cafe spend=5000 id=c
    REDEEM ann merchant=cafe points=30 id=d
    HOLD ann merchant=cafe points=20 id=e
    HOLD ann merchant=cafe points=5 ttl=60 id=f
    CAPTURE #5 points=15 id=g
    TRANSFER ann ben points=7 id=h
    EARN card:4711 merchant=cafe spend=300 id=i
    REDEEM ann merchant=cafe points=100000 id=j
    CARD LOST 4712 id=k
    ---
    MERCHANT SET shop earn=2/1 state=active
    MEMBER ADD cyd
    EARN cyd merchant=shop program=miles spend=12 id=l
    REFUND #1 spend=2500 id=m
    MEMBER FREEZE cyd id=n
    MEMBER ADD dan
    MEMBER CLOSE dan id=o
    EARN ann merchant=cafe points=11 id=p
    """
  private static let questions = """
    BALANCE ann
    BALANCE ann program=miles
    BALANCE a-member-with-a-long-name
    BALANCE ben
    BALANCE cyd program=miles
    MEMBER SHOW ann
    MEMBER SHOW dan
    HISTORY ann
    TX SHOW #1
    TX SHOW #5
    EARN ann merchant=cafe spend=10000 id=a
    EARN ann merchant=cafe spend=10001 id=a
    REDEEM ann merchant=cafe points=100000 id=j
    EARN card:4711 merchant=cafe spend=300 id=i
    """
  private static func limits() -> LedgerLimits {
    var limits = LedgerLimits()
    limits.journalSegmentBytes = 4_096
    // Some transactions leave memory before the second snapshot.
    limits.transactionsInMemory = 6
    return limits
  }
  private static let key = HashKey(low: 0x5EED, high: 0x1234)

  /// A world that has gone through the lines, and the payloads of its entries; the number of those before the line `---`.
  private static func live() throws -> (world: World, payloads: [[UInt8]], early: Int) {
    let world = World(limits: limits())
    let shard = world.shards[0]
    var early = 0
    var payloads: [[UInt8]] = []
    func note(_ command: [UInt8], _ stamp: Stamp, _ semantics: UInt8) {
      var payload = ByteBuffer()
      EntryHeader(stamp: stamp, catalogueVersion: 0, commandCount: 1, semantics: semantics).encode(into: &payload)
      payload.append(command)
      payloads.append(payload.array)
    }
    var key = ByteBuffer()
    Command.appendBirth(to: &key, key: Self.key, ranges: .all, epoch: 1)
    var reply = ReplyWriter()
    _ = shard.apply(key.array, stamp: world.time, reply: &reply)
    note(key.array, world.time, Semantics.first)
    // So many that the journal has a second segment.
    let more = (0..<40).map { "EARN ben merchant=cafe points=\($0) id=more\($0)" }
    for line in lines.split(separator: "\n").map(String.init) + more {
      if line == "---" {
        early = 1 + world.log[0].count
        continue
      }
      _ = try world.run(line)
    }
    for (i, (command, stamp)) in world.log[0].enumerated() {
      note(command, stamp, i + 1 < early ? Semantics.first : Semantics.newest)
    }
    return (world, payloads, early)
  }

  private struct Stored: Equatable {
    var files: [String: [UInt8]] = [:]
    static let names = ["log", "snapshot", "changes", "journal.1", "journal.2", "answers"]
  }
  private static func apply(_ payloads: some Sequence<[UInt8]>, to shard: TestShard) {
    for payload in payloads {
      shard.index += 1
      var reply = ReplyWriter()
      payload.withUnsafeBytes {
        shard.ledger.apply(payload: $0, index: LogIndex(shard.index), into: &reply) { _, _, _, _ in }
      }
      shard.ledger.takeJournal { shard.journal.append($0, $1) }
    }
  }
  private static func snapshot(_ shard: TestShard, changesOnly: Bool) -> [UInt8] {
    let snapshot = shard.ledger.beginSnapshot()
    var bytes: [UInt8] = []
    snapshot.write(changesOnly: changesOnly) { bytes.append(contentsOf: $0) }
    shard.ledger.endSnapshot(snapshot, isKept: true)
    return bytes
  }
  /// What this build stores.
  private static func present() throws -> Stored {
    let (_, payloads, early) = try live()
    let shard = TestShard(1, limits: limits())
    var stored = Stored()
    apply(payloads[..<(early + 1)], to: shard)
    stored.files["snapshot"] = snapshot(shard, changesOnly: false)
    apply(payloads[(early + 1)...], to: shard)
    stored.files["changes"] = snapshot(shard, changesOnly: true)
    var log = ByteBuffer()
    for payload in payloads {
      log.append(UInt32(payload.count))
      log.append(payload)
    }
    stored.files["log"] = log.array
    stored.files["journal.1"] = shard.journal.segments[1] ?? []
    stored.files["journal.2"] = shard.journal.segments[2] ?? []
    stored.files["answers"] = Array(try answers(of: shard).utf8)
    return stored
  }
  /// What a shard knows, asked through the protocol; the digest, and the end of its journal's chain.
  private static func answers(of shard: TestShard) throws -> String {
    // Its names of transactions are those of the life.
    let world = try live().world
    let digest = shard.ledger.digest
    var text = ["digest \(digest.0) \(digest.1)", "chain \(shard.ledger.journalChain.a)"]
    world.shards[0] = shard
    shard.index = shard.ledger.lastIndex.rawValue
    for line in questions.split(separator: "\n") { text.append("> \(line)\n\(try world.run(String(line)))") }
    return text.joined(separator: "\n") + "\n"
  }

  // MARK: On disk

  private static let directory = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
    "Stored")
  private static let versions: [Int] = {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? []
    return names.compactMap { Int($0) }.sorted()
  }()
  private static func read(_ version: Int) throws -> Stored {
    var stored = Stored()
    for name in Stored.names {
      let path = directory.appendingPathComponent("\(version)/\(name)")
      stored.files[name] = Array(try Data(contentsOf: path))
    }
    return stored
  }
  private static func payloads(in log: [UInt8]) throws -> [[UInt8]] {
    try log.withUnsafeBytes { bytes in
      var reader = ByteReader(bytes)
      var all: [[UInt8]] = []
      while !reader.isAtEnd { all.append(Array(try reader.readBytes(Int(try reader.read(UInt32.self))))) }
      return all
    }
  }

  // MARK: The tests

  @Test(arguments: versions) func aStoredSnapshotGivesItsState(version: Int) throws {
    let stored = try Self.read(version)
    let shard = TestShard(1, limits: Self.limits())
    shard.ledger = try Ledger.restored(
      from: MemorySnapshotSource(stored.files["snapshot"] ?? []),
      changes: [MemorySnapshotSource(stored.files["changes"] ?? [])], limits: Self.limits())
    try shard.ledger.checkInvariants()
    for segment in [1, 2] as [UInt32] { shard.journal.segments[segment] = stored.files["journal.\(segment)"] }
    let answers = String(decoding: stored.files["answers"] ?? [], as: UTF8.self)
    let present = try Self.answers(of: shard)
    #expect(answersAgree(present, with: answers), "\(present)")
  }

  @Test(arguments: versions) func aStoredLogGivesTheSameStateAndTheSameJournal(version: Int) throws {
    let stored = try Self.read(version)
    let shard = TestShard(1, limits: Self.limits())
    Self.apply(try Self.payloads(in: stored.files["log"] ?? []), to: shard)
    for segment in [1, 2] as [UInt32] {
      #expect(shard.journal.segments[segment] == stored.files["journal.\(segment)"], "segment \(segment)")
    }
    let answers = String(decoding: stored.files["answers"] ?? [], as: UTF8.self)
    let present = try Self.answers(of: shard)
    #expect(answersAgree(present, with: answers), "\(present)")
  }

  /// Set `TALLY_STORE=N` to store what this build writes as number N.
  @Test func noFormatHasChangedWithoutANewNumber() throws {
    let present = try Self.present()
    if let number = ProcessInfo.processInfo.environment["TALLY_STORE"].flatMap({ Int($0) }) {
      let place = Self.directory.appendingPathComponent("\(number)")
      try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
      for (name, bytes) in present.files { try Data(bytes).write(to: place.appendingPathComponent(name)) }
      return
    }
    let newest = try #require(Self.versions.last, "there is nothing in \(Self.directory.path)")
    let stored = try Self.read(newest)
    for name in Stored.names where stored.files[name] != present.files[name] {
      Issue.record(
        "this build writes another \(name) than Stored/\(newest) has: its format, or a rule, has changed without new semantics; see Stored/README.md"
      )
    }
  }
}
