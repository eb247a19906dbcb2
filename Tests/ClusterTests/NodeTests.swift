import Base
import Ledger
import Raft
import Testing

@testable import Cluster
@testable import Simulator
@testable import Storage

/// Parts of a node by themselves.
@Suite struct NodeTests {
  /// What a node takes of a client's bytes in one turn, and gives back.
  private func turn(_ text: String, seed: UInt64) throws -> (left: Int, answered: Int, resumes: Bool) {
    let simulation = Simulation(seed: seed, nodes: 1)
    let host = simulation.hosts[0]
    let node = try #require(host.node)
    let id = ClientID(1_000_000)
    let now = simulation.moment(host)
    node.clientOpened(id, from: "flood", now: now)
    let bytes = Array(text.utf8)
    let taken = bytes.withUnsafeBytes { node.clientReceived(id, $0, now: now) }
    var effects = Effects<NodeWork>()
    node.flush(now: now, into: &effects)
    return (
      bytes.count - taken, effects.clientOutput.reduce(0) { $0 + $1.bytes.count },
      effects.clientReading.last?.on == true
    )
  }

  @Test(arguments: ["HELP", "COMMAND DOCS", "INFO", "CLIENT LIST", "CLUSTER NODES"])
  func oneClientsFloodOfCostlyRequestsIsSharedOutOverTurns(line: String) throws {
    let few = try turn(String(repeating: line + "\n", count: 2), seed: 41)
    #expect(few.left == 0)
    let many = try turn(String(repeating: line + "\n", count: 100), seed: 41)
    #expect(many.left >= 90 * (line.utf8.count + 1) && many.resumes, "\(many)")
  }

  @Test func oneClientsAnswersOfATurnAreBounded() throws {
    let line = "ECHO " + String(repeating: "x", count: 32 << 10) + "\n"
    let many = try turn(String(repeating: line, count: 100), seed: 42)
    #expect(many.answered >= 256 << 10 && many.answered < 320 << 10 && many.resumes, "\(many)")
    let small = try turn(String(repeating: "PING\n", count: 1000), seed: 42)
    #expect(small.left == 0)
  }

  /// It says good-bye, and its connection breaks before the node has said the same.
  @Test func aConnectionThatBothSidesEndAtOnceLeavesOnePlaceAndNotTwo() throws {
    let simulation = Simulation(seed: 43, nodes: 1)
    let host = simulation.hosts[0]
    let node = try #require(host.node)
    let now = simulation.moment(host)
    func send(_ text: String, _ id: UInt64) {
      Array(text.utf8).withUnsafeBytes { _ = node.clientReceived(ClientID(id), $0, now: now) }
    }
    node.clientOpened(ClientID(100), from: "first", now: now)
    send("QUIT\n", 100)
    node.clientClosed(ClientID(100), now: now)
    var effects = Effects<NodeWork>()
    node.flush(now: now, into: &effects)
    for id in [101, 102] as [UInt64] { node.clientOpened(ClientID(id), from: "next", now: now) }
    send("ECHO one\n", 101)
    send("ECHO two\n", 102)
    effects = Effects<NodeWork>()
    node.flush(now: now, into: &effects)
    let answers = effects.clientOutput.map { "\($0.client.rawValue) \(String(decoding: $0.bytes, as: UTF8.self))" }
    #expect(answers.count == 2 && answers[0].hasPrefix("101 ") && answers[0].contains("one"), "\(answers)")
    #expect(answers.last?.hasPrefix("102 ") == true && answers.last?.contains("two") == true, "\(answers)")
  }

  /// Deliveries of other shards come again and again while their entry cannot be proposed.
  @Test func whatWaitsToBeProposedFitsIntoOneRecordOfTheLog() throws {
    let lone = try LoneReplica(uncommittedBytes: 1 << 20)
    let envelope = [UInt8](repeating: 7, count: 33)
    var taken = 0
    while taken < 2 << 20, envelope.withUnsafeBytes({ lone.replica.addInternal($0) }) { taken += 1 }
    let payload = lone.replica.gather.payload.array
    #expect(taken > 100_000)
    #expect(payload.count + LogFormat.recordBytes(payload: 0) + 64 <= WriteAheadLog.Options().maxRecordBytes)
  }

