import Base
import CommandSupport
import Protocol
import Testing
import Vocabulary

@testable import Ledger

/// A view has members as they all were, whatever happens to them meanwhile.
struct MemberViewTests {
  private static func lines(_ reply: UnsafeRawBufferPointer) -> [String] {
    var buffer = ByteBuffer()
    _ = try? ReplyRenderer.render(reply, resp3: false, bulk: false, into: &buffer)
    return String(decoding: buffer.bytes, as: UTF8.self).split(separator: "\r\n").map(String.init)
  }
  private static func records(_ ledger: borrowing Ledger) -> [String] {
    var all: [String] = []
    ledger.forEachMember(of: .first) { all += lines($0) }
    return all
  }
  /// A page of what a line says, and where the next begins; nil: nowhere.
  private static func page(
    _ view: MemberView, from place: Int, limit: Int, _ line: String = "MEMBER FIND"
  ) throws -> (records: [String], next: Int?) {
    let wanted = try parsing(line) { WantedMembers($0) }
    var buffer = ByteBuffer()
    Query.appendPage(
      to: &buffer, tenant: .first, slot: Slot(0), from: place, limit: limit, wanted, at: view.moment)
    let query = try #require(MemberPageQuery(buffer.bytes))
    #expect(query.moment == view.moment)
    var reply = ReplyWriter()
    let isLast = view.answer(query, into: &reply)
    let records = lines(reply.buffer.bytes).dropFirst()
    let last = try #require(records.last?.split(separator: " ").first)
    let end = try #require(Int(last.dropFirst("+index=".count)))
    #expect(isLast == (end < 0))
    return (Array(records.dropLast()), end < 0 ? nil : end)
  }
  private static func all(_ view: MemberView, _ line: String = "MEMBER FIND") throws -> [String] {
    var records: [String] = []
    var place: Int? = 0
    while let next = place {
      let page = try page(view, from: next, limit: 100, line)
      records += page.records
      place = page.next
    }
    return records
  }

  private struct Crowd {
    var random: SeededGenerator
    var count = 0
    mutating func pick(_ n: Int) -> Int { Int(random.next() % UInt64(n)) }
    mutating func line() -> String {
      count += 1
      let member = "m\(pick(600))"
      switch pick(16) {
      case 0: return "MEMBER ADD new\(count) name=\"New \(count)\" region=south card=n\(count)"
      case 1...3: return "MEMBER SET \(member) name=\"Name \(count)\" region=r\(pick(4)) x.field=\(count)"
      case 4: return "MEMBER TAG \(member) tag=t\(pick(6))"
      case 5: return "MEMBER UNTAG \(member) tag=t\(pick(6))"
      case 6: return "MEMBER \(["FREEZE", "THAW", "CLOSE"][pick(3)]) \(member)"
      case 7: return "ALIAS ADD phone:\(1_000 + count) member=\(member)"
      case 8: return "CARD ADD k\(count) member=\(member)"
      case 9: return "CARD \(["LOST", "FOUND", "REMOVE"][pick(3)]) c\(pick(600))"
      case 10: return "MEMBER ERASE \(member) id=e\(count)"
      case 11: return "MEMBER MERGE \(member) m\(pick(600)) id=g\(count)"
      case 12: return pick(4) == 0 ? "POOL ADD p\(count)" : "MEMBER SET \(member) pool=p\(pick(max(1, count)))"
      default: return "EARN \(member) merchant=cafe spend=\(pick(90_000)) id=r\(count)"
      }
    }
  }
  private static func world(hasTiers: Bool) throws -> World {
    let world = World()
    world.semantics = Semantics.newest
    var lines = ["PROGRAM SET points earn=1/100 expire=2m activate=3d", "MERCHANT SET cafe program=points"]
    if hasTiers {
      lines += [
        "TIER SET points base rank=0 at=0 by=points period=year",
        "TIER SET points gold rank=1 at=300 by=points period=year",
      ]
    }
    for line in lines + (0..<600).map({ "MEMBER ADD m\($0) name=\"A name of member \($0)\" card=c\($0)" }) {
      try #require(try world.run(line) == "+OK", "\(line)")
    }
    return world
  }
  private func go(_ world: World, _ crowd: inout Crowd, _ steps: Int) throws {
    for step in 0..<steps {
      world.time = Stamp(microseconds: world.time.microseconds + Int64(crowd.pick(2_000)) * 1_000_000)
      if step % 9 == 0 { _ = try world.run("TICK") }
      _ = try world.run(crowd.line())
    }
  }

