# [P] By class: pending points, forms of expiry, caps and bounds of redemption, in the program's zone (R2, R4, R17, R18, A22)
@ time 2026-03-10T10:00:00Z
> PROGRAM SET a1-p earn=1/10 expire=1q+10d utc-offset=+02:00 earn-cap=50/day,120/week,200/month
< OK
> POLICY SET a1-p vip activate=3d expire=0y+30d earn-cap=80/day redeem-min=10 redeem-step=5
< OK
> MERCHANT SET a1-m program=a1-p
< OK
> MEMBER ADD a1-c
< OK
> MEMBER ADD a1-v class=vip
< OK
# 60 cut to 50
> EARN a1-c merchant=a1-m spend=600 id=e1
< points=50 capped=10 balance=50 tx=$c1
# vip: 80 a day; the class's cap takes the place of the program's (all of it: no week)
> EARN a1-v merchant=a1-m spend=900 id=e1
< points=80 capped=10 balance=0 tx=$v1
> BALANCE a1-v program=a1-p
< balance=0 pending=80 available=0
# return half of the spend: floor(80*450/900)=40 pending taken back, no debt
> REFUND $v1 spend=450 id=f1
< points=-40 balance=0
> BALANCE a1-v program=a1-p
< pending=40 debt=0
# room of 40 again today
> EARN a1-v merchant=a1-m spend=500 id=e2
< points=40 capped=10
# 13 March 00:00 +02 = 12 March 22:00Z
@ time 2026-03-12T21:59:59Z
> BALANCE a1-v program=a1-p
< pending=80 available=0
@ time 2026-03-12T22:00:00Z
> BALANCE a1-v program=a1-p
< pending=0 available=80 balance=80
# 0y+30d: ends 2027-01-31 00:00 +02 = 2027-01-30T22:00Z
> BALANCE a1-v expiring=yes program=a1-p
< 1 records
< points=80 expires=1801346400000
> REDEEM a1-v merchant=a1-m points=5 id=r1
< -LIMIT which=redeem-min
> REDEEM a1-v merchant=a1-m points=12 id=r2
< -LIMIT which=redeem-step
> REDEEM a1-v merchant=a1-m points=15 id=r3
< balance=65
# the consumer has no minimum: 1q+10d from March: end of Q2 + 10 days: through 10 July
> REDEEM a1-c merchant=a1-m points=3 id=r1
< balance=47
> BALANCE a1-c program=a1-p
< expiring=47 expires=1783720800000
# week: Mon 9..Sun 15 March; 50 used of 120 in the week; next day 50; then 20
> EARN a1-c merchant=a1-m spend=600 id=e2
< points=50 capped=10
@ time 2026-03-14T10:00:00Z
> EARN a1-c merchant=a1-m spend=600 id=e3
< points=20 capped=40
# month: 200 - 120 = 80: 50 on the 16th, 30 on the 17th
@ time 2026-03-16T10:00:00Z
> EARN a1-c merchant=a1-m spend=600 id=e4
< points=50
@ time 2026-03-17T10:00:00Z
> EARN a1-c merchant=a1-m spend=600 id=e5
< points=30 capped=30
# a late sale counts in the windows of its own day: 15th: week 9-15 is full
> EARN a1-c merchant=a1-m spend=100 at=2026-03-15T10:00:00Z id=e6
< points=0 capped=10
# refund of c1: 50 back; room in day 10 and week 9..15 and month only
> REFUND $c1 id=f1
< points=-50
> EARN a1-c merchant=a1-m spend=100 at=2026-03-15T10:00:00Z id=e7
< points=10
# change of class: the window counts all that was credited in it (A22): 30 today +? of 80
> MEMBER SET a1-c class=vip
< OK
> EARN a1-c merchant=a1-m spend=990 id=e8
< points=50 capped=49
