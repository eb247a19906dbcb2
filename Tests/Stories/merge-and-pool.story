# Two files of one person merged; a family's pool (R23; C3, C10): what terminals see, by aliases and on all nodes
> PROGRAM SET mp-points earn=1/10 earn-cap=100/day
< OK
> MERCHANT SET mp-shop program=mp-points
< OK
> MEMBER ADD mp-old card=mp-c1
< OK
> MEMBER ADD mp-new card=mp-c2
< OK
> ALIAS ADD phone:13700000009 member=mp-old
< OK
> EARN mp-old merchant=mp-shop spend=600 id=e1
< points=60 balance=60 tx=$e1
> REDEEM card:mp-c1 merchant=mp-shop points=10 id=r1
< points=-10 balance=50 tx=$r1
> HOLD phone:13700000009 merchant=mp-shop points=15 id=h1
< tx=$h1 balance=50 available=35
> EARN mp-new merchant=mp-shop spend=200 id=e1
< points=20 balance=20
> MEMBER MERGE card:mp-c1 card:mp-c2 id=m1
< from=mp-old into=mp-new program=mp-points points=50 balance=70
> MEMBER MERGE mp-old mp-new id=m1
< from=mp-old into=mp-new program=mp-points points=50 balance=70
> MEMBER SHOW mp-old
< state=closed merged=mp-new
> BALANCE card:mp-c1 program=mp-points
< member=mp-new balance=70 held=15 available=55
# a repeat has its first answer, by what was an alias of the one who is closed
> REDEEM card:mp-c1 merchant=mp-shop points=10 id=r1
< tx=$r1 balance=50
> HOLD phone:13700000009 merchant=mp-shop points=15 id=h1
< tx=$h1 balance=50 available=35
> EARN phone:13700000009 merchant=mp-shop spend=300 id=e2
< member=mp-new points=20 capped=10 balance=90
> EARN mp-old merchant=mp-shop spend=10 id=e3
< -CLOSED merged=mp-new
# what was the other's acts on the one who stays
> CAPTURE $h1 points=5 id=h2
< of=$h1 member=mp-new points=-5 balance=85 available=85
> REFUND $r1 id=f1
< of=$r1 member=mp-new points=10 balance=95
> REFUND $e1 spend=300 id=f2
< of=$e1 member=mp-new points=-30 balance=65
> REFUND $e1 points=10 id=f3
< -ERR
> REFUND $e1 id=f4
< points=-30 balance=35
> REFUND $e1 id=f5
< -REVERSED left=0
# a pool
> POOL ADD mp-family title="The Lees"
< OK
> MEMBER ADD mp-kid card=mp-c3
< OK
> MEMBER SET card:mp-c3 pool=mp-family
< OK
> EARN card:mp-c3 merchant=mp-shop spend=90 id=e1
< tx=$p1 member=mp-kid points=9 balance=9
> EARN card:mp-c3 merchant=mp-shop spend=90 id=e1
< tx=$p1 member=mp-kid points=9 balance=9
> BALANCE mp-kid program=mp-points
< member=mp-kid pool=mp-family balance=9
> REDEEM mp-kid merchant=mp-shop points=10 id=r1
< -INSUFFICIENT available=9 needed=10
> HOLD mp-kid merchant=mp-shop points=4 id=h1
< tx=$p2 member=mp-kid available=5
> CAPTURE $p2 id=h2
< points=-4 balance=5
> REFUND $p1 id=f1
< points=-9 balance=-4
> HISTORY mp-family program=mp-points limit=4
< 4 records
< kind=refund
< kind=capture
< kind=hold by=mp-kid
< kind=earn points=9 by=mp-kid
> TRANSFER mp-new mp-kid points=1 program=mp-points id=t1
< -LIMIT which=pool
> MEMBER SET mp-kid pool=none
< OK
> BALANCE mp-kid program=mp-points
< balance=0 !pool
> BALANCE mp-family program=mp-points
< balance=-4 debt=4
@ settle
> BALANCE mp-kid program=mp-points read=local
< member=mp-kid balance=0
