# [P] Tiers of twelve months from 29 February, waiting points in tiers, visits of returned sales, caps after a change of class (A15, A22, A23, A24)
@ time 2028-02-29T09:00:00Z
> PROGRAM SET pe-p earn=1/1
< OK
> PROGRAM SET pe-w earn=1/1 activate=2d
< OK
> PROGRAM SET pe-v earn=1/1
< OK
> PROGRAM SET pe-c earn=1/1 earn-cap=100/day
< OK
> POLICY SET pe-c staff earn-cap=60/day
< OK
> MERCHANT SET pe-s program=pe-p
< OK
> TIER SET pe-p base rank=1 at=0 by=spend period=12m
< OK
> TIER SET pe-p gold rank=2 at=100 by=spend period=12m
< OK
> TIER SET pe-w base rank=1 at=0 by=points period=year
< OK
> TIER SET pe-w gold rank=2 at=100 by=points period=year
< OK
> TIER SET pe-v base rank=1 at=0 by=visits period=year
< OK
> TIER SET pe-v gold rank=2 at=2 by=visits period=year
< OK
> MEMBER ADD pe-a
< OK
> MEMBER TIER pe-a program=pe-p
< tier=base qualifying=0 next=gold needed=100
# Of two classes' caps: what was credited counts for both
> EARN pe-a merchant=pe-s program=pe-c spend=70 id=c1
< points=70
> MEMBER SET pe-a class=staff
< OK
> EARN pe-a merchant=pe-s program=pe-c spend=10 id=c2
< points=0 capped=10
> MEMBER SET pe-a class=
< OK
> EARN pe-a merchant=pe-s program=pe-c spend=50 id=c3
< points=30 capped=20
# A visit that is returned in whole was a visit (A24)
> EARN pe-a merchant=pe-s program=pe-v spend=1 id=v1
< tx=$v1 !tier
> REFUND $v1 id=v2
< balance=0
> EARN pe-a merchant=pe-s program=pe-v spend=1 id=v3
< tier=gold
@ time 2028-12-30T09:00:00Z
# Points that become active on 1 January count in 2029 (A15)
> EARN pe-a merchant=pe-s program=pe-w spend=100 id=w1
< points=100 !tier tx=$w1
> MEMBER TIER pe-a program=pe-w
< tier=base qualifying=0
@ time 2029-01-01T00:00:00Z
@ settle
> MEMBER TIER pe-a program=pe-w
< tier=gold qualifying=100
@ time 2029-02-27T20:00:00Z
> EARN pe-a merchant=pe-s spend=100 id=e1
< tier=gold
# The twelve months end as 28 February begins: gold by what they came to, till 28 February 2030
@ time 2029-02-28T00:00:00Z
> MEMBER TIER pe-a program=pe-p
< tier=gold qualifying=0
> EARN pe-a merchant=pe-s spend=99 id=e2
< points=99
@ time 2030-02-27T23:59:59Z
> MEMBER TIER pe-a program=pe-p
< tier=gold qualifying=99
@ time 2030-02-28T00:00:00Z
@ settle
> MEMBER TIER pe-a program=pe-p
< tier=base qualifying=0
