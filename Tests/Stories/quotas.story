# Quotas over all shards, campaigns and what comes back (A8, business.md 2 and 5)
> PROGRAM SET p earn=1/100
< OK
> MERCHANT SET shop program=p
< OK
> MEMBER ADD lea
< OK
> MEMBER ADD bob
< OK
> MEMBER ADD cyd
< OK
> QUOTA SET b limit=100 when-empty=cut
< OK
> CAMPAIGN SET spring title=Spring budget=b state=running
< OK
> RULE SET gift program=p stage=bonus points=40 campaign=spring state=running
< OK
> EARN lea merchant=shop spend=1000 id=e1
< points=50 balance=50 tx=$t1
> QUOTA SHOW b
< quota=b limit=100 used=40 left=60
> EARN bob merchant=shop spend=1000 id=e2
< points=50 balance=50
> EARN cyd merchant=shop spend=1000 id=e3
< points=30 balance=30 capped=20
> EARN lea merchant=shop spend=1000 id=e4
< points=10 balance=60 capped=40
> QUOTA SHOW b
< quota=b limit=100 used=100 left=0
> CAMPAIGN REPORT spring
< members=3 transactions=3 points=100 spend=3000 left=0
> REFUND $t1 spend=500 id=r1
< points=-25
> QUOTA SHOW b
< used=80 left=20
> EARN cyd merchant=shop spend=0 id=e5
< points=20 capped=20
> QUOTA SET b limit=50
< OK
> EARN cyd merchant=shop spend=0 id=e6
< points=0 capped=40
> QUOTA SHOW b
< limit=50 used=100 left=0
> QUOTA SET b when-empty=refuse limit=130
< OK
> EARN cyd merchant=shop spend=0 id=e7
< -LIMIT which=b
> QUOTA SET b limit=140
< OK
> EARN cyd merchant=shop spend=0 id=e8
< points=40
> CAMPAIGN REPORT spring
< members=3 transactions=5 points=140 spend=2500 left=0
> CAMPAIGN REPORT none
< -NOTFOUND
> PROGRAM SET p utc-offset=+08:00
< -ERR
> PROGRAM SET p utc-offset=+00:00 title=P
< OK
> PROGRAM SET q utc-offset=+08:00
< OK
> PROGRAM SET q utc-offset=+09:00
< OK
> QUOTA LIST
< 1 records
< quota=b limit=140
> QUOTA HISTORY b limit=1
< 1 records
< quota=b limit=140
