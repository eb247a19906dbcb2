"""The line protocol, as a terminal speaks it."""

import socket
import time

# Answers that say nothing of what the request itself did: BUSY and UNAVAILABLE are of one attempt.
UNCERTAIN = ("-UNKNOWN", "-UNAVAILABLE", "-BUSY")


def utc(wall):
    """A moment as the nodes' logs write it."""
    return time.strftime("%H:%M:%S", time.gmtime(wall)) + f".{int(wall * 1000) % 1000:03}"


def fields(reply):
    """A record or error as a dictionary; no value of these loads has spaces."""
    return dict(word.split("=", 1) for word in reply.lstrip("+").split(" ") if "=" in word)


class Connection:
    """Lines out, replies in, each text with the mark of its kind. Any failure is an OSError."""

    def __init__(self, port, timeout):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def close(self):
        for thing in (self.file, self.socket):
            try:
                thing.close()
            except OSError:
                pass

    def send(self, text):
        self.socket.sendall(text.encode())

    def reply(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError(f"connection ended within {line!r}")
        text = line[:-2].decode()
        if text[:1] == "*":
            return [self.reply() for _ in range(int(text[1:]))]
        if text[:1] == "$":
            return None if text == "$-1" else "$" + self.file.read(int(text[1:]) + 2)[:-2].decode()
        return text

    def ask(self, line):
        self.send(line + "\n")
        return self.reply()


def ask_once(port, line, timeout=8):
    """One request on a connection of its own."""
    connection = Connection(port, timeout)
    try:
        return connection.ask(line)
    finally:
        connection.close()
