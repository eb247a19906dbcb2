"""A headless Chromium, driven by its DevTools protocol through a pipe: no packages, no port."""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

NAMES = ("chromium", "chromium-browser", "google-chrome")
KEYS = {"Enter": (13, "\r"), "Escape": (27, ""), "Tab": (9, ""), "ArrowRight": (39, ""), "ArrowLeft": (37, ""), "ArrowDown": (40, ""),
        "Home": (36, ""), "End": (35, "")}


class BrowserError(Exception):
    pass


def program():
    """Its path, or None where there is none."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Browser:
    def __init__(self):
        path = program()
        if not path:
            raise BrowserError("no Chromium here: apt-get install chromium")
        self.directory = tempfile.mkdtemp(prefix="console-test-")
        read_by_it, self.output = os.pipe()
        self.input, written_by_it = os.pipe()

        def pipes():
            # It reads descriptor 3 and writes 4; the copies are made where neither stands in the other's way.
            reads, writes = os.dup2(read_by_it, 203), os.dup2(written_by_it, 204)
            os.dup2(reads, 3)
            os.dup2(writes, 4)

        self.process = subprocess.Popen(
            [path, "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
             "--disable-background-networking", "--disable-dev-shm-usage", "--force-color-profile=srgb", f"--user-data-dir={self.directory}", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=pipes, close_fds=False)
        os.close(read_by_it)
        os.close(written_by_it)
        self.number, self.unread, self.events = 0, b"", []

    def send(self, method, session=None, **parameters):
        """The result of one command; what happens meanwhile is kept in `events`."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self.output, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + 60
        while True:
            answer = self.receive(deadline)
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error'].get('message')}")
                return answer["result"]
            self.events.append(answer)

    def receive(self, deadline):
        while b"\0" not in self.unread:
            ready, _, _ = select.select([self.input], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise BrowserError("the browser does not answer")
            data = os.read(self.input, 1 << 16)
            if not data:
                raise BrowserError("the browser has ended")
            self.unread += data
        message, _, self.unread = self.unread.partition(b"\0")
        return json.loads(message)

    def page(self):
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        return Page(self, self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"])

    def close(self):
        try:
            self.send("Browser.close")
        except (BrowserError, OSError):
            self.process.kill()
        self.process.wait()
        os.close(self.output)
        os.close(self.input)
        shutil.rmtree(self.directory, ignore_errors=True)


class Page:
    def __init__(self, browser, session):
        self.browser, self.session = browser, session
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method, **parameters):
        return self.browser.send(method, self.session, **parameters)

    def show_as(self, width, height, is_dark=True, language="en", scale=1):
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=False)
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}])
        agent = self.evaluate("navigator.userAgent")
        self.send("Emulation.setUserAgentOverride", userAgent=agent, acceptLanguage={"en": "en-GB", "zh": "zh-CN"}[language])

    def open(self, url):
        self.send("Page.navigate", url=url)
        self.wait("document.readyState === 'complete'")

    def evaluate(self, expression):
        result = self.send("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise BrowserError(f"{expression}: {details.get('exception', {}).get('description', details['text'])}")
        return result["result"].get("value")

    def wait(self, expression, seconds=20):
        """Until the expression is true."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                if self.evaluate(f"Boolean({expression})"):
                    return
            except BrowserError:
                # The page may be on its way to another.
                pass
            if time.monotonic() > deadline:
                raise BrowserError(f"not within {seconds} s: {expression}")
            time.sleep(0.05)

    def find(self, selector, text=None, seconds=20):
        """Waits for an element that is shown, whose text has `text` in it; JavaScript that is it."""
        wanted = json.dumps(text)
        found = (f"[...document.querySelectorAll({json.dumps(selector)})].find((e) => e.checkVisibility() && !e.disabled"
                 f" && ({wanted} === null || e.textContent.includes({wanted})))")
        self.wait(f"Boolean({found})", seconds)
        return found

    def click(self, selector, text=None):
        """Presses the mouse in the middle of an element, which must be what lies on top there."""
        found = self.find(selector, text)
        box = self.evaluate(
            f"(() => {{ const e = {found}; e.scrollIntoView({{block: 'center'}}); const b = e.getBoundingClientRect();"
            " const [x, y] = [b.left + b.width / 2, b.top + b.height / 2]; const top = document.elementFromPoint(x, y);"
            " return [x, y, e === top || e.contains(top)]; })()")
        if not box[2]:
            raise BrowserError(f"{selector} {text or ''} is covered")
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    def fill(self, selector, text):
        self.evaluate(f"(() => {{ const e = {self.find(selector)}; e.focus(); e.select?.(); }})()")
        self.send("Input.insertText", text=text)

    def key(self, name):
        code, text = KEYS.get(name, (ord(name[0].upper()), name))
        parts = {"key": name, "windowsVirtualKeyCode": code}
        self.send("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **parts)
        self.send("Input.dispatchKeyEvent", type="keyUp", **parts)

    def picture(self, path, is_whole=False):
        parts = {"captureBeyondViewport": True} if is_whole else {}
        if is_whole:
            size = self.send("Page.getLayoutMetrics")["cssContentSize"]
            parts["clip"] = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 6000), "scale": 1}
        data = self.send("Page.captureScreenshot", format="png", **parts)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    def troubles(self):
        """What the page complained about since it was last asked."""
        found = []
        for event in self.browser.events:
            if event.get("sessionId") != self.session:
                continue
            parameters = event.get("params", {})
            if event["method"] == "Runtime.exceptionThrown":
                details = parameters["exceptionDetails"]
                found.append(details.get("exception", {}).get("description", details["text"]))
            elif event["method"] == "Log.entryAdded" and parameters["entry"]["level"] == "error":
                found.append(f"{parameters['entry']['text']} {parameters['entry'].get('url', '')}")
        self.browser.events.clear()
        return found
