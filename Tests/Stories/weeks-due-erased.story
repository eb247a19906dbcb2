# [P] A budget by weeks of the zone, whom DUE names, jobs, erasure (D7, C16, C21, O3)
@ time 2026-08-03T10:00:00Z
> PROGRAM SET s1-p earn=1/1 expire=10d utc-offset=+09:00
< OK
> MERCHANT SET s1-s program=s1-p
< OK
> QUOTA SET s1-w limit=10 per=week
< OK
> CAMPAIGN SET s1-c budget=s1-w state=running
< OK
> RULE SET s1-r program=s1-p stage=bonus campaign=s1-c points=6 state=running
< OK
> MEMBER ADD s1-a name="Ann" birthday=1970-08-04 card=s1-1 x.k=v
< OK
> ALIAS ADD login:s1.a member=s1-a
< OK
> EARN s1-a merchant=s1-s spend=10 id=1
< points=16
> EARN s1-a merchant=s1-s spend=10 id=2
< points=14 capped=2
# Sunday 9 August 23:59 in +09 = 14:59Z; Monday begins at 15:00Z
@ time 2026-08-09T14:59:00Z
> EARN s1-a merchant=s1-s spend=10 id=3
< points=10 capped=6
@ time 2026-08-09T15:00:00Z
> EARN s1-a merchant=s1-s spend=10 id=4
< points=16
> QUOTA SHOW s1-w
< used=6 left=4
> DUE kind=expiry on=2026-08-13 days=3
< 1 records
< member=s1-a date=2026-08-14
> DUE kind=anniversary on=2027-08-03
< 1 records
< member=s1-a
> DUE kind=birthday on=2027-08-04
< 1 records
< member=s1-a name=Ann date=2027-08-04
> DUE kind=nonsense on=2027-08-04
< -ERR
> MEMBER ERASE s1-a
< OK
> MEMBER ERASE card:s1-1
< -NOTFOUND
> MEMBER ERASE s1-a
< OK
> DUE kind=birthday on=2027-08-04
< 0 records
> BALANCE s1-a
< balance=56
> MEMBER ADD s1-b card=s1-1
< OK
> EARN card:s1-1 merchant=s1-s spend=10 id=1
< member=s1-b
> EXTEND all program=s1-p until=2026-12-31 reason=x id=j
< job=j
> EXTEND all program=s1-p until=2026-12-31 reason=x id=j
< job=j
@ settle
> JOB SHOW j
< job=j state=done
> JOB SHOW nojob
< -NOTFOUND
> BALANCE s1-a
< balance=56 expires=1798642800000
> MEMBER FIND x.k=v
< 1 records
< cursor=*
