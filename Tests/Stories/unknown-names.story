# [P] Whatever a request names must be there, and is refused by name: card types, who referred, heirs, who pays for a campaign,
# programs; tiers of a program differ in rank (sections 1, 3, 5, 6)
> PROGRAM SET un-p earn=1/1
< OK
> MERCHANT SET un-s program=un-p
< OK
> ORG SET un-o
< OK
> MEMBER ADD un-a
< OK
# Card types, of a member and of a card
> MEMBER ADD un-b cardtype=un-gold
< -NOTFOUND
> MEMBER SHOW un-b
< -NOTFOUND
> MEMBER ADD un-b card=un-1 cardtype=un-gold
< -NOTFOUND
> MEMBER SET un-a cardtype=un-gold id=c1
< -NOTFOUND
> ALIAS ADD card:un-1 member=un-a type=un-gold
< -NOTFOUND
> CARD ADD un-1 member=un-a type=un-gold id=c2
< -NOTFOUND
> CARDTYPE SET un-gold earn-times=2/1
< OK
# What was refused so is not kept under its id
> MEMBER SET un-a cardtype=un-gold id=c1
< OK
> CARD ADD un-1 member=un-a type=un-gold id=c2
< OK
> MEMBER ADD un-b card=un-2 cardtype=un-gold
< OK
> EARN card:un-1 merchant=un-s spend=10 id=e1
< points=20
> MEMBER SET un-a cardtype=
< OK
# Who referred: any member of the tenant, whichever shard it lies in, but not oneself
> MEMBER ADD un-c referrer=un-nobody
< -NOTFOUND
> MEMBER SHOW un-c
< -NOTFOUND
> MEMBER ADD un-c referrer=un-c
< -NOTFOUND
> MEMBER ADD un-c referrer=card:un-9
< -NOTFOUND
> MEMBER ADD un-c referrer=un-a id=n1
< OK
> MEMBER ADD un-d referrer=un-b
< OK
> MEMBER ADD un-e referrer=card:un-1 card=un-3
< OK
> MEMBER SHOW un-e
< referrer=un-a
> MEMBER SET card:un-3 referrer=un-nobody
< -NOTFOUND
> MEMBER SET card:un-3 referrer=un-e
< -ERR
> MEMBER SET card:un-3 referrer=card:un-3
< -ERR
> MEMBER SET card:un-3 referrer=un-d
< OK
> MEMBER SET un-e referrer=
< OK
> MEMBER SHOW un-e
< !referrer
> MEMBER ADD * region=east referrer=un-nobody id=n2
< -NOTFOUND
# A member who has left was there all the same: a repeat has its first answer
> MEMBER CLOSE un-a
< OK
> MEMBER ADD un-c referrer=un-a id=n1
< OK
# Heirs
> PROGRAM SET un-p on-close=transfer:un-nobody
< -NOTFOUND
> PROGRAM SHOW un-p
< on-close=lapse
> POLICY SET un-p kin on-close=transfer:un-nobody
< -NOTFOUND
> POLICY SET un-p kin on-close=transfer:un-b
< OK
> PROGRAM SET un-p on-close=transfer:un-b
< OK
# Who pays for a campaign: orgs, merchants and the operator, up to the whole
> CAMPAIGN SET un-k funded=un-nobody:5000
< -NOTFOUND
> CAMPAIGN SHOW un-k
< -NOTFOUND
> CAMPAIGN SET un-k funded=un-s
< -ERR
> CAMPAIGN SET un-k funded=un-s:0
< -ERR
> CAMPAIGN SET un-k funded=un-s:5000,un-o:5001
< -ERR
> CAMPAIGN SET un-k funded=un-s:5000,un-s:1000
< -ERR
> CAMPAIGN SET un-k funded=un-s:5000,
< -ERR
> CAMPAIGN SET un-k funded=un-s:5000,un-o:2500,operator:2500
< OK
> CAMPAIGN SHOW un-k
< funded=un-s:5000,un-o:2500,operator:2500
> CAMPAIGN SET un-k funded=
< OK
# Programs of reads
> DUE kind=expiry on=2026-02-01 program=un-nothing
< -NOTFOUND
> DUE kind=expiry on=2026-02-01 program=un-p
< 0 records
# Tiers: each has a rank of its own, also where one is announced; one that is stopped has none
> TIER SET un-p base rank=1 at=0 by=points period=year
< OK
> TIER SET un-p silver rank=1 at=100 by=points period=year
< -ERR
> TIER SET un-p silver rank=2 at=100 by=points period=year
< OK
> TIER SET un-p silver rank=1
< -ERR
> TIER SET un-p silver rank=3 from=2099-01-01
< OK
> TIER SET un-p gold rank=3 at=200 by=points period=year
< -ERR
> TIER SET un-p gold rank=4 at=200 by=points period=year
< OK
> TIER SET un-p base rank=3 from=2098-01-01
< -ERR
> TIER SET un-p gold state=stopped
< OK
> TIER SET un-p plus rank=4 at=150 by=points period=year
< OK
> TIER SET un-p gold state=active
< -ERR
> TIER SET un-p gold rank=5 state=active
< OK
> TIER SET un-p gold at=250
< OK
