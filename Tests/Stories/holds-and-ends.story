# [P] Holds over an expiry, a debt and a close; partial captures given back; grace (R5, R8, R9; A2, A3, A20)
@ time 2027-04-29T10:00:00Z
> PROGRAM SET he-p earn=1/1 expire=0m refund-grace=3d
< OK
> PROGRAM SET he-n earn=1/1
< OK
> MERCHANT SET he-s program=he-p
< OK
> MEMBER ADD he-a
< OK
> MEMBER ADD he-b
< OK
> EARN he-a merchant=he-s spend=100 id=e1
< balance=100 tx=$e1
> HOLD he-a merchant=he-s points=60 ttl=2592000 id=h1
< tx=$h1 available=40
> REDEEM he-a merchant=he-s points=30 id=r1
< balance=70 tx=$r1
@ time 2027-05-01T00:00:00Z
# 10 have lapsed, 60 are held
> BALANCE he-a
< balance=60 held=60 available=0
# Captured in part: the rest is released, and its lot has ended (A3)
> CAPTURE $h1 points=25 id=c1
< points=-25 balance=0 available=0 tx=$c1
> HISTORY he-a limit=3
< 1 records
< kind=*
< …
# Undone after the end: for three days more, through 4 May (R9)
> REFUND $c1 points=5 id=f1
< points=5 balance=5
> REFUND $r1 id=f2
< points=30 balance=35
> BALANCE he-a expiring=yes
< 1 records
< points=35 expires=1809475200000
> REFUND $c1 points=21 id=f3
< -REVERSED left=20
@ time 2027-05-05T00:00:00Z
> BALANCE he-a
< balance=0
# The purchase itself: of its lot 10 lapsed unspent at its end and 35 with the release (R7); what lapsed in grace was another lot: debt
> REFUND $e1 id=f4
< points=-100
> BALANCE he-a
< debt=55 balance=-55
# A hold that lapses by itself repays a debt first
> EARN he-b merchant=he-s program=he-n spend=50 id=b1
< tx=$b1
> EARN he-b merchant=he-s program=he-n spend=30 id=b2
< balance=80 tx=$b2
> HOLD he-b merchant=he-s program=he-n points=70 ttl=60 id=bh
< available=10 tx=$bh
> REFUND $b1 id=bf
< points=-50
> BALANCE he-b program=he-n
< held=70 debt=40 available=0 balance=30
@ time 2027-05-05T00:02:00Z
> BALANCE he-b program=he-n
< held=0 debt=0 available=30 balance=30
> RELEASE $bh id=bl
< -REVERSED left=0
# Closed: what is owed is written off, nothing is returned any more (A20)
> REDEEM he-b merchant=he-s program=he-n points=30 id=br
< balance=0 tx=$br
> REFUND $b2 id=bf2
< balance=-30
> MEMBER CLOSE he-b
< OK
> BALANCE he-b program=he-n
< balance=0 debt=0
> REFUND $br id=bf3
< -CLOSED
> CAPTURE $bh id=bc
< -CLOSED
> RELEASE $bh id=bl2
< -REVERSED left=0
@ settle
