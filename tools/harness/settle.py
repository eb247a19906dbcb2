"""The checks of `tools/chaos` when all faults are over."""

import collections
import os
import re
import subprocess
import threading
import time

from harness.history import Operation, problems
from harness.wire import UNCERTAIN, Connection, ask_once, fields


class Settle:
    """`world` has all that ran; what is wrong goes to its journal."""

    def __init__(self, world):
        self.world, self.journal = world, world.journal
        self.members = [node for node in world.nodes if not node.is_new]
        self.warnings = collections.Counter()
        self.deadline = time.monotonic() + world.patience  # of all that is asked until it is answered

    def run(self):
        threads = [threading.Thread(target=self.await_health, args=(node,)) for node in self.members]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.resolve()
        for node in self.members:
            self.read_all(node)
        self.check_audit()
        self.check_digests()
        for node in self.world.nodes:
            node.terminate()
        self.check_logs()
        self.check_history()

    def await_health(self, node):
        """All shards do their work, as an audit shows at each node. A lost node stays lost: no "healthy" after a wipe."""
        seconds, begun = self.world.patience, time.monotonic()
        is_whole = len(self.members) == len(self.world.nodes)
        if is_whole and not node.answers("CLUSTER STATUS", "healthy=yes", seconds):
            self.journal.violation("not healthy after it all", f"n{node.number} for {seconds} s")
        elif not node.answers("AUDIT", "balanced=yes", seconds):
            self.journal.violation("no audit after it all", f"n{node.number} for {seconds} s")
        self.journal.event(f"n{node.number} is well or given up after {time.monotonic() - begun:.1f} s")

    def resolve(self):
        """What terminals left in doubt is asked until it is certain."""
        for operation in self.world.open_operations:
            answer = self.answer_of(self.members[0], operation.line)
            if answer.startswith(UNCERTAIN):
                self.journal.violation("no certain answer in quiescence", f"{operation.line}: {answer}")
                return  # nor would the others have one
            self.journal.count("resolved at the end")
            self.world.conclude(operation, answer)

    def read_all(self, node):
        """Reads of every member, so that the history says how it ended."""
        connection = Connection(node.port, 30)
        try:
            for member in self.world.hot + self.world.cold:
                operation = Operation(f"final{node.number}", "balance", member, f"BALANCE {member}")
                answer = connection.ask(operation.line)
                if answer.startswith(UNCERTAIN):
                    self.journal.violation("no certain answer in quiescence", f"{operation.line} on n{node.number}: {answer}")
                    break
                self.world.conclude(operation, answer)
                self.world.history.record(operation)
        except OSError as error:
            self.journal.violation("a connection fails in quiescence", f"n{node.number}: {error!r}")
        connection.close()

    def answer_of(self, node, line):
        while True:
            try:
                answer = ask_once(node.port, line)
                if isinstance(answer, list) or not answer.startswith(UNCERTAIN):
                    return answer
            except OSError as error:
                answer = f"-UNAVAILABLE {error!r}"
            if time.monotonic() > self.deadline:
                return answer
            time.sleep(0.2)

    def check_audit(self):
        for node in self.members:
            rows = self.answer_of(node, "AUDIT")
            total = fields(rows[-1]) if isinstance(rows, list) else {}
            members = str(len(self.world.hot + self.world.cold))
            wanted = {"sum": "0", "intransit": "0", "balanced": "yes", "members": members}
            if any(total.get(k) != v for k, v in wanted.items()):
                self.journal.violation("the books do not balance", f"n{node.number}: {rows}")

    def check_digests(self):
        """Each shard's, equal wherever it is, and there on every member that holds it."""
        copies = self.world.options.replicas
        deadline = time.monotonic() + self.world.patience
        while True:
            found = collections.defaultdict(dict)
            for node in self.members:
                rows = self.answer_of(node, "AUDIT read=local")
                for row in rows[:-1] if isinstance(rows, list) else ():
                    row = fields(row)
                    if "digest" in row:
                        found[row["shard"]][node.number] = row["digest"]
            lost = len(self.world.nodes) - len(self.members)
            rows = self.answer_of(self.members[0], "CLUSTER SHARDS")
            shards = {fields(row).get("shard") for row in rows} if isinstance(rows, list) else set()
            are_all = set(found) == shards - {"0"} and all(
                len(digests) >= copies - lost for digests in found.values())
            if are_all and all(len(set(digests.values())) == 1 for digests in found.values()):
                return
            if time.monotonic() > deadline:
                self.journal.violation("digests differ", str(dict(found)))
                return
            time.sleep(0.3)

    def check_logs(self):
        for node in self.world.nodes:
            errors, warnings = node.troubles()
            for line in errors:
                self.journal.violation("a log has an error", f"n{node.number}: {line}")
            for line in warnings:
                text = line.split(" warning ", 1)[-1]
                self.warnings[re.sub(r"[0-9a-f]*\d[0-9a-f]*", "#", text)[:110]] += 1

    def check_history(self):
        path = os.path.join(self.world.directory, "history.txt")
        self.world.history.write(path)
        for problem in problems(path):
            self.journal.violation("the history is malformed", problem)
        checker = self.world.options.checker
        if not checker or not os.access(checker, os.X_OK):
            self.journal.violation("no checker", f"{checker} is not a program; build it, or say --checker PATH")
            return
        begun = time.monotonic()
        done = subprocess.run([checker, "check", path], capture_output=True, text=True)
        self.world.verdict = f"{(done.stdout + done.stderr).strip()} ({time.monotonic() - begun:.1f} s)"
        if done.returncode:
            what = {1: "the history is not linearizable", 3: "the checker cannot tell whether the history is linearizable"}
            self.journal.violation(what.get(done.returncode, "the checker failed"), self.world.verdict)
