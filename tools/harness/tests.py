"""Tests of the tools' own parts: `cd tools && python3 -m unittest harness.tests`."""

import os
import socket
import sys
import tempfile
import threading
import time
import unittest

sys.dont_write_bytecode = True
from harness.availability import Soundness
from harness.chaos_node import ChaosNode
from harness.history import problems
from harness.links import Links
from harness.schedule import FAULTS, Schedule
from harness import swift_words
from harness.story import StoryError, Variables, check, fields, read


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class LinkTests(unittest.TestCase):
    """This process is node 1, which dials, and by its listener also what answers as node 2."""

    def setUp(self):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.server.settimeout(10)
        self.port = free_port()
        self.links = Links([(self.port, 2, self.server.getsockname()[1], False)], 1, {})
        self.links.is_process(1, os.getpid())
        self.open = [self.server]

    def tearDown(self):
        self.links.put_away()
        for thing in self.open:
            thing.close()
        self.links.process.stdin.close()
        self.links.process.stdout.close()

    def dial(self):
        for _ in range(200):  # until the proxy listens
            try:
                near = socket.create_connection(("127.0.0.1", self.port), 10)
                break
            except ConnectionRefusedError:
                time.sleep(0.02)
        self.open.append(near)
        return near

    def accept(self):
        far, _ = self.server.accept()
        far.settimeout(10)
        self.open.append(far)
        return far

    def pair(self):
        near = self.dial()
        return near, self.accept()

    def settle(self):
        """Until the proxy has done what it was told."""
        self.links.counts()

    def test_bytes_pass_both_ways_and_an_end_too(self):
        near, far = self.pair()
        near.sendall(b"there")
        self.assertEqual(far.recv(9), b"there")
        far.sendall(b"back")
        self.assertEqual(near.recv(9), b"back")
        near.close()
        self.assertEqual(far.recv(9), b"")

    def test_a_stall_holds_one_way_and_delivers_all(self):
        near, far = self.pair()
        self.links.begin("stall", [(1, 2)], {"mode": "stall"})
        self.settle()
        near.sendall(b"late")
        far.sendall(b"prompt")
        self.assertEqual(near.recv(9), b"prompt")
        far.settimeout(0.3)
        with self.assertRaises(TimeoutError):
            far.recv(9)
        self.links.end("stall")
        far.settimeout(10)
        self.assertEqual(far.recv(9), b"late")

    def test_what_lost_bytes_is_reset_when_the_cut_is_over(self):
        near, far = self.pair()
        self.links.begin("cut", [(1, 2)], {"mode": "drop"})
        self.settle()
        near.sendall(b"lost")
        far.sendall(b"back")
        self.assertEqual(near.recv(9), b"back")
        self.links.end("cut")
        with self.assertRaises(ConnectionResetError):
            far.recv(9)

    def test_a_cut_also_takes_what_is_under_way(self):
        near, far = self.pair()
        self.links.begin("slow", [(1, 2)], {"delay": 300})
        self.settle()
        near.sendall(b"lost")
        self.settle()
        self.links.begin("cut", [(1, 2)], {"mode": "drop"})
        far.settimeout(0.6)
        with self.assertRaises(TimeoutError):
            far.recv(9)
        self.links.end("cut")
        far.settimeout(10)
        with self.assertRaises(ConnectionResetError):
            far.recv(9)

    def test_a_cut_that_swallowed_nothing_leaves_no_trace(self):
        near, far = self.pair()
        self.links.begin("cut", [(1, 2)], {"mode": "drop"})
        self.links.end("cut")
        self.settle()
        near.sendall(b"whole")
        self.assertEqual(far.recv(9), b"whole")

    def test_a_link_that_refuses_resets_new_connections_and_no_others(self):
        near, far = self.pair()
        self.links.begin("refuse", [(1, 2)], {"refuse": True})
        self.settle()
        # Which may be known before connect returns.
        with self.assertRaises(ConnectionResetError):
            self.dial().recv(9)
        near.sendall(b"still")
        self.assertEqual(far.recv(9), b"still")

    def test_a_connection_made_on_a_mute_link_stays_mute(self):
        self.links.begin("mute", [(1, 2)], {"mute": True})
        near = self.dial()
        near.sendall(b"unheard")
        time.sleep(0.1)
        self.links.end("mute")
        self.links.reset([(1, 2)])
        self.settle()
        near.settimeout(0.3)
        with self.assertRaises(TimeoutError):
            near.recv(9)
        near, far = self.pair()
        near.sendall(b"heard")
        self.assertEqual(far.recv(9), b"heard")

    def test_links_are_told_apart_by_who_dials(self):
        self.links.begin("refuse", [(3, 2)], {"refuse": True})
        near, far = self.pair()
        near.sendall(b"1, not 3")
        self.assertEqual(far.recv(9), b"1, not 3")
        self.links.is_process(1, 0)
        self.settle()
        stranger = self.dial()
        with self.assertRaises(ConnectionResetError):
            stranger.recv(9)

    def test_delays_keep_the_order(self):
        near, far = self.pair()
        self.links.begin("slow", [(1, 2)], {"delay": 50, "jitter": 50})
        self.settle()
        begun = time.monotonic()
        sent = b"".join(b"%04d" % i for i in range(200))
        for i in range(0, len(sent), 4):
            near.sendall(sent[i:i + 4])
        got = b""
        while len(got) < len(sent):
            got += far.recv(4096)
        self.assertEqual(got, sent)
        self.assertGreaterEqual(time.monotonic() - begun, 0.05)


