import Base
import CommandSupport
import Testing
import Vocabulary

@testable import Ledger

/// A shard with its journal in memory.
final class TestShard {
  var ledger: Ledger
  var journal = MemoryJournal()
  var index: UInt64 = 0
  init(_ id: Int, limits: LedgerLimits) { ledger = Ledger(shard: ShardID(UInt32(id)), limits: limits) }

  /// Applies one entry of one command, as the log would.
  func apply(
    _ command: [UInt8], stamp: Stamp, semantics: UInt8 = Semantics.first, reply: inout ReplyWriter
  ) -> Outcome {
    index += 1
    ledger.beginEntry(
      EntryHeader(stamp: stamp, catalogueVersion: 0, commandCount: 1, semantics: semantics), index: LogIndex(index))
    let outcome = command.withUnsafeBytes { ledger.apply($0, into: &reply) }
    ledger.endEntry()
    ledger.takeJournal { journal.append($0, $1) }
    return outcome
  }
  func snapshotBytes() -> [UInt8] {
    let snapshot = ledger.beginSnapshot()
    var bytes: [UInt8] = []
    snapshot.write { bytes.append(contentsOf: $0) }
    ledger.endSnapshot(snapshot)
    return bytes
  }
}

func withBytes<R>(_ text: String, _ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
  var copy = text
  return try copy.withUTF8 { try body(UnsafeRawBufferPointer($0)) }
}
/// Borrowed bytes of a text that are never freed: tests are short.
func lasting(_ text: String) -> UnsafeRawBufferPointer {
  let bytes = Array(text.utf8)
  let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, bytes.count), alignment: 1)
  copy.copyBytes(from: bytes)
  return UnsafeRawBufferPointer(rebasing: copy[0..<bytes.count])
}

/// Several shards, slots dealt out among them, with deliveries carried at once; commands as lines of the protocol.
final class World {
  var shards: [TestShard] = []
  var time: Stamp
  let book = EntryBook()
  var directory: Entries { book.entries }
  /// Transactions in the order in which they were first seen: `#1`, `#2` … in lines and replies.
  var names: [TransactionID] = []
  /// What is on its way between shards.
  var post: [Delivery] = []
  var completed: [UInt64: String] = [:]
  /// Whether deliveries are carried by hand.
  var holdsPost = false
  /// How often facts were wanted.
  var recalls = 0
  /// How often a request waited for a quota.
  var deferrals = 0
  /// Behind each request that waits the shard logs that its leader knows.
  var knowsDeferred = true
  /// What the last command has to wait for, if it has.
  var deferral: Deferral?
  /// Shards have the slots that they own; else these are dealt out.
  var goesByRanges = false
  /// Who asks, of commands that say it.
  var asker = Actor.anybody
  /// Of entries.
  var semantics = Semantics.first
  /// Called after each entry.
  var afterEntry: ((Int) throws -> Void)?
  var log: [[(command: [UInt8], stamp: Stamp)]]

  init(shards count: Int = 1, limits: LedgerLimits = LedgerLimits(), start: String = "2026-01-15T12:00") {
    time = World.stamp(start)
    log = Array(repeating: [], count: count)
    for i in 0..<count { shards.append(TestShard(i + 1, limits: limits)) }
  }

  /// Where most transcripts begin: the program `points` with these settings, its merchant `cafe`, and members.
  static func withCafe(
    _ program: String = "", members: [String] = ["ann"], shards: Int = 1, start: String = "2026-01-15T12:00"
  ) throws -> World {
    let world = World(shards: shards, start: start)
    let lines = ["PROGRAM SET points \(program)", "MERCHANT SET cafe program=points"]
    for line in lines + members.map({ "MEMBER ADD \($0)" }) {
      try #require(try world.run(line) == "+OK", "\(line)")
    }
    return world
  }

  func shard(of slot: Slot) -> Int {
    goesByRanges ? shards.firstIndex { $0.ledger.owns(slot) } ?? 0 : Int(slot.rawValue) % shards.count
  }
  func home(_ member: String) -> Int { shard(of: withBytes(member) { Command.memberSlot($0, tenant: .first) }) }

