# [P] SIMULATE answers what the purchase would get, also of budgets that members of other shards have drawn on (section 5: quotas, SIMULATE, EXPLAIN)
@ time 2026-02-02T10:00:00Z
> PROGRAM SET sb-p earn=0/1
< OK
> MERCHANT SET sb-s program=sb-p
< OK
> QUOTA SET sb-q limit=100
< OK
> CAMPAIGN SET sb-c budget=sb-q state=running
< OK
> RULE SET sb-r program=sb-p stage=bonus points=30 campaign=sb-c state=running
< OK
> RULE SET sb-v program=sb-p stage=bonus event=visit points=5 campaign=sb-c state=running
< OK
> MEMBER ADD sb-1
< OK
> MEMBER ADD sb-2
< OK
> MEMBER ADD sb-3
< OK
> MEMBER ADD sb-4
< OK
> MEMBER ADD sb-5
< OK
> MEMBER ADD sb-6
< OK
> SIMULATE EARN sb-1 merchant=sb-s spend=1
< points=30 balance=30
> EARN sb-1 merchant=sb-s spend=1 id=e1
< points=30 tx=$t1
> EARN sb-2 merchant=sb-s spend=1 id=e2
< points=30
> SIMULATE EARN sb-3 merchant=sb-s spend=1
< points=30 !capped
> EARN sb-3 merchant=sb-s spend=1 id=e3
< points=30
# 100 - 90 = 10 are left, wherever they lie
> SIMULATE EARN sb-4 merchant=sb-s spend=1
< points=10 capped=20
> SIMULATE EARN sb-1 merchant=sb-s spend=1
< points=10 capped=20 balance=40
> EARN sb-4 merchant=sb-s spend=1 id=e4
< points=10 capped=20
> SIMULATE EARN sb-5 merchant=sb-s spend=1
< points=0 capped=30
> SIMULATE EVENT sb-6 event=visit
< points=0 capped=5
> EXPLAIN EARN sb-5 merchant=sb-s spend=1
< 1 records
< step=*
< …
> EARN sb-5 merchant=sb-s spend=1 id=e5
< points=0 capped=30
# What a return gives back is there for all
> REFUND $t1 id=f1
< balance=0
> SIMULATE EARN sb-6 merchant=sb-s spend=1
< points=30
> SIMULATE EARN sb-6 merchant=sb-s spend=1 read=local
< points=30 asof=*
> POOL ADD sb-pool
< OK
> MEMBER SET sb-6 pool=sb-pool
< OK
> SIMULATE EARN sb-6 merchant=sb-s spend=1
< points=30 balance=30
> EARN sb-6 merchant=sb-s spend=1 id=e6
< points=30 balance=30
> SIMULATE EARN sb-6 merchant=sb-s spend=1
< points=0 capped=30 balance=30
> QUOTA SHOW sb-q
< used=100 left=0
# A month's: the purchase's own period, by its effective time
> PROGRAM SET sb-m earn=0/1
< OK
> QUOTA SET sb-mq limit=50 per=month
< OK
> CAMPAIGN SET sb-mc budget=sb-mq state=running
< OK
> RULE SET sb-mr program=sb-m stage=bonus points=30 campaign=sb-mc state=running
< OK
> EARN sb-1 merchant=sb-s program=sb-m spend=1 id=m1
< points=30
> SIMULATE EARN sb-2 merchant=sb-s program=sb-m spend=1
< points=20 capped=10
> SIMULATE EARN sb-3 merchant=sb-s program=sb-m spend=1
< points=20 capped=10
> QUOTA SET sb-mq limit=1000
< OK
> SIMULATE EARN sb-3 merchant=sb-s program=sb-m spend=1
< points=30
> QUOTA SET sb-mq limit=20
< OK
> SIMULATE EARN sb-4 merchant=sb-s program=sb-m spend=1
< points=0 capped=30
> QUOTA SET sb-mq limit=50
< OK
@ time 2026-03-01T10:00:00Z
> SIMULATE EARN sb-2 merchant=sb-s program=sb-m spend=1
< points=30
> SIMULATE EARN sb-2 merchant=sb-s program=sb-m spend=1 at=2026-02-28T12:00:00Z
< points=20 capped=10
> EARN sb-2 merchant=sb-s program=sb-m spend=1 at=2026-02-28T12:00:00Z id=m2
< points=20 capped=10
> SIMULATE EARN sb-3 merchant=sb-s program=sb-m spend=1 at=2026-02-28T12:00:00Z
< points=0 capped=30
# An empty one that refuses
> PROGRAM SET sb-f earn=0/1
< OK
> QUOTA SET sb-fq limit=20 when-empty=refuse
< OK
> CAMPAIGN SET sb-fc budget=sb-fq state=running
< OK
> RULE SET sb-fr program=sb-f stage=bonus points=15 campaign=sb-fc state=running
< OK
> EARN sb-1 merchant=sb-s program=sb-f spend=1 id=r1
< points=15
> SIMULATE EARN sb-2 merchant=sb-s program=sb-f spend=1
< -LIMIT which=sb-fq
> EXPLAIN EARN sb-2 merchant=sb-s program=sb-f spend=1
< -LIMIT which=sb-fq
> EARN sb-2 merchant=sb-s program=sb-f spend=1 id=r2
< -LIMIT which=sb-fq
> SIMULATE EARN sb-1 merchant=sb-s program=sb-f spend=1
< -LIMIT which=sb-fq
> QUOTA SET sb-fq state=stopped
< OK
> SIMULATE EARN sb-3 merchant=sb-s program=sb-f spend=1
< -LIMIT which=sb-fq
> EARN sb-3 merchant=sb-s program=sb-f spend=1 id=r3
< -LIMIT which=sb-fq
