# [P] Limits of a member, a program, a pool, a condition (section 1)
> PROGRAM SET h3-p earn=1/1
< OK
> MEMBER ADD h3-a
< OK
> ALIAS ADD phone:h31 member=h3-a
< OK
> ALIAS ADD phone:h32 member=h3-a
< OK
> ALIAS ADD phone:h33 member=h3-a
< OK
> ALIAS ADD phone:h34 member=h3-a
< OK
> ALIAS ADD phone:h35 member=h3-a
< OK
> ALIAS ADD phone:h36 member=h3-a
< OK
> ALIAS ADD phone:h37 member=h3-a
< OK
> ALIAS ADD phone:h38 member=h3-a
< OK
> ALIAS ADD phone:h39 member=h3-a
< OK
> ALIAS ADD phone:h310 member=h3-a
< OK
> ALIAS ADD phone:h311 member=h3-a
< OK
> ALIAS ADD phone:h312 member=h3-a
< OK
> ALIAS ADD phone:h313 member=h3-a
< OK
> ALIAS ADD phone:h314 member=h3-a
< OK
> ALIAS ADD phone:h315 member=h3-a
< OK
> ALIAS ADD phone:h316 member=h3-a
< OK
> ALIAS ADD phone:h317 member=h3-a
< -LIMIT which=aliases
> MEMBER SET h3-a x.a0=v x.a1=v x.a2=v x.a3=v x.a4=v x.a5=v x.a6=v x.a7=v x.a8=v x.a9=v x.a10=v x.a11=v x.a12=v x.a13=v x.a14=v x.a15=v x.a16=v x.a17=v x.a18=v x.a19=v x.a20=v x.a21=v x.a22=v x.a23=v x.a24=v x.a25=v x.a26=v x.a27=v x.a28=v x.a29=v x.a30=v x.a31=v
< OK
> MEMBER SET h3-a x.b=1
< -LIMIT
> MEMBER SET h3-a x.a0= x.b=1
< OK
> MEMBER TAG h3-a t0 t1 t2 t3 t4 t5 t6 t7 t8 t9 t10 t11 t12 t13 t14 t15 t16 t17 t18 t19 t20 t21 t22 t23 t24 t25 t26 t27 t28 t29 t30 t31 t32 t33 t34 t35 t36 t37 t38 t39 t40 t41 t42 t43 t44 t45 t46 t47 t48 t49 t50 t51 t52 t53 t54 t55 t56 t57 t58 t59 t60 t61 t62 t63
< OK
> MEMBER TAG h3-a u
< -LIMIT
> MEMBER UNTAG h3-a t0
< OK
> MEMBER TAG h3-a u
< OK
> MEMBER SET h3-a x.c=vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv
< -ERR
> MEMBER NOTE h3-a kind=visit text=vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv
< OK
> MEMBER NOTE h3-a kind=visit text=vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv
< -ERR
> TIER SET h3-p t1 rank=1 at=0 by=points period=year
< OK
> TIER SET h3-p t2 rank=2 at=1 by=points period=year
< OK
> TIER SET h3-p t3 rank=3 at=2 by=points period=year
< OK
> TIER SET h3-p t4 rank=4 at=3 by=points period=year
< OK
> TIER SET h3-p t5 rank=5 at=4 by=points period=year
< OK
> TIER SET h3-p t6 rank=6 at=5 by=points period=year
< OK
> TIER SET h3-p t7 rank=7 at=6 by=points period=year
< OK
> TIER SET h3-p t8 rank=8 at=7 by=points period=year
< OK
> TIER SET h3-p t9 rank=9 at=8 by=points period=year
< OK
> TIER SET h3-p t10 rank=10 at=9 by=points period=year
< OK
> TIER SET h3-p t11 rank=11 at=10 by=points period=year
< OK
> TIER SET h3-p t12 rank=12 at=11 by=points period=year
< OK
> TIER SET h3-p t13 rank=13 at=12 by=points period=year
< OK
> TIER SET h3-p t14 rank=14 at=13 by=points period=year
< OK
> TIER SET h3-p t15 rank=15 at=14 by=points period=year
< OK
> TIER SET h3-p t16 rank=16 at=15 by=points period=year
< OK
> TIER SET h3-p t17 rank=17 at=16 by=points period=year
< -LIMIT
> POLICY SET h3-p c1 expire=5d
< OK
> POLICY SET h3-p c2 expire=5d
< OK
> POLICY SET h3-p c3 expire=5d
< OK
> POLICY SET h3-p c4 expire=5d
< OK
> POLICY SET h3-p c5 expire=5d
< OK
> POLICY SET h3-p c6 expire=5d
< OK
> POLICY SET h3-p c7 expire=5d
< OK
> POLICY SET h3-p c8 expire=5d
< OK
> POLICY SET h3-p c9 expire=5d
< OK
> POLICY SET h3-p c10 expire=5d
< OK
> POLICY SET h3-p c11 expire=5d
< OK
> POLICY SET h3-p c12 expire=5d
< OK
> POLICY SET h3-p c13 expire=5d
< OK
> POLICY SET h3-p c14 expire=5d
< OK
> POLICY SET h3-p c15 expire=5d
< OK
> POLICY SET h3-p c16 expire=5d
< OK
> POLICY SET h3-p c17 expire=5d
< OK
> POLICY SET h3-p c18 expire=5d
< OK
> POLICY SET h3-p c19 expire=5d
< OK
> POLICY SET h3-p c20 expire=5d
< OK
> POLICY SET h3-p c21 expire=5d
< OK
> POLICY SET h3-p c22 expire=5d
< OK
> POLICY SET h3-p c23 expire=5d
< OK
> POLICY SET h3-p c24 expire=5d
< OK
> POLICY SET h3-p c25 expire=5d
< OK
> POLICY SET h3-p c26 expire=5d
< OK
> POLICY SET h3-p c27 expire=5d
< OK
> POLICY SET h3-p c28 expire=5d
< OK
> POLICY SET h3-p c29 expire=5d
< OK
> POLICY SET h3-p c30 expire=5d
< OK
> POLICY SET h3-p c31 expire=5d
< OK
> POLICY SET h3-p c32 expire=5d
< OK
> POLICY SET h3-p c33 expire=5d
< OK
> POLICY SET h3-p c34 expire=5d
< OK
> POLICY SET h3-p c35 expire=5d
< OK
> POLICY SET h3-p c36 expire=5d
< OK
> POLICY SET h3-p c37 expire=5d
< OK
> POLICY SET h3-p c38 expire=5d
< OK
> POLICY SET h3-p c39 expire=5d
< OK
> POLICY SET h3-p c40 expire=5d
< OK
> POLICY SET h3-p c41 expire=5d
< OK
> POLICY SET h3-p c42 expire=5d
< OK
> POLICY SET h3-p c43 expire=5d
< OK
> POLICY SET h3-p c44 expire=5d
< OK
> POLICY SET h3-p c45 expire=5d
< OK
> POLICY SET h3-p c46 expire=5d
< OK
> POLICY SET h3-p c47 expire=5d
< OK
> POLICY SET h3-p c48 expire=5d
< OK
> POLICY SET h3-p c49 expire=5d
< OK
> POLICY SET h3-p c50 expire=5d
< OK
> POLICY SET h3-p c51 expire=5d
< OK
> POLICY SET h3-p c52 expire=5d
< OK
> POLICY SET h3-p c53 expire=5d
< OK
> POLICY SET h3-p c54 expire=5d
< OK
> POLICY SET h3-p c55 expire=5d
< OK
> POLICY SET h3-p c56 expire=5d
< OK
> POLICY SET h3-p c57 expire=5d
< OK
> POLICY SET h3-p c58 expire=5d
< OK
> POLICY SET h3-p c59 expire=5d
< OK
> POLICY SET h3-p c60 expire=5d
< OK
> POLICY SET h3-p c61 expire=5d
< OK
> POLICY SET h3-p c62 expire=5d
< OK
> POLICY SET h3-p c63 expire=5d
< OK
> POLICY SET h3-p c64 expire=5d
< OK
> POLICY SET h3-p c65 expire=5d
< -LIMIT
> POOL ADD h3-f
< OK
> MEMBER ADD h3-m1
< OK
> MEMBER SET h3-m1 pool=h3-f
< OK
> MEMBER ADD h3-m2
< OK
> MEMBER SET h3-m2 pool=h3-f
< OK
> MEMBER ADD h3-m3
< OK
> MEMBER SET h3-m3 pool=h3-f
< OK
> MEMBER ADD h3-m4
< OK
> MEMBER SET h3-m4 pool=h3-f
< OK
> MEMBER ADD h3-m5
< OK
> MEMBER SET h3-m5 pool=h3-f
< OK
> MEMBER ADD h3-m6
< OK
> MEMBER SET h3-m6 pool=h3-f
< OK
> MEMBER ADD h3-m7
< OK
> MEMBER SET h3-m7 pool=h3-f
< OK
> MEMBER ADD h3-m8
< OK
> MEMBER SET h3-m8 pool=h3-f
< OK
> MEMBER ADD h3-m9
< OK
> MEMBER SET h3-m9 pool=h3-f
< OK
> MEMBER ADD h3-m10
< OK
> MEMBER SET h3-m10 pool=h3-f
< OK
> MEMBER ADD h3-m11
< OK
> MEMBER SET h3-m11 pool=h3-f
< OK
> MEMBER ADD h3-m12
< OK
> MEMBER SET h3-m12 pool=h3-f
< OK
> MEMBER ADD h3-m13
< OK
> MEMBER SET h3-m13 pool=h3-f
< OK
> MEMBER ADD h3-m14
< OK
> MEMBER SET h3-m14 pool=h3-f
< OK
> MEMBER ADD h3-m15
< OK
> MEMBER SET h3-m15 pool=h3-f
< OK
> MEMBER ADD h3-m16
< OK
> MEMBER SET h3-m16 pool=h3-f
< OK
> MEMBER ADD h3-m17
< OK
> MEMBER SET h3-m17 pool=h3-f
< OK
> MEMBER ADD h3-m18
< OK
> MEMBER SET h3-m18 pool=h3-f
< OK
> MEMBER ADD h3-m19
< OK
> MEMBER SET h3-m19 pool=h3-f
< OK
> MEMBER ADD h3-m20
< OK
> MEMBER SET h3-m20 pool=h3-f
< OK
> MEMBER ADD h3-m21
< OK
> MEMBER SET h3-m21 pool=h3-f
< OK
> MEMBER ADD h3-m22
< OK
> MEMBER SET h3-m22 pool=h3-f
< OK
> MEMBER ADD h3-m23
< OK
> MEMBER SET h3-m23 pool=h3-f
< OK
> MEMBER ADD h3-m24
< OK
> MEMBER SET h3-m24 pool=h3-f
< OK
> MEMBER ADD h3-m25
< OK
> MEMBER SET h3-m25 pool=h3-f
< OK
> MEMBER ADD h3-m26
< OK
> MEMBER SET h3-m26 pool=h3-f
< OK
> MEMBER ADD h3-m27
< OK
> MEMBER SET h3-m27 pool=h3-f
< OK
> MEMBER ADD h3-m28
< OK
> MEMBER SET h3-m28 pool=h3-f
< OK
> MEMBER ADD h3-m29
< OK
> MEMBER SET h3-m29 pool=h3-f
< OK
> MEMBER ADD h3-m30
< OK
> MEMBER SET h3-m30 pool=h3-f
< OK
> MEMBER ADD h3-m31
< OK
> MEMBER SET h3-m31 pool=h3-f
< OK
> MEMBER ADD h3-m32
< OK
> MEMBER SET h3-m32 pool=h3-f
< OK
> MEMBER ADD h3-m33
< OK
> MEMBER SET h3-m33 pool=h3-f
< OK
> MEMBER ADD h3-m34
< OK
> MEMBER SET h3-m34 pool=h3-f
< OK
> MEMBER ADD h3-m35
< OK
> MEMBER SET h3-m35 pool=h3-f
< OK
> MEMBER ADD h3-m36
< OK
> MEMBER SET h3-m36 pool=h3-f
< OK
> MEMBER ADD h3-m37
< OK
> MEMBER SET h3-m37 pool=h3-f
< OK
> MEMBER ADD h3-m38
< OK
> MEMBER SET h3-m38 pool=h3-f
< OK
> MEMBER ADD h3-m39
< OK
> MEMBER SET h3-m39 pool=h3-f
< OK
> MEMBER ADD h3-m40
< OK
> MEMBER SET h3-m40 pool=h3-f
< OK
> MEMBER ADD h3-m41
< OK
> MEMBER SET h3-m41 pool=h3-f
< OK
> MEMBER ADD h3-m42
< OK
> MEMBER SET h3-m42 pool=h3-f
< OK
> MEMBER ADD h3-m43
< OK
> MEMBER SET h3-m43 pool=h3-f
< OK
> MEMBER ADD h3-m44
< OK
> MEMBER SET h3-m44 pool=h3-f
< OK
> MEMBER ADD h3-m45
< OK
> MEMBER SET h3-m45 pool=h3-f
< OK
> MEMBER ADD h3-m46
< OK
> MEMBER SET h3-m46 pool=h3-f
< OK
> MEMBER ADD h3-m47
< OK
> MEMBER SET h3-m47 pool=h3-f
< OK
> MEMBER ADD h3-m48
< OK
> MEMBER SET h3-m48 pool=h3-f
< OK
> MEMBER ADD h3-m49
< OK
> MEMBER SET h3-m49 pool=h3-f
< OK
> MEMBER ADD h3-m50
< OK
> MEMBER SET h3-m50 pool=h3-f
< OK
> MEMBER ADD h3-m51
< OK
> MEMBER SET h3-m51 pool=h3-f
< OK
> MEMBER ADD h3-m52
< OK
> MEMBER SET h3-m52 pool=h3-f
< OK
> MEMBER ADD h3-m53
< OK
> MEMBER SET h3-m53 pool=h3-f
< OK
> MEMBER ADD h3-m54
< OK
> MEMBER SET h3-m54 pool=h3-f
< OK
> MEMBER ADD h3-m55
< OK
> MEMBER SET h3-m55 pool=h3-f
< OK
> MEMBER ADD h3-m56
< OK
> MEMBER SET h3-m56 pool=h3-f
< OK
> MEMBER ADD h3-m57
< OK
> MEMBER SET h3-m57 pool=h3-f
< OK
> MEMBER ADD h3-m58
< OK
> MEMBER SET h3-m58 pool=h3-f
< OK
> MEMBER ADD h3-m59
< OK
> MEMBER SET h3-m59 pool=h3-f
< OK
> MEMBER ADD h3-m60
< OK
> MEMBER SET h3-m60 pool=h3-f
< OK
> MEMBER ADD h3-m61
< OK
> MEMBER SET h3-m61 pool=h3-f
< OK
> MEMBER ADD h3-m62
< OK
> MEMBER SET h3-m62 pool=h3-f
< OK
> MEMBER ADD h3-m63
< OK
> MEMBER SET h3-m63 pool=h3-f
< OK
> MEMBER ADD h3-m64
< OK
> MEMBER SET h3-m64 pool=h3-f
< OK
> MEMBER ADD h3-m65
< OK
> MEMBER SET h3-m65 pool=h3-f
< -LIMIT
> MEMBER SET h3-m1 pool=none
< OK
@ settle
> MEMBER SET h3-m65 pool=h3-f
< OK
> RULE SET h3-r1 program=h3-p stage=bonus points=1 when="spend = 0 or spend = 1 or spend = 2 or spend = 3 or spend = 4 or spend = 5 or spend = 6 or spend = 7 or spend = 8 or spend = 9 or spend = 10 or spend = 11 or spend = 12 or spend = 13 or spend = 14 or spend = 15 or spend = 16 or spend = 17 or spend = 18 or spend = 19 or spend = 20 or spend = 21 or spend = 22 or spend = 23 or spend = 24 or spend = 25 or spend = 26 or spend = 27 or spend = 28 or spend = 29 or spend = 30 or spend = 31 or spend = 32 or spend = 33 or spend = 34 or spend = 35 or spend = 36 or spend = 37 or spend = 38 or spend = 39 or spend = 40 or spend = 41 or spend = 42 or spend = 43 or spend = 44 or spend = 45 or spend = 46 or spend = 47 or spend = 48 or spend = 49 or spend = 50 or spend = 51 or spend = 52 or spend = 53 or spend = 54 or spend = 55 or spend = 56 or spend = 57 or spend = 58 or spend = 59 or spend = 60 or spend = 61 or spend = 62 or spend = 63"
< OK
> RULE SET h3-r2 program=h3-p stage=bonus points=1 when="spend = 0 or spend = 1 or spend = 2 or spend = 3 or spend = 4 or spend = 5 or spend = 6 or spend = 7 or spend = 8 or spend = 9 or spend = 10 or spend = 11 or spend = 12 or spend = 13 or spend = 14 or spend = 15 or spend = 16 or spend = 17 or spend = 18 or spend = 19 or spend = 20 or spend = 21 or spend = 22 or spend = 23 or spend = 24 or spend = 25 or spend = 26 or spend = 27 or spend = 28 or spend = 29 or spend = 30 or spend = 31 or spend = 32 or spend = 33 or spend = 34 or spend = 35 or spend = 36 or spend = 37 or spend = 38 or spend = 39 or spend = 40 or spend = 41 or spend = 42 or spend = 43 or spend = 44 or spend = 45 or spend = 46 or spend = 47 or spend = 48 or spend = 49 or spend = 50 or spend = 51 or spend = 52 or spend = 53 or spend = 54 or spend = 55 or spend = 56 or spend = 57 or spend = 58 or spend = 59 or spend = 60 or spend = 61 or spend = 62 or spend = 63 or spend = 70"
< -ERR
