import Base
import Ledger
import Raft
import Testing

@testable import Cluster
@testable import Storage

@Suite struct BackupFormatTests {
  private static func part(_ shard: UInt32, _ slots: Range<Int>) throws -> BackupPart {
    var part = BackupPart(
      shard: ShardID(shard), slots: try #require(SlotRanges([slots])), epoch: 3, index: LogIndex(70), term: Term(4),
      stamp: Stamp(microseconds: 99),
      journal: JournalChain(
        position: JournalPosition(journal: ShardID(shard), segment: 2, offset: 88), hash: SHA256.digest([1, 2])))
    part.figures.members = 12
    part.figures.between = -(1 << 90)
    part.figures.digest = (7, .max)
    part.rows = 5
    part.lineage = [reference(3, at: 70), reference(2, at: 9)].filter { $0.position.journal != part.shard }
    return part
  }
  private static func reference(_ journal: UInt32, at offset: UInt64) -> JournalChain {
    JournalChain(
      position: JournalPosition(journal: ShardID(journal), segment: 1, offset: offset), hash: SHA256.digest([3]))
  }
  private static func manifest() throws -> BackupManifest {
    BackupManifest(
      number: 3, cluster: .max, cut: Stamp(microseconds: 99),
      parts: [try part(7, 0..<9_000), try part(2, 9_000..<16_384)],
      journals: [reference(12, at: 4), reference(3, at: 90)])
  }

