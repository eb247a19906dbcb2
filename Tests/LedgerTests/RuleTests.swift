import Testing

@testable import Ledger

struct RuleTests {
  func show(_ t: String) throws { print(try World().play(t)); print("=======") }
  @Test func scratch() throws {
    print("### R1");
    try show(
      """
      @ 2026-01-10T12:00
      > PROGRAM SET points earn=1/1 expire=2m backdate=60d
      > MERCHANT SET cafe program=points
      > MEMBER ADD ann
      > EARN ann merchant=cafe points=100 id=a
      > EARN ann merchant=cafe points=50 id=b at=2025-12-20T00:00
      > REDEEM ann merchant=cafe points=70 id=c
      > BALANCE ann
      @ 2026-02-28T23:59
      > BALANCE ann
      @ 2026-03-31T23:59
      > BALANCE ann
      @ 2026-04-01T00:00
      > REDEEM ann merchant=cafe points=1 id=d
      > BALANCE ann
      > HISTORY ann
      > CHECK
      """)
    print("### R5");
    try show(
      """
      @ 2026-01-30T12:00
      > PROGRAM SET points earn=1/1 expire=1d
      > MERCHANT SET cafe program=points
      > MEMBER ADD ann
      > EARN ann merchant=cafe points=100 id=a
      @ 2026-01-31T23:55
      > HOLD ann merchant=cafe points=60 id=h ttl=3600
      > BALANCE ann
      @ 2026-02-01T00:01
      > BALANCE ann
      > CAPTURE #2 id=c points=20
      > BALANCE ann
      > CAPTURE #2 id=c2 points=20
      > RELEASE #2 id=c3
      > CAPTURE #2 id=c points=20
      > HISTORY ann
      > REFUND #2 id=r
      > REFUND #2 id=r2
      > BALANCE ann
      > TX SHOW #2
      > CHECK
      """)
    print("### R5b");
    try show(
      """
      @ 2026-01-30T12:00
      > PROGRAM SET points earn=1/1
      > MERCHANT SET cafe program=points
      > MEMBER ADD ann
      > EARN ann merchant=cafe points=100 id=a
      > HOLD ann merchant=cafe points=60 id=h
      > HOLD ann merchant=cafe points=60 id=h2
      > RELEASE #2 id=r
      > HOLD ann merchant=cafe points=60 id=h3
      @ 2026-01-30T12:15
      > CAPTURE #4 id=c
      > BALANCE ann
      > HISTORY ann
      > CHECK
      """)
    print("### R6");
    try show(
      """
      > PROGRAM SET points earn=1/100
      > MERCHANT SET cafe program=points
      > MEMBER ADD ann
      > EARN ann merchant=cafe spend=1050 id=a
      > REFUND #1 spend=350 id=p1
      > REFUND #1 spend=350 id=p2
      > REFUND #1 spend=351 id=p3
      > REFUND #1 spend=350 id=p4
      > REFUND #1 spend=1 id=p5
      > REFUND #2 id=p6
      > BALANCE ann
      > REFUND 5-77 id=q
      > REFUND #1 id=p1 spend=350
      > REFUND #1 id=p1 spend=351
      """)
    print("### R8");
    try show(
      """
      > PROGRAM SET points earn=1/100
      > MERCHANT SET cafe program=points
      > MEMBER ADD ann
      > EARN ann merchant=cafe points=100 id=a
      > REDEEM ann merchant=cafe points=80 id=b
      > REFUND #1 id=c
      > BALANCE ann
      > REDEEM ann merchant=cafe points=1 id=d
      > EARN ann merchant=cafe points=50 id=e
      > BALANCE ann
      > EARN ann merchant=cafe points=50 id=f
      > BALANCE ann
      > REFUND #2 points=30 id=g
      > REFUND #2 points=51 id=h
      > BALANCE ann
      > HISTORY ann limit=3
      > HISTORY ann limit=3 before=#5
      > CHECK
      """)
    print("### R9");
    try show(
      """
      @ 2026-01-10T12:00
      > PROGRAM SET points earn=1/1 expire=1m
      > MERCHANT SET cafe program=points
      > MEMBER ADD ann
      > EARN ann merchant=cafe points=100 id=a
      > REDEEM ann merchant=cafe points=60 id=b
      > REFUND #2 points=10 id=c
      > BALANCE ann
      @ 2026-03-01T00:00
      > REFUND #2 id=d
      > BALANCE ann
      > HISTORY ann
      @ 2026-03-09T00:00
      > TICK
      > BALANCE ann
      > CHECK
      """)
    print("### R10 R24 R35");
    try show(
      """
      @ 2026-01-10T12:00
      > PROGRAM SET points earn=1/100 refund-window=2d
      > MERCHANT SET cafe program=points
      > MERCHANT SET tea program=points earn=3/100
      > MEMBER ADD ann name=Ann region=north card=c1
      > MEMBER ADD ann name=Ann region=north card=c1
      > MEMBER ADD ann name=Bob
      > MEMBER ADD bob card=c1
      > CARD ADD c2 member=ann
      > MEMBER SHOW ann
      > EARN card:c1 merchant=cafe spend=1000 id=a
      > CARD LOST c1
      > EARN card:c1 merchant=cafe spend=1000 id=b
      > EARN card:c1 merchant=cafe spend=1000 id=a
      > EARN card:c2 merchant=cafe spend=1000 id=c
      > CARD FOUND c1
      > EARN card:c1 merchant=cafe spend=1000 id=b
      > CARD REMOVE c1
      > EARN card:c1 merchant=cafe spend=1000 id=a
      > EARN card:c1 merchant=cafe spend=1000 id=z
      > MEMBER SHOW ann
      > HOLD ann merchant=cafe points=5 id=h1
      > MEMBER FREEZE ann
      > EARN ann merchant=cafe spend=1000 id=d
      > CAPTURE #3 id=e
      > RELEASE #3 id=f
      > REFUND #1 id=g points=1
      > MEMBER THAW ann
      > EARN ann merchant=cafe spend=1000 id=d
      > EARN ann merchant=tea spend=1000 id=i
      > EARN ann merchant=cafe spend=1000 id=j at=2026-01-10T12:06
      > PROGRAM SET points earn=5/100
      @ 2026-01-11T12:00
      > EARN ann merchant=cafe spend=1000 id=k at=2026-01-10T12:00
      > EARN ann merchant=cafe spend=1000 id=l at=2026-01-01T12:00
      > EARN ann merchant=nobody spend=1000 id=m
      @ 2026-01-12T12:00
      > REFUND #1 id=n
      > HOLD ann merchant=cafe points=5 id=o
      > MEMBER CLOSE ann
      > MEMBER CLOSE ann
      > BALANCE ann
      > EARN ann merchant=cafe spend=1 id=p
      > HISTORY ann limit=3
      > CHECK
      """)
    let world = World(shards: 4)
    print("### R22");
    print(
      try world.play(
        """
        @ 2026-01-10T12:00
        > PROGRAM SET points earn=1/100 expire=2m
        > MERCHANT SET cafe program=points
        > MEMBER ADD ann
        > MEMBER ADD bob
        > MEMBER ADD cyd
        > MEMBER ADD dan
        > EARN ann merchant=cafe points=100 id=a
        @ 2026-02-10T12:00
        > EARN ann merchant=cafe points=100 id=b
        > TRANSFER ann bob points=120 id=t
        > TRANSFER ann bob points=120 id=t
        > BALANCE bob
        > BALANCE ann
        > TRANSFER bob cyd points=50 id=t
        > TRANSFER bob dan points=50 id=t2
        > TRANSFER bob dan points=50 id=t3
        > TRANSFER bob zed points=5 id=t4
        > TRANSFER bob zed points=5 id=t4
        > MEMBER ADD zed
        > TRANSFER bob zed points=5 id=t4
        > MEMBER FREEZE cyd
        > TRANSFER bob cyd points=5 id=t5
        > BALANCE bob
        > HISTORY bob
        > TX SHOW #3
        > CHECK
        """))
  }
}
