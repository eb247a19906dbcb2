# [P] A family's pool, and the tiers of who earns into it (C10, C11; R19 to R21, A15, A16)
@ time 2026-03-01T10:00:00Z
> PROGRAM SET pt-points earn=1/100 refund-window=400d
< OK
> MERCHANT SET pt-shop program=pt-points
< OK
> TIER SET pt-points base rank=1 at=0 by=points period=year down=earned
< OK
> TIER SET pt-points silver rank=2 at=100 by=points period=year down=earned earn-times=3/2 gift=points:5
< OK
> RULE SET pt-invite program=pt-points stage=bonus event=referral points=9 state=running
< OK
> POOL ADD pt-home
< OK
> MEMBER ADD pt-ann
< OK
> MEMBER ADD pt-bob referrer=pt-ann
< OK
> MEMBER SET pt-ann pool=pt-home
< OK
> MEMBER SET pt-bob pool=pt-home
< OK
# 99 points: one is missing. The first purchase of who was invited: 9 for who invited, into the same pool
> EARN pt-bob merchant=pt-shop spend=9900 id=e1
< points=99 balance=99 tx=$t1 !tier
@ settle
> BALANCE pt-bob program=pt-points
< balance=108 tier=base qualifying=99
> BALANCE pt-ann program=pt-points
< balance=108 tier=base qualifying=9
# 108 + 1 + the gift of 5; this sale counts by the tier before it
> SIMULATE EARN pt-bob merchant=pt-shop spend=100
< member=pt-bob points=1 balance=114 tier=silver
> EXPLAIN EARN pt-bob merchant=pt-shop spend=100
< 2 records
< step=base points=1
< step=lots points=1 balance=114 tier=silver gift=5
> EARN pt-bob merchant=pt-shop spend=100 id=e2
< points=1 balance=114 tier=silver tx=$t2
> HISTORY pt-home program=pt-points limit=2
< 2 records
< kind=earn points=1 balance=114 by=pt-bob tier=silver
< kind=gift points=5 balance=113 by=pt-bob tier=silver
# floor(100 × 3/2) = 150; who shares the pool has its own tier
> EARN pt-bob merchant=pt-shop spend=10000 id=e3
< points=150 balance=264 tx=$t3
> EARN pt-ann merchant=pt-shop spend=1000 id=e1
< points=10 balance=274 !tier
# returned: 250 − 150 − 1 = 99: base again; crossed again without a second gift
> REFUND $t3 id=f1
< points=-150 balance=124
> REFUND $t2 id=f2
< points=-1 balance=123
@ settle
> MEMBER TIER pt-bob program=pt-points
< tier=base qualifying=99 next=silver needed=1
> SIMULATE EARN pt-bob merchant=pt-shop spend=100
< points=1 balance=124 tier=silver
> EARN pt-bob merchant=pt-shop spend=100 id=e4
< points=1 balance=124 tier=silver
# 2026 reached silver: so silver through 2027, and the counter begins anew; 2027 reaches nothing
@ time 2027-01-01T00:00:00Z
@ settle
> MEMBER TIER pt-bob program=pt-points
< tier=silver qualifying=0
@ time 2028-01-01T00:00:00Z
@ settle
> MEMBER TIER pt-bob program=pt-points
< tier=base qualifying=0
