"""One process of the product, its log, and what is meant to be the case with it."""

import re
import signal
import subprocess
import time

from harness.wire import ask_once

REGIONS = ("east", "north", "west", "south", "isles")
CRASH = re.compile(r"fatal error|precondition|assertion|illegal instruction|segmentation|crashed|💣", re.I)
LINE = re.compile(r"^(\d{4}-\d\d-\d\dT[\d:.]+Z) (debug|info|warning|error) ")


def start_command(program, number, data, listen, peer, join, flags=()):
    """The command that starts a node; `listen` and `peer` are ports, `join` is addresses, `flags` are KEY=VALUE."""
    return [
        program, "start", "--name", f"n{number}", "--region", REGIONS[number - 1], "--data", data,
        "--listen", f"127.0.0.1:{listen}", "--peer", f"127.0.0.1:{peer}", "--join", ",".join(join),
    ] + [f"--{flag}" for flag in flags]


class Node:
    """Terminals reach it at `port`; `log` is the file that gets its standard error."""

    def __init__(self, number, command, port, log, journal):
        self.number, self.command, self.port, self.log, self.journal = number, command, port, log, journal
        self.process, self.started = None, 0

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.started = time.monotonic()
        self.journal.event(f"start n{self.number} pid={self.process.pid}")

    def lines(self, text):
        """How many lines of its log have that text."""
        with open(self.log, errors="replace") as log:
            return sum(text in line for line in log)

    def ended_by_itself(self):
        """Whether it did, as a violation; call it before every signal."""
        if self.process is None or self.process.poll() is None:
            return False
        self.journal.violation("a node ended by itself", f"n{self.number} with code {self.process.returncode}")
        self.process = None
        return True

    def kill(self, why):
        if not self.ended_by_itself():
            self.journal.event(f"SIGKILL n{self.number} {why}")
            self.process.kill()
            self.process.wait()
            self.process = None
        self.journal.count("kills")

    def terminate(self):
        """SIGTERM must end it, with code 0."""
        if self.process is None or self.ended_by_itself():
            return
        self.journal.event(f"SIGTERM n{self.number}")
        self.process.terminate()
        self.await_end()

    def await_end(self):
        """After SIGTERM."""
        try:
            code = self.process.wait(20)
        except subprocess.TimeoutExpired:
            code = "none within 20 s"
            self.process.kill()
            self.process.wait()
        if code != 0:
            self.journal.violation("SIGTERM does not end a node with 0", f"n{self.number}: {code}")
        self.process = None

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def answers(self, line, wanted, seconds):
        """Asks until the answer matches."""
        deadline = time.monotonic() + seconds
        answer = "nothing"
        while time.monotonic() < deadline:
            try:
                answer = ask_once(self.port, line, 6)
                if re.search(wanted, str(answer)):
                    return True
            except OSError as error:
                answer = repr(error)
            time.sleep(0.02)
        self.journal.event(f"n{self.number} answered {line!r} by {answer!r} for {seconds} s, not {wanted!r}")
        return False

    def put_away(self):
        """Ends it in whatever state it is."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
