import Base
import CommandSupport
import Testing

@testable import Ledger

/// `HISTORY`: what it shows, and what it reads for that.
@Suite struct HistoryTests {
  /// What a question is answered, and how many reads each of its runs took.
  private func ask(_ world: World, _ line: String) throws -> (reply: String, runs: [Int]) {
    let bytes = try world.build(line).bytes
    let shard = world.shards[0]
    var reply = ReplyWriter()
    var runs: [Int] = []
    if case .journal(let query) = bytes.withUnsafeBytes({ shard.ledger.read($0, into: &reply) }) {
      var next: JournalQuery? = query
      while let query = next {
        let source = CountingJournal(shard.journal)
        next = try query.step(source, into: &reply)
        #expect(source.reads <= query.cost + 1, "\(source.reads) reads, charged \(query.cost)")
        runs.append(source.reads)
      }
    }
    return (world.text(of: reply.buffer.bytes), runs)
  }
  /// Earns in entries of a thousand.
  private func earn(_ world: World, _ count: Int, program: String, tag: String = "") {
    let shard = world.shards[0]
    for first in stride(from: 0, to: count, by: 1_000) {
      let size = min(1_000, count - first)
      var payload = ByteBuffer()
      world.time = Stamp(microseconds: world.time.microseconds + 1)
      EntryHeader(stamp: world.time, catalogueVersion: 0, commandCount: UInt32(size)).encode(into: &payload)
      for i in 0..<size {
        Command.appendEarn(
          to: &payload, context: CommandContext(fingerprint: 1), member: lasting("ann"), merchant: lasting("cafe"),
          program: lasting(program), amount: .points(1), request: lasting("\(program)\(tag)-\(first + i)"))
      }
      shard.index += 1
      var reply = ReplyWriter()
      shard.ledger.apply(payload: payload.bytes, index: LogIndex(shard.index), into: &reply) { _, _, _, _ in }
      shard.ledger.takeJournal { shard.journal.append($0, $1) }
    }
  }
  private func makeWorld(limits: LedgerLimits = LedgerLimits()) throws -> World {
    let world = World(limits: limits)
    for line in ["PROGRAM SET p refund-window=10d", "PROGRAM SET q refund-window=10d", "MERCHANT SET cafe"] {
      try #require(try world.run(line) == "+OK")
    }
    for member in ["ann", "ben"] { try #require(try world.run("MEMBER ADD \(member)") == "+OK") }
    return world
  }

  @Test func aProgramsHistoryReadsItsOwnRecordsAlone() throws {
    let world = try makeWorld()
    _ = try world.run("EARN ann merchant=cafe program=q points=7 id=a")
    earn(world, 3_000, program: "p")
    _ = try world.run("EARN ann merchant=cafe program=q points=8 id=b")
    let (reply, runs) = try ask(world, "HISTORY ann program=q limit=5")
    #expect(reply.rows.count == 2 && reply.contains("points=8") && reply.contains("points=7"))
    #expect(runs == [2])
    #expect(try ask(world, "HISTORY ann limit=3").runs == [3])
    #expect(try ask(world, "HISTORY ann program=p limit=1000").runs == [1_000])
    #expect(try ask(world, "HISTORY ben program=q").reply == "*0")
  }

  /// Between a record of one program and the next of another there may be any number.
  @Test func aWalkYieldsAndWhatItCutsOffItSays() throws {
    let world = try makeWorld()
    _ = try world.run("EARN ann merchant=cafe program=q points=7 id=a")
    earn(world, 21_500, program: "p")
    let newest = try ask(world, "HISTORY ann limit=1").reply.rows[0].split(separator: " ")[0].dropFirst(3)
    let (first, runs) = try ask(world, "HISTORY ann program=q before=\(newest)")
    #expect(runs.count >= 20 && runs.allSatisfy { $0 <= JournalQuery.stepsAtOnce }, "\(runs)")
    #expect(runs.reduce(0, +) == HistoryWalk.mostSteps)
    #expect(first.rows[0].hasPrefix("more=yes before=#"), "\(first)")
    let place = try #require(first.split(separator: "before=").last)
    let (second, rest) = try ask(world, "HISTORY ann program=q before=\(place)")
    #expect(second.contains("points=7") && !second.contains("more"), "\(second)")
    #expect(rest.reduce(0, +) < 2_000)
  }

  @Test func aPlaceThatIsNotTheMembersIsNotFound() throws {
    let world = try makeWorld()
    _ = try world.run("EARN ann merchant=cafe program=p points=7 id=a")
    // One whose transactions are numbered with ann's.
    func home(_ member: String) -> UInt16 { withBytes(member) { Command.memberSlot($0, tenant: .first) }.rawValue }
    let slot = home("ann")
    let other = try #require((0..<200_000).lazy.map { "m\($0)" }.first { home($0) == slot })
    #expect(try world.run("MEMBER ADD \(other)") == "+OK")
    _ = try world.run("EARN \(other) merchant=cafe program=p points=7 id=b")
    for before in ["#2", "\(slot)-3", "\(slot ^ 1)-1", "16000-99"] {
      #expect(try ask(world, "HISTORY ann before=\(before)").reply.isError("NOTFOUND"), "\(before)")
    }
    #expect(try ask(world, "HISTORY ann before=#1").reply == "*0")
    // And when the state has forgotten them all.
    world.time = Stamp(microseconds: world.time.microseconds + 50 * 86_400 * 1_000_000)
    _ = try world.send(world.tick())
    try #require(world.shards[0].ledger.tables.transactions.count == 0)
    for before in ["#2", "\(slot)-3", "\(slot ^ 1)-1", "16000-99"] {
      #expect(try ask(world, "HISTORY ann before=\(before)").reply.isError("NOTFOUND"), "\(before)")
    }
    #expect(try ask(world, "HISTORY ann before=#1").reply == "*0")
  }

  /// In pages of any size and of any program it is the same, whatever the state has forgotten of it.
  @Test(arguments: [false, true]) func pagesJoin(isForgotten: Bool) throws {
    var limits = LedgerLimits()
    limits.journalSegmentBytes = 8_192
    let world = try makeWorld(limits: limits)
    var random = SeededGenerator(seed: 9)
    for i in 0..<200 {
      let program = random.next() % 5 == 0 ? "q" : "p"
      let member = random.next() % 3 == 0 ? "ben" : "ann"
      _ = try world.run("EARN \(member) merchant=cafe program=\(program) points=\(i + 1) id=r\(i)")
      if random.next() % 4 == 0 { _ = try world.run("REDEEM \(member) merchant=cafe program=p points=1 id=s\(i)") }
    }
    if isForgotten {
      world.time = Stamp(microseconds: world.time.microseconds + 50 * 86_400 * 1_000_000)
      for _ in 0..<20 { _ = try world.send(world.tick()) }
      try #require(world.shards[0].ledger.tables.transactions.count == 0)
    }
    for program in ["", " program=p", " program=q"] {
      let all = try ask(world, "HISTORY ann\(program) limit=1000").reply.rows
      #expect(all.count > 20)
      for limit in [1, 7, 50] {
        var pages: [String] = []
        var before = ""
        while pages.count < all.count {
          let reply = try ask(world, "HISTORY ann\(program) limit=\(limit)\(before)").reply
          let page = reply.rows
          guard page.count <= limit, let last = page.last else { break }
          pages += page
          before = " before=\(last.split(separator: " ")[0].dropFirst(3))"
        }
        #expect(pages == all)
      }
    }
    #expect(try world.run("CHECK") == "ok")
  }

  /// A search for a number takes its steps in as many runs as need be; one that no record shows is found nowhere.
  @Test func theSearchForAForgottenNumberYields() throws {
    var limits = LedgerLimits()
    limits.journalSegmentBytes = 8_192
    let world = try makeWorld(limits: limits)
    let shard = world.shards[0]
    let slot = withBytes("ann") { Command.memberSlot($0, tenant: .first) }
    for part in 0..<300 { earn(world, 3, program: "p", tag: "a\(part)") }
    // Numbers that are taken and leave no record.
    shard.index += 1
    shard.ledger.beginEntry(
      EntryHeader(stamp: world.time, catalogueVersion: 0, commandCount: 0), index: LogIndex(shard.index))
    let silent = shard.ledger.nextTransaction(slot)
    shard.ledger.endEntry()
    for part in 0..<300 { earn(world, 3, program: "p", tag: "b\(part)") }
    let end = shard.ledger.journalEnd
    #expect(end.segment > 8)
    var reader = JournalRecordReader(CountingJournal(shard.journal), shard.ledger.catalogue.records, end)
    for number in [1, 2, 450, 901, 902, 1_801, Int(silent.sequence)] {
      let tx = TransactionID(slot: slot, sequence: UInt64(number))
      var search = TransactionSearch(tx, in: [end])
      var runs = 0
      var place: JournalPosition?
      loop: while true {
        let before = reader.source.reads
        let outcome = try search.run(&reader, steps: 1)
        #expect(reader.source.reads - before <= 10)
        runs += 1
        switch outcome {
        case .unfinished: continue
        case .nowhere: break loop
        case .found(let position):
          place = position
          break loop
        }
      }
      #expect(runs >= 4)
      #expect((place == nil) == (tx == silent), "\(number)")
      if let place { #expect(try reader.read(at: place) { $0.tx } == tx) }
    }
  }
}
