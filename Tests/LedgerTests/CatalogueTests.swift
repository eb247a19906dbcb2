import Base
import CommandSupport
import Testing
import Vocabulary

@testable import Ledger

/// Programs and merchants: which one is meant, how they are listed, and how they are kept.
struct CatalogueTests {
  // MARK: The default program

  /// The same on every replica, whatever it was restored from.
  @Test func theDefaultIsPartOfTheState() throws {
    let world = World(shards: 1)
    for name in ["c", "b", "a"] { _ = try world.run("PROGRAM SET \(name)") }
    func isDefault(_ name: String, _ catalogue: Catalogue) -> Bool {
      catalogue.defaultProgram(of: .first) == withBytes(name) { catalogue.program($0, tenant: .first) }
    }
    func check(_ name: String) throws {
      let restored = try Ledger.restored(from: MemorySnapshotSource(world.shards[0].snapshotBytes()))
      #expect(isDefault(name, world.shards[0].ledger.catalogue) && isDefault(name, restored.catalogue))
      for entries in [world.directory, try Entries(reading: world.directory.written())] {
        var reply = ReplyWriter()
        try EntryLine("PROGRAM LIST default=yes").read(entries, at: world.time, into: &reply)
        #expect(world.text(of: reply.buffer.bytes).rows[0].hasPrefix("program=\(name) "))
      }
    }
    try check("c")
    for name in ["a", "b", "a", "c"] {
      #expect(try world.run("PROGRAM SET \(name) default=yes") == "+OK")
      try check(name)
      let version = world.directory.version
      #expect(try world.run("PROGRAM SET \(name) default=yes") == "+OK")
      #expect(world.directory.version == version, "nothing new")
    }
    #expect(world.shards[0].ledger.catalogue.defaultProgram(of: TenantID(99)) == nil)
  }

  // MARK: Lists

  @Test(arguments: 1...4 as ClosedRange<UInt64>)
  func pagesOfAListHaveEachNameOnceInOrder(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let world = World(shards: 0)
    var names: Set<String> = []
    let letters = Array("aAzZ09._-")
    for _ in 0..<300 {
      let name = String((0..<(1 + random.next() % 5)).map { _ in letters[Int(random.next() % UInt64(letters.count))] })
      names.insert(name)
      _ = try world.run("MERCHANT SET \(name)")
    }
    let sorted = names.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
    var found: [String] = []
    for _ in 0...sorted.count {
      let limit = 1 + Int(random.next() % 40)
      let after = found.last.map { " after=\($0)" } ?? ""
      let text = try world.run("MERCHANT LIST limit=\(limit)\(after)")
      let page = text.rows.compactMap { row in
        row.split(separator: " ").first { $0.hasPrefix("merchant=") }.map { String($0.dropFirst(9)) }
      }
      #expect(page.count == min(limit, sorted.count - found.count))
      if page.isEmpty { break }
      found += page
    }
    #expect(found == sorted)
    let behind = try world.run("MERCHANT LIST after=~")
    #expect(!behind.contains("merchant="), "\(behind)")
  }

  @Test func aListIsOfOneTenantAndEndsWithIt() throws {
    var entries = Entries()
    let world = World(shards: 0)
    for i in 0..<30 {
      var reply = ReplyWriter()
      _ = try EntryLine("PRODUCT SET m\(i)").set(
        &entries, at: world.time, tenant: TenantID(UInt32(1 + i % 3)), into: &reply)
    }
    func names(_ entries: Entries, _ tenant: UInt32, _ rest: String) throws -> [String] {
      var reply = ReplyWriter()
      try EntryLine("PRODUCT LIST \(rest)").read(entries, at: world.time, tenant: TenantID(tenant), into: &reply)
      return world.text(of: reply.buffer.bytes).rows.compactMap { row in
        row.hasPrefix("product=") ? String(row.split(separator: " ")[0].dropFirst(8)) : nil
      }
    }
    // Sorted at once or one after another.
    let other = try Entries(reading: entries.written())
    for tenant in 0...4 as ClosedRange<UInt32> {
      let own = (0..<30).filter { 1 + $0 % 3 == tenant }.map { "m\($0)" }.sorted()
      #expect(try names(entries, tenant, "") == own && names(other, tenant, "") == own)
      #expect(try names(other, tenant, "after=m2 limit=5") == Array(own.filter { $0 > "m2" }.prefix(5)))
    }
  }

