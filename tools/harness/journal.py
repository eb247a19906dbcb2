"""What happened and what was wrong, by the clock that the nodes' logs have."""

import collections
import os
import threading
import time

from harness.wire import utc


class Journal:
    """`events.log`, counts of what happened, and violations: the first few of a kind are also printed."""

    def __init__(self, directory):
        self.lock = threading.Lock()
        self.file = open(os.path.join(directory, "events.log"), "w", buffering=1)
        self.events = []  # (wall time, text)
        self.violations = collections.OrderedDict()
        self.counts = collections.Counter()

    def event(self, text):
        with self.lock:
            self.events.append((time.time(), text))
            self.file.write(f"{utc(self.events[-1][0])} {text}\n")

    def count(self, what, by=1):
        with self.lock:
            self.counts[what] += by

    def violation(self, kind, text):
        with self.lock:
            self.file.write(f"{utc(time.time())} VIOLATION {kind}: {text}\n")
            shown = self.violations.setdefault(kind, [])
            shown.append(text)
            if len(shown) <= 5:
                print(f"{utc(time.time())} VIOLATION {kind}: {text}", flush=True)
