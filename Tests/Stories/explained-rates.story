# [P] EXPLAIN says whose rate a purchase earned by, made or not (A1; section 5)
> PROGRAM SET er-p earn=1/100
< OK
> PROGRAM SET er-q earn=1/50
< OK
> MERCHANT SET er-own program=er-p earn=3/100
< OK
> MERCHANT SET er-none program=er-p
< OK
> MERCHANT SET er-any earn=2/100
< OK
> MEMBER ADD er-a
< OK
> EARN er-a merchant=er-own spend=1000 id=e1
< points=30 tx=$t1
> EXPLAIN EARN er-a merchant=er-own spend=1000
< 2 records
< step=base points=30 total=30 text="the merchant gives 3/100: 0 → 30"
< step=lots points=30 total=30
> EXPLAIN $t1
< 2 records
< step=base points=30 total=30 text="the merchant gives 3/100: 0 → 30"
< step=lots points=30 total=30
# Elsewhere it is that program's rate
> EARN er-a merchant=er-own program=er-q spend=1000 id=e2
< points=20 tx=$t2
> EXPLAIN $t2
< 2 records
< step=base points=20 text="the program gives 1/50: 0 → 20"
< step=lots
> EARN er-a merchant=er-none spend=1000 id=e3
< points=10 tx=$t3
> EXPLAIN $t3
< 2 records
< step=base points=10 text="the program gives 1/100: 0 → 10"
< step=lots
> EARN er-a merchant=er-any program=er-q spend=1000 id=e4
< points=20 tx=$t4
> EXPLAIN $t4
< 2 records
< step=base points=20 text="the merchant gives 2/100: 0 → 20"
< step=lots
> EARN er-a merchant=er-own points=7 id=e5
< points=7 tx=$t5
> EXPLAIN $t5
< 2 records
< step=base points=7 total=7
< step=lots
# What was then
> MERCHANT SET er-own earn=5/100
< OK
> EARN er-a merchant=er-own spend=1000 id=e6
< points=50 tx=$t6
> EXPLAIN $t6
< 2 records
< step=base points=50 text="the merchant gives 5/100: 0 → 50"
< step=lots
> EXPLAIN $t1
< 2 records
< step=base points=30 text="the merchant gives 3/100: 0 → 30"
< step=lots
> MERCHANT SET er-own earn=program
< OK
> EARN er-a merchant=er-own spend=1000 id=e7
< points=10 tx=$t7
> EXPLAIN $t7
< 2 records
< step=base points=10 text="the program gives 1/100: 0 → 10"
< step=lots
