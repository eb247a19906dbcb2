import Testing

@testable import Ledger

/// Transcripts: a line is sent, what came back follows; `#n` is the nth transaction seen; `@` sets the clock.
struct RuleTests {
  /// R1
  @Test func pointsAreSpentByExpiryAndEndAtTheirBoundary() throws {
    let world = try World.withCafe("earn=1/1 expire=2m backdate=60d", start: "2026-01-10T12:00")
    let transcript = """
      > EARN ann merchant=cafe points=100 id=a
      tx=#1 member=ann program=points points=100 balance=100
      > EARN ann merchant=cafe points=50 id=b at=2025-12-20T00:00
      tx=#2 member=ann program=points points=50 balance=150
      > REDEEM ann merchant=cafe points=70 id=c
      tx=#3 member=ann program=points points=-70 balance=80
      > BALANCE ann
      member=ann program=points balance=80 held=0 available=80 debt=0 expiring=80 expires=2026-04-01T00:00
      @ 2026-02-28T23:59
      > BALANCE ann
      member=ann program=points balance=80 held=0 available=80 debt=0 expiring=80 expires=2026-04-01T00:00
      @ 2026-03-31T23:59
      > BALANCE ann
      member=ann program=points balance=80 held=0 available=80 debt=0 expiring=80 expires=2026-04-01T00:00
      @ 2026-04-01T00:00
      > REDEEM ann merchant=cafe points=1 id=d
      -INSUFFICIENT available=0 needed=1
      > BALANCE ann
      member=ann program=points balance=0 held=0 available=0 debt=0
      > HISTORY ann
      tx=#4 time=2026-04-01T00:00 kind=expire points=-80 balance=0 program=points
      tx=#3 time=2026-01-10T12:00 kind=redeem points=-70 balance=80 program=points merchant=cafe request=c
      tx=#2 time=2026-01-10T12:00 kind=earn points=50 balance=150 program=points merchant=cafe request=b effective=2025-12-20T00:00
      tx=#1 time=2026-01-10T12:00 kind=earn points=100 balance=100 program=points merchant=cafe request=a
      > CHECK
      ok
      """
    #expect(try world.play(transcript) == transcript)
  }

  /// R2 R12 R16
  @Test func roundingRatesAndZonesAreTheProgramsOwn() throws {
    let transcript = """
      @ 2026-01-30T12:00
      > PROGRAM SET points earn=3/200 expire=1d utc-offset=+08:00
      +OK
      > PROGRAM SET points kind=money
      -ERR kind never changes
      > PROGRAM SET points earn=0.5
      -ERR earn must be points/minor-units like 1/100, each from 1 to 1000000000 (points may be 0)
      > PROGRAM LIST
      program=points kind=points earn=3/200 expire=1d title= backdate=3d utc-offset=+08:00 refund-window=180d default=yes state=active version=1 from=2026-01-30T11:59 by=
      > MERCHANT SET cafe
      +OK
      > MERCHANT SET big earn=1000000000/1
      +OK
      > MERCHANT SET shut state=closed
      +OK
      > MEMBER ADD ann
      +OK
      > EARN ann merchant=cafe spend=199 id=a
      tx=#1 member=ann program=points points=2 balance=2
      > EARN ann merchant=cafe spend=200 id=b
      tx=#2 member=ann program=points points=3 balance=5
      > EARN ann merchant=cafe spend=0 id=c
      tx=#3 member=ann program=points points=0 balance=5
      > EARN ann merchant=big spend=1000000000000000 id=d
      -LIMIT which=points
      > EARN ann merchant=big spend=1000000 id=e
      tx=#4 member=ann program=points points=1000000000000000 balance=1000000000000005
      > EARN ann merchant=shut spend=1 id=f
      -CLOSED
      > EARN ann merchant=cafe spend=1
      -ERR id must be 1 to 64 of A-Za-z0-9._-
      > EARN ann merchant=cafe spend=1 id=g program=miles
      -NOTFOUND
      > EARN bob merchant=cafe spend=1 id=g
      -NOTFOUND
      > BALANCE ann
      member=ann program=points balance=1000000000000005 held=0 available=1000000000000005 debt=0 expiring=1000000000000005 expires=2026-01-31T16:00
      @ 2026-01-31T15:59
      > REDEEM ann merchant=cafe points=1 id=h
      tx=#5 member=ann program=points points=-1 balance=1000000000000004
      @ 2026-01-31T16:01
      > REDEEM ann merchant=cafe points=1 id=i
      -INSUFFICIENT available=0 needed=1
      > BALANCE ann
      member=ann program=points balance=0 held=0 available=0 debt=0
      > PROGRAM SET miles earn=1/1
      +OK
      > BALANCE ann
      member=ann program=points balance=0 held=0 available=0 debt=0
      > EARN ann merchant=cafe spend=7 id=j program=miles
      tx=#6 member=ann program=miles points=7 balance=7
      > BALANCE ann program=miles
      member=ann program=miles balance=7 held=0 available=7 debt=0
      > CHECK
      ok
      """
    #expect(try World(shards: 1).play(transcript) == transcript)
  }

