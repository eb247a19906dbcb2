# [P] Gifts: the class, the day of the zone, debt, pending points, tiers (R8, R19, R22, A6)
@ time 2026-05-01T15:30:00Z
> PROGRAM SET b1-p earn=1/1 transfer-limit=100 utc-offset=+08:00
< OK
> PROGRAM SET b1-w earn=1/1 activate=2d
< OK
> POLICY SET b1-p staff transfer=no
< OK
> TIER SET b1-p lo rank=1 at=0 by=points period=year
< OK
> TIER SET b1-p hi rank=2 at=150 by=points period=year
< OK
> MERCHANT SET b1-s
< OK
> MEMBER ADD b1-a
< OK
> MEMBER ADD b1-b
< OK
> MEMBER ADD b1-s class=staff
< OK
> EARN b1-a merchant=b1-s program=b1-p spend=140 id=e1
< points=140 balance=140 tx=$a1
> EARN b1-s merchant=b1-s program=b1-p spend=100 id=e1
< balance=100
> TRANSFER b1-s b1-a points=1 program=b1-p id=g0
< -LIMIT which=transfer
# a refused transfer does not count
> TRANSFER b1-a b1-b points=101 program=b1-p id=g1
< -LIMIT which=transfer
> TRANSFER b1-a b1-nobody points=60 program=b1-p id=g2
< -NOTFOUND
> TRANSFER b1-a b1-s points=90 program=b1-p id=g3
< points=90 balance=50
> TRANSFER b1-a b1-b points=11 program=b1-p id=g4
< -LIMIT which=transfer
# 00:00 in +08 on 2 May = 16:00Z
@ time 2026-05-01T16:00:00Z
> TRANSFER b1-a b1-b points=50 program=b1-p id=g5
< points=50 balance=0
> MEMBER TIER b1-s program=b1-p
< tier=lo qualifying=100
> MEMBER TIER b1-b program=b1-p
< tier=lo qualifying=0
# of two reasons: the request's own limits before what is available (A6)
> TRANSFER b1-a b1-b points=51 program=b1-p id=g6
< -LIMIT which=transfer
> TRANSFER b1-a b1-b points=50 program=b1-p id=g7
< -INSUFFICIENT available=0 needed=50
# returned after all was given away: debt
> REFUND $a1 spend=40 id=f1
< points=-40 balance=-40
> MEMBER TIER b1-a program=b1-p
< tier=lo qualifying=100
> TRANSFER b1-a b1-b points=1 program=b1-p id=g8
< -INSUFFICIENT
# b gives back: debt repaid first
> TRANSFER b1-b b1-a points=50 program=b1-p id=g9
< balance=0
@ settle
> BALANCE b1-a program=b1-p
< balance=10 debt=0 available=10
# pending is not sent
> EARN b1-a merchant=b1-s program=b1-w spend=30 id=w1
< balance=0
> TRANSFER b1-a b1-b points=1 program=b1-w id=w2
< -INSUFFICIENT available=0 needed=1
# closed recipient
> MEMBER CLOSE b1-b
< OK
> TRANSFER b1-a b1-b points=1 program=b1-p id=h1
< -CLOSED
> TRANSFER b1-a b1-b points=1 program=b1-p id=h1
< -CLOSED
@ settle
> BALANCE b1-a program=b1-p
< balance=10
