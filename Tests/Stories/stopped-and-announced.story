# [P] Policies, quotas, campaigns that are stopped; tiers announced; who is found; references that are not there (A16, R16; A8 of the capabilities)
@ time 2026-11-02T10:00:00Z
> PROGRAM SET n1-p earn=1/10 earn-cap=50/day
< OK
> POLICY SET n1-p vip earn-cap=200/day redeem-max=20
< OK
> MERCHANT SET n1-s program=n1-p
< OK
> MEMBER ADD n1-v class=vip region=east
< OK
> MEMBER ADD n1-w class=vip region=west
< OK
> EARN n1-v merchant=n1-s spend=1000 id=1
< points=100
> REDEEM n1-v merchant=n1-s points=21 id=r1
< -LIMIT which=redeem-max
> POLICY SET n1-p vip state=stopped
< OK
> REDEEM n1-v merchant=n1-s points=21 id=r2
< balance=79
> EARN n1-v merchant=n1-s spend=1000 id=2
< points=0 capped=100
> POLICY SET n1-p vip state=active earn-cap=
< OK
> EARN n1-v merchant=n1-s spend=1000 id=3
< points=0 capped=100
> PROGRAM SET n1-p earn-cap=
< OK
> EARN n1-v merchant=n1-s spend=1000 id=4
< points=100
> MEMBER FIND class=vip region=east state=active
< 1 records
< member=n1-v
< …
> MEMBER FIND class=vip state=frozen
< 1 records
< cursor=*
> QUOTA SET n1-q limit=100
< OK
> CAMPAIGN SET n1-c budget=n1-q state=running
< OK
> RULE SET n1-r program=n1-p stage=bonus campaign=n1-c points=7 state=running
< OK
> SIMULATE EARN n1-v merchant=n1-s spend=100
< points=17
> QUOTA SET n1-q state=stopped
< OK
> SIMULATE EARN n1-v merchant=n1-s spend=100
< points=10
> QUOTA SET n1-q state=active
< OK
> EARN n1-v merchant=n1-s spend=100 id=5
< points=17 tx=$e
> EXPLAIN $e
< 1 records
< step=base points=10
< …
> EXPLAIN EARN n1-v merchant=n1-s spend=100
< 1 records
< step=base points=10 total=10
< …
> TIER SET n1-p lo rank=1 at=0 by=visits period=year
< OK
> TIER SET n1-p hi rank=2 at=2 by=visits period=year from=2026-11-03
< OK
> EARN n1-w merchant=n1-s spend=100 id=1
< points=17 !tier
> EARN n1-w merchant=n1-s spend=100 id=2
< points=17 !tier
> MEMBER TIER n1-w program=n1-p
< tier=lo
@ time 2026-11-03T10:00:00Z
> MEMBER TIER n1-w program=n1-p
< tier=lo
> EARN n1-w merchant=n1-s spend=100 id=3
< points=17 tier=hi
> MEMBER FIND tier=hi
< 1 records
< member=n1-w tier=hi
< …
> MERCHANT SET n1-s state=closed
< OK
> EARN n1-w merchant=n1-s spend=100 id=4
< -CLOSED
> RULE SET n1-bad program=n1-p stage=bonus points=1 when="spend > 1 and tier > gold"
< -ERR
> CAMPAIGN SET n1-c owner=n1-noorg
< -NOTFOUND
> RULE SET n1-r campaign=n1-none
< -NOTFOUND
> MERCHANT SET n1-s parent=n1-none
< -NOTFOUND
> QUOTA SHOW n1-q
< limit=100 used=28 left=72
> MEMBER FREEZE n1-v
< OK
> MEMBER FIND state=frozen
< 1 records
< member=n1-v
< …
> EVENT n1-v event=x program=n1-p id=ev
< -FROZEN
> SIMULATE EARN n1-v merchant=n1-s spend=1
< -FROZEN
