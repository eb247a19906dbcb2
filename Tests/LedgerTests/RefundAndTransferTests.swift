import Testing

@testable import Ledger

/// Transcripts: a line is sent, what came back follows; `#n` is the nth transaction seen; `@` sets the clock.
struct RefundAndTransferTests {
  /// As many as there are while another shard takes nothing: they are sent again some at a time, and all in turn.
  @Test func openDeliveriesAreVisitedSomeAtATimeAndAllInTurn() throws {
    let world = try World.withCafe(members: ["ann", "bob"], shards: 2)
    let target = try #require((0..<50).map { "m\($0)" }.first { world.home($0) != world.home("ann") })
    try #require(try world.run("MEMBER ADD \(target)") == "+OK")
    _ = try world.run("EARN ann merchant=cafe points=100 id=a")
    world.holdsPost = true
    for i in 0..<10 { _ = try world.run("TRANSFER ann \(target) points=1 id=t\(i)") }
    let shard = world.shards[world.home("ann")]
    var seen: [[UInt8]] = []
    var places = DeliveryPlaces()
    var calls = 0
    repeat {
      var count = 0
      shard.ledger.openDeliveries(from: &places, limit: 3) {
        seen.append($0.command)
        count += 1
      }
      #expect(count <= 3)
      calls += 1
    } while places.outbox != 0 && calls < 20
    #expect(seen.count == 10 && Set(seen).count == 10 && calls >= 4, "\(seen.count) in \(calls)")
    // The verdicts on them as well, at the other shard.
    let sent = world.post
    world.post = []
    for delivery in sent { try world.send(delivery.command) }
    var verdicts = 0
    places = DeliveryPlaces()
    world.shards[world.home(target)].ledger.openDeliveries(from: &places, limit: 100) { _ in verdicts += 1 }
    #expect(verdicts == 10)
  }

  /// R8
  @Test func pointsAlreadySpentBecomeADebtThatEveryCreditRepaysFirst() throws {
    let world = try World.withCafe("earn=1/100")
    let transcript = """
      > EARN ann merchant=cafe points=100 id=a
      tx=#1 member=ann program=points points=100 balance=100
      > REDEEM ann merchant=cafe points=80 id=b
      tx=#2 member=ann program=points points=-80 balance=20
      > REFUND #1 id=c
      tx=#3 of=#1 member=ann points=-100 balance=-80 program=points
      > BALANCE ann
      member=ann program=points balance=-80 held=0 available=0 debt=80
      > REDEEM ann merchant=cafe points=1 id=d
      -INSUFFICIENT available=0 needed=1
      > EARN ann merchant=cafe points=50 id=e
      tx=#4 member=ann program=points points=50 balance=-30
      > BALANCE ann
      member=ann program=points balance=-30 held=0 available=0 debt=30
      > EARN ann merchant=cafe points=50 id=f
      tx=#5 member=ann program=points points=50 balance=20
      > BALANCE ann
      member=ann program=points balance=20 held=0 available=20 debt=0
      > REFUND #2 points=30 id=g
      tx=#6 of=#2 member=ann points=30 balance=50 program=points
      > REFUND #2 points=51 id=h
      -REVERSED left=50
      > BALANCE ann
      member=ann program=points balance=50 held=0 available=50 debt=0
      > HISTORY ann limit=3
      tx=#6 time=2026-01-15T12:00 kind=refund points=30 balance=50 program=points merchant=cafe request=g of=#2
      tx=#5 time=2026-01-15T12:00 kind=earn points=50 balance=20 program=points merchant=cafe request=f
      tx=#4 time=2026-01-15T12:00 kind=earn points=50 balance=-30 program=points merchant=cafe request=e
      > HISTORY ann limit=3 before=#5
      tx=#4 time=2026-01-15T12:00 kind=earn points=50 balance=-30 program=points merchant=cafe request=e
      tx=#3 time=2026-01-15T12:00 kind=refund points=-100 balance=-80 program=points merchant=cafe request=c of=#1
      tx=#2 time=2026-01-15T12:00 kind=redeem points=-80 balance=20 program=points merchant=cafe request=b
      > CHECK
      ok
      """
    #expect(try world.play(transcript) == transcript)
  }