  // MARK: Versions

  /// Hours apart, for years: what is older than any backdated purchase goes when there are too many.
  @Test func aRateMayChangeForEver() throws {
    let world = World(shards: 1)
    _ = try world.run("PROGRAM SET p earn=1/1 backdate=3d")
    _ = try world.run("MERCHANT SET m")
    for i in 0..<5_000 {
      world.time = Stamp(microseconds: world.time.microseconds + 3_600 * 1_000_000)
      try #require(try world.run("MERCHANT SET m earn=\(i % 2 + 1)/1") == "+OK", "\(i)")
    }
    let versions = world.shards[0].ledger.catalogue.merchants[0].versions
    #expect(versions.count <= Catalogue.maximumVersions)
    // All that a purchase of the last three days can reach.
    #expect(versions.filter { $0.from.microseconds > world.time.microseconds - 72 * 3_600 * 1_000_000 }.count >= 71)
    #expect(world.directory.tables[1].items[0].changes.count <= Entries.mostVersions)
    // The journal knows all of it.
    let history = try world.run("MERCHANT HISTORY m limit=10000").rows
    #expect(history.count == 5_001 && history[0].hasPrefix("merchant=m version=5001 "))
    #expect(history[4_999].hasSuffix(" earn=1/1") && history[5_000].hasPrefix("merchant=m version=1 "))
    #expect(try world.run("MERCHANT HISTORY m").rows == Array(history.prefix(1_000)))
    let page = try world.run("MERCHANT HISTORY m before=77 limit=3").rows
    #expect(page == Array(history.dropLast(73).suffix(3)))
    let shown = try world.run("MERCHANT SHOW m at=2026-01-16T00:00:00Z")
    #expect(shown.contains(" earn=1/1 ") && shown.contains(" version=12 from=2026-01-15T23:00 until=2026-01-16T00:00"))
    #expect(try world.run("MERCHANT LIST at=2026-01-16T00:00:00Z").isError("LIMIT", "which=at"))
  }

  /// What shards do not ask for as it was leaves no versions behind.
  @Test func aStateMayChangeForEver() throws {
    let world = World(shards: 1)
    _ = try world.run("PROGRAM SET p earn=1/1")
    _ = try world.run("MERCHANT SET m earn=1/2")
    for i in 0..<2_000 { _ = try world.run("MERCHANT SET m state=\(i % 2 == 0 ? "frozen" : "active") title=\(i)") }
    #expect(world.shards[0].ledger.catalogue.merchants[0].versions.count == 1)
    #expect(world.directory.tables[1].items[0].changes.count <= EntryItem.mostPast + 2)
    #expect(try world.run("MERCHANT SHOW m").contains(#" earn=1/2 region="" state=active title=1999 "#))
    #expect(try Entries(reading: world.directory.written()).written() == world.directory.written())
  }

