import Base
import CommandSupport
import Testing
import Vocabulary

@testable import Ledger

/// Entries: which version holds when, what they refer to, how they are listed, and what is too much.
struct EntriesTests {
  /// Names the first line that came out otherwise.
  private func expect(_ transcript: String, _ world: World) throws {
    let played = try world.play(transcript).split(separator: "\n", omittingEmptySubsequences: false)
    let lines = transcript.split(separator: "\n", omittingEmptySubsequences: false)
    for (i, line) in lines.enumerated() where i >= played.count || played[i] != line {
      Issue.record("\(line)\nbut it was\n\(i < played.count ? played[i] : "nothing")")
      return
    }
    #expect(played.count == lines.count)
  }

  // MARK: Versions

  /// A8: a change made while a later one is announced changes that one too, in the fields that it names.
  @Test func versionsHoldFromTheirMoments() throws {
    let transcript = """
      > PRODUCT SET tea title=Tea price=1990 wholesale=1490
      +OK
      > PRODUCT SET tea price=2490 brand=Leaf from=2026-03-01
      +OK
      @ 2026-01-16T12:00
      > PRODUCT SET tea price=2190 category=drinks
      +OK
      > PRODUCT SHOW tea
      product=tea title=Tea category=drinks brand= price=2190 wholesale=1490 state=active version=3 from=2026-01-16T11:59 until=2026-03-01T00:00 by=
      > PRODUCT SHOW tea at=2026-01-16T11:59:59Z
      product=tea title=Tea category= brand= price=1990 wholesale=1490 state=active version=1 from=2026-01-15T12:00 until=2026-01-16T11:59 by=
      > PRODUCT SHOW tea at=2026-03-01
      product=tea title=Tea category=drinks brand=Leaf price=2190 wholesale=1490 state=active version=2 from=2026-03-01T00:00 by=
      > PRODUCT HISTORY tea
      product=tea version=3 from=2026-01-16T11:59 set=2026-01-16T11:59 by= category=drinks price=2190
      product=tea version=2 from=2026-03-01T00:00 set=2026-01-15T12:00 by= brand=Leaf price=2490
      product=tea version=1 from=2026-01-15T12:00 set=2026-01-15T12:00 by= title=Tea price=1990 wholesale=1490
      > PRODUCT SET tea price=2190
      +OK
      > PRODUCT SET tea brand= state=stopped
      +OK
      @ 2026-03-02T00:00
      > PRODUCT SHOW tea
      product=tea title=Tea category=drinks brand= price=2190 wholesale=1490 state=stopped version=2 from=2026-03-01T00:00 by=
      > PRODUCT SHOW tea at=2026-01-01
      -CLOSED from=2026-01-15T12:00
      > PRODUCT SHOW pot
      -NOTFOUND
      > PRODUCT SET pot title=Pot from=2026-04-01T08:00:00+08:00
      +OK
      > PRODUCT SHOW pot
      -CLOSED from=2026-04-01T00:00
      > PRODUCT LIST
      product=tea title=Tea category=drinks brand= price=2190 wholesale=1490 state=stopped version=2 from=2026-03-01T00:00 by=
      > PRODUCT LIST at=2026-04-02 state=active
      product=pot title=Pot category= brand= price= wholesale= state=active version=1 from=2026-04-01T00:00 by=
      """
    try expect(transcript, World(shards: 0))
  }

  @Test func whatSaysNothingNewIsNoVersion() throws {
    let transcript = """
      > PRODUCT SET tea title=Tea
      +OK
      > PRODUCT SET tea title=Tea
      +OK
      > PRODUCT SET tea
      +OK
      > PRODUCT SET tea title=Tea from=2026-02-01
      +OK
      > PRODUCT HISTORY tea
      product=tea version=1 from=2026-01-15T12:00 set=2026-01-15T12:00 by= title=Tea
      """
    try expect(transcript, World(shards: 0))
  }

