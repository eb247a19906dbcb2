# [P] Campaigns and their budgets: cut, refused, returned, by month, lowered (A8 of the capabilities, H1)
@ time 2026-04-29T10:00:00Z
> PROGRAM SET c3-p earn=1/10
< OK
> MERCHANT SET c3-s program=c3-p
< OK
> QUOTA SET c3-q limit=100 per=month
< OK
> QUOTA SET c3-r limit=50 when-empty=refuse
< OK
> CAMPAIGN SET c3-c title=C budget=c3-q from=2026-04-29 until=2026-05-20 state=running
< OK
> CAMPAIGN SET c3-d title=D budget=c3-r state=running
< OK
> RULE SET c3-x program=c3-p stage=times campaign=c3-c times=2/1 state=running
< OK
> RULE SET c3-y program=c3-p stage=bonus campaign=c3-d when="channel = app" points=20 state=running
< OK
> MEMBER ADD c3-a
< OK
> MEMBER ADD c3-b
< OK
# 40 + 40 extra drawn
> EARN c3-a merchant=c3-s spend=400 id=e1
< points=80 tx=$e1
> QUOTA SHOW c3-q
< limit=100 used=40 left=60
# 80 + 60 of 80
> EARN c3-b merchant=c3-s spend=800 id=e1
< points=140 capped=20
> QUOTA SHOW c3-q
< used=100 left=0
> EARN c3-b merchant=c3-s spend=100 id=e2
< points=10 capped=10
# half of e1 back: gives 20 back to the quota
> REFUND $e1 spend=200 id=f1
< points=-40
> QUOTA SHOW c3-q
< used=80 left=20
> EARN c3-b merchant=c3-s spend=300 id=e3
< points=50 capped=10
# refuse: 20, 20, then 10 left
> EARN c3-a merchant=c3-s spend=0 channel=app id=g1
< points=20
> EARN c3-b merchant=c3-s spend=0 channel=app id=g1
< points=20 tx=$g
> EARN c3-b merchant=c3-s spend=0 channel=app id=g2
< -LIMIT which=c3-r
> EARN c3-b merchant=c3-s spend=0 channel=app id=g2
< -LIMIT which=c3-r
> REFUND $g id=g3
< points=-20
> EARN c3-a merchant=c3-s spend=0 channel=app id=g4
< points=20
> QUOTA SHOW c3-r
< used=40 left=10
> CAMPAIGN REPORT c3-d
< members=* transactions=* points=40
# a new month; a late sale draws on its own month
@ time 2026-05-01T10:00:00Z
> QUOTA SHOW c3-q
< used=0 left=100
> EARN c3-a merchant=c3-s spend=100 id=h1
< points=20
> QUOTA SHOW c3-q
< used=10 left=90
> EARN c3-a merchant=c3-s spend=100 at=2026-04-30T10:00:00Z id=h2
< points=10 capped=10
> QUOTA SHOW c3-q
< used=10 left=90
# limit below what is used stops draws
> QUOTA SET c3-q limit=5
< OK
> EARN c3-a merchant=c3-s spend=100 id=h3
< points=10 capped=10
> QUOTA SET c3-q limit=15
< OK
> EARN c3-a merchant=c3-s spend=100 id=h4
< points=15 capped=5
> CAMPAIGN SET c3-c state=stopped
< OK
> EARN c3-a merchant=c3-s spend=100 id=h5
< points=10 !capped
> CAMPAIGN SET c3-c state=running
< OK
@ time 2026-05-20T00:00:00Z
> EARN c3-a merchant=c3-s spend=100 id=h6
< points=10 !capped
> CAMPAIGN REPORT c3-c
< campaign=c3-c members=2
> QUOTA SHOW c3-nope
< -NOTFOUND
