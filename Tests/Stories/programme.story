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
> PRODUCT SET tea category=drinks
< OK
> PROGRAM SET club earn=1/100
< OK
> RULE SET drinks program=club stage=base when="category = drinks" earn=3/100 state=running
< OK
> RULE SET weekend program=club stage=times when="weekday in (sat, sun)" times=2/1 from=2099-01-01 state=running
< OK
> RULE SET vip program=club stage=bonus when="tag = vip and spend >= 5000" points=50 state=running
< OK
> RULE SET limit program=club stage=cap cap=500/day state=running
< OK
> RULE SET survey program=club stage=bonus event=survey points=20 state=running
< OK
> MEMBER ADD cyd
< OK
> MEMBER TAG cyd vip
< OK
# 40.00 × 3/100 = 120, 20.00 × 1/100 = 20, and 50
> SIMULATE EARN cyd merchant=cafe program=club spend=6000 lines="tea:2:4000,bun:1:2000" id=try
< points=190
> EARN cyd merchant=cafe program=club spend=6000 lines="tea:2:4000,bun:1:2000" id=sale-4
< points=190 balance=190 tx=$s
> EVENT cyd event=survey program=club id=survey-1
< points=20 balance=210
> EXPLAIN $s
< 1 records
< step=base rule=drinks points=120 total=120
< …
> PROGRAM SET club earn-cap=1000/day,5000/month
< OK
> TIER SET club base rank=1 at=0 by=spend period=year
< OK
> TIER SET club silver rank=2 at=10000 by=spend period=year earn-times=3/2
< OK
> TIER SET club gold rank=3 at=50000 by=spend period=year earn-times=2/1 gift=points:100
< OK
# what came before counts for nothing; the limit of 500 a day cuts the second, and no gift
> EARN cyd merchant=cafe program=club spend=8000 id=sale-5
< points=130 balance=340 !tier
> MEMBER TIER cyd program=club
< tier=base qualifying=8000 next=silver needed=2000
> EARN cyd merchant=cafe program=club spend=42000 id=sale-6
< points=180 capped=290 balance=620 tier=gold
> RULE SET golden program=club stage=bonus when="tier = gold and category = drinks" points=5 state=running
< OK
> RULE SET welcome program=club stage=bonus event=tier-up points=25 state=running
< OK
> MEMBER FIND tier=gold
< 2 records
< member=cyd tier=gold
< cursor=
> RULE SET born program=club stage=bonus event=birthday points=50 state=running
< OK
> RULE SET invited program=club stage=bonus event=referral points=200 state=running
< OK
> MEMBER ADD dan referrer=cyd birthday=1991-03-14
< OK
> EARN dan merchant=cafe program=club spend=100 id=sale-7
< points=1
@ settle
> BALANCE cyd program=club
< balance=820
> DUE kind=birthday on=2099-03-14
< 1 records
< member=dan date=2099-03-14
> DUE kind=expiry on=2099-01-01 days=31
< 0 records
> DUE kind=dormant on=2099-06-01 days=180
< 1 records
< member=*
< …
> MEMBER SET ann birthday=1990-06-07 channel=web x.shoe=38
< OK
> MEMBER TAG ann vip newsletter
< OK
> ALIAS ADD phone:4917012345 member=ann
< OK
> MEMBER SHOW phone:4917012345
< member=ann class=consumer tags=newsletter,vip birthday=1990-06-07 x.shoe=38
> MEMBER FIND tag=vip
< 1 records
< member=*
< …
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
