# [P] Late uploads: rules, campaigns, budgets, caps and policies of the sale's own time and zone; tier, class and tags of now (R16, R17, R35; A7, A8, sections 1 and 5)
@ time 2027-03-06T10:00:00Z
> PROGRAM SET ls-p earn=1/1 utc-offset=+08:00 backdate=10d earn-cap=1000/day
< OK
> MERCHANT SET ls-s program=ls-p
< OK
> MEMBER ADD ls-a
< OK
> MEMBER ADD ls-b
< OK
> RULE SET ls-week program=ls-p stage=bonus when="weekday in (sat, sun)" points=3 state=running
< OK
> RULE SET ls-night program=ls-p stage=bonus when="hour >= 22 or hour < 2" points=5 state=running
< OK
> RULE SET ls-first program=ls-p stage=bonus when="date = 2027-03-08" points=7 state=running
< OK
> RULE SET ls-tag program=ls-p stage=bonus when="tag = lsT" points=11 state=running
< OK
> QUOTA SET ls-q limit=20 per=day
< OK
> CAMPAIGN SET ls-c budget=ls-q state=running until=2027-03-08
< OK
> RULE SET ls-camp program=ls-p stage=bonus campaign=ls-c points=13 state=running
< OK
# Saturday 18:00 there
> EARN ls-a merchant=ls-s spend=100 id=e1
< points=116
@ time 2027-03-07T17:00:00Z
# Monday 01:00 there: no week's end, but night, the date, and the campaign, whose dates are of no program: it ends at 00:00 UTC
> EARN ls-a merchant=ls-s spend=100 id=e2
< points=125
# Sunday 23:00 there: 3 + 5, and 13 of the campaign, which was in force
> EARN ls-a merchant=ls-s spend=100 id=e3 at=2027-03-07T15:00:00Z
< points=121
# Of that Sunday's 20 are 7 left, for others too
> EARN ls-b merchant=ls-s spend=100 id=e4 at=2027-03-07T14:30:00Z
< points=115 capped=6
> SIMULATE EARN ls-b merchant=ls-s spend=100 at=2027-03-07T14:30:00Z
< points=108 capped=13
> SIMULATE EARN ls-b merchant=ls-s spend=100 at=2027-03-06T10:30:00Z
< points=110 capped=6
# Tags are those of now
> MEMBER TAG ls-a lsT
< OK
> EARN ls-a merchant=ls-s spend=10 id=e5 at=2027-03-06T11:00:00Z
< points=31 capped=6
# A rule that is stopped now was running then; one that runs since now was not
> RULE SET ls-week state=stopped
< OK
> RULE SET ls-new program=ls-p stage=bonus points=17 state=running
< OK
> EARN ls-a merchant=ls-s spend=10 id=e6 at=2027-03-06T11:30:00Z
< points=24 capped=13
> EARN ls-a merchant=ls-s spend=10 id=e7
< points=57 capped=6
# The program's rate and cap of then
> PROGRAM SET ls-p earn=2/1 earn-cap=60/day
< OK
# 40 + 5 + 7 + 17 + 13 are 82: the cap leaves 60, and of these Monday's budget has none of the campaign's 13, for a draw comes after caps
> EARN ls-b merchant=ls-s spend=20 id=e8
< points=47 capped=35
> EARN ls-b merchant=ls-s spend=20 id=e9 at=2027-03-07T12:00:00Z
< points=23 capped=13
# Before the first version of all rules: no rule is in force (A7)
> EARN ls-b merchant=ls-s spend=20 id=e10 at=2027-03-01T12:00:00Z
< points=20
# Older than backdate: booking time, of whose 60 are 13 left
> EARN ls-b merchant=ls-s spend=20 id=e11 at=2027-02-20T12:00:00Z
< points=13 capped=69
# An announced change is moved along by a SET of the same field now, others stay (A8)
> PROGRAM SET ls-p earn=5/1 title=Five from=2027-03-20
< OK
> PROGRAM SET ls-p earn=3/1
< OK
> PROGRAM SHOW ls-p at=2027-03-21
< earn=3/1 title=Five
