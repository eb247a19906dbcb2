import Base
import CommandSupport
import Testing

@testable import Ledger

/// What an account may hold is bounded where points come, and nowhere where they come back.
struct BoundTests {
  static let most = Ledger.largestAmount
  /// As many of the largest purchases as fill an account.
  static let fill = Int(Ledger.largestBalance.rawValue / Ledger.largestAmount.rawValue)

  private func fill(_ world: World, _ member: String, _ count: Int = fill, _ id: String = "f") throws {
    for i in 0..<count {
      let reply = try world.run("EARN \(member) merchant=cafe points=\(BoundTests.most) id=\(id)\(i)")
      try #require(reply.hasPrefix("+tx="), "\(i): \(reply)")
    }
  }

  @Test func whatIsHeldCountsAndALotNeverOverflows() throws {
    let world = try World.withCafe("earn=1/1")
    for i in 0..<BoundTests.fill {
      _ = try world.run("EARN ann merchant=cafe points=\(BoundTests.most) id=e\(i)")
      let hold = try world.run("HOLD ann merchant=cafe points=\(BoundTests.most) id=h\(i) ttl=2592000")
      try #require(hold.hasPrefix("+tx="), "\(i): \(hold)")
    }
    for points in [1, BoundTests.most] {
      let line = "EARN ann merchant=cafe points=\(points) id=more\(points)"
      #expect(try world.run(line).isError("LIMIT", "which=balance"))
      #expect(try world.run(line).isError("LIMIT", "which=balance"), "it is kept")
    }
    #expect(try world.run("EARN ann merchant=cafe spend=0 id=nothing").hasPrefix("+tx="))
    #expect(
      try world.run("BALANCE ann")
        == "+member=ann program=points balance=\(Ledger.largestBalance) held=\(Ledger.largestBalance) available=0 debt=0 pending=0"
    )
    try world.shards[0].ledger.checkInvariants()
    // All comes back at once: nothing of it is refused.
    world.time = Stamp(microseconds: world.time.microseconds + 31 * CivilTime.microsecondsPerDay)
    #expect(try world.run("TICK") == "ok")
    #expect(
      try world.run("BALANCE ann")
        == "+member=ann program=points balance=\(Ledger.largestBalance) held=0 available=\(Ledger.largestBalance) debt=0 pending=0"
    )
    try world.shards[0].ledger.checkInvariants()
  }

  @Test func severalLotsOfOneAccountAreBoundedTogether() throws {
    let world = try World.withCafe("earn=1/1 expire=10d")
    for i in 0..<600 {
      _ = try world.run("EARN ann merchant=cafe points=\(BoundTests.most) id=a\(i)")
      _ = try world.run("HOLD ann merchant=cafe points=\(BoundTests.most) id=h\(i) ttl=2592000")
    }
    #expect(try world.run("PROGRAM SET points expire=20d") == "+OK")
    try fill(world, "ann", 400, "b")
    #expect(try world.run("EARN ann merchant=cafe points=1 id=over").isError("LIMIT", "which=balance"))
    // Another account of the member is another.
    #expect(try world.run("PROGRAM SET miles earn=1/1") == "+OK")
    #expect(try world.run("EARN ann merchant=cafe points=7 id=other program=miles").hasPrefix("+tx="))
    #expect(try world.run("BALANCE ann program=points").contains("balance=\(Ledger.largestBalance) "))
    try world.shards[0].ledger.checkInvariants()
  }

  /// What is refunded of a redemption needs room like a purchase.
  @Test func aRefundIntoAFullAccountIsRefused() throws {
    let world = try World.withCafe("earn=1/1")
    try fill(world, "ann", 3)
    let redeemed = try world.run("REDEEM ann merchant=cafe points=\(BoundTests.most) id=r")
    let tx = try #require(redeemed.split(separator: " ").first?.dropFirst(4))
    try fill(world, "ann", BoundTests.fill - 2, "g")
    #expect(try world.run("REFUND \(tx) id=b").isError("LIMIT", "which=balance"))
    #expect(try world.run("REDEEM ann merchant=cafe points=5 id=s").hasPrefix("+tx="))
    #expect(try world.run("REFUND \(tx) points=6 id=c").isError("LIMIT", "which=balance"))
    #expect(try world.run("REFUND \(tx) points=5 id=d").hasPrefix("+tx="))
    try world.shards[0].ledger.checkInvariants()
  }

  /// R8
  @Test func aDebtIsBounded() throws {
    let world = try World.withCafe("earn=1/1")
    let count = BoundTests.fill + 1
    for i in 0..<count {
      let earned = try world.run("EARN ann merchant=cafe points=\(BoundTests.most) id=e\(i)")
      try #require(earned.hasPrefix("+tx="), "\(i): \(earned)")
      _ = try world.run("REDEEM ann merchant=cafe points=\(BoundTests.most) id=r\(i)")
    }
    var refusals = 0
    for i in 0..<count {
      let reply = try world.run("REFUND #\(2 * i + 1) id=b\(i)")
      if reply.isError("LIMIT", "which=balance") { refusals += 1 }
    }
    #expect(refusals == 1)
    #expect(try world.run("BALANCE ann").contains("balance=-\(Ledger.largestBalance) held=0 available=0"))
    try world.shards[0].ledger.checkInvariants()
  }

  // MARK: Between shards

  /// Two members of different shards, and what is sent between them waits.
  private func twoShards() throws -> (World, ann: String, far: String) {
    let world = try World.withCafe("earn=1/1", members: ["ann"], shards: 2)
    let far = try #require((0..<50).map { "m\($0)" }.first { world.home($0) != world.home("ann") })
    try #require(try world.run("MEMBER ADD \(far)") == "+OK")
    return (world, "ann", far)
  }

  @Test func whatIsOnItsWayKeepsItsRoomUntilItHasArrived() throws {
    let (world, ann, far) = try twoShards()
    try fill(world, ann)
    #expect(try world.run("MEMBER FREEZE \(far)") == "+OK")
    world.holdsPost = true
    #expect(try world.run("TRANSFER \(ann) \(far) points=\(BoundTests.most) id=t1") == "(pending)")
    #expect(try world.run("TRANSFER \(ann) \(far) points=5 id=t2") == "(pending)")
    #expect(try world.run("EARN \(ann) merchant=cafe points=1 id=e1").isError("LIMIT", "which=balance"))
    for shard in world.shards { try shard.ledger.checkInvariants() }
    world.holdsPost = false
    try world.deliverAll()
    #expect(try world.run("BALANCE \(ann)").contains(" balance=\(Ledger.largestBalance) "))
    #expect(try world.run("MEMBER THAW \(far)") == "+OK")
    #expect(try world.run("TRANSFER \(ann) \(far) points=5 id=t3").hasPrefix("+tx="))
    // What has arrived makes room.
    #expect(try world.run("EARN \(ann) merchant=cafe points=6 id=e2").isError("LIMIT", "which=balance"))
    #expect(try world.run("EARN \(ann) merchant=cafe points=5 id=e3").hasPrefix("+tx="))
    for shard in world.shards { try shard.ledger.checkInvariants() }
  }

  @Test func aRecipientWithoutRoomRefuses() throws {
    let (world, ann, far) = try twoShards()
    try fill(world, ann, 1)
    try fill(world, far)
    #expect(try world.run("TRANSFER \(ann) \(far) points=1 id=t1").isError("LIMIT", "which=balance"))
    #expect(try world.run("BALANCE \(ann)").contains(" balance=\(BoundTests.most) "))
    // One of the same shard likewise.
    let near = try #require((50..<99).map { "m\($0)" }.first { world.home($0) == world.home(far) })
    try #require(try world.run("MEMBER ADD \(near)") == "+OK")
    try fill(world, near, 1)
    #expect(try world.run("TRANSFER \(near) \(far) points=1 id=t2").isError("LIMIT", "which=balance"))
    for shard in world.shards { try shard.ledger.checkInvariants() }
  }

  @Test func lotsOnTheirWayKeepTheirPlaces() throws {
    var limits = LedgerLimits()
    limits.lotsPerMember = 4
    let world = World(shards: 2, limits: limits)
    let far = try #require((0..<50).map { "m\($0)" }.first { world.home($0) != world.home("ann") })
    for line in [
      "PROGRAM SET points earn=1/1 expire=30d backdate=20d", "MERCHANT SET cafe program=points", "MEMBER ADD ann",
      "MEMBER ADD \(far)", "MEMBER FREEZE \(far)",
    ] { try #require(try world.run(line) == "+OK", "\(line)") }
    for day in 1...4 { _ = try world.run("EARN ann merchant=cafe points=1 id=e\(day) at=2026-01-0\(day)T12:00") }
    world.holdsPost = true
    #expect(try world.run("TRANSFER ann \(far) points=3 id=t") == "(pending)")
    #expect(try world.run("EARN ann merchant=cafe points=1 id=e5 at=2026-01-05T12:00").isError("LIMIT", "which=lots"))
    #expect(try world.run("EARN ann merchant=cafe points=1 id=e6 at=2026-01-04T12:00").hasPrefix("+tx="))
    world.holdsPost = false
    try world.deliverAll()
    #expect(try world.run("BALANCE ann").contains(" balance=5 "))
    for shard in world.shards { try shard.ledger.checkInvariants() }
  }

  /// Points that go one way for years: the shards' records say it as large as it is.
  @Test func whatWentBetweenShardsMayPass64Bits() throws {
    let (world, ann, far) = try twoShards()
    for i in 0..<9_300 {
      _ = try world.run("EARN \(ann) merchant=cafe points=\(BoundTests.most) id=e\(i)")
      try #require(
        try world.run("TRANSFER \(ann) \(far) points=\(BoundTests.most) id=t\(i)").hasPrefix("+tx="), "\(i)")
      _ = try world.run("REDEEM \(far) merchant=cafe points=\(BoundTests.most) id=r\(i)")
      // Looked through for each that comes.
      world.names.removeAll()
    }
    var total: Int128 = 0
    for shard in world.shards {
      var reply = ReplyWriter()
      shard.ledger.audit(into: &reply)
      let keys = world.split(world.text(of: reply.buffer.bytes)).keys
      #expect(keys["sum"] == "0" && keys["intransit"] == "0")
      let between = try #require(Int128(keys["between"] ?? ""))
      #expect(between.magnitude > Int64.max)
      total += between
    }
    #expect(total == 0)
  }

  // MARK: Moments

  /// An entry may say anything: what a terminal cannot ask for does not trap either.
  @Test(arguments: [Int64.min, Int64.min + 1, -1, 0, Int64.max]) func anyMomentOfAPurchaseIsTakenOrRefused(at: Int64)
    throws
  {
    let world = try World.withCafe("earn=1/1 expire=1m backdate=366d")
    var buffer = ByteBuffer()
    Command.appendEarn(
      to: &buffer, context: CommandContext(fingerprint: 1), member: lasting("ann"), merchant: lasting("cafe"),
      amount: .points(5), request: lasting("a"), at: Stamp(microseconds: at))
    let text = try world.send(buffer.array).text
    #expect(at == .max ? text.isError("LIMIT", "which=at") : text.contains("points=5"), "\(text)")
    try world.shards[0].ledger.checkInvariants()
  }

  /// A year before the last moment that there is.
  @Test func nearTheEndOfTimeAllGoesOn() throws {
    let world = try World.withCafe("earn=1/1 expire=1200m backdate=366d utc-offset=-14:00", start: "9998-12-31T12:00")
    let lines = [
      "EARN ann merchant=cafe points=10 id=a", "HOLD ann merchant=cafe points=4 ttl=2592000 id=b",
      "HOLD ann merchant=cafe points=4 ttl=1 id=c", "REFUND #1 points=3 id=d", "RELEASE #2 id=e", "BALANCE ann",
      "HISTORY ann", "TRANSFER ann ann2 points=1 id=f",
    ]
    for start in ["9998-12-31T13:00", "9999-12-30T23:59", "9999-12-31T12:00", "9999-12-31T12:00"] {
      world.time = max(world.time, World.stamp(start))
      for line in lines { _ = try world.run(line.replacing("id=", with: "id=\(start.suffix(5).prefix(2))")) }
      _ = try world.run("TICK")
      try world.shards[0].ledger.checkInvariants()
    }
  }

  // MARK: Faults

  /// As a defect or a flipped bit of memory might.
  private func broken(_ change: (UnsafeMutablePointer<MemberRecord>) -> Void) throws -> World {
    let world = try World.withCafe("earn=1/1")
    _ = try world.run("EARN ann merchant=cafe points=10 id=a")
    _ = try world.run("HOLD ann merchant=cafe points=4 id=b")
    change(world.shards[0].ledger.tables.members.write(Ref(place: 0)))
    return world
  }
  /// What an entry of that line and a purchase behind it gives: the outcomes that were told.
  private func outcomes(_ world: World, _ line: String) throws -> Int {
    let shard = world.shards[0]
    var payload = ByteBuffer()
    let second = try world.build("EARN ann merchant=cafe points=1 id=behind").bytes
    EntryHeader(stamp: world.time, catalogueVersion: 0, commandCount: 2).encode(into: &payload)
    payload.append(try world.build(line).bytes)
    payload.append(second)
    shard.index += 1
    var told = 0
    var reply = ReplyWriter()
    shard.ledger.apply(payload: payload.bytes, index: LogIndex(shard.index), into: &reply) { _, _, _, _ in told += 1 }
    shard.ledger.takeJournal { shard.journal.append($0, $1) }
    return told
  }

  @Test func aFigureThatDoesNotFitIsAFaultAndNoTrap() throws {
    let world = try broken { $0.pointee.lot.issued = .max - 3 }
    #expect(try outcomes(world, "EARN ann merchant=cafe points=2 id=fits") == 2)
    #expect(world.shards[0].ledger.fault == nil)
    let other = try broken { $0.pointee.lot.issued = .max - 3 }
    #expect(
      try outcomes(other, "EARN ann merchant=cafe points=4 id=over") == 0, "nobody is told of it, nor of what follows")
    #expect(other.shards[0].ledger.fault == "a figure does not fit 64 bits")
    // It stays so.
    #expect(try outcomes(other, "BALANCE ann") == 0)
    #expect(other.shards[0].ledger.fault != nil)
  }

  @Test(arguments: ["RELEASE #2 id=x", "CAPTURE #2 id=x", "REDEEM ann merchant=cafe points=6 id=x", "MEMBER CLOSE ann"])
  func recordsThatDoNotHangTogetherAreAFaultAndNoTrap(line: String) throws {
    let world = try broken {
      $0.pointee.account.firstLot = .none
      $0.pointee.account.lastLot = .none
    }
    #expect(try outcomes(world, line) == 0)
    #expect(world.shards[0].ledger.fault == "records do not hang together")
  }

  @Test func aBalanceThatDoesNotFitIsAnErrorAndNoTrap() throws {
    let world = try broken { $0.pointee.account.held = .max }
    #expect(try world.run("BALANCE ann").isError("UNAVAILABLE"))
    let other = try broken { $0.pointee.account.debt = -.max }
    #expect(try other.run("BALANCE ann").isError("UNAVAILABLE"))
  }
}
