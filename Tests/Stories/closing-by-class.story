# [P] Closing by class: an heir, holds, pending points, debt, what comes after (C20, A20)
@ time 2026-03-01T10:00:00Z
> PROGRAM SET b4-p earn=1/1
< OK
> PROGRAM SET b4-w earn=1/1 activate=3d
< OK
> MEMBER ADD b4-h
< OK
> POLICY SET b4-p kin on-close=transfer:b4-h
< OK
> MERCHANT SET b4-s
< OK
> MEMBER ADD b4-k class=kin
< OK
> MEMBER ADD b4-c
< OK
> EARN b4-k merchant=b4-s program=b4-p spend=100 id=e1
< tx=$k1 balance=100
> EARN b4-k merchant=b4-s program=b4-w spend=40 id=e2
< tx=$k2
> HOLD b4-k merchant=b4-s program=b4-p points=30 id=h1
< tx=$kh available=70
> EARN b4-c merchant=b4-s program=b4-p spend=50 id=e1
< tx=$c1
> REDEEM b4-c merchant=b4-s program=b4-p points=50 id=r1
< tx=$cr balance=0
> REFUND $c1 id=f1
< balance=-50
# debt is written off
> MEMBER CLOSE b4-c
< OK
> BALANCE b4-c program=b4-p
< balance=0 debt=0
> MEMBER CLOSE b4-k
< OK
@ settle
> BALANCE b4-h program=b4-p
< balance=100 available=100
> BALANCE b4-k program=b4-p
< balance=0 held=0
> BALANCE b4-k program=b4-w
< pending=0 balance=0
> MEMBER SHOW b4-k
< state=closed
# A20
> REFUND $k1 id=f1
< -CLOSED
> RELEASE $kh id=f2
< -REVERSED left=0
> CAPTURE $kh id=f3
< -CLOSED
> MEMBER CLOSE b4-k
< OK
> MEMBER THAW b4-k
< -CLOSED
> EARN b4-k merchant=b4-s program=b4-p spend=1 id=z
< -CLOSED
> AUDIT
< 1 records
< sum=0
< …
# an heir that is closed: what then
> MEMBER ADD b4-k2 class=kin
< OK
> EARN b4-k2 merchant=b4-s program=b4-p spend=10 id=e
< balance=10
> MEMBER CLOSE b4-h
< OK
> MEMBER CLOSE b4-k2
@ settle
> BALANCE b4-k2 program=b4-p
< balance=0
> BALANCE b4-h program=b4-p
< balance=0
