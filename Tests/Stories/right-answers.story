# [P] Late sales of what has ended or waits, held points that lapsed, returns by money or points, announced changes (A3, A4, A7, A8, A9, A17, A21)
@ time 2026-03-10T10:00:00Z
> PROGRAM SET h1-p earn=1/1 expire=5d backdate=20d
< OK
> PROGRAM SET h1-w earn=1/1 activate=5d expire=5d backdate=20d
< OK
> PROGRAM SET h1-a earn=1/1 expire=activity:5d backdate=20d
< OK
> PROGRAM SET h1-n earn=1/1
< OK
> MERCHANT SET h1-s program=h1-n earn=2/1
< OK
> RULE SET h1-r program=h1-p stage=bonus points=3 state=running
< OK
> MEMBER ADD h1-m
< OK
# A7: before the first version of the rule: not in force; the program is as first set
> EARN h1-m merchant=h1-s program=h1-p spend=10 at=2026-03-09T10:00:00Z id=1
< points=10 balance=10
# A9: so old that the points have ended: booked and lapsed in one entry; debt repaid first
> EARN h1-m merchant=h1-s program=h1-p spend=50 at=2026-03-01T10:00:00Z id=2
< points=50 balance=10
> BALANCE h1-m program=h1-p
< balance=10
> REDEEM h1-m merchant=h1-s program=h1-p points=10 id=r1
< balance=0
> EARN h1-m merchant=h1-s program=h1-p spend=20 id=3
< points=23 balance=23 tx=$t3
> REDEEM h1-m merchant=h1-s program=h1-p points=23 id=r2
< balance=0
> REFUND $t3 id=f1
< balance=-23
> EARN h1-m merchant=h1-s program=h1-p spend=15 at=2026-03-02T10:00:00Z id=4
< points=15 balance=-8
> EARN h1-m merchant=h1-s program=h1-p spend=15 at=2026-03-02T10:00:00Z id=5
< points=15 balance=0
> BALANCE h1-m program=h1-p
< balance=0 debt=0
# A21: activate with at=: 00:00 of the 5th day after the effective time, at once if past
> EARN h1-m merchant=h1-s program=h1-w spend=10 at=2026-03-08T10:00:00Z id=6
< points=10 balance=0
> EARN h1-m merchant=h1-s program=h1-w spend=20 at=2026-03-05T09:00:00Z id=7
< points=20 balance=20
# validity counts from the activation (10 March + 5: through 15 March)
> BALANCE h1-m program=h1-w
< expiring=20 expires=1773619200000 pending=10
@ time 2026-03-13T00:00:00Z
@ settle
> BALANCE h1-m program=h1-w
< balance=30 pending=0
# A17: activity goes by booking time
> EARN h1-m merchant=h1-s program=h1-a spend=10 at=2026-03-03T00:00:00Z id=8
< points=10 balance=10
> BALANCE h1-m program=h1-a
< expires=1773878400000
# A3: held points that lapse at release lapse, and repay nothing
> EARN h1-m merchant=h1-s program=h1-p spend=40 id=9
< points=43 balance=43 tx=$t9
> HOLD h1-m merchant=h1-s program=h1-p points=30 id=h1 ttl=2000000
< tx=$h1 available=13
> REDEEM h1-m merchant=h1-s program=h1-p points=13 id=r3
< balance=30
> REFUND $t9 spend=40 id=f9
< balance=-13
> BALANCE h1-m program=h1-p
< held=30 debt=43 available=0
@ time 2026-03-19T00:00:00Z
> RELEASE $h1 id=rl
< balance=-43
> BALANCE h1-m program=h1-p
< held=0 debt=43 available=0
# A4: money and points are not mixed
> EARN h1-m merchant=h1-s spend=30 id=10
< points=60 tx=$t10
> REFUND $t10 spend=10 id=g1
< points=-20
> REFUND $t10 points=5 id=g2
< -ERR
> REFUND $t10 id=g3
< points=-40
> EARN h1-m merchant=h1-s spend=30 id=11
< points=60 tx=$t11
> REFUND $t11 points=5 id=g4
< points=-5
> REFUND $t11 spend=5 id=g5
< -ERR
> REFUND $t11 points=56 id=g6
< -REVERSED left=55
> REFUND $t11 id=g7
< points=-55
# A8: SET while a later change is announced changes those after it too
> PROGRAM SET h1-n earn=3/1 title=T from=2026-03-25
< OK
> PROGRAM SET h1-n title=U
< OK
> PROGRAM SHOW h1-n at=2026-03-26
< earn=3/1 title=U
> PROGRAM SET h1-n earn=5/1
< OK
> PROGRAM SHOW h1-n at=2026-03-26
< earn=5/1 title=U
> PROGRAM HISTORY h1-n
< 4 records
< version=4 earn=5/1
< version=3 title=U
< version=2 earn=3/1 title=T
< version=1 earn=1/1
> PROGRAM SET h1-n earn=1/1 from=2026-03-19
< OK
> PROGRAM SET h1-n earn=1/1 from=2026-03-18
< -LIMIT which=from
