# [P] A SET that says nothing of a time keeps it: what was set up ahead runs in its own time, is stopped and goes on in it (A8, R16; E15, H1)
@ time 2026-04-29T10:00:00Z
> PROGRAM SET bk-p earn=1/10
< OK
> MERCHANT SET bk-s program=bk-p
< OK
> MEMBER ADD bk-a
< OK
> CAMPAIGN SET bk-c title=C from=2026-05-01 until=2026-06-01 state=draft
< OK
> RULE SET bk-r program=bk-p stage=bonus points=5 campaign=bk-c state=running
< OK
> CAMPAIGN SET bk-c state=running
< OK
> CAMPAIGN SHOW bk-c
< -CLOSED
> CAMPAIGN SHOW bk-c at=2026-05-02
< campaign=bk-c state=running title=C
> SIMULATE EARN bk-a merchant=bk-s spend=100
< points=10
@ time 2026-05-01T00:00:00Z
> SIMULATE EARN bk-a merchant=bk-s spend=100
< points=15
> CAMPAIGN SET bk-c state=stopped
< OK
> SIMULATE EARN bk-a merchant=bk-s spend=100
< points=10
@ time 2026-05-20T10:00:00Z
> CAMPAIGN SET bk-c state=running
< OK
> SIMULATE EARN bk-a merchant=bk-s spend=100
< points=15
@ time 2026-06-01T00:00:00Z
> SIMULATE EARN bk-a merchant=bk-s spend=100
< points=10
# a rule likewise; its end moves where that is said
> RULE SET bk-t program=bk-p stage=bonus points=7 from=2026-07-01 until=2026-08-01 state=draft
< OK
> RULE SET bk-t state=running
< OK
> RULE SET bk-t points=8 until=2026-08-10
< OK
> SIMULATE EARN bk-a merchant=bk-s spend=100
< points=10
@ time 2026-07-15T10:00:00Z
> SIMULATE EARN bk-a merchant=bk-s spend=100
< points=18
@ time 2026-08-09T23:00:00Z
> SIMULATE EARN bk-a merchant=bk-s spend=100
< points=18
@ time 2026-08-10T00:00:00Z
> SIMULATE EARN bk-a merchant=bk-s spend=100
< points=10
# what is over begins anew
> RULE SET bk-t state=running
< OK
> SIMULATE EARN bk-a merchant=bk-s spend=100
< points=18
# a rule for good, with another figure for a while: what is said now is said of both
> RULE SET bk-u program=bk-p stage=bonus points=1 state=running
< OK
> RULE SET bk-u points=2 from=2026-08-20 until=2026-08-25
< OK
> RULE SET bk-u priority=7
< OK
> RULE SHOW bk-u at=2026-08-21
< points=2 priority=7
> RULE SHOW bk-u at=2026-08-26
< points=1 priority=7
# several times ahead: which is meant has to be said, but for an end of it all
> RULE SET bk-v program=bk-p stage=bonus points=1 from=2026-09-01 until=2026-09-02 state=draft
< OK
> RULE SET bk-v from=2026-10-01 until=2026-10-02
< OK
> RULE SET bk-v state=running
< -ERR
> RULE SET bk-v state=stopped
< OK
> RULE SHOW bk-v at=2026-10-01
< state=stopped
