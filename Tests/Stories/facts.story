# [P] Conditions on every sort of fact, and on those that are not known (R15)
@ time 2026-06-15T18:30:00Z
> PROGRAM SET g3-p earn=0/1 combine=max
< OK
> MERCHANT SET g3-s program=g3-p region=east
< OK
> MEMBER ADD g3-a birthday=1990-06-16 x.kids=2 x.since=2020-05-01 x.city="New York" class=gold
< OK
> MEMBER TAG g3-a a b
< OK
> RULE SET g3-01 program=g3-p stage=bonus when="merchant = g3-s" points=1 state=running
< OK
> RULE SET g3-02 program=g3-p stage=bonus when="region = east" points=2 state=running
< OK
> RULE SET g3-03 program=g3-p stage=bonus when="region = west" points=4 state=running
< OK
> RULE SET g3-04 program=g3-p stage=bonus when="age >= 35" points=8 state=running
< OK
> RULE SET g3-05 program=g3-p stage=bonus when="age >= 36" points=16 state=running
< OK
> RULE SET g3-06 program=g3-p stage=bonus when="x.kids > 1 and x.kids <= 2" points=32 state=running
< OK
> RULE SET g3-07 program=g3-p stage=bonus when="x.city = \"New York\"" points=64 state=running
< OK
> RULE SET g3-08 program=g3-p stage=bonus when="x.none != a" points=128 state=running
< OK
> RULE SET g3-09 program=g3-p stage=bonus when="not x.none = a" points=256 state=running
< OK
> RULE SET g3-10 program=g3-p stage=bonus when="tag in (b, c) and not tag = d" points=512 state=running
< OK
> RULE SET g3-11 program=g3-p stage=bonus when="weekday = mon and hour = 18 and month = 6 and day = 15 and date = 2026-06-15" points=1024 state=running
< OK
> RULE SET g3-12 program=g3-p stage=bonus when="date >= 2026-06-16" points=2048 state=running
< OK
> RULE SET g3-13 program=g3-p stage=bonus when="spend > 100 or (class = gold and not first = yes)" points=4096 state=running
< OK
> RULE SET g3-14 program=g3-p stage=bonus when="since >= 0" points=8192 state=running
< OK
> RULE SET g3-15 program=g3-p stage=bonus when="tier != x" points=16384 state=running
< OK
> RULE SET g3-16 program=g3-p stage=bonus when="x.since < 2021-01-01" points=32768 state=running
< OK
> RULE SET g3-17 program=g3-p stage=bonus when="category != milk" points=65536 state=running
< OK
> RULE SET g3-18 program=g3-p stage=bonus when="points >= 0" points=131072 state=running
# 1+2+8+32+64+256+512+1024 = 1899 ; first: 13 false (spend 100 not > 100; first = yes) ; 14 since unknown ; 16: 32768
> SIMULATE EARN g3-a merchant=g3-s spend=100 id=1
< points=34667
> EARN g3-a merchant=g3-s spend=100 id=1
< points=34667
# now not first: 4096 and since=0: 8192
> SIMULATE EARN g3-a merchant=g3-s spend=100 id=2
< points=46955
@ time 2026-06-16T18:30:00Z
# next day: age 36 (+16), not mon (-1024), date (+2048)
> SIMULATE EARN g3-a merchant=g3-s spend=100 id=2
< points=47995
