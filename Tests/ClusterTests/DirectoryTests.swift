import Base
import CommandSupport
import Ledger
import Protocol
import Raft
import Testing

@testable import Cluster
@testable import Simulator

/// The directory through months of changes: what it keeps, what it forgets, and what it answers.
@Suite struct DirectoryTests {
  /// A machine by itself, entry by entry.
  private final class Directory {
    var machine: DirectoryMachine
    var time: Int64 = 1_767_225_600_000_000
    private var index = LogIndex(0)

    init(limits: DirectoryLimits = DirectoryLimits()) { machine = DirectoryMachine(limits: limits) }

    func apply(_ kind: DirectoryMachine.Kind, _ body: (inout ByteBuffer) -> Void) -> [UInt8] {
      index = index + 1
      time += 1_000
      var payload = ByteBuffer()
      EntryHeader(stamp: Stamp(microseconds: time), catalogueVersion: 0, commandCount: 1).encode(into: &payload)
      DirectoryMachine.append(kind, to: &payload, body)
      var reply = ReplyWriter()
      var cursor = machine.begin(payload.bytes, index: index)
      var work = Int.max
      _ = machine.apply(payload.bytes, from: &cursor, until: .max, work: &work, into: &reply) { _, _, _, _ in }
      return reply.buffer.array
    }
    /// The version that it is answered with, or the error's code.
    func setMerchant(_ name: String, title: String? = nil, state: String? = nil, id: UInt64 = 0) -> String {
      let line = "MERCHANT SET \(name)" + (title.map { " title=\($0)" } ?? "") + (state.map { " state=\($0)" } ?? "")
      guard let request = try? EntryLine(line).bytes else { return "?" }
      let reply = apply(.entry) { body in
        body.append(UInt128(id))
        body.append("\(name) \(title ?? "") \(state ?? "")".xxh64())
        body.append(TenantID.first.rawValue)
        body.append(counted: "")
        body.append(request)
      }
      return reply.withUnsafeBytes { bytes in
        let view = RecordView(bytes)
        if let code = view.errorCode { return "\(code)" }
        return view.integer.map { "\($0)" } ?? "?"
      }
    }
    func tell(spread version: UInt32) { _ = apply(.spread) { $0.append(version) } }
    func snapshot() throws -> [UInt8] { try DirectoryTests.written(machine.beginSnapshot()) }
    func list() -> String {
      var reply = ReplyWriter()
      _ = try? EntryLine("MERCHANT LIST").read(machine.entries, at: machine.lastStamp, into: &reply)
      var text = ByteBuffer()
      _ = try? ReplyRenderer.render(reply.buffer.bytes, resp3: false, into: &text)
      return String(decoding: text.bytes, as: UTF8.self)
    }
  }
  private struct Source: SnapshotSource {
    var bytes: ArraySlice<UInt8>
    mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws {
      guard buffer.count <= bytes.count else { throw MalformedBytes("it ends early") }
      buffer.copyBytes(from: bytes.prefix(buffer.count))
      bytes = bytes.dropFirst(buffer.count)
    }
  }
  private static func written(_ snapshot: MachineSnapshot) throws -> [UInt8] {
    var bytes: [UInt8] = []
    try snapshot.write(false) { bytes += $0 }
    return bytes
  }
  private static let day: Int64 = 86_400_000_000

  // MARK: Request ids

  @Test func aLateCopyUndoesNothingHoweverManyChangesCameBetween() {
    let directory = Directory()
    #expect(directory.setMerchant("shop", state: "active", id: 1) == "1")
    #expect(directory.setMerchant("shop", state: "frozen", id: 3) == "2")
    for i in 0..<6_000 { _ = directory.setMerchant("other", title: "t\(i)", id: 1_001 + 2 * UInt64(i)) }
    #expect(directory.setMerchant("shop", state: "active", id: 1) == "1")
    #expect(directory.list().contains("merchant=shop program=\"\" earn=\"\" region=\"\" state=frozen"))
    #expect(directory.setMerchant("shop", state: "closed", id: 1) == "conflict")
    directory.time += 29 * DirectoryTests.day
    #expect(directory.setMerchant("shop", state: "active", id: 1) == "1")
    #expect(directory.list().contains("state=frozen"))
    directory.time += 2 * DirectoryTests.day
    #expect(directory.setMerchant("shop", state: "active", id: 1) == "6003", "it is a new request now")
  }

