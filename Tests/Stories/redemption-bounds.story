# [P] Bounds of a redemption and a hold by class, and days on which there is one (F2, F13, F14)
@ time 2026-12-20T10:00:00Z
> PROGRAM SET b3-p earn=1/1 redeem-min=10 redeem-max=100 redeem-step=10 redeem-window=12-25..01-05
< OK
> POLICY SET b3-p gold redeem-max=500 redeem-step=1
< OK
> MERCHANT SET b3-s program=b3-p
< OK
> MEMBER ADD b3-a
< OK
> MEMBER ADD b3-g class=gold
< OK
> EARN b3-a merchant=b3-s spend=1000 id=e
< balance=1000
> EARN b3-g merchant=b3-s spend=1000 id=e
< balance=1000
> REDEEM b3-a merchant=b3-s points=10 id=r0
< -LIMIT which=redeem-window
@ time 2026-12-25T00:00:00Z
> REDEEM b3-a merchant=b3-s points=9 id=r1
< -LIMIT which=redeem-min
> REDEEM b3-a merchant=b3-s points=15 id=r2
< -LIMIT which=redeem-step
> REDEEM b3-a merchant=b3-s points=110 id=r3
< -LIMIT which=redeem-max
> HOLD b3-a merchant=b3-s points=110 id=h0
< -LIMIT which=redeem-max
> HOLD b3-a merchant=b3-s points=100 id=h1 ttl=2000000
< tx=$h1 available=900
> REDEEM b3-g merchant=b3-s points=487 id=r1
< balance=513
> REDEEM b3-g merchant=b3-s points=501 id=r2
< -LIMIT which=redeem-max
> REDEEM b3-g merchant=b3-s points=9 id=r3
< -LIMIT which=redeem-min
@ time 2027-01-05T23:59:59Z
> REDEEM b3-a merchant=b3-s points=20 id=r4
< balance=980 tx=$r4
@ time 2027-01-06T00:00:00Z
> REDEEM b3-a merchant=b3-s points=20 id=r5
< -LIMIT which=redeem-window
# begun inside, captured outside, in part, below every bound
> CAPTURE $h1 points=7 id=c1
< balance=973 available=973
# an undone redemption is no redemption
> REFUND $r4 points=3 id=f1
< balance=976
# the window is taken back
> PROGRAM SET b3-p redeem-window=
< OK
> REDEEM b3-a merchant=b3-s points=20 id=r6
< balance=956
> PROGRAM SET b3-p redeem-window=02-30..03-01
< -ERR
