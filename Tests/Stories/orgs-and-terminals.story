# [P] Organisations, dealers without logistics, terminals, types of cards (A3, A4, B3, B8, B9, C6)
> PROGRAM SET f1-p earn=1/10
< OK
> ORG SET f1-hq title=HQ
< OK
> ORG SET f1-north parent=f1-hq
< OK
> ORG SET f1-shop parent=f1-north
< OK
> ORG SET f1-hq parent=f1-shop
< -ERR
> ORG SET f1-eco tree=economy title=E
< OK
> ORG SET f1-x parent=f1-nope
< -NOTFOUND
> MERCHANT SET f1-dealer program=f1-p class=dealer logistics=no
< OK
> MERCHANT SET f1-store program=f1-p class=store parent=f1-dealer org=f1-shop,f1-eco
< OK
> MERCHANT SET f1-free program=f1-p class=dealer logistics=yes org=f1-shop
< OK
> MERCHANT SET f1-plain program=f1-p
< OK
> MERCHANT SET f1-dealer parent=f1-store
< -ERR
> MEMBER ADD f1-a
< OK
> EARN f1-a merchant=f1-dealer spend=100 id=1
< points=0 reason=logistics
> EARN f1-a merchant=f1-store spend=100 id=2
< points=0 reason=logistics
> EARN f1-a merchant=f1-free spend=100 id=3
< points=10
> MERCHANT SET f1-dealer logistics=yes
< OK
> EARN f1-a merchant=f1-store spend=100 id=4
< points=10 !reason
> RULE SET f1-r1 program=f1-p stage=bonus org=f1-north points=3 state=running
< OK
> RULE SET f1-r2 program=f1-p stage=bonus when="org = f1-eco" points=5 state=running
< OK
> RULE SET f1-r3 program=f1-p stage=bonus merchant=f1-free points=7 state=running
< OK
> RULE SET f1-r4 program=f1-p stage=bonus when="org != f1-hq" points=100 state=running
< OK
> EARN f1-a merchant=f1-store spend=100 id=5
< points=18
> EARN f1-a merchant=f1-free spend=100 id=6
< points=20
> EARN f1-a merchant=f1-plain spend=100 id=7
< points=10
> TERMINAL SET f1-t1 merchant=f1-plain channel=pos region=east
< OK
> RULE SET f1-r5 program=f1-p stage=bonus when="terminal = f1-t1 and channel = pos" points=1 state=running
< OK
> EARN f1-a merchant=f1-plain terminal=f1-t1 spend=100 id=8
< points=11
> EARN f1-a merchant=f1-store terminal=f1-t1 spend=100 id=9
< -CLOSED
> EARN f1-a merchant=f1-plain terminal=f1-tx spend=100 id=10
< -NOTFOUND
> TERMINAL SET f1-t1 state=stopped
< OK
> EARN f1-a merchant=f1-plain terminal=f1-t1 spend=100 id=11
< -CLOSED
> REDEEM f1-a merchant=f1-plain terminal=f1-t1 points=1 id=12
< -CLOSED
# card types: factor of the card used, else the member's
> CARDTYPE SET f1-gold earn-times=3/2
< OK
> CARDTYPE SET f1-blk earn-times=2/1
< OK
> MEMBER ADD f1-b cardtype=f1-gold
< OK
> ALIAS ADD card:f1-c1 member=f1-b type=f1-blk
< OK
> EARN f1-b merchant=f1-plain spend=100 id=1
< points=15
> EARN card:f1-c1 merchant=f1-plain spend=100 id=2
< points=20
> RULE SET f1-r6 program=f1-p stage=bonus when="cardtype = f1-blk" points=2 state=running
< OK
> EARN card:f1-c1 merchant=f1-plain spend=100 id=3
< points=22
> EARN f1-b merchant=f1-plain spend=100 id=4
< points=15
> PRODUCT SET f1-sku price=100 wholesale=200 x.k=v
< OK
> MERCHANT SET f1-plain state=frozen
< OK
> EARN f1-a merchant=f1-plain spend=100 id=13
< -FROZEN
# a terminal is known, or stopped, at every node as soon as that is answered
> TERMINAL SET f1-t2 merchant=f1-free
< OK
> EARN f1-a merchant=f1-free terminal=f1-t2 spend=10 id=20
< points=*
> EARN f1-a merchant=f1-free terminal=f1-t2 spend=10 id=21
< points=*
> TERMINAL SET f1-t2 state=stopped
< OK
> HOLD f1-a merchant=f1-free terminal=f1-t2 points=1 id=22
< -CLOSED
> REDEEM f1-a merchant=f1-free terminal=f1-t2 points=1 id=23
< -CLOSED
> EARN f1-a merchant=f1-free terminal=f1-t2 spend=10 id=24
< -CLOSED