  @Test func idsThatAreTooManyAreRefusedAndNoneOfTheLastDayIsForgotten() throws {
    let directory = Directory(limits: DirectoryLimits(requests: 100))
    for i in 0..<100 as Range<UInt64> {
      #expect(!directory.machine.isForgettingEarly)
      #expect(directory.setMerchant("m", title: "\(i)", id: 1 + 2 * i) == "\(i + 1)")
    }
    #expect(directory.machine.isForgettingEarly)
    #expect(directory.setMerchant("m", title: "more", id: 999) == "busy")
    #expect(directory.setMerchant("m", title: "0", id: 1) == "1", "repeats are answered")
    #expect(directory.setMerchant("m", title: "without") == "101", "what carries none is taken")
    directory.time += DirectoryTests.day - 20_000_000
    #expect(directory.setMerchant("m", title: "more", id: 999) == "busy")
    directory.time += 40_000_000
    #expect(directory.setMerchant("m", title: "more", id: 999) == "102")
    #expect(directory.machine.requests.items.count <= 100)
    #expect(directory.machine.isForgettingEarly, "one of them was younger than it should become")
    #expect(directory.setMerchant("m", title: "more", id: 999) == "102")
    var source = Source(bytes: try directory.snapshot()[...])
    directory.machine = try DirectoryMachine(restoring: &source, limits: DirectoryLimits(requests: 100))
    #expect(directory.setMerchant("m", title: "more", id: 999) == "102")
    // Those that are kept for their time are forgotten without an alarm.
    directory.time += 31 * DirectoryTests.day
    for i in 0..<2 as Range<UInt64> { _ = directory.setMerchant("m", title: "late", id: 2_001 + 2 * i) }
    #expect(!directory.machine.isForgettingEarly)
  }

  @Test func whoForgetsRequestIDsEarlyIsNamed() {
    #expect(StatusDesk.retentionAlarms(of: []).isEmpty)
    let alarms = StatusDesk.retentionAlarms(of: [.directory, ShardID(3), ShardID(5)])
    #expect(alarms.count == 2 && alarms[0].hasPrefix("alarm=RETENTION shard=3,5 has as many request ids as it may"))
    #expect(alarms.last?.hasPrefix("alarm=RETENTION the directory has as many request ids of changes") == true)
  }

  // MARK: What it keeps

  @Test func whatAllShardsHaveIsDroppedAndTheStateIsThatOfOneMerchant() throws {
    let directory = Directory()
    var largest = 0
    for i in 1...20_000 {
      #expect(directory.setMerchant("shop", title: "t\(i)", state: i % 2 == 0 ? "active" : "frozen") == "\(i)")
      if i % 100 == 0 { directory.tell(spread: UInt32(i - 50)) }
      largest = max(largest, directory.machine.deltas.count)
    }
    #expect(largest <= 150 && directory.machine.droppedVersion == 19_950)
    let bytes = try directory.snapshot()
    #expect(bytes.count < 10_000, "\(bytes.count)")
    var source = Source(bytes: bytes[...])
    let other = try DirectoryMachine(restoring: &source)
    #expect(other.droppedVersion == 19_950 && other.catalogueVersion == 20_000)
    #expect(Array(other.deltas) == Array(directory.machine.deltas))
    #expect(try DirectoryTests.written(other.beginSnapshot()) == bytes)
    // More than there is, or less than was said before, is nothing.
    directory.tell(spread: 30_000)
    directory.tell(spread: 7)
    #expect(directory.machine.droppedVersion == 20_000)
    #expect(directory.setMerchant("shop", title: "next") == "20001")
    #expect(directory.machine.deltas.count == 1)
  }

  @Test func changesThatAShardDoesNotTakeAreBoundedToo() throws {
    let directory = Directory(limits: DirectoryLimits(deltaBytes: 10_000))
    var taken: UInt32 = 0
    while directory.setMerchant("shop", title: "t\(taken)") == "\(taken + 1)" { taken += 1 }
    #expect((100...400).contains(taken))
    #expect(directory.setMerchant("shop", title: "more") == "busy")
    #expect(directory.machine.catalogueVersion == taken)
    directory.tell(spread: taken - 10)
    #expect(directory.setMerchant("shop", title: "more") == "\(taken + 1)")
  }