  /// R9
  @Test func aRedemptionGoesBackToItsLotsAndToALotOfGraceOnceTheyEnded() throws {
    let world = try World.withCafe("earn=1/1 expire=1m", start: "2026-01-10T12:00")
    let transcript = """
      > EARN ann merchant=cafe points=100 id=a
      tx=#1 member=ann program=points points=100 balance=100
      > REDEEM ann merchant=cafe points=60 id=b
      tx=#2 member=ann program=points points=-60 balance=40
      > REFUND #2 points=10 id=c
      tx=#3 of=#2 member=ann points=10 balance=50 program=points
      > BALANCE ann
      member=ann program=points balance=50 held=0 available=50 debt=0 expiring=50 expires=2026-03-01T00:00
      @ 2026-03-01T00:00
      > REFUND #2 id=d
      tx=#4 of=#2 member=ann points=50 balance=50 program=points
      > BALANCE ann
      member=ann program=points balance=50 held=0 available=50 debt=0 expiring=50 expires=2026-03-09T00:00
      > HISTORY ann
      tx=#4 time=2026-03-01T00:00 kind=refund points=50 balance=50 program=points merchant=cafe request=d of=#2
      tx=#5 time=2026-03-01T00:00 kind=expire points=-50 balance=0 program=points
      tx=#3 time=2026-01-10T12:00 kind=refund points=10 balance=50 program=points merchant=cafe request=c of=#2
      tx=#2 time=2026-01-10T12:00 kind=redeem points=-60 balance=40 program=points merchant=cafe request=b
      tx=#1 time=2026-01-10T12:00 kind=earn points=100 balance=100 program=points merchant=cafe request=a
      @ 2026-03-09T00:01
      > TICK
      ok
      > BALANCE ann
      member=ann program=points balance=0 held=0 available=0 debt=0
      > CHECK
      ok
      """
    #expect(try world.play(transcript) == transcript)
  }

  /// R10 R24 R35
  @Test func statesCardsAndBackdatingDecideWhatIsRefusedAndWhatIsKept() throws {
    let transcript = """
      @ 2026-01-10T12:00
      > PROGRAM SET points earn=1/100 refund-window=2d
      +OK
      > MERCHANT SET cafe program=points
      +OK
      > MERCHANT SET tea program=points earn=3/100
      +OK
      > MEMBER ADD ann name=Ann region=north card=c1
      +OK
      > MEMBER ADD ann name=Ann region=north card=c1
      +OK
      > MEMBER ADD ann name=Bob
      -EXISTS
      > MEMBER ADD bob card=c1
      -EXISTS
      > CARD ADD c2 member=ann
      +OK
      > MEMBER SHOW ann
      member=ann state=active name=Ann region=north cards=c1,c2 since=2026-01-10T12:00
      > EARN card:c1 merchant=cafe spend=1000 id=a
      tx=#1 member=ann program=points points=10 balance=10
      > CARD LOST c1
      +OK
      > EARN card:c1 merchant=cafe spend=1000 id=b
      -LOST
      > EARN card:c1 merchant=cafe spend=1000 id=a
      tx=#1 member=ann program=points points=10 balance=10
      > EARN card:c2 merchant=cafe spend=1000 id=c
      tx=#2 member=ann program=points points=10 balance=20
      > CARD FOUND c1
      +OK
      > EARN card:c1 merchant=cafe spend=1000 id=b
      -LOST
      > CARD REMOVE c1
      +OK
      > EARN card:c1 merchant=cafe spend=1000 id=a
      tx=#1 member=ann program=points points=10 balance=10
      > EARN card:c1 merchant=cafe spend=1000 id=z
      -NOTFOUND
      > MEMBER SHOW ann
      member=ann state=active name=Ann region=north cards=c2 since=2026-01-10T12:00
      > HOLD ann merchant=cafe points=5 id=h1
      tx=#3 member=ann program=points points=5 balance=20 available=15 expires=2026-01-10T12:15
      > MEMBER FREEZE ann
      +OK
      > EARN ann merchant=cafe spend=1000 id=d
      -FROZEN
      > CAPTURE #3 id=e
      -FROZEN
      > RELEASE #3 id=f
      tx=#4 of=#3 member=ann program=points points=5 balance=20 available=20
      > REFUND #1 id=g points=1
      tx=#5 of=#1 member=ann points=-1 balance=19 program=points
      > MEMBER THAW ann
      +OK
      > EARN ann merchant=cafe spend=1000 id=d
      -FROZEN
      > EARN ann merchant=tea spend=1000 id=i
      tx=#6 member=ann program=points points=30 balance=49
      > EARN ann merchant=cafe spend=1000 id=j at=2026-01-10T12:06
      -LIMIT which=at
      > PROGRAM SET points earn=5/100
      +OK
      @ 2026-01-11T12:00
      > EARN ann merchant=cafe spend=1000 id=k at=2026-01-10T12:00
      tx=#7 member=ann program=points points=10 balance=59
      > EARN ann merchant=cafe spend=1000 id=l at=2026-01-01T12:00
      tx=#8 member=ann program=points points=50 balance=109
      > EARN ann merchant=nobody spend=1000 id=m
      -NOTFOUND
      @ 2026-01-12T12:00
      > REFUND #1 id=n
      tx=#9 of=#1 member=ann points=-9 balance=100 program=points
      > HOLD ann merchant=cafe points=5 id=o
      tx=#10 member=ann program=points points=5 balance=100 available=95 expires=2026-01-12T12:15
      > MEMBER CLOSE ann
      +OK
      > MEMBER CLOSE ann
      +OK
      > BALANCE ann
      member=ann program=points balance=0 held=0 available=0 debt=0
      > EARN ann merchant=cafe spend=1 id=p
      -CLOSED
      > HISTORY ann limit=3
      tx=#11 time=2026-01-12T12:00 kind=close points=-100 balance=0 program=points
      tx=#12 time=2026-01-12T12:00 kind=lapse points=0 balance=100 program=points merchant=cafe of=#10 held=5
      tx=#10 time=2026-01-12T12:00 kind=hold points=0 balance=100 program=points merchant=cafe request=o held=5 expires=2026-01-12T12:15
      > CHECK
      ok
      """
    #expect(try World(shards: 1).play(transcript) == transcript)
  }

