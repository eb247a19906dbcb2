# [P] Lines, factors, a bonus, a cut, and returns by line and by money, worked out by hand (R6, R12, R14, R15; A4, A11, A13, A14)
@ time 2027-05-10T08:00:00Z
> PROGRAM SET lc-p earn=1/100 earn-cap=80/day
< OK
> MERCHANT SET lc-s program=lc-p
< OK
> PRODUCT SET lc-a category=lcA brand=lcX
< OK
> PRODUCT SET lc-b category=lcB brand=lcX
< OK
> RULE SET lc-base program=lc-p stage=base when="category = lcA" earn=3/100 state=running
< OK
> RULE SET lc-times program=lc-p stage=times when="tag = lcVip" times=3/2 state=running
< OK
> RULE SET lc-bonus program=lc-p stage=bonus when="spend >= 3000" points=10 state=running
< OK
> MEMBER ADD lc-m
< OK
> MEMBER TAG lc-m lcVip
< OK
# a: floor(1050 × 3/100) = 31; b and c by the program: floor(2432/100) = 24; 55 × 3/2 = 82; and 10 are 92, of which 80 are credited
> EARN lc-m merchant=lc-s spend=3482 lines="lc-a:1:1050,lc-b:2:2099,lc-c:1:333" id=e1
< points=80 capped=12 balance=80 tx=$t1
# Of their own a has 31, b 21, c 3: of 80 they have 45, 31 (the remainder) and 4
> REFUND $t1 lines="lc-c:1:333" id=f1
< points=-4 balance=76
> REFUND $t1 lines="lc-b:1:1049" id=f2
< points=-15 balance=61
> REFUND $t1 lines="lc-b:1:1051" id=f3
< -REVERSED
> REFUND $t1 lines="lc-b:1:1050" id=f4
< points=-16 balance=45
> REFUND $t1 points=5 id=f5
< -ERR
> REFUND $t1 lines="lc-a:2:1050" id=f6
< -REVERSED
> REFUND $t1 lines="lc-a:1:1" id=f7
< points=0 balance=45
> REFUND $t1 lines="lc-a:1:1049" id=f8
< -REVERSED
> REFUND $t1 id=f9
< points=-45 balance=0
> REFUND $t1 id=f10
< -REVERSED left=0
# The day has its room again
> EARN lc-m merchant=lc-s spend=6000 id=e2
< points=80 capped=20 balance=80 tx=$t2
# By money, in thirds: floor(80/3) = 26, floor(160/3) - 26 = 27, and the rest
> REFUND $t2 spend=2000 id=g1
< points=-26 balance=54
> REFUND $t2 spend=2000 id=g2
< points=-27 balance=27
> REFUND $t2 points=1 id=g3
< -ERR
> REFUND $t2 spend=2001 id=g4
< -REVERSED left=2000
> REFUND $t2 spend=2000 id=g5
< points=-27 balance=0
# One line must meet all of a condition with facts of lines (A14)
> RULE SET lc-both program=lc-p stage=bonus when="category = lcB and brand = lcY" points=5 state=running
< OK
> PRODUCT SET lc-y category=lcC brand=lcY
< OK
> EARN lc-m merchant=lc-s spend=200 lines="lc-b:1:100,lc-y:1:100" id=e3
< points=3
> PRODUCT SET lc-b brand=lcY
< OK
> EARN lc-m merchant=lc-s spend=200 lines="lc-b:1:100,lc-y:1:100" id=e4
< points=8
# A stop in base is for its line alone (A13): lc-b is taken out of base by a fixed rule of 2 a piece; quantity 3
> RULE SET lc-fix program=lc-p stage=fixed when="sku = lc-b" points=2 stop=yes state=running
< OK
> RULE SET lc-fix2 program=lc-p stage=fixed when="sku = lc-y" points=4 priority=200 state=running
< OK
# 3 × 2 + 1 × 4 + 1 (of lc-d 100) = 11; × 3/2 = 16; and 5
> SIMULATE EARN lc-m merchant=lc-s spend=700 lines="lc-b:3:500,lc-y:1:100,lc-d:1:100" id=e5
< points=21
> EARN lc-m merchant=lc-s spend=700 lines="lc-b:3:500,lc-y:1:100,lc-d:1:100" id=e5
< points=21 tx=$t5
# Own points 6, 4, 1; the other 10 in proportion: 5.45, 3.63, 0.9 are 5, 3, 0 and the remainders to lc-d and lc-y: 11, 8, 2
> REFUND $t5 lines="lc-y:1:100" id=h1
< points=-8
> REFUND $t5 lines="lc-d:1:100" id=h2
< points=-2
> REFUND $t5 lines="lc-b:1:250" id=h3
< points=-5
> REFUND $t5 lines="lc-b:3:250" id=h4
< -REVERSED
> REFUND $t5 lines="lc-b:2:250" id=h5
< points=-6
# points= is the outcome of base: block and cap alone apply to it
> EARN lc-m merchant=lc-s points=50 id=e6
< points=50 !capped
> EARN lc-m merchant=lc-s points=50 id=e7
< capped=31 points=19
