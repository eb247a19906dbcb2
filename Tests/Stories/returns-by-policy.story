# [P] Returns of lapsed and spent points by each policy, grace, the refund window (R7, R8, R9, A2, A10)
@ time 2026-01-10T10:00:00Z
> PROGRAM SET b2-d earn=1/1 expire=5d refund-window=20d refund-grace=2d
< OK
> PROGRAM SET b2-r earn=1/1 expire=5d refund-policy=reject
< OK
> PROGRAM SET b2-x earn=1/1 refund-policy=absorb activate=1d
< OK
> POLICY SET b2-d old expire=100d
< OK
> MERCHANT SET b2-s
< OK
> MEMBER ADD b2-a
< OK
> MEMBER ADD b2-o class=old
< OK
> EARN b2-a merchant=b2-s program=b2-d spend=100 id=e1
< tx=$d1 balance=100
> EARN b2-a merchant=b2-s program=b2-r spend=100 id=e2
< tx=$r1 balance=100
> EARN b2-a merchant=b2-s program=b2-x spend=100 id=e3
< tx=$x1 balance=0
> REDEEM b2-a merchant=b2-s program=b2-d points=30 id=q1
< tx=$q1 balance=70
> REDEEM b2-a merchant=b2-s program=b2-r points=30 id=q2
< tx=$q2 balance=70
# all lapses at 00:00 of 16 January
@ time 2026-01-16T00:00:00Z
@ settle
> BALANCE b2-a program=b2-d
< balance=0 debt=0
# R7: of that lot 70 lapsed unspent, booked back: 30 were spent: debt
> REFUND $d1 id=f1
< points=-100 balance=-30
# reject: 70 lapsed of it come back; 30 were spent: all 100 are too many
> REFUND $r1 id=f2
< -INSUFFICIENT
> REFUND $r1 spend=70 id=f3
< points=-70 balance=0
> REFUND $r1 spend=1 id=f4
< -INSUFFICIENT available=0 needed=1
# undo the redemption of 30: repays the debt of 30 (A2)
> REFUND $q1 id=f5
< balance=0
> BALANCE b2-a program=b2-d
< balance=0 available=0 debt=0
# absorb with all spent
> BALANCE b2-a program=b2-x
< balance=100
> REDEEM b2-a merchant=b2-s program=b2-x points=90 id=q3
< balance=10
> REFUND $x1 spend=50 id=f6
< points=-50 balance=0
> BALANCE b2-a program=b2-x
< balance=0 debt=0
# grace lot of 2 days for what comes back to a lot that has ended: from 16 January: through 18 January
> REFUND $q2 id=f7
< balance=30
> BALANCE b2-a program=b2-r
< balance=30 expiring=30 expires=1769212800000
# the refund window: 20 days run like Nd: through 30 January
> EARN b2-o merchant=b2-s program=b2-d spend=10 at=2026-01-16T00:00:00Z id=o1
< tx=$o1 balance=10
> EARN b2-o merchant=b2-s program=b2-d spend=10 at=2026-01-13T23:00:00Z id=o2
< tx=$o2
@ time 2026-02-05T23:59:00Z
> REFUND $o1 spend=4 id=p1
< balance=16
@ time 2026-02-06T00:00:00Z
> REFUND $o1 spend=4 id=p2
< -LIMIT which=refund-window
> REFUND $o1 spend=4 id=p1
< balance=16