class ScheduleTests(unittest.TestCase):
    def test_a_seed_gives_the_same_steps(self):
        one, two, other = (Schedule(seed, 300, (1, 2, 3), list(FAULTS), False).steps for seed in (1, 1, 2))
        self.assertEqual(one, two)
        self.assertNotEqual(one, other)

    def test_every_node_is_brought_back_and_every_fault_ends(self):
        for seed in range(200):
            steps = Schedule(seed, 200, (1, 2, 3, 4, 5), list(FAULTS), seed % 2 == 0).steps
            down, frozen, bad = set(), set(), set()
            for step in steps:
                node = step.values.get("node")
                if step.verb in ("kill", "term", "wipe", "fail-sync", "fill"):
                    down.add(node)
                elif step.verb == "start":
                    down.discard(node)
                elif step.verb == "freeze":
                    self.assertNotIn(node, down)
                    frozen.add(node)
                elif step.verb == "thaw":
                    frozen.discard(node)
                elif step.verb == "bad":
                    bad.add(step.values["name"])
                elif step.verb == "good":
                    bad.discard(step.values["name"])
                elif step.verb == "calm":
                    self.assertFalse(down or frozen or bad, f"seed {seed}: not calm at {step}")
            self.assertFalse(down or frozen or bad, f"seed {seed}")
            self.assertLessEqual(sum(step.verb == "wipe" for step in steps), 1)

    def test_each_fault_is_drawn(self):
        drawn = set()
        for seed in range(20):
            drawn |= set(Schedule(seed, 300, (1, 2, 3), list(FAULTS), False).counts)
        self.assertEqual(drawn, set(FAULTS))


class SoundnessTests(unittest.TestCase):
    def test_a_majority_that_reaches_each_other_is_sound(self):
        sound = Soundness((1, 2, 3), 0)
        sound.change(10, nodes=[1])
        self.assertTrue(sound.is_sound())
        sound.change(20, links=[(2, 3)])
        self.assertFalse(sound.is_sound())
        sound.change(30, nodes=[1], by=-1)
        self.assertTrue(sound.is_sound())  # 1 and 2 do, and 1 and 3
        sound.change(40, links=[(1, 2), (3, 1)])
        sound.change(50, links=[(2, 3)], by=-1)
        sound.close(70)
        self.assertEqual(sound.spans, [(0, 20), (30, 40), (50, 70)])
        self.assertEqual(sound.longest_gap([5, 12, 19, 31, 45, 64]), (14, 50))


