"""What an operator does at the console, step by step, in a browser; each step says what it saw."""

import json
import os
import time

SET_UP = """
PROGRAM SET club earn=1/100 expire=12m title="The Club" utc-offset=+08:00
ORG SET retail title="Retail group" kind=company
ORG SET east-stores parent=retail title="Stores in the east"
MERCHANT SET bakery program=club title="Harbour Bakery" org=east-stores region=east
MERCHANT SET cinema program=club title="Odeon Cinema" org=retail region=north
PRODUCT SET milk title="Fresh milk, 1 l" category=milk price=199
PRODUCT SET tv-55 title="Television, 55 in" category=electronics price=59900
TIER SET club member rank=0 at=0 by=spend period=ever down=never
TIER SET club gold rank=1 at=20000 by=spend period=ever down=never earn-times=3/2 gift=points:100
QUOTA SET autumn-budget limit=1000 per=month when-empty=cut
CAMPAIGN SET autumn title="Double points from 50.00 on" state=running budget=autumn-budget
CAMPAIGN SET reviews title="Points for reviews" state=running
RULE SET no-gift-cards program=club stage=block when="category = giftcard" state=running
RULE SET milk program=club stage=base earn=3/100 when="category = milk" state=running
RULE SET tv program=club stage=fixed points=70 when="sku = tv-55" state=running
RULE SET double program=club stage=times times=2/1 when="spend >= 5000" campaign=autumn state=running
RULE SET happy-hour program=club stage=times times=3/2 when="hour >= 17 and hour < 19 and not weekday in (sat, sun)" state=draft
RULE SET big-basket program=club stage=bonus points=9 when="spend >= 100000" state=running
RULE SET review program=club stage=bonus points=50 event=review campaign=reviews state=running
RULE SET most program=club stage=cap cap=1500/year state=running
MEMBER ADD ann name="Ann Lee" card=5001 birthday=1988-04-12 language=en region=east class=consumer
MEMBER TAG ann newsletter harbour
ALIAS ADD mail:ann@example.com member=ann
MEMBER ADD li-wei name="李伟" card=5002 language=zh region=north
MEMBER ADD bad name="<img src=x onerror=alert(1)>" region=east
MEMBER NOTE ann kind=visit text="Asked for the autumn leaflet" id=n-1
MEMBER NOTE ann kind=complaint text="Points of the second purchase came late" id=n-2
EARN ann merchant=bakery spend=1250 id=r-1
EARN ann merchant=bakery spend=8800 id=r-2 lines=milk:10:1990,bread:2:6810
EARN ann merchant=cinema spend=64900 id=r-3 lines=tv-55:1:59900,popcorn:1:5000
EARN ann merchant=bakery spend=120000 id=r-4
EARN li-wei merchant=cinema spend=5400 id=r-5
EVENT ann event=review id=ev-1 program=club
REDEEM ann merchant=cinema points=120 id=d-1
HOLD ann merchant=cinema points=50 ttl=86400 id=h-1
TRANSFER ann li-wei points=30 id=t-1
""".strip().splitlines()

VIEWS = [(width, is_dark, language) for width in (360, 1280) for is_dark in (True, False) for language in ("en", "zh")]
PAGES = ("cluster", "manage", "members", "member/ann", "rules", "simulator/ann", "campaigns", "cases", "reports")
# Contrast of each text that is shown against what lies behind it, after WCAG 2; large is 18.66 px bold or 24 px.
CONTRAST = """(() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgba = (color) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data]; };
  const over = (top, below) => top.slice(0, 3).map((c, i) => c * top[3] / 255 + below[i] * (1 - top[3] / 255));
  const light = (c) => { const [r, g, b] = c.map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    if (!walk.currentNode.textContent.trim() || !e.checkVisibility({ opacityProperty: true }) || e.closest(":disabled, option, .skip, .unseen")) continue;
    const style = getComputedStyle(e);
    const layers = [];
    for (let a = e; a; a = a.parentElement) layers.unshift(rgba(getComputedStyle(a).backgroundColor));
    const ground = layers.reduce((below, layer) => over(layer, below), [255, 255, 255]);
    const [a, b] = [light(over(rgba(style.color), ground)), light(ground)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const size = parseFloat(style.fontSize);
    const wanted = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
    if (ratio < wanted) found.push(`${walk.currentNode.textContent.trim().slice(0, 40)}: ${ratio.toFixed(2)}`);
  }
  return [...new Set(found)];
})()"""
NAMELESS = """[...document.querySelectorAll("button, a[href], input, select, textarea, [role=img]")].filter((e) => e.checkVisibility() &&
  !(e.textContent.trim() || e.getAttribute("aria-label") || e.labels?.length)).map((e) => e.outerHTML.slice(0, 100))"""
