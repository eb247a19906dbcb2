# [P] The default program, a stopped one, what never changes of one (A1, D2)
> PROGRAM SET b5-one earn=1/1
< OK
> PROGRAM SET b5-two earn=1/2
< OK
> MERCHANT SET b5-s
< OK
> MERCHANT SET b5-t program=b5-two earn=1/1
< OK
> MEMBER ADD b5-a
< OK
> EARN b5-a merchant=b5-s spend=10 id=e1
< program=b5-one points=10
> EARN b5-a merchant=b5-t spend=10 id=e1
< program=b5-two points=10
# A1: elsewhere that program's rate
> EARN b5-a merchant=b5-t spend=10 program=b5-one id=e2
< program=b5-one points=10 balance=20
> EARN b5-a merchant=b5-s spend=10 program=b5-two id=e2
< points=5 balance=15
> PROGRAM SET b5-two default=yes
< OK
> BALANCE b5-a
< program=b5-two balance=15
> EARN b5-a merchant=b5-s spend=10 id=e3
< program=b5-two points=5 balance=20 tx=$t
> PROGRAM SHOW b5-one
< default=no
> PROGRAM SHOW b5-two
< default=yes
> PROGRAM SET b5-two default=no
< -ERR
> PROGRAM SET b5-two state=stopped
< OK
> EARN b5-a merchant=b5-s spend=10 id=e4
< -CLOSED
> REDEEM b5-a merchant=b5-s points=1 id=r1
< -CLOSED
> HOLD b5-a merchant=b5-s points=1 id=r2
< -CLOSED
> EVENT b5-a event=x program=b5-two id=v1
< -CLOSED
> TRANSFER b5-a b5-a points=1 program=b5-two id=v2
< -ERR
> REFUND $t id=f1
< balance=15
> BALANCE b5-a
< balance=15
> EXTEND b5-a program=b5-two until=2099-01-01 reason=x id=x1
> BALANCE b5-a all=yes
< 2 records
< program=b5-one
< program=b5-two
> PROGRAM SET b5-two state=active
< OK
> EARN b5-a merchant=b5-s spend=10 id=e4
< -CLOSED
> EARN b5-a merchant=b5-s spend=10 id=e5
< points=5
> PROGRAM SET b5-two utc-offset=+01:00
< -ERR
> PROGRAM SET b5-two utc-offset=+00:00
< OK
> PROGRAM SET b5-two kind=money
< -ERR
> PROGRAM SET b5-m2 kind=money
< OK
> EARN b5-a merchant=b5-s program=b5-m2 spend=100 id=m1
< points=0
> PROGRAM SET b5-z earn=1/1
< OK
> EARN b5-a merchant=b5-s program=b5-z spend=0 id=z1
< points=0
> PROGRAM SET b5-z utc-offset=+01:00
< -ERR
> POLICY SET b5-z any activate=2d
< OK
> POLICY SET b5-z any transfer-limit=5
< -ERR
> POLICY SHOW b5-z any
< program=b5-z class=any activate=2d
> POLICY LIST program=b5-z
< 1 records
< activate=2d
