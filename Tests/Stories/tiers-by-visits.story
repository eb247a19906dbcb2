# [P] Tiers by visits in twelve months from a 29 February, one down at a time, a stopped tier, a late sale (R19 to R21, A16, A23, A24)
@ time 2028-02-29T12:00:00Z
> PROGRAM SET d1-v earn=1/1 utc-offset=+03:00
< OK
> TIER SET d1-v base rank=1 at=0 by=visits period=12m down=one
< OK
> TIER SET d1-v mid rank=2 at=2 by=visits period=12m down=one gift=points:5
< OK
> TIER SET d1-v top rank=3 at=4 by=visits period=12m down=one gift=points:50 earn-times=2/1
< OK
> TIER SET d1-v other rank=4 at=9 by=points period=12m down=one
< -ERR
> TIER SET d1-v mid by=spend
< -ERR
> TIER SET d1-v mid period=year
< -ERR
> MERCHANT SET d1-s program=d1-v
< OK
> RULE SET d1-up program=d1-v stage=bonus event=tier-up points=3 state=running
< OK
> MEMBER ADD d1-a
< OK
> EARN d1-a merchant=d1-s spend=10 id=e1
< points=10 balance=10 !tier
> EARN d1-a merchant=d1-s spend=10 id=e2
< points=10 tier=mid balance=28
> EARN d1-a merchant=d1-s spend=0 id=e3
< points=0 balance=28
> EARN d1-a merchant=d1-s spend=10 id=e4
< points=10 tier=top balance=91 tx=$e4
> EARN d1-a merchant=d1-s spend=10 id=e5
< points=20 balance=111
# a whole return was a visit all the same (A24)
> REFUND $e4 id=f1
< points=-10 balance=101
> MEMBER TIER d1-a program=d1-v
< tier=top qualifying=5
# 12m from 29 February 2028: 28 February 2029 00:00 +03:00 = 27 Feb 21:00Z
@ time 2029-02-27T20:59:00Z
> MEMBER TIER d1-a program=d1-v
< tier=top qualifying=5
@ time 2029-02-27T21:00:00Z
> MEMBER TIER d1-a program=d1-v
< tier=top qualifying=0
# a late sale of the closed period may raise, never lowers; counts there
> EARN d1-a merchant=d1-s spend=10 at=2029-02-26T10:00:00Z id=l1
< points=20
> MEMBER TIER d1-a program=d1-v
< tier=top qualifying=0
> EARN d1-a merchant=d1-s spend=10 id=e6
< points=20
# the second period had 1 visit: one rank down; then one more
@ time 2030-02-27T21:00:00Z
> MEMBER TIER d1-a program=d1-v
< tier=mid qualifying=0
@ time 2031-02-27T21:00:00Z
> MEMBER TIER d1-a program=d1-v
< tier=base
# a new period: the gift again, and only that of the tier reached
> EARN d1-a merchant=d1-s spend=1 id=g1
> EARN d1-a merchant=d1-s spend=1 id=g2
< tier=mid points=1
> TIER SET d1-v mid state=stopped
< OK
> MEMBER TIER d1-a program=d1-v
< tier=base
> EARN d1-a merchant=d1-s spend=1 id=g3
< points=1
> TIER LIST program=d1-v
< 3 records
< tier=base
< tier=mid state=stopped
< tier=top
