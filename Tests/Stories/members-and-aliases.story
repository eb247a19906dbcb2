# [P] Attributes, tags, aliases of all kinds, a card replaced, who is found, notes (C2, C3, C7, C8)
> PROGRAM SET e1-p earn=1/1
< OK
> MERCHANT SET e1-s program=e1-p
< OK
> CARDTYPE SET e1-black title=Black earn-times=2/1
< OK
> MEMBER ADD e1-a name="A B" region=north class=dealer birthday=1990-02-30
< -ERR
> MEMBER ADD e1-a name="A B" region=north class=dealer birthday=1990-02-28 channel=web language=en manager=kim rating=5 x.shoe=38 x.Hat=M
< OK
> MEMBER SHOW e1-a
< member=e1-a name="A B" region=north class=dealer birthday=1990-02-28 channel=web language=en manager=kim rating=5 x.shoe=38 x.Hat=M state=active
> MEMBER SET e1-a x.shoe= region=south
< OK
> MEMBER SHOW e1-a
< region=south !x.shoe x.Hat=M
> MEMBER TAG e1-a t1 t2 t3
< OK
> MEMBER UNTAG e1-a t2 t9
< OK
> MEMBER SHOW e1-a
< tags=t1,t3
> ALIAS ADD card:e1c1 member=e1-a type=e1-black
< OK
> ALIAS ADD mail:a.b+c@x.org member=e1-a
< OK
> ALIAS ADD bank:62-17 member=e1-a
< OK
> ALIAS ADD login:wx_1 member=e1-a
< OK
> ALIAS ADD fax:1 member=e1-a
< -ERR
> MEMBER ADD e1-b
< OK
> ALIAS ADD bank:62-17 member=e1-b
< -EXISTS
> ALIAS ADD bank:62-17 member=e1-a
< OK
> EARN bank:62-17 merchant=e1-s spend=5 id=e1
< member=e1-a points=5
> EARN card:e1c1 merchant=e1-s spend=5 id=e2
< member=e1-a points=10
> ALIAS LOST login:wx_1
< OK
> BALANCE login:wx_1
< balance=15
> REDEEM login:wx_1 merchant=e1-s points=1 id=r1
< -LOST
> ALIAS FOUND login:wx_1
< OK
> REDEEM login:wx_1 merchant=e1-s points=1 id=r2
< balance=14
> ALIAS REMOVE bank:62-17
< OK
> EARN bank:62-17 merchant=e1-s spend=5 id=e9
< -NOTFOUND
> ALIAS ADD bank:62-17 member=e1-b
< OK
# a removed alias still answers repeats; its old id with other content is a conflict (A5)
> EARN bank:62-17 merchant=e1-s spend=5 id=e1
< member=e1-a points=5
> EARN bank:62-17 merchant=e1-s spend=6 id=e20
< member=e1-b points=6
> CARD REPLACE e1c1 e1c2 id=cr1
< member=e1-a
> REDEEM card:e1c1 merchant=e1-s points=1 id=r3
< -LOST
> CARD FOUND e1c1
< -LOST
> EARN card:e1c2 merchant=e1-s spend=5 id=e3
< member=e1-a points=10
> CARD REPLACE e1c1 e1c3 id=cr2
< -LOST
> CARD REPLACE e1c1 e1c2 id=cr1
< member=e1-a
> MEMBER FIND class=dealer tag=t1
< 1 records
< member=e1-a
< …
> MEMBER FIND x.Hat=M region=south
< 1 records
< member=e1-a
< …
> MEMBER FIND tag=t2
< 0 records
< …
> MEMBER NOTE e1-a kind=complaint text="late"
< OK
> MEMBER NOTE e1-a kind=visit text="ok"
< OK
> MEMBER NOTES e1-a limit=1
< 1 records
< kind=visit text=ok
> MEMBER ADD e1-a
< -EXISTS
> MEMBER ADD e1-r referrer=e1-a
< OK
> MEMBER SHOW e1-r
< referrer=e1-a
> MEMBER ADD e1-big x.a=1
< OK
