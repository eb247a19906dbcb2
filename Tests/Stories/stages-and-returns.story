# [P] Stages, priorities, stop, products of factors, caps, points said, returns by line, wrong conditions (R6, R12, R14, R15, A11 to A13)
> PROGRAM SET c1-p earn=1/100 combine=product
< OK
> PROGRAM SET c1-q earn=1/100
< OK
> MERCHANT SET c1-s program=c1-p earn=1/50
< OK
> MERCHANT SET c1-t program=c1-p
< OK
> PRODUCT SET c1tea category=drinks brand=Leaf
< OK
> PRODUCT SET c1ale category=drinks brand=Oak
< OK
> PRODUCT SET c1pan category=kitchen brand=Oak
< OK
> MEMBER ADD c1-a class=vip
< OK
> MEMBER ADD c1-b
< OK
> RULE SET c1-blk program=c1-p stage=block when="type = refused" state=running
< OK
> RULE SET c1-b1 program=c1-p stage=base when="category = drinks" earn=3/100 priority=20 state=running
< OK
> RULE SET c1-b2 program=c1-p stage=base when="brand = Oak" earn=7/100 priority=10 state=running
< OK
> RULE SET c1-f program=c1-p stage=fixed when="sku = c1pan and class = vip" points=11 state=running
< OK
> RULE SET c1-t1 program=c1-p stage=times when="class = vip" times=3/2 state=running
< OK
> RULE SET c1-t2 program=c1-p stage=times when="channel = app" times=5/4 state=running
< OK
> RULE SET c1-o1 program=c1-p stage=bonus when="quantity >= 3" points=5 priority=1 stop=yes state=running
< OK
> RULE SET c1-o2 program=c1-p stage=bonus when="spend >= 100" points=2 priority=2 state=running
< OK
> RULE SET c1-cap program=c1-p stage=cap when="channel = app" cap=40/sale state=running
< OK
> EARN c1-b merchant=c1-s spend=1000 type=refused id=k1
< points=0 reason=c1-blk balance=0
# b, no class: tea 199*3/100=5.97->5; ale and pan by b2 (prio 10): (250+333)*7/100=40.81 -> 40; rest line c1x 101 at merchant 1/50: 2.02 ->2; o2 +2 = 49
> EARN c1-b merchant=c1-s spend=883 lines="c1tea:1:199,c1ale:1:250,c1pan:2:333,c1x:1:101" id=k2
< points=49
# vip: pan 2*11=22 fixed; tea 5; ale 17.5->17; x 2 -> 46; *3/2 = 69; +2 = 71
> EARN c1-a merchant=c1-s spend=883 lines="c1tea:1:199,c1ale:1:250,c1pan:2:333,c1x:1:101" id=k3
< points=71 tx=$k3
# vip and app: product 15/8: floor(46*15/8)=floor(86.25)=86; +2=88; cap 40: 48 cut
> SIMULATE EARN c1-a merchant=c1-s channel=app spend=883 lines="c1tea:1:199,c1ale:1:250,c1pan:2:333,c1x:1:101" id=k4
< points=40 capped=48
# quantity >= 3 on a line: o1 with stop: +5 and no +2: tea 3 pieces: 5+17+22+2=46 -> 69+5 = 74
> SIMULATE EARN c1-a merchant=c1-s spend=883 lines="c1tea:3:199,c1ale:1:250,c1pan:2:333,c1x:1:101" id=k5
< points=74
# merchant without a rate: the program's: 1/100: 1.01 -> 1: 46-1=45 -> 67.5 -> 67 + 2
> SIMULATE EARN c1-a merchant=c1-t spend=883 lines="c1tea:1:199,c1ale:1:250,c1pan:2:333,c1x:1:101" id=k6
< points=69
# points=N: only block and cap
> EARN c1-a merchant=c1-s points=100 channel=app id=k7
< points=40 capped=60
> EARN c1-a merchant=c1-s points=100 type=refused id=k8
< points=0 reason=c1-blk
> EARN c1-a merchant=c1-s points=100 id=k9
< points=100
# returns by line of k3: credited 71 over own points: tea 5, ale 17, pan 22, x 2 (46): 71*5/46=7.717, 26.239, 33.956, 3.087: floors 7,26,33,3=69: two left to pan (.956) and tea (.717): 8,26,34,3
> REFUND $k3 lines="c1tea:1:199" id=f1
< points=-8
> REFUND $k3 lines="c1pan:1:166" id=f2
< points=-16
> REFUND $k3 lines="c1x:1:102" id=f3
< -REVERSED
> REFUND $k3 lines="c1ale:2:250" id=f4
< -REVERSED
> REFUND $k3 lines="c1ale:1:250" id=f5
< points=-26
> REFUND $k3 points=3 id=f6
< -ERR
> REFUND $k3 id=f7
< points=-21
> EXPLAIN $k3
< 1 records
< step=base rule=c1-b2 points=17
< …
# conditions: an error names the column
> RULE SET c1-e1 program=c1-p stage=bonus when="tier > gold" points=1
< -ERR
> RULE SET c1-e2 program=c1-p stage=bonus when="spend >= " points=1
< -ERR
> RULE SET c1-e3 program=c1-p stage=bonus when="spend >= 1 and (class = a" points=1
< -ERR
> RULE SET c1-e4 program=c1-p stage=bonus when="colour = red" points=1
< -ERR
> RULE SET c1-e5 program=c1-p stage=bonus points=1 times=2/1
< -ERR
> RULE SET c1-e6 program=c1-p stage=times points=1
< -ERR
> RULE SET c1-e7 program=c1-nope stage=bonus points=1
< -NOTFOUND
> RULE SET c1-e8 program=c1-p stage=bonus points=1 priority=1001
< -ERR
> RULE SET c1-e9 program=c1-p stage=bonus points=1
< OK
> RULE SHOW c1-e9
< rule=c1-e9 program=c1-p stage=bonus points=1 priority=100 state=draft
