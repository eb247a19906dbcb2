# [P] A pool: its class's terms, its members' caps and tiers, debt (C10)
@ time 2026-07-01T10:00:00Z
> PROGRAM SET g2-p earn=1/10 expire=10d earn-cap=50/day
< OK
> POLICY SET g2-p family expire=20d activate=2d redeem-min=10
< OK
> POLICY SET g2-p kid earn-cap=30/day transfer=no
< OK
> MERCHANT SET g2-s program=g2-p
< OK
> TIER SET g2-p lo rank=1 at=0 by=points period=year
< OK
> TIER SET g2-p hi rank=2 at=60 by=points period=year
< OK
> POOL ADD g2-f
< OK
> MEMBER SET g2-f class=family
< OK
> MEMBER ADD g2-k class=kid
< OK
> MEMBER ADD g2-d
< OK
> EARN g2-k merchant=g2-s spend=100 id=0
< points=10 balance=10
> MEMBER SET g2-k pool=g2-f
< OK
> MEMBER SET g2-d pool=g2-f
< OK
# cap is the member's class's: 30 a day, 10 used
> EARN g2-k merchant=g2-s spend=300 id=1
< points=20 capped=10 balance=0
> EARN g2-d merchant=g2-s spend=700 id=1
< points=50 capped=20 balance=0 tx=$d1
> BALANCE g2-k program=g2-p
< balance=0 pending=70
> MEMBER TIER g2-d program=g2-p
< tier=lo qualifying=0
> REFUND $d1 spend=140 id=f1
< points=-10
@ settle
> BALANCE g2-f program=g2-p
< pending=60
@ time 2026-07-03T00:00:00Z
@ settle
> BALANCE g2-d program=g2-p
< balance=60 pending=0 expiring=60 expires=1784851200000
# what became active counts for the member who bought
> MEMBER TIER g2-d program=g2-p
< qualifying=40
> MEMBER TIER g2-k program=g2-p
< qualifying=30
> REDEEM g2-k merchant=g2-s points=5 id=r1
< -LIMIT which=redeem-min
> REDEEM g2-k merchant=g2-s points=45 id=r2
< points=-45 balance=15
> EARN g2-d merchant=g2-s spend=200 id=2
< points=20 tx=$d2
> REFUND $d1 id=f2
< points=-40
@ settle
> BALANCE g2-f program=g2-p
< balance=-25 debt=25
> REDEEM g2-k merchant=g2-s points=10 id=r3
< -INSUFFICIENT
> MEMBER SET g2-k pool=none
< OK
> BALANCE g2-k program=g2-p
< balance=10
> REDEEM g2-k merchant=g2-s points=10 id=r4
< balance=0
> MEMBER CLOSE g2-d
< OK
@ settle
> BALANCE g2-f program=g2-p
< debt=25 pending=20
