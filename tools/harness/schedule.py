"""What `tools/chaos` does to a cluster and when, drawn from the seed before it begins."""

import collections
import itertools
import random

Step = collections.namedtuple("Step", "at verb values")  # seconds from the begin

# What each fault does, and how often it is drawn.
FAULTS = {
    "kill": (14, "SIGKILL, restart after up to 12 s"),
    "kill-start": (6, "SIGKILL, and again while it starts"),
    "kill-two": (5, "SIGKILL of a second node when the first is just back"),
    "kill-all": (3, "SIGKILL of all nodes at once"),
    "term": (5, "SIGTERM, restart"),
    "freeze": (10, "SIGSTOP for up to 20 s"),
    "cut": (9, "bytes of one way vanish, between two nodes or of all to or from one"),
    "partition": (9, "a node is cut off from all others, both ways"),
    "split": (5, "two nodes do not reach each other"),
    "stall": (6, "bytes of one way wait, and arrive all at once"),
    "slow": (7, "delay and jitter"),
    "throttle": (6, "few bytes a second"),
    "reset": (7, "connections are reset"),
    "refuse": (5, "connections are reset, and new ones refused"),
    "mute": (4, "connections are reset, and new ones made at that time lead nowhere for good"),
    "failed-sync": (5, "a write to the log fails with EIO: the process must end (strace)"),
    "full-disk": (5, "no room is left on a node's disk (root, each on a tmpfs)"),
    "memory": (5, "a node's memory is over its limit (prlimit): nothing grows, nobody dies"),
    "resize": (9, "a shard is split, two are merged, a replica moves, or another leads"),
    "copied": (0, "once in a calm, a copy of a node's directory is started beside it: it must end with code 2"),
    "wipe": (0, "once, a node loses its disk and starts as a new one"),
}


def usual(seed):
    """The faults of a run that names none: of one in four, also the loss of a disk."""
    is_to_wipe = random.Random(f"{seed}/wipe").random() < 0.25
    return [name for name in FAULTS if name != "full-disk" and (name != "wipe" or is_to_wipe)]


