import Base
import CommandSupport
import Testing
import Vocabulary

@testable import Ledger

/// Entries: which version holds when, what they refer to, how they are listed, and what is too much.
struct EntriesTests {
  // MARK: Versions

  @Test func aListIsReadPageByPage() throws {
    let world = World(shards: 0)
    for name in ["b", "d", "a", "c"] { #expect(try world.run("ORG SET \(name)") == "+OK") }
    func keys(_ rest: String) throws -> [String] {
      try world.run("ORG LIST \(rest)").rows.map { String($0.prefix { $0 != " " }) }
    }
    #expect(try keys("limit=2") == ["org=a", "org=b"])
    #expect(try keys("limit=2 after=b") == ["org=c", "org=d"])
    #expect(try keys("after=bb") == ["org=c", "org=d"], "a key that nobody has")
    #expect(try keys("limit=4").count == 4)
    #expect(try keys("after=d").isEmpty)
  }

  @Test func attributesHaveABound() throws {
    let world = World(shards: 0)
    let many = (0..<32).map { "x.a\($0)=1" }.joined(separator: " ")
    #expect(try world.run("MERCHANT SET m \(many) x.b=1").isError("LIMIT", "which=attributes"))
    #expect(try world.run("MERCHANT SET m \(many)") == "+OK")
    #expect(try world.run("MERCHANT SET m x.b=1").isError("LIMIT", "which=attributes"))
    #expect(try world.run("MERCHANT SET m x.b=1 x.a0=") == "+OK")
    #expect(try world.run("MERCHANT SET m x.a0=1 from=2030-01-01").isError("LIMIT", "which=attributes"))
    // What is announced counts with what comes before it.
    #expect(try world.run("MERCHANT SET m x.b=") == "+OK")
    #expect(try world.run("MERCHANT SET m x.c=1 from=2030-01-01") == "+OK")
    #expect(try world.run("MERCHANT SET m x.d=1").isError("LIMIT", "which=attributes"))
  }

  // MARK: References

  @Test func treesHaveNoCirclesAndADepth() throws {
    let world = World(shards: 0)
    let circle = "-ERR parent= would make a circle"
    #expect(try world.run("ORG SET o1") == "+OK")
    #expect(try world.run("ORG SET o1 parent=o1") == circle)
    for i in 2...16 { #expect(try world.run("ORG SET o\(i) parent=o\(i - 1)") == "+OK") }
    #expect(try world.run("ORG SET o17 parent=o16").isError("LIMIT", "which=depth"))
    #expect(try world.run("ORG SET o1 parent=o16") == circle)
    // Below another, what is below it counts too.
    #expect(try world.run("ORG SET top") == "+OK")
    #expect(try world.run("ORG SET o1 parent=top").isError("LIMIT", "which=depth"))
    #expect(try world.run("ORG SET o2 parent=top") == "+OK")
    #expect(try world.run("ORG SET o1 parent=o2") == "+OK")
    #expect(try world.run("ORG SET top parent=o1") == circle)
    // What is announced holds then, not now.
    #expect(try world.run("ORG SET o2 parent= from=2026-02-01") == "+OK")
    #expect(try world.run("ORG SET top parent=o1") == circle)
    #expect(try world.run("ORG SET top parent=o1 from=2026-02-01") == "+OK")
    #expect(try world.run("ORG SET o2 parent=top from=2026-03-01") == circle)
    #expect(try world.run("ORG SET o2 parent=o1 from=2026-03-01") == circle)
    let restored = try Entries(reading: world.directory.written())
    for entries in [world.directory, restored] {
      var copy = entries
      var reply = ReplyWriter()
      _ = try EntryLine("ORG SET o2 parent=o16").set(&copy, at: world.time, into: &reply)
      #expect(world.text(of: reply.buffer.bytes) == circle)
    }
  }

  // MARK: Bounds

  @Test func whatIsTooMuchIsRefused() throws {
    let small = EntryKind(
      7, "THING", key: "id", [.init(2, "size", .shape(.spend))], most: (3, 4), summary: "a thing", example: "a")
    let language = Language(kinds: [small])
    var entries = Entries(kinds: [small])
    func set(_ line: String, tenant: UInt32 = 1, semantics: UInt8 = 1) throws -> String {
      var reply = ReplyWriter()
      _ = try EntryLine(line, in: language).set(
        &entries, at: Stamp(microseconds: 1_000), tenant: TenantID(tenant), semantics: semantics, into: &reply)
      return reply.buffer.isEmpty ? "+OK" : World().text(of: reply.buffer.bytes)
    }
    for name in ["a", "b", "c"] { #expect(try set("THING SET \(name)") == "+OK") }
    #expect(try set("THING SET d").isError("LIMIT", "which=things"))
    #expect(try set("THING SET a", tenant: 2) == "+OK")
    #expect(try set("THING SET b", tenant: 2).isError("LIMIT", "which=things"))
    for i in 1...64 { #expect(try set("THING SET a size=\(i) from=\(2000 + i)-01-01") == "+OK") }
    #expect(try set("THING SET a size=99 from=2099-01-01").isError("LIMIT", "which=versions"))
    #expect(try set("THING SET a size=99") == "+OK")
  }

  @Test func kindsHaveTheBoundsThatAreTold() {
    let bounds = Dictionary(uniqueKeysWithValues: EntryKind.all.map { ($0.word, $0.most) })
    #expect(bounds["PROGRAM"]?.tenant == 1_000 && bounds["PROGRAM"]?.all == 1_000)
    #expect(bounds["ORG"]?.tenant == 100_000)
    for kind in ["MERCHANT", "TERMINAL", "PRODUCT", "CARDTYPE"] { #expect(bounds[kind]?.tenant == 1_000_000) }
    #expect(EntryKind.mostEntries == 1_000_000 && Entries.mostVersions == 4_096 && EntryKind.mostAnnounced == 64)
    #expect(EntryKind.mostAttributes == 32 && EntryKind.deepest == 16 && Entries.longestList == 10_000)
  }

  @Test func aMillionEntriesOfAllKindsAreTheMost() throws {
    var entries = Entries()
    func set(_ line: String) throws -> String {
      var reply = ReplyWriter()
      _ = try EntryLine(line).set(&entries, at: Stamp(microseconds: 1), into: &reply)
      return reply.buffer.isEmpty ? "+OK" : World().text(of: reply.buffer.bytes)
    }
    #expect(try set("PRODUCT SET first") == "+OK")
    let orgs = try #require(entries.table(word: "ORG"))
    for _ in 0..<EntryKind.mostEntries - 2 { entries.tables[orgs].items.append(EntryItem(tenant: .first, key: [])) }
    #expect(try set("PRODUCT SET last") == "+OK" && entries.count == EntryKind.mostEntries)
    #expect(try set("PRODUCT SET more").isError("LIMIT", "which=entries"))
    #expect(try set("PRODUCT SET first title=x") == "+OK", "what is there may change")
  }

  /// All changes of what a late purchase may need are kept as long as it may be late: too many in that time are refused.
  @Test func whatChangesTooOftenInTheTimeThatIsKeptIsRefused() throws {
    let day: Int64 = 86_400_000_000
    let world = World(shards: 0)
    #expect(try world.run("PROGRAM SET p backdate=30d") == "+OK")
    #expect(try world.run("MERCHANT SET m program=p") == "+OK")
    let table = try #require(world.directory.table(word: "MERCHANT"))
    let change = try #require(
      world.directory.tables[table].kind.field("earn").map { field in
        EntryValues([(field.number, Array("2/1".utf8).withUnsafeBytes { field.stored($0) ?? [] })])
      })
    let began = world.time.microseconds
    for i in 1..<Entries.mostVersions {
      let stamp = Stamp(microseconds: began + Int64(i))
      world.book.entries.tables[table].items[0].changes.append(
        EntryItem.Change(number: UInt32(i + 1), from: stamp, set: stamp, by: [], values: change))
    }
    world.time = Stamp(microseconds: began + 29 * day)
    #expect(try world.run("MERCHANT SET m earn=3/1").isError("LIMIT", "which=versions"))
    #expect(try world.run("MERCHANT SET n") == "+OK")
    world.time = Stamp(microseconds: began + 31 * day)
    #expect(try world.run("MERCHANT SET m earn=3/1") == "+OK", "none may be so late any more")
  }

  /// What a parser lets through to a directory of another build.
  @Test func whatThisBuildDoesNotKnowOfARequestIsRefused() throws {
    func kind(_ name: String, _ fields: [EntryField], takesAttributes: Bool) -> EntryKind {
      EntryKind(7, name, key: "id", fields, takesAttributes: takesAttributes, summary: "a thing", example: "a")
    }
    let size = EntryField(2, "size", .shape(.spend))
    let newer = kind("THING", [size, .init(3, "colour", .shape(.text))], takesAttributes: true)
    let older = kind("THING", [size], takesAttributes: false)
    let language = Language(kinds: [newer])
    func refusal(_ line: String, _ change: ([UInt8]) -> [UInt8] = { $0 }, by kind: EntryKind? = older) throws -> String
    {
      var entries = Entries(kinds: kind.map { [$0] } ?? [])
      var reply = ReplyWriter()
      var journal = EntryJournal()
      let bytes = change(try EntryLine(line, in: language).bytes)
      try bytes.withUnsafeBytes { raw in
        var reader = ByteReader(raw)
        let request = try EntryRequest(decoding: &reader)
        _ = entries.set(
          request, tenant: .first, by: UnsafeRawBufferPointer(start: nil, count: 0), stamp: .zero, semantics: 1,
          journal: &journal, into: &reply)
      }
      #expect(reply.buffer.isEmpty == (entries.count == 1))
      return reply.buffer.isEmpty ? "+OK" : World().text(of: reply.buffer.bytes)
    }
    func slashed(_ bytes: [UInt8]) -> [UInt8] { bytes.map { $0 == UInt8(ascii: "q") ? UInt8(ascii: "/") : $0 } }
    #expect(try refusal("THING SET q size=1") == "+OK")
    #expect(try refusal("THING SET q size=1", by: nil) == "-ERR no such kind of entry")
    #expect(try refusal("THING SET q size=1", slashed).hasPrefix("-ERR the key must be 1 to 64"))
    #expect(try refusal("THING SET a colour=red") == "-ERR field 3 of thing is not known to this build")
    #expect(
      try refusal("THING SET a size=7") { $0.map { $0 == UInt8(ascii: "7") ? UInt8(ascii: "x") : $0 } }
        .hasPrefix("-ERR size= must be"))
    #expect(try refusal("THING SET a x.q=1") == "-ERR thing takes no x.NAME=")
    #expect(try refusal("THING SET a x.q=1", slashed, by: newer).hasPrefix("-ERR x.NAME= must be"))
  }

  /// A node that does not know a kind or a field never meets one.
  @Test func whatIsNewWaitsForAllNodes() throws {
    let new = EntryKind(
      7, "THING", key: "id", [.init(2, "size", .shape(.spend)), .init(3, "colour", .shape(.text), since: 4)], since: 3,
      summary: "a thing", example: "a")
    let language = Language(kinds: [new])
    var entries = Entries(kinds: [new])
    func set(_ line: String, _ semantics: UInt8) throws -> String {
      var reply = ReplyWriter()
      _ = try EntryLine(line, in: language).set(&entries, at: .zero, semantics: semantics, into: &reply)
      return reply.buffer.isEmpty ? "+OK" : World().text(of: reply.buffer.bytes)
    }
    #expect(try set("THING SET a size=1", 2).isError("UNAVAILABLE") && entries.count == 0)
    #expect(try set("THING SET a size=1", 3) == "+OK")
    #expect(try set("THING SET a colour=red", 3).isError("UNAVAILABLE"))
    #expect(try set("THING SET a colour=red", 4) == "+OK")
    // And who meets one all the same says so.
    let bytes = entries.written()
    #expect(throws: MalformedBytes.self) { _ = try Entries(reading: bytes) }
    let older = EntryKind(
      7, "THING", key: "id", [.init(2, "size", .shape(.spend))], summary: "a thing", example: "a")
    #expect(throws: MalformedBytes.self) { _ = try Entries(reading: bytes, kinds: [older]) }
  }

  @Test func aListThatLooksAtManyGoesOnBehindAKey() throws {
    let world = World(shards: 0)
    for i in 0..<Entries.mostLookedAt + 5 {
      _ = try world.run("PRODUCT SET p\(100_000 + i) title=\(i == Entries.mostLookedAt + 2 ? "found" : "other")")
    }
    let first = try world.run("PRODUCT LIST title=found")
    #expect(first.rows == ["more=yes after=p\(100_000 + Entries.mostLookedAt - 1)"])
    let second = try world.run("PRODUCT LIST title=found after=p\(100_000 + Entries.mostLookedAt - 1)")
    #expect(second.rows[0].hasPrefix("product=p\(100_000 + Entries.mostLookedAt + 2) "))
  }

  @Test func aListIsNoLongerThanItMayBeAndGoesOnBehindAKey() throws {
    let world = World(shards: 0)
    let text = String(repeating: "x", count: 256)
    let count = Entries.mostListBytes / (3 * 256)
    for i in 0..<count {
      _ = try world.run("PRODUCT SET p\(100_000 + i) title=\(text) category=\(text) brand=\(text)")
    }
    var keys: [String] = []
    var after = ""
    var pages = 0
    repeat {
      var reply = ReplyWriter()
      try EntryLine("PRODUCT LIST limit=10000\(after)").read(world.directory, at: world.time, into: &reply)
      #expect(reply.buffer.count < Entries.mostListBytes + 2_048)
      let lines = world.text(of: reply.buffer.bytes).rows
      keys += lines.compactMap { $0.hasPrefix("product=") ? String($0.prefix { $0 != " " }) : nil }
      after = lines.last.flatMap { $0.hasPrefix("more=yes ") ? $0.dropFirst(8) : nil }.map { String($0) } ?? ""
      pages += 1
    } while !after.isEmpty && pages < 9
    #expect(pages == 2 && keys == (0..<count).map { "product=p\(100_000 + $0)" }, "\(pages) \(keys.count)")
  }

  // MARK: What shards make of it

  @Test func announcedTermsBeginInEveryShard() throws {
    let transcript = try Transcript(file: "announced-terms.txt")
    let world = World(shards: 1)
    // Whatever it was restored from: an announced change is part of the state.
    world.afterEntry = { place in
      let shard = world.shards[place]
      let restored = try Ledger.restored(from: MemorySnapshotSource(shard.snapshotBytes()))
      #expect(restored.catalogue.announced == shard.ledger.catalogue.announced)
      #expect(restored.catalogue.programRows.map(\.rate) == shard.ledger.catalogue.programRows.map(\.rate))
      #expect(restored.catalogue.merchantRows.map(\.rate) == shard.ledger.catalogue.merchantRows.map(\.rate))
      #expect(restored.catalogue.nextBeginning == shard.ledger.catalogue.nextBeginning)
    }
    #expect(try transcript.replayed(on: world) == transcript.text)
  }

  /// Any changes in any order: what a directory that was restored answers, and what a shard made of the deltas, is what the
  /// changes say, made out by hand.
  @Test(arguments: 1...12 as ClosedRange<UInt64>)
  func whatWasRestoredAnswersAlike(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let world = World(shards: 1)
    let day: Int64 = 86_400_000_000
    _ = try world.run("PROGRAM SET p earn=1/7 backdate=366d")
    _ = try world.run("MERCHANT SET m")
    /// Of the merchant: from when, and what; in the order in which they were made.
    var rates: [(from: Stamp, rate: UInt64?)] = [(world.time, nil)]
    for step in 0..<150 {
      world.time = Stamp(microseconds: world.time.microseconds + Int64(random.next() % UInt64(3 * day)))
      let rate: UInt64? = random.next() % 5 == 0 ? nil : random.next() % 9 + 1
      let text = rate.map { "\($0)/1" } ?? "program"
      var from = world.time
      var rest = ""
      if random.next() % 3 == 0 {
        from = Stamp(microseconds: (world.time.microseconds / day + Int64(1 + random.next() % 20)) * day)
        rest = " from=\(from.milliseconds)"
      }
      let answer = try world.run("MERCHANT SET m earn=\(text)\(rest) title=t\(step)")
      if answer.isError("LIMIT", "which=versions") { continue }
      #expect(answer == "+OK")
      rates.append((from, rate))
      let catalogue = world.shards[0].ledger.catalogue
      for moment in [0, 1, 40, 200].map({ Stamp(microseconds: world.time.microseconds - Int64($0) * day) }) {
        // Before the first version, that.
        let expected = rates.last { $0.from <= moment }?.rate
        let found = catalogue.rate(ofMerchant: MerchantRef(place: 0), program: ProgramRef(place: 0), at: moment)
        #expect(found?.points == expected.map { Points(Int64($0)) }, "step \(step)")
      }
      if step % 10 == 0 {
        let bytes = world.directory.written()
        let restored = try Entries(reading: bytes)
        #expect(restored.written() == bytes)
        for line in [
          "MERCHANT SHOW m", "MERCHANT LIST title=t\(step)", "MERCHANT HISTORY m", "PROGRAM LIST default=yes",
        ] {
          let answers = try [world.directory, restored].map { entries in
            var reply = ReplyWriter()
            try world.book.read(try EntryLine(line), of: entries, at: world.time, into: &reply)
            return reply.buffer.array
          }
          #expect(answers[0] == answers[1])
        }
      }
    }
  }
}