class LogTests(unittest.TestCase):
    def test_what_a_fault_makes_a_node_say_is_no_trouble(self):
        said = "2026-01-01T00:00:00.000Z error another process with this node's identity is at 127.0.0.1:501 (this one"
        other = said.replace(":501 ", ":502 ")
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(said + "\n" + other + "\n")
            file.flush()
            node = ChaosNode(1, [], 1, file.name, None, "")
            self.assertEqual(node.troubles()[0], [said, other])
            node.expected.append("another process with this node's identity is at 127.0.0.1:501 ")
            self.assertEqual(node.troubles()[0], [other])


class HistoryTests(unittest.TestCase):
    def problems(self, *lines):
        with tempfile.NamedTemporaryFile("w") as file:
            file.write("tallystick-history 1\n" + "".join(line + "\n" for line in lines))
            file.flush()
            return problems(file.name)

    def test_a_good_one(self):
        self.assertEqual(self.problems(
            "1 5 a earn m id=1 points=3 balance=3 result=ok", "2 - b hold m id=2 points=2 expires=9",
            "6 7 a balance m balance=3 held=0 available=3 result=ok",
            "8 9 a release m id=3 points=2 hold=2 code=REVERSED result=refused"), [])

    def test_bad_ones(self):
        good = "1 5 a earn m id=1 points=3 result=ok"
        for bad in (
                "4 9 a earn m id=2 points=3 result=ok",  # begins before the client's last one ended
                "6 9 a earn m id=1 points=3 result=ok",  # an id twice
                "9 6 a earn m id=2 points=3 result=ok", "6 - a earn m id=2 points=3 result=ok",
                "6 9 a earn m id=2 points=3", "6 9 a earn m id=2 result=ok", "6 9 a capture m id=2 points=3 hold=x result=ok",
                "6 9 a transfer m id=2 points=3 result=ok", "6 9 a balance m balance=1 result=ok", "6 9 a", "6 9 a grow m"):
            self.assertEqual(len(self.problems(good, bad)), 1, bad)


class StoryTests(unittest.TestCase):
    def wrong(self, expected, reply, variables=None):
        """Why a reply is not the expected one; None if it is."""
        try:
            check(list(enumerate(expected, 1)), reply, variables or Variables())
        except StoryError as error:
            return str(error).split("\n")[0]
        return None

    def test_a_record_has_at_least_the_fields(self):
        record = '+points=5 name="Ann Lee" capped=0'
        self.assertIsNone(self.wrong(['points=5 name="Ann Lee" capped=*'], record))
        self.assertIsNone(self.wrong(["points=5 !balance"], record))
        self.assertEqual(self.wrong(["points=6"], record), "line 1: points differs")
        self.assertEqual(self.wrong(["balance=*"], record), "line 1: balance is missing")
        self.assertEqual(self.wrong(["!capped"], record), "line 1: capped is there")
        self.assertEqual(self.wrong(["OK"], record), "line 1: another reply")
        self.assertEqual(self.wrong(["points=5"], "-ERR points=5"), "line 1: not such a reply")

    def test_an_error_has_the_code_and_fields(self):
        error = "-INSUFFICIENT can't: available=12 needed=100"
        self.assertIsNone(self.wrong(["-INSUFFICIENT available=12"], error))
        self.assertEqual(self.wrong(["-INSUFFICIENT available=13"], error), "line 1: available differs")
        self.assertEqual(self.wrong(["-INS"], error), "line 1: another error")
        self.assertEqual(self.wrong(["-INSUFFICIENT"], "+OK"), "line 1: not an error")
        self.assertEqual(self.wrong([], error), "expected: anything but an error")

    def test_records_are_counted_and_in_order(self):
        rows = ["+a=1", "+a=2", "+a=3"]
        self.assertIsNone(self.wrong(["3 records"], rows))
        self.assertIsNone(self.wrong(["2 records", "a=1", "a=2", "…"], rows))
        self.assertEqual(self.wrong(["2 records"], rows), "expected: 2 records")
        self.assertEqual(self.wrong(["3 records", "a=1", "a=3", "a=2"], rows), "line 3: a differs")
        self.assertEqual(self.wrong(["4 records", "a=1"], rows), "line 1: says 4 records and lists 1")

    def test_a_name_keeps_the_value_that_it_met_first(self):
        variables = Variables()
        self.assertIsNone(self.wrong(["tx=$t1"], "+tx=7-1", variables))
        self.assertIsNone(self.wrong(["tx=$t1"], "+tx=7-1", variables))
        self.assertEqual(self.wrong(["tx=$t1"], "+tx=7-2", variables), "line 1: tx is not $t1=7-1")
        self.assertEqual(variables.fill("REFUND $t1 id=f1"), "REFUND 7-1 id=f1")
        with self.assertRaises(StoryError):
            variables.fill("REFUND $t2")

    def test_what_is_not_a_story_is_named_by_its_line(self):
        for line in ("EARN ann", "< OK", "@ moon", "@ node", "@ settle now", ">"):
            with tempfile.NamedTemporaryFile("w", suffix=".story") as file:
                file.write(f"# one\n@ settle\n{line}\n")
                file.flush()
                with self.assertRaisesRegex(StoryError, ":3: "):
                    read(file.name)

    def test_words_are_split_as_terminals_split_them(self):
        self.assertEqual(fields("a=\"x \\\"y\\\" z\" b='c d' e= f"), {"a": 'x "y" z', "b": "c d", "e": ""})


