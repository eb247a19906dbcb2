"""Whether a cluster does its work while it could: by what a hand has done to it."""

import itertools


class Soundness:
    """Times at which a majority of the nodes ran and reached each other, whatever became of the others."""

    def __init__(self, nodes, now):
        self.nodes = list(nodes)
        self.out = {}  # node: how many reasons it has not to run
        self.bad = {}  # (a, b): the same of links
        self.since, self.spans = now, []

    def change(self, now, nodes=(), links=(), by=1):
        for where, keys in ((self.out, nodes), (self.bad, links)):
            for key in keys:
                where[key] = where.get(key, 0) + by
        is_sound = self.is_sound()
        if is_sound and self.since is None:
            self.since = now
        elif not is_sound and self.since is not None:
            self.close(now)

    def close(self, now):
        if self.since is not None:
            self.spans.append((self.since, now))
        self.since = None

    def is_sound(self):
        running = [n for n in self.nodes if not self.out.get(n)]
        return any(
            not any(self.bad.get(pair) for pair in itertools.permutations(some, 2))
            for some in itertools.combinations(running, len(self.nodes) // 2 + 1))

    def longest_gap(self, successes):
        """The longest time without a success within one span, and its begin. `successes` are sorted."""
        longest = (0, 0)
        for begin, end in self.spans:
            within = [begin, *(moment for moment in successes if begin < moment < end), end]
            longest = max(longest, max((b - a, a) for a, b in zip(within, within[1:])))
        return longest