  @Test(arguments: [false, true], [912_000, 912_001, 912_002] as [UInt64])
  func itHasAllAsTheyWere(hasTiers: Bool, seed: UInt64) throws {
    let world = try Self.world(hasTiers: hasTiers)
    var crowd = Crowd(random: SeededGenerator(seed: seed))
    let shard = world.shards[0]
    try go(world, &crowd, 300)
    for round in 0..<6 {
      // Snapshots begin and end before a view, while it is open, and behind it.
      let before = round % 3 == 1 ? shard.ledger.beginSnapshot() : nil
      try go(world, &crowd, 40)
      let expected = Self.records(shard.ledger)
      let frozen = Self.frozen(shard)
      let opened = shard.ledger.openView()
      let view = try #require(opened)
      var found: [String] = []
      var place: Int? = 0
      while let next = place {
        try go(world, &crowd, 60)
        let page = try Self.page(view, from: next, limit: 97)
        found += page.records
        place = page.next
      }
      #expect(found == expected)
      #expect(Self.records(shard.ledger) != expected)
      if let before { shard.ledger.endSnapshot(before, isKept: true) }
      let during = Self.frozen(shard)
      try go(world, &crowd, 100)
      #expect(try Self.all(view) == expected)
      let gold = try Self.all(view, "MEMBER FIND tier=gold")
      #expect(gold == (hasTiers ? expected.filter { $0.contains(" tier=gold") } : []))
      #expect(!hasTiers || round < 2 || !gold.isEmpty)
      shard.ledger.closeView()
      #expect(frozen != during)
      try shard.ledger.checkInvariants()
      // What a snapshot has is what the ledger has.
      let restored = try Ledger.restored(
        from: MemorySnapshotSource(shard.snapshotBytes()), limits: shard.ledger.limits)
      #expect(restored.digest == shard.ledger.digest)
      try restored.checkInvariants()
    }
  }
  private static func frozen(_ shard: TestShard) -> [UInt8] {
    guard !shard.ledger.pool.state.pointee.snapshotIsOpen else { return [] }
    return shard.snapshotBytes()
  }

  /// A snapshot that is being written has its moment, however views come and go.
  @Test func snapshotsKeepTheirMoment() throws {
    let world = try Self.world(hasTiers: true)
    var crowd = Crowd(random: SeededGenerator(seed: 912_010))
    let shard = world.shards[0]
    for round in 0..<6 {
      try go(world, &crowd, 50)
      let expected = shard.snapshotBytes()
      if round % 2 == 0 { _ = shard.ledger.openView() }
      let snapshot = shard.ledger.beginSnapshot()
      try go(world, &crowd, 50)
      if round % 2 == 1 { _ = shard.ledger.openView() }
      try go(world, &crowd, 50)
      if round % 3 == 0 { shard.ledger.closeView() }
      try go(world, &crowd, 50)
      var bytes: [UInt8] = []
      snapshot.write { bytes.append(contentsOf: $0) }
      #expect(same(bytes, expected))
      shard.ledger.endSnapshot(snapshot)
      try go(world, &crowd, 50)
      if round % 3 != 0 { shard.ledger.closeView() }
    }
    try shard.ledger.checkInvariants()
  }

  /// Nothing is kept once it is closed: memory does not grow with views.
  @Test func whatItKeptIsFreeAgain() throws {
    let world = try Self.world(hasTiers: false)
    var crowd = Crowd(random: SeededGenerator(seed: 912_011))
    let shard = world.shards[0]
    func used() -> Int { shard.ledger.memoryByteCount }
    let start = used()
    var most = 0
    for _ in 0..<40 {
      _ = shard.ledger.openView()
      for _ in 0..<30 { _ = try world.run("EARN m\(crowd.pick(600)) merchant=cafe spend=0 id=z\(crowd.pick(1 << 30))") }
      most = max(most, used())
      shard.ledger.closeView()
    }
    // Some pages of transactions and request ids have come.
    #expect(used() - start < 40 * pageByteCount, "\(used() - start)")
    #expect(most > used())
  }
  /// One at a time, and no more than half of all generations: what a client asks for ends no process, and leaves snapshots theirs.
  @Test func thereIsNoneBesideAnotherAndNoneBeyondItsBound() throws {
    let world = try Self.world(hasTiers: false)
    let shard = world.shards[0]
    shard.ledger.closeView()
    func opens() -> Bool { shard.ledger.openView() != nil }
    #expect(opens() && !opens())
    shard.ledger.closeView()
    shard.ledger.closeView()
    shard.ledger.pool.state.pointee.generation = PoolView.lastGeneration - 1
    #expect(opens())
    shard.ledger.closeView()
    #expect(!opens())
    let restored = try Ledger.restored(
      from: MemorySnapshotSource(shard.snapshotBytes()), limits: shard.ledger.limits)
    #expect(restored.digest == shard.ledger.digest)
  }

  /// Of a view nothing else is asked than it has, and nothing before its first member: such a query is malformed.
  @Test func nothingElseIsAskedOfIt() throws {
    func isQuery(_ line: String, at place: Int, of moment: Stamp?) throws -> Bool {
      let wanted = try parsing(line) { WantedMembers($0) }
      var buffer = ByteBuffer()
      Query.appendPage(to: &buffer, tenant: .first, slot: Slot(0), from: place, limit: 10, wanted, at: moment)
      return MemberPageQuery(buffer.bytes) != nil
    }
    let moment = Stamp(microseconds: 1_000)
    let due = "DUE kind=expiry on=2026-01-01"
    for (line, place, moment, isGood) in [
      ("MEMBER FIND", 3, moment, true), ("MEMBER FIND", -1, moment, false),
      (due, 0, nil, true), (due, 0, moment, false), ("CASE LIST", 0, nil, true), ("CASE LIST", 0, moment, false),
    ] as [(String, Int, Stamp?, Bool)] {
      #expect(try isQuery(line, at: place, of: moment) == isGood, "\(line) \(place)")
    }
  }

  /// It is read by whoever has it when the ledger is gone.
  @Test func itOutlivesItsLedger() throws {
    var view: MemberView?
    var expected: [String] = []
    do {
      let world = try Self.world(hasTiers: false)
      expected = Self.records(world.shards[0].ledger)
      view = world.shards[0].ledger.openView()
    }
    _ = try Self.world(hasTiers: false)
    let kept = try #require(view)
    #expect(try Self.all(kept) == expected)
  }
}
