# [P] Events: of deposits, and those that the product raises; first, visits; 29 February (E6 to E8, C16)
@ time 2026-02-26T10:00:00Z
> PROGRAM SET c2-p earn=1/10 utc-offset=-05:00
< OK
> PROGRAM SET c2-q earn=1/10
< OK
> MERCHANT SET c2-s program=c2-p
< OK
> RULE SET c2-join program=c2-p stage=bonus event=join points=50 when="channel = web" state=running
< OK
> RULE SET c2-joinq program=c2-q stage=bonus event=join points=7 state=running
< OK
> RULE SET c2-ref program=c2-p stage=bonus event=referral points=30 state=running
< OK
> RULE SET c2-refcap program=c2-p stage=cap event=referral cap=50/ever state=running
< OK
> RULE SET c2-born program=c2-p stage=bonus event=birthday points=9 state=running
< OK
> RULE SET c2-dep program=c2-p stage=base event=deposit earn=1/1000 state=running
< OK
> RULE SET c2-depx program=c2-p stage=times event=deposit when="value >= 50000" times=3/2 state=running
< OK
> RULE SET c2-first program=c2-p stage=bonus when="first = yes" points=100 state=running
< OK
> RULE SET c2-visit program=c2-p stage=bonus when="visits = 3" points=33 state=running
< OK
> MEMBER ADD c2-a channel=web birthday=2000-02-29
< OK
@ settle
> BALANCE c2-a program=c2-p
< balance=50
> BALANCE c2-a program=c2-q
< balance=7
> MEMBER ADD c2-b referrer=c2-a channel=pos
< OK
> MEMBER ADD c2-c referrer=c2-a
< OK
> BALANCE c2-b program=c2-p
< balance=0
> EVENT c2-b event=deposit merchant=c2-s value=49999 id=d1
< points=49 balance=49
> EVENT c2-b event=deposit merchant=c2-s value=50999 id=d2
< points=75 balance=124
@ settle
# no purchase yet: no referral
> BALANCE c2-a program=c2-p
< balance=50
> EARN c2-b merchant=c2-s spend=100 id=e1
< points=110 balance=234
@ settle
> BALANCE c2-a program=c2-p
< balance=80
> EARN c2-b merchant=c2-s spend=100 id=e2
< points=10
> EARN c2-b merchant=c2-s spend=100 id=e3
< points=43
> EARN c2-b merchant=c2-s spend=100 id=e4
< points=10
# the second invitee: capped at 50 ever: 20
> EARN c2-c merchant=c2-s spend=10 id=e1
< points=101
@ settle
> BALANCE c2-a program=c2-p
< balance=100
# the birthday of 29 February on 28 February at 00:00 in -05:00 = 05:00Z
@ time 2026-02-28T04:59:00Z
@ settle
> BALANCE c2-a program=c2-p
< balance=100
> DUE kind=birthday on=2026-02-28
< 1 records
< member=c2-a
@ time 2026-02-28T05:00:10Z
@ settle
> BALANCE c2-a program=c2-p
< balance=109
> DUE kind=birthday on=2028-02-28
< 0 records
> DUE kind=birthday on=2028-02-25 days=5
< 1 records
< member=c2-a
# once a year
@ time 2026-03-02T05:00:10Z
@ settle
> BALANCE c2-a program=c2-p
< balance=109
> EVENT c2-a event=unheard program=c2-p id=v1
< points=0 balance=109 program=c2-p
> EVENT c2-a event=deposit value=1000 id=v2
< program=c2-p points=1
