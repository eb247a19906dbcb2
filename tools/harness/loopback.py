"""A cluster of processes on this machine, and its command line."""

import json
import subprocess
import time

from harness.wire import Connection

HOST = "127.0.0.1"


class Loopback:
    """Terminals of a node reach it at `ports[name]`, other nodes 100 above. `flags` are more arguments of each node."""

    def __init__(self, program, directory, base, flags=()):
        self.program, self.directory, self.base, self.flags = program, directory, base, list(flags)
        self.ports, self.processes = {}, {}

    def start(self, name, region):
        port = self.ports.setdefault(name, self.base + len(self.ports))
        joins = ",".join(f"{HOST}:{it + 100}" for it in self.ports.values())
        with open(f"{self.directory}/{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen(
                [self.program, "start", "--name", name, "--region", region, "--data", f"{self.directory}/{name}",
                 "--listen", f"{HOST}:{port}", "--peer", f"{HOST}:{port + 100}", "--join", joins] + self.flags,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    @property
    def addresses(self):
        """Of the nodes that run."""
        return ",".join(f"{HOST}:{self.ports[name]}" for name, it in self.processes.items() if it.poll() is None)

    def tally(self, *words, okay=(0,), timeout=600):
        """What a command says, from its JSON. Ends the tool where it fails."""
        done = subprocess.run(
            [self.program, *words, "--to", self.addresses, "--json", "--timeout", str(timeout)], capture_output=True, text=True)
        if done.returncode not in okay:
            raise SystemExit(f"tally {' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return json.loads(done.stdout) if done.stdout.strip() else None

    def ask(self, name, line, timeout=60):
        connection = Connection(self.ports[name], timeout)
        try:
            return connection.ask(line)
        finally:
            connection.close()

    def info(self, name, key):
        """A metric of a node, as text."""
        for line in str(self.ask(name, "INFO")).lstrip("$").splitlines():
            if line.startswith(key + ":"):
                return line.split(":", 1)[1].strip()
        raise SystemExit(f"INFO of {name} has no {key}")

    def wait(self, what, condition, seconds=120):
        """Until it holds. Ends the tool if it does not, or if a node has ended."""
        end = time.monotonic() + seconds
        while not condition():
            for name, process in self.processes.items():
                if process.poll() is not None:
                    with open(f"{self.directory}/{name}.log") as log:
                        raise SystemExit(f"{name} has ended: {log.read()[-500:]}")
            if time.monotonic() > end:
                raise SystemExit(f"{what}: not within {seconds} s")
            time.sleep(0.2)

    def make(self, shards, replicas=3):
        """A cluster of all that were started."""
        def have_found_each_other():
            rows = self.tally("nodes", okay=(0, 2, 3, 5))
            return isinstance(rows, list) and len(rows) == len(self.processes)

        self.wait("the nodes find each other", have_found_each_other)
        self.tally("init", "--shards", str(shards), "--replicas", str(replicas), "--no-wait")
        self.wait("the cluster is healthy", self.is_healthy, 600)

    def is_healthy(self):
        return subprocess.run([self.program, "status", "--to", self.addresses, "--timeout", "10"],
                              capture_output=True).returncode == 0

    def cpu_seconds(self, name):
        """Of processor time, user and system, since its start."""
        with open(f"/proc/{self.processes[name].pid}/stat") as file:
            words = file.read().rsplit(") ", 1)[1].split(" ")
        return (int(words[11]) + int(words[12])) / 100

    def stop(self):
        for process in self.processes.values():
            if process.poll() is None:
                process.terminate()
        for process in self.processes.values():
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
