# Text messages and digits of a telephone (N1, N2, N8): what is asked in a word is answered in the member's language, by the operator's
# messages where there are any; who is no member joins by one.
@ time 2026-05-01T04:00:00Z
> PROGRAM SET main earn=1/100 expire=30d utc-offset=+08:00 default=yes
> MERCHANT SET shop program=main
> MEMBER ADD ann name="Ann Lee" language=zh-CN
> MEMBER ADD ben
> ALIAS ADD phone:1370 member=ann
> ALIAS ADD phone:1371 member=ben
> EARN ann merchant=shop spend=12599 id=e1
< points=125
> EARN ben merchant=shop spend=800 id=e2
< points=8

# The same word in any writing.
> TEXT phone:1371 BAL channel=sms
< text="You have 8 points." language=en
> TEXT phone:1370 "　ｂａｌ　！"
< text=您有125积分。 language=zh
> TEXT phone:1370 余额
< text=您有125积分。
> TEXT phone:1371 text="Bal a=b"
< text="You have 8 points."
> TEXT phone:1371
< -ERR

# Thirty days, the day of the purchase not counted: the last of them, where the program is at home.
> TEXT phone:1371 EXP
< text="8 points are good until 2026-05-31."
> TEXT phone:1370 exp
< text="125积分有效期至2026-05-31。" language=zh
> REDEEM ben merchant=shop points=3 id=r1
< balance=5
> TEXT phone:1371 HIST
< text="Last movements: 05-01 redeem -3; 05-01 earn +8"
> TEXT phone:1370 明细
< text="最近变动：05-01 获得 +125"

# What is not known, and codes, which are not taken so.
> TEXT phone:1371 "where are you"
< text="Not understood. Send HELP for what you can ask."
> TEXT phone:1371 AB12CD34
< text="Codes are not taken by text message here."

# The operator's own messages, and the key 1 of a telephone for BAL.
> MESSAGE SET bal en "{name}: {points} of {balance} points, {expiring} until {expires}"
< OK
> MESSAGE SET word.1 en BAL
< OK
> MESSAGE SET hours en "Open from 9 to 5"
< OK
> MESSAGE SET hours zh 九点至五点
< OK
@ settle
> MESSAGE SHOW hours zh
< key=hours language=zh text=九点至五点 state=active version=1
> HOLD ben merchant=shop points=2 id=h1
< balance=5
> TEXT phone:1371 1#
< text=": 3 of 5 points, 3 until 2026-05-31" language=en
> TEXT phone:1370 Hours
< text=九点至五点 language=zh
> TEXT phone:1371 hours
< text="Open from 9 to 5" language=en
> TEXT phone:1999 hours
< text="Open from 9 to 5"

# A number that is nobody's joins, once, whatever a gateway repeats; whoever has it later is somebody else.
> TEXT phone:1999 BAL
< text="This number belongs to no member. Send JOIN to become one." language=en
> TEXT phone:1999 JOIN channel=sms language=zh
< text=您已是会员，有0积分。发送HELP获取帮助。 language=zh
> TEXT phone:1999 JOIN channel=sms language=zh
< text=您已是会员，有0积分。发送HELP获取帮助。 language=zh
> EARN phone:1999 merchant=shop spend=500 id=e3
< points=5
> MEMBER SHOW phone:1999
< aliases=phone:1999 channel=sms language=zh
> ALIAS REMOVE phone:1999
< OK
> TEXT phone:1999 JOIN
< text="You are a member and have 0 points. Send HELP for what you can ask."
> BALANCE phone:1999
< balance=0

# A gateway is a channel: it reads and joins, and makes no member of its own choosing.
> USER SET boss role=operator secret=s-boss
@ as boss s-boss
> USER SET gateway role=channel secret=s-gateway
> USER SET till role=merchant merchant=shop secret=s-till
@ as gateway s-gateway
> TEXT phone:1888 JOIN
< language=en
> TEXT phone:1371 HELP
< language=en
> MEMBER ADD dan
< -NOPERM
> MESSAGE SET bal en nothing
< -NOPERM
@ as till s-till
> TEXT phone:1371 BAL
< -NOPERM
@ as boss s-boss
@ settle
