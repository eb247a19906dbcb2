# docs/programme.md, as it is written.
> PROGRAM SET gold earn=1/1000 expire=1y utc-offset=+08:00
< OK
> MERCHANT SET cafe program=gold
< OK
> MEMBER ADD ann name="Ann Lee"
< OK
> EARN ann merchant=cafe spend=25000 id=sale-1
< points=25 balance=25
> EXTEND ann until=2030-01-01 reason=complaint id=ext-1
< lots=1 points=25
> BALANCE ann expiring=yes
< 1 records
< points=25 expires=1893427200000
> PROGRAM SET travel earn=1/100 activate=7d expire=2y
< OK
> EARN ann merchant=cafe program=travel spend=9900 id=sale-2
< points=99 balance=0 tx=$t
> BALANCE ann program=travel
< balance=0 available=0 pending=99
> REFUND $t id=back-2
< balance=0
> BALANCE ann program=travel
< balance=0 pending=0 debt=0
> PROGRAM SET gold redeem-min=10 redeem-max=500 redeem-step=10 transfer-limit=200
< OK
> REDEEM ann merchant=cafe points=9 id=r1
< -LIMIT which=redeem-min
> REDEEM ann merchant=cafe points=15 id=r2
< -LIMIT which=redeem-step
> MEMBER ADD bob class=employee
< OK
> POLICY SET gold employee expire=3m transfer=no on-close=lapse
< OK
> POLICY LIST program=gold
< 1 records
< program=gold class=employee expire=3m transfer=no
> EARN bob merchant=cafe spend=50000 id=sale-3
< points=50 balance=50
> TRANSFER bob ann points=10 id=gift-1
< -LIMIT which=transfer
> TRANSFER ann bob points=20 id=gift-2
< balance=5
> POLICY SET gold employee expire=6m from=2030-01-01
< OK
> MEMBER SET ann birthday=1990-06-07 channel=web x.shoe=38
< OK
> MEMBER TAG ann vip newsletter
< OK
> MEMBER SHOW ann
< member=ann class=consumer tags=newsletter,vip birthday=1990-06-07 x.shoe=38
> MEMBER ADD charity
< OK
> PROGRAM SET gold on-close=transfer:charity
< OK
> MEMBER CLOSE ann
< OK
@ settle
> BALANCE charity
< balance=5
> AUDIT
< 1 records
< shard=* sum=0 intransit=0
< …
