# Points of all members extended by a job; the type of the card used; a cap that is explained; the clock of a question
@ time 2026-03-01T10:00:00Z
> PROGRAM SET p earn=1/100 expire=30d earn-cap=30/day
< OK
> MERCHANT SET shop program=p
< OK
> CARDTYPE SET gold earn-times=2/1
< OK
> MEMBER ADD lea
< OK
> MEMBER ADD bob
< OK
> ALIAS ADD card:g1 member=lea type=gold
< OK
> EARN lea merchant=shop spend=1000 id=e1
< points=10
> EARN card:g1 merchant=shop spend=1000 id=e2
< points=20
> EARN lea merchant=shop spend=1000 id=e3
< points=0 capped=10 tx=$t
> EXPLAIN $t
< 3 records
< step=base points=10 total=10
< step=cap points=-10 total=0 text="the program gives at most 30/day: 10 → 0"
< step=lots
> EARN bob merchant=shop spend=1000 id=e4
< points=10
> EXTEND ALL program=p until=2026-06-01 reason=goodwill id=x1
< job=x1
> EXTEND all program=p until=2026-06-01 reason=goodwill id=x1
< job=x1
> EXTEND ALL program=p until=2026-07-01 reason=goodwill id=x1
< -CONFLICT
> EXTEND ALL program=none until=2026-07-01 reason=goodwill id=x2
< -NOTFOUND
@ settle
@ time 2026-03-01T10:01:00Z
> JOB SHOW x1
< job=x1 state=done done=2 total=2
> JOB SHOW x9
< -NOTFOUND
> BALANCE lea expiring=yes
< 1 records
< points=30 expires=1780272000000
> BALANCE bob expiring=yes
< 1 records
< points=10 expires=1780272000000
> RULE SET noon program=p stage=bonus when="hour >= 18" points=7 state=running
< OK
@ time 2026-03-02T19:00:00Z
> SIMULATE EARN bob merchant=shop spend=1000
< points=17
> EXPLAIN EARN bob merchant=shop spend=1000
< 4 records
< step=base
< step=bonus points=7
< step=cap
< step=lots
