# [P] A card type gives its factor while it is in force: not before it begins, and not once it is stopped (sections 1, 4, 5)
@ time 2027-06-10T10:00:00Z
> PROGRAM SET ct-p earn=1/1
< OK
> MERCHANT SET ct-s program=ct-p
< OK
> CARDTYPE SET ct-g earn-times=2/1
< OK
> CARDTYPE SET ct-h earn-times=3/1 from=2027-07-01
< OK
> RULE SET ct-r program=ct-p stage=bonus when="cardtype in (ct-g, ct-h)" points=100 state=running
< OK
> MEMBER ADD ct-a cardtype=ct-g
< OK
> ALIAS ADD card:ct-1 member=ct-a type=ct-h
< OK
> EARN ct-a merchant=ct-s spend=5 id=e1
< points=110
# The card's type has yet to begin: the rule knows the word, and there is no factor
> EARN card:ct-1 merchant=ct-s spend=5 id=e2
< points=105
> CARDTYPE SET ct-g state=stopped
< OK
# Nobody is given it any more; who has it keeps it
> MEMBER ADD ct-b
< OK
> MEMBER SET ct-b cardtype=ct-g
< -CLOSED
> ALIAS ADD card:ct-2 member=ct-b type=ct-g
< -CLOSED
> MEMBER ADD ct-c cardtype=ct-g
< -CLOSED
> MEMBER ADD ct-c card=ct-3 cardtype=ct-g
< -CLOSED
> MEMBER SET ct-b cardtype=ct-none
< -NOTFOUND
> MEMBER SET ct-a cardtype=ct-g region=east
< OK
> MEMBER ADD ct-a cardtype=ct-g region=east
< OK
> EARN ct-a merchant=ct-s spend=5 id=e3
< points=105 tx=$t3
> EXPLAIN $t3
< 3 records
< step=base points=5
< step=bonus points=100
< step=lots points=105
> CARDTYPE SET ct-g state=active earn-times=5/1 from=2027-06-20
< OK
> EARN ct-a merchant=ct-s spend=5 id=e4
< points=105
@ time 2027-06-20T00:00:00Z
> EARN ct-a merchant=ct-s spend=5 id=e5
< points=125
@ time 2027-07-01T00:00:00Z
> EARN card:ct-1 merchant=ct-s spend=5 id=e6
< points=115
# Products have their category from their beginning on
> PRODUCT SET ct-x category=ctX from=2027-07-10
< OK
> RULE SET ct-x program=ct-p stage=bonus when="category = ctX" points=1000 state=running
< OK
> CARDTYPE SET ct-g state=stopped
< OK
> EARN ct-a merchant=ct-s spend=5 lines="ct-x:1:5" id=e7
< points=105
@ time 2027-07-10T00:00:00Z
> EARN ct-a merchant=ct-s spend=5 lines="ct-x:1:5" id=e8
< points=1105