class DeadCodeTests(unittest.TestCase):
    def dead(self, **files):
        """The dead names of sources: a file's name is MODULE_FILE."""
        with tempfile.TemporaryDirectory() as root:
            for name, text in files.items():
                module, file = name.split("_")
                os.makedirs(os.path.join(root, "Sources", module), exist_ok=True)
                with open(os.path.join(root, "Sources", module, file + ".swift"), "w") as source:
                    source.write(text)
            return sorted({declaration.name for declaration in swift_words.dead(root)})

    def test_what_nothing_uses_is_dead(self):
        text = """
        struct Used { var kept = 1; func dead() { let local = 1 }
          enum Kind { case one, two(Int), three = 3 } }
        let all = [Used().kept, Used.Kind.one, all]
        """
        self.assertEqual(self.dead(A_one=text), ["dead", "three", "two"])

    def test_words_in_comments_and_strings_are_no_use(self):
        text = 'func a() {} // a()\n/* a() */ let b = "a() \\(b) \\"a\\"", c = #"a"#, d = """\n a\n """\nlet e = [c, d, e]'
        self.assertEqual(self.dead(A_one=text), ["a"])

    def test_a_use_in_an_interpolation_counts(self):
        self.assertEqual(self.dead(A_one='func a() {}\nlet b = "x \\(a()) \\(b)"'), [])

    def test_uses_count_within_the_scope_of_the_declaration(self):
        other = "struct S { let a = b.hidden + b.inner + b.open }"
        self.assertEqual(
            self.dead(A_one="private let hidden = 1\nlet inner = 1\npublic let open = 1", B_two=other + "\nlet s = S().a + s + b\nlet b = b"),
            ["hidden", "inner"])

    def test_what_fulfils_a_protocol_is_used_by_who_knows_the_protocol(self):
        text = "public protocol P { func go() }\nstruct S: P { func go() {} }\nlet s: P = S(), t = s, u = t + u"
        self.assertEqual(self.dead(A_one=text, B_two="func f(p: P) { p.go(); f(p) }"), [])
        self.assertEqual(self.dead(A_one=text, B_two="func f(p: P) { f(p) }"), ["go"])

    def test_patterns_of_a_switch_are_no_declarations(self):
        text = "enum E { case a }\nfunc f(e: E) { switch e { case .a: f(e) case let x: f(x) } }"
        self.assertEqual(self.dead(A_one=text), [])


if __name__ == "__main__":
    unittest.main()