  @Test func aListIsReadPageByPage() throws {
    let world = World(shards: 0)
    for name in ["b", "d", "a", "c"] { #expect(try world.run("ORG SET \(name)") == "+OK") }
    func keys(_ rest: String) throws -> [String] {
      try world.run("ORG LIST \(rest)").split(separator: "\n").map { String($0.prefix { $0 != " " }) }
    }
    #expect(try keys("limit=2") == ["org=a", "org=b"])
    #expect(try keys("limit=2 after=b") == ["org=c", "org=d"])
    #expect(try keys("after=bb") == ["org=c", "org=d"], "a key that nobody has")
    #expect(try keys("limit=4").count == 4)
    #expect(try keys("after=d") == ["(none)"])
  }

  @Test func aChangeBeginsNowOrLater() throws {
    let transcript = """
      > PROGRAM SET p utc-offset=+08:00 from=2026-01-15
      +OK
      > MERCHANT SET m program=p from=2026-01-14
      -LIMIT which=from
      > MERCHANT SET m program=p from=2026-01-15T11:59:59Z
      -LIMIT which=from
      > MERCHANT SET m program=p from=9999-12-31T12:00:00Z
      -LIMIT which=from
      > PRODUCT SET s from=2026-01-15
      +OK
      @ 2026-01-15T17:00
      > MERCHANT SET m program=p from=2026-01-15
      -LIMIT which=from
      > MERCHANT SET m program=p from=2026-01-16
      +OK
      > MERCHANT SET m title=later from=2026-01-17
      +OK
      > PRODUCT SET s title=later from=2026-01-17
      +OK
      > MERCHANT HISTORY m
      merchant=m version=2 from=2026-01-16T16:00 set=2026-01-15T16:59 by= title=later
      merchant=m version=1 from=2026-01-15T16:59 set=2026-01-15T16:59 by= program=p
      > MERCHANT SHOW m at=2026-01-17
      merchant=m program=p earn= region= state=active title=later parent= org= class= logistics= recharge= contact= rating= version=2 from=2026-01-16T16:00 by=
      > PRODUCT HISTORY s
      product=s version=2 from=2026-01-17T00:00 set=2026-01-15T16:59 by= title=later
      product=s version=1 from=2026-01-15T12:00 set=2026-01-15T12:00 by=
      """
    try expect(transcript, World(shards: 0))
  }

  @Test func attributesAreFieldsOfTheirOwn() throws {
    let transcript = """
      > MERCHANT SET m x.Floor=2 x.branch=017
      +OK
      > MERCHANT SET m x.Floor=3 from=2026-02-01
      +OK
      > MERCHANT SET m x.branch= x.new=1
      +OK
      > MERCHANT LIST x.Floor=2
      merchant=m program= earn= region= state=active title= parent= org= class= logistics= recharge= contact= rating= x.Floor=2 x.new=1 version=3 from=2026-01-15T12:00 until=2026-02-01T00:00 by=
      > MERCHANT LIST x.Floor=2 at=2026-02-01
      (none)
      > MERCHANT LIST x.floor=2
      (none)
      > MERCHANT LIST x.branch= limit=1 after=l
      merchant=m program= earn= region= state=active title= parent= org= class= logistics= recharge= contact= rating= x.Floor=2 x.new=1 version=3 from=2026-01-15T12:00 until=2026-02-01T00:00 by=
      """
    try expect(transcript, World(shards: 0))
    let world = World(shards: 0)
    let many = (0..<32).map { "x.a\($0)=1" }.joined(separator: " ")
    #expect(try world.run("MERCHANT SET m \(many) x.b=1") == "-LIMIT which=attributes")
    #expect(try world.run("MERCHANT SET m \(many)") == "+OK")
    #expect(try world.run("MERCHANT SET m x.b=1") == "-LIMIT which=attributes")
    #expect(try world.run("MERCHANT SET m x.b=1 x.a0=") == "+OK")
    #expect(try world.run("MERCHANT SET m x.a0=1 from=2030-01-01") == "-LIMIT which=attributes")
    // What is announced counts with what comes before it.
    #expect(try world.run("MERCHANT SET m x.b=") == "+OK")
    #expect(try world.run("MERCHANT SET m x.c=1 from=2030-01-01") == "+OK")
    #expect(try world.run("MERCHANT SET m x.d=1") == "-LIMIT which=attributes")
  }

  // MARK: References

  @Test func referencesAreChecked() throws {
    let transcript = """
      > TERMINAL SET t merchant=nobody
      -NOTFOUND
      > TERMINAL SET t channel=pos
      -ERR a new terminal needs merchant=
      > MERCHANT SET m program=none
      -NOTFOUND
      > MERCHANT SET m org=a
      -NOTFOUND
      > ORG SET a
      +OK
      > ORG SET b parent=a
      +OK
      > MERCHANT SET m org=a,b
      +OK
      > MERCHANT SET n org=b parent=m
      +OK
      > TERMINAL SET t merchant=m
      +OK
      > TERMINAL SET t merchant=
      -ERR merchant must be the merchant that is meant: 1 to 64 of A-Za-z0-9._-
      > TERMINAL LIST merchant=n
      (none)
      > TERMINAL LIST merchant=nobody
      (none)
      > TERMINAL LIST merchant=m
      terminal=t merchant=m channel= region= recharge= state=active version=1 from=2026-01-15T12:00 by=
      > MERCHANT LIST org=a
      merchant=m program= earn= region= state=active title= parent= org=a,b class= logistics= recharge= contact= rating= version=1 from=2026-01-15T12:00 by=
      > MERCHANT LIST org=b parent=m
      merchant=n program= earn= region= state=active title= parent=m org=b class= logistics= recharge= contact= rating= version=1 from=2026-01-15T12:00 by=
      > MERCHANT LIST org= parent=
      (none)
      > MERCHANT SET n parent= org=
      +OK
      > MERCHANT LIST org=
      merchant=n program= earn= region= state=active title= parent= org= class= logistics= recharge= contact= rating= version=2 from=2026-01-15T12:00 by=
      """
    try expect(transcript, World(shards: 0))
    var reply = ReplyWriter()
    var entries = Entries()
    _ = try EntryLine("MERCHANT SET m program=gone").set(&entries, at: .zero, into: &reply)
    #expect(String(decoding: reply.buffer.array, as: UTF8.self).contains("program=: no such program 'gone'"))
  }

  @Test func treesHaveNoCirclesAndADepth() throws {
    let world = World(shards: 0)
    let circle = "-ERR parent= would make a circle"
    #expect(try world.run("ORG SET o1") == "+OK")
    #expect(try world.run("ORG SET o1 parent=o1") == circle)
    for i in 2...16 { #expect(try world.run("ORG SET o\(i) parent=o\(i - 1)") == "+OK") }
    #expect(try world.run("ORG SET o17 parent=o16") == "-LIMIT which=depth")
    #expect(try world.run("ORG SET o1 parent=o16") == circle)
    // Below another, what is below it counts too.
    #expect(try world.run("ORG SET top") == "+OK")
    #expect(try world.run("ORG SET o1 parent=top") == "-LIMIT which=depth")
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
      #expect(world.describe(reply.buffer.bytes) == circle)
    }
  }

  // MARK: Bounds

  @Test func whatIsTooMuchIsRefused() throws {
    let small = EntryKind(
      7, "THING", key: "id", [.init(2, "size", .shape(.spend))], most: (3, 4), summary: "a thing", example: "a")
    var entries = Entries(kinds: [small])
    func set(_ line: String, tenant: UInt32 = 1, semantics: UInt8 = 1) throws -> String {
      var reply = ReplyWriter()
      _ = try EntryLine(line, kinds: [small]).set(
        &entries, at: Stamp(microseconds: 1_000), tenant: TenantID(tenant), semantics: semantics, into: &reply)
      return reply.buffer.isEmpty ? "+OK" : World().describe(reply.buffer.bytes)
    }
    for name in ["a", "b", "c"] { #expect(try set("THING SET \(name)") == "+OK") }
    #expect(try set("THING SET d") == "-LIMIT which=things")
    #expect(try set("THING SET a", tenant: 2) == "+OK")
    #expect(try set("THING SET b", tenant: 2) == "-LIMIT which=things")
    for i in 1...64 { #expect(try set("THING SET a size=\(i) from=\(2000 + i)-01-01") == "+OK") }
    #expect(try set("THING SET a size=99 from=2099-01-01") == "-LIMIT which=versions")
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
      return reply.buffer.isEmpty ? "+OK" : World().describe(reply.buffer.bytes)
    }
    #expect(try set("PRODUCT SET first") == "+OK")
    let orgs = try #require(entries.table(word: "ORG"))
    for _ in 0..<EntryKind.mostEntries - 2 { entries.tables[orgs].items.append(EntryItem(tenant: .first, key: [])) }
    #expect(try set("PRODUCT SET last") == "+OK" && entries.count == EntryKind.mostEntries)
    #expect(try set("PRODUCT SET more") == "-LIMIT which=entries")
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
    #expect(try world.run("MERCHANT SET m earn=3/1") == "-LIMIT which=versions")
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
    func refusal(_ line: String, _ change: ([UInt8]) -> [UInt8] = { $0 }, by kind: EntryKind? = older) throws -> String
    {
      var entries = Entries(kinds: kind.map { [$0] } ?? [])
      var reply = ReplyWriter()
      var journal = EntryJournal()
      let bytes = change(try EntryLine(line, kinds: [newer]).bytes)
      try bytes.withUnsafeBytes { raw in
        var reader = ByteReader(raw)
        let request = try EntryRequest(decoding: &reader)
        _ = entries.set(
          request, tenant: .first, by: UnsafeRawBufferPointer(start: nil, count: 0), stamp: .zero, semantics: 1,
          journal: &journal, into: &reply)
      }
      #expect(reply.buffer.isEmpty == (entries.count == 1))
      return reply.buffer.isEmpty ? "+OK" : World().describe(reply.buffer.bytes)
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
    var entries = Entries(kinds: [new])
    func set(_ line: String, _ semantics: UInt8) throws -> String {
      var reply = ReplyWriter()
      _ = try EntryLine(line, kinds: [new]).set(&entries, at: .zero, semantics: semantics, into: &reply)
      return reply.buffer.isEmpty ? "+OK" : World().describe(reply.buffer.bytes)
    }
    #expect(try set("THING SET a size=1", 2) == "-UNAVAILABLE" && entries.count == 0)
    #expect(try set("THING SET a size=1", 3) == "+OK")
    #expect(try set("THING SET a colour=red", 3) == "-UNAVAILABLE")
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
    #expect(first == "more=yes after=p\(100_000 + Entries.mostLookedAt - 1)")
    let second = try world.run("PRODUCT LIST title=found after=p\(100_000 + Entries.mostLookedAt - 1)")
    #expect(second.hasPrefix("product=p\(100_000 + Entries.mostLookedAt + 2) "))
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
      let lines = world.describe(reply.buffer.bytes).split(separator: "\n")
      keys += lines.compactMap { $0.hasPrefix("product=") ? String($0.prefix { $0 != " " }) : nil }
      after = lines.last.flatMap { $0.hasPrefix("more=yes ") ? $0.dropFirst(8) : nil }.map { String($0) } ?? ""
      pages += 1
    } while !after.isEmpty && pages < 9
    #expect(pages == 2 && keys == (0..<count).map { "product=p\(100_000 + $0)" }, "\(pages) \(keys.count)")
  }

  // MARK: What shards make of it

  @Test func announcedTermsBeginInEveryShard() throws {
    let transcript = """
      > PROGRAM SET points earn=1/100
      +OK
      > PROGRAM SET miles earn=1/1 from=2026-01-16
      +OK
      > MERCHANT SET cafe program=points
      +OK
      > MERCHANT SET inn
      +OK
      > MEMBER ADD ann
      +OK
      > PROGRAM SET points earn=1/50 from=2026-02-01
      +OK
      > MERCHANT SET cafe earn=1/10 from=2026-03-01
      +OK
      > PROGRAM SET miles default=yes from=2026-03-01
      +OK
      > EARN ann merchant=inn program=miles spend=100 id=a
      -CLOSED
      > EARN ann merchant=cafe spend=1000 id=b
      tx=#1 member=ann program=points points=10 balance=10
      @ 2026-02-01T00:00
      > EARN ann merchant=cafe spend=1000 id=c
      tx=#2 member=ann program=points points=20 balance=30
      > EARN ann merchant=cafe spend=1000 id=d at=2026-01-31T23:59
      tx=#3 member=ann program=points points=10 balance=40
      > BALANCE ann
      member=ann program=points balance=40 held=0 available=40 debt=0
      @ 2026-03-01T00:00
      > EARN ann merchant=cafe spend=1000 id=e
      tx=#4 member=ann program=points points=100 balance=140
      > EARN ann merchant=inn spend=100 id=f
      tx=#5 member=ann program=miles points=100 balance=100
      > BALANCE ann all=yes
      member=ann program=miles balance=100 held=0 available=100 debt=0
      member=ann program=points balance=140 held=0 available=140 debt=0
      > MERCHANT SET cafe earn=program
      +OK
      > EARN ann merchant=cafe spend=1000 id=g
      tx=#6 member=ann program=points points=20 balance=160
      > EARN ann merchant=cafe spend=1000 id=h at=2026-03-01T00:00
      tx=#7 member=ann program=points points=100 balance=260
      > CHECK
      ok
      """
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
    try expect(transcript, world)
  }

  @Test func aStoppedProgramEarnsAndSpendsNothing() throws {
    let transcript = """
      > PROGRAM SET points earn=1/1 expire=1d
      +OK
      > MERCHANT SET cafe
      +OK
      > MEMBER ADD ann
      +OK
      > MEMBER ADD ben
      +OK
      > EARN ann merchant=cafe spend=100 id=a
      tx=#1 member=ann program=points points=100 balance=100
      > HOLD ann merchant=cafe points=10 id=b
      tx=#2 member=ann program=points points=10 balance=100 available=90 expires=2026-01-15T12:15
      > PROGRAM SET points state=stopped
      +OK
      > EARN ann merchant=cafe spend=100 id=c
      -CLOSED
      > REDEEM ann merchant=cafe points=1 id=d
      -CLOSED
      > HOLD ann merchant=cafe points=1 id=e
      -CLOSED
      > CAPTURE #2 id=f
      -CLOSED
      > TRANSFER ann ben points=1 id=g
      -CLOSED
      > RELEASE #2 id=h
      tx=#3 of=#2 member=ann program=points points=10 balance=100 available=100
      > REFUND #1 spend=10 id=i
      tx=#4 of=#1 member=ann points=-10 balance=90 program=points
      > BALANCE ann
      member=ann program=points balance=90 held=0 available=90 debt=0 expiring=90 expires=2026-01-17T00:00
      @ 2026-01-17T00:00
      > TICK
      ok
      > BALANCE ann
      member=ann program=points balance=0 held=0 available=0 debt=0
      > PROGRAM SET points state=active
      +OK
      > EARN ann merchant=cafe spend=100 id=j
      tx=#5 member=ann program=points points=100 balance=100
      > CHECK
      ok
      """
    try expect(transcript, World(shards: 1))
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
      if answer == "-LIMIT which=versions" { continue }
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
