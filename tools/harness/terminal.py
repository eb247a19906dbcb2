"""A terminal of `tools/chaos`: asks one thing after the other, retries, sometimes gives up, and writes down all of it."""

import random
import threading
import time

from harness.history import Operation
from harness.wire import UNCERTAIN, Connection, fields

MERCHANTS = ("bakery", "cinema")
# Amounts are so different that a sum tells what it is made of: among small ones an hour of requests of which nobody knows
# what became has too many explanations to look at.
SCALE = 10_000

# The only refusals that this load can be given: nobody is frozen, closed or at a limit.
EXPECTED_REFUSALS = ("-INSUFFICIENT", "-REVERSED")
LONG_TTL = 86_400
# Ledger time may be ahead of the clock, mostly for an audit's sake: by less than this, in microseconds.
STAMPS_AHEAD = 1_000_000


class Terminal(threading.Thread):
    """`world` has what terminals share: nodes, gates, history, journal, members, open holds, when to stop."""

    def __init__(self, number, world):
        super().__init__(name=f"t{number}", daemon=True)
        self.number, self.world, self.journal = number, world, world.journal
        self.random = random.Random(f"{world.options.seed}/{number}")
        self.client, self.clients = f"t{number}", 0
        self.operations = []  # that move points
        self.connection, self.node = None, None
        self.sequence = 0

    # Sending

    def connect(self):
        if self.connection is None or self.random.random() < 0.01:
            self.drop()
            self.node = self.random.choice(self.world.nodes)
            is_direct = self.random.random() < 0.6
            port = self.node.port if is_direct else self.world.gates[self.node.number]
            self.connection = Connection(port, self.random.choice((1.5, 4, 8)))
        return self.connection

    def drop(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def attempt(self, line):
        """The answer, or -UNAVAILABLE if nothing was sent, -UNKNOWN if it may have been."""
        try:
            connection = self.connect()
        except OSError as error:
            self.drop()
            return f"-UNAVAILABLE (no connection: {error!r})"
        try:
            return connection.ask(line)
        except (OSError, ValueError) as error:
            self.drop()
            return f"-UNKNOWN (connection: {error!r})"

    def fresh_client(self):
        """After an operation that has not ended: the next one is another client's."""
        self.clients += 1
        self.client = f"t{self.number}.{self.clients}"

    def until_certain(self, operation):
        """Retries under the same id, on whichever node. None if it was left alone."""
        pause = 0.05
        while True:
            answer = self.attempt(operation.line)
            if not answer.startswith(UNCERTAIN):
                return answer
            self.journal.count(answer.split(" ")[0][1:])
            operation.is_in_doubt = operation.is_in_doubt or answer.startswith("-UNKNOWN")
            chance = self.random.random()
            if not operation.is_in_doubt and chance < 0.15:
                # What has certainly not happened must never show up in the books.
                operation.finish("rejected", answer)
                self.journal.count("given up, nothing done")
                return None
            is_late = time.monotonic() > self.world.deadline
            if operation.is_in_doubt and (chance < 0.04 or is_late):
                if chance < 0.01 and self.world.may_forget(operation):
                    self.journal.count("given up in doubt")
                else:
                    self.world.leave_open(operation)
                self.fresh_client()
                return None
            if self.random.random() < 0.7:
                self.drop()
            time.sleep(self.random.uniform(0.01, pause))
            pause = min(pause * 1.5, 1.0)

    def write(self, kind, member, line, **known):
        """A new request that moves points, now and then as two copies on two nodes at once. Its fields if it did."""
        self.sequence += 1
        name = f"t{self.number}-{self.sequence}"
        operation = Operation(self.client, kind, member, f"{line} id={name}", id=name, **known)
        if "ttl" in known:
            operation.known["expires"] = max(0, operation.begin + operation.known.pop("ttl") * 1_000_000 - STAMPS_AHEAD)
        self.operations.append(operation)
        self.world.history.record(operation)
        twin = self.send_twin(operation) if self.random.random() < 0.03 else None
        answer = self.until_certain(operation)
        if answer is not None:
            self.world.conclude(operation, answer)
            if operation.end is None:  # an answer that makes no sense: a violation, and nothing is known
                self.fresh_client()
        if twin:
            self.compare_twin(twin, operation)
        return fields(answer) if operation.result == "ok" else None

    def send_twin(self, operation):
        try:
            twin = Connection(self.random.choice(self.world.nodes).port, 3)
            operation.is_in_doubt = True
            twin.send(operation.line + "\n")
        except OSError:
            return None
        self.journal.count("sent twice at once")
        return twin

    def compare_twin(self, twin, operation):
        try:
            other = twin.reply() if operation.answer else None
            if other and not other.startswith(UNCERTAIN) and other != operation.answer:
                text = f"{operation.line}: {operation.answer!r} and {other!r}"
                self.journal.violation("two copies differ", text)
        except OSError:
            pass
        twin.close()

    # Kinds of requests

    def run(self):
        try:
            while not self.world.stopping.is_set():
                self.act()
                time.sleep(self.random.expovariate(1 / self.world.options.think))
            self.drop()
        except Exception as error:  # a defect of this tool must not pass as a quiet terminal
            self.journal.violation("a terminal failed", f"{self.name}: {error!r}")
            raise

    def act(self):
        if operation := self.world.take_open(self.random):
            answer = self.until_certain(operation)
            if answer is not None:
                self.journal.count("taken up later")
                self.world.conclude(operation, answer)
            return
        hot, cold = self.world.hot, self.world.cold
        member = self.random.choice(hot if self.random.random() < 0.25 else cold)
        actions = (self.earn, self.redeem, self.hold, self.close_hold, self.transfer, self.read, self.again)
        self.random.choices(actions, (20, 18, 14, 14, 14, 18, 4))[0](member)

    def earn(self, member):
        points = self.random.randrange(1, 120 * SCALE)
        what = f"points={points}" if self.random.random() < 0.5 else f"spend={points * 100 + self.random.randrange(100)}"
        self.write("earn", member, f"EARN {member} merchant={self.merchant()} {what}", points=points)

    def merchant(self):
        return self.random.choice(MERCHANTS)

    def redeem(self, member):
        points = self.random.randrange(1, 120 * SCALE)
        self.write("redeem", member, f"REDEEM {member} merchant={self.merchant()} points={points}", points=points)

    def hold(self, member):
        points = self.random.randrange(1, 80 * SCALE)
        ttl = LONG_TTL if self.random.random() < 0.6 else self.random.randrange(4, 20)
        line = f"HOLD {member} merchant={self.merchant()} points={points} ttl={ttl}"
        answer = self.write("hold", member, line, points=points, ttl=ttl)
        if answer:
            self.world.add_hold((member, answer["tx"], points, self.operations[-1].known["id"]))

    def close_hold(self, _):
        hold = self.world.take_hold(self.random)
        if hold is None:
            return
        member, tx, points, name = hold
        if self.random.random() < 0.4:
            self.write("release", member, f"RELEASE {tx}", points=points, hold=name)
            return
        part = self.random.randrange(1, points + 1) if self.random.random() < 0.6 else points
        line = f"CAPTURE {tx}" + (f" points={part}" if part < points else "")
        self.write("capture", member, line, points=part, hold=name)

    def transfer(self, member):
        to = self.random.choice([other for other in self.world.hot + self.world.cold if other != member])
        points = self.random.randrange(1, 60 * SCALE)
        self.write("transfer", member, f"TRANSFER {member} {to} points={points}", points=points, to=to)

    def read(self, member):
        is_local = self.random.random() < 0.3
        operation = Operation(self.client, "balance", member, f"BALANCE {member}" + (" read=local" if is_local else ""))
        answer = self.attempt(operation.line)
        if answer.startswith(UNCERTAIN):
            self.journal.count("reads without answer")
            self.drop()
        elif not (is_local and answer.startswith("-NOTFOUND")):
            self.world.conclude(operation, answer)
            self.world.history.record(operation)

    def again(self, _):
        """An old request, or its id with other content."""
        done = [o for o in self.operations[-200:] if o.result in ("ok", "refused")]
        if not done:
            return
        operation = self.random.choice(done)
        is_other = " spend=" in operation.line and self.random.random() < 0.3
        line = operation.line.replace(" spend=", " spend=7") if is_other else operation.line
        answer = self.attempt(line)
        if answer.startswith(UNCERTAIN):
            self.drop()
            return
        self.journal.count("repeats compared")
        where = f"on n{self.node.number}"
        if is_other and not answer.startswith("-CONFLICT"):
            self.journal.violation("other content under an id", f"{line} {where} after {operation.line}: {answer}")
        elif not is_other and answer != operation.answer:
            self.journal.violation("a repeat differs", f"{line} {where}: {answer!r}, first {operation.answer!r}")
