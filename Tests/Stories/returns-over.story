# [P] Returns over caps, quotas, tiers and the ends of campaigns (R6, R7, R8, R18, R19, R20, A10; sections 5, 6)
@ time 2027-03-30T10:00:00Z
> PROGRAM SET ro-p earn=1/1 earn-cap=100/day,250/month
< OK
> MERCHANT SET ro-s program=ro-p
< OK
> TIER SET ro-p base rank=1 at=0 by=points period=year
< OK
> TIER SET ro-p silver rank=2 at=150 by=points period=year earn-times=2/1 gift=points:7
< OK
> MEMBER ADD ro-a
< OK
> EARN ro-a merchant=ro-s spend=80 id=e1
< points=80 balance=80 tx=$t1
# 20 are left of the day
> EARN ro-a merchant=ro-s spend=50 id=e2
< points=20 capped=30 balance=100 tx=$t2
> EARN ro-a merchant=ro-s spend=50 id=e3
< points=0 capped=50 tx=$t3
# A return gives room back to its day: 40 of 80
> REFUND $t1 spend=40 id=f1
< points=-40 balance=60
> EARN ro-a merchant=ro-s spend=50 id=e4
< points=40 capped=10 balance=100 tx=$t4
@ time 2027-03-31T10:00:00Z
# A return of yesterday's sale gives today nothing
> REFUND $t1 id=f2
< points=-40 balance=60
> EARN ro-a merchant=ro-s spend=150 id=e5
< points=100 capped=50 balance=167 tx=$t5 tier=silver
# 20 + 40 + 100 = 160: silver, and its gift of 7. A return takes the tier back and not the gift
> MEMBER TIER ro-a program=ro-p
< tier=silver qualifying=160
> REFUND $t4 spend=25 id=f3
< points=-20 balance=147
> MEMBER TIER ro-a program=ro-p
< tier=base qualifying=140 next=silver needed=10
# The month has 140: 110 more, and 100 of the day, of which 0 are left today
> EARN ro-a merchant=ro-s spend=50 id=e6
< points=0 capped=50
@ time 2027-04-01T09:00:00Z
# Late for yesterday: its day is full
> EARN ro-a merchant=ro-s spend=50 id=e7 at=2027-03-31T12:00:00Z
< points=0 capped=50
# For 29 March, which had nothing: 100 of the day, 110 of the month
> EARN ro-a merchant=ro-s spend=150 id=e8 at=2027-03-29T12:00:00Z
< points=100 capped=50 balance=247 tier=silver
# The gift was given already
> MEMBER TIER ro-a program=ro-p
< tier=silver qualifying=240
# April is another month: silver doubles
> EARN ro-a merchant=ro-s spend=30 id=e9
< points=60 balance=307
