# [P] Purchases that draw on a budget and qualify for a tier, told, explained and returned; in a pool, too (R6, R18 to R20, A8; I1, I7, H1)
@ time 2026-11-02T10:00:00Z
> PROGRAM SET tb-p earn=1/10
< OK
> MERCHANT SET tb-s program=tb-p
< OK
> TIER SET tb-p lo rank=1 at=0 by=points period=year
< OK
> TIER SET tb-p hi rank=2 at=30 by=points period=year gift=points:5
< OK
> QUOTA SET tb-q limit=100
< OK
> CAMPAIGN SET tb-c budget=tb-q state=running
< OK
> RULE SET tb-r program=tb-p stage=bonus campaign=tb-c points=7 state=running
< OK
> MEMBER ADD tb-w
< OK
> EARN tb-w merchant=tb-s spend=100 id=1
< points=17 balance=17 !tier
> EARN tb-w merchant=tb-s spend=100 id=2
< points=17 tier=hi balance=39 tx=$t
> QUOTA SHOW tb-q
< used=14
> EXPLAIN $t
< 1 records
< step=base points=10 total=10
< …
# half of 17 is 8: of the 7 drawn floor(7 × 8/17) = 3 come back; the tier is lost, the gift is not
> REFUND $t spend=50 id=f1
< points=-8 balance=31
> QUOTA SHOW tb-q
< used=11
> MEMBER TIER tb-w program=tb-p
< tier=lo qualifying=26
> REFUND $t id=f2
< points=-9 balance=22
> QUOTA SHOW tb-q
< used=7
> MEMBER TIER tb-w program=tb-p
< tier=lo qualifying=17
# what is cut is told with the tier
> QUOTA SET tb-q limit=10
< OK
> EARN tb-w merchant=tb-s spend=100 id=3
< points=13 capped=4 tier=hi balance=35 tx=$u
> HISTORY tb-w limit=1
< 1 records
< points=13 capped=4 tier=hi
> REFUND $u id=f3
< points=-13 balance=22
> QUOTA SHOW tb-q
< used=7 left=3
> QUOTA SET tb-q limit=100
< OK
# in a pool
> POOL ADD tb-f
< OK
> MEMBER ADD tb-m
< OK
> MEMBER SET tb-m pool=tb-f
< OK
> EARN tb-m merchant=tb-s spend=300 id=1
< points=37 tier=hi balance=42 tx=$m
@ settle
> QUOTA SHOW tb-q
< used=14
> MEMBER TIER tb-m program=tb-p
< tier=hi qualifying=37
> REFUND $m spend=150 id=f1
< points=-18 balance=24
@ settle
> QUOTA SHOW tb-q
< used=11
> MEMBER TIER tb-m program=tb-p
< tier=lo qualifying=19
# what the pool refuses gives back what it drew: a debt there does not stop an earning, a closed pool does
> MEMBER CLOSE tb-f
< OK
> EARN tb-m merchant=tb-s spend=300 id=2
< -CLOSED
@ settle
> QUOTA SHOW tb-q
< used=11
> MEMBER TIER tb-m program=tb-p
< qualifying=19
# merged: a return of FROM's sale gives back to the budget
> MEMBER ADD tb-z
< OK
> EARN tb-z merchant=tb-s spend=400 id=1
< points=47 tier=hi balance=52 tx=$z
> MEMBER MERGE tb-z tb-w id=mm
< into=tb-w
@ settle
> QUOTA SHOW tb-q
< used=18
> REFUND $z id=f1
< points=-47
@ settle
> QUOTA SHOW tb-q
< used=11
> AUDIT
< 1 records
< sum=0 intransit=0
< …
