import Base
import CommandSupport
import Testing
import Vocabulary

@testable import Ledger

/// What became of entries is in the directory's journal, for ever: `HISTORY` and `SHOW at=` know as much as somebody who
/// forgets nothing, and read little for it.
@Suite struct EntryJournalTests {
  private static let minute: Int64 = 60_000_000
  private static let day = 1_440 * minute
  private static let thing = EntryKind(
    50, "THING", key: "id",
    [
      .init(2, "size", .shape(.spend), .backdated), .init(3, "title", .shape(.text)), .init(4, "note", .shape(.text)),
      .init(5, "main", .choice(["no", "yes"]), .exclusive),
    ],
    takesAttributes: true, summary: "a thing", example: "a")
  private static let language = Language(kinds: [thing])

  /// Keeps all that was ever said, and looks through all of it.
  private struct Model {
    struct Change {
      var number: Int
      var from: Int64
      var set: Int64
      var values: [String: String]
    }
    var things: [(key: String, changes: [Change])] = []
    static let names = ["size", "title", "note", "main", "state", "x.a", "x.b"]

    func value(_ thing: Int, _ name: String, at moment: Int64) -> String {
      things[thing].changes.last { $0.from <= moment && $0.values[name] != nil }?.values[name] ?? ""
    }
    func holder(at moment: Int64) -> Int {
      let claims = things.indices.map { Int64(value($0, "main", at: moment)) ?? .min }
      let most = claims.max() ?? .min
      return most == .min ? 0 : claims.firstIndex(of: most) ?? 0
    }
    /// Nil: it is refused.
    mutating func set(_ key: String, _ said: [String: String], from: Int64, now: Int64) -> Bool {
      let place = things.firstIndex { $0.key == key }
      var changed: [String: String] = [:]
      for (name, value) in said {
        if name == "main" {
          // Later than all claims so far, unless this one has it anyway.
          let claims = things.indices.flatMap { thing in
            let moments = [from] + things[thing].changes.map(\.from).filter { $0 > from }
            return moments.compactMap { Int64(self.value(thing, name, at: $0)) }
          }
          if let place, place == holder(at: from) {
            let own = Int64(self.value(place, name, at: from)) ?? .min
            if claims.max() ?? .min <= from || own >= from { continue }
          }
          var claim = from
          while claims.contains(claim) { claim += 1 }
          changed[name] = "\(claim)"
        } else if let place {
          let moments = [from] + things[place].changes.map(\.from).filter { $0 > from }
          if moments.contains(where: { self.value(place, name, at: $0) != value }) { changed[name] = value }
        } else if !value.isEmpty {
          changed[name] = value
        }
      }
      guard let place else {
        things.append((key, [Change(number: 1, from: from, set: now, values: changed)]))
        return true
      }
      // A repeat of what was announced: the change that decides each field there begins there.
      let isRepeat = changed.allSatisfy { name, value in
        let deciding = things[place].changes.last { $0.from <= from && $0.values[name] != nil }
        return deciding.map { $0.from == from && $0.values[name] == value } ?? false
      }
      if changed.isEmpty || from > now && isRepeat { return true }
      if from > now, things[place].changes.count(where: { $0.from > now }) >= 64 { return false }
      let number = things[place].changes.count + 1
      things[place].changes.append(Change(number: number, from: from, set: now, values: changed))
      return true
    }

    private static func shown(_ value: String) -> String { value.isEmpty ? "\"\"" : value }
    private func time(_ moment: Int64) -> String { World.text(Stamp(microseconds: moment)) }
    func show(_ key: String, at moment: Int64) -> String {
      guard let thing = things.firstIndex(where: { $0.key == key }) else { return "-NOTFOUND" }
      let changes = things[thing].changes
      guard let version = changes.filter({ $0.from <= moment }).max(by: { ($0.from, $0.number) < ($1.from, $1.number) })
      else { return "-CLOSED it is not in force at that moment from=\(time(changes.map(\.from).min() ?? 0))" }
      var parts = ["thing=\(key)"]
      for name in Model.names {
        var value = value(thing, name, at: moment)
        if name == "main" { value = holder(at: moment) == thing ? "yes" : "no" }
        if name == "state", value.isEmpty { value = "active" }
        if !name.hasPrefix("x.") || !value.isEmpty { parts.append("\(name)=\(Model.shown(value))") }
      }
      parts += ["version=\(version.number)", "from=\(time(version.from))"]
      if let until = changes.map(\.from).filter({ $0 > moment }).min() { parts.append("until=\(time(until))") }
      return (parts + ["by=" + Model.shown("")]).joined(separator: " ")
    }
    func history(_ key: String, limit: Int, before: Int) -> String {
      let changes = things.first { $0.key == key }?.changes ?? []
      return changes.reversed().filter { $0.number < before }.prefix(limit).map { change in
        let said = Model.names.compactMap { name in
          change.values[name].map { "\(name)=\(name == "main" ? "yes" : Model.shown($0))" }
        }
        let parts = [
          "thing=\(key)", "version=\(change.number)", "from=\(time(change.from))", "set=\(time(change.set))",
        ]
        return (parts + ["by=" + Model.shown("")] + said).joined(separator: " ")
      }.joined(separator: "\n")
    }
  }

