"""Starts the proxy that nodes and terminals speak through, and tells it what is wrong with each link."""

import json
import os
import signal
import subprocess
import sys
import threading


class Links:
    """Faults by name, each with the links that it strikes; several on one link add up.

    `usual` is what a link is like without faults: (a, b) to settings of `link_proxy`.
    """

    def __init__(self, listeners, seed, usual):
        program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "link_proxy.py")
        arguments = json.dumps({"listeners": listeners, "seed": seed})
        self.process = subprocess.Popen(
            [sys.executable, program, arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            start_new_session=True)
        self.lock = threading.Lock()
        self.usual, self.faults = usual, {}
        self.tell(links=[[a, b, values] for (a, b), values in usual.items()])

    def tell(self, **command):
        with self.lock:
            self.process.stdin.write(json.dumps(command) + "\n")
            self.process.stdin.flush()

    def is_process(self, node, pid):
        self.tell(pids={str(node): pid})

    def begin(self, name, pairs, settings):
        self.faults[name] = (pairs, settings)
        self.update(pairs)

    def end(self, name):
        pairs, _ = self.faults.pop(name)
        self.update(pairs)

    def reset(self, pairs):
        self.tell(resets=pairs)

    def be_perfect(self):
        """Nothing of faults nor of what was usual."""
        pairs = set(self.usual).union(*(pairs for pairs, _ in self.faults.values()))
        self.faults, self.usual = {}, {}
        self.update(pairs)

    def update(self, pairs):
        self.tell(links=[[a, b, self.settings((a, b))] for a, b in pairs])

    def settings(self, pair):
        result = dict(self.usual.get(pair, {}))
        for pairs, settings in self.faults.values():
            if pair not in pairs:
                continue
            for key, value in settings.items():
                if key == "mode":
                    result[key] = "drop" if "drop" in (value, result.get(key)) else value
                elif key == "rate":
                    result[key] = min(value, result.get(key, value))
                elif key in ("refuse", "mute"):
                    result[key] = value
                else:
                    result[key] = result.get(key, 0) + value
        return result

    def counts(self):
        """What has passed, of the whole run."""
        self.tell(count=True)
        return json.loads(self.process.stdout.readline())

    def put_away(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