  @Test func aManifestIsReadAsItWasWritten() throws {
    let manifest = try BackupFormatTests.manifest()
    let read = try BackupManifest(manifest.bytes)
    #expect(read == manifest && read.shards.map(\.shard.rawValue) == [2, 7])
    // Of journals whose shards are there, and of others.
    #expect([2, 3, 4].map { read.end(of: ShardID($0))?.position.offset } == [88, 90, nil])
    #expect(read.references(to: ShardID(3)) == [BackupFormatTests.reference(3, at: 70)])
    #expect(read.figures.between == -(1 << 91) && read.figures.digest.b == UInt64.max - 1 && !read.figures.isBalanced)
  }
  @Test func noByteOfAManifestIsAnother() throws {
    let bytes = try BackupFormatTests.manifest().bytes
    for place in bytes.indices {
      var flipped = bytes
      flipped[place] ^= 1 << UInt8(place % 8)
      #expect(throws: MalformedBytes.self, "byte \(place)") { try BackupManifest(flipped) }
    }
    #expect(throws: MalformedBytes.self) { try BackupManifest(Array(bytes.dropLast())) }
  }
  @Test func aCutHasEverySlotOnce() throws {
    func slots(_ ranges: Range<Int>...) throws -> [SlotRanges] { try ranges.map { try #require(SlotRanges([$0])) } }
    #expect(BackupCut.reasonAgainst(try slots(0..<100, 100..<16_384)) == nil)
    #expect(BackupCut.reasonAgainst(try slots(0..<100, 101..<16_384)) == "slot 100 is in no shard")
    #expect(BackupCut.reasonAgainst(try slots(0..<101, 100..<16_384)) == "slot 100 is in two shards")
    #expect(BackupCut.reasonAgainst([]) == "slot 0 is in no shard")
  }

  /// Positions in journals name shards: each keeps its number.
  @Test func whatIsRestoredKeepsItsNumbers() throws {
    let old = Topology(cluster: 9, hashKey: .none, nodes: [], directoryVoters: [], shards: [], version: 40)
    let outline = BackupOutline(manifest: try BackupFormatTests.manifest(), topology: old)
    let nodes = (1...4).map { number in
      NodeRecord(
        id: NodeID(UInt64(number)), name: "n\(number)", region: "r\(number % 3)", clientAddress: "", peerAddress: "",
        state: .up)
    }
    let plan = try Topology.plan(restoring: outline, cluster: 10, nodes: nodes, replicas: 3, allowSingleRegion: false)
    #expect(plan.shards.map(\.shard.rawValue) == [2, 7] && plan.cluster == 10 && plan.version == 1)
    #expect(
      plan.shards.map(\.slots.description) == ["9000-16383", "0-8999"] && plan.shards.allSatisfy { $0.epoch == 3 })
    #expect(plan.newestShard == ShardID(12), "that of a journal")
    #expect(plan.restored?.cut == Stamp(microseconds: 99) && plan.restored?.cluster == .max)
    var buffer = ByteBuffer()
    plan.encode(into: &buffer)
    let read = try buffer.array.withUnsafeBytes { raw in
      var reader = ByteReader(raw)
      return try Topology(decoding: &reader)
    }
    #expect(read == plan)
  }

  /// Pieces are asked for ahead, and written in order; a segment's end shows by a short piece.
  private static func head(_ ends: [JournalPosition]) throws -> BackupHead {
    var buffer = ByteBuffer()
    BackupHead(
      SnapshotFile(
        shard: ShardID(1), index: LogIndex(5), term: Term(1), base: nil, metadata: [], path: "", byteCount: 10,
        digest: SHA256.digest([1])),
      journalStart: .ofDirectory, journalEnd: JournalPosition(journal: ShardID(1), segment: 1, offset: 30),
      lineage: ends
    ).encode(into: &buffer)
    return try buffer.array.withUnsafeBytes { raw in
      var reader = ByteReader(raw)
      return try BackupHead(decoding: &reader)
    }
  }
  @Test func aPullBringsTheOtherJournalsThatAreWanted() throws {
    func at(_ journal: UInt32, _ offset: UInt64) -> JournalPosition {
      JournalPosition(journal: ShardID(journal), segment: 1, offset: offset)
    }
    var pull = BackupPull(ShardID(1), pieceBytes: 100)
    pull.found(try BackupFormatTests.head([at(4, 20), at(5, 40), at(6, 9)]))
    pull.opened(stateFrom: 10, journalsFrom: [at(1, 0), at(5, 30), at(6, 9)])
    var asked: [JournalPosition] = []
    while let read = pull.next() {
      let position = JournalPosition(rawValue: read.position)
      asked.append(position)
      // A source has more of each.
      #expect(pull.take(read, [UInt8](repeating: 2, count: 100)) != nil)
      pull.written()
    }
    #expect(asked == [at(5, 30), at(1, 0)] && pull.phase == .complete)
  }
  /// The journal of a shard that is no more comes once, from whoever refers to most of it.
  @Test func aSaverWantsEachJournalOnce() throws {
    let saver = BackupSaver(
      op: 1, save: 1, plan: BackupSave(node: NodeID(1), directory: "/b", shards: []), attempt: 1, now: 0)
    let known = JournalPosition(journal: ShardID(3), segment: 1, offset: 50)
    saver.begun([ShardID(3): known])
    saver.parts = [ShardID(2): try BackupFormatTests.part(2, 0..<9), ShardID(7): try BackupFormatTests.part(7, 9..<20)]
    saver.parts[ShardID(7)]?.lineage[0] = BackupFormatTests.reference(3, at: 80)
    #expect(saver.journalStarts(ShardID(2)) == [JournalPosition(beginningOf: ShardID(2))])
    #expect(saver.journalStarts(ShardID(7)) == [JournalPosition(beginningOf: ShardID(7)), known])
  }

  @Test func aPullAsksAheadAndPassesSegments() throws {
    var pull = BackupPull(ShardID(1), pieceBytes: 100)
    #expect(pull.next() == nil)
    var buffer = ByteBuffer()
    buffer.append(UInt64(5))
    buffer.append(UInt64(1))
    buffer.append(UInt64(250))
    SHA256.digest([1]).withBytes { buffer.append($0) }
    buffer.append(JournalPosition(beginningOf: ShardID(1)).rawValue)
    SHA256.Digest().withBytes { buffer.append($0) }
    buffer.append(JournalPosition(journal: ShardID(1), segment: 2, offset: 30).rawValue)
    let head = try buffer.array.withUnsafeBytes { raw in
      var reader = ByteReader(raw)
      return try BackupHead(decoding: &reader)
    }
    pull.found(head)
    pull.opened(stateFrom: 0, journalsFrom: [JournalPosition(beginningOf: ShardID(1))])
    let asked = [pull.next(), pull.next(), pull.next(), pull.next()].map { $0?.position }
    #expect(asked == [0, 100, 200, nil])
    for (offset, count) in [(0, 100), (100, 100), (200, 50)] as [(UInt64, Int)] {
      let piece = pull.take(BackupRead(ShardID(1), .state, at: offset), [UInt8](repeating: 1, count: count))
      #expect(piece == .state(offset: offset, [UInt8](repeating: 1, count: count)))
      pull.written()
    }
    #expect(pull.phase == .journal)
    let (next, isNone) = (pull.next(), pull.next() == nil)
    #expect(isNone)
    let first = try #require(next)
    #expect(pull.take(first, [UInt8](repeating: 2, count: 60)) != nil)
    pull.written()
    let further = pull.next()
    let second = try #require(further)
    #expect(JournalPosition(rawValue: second.position) == JournalPosition(journal: ShardID(1), segment: 2, offset: 0))
    // What the source has beyond the cut is not taken.
    #expect(
      pull.take(second, [UInt8](repeating: 3, count: 90))
        == .journal(position: JournalPosition(rawValue: second.position), [UInt8](repeating: 3, count: 30)))
    pull.written()
    #expect(pull.phase == .complete)
    #expect(pull.take(second, []) == nil)
  }
}