  /// Years of changes, announced ones among them, of values that purchases ask for and others: whatever memory keeps, all
  /// moments and all versions are known, also from a snapshot and a journal of many segments.
  @Test(arguments: 1...4 as ClosedRange<UInt64>) func nothingIsForgotten(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let book = EntryBook(kinds: [Self.thing], segmentBytes: 8_192)
    let world = World(shards: 0)
    var model = Model()
    let start = World.stamp("2026-01-01T00:00").microseconds
    var now = start
    let keys = ["a", "b", "c"]
    var announced: [(key: String, said: [String: String], from: Int64)] = []
    func below(_ bound: UInt64) -> Int64 { Int64(random.next() % bound) }
    func ask(_ line: String, of restored: Entries?) throws -> String {
      var reply = ReplyWriter()
      try book.read(
        EntryLine(line, in: Self.language), of: restored, at: Stamp(microseconds: now), into: &reply)
      return world.text(of: reply.buffer.bytes).rows.joined(separator: "\n")
    }
    var most = 0
    for step in 0..<1_000 {
      if below(4) > 0 { now += below(below(8) == 0 ? 30_000 : 400) * Self.minute }
      var key = keys[Int(below(16) == 0 ? 1 : below(8) == 0 ? 2 : 0)]
      var said: [String: String] = [:]
      if below(3) == 0 { said["size"] = "\(below(5))" }
      if below(2) == 0 { said["title"] = below(6) == 0 ? "" : "t\(below(50))" }
      if below(9) == 0 { said["note"] = "n\(below(3))" }
      if below(12) == 0 { said["main"] = "yes" }
      if below(30) == 0 { said["state"] = below(2) == 0 ? "stopped" : "active" }
      if below(9) == 0 { said["x.a"] = below(3) == 0 ? "" : "\(below(9))" }
      if below(9) == 0 { said["x.b"] = below(3) == 0 ? "" : "\(below(9))" }
      // Far ahead at the very beginning now and then: then the first change is one that is announced.
      let isAhead = below(step < 4 ? 2 : 6) == 0
      var from = isAhead ? now + (1 + below(below(5) == 0 ? 900_000 : 30_000)) * Self.minute : now
      announced.removeAll { $0.from <= now }
      if below(8) == 0, !announced.isEmpty {
        (key, said, from) = announced[Int(below(UInt64(announced.count)))]
      } else if from > now {
        announced.append((key, said, from))
      }
      let words = said.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
      let line = "THING SET \(key) \(words.joined(separator: " "))" + (from > now ? " from=\(from / 1_000)" : "")
      var reply = ReplyWriter()
      _ = try book.set(EntryLine(line, in: Self.language), at: Stamp(microseconds: now), into: &reply)
      let isTaken = model.set(key, said, from: from, now: now)
      #expect(isTaken == reply.buffer.isEmpty, "\(line) \(world.text(of: reply.buffer.bytes))")
      for item in book.entries.tables[0].items { most = max(most, item.changes.count) }
      guard step % 20 == 19 else { continue }
      let restored = step % 60 == 59 ? try Entries(reading: book.entries.written(), kinds: [Self.thing]) : nil
      if let restored { #expect(restored.written() == book.entries.written()) }
      for key in keys where model.things.contains(where: { $0.key == key }) {
        var moments = [now, now + Self.day, start - 1, start + below(UInt64(max(1, now - start)))]
        let changes = model.things.first { $0.key == key }?.changes ?? []
        for _ in 0..<3 {
          let one = changes[Int(below(UInt64(changes.count)))]
          moments += [one.from, one.from - Self.minute, one.set, one.set - Self.minute]
        }
        for moment in moments {
          let line = "THING SHOW \(key) at=\(moment / 1_000)"
          let shown = try ask(line, of: restored)
          #expect(shown == model.show(key, at: moment / 1_000 * 1_000), "step \(step) \(line)")
        }
        let limit = 1 + Int(below(40))
        let before = 1 + Int(below(UInt64(changes.count + 3)))
        let page = try ask("THING HISTORY \(key) limit=\(limit) before=\(before)", of: restored)
        let expected = model.history(key, limit: limit, before: before)
        #expect(page == expected, "step \(step)")
      }
    }
    for key in keys where model.things.contains(where: { $0.key == key }) {
      #expect(try ask("THING HISTORY \(key) limit=10000", of: nil) == model.history(key, limit: .max, before: .max))
    }
    #expect(book.journal.segments.count > 4)
    #expect(
      now - start > 2 * 365 * Self.day && most < 400, "\((now - start) / Self.day) days, \(most) changes in memory")
    // Frame after frame follows by hash from the beginning, as on every replica.
    #expect(try JournalChain.ofDirectory.followed(to: book.chain.position, in: book.journal) == book.chain)
  }

