"""Stories: commands to a fresh cluster and what must come back. Tests/Stories/README.md has the format."""

import re
import time

from harness.wire import UNCERTAIN, Connection

VARIABLE = re.compile(r"\$([A-Za-z][A-Za-z0-9]*)")
WORD = re.compile(r"""(?:"(?:\\.|[^"\\])*"|'[^']*'|[^\s"'])+""")
PART = re.compile(r"""("(?:\\.|[^"\\])*")|('[^']*')|([^"']+)""")
ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
PATIENCE = 20  # seconds, for a reply, and for a command to be said again that was refused for the moment
DIRECTIONS = {"time": (1,), "as": (1, 2), "node": (1,), "settle": (0,)}


class StoryError(Exception):
    """A reply that is not the expected one, or a story that can't be read."""


def words(text):
    """Splits at spaces outside quotes and removes the quotes, as the line protocol does."""

    def escape(match):
        return chr(int(match[1][1:], 16)) if len(match[1]) == 3 else ESCAPES.get(match[1], match[1])

    def plain(part):
        return part[3] or (part[2][1:-1] if part[2] else re.sub(r"\\(x[0-9A-Fa-f]{2}|.)", escape, part[1][1:-1]))

    return ["".join(map(plain, PART.finditer(word[0]))) for word in WORD.finditer(text)]


def fields(text):
    """The `key=value` words of a record, or of an error's text."""
    pairs = (word.partition("=") for word in words(text))
    return {key: value for key, sign, value in pairs if sign}


def shown(reply):
    """For a person."""
    if isinstance(reply, list):
        return "\n              ".join(map(shown, reply)) or "no records"
    return "nothing" if reply is None else reply if is_error(reply) else reply[1:]


def is_error(reply):
    return isinstance(reply, str) and reply.startswith("-")


class Block:
    """One command or one direction, and the lines expected after it."""

    def __init__(self, number, mark, text):
        self.number, self.mark, self.text, self.expected = number, mark, text, []


def read(path):
    """The blocks of a file."""
    blocks = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            mark, _, rest = line.partition(" ")
            rest = rest.strip()
            verb, *arguments = rest.split() or [""]
            if mark == "<" and blocks and blocks[-1].mark == ">":
                blocks[-1].expected.append((number, rest))
            elif mark == ">" and rest or mark == "@" and len(arguments) in DIRECTIONS.get(verb, ()):
                blocks.append(Block(number, mark, rest))
            else:
                raise StoryError(f"{path}:{number}: not a line of a story: {line}")
    return blocks


class Variables:
    """The values that a story keeps under names."""

    def __init__(self):
        self.values = {}

    def fill(self, text):
        """The text with each `$name` replaced by its value."""

        def value(match):
            if match[1] not in self.values:
                raise StoryError(f"${match[1]} was not kept")
            return self.values[match[1]]

        return VARIABLE.sub(value, text)


def check(expected, reply, variables):
    """Compares a reply with the lines `<`; raises StoryError where it is another one."""
    if not expected:
        if is_error(reply):
            raise StoryError(f"expected: anything but an error\n    got:      {reply}")
        return
    number, first = expected[0]
    count = re.fullmatch(r"(\d+) records?", first)
    if count:
        check_records(expected, int(count[1]), reply, variables)
    elif len(expected) > 1:
        raise StoryError(f"line {expected[1][0]}: one reply is one line `<`, unless it is `< N records`")
    else:
        check_line(number, first, reply, variables)


def check_records(expected, count, reply, variables):
    listed = expected[1:]
    has_more = bool(listed) and listed[-1][1] in ("…", "...")
    if has_more:
        listed = listed[:-1]
    if listed and len(listed) != count:
        raise StoryError(f"line {expected[0][0]}: says {count} records and lists {len(listed)}")
    if not isinstance(reply, list) or (len(reply) < count if has_more else len(reply) != count):
        raise StoryError(f"expected: {count} records{' or more' if has_more else ''}\n    got:      {shown(reply)}")
    for (number, text), record in zip(listed, reply):
        check_line(number, text, record, variables)