  @Test func aSnapshotIsOfTheMomentAtWhichItBegan() throws {
    let directory = Directory()
    for i in 0..<300 { _ = directory.setMerchant("m\(i % 40)", title: "t\(i)", id: 1 + 2 * UInt64(i)) }
    let whole = try directory.snapshot()
    let snapshot = directory.machine.beginSnapshot()
    for i in 0..<300 { _ = directory.setMerchant("m\(i % 60)", title: "u\(i)", id: 2_001 + 2 * UInt64(i)) }
    directory.tell(spread: 500)
    #expect(try DirectoryTests.written(snapshot) == whole)
    for cut in [0, 3, 40, whole.count / 2, whole.count - 1] {
      var source = Source(bytes: whole.prefix(cut))
      #expect(throws: (any Error).self) { _ = try DirectoryMachine(restoring: &source) }
    }
  }

  @Test func whileAShardTakesNoChangeTheyAreKeptForIt() throws {
    let simulation = try makeCluster(seed: 301, shards: 3) { $0.deltasKept = 8 }
    let client = try #require(simulation.connect(to: 0))
    #expect(ask(simulation, client, "PROGRAM SET p earn=1/1") == "+OK")
    for i in 0..<60 { #expect(ask(simulation, client, "MERCHANT SET shop title=t\(i)") == "+OK") }
    simulation.run(for: 1_000_000)
    let nodes = try simulation.hosts.map { try #require($0.node) }
    for node in nodes {
      let directory = try #require(node.shards.directory)
      #expect(directory.catalogueVersion == 61 && directory.deltas.count < 16, "\(directory.deltas.count)")
      #expect(Int(directory.droppedVersion) + directory.deltas.count == 61)
    }
    // One shard stands still everywhere: what it lacks is kept, whatever the others have.
    for node in nodes { node.replicas[ShardID(2)]?.quarantine("a test") }
    for i in 0..<60 {
      let line = "MERCHANT SET shop title=u\(i)\n"
      simulation.send(line, on: try #require(simulation.connect(to: 0)))
    }
    simulation.run(for: 8_000_000)
    for node in nodes {
      let directory = try #require(node.shards.directory)
      #expect(directory.catalogueVersion == 121 && directory.droppedVersion <= 61)
    }
    // They begin again, from their disks, and take what they lack.
    for host in 0..<3 { simulation.kill(host) }
    for host in 0..<3 { simulation.start(host) }
    simulation.run(for: 10_000_000)
    let again = try #require(simulation.connect(to: 1))
    #expect(ask(simulation, again, "MERCHANT SET shop title=last") == "+OK")
    simulation.run(for: 1_000_000)
    for host in simulation.hosts {
      let node = try #require(host.node)
      for shard in 1...3 as ClosedRange<UInt32> {
        #expect(node.replicas[ShardID(shard)]?.machine.catalogueVersion == 122)
      }
      #expect(try #require(node.shards.directory).droppedVersion > 61)
    }
  }

  // MARK: Answers

  @Test func listsHavePagesAndBounds() throws {
    let simulation = try makeCluster(seed: 302, shards: 1)
    let client = try #require(simulation.connect(to: 1))
    for name in ["b", "a", "c"] { #expect(ask(simulation, client, "PROGRAM SET \(name)") == "+OK") }
    func rows(_ line: String) -> [String] { askAll(simulation, client, line) }
    func names(_ line: String) -> [String] {
      rows(line).dropFirst().map { String($0.split(separator: " ")[0].dropFirst("+program=".count)) }
    }
    for mode in ["", " read=local"] {
      #expect(names("PROGRAM LIST" + mode) == ["a", "b", "c"])
      #expect(names("PROGRAM LIST limit=2" + mode) == ["a", "b"])
      #expect(names("PROGRAM LIST limit=2 after=b" + mode) == ["c"])
      #expect(names("PROGRAM LIST after=c" + mode) == [])
    }
    #expect(rows("PROGRAM LIST").contains { $0.hasPrefix("+program=b ") && $0.contains(" default=yes ") })
    #expect(rows("PROGRAM LIST limit=10000").count == 4)
    #expect(rows("PROGRAM LIST limit=10001") == ["-ERR limit= must be a whole number from 1 to 10000, not '10001'"])
    #expect(rows("HISTORY ann limit=1001") == ["-ERR limit= must be a whole number from 1 to 1000, not '1001'"])
  }

  /// What no parser lets through, and a peer may ask all the same.
  @Test func aListOfNothingOrOfTooMuchIsNoQuestion() throws {
    let directory = Directory()
    _ = directory.setMerchant("shop")
    func refusal(_ limit: UInt32) throws -> ErrorCode? {
      let request = try EntryLine("MERCHANT LIST").bytes
      var query = ByteBuffer()
      DirectoryMachine.append(.listEntries, to: &query) {
        $0.append(TenantID.first.rawValue)
        $0.append(directory.time)
        $0.append(limit)
        $0.append(counted: "")
        $0.append(request)
      }
      var reply = ReplyWriter()
      _ = directory.machine.read(query.bytes, into: &reply)
      return RecordView(reply.buffer.bytes).errorCode
    }
    #expect(try refusal(1) == nil && refusal(10_000) == nil)
    #expect(try refusal(0) == .malformed && refusal(10_001) == .malformed)
  }

  @Test func listsThatComeTogetherAreBounded() throws {
    let simulation = try makeCluster(seed: 304, shards: 1)
    let client = try #require(simulation.connect(to: 0))
    for (host, mode) in [(0, " read=local"), (1, " read=local")] {
      let replica = try #require(simulation.hosts[host].node?.replicas[.directory])
      let own = try #require(simulation.connect(to: host))
      replica.outbox.listedBytes = ReplicaOutbox.mostListedBytes
      own.clear()
      simulation.send("PROGRAM LIST\(mode)\n", on: own)
      #expect(own.lines.first?.hasPrefix("-BUSY") == true, "\(own.lines)")
      simulation.run(for: 1_000_000)
      #expect(ask(simulation, own, "PROGRAM LIST\(mode)") == "*0")
    }
    let leader = try #require(
      simulation.hosts.compactMap { $0.node?.replicas[.directory] }.first { $0.isLeader })
    var query = ByteBuffer()
    let list = try EntryLine("MERCHANT LIST").bytes
    DirectoryMachine.append(.listEntries, to: &query) { body in
      body.append(TenantID.first.rawValue)
      body.append(Int64(0))
      body.append(UInt32(10))
      body.append(counted: "")
      body.append(list)
    }
    leader.outbox.listedBytes = ReplicaOutbox.mostListedBytes
    leader.evaluate(query.bytes, ReplyTo(edge: 7, sequence: 1))
    let results = try #require(leader.outbox.results.last)
    let answer = Array(results.buffer.array.dropFirst(16))
    #expect(answer.withUnsafeBytes { RecordView($0).errorCode } == .busy)
    leader.outbox.results.removeLast()
    #expect(ask(simulation, client, "MERCHANT LIST") == "*0")
  }

  @Test func anAnswerTooLongForAFrameIsRefusedAndStopsNobody() throws {
    let simulation = try makeCluster(seed: 303, shards: 1)
    let results = EdgeResults()
    let bytes = [UInt8](repeating: 7, count: EdgeResults.answerBytes + 1)
    bytes.withUnsafeBytes { results.append(ShardID(1), 5, UnsafeRawBufferPointer(rebasing: $0.dropLast())) }
    #expect(results.buffer.count == 16 + EdgeResults.answerBytes)
    results.buffer.removeAll()
    bytes.withUnsafeBytes { results.append(ShardID(1), 5, $0) }
    #expect(results.buffer.count < 200)
    let reply = Array(results.buffer.array.dropFirst(16))
    #expect(reply.withUnsafeBytes { RecordView($0).errorCode } == .malformed, "to come again does not help")
    // Whatever made a message that no frame can hold, it is left out.
    let node = try #require(simulation.hosts[0].node)
    let peer = try #require(node.peers.first { $0.index != 0 && $0.outgoing != nil })
    let start = peer.outbox.beginMessage(.results)
    peer.outbox.append([UInt8](repeating: 0, count: FrameHeader.maximumBodyBytes))
    peer.outbox.endMessage(start)
    simulation.run(for: 2_000_000)
    #expect(simulation.hosts.allSatisfy { $0.node != nil })
    #expect(simulation.log.contains { $0.contains("longer than a frame") })
    #expect(status(simulation, 0)?.contains("healthy=yes") == true)
  }
}
