"""Stands between nodes, and between terminals and nodes, as a network that can be made bad. A process of its own, so
that its delays are not those of whoever makes the load; `links.py` starts and steers it.

Each node is reached at one port of this process, which other nodes are told as its address. Who it is that dials there
is found by the socket's owner: /proc says which process has it. So there is a link for each ordered pair of nodes:
`link[a, b]` has the faults of the bytes that travel from a to b, on the connections that a made as on those that b made.

    delay    milliseconds that bytes take; `jitter` more at random, in order all the same
    rate     bytes a second, 0 is without bound
    mode     up; stall: bytes wait, and arrive when the link is up again; drop: bytes are swallowed while the connection
             stays. As no TCP has holes in it, a connection that lost bytes is reset when the link is up again
    refuse   whether new connections of a to b are reset
    mute     whether new connections of a to b lead nowhere, also when this is over: as if the machine had vanished
    tear     the chance that an answer to a terminal ends somewhere within, with a reset

Steered by lines of JSON on standard input, ends with it.
"""

import collections
import errno
import heapq
import json
import os
import random
import selectors
import socket
import struct
import sys
import time

QUEUE_BYTES_MAX = 4 << 20
READ_BYTES = 64 << 10
END, ABORT = object(), object()  # in place of bytes
CLIENT = "c"


class Link:
    __slots__ = ("delay", "jitter", "rate", "mode", "refuse", "mute", "tear", "free")

    def __init__(self):
        self.free = 0.0  # when what was sent before has passed, by `rate`
        self.set({})

    def set(self, values):
        self.delay = values.get("delay", 0) / 1000
        self.jitter = values.get("jitter", 0) / 1000
        self.rate = values.get("rate", 0)
        self.mode = values.get("mode", "up")
        self.refuse, self.mute = values.get("refuse", False), values.get("mute", False)
        self.tear = values.get("tear", 0)

    def due(self, now, count):
        """When bytes arrive that are sent now."""
        if self.rate:
            self.free = max(self.free, now) + count / self.rate
        else:
            self.free = now
        return self.free + self.delay + self.jitter * random.random()


class Pipe:
    """One direction of a connection."""

    def __init__(self, connection, source, sink, link):
        self.connection, self.source, self.sink, self.link = connection, source, sink, link
        self.queue, self.bytes, self.last_due = collections.deque(), 0, 0.0
        self.is_ended, self.is_done, self.is_blocked = False, False, False
        self.is_timed = False  # a timer will pump it
        self.has_hole = False  # bytes were swallowed: nothing behind them may arrive

    def push(self, now, what):
        count = len(what) if isinstance(what, bytes) else 0
        # An end overtakes nothing.
        self.last_due = max(self.last_due, self.link.due(now, count))
        self.queue.append([self.last_due, what])
        self.bytes += count


class Connection:
    def __init__(self, socket_, target, since):
        self.near, self.far, self.target, self.since = socket_, None, target, since
        self.source, self.pipes = None, ()
        self.is_open, self.is_connected, self.is_doomed = True, False, False
        self.is_mute = False
        self.masks = {}

    def touches(self, pair):
        return self.source and pair in ((self.source, self.target), (self.target, self.source))


