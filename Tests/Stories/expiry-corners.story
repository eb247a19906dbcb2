# [P] Where months, quarters and years end: leap days, zones, waiting points, extensions (R2, R3, R4, A18, A21; section 2)
@ time 2028-01-31T10:00:00Z
> PROGRAM SET ex-m earn=1/1 expire=1m
< OK
> PROGRAM SET ex-q earn=1/1 expire=1q+10d
< OK
> PROGRAM SET ex-d earn=1/1 expire=365d
< OK
> PROGRAM SET ex-z earn=1/1 expire=0m utc-offset=-05:00
< OK
> PROGRAM SET ex-w earn=1/1 expire=0m activate=1d
< OK
> PROGRAM SET ex-y earn=1/1 expire=0y+60d
< OK
> MERCHANT SET ex-s program=ex-m
< OK
> MEMBER ADD ex-a
< OK
> EARN ex-a merchant=ex-s spend=10 id=e1
< points=10
# January's points lapse a month after its end: with February, which has 29 days
> BALANCE ex-a program=ex-m expiring=yes
< 1 records
< points=10 expires=1835481600000
# Quarter 1 ends with March; a quarter after that, and ten days of grace
> EARN ex-a merchant=ex-s program=ex-q spend=20 id=e2
< points=20
> BALANCE ex-a program=ex-q expiring=yes
< 1 records
< points=20 expires=1846886400000
# The year's end and 60 days: 2029 has no 29 February
> EARN ex-a merchant=ex-s program=ex-y spend=7 id=e3
< points=7
> BALANCE ex-a program=ex-y
< expiring=7 expires=1867104000000
# Waiting a day, from January into February: validity counts from then (R4)
> EARN ex-a merchant=ex-s program=ex-w spend=5 id=e4
< points=5
> BALANCE ex-a program=ex-w
< pending=5 balance=0 available=0 !expires
@ time 2028-02-01T00:00:00Z
> BALANCE ex-a program=ex-w
< pending=0 balance=5 expiring=5 expires=1835481600000
@ time 2028-02-29T12:00:00Z
> EARN ex-a merchant=ex-s program=ex-d spend=30 id=e5
< points=30
# 29 February and 365 days are 28 February 2029: good through that
> BALANCE ex-a program=ex-d
< expiring=30 expires=1867017600000
> EARN ex-a merchant=ex-s spend=1 id=e6
< balance=11
> BALANCE ex-a program=ex-m expiring=yes
< 2 records
< points=10 expires=1835481600000
< points=1 expires=1838160000000
# In that zone it is 29 February until 05:00
> EARN ex-a merchant=ex-s program=ex-z spend=3 id=e7
< points=3
> BALANCE ex-a program=ex-z
< expires=1835499600000
@ time 2028-02-29T23:59:30Z
> REDEEM ex-a merchant=ex-s program=ex-w points=1 id=r1
< balance=4
> HOLD ex-a merchant=ex-s points=4 ttl=600 id=h1
< tx=$h1 balance=11 available=7
# EXTEND moves what is held, too (A18)
> EXTEND ex-a program=ex-m until=2028-05-01 reason=x id=x1
< lots=2 points=11
@ time 2028-03-01T00:00:00Z
> REDEEM ex-a merchant=ex-s program=ex-w points=1 id=r2
< -INSUFFICIENT available=0 needed=1
> BALANCE ex-a program=ex-m
< balance=11 held=4 available=7 expiring=7 expires=1840752000000
> RELEASE $h1 id=l1
< balance=11 available=11
> BALANCE ex-a program=ex-m expiring=yes
< 1 records
< points=11 expires=1840752000000
# Nothing ends before that: nothing moves
> EXTEND ex-a program=ex-m until=2028-04-15 reason=x id=x2
< lots=0 points=0
> EXTEND ex-a program=ex-m until=2028-05-01 reason=x id=x3
< lots=0 points=0
> EARN ex-a merchant=ex-s program=ex-z spend=2 id=e8
< balance=5
@ time 2028-03-01T04:59:59Z
> BALANCE ex-a program=ex-z
< balance=5
@ time 2028-03-01T05:00:00Z
> BALANCE ex-a program=ex-z
< balance=0
# A date is in the program's zone: 00:00 of 1 April there
> EARN ex-a merchant=ex-s program=ex-z spend=2 id=e9
< balance=2
> EXTEND ex-a program=ex-z until=2028-06-01 reason=x id=x4
< lots=1 points=2
> BALANCE ex-a program=ex-z
< expires=1843448400000
# EXTEND is no way to end points sooner, or in the past
> EXTEND ex-a program=ex-z until=2028-01-01 reason=x id=x5
< -LIMIT
@ time 2028-05-01T00:00:00Z
@ settle
> BALANCE ex-a program=ex-m
< balance=0
> HISTORY ex-a program=ex-m limit=3
< 1 records
< kind=expire points=-11 balance=0
< …
# The quarter's and the year's
@ time 2028-07-10T23:59:59Z
> BALANCE ex-a program=ex-q
< balance=20
@ time 2028-07-11T00:00:00Z
> BALANCE ex-a program=ex-q
< balance=0
@ settle
