# [P] SIMULATE answers what the request would: the tier that it reaches, the gift, what the event of that gives (A16)
@ time 2026-03-01T10:00:00Z
> PROGRAM SET ag-points earn=1/100
< OK
> MERCHANT SET ag-shop program=ag-points
< OK
> TIER SET ag-points base rank=1 at=0 by=spend period=year down=earned
< OK
> TIER SET ag-points silver rank=2 at=10000 by=spend period=year down=earned gift=points:5
< OK
> TIER SET ag-points gold rank=3 at=20000 by=spend period=year down=earned gift=points:50
< OK
> RULE SET ag-up program=ag-points stage=bonus event=tier-up when="tier = gold" points=7 state=running
< OK
> MEMBER ADD ag-ann
< OK
# two ranks at once: 200 + the gift of gold, 50, + 7 of the event
> SIMULATE EARN ag-ann merchant=ag-shop spend=20000
< points=200 balance=257 tier=gold !tx
> SIMULATE EARN ag-ann merchant=ag-shop spend=10000
< points=100 balance=105 tier=silver
> EXPLAIN EARN ag-ann merchant=ag-shop spend=20000
< 2 records
< step=base points=200 total=200
< step=lots balance=257 tier=gold gift=50
> BALANCE ag-ann program=ag-points
< balance=0 tier=base qualifying=0
> EARN ag-ann merchant=ag-shop spend=20000 id=e1
< points=200 balance=257 tier=gold tx=$t1
# returned and reached again: neither the gift nor the event a second time
> REFUND $t1 id=f1
< balance=57
> SIMULATE EARN ag-ann merchant=ag-shop spend=20000
< points=200 balance=257 tier=gold
> EARN ag-ann merchant=ag-shop spend=20000 id=e2
< points=200 balance=257 tier=gold
