"""Does to a cluster what a schedule says."""

import glob
import os
import random
import resource
import signal
import subprocess
import threading
import time

from harness import history
from harness.availability import Soundness
from harness.node import start_command
from harness.wire import ask_once, fields

MOST_SHARDS = 24
START_SECONDS = 15


class Hand:
    """`world` has the nodes, the links, the journal and the history."""

    def __init__(self, world):
        self.world, self.journal, self.links = world, world.journal, world.links
        self.nodes = {node.number: node for node in world.nodes}
        self.strained = {}  # node: (its process, since when)
        self.copies = {}  # node: the process of its copy
        self.tracers = {}  # node: (process, the file that says what it injected)
        self.soundness = Soundness(self.nodes, history.now())
        self.bad_pairs = {}
        self.is_out = set()  # nodes that a fault of processes has
        self.recoveries = []  # (seconds, node, when)

    def work(self, steps):
        begin = time.monotonic()
        for step in steps:
            while time.monotonic() < begin + step.at:
                time.sleep(min(0.05, max(0, begin + step.at - time.monotonic())))
                self.look()
            getattr(self, step.verb.replace("-", "_"))(**step.values)

    def look(self):
        """A node that ended by itself without an excuse is a violation, and is started again."""
        for node in self.nodes.values():
            if not node.is_terminating and node.ended_by_itself() and not node.excuse:
                self.start(node.number)

    # Processes

    def takes_out(self, node):
        if node not in self.is_out:
            self.is_out.add(node)
            self.soundness.change(history.now(), nodes=[node])

    def brings_back(self, node):
        if node in self.is_out and not self.nodes[node].is_new:
            self.is_out.remove(node)
            self.soundness.change(history.now(), nodes=[node], by=-1)

    def start(self, node):
        self.brings_back(node)
        node = self.nodes[node]
        if node.is_terminating:
            node.is_terminating = False
            node.await_end()
        node.ended_by_itself()
        node.excuse_over()
        if node.process is None:
            node.start()
            self.links.is_process(node.number, node.process.pid)

    def kill(self, node):
        self.takes_out(node)
        if self.nodes[node].process:
            self.nodes[node].kill("")

    def term(self, node):
        self.takes_out(node)
        node = self.nodes[node]
        if node.process and not node.ended_by_itself():
            self.journal.event(f"SIGTERM n{node.number}")
            node.process.terminate()
            node.is_terminating = True

    def freeze(self, node):
        self.takes_out(node)
        if self.nodes[node].process:
            self.journal.event(f"SIGSTOP n{node}")
            self.nodes[node].freeze()

    def thaw(self, node):
        self.brings_back(node)
        if self.nodes[node].process:
            self.journal.event(f"SIGCONT n{node}")
            self.nodes[node].thaw()

    # Operations

    def resize(self, node, kind, draw):
        """Asks a node for an operation on some shard. It may refuse, or be away."""
        threading.Thread(target=self.operate, args=(self.nodes[node], kind, random.Random(draw)), daemon=True).start()

    def operate(self, node, kind, draw):
        try:
            shards = [fields(row) for row in ask_once(node.port, "CLUSTER SHARDS", 5)]
            shards = [row for row in shards if row.get("shard", "0") != "0"]
            names = [fields(row)["node"] for row in ask_once(node.port, "CLUSTER NODES", 5)]
            shard = draw.choice(shards)
            line = f"CLUSTER SHARD {kind.upper()} {shard['shard']}"
            if kind == "merge":
                line += " " + draw.choice([row for row in shards if row is not shard])["shard"]
            elif kind == "leader":
                line += f" to={draw.choice(names)}"
            elif kind == "move":
                voters = shard["voters"].split(",")
                line += f" from={draw.choice(voters)} to={draw.choice([n for n in names if n not in voters] or names)}"
            elif len(shards) >= MOST_SHARDS:
                return
            answer = str(ask_once(node.port, line, 5))
        except (OSError, KeyError, IndexError, TypeError) as error:
            answer = repr(error)
            line = kind
        self.journal.event(f"{line} at n{node.number}: {answer[:120]}")
        self.journal.count(f"{kind}s begun" if answer.startswith("+") else f"{kind}s refused")

    # Disks

    def wipe(self, node):
        self.takes_out(node)
        node = self.nodes[node]
        node.kill("for good: it loses its disk")
        node.is_new = True
        node.erase()

    def copy(self, node):
        """A copy of its directory, as it is while it runs, is started beside it, at other ports."""
        node = self.nodes[node]
        data, base = os.path.join(self.world.directory, f"copy-{node.number}"), self.world.options.base_port
        subprocess.run(["cp", "-r", node.data, data], check=False)  # what vanishes meanwhile is not copied
        join = [f"127.0.0.1:{base + 100 + n}" for n in self.nodes]
        command = start_command(
            self.world.options.tally, node.number, data, base + 400 + node.number, base + 500 + node.number, join)
        self.journal.event(f"a copy of n{node.number} is started")
        # Whichever dials first is told: the node that is real says so too, and runs on.
        node.expected.append(f"another process with this node's identity is at 127.0.0.1:{base + 500 + node.number} ")
        with open(data + ".log", "ab") as log:
            self.copies[node.number] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def copy_over(self, node):
        copy = self.copies.pop(node)
        code = copy.poll()
        if code is None:
            copy.kill()
            copy.wait()
        with open(os.path.join(self.world.directory, f"copy-{node}.log"), errors="replace") as log:
            said = log.read()
        if code != 2 or "runs elsewhere" not in said:
            self.journal.violation("a copy of a node does not end", f"n{node}: {code}, {said[-200:]}")

    def fail_sync(self, node):
        """The next write to the log, or sync of it, fails: strace does it. Of journals and snapshots nothing is touched."""
        self.takes_out(node)
        node = self.nodes[node]
        if node.process is None:
            return
        said = os.path.join(self.world.directory, f"strace-{node.number}-{int(time.time() * 1000)}.log")
        calls = "pwrite64,pwritev,pwritev2,fdatasync"
        command = ["strace", "-f", "-p", str(node.process.pid), "-o", said, "-e", f"trace={calls}"]
        for path in glob.glob(os.path.join(node.data, "wal", "*.wal")):
            command += ["-P", path]
        command += ["-e", f"inject={calls}:error=EIO:when=1"]
        self.journal.event(f"EIO at the next write to the log of n{node.number}")
        node.begin_excuse("a failed write to its log")
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, start_new_session=True)
        self.tracers[node.number] = (process, said)

    def fail_sync_over(self, node):
        node = self.nodes[node]
        if node.number not in self.tracers:
            return
        process, said = self.tracers.pop(node.number)
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        with open(said, errors="replace") as file:
            is_struck = "INJECTED" in file.read()
        self.journal.count("failed writes to the log" if is_struck else "failed writes that came to nothing")
        node.ended_by_itself()
        if is_struck and node.process:
            self.journal.violation("a node goes on after a failed write to its log", f"n{node.number}, {said}")
        elif is_struck and (node.code <= 0 or not node.has_said_error()):
            self.journal.violation("a failed write ends a node quietly", f"n{node.number}, code {node.code}, {said}")

    def fill(self, node):
        self.takes_out(node)
        node = self.nodes[node]
        self.journal.event(f"fill the disk of n{node.number}")
        node.begin_excuse("a full disk")
        room = os.statvfs(node.data)
        file = os.open(os.path.join(node.data, "filler"), os.O_WRONLY | os.O_CREAT)
        try:
            os.posix_fallocate(file, 0, room.f_bavail * room.f_frsize)
            while os.write(file, bytes(4096)):
                pass
        except OSError:
            pass
        os.close(file)

    def fill_over(self, node):
        node = self.nodes[node]
        self.journal.event(f"room again on the disk of n{node.number}")
        os.remove(os.path.join(node.data, "filler"))
        node.ended_by_itself()
        self.journal.count("outlived a full disk" if node.process else "ended by a full disk")
        node.excuse_over()

    # Memory

    def strain(self, node, share):
        """Lowers the limit on the process's data to so much that it is over what the node may use of it, three quarters."""
        node = self.nodes[node]
        if node.process is None or node.ended_by_itself():
            return
        # A start may take as much again as it has so far: what it may use of the limit counts from when it has all that it found.
        if time.monotonic() - node.started < START_SECONDS:
            return
        with open(f"/proc/{node.process.pid}/status") as status:
            data = next(int(line.split()[1]) for line in status if line.startswith("VmData")) * 1024
        _, hard = resource.prlimit(node.process.pid, resource.RLIMIT_DATA)
        resource.prlimit(node.process.pid, resource.RLIMIT_DATA, (int(data / 0.75 / share), hard))
        self.journal.event(f"the memory of n{node.number} is at {share} of its limit")
        self.strained[node.number] = (node.process.pid, time.time())

    def strain_over(self, node):
        node = self.nodes[node]
        pid, since = self.strained.pop(node.number, (None, None))
        if node.process is None or node.process.pid != pid or node.ended_by_itself():
            return
        _, hard = resource.prlimit(pid, resource.RLIMIT_DATA)
        resource.prlimit(pid, resource.RLIMIT_DATA, (hard, hard))
        self.journal.event(f"the memory of n{node.number} is within its limit")
        self.journal.count("outlived a want of memory")
        node.excuses.append((since, time.time() + 0.1))

    # Links

    def bad(self, name, pairs, settings):
        self.journal.event(f"{name}: {pairs} {settings}")
        self.links.begin(name, pairs, settings)
        self.soundness.change(history.now(), links=pairs)
        self.bad_pairs[name] = pairs

    def good(self, name):
        self.journal.event(f"{name} is over")
        self.links.end(name)
        self.soundness.change(history.now(), links=self.bad_pairs.pop(name), by=-1)

    def reset(self, pairs):
        self.journal.event(f"reset {pairs}")
        self.links.reset(pairs)

    # In between

    def calm(self, seconds):
        """With nothing wrong any more, every node must do its work: an audit takes all shards."""
        self.journal.event("calm")
        for node in self.nodes.values():
            if not node.is_new:
                threading.Thread(target=self.await_audit, args=(node, seconds), daemon=True).start()

    def await_audit(self, node, seconds):
        begun = time.monotonic()
        if node.answers("AUDIT", "balanced=yes", seconds):
            self.recoveries.append((time.monotonic() - begun, f"n{node.number}", time.time()))
            self.journal.event(f"n{node.number} has an audit {self.recoveries[-1][0]:.1f} s after the calm began")
        else:
            self.journal.violation("a calm does not bring a node back", f"n{node.number} has no audit for {seconds} s")

    def calm_over(self):
        self.journal.event("calm is over")

    def put_away(self):
        for copy in self.copies.values():
            copy.kill()
            copy.wait()
        for process, _ in self.tracers.values():
            if process.poll() is None:
                process.kill()
                process.wait()
