# [P] Rules that name an organisation hold while that is in force: not before it begins, and not once it is stopped (sections 1, 4, 5)
@ time 2027-03-10T10:00:00Z
> PROGRAM SET oi-p earn=0/1
< OK
> ORG SET oi-top
< OK
> ORG SET oi-mid parent=oi-top
< OK
> ORG SET oi-new parent=oi-mid from=2027-04-01
< OK
> MERCHANT SET oi-s program=oi-p org=oi-mid
< OK
> MERCHANT SET oi-n program=oi-p org=oi-new
< OK
> RULE SET oi-1 program=oi-p stage=bonus when="org = oi-top" points=1 state=running
< OK
> RULE SET oi-2 program=oi-p stage=bonus when="org = oi-mid" points=10 state=running
< OK
> RULE SET oi-3 program=oi-p stage=bonus org=oi-mid points=100 state=running
< OK
> RULE SET oi-4 program=oi-p stage=bonus org=oi-new points=1000 state=running
< OK
> MEMBER ADD oi-a
< OK
> EARN oi-a merchant=oi-s spend=1 id=e1
< points=111
# One that has yet to begin; what is above it goes on
> EARN oi-a merchant=oi-n spend=1 id=e2
< points=111
@ time 2027-04-01T00:00:00Z
> EARN oi-a merchant=oi-n spend=1 id=e3
< points=1111
> ORG SET oi-mid state=stopped
< OK
> SIMULATE EARN oi-a merchant=oi-n spend=1
< points=1001
> EARN oi-a merchant=oi-n spend=1 id=e4
< points=1001
> EARN oi-a merchant=oi-s spend=1 id=e5
< points=1
> ORG SET oi-mid state=active from=2027-05-01
< OK
> EARN oi-a merchant=oi-s spend=1 id=e6
< points=1
@ time 2027-05-01T00:00:00Z
> EARN oi-a merchant=oi-s spend=1 id=e7
< points=111
