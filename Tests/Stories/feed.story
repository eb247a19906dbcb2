# The feed of movements: each once, in order, from any cursor on; changes of what is set up; kinds; what is no cursor
> PROGRAM SET fd-points earn=1/100 transfer=yes
< OK
> MERCHANT SET fd-shop program=fd-points
< OK
> MEMBER ADD fd-ann
< OK
> MEMBER ADD fd-ben
< OK
> EARN fd-ann merchant=fd-shop spend=5000 id=e1
< points=50 tx=$t1
> REDEEM fd-ann merchant=fd-shop points=20 id=r1
< balance=30 tx=$t2
> TRANSFER fd-ann fd-ben points=5 id=g1 program=fd-points
< points=5 balance=25
@ settle
> FEED kind=earn limit=1
< 1 records
< tx=$t1 kind=earn member=fd-ann points=50 balance=50 merchant=fd-shop spend=5000 request=e1 cursor=$c1
> FEED from=$c1 kind=earn
< 0 records
> FEED from=$c1 kind=redeem
< 1 records
< tx=$t2 kind=redeem member=fd-ann points=-20 balance=30 cursor=*
> FEED kind=transfer-in
< 1 records
< kind=transfer-in member=fd-ben points=5 from=fd-ann
> FEED kind=change
< 2 records
< kind=change entry=program program=fd-points shard=0
< kind=change entry=merchant merchant=fd-shop
> FEED from=AAAA
< -ERR
> FEED kind=gain
< -ERR
# the same request again is no other movement
> EARN fd-ann merchant=fd-shop spend=5000 id=e1
< tx=$t1
> FEED from=$c1 kind=earn wait=1
< 0 records
