import Base
import Testing

@testable import Ledger

/// The open holds of a member: how many, in which order.
struct HoldTests {
  @Test func aMemberHasAtMost1024HoldsOpen() throws {
    let world = try World.withCafe("earn=1/1", members: ["ann", "bob"])
    for member in ["ann", "bob"] { _ = try world.run("EARN \(member) merchant=cafe points=10000 id=e") }
    for i in 0..<1024 {
      #expect(try world.run("HOLD ann merchant=cafe points=2 id=h\(i) ttl=\(1000 + i)").hasPrefix("+tx="))
    }
    let line = "HOLD ann merchant=cafe points=2 id=over"
    #expect(try world.run(line).isError("LIMIT", "which=holds"))
    #expect(try world.run("HOLD bob merchant=cafe points=2 id=own").hasPrefix("+tx="))
    #expect(try world.run("REDEEM ann merchant=cafe points=2 id=r").hasPrefix("+tx="))
    // One that is over makes room for one; the refusal is kept under its id.
    #expect(try world.run("RELEASE #3 id=x").hasPrefix("+tx="))
    #expect(try world.run(line).isError("LIMIT", "which=holds"))
    #expect(try world.run("HOLD ann merchant=cafe points=2 id=again ttl=5").hasPrefix("+tx="))
    #expect(try world.run("HOLD ann merchant=cafe points=2 id=over2").isError("LIMIT", "which=holds"))
    // One that has run out counts no more, whether the sweep has come by or not.
    world.time = Stamp(microseconds: world.time.microseconds + 6_000_000)
    #expect(try world.run("HOLD ann merchant=cafe points=2 id=over3").hasPrefix("+tx="))
    try world.shards[0].ledger.checkInvariants()
    // Closing the member ends them all in one command.
    #expect(try world.run("MEMBER CLOSE ann") == "+OK")
    #expect(try world.run("BALANCE ann").contains(" balance=0 held=0 available=0"))
    try world.shards[0].ledger.checkInvariants()
  }

  /// In any order of deadlines, and however they end.
  @Test(arguments: 0..<6 as Range<UInt64>) func holdsEndInTheOrderOfTheirDeadlines(seed: UInt64) throws {
    let world = try World.withCafe("earn=1/1")
    var random = SeededGenerator(seed: 900 + seed)
    func pick(_ n: Int) -> Int { Int(random.next() % UInt64(n)) }
    _ = try world.run("EARN ann merchant=cafe points=100000 id=e")
    var open: [(tx: String, deadline: Int64)] = []
    func lapse() {
      open.removeAll { $0.deadline <= world.time.microseconds / 1_000_000 * 1_000_000 }
    }
    world.afterEntry = { _ in try world.shards[0].ledger.checkInvariants() }
    // Whole seconds: a command takes a microsecond.
    func second() { world.time = Stamp(microseconds: (world.time.microseconds / 1_000_000 + 1) * 1_000_000 - 1) }
    for i in 0..<250 {
      second()
      switch pick(10) {
      case 0..<5:
        let ttl = [1, 2, 3, 900, 900, 900, 30, 5][pick(8)]
        let reply = try world.run("HOLD ann merchant=cafe points=\(1 + pick(9)) id=h\(i) ttl=\(ttl)")
        let tx = try #require(reply.split(separator: " ").first?.dropFirst(4))
        open.append((String(tx), world.time.microseconds + Int64(ttl) * 1_000_000))
        lapse()
      case 5, 6:
        lapse()
        guard !open.isEmpty else { continue }
        let hold = open.remove(at: pick(open.count))
        let reply = try world.run("\(pick(2) == 0 ? "RELEASE" : "CAPTURE") \(hold.tx) id=x\(i)")
        // It may have run out in this very second.
        if reply.hasPrefix("-") { #expect(hold.deadline <= world.time.microseconds, "\(reply)") }
      case 7:
        world.time = Stamp(microseconds: world.time.microseconds + Int64(pick(6)) * 1_000_000)
        if pick(2) == 0 { _ = try world.run("TICK") }
      default: _ = try world.run("REDEEM ann merchant=cafe points=1 id=r\(i)")
      }
      let ledger = world.shards[0]
      var deadlines: [Int64] = []
      var next = ledger.ledger.tables.members.read(Ref(place: 0)).pointee.firstHold
      while next != .none {
        deadlines.append(ledger.ledger.tables.holds.read(next).pointee.deadline.microseconds)
        next = ledger.ledger.tables.holds.read(next).pointee.next
      }
      #expect(deadlines == deadlines.sorted())
    }
  }

  /// Many holds that ran out together and are not booked yet: what is read is what will be booked.
  @Test func aReadCountsAllThatIsDueAsBooked() throws {
    let world = try World.withCafe("earn=1/1 expire=2d backdate=5d")
    for i in 0..<40 {
      _ = try world.run("EARN ann merchant=cafe points=10 id=e\(i) at=2026-01-1\(3 + i % 3)T11:00")
      _ = try world.run("HOLD ann merchant=cafe points=\(1 + i % 15) id=h\(i) ttl=\(1 + i % 7)")
    }
    let refunded = try world.run("REFUND #1 id=back")
    #expect(refunded.hasPrefix("+tx="))
    world.time = Stamp(microseconds: world.time.microseconds + 5_000_000)
    for day in ["2026-01-15T12:01", "2026-01-16T00:00", "2026-01-17T10:00"] {
      world.time = World.stamp(day)
      // The stamp of the last entry decides: one that touches nobody else.
      _ = try world.run("MEMBER ADD n\(day.suffix(5).prefix(2))\(day.prefix(10).suffix(2))")
      let before = try world.run("BALANCE ann")
      _ = try world.run("EARN ann merchant=cafe spend=0 id=z\(day.prefix(10).suffix(2))")
      #expect(try world.run("BALANCE ann") == before)
    }
    try world.shards[0].ledger.checkInvariants()
  }
}