class Schedule:
    """Steps in order of time. A node is in one fault of processes at a time; links may be in several."""

    def __init__(self, seed, seconds, nodes, kinds, is_wan):
        self.random, self.nodes = random.Random(seed), list(nodes)
        self.steps, self.names = [], itertools.count(1)
        self.free = {n: 0.0 for n in self.nodes}  # when its last fault of processes is over
        self.out = {n: 0.0 for n in self.nodes}  # until when it is dead, frozen or cut off
        self.ends = 0.0
        self.wiped = None
        self.counts = collections.Counter()
        drawn = [k for k in kinds if FAULTS[k][0]]
        calm, now, storm = (20 if is_wan else 15), 5.0, 0.0
        is_to_wipe, is_to_copy = "wipe" in kinds, "copied" in kinds
        storm_ends = now + self.random.uniform(25, 40)
        while now < seconds - calm:
            if now > storm_ends:
                now = max(now, self.ends)
                self.add(now, "calm", seconds=calm)
                if is_to_copy and calm > 10:
                    is_to_copy = False
                    self.copied(now)
                now += calm
                self.add(now, "calm-over")
                storm_ends = now + self.random.uniform(25, 40)
            elif is_to_wipe and now > seconds * 0.5:
                is_to_wipe = False
                now = max(now, self.ends)  # all others are well when one is lost for good
                self.wipe(now)
                now += 8
            elif drawn:
                self.strike(now, drawn)
            now += self.random.expovariate(1 / (3 if is_wan else 2))
        self.steps = sorted((s for s in self.steps if s.at < max(seconds, self.ends)), key=lambda s: s.at)

    def strike(self, now, kinds):
        """One fault, of those that can be now."""
        for _ in range(5):
            kind = self.random.choices(kinds, [FAULTS[k][0] for k in kinds])[0]
            if getattr(self, kind.replace("-", "_"))(now) is not None:
                self.counts[kind] += 1
                return

    def add(self, at, verb, **values):
        self.steps.append(Step(at, verb, values))
        self.ends = max(self.ends, at)
        return at

    def lasting(self, low, high):
        """Seconds of a fault that takes a node out: after a wipe all the others are needed."""
        seconds = self.random.uniform(low, high)
        return min(seconds, 3.0) if self.wiped else seconds

    def victim(self, now, takes_out=True):
        """A node that no other fault of processes has. Mostly a majority is left."""
        idle = [n for n in self.nodes if self.free[n] <= now and n != self.wiped]
        already = [n for n in self.nodes if self.out[n] > now and n != self.wiped]
        is_minority = len(already) + 1 <= (len(self.nodes) - 1) // 2
        if not idle or takes_out and not is_minority and self.random.random() > 0.1:
            return None
        return self.random.choice(idle)

    def busy(self, node, until, is_out=True):
        self.free[node] = max(self.free[node], until)
        if is_out:
            self.out[node] = max(self.out[node], until)
        return until

    # Processes

    def kill(self, now):
        node = self.victim(now)
        if node is None:
            return None
        back = now + self.lasting(0, self.random.choice((0.1, 1, 5, 12)))
        self.add(now, "kill", node=node)
        return self.busy(node, self.add(back, "start", node=node) + 1)

    def kill_start(self, now):
        node = self.victim(now)
        if node is None:
            return None
        at = self.add(now, "kill", node=node)
        for _ in range(self.random.randrange(1, 4)):
            at = self.add(at + self.random.uniform(0, 0.5), "start", node=node)
            at = self.add(at + self.random.uniform(0, self.random.choice((0.05, 0.4))), "kill", node=node)
        return self.busy(node, self.add(at + self.random.uniform(0, 0.5), "start", node=node) + 1)

    def kill_two(self, now):
        node, other = self.victim(now), self.victim(now)
        if node is None or other is None or node == other:
            return None
        self.add(now, "kill", node=node)
        at = self.add(now + self.random.uniform(0, 3), "start", node=node) + self.random.uniform(0.2, 1.5)
        self.add(at, "kill", node=other)
        back = self.add(at + self.random.uniform(0, 2), "start", node=other) + 1
        self.busy(node, back)
        return self.busy(other, back)

    def kill_all(self, now):
        if any(self.free[n] > now for n in self.nodes if n != self.wiped):
            return None
        for node in self.nodes:
            self.add(now, "kill", node=node)
            back = self.add(now + self.random.uniform(0, 4), "start", node=node)
            if node != self.wiped:
                self.busy(node, back + 1)
        return now

    def term(self, now):
        node = self.victim(now)
        if node is None:
            return None
        self.add(now, "term", node=node)
        return self.busy(node, self.add(now + self.random.uniform(0.5, 3), "start", node=node) + 1)

    def freeze(self, now):
        node = self.victim(now)
        if node is None:
            return None
        self.add(now, "freeze", node=node)
        return self.busy(node, self.add(now + self.lasting(0.3, self.random.choice((2, 6, 20))), "thaw", node=node))

    def failed_sync(self, now):
        node = self.victim(now)
        if node is None:
            return None
        self.add(now, "fail-sync", node=node)
        self.add(now + 4, "fail-sync-over", node=node)
        return self.busy(node, self.add(now + 4 + self.random.uniform(0, 2), "start", node=node) + 1)

    def full_disk(self, now):
        node = self.victim(now)
        if node is None:
            return None
        self.add(now, "fill", node=node)
        end = self.add(now + self.lasting(2, 12), "fill-over", node=node)
        return self.busy(node, self.add(end + 1, "start", node=node) + 1)

    def memory(self, now):
        node = self.victim(now, takes_out=False)
        if node is None:
            return None
        self.add(now, "strain", node=node, share=self.random.choice((1.04, 1.04, 1.12)))
        return self.busy(node, self.add(now + self.lasting(2, 8), "strain-over", node=node), is_out=False)

    def wipe(self, now):
        self.wiped = self.random.choice(self.nodes)
        self.counts["wipe"] += 1
        self.add(now, "wipe", node=self.wiped)
        self.add(now + 1, "start", node=self.wiped)

    def copied(self, now):
        """When all is well: a node that nobody hears may have moved."""
        node = self.random.choice([n for n in self.nodes if n != self.wiped])
        self.counts["copied"] += 1
        self.add(now + 3, "copy", node=node)
        self.add(now + 10, "copy-over", node=node)

    # Operations

    def resize(self, now):
        kind = self.random.choices(("split", "merge", "leader", "move"), (4, 4, 1, 2))[0]
        return self.add(now, "resize", node=self.random.choice(self.nodes), kind=kind, draw=self.random.randrange(1 << 30))

    # Links

    def links_of(self, node, others=None):
        """To it, and from it."""
        others = [n for n in others or self.nodes if n != node]
        return [(n, node) for n in others], [(node, n) for n in others]

    def some_links(self):
        """One link, one way; all to or from one node; now and then all there are."""
        node, other = self.random.sample(self.nodes, 2)
        to, back = self.links_of(node)
        return self.random.choices(
            ([(node, other)], to, back, to + back, list(itertools.permutations(self.nodes, 2))), (30, 20, 20, 20, 10))[0]

    def bad(self, now, seconds, pairs, fault, **settings):
        name = f"{fault} {next(self.names)}"
        self.add(now, "bad", name=name, pairs=pairs, settings=settings)
        return self.add(now + seconds, "good", name=name)

    def cut(self, now):
        node = self.victim(now)
        if node is None:
            return None
        to, back = self.links_of(node)
        pairs = self.random.choice((to, back, [self.random.choice(to)], [self.random.choice(back)]))
        end = self.bad(now, self.lasting(1, self.random.choice((4, 12))), pairs, "cut", mode="drop")
        if len(pairs) > 1:
            self.out[node] = max(self.out[node], end)
        return end

    def partition(self, now):
        node = self.victim(now)
        if node is None:
            return None
        to, back = self.links_of(node)
        mode = self.random.choice(("drop", "stall"))
        end = self.bad(now, self.lasting(1, self.random.choice((4, 15))), to + back, "partition", mode=mode)
        self.out[node] = max(self.out[node], end)
        return end

    def split(self, now):
        pair = tuple(self.random.sample(self.nodes, 2))
        mode = self.random.choice(("drop", "stall"))
        return self.bad(now, self.random.uniform(1, 12), [pair, pair[::-1]], "split", mode=mode)

    def stall(self, now):
        node, other = self.random.sample(self.nodes, 2)
        pairs = [(node, other)] if self.random.random() < 0.6 else self.links_of(node)[1]
        return self.bad(now, self.lasting(0.3, self.random.choice((2, 8))), pairs, "stall", mode="stall")

    def slow(self, now):
        delay = self.random.choice((10, 50, 150, 400))
        jitter = self.random.uniform(0, delay)
        return self.bad(now, self.random.uniform(3, 12), self.some_links(), "slow", delay=delay, jitter=jitter)

    def throttle(self, now):
        rate = self.random.choice((20_000, 60_000, 200_000))
        return self.bad(now, self.random.uniform(3, 12), self.some_links(), "throttle", rate=rate)

    def reset(self, now):
        pairs = self.some_links()
        for _ in range(self.random.choice((1, 1, 3, 10))):
            now = self.add(now, "reset", pairs=pairs) + self.random.uniform(0.02, 0.5)
        return now

    def refuse(self, now):
        pairs = self.some_links()
        self.add(now + 0.001, "reset", pairs=pairs)
        return self.bad(now, self.random.uniform(1, 8), pairs, "refuse", refuse=True)

    def mute(self, now):
        pairs = self.some_links()
        self.add(now + 0.001, "reset", pairs=pairs)
        return self.bad(now, self.random.uniform(0.3, 3), pairs, "mute", mute=True)
