# [P] What reaching a tier gives comes behind the purchase that reaches it: it has what that leaves of budgets and of caps (sections 5 and 6; R17, R20)
@ time 2026-04-02T10:00:00Z
> PROGRAM SET tb-p earn=1/1
< OK
> MERCHANT SET tb-s program=tb-p
< OK
> TIER SET tb-p low rank=1 at=0 by=spend period=year
< OK
> TIER SET tb-p high rank=2 at=1000 by=spend period=year
< OK
> QUOTA SET tb-q limit=171 per=day
< OK
> CAMPAIGN SET tb-c budget=tb-q state=running
< OK
> RULE SET tb-b program=tb-p stage=base earn=4/33 campaign=tb-c state=running
< OK
> RULE SET tb-t program=tb-p stage=bonus event=tier-up points=13 campaign=tb-c state=running
< OK
> MEMBER ADD tb-a
< OK
> MEMBER ADD tb-b
< OK
# floor(1000 × 4/33) = 121, and 13 of the 50 that are left
> SIMULATE EARN tb-a merchant=tb-s spend=1000 id=e1
< points=121 balance=134 tier=high
> EARN tb-a merchant=tb-s spend=1000 id=e1
< points=121 balance=134 tier=high tx=$a1
@ settle
> QUOTA SHOW tb-q
< used=134 left=37
# floor(3422 × 4/33) = 414: cut to 37, and nothing is left for the event
> SIMULATE EARN tb-b merchant=tb-s spend=3422 id=e1
< points=37 capped=377 balance=37 tier=high
> EARN tb-b merchant=tb-s spend=3422 id=e1
< points=37 capped=377 balance=37 tier=high tx=$b1
@ settle
> BALANCE tb-b
< balance=37
> QUOTA SHOW tb-q
< used=171 left=0
> REFUND $b1 id=f1
< balance=0
> QUOTA SHOW tb-q
< used=134 left=37
# Another day; the purchase takes 166 of 171: 5 are left for the event
@ time 2026-04-03T10:00:00Z
> MEMBER ADD tb-c
< OK
> EARN tb-c merchant=tb-s spend=1370 id=e1
< points=166 !capped tier=high
@ settle
> BALANCE tb-c
< balance=171
> QUOTA SHOW tb-q
< used=171 left=0
# A cap of the program: 95 of 100 are the purchase's, 5 of 13 the event's
> PROGRAM SET tb-u earn=1/1 earn-cap=100/day
< OK
> MERCHANT SET tb-v program=tb-u
< OK
> TIER SET tb-u low rank=1 at=0 by=points period=year
< OK
> TIER SET tb-u high rank=2 at=60 by=points period=year gift=points:7
< OK
> RULE SET tb-w program=tb-u stage=bonus event=tier-up points=13 state=running
< OK
> SIMULATE EARN tb-a merchant=tb-v spend=95 id=e2
< points=95 balance=107 tier=high
> EARN tb-a merchant=tb-v spend=95 id=e2
< points=95 balance=107 tier=high tx=$a2
> EARN tb-a merchant=tb-v spend=5 id=e3
< points=0 capped=5
# What comes back leaves room: 95
> REFUND $a2 id=f2
< balance=12
> EARN tb-a merchant=tb-v spend=96 id=e4
< points=95 capped=1
