# [P] Factors by their product and by the greatest, stops, caps of rules over weeks and for ever, by hand (R12, R15, R17, R18, R21; A12; section 5)
@ time 2027-12-31T10:00:00Z
> PROGRAM SET fw-p earn=7/100 combine=product
< OK
> PROGRAM SET fw-m earn=7/100
< OK
> MERCHANT SET fw-s program=fw-p
< OK
> MEMBER ADD fw-a
< OK
> MEMBER TAG fw-a fwA fwB
< OK
> RULE SET fw-t1 program=fw-p stage=times when="tag = fwA" times=4/3 state=running
< OK
> RULE SET fw-t2 program=fw-p stage=times when="tag = fwB" times=3/2 state=running
< OK
> RULE SET fw-n1 program=fw-m stage=times when="tag = fwA" times=4/3 state=running
< OK
> RULE SET fw-n2 program=fw-m stage=times when="tag = fwB" times=3/2 state=running
< OK
# floor(999 × 7/100) = 69; × 4/3 × 3/2 = 2, floored once: 138. By the greatest: 103
> EARN fw-a merchant=fw-s spend=999 id=e1
< points=138
> EARN fw-a merchant=fw-s program=fw-m spend=999 id=e2
< points=103
# 1 point: floor(1 × 4/3 × 3/2) = 2, not floor(4/3) × 3/2
> EARN fw-a merchant=fw-s spend=15 id=e3
< points=2
# A stop ends its stage: of equal priorities the id decides, a lower priority comes first
> RULE SET fw-t2 priority=50 stop=yes
< OK
> EARN fw-a merchant=fw-s spend=999 id=e4
< points=103
> RULE SET fw-t1 priority=10
< OK
> EARN fw-a merchant=fw-s spend=999 id=e5
< points=138
# Points that are said are the outcome of base: no factor holds
> EARN fw-a merchant=fw-s points=100 id=e6
< points=100
# A cap for ever, and one a week that begins on Monday: 27 December 2027 to 2 January 2028
> PROGRAM SET fw-c earn=1/1
< OK
> RULE SET fw-ever program=fw-c stage=cap cap=100/ever when="channel = app" state=running
< OK
> RULE SET fw-week program=fw-c stage=cap cap=60/week state=running
< OK
> EARN fw-a merchant=fw-s program=fw-c spend=50 channel=app id=c1
< points=50 tx=$c1
> EARN fw-a merchant=fw-s program=fw-c spend=50 id=c2
< points=10 capped=40 tx=$c2
@ time 2028-01-02T23:59:00Z
> EARN fw-a merchant=fw-s program=fw-c spend=5 id=c3
< points=0 capped=5
@ time 2028-01-03T00:00:00Z
> EARN fw-a merchant=fw-s program=fw-c spend=55 channel=app id=c4
< points=50 capped=5
# Of the app 100 are credited, for ever; the week has 10 left
> EARN fw-a merchant=fw-s program=fw-c spend=55 channel=app id=c5
< points=0 capped=55
> EARN fw-a merchant=fw-s program=fw-c spend=55 id=c6
< points=10 capped=45
# A return gives room to the old week and to the app's cap, not to this week
> REFUND $c1 spend=30 id=r1
< points=-30
> EARN fw-a merchant=fw-s program=fw-c spend=5 channel=app id=c7
< points=0 capped=5
> EARN fw-a merchant=fw-s program=fw-c spend=40 id=c8 at=2028-01-02T12:00:00Z
< points=30 capped=10
@ time 2028-01-10T08:00:00Z
> EARN fw-a merchant=fw-s program=fw-c spend=55 channel=app id=c9
< points=30 capped=25
> EARN fw-a merchant=fw-s program=fw-c spend=55 channel=web id=c10
< points=30 capped=25
# Of several fixed rules the first that takes part, by priority (A12); pieces count, factors hold
> PRODUCT SET fw-x category=fwX
< OK
> RULE SET fw-f1 program=fw-m stage=fixed when="category = fwX" points=10 priority=20 state=running
< OK
> RULE SET fw-f2 program=fw-m stage=fixed when="sku = fw-x" points=99 priority=30 state=running
< OK
# 3 × 10 and floor(100 × 7/100) = 7: 37 × 3/2 = 55
> EARN fw-a merchant=fw-s program=fw-m spend=400 lines="fw-x:3:300,fw-y:1:100" id=m1
< points=55 tx=$m1
# Of their own 30 and 7; the other 18 are 14.59 and 3.41: 15 and 3, so 45 and 10
> REFUND $m1 lines="fw-y:1:100" id=mr1
< points=-10
> REFUND $m1 lines="fw-x:1:100" id=mr2
< points=-15
> REFUND $m1 lines="fw-x:2:200" id=mr3
< points=-30
