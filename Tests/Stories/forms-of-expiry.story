# [P] Every form of expiry, what prolongs activity, EXTEND of one and of all (R3, R5, A18, A19)
@ time 2026-01-31T10:00:00Z
> PROGRAM SET a2-n earn=1/1 expire=never
< OK
> PROGRAM SET a2-d earn=1/1 expire=10d+5d
< OK
> PROGRAM SET a2-m earn=1/1 expire=0m
< OK
> PROGRAM SET a2-q earn=1/1 expire=0q
< OK
> PROGRAM SET a2-a earn=1/1 expire=activity:30d
< OK

> MERCHANT SET a2-s
< OK
> MEMBER ADD a2-x
< OK
> MEMBER ADD a2-y
< OK
> EARN a2-x merchant=a2-s program=a2-n spend=10 id=n
< balance=10
> EARN a2-x merchant=a2-s program=a2-d spend=10 id=d
< balance=10
> EARN a2-x merchant=a2-s program=a2-m spend=10 id=m
< balance=10
> EARN a2-x merchant=a2-s program=a2-q spend=10 id=q
< balance=10
> EARN a2-x merchant=a2-s program=a2-a spend=100 id=a
< balance=100 tx=$a
> BALANCE a2-x program=a2-n
< balance=10
# 10d + 5d: 31 Jan + 15 = 15 Feb; ends 16 Feb 00:00Z
> BALANCE a2-x program=a2-d
< expiring=10 expires=1771200000000
# 0m: ends 1 Feb
> BALANCE a2-x program=a2-m
< expiring=10 expires=1769904000000
# 0q: ends 1 April
> BALANCE a2-x program=a2-q
< expiring=10 expires=1775001600000
# activity: 31 Jan + 30d = 2 March; at 00:00 of the day after: 3 March
> BALANCE a2-x program=a2-a
< expiring=100 expires=1772496000000
> EXTEND a2-x program=a2-a until=2030-01-01 reason=r id=xa
< lots=0 points=0
> BALANCE a2-x all=yes
< 5 records
< program=a2-a balance=100
< program=a2-d balance=10
< program=a2-m balance=10
< program=a2-n balance=10
< program=a2-q balance=10
@ time 2026-02-20T10:00:00Z
@ settle
# a given point does not prolong and follows the holder's date: y has none: given now
> TRANSFER a2-x a2-y points=30 program=a2-a id=t
< points=30 balance=70
> BALANCE a2-x program=a2-a
< expiring=70 expires=1772496000000
> BALANCE a2-y program=a2-a
< balance=30 expiring=30 expires=*
# a refund does not prolong
> REFUND $a points=10 id=f
< balance=60
> BALANCE a2-x program=a2-a
< expires=1772496000000
# redeem prolongs: 20 Feb + 30 = 22 March; ends 23 March
> REDEEM a2-x merchant=a2-s program=a2-a points=10 id=r
< balance=50
> BALANCE a2-x program=a2-a
< expires=1774224000000
# hold does not, capture does
@ time 2026-02-25T10:00:00Z
> HOLD a2-x merchant=a2-s program=a2-a points=10 id=h ttl=864000
< tx=$h
> BALANCE a2-x program=a2-a
< expires=1774224000000
@ time 2026-02-27T10:00:00Z
> CAPTURE $h id=c
< balance=40
# 27 Feb + 30 = 29 March; ends 30 March
> BALANCE a2-x program=a2-a
< expires=1774828800000
@ time 2026-03-29T23:59:59Z
> BALANCE a2-x program=a2-a
< available=40
@ time 2026-03-30T00:00:00Z
> REDEEM a2-x merchant=a2-s program=a2-a points=1 id=r9
< -INSUFFICIENT available=0
# EXTEND moves held points too (A18)
@ time 2026-03-30T10:00:00Z
> EARN a2-x merchant=a2-s program=a2-q spend=20 id=q2
> HOLD a2-x merchant=a2-s program=a2-q points=25 id=h2 ttl=864000
< tx=$h2 available=5
> EXTEND a2-x program=a2-q until=2026-06-01 reason=r id=x1
< lots=1 points=30
> EXTEND a2-x program=a2-q until=2026-05-01 reason=r id=x2
< lots=0 points=0
> BALANCE a2-x program=a2-q
< balance=30 held=25 available=5 expiring=5 expires=1780272000000
@ time 2026-04-02T10:00:00Z
> RELEASE $h2 id=rl
< balance=30 available=30
> EXTEND a2-x program=a2-q until=2020-01-01 reason=r id=x3
< -LIMIT
> EXTEND all program=a2-q until=2026-07-01 reason=r id=j1
< job=j1
@ settle
> JOB SHOW j1
< job=j1 state=done done=2 total=2
> BALANCE a2-x program=a2-q
< expiring=30 expires=1782864000000