  /// The first change of all may be announced for later than what follows: whenever memory lets go of them, in whatever
  /// order, what was in force between is known.
  @Test(arguments: [["2027-01-21"], ["2027-01-07", "2027-01-21"], ["2027-01-07"]])
  func anEntryThatIsAnnouncedBeforeItBeginsIsKnown(days: [String]) throws {
    let book = EntryBook()
    let world = World(shards: 0)
    func set(_ day: String, _ line: String) throws {
      var reply = ReplyWriter()
      _ = try book.set(EntryLine(line), at: World.stamp("\(day)T00:00"), into: &reply)
      let isRefused = !reply.buffer.isEmpty
      #expect(!isRefused)
    }
    try set("2026-01-01", "PRODUCT SET a price=1 from=2026-01-11")
    try set("2026-01-02", "PRODUCT SET a title=x")
    for day in days { try set(day, "PRODUCT SET a title=\(day)") }
    func shown(_ day: String) throws -> String {
      var reply = ReplyWriter()
      try book.read(EntryLine("PRODUCT SHOW a at=\(day)"), at: World.stamp("2027-02-01T00:00"), into: &reply)
      return world.text(of: reply.buffer.bytes)
    }
    #expect(try shown("2026-01-01").isError("CLOSED", "from=2026-01-02T00:00"))
    let between = #"+product=a title=x category="" brand="" price="" wholesale="" state=active version=2"#
    #expect(try shown("2026-01-04") == between + #" from=2026-01-02T00:00 until=2026-01-11T00:00 by="""#)
    let after = #"+product=a title=x category="" brand="" price=1 wholesale="" state=active version=1"#
    #expect(try shown("2026-01-12") == after + #" from=2026-01-11T00:00 until=\#(days[0])T00:00 by="""#)
    #expect(
      try shown("2027-01-31").hasPrefix(#"+product=a title=\#(days[days.count - 1]) category="" brand="" price=1 "#))
  }

  /// What is asked of an entry that was changed without end costs as many reads as there are records in the answer, and one
  /// for each 64 changes that are passed over.
  @Test func changesWithoutEndAreReadBackwards() throws {
    let book = EntryBook()
    let world = World(shards: 0)
    let count = 20_000
    let start = World.stamp("2026-01-01T00:00").microseconds
    var reply = ReplyWriter()
    _ = try book.set(
      EntryLine("PRODUCT SET s title=Tea brand=Leaf x.shelf=7"), at: Stamp(microseconds: start), into: &reply)
    for i in 1..<count {
      let line = try EntryLine("PRODUCT SET s price=\(1_000 + i)")
      _ = try book.set(line, at: Stamp(microseconds: start + Int64(i) * Self.minute), into: &reply)
    }
    let now = Stamp(microseconds: start + Int64(count) * Self.minute)
    func ask(_ line: String) throws -> (text: String, reads: Int) {
      var reply = ReplyWriter()
      let reads = try book.read(EntryLine(line), at: now, into: &reply)
      return (world.text(of: reply.buffer.bytes), reads)
    }
    #expect(try ask("PRODUCT SHOW s").reads == 0)
    let newest = try ask("PRODUCT HISTORY s limit=20")
    #expect(newest.reads == 20 && newest.text.rows[0].hasPrefix("product=s version=\(count) "))
    let old = try ask("PRODUCT HISTORY s limit=20 before=500")
    #expect(old.reads <= count / 64 + 64 + 21, "\(old.reads)")
    #expect(old.text.rows[0].hasPrefix("product=s version=499 ") && old.text.hasSuffix(" price=1479"))
    for minutes in [1, 63, 64, 500, 7_777, 19_800] {
      let moment = start + Int64(minutes) * Self.minute
      let past = try ask("PRODUCT SHOW s at=\(moment / 1_000)")
      #expect(past.reads <= count / 64 + 4 * 64, "\(past.reads)")
      #expect(
        past.text.hasPrefix("+product=s title=Tea category=\"\" brand=Leaf price=\(1_000 + minutes) wholesale=\"\" "))
      #expect(past.text.contains(" x.shelf=7 version=\(minutes + 1) "), "\(past.text)")
    }
    let bytes = book.journal.segments.values.reduce(0) { $0 + $1.count }
    print("a change of an entry takes \(bytes / count) bytes of the directory's journal")
    #expect((100...160).contains(bytes / count), "\(bytes / count)")
  }

