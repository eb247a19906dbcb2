# [P] Merges: debt, pending, activity, caps, returns of FROM's sales, twice in a row (R23)
@ time 2026-06-10T10:00:00Z
> PROGRAM SET g1-p earn=1/10 earn-cap=100/day refund-window=90d
< OK
> PROGRAM SET g1-w earn=1/10 activate=5d expire=30d
< OK
> PROGRAM SET g1-a earn=1/10 expire=activity:10d
< OK
> TIER SET g1-w lo rank=1 at=0 by=points period=year
< OK
> TIER SET g1-w hi rank=2 at=100 by=points period=year gift=points:9
< OK
> MERCHANT SET g1-s program=g1-p
< OK
> MEMBER ADD g1-f card=g1-1
< OK
> MEMBER ADD g1-t
< OK
> MEMBER ADD g1-u
< OK
> EARN g1-f merchant=g1-s spend=600 id=1
< points=60 tx=$f1
> EARN g1-f merchant=g1-s program=g1-w spend=600 id=2
< points=60 balance=0 tx=$w1
> EARN g1-t merchant=g1-s program=g1-w spend=500 id=2
< points=50 balance=0
> EARN g1-f merchant=g1-s program=g1-a spend=500 id=3
< points=50 balance=50
> EARN g1-t merchant=g1-s spend=300 id=1
< points=30 tx=$t1
> REDEEM g1-t merchant=g1-s points=30 id=r1
< balance=0
> REFUND $t1 id=f1
< balance=-30
@ time 2026-06-12T10:00:00Z
> EARN g1-t merchant=g1-s program=g1-a spend=10 id=4
< points=1
> MEMBER MERGE g1-f g1-t id=m1
< from=g1-f into=g1-t
@ settle
# debt of 30 repaid by 60
> BALANCE g1-t program=g1-p
< balance=30 debt=0 available=30
> BALANCE g1-t program=g1-w
< pending=110 balance=0
# activity: the later date: 12 June + 10 = 22: ends 23 June 00:00
> BALANCE g1-t program=g1-a
< balance=51 expiring=51 expires=1782172800000
> MEMBER SHOW g1-f
< state=closed merged=g1-t
> EARN card:g1-1 merchant=g1-s spend=100 id=5
< member=g1-t points=10 balance=40
> EARN g1-f merchant=g1-s spend=600 id=1
< points=60 tx=$f1
# a repeat by an alias that was FROM's
> EARN card:g1-1 merchant=g1-s spend=600 id=1
< points=60 tx=$f1
# returned in part: acts on INTO
> REFUND $f1 spend=100 id=f2
< points=-10
@ settle
> BALANCE g1-t program=g1-p
< balance=30
> MEMBER MERGE g1-t g1-u id=m2
< from=g1-t into=g1-u
@ settle
> BALANCE g1-u program=g1-p
< balance=30
> REFUND $f1 spend=100 id=f3
< points=-10
@ settle
> BALANCE g1-u program=g1-p
< balance=20
> REFUND $w1 spend=100 id=f4
@ settle
> BALANCE g1-u program=g1-w
< pending=100
# 15 June 00:00: active: 100 points: hi with gift 9
@ time 2026-06-15T01:00:00Z
@ settle
> BALANCE g1-u program=g1-w
< pending=0 balance=109 tier=hi qualifying=100
# lots of 15 June + 30d: 15 July; ends 16 July
> BALANCE g1-u program=g1-w expiring=yes
< 1 records
< points=109 expires=1784160000000
> MEMBER MERGE g1-f g1-u id=m3
< -CLOSED merged=g1-t
> MEMBER MERGE g1-f g1-t id=m1
< from=g1-f into=g1-t
> AUDIT
< 1 records
< sum=0 intransit=0
< …
