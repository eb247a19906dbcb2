"""A node with what `tools/chaos` does to it beside."""

import datetime
import os
import time

from harness.node import CRASH, LINE, Node


def wall(stamp):
    """The moment of a line of a log, in seconds."""
    return datetime.datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()


class ChaosNode(Node):
    """A fault may be an excuse for a process to end by itself and for errors in its log, from `begin_excuse` to
    `excuse_over`."""

    def __init__(self, number, command, port, log, journal, data):
        super().__init__(number, command, port, log, journal)
        self.data = data
        self.is_new = False  # it lost its disk: no member yet
        self.is_terminating = False
        self.code = None  # of the last end by itself
        self.excuse, self.excuses = None, []  # (since, until)
        self.expected = []  # what its errors may say

    def begin_excuse(self, why):
        self.excuse, self.excused_since = why, time.time()

    def excuse_over(self):
        if self.excuse:
            self.excuses.append((self.excused_since, time.time() + 0.1))
        self.excuse = None

    def ended_by_itself(self):
        if self.process is None or self.process.poll() is None:
            return False
        self.code = self.process.returncode
        if self.excuse is None:
            return super().ended_by_itself()
        self.journal.event(f"n{self.number} ended by {self.excuse}, code {self.code}")
        self.process = None
        return True

    def has_said_error(self):
        """Since the excuse began."""
        with open(self.log, errors="replace") as log:
            for line in log:
                level = LINE.match(line)
                if level and level[2] == "error" and wall(level[1]) >= self.excused_since - 0.1:
                    return True
        return False

    def troubles(self):
        """Lines of its log that nothing excuses: errors, traces of a crash; and warnings."""
        errors, warnings = [], []
        with open(self.log, errors="replace") as log:
            is_excused = False
            for line in log:
                level = LINE.match(line)
                if level:
                    at = wall(level[1])
                    is_excused = any(since - 0.1 <= at <= until for since, until in self.excuses)
                if is_excused:
                    continue
                if level and any(text in line for text in self.expected):
                    continue
                if CRASH.search(line) or level and level[2] == "error":
                    errors.append(line.strip())
                elif level is None or level[2] == "warning":
                    warnings.append(line.strip())
        return errors, warnings

    def thaw(self):
        if self.process and self.process.poll() is None:
            super().thaw()

    def erase(self):
        """All that is on its disk, in the directory that stays."""
        for folder, _, _ in os.walk(self.data, topdown=False):
            for name in os.listdir(folder):
                path = os.path.join(folder, name)
                os.rmdir(path) if os.path.isdir(path) else os.remove(path)