  @discardableResult func send(_ command: [UInt8], to target: Int? = nil) throws -> (text: String, outcome: Outcome) {
    let header = try command.withUnsafeBytes { bytes in try CommandHeader(of: bytes) }
    let place = target ?? shard(of: header.slot)
    let shard = shards[place]
    time = Stamp(microseconds: time.microseconds + 1)
    var reply = ReplyWriter()
    let outcome = shard.apply(command, stamp: time, semantics: semantics, reply: &reply)
    log[place].append((command, time))
    var isMoved = false
    if case .moved(let slot) = outcome {
      isMoved = true
      #expect(try Moved(decoding: reply.buffer.bytes) == Moved(to: shard.ledger.successor(of: slot)))
    }
    deferral = outcome == .deferred ? try Deferral(decoding: reply.buffer.bytes) : nil
    if deferral != nil, knowsDeferred {
      var buffer = ByteBuffer()
      Command.appendResume(to: &buffer, slot: header.slot, through: time)
      var nothing = ReplyWriter()
      time = Stamp(microseconds: time.microseconds + 1)
      _ = shard.apply(buffer.array, stamp: time, semantics: semantics, reply: &nothing)
      log[place].append((buffer.array, time))
    }
    let text = reply.buffer.count > 0 && !isMoved && deferral == nil ? self.text(of: reply.buffer.bytes) : ""
    if case .completed(let tx) = outcome { completed[tx.rawValue] = text }
    post.append(contentsOf: shard.ledger.takeDeliveries())
    for end in shard.ledger.lineage.map(\.position) {
      var journal = shards[Int(end.journal.rawValue) - 1].journal
      journal.inherited = [:]
      shard.journal.inherited[end.journal.rawValue] = journal
    }
    try afterEntry?(place)
    let deferral = deferral
    if !holdsPost { try deliverAll() }
    self.deferral = deferral
    return (text, outcome)
  }
  func deliverAll() throws {
    while !post.isEmpty {
      let delivery = post.removeFirst()
      time = max(time, delivery.stamp)
      try send(delivery)
    }
  }
  @discardableResult func send(_ delivery: Delivery) throws -> (text: String, outcome: Outcome) {
    time = max(time, delivery.stamp)
    return try send(delivery.command, to: delivery.shard.map { Int($0.rawValue) - 1 })
  }
  func deliver(_ text: String, _ outcome: Outcome, _ bytes: [UInt8]) throws -> String {
    switch outcome {
    case .replied, .silent: return text
    case .moved: return "(moved)"
    case .factsWanted: return try sendWithFacts(bytes)
    case .deferred: return try sendAgain(bytes, try #require(deferral))
    case .completed: return text
    case .pending(let tx): return completed[tx.rawValue] ?? "(pending)"
    case .repeated(let position):
      let header = try bytes.withUnsafeBytes { try CommandHeader(of: $0) }
      let shard = shards[shard(of: header.slot)]
      var reply = ReplyWriter()
      try shard.ledger.firstAnswer(at: position).run(shard.journal, into: &reply)
      return self.text(of: reply.buffer.bytes)
    }
  }
  /// A request that waits for a quota is sent again once the ask is answered; where no answer comes it is refused, as a leader does.
  func sendAgain(_ bytes: [UInt8], _ deferral: Deferral) throws -> String {
    var (bytes, deferral) = (bytes, deferral)
    for _ in 0..<20 {
      deferrals += 1
      let isAnswered = shards.contains { $0.ledger.takeAnsweredWaits().contains(deferral.awaited) }
      guard isAnswered, let again = bytes.withUnsafeBytes({ Command.carrying(deferral, $0) }) else { break }
      bytes = again
      let (text, outcome) = try send(bytes)
      guard outcome == .deferred else { return try deliver(text, outcome, bytes) }
      deferral = try #require(self.deferral)
    }
    let name = deferral.quota.map { String(decoding: shards[0].ledger.quotaName($0), as: UTF8.self) } ?? ""
    return "-UNAVAILABLE which=\(name)"
  }
  /// The sums of what all shards report to an inquiry, by the names of fields.
  func ask(_ inquiry: Inquiry) throws -> [String: Int64] {
    var sums: [String: Int64] = [:]
    for place in shards.indices {
      var buffer = ByteBuffer()
      Command.appendMarker(to: &buffer, slot: shards[place].ledger.ranges.first ?? Slot(0), asking: inquiry)
      for word in try send(buffer.array, to: place).text.dropFirst().split(separator: " ") {
        let parts = word.split(separator: "=")
        guard parts.count == 2, let figure = Int64(parts[1]) else { continue }
        let key = String(parts[0])
        if key == "needed" { sums[key] = figure } else { sums[key, default: 0] += figure }
      }
    }
    return sums
  }
  /// A question, with what all shards have drawn of the budgets that it wants to know of: as a node sends it again.
  private func carrying(_ periods: [UInt8], _ question: [UInt8]) throws -> [UInt8] {
    let parts = try shards.indices.map { place in
      var buffer = ByteBuffer()
      Command.appendMarker(
        to: &buffer, slot: shards[place].ledger.ranges.first ?? Slot(0), asking: .drawn(.first, periods: periods))
      let words = try send(buffer.array, to: place).text.split(separator: " ")
      return words.first { $0.hasPrefix("detail=") }.map { Array($0.dropFirst(7).utf8) } ?? []
    }
    return try #require(
      question.withUnsafeBytes { question in
        periods.withUnsafeBytes { Command.carrying(drawn: parts, of: $0, question) }
      })
  }
  /// Facts are wanted until they are there: those that the journal has now.
  func sendWithFacts(_ bytes: [UInt8]) throws -> String {
    recalls += 1
    for _ in 0..<3 {
      guard let facts = try facts(for: bytes) else { return "-NOTFOUND" }
      let command = try #require(
        bytes.withUnsafeBytes { bytes in facts.withUnsafeBytes { Command.carrying(facts: $0, bytes) } })
      let (text, outcome) = try send(command)
      if outcome != .factsWanted { return try deliver(text, outcome, bytes) }
    }
    return "-BUSY"
  }
  /// What a command would have to carry; empty: nothing; nil: there is no such transaction.
  func facts(for bytes: [UInt8]) throws -> [UInt8]? {
    var query = ByteBuffer()
    try #require(bytes.withUnsafeBytes { Query.appendFacts(to: &query, for: $0) })
    let header = try bytes.withUnsafeBytes { try CommandHeader(of: $0) }
    let shard = shards[shard(of: header.slot)]
    var reply = ReplyWriter()
    if case .journal(let walk) = shard.ledger.read(query.bytes, into: &reply) {
      try walk.run(shard.journal, into: &reply)
    }
    switch ReplyTag(rawValue: reply.buffer.bytes[0]) {
    case .ok: return []
    case .text:
      var reader = ByteReader(UnsafeRawBufferPointer(rebasing: reply.buffer.bytes[1...]))
      return Array(try reader.readCounted())
    default: return nil
    }
  }
  func ask(_ bytes: [UInt8]) throws -> String {
    let header = try bytes.withUnsafeBytes { try CommandHeader(of: $0) }
    let shard = shards[shard(of: header.slot)]
    var reply = ReplyWriter()
    switch bytes.withUnsafeBytes({ shard.ledger.read($0, into: &reply) }) {
    case .replied, .unsettled:
      let rest = Array(reply.buffer.bytes.dropFirst())
      if reply.buffer.bytes[0] == ReplyTag.elsewhere.rawValue { return try ask(rest) }
      if reply.buffer.bytes[0] == ReplyTag.budgetsWanted.rawValue { return try ask(carrying(rest, bytes)) }
    case .journal(let query): try query.run(shard.journal, into: &reply)
    case .moved: return "(moved)"
    }
    return text(of: reply.buffer.bytes)
  }
  /// Does what is due by now, in every shard.
  func tickAll() throws -> String {
    var count = 0
    for (i, shard) in shards.enumerated() {
      while let deadline = shard.ledger.nextDeadline, deadline <= time, count < 100_000 {
        try send(tick(), to: i)
        count += 1
      }
    }
    return "ok"
  }
  func tick() -> [UInt8] {
    var buffer = ByteBuffer()
    Command.appendTick(to: &buffer, slot: Slot(0))
    return buffer.array
  }
  func split(_ line: String) -> (words: [String], keys: [String: String]) {
    var words: [String] = []
    var keys: [String: String] = [:]
    for word in line.split(separator: " ") {
      if let equal = word.firstIndex(of: "=") {
        keys[String(word[..<equal])] = String(word[word.index(after: equal)...])
      } else {
        words.append(String(word))
      }
    }
    return (words, keys)
  }
  func transaction(_ word: String) -> TransactionID {
    if word.hasPrefix("#"), let n = Int(word.dropFirst()), n >= 1, n <= names.count { return names[n - 1] }
    return withBytes(word) { TransactionID(parsing: $0) } ?? TransactionID(rawValue: 1)
  }

  // MARK: Text

  func name(_ tx: TransactionID) -> String {
    if let n = names.firstIndex(of: tx) { return "#\(n + 1)" }
    names.append(tx)
    return "#\(names.count)"
  }
  /// `2026-01-15T12:00`, in UTC.
  static func stamp(_ text: String) -> Stamp {
    let n = text.split(whereSeparator: { !$0.isNumber }).compactMap { Int64($0) }
    let days = CivilTime.days(year: n[0], month: n[1], day: n[2])
    let seconds = days * 86_400 + n[3] * 3600 + n[4] * 60 + (n.count > 5 ? n[5] : 0)
    return Stamp(microseconds: seconds * 1_000_000)
  }
  static func text(_ stamp: Stamp) -> String {
    if stamp == .never { return "never" }
    let day = CivilTime.day(of: stamp, offset: 0)
    let (year, month) = CivilTime.yearAndMonth(day: day)
    let date = day - CivilTime.days(year: year, month: month, day: 1) + 1
    let minute = (stamp.microseconds - day * CivilTime.microsecondsPerDay) / 60_000_000
    func two(_ n: Int64) -> String { n < 10 ? "0\(n)" : "\(n)" }
    return "\(year)-\(two(month))-\(two(date))T\(two(minute / 60)):\(two(minute % 60))"
  }
}

extension Entries {
  /// As a snapshot has it.
  func written() -> [UInt8] {
    var bytes: [UInt8] = []
    image.write { bytes += $0 }
    return bytes
  }
  init(reading bytes: [UInt8], kinds: [EntryKind] = EntryKind.all) throws {
    var source = MemorySnapshotSource(bytes)
    try self.init(restoring: &source, kinds: kinds)
  }
}