  /// R22
  @Test func transfersKeepExpiryAndComeBackWhenTheyCannotArrive() throws {
    let world = try World.withCafe(
      "earn=1/100 expire=2m", members: ["ann", "bob", "cyd", "dan"], shards: 4, start: "2026-01-10T12:00")
    let transcript = """
      > EARN ann merchant=cafe points=100 id=a
      tx=#1 member=ann program=points points=100 balance=100
      @ 2026-02-10T12:00
      > EARN ann merchant=cafe points=100 id=b
      tx=#2 member=ann program=points points=100 balance=200
      > TRANSFER ann bob points=120 id=t
      tx=#3 from=ann to=bob points=120 balance=80 program=points
      > TRANSFER ann bob points=120 id=t
      tx=#3 from=ann to=bob points=120 balance=80 program=points
      > BALANCE bob
      member=bob program=points balance=120 held=0 available=120 debt=0 expiring=100 expires=2026-04-01T00:00
      > BALANCE ann
      member=ann program=points balance=80 held=0 available=80 debt=0 expiring=80 expires=2026-05-01T00:00
      > TRANSFER bob cyd points=50 id=t
      tx=#4 from=bob to=cyd points=50 balance=70 program=points
      > TRANSFER bob dan points=50 id=t2
      tx=#5 from=bob to=dan points=50 balance=20 program=points
      > TRANSFER bob dan points=50 id=t3
      -INSUFFICIENT available=20 needed=50
      > TRANSFER bob zed points=5 id=t4
      -NOTFOUND
      > TRANSFER bob zed points=5 id=t4
      -NOTFOUND
      > MEMBER ADD zed
      +OK
      > TRANSFER bob zed points=5 id=t4
      -NOTFOUND
      > MEMBER FREEZE cyd
      +OK
      > TRANSFER bob cyd points=5 id=t5
      -FROZEN
      > BALANCE bob
      member=bob program=points balance=20 held=0 available=20 debt=0 expiring=20 expires=2026-05-01T00:00
      > HISTORY bob
      tx=#6 time=2026-02-10T12:00 kind=transfer-back points=5 balance=20 program=points of=#7
      tx=#7 time=2026-02-10T12:00 kind=transfer-out points=-5 balance=15 program=points request=t5 to=cyd
      tx=#8 time=2026-02-10T12:00 kind=transfer-back points=5 balance=20 program=points of=#9
      tx=#9 time=2026-02-10T12:00 kind=transfer-out points=-5 balance=15 program=points request=t4 to=zed
      tx=#5 time=2026-02-10T12:00 kind=transfer-out points=-50 balance=20 program=points request=t2 to=dan
      tx=#4 time=2026-02-10T12:00 kind=transfer-out points=-50 balance=70 program=points request=t to=cyd
      tx=#10 time=2026-02-10T12:00 kind=transfer-in points=120 balance=120 program=points of=#3 from=ann
      > TX SHOW #3
      tx=#3 time=2026-02-10T12:00 kind=transfer-out member=ann points=-120 balance=80 program=points request=t to=bob state=done
      > CHECK
      ok
      """
    #expect(try world.play(transcript) == transcript)
  }
}