  /// A long history is cut where the answer would be too long, and goes on behind the last version.
  @Test func aLongHistoryHasPages() throws {
    let kind = EntryKind(
      9, "THING", key: "id", [.init(2, "note", .shape(.note))], summary: "a thing", example: "a")
    let language = Language(kinds: [kind])
    let book = EntryBook(kinds: [kind])
    let world = World(shards: 0)
    for i in 0..<5_000 {
      var reply = ReplyWriter()
      let note = "\(i)" + String(repeating: "n", count: 1_000)
      _ = try book.set(
        EntryLine("THING SET a note=\(note)", in: language), at: Stamp(microseconds: 1 + Int64(i)), into: &reply)
    }
    var seen: [String] = []
    var rest = ""
    repeat {
      var reply = ReplyWriter()
      try book.read(
        EntryLine("THING HISTORY a limit=10000\(rest)", in: language), at: Stamp(microseconds: 10_000), into: &reply)
      #expect(reply.buffer.count < 5 << 20)
      var lines = world.text(of: reply.buffer.bytes).rows
      rest = ""
      if let last = lines.last, last.hasPrefix("more=yes ") {
        rest = String(last.dropFirst("more=yes".count))
        lines.removeLast()
      }
      seen += lines
    } while !rest.isEmpty
    #expect(seen.count == 5_000)
    #expect(seen.enumerated().allSatisfy { $1.hasPrefix("thing=a version=\(5_000 - $0) ") })
  }

  /// What is declared to be kept out of the journal is nowhere in it: not as a value, and not in a mark.
  @Test func whatMustBeForgottenNeverEntersTheJournal() throws {
    let kind = EntryKind(
      9, "DOOR", key: "id",
      [.init(2, "code", .shape(.text), .unjournaled), .init(3, "colour", .shape(.text))], summary: "a door",
      example: "a")
    let language = Language(kinds: [kind])
    let book = EntryBook(kinds: [kind])
    let world = World(shards: 0)
    func set(_ i: Int64, _ words: String) throws {
      var reply = ReplyWriter()
      _ = try book.set(
        EntryLine("DOOR SET a \(words)", in: language), at: Stamp(microseconds: i * Self.minute), into: &reply)
    }
    func ask(_ line: String) throws -> String {
      var reply = ReplyWriter()
      try book.read(EntryLine(line, in: language), at: Stamp(microseconds: 1_000 * Self.minute), into: &reply)
      return world.text(of: reply.buffer.bytes)
    }
    for i in 1...200 as ClosedRange<Int64> {
      try set(i, "code=opensesame\(i) colour=red\(i)")
    }
    try set(201, "code=opensesame201")
    let bytes = String(decoding: book.journal.segments.values.joined(), as: UTF8.self)
    #expect(bytes.contains("red128") && !bytes.contains("opensesame"))
    #expect(
      try ask("DOOR HISTORY a limit=2").rows.map { $0.split(separator: #" by="" "#).last } == [
        "code=changed", "code=changed colour=red200",
      ])
    #expect(try ask("DOOR SHOW a").hasPrefix("+door=a code=opensesame201 colour=red200 "))
    #expect(
      try ask("DOOR SHOW a at=\(70 * Self.minute / 1_000)").hasPrefix("+door=a colour=red70 state=active version=70 "))
    #expect(try Entries(reading: book.entries.written(), kinds: [kind]).written() == book.entries.written())
  }

  /// A record that is not what was written, or not that entry's, is no answer.
  @Test func aRottenRecordIsNoAnswer() throws {
    let book = EntryBook()
    for (i, line) in ["PRODUCT SET s price=1", "PRODUCT SET t price=2", "PRODUCT SET s price=3"].enumerated() {
      var reply = ReplyWriter()
      _ = try book.set(EntryLine(line), at: Stamp(microseconds: Int64(i + 1)), into: &reply)
    }
    var entries = book.entries
    let history = try EntryLine("PRODUCT HISTORY s")
    func reads(_ entries: Entries, _ journal: MemoryJournal) throws {
      var reply = ReplyWriter()
      try history.read(entries, at: Stamp(microseconds: 9), journal: journal, end: book.chain.position, into: &reply)
    }
    try reads(entries, book.journal)
    // The price, which might as well be another.
    var rotten = book.journal
    let end = try #require(rotten.segments[1]?.count)
    rotten.segments[1]?[end - 3] ^= 2
    #expect(throws: JournalCorruption.self) { try reads(entries, rotten) }
    let table = try #require(entries.tables.firstIndex { $0.kind.word == "PRODUCT" })
    entries.tables[table].items[0].record = entries.tables[table].items[1].record
    #expect(throws: JournalCorruption.self) { try reads(entries, book.journal) }
  }
}
