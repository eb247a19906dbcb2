# [P] Budgets, caps and lines together: what is cut by which, what a return gives back to each, pools and merges (R6, R17, R18, R23; A11)
@ time 2026-09-01T10:00:00Z
> PROGRAM SET k1-p earn=1/10 earn-cap=100/day
< OK
> MERCHANT SET k1-s program=k1-p
< OK
> PRODUCT SET k1tea category=drinks
< OK
> PRODUCT SET k1pan category=kitchen
< OK
> QUOTA SET k1-q limit=60
< OK
> CAMPAIGN SET k1-c budget=k1-q state=running
< OK
> RULE SET k1-fix program=k1-p stage=fixed when="sku = k1pan" points=15 state=running
< OK
> RULE SET k1-x program=k1-p stage=times when="category = drinks" campaign=k1-c times=2/1 state=running
< OK
> RULE SET k1-b program=k1-p stage=bonus when="quantity >= 2" points=10 state=running
< OK
> RULE SET k1-cap program=k1-p stage=cap when="category = kitchen" cap=80/day state=running
< OK
> MEMBER ADD k1-a
< OK
> MEMBER ADD k1-m
< OK
> POOL ADD k1-f
< OK
> MEMBER SET k1-m pool=k1-f
< OK
# tea 200 → 20, pan 2 × 15 = 30: 50; times 2: 50 more; bonus 10: 110; the rule's cap 80: 30 cut: bonus 10, then times 20: 30 are drawn of the budget
> EARN k1-a merchant=k1-s spend=500 lines="k1tea:1:200,k1pan:2:300" id=1
< points=80 capped=30 tx=$a1
> QUOTA SHOW k1-q
< used=30 left=30
# 80 divided by 20:30 = 32 and 48; half of the pans back: floor(48 × 150/300) = 24
> REFUND $a1 lines="k1pan:1:150" id=f1
< points=-24 balance=56
# 30 × 24/80 = 9 come back to the budget
> QUOTA SHOW k1-q
< used=21 left=39
# 24 of room in the rule's cap, 44 in the day's: one pan 15, times takes no part
> EARN k1-a merchant=k1-s spend=150 lines="k1pan:1:150" id=2
< points=15 balance=71
# tea alone: 20 + 20 of the budget: the day has 100 - 56 - 15 = 29: 11 cut from times: 9 drawn
> EARN k1-a merchant=k1-s spend=200 lines="k1tea:1:200" id=3
< points=29 capped=11 balance=100
> QUOTA SHOW k1-q
< used=30 left=30
# in a pool: the member's cap, the budget all the same
> EARN k1-m merchant=k1-s spend=200 lines="k1tea:1:200" id=1
< points=40 balance=40 tx=$m1
@ settle
> QUOTA SHOW k1-q
< used=50 left=10
> REFUND $m1 spend=100 id=f1
< points=-20 balance=20
@ settle
> QUOTA SHOW k1-q
< used=40 left=20
# the budget runs out: 20 + 20 of 30; what is cut by the budget counts as capped
> EARN k1-m merchant=k1-s spend=300 lines="k1tea:1:300" id=2
< points=50 capped=10 balance=70
> EARN k1-m merchant=k1-s spend=300 lines="k1tea:1:300" id=3
< points=30 capped=30 balance=100
# 20 + 50 + 30 of the member's 100: full
> EARN k1-m merchant=k1-s spend=100 id=4
< points=0 capped=10 balance=100
# merged: caps add: a has 100 too
> MEMBER SET k1-m pool=none
< OK
> MEMBER MERGE k1-m k1-a id=mm
< into=k1-a
@ settle
> EARN k1-a merchant=k1-s spend=100 id=5
< points=0 capped=10
> REFUND $a1 id=f2
< points=-56 balance=44
# what counts is 200 - 56 = 144: still no room
> EARN k1-a merchant=k1-s spend=100 id=6
< points=0 capped=10
@ settle
> AUDIT
< 1 records
< sum=0 intransit=0
< …
> EXPLAIN $a1
< 1 records
< step=base points=20 total=20
< …
