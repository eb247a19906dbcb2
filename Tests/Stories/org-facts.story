# [P] Rules of orgs, merchants, terminals, channels and fields of one's own; unknown facts; conditions' columns and limits (section 5: conditions)
> PROGRAM SET of-p earn=0/1
< OK
> ORG SET of-top
< OK
> ORG SET of-mid parent=of-top
< OK
> ORG SET of-low parent=of-mid
< OK
> ORG SET of-other
< OK
> ORG SET of-virtual tree=economy
< OK
> MERCHANT SET of-s1 program=of-p org=of-low,of-virtual region=east
< OK
> MERCHANT SET of-s2 program=of-p org=of-other
< OK
> MERCHANT SET of-s3 program=of-p parent=of-s1
< OK
> TERMINAL SET of-t merchant=of-s1 channel=kiosk region=west
< OK
> RULE SET of-1 program=of-p stage=bonus when="org = of-top" points=1 state=running
< OK
> RULE SET of-2 program=of-p stage=bonus when="org in (of-mid, of-virtual) and not org = of-other" points=10 state=running
< OK
> RULE SET of-3 program=of-p stage=bonus org=of-mid points=100 state=running
< OK
> RULE SET of-4 program=of-p stage=bonus when="channel = kiosk and terminal = of-t" points=1000 state=running
< OK
> RULE SET of-5 program=of-p stage=bonus when="merchant = of-s2 or region = west" points=10000 state=running
< OK
> RULE SET of-6 program=of-p stage=bonus when="type != wire" points=100000 state=running
< OK
> MEMBER ADD of-a x.plan=gold
< OK
> EARN of-a merchant=of-s1 spend=1 id=e1
< points=111
> EARN of-a merchant=of-s1 terminal=of-t spend=1 id=e2
< points=11111
> EARN of-a merchant=of-s1 terminal=of-t channel=web spend=1 id=e3
< points=10111
> EARN of-a merchant=of-s2 spend=1 id=e4
< points=10000
> EARN of-a merchant=of-s2 spend=1 type=wire id=e5
< points=10000
> EARN of-a merchant=of-s2 spend=1 type=card id=e6
< points=110000
# An org moves below another: what is below counts at once
> ORG SET of-other parent=of-top
< OK
> EARN of-a merchant=of-s2 spend=1 id=e7
< points=10001
> ORG SET of-top parent=of-low
< -ERR
# The event's field comes before the member's
> RULE SET of-7 program=of-p stage=bonus event=quiz when="x.plan = gold" points=3 state=running
< OK
> RULE SET of-8 program=of-p stage=bonus event=quiz when="value >= 80 and x.level in (7, 8)" points=20 state=running
< OK
> EVENT of-a event=quiz id=v1
< points=3
> EVENT of-a event=quiz x.plan=basic id=v2
< points=0
> EVENT of-a event=quiz value=80 x.level=8 id=v3
< points=23
> EVENT of-a event=quiz value=79 x.level=8 id=v4
< points=3
# Columns count from 1, in the condition alone
> RULE SET of-9 program=of-p stage=bonus when="channel = kiosk and" points=1 state=running
< -ERR
> RULE SET of-9 program=of-p stage=bonus when="channel == kiosk" points=1 state=running
< -ERR
> RULE SET of-9 program=of-p stage=bonus when="(channel = kiosk" points=1 state=running
< -ERR
> RULE SET of-9 program=of-p stage=bonus when="channel = kiosk)" points=1 state=running
< -ERR
> RULE SET of-9 program=of-p stage=bonus when="not" points=1 state=running
< -ERR
> RULE SET of-9 program=of-p stage=bonus when="spend in (1, 2)" points=1 state=running
< OK
> RULE SET of-9 when="spend in (1, x)"
< -ERR
> RULE SHOW of-9
< when="spend in (1, 2)"
