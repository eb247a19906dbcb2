# [P] Dates are the zone's: of rules, extensions, dues; announced policies and rates; late sales before and after (R16, R35, A7)
@ time 2026-04-28T10:00:00Z
> PROGRAM SET z1-p earn=1/10 utc-offset=+08:00 expire=30d backdate=10d
< OK
> POLICY SET z1-p vip expire=60d
< OK
> MERCHANT SET z1-s program=z1-p earn=1/5
< OK
> RULE SET z1-r program=z1-p stage=bonus points=5 from=2026-05-01 until=2026-05-02 state=running
< OK
> MEMBER ADD z1-a class=vip
< OK
> MEMBER ADD z1-b
< OK
> POLICY SET z1-p vip expire=90d from=2026-05-01
< OK
> MERCHANT SET z1-s earn=1/2 from=2026-05-01T00:00:00Z
< OK
@ time 2026-04-30T15:59:59Z
> EARN z1-b merchant=z1-s spend=100 id=1
< points=20
@ time 2026-04-30T16:00:00Z
> EARN z1-b merchant=z1-s spend=100 id=2
< points=25
> EARN z1-a merchant=z1-s spend=100 id=1
< points=25
# 1 May there + 90 days = 30 July: ends 31 July 00:00 +08 = 30 July 16:00Z
> BALANCE z1-a
< expiring=25 expires=1785427200000
# a late sale of 30 April there: the policy of then: 60 days: 29 June; ends 29 June 16:00Z
> EARN z1-a merchant=z1-s spend=100 at=2026-04-30T12:00:00Z id=2
< points=20
> BALANCE z1-a
< expiring=20 expires=1782748800000
@ time 2026-05-01T00:00:00Z
> EARN z1-b merchant=z1-s spend=100 id=3
< points=55
@ time 2026-05-01T16:00:00Z
> EARN z1-b merchant=z1-s spend=100 id=4
< points=50
> EARN z1-b merchant=z1-s spend=100 at=2026-05-01T15:59:59Z id=5
< points=55
> EARN z1-b merchant=z1-s spend=100 at=2026-04-30T15:59:59Z id=6
< points=20
# before the first version: the merchant and the program as first set, no rule, no policy
> EARN z1-a merchant=z1-s spend=100 at=2026-04-25T00:00:00Z id=3
< points=20
> EXTEND z1-b until=2026-07-01 reason=x id=x
< lots=*
> BALANCE z1-b
< expires=1782835200000
> RULE SET z1-e program=z1-p stage=bonus when="spend > 1 and tier > gold" points=1
< -ERR
> RULE LIST program=z1-p stage=bonus at=2026-05-01T12:00:00Z
< 1 records
< rule=z1-r points=5
> RULE LIST program=z1-p
< 0 records
> TIER SET z1-p base rank=1 at=0 by=spend period=year
< OK
> TIER SET z1-p base rank=2 from=2026-06-01
< OK
> TIER SHOW z1-p base at=2026-05-31T15:59:59Z
< rank=1
> TIER SHOW z1-p base at=2026-05-31T16:00:00Z
< rank=2
> TIER SHOW z1-p base at=2026-06-01
< rank=2
> POLICY SHOW z1-p vip at=2026-05-01
< expire=90d
> PRODUCT SET z1-t title=T until=2027-01-01
< -ERR
> RULE SET z1-x program=z1-p stage=bonus points=1 from=2026-06-01 until=2026-05-01
< -LIMIT which=until
