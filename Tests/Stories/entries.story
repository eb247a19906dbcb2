# Set-up as entries: versions by moment, references, trees, lists, defaults
@ time 2026-03-01T10:00:00Z
> PROGRAM SET en-points earn=1/100 title="Points"
< OK
> PROGRAM SHOW en-points
< program=en-points kind=points earn=1/100 expire=never title=Points default=yes state=active version=1 from=* by=* !until
> PROGRAM SET en-points colour=red
< -ERR
> PROGRAM SET en-points kind=money
< -ERR
> PROGRAM SET en-miles earn=1/1
< OK
> MERCHANT SET en-shop program=nothing
< -NOTFOUND
> MERCHANT SET en-shop program=en-points class=store rating=4 contact="Mr Wu" x.branch=017
< OK
> MERCHANT SHOW en-shop
< merchant=en-shop program=en-points class=store rating=4 contact="Mr Wu" x.branch=017
> MERCHANT LIST class=store x.branch=017
< 1 records
< merchant=en-shop
# announced ahead; a change made meanwhile changes that, too, in what it names
> PROGRAM SET en-points earn=1/50 title="Later" from=2026-03-05
< OK
> PROGRAM SET en-points earn=1/25 from=2026-02-28
< -LIMIT which=from
> PROGRAM SET en-points title="Now" from=2026-03-01
< OK
> PROGRAM SHOW en-points
< earn=1/100 title=Now version=3 until=*
> PROGRAM SHOW en-points at=2026-03-05
< earn=1/50 title=Now version=2 !until
> MEMBER ADD en-ann
> EARN en-ann merchant=en-shop spend=1000 id=e1
< points=10
@ time 2026-03-05T00:30:00Z
> EARN en-ann merchant=en-shop spend=1000 id=e2
< points=20
> EARN en-ann merchant=en-shop spend=1000 at=2026-03-04T23:59:00Z id=e3
< points=10 balance=40
> PROGRAM SHOW en-points
< earn=1/50 version=2
> PROGRAM HISTORY en-points
< 3 records
< version=3 title=Now !earn
< version=2 earn=1/50
< version=1 earn=1/100 title=Points
> MERCHANT SET en-shop earn=1/1
> EARN en-ann merchant=en-shop spend=1 id=e4
< points=1
> MERCHANT SET en-shop earn=program
> EARN en-ann merchant=en-shop spend=100 id=e5
< points=2 balance=43
> PROGRAM SET en-miles default=yes
> BALANCE en-ann
< program=en-miles balance=0
> BALANCE en-ann all=yes
< 2 records
< program=en-miles balance=0
< program=en-points balance=43
> PROGRAM SET en-points state=stopped
> EARN en-ann merchant=en-shop spend=100 id=e6
< -CLOSED
> REDEEM en-ann merchant=en-shop points=1 id=e7
< -CLOSED
> BALANCE en-ann program=en-points
< balance=43
# trees
> ORG SET en-1
> ORG SET en-2 parent=en-1
> ORG SET en-1 parent=en-2
< -ERR
> MERCHANT SET en-shop org=en-1,en-2
> MERCHANT LIST org=en-2
< 1 records
< merchant=en-shop org=en-1,en-2
> TERMINAL SET en-t merchant=en-shop channel=pos state=active id=s1
< OK
> TERMINAL SET en-t merchant=en-shop channel=pos state=active id=s1
< OK
> TERMINAL SET en-t merchant=en-shop channel=web state=active id=s1
< -CONFLICT
> TERMINAL SHOW en-t
< terminal=en-t merchant=en-shop channel=pos
> PRODUCT SET en-new title=New from=2026-04-01
> PRODUCT SHOW en-new
< -CLOSED
> PRODUCT SHOW en-new at=2026-04-01
< product=en-new title=New
> CARDTYPE SET en-gold earn-times=3/2 discount=500 supplementary=no
< OK
> CARDTYPE LIST limit=1
< 1 records
< cardtype=en-gold earn-times=3/2 discount=500
# years later memory has let go of what was; the journal has all of it
@ time 2028-06-01T00:00:00Z
> PROGRAM SET en-points title="Late"
< OK
> PROGRAM SHOW en-points at=2026-03-02
< earn=1/100 title=Now default=yes state=active version=3 until=*
> PROGRAM SHOW en-points at=2026-03-01T09:00:00Z
< -CLOSED
> PROGRAM SHOW en-points
< earn=1/50 title=Late default=no state=stopped version=5 !until
> PROGRAM HISTORY en-points
< 5 records
< version=5 title=Late
< version=4 state=stopped
< version=3 title=Now !earn
< version=2 earn=1/50 title=Later
< version=1 earn=1/100 title=Points
> PROGRAM HISTORY en-points limit=2 before=3
< 2 records
< version=2 earn=1/50 title=Later
< version=1 earn=1/100 title=Points
> PROGRAM LIST at=2026-03-02
< -LIMIT which=at
