# [P] Tiers of who is in a pool, two ranks at once, thresholds that change, a late sale of a closed year (A16, C10)
@ time 2026-11-10T10:00:00Z
> PROGRAM SET d2-p earn=1/100
< OK
> TIER SET d2-p a rank=1 at=0 by=spend period=year down=never
< OK
> TIER SET d2-p b rank=5 at=10000 by=spend period=year down=never gift=points:10
< OK
> TIER SET d2-p c rank=9 at=20000 by=spend period=year down=never gift=points:20 earn-times=3/2
< OK
> MERCHANT SET d2-s program=d2-p
< OK
> POOL ADD d2-f title=F
< OK
> MEMBER ADD d2-m
> MEMBER ADD d2-n
< OK
> MEMBER SET d2-m pool=d2-f
< OK
> MEMBER SET d2-n pool=d2-f
< OK
> EARN d2-m merchant=d2-s spend=25000 id=e1
< points=250 tier=c balance=270 member=d2-m
@ settle
> BALANCE d2-f program=d2-p
< balance=270
> MEMBER TIER d2-m program=d2-p
< tier=c qualifying=25000
> MEMBER TIER d2-n program=d2-p
< tier=a qualifying=0
> EARN d2-n merchant=d2-s spend=1000 id=e1
< points=10 balance=280
> EARN d2-m merchant=d2-s spend=1000 id=e2
< points=15 balance=295 tx=$e2
> HISTORY d2-f limit=1
< 1 records
< points=15 by=d2-m tx=$e2
> REFUND $e2 id=f2
< balance=280
@ settle
> MEMBER TIER d2-m program=d2-p
< qualifying=25000
> TRANSFER d2-m d2-n points=5 program=d2-p id=t
< -LIMIT which=pool
> POOL ADD d2-g
< OK
> MEMBER SET d2-g pool=d2-f
< -LIMIT
> EARN d2-f merchant=d2-s spend=100 id=x
> MEMBER MERGE d2-m d2-n id=mm
< -LIMIT which=pool
> MEMBER SET d2-m pool=none
< OK
> BALANCE d2-m program=d2-p
< balance=0
> REDEEM d2-n merchant=d2-s points=100 id=r1
< points=-100
# thresholds change: at the next qualifying movement
> MEMBER ADD d2-z
< OK
> EARN d2-z merchant=d2-s spend=9000 id=e1
< points=90 !tier
> TIER SET d2-p b at=5000
< OK
> MEMBER TIER d2-z program=d2-p
< tier=a
> EARN d2-z merchant=d2-s spend=100 id=e2
< tier=b balance=101 points=1
# year: late sale on 2 January for December
@ time 2027-01-02T10:00:00Z
> MEMBER TIER d2-z program=d2-p
< tier=b qualifying=0
> EARN d2-z merchant=d2-s spend=15000 at=2026-12-31T22:00:00Z id=e3
< tier=c points=150
> MEMBER TIER d2-z program=d2-p
< tier=c qualifying=0
> MEMBER TIER d2-z program=d2-p
< since=*