SHIFTS = """new Promise((done) => { let sum = 0; new PerformanceObserver((list) => { for (const e of list.getEntries()) if (!e.hadRecentInput) sum += e.value; })
  .observe({ type: "layout-shift", buffered: true }); setTimeout(() => done(sum), 100); })"""


class Steps:
    """`ask` sends one command past the page; `pictures` is a directory, or None."""

    def __init__(self, page, url, ask, pictures, user=None, secret=None):
        self.page, self.url, self.ask, self.pictures = page, url, ask, pictures
        self.user, self.secret = user, secret
        self.passed, self.failed, self.skipped = 0, [], []

    def expect(self, what, is_so, detail=""):
        if is_so:
            self.passed += 1
            print(f"ok: {what}", flush=True)
        else:
            self.failed.append(what)
            print(f"FAILED: {what} {detail}", flush=True)

    def skip(self, what):
        self.skipped.append(what)
        print(f"skipped: {what}", flush=True)

    def picture(self, name):
        if self.pictures:
            self.page.picture(os.path.join(self.pictures, f"{name}.png"))

    def go(self, route):
        # The page itself says which one it shows, once it does.
        self.page.evaluate(f"(delete document.querySelector('main').dataset.page, location.hash = '#/nowhere', location.hash = '#/{route}')")
        self.page.wait(f"document.querySelector('main')?.dataset.page === {json.dumps(route.split('/')[0])}")
        # What is asked for has come when nothing says that it is waited for.
        self.page.wait("!document.querySelector('main .waiting')")

    def text(self, selector="main"):
        return self.page.evaluate(f"document.querySelector({json.dumps(selector)})?.textContent ?? ''")

    # The way of an operator

    def sign_in(self):
        self.page.show_as(1280, 900)
        self.page.open(self.url)
        if not self.user:
            self.page.wait("document.querySelector('.health.good, .health.warn, .health.bad')")
            self.expect("an open cluster takes who comes", True)
            return
        self.page.fill("input[autocomplete=username]", self.user)
        self.page.fill("input[type=password]", "wrong")
        self.page.key("Enter")
        self.page.wait("document.querySelector('.notice.bad')?.checkVisibility()")
        self.expect("a wrong secret is told", True)
        self.picture("sign-in")
        self.page.fill("input[autocomplete=username]", self.user)
        self.page.fill("input[type=password]", self.secret)
        self.page.key("Enter")
        self.page.wait("document.querySelector('.health')")
        self.expect("the user is signed in", self.user in self.text(".who"), self.text(".who"))
        stored = self.page.evaluate("JSON.stringify(localStorage) + JSON.stringify(sessionStorage) + document.cookie + location.href")
        self.expect("the secret is stored nowhere", self.secret not in stored)
        self.page.open(self.url)
        self.page.wait("document.querySelector('.health')")
        self.expect("a reload asks for nothing", self.user in self.text(".who"), self.text(".who"))
        token = self.page.evaluate("sessionStorage.getItem('tally-session')")
        self.page.evaluate("document.querySelector('.who button').click()")
        self.page.wait("document.querySelector('input[type=password]')")
        status = 0
        for _ in range(100):
            status = self.page.evaluate("fetch('/v1/commands', {method: 'POST', credentials: 'omit', body: '{\"commands\":[\"WHOAMI\"]}', headers: "
                                        f"{{'Content-Type': 'application/json', Authorization: 'Bearer {token}'}}}}).then((answer) => answer.status)")
            if status == 401:
                break
        self.expect("who signs out ends the session", status == 401 and self.page.evaluate("sessionStorage.length") == 0, str(status))
        self.page.fill("input[autocomplete=username]", self.user)
        self.page.fill("input[type=password]", self.secret)
        self.page.key("Enter")
        self.page.wait("document.querySelector('.health')")

    def watch_cluster(self):
        shards = self.ask("CLUSTER SHARDS")
        self.page.wait("document.querySelector('.health.good')", 60)
        self.expect("the health is said", "nodes up" in self.text(".health"), self.text(".health"))
        self.page.wait(f"document.querySelectorAll('.shard').length === {len(shards)}")
        self.expect("every shard has a cell with its leader", self.page.evaluate("[...document.querySelectorAll('.shard')].every((c) => /led by/.test(c.ariaLabel))"))
        self.expect("every node has a card", self.page.evaluate("document.querySelectorAll('.node').length") == len(self.ask("CLUSTER NODES")))
        self.page.wait("document.querySelectorAll('.tile path.line[d^=M]').length >= 3", 30)
        self.expect("charts live", True)
        self.picture("watched")
        self.page.evaluate("document.querySelector('.shard').focus()")
        self.page.key("ArrowRight")
        self.page.key("Enter")
        self.page.wait("/voters|Voters/.test(document.querySelector('dialog')?.textContent) && document.querySelector('dialog table')")
        self.expect("a shard is opened by the keyboard", "Shard 2" in self.text("dialog h2"), self.text("dialog h2"))
        self.page.key("Escape")
        self.page.wait("!document.querySelector('dialog')")
        self.expect("Escape closes it, and the focus is where it was", self.page.evaluate("document.activeElement.classList.contains('shard')"))

    def find_member(self):
        self.page.key("/")
        self.expect("/ leads to the search", self.page.evaluate("document.activeElement.classList.contains('search')"))
        self.page.send("Input.insertText", text="5001")
        self.page.key("Enter")
        self.page.wait("document.querySelector('h1')?.textContent === 'Ann Lee'")
        self.page.wait("document.querySelectorAll('main tbody tr').length >= 8")
        words = self.text()
        self.expect("a card finds its member, with balance, lots and history", all(word in words for word in ("1,450", "available", "Lots", "ann@example.com", "gold", "came late")), words)
        self.page.fill(".search", "mail:nobody@example.com")
        self.page.key("Enter")
        self.page.wait("/Nobody/.test(document.querySelector('.outcome').textContent)")
        self.expect("nobody is told", True)
        self.go("member/bad")
        self.expect("a name with markup is text", self.page.evaluate("document.querySelector('h1').textContent.startsWith('<img') && !document.querySelector('h1 img')"))
        self.go("member/ann")

    def explain(self):
        self.page.evaluate(f"({self.page.find('main td a.tx')}, [...document.querySelectorAll('main tr')].find((r) => /1,415/.test(r.textContent)).querySelector('a').click())")
        self.page.wait("document.querySelectorAll('.steps li').length >= 5")
        words = self.text(".steps")
        self.expect("a transaction is explained in sentences", all(word in words for word in ("spend is at least 50.00 earn 2 times", "−1,415", "at most 1,500 points a year")), words)
        self.picture("explained")

    def simulate(self):
        self.go("simulator/li-wei")
        before = self.ask("BALANCE li-wei")["balance"]
        self.page.fill("input[list=merchants]", "bakery")
        self.page.click("button", "Add a line")
        self.page.fill(".lines tbody tr:nth-child(1) td:nth-child(1) input", "milk")
        self.page.fill(".lines tbody tr:nth-child(1) td:nth-child(3) input", "19.90")
        self.page.click("button", "Add a line")
        self.page.fill(".lines tbody tr:nth-child(2) td:nth-child(1) input", "tv-55")
        self.page.fill(".lines tbody tr:nth-child(2) td:nth-child(3) input", "599")
        self.page.click("button.main", "Simulate")
        self.page.wait("document.querySelectorAll('.steps li').length >= 3")
        wanted = self.ask("SIMULATE EARN li-wei merchant=bakery spend=61890 lines=milk:1:1990,tv-55:1:59900")["points"]
        shown = self.text(".outcome-line .figure")
        self.expect("a purchase is simulated by lines", shown == f"+{wanted}", f"{shown}, not {wanted}")
        self.expect("and nothing is booked", self.ask("BALANCE li-wei")["balance"] == before)
        self.picture("simulated")

    def drain(self):
        self.go("cluster")
        node = self.ask("CLUSTER NODES")[-1]["node"]
        self.page.wait(f"document.querySelector(\"article[aria-label='{node}'] button\")")
        self.page.click(f"article[aria-label='{node}'] button", "Drain")
        self.page.wait("document.querySelectorAll('dialog .plan-rows tbody tr').length > 0")
        is_up = next(one for one in self.ask("CLUSTER NODES") if one["node"] == node)["state"] == "up"
        self.expect("the plan is shown before anything is done", is_up)
        self.picture("plan")
        self.page.click("dialog button", "Do it")
        self.page.wait("document.querySelector('dialog .operation')")
        self.picture("operation")
        self.page.wait("document.querySelector(\"dialog .operation[data-state='done']\")", 90)
        self.expect("the operation is followed to its end", True)
        self.page.key("Escape")
        self.page.wait(f"document.querySelector(\"article[aria-label='{node}'] .state\")?.textContent !== 'up'", 30)
        self.expect("the node shows as drained", "Undrain" in self.text(f"article[aria-label='{node}']"))
        self.page.click(f"article[aria-label='{node}'] button", "Undrain")
        self.page.click("dialog button", "Do it")
        self.page.wait("document.querySelector(\"dialog .operation[data-state='done']\") ?? document.querySelector('dialog .notice.good')", 60)
        self.page.key("Escape")
        self.page.wait(f"document.querySelector(\"article[aria-label='{node}'] .state\")?.textContent === 'up'", 30)
        self.expect("and is up again", True)
        self.page.click(f"article[aria-label='{node}'] button", "Remove")
        self.page.click("dialog button", "Show the plan") if self.page.evaluate("!document.querySelector('dialog .plan *')") else None
        self.page.wait("document.querySelector('dialog .notice.bad')")
        self.expect("a refusal is shown in the node's words", "CONFLICT" in self.text("dialog .notice.bad"), self.text("dialog"))
        self.picture("refused")
        self.page.key("Escape")

    def decide_case(self):
        self.go("cases")
        known = self.ask("CASE LIST state=waiting")
        if isinstance(known, dict):
            self.expect("a version without cases says so", self.page.evaluate("Boolean(document.querySelector('main .empty'))"), self.text())
            return self.skip("a case is decided: this version has no cases")
        if not known:
            return self.skip("a case is decided: none waits")
        self.page.click(".case button", "Approve")
        self.page.fill("dialog textarea", "Seen")
        self.page.click("dialog button", "Approve")
        self.page.wait("!document.querySelector('dialog')")
        self.expect("a case is decided", len(self.ask("CASE LIST state=waiting")) == len(known) - 1)

    def read_reports(self):
        self.go("reports")
        self.page.wait("document.querySelector('main svg.columns')")
        whole = self.ask("REPORT points club")
        days = self.ask("REPORT points club by=day")
        bars = self.page.evaluate("document.querySelectorAll('main svg.columns rect').length")
        self.expect("points by day are a chart", bars >= len(days) and f"{days[-1]['issued']:,}" in self.text("main table"), f"{bars} {days}")
        self.picture("reports-by-day")
        self.page.evaluate("(() => { const by = document.querySelector('main select'); by.value = 'merchant'; by.form.requestSubmit(); })()")
        self.page.wait("/Harbour|bakery/.test(document.querySelector('main table')?.textContent) && document.querySelector('main .bars')")
        rows = self.ask("REPORT points club by=merchant")
        self.expect("points by merchant are bars, and add up to the whole", sum(row["issued"] for row in rows) == whole["issued"], f"{rows} {whole}")
        shown = self.text("main table")
        self.expect("with the figures of the report", all(f"{row['issued']:,}" in shown for row in rows), shown)
        self.picture("reports-by-merchant")
        saved = self.page.evaluate("""(() => { let saved = null; const make = URL.createObjectURL; URL.createObjectURL = (blob) => { saved = blob; return make(blob); };
          [...document.querySelectorAll('main button')].find((b) => b.textContent === 'CSV').click(); URL.createObjectURL = make; return saved.text(); })()""")
        self.expect("and are saved as CSV", "merchant,issued,redeemed" in saved and f"bakery,{rows[0]['issued']}" in saved, saved)

    # All pages in all views

    def look(self, routes=PAGES):
        for width, is_dark, language in VIEWS:
            name = f"{width}-{'dark' if is_dark else 'light'}-{language}"
            self.page.show_as(width, 800 if width > 400 else 740, is_dark, language)
            self.page.open("about:blank")
            self.page.open(self.url)
            self.page.wait("document.querySelector('.health.good, .health.warn, .health.bad')", 40)
            wrong = []
            for route in routes:
                self.go(route)
                time.sleep(0.3)
                if self.page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                    wrong.append(f"{route} is wider than the window")
                wrong += [f"{route}, contrast of {one}" for one in self.page.evaluate(CONTRAST)]
                wrong += [f"{route}, nameless {one}" for one in self.page.evaluate(NAMELESS)]
                self.picture(f"{route.replace('/', '-')}-{name}")
            self.expect(f"all pages at {name}: in the window, readable, named", not wrong, "; ".join(wrong[:6]))
        self.page.show_as(1280, 800)

    def keep_still(self):
        """What is polled moves nothing."""
        self.go("cluster")
        self.page.open("about:blank")
        self.page.open(f"{self.url}#/cluster")
        self.page.wait("document.querySelectorAll('.shard').length > 0")
        before = self.page.evaluate(SHIFTS)
        time.sleep(6)
        self.expect("nothing moves by itself", self.page.evaluate(SHIFTS) - before < 0.01, self.page.evaluate(SHIFTS))
