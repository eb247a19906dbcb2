# [P] Two at once: holds and debt and expiry in pools and merges; tier gifts by merges; erasure of a merged member; a member who moves pools
@ time 2026-10-01T10:00:00Z
> PROGRAM SET m1-p earn=1/10 expire=3d refund-grace=1d
< OK
> TIER SET m1-p lo rank=1 at=0 by=spend period=ever
< OK
> TIER SET m1-p hi rank=2 at=1000 by=spend period=ever gift=points:7
< OK
> MERCHANT SET m1-s program=m1-p
< OK
> MEMBER ADD m1-a name=A card=m1-ca
< OK
> MEMBER ADD m1-b
< OK
> MEMBER ADD m1-c
< OK
> POOL ADD m1-f
< OK
> POOL ADD m1-g
< OK
> EARN m1-a merchant=m1-s spend=600 id=1
< points=60 balance=60 tx=$a1
> EARN m1-b merchant=m1-s spend=700 id=1
< points=70 balance=70
# together 1300: hi by the counters added, with no purchase: no gift, until the next that counts
> MEMBER MERGE m1-a m1-b id=mm
< into=m1-b balance=130
@ settle
> MEMBER TIER m1-b program=m1-p
< qualifying=1300
> EARN m1-b merchant=m1-s spend=10 id=2
< points=1
> MEMBER TIER m1-b program=m1-p
< tier=hi qualifying=1310
> MEMBER ERASE m1-a
< OK
> BALANCE card:m1-ca
< member=m1-b
> MEMBER SHOW m1-a
< state=closed
# a pool: hold there, it ends there; leaves with nothing
> MEMBER SET m1-c pool=m1-f
< OK
> EARN m1-c merchant=m1-s spend=1000 id=1
< points=100 tier=hi balance=107
> HOLD m1-c merchant=m1-s points=50 id=h ttl=600000
< tx=$h balance=107 available=57
> MEMBER SET m1-c pool=m1-g
< OK
> BALANCE m1-c
< pool=m1-g balance=0
> EARN m1-c merchant=m1-s spend=100 id=2
< points=10 balance=10
> CAPTURE $h points=20 id=c
< balance=87 available=87
@ settle
> BALANCE m1-f
< balance=87
@ time 2026-10-05T00:00:00Z
@ settle
> BALANCE m1-f
< balance=0
> BALANCE m1-g
< balance=0
> REFUND $h points=5 id=rf
< balance=5
> BALANCE m1-f
< balance=5 expiring=5 expires=1791331200000
> MEMBER CLOSE m1-c
< OK
@ settle
> MEMBER SHOW m1-g
< pool-members=0
> AUDIT
< 1 records
< sum=0 intransit=0
< …
