# [P] Of two reasons to refuse: card, member, merchant, program, at, the request's own limits, what is left, what is available (A6); whose rate
# holds (A1); what repays a debt (A2)
@ time 2027-03-10T10:00:00Z
> PROGRAM SET rf-p earn=1/10 redeem-min=10 redeem-max=50 redeem-step=5 transfer-limit=20
< OK
> PROGRAM SET rf-stop earn=1/10 state=stopped
< OK
> PROGRAM SET rf-q earn=1/100
< OK
> MERCHANT SET rf-s program=rf-p earn=1/5
< OK
> MERCHANT SET rf-closed program=rf-p state=closed
< OK
> MERCHANT SET rf-frozen program=rf-p state=frozen
< OK
> MEMBER ADD rf-a card=rf-1
< OK
> MEMBER ADD rf-b card=rf-2
< OK
> MEMBER ADD rf-z
< OK
# The merchant's rate holds in its own program, elsewhere that program's (A1)
> EARN rf-a merchant=rf-s spend=100 id=e1
< points=20 balance=20 tx=$t1
> EARN rf-a merchant=rf-s program=rf-q spend=100 id=e2
< points=1
> CARD LOST rf-2
< OK
> MEMBER FREEZE rf-b
< OK
> MEMBER CLOSE rf-z
< OK
# The card before the member, the member before the merchant, that before the program
> EARN card:rf-2 merchant=rf-closed spend=1 id=o1
< -LOST
> EARN rf-b merchant=rf-closed spend=1 id=o2
< -FROZEN
> EARN rf-b merchant=rf-nobody spend=1 id=o3
< -FROZEN
> EARN rf-z merchant=rf-closed program=rf-stop spend=1 id=o4
< -CLOSED
> EARN rf-nobody merchant=rf-closed spend=1 id=o5
< -NOTFOUND
> EARN rf-a merchant=rf-frozen program=rf-stop spend=1 id=o6
< -FROZEN
> EARN rf-a merchant=rf-frozen program=rf-nothing spend=1 id=o7
< -FROZEN
# The program before the time, the time before the request's own limits
> EARN rf-a merchant=rf-s program=rf-stop spend=1 at=2027-03-10T11:00:00Z id=o8
< -CLOSED
> EARN rf-a merchant=rf-s spend=1 at=2027-03-10T11:00:00Z id=o9
< -LIMIT which=at
# The request's own limits before what is available
> REDEEM rf-a merchant=rf-s points=5 id=o10
< -LIMIT which=redeem-min
> REDEEM rf-a merchant=rf-s points=55 id=o11
< -LIMIT which=redeem-max
> REDEEM rf-a merchant=rf-s points=33 id=o12
< -LIMIT which=redeem-step
> REDEEM rf-a merchant=rf-s points=25 id=o13
< -INSUFFICIENT available=20 needed=25
> REDEEM rf-a merchant=rf-s program=rf-stop points=5 id=o14
< -CLOSED
> HOLD rf-a merchant=rf-closed points=5 id=o15
< -CLOSED
> HOLD rf-b merchant=rf-s points=5 id=o16
< -FROZEN
# A gift: the sender before the recipient, the limit before what is available
> TRANSFER rf-b rf-nobody points=5 id=o17
< -FROZEN
> TRANSFER rf-a rf-b points=21 id=o18
< -LIMIT which=transfer
> TRANSFER rf-a rf-z points=5 id=o19
< -CLOSED
> TRANSFER rf-a rf-nobody points=5 id=o20
< -NOTFOUND
> BALANCE rf-a
< balance=20 held=0
# What is left before what is available
> REFUND $t1 spend=101 id=o21
< -REVERSED left=100
> REDEEM rf-a merchant=rf-s points=20 id=r1
< balance=0 tx=$r1
> REFUND $t1 id=f1
< points=-20 balance=-20
> REFUND $t1 id=f2
< -REVERSED left=0
# Debt: nothing is spent. What comes back from a redemption repays it first, the lots by R1 (A2)
> REDEEM rf-a merchant=rf-s points=10 id=o22
< -INSUFFICIENT available=0 needed=10
> REFUND $r1 points=15 id=f3
< points=15 balance=-5
> BALANCE rf-a
< balance=-5 debt=5 available=0
> EARN rf-a merchant=rf-s spend=50 id=e3
< points=10 balance=5
> BALANCE rf-a
< debt=0 available=5
# Captures and releases of what is held: what is left of the hold
> HOLD rf-a merchant=rf-s points=10 id=h0
< -INSUFFICIENT available=5 needed=10
> EARN rf-a merchant=rf-s spend=100 id=e4
< balance=25
> HOLD rf-a merchant=rf-s points=20 id=h1
< tx=$h1 available=5
> CAPTURE $h1 points=21 id=c1
< -REVERSED left=20
> MEMBER FREEZE rf-a
< OK
> CAPTURE $h1 points=5 id=c2
< -FROZEN
> CAPTURE $h1 points=21 id=c3
< -FROZEN
> RELEASE $h1 id=l1
< available=25
> MEMBER THAW rf-a
< OK
# The refusals are kept under their ids
> CAPTURE $h1 points=5 id=c2
< -FROZEN
> CAPTURE $h1 points=5 id=c4
< -REVERSED left=0
