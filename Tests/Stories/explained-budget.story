# [P] EXPLAIN names the campaign whose budget cut points off (section 5)
> PROGRAM SET eb-p earn=1/1
< OK
> MERCHANT SET eb-s program=eb-p
< OK
> QUOTA SET eb-q limit=10
< OK
> CAMPAIGN SET eb-c budget=eb-q state=running
< OK
> RULE SET eb-r program=eb-p stage=bonus points=15 campaign=eb-c state=running
< OK
> MEMBER ADD eb-a
< OK
> EARN eb-a merchant=eb-s spend=5 id=e1
< points=15 capped=5 tx=$t
> EXPLAIN $t
< 4 records
< step=base points=5 total=5
< step=bonus rule=eb-r points=15 total=20
< step=bonus rule=eb-r points=-5 total=15 text="the budget of campaign eb-c has no more: 20 → 15"
< step=lots points=15
