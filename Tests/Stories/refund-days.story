# [P] The refund window ends with a day, in the program's zone; what a closed member owes is written off (A10, R10; C20, D8)
@ time 2026-01-16T10:00:00Z
> PROGRAM SET q1-d earn=1/1 refund-window=20d
< OK
> MERCHANT SET q1-s
< OK
> MEMBER ADD q1-a
< OK
> EARN q1-a merchant=q1-s spend=10 id=o1
< tx=$o1 balance=10
> EARN q1-a merchant=q1-s spend=10 at=2026-01-14T10:00:00Z id=o2
< tx=$o2 balance=20
> EARN q1-a merchant=q1-s spend=10 id=o3
< tx=$o3 balance=30
> EARN q1-a merchant=q1-s spend=10 id=o4
< tx=$o4 balance=40
@ time 2026-02-03T10:00:00Z
> REFUND $o3 spend=4 id=p0
< balance=36
@ time 2026-02-03T23:58:00Z
> REFUND $o2 spend=4 id=p1
< balance=32
@ time 2026-02-04T02:00:00Z
> REFUND $o1 spend=4 id=p2
< balance=28
@ time 2026-02-05T02:00:00Z
> REFUND $o4 spend=1 id=p3
< balance=27
@ time 2026-02-05T23:58:00Z
> REFUND $o1 spend=4 id=p4
< balance=23
@ time 2026-02-06T00:00:00Z
> REFUND $o1 spend=1 id=p5
< -LIMIT
> MEMBER ADD q1-c
< OK
> EARN q1-c merchant=q1-s spend=50 id=e1
< tx=$c1
> REDEEM q1-c merchant=q1-s points=50 id=r1
< balance=0
> REFUND $c1 id=f1
< balance=-50
> MEMBER CLOSE q1-c
< OK
@ settle
> BALANCE q1-c
< balance=0
> HISTORY q1-c limit=1
< 1 records
< kind=absorb points=50 balance=0
> MEMBER SHOW q1-c
< state=closed
> AUDIT
< 1 records
< sum=0 intransit=0
< …