def check_line(number, expected, reply, variables):
    def wrong(why):
        return StoryError(f"line {number}: {why}\n    expected: {expected}\n    got:      {shown(reply)}")

    wanted = words(expected)
    if expected.startswith("-"):
        if not is_error(reply):
            raise wrong("not an error")
        if reply.split(" ", 1)[0] != wanted[0]:
            raise wrong("another error")
        got, wanted = fields(reply.replace("'", " ")), wanted[1:]  # prose may have an apostrophe
    elif is_error(reply) or isinstance(reply, list) or reply is None:
        raise wrong("not such a reply")
    elif len(wanted) == 1 and "=" not in wanted[0] and not wanted[0].startswith("!"):
        if reply[1:] != wanted[0]:
            raise wrong("another reply")
        return
    else:
        got = fields(reply[1:])
    for word in wanted:
        key, sign, value = word.partition("=")
        if word.startswith("!"):
            if word[1:] in got:
                raise wrong(f"{word[1:]} is there")
            continue
        if not sign:
            raise StoryError(f"line {number}: neither key=value nor !key: {word}")
        if key not in got:
            raise wrong(f"{key} is missing")
        name = VARIABLE.fullmatch(value)
        if name:
            meant = variables.values.setdefault(name[1], got[key])
            if meant != got[key]:
                raise wrong(f"{key} is not ${name[1]}={meant}")
        elif value != "*" and got[key] != variables.fill(value):
            raise wrong(f"{key} differs")


class StoryRun:
    """One story on nodes whose client ports are `ports`."""

    def __init__(self, path, ports):
        self.path, self.ports = path, ports
        self.connections, self.variables = {}, Variables()
        self.user = self.first_user = self.node = None
        self.turn = self.commands = 0
        self.failures = []

    def run(self):
        """Tells it to its end, also behind a reply that is not the expected one."""
        for block in read(self.path):
            try:
                if block.mark == "@":
                    self.direct(*block.text.split())
                else:
                    self.commands += 1
                    check(block.expected, self.ask_patiently(self.variables.fill(block.text)), self.variables)
            except (StoryError, OSError) as error:
                self.failures.append(f"{self.path}:{block.number}: {block.mark} {block.text}\n    {error}")
                if isinstance(error, OSError):
                    break
        try:
            self.settle()
        except (StoryError, OSError) as error:
            self.failures.append(f"{self.path}: at the end\n    {error}")
        for connection in self.connections.values():
            connection.close()

    def direct(self, verb, *rest):
        if verb == "as":
            self.user = None if rest == ("-",) else rest
            if self.user and len(rest) != 2:
                raise StoryError("as NAME SECRET, or as -")
            if self.user:
                self.first_user = self.first_user or self.user
                self.connection(self.node or 0)  # a wrong secret fails here
        elif verb == "node":
            self.node = None if rest[0] == "-" else int(rest[0]) - 1
            if self.node is not None and not 0 <= self.node < len(self.ports):
                raise StoryError(f"there are {len(self.ports)} nodes")
        elif verb == "settle":
            self.settle()
        else:
            raise StoryError("only a simulated cluster can do this: tally-sim story")

    def settle(self):
        """Waits until nothing is between shards; the books must balance."""
        asking, self.user, self.node = (self.user, self.node), self.first_user, 0
        try:
            deadline = time.monotonic() + PATIENCE
            while True:
                rows = self.ask_patiently("AUDIT")
                if not isinstance(rows, list) or not rows:
                    raise StoryError(f"AUDIT: {shown(rows)}")
                total = fields(rows[-1])
                if total.get("intransit") == "0":
                    break
                if time.monotonic() > deadline:
                    raise StoryError(f"expected: intransit=0\n    got:      {shown(rows)}")
                time.sleep(0.05)
            if total.get("balanced") != "yes" or total.get("sum") != "0":
                raise StoryError(f"the books do not balance: {shown(rows[-1])}")
        finally:
            self.user, self.node = asking

    def connection(self, number):
        key = (self.user, number)
        if key not in self.connections:
            connection = Connection(self.ports[number], PATIENCE)
            if self.user:
                answer = connection.ask(f"AUTH {self.user[0]} {self.user[1]}")
                if answer != "+OK":
                    connection.close()
                    raise StoryError(f"AUTH {self.user[0]}: {shown(answer)}")
            self.connections[key] = connection
        return self.connections[key]

    def ask_patiently(self, line):
        """Asks the node whose turn it is. Asks again what was not done, or perhaps not: said twice it counts once."""
        number = self.node
        if number is None:
            number, self.turn = self.turn % len(self.ports), self.turn + 1
        deadline = time.monotonic() + PATIENCE
        while True:
            reply = self.connection(number).ask(line)
            if not (is_error(reply) and reply.startswith(UNCERTAIN)) or time.monotonic() > deadline:
                return reply
            time.sleep(0.1)