  @Test func whoWasRefusedIsToldAgainWhenItGoesOn() throws {
    let raft = try RaftGroup(
      node: NodeID(1), options: RaftOptions(), seed: 1, hardState: HardState(), snapshotIndex: LogIndex(0),
      snapshotTerm: Term(0), configuration: Configuration(founders: [NodeID(1), NodeID(2), NodeID(3)]), entries: [])
    let replica = Replica(
      shard: ShardID(1),
      machine: LedgerMachine(Ledger(shard: ShardID(1)), lastIndex: LogIndex(0)), raft: raft)
    let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
    for message in 0..<3 as Range<UInt64> {
      try replica.receive(edge: 1, epoch: 5, message: message, count: 0, items: nothing)
      #expect(replica.outbox.refusals.map(\.message) == [0], "the first word may have been lost")
      replica.outbox.refusals.removeAll()
    }
  }

  @Test func aMarkerThatCannotBeProposedIsRefusedAndLeavesNothingBehind() throws {
    let lone = try LoneReplica(uncommittedBytes: 1)
    lone.isDurable = false
    try lone.send(1, marker: nil)
    lone.turn()
    let wanted = Stamp(microseconds: lone.clock + 20_000)
    try lone.send(2, marker: wanted)
    var busy = ByteBuffer()
    busy.append(UInt32(1))
    busy.append(UInt64(2))
    let results = lone.replica.outbox.results.first?.buffer.array ?? []
    #expect(results.starts(with: busy.array), "the marker is answered at once")
    #expect(results.count > 17 && results[16] == ReplyTag.error.rawValue && results[17] == ErrorCode.busy.rawValue)
    try lone.send(3, marker: nil)
    lone.isDurable = true
    lone.turn()
    lone.turn()
    let headers = try lone.headers()
    #expect(headers.map(\.commandCount) == [1, 1])
    #expect(headers.allSatisfy { $0.stamp < wanted })
  }

  @Test func aMarkerWaitsForItsStamp() throws {
    let lone = try LoneReplica(uncommittedBytes: 1 << 20)
    let wanted = Stamp(microseconds: lone.clock + 900_000)
    try lone.send(1, marker: wanted)
    for sequence in 2..<5 as Range<UInt64> {
      lone.turn()
      try lone.send(sequence, marker: nil)
      lone.turn()
      lone.clock += 200_000
    }
    #expect(try lone.headers().allSatisfy { $0.stamp < wanted } && lone.headers().count == 3)
    lone.clock = wanted.microseconds - 10_000
    lone.turn()
    try lone.send(5, marker: nil)
    lone.turn()
    let stamps = try lone.headers().map(\.stamp)
    #expect(stamps.count == 5 && stamps[3] == wanted && stamps[4] > wanted)
  }

  /// One that leads alone, with a log that is written when the test says so.
  private final class LoneReplica {
    let replica: Replica
    var clock: Int64 = 1_000_000
    var entries: [LogEntry] = []
    var isDurable = true
    private var message: UInt64 = 0

    init(uncommittedBytes: Int) throws {
      var options = RaftOptions()
      options.maxUncommittedBytes = uncommittedBytes
      let raft = try RaftGroup(
        node: NodeID(1), options: options, seed: 1, hardState: HardState(), snapshotIndex: LogIndex(0),
        snapshotTerm: Term(0), configuration: Configuration(founders: [NodeID(1)]), entries: [])
      replica = Replica(
        shard: ShardID(1),
        machine: LedgerMachine(Ledger(shard: ShardID(1)), lastIndex: LogIndex(0)), raft: raft)
      replica.campaign()
      turn()
      try #require(replica.isLeader)
    }
    func turn() {
      clock += 1000
      replica.applying.allowance = 1 << 20
      replica.turn(clock: Stamp(microseconds: clock), earliest: nil)
      guard isDurable else { return }
      while !replica.outbox.persist.isEmpty {
        let persist = replica.outbox.persist.removeFirst()
        entries.append(contentsOf: persist.entries)
        replica.persisted(persist.sequence)
        replica.turn(clock: Stamp(microseconds: clock), earliest: nil)
      }
    }
    func send(_ sequence: UInt64, marker: Stamp?) throws {
      var items = ByteBuffer()
      items.append(sequence)
      items.append(marker == nil ? EdgeItem.Flags().rawValue : EdgeItem.Flags.marker.rawValue)
      if let marker {
        Command.appendMarker(to: &items, slot: Slot(0))
        items.append(marker.microseconds)
      } else {
        Command.appendTick(to: &items, slot: Slot(0))
      }
      try replica.receive(edge: 0, epoch: 1, message: message, count: 1, items: items.bytes)
      message += 1
    }
    /// Of all entries of commands that were written.
    func headers() throws -> [EntryHeader] {
      try entries.filter { $0.kind == .command }.map { entry in
        try entry.payload.withUnsafeBytes { raw in
          var reader = ByteReader(raw)
          return try EntryHeader(decoding: &reader)
        }
      }
    }
  }
}