  /// A shard that begins late is told what there is, and then what changes, and knows what the others do.
  @Test(arguments: 1...20 as ClosedRange<UInt64>)
  func aWholeCatalogueIsWhatItsChangesMade(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    var entries = Entries()
    var (early, late) = (Catalogue(key: .none), Catalogue(key: .none))
    var stamp = Stamp(microseconds: 1_767_225_600_000_000)
    let begin = Int.random(in: 1..<120, using: &random)
    func apply(_ delta: [UInt8], to catalogue: inout Catalogue) throws {
      _ = try delta.withUnsafeBytes { try catalogue.apply($0) }
    }
    for step in 0..<150 {
      stamp.microseconds += Int64.random(in: 1...86_400_000_000, using: &random)
      let ahead =
        Int.random(in: 0..<3, using: &random) == 0
        ? " from=\((stamp.microseconds + Int64.random(in: 1..<400, using: &random) * 3_600_000_000) / 1_000)" : ""
      let program = "p\(Int.random(in: 0..<4, using: &random))"
      let merchant = "m\(Int.random(in: 0..<9, using: &random))"
      let rate = "earn=\(Int.random(in: 1..<9, using: &random))/1"
      let lines = [
        "PROGRAM SET \(program) \(rate) backdate=3d\(ahead)", "MERCHANT SET \(merchant) \(rate)\(ahead)",
        "MERCHANT SET \(merchant) program=\(program) state=\(["active", "frozen"].randomElement(using: &random) ?? "")",
      ]
      var reply = ReplyWriter()
      let line = try EntryLine(lines.randomElement(using: &random) ?? "")
      if let delta = try line.set(&entries, at: stamp, into: &reply) {
        try apply(delta, to: &early)
        if step > begin { try apply(delta, to: &late) }
      }
      guard step == begin else { continue }
      let whole = entries.wholeCatalogue(at: stamp, semantics: Semantics.newest)
      try #require(whole.count == entries.count)
      for (place, delta) in whole.enumerated() {
        try apply(delta, to: &late)
        #expect(late.version == (place == whole.count - 1 ? early.version : 0))
        // Another leader may begin it anew.
        if place == whole.count / 2 { for delta in whole[...place] { try apply(delta, to: &late) } }
      }
    }
    #expect(early.version == late.version && early.version > 0)
    for (mine, theirs) in [(early.programs, late.programs), (early.merchants, late.merchants)] {
      try #require(mine.count == theirs.count)
      for (a, b) in zip(mine, theirs) {
        #expect(a.tenant == b.tenant && a.name == b.name)
        for hours in stride(from: -72, to: 500, by: 1) {
          let moment = Stamp(microseconds: stamp.microseconds + Int64(hours) * 3_600_000_000)
          #expect(a.isInForce(at: moment) == b.isInForce(at: moment))
          let (x, y) = (a.version(at: moment)?.values, b.version(at: moment)?.values)
          // Of what was, the rates alone are asked for.
          let fields = hours >= 0 ? Array(0..<64) : EntryKind.program.backdated
          #expect(fields.allSatisfy { x?[$0] == y?[$0] }, "\(hours) h")
        }
      }
    }
  }

  // MARK: What keeps them

