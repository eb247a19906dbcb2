# What the clock does by itself: points lapse at midnight of the program's zone, a hold ends; nothing comes back
@ time 2026-01-31T10:00:00Z
> PROGRAM SET ck-points earn=1/10 expire=1d
< OK
> MERCHANT SET ck-shop program=ck-points
< OK
> MEMBER ADD ck-ann
< OK
> EARN ck-ann merchant=ck-shop spend=1000 id=e1
< points=100 balance=100 tx=$t1
> HOLD ck-ann merchant=ck-shop points=40 id=h1 ttl=3600
< tx=$h1 balance=100 available=60
# an hour later the hold has ended
@ time 2026-01-31T11:00:01Z
@ settle
> BALANCE ck-ann program=ck-points
< balance=100 held=0 available=100
> CAPTURE $h1 id=c1
< -REVERSED left=0
# good for the rest of the day of the earning and one day more
@ time 2026-02-01T23:59:50Z
> REDEEM ck-ann merchant=ck-shop points=30 id=r1
< balance=70
@ time 2026-02-02T00:00:00Z
@ settle
> BALANCE ck-ann program=ck-points
< balance=0 held=0 available=0
> REDEEM ck-ann merchant=ck-shop points=1 id=r2
< -INSUFFICIENT available=0 needed=1
> HISTORY ck-ann program=ck-points
< 1 records
< kind=expire points=-70 balance=0
< …