class Proxy:
    def __init__(self, listeners, seed):
        """`listeners`: (port, node, port of the node, whether terminals dial it)."""
        random.seed(seed)
        self.selector = selectors.DefaultSelector()
        self.links = collections.defaultdict(Link)
        self.pids, self.timers, self.sequence = {}, [], 0
        self.connections = set()
        self.counts = collections.Counter()
        self.ports = {}
        self.is_over = False
        for port, node, target, is_for_terminals in listeners:
            listener = socket.socket()
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", port))
            listener.listen(1024)
            listener.setblocking(False)
            self.ports[node] = target
            self.selector.register(
                listener, selectors.EVENT_READ, lambda _, l=listener, n=node, t=is_for_terminals: self.accept(l, n, t))
        os.set_blocking(0, False)
        self.commands = b""
        self.selector.register(0, selectors.EVENT_READ, lambda _: self.steer())

    def run(self):
        while not self.is_over:
            wait = self.timers[0][0] - time.monotonic() if self.timers else 1
            for key, mask in self.selector.select(max(0, min(1, wait))):
                key.data(mask)
            now = time.monotonic()
            while self.timers and self.timers[0][0] <= now:
                heapq.heappop(self.timers)[2]()

    def after(self, moment, action):
        self.sequence += 1
        heapq.heappush(self.timers, (moment, self.sequence, action))

    # Steering

    def steer(self):
        try:
            data = os.read(0, 1 << 16)
        except BlockingIOError:
            return
        self.commands += data
        *lines, self.commands = self.commands.split(b"\n")
        for line in lines:
            self.obey(json.loads(line))
        self.is_over = self.is_over or not data

    def obey(self, command):
        self.pids.update({int(k): v for k, v in command.get("pids", {}).items()})
        now = time.monotonic()
        for source, sink, values in command.get("links", ()):
            link = self.links[source, sink]
            was = link.mode
            link.set(values)
            if link.mode == was:
                continue
            for connection in [c for c in self.connections if c.touches((source, sink))]:
                if link.mode != "up" or connection.is_mute:
                    continue
                if connection.is_doomed:
                    self.abort(connection)
                elif not connection.pipes:
                    self.dial(connection)
                elif connection.is_connected:
                    for pipe in connection.pipes:
                        self.pump(pipe, now)
        for source, sink in command.get("resets", ()):
            some = [c for c in self.connections if (c.source, c.target) == (source, sink) and not c.is_mute]
            for connection in some:
                self.counts["resets"] += 1
                self.abort(connection)
        if "count" in command:
            print(json.dumps(self.counts), flush=True)

    # Connections

    def accept(self, listener, node, is_for_terminals):
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            near.setblocking(False)
            near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(near, node, time.monotonic())
            self.connections.add(connection)
            if is_for_terminals:
                self.begin(connection, CLIENT)
            else:
                self.identify(connection)

    def identify(self, connection):
        if not connection.is_open:
            return
        owner = self.owner(connection.near)
        if owner:
            self.begin(connection, owner)
        elif time.monotonic() - connection.since < 0.3:
            # A node may dial before its process id has arrived here.
            self.after(time.monotonic() + 0.02, lambda: self.identify(connection))
        else:
            self.abort(connection)

    def owner(self, near):
        """The node whose process has the other end of a connection."""
        try:
            ends = f"{near.getpeername()[1]:04X}", f"{near.getsockname()[1]:04X}"
        except OSError:
            return None
        inode = None
        with open("/proc/net/tcp") as table:
            for row in table:
                words = row.split()
                if words[1][-5:] == ":" + ends[0] and words[2][-5:] == ":" + ends[1]:
                    inode = words[9]
        for node, pid in self.pids.items() if inode else ():
            try:
                for name in os.listdir(f"/proc/{pid}/fd"):
                    try:
                        if os.readlink(f"/proc/{pid}/fd/{name}") == f"socket:[{inode}]":
                            return node
                    except OSError:
                        pass
            except OSError:
                pass
        return None

    def begin(self, connection, source):
        connection.source = source
        self.counts["connections"] += 1
        link = self.links[source, connection.target]
        if link.refuse:
            self.counts["refused"] += 1
            self.abort(connection)
        elif link.mute:
            self.counts["muted"] += 1
            connection.is_mute = True
        else:
            self.dial(connection)

    def dial(self, connection):
        """Nothing comes through a link that is not up, both ways: the dialler waits."""
        both = (self.links[connection.source, connection.target], self.links[connection.target, connection.source])
        if any(link.mode == "drop" for link in both):
            connection.is_doomed = True
            return
        if any(link.mode != "up" for link in both):
            return
        far = socket.socket()
        far.setblocking(False)
        far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.far = far
        connection.pipes = (
            Pipe(connection, connection.near, far, both[0]), Pipe(connection, far, connection.near, both[1]))
        code = far.connect_ex(("127.0.0.1", self.ports[connection.target]))
        if code not in (0, errno.EINPROGRESS):
            self.abort(connection)
            return
        connection.masks[far] = selectors.EVENT_WRITE
        self.selector.register(far, selectors.EVENT_WRITE, lambda _: self.connected(connection))

    def connected(self, connection):
        if not connection.is_open:  # reset in this very turn
            return
        if connection.far.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.abort(connection)
            return
        self.selector.unregister(connection.far)
        connection.masks, connection.is_connected = {}, True
        for pipe in connection.pipes:
            self.watch(connection, pipe.source)

    def watch(self, connection, socket_):
        """Tells the selector what is wanted of a socket now."""
        mask = 0
        for pipe in connection.pipes:
            if pipe.source is socket_ and not pipe.is_ended and pipe.bytes < QUEUE_BYTES_MAX:
                mask |= selectors.EVENT_READ
            if pipe.sink is socket_ and pipe.is_blocked:
                mask |= selectors.EVENT_WRITE
        was = connection.masks.get(socket_, 0)
        if mask == was:
            return
        connection.masks[socket_] = mask
        if not mask:
            self.selector.unregister(socket_)
        elif not was:
            self.selector.register(socket_, mask, lambda ready: self.ready(connection, socket_, ready))
        else:
            self.selector.modify(socket_, mask, lambda ready: self.ready(connection, socket_, ready))

    def ready(self, connection, socket_, mask):
        now = time.monotonic()
        for pipe in connection.pipes:
            if connection.is_open and mask & selectors.EVENT_WRITE and pipe.sink is socket_:
                pipe.is_blocked = False
                self.pump(pipe, now)
            if connection.is_open and mask & selectors.EVENT_READ and pipe.source is socket_ and not pipe.is_ended:
                self.read(pipe, now)

    def read(self, pipe, now):
        try:
            data = pipe.source.recv(READ_BYTES) or END
        except BlockingIOError:
            return
        except OSError:
            data = ABORT
        if not isinstance(data, bytes):
            pipe.is_ended = True
        if pipe.link.mode == "drop" or pipe.has_hole:
            self.swallow(pipe)
        else:
            pipe.push(now, data)
            self.pump(pipe, now)
        if pipe.connection.is_open:
            self.watch(pipe.connection, pipe.source)

    def swallow(self, pipe):
        pipe.queue.clear()
        pipe.bytes = 0
        pipe.has_hole = pipe.connection.is_doomed = True

    def pump_later(self, pipe, moment):
        def pump():
            pipe.is_timed = False
            self.pump(pipe, time.monotonic())

        if not pipe.is_timed:
            pipe.is_timed = True
            self.after(moment, pump)

    def pump(self, pipe, now):
        """Delivers what is due."""
        connection = pipe.connection
        while connection.is_open and pipe.queue and not pipe.is_blocked and pipe.link.mode != "stall":
            due, data = pipe.queue[0]
            if due > now:
                self.pump_later(pipe, due)
                break
            if pipe.link.mode == "drop" or pipe.has_hole:
                self.swallow(pipe)
                break
            if data is ABORT:
                self.abort(connection)
                return
            if data is END:
                pipe.queue.popleft()
                self.finish(pipe)
                continue
            if pipe.link.tear and connection.source == CLIENT and pipe.sink is connection.near:
                if random.random() < pipe.link.tear:
                    self.tear(pipe, data)
                    return
            try:
                sent = pipe.sink.send(data)
            except BlockingIOError:
                pipe.is_blocked = True
                break
            except OSError:
                self.abort(connection)
                return
            pipe.bytes -= sent
            self.counts["bytes"] += sent
            if sent < len(data):
                pipe.queue[0][1] = data[sent:]
                pipe.is_blocked = True
            else:
                pipe.queue.popleft()
        if connection.is_open:
            self.watch(connection, pipe.source)
            self.watch(connection, pipe.sink)

    def finish(self, pipe):
        pipe.is_done = True
        try:
            pipe.sink.shutdown(socket.SHUT_WR)
        except OSError:
            self.abort(pipe.connection)
            return
        if all(other.is_done for other in pipe.connection.pipes):
            self.close(pipe.connection)

    def tear(self, pipe, data):
        self.counts["answers torn"] += 1
        try:
            pipe.sink.send(data[:random.randrange(0, len(data))])
        except OSError:
            pass
        self.abort(pipe.connection)

    def abort(self, connection):
        """Both ends get a reset."""
        for end in (connection.near, connection.far):
            try:
                if end:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            except OSError:
                pass
        self.close(connection)

    def close(self, connection):
        if not connection.is_open:
            return
        connection.is_open = False
        self.connections.discard(connection)
        for end in (connection.near, connection.far):
            if end:
                try:
                    self.selector.unregister(end)
                except (KeyError, ValueError):
                    pass
                end.close()


if __name__ == "__main__":
    arguments = json.loads(sys.argv[1])
    Proxy(arguments["listeners"], arguments["seed"]).run()