  @Test(arguments: 1...20 as ClosedRange<UInt64>)
  func aQueueInChunksIsAQueueAndItsCopiesStayAsTheyAre(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let start = Int(random.next() % 1_000)
    var queue = ChunkedQueue<Int>(startingAt: start)
    var model: [Int: Int] = [:]
    var first = start
    var next = start
    var copies: [(ChunkedQueue<Int>, [Int])] = []
    for _ in 0..<2_000 {
      switch random.next() % 20 {
      case 0 where first < next:
        first += Int(random.next() % UInt64(min(next - first, 200) + 1))
        queue.drop(before: first)
      case 1: queue.drop(before: first - 3)
      case 2..<6 where first < next:
        let number = first + Int(random.next() % UInt64(next - first))
        model[number] = Int(random.next() % 1_000)
        queue[number] = model[number] ?? 0
      case 6: copies.append((queue, (first..<next).map { model[$0] ?? -1 }))
      default:
        model[next] = Int(random.next() % 1_000)
        queue.append(model[next] ?? 0)
        next += 1
      }
      #expect(queue.startIndex == first && queue.endIndex == next && queue.count == next - first)
    }
    #expect(Array(queue) == (first..<next).map { model[$0] ?? -1 })
    for (copy, values) in copies { #expect(Array(copy) == values) }
  }

  @Test func aCatalogueIsWrittenAsItWasWhenTheSnapshotBegan() throws {
    let world = World(shards: 1)
    _ = try world.run("PROGRAM SET p")
    for i in 0..<500 { _ = try world.run("MERCHANT SET m\(i) title=\(i)") }
    let before = world.directory.written()
    let frozen = world.directory.image
    let snapshot = world.shards[0].ledger.beginSnapshot()
    for i in 0..<500 { _ = try world.run("MERCHANT SET m\(i) title=new state=frozen") }
    var bytes: [UInt8] = []
    frozen.write { bytes += $0 }
    #expect(bytes == before && bytes != world.directory.written())
    bytes = []
    snapshot.write { bytes += $0 }
    world.shards[0].ledger.endSnapshot(snapshot)
    let restored = try Ledger.restored(from: MemorySnapshotSource(bytes))
    #expect(restored.catalogue.merchants.count == 500 && restored.catalogueVersion == 501)
    #expect(restored.catalogue.merchantRows.allSatisfy { $0.state == .active })
    #expect(world.shards[0].ledger.catalogue.merchantRows.allSatisfy { $0.state == .frozen })
  }

  // MARK: Names

  /// Names of one length with one beginning and one end share all that a number is guessed by, and those of two tenants are
  /// two: each is found, and none that is not there.
  @Test func everyNameIsFoundWhateverIsGuessed() throws {
    var catalogue = Catalogue(key: HashKey(low: 3, high: 4))
    var names: [(name: [UInt8], tenant: TenantID)] = []
    for i in 0..<1_000 {
      let digits = String(10_000 + i)
      let alike = Array("shop-\(digits)-east".utf8)
      names.append((alike, .first))
      if i % 3 == 0 { names.append((alike, TenantID(2))) }
      names.append((Array("m\(digits)".utf8), .first))
      names.append((Array(String(i, radix: 36).utf8), TenantID(3)))
    }
    for (number, (name, tenant)) in names.enumerated() {
      var item = CatalogueItem(tenant: tenant, name: name)
      item.versions = [.init(from: .zero, values: EntryValues())]
      try catalogue.putMerchant(item, at: number)
    }
    func find(_ name: [UInt8], _ tenant: TenantID) -> Int? {
      name.withUnsafeBytes { catalogue.merchant($0, tenant: tenant)?.place }
    }
    for (number, (name, tenant)) in names.enumerated() { #expect(find(name, tenant) == number) }
    #expect(find(Array("shop-99999-east".utf8), .first) == nil && find([], .first) == nil)
    #expect(find(Array("m10001".utf8), TenantID(2)) == nil)
    let guessed = names.enumerated().filter { number, entry in
      entry.name.withUnsafeBytes { catalogue.guessedMerchant($0, entry.tenant)?.place } == number
    }
    // Of those that are alike, and of the very short ones, but one each; of the others most.
    #expect((700...1_010).contains(guessed.count), "\(guessed.count)")
  }

  /// A later build may know more fields: what this build does not know is refused, and changes nothing.
  @Test func anUnknownFieldIsRefusedInALineThatSaysSo() throws {
    func refusal(_ change: (inout CatalogueDelta) -> Void) -> String {
      var catalogue = Catalogue(key: .none)
      var delta = CatalogueDelta(
        version: 1, stamp: Stamp(microseconds: 1), kind: EntryKind.program.number, number: 0, horizon: .zero)
      delta.name = (.first, Array("p".utf8))
      delta.versions = [.init(from: .zero, values: EntryValues([(3, EntryField.stored(1 << 32 | 100))]))]
      change(&delta)
      let bytes = delta.encoded
      var text = ""
      do { try bytes.withUnsafeBytes { _ = try catalogue.apply($0) } } catch { text = "\(error)" }
      #expect(text.isEmpty == (catalogue.version == 1) && text.isEmpty == (catalogue.programCount == 1))
      return text
    }
    #expect(refusal { _ in } == "")
    #expect(refusal { $0.versions[0].values = EntryValues([(99, [1])]) }.contains("field 99 of a program is not known"))
    #expect(refusal { $0.kind = 4 }.contains("kind 4 is none that shards of this build know"))
    #expect(refusal { $0.name = nil }.contains("without a name"))
    #expect(refusal { $0.versions = [] }.contains("0 versions"))
  }
}
