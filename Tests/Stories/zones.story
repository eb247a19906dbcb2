# [P] A program's zone can't change once something was booked by its days (D5, R17): until then it is stopped for the change, and goes on by itself
> PROGRAM SET zo-points earn=1/100
< OK
> MERCHANT SET zo-shop program=zo-points
< OK
> MEMBER ADD zo-ann
< OK
> PROGRAM SET zo-points utc-offset=+08:00 title=East
< OK
> PROGRAM SHOW zo-points
< utc-offset=+08:00 title=East state=active
> PROGRAM SET zo-points utc-offset=+08:00
< OK
> PROGRAM HISTORY zo-points limit=5
< 4 records
< version=4
< version=3 utc-offset=+08:00
< version=2
< version=1
# stopped by hand it stays stopped
> PROGRAM SET zo-points state=stopped
< OK
> PROGRAM SET zo-points utc-offset=+09:00
< OK
> PROGRAM SHOW zo-points
< utc-offset=+09:00 state=stopped
> PROGRAM SET zo-points state=active utc-offset=+10:00
< OK
> EARN zo-ann merchant=zo-shop points=1 id=e1
< points=1
> PROGRAM SET zo-points utc-offset=+08:00
< -ERR
> PROGRAM SET zo-points utc-offset=+10:00 title=Again
< OK
> PROGRAM SHOW zo-points
< utc-offset=+10:00 title=Again state=active
