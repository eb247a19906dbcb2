"""What terminals saw, in the form of docs/testing.md: one operation a line, microseconds of this process's clock."""

import threading
import time

HEADER = "tallystick-history 1"
KINDS = ("earn", "redeem", "hold", "capture", "release", "transfer", "balance")


def now():
    return time.monotonic_ns() // 1000


class Operation:
    """What was asked and what came of it. `end` is None, and `result` too, while nothing is certain."""

    __slots__ = ("begin", "end", "client", "kind", "member", "line", "result", "answer", "known", "is_in_doubt", "left_at")

    def __init__(self, client, kind, member, line, **known):
        self.begin, self.end = now(), None
        self.client, self.kind, self.member, self.line = client, kind, member, line
        self.result, self.answer = None, None
        self.known = known  # the fields of its line in the file
        self.is_in_doubt = False  # some attempt may have had an effect
        self.left_at = 0  # when it was left in doubt for later

    def finish(self, result, answer, **known):
        self.end, self.result, self.answer = now(), result, answer
        self.known.update(known)

    def text(self):
        words = [str(self.begin), "-" if self.end is None else str(self.end), self.client, self.kind, self.member]
        words += [f"{key}={value}" for key, value in self.known.items() if value is not None]
        return " ".join(words + ([f"result={self.result}"] if self.result else []))


class History:
    def __init__(self):
        self.lock = threading.Lock()
        self.operations = []
        # Nodes tell wall time; all are on this machine.
        self.wall_ahead = time.time_ns() // 1000 - now()

    def record(self, operation):
        with self.lock:
            self.operations.append(operation)

    def moment(self, wall_milliseconds):
        """A node's time by this history's clock, and not below 0."""
        return max(0, int(wall_milliseconds) * 1000 - self.wall_ahead)

    def write(self, path):
        with open(path, "w") as file:
            file.write(HEADER + "\n")
            for operation in sorted(self.operations, key=lambda o: o.begin):
                file.write(operation.text() + "\n")


def problems(path):
    """What is wrong with the form of a file, by line; the first of each line."""
    found, last_end, ids, holds = [], {}, set(), set()
    with open(path) as file:
        lines = file.read().split("\n")
    if lines[0] != HEADER or lines[-1] != "":
        found.append("no header, or no end of line at the end")
    rows = [(number, line, line.split(" ")) for number, line in enumerate(lines[1:-1], 2)]
    for number, line, words in rows:
        known = dict(word.split("=", 1) for word in words[5:] if "=" in word)
        if words[3:4] == ["hold"]:
            holds.add(known.get("id"))
    for number, line, words in rows:
        problem = problem_of(words, last_end, ids, holds)
        if problem:
            found.append(f"line {number}: {problem}: {line}")
    return found


def problem_of(words, last_end, ids, holds):
    if len(words) < 5 or words[3] not in KINDS or any("=" not in word for word in words[5:]):
        return "not BEGIN END CLIENT OP MEMBER key=value"
    begin, end, client, kind, _ = words[:5]
    known = dict(word.split("=", 1) for word in words[5:])
    if not begin.isdigit() or not (end == "-" or end.isdigit() and int(begin) <= int(end)):
        return "times"
    if last_end.get(client, -1) > int(begin):
        return "begins before the client's last one ended"
    last_end[client] = float("inf") if end == "-" else int(end)
    if (end == "-") != ("result" not in known) or known.get("result", "ok") not in ("ok", "refused", "rejected"):
        return "result"
    if kind == "balance":
        wanted = {"result", "balance", "held", "available"}
    else:
        wanted = {"id", "points"} | ({"to"} if kind == "transfer" else set())
        wanted |= {"hold"} if kind in ("capture", "release") else {"expires"} if kind == "hold" else set()
        if known.get("id") in ids:
            return "an id twice"
        ids.add(known.get("id"))
    if not wanted <= set(known):
        return f"lacks {wanted - set(known)}"
    if "hold" in known and known["hold"] not in holds:
        return "no such hold"
    return None
