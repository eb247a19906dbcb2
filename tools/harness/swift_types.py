"""Which types Swift sources declare, and what each stores: by words and braces, no compiler."""

import os
import re

STRING = re.compile(r'"""(?:.|\n)*?"""|#"(?:.|\n)*?"#|"(?:\\.|[^"\\\n])*"')
COMMENT = re.compile(r"//[^\n]*|/\*(?:.|\n)*?\*/")
TOKEN = re.compile(
    r"(?P<open>[{(\[])|(?P<close>[})\]])|(?P<type>\b(?:class|struct|enum|actor|extension|protocol)\s+(?P<name>[A-Z][\w.]*))"
    r"|(?P<method>\b(?:func|subscript)\b)|(?P<property>(?P<modifiers>(?:\b(?:static|lazy|unowned|weak|private|fileprivate"
    r"|package|public|internal|final|override|nonisolated)(?:\([^()]*\))?\s+)*)\b(?:var|let)\s+(?P<names>\w+(?:\s*,\s*\w+)*))")
RECORDS = re.compile(r"^[^{]*\bBitwiseCopyable\b")


class Type:
    def __init__(self, name, file):
        self.name, self.file = name, file
        self.kind = "extension"
        self.stored, self.files = [], set()
        self.has_methods = self.is_bitwise = False

    @property
    def is_plain_record(self):
        return self.kind == "struct" and (self.is_bitwise or not self.has_methods)


def types(root):
    """All types under a folder of modules, by `Module.Outer.Name`."""
    found = {}
    for folder, _, files in os.walk(root):
        for name in sorted(files):
            if name.endswith(".swift"):
                path = os.path.join(folder, name)
                with open(path) as file:
                    read(file.read(), os.path.relpath(path, root), found)
    return found


def blank(text, match):
    return re.sub(r"[^\n]", " ", match.group(0))


def bare(text):
    """Without strings and comments; places stay the same."""
    out, at = [], 0
    both = re.compile(STRING.pattern + "|" + COMMENT.pattern)
    for match in both.finditer(text):
        out.append(text[at:match.start()])
        out.append(blank(text, match))
        at = match.end()
    return "".join(out) + text[at:]


def is_computed(text, at):
    """Whether what is declared up to `at` goes on with a body, not with a value."""
    depth = 0
    while at < len(text):
        sign = text[at]
        if sign in "([<":
            depth += 1
        elif sign in ")]>" and text[at - 1] != "-":
            depth -= 1
        elif depth <= 0 and sign == "=":
            return False
        elif depth <= 0 and sign == "{":
            return not re.match(r"\{\s*(?:willSet|didSet)\b", text[at:])
        elif depth <= 0 and sign in "\n;}":
            return False
        at += 1
    return False


def read(text, file, found):
    text = bare(text)
    module = file.split(os.sep)[0]
    stack = []  # of (closing sign, type or None)
    pending = None
    for match in TOKEN.finditer(text):
        if match["open"]:
            inner = None
            if match["open"] == "{" and pending is not None:
                inner, pending = pending, None
            stack.append(inner)
        elif match["close"]:
            if stack:
                stack.pop()
        elif match["type"]:
            word, name = match["type"].split()[0], match["name"]
            outer = next((owner for owner in reversed(stack) if owner is not None), None)
            full = f"{outer.name}.{name}" if outer else f"{module}.{name}"
            pending = found.setdefault(full, Type(full, file))
            pending.files.add(file)
            if word != "extension":
                pending.kind, pending.file = word, file
            if RECORDS.match(text[match.end():match.end() + 300]):
                pending.is_bitwise = True
        elif stack and stack[-1] is not None:
            owner = stack[-1]
            if match["method"]:
                owner.has_methods = True
            elif "static" not in match["modifiers"] and owner.kind != "protocol" and not is_computed(text, match.end()):
                owner.stored += re.split(r"\s*,\s*", match["names"])