  /// R5
  @Test func whatAHoldDoesNotCaptureEndsWithItsLotsIfTheyEndedMeanwhile() throws {
    let world = try World.withCafe("earn=1/1 expire=1d", start: "2026-01-30T12:00")
    let transcript = """
      > EARN ann merchant=cafe points=100 id=a
      tx=#1 member=ann program=points points=100 balance=100
      @ 2026-01-31T23:55
      > HOLD ann merchant=cafe points=60 id=h ttl=3600
      tx=#2 member=ann program=points points=60 balance=100 available=40 expires=2026-02-01T00:55
      > BALANCE ann
      member=ann program=points balance=100 held=60 available=40 debt=0 expiring=40 expires=2026-02-01T00:00
      @ 2026-02-01T00:01
      > BALANCE ann
      member=ann program=points balance=100 held=60 available=40 debt=0 expiring=40 expires=2026-02-01T00:00
      > CAPTURE #2 id=c points=20
      tx=#3 of=#2 member=ann program=points points=-20 balance=0 available=0
      > BALANCE ann
      member=ann program=points balance=0 held=0 available=0 debt=0
      > CAPTURE #2 id=c2 points=20
      -REVERSED left=0
      > RELEASE #2 id=c3
      -REVERSED left=0
      > CAPTURE #2 id=c points=20
      tx=#3 of=#2 member=ann program=points points=-20 balance=0 available=0
      > HISTORY ann
      tx=#3 time=2026-02-01T00:01 kind=capture points=-20 balance=0 program=points merchant=cafe request=c of=#2
      tx=#4 time=2026-02-01T00:01 kind=expire points=-40 balance=20 program=points
      tx=#5 time=2026-02-01T00:01 kind=expire points=-40 balance=60 program=points
      tx=#2 time=2026-01-31T23:55 kind=hold points=0 balance=100 program=points merchant=cafe request=h held=60 expires=2026-02-01T00:55
      tx=#1 time=2026-01-30T12:00 kind=earn points=100 balance=100 program=points merchant=cafe request=a
      > REFUND #2 id=r
      tx=#6 of=#3 member=ann points=20 balance=20 program=points
      > REFUND #2 id=r2
      -REVERSED left=0
      > BALANCE ann
      member=ann program=points balance=20 held=0 available=20 debt=0 expiring=20 expires=2026-02-09T00:00
      > TX SHOW #2
      tx=#2 time=2026-01-31T23:55 kind=hold member=ann points=0 balance=100 program=points merchant=cafe request=h held=60 expires=2026-02-01T00:55 state=captured left=0
      > CHECK
      ok
      """
    #expect(try world.play(transcript) == transcript)
  }

  /// R5
  @Test func aHoldIsResolvedOnceAndLapsesAtItsTimeout() throws {
    let world = try World.withCafe("earn=1/1", start: "2026-01-30T12:00")
    let transcript = """
      > EARN ann merchant=cafe points=100 id=a
      tx=#1 member=ann program=points points=100 balance=100
      > HOLD ann merchant=cafe points=60 id=h
      tx=#2 member=ann program=points points=60 balance=100 available=40 expires=2026-01-30T12:15
      > HOLD ann merchant=cafe points=60 id=h2
      -INSUFFICIENT available=40 needed=60
      > RELEASE #2 id=r
      tx=#3 of=#2 member=ann program=points points=60 balance=100 available=100
      > HOLD ann merchant=cafe points=60 id=h3
      tx=#4 member=ann program=points points=60 balance=100 available=40 expires=2026-01-30T12:15
      @ 2026-01-30T12:16
      > CAPTURE #4 id=c
      -REVERSED left=0
      > BALANCE ann
      member=ann program=points balance=100 held=0 available=100 debt=0
      > HISTORY ann
      tx=#5 time=2026-01-30T12:16 kind=lapse points=0 balance=100 program=points merchant=cafe of=#4 held=60
      tx=#4 time=2026-01-30T12:00 kind=hold points=0 balance=100 program=points merchant=cafe request=h3 held=60 expires=2026-01-30T12:15
      tx=#3 time=2026-01-30T12:00 kind=release points=0 balance=100 program=points merchant=cafe request=r of=#2 held=60
      tx=#2 time=2026-01-30T12:00 kind=hold points=0 balance=100 program=points merchant=cafe request=h held=60 expires=2026-01-30T12:15
      tx=#1 time=2026-01-30T12:00 kind=earn points=100 balance=100 program=points merchant=cafe request=a
      > CHECK
      ok
      """
    #expect(try world.play(transcript) == transcript)
  }

  /// R6
  @Test func partialRefundsAddUpToExactlyTheWhole() throws {
    let world = try World.withCafe("earn=1/100")
    let transcript = """
      > EARN ann merchant=cafe spend=1050 id=a
      tx=#1 member=ann program=points points=10 balance=10
      > REFUND #1 spend=350 id=p1
      tx=#2 of=#1 member=ann points=-3 balance=7 program=points
      > REFUND #1 spend=350 id=p2
      tx=#3 of=#1 member=ann points=-3 balance=4 program=points
      > REFUND #1 spend=351 id=p3
      -REVERSED left=350
      > REFUND #1 spend=350 id=p4
      tx=#4 of=#1 member=ann points=-4 balance=0 program=points
      > REFUND #1 spend=1 id=p5
      -REVERSED left=0
      > REFUND #2 id=p6
      -REVERSED left=0
      > BALANCE ann
      member=ann program=points balance=0 held=0 available=0 debt=0
      > REFUND 5-77 id=q
      -NOTFOUND
      > REFUND #1 id=p1 spend=350
      tx=#2 of=#1 member=ann points=-3 balance=7 program=points
      > REFUND #1 id=p1 spend=351
      -CONFLICT
      """
    #expect(try world.play(transcript) == transcript)
  }
}
